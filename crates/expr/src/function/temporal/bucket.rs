//! `time_bucket`: the start of the stretch of time that an instant is in; and `time_round`, the nearest start.
//!
//! Timestamps keep their zone, whose clock decides; dates stay dates. Units coarser than microseconds
//! become microseconds, which every width is a number of.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int64Array, PrimitiveArray};
use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, TimeUnit};
use dframe_core::Result;

use super::super::argument::{Argument, Kind, argument_type, check_count, wrong_type};
use super::super::column::Rows;
use super::super::{Call, Function, Signature};
use super::buckets::{Anchor, Buckets, check_width};
use super::instants::{Instants, out_of_range};
use super::truncate::{timestamps, with_type};
use crate::coerce::{INTERVAL, is_interval, is_string};
use crate::kernel::cast::cast;
use crate::value::Value;

pub(super) const TIME_BUCKET: Function = Function {
    names: &["time_bucket"],
    usage: "time_bucket(width, x [, offset or origin]): the start of the stretch of time that x is in",
    signature: |args| {
        check_count(args, 2, 3)?;
        signature(args)
    },
    evaluate: |call| evaluate(call, |buckets, local| buckets.start(local)),
};

pub(super) const TIME_ROUND: Function = Function {
    names: &["time_round", "date_round"],
    usage: "time_round(width, x): the nearest start of a stretch of time, the later if both are as near",
    signature: |args| {
        check_count(args, 2, 2)?;
        signature(args)
    },
    evaluate: |call| evaluate(call, nearest),
};

fn signature(args: &[Argument]) -> Result<Signature> {
    let instant = instant_type(&argument_type(1, &args[1], Kind::Temporal)?);
    let per_day = if instant == DataType::Date32 { MICROS_PER_DAY } else { per_day(&instant) };
    check_interval(0, &args[0])?;
    if let Some(width) = constant_interval(&args[0])? {
        check_width(width, per_day)?;
    }
    let mut types = vec![INTERVAL, instant.clone()];
    if let Some(anchor) = args.get(2) {
        types.push(anchor_type(anchor, &instant)?);
    }
    Ok(Signature { args: types, returns: instant })
}

const MICROS_PER_DAY: i64 = 86_400_000_000;

fn per_day(timestamp: &DataType) -> i64 {
    match timestamp {
        DataType::Timestamp(TimeUnit::Nanosecond, _) => 1_000 * MICROS_PER_DAY,
        _ => MICROS_PER_DAY,
    }
}

/// The type of the instants that kernels take: of microseconds at least.
pub(super) fn instant_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Timestamp(TimeUnit::Second | TimeUnit::Millisecond, zone) => {
            DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
        }
        other => other.clone(),
    }
}

/// An interval, or a text that says one.
fn check_interval(index: usize, arg: &Argument) -> Result<()> {
    match &arg.data_type {
        DataType::Null | DataType::Interval(_) | DataType::Duration(_) => Ok(()),
        text if is_string(text) => Ok(()),
        _ => Err(wrong_type(index, arg, "an interval")),
    }
}

/// The value of an argument that is a constant interval and not NULL.
fn constant_interval(arg: &Argument) -> Result<Option<IntervalMonthDayNano>> {
    let Some(constant) = &arg.constant else { return Ok(None) };
    let interval = cast(constant, &INTERVAL, true)?;
    let interval = interval.as_primitive::<IntervalMonthDayNanoType>();
    Ok(interval.is_valid(0).then(|| interval.value(0)))
}

/// An offset is an interval; an origin has the type of the instants.
fn anchor_type(anchor: &Argument, instant: &DataType) -> Result<DataType> {
    match (&anchor.data_type, instant) {
        (DataType::Null | DataType::Interval(_) | DataType::Duration(_), _) => Ok(INTERVAL),
        (text, _) if is_string(text) => Ok(INTERVAL),
        (DataType::Date32 | DataType::Date64, DataType::Date32) => Ok(DataType::Date32),
        (DataType::Timestamp(_, None), DataType::Timestamp(_, None))
        | (DataType::Timestamp(_, Some(_)), DataType::Timestamp(_, Some(_))) => Ok(instant.clone()),
        (DataType::Date32 | DataType::Date64, DataType::Timestamp(_, None)) => Ok(instant.clone()),
        _ => Err(wrong_type(2, anchor, "an interval, or an origin of the type of argument 2")),
    }
}

/// The start of the bucket that is nearest.
fn nearest(buckets: &Buckets, local: i64) -> Option<i64> {
    let (start, next) = (buckets.start(local)?, buckets.nth(local, 1)?);
    let (before, after) = (local.checked_sub(start)?, next.checked_sub(local)?);
    Some(if before < after { start } else { next })
}

type Place = fn(&Buckets, i64) -> Option<i64>;

