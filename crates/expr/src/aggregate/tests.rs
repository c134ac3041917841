//! What all accumulators must obey: values, NULLs, and the laws of update, state, merge and finish.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::datatypes::DataType;

use super::{AggregateFunction, BoundAggregate, GroupedRows, Positions};

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
        let array = whole(name, &groups, 4, std::slice::from_ref(&x));
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
    let sum = whole("sum", &[0, 0, 0], 1, std::slice::from_ref(&x));
    assert_eq!(*sum, Int64Array::from(vec![i64::MAX]));
    let mut accumulator = bind("sum", &[&x]).accumulator().unwrap();
    let rows = GroupedRows { groups: &[0, 0, 1], group_count: 2, positions: Positions::From(0) };
    accumulator.update(&rows, &[x]).unwrap();
    let error = accumulator.finish().unwrap_err();
    assert!(error.to_string().contains("9223372036854775808"), "{error}");
    assert!(error.remedy_text().unwrap().contains("cast(x as double)"));
}

#[test]
fn sums_inside_exceed_64_bits() {
    let large = i64::MAX >> 8;
    let array = |value: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![value; 100])) };
    for (name, expected) in [("mean", large as f64), ("var_pop", 0.0)] {
        let mut accumulator = bind(name, &[&array(0)]).accumulator().unwrap();
        for _ in 0..40 {
            let positions = Positions::From(0);
            let rows = GroupedRows { groups: &[0; 100], group_count: 1, positions };
            accumulator.update(&rows, &[array(large)]).unwrap();
        }
        assert_eq!(floats(&accumulator.finish().unwrap()), [Some(expected)]);
    }
    // Products of values of 25 bits: the parts are carried over now and then.
    let mut accumulator = bind("var_pop", &[&array(0)]).accumulator().unwrap();
    for index in 0..200_000 {
        let positions = Positions::From(0);
        let rows = GroupedRows { groups: &[0; 100], group_count: 1, positions };
        let value = if index % 2 == 0 { 1 << 24 } else { -(1 << 24) };
        accumulator.update(&rows, &[array(value)]).unwrap();
    }
    assert_eq!(floats(&accumulator.finish().unwrap()), [Some(2_f64.powi(48))]);
}

#[test]
fn floats_order_nan_last_and_negative_zero_first() {
    let x = Float64Array::from(vec![0.0, -0.0, -f64::NAN, f64::INFINITY, -1.0]);
    let x = Arc::new(x) as ArrayRef;
    let min = whole("min", &[0, 0, 0, 0, 1], 2, std::slice::from_ref(&x));
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
    let min = whole("min", &[0, 1, 0, 0], 2, std::slice::from_ref(&x));
    let max = whole("max", &[0, 1, 0, 0], 2, &[x]);
    assert_eq!(*min, StringArray::from(vec![Some("a"), None]));
    assert_eq!(*max, StringArray::from(vec![Some("é"), None]));
}

#[test]
fn first_and_last_take_the_row_and_any_value_takes_a_value() {
    let x = Arc::new(Int64Array::from(vec![None, Some(1), Some(2), None])) as ArrayRef;
    let pick = |name| whole(name, &[0; 4], 2, std::slice::from_ref(&x));
    assert_eq!(*pick("first"), Int64Array::from(vec![None, None]));
    assert_eq!(*pick("last"), Int64Array::from(vec![None, None]));
    assert_eq!(*pick("any_value"), Int64Array::from(vec![Some(1), None]));
    assert!(bind("first", &[&x]).needs_positions());
    assert!(!bind("sum", &[&x]).needs_positions());
}

#[test]
fn means_and_moments_have_known_values() {
    let x = Arc::new(Float64Array::from(vec![2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0])) as ArrayRef;
    let y = Arc::new(Float64Array::from(vec![1.0, 3.0, 2.0, 5.0, 4.0, 6.0, 8.0, 7.0])) as ArrayRef;
    let one = |name| floats(&whole(name, &[0; 8], 1, std::slice::from_ref(&x)))[0];
    assert_eq!(one("mean"), Some(5.0));
    assert_eq!(one("var_pop"), Some(4.0));
    assert_eq!(one("std_pop"), Some(2.0));
    assert_eq!(one("var_samp"), Some(32.0 / 7.0));
    let two = |name| floats(&whole(name, &[0; 8], 1, &[x.clone(), y.clone()]))[0];
    assert_eq!(two("covar_pop"), Some(3.875));
    assert_eq!(two("covar_samp"), Some(31.0 / 7.0));
    assert_eq!(two("corr"), Some(31.0 / (32.0_f64 * 42.0).sqrt()));
}

