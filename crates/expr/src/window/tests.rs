//! Evaluators against frames found row by row, whatever the batches are.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt32Array,
    new_null_array,
};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Float64Type, Int64Type};

use super::*;
use crate::aggregate::{AggregateFunction, GroupedRows, Positions};
use crate::{Expr, Literal, SortKey, bind, col, lit, plain};

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Rows in order of `p`, `k`, with NULL keys last, and values of several types.
fn rows(random: &mut Random, count: usize) -> RecordBatch {
    let mut keys: Vec<(i64, i64)> =
        (0..count).map(|_| (random.below(5) as i64, random.below(20) as i64)).collect();
    keys.sort_unstable();
    let key = |k: &i64| (*k < 18).then_some(*k);
    let x: Float64Array = (0..count)
        .map(|_| match random.below(12) {
            0 => None,
            1 => Some(-0.0),
            2 => Some(1e20),
            at => Some(at as f64 / 7.0 - 0.5),
        })
        .collect();
    let i: Int64Array =
        (0..count).map(|_| (random.below(6) > 0).then(|| random.below(100) as i64 - 50)).collect();
    let t: StringArray = (0..count)
        .map(|_| (random.below(6) > 0).then(|| "abcdef"[..random.below(6) as usize].to_string()))
        .collect();
    RecordBatch::try_from_iter([
        ("p", Arc::new(keys.iter().map(|(p, _)| Some(*p)).collect::<Int64Array>()) as ArrayRef),
        ("k", Arc::new(keys.iter().map(|(_, k)| key(k)).collect::<Int64Array>())),
        ("x", Arc::new(x)),
        ("i", Arc::new(i)),
        ("t", Arc::new(t)),
    ])
    .unwrap()
}

fn differs(column: &ArrayRef, row: usize) -> bool {
    let values = column.as_primitive::<Int64Type>();
    let value = |row: usize| values.is_valid(row).then(|| values.value(row));
    row == 0 || value(row) != value(row - 1)
}

/// The answers of `call`, in batches of random sizes.
fn evaluated(call: &WindowCall, batch: &RecordBatch, random: &mut Random) -> ArrayRef {
    let bound = call.bind(&batch.schema()).unwrap();
    let mut evaluator = bound.evaluator(RowDirection::Forward).unwrap();
    let mut answers = Vec::new();
    let mut start = 0;
    let most = 1 + random.below(40);
    while start < batch.num_rows() {
        let len = (1 + random.below(most) as usize).min(batch.num_rows() - start);
        let slice = batch.slice(start, len);
        let evaluate =
            |input: &crate::BoundExpr| plain(&input.evaluate_array(&slice).unwrap()).unwrap();
        let inputs: Vec<ArrayRef> = bound.inputs().iter().map(evaluate).collect();
        let starts = |columns: &[usize]| -> BooleanBuffer {
            let rows = start..start + len;
            rows.map(|row| columns.iter().any(|c| differs(batch.column(*c), row))).collect()
        };
        let rows = WindowRows {
            inputs: &inputs,
            partition_starts: &starts(&[0]),
            peer_starts: &starts(&[0, 1]),
        };
        answers.extend(evaluator.push(&rows).unwrap());
        start += len;
    }
    answers.extend(evaluator.finish().unwrap());
    let arrays: Vec<ArrayRef> = answers
        .into_iter()
        .map(|answers| match answers {
            Answers::Rows(rows) => rows,
            Answers::Repeat(value, rows) => {
                take(&value, &UInt32Array::from(vec![0; rows as usize]), None).unwrap()
            }
        })
        .collect();
    let arrays: Vec<&dyn Array> = arrays.iter().map(|array| array.as_ref()).collect();
    concat(&arrays).unwrap()
}

