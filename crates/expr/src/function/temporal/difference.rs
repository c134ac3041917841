//! `date_diff`: how many starts of a unit lie between two instants; and counts since the epoch.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::compute::kernels::arity::try_binary;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use arrow::error::ArrowError;
use dframe_core::{Error, Result};

use super::super::argument::{Argument, Kind, accept};
use super::super::{Call, Function, Signature};
use super::calendar::{Date, iso_week};
use super::divisor::Divisor;
use super::instants::{Instants, out_of_range};
use super::unit::Unit;
use crate::value::Value;

pub(super) const DATE_DIFF: Function = Function {
    names: &["date_diff", "datediff"],
    usage: "date_diff(unit, start, end)",
    signature,
    evaluate,
};

pub(super) const EPOCH_MS: Function = Function {
    names: &["epoch_ms"],
    usage: "epoch_ms(x): milliseconds since 1970-01-01, or the timestamp of so many",
    signature: |args| match args {
        [arg] if arg.data_type.is_integer() => {
            let timestamp = DataType::Timestamp(TimeUnit::Microsecond, None);
            accept(args, &[Kind::Integer], &[], timestamp)
        }
        _ => count_signature(args),
    },
    evaluate: |call| match call.returns {
        DataType::Int64 => since_epoch(call, 1_000),
        _ => timestamp_of_milliseconds(call),
    },
};

pub(super) const EPOCH_US: Function = Function {
    names: &["epoch_us"],
    usage: "epoch_us(x): microseconds since 1970-01-01",
    signature: count_signature,
    evaluate: |call| since_epoch(call, 1_000_000),
};

pub(super) const EPOCH_NS: Function = Function {
    names: &["epoch_ns"],
    usage: "epoch_ns(x): nanoseconds since 1970-01-01",
    signature: count_signature,
    evaluate: |call| since_epoch(call, 1_000_000_000),
};

fn signature(args: &[Argument]) -> Result<Signature> {
    let kinds = [Kind::Text, Kind::Temporal, Kind::Temporal];
    let signature = accept(args, &kinds, &[], DataType::Int64)?;
    if let Some(unit) = args[0].constant_text() {
        parse_unit(&unit)?;
    }
    Ok(signature)
}

fn count_signature(args: &[Argument]) -> Result<Signature> {
    accept(args, &[Kind::Temporal], &[], DataType::Int64)
}

pub(super) fn parse_unit(name: &str) -> Result<Unit> {
    let unit = Unit::parse(name)?;
    if unit.is_stretch() {
        return Ok(unit);
    }
    Err(Error::invalid_input(format!("{} is no stretch of time", unit.name()))
        .remedy("count days, weeks, months, quarters or years, or hours and what is shorter"))
}

fn evaluate(call: &Call<'_>) -> Result<Value> {
    let (start, end) = (Instants::new(&call.array(1)?)?, Instants::new(&call.array(2)?)?);
    let difference = super::per_unit(call, parse_unit, |unit| {
        // DuckDB counts weeks of seven days from the start, not Mondays.
        let (counted, step) = if unit == Unit::Week { (Unit::Day, 7) } else { (unit, 1) };
        let (start, end) = (ordinals(counted, &start)?, ordinals(counted, &end)?);
        let difference = try_binary::<_, _, _, Int64Type>(&start, &end, |start, end| {
            let overflow = || ArrowError::ArithmeticOverflow(format!("{end} - {start}"));
            Ok(end.checked_sub(start).ok_or_else(overflow)? / step)
        })?;
        Ok(Arc::new(difference) as ArrayRef)
    })?;
    Ok(call.value(difference))
}

/// The number of the unit that each instant is in: they are numbered without gaps.
fn ordinals(unit: Unit, instants: &Instants) -> Result<Int64Array> {
    if let Some(per_day) = unit.per_day() {
        return rescale(&instants.local()?, instants.per_day, per_day);
    }
    let day = instants.day();
    let of_days = |ordinal: fn(i64) -> i64| instants.map_local(|tick| ordinal(day.floor(tick)));
    let year = |days| Date::from_days(days).year;
    match unit {
        Unit::Month => of_days(months),
        Unit::Quarter => of_days(|days| months(days).div_euclid(3)),
        Unit::Decade => instants.map_local(|tick| year(day.floor(tick)) / 10),
        Unit::Century => instants.map_local(|tick| year(day.floor(tick)) / 100),
        Unit::Millennium => instants.map_local(|tick| year(day.floor(tick)) / 1000),
        Unit::IsoYear => of_days(|days| iso_week(days).0),
        _ => instants.map_local(|tick| year(day.floor(tick))),
    }
}

/// The number of the month since that of the year 0.
fn months(days: i64) -> i64 {
    let date = Date::from_days(days);
    date.year * 12 + date.month - 1
}

/// Ticks of which a day has `from`, as ticks of which it has `to`; rounded down.
fn rescale(ticks: &Int64Array, from: i64, to: i64) -> Result<Int64Array> {
    if from >= to {
        let ratio = Divisor::new(from / to);
        return Ok(ticks.unary(|tick| ratio.floor(tick)));
    }
    ticks.try_unary(|tick| tick.checked_mul(to / from).ok_or_else(|| out_of_range(tick)))
}

/// The ticks since the epoch, `per_second` a second.
fn since_epoch(call: &Call<'_>, per_second: i64) -> Result<Value> {
    let instants = Instants::new(&call.array(0)?)?;
    let ticks = rescale(&instants.ticks, instants.per_day, 86_400 * per_second)?;
    Ok(call.value(Arc::new(ticks)))
}

fn timestamp_of_milliseconds(call: &Call<'_>) -> Result<Value> {
    let microseconds = rescale(&call.primitive::<Int64Type>(0)?, 1_000, 1_000_000)?;
    Ok(call.value(arrow::compute::cast(&microseconds, call.returns)?))
}