#[test]
fn moments_of_one_none_and_constants_follow_duckdb() {
    let x = Arc::new(Float64Array::from(vec![3.0, 1.5, 1.5])) as ArrayRef;
    let y = Arc::new(Float64Array::from(vec![3.0, 1.0, 2.0])) as ArrayRef;
    let groups = [0, 1, 1];
    let result = |name, args: &[ArrayRef]| floats(&whole(name, &groups, 3, args));
    assert_eq!(result("var", std::slice::from_ref(&x)), [None, Some(0.0), None]);
    assert_eq!(result("std_pop", std::slice::from_ref(&x)), [Some(0.0), Some(0.0), None]);
    assert_eq!(result("covar_samp", &[x.clone(), y.clone()]), [None, Some(0.0), None]);
    let corr = result("corr", &[x, y]);
    assert!(corr[0].unwrap().is_nan() && corr[1].unwrap().is_nan() && corr[2].is_none());
}

#[test]
fn moments_do_not_cancel_overflow_or_hide_infinity() {
    let of = |name, values: Vec<f64>| {
        let groups = vec![0; values.len()];
        floats(&whole(name, &groups, 1, &[Arc::new(Float64Array::from(values))]))[0].unwrap()
    };
    assert_eq!(of("var_pop", vec![1e15, 1e15 + 2.0]), 1.0);
    assert_eq!(of("std_pop", vec![1e300, -1e300]), 1e300);
    assert_eq!(of("var_pop", vec![1e300, -1e300]), f64::INFINITY);
    assert_eq!(of("std_pop", vec![1e-200, 3e-200]), 1e-200);
    assert_eq!(of("std_pop", vec![5e-324, -5e-324]), 5e-324);
    assert!(of("std", vec![f64::INFINITY, 1.0]).is_nan());
    assert!(of("var_pop", vec![f64::NAN]).is_nan());
}

