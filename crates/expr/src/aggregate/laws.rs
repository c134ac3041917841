//! The laws of accumulators, on random data: whatever the batches, the partitions and their order, the
//! results have the same bits; and sums of floats are those of an independent exact algorithm.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int64Array, StringArray, StringViewArray, UInt32Array, UInt64Array,
};
use arrow::compute::{concat, take};
use arrow::datatypes::DataType;
use proptest::prelude::*;

use super::{AggregateFunction, BoundAggregate, CallOptions, GroupedRows, Positions};

/// A row: what partition it is in, its group, and what its values are made of.
type Row = (u8, u32, Option<f64>, Option<i64>);

const GROUPS: u32 = 24;

/// Floats of ordinary size, of all sizes, and special ones.
fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -1000.0..1000.0,
        4 => (-100_000_i32..100_000).prop_map(|cents| f64::from(cents) / 100.0),
        2 => any::<u64>().prop_map(f64::from_bits),
        1 => prop_oneof![
            Just(0.0), Just(-0.0), Just(f64::MAX), Just(-f64::MAX), Just(5e-324), Just(-5e-324),
            Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(f64::NAN), Just(1e308), Just(-1e308)
        ],
    ]
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let few = prop_oneof![Just(1_u32), Just(3), Just(GROUPS)];
    let shape = (few, 1_u8..5, any::<bool>(), any::<bool>());
    shape.prop_flat_map(|(groups, partitions, sorted, nulls)| {
        let float = proptest::option::weighted(0.8, float());
        let int = proptest::option::weighted(0.8, any::<i64>().prop_map(|int| int >> 8));
        let row = (0..partitions, 0..groups, float, int);
        proptest::collection::vec(row, 0..200).prop_map(move |mut rows| {
            if sorted {
                rows.sort_by_key(|row| row.1);
            }
            for row in rows.iter_mut().filter(|_| !nulls) {
                (row.2, row.3) = (row.2.or(Some(1.25)), row.3.or(Some(5)));
            }
            rows
        })
    })
}

/// The columns that the functions are tried on.
fn columns(rows: &[Row]) -> Vec<ArrayRef> {
    let floats = || rows.iter().map(|row| row.2);
    let ints = || rows.iter().map(|row| row.3);
    let texts = || ints().map(|int| int.map(|int| format!("{:.*}", (int & 15) as usize, int)));
    vec![
        Arc::new(floats().collect::<Float64Array>()),
        Arc::new(floats().map(|float| float.map(|float| float as f32)).collect::<Float32Array>()),
        Arc::new(ints().collect::<Int64Array>()),
        Arc::new(ints().map(|int| int.map(|int| int as i8)).collect::<Int8Array>()),
        Arc::new(ints().map(|int| int.map(|int| int as u64 >> 9)).collect::<UInt64Array>()),
        Arc::new(ints().map(|int| int.map(|int| int & 1 == 0)).collect::<BooleanArray>()),
        Arc::new(ints().map(|int| int.map(i128::from)).collect::<Decimal128Array>()),
        Arc::new(
            ints()
                .map(|int| int.map(|int| i128::from(int) << 20))
                .collect::<Decimal128Array>()
                .with_precision_and_scale(20, 3)
                .unwrap(),
        ),
        Arc::new(texts().collect::<StringArray>()),
        Arc::new(texts().map(|text| text.map(|t| t.repeat(2))).collect::<StringViewArray>()),
    ]
}

/// All functions with all combinations of columns that they take.
fn calls(columns: &[ArrayRef]) -> Vec<(BoundAggregate, Vec<ArrayRef>)> {
    let mut calls = Vec::new();
    for name in AggregateFunction::names() {
        let function = AggregateFunction::parse(name).unwrap();
        if function.name() != name {
            continue;
        }
        for (index, column) in columns.iter().enumerate() {
            let pair = vec![column.clone(), columns[(index + 2) % columns.len()].clone()];
            for args in [vec![column.clone()], pair] {
                let types: Vec<DataType> = args.iter().map(|arg| arg.data_type().clone()).collect();
                let share: ArrayRef = Arc::new(Float64Array::from(vec![0.3]));
                let with_share = CallOptions { constants: vec![share], order: vec![] };
                let bound = function.bind(&types);
                let bound = bound.or_else(|_| function.bind_with(&types, &with_share));
                let Ok(bound) = bound else { continue };
                let wanted = &bound.signature().arg_types;
                let cast =
                    |(arg, to): (&ArrayRef, &DataType)| arrow::compute::cast(arg, to).unwrap();
                let args = args.iter().zip(wanted).map(cast).collect();
                calls.push((bound, args));
            }
        }
    }
    calls
}

/// What distinguishes floats that are equal, and equates NaNs.
fn assert_same(name: &str, left: &ArrayRef, right: &ArrayRef) {
    let bits = |array: &ArrayRef| -> Option<Vec<Option<u64>>> {
        let floats = array.as_any().downcast_ref::<Float64Array>()?;
        Some(floats.iter().map(|float| float.map(f64::to_bits)).collect())
    };
    assert_eq!(bits(left), bits(right), "{name}");
    if bits(left).is_none() {
        assert_eq!(left, right, "{name}");
    }
}

fn at(array: &[ArrayRef], rows: &[u32]) -> Vec<ArrayRef> {
    let rows = UInt32Array::from(rows.to_vec());
    array.iter().map(|array| take(array, &rows, None).unwrap()).collect()
}

