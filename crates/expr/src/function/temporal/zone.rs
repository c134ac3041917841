//! Time zones: `timezone` (`x AT TIME ZONE zone`), `convert_time_zone`, `replace_time_zone`.
//!
//! ```text
//!   2024-07-01 12:00            timezone('Europe/Zurich', x)      2024-07-01 12:00+02
//!   2024-07-01 10:00+00 (UTC)   convert_time_zone(x, ..)          2024-07-01 12:00+02   the same instant
//!                               replace_time_zone(x, ..)          2024-07-01 10:00+02   the same clock
//! ```
//!
//! What a clock shows twice is the later instant, and what it skips is as much later, as in DuckDB.

use arrow::array::{Array, Int64Array};
use arrow::datatypes::{DataType, TimeUnit};
use dframe_core::Result;

use super::super::argument::{Argument, Kind, argument_type, check_count, wrong_type};
use super::super::{Call, Function, Signature};
use super::instants::{Instants, Zone, out_of_range};
use super::truncate::with_type;
use crate::kernel::text::parse_zone;
use crate::value::Value;

pub(super) const TIMEZONE: Function = Function {
    names: &["timezone"],
    usage: "timezone(zone, x): x AT TIME ZONE zone: without a zone x gets it, with one it loses it",
    signature: |args| {
        check_count(args, 2, 2)?;
        let zone = zone_name(0, &args[0])?;
        let (unit, old) = instant_type(1, &args[1])?;
        let new = old.is_none().then(|| zone.unwrap_or_else(|| "UTC".to_string()).into());
        let instant = DataType::Timestamp(unit, old);
        Ok(Signature {
            args: vec![DataType::Utf8, instant],
            returns: DataType::Timestamp(unit, new),
        })
    },
    evaluate: timezone,
};

pub(super) const CONVERT_TIME_ZONE: Function = Function {
    names: &["convert_time_zone"],
    usage: "convert_time_zone(x, zone): the same instant on a clock there; x is in UTC without a zone",
    signature: |args| {
        signature(args, |zone| Some(zone.unwrap_or_else(|| "UTC".to_string()).into()))
    },
    evaluate: |call| {
        let instants = Instants::new(&call.array(0)?)?;
        let zone = call.text(1)?;
        let ticks = match zone.get(0) {
            Some(_) => instants.ticks,
            None => Int64Array::new_null(call.len()),
        };
        Ok(call.value(with_type(ticks, call.returns)?))
    },
};

pub(super) const REPLACE_TIME_ZONE: Function = Function {
    names: &["replace_time_zone"],
    usage: "replace_time_zone(x, zone): what the clock shows, there; NULL takes the zone away",
    signature: |args| signature(args, |zone| zone.map(Into::into)),
    evaluate: |call| {
        let instants = Instants::new(&call.array(0)?)?;
        let zone = Zone::new(call.returns)?;
        let per_second = instants.per_second();
        let ticks = instants
            .local()?
            .try_unary(|local| zone.to_utc(local, per_second).ok_or_else(|| out_of_range(local)))?;
        Ok(call.value(with_type(ticks, call.returns)?))
    },
};

type ZoneOf = Option<std::sync::Arc<str>>;

/// `x, zone` with a constant zone, of which `new` makes the zone of the result.
fn signature(args: &[Argument], new: fn(Option<String>) -> ZoneOf) -> Result<Signature> {
    check_count(args, 2, 2)?;
    let (unit, old) = instant_type(0, &args[0])?;
    let zone = zone_name(1, &args[1])?;
    if args[1].constant.is_none() && !args[1].data_type.is_null() {
        return Err(wrong_type(1, &args[1], "a constant zone"));
    }
    let returns = DataType::Timestamp(unit, new(zone));
    Ok(Signature { args: vec![DataType::Timestamp(unit, old), DataType::Utf8], returns })
}

/// The unit and zone of the instants; dates are instants at midnight.
fn instant_type(index: usize, arg: &Argument) -> Result<(TimeUnit, ZoneOf)> {
    match argument_type(index, arg, Kind::Temporal)? {
        DataType::Timestamp(unit, zone) => Ok((unit, zone)),
        _ => Ok((TimeUnit::Microsecond, None)),
    }
}

/// The zone that a constant names; it must exist.
fn zone_name(index: usize, arg: &Argument) -> Result<Option<String>> {
    argument_type(index, arg, Kind::Text)?;
    let name = arg.constant_text();
    name.as_deref().map(parse_zone).transpose()?;
    Ok(name)
}

fn timezone(call: &Call<'_>) -> Result<Value> {
    let (zones, array) = (call.text(0)?, call.array(1)?);
    let has_zone = matches!(array.data_type(), DataType::Timestamp(_, Some(_)));
    let instants = Instants::new(&array)?;
    let per_second = instants.per_second();
    let mut last: Option<(&str, Zone)> = None;
    let ticks = (0..call.len()).map(|row| {
        let Some(name) = zones.get(row).filter(|_| instants.ticks.is_valid(row)) else {
            return Ok(None);
        };
        if !matches!(last, Some((known, _)) if known == name) {
            parse_zone(name)?;
            last = Some((name, Zone::named(name)?));
        }
        let tick = instants.ticks.value(row);
        let moved = last.as_ref().and_then(|(_, zone)| match has_zone {
            true => zone.to_local(tick, per_second),
            false => zone.to_utc(tick, per_second),
        });
        moved.map(Some).ok_or_else(|| out_of_range(tick))
    });
    let ticks = ticks.collect::<Result<Int64Array>>()?;
    Ok(call.value(with_type(ticks, call.returns)?))
}
