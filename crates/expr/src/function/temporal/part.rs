//! `date_part` and the functions named after parts: `year(x)` is `date_part('year', x)`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::{DataType, Float64Type};
use dframe_core::{Error, Result};

use super::super::argument::{Argument, Kind, accept};
use super::super::{Call, Function, Signature};
use super::calendar::{Date, iso_week, iso_weekday};
use super::divisor::Divisor;
use super::instants::Instants;
use super::unit::Unit;
use crate::value::Value;

pub(super) const DATE_PART: Function = Function {
    names: &["date_part", "datepart", "extract"],
    usage: "date_part(part, x)",
    signature,
    evaluate: |call| {
        let array = call.array(1)?;
        let instants = Instants::new(&array)?;
        let parse = |name: &str| parse_part(name, array.data_type());
        let parts = super::per_unit(call, parse, |unit| {
            Ok(arrow::compute::cast(&part(unit, &instants)?, call.returns)?)
        })?;
        Ok(call.value(parts))
    },
};

pub(super) const YEAR: Function =
    named(&["year"], "year(x)", of_date, |call| one(call, Unit::Year));
pub(super) const MONTH: Function =
    named(&["month"], "month(x)", of_date, |call| one(call, Unit::Month));
pub(super) const DAY: Function =
    named(&["day", "dayofmonth"], "day(x)", of_date, |call| one(call, Unit::Day));
pub(super) const HOUR: Function =
    named(&["hour"], "hour(x)", of_clock, |call| one(call, Unit::Hour));
pub(super) const MINUTE: Function =
    named(&["minute"], "minute(x)", of_clock, |call| one(call, Unit::Minute));
pub(super) const SECOND: Function =
    named(&["second"], "second(x)", of_clock, |call| one(call, Unit::Second));
pub(super) const MILLISECOND: Function =
    named(&["millisecond"], "millisecond(x): seconds included", of_clock, |call| {
        one(call, Unit::Millisecond)
    });
pub(super) const MICROSECOND: Function =
    named(&["microsecond"], "microsecond(x): seconds included", of_clock, |call| {
        one(call, Unit::Microsecond)
    });
pub(super) const NANOSECOND: Function =
    named(&["nanosecond"], "nanosecond(x): seconds included", of_clock, |call| {
        Ok(call.value(of_clock_ticks(
            &Instants::new(&call.array(0)?)?,
            86_400_000_000_000,
            60_000_000_000,
        )?))
    });
pub(super) const QUARTER: Function =
    named(&["quarter"], "quarter(x)", of_date, |call| one(call, Unit::Quarter));
pub(super) const WEEK: Function =
    named(&["week", "weekofyear"], "week(x): of ISO 8601", of_date, |call| one(call, Unit::Week));
pub(super) const YEARWEEK: Function =
    named(&["yearweek"], "yearweek(x): as 202401", of_date, |call| one(call, Unit::YearWeek));
pub(super) const DAYOFWEEK: Function =
    named(&["dayofweek", "weekday", "dow"], "dayofweek(x): Sunday is 0", of_date, |call| {
        one(call, Unit::DayOfWeek)
    });
pub(super) const ISODOW: Function =
    named(&["isodow"], "isodow(x): Monday is 1, Sunday 7", of_date, |call| {
        one(call, Unit::IsoDayOfWeek)
    });
pub(super) const DAYOFYEAR: Function =
    named(&["dayofyear", "doy"], "dayofyear(x)", of_date, |call| one(call, Unit::DayOfYear));
pub(super) const ISOYEAR: Function =
    named(&["isoyear"], "isoyear(x)", of_date, |call| one(call, Unit::IsoYear));
pub(super) const DECADE: Function =
    named(&["decade"], "decade(x)", of_date, |call| one(call, Unit::Decade));
pub(super) const CENTURY: Function =
    named(&["century"], "century(x)", of_date, |call| one(call, Unit::Century));
pub(super) const MILLENNIUM: Function =
    named(&["millennium"], "millennium(x)", of_date, |call| one(call, Unit::Millennium));
pub(super) const ERA: Function =
    named(&["era"], "era(x): 1, or 0 before Christ", of_date, |call| one(call, Unit::Era));
pub(super) const JULIAN: Function = named(
    &["julian"],
    "julian(x): the Julian day, from midnight",
    |args| accept(args, &[Kind::Temporal], &[], DataType::Float64),
    |call| one(call, Unit::Julian),
);
pub(super) const EPOCH: Function = named(
    &["epoch"],
    "epoch(x): seconds since 1970-01-01",
    |args| accept(args, &[Kind::Clock], &[], DataType::Float64),
    |call| one(call, Unit::Epoch),
);

const fn named(
    names: &'static [&'static str],
    usage: &'static str,
    signature: fn(&[Argument]) -> Result<Signature>,
    evaluate: fn(&Call<'_>) -> Result<Value>,
) -> Function {
    Function { names, usage, signature, evaluate }
}

fn of_date(args: &[Argument]) -> Result<Signature> {
    accept(args, &[Kind::Temporal], &[], DataType::Int64)
}

fn of_clock(args: &[Argument]) -> Result<Signature> {
    accept(args, &[Kind::Clock], &[], DataType::Int64)
}

