//! Dates from numbers, and names and ends of months: `make_date`, `to_timestamp`, `last_day`, `dayname`.

use std::sync::Arc;

use arrow::array::{Array, Date32Array, Time64MicrosecondArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Date32Type, Float64Type, TimeUnit, TimestampMicrosecondType};
use dframe_core::{Error, Result};

use super::super::argument::{Kind, accept};
use super::super::{Call, Function};
use super::calendar::{Date, MONTHS, WEEKDAYS, iso_weekday};
use super::instants::{Instants, out_of_range};
use crate::value::Value;

pub(super) const MAKE_DATE: Function = Function {
    names: &["make_date"],
    usage: "make_date(year, month, day)",
    signature: |args| accept(args, &[Kind::Integer; 3], &[], DataType::Date32),
    evaluate: make_date,
};

pub(super) const MAKE_TIMESTAMP: Function = Function {
    names: &["make_timestamp"],
    usage: "make_timestamp(year, month, day, hour, minute, second)",
    signature: |args| {
        let mut kinds = [Kind::Integer; 6];
        kinds[5] = Kind::Number;
        accept(args, &kinds, &[], DataType::Timestamp(TimeUnit::Microsecond, None))
    },
    evaluate: make_timestamp,
};

pub(super) const MAKE_TIME: Function = Function {
    names: &["make_time"],
    usage: "make_time(hour, minute, second)",
    signature: |args| {
        let kinds = [Kind::Integer, Kind::Integer, Kind::Number];
        accept(args, &kinds, &[], DataType::Time64(TimeUnit::Microsecond))
    },
    evaluate: make_time,
};

pub(super) const TO_TIMESTAMP: Function = Function {
    names: &["to_timestamp"],
    usage: "to_timestamp(seconds since 1970-01-01)",
    signature: |args| {
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        accept(args, &[Kind::Number], &[], utc)
    },
    evaluate: to_timestamp,
};

pub(super) const LAST_DAY: Function = Function {
    names: &["last_day"],
    usage: "last_day(x): of the month",
    signature: |args| accept(args, &[Kind::Temporal], &[], DataType::Date32),
    evaluate: last_day,
};

pub(super) const DAYNAME: Function = Function {
    names: &["dayname"],
    usage: "dayname(x)",
    signature: |args| accept(args, &[Kind::Temporal], &[], DataType::Utf8),
    evaluate: |call| name(call, |days| WEEKDAYS[(iso_weekday(days) - 1) as usize]),
};

pub(super) const MONTHNAME: Function = Function {
    names: &["monthname"],
    usage: "monthname(x)",
    signature: |args| accept(args, &[Kind::Temporal], &[], DataType::Utf8),
    evaluate: |call| name(call, |days| MONTHS[(Date::from_days(days).month - 1) as usize]),
};

fn make_date(call: &Call<'_>) -> Result<Value> {
    let (years, months, days) = (call.integers(0)?, call.integers(1)?, call.integers(2)?);
    let dates = (0..call.len()).map(|row| {
        let (Some(year), Some(month), Some(day)) = (years.get(row), months.get(row), days.get(row))
        else {
            return Ok(None);
        };
        days_of(Date::new(year, month, day)).map(Some).ok_or_else(|| {
            Error::invalid_data(format!("there is no day {year}-{month}-{day}"))
                .remedy("filter out the rows, or guard the call with CASE")
        })
    });
    Ok(call.value(Arc::new(dates.collect::<Result<Date32Array>>()?)))
}

