//! Kernels against naive code, row by row, on random columns with NULLs and awkward values.

#![allow(clippy::unwrap_used)]

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Float64Array, Int64Array, RecordBatch,
    StringArray,
};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use dframe_expr::{BinaryOp, Expr, bind, coalesce, col, lit, plain, when};
use proptest::prelude::*;

type Ints = Vec<Option<i64>>;
type Floats = Vec<Option<f64>>;

fn int() -> impl Strategy<Value = Option<i64>> {
    let edge = prop::sample::select(vec![i64::MIN, i64::MAX, -1, 0, 1, 3_037_000_500]);
    prop::option::weighted(0.8, prop_oneof![-5..5i64, edge])
}

fn float() -> impl Strategy<Value = Option<f64>> {
    let edges = vec![0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.5];
    prop::option::weighted(0.8, prop_oneof![-2.0..2.0f64, prop::sample::select(edges)])
}

fn pairs<S: Strategy>(value: fn() -> S) -> impl Strategy<Value = Vec<(S::Value, S::Value)>> {
    prop::collection::vec((value(), value()), 0..80)
}

fn batch(x: ArrayRef, y: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([("x", x, true), ("y", y, true)]).unwrap()
}

fn evaluate(expr: &Expr, batch: &RecordBatch) -> Result<ArrayRef, dframe_core::Error> {
    plain(&bind(expr, &batch.schema())?.evaluate_array(batch)?)
}

/// DuckDB's order of floats.
fn order(x: f64, y: f64) -> Ordering {
    x.partial_cmp(&y).unwrap_or_else(|| x.is_nan().cmp(&y.is_nan()))
}

fn holds(op: BinaryOp, order: Ordering) -> bool {
    match op {
        BinaryOp::Eq => order.is_eq(),
        BinaryOp::NotEq => order.is_ne(),
        BinaryOp::Lt => order.is_lt(),
        BinaryOp::LtEq => order.is_le(),
        BinaryOp::Gt => order.is_gt(),
        _ => order.is_ge(),
    }
}

const COMPARISONS: [BinaryOp; 6] =
    [BinaryOp::Eq, BinaryOp::NotEq, BinaryOp::Lt, BinaryOp::LtEq, BinaryOp::Gt, BinaryOp::GtEq];