fn evaluate(call: &Call<'_>, place: Place) -> Result<Value> {
    let instants = timestamps(&call.array(1)?)?;
    let ticks = match Choice::new(call, &instants)? {
        Choice::One(buckets) => starts_of(&instants, &buckets, place)?,
        Choice::Null => Int64Array::new_null(call.len()),
        Choice::Each(widths) => of_each(call, &instants, &widths, place)?,
    };
    Ok(call.value(as_type(ticks, call.returns, instants.per_day)?))
}

/// `ticks` as dates or timestamps.
pub(super) fn as_type(ticks: Int64Array, data_type: &DataType, per_day: i64) -> Result<ArrayRef> {
    if *data_type != DataType::Date32 {
        return with_type(ticks, data_type);
    }
    let days = |tick: i64| i32::try_from(tick.div_euclid(per_day)).map_err(|_| out_of_range(tick));
    let days = ticks.iter().map(|tick| tick.map(days).transpose());
    Ok(Arc::new(days.collect::<Result<Date32Array>>()?))
}

/// The buckets of a call: the same for all rows, none, or others for each.
enum Choice<'a> {
    One(Buckets),
    Null,
    Each(Rows<'a, PrimitiveArray<IntervalMonthDayNanoType>>),
}

impl<'a> Choice<'a> {
    fn new(call: &Call<'a>, instants: &Instants) -> Result<Self> {
        let widths = call.intervals(0)?;
        let constant = |index: usize| matches!(call.args.get(index), None | Some(Value::Scalar(_)));
        if !constant(0) || !constant(2) {
            return Ok(Choice::Each(widths));
        }
        Ok(match (widths.get(0), anchor_of(call, instants, 0)?) {
            (Some(width), Some(anchor)) => {
                Choice::One(Buckets::new(width, anchor, instants.per_day)?)
            }
            _ => Choice::Null,
        })
    }
}

/// Where the buckets of `row` begin; `None` for NULL.
fn anchor_of(call: &Call<'_>, instants: &Instants, row: usize) -> Result<Option<Anchor>> {
    const NOTHING: IntervalMonthDayNano =
        IntervalMonthDayNano { months: 0, days: 0, nanoseconds: 0 };
    let Some(anchor) = call.args.get(2) else { return Ok(Some(Anchor::Shift(NOTHING))) };
    if is_interval(anchor.data_type()) {
        return Ok(call.intervals(2)?.get(row).map(Anchor::Shift));
    }
    let (Value::Array(array) | Value::Scalar(array)) = anchor;
    let row = if matches!(anchor, Value::Scalar(_)) { 0 } else { row };
    let origin = timestamps(&array.slice(row, 1))?;
    if origin.ticks.is_null(0) {
        return Ok(None);
    }
    // The clock is that of the instants.
    let tick = origin.ticks.value(0);
    let local = instants.to_local(tick).ok_or_else(|| out_of_range(tick))?;
    Ok(Some(Anchor::Origin(local)))
}

/// The place of each instant among the same buckets.
pub(super) fn starts_of(
    instants: &Instants,
    buckets: &Buckets,
    place: Place,
) -> Result<Int64Array> {
    if instants.zone.is_at_utc() {
        return instants
            .ticks
            .try_unary(|tick| place(buckets, tick).ok_or_else(|| out_of_range(tick)));
    }
    instants.ticks.try_unary(|tick| in_zone(instants, buckets, tick, place))
}

/// The place of `tick` on its clock, as an instant.
fn in_zone(instants: &Instants, buckets: &Buckets, tick: i64, place: Place) -> Result<i64> {
    let start = instants.to_local(tick).and_then(|local| place(buckets, local));
    let start = start.and_then(|start| instants.to_utc(start, tick));
    start.ok_or_else(|| out_of_range(tick))
}

fn of_each(
    call: &Call<'_>,
    instants: &Instants,
    widths: &Rows<'_, PrimitiveArray<IntervalMonthDayNanoType>>,
    place: Place,
) -> Result<Int64Array> {
    let mut last: Option<(IntervalMonthDayNano, Anchor, Buckets)> = None;
    let rows = (0..call.len()).map(|row| {
        let (Some(width), Some(anchor)) = (widths.get(row), anchor_of(call, instants, row)?) else {
            return Ok(None);
        };
        if instants.ticks.is_null(row) {
            return Ok(None);
        }
        if !matches!(last, Some((w, a, _)) if (w, a) == (width, anchor)) {
            last = Some((width, anchor, Buckets::new(width, anchor, instants.per_day)?));
        }
        let tick = instants.ticks.value(row);
        last.as_ref().map(|(_, _, buckets)| in_zone(instants, buckets, tick, place)).transpose()
    });
    rows.collect()
}
