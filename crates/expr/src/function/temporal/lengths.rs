//! Intervals from numbers: `to_days(3)` and its kin.

use std::sync::Arc;

use arrow::array::PrimitiveArray;
use arrow::datatypes::{Float64Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType};
use dframe_core::{Error, Result};

use super::super::argument::{Argument, Kind, accept};
use super::super::{Call, Function, Signature};
use crate::coerce::INTERVAL;
use crate::value::Value;

pub(in super::super) static LIST: &[Function] = &[
    of_integer(&["to_years"], "to_years(n): an interval", |call| months(call, 12)),
    of_integer(&["to_quarters"], "to_quarters(n): an interval", |call| months(call, 3)),
    of_integer(&["to_months"], "to_months(n): an interval", |call| months(call, 1)),
    of_integer(&["to_weeks"], "to_weeks(n): an interval", |call| days(call, 7)),
    of_integer(&["to_days"], "to_days(n): an interval", |call| days(call, 1)),
    of_integer(&["to_hours"], "to_hours(n): an interval", |call| elapsed(call, 3_600_000_000)),
    of_integer(&["to_minutes"], "to_minutes(n): an interval", |call| elapsed(call, 60_000_000)),
    of_number(&["to_seconds"], "to_seconds(x): an interval", |call| fraction(call, 1e6)),
    of_number(&["to_milliseconds"], "to_milliseconds(x): an interval", |call| fraction(call, 1e3)),
    of_integer(&["to_microseconds"], "to_microseconds(n): an interval", |call| elapsed(call, 1)),
];

type Evaluate = fn(&Call<'_>) -> Result<Value>;

const fn of_integer(
    names: &'static [&'static str],
    usage: &'static str,
    evaluate: Evaluate,
) -> Function {
    let signature =
        |args: &[Argument]| -> Result<Signature> { accept(args, &[Kind::Integer], &[], INTERVAL) };
    Function { names, usage, signature, evaluate }
}

const fn of_number(
    names: &'static [&'static str],
    usage: &'static str,
    evaluate: Evaluate,
) -> Function {
    let signature =
        |args: &[Argument]| -> Result<Signature> { accept(args, &[Kind::Number], &[], INTERVAL) };
    Function { names, usage, signature, evaluate }
}

fn months(call: &Call<'_>, each: i64) -> Result<Value> {
    of_integers(call, |count| {
        let months = i32::try_from(count.checked_mul(each)?).ok()?;
        Some(IntervalMonthDayNano { months, days: 0, nanoseconds: 0 })
    })
}

fn days(call: &Call<'_>, each: i64) -> Result<Value> {
    of_integers(call, |count| {
        let days = i32::try_from(count.checked_mul(each)?).ok()?;
        Some(IntervalMonthDayNano { months: 0, days, nanoseconds: 0 })
    })
}

fn elapsed(call: &Call<'_>, micros: i64) -> Result<Value> {
    of_integers(call, |count| of_micros(count.checked_mul(micros)?))
}

fn fraction(call: &Call<'_>, micros: f64) -> Result<Value> {
    let counts = call.primitive::<Float64Type>(0)?;
    let interval = |count: f64| {
        let rounded = (count * micros).round_ties_even();
        let micros = (rounded.abs() < i64::MAX as f64).then_some(rounded as i64);
        micros.and_then(of_micros).ok_or_else(|| out_of_range(&format!("{count:?}")))
    };
    let intervals: PrimitiveArray<IntervalMonthDayNanoType> = counts.try_unary(interval)?;
    Ok(call.value(Arc::new(intervals)))
}

fn of_micros(micros: i64) -> Option<IntervalMonthDayNano> {
    let nanoseconds = micros.checked_mul(1_000)?;
    Some(IntervalMonthDayNano { months: 0, days: 0, nanoseconds })
}

fn of_integers(
    call: &Call<'_>,
    interval: impl Fn(i64) -> Option<IntervalMonthDayNano>,
) -> Result<Value> {
    let counts = call.primitive::<Int64Type>(0)?;
    let intervals: PrimitiveArray<IntervalMonthDayNanoType> = counts
        .try_unary(|count| interval(count).ok_or_else(|| out_of_range(&count.to_string())))?;
    Ok(call.value(Arc::new(intervals)))
}

fn out_of_range(count: &str) -> Error {
    Error::invalid_data(format!("an interval of {count} is out of range"))
        .remedy("filter out the rows, or guard the call with CASE")
}
