//! Arithmetic on dates, times, timestamps, durations and intervals.
//!
//! Months and days of an interval are added on the calendar, in the zone of the timestamp; the rest as
//! elapsed time. Times of day wrap around at midnight.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::compute::kernels::numeric;
use arrow::datatypes::{
    DataType, Date32Type, DurationMicrosecondType, Float64Type, Int64Type,
    IntervalMonthDayNanoType, Time64NanosecondType, TimeUnit,
};
use arrow::temporal_conversions::date32_to_datetime;
use dframe_core::{Error, Result};

use super::arithmetic::Fault;
use super::cast::cast;
use super::zoned;
use crate::coerce::{INTERVAL, Operation, finer, is_interval};
use crate::expr::BinaryOp;
use crate::value::Value;

/// The types of `left op right`, if it is about time.
pub fn operation(op: BinaryOp, left: &DataType, right: &DataType) -> Option<Operation> {
    match op {
        BinaryOp::Add => addition(left, right).or_else(|| {
            let mirrored = addition(right, left)?;
            Some(Operation::new(mirrored.right, mirrored.left, mirrored.result))
        }),
        BinaryOp::Subtract => difference(left, right)
            .or_else(|| addition(left, right).filter(|_| !is_clock(left) || !is_clock(right))),
        BinaryOp::Multiply => scaled(left, right).or_else(|| {
            let mirrored = scaled(right, left)?;
            Some(Operation::new(mirrored.right, mirrored.left, mirrored.result))
        }),
        BinaryOp::Divide => quotient(left, right),
        _ => None,
    }
}

/// Something that is later by something: also earlier, for `-`.
fn addition(left: &DataType, right: &DataType) -> Option<Operation> {
    use DataType::{Date32, Date64, Duration, Time32, Time64, Timestamp};
    let micros = TimeUnit::Microsecond;
    Some(match (left, right) {
        (Date32 | Date64, right) if right.is_integer() => {
            Operation::new(Date32, DataType::Int64, Date32)
        }
        (Date32 | Date64, right) if is_interval(right) => {
            let instant = Timestamp(micros, None);
            Operation::new(instant.clone(), INTERVAL, instant)
        }
        (Date32 | Date64, Time32(_) | Time64(_)) => {
            let instant = Timestamp(micros, None);
            Operation::new(instant.clone(), Time64(micros), instant)
        }
        (Date32 | Date64, Duration(unit)) => {
            let (instant, unit) = (Timestamp(finer(*unit, micros), None), finer(*unit, micros));
            Operation::new(instant.clone(), Duration(unit), instant)
        }
        (Timestamp(unit, zone), right) if is_interval(right) => {
            let instant = Timestamp(finer(*unit, micros), zone.clone());
            Operation::new(instant.clone(), INTERVAL, instant)
        }
        (Timestamp(left, zone), Duration(right)) => {
            let unit = finer(*left, *right);
            let instant = Timestamp(unit, zone.clone());
            Operation::new(instant.clone(), Duration(unit), instant)
        }
        (Time32(unit) | Time64(unit), right) if is_interval(right) || right.is_temporal() => {
            if !is_interval(right) && !matches!(right, Duration(_)) {
                return None;
            }
            let time = Time64(finer(*unit, micros));
            Operation::new(Time64(TimeUnit::Nanosecond), INTERVAL, time)
        }
        (Duration(left), Duration(right)) => {
            let unit = Duration(finer(*left, *right));
            Operation::new(unit.clone(), unit.clone(), unit)
        }
        (left, right) if is_length(left) && is_length(right) => {
            Operation::new(INTERVAL, INTERVAL, INTERVAL)
        }
        (left, DataType::Null) if left.is_temporal() => {
            let other = if is_date(left) { DataType::Int64 } else { INTERVAL };
            return addition(left, &other);
        }
        _ => return None,
    })
}

/// A date or a time of day: together an instant, but there is no difference.
fn is_clock(data_type: &DataType) -> bool {
    is_date(data_type) || matches!(data_type, DataType::Time32(_) | DataType::Time64(_))
}

fn is_length(data_type: &DataType) -> bool {
    is_interval(data_type) || matches!(data_type, DataType::Duration(_))
}

