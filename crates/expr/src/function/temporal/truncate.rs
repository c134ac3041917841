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
pub(super) fn timestamps(array: &ArrayRef) -> Result<Instants> {
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
pub(super) fn with_type(ticks: Int64Array, timestamp: &DataType) -> Result<ArrayRef> {
    let data = ticks.into_data().into_builder().data_type(timestamp.clone());
    Ok(arrow::array::make_array(data.build()?))
}

fn truncate(unit: Unit, instants: &Instants) -> Result<Int64Array> {
    let Some(unit_per_day) = unit.per_day() else {
        return truncate_to_calendar(unit, instants);
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

/// The first day of the unit that each clock's day is in.
fn truncate_to_calendar(unit: Unit, instants: &Instants) -> Result<Int64Array> {
    let year = |day| Date::from_days(day).year;
    match unit {
        Unit::Week | Unit::YearWeek => truncate_days(instants, |day| Some(monday(day))),
        Unit::Month => truncate_days(instants, |day| Some(day + 1 - Date::from_days(day).day)),
        Unit::Quarter => truncate_days(instants, |day| {
            let date = Date::from_days(day);
            Date::new(date.year, date.quarter() * 3 - 2, 1).days()
        }),
        Unit::IsoYear => {
            truncate_days(instants, |day| Date::new(iso_week(day).0, 1, 4).days().map(monday))
        }
        Unit::Decade => truncate_days(instants, |day| new_year(year(day) / 10 * 10)),
        Unit::Century => truncate_days(instants, |day| new_year(year(day) / 100 * 100)),
        Unit::Millennium => truncate_days(instants, |day| new_year(year(day) / 1000 * 1000)),
        _ => truncate_days(instants, |day| new_year(year(day))),
    }
}

fn new_year(year: i64) -> Option<i64> {
    Date::new(year, 1, 1).days()
}

fn truncate_days(
    instants: &Instants,
    first_day: impl Fn(i64) -> Option<i64>,
) -> Result<Int64Array> {
    let (day, per_day) = (instants.day(), instants.per_day);
    let start = |local: i64| first_day(day.floor(local))?.checked_mul(per_day);
    if !instants.zone.is_at_utc() {
        return truncate_each(instants, start);
    }
    instants.ticks.try_unary(|tick| start(tick).ok_or_else(|| out_of_range(tick)))
}

#[cfg(test)]
mod tests {
    use arrow::array::TimestampMicrosecondArray;
    use proptest::prelude::*;

    use super::*;

    fn days(ticks: Vec<Option<i64>>) -> Result<Vec<Option<i64>>> {
        let array: ArrayRef = std::sync::Arc::new(TimestampMicrosecondArray::from(ticks));
        Ok(truncate(Unit::Day, &Instants::new(&array)?)?.iter().collect())
    }

    #[test]
    fn the_lowest_ticks_are_out_of_range_unless_null() {
        assert!(days(vec![Some(0), Some(i64::MIN)]).is_err());
        assert_eq!(days(vec![Some(-1), None]).unwrap(), [Some(-86_400_000_000), None]);
        let array = TimestampMicrosecondArray::new(
            vec![i64::MIN, 5].into(),
            Some(vec![false, true].into()),
        );
        let instants = Instants::new(&(std::sync::Arc::new(array) as ArrayRef)).unwrap();
        let truncated = truncate(Unit::Hour, &instants).unwrap();
        assert_eq!(truncated.iter().collect::<Vec<_>>(), [None, Some(0)]);
    }

    proptest! {
        #[test]
        fn a_start_is_at_or_before_and_starts_itself(tick in -(1i64 << 60)..1 << 60, unit in 0..7usize) {
            let unit = [Unit::Minute, Unit::Hour, Unit::Day, Unit::Week, Unit::Month, Unit::Quarter, Unit::Year][unit];
            let array: ArrayRef = std::sync::Arc::new(TimestampMicrosecondArray::from(vec![tick]));
            let start = truncate(unit, &Instants::new(&array).unwrap()).unwrap().value(0);
            let array: ArrayRef = std::sync::Arc::new(TimestampMicrosecondArray::from(vec![start]));
            let again = truncate(unit, &Instants::new(&array).unwrap()).unwrap().value(0);
            prop_assert!(start <= tick && tick - start < 366 * 86_400_000_000);
            prop_assert_eq!(start, again);
        }
    }
}