#[test]
fn float_sums_are_exact_at_the_edges() {
    let of = |values: &[f64]| {
        let array = Arc::new(Float64Array::from(values.to_vec()));
        floats(&whole("sum", &vec![0; values.len()], 1, &[array]))[0].unwrap()
    };
    assert_eq!(of(&[1e308, 1e308, -1e308]), 1e308);
    assert_eq!(of(&[1e308, 1e308]), f64::INFINITY);
    assert_eq!(of(&[-f64::MAX, -f64::MAX]), f64::NEG_INFINITY);
    assert_eq!(of(&[f64::MAX, 9.9e291]), f64::MAX);
    assert_eq!(of(&[1e16, 1.0, -1e16]), 1.0);
    assert_eq!(of(&[5e-324, 5e-324]), 1e-323);
    assert_eq!(of(&[1.0, 5e-324, -1.0]), 5e-324);
    assert_eq!(of(&[1.0, 2_f64.powi(-53)]), 1.0);
    assert_eq!(of(&[1.0, 2_f64.powi(-53), 5e-324]), 1.0 + f64::EPSILON);
    assert_eq!(of(&[f64::INFINITY, 1.0]), f64::INFINITY);
    assert!(of(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
    assert!(of(&[f64::NAN, 1.0]).is_nan());
    assert_eq!(of(&[-0.0, -0.0]).to_bits(), 0.0_f64.to_bits());
}

#[test]
fn a_mean_of_times_is_a_time() {
    let x: ArrayRef = Arc::new(arrow::array::TimestampMicrosecondArray::from(vec![10, 13]));
    let mean = whole("mean", &[0, 0], 1, &[x]);
    assert_eq!(*mean, arrow::array::TimestampMicrosecondArray::from(vec![11]));
}

#[test]
fn wrong_types_name_function_type_and_remedy() {
    let error = |name: &str, types: &[DataType]| {
        AggregateFunction::parse(name).unwrap().bind(types).unwrap_err().to_string()
    };
    assert_eq!(
        error("sum", &[DataType::Utf8]),
        "sum cannot take VARCHAR; cast it first: sum(cast(x as double))"
    );
    assert!(error("bool_and", &[DataType::Int64]).contains("bool_and(x > 0)"));
    assert!(error("mean", &[DataType::Boolean]).contains("cast(x as int)"));
    assert_eq!(error("corr", &[DataType::Int64]), "corr takes two argument(s), not 1");
    let list = DataType::new_list(DataType::Int64, true);
    assert!(error("max", std::slice::from_ref(&list)).contains("max cannot take BIGINT[]"));
    assert!(AggregateFunction::Count.bind(&[list]).is_ok());
}

#[test]
fn decimals_wider_than_128_bits_inside_sum_exactly() {
    let big = 10_i128.pow(38) - 1;
    let decimal = |values: Vec<Option<i128>>| -> ArrayRef {
        let array = arrow::array::Decimal128Array::from(values);
        Arc::new(array.with_precision_and_scale(38, 2).unwrap())
    };
    let x = decimal([vec![Some(big); 9], vec![None], vec![Some(-big); 8]].concat());
    let sum = whole("sum", &[0; 18], 2, &[x]);
    assert_eq!(*sum, *decimal(vec![Some(big), None]));
}

#[test]
fn last_gathers_what_it_keeps_and_nested_values_pass() {
    let bound = AggregateFunction::Last.bind(&[DataType::Utf8]).unwrap();
    let mut accumulator = bound.accumulator().unwrap();
    let groups: Vec<u32> = (0..1000).collect();
    let batch = |batch: u64| -> ArrayRef {
        Arc::new(StringArray::from_iter_values((0..1000).map(|row| format!("{batch}:{row}"))))
    };
    for index in 0..40 {
        let positions = Positions::From(1000 * index);
        let rows = GroupedRows { groups: &groups, group_count: 1001, positions };
        accumulator.update(&rows, &[batch(index)]).unwrap();
        assert!(accumulator.memory() < 1_000_000, "{}", accumulator.memory());
    }
    let last = accumulator.finish().unwrap();
    assert_eq!(&last.slice(0, 1000), &batch(39));
    assert!(last.is_null(1000));

    let lists =
        arrow::array::ListArray::from_iter_primitive::<arrow::datatypes::Int64Type, _, _>(vec![
            Some(vec![Some(1), None]),
            Some(vec![]),
        ]);
    let lists = Arc::new(lists) as ArrayRef;
    assert_eq!(&whole("first", &[0, 0], 1, std::slice::from_ref(&lists)), &lists.slice(0, 1));
}

#[test]
fn few_many_and_sorted_groups_give_the_same() {
    let rows = 10_000_usize;
    let shapes: [fn(usize) -> u32; 5] = [
        |_| 3,
        |row| row as u32 % 7,
        |row| row as u32 * 7919 % 500,
        |row| row as u32 / 20,
        |row| (row as u32 / 9) % 12,
    ];
    for shape in shapes {
        let groups: Vec<u32> = (0..rows).map(shape).collect();
        let value =
            |row: usize| (!row.is_multiple_of(11)).then_some((row * row % 1009) as i64 - 500);
        let ints = Arc::new((0..rows).map(value).collect::<Int64Array>()) as ArrayRef;
        let mut sums = vec![(0, 0, i64::MAX); 500];
        for (row, group) in groups.iter().enumerate() {
            if let (sum, Some(value)) = (&mut sums[*group as usize], value(row)) {
                *sum = (sum.0 + 1, sum.1 + value, sum.2.min(value));
            }
        }
        let seen = |value: i64, count: i64| (count > 0).then_some(value);
        let counts: Int64Array = sums.iter().map(|sum| Some(sum.0)).collect();
        let totals: Int64Array = sums.iter().map(|sum| seen(sum.1, sum.0)).collect();
        let least: Int64Array = sums.iter().map(|sum| seen(sum.2, sum.0)).collect();
        let of = |name, array: &ArrayRef| whole(name, &groups, 500, std::slice::from_ref(array));
        assert_eq!(*of("count", &ints), counts);
        assert_eq!(*of("sum", &ints), totals);
        assert_eq!(*of("min", &ints), least);
        let doubles = arrow::compute::cast(&ints, &DataType::Float64).unwrap();
        let total = arrow::compute::cast(&totals, &DataType::Float64).unwrap();
        assert_eq!(&of("sum", &doubles), &total);
        assert_eq!(&of("mean", &doubles), &of("mean", &ints));
        assert_eq!(&of("var", &doubles), &of("var", &ints));
    }
}

fn floats(array: &ArrayRef) -> Vec<Option<f64>> {
    array.as_any().downcast_ref::<Float64Array>().unwrap().iter().collect()
}