/// A part that varies by row may be a fraction: all are floats then.
fn signature(args: &[Argument]) -> Result<Signature> {
    let mut signature = accept(args, &[Kind::Text, Kind::Clock], &[], DataType::Float64)?;
    let Some(name) = args[0].constant_text() else { return Ok(signature) };
    let unit = parse_part(&name, &signature.args[1])?;
    if !matches!(unit, Unit::Epoch | Unit::Julian) {
        signature.returns = DataType::Int64;
    }
    Ok(signature)
}

/// The part called `name`, which values of `data_type` must have.
fn parse_part(name: &str, data_type: &DataType) -> Result<Unit> {
    let unit = Unit::parse(name)?;
    if !matches!(data_type, DataType::Time64(_)) || unit.is_of_clock() {
        return Ok(unit);
    }
    Err(Error::invalid_input(format!("a time of day has no {}", unit.name()))
        .remedy("take hour, minute, second, millisecond, microsecond or epoch"))
}

/// `unit` of the only argument.
fn one(call: &Call<'_>, unit: Unit) -> Result<Value> {
    Ok(call.value(part(unit, &Instants::new(&call.array(0)?)?)?))
}

/// The part `unit` of each instant.
fn part(unit: Unit, instants: &Instants) -> Result<ArrayRef> {
    match unit {
        Unit::Year => of_days(instants, |days| Date::from_days(days).year),
        Unit::Month => of_days(instants, |days| Date::from_days(days).month),
        Unit::Day => of_days(instants, |days| Date::from_days(days).day),
        Unit::Quarter => of_days(instants, |days| Date::from_days(days).quarter()),
        Unit::DayOfYear => of_days(instants, |days| Date::from_days(days).day_of_year()),
        Unit::Decade => of_days(instants, |days| Date::from_days(days).year / 10),
        Unit::Century => of_days(instants, |days| period(Date::from_days(days).year, 100)),
        Unit::Millennium => of_days(instants, |days| period(Date::from_days(days).year, 1000)),
        Unit::Era => of_days(instants, |days| i64::from(Date::from_days(days).year > 0)),
        Unit::DayOfWeek => of_days(instants, |days| iso_weekday(days) % 7),
        Unit::IsoDayOfWeek => of_days(instants, iso_weekday),
        Unit::Week => of_days(instants, |days| iso_week(days).1),
        Unit::IsoYear => of_days(instants, |days| iso_week(days).0),
        Unit::YearWeek => of_days(instants, year_week),
        Unit::Hour => of_clock_ticks(instants, 24, 24),
        Unit::Minute => of_clock_ticks(instants, 24 * 60, 60),
        Unit::Second => of_clock_ticks(instants, 86_400, 60),
        Unit::Millisecond => of_clock_ticks(instants, 86_400_000, 60_000),
        Unit::Microsecond => of_clock_ticks(instants, 86_400_000_000, 60_000_000),
        Unit::Epoch => Ok(Arc::new(epoch(instants))),
        Unit::Julian => julian(instants),
    }
}

fn of_days(instants: &Instants, part: impl Fn(i64) -> i64) -> Result<ArrayRef> {
    let day = instants.day();
    Ok(Arc::new(instants.map_local(|tick| part(day.floor(tick)))?))
}

/// How many whole units, of which a day has `per_day`, have passed since the last multiple of `cycle`.
fn of_clock_ticks(instants: &Instants, per_day: i64, cycle: i64) -> Result<ArrayRef> {
    let ticks_per_unit = instants.per_day / per_day;
    if ticks_per_unit > 0 {
        let (unit, cycle) = (Divisor::new(ticks_per_unit), Divisor::new(cycle));
        return Ok(Arc::new(instants.map_local(|tick| cycle.remainder(unit.floor(tick)))?));
    }
    // Ticks are coarser than the unit; those of dates are all at midnight.
    let units_per_tick = per_day / instants.per_day;
    let cycle = Divisor::new((cycle / units_per_tick).max(1));
    Ok(Arc::new(instants.map_local(|tick| cycle.remainder(tick) * units_per_tick)?))
}

/// The century or millennium, of `length` years: the first starts with the year 1, that before it is -1.
fn period(year: i64, length: i64) -> i64 {
    if year > 0 { (year - 1) / length + 1 } else { year / length - 1 }
}

fn year_week(days: i64) -> i64 {
    let (year, week) = iso_week(days);
    year * 100 + if year < 0 { -week } else { week }
}

/// Seconds since the epoch, wherever the clock is.
fn epoch(instants: &Instants) -> Float64Array {
    match instants.per_second() {
        0 => instants.ticks.unary::<_, Float64Type>(|day| day as f64 * 86_400.0),
        second => instants.ticks.unary::<_, Float64Type>(|tick| tick as f64 / second as f64),
    }
}

fn julian(instants: &Instants) -> Result<ArrayRef> {
    let (day, per_day) = (instants.day(), instants.per_day as f64);
    let julian =
        |tick: i64| (day.floor(tick) + 2_440_588) as f64 + day.remainder(tick) as f64 / per_day;
    Ok(Arc::new(instants.local()?.unary::<_, Float64Type>(julian)))
}