/// The rows of the frame of `row`, as the standard says it.
fn frame_of(frame: &Frame, batch: &RecordBatch, row: usize) -> Range<usize> {
    let (p, k) = (batch.column(0), batch.column(1).as_primitive::<Int64Type>());
    let same = |other: usize| {
        let p = p.as_primitive::<Int64Type>();
        p.value(other) == p.value(row)
    };
    let partition: Vec<usize> = (0..batch.num_rows()).filter(|other| same(*other)).collect();
    let key = |row: usize| if k.is_valid(row) { k.value(row) } else { 1 << 40 };
    let group = |row: usize| {
        let mut keys: Vec<i64> = partition.iter().map(|row| key(*row)).collect();
        keys.dedup();
        keys.iter().position(|k| *k == key(row)).unwrap() as i64
    };
    let value = |literal: &Literal| literal.0.as_primitive::<Int64Type>().value(0);
    let offset = |bound: &FrameBound| match bound {
        FrameBound::UnboundedPreceding => -(1_i64 << 50),
        FrameBound::Preceding(offset) => -value(offset),
        FrameBound::CurrentRow => 0,
        FrameBound::Following(offset) => value(offset),
        FrameBound::UnboundedFollowing => 1 << 50,
    };
    let (low, high) = (offset(&frame.start), offset(&frame.end));
    let place = |other: usize| match frame.unit {
        FrameUnit::Rows => other as i64 - row as i64,
        FrameUnit::Groups => group(other) - group(row),
        FrameUnit::Range => key(other) - key(row),
    };
    // NULLs are the frame of NULLs, whatever the distances, as in PostgreSQL and DuckDB.
    let nulls = |other: usize| frame.unit == FrameUnit::Range && k.is_null(row) && k.is_null(other);
    let is_inside = |other: &usize| nulls(*other) || (low..=high).contains(&place(*other));
    let inside: Vec<usize> = partition.iter().copied().filter(is_inside).collect();
    match (inside.first(), inside.last()) {
        (Some(first), Some(last)) => *first..last + 1,
        _ => row..row,
    }
}

/// An aggregate of some rows.
fn aggregated(function: &AggregateFunction, args: &[ArrayRef], rows: Range<usize>) -> ArrayRef {
    let types: Vec<DataType> = args.iter().map(|arg| arg.data_type().clone()).collect();
    let bound = function.bind(&types).unwrap();
    let mut accumulator = bound.accumulator().unwrap();
    let args: Vec<ArrayRef> = args.iter().map(|arg| arg.slice(rows.start, rows.len())).collect();
    let groups = vec![0; rows.len()];
    let positions = Positions::From(rows.start as u64);
    accumulator.update(&GroupedRows { groups: &groups, group_count: 1, positions }, &args).unwrap();
    accumulator.finish().unwrap()
}

/// The value that `function` picks of some rows.
fn picked(
    function: &WindowFunction,
    ignore_nulls: bool,
    arg: &ArrayRef,
    rows: Range<usize>,
) -> ArrayRef {
    let rows: Vec<usize> = rows.filter(|row| !ignore_nulls || arg.is_valid(*row)).collect();
    let row = match function {
        WindowFunction::FirstValue => rows.first(),
        WindowFunction::LastValue => rows.last(),
        _ => rows.get(2),
    };
    row.map_or(new_null_array(arg.data_type(), 1), |row| arg.slice(*row, 1))
}

fn frames() -> Vec<Frame> {
    let at = |offset: i64| match offset {
        -99 => FrameBound::UnboundedPreceding,
        99 => FrameBound::UnboundedFollowing,
        0 => FrameBound::CurrentRow,
        1.. => FrameBound::following(offset),
        _ => FrameBound::preceding(-offset),
    };
    let ends = [
        (-99, 0),
        (-99, 99),
        (-3, 0),
        (0, 0),
        (-2, 2),
        (1, 3),
        (-5, -2),
        (-99, -1),
        (-99, 2),
        (-2, -9),
        (0, 70),
    ];
    let units = [FrameUnit::Rows, FrameUnit::Range, FrameUnit::Groups];
    let frame = |unit, (start, end)| Frame { unit, start: at(start), end: at(end) };
    units.into_iter().flat_map(|unit| ends.map(|ends| frame(unit, ends))).collect()
}

fn call(function: WindowFunction, args: Vec<Expr>, frame: Frame, ignore_nulls: bool) -> WindowCall {
    let over = Over {
        partition_by: vec![col("p")],
        order_by: vec![SortKey::ascending(col("k"))],
        frame: Some(frame),
    };
    let span = crate::Span::NONE;
    WindowCall { function, args, filter: None, distinct: false, ignore_nulls, over, span }
}