proptest! {
    #[test]
    fn integers_overflow_exactly_when_they_should(rows in pairs(int)) {
        let (x, y): (Ints, Ints) = rows.iter().copied().unzip();
        let batch = batch(Arc::new(Int64Array::from(x)), Arc::new(Int64Array::from(y)));
        type Checked = fn(i64, i64) -> Option<i64>;
        let ops: [(BinaryOp, Checked); 5] = [
            (BinaryOp::Add, i64::checked_add),
            (BinaryOp::Subtract, i64::checked_sub),
            (BinaryOp::Multiply, i64::checked_mul),
            (BinaryOp::IntegerDivide, i64::checked_div),
            (BinaryOp::Modulo, i64::checked_rem),
        ];
        for (op, naive) in ops {
            let both = rows.iter().map(|(x, y)| x.zip(*y));
            let expected: Option<Ints> =
                both.map(|pair| pair.map_or(Some(None), |(x, y)| naive(x, y).map(Some))).collect();
            let result = evaluate(&col("x").binary(op, col("y")), &batch).ok();
            let result = result.map(|array| array.as_primitive::<Int64Type>().iter().collect());
            prop_assert_eq!(result, expected, "{:?}", op);
            if let Some(&(_, Some(y))) = rows.first() {
                let expected: Option<Ints> = rows
                    .iter()
                    .map(|(x, _)| x.map_or(Some(None), |x| naive(x, y).map(Some)))
                    .collect();
                let result = evaluate(&col("x").binary(op, lit(y)), &batch).ok();
                let result = result.map(|array| array.as_primitive::<Int64Type>().iter().collect());
                prop_assert_eq!(result, expected, "{:?} {}", op, y);
            }
        }
    }

    #[test]
    fn floats_are_ordered_with_one_nan_and_one_zero(rows in pairs(float)) {
        let (x, y): (Floats, Floats) = rows.iter().copied().unzip();
        let batch = batch(Arc::new(Float64Array::from(x)), Arc::new(Float64Array::from(y)));
        for op in COMPARISONS {
            let naive = |(x, y): (f64, f64)| holds(op, order(x, y));
            let expected: BooleanArray = rows.iter().map(|(x, y)| x.zip(*y).map(naive)).collect();
            let result = evaluate(&col("x").binary(op, col("y")), &batch).unwrap();
            prop_assert_eq!(result.as_boolean(), &expected);
            if let Some(&(Some(x), _)) = rows.first() {
                let expected: BooleanArray =
                    rows.iter().map(|(_, y)| y.map(|y| naive((x, y)))).collect();
                let result = evaluate(&lit(x).binary(op, col("y")), &batch).unwrap();
                prop_assert_eq!(result.as_boolean(), &expected);
                let mirrored: BooleanArray =
                    rows.iter().map(|(_, y)| y.map(|y| naive((y, x)))).collect();
                let result = evaluate(&col("y").binary(op, lit(x)), &batch).unwrap();
                prop_assert_eq!(result.as_boolean(), &mirrored);
            }
        }
    }

    #[test]
    fn lists_find_what_equality_finds(
        rows in prop::collection::vec(float(), 0..60),
        list in prop::collection::vec(float(), 1..20),
    ) {
        let x = Arc::new(Float64Array::from(rows.clone()));
        let batch = batch(x.clone(), x);
        let expected: BooleanArray = rows.iter().map(|x| {
            let x = (*x)?;
            let found = list.iter().flatten().any(|item| order(x, *item).is_eq());
            if !found && list.contains(&None) { None } else { Some(found) }
        }).collect();
        let result = evaluate(&col("x").is_in(list.clone()), &batch).unwrap();
        prop_assert_eq!(result.as_boolean(), &expected);
    }

    #[test]
    fn branches_are_lazy_and_in_order(rows in pairs(int)) {
        let (x, y): (Ints, Ints) = rows.iter().copied().unzip();
        let batch = batch(Arc::new(Int64Array::from(x)), Arc::new(Int64Array::from(y)));
        let small = |side: &str| col(side).is_between(-5i64, 5i64);
        let expr = when(small("x").and(small("y")))
            .then(col("x") * col("y"))
            .when(col("x").is_null())
            .then(coalesce([col("y"), lit(7i64)]))
            .otherwise(-1i64);
        let is_small = |side: Option<i64>| side.is_some_and(|side| (-5..=5).contains(&side));
        let expected: Ints = rows.iter().map(|&(x, y)| match (x, y) {
            (Some(a), Some(b)) if is_small(x) && is_small(y) => Some(a * b),
            (None, _) => Some(y.unwrap_or(7)),
            _ => Some(-1),
        }).collect();
        let result = evaluate(&expr, &batch).unwrap();
        prop_assert_eq!(result.as_primitive::<Int64Type>().iter().collect::<Ints>(), expected);
    }

    #[test]
    fn codes_give_what_text_gives(
        codes in prop::collection::vec(prop::option::of(0..6i32), 0..60),
        values in prop::collection::vec(prop::option::weighted(0.9, "[ab1%]{0,3}"), 6),
    ) {
        let texts: StringArray =
            codes.iter().map(|code| code.and_then(|code| values[code as usize].as_deref())).collect();
        let dictionary = DictionaryArray::<Int32Type>::new(
            codes.into(),
            Arc::new(StringArray::from(values)),
        );
        let rows = Arc::new(Int64Array::from_iter_values(0..texts.len() as i64));
        let plain_batch = batch(Arc::new(texts), rows.clone());
        let coded_batch = batch(Arc::new(dictionary), rows);
        let exprs = [
            col("x").gt("a1"),
            col("x").is_null(),
            col("x").like("%a_"),
            col("x").fill_null("?"),
            col("x").nullif("a"),
            col("x").concat("!").is_in(["a!", "!"]),
            when(col("x").lt("b")).then(col("x")).otherwise("z"),
            when(col("x").like("1%")).then(col("x").cast(arrow::datatypes::DataType::Int64)).end(),
        ];
        for expr in exprs {
            let text = evaluate(&expr, &plain_batch).map_err(|error| error.to_string());
            let code = evaluate(&expr, &coded_batch).map_err(|error| error.to_string());
            prop_assert_eq!(text, code, "{}", expr);
        }
    }

    #[test]
    fn text_of_floats_reads_back(value in any::<f64>()) {
        let text = lit(value).cast(arrow::datatypes::DataType::Utf8);
        let back = text.cast(arrow::datatypes::DataType::Float64);
        let x: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let result = evaluate(&back, &batch(x.clone(), x)).unwrap();
        let result = result.as_primitive::<Float64Type>().value(0);
        prop_assert!(result == value || (result.is_nan() && value.is_nan()), "{} {}", result, value);
    }
}
