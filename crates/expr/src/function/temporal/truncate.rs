//! `date_trunc`: the start of the minute, day, month .. that an instant is in.
//!
//! Timestamps keep their unit and zone; dates become timestamps, as in DuckDB. Where there is a zone, days
//! and months start when they do there. Centuries and millennia are `year / 100 * 100`: 2000 starts one.

use arrow::array::{Array, ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use dframe_core::{Error, Result};

use super::super::argument::{Argument, Kind, accept};
use super::super::{Call, Function, Signature};
use super::calendar::{Date, iso_week, monday};
use super::divisor::Divisor;
use super::instants::{Instants, out_of_range};
use super::unit::Unit;
use crate::value::Value;

pub(super) const DATE_TRUNC: Function = Function {
    names: &["date_trunc", "datetrunc"],
    usage: "date_trunc(unit, x)",
    signature,
    evaluate,
};

fn signature(args: &[Argument]) -> Result<Signature> {
    let mut signature = accept(args, &[Kind::Text, Kind::Temporal], &[], DataType::Null)?;
    if let Some(unit) = args[0].constant_text() {
        parse_unit(&unit)?;
    }
    signature.returns = match &signature.args[1] {
        DataType::Date32 => DataType::Timestamp(TimeUnit::Microsecond, None),
        timestamp => timestamp.clone(),
    };
    Ok(signature)
}

fn parse_unit(name: &str) -> Result<Unit> {
    let unit = Unit::parse(name)?;
    if unit.is_stretch() || unit == Unit::YearWeek {
        return Ok(unit);
    }
    Err(Error::invalid_input(format!("a {} has no start", unit.name()))
        .remedy(format!("take it with date_part('{}', x)", unit.name())))
}

fn evaluate(call: &Call<'_>) -> Result<Value> {
    let array = call.array(1)?;
    let instants = timestamps(&array)?;
    let truncated = super::per_unit(call, parse_unit, |unit| {
        with_type(truncate(unit, &instants)?, call.returns)
    })?;
    Ok(call.value(truncated))
}

/// The instants of `array`; dates as microseconds.
fn timestamps(array: &ArrayRef) -> Result<Instants> {
    let instants = Instants::new(array)?;
    if instants.per_day > 1 {
        return Ok(instants);
    }
    let per_day = 86_400_000_000;
    let ticks = instants.ticks.try_unary::<_, Int64Type, Error>(|day| {
        day.checked_mul(per_day).ok_or_else(|| {
            Error::invalid_data(format!("the date {day} days after 1970-01-01 is out of range"))
                .remedy("filter out dates beyond the year 294246")
        })
    })?;
    Ok(Instants { ticks, per_day, ..instants })
}

/// `ticks` as a timestamp.
fn with_type(ticks: Int64Array, timestamp: &DataType) -> Result<ArrayRef> {
    let data = ticks.into_data().into_builder().data_type(timestamp.clone());
    Ok(arrow::array::make_array(data.build()?))
}

fn truncate(unit: Unit, instants: &Instants) -> Result<Int64Array> {
    let Some(unit_per_day) = unit.per_day() else {
        return truncate_each(instants, |local| start_of_calendar_unit(unit, instants, local));
    };
    let width = Divisor::new((instants.per_day / unit_per_day).max(1));
    if instants.zone.is_at_utc() || unit_per_day >= 86_400 {
        return truncate_to_width(&instants.ticks, width);
    }
    truncate_each(instants, |local| {
        Some(width.floor_multiple(local)).filter(|start| *start <= local)
    })
}

/// The hot path: nothing but arithmetic on the buffer.
fn truncate_to_width(ticks: &Int64Array, width: Divisor) -> Result<Int64Array> {
    let mut wraps = false;
    let starts: Vec<i64> = ticks
        .values()
        .iter()
        .map(|tick| {
            let start = width.floor_multiple(*tick);
            wraps |= start > *tick;
            start
        })
        .collect();
    if !wraps {
        return Ok(Int64Array::new(starts.into(), ticks.nulls().cloned()));
    }
    // Something is near the lowest tick; it may be under a NULL, where it does not count.
    ticks.try_unary(|tick| {
        let start = width.floor_multiple(tick);
        if start <= tick { Ok(start) } else { Err(out_of_range(tick)) }
    })
}

/// `start` of what the clock says, as an instant.
fn truncate_each(instants: &Instants, start: impl Fn(i64) -> Option<i64>) -> Result<Int64Array> {
    instants.ticks.try_unary(|tick| {
        let start = instants.to_local(tick).and_then(&start);
        start.and_then(|start| instants.to_utc(start, tick)).ok_or_else(|| out_of_range(tick))
    })
}

fn start_of_calendar_unit(unit: Unit, instants: &Instants, local: i64) -> Option<i64> {
    first_day(unit, local.div_euclid(instants.per_day))?.checked_mul(instants.per_day)
}

/// The first day of the unit that `day` is in.
fn first_day(unit: Unit, day: i64) -> Option<i64> {
    let date = Date::from_days(day);
    let year = date.year;
    let date = match unit {
        Unit::Week | Unit::YearWeek => return Some(monday(day)),
        Unit::IsoYear => return Date::new(iso_week(day).0, 1, 4).days().map(monday),
        Unit::Month => Date { day: 1, ..date },
        Unit::Quarter => Date::new(year, date.quarter() * 3 - 2, 1),
        Unit::Decade => Date::new(year / 10 * 10, 1, 1),
        Unit::Century => Date::new(year / 100 * 100, 1, 1),
        Unit::Millennium => Date::new(year / 1000 * 1000, 1, 1),
        _ => Date::new(year, 1, 1),
    };
    date.days()
}