fn assert_same(found: &ArrayRef, expected: &ArrayRef, what: &WindowCall) {
    if *found.data_type() == DataType::Float64 {
        let bits = |array: &ArrayRef| -> Vec<Option<u64>> {
            array.as_primitive::<Float64Type>().iter().map(|v| v.map(f64::to_bits)).collect()
        };
        assert_eq!(bits(found), bits(expected), "{what}");
        return;
    }
    assert_eq!(found.as_ref(), expected.as_ref(), "{what}");
}

#[test]
fn aggregates_over_frames_are_those_of_the_frames_rows() {
    use AggregateFunction::{BoolAnd, Count, Max, Mean, Min, StdSample, Sum, VarPop};
    let mut random = Random(7);
    let calls: [(AggregateFunction, Vec<&str>); 13] = [
        (Count, vec![]),
        (Count, vec!["x"]),
        (Sum, vec!["x"]),
        (Sum, vec!["i"]),
        (Mean, vec!["x"]),
        (Mean, vec!["i"]),
        (Min, vec!["x"]),
        (Max, vec!["i"]),
        (Max, vec!["t"]),
        (StdSample, vec!["x"]),
        (VarPop, vec!["i"]),
        (AggregateFunction::Corr, vec!["x", "x"]),
        (BoolAnd, vec!["b"]),
    ];
    for (function, args) in &calls {
        for frame in frames() {
            let count = random.below(90) as usize;
            let batch = rows(&mut random, count);
            let exprs: Vec<Expr> = args
                .iter()
                .map(|arg| if *arg == "b" { col("i").gt(lit(0_i64)) } else { col(*arg) })
                .collect();
            let call =
                call(WindowFunction::Aggregate(function.clone()), exprs.clone(), frame, false);
            let evaluate =
                |expr: &Expr| bind(expr, &batch.schema()).unwrap().evaluate_array(&batch).unwrap();
            let values: Vec<ArrayRef> = exprs.iter().map(evaluate).collect();
            if count == 0 {
                continue;
            }
            let found = evaluated(&call, &batch, &mut random);
            let of_row = |row| {
                let frame = frame_of(&call.frame(), &batch, row);
                aggregated(function, &values, frame)
            };
            let expected: Vec<ArrayRef> = (0..count).map(of_row).collect();
            let expected: Vec<&dyn Array> = expected.iter().map(|array| array.as_ref()).collect();
            assert_same(&found, &concat(&expected).unwrap(), &call);
        }
    }
}

#[test]
fn picked_values_are_those_of_the_frames_rows() {
    use WindowFunction::{FirstValue, LastValue, NthValue};
    let mut random = Random(11);
    for function in [FirstValue, LastValue, NthValue] {
        for ignore_nulls in [false, true] {
            for frame in frames() {
                let count = 1 + random.below(90) as usize;
                let batch = rows(&mut random, count);
                let mut args = vec![col("t")];
                args.extend((function == NthValue).then(|| lit(3_i64)));
                let call = call(function.clone(), args, frame, ignore_nulls);
                let found = evaluated(&call, &batch, &mut random);
                let of_row = |row| {
                    let frame = frame_of(&call.frame(), &batch, row);
                    picked(&function, ignore_nulls, batch.column(4), frame)
                };
                let expected: Vec<ArrayRef> = (0..count).map(of_row).collect();
                let expected: Vec<&dyn Array> =
                    expected.iter().map(|array| array.as_ref()).collect();
                assert_same(&found, &concat(&expected).unwrap(), &call);
            }
        }
    }
}

#[test]
fn shifted_values_stay_within_their_partition() {
    let mut random = Random(3);
    for offset in [0, 1, 2, 7, 40, 200, -1, -3, -60, i64::MAX, i64::MIN] {
        for default in [false, true] {
            let count = 1 + random.below(200) as usize;
            let batch = rows(&mut random, count);
            let mut args = vec![col("i"), lit(offset)];
            args.extend(default.then(|| col("k") * lit(1000_i64)));
            let frame = frames().remove(0);
            let call = call(WindowFunction::Lag, args, frame, false);
            let found = evaluated(&call, &batch, &mut random);
            let p = batch.column(0).as_primitive::<Int64Type>();
            let k = batch.column(1).as_primitive::<Int64Type>();
            let i = batch.column(3).as_primitive::<Int64Type>();
            let of_row = |row: usize| {
                let source = row as i128 - i128::from(offset);
                let source = usize::try_from(source).ok().filter(|row| *row < count);
                match source.filter(|source| p.value(*source) == p.value(row)) {
                    Some(source) => i.is_valid(source).then(|| i.value(source)),
                    None => (default && k.is_valid(row)).then(|| k.value(row) * 1000),
                }
            };
            let expected: Int64Array = (0..count).map(of_row).collect();
            assert_same(&found, &(Arc::new(expected) as ArrayRef), &call);
        }
    }
}