/// The results from partitions whose groups have other ids, in batches, merged in reverse.
fn in_pieces(bound: &BoundAggregate, args: &[ArrayRef], rows: &[Row], batch: usize) -> ArrayRef {
    let renamed = |group: u32| GROUPS - 1 - group;
    let mut states: Vec<Vec<ArrayRef>> = Vec::new();
    for partition in (0..5_u8).rev() {
        let mut accumulator = bound.accumulator().unwrap();
        let own: Vec<u32> =
            (0..rows.len() as u32).filter(|&row| rows[row as usize].0 == partition).collect();
        for batch in own.chunks(batch) {
            let groups: Vec<u32> = batch.iter().map(|&row| renamed(rows[row as usize].1)).collect();
            let positions: Vec<u64> = batch.iter().map(|&row| u64::from(row)).collect();
            let rows = GroupedRows {
                groups: &groups,
                group_count: GROUPS as usize,
                positions: Positions::Each(&positions),
            };
            accumulator.update(&rows, &at(args, batch)).unwrap();
            assert!(accumulator.memory() > 0);
        }
        states.push(accumulator.state().unwrap());
        assert_eq!(accumulator.finish().unwrap().len(), 0, "state() forgets");
    }
    let states: Vec<ArrayRef> = (0..states[0].len())
        .map(|column| {
            let field = &bound.signature().state_fields[column];
            let parts: Vec<&dyn Array> = states.iter().map(|state| &*state[column]).collect();
            assert!(parts.iter().all(|part| part.data_type() == field.data_type()), "{field:?}");
            assert!(field.is_nullable() || parts.iter().all(|part| part.null_count() == 0));
            concat(&parts).unwrap()
        })
        .collect();
    let mut accumulator = bound.accumulator().unwrap();
    // A partition has states for all groups, or for none when it has no row.
    let groups: Vec<u32> = (0..states[0].len() as u32).map(|row| renamed(row % GROUPS)).collect();
    let positions = Positions::From(0);
    let rows = GroupedRows { groups: &groups, group_count: GROUPS as usize, positions };
    accumulator.merge(&rows, &states).unwrap();
    accumulator.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn results_depend_neither_on_batches_nor_on_partitions(rows in rows(), batch in 1_usize..60) {
        let groups: Vec<u32> = rows.iter().map(|row| row.1).collect();
        for (bound, args) in calls(&columns(&rows)) {
            let mut accumulator = bound.accumulator().unwrap();
            let positions = Positions::From(0);
            let all = GroupedRows { groups: &groups, group_count: GROUPS as usize, positions };
            accumulator.update(&all, &args).unwrap();
            let whole = accumulator.finish().unwrap();
            prop_assert_eq!(whole.data_type(), &bound.signature().return_type);
            let pieces = in_pieces(&bound, &args, &rows, batch);
            assert_same(bound.function().name(), &whole, &pieces);
        }
    }

    #[test]
    fn float_sums_are_those_of_an_independent_exact_algorithm(rows in rows()) {
        let mut values: Vec<Vec<f64>> = vec![Vec::new(); GROUPS as usize];
        let usable = |float: f64| if float.abs() < 1e290 { float } else { 1.0 };
        let column: Float64Array = rows.iter().map(|row| row.2.map(usable)).collect();
        let groups: Vec<u32> = rows.iter().map(|row| row.1).collect();
        for (row, group) in groups.iter().enumerate() {
            if column.is_valid(row) {
                values[*group as usize].push(column.value(row));
            }
        }
        let bound = AggregateFunction::Sum.bind(&[DataType::Float64]).unwrap();
        let mut accumulator = bound.accumulator().unwrap();
        let positions = Positions::From(0);
        let all = GroupedRows { groups: &groups, group_count: GROUPS as usize, positions };
        accumulator.update(&all, &[Arc::new(column)]).unwrap();
        let expected: Float64Array = values
            .iter()
            .map(|values| (!values.is_empty()).then(|| shewchuk(values)))
            .collect();
        assert_same("sum", &accumulator.finish().unwrap(), &(Arc::new(expected) as ArrayRef));
    }
}

/// J. R. Shewchuk, "Adaptive precision floating-point arithmetic" (1997), as Python's `math.fsum`.
fn shewchuk(values: &[f64]) -> f64 {
    let mut partials: Vec<f64> = Vec::new();
    for &value in values {
        let mut x = value;
        let mut kept = Vec::new();
        for &partial in &partials {
            let (large, small) = if x.abs() < partial.abs() { (partial, x) } else { (x, partial) };
            let high = large + small;
            let low = small - (high - large);
            if low != 0.0 {
                kept.push(low);
            }
            x = high;
        }
        kept.push(x);
        partials = kept;
    }
    let mut high = 0.0;
    while let Some(partial) = partials.pop() {
        let before: f64 = high;
        high = before + partial;
        let low = partial - (high - before);
        if low != 0.0 {
            let next = partials.last().copied().unwrap_or(0.0);
            let halfway = (low < 0.0 && next < 0.0) || (low > 0.0 && next > 0.0);
            let doubled = low * 2.0;
            if halfway && high + doubled - high == doubled {
                high += doubled;
            }
            break;
        }
    }
    if high == 0.0 { 0.0 } else { high }
}