fn make_timestamp(call: &Call<'_>) -> Result<Value> {
    let parts = (0..5).map(|index| call.integers(index)).collect::<Result<Vec<_>>>()?;
    let seconds = call.primitive::<Float64Type>(5)?;
    let timestamps = (0..call.len()).map(|row| {
        let whole: Option<Vec<i64>> = parts.iter().map(|part| part.get(row)).collect();
        let Some(whole) = whole.filter(|_| seconds.is_valid(row)) else { return Ok(None) };
        let (date, second) = (Date::new(whole[0], whole[1], whole[2]), seconds.value(row));
        instant_of(date, whole[3], whole[4], second).map(Some).ok_or_else(|| {
            let [year, month, day, hour, minute] = [0, 1, 2, 3, 4].map(|index| whole[index]);
            Error::invalid_data(format!(
                "there is no time {year}-{month}-{day} {hour}:{minute}:{second}"
            ))
            .remedy("filter out the rows, or guard the call with CASE")
        })
    });
    Ok(call.value(Arc::new(timestamps.collect::<Result<TimestampMicrosecondArray>>()?)))
}

/// The microseconds since the epoch; a minute may have a second 60, which is the next minute's first.
fn instant_of(date: Date, hour: i64, minute: i64, second: f64) -> Option<i64> {
    let in_range =
        (0..24).contains(&hour) && (0..60).contains(&minute) && (0.0..=60.0).contains(&second);
    let days = i64::from(days_of(date).filter(|_| in_range)?);
    let micros = (second * 1e6).round() as i64;
    let seconds = days.checked_mul(86_400)? + (hour * 60 + minute) * 60;
    seconds.checked_mul(1_000_000)?.checked_add(micros)
}

fn make_time(call: &Call<'_>) -> Result<Value> {
    let (hours, minutes) = (call.integers(0)?, call.integers(1)?);
    let seconds = call.primitive::<Float64Type>(2)?;
    let midnight = Date::new(1970, 1, 1);
    let times = (0..call.len()).map(|row| {
        let (Some(hour), Some(minute)) = (hours.get(row), minutes.get(row)) else {
            return Ok(None);
        };
        if seconds.is_null(row) {
            return Ok(None);
        }
        let second = seconds.value(row);
        let micros = instant_of(midnight, hour, minute, second);
        // The second 60 of the last minute is no time of this day.
        micros.filter(|micros| *micros < 86_400_000_000).map(Some).ok_or_else(|| {
            Error::invalid_data(format!("there is no time {hour}:{minute}:{second}"))
                .remedy("filter out the rows, or guard the call with CASE")
        })
    });
    Ok(call.value(Arc::new(times.collect::<Result<Time64MicrosecondArray>>()?)))
}

fn days_of(date: Date) -> Option<i32> {
    if date.is_valid() { i32::try_from(date.days()?).ok() } else { None }
}

fn to_timestamp(call: &Call<'_>) -> Result<Value> {
    let seconds = call.primitive::<Float64Type>(0)?;
    let timestamps: TimestampMicrosecondArray = seconds
        .try_unary::<_, TimestampMicrosecondType, Error>(|seconds| {
            let microseconds = (seconds * 1e6).round();
            let limit = i64::MAX as f64;
            if (-limit..limit).contains(&microseconds) {
                return Ok(microseconds as i64);
            }
            Err(Error::invalid_data(format!(
                "{seconds:?} seconds since 1970-01-01 is out of range"
            ))
            .remedy("check the unit: milliseconds want epoch_ms(x)"))
        })?;
    Ok(call.value(Arc::new(timestamps.with_timezone("UTC"))))
}

fn last_day(call: &Call<'_>) -> Result<Value> {
    let instants = Instants::new(&call.array(0)?)?;
    let day = instants.day();
    let last = instants.local()?.try_unary::<_, Date32Type, Error>(|tick| {
        let date = Date::from_days(day.floor(tick));
        days_of(Date { day: date.month_length(), ..date }).ok_or_else(|| out_of_range(tick))
    })?;
    Ok(call.value(Arc::new(last)))
}

fn name(call: &Call<'_>, name: impl Fn(i64) -> &'static str) -> Result<Value> {
    let instants = Instants::new(&call.array(0)?)?;
    let (day, ticks) = (instants.day(), instants.local()?);
    call.map_text(|row| ticks.is_valid(row).then(|| name(day.floor(ticks.value(row)))))
}