#[test]
fn a_sum_goes_on_when_fixed_point_does_not() {
    let values =
        [1.5, 1e300, -1e300, 2.25, f64::INFINITY, 1.0, 0.1, 0.2, 1e-300, 1e300, -1e300, 7.0];
    let p = [0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 2].map(i64::from);
    let batch = RecordBatch::try_from_iter([
        ("p", Arc::new(Int64Array::from(p.to_vec())) as ArrayRef),
        ("k", Arc::new(Int64Array::from_iter_values(0..12))),
        ("x", Arc::new(Float64Array::from(values.to_vec()))),
    ])
    .unwrap();
    for function in [AggregateFunction::Sum, AggregateFunction::Mean] {
        for frame in frames() {
            let call =
                call(WindowFunction::Aggregate(function.clone()), vec![col("x")], frame, false);
            for seed in 0..20 {
                let found = evaluated(&call, &batch, &mut Random(seed));
                let of_row = |row| {
                    let frame = frame_of(&call.frame(), &batch, row);
                    aggregated(&function, &[batch.column(2).clone()], frame)
                };
                let expected: Vec<ArrayRef> = (0..12).map(of_row).collect();
                let expected: Vec<&dyn Array> =
                    expected.iter().map(|array| array.as_ref()).collect();
                assert_same(&found, &concat(&expected).unwrap(), &call);
            }
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let batch = rows(&mut Random(1), 5);
    let refused = |expr: Expr, part: &str| {
        let Expr::Window(call) = expr else { panic!("{expr}") };
        let error = call.bind(&batch.schema()).unwrap_err().to_string();
        assert!(error.contains(part), "{part}: {error}");
    };
    let ordered = || order_by([SortKey::ascending(col("k"))]);
    let distance = || FrameBound::preceding(1.5);
    refused(col("x").sum().over(Over::default().groups(-1..=0)), "needs an ORDER BY");
    refused(col("x").n_unique().over(["p"]), "DISTINCT");
    refused(col("x").lag(1).ignore_nulls(), "IGNORE NULLS");
    refused(col("x").nth_value(0), "counted from one");
    refused(col("t").sum().over(["p"]), "sum cannot take VARCHAR");
    let text = order_by([SortKey::ascending(col("t"))]).range(distance(), FrameBound::CurrentRow);
    refused(col("x").sum().over(text), "distances of VARCHAR");
    let two = ordered().order_by([SortKey::ascending(col("k")), SortKey::ascending(col("x"))]);
    refused(
        col("x").sum().over(two.range(distance(), FrameBound::CurrentRow)),
        "one ORDER BY key, not 2",
    );
    refused(col("nope").lag(1), "column 'nope' does not exist");
}

#[test]
fn calls_are_written_as_sql() {
    let over = || partition_by(["p"]).order_by([SortKey::descending(col("k"))]);
    let table = [
        (row_number(), "row_number() OVER ()"),
        (col("x").lag(2).over(over()), "lag(x, 2) OVER (PARTITION BY p ORDER BY k DESC)"),
        (
            col("x").mean().rolling(3).over(over()),
            "mean(x) OVER (PARTITION BY p ORDER BY k DESC ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)",
        ),
        (col("x") - col("x").mean().over(["p"]), "x - mean(x) OVER (PARTITION BY p)"),
        ((col("x") - col("x").mean()).over(["p"]), "x - mean(x) OVER (PARTITION BY p)"),
        (
            col("x").forward_fill(),
            "last_value(x IGNORE NULLS) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)",
        ),
    ];
    for (expr, text) in table {
        assert_eq!(expr.to_string(), text);
    }
}