fn is_date(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32 | DataType::Date64)
}

/// The time between two dates or instants: days, or elapsed time.
fn difference(left: &DataType, right: &DataType) -> Option<Operation> {
    use DataType::{Date32, Duration, Timestamp};
    let unit = |data_type: &DataType| match data_type {
        Timestamp(unit, _) => Some(*unit),
        DataType::Date32 | DataType::Date64 => Some(TimeUnit::Second),
        _ => None,
    };
    if is_date(left) && is_date(right) {
        return Some(Operation::new(Date32, Date32, DataType::Int64));
    }
    let unit = finer(unit(left)?, unit(right)?);
    // In UTC: the elapsed time does not depend on the zones.
    let instant = Timestamp(unit, None);
    Some(Operation::new(instant.clone(), instant, Duration(unit)))
}

fn scaled(left: &DataType, right: &DataType) -> Option<Operation> {
    if !is_length(left) || !(right.is_numeric() || right.is_null()) {
        return None;
    }
    let factor =
        if right.is_floating() || right.is_decimal() { DataType::Float64 } else { DataType::Int64 };
    let length = length_type(left);
    Some(Operation::new(length.clone(), factor, length))
}

fn quotient(left: &DataType, right: &DataType) -> Option<Operation> {
    match (left, right) {
        (DataType::Duration(_), DataType::Duration(_)) => {
            let micros = DataType::Duration(TimeUnit::Microsecond);
            Some(Operation::new(micros.clone(), micros, DataType::Float64))
        }
        (left, right) if is_length(left) && (right.is_numeric() || right.is_null()) => {
            let length = length_type(left);
            Some(Operation::new(length.clone(), DataType::Float64, length))
        }
        _ => None,
    }
}

/// Durations stay what they are; intervals become the widest kind.
fn length_type(data_type: &DataType) -> DataType {
    if is_interval(data_type) { INTERVAL } else { data_type.clone() }
}

/// `left op right` in the types of [`operation`], giving `result`.
pub fn binary(
    op: BinaryOp,
    left: &Value,
    right: &Value,
    result: &DataType,
) -> Result<ArrayRef, Fault> {
    use DataType::{Date32, Duration, Float64, Int64, Interval, Time64, Timestamp};
    match (left.data_type(), right.data_type(), result) {
        (Date32, Int64, _) => by_days(op, left, right),
        (Int64, Date32, _) => by_days(op, right, left),
        (Date32, Date32, _) => zip::<Date32Type, Date32Type, Int64Type>(left, right, |l, r| {
            Some(i64::from(l) - i64::from(r))
        }),
        (Timestamp(..), Time64(_), _) => {
            let elapsed = as_elapsed(right)?;
            Ok(numeric::add(left, &elapsed)?)
        }
        (Time64(_), Timestamp(..), _) => {
            let elapsed = as_elapsed(left)?;
            Ok(numeric::add(right, &elapsed)?)
        }
        (Timestamp(_, Some(_)), Interval(_), _) => zoned::moved(op, left, right),
        (Interval(_), Timestamp(_, Some(_)), _) => zoned::moved(op, right, left),
        (Time64(_), Interval(_), _) => by_clock(op, left, right, result),
        (Interval(_), Time64(_), _) => by_clock(op, right, left, result),
        (Duration(_), Duration(_), Float64) => {
            zip::<DurationMicrosecondType, DurationMicrosecondType, Float64Type>(
                left,
                right,
                |l, r| Some(l as f64 / r as f64),
            )
        }
        (Duration(_), Int64 | Float64, _) => by_factor(op, left, right, result),
        (Int64 | Float64, Duration(_), _) => by_factor(op, right, left, result),
        _ => Ok(match op {
            BinaryOp::Add => numeric::add(left, right)?,
            BinaryOp::Subtract => numeric::sub(left, right)?,
            BinaryOp::Multiply => numeric::mul(left, right)?,
            BinaryOp::Divide => numeric::div(left, right)?,
            _ => return Err(Error::internal(format!("{op:?} of times")).into()),
        }),
    }
}

