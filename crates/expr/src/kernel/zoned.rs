//! Instants of a zone plus intervals, as on a clock on the wall there.
//!
//! Months and days keep the time that the clock shows. Where it is put forward and skips that time, the
//! result is as much later; where it is put back and shows the time twice, the offset stays what it was.
//! The rest of an interval is elapsed time.

use arrow::array::ArrayRef;
use arrow::array::timezone::Tz;
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType};
use chrono::{DateTime, Days, Months, NaiveDateTime, Offset, TimeDelta, TimeZone};
use dframe_core::{Error, Result};

use super::arithmetic::Fault;
use super::cast::per_second;
use super::temporal::zip;
use super::text::parse_zone;
use crate::expr::BinaryOp;
use crate::value::Value;

const NANOS: i64 = 1_000_000_000;

/// `instants op intervals`; the instants have the type of the result.
pub fn moved(op: BinaryOp, instants: &Value, intervals: &Value) -> Result<ArrayRef, Fault> {
    let data_type = instants.data_type().clone();
    let DataType::Timestamp(unit, Some(zone)) = &data_type else {
        return Err(Error::internal(format!("{data_type} has no zone")).into());
    };
    let (zone, per_second) = (parse_zone(zone)?, per_second(*unit));
    let moved = zip::<Int64Type, IntervalMonthDayNanoType, Int64Type>(
        &as_ticks(instants)?,
        intervals,
        |tick, interval| {
            let interval = if op == BinaryOp::Subtract { negated(interval)? } else { interval };
            moved_tick(tick, interval, &zone, per_second)
        },
    )?;
    Ok(arrow::compute::cast(&moved, &data_type).map_err(Error::from)?)
}

fn as_ticks(instants: &Value) -> Result<Value> {
    let ticks = |array: &ArrayRef| Ok::<_, Error>(arrow::compute::cast(array, &DataType::Int64)?);
    Ok(match instants {
        Value::Array(array) => Value::Array(ticks(array)?),
        Value::Scalar(array) => Value::Scalar(ticks(array)?),
    })
}

fn negated(interval: IntervalMonthDayNano) -> Option<IntervalMonthDayNano> {
    Some(IntervalMonthDayNano {
        months: interval.months.checked_neg()?,
        days: interval.days.checked_neg()?,
        nanoseconds: interval.nanoseconds.checked_neg()?,
    })
}

fn moved_tick(
    tick: i64,
    interval: IntervalMonthDayNano,
    zone: &Tz,
    per_second: i64,
) -> Option<i64> {
    let mut tick = tick;
    if interval.months != 0 || interval.days != 0 {
        let nanos = u32::try_from(tick.rem_euclid(per_second) * (NANOS / per_second)).ok()?;
        let mut utc = DateTime::from_timestamp(tick.div_euclid(per_second), nanos)?.naive_utc();
        if interval.months != 0 {
            utc = on_the_wall(utc, zone, |local| later_by_months(local, interval.months))?;
        }
        if interval.days != 0 {
            utc = on_the_wall(utc, zone, |local| later_by_days(local, interval.days))?;
        }
        let utc = utc.and_utc();
        let fraction = i64::from(utc.timestamp_subsec_nanos()) / (NANOS / per_second);
        tick = utc.timestamp().checked_mul(per_second)?.checked_add(fraction)?;
    }
    tick.checked_add(interval.nanoseconds / (NANOS / per_second))
}

fn later_by_months(local: NaiveDateTime, months: i32) -> Option<NaiveDateTime> {
    let count = Months::new(months.unsigned_abs());
    if months < 0 { local.checked_sub_months(count) } else { local.checked_add_months(count) }
}

fn later_by_days(local: NaiveDateTime, days: i32) -> Option<NaiveDateTime> {
    let count = Days::new(u64::from(days.unsigned_abs()));
    if days < 0 { local.checked_sub_days(count) } else { local.checked_add_days(count) }
}

/// Changes the time that a clock in the zone shows.
fn on_the_wall(
    utc: NaiveDateTime,
    zone: &Tz,
    change: impl FnOnce(NaiveDateTime) -> Option<NaiveDateTime>,
) -> Option<NaiveDateTime> {
    let before = offset(utc, zone);
    let local = change(utc.checked_add_signed(before)?)?;
    let kept = local.checked_sub_signed(before)?;
    let after = offset(kept, zone);
    if after == before {
        return Some(kept);
    }
    let changed = local.checked_sub_signed(after)?;
    // Neither offset holds where the clock skips the time.
    let skipped = offset(changed, zone) != after;
    Some(if skipped { kept.max(changed) } else { changed })
}

fn offset(utc: NaiveDateTime, zone: &Tz) -> TimeDelta {
    let offset = zone.offset_from_utc_datetime(&utc).fix();
    TimeDelta::seconds(i64::from(offset.local_minus_utc()))
}
