//! What all accumulators must obey: values, NULLs, and the laws of update, state, merge and finish.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::datatypes::DataType;

use super::{Accumulator, AggregateFunction, BoundAggregate, GroupedRows, Positions};

fn bind(name: &str, args: &[&ArrayRef]) -> BoundAggregate {
    let types: Vec<DataType> = args.iter().map(|array| array.data_type().clone()).collect();
    AggregateFunction::parse(name).unwrap().bind(&types).unwrap()
}

/// The results of `name` over `args`, computed in one update.
fn whole(name: &str, groups: &[u32], count: usize, args: &[ArrayRef]) -> ArrayRef {
    let mut accumulator = bind(name, &args.iter().collect::<Vec<_>>()).accumulator().unwrap();
    let positions = Positions::From(0);
    accumulator.update(&GroupedRows { groups, group_count: count, positions }, args).unwrap();
    accumulator.finish().unwrap()
}

#[test]
fn counts_sums_and_extremes_of_integers_skip_nulls() {
    let x = Arc::new(Int64Array::from(vec![Some(5), None, Some(-7), Some(2)])) as ArrayRef;
    let groups = [0, 1, 2, 0];
    let ints = |name| {
        let array = whole(name, &groups, 4, &[x.clone()]);
        let array = array.as_any().downcast_ref::<Int64Array>().unwrap().clone();
        array.iter().collect::<Vec<_>>()
    };
    assert_eq!(ints("count"), [Some(2), Some(0), Some(1), Some(0)]);
    assert_eq!(ints("sum"), [Some(7), None, Some(-7), None]);
    assert_eq!(ints("min"), [Some(2), None, Some(-7), None]);
    assert_eq!(ints("max"), [Some(5), None, Some(-7), None]);
    assert_eq!(ints("first"), [Some(5), None, Some(-7), None]);
    assert_eq!(ints("last"), [Some(2), None, Some(-7), None]);
}

#[test]
fn integer_sums_that_do_not_fit_are_errors_with_a_remedy() {
    let x = Arc::new(Int64Array::from(vec![i64::MAX, 1, -1])) as ArrayRef;
    let sum = whole("sum", &[0, 0, 0], 1, &[x.clone()]);
    assert_eq!(*sum, Int64Array::from(vec![i64::MAX]));
    let mut accumulator = bind("sum", &[&x]).accumulator().unwrap();
    let rows = GroupedRows { groups: &[0, 0, 1], group_count: 2, positions: Positions::From(0) };
    accumulator.update(&rows, &[x]).unwrap();
    let error = accumulator.finish().unwrap_err();
    assert!(error.to_string().contains("9223372036854775808"), "{error}");
    assert!(error.remedy_text().unwrap().contains("cast(x as double)"));
}

#[test]
fn floats_order_nan_last_and_negative_zero_first() {
    let x = Float64Array::from(vec![0.0, -0.0, -f64::NAN, f64::INFINITY, -1.0]);
    let x = Arc::new(x) as ArrayRef;
    let min = whole("min", &[0, 0, 0, 0, 1], 2, &[x.clone()]);
    let max = whole("max", &[0, 0, 0, 0, 1], 2, &[x]);
    let bits = |array: &ArrayRef| {
        let array = array.as_any().downcast_ref::<Float64Array>().unwrap();
        array.values().iter().map(|value| value.to_bits()).collect::<Vec<_>>()
    };
    assert_eq!(bits(&min), [(-0.0_f64).to_bits(), (-1.0_f64).to_bits()]);
    assert_eq!(bits(&max), [f64::NAN.to_bits(), (-1.0_f64).to_bits()]);
}

#[test]
fn strings_compare_bytewise() {
    let x = Arc::new(StringArray::from(vec![Some("b"), None, Some("é"), Some("a")])) as ArrayRef;
    let min = whole("min", &[0, 1, 0, 0], 2, &[x.clone()]);
    let max = whole("max", &[0, 1, 0, 0], 2, &[x]);
    assert_eq!(*min, StringArray::from(vec![Some("a"), None]));
    assert_eq!(*max, StringArray::from(vec![Some("é"), None]));
}