/// `f` of each pair; `None` is an overflow.
pub(super) fn zip<L: ArrowPrimitiveType, R: ArrowPrimitiveType, O: ArrowPrimitiveType>(
    left: &Value,
    right: &Value,
    f: impl Fn(L::Native, R::Native) -> Option<O::Native>,
) -> Result<ArrayRef, Fault> {
    let rows = match (left, right) {
        (Value::Array(array), _) | (_, Value::Array(array)) => array.len(),
        _ => 1,
    };
    let step = |value: &Value| usize::from(matches!(value, Value::Array(_)));
    let (left_step, right_step) = (step(left), step(right));
    let array = |value: &Value| match value {
        Value::Array(array) | Value::Scalar(array) => array.clone(),
    };
    let (left, right) = (array(left), array(right));
    let (left, right) = (left.as_primitive::<L>(), right.as_primitive::<R>());
    let mut results = PrimitiveArray::<O>::builder(rows);
    for row in 0..rows {
        let (l, r) = (row * left_step, row * right_step);
        if left.is_null(l) || right.is_null(r) {
            results.append_null();
            continue;
        }
        let (l, r) = (left.value(l), right.value(r));
        results.append_value(f(l, r).ok_or_else(|| Fault::Overflow(format!("{l:?}, {r:?}")))?);
    }
    Ok(Arc::new(results.finish()))
}

fn by_days(op: BinaryOp, date: &Value, days: &Value) -> Result<ArrayRef, Fault> {
    let sign = if op == BinaryOp::Subtract { -1 } else { 1 };
    zip::<Date32Type, Int64Type, Date32Type>(date, days, |date, days| {
        let later = i64::from(date).checked_add(days.checked_mul(sign)?)?;
        // Only days that the calendar has.
        i32::try_from(later).ok().filter(|days| date32_to_datetime(*days).is_some())
    })
}

/// A time of day in microseconds as the time since midnight.
fn as_elapsed(value: &Value) -> Result<Value> {
    let elapsed = |array: &ArrayRef| -> Result<ArrayRef> {
        let ticks = arrow::compute::cast(array, &DataType::Int64)?;
        Ok(arrow::compute::cast(&ticks, &DataType::Duration(TimeUnit::Microsecond))?)
    };
    Ok(match value {
        Value::Array(array) => Value::Array(elapsed(array)?),
        Value::Scalar(array) => Value::Scalar(elapsed(array)?),
    })
}

/// Only the part of the interval below a day moves a time of day.
fn by_clock(
    op: BinaryOp,
    time: &Value,
    interval: &Value,
    result: &DataType,
) -> Result<ArrayRef, Fault> {
    const DAY: i64 = 86_400_000_000_000;
    let moved = zip::<Time64NanosecondType, IntervalMonthDayNanoType, Time64NanosecondType>(
        time,
        interval,
        |time, interval| {
            let by = interval.nanoseconds % DAY;
            let by = if op == BinaryOp::Subtract { -by } else { by };
            Some((time + by).rem_euclid(DAY))
        },
    )?;
    Ok(cast(&moved, result, true)?)
}

/// A duration times or divided by a number, exact for whole factors.
fn by_factor(
    op: BinaryOp,
    length: &Value,
    factor: &Value,
    result: &DataType,
) -> Result<ArrayRef, Fault> {
    let ticks = |value: &Value| -> Result<Value> {
        let ticks =
            |array: &ArrayRef| Ok::<_, Error>(arrow::compute::cast(array, &DataType::Int64)?);
        Ok(match value {
            Value::Array(array) => Value::Array(ticks(array)?),
            Value::Scalar(array) => Value::Scalar(ticks(array)?),
        })
    };
    let ticks = ticks(length)?;
    let scaled = match factor.data_type() {
        DataType::Int64 => {
            zip::<Int64Type, Int64Type, Int64Type>(&ticks, factor, i64::checked_mul)?
        }
        _ => zip::<Int64Type, Float64Type, Int64Type>(&ticks, factor, |ticks, factor| {
            let ticks = ticks as f64;
            let scaled = if op == BinaryOp::Divide { ticks / factor } else { ticks * factor };
            let rounded = scaled.round_ties_even();
            (rounded.abs() < i64::MAX as f64).then_some(rounded as i64)
        })?,
    };
    Ok(arrow::compute::cast(&scaled, result).map_err(Error::from)?)
}
