//! Dates, timestamps and times as one thing: ticks since 1970-01-01 00:00, so many a day, in a zone.

use std::str::FromStr;

use arrow::array::timezone::Tz;
use arrow::array::{ArrayRef, AsArray, Int64Array, PrimitiveArray};
use arrow::datatypes::*;
use chrono::{DateTime, Offset, TimeZone};
use dframe_core::{Error, Result};

use super::divisor::Divisor;

/// A column of dates, timestamps or times.
pub(super) struct Instants {
    /// Ticks since the epoch, in UTC where there is a zone.
    pub(super) ticks: Int64Array,
    /// How many ticks a day has: 1 for dates.
    pub(super) per_day: i64,
    /// Where the clock is read.
    pub(super) zone: Zone,
}

impl Instants {
    /// The ticks of `array`: not copied for timestamps.
    pub(super) fn new(array: &ArrayRef) -> Result<Self> {
        const SECONDS: i64 = 86_400;
        let (ticks, per_day) = match array.data_type() {
            DataType::Date32 => (array.as_primitive::<Date32Type>().unary(i64::from), 1),
            DataType::Time64(TimeUnit::Microsecond) => {
                (reinterpret::<Time64MicrosecondType>(array), SECONDS * 1_000_000)
            }
            DataType::Timestamp(unit, _) => match unit {
                TimeUnit::Second => (reinterpret::<TimestampSecondType>(array), SECONDS),
                TimeUnit::Millisecond => {
                    (reinterpret::<TimestampMillisecondType>(array), SECONDS * 1_000)
                }
                TimeUnit::Microsecond => {
                    (reinterpret::<TimestampMicrosecondType>(array), SECONDS * 1_000_000)
                }
                TimeUnit::Nanosecond => {
                    (reinterpret::<TimestampNanosecondType>(array), SECONDS * 1_000_000_000)
                }
            },
            other => return Err(Error::internal(format!("{other} is no date or time"))),
        };
        Ok(Self { ticks, per_day, zone: Zone::new(array.data_type())? })
    }

    /// Ticks a second; 0 for dates.
    pub(super) fn per_second(&self) -> i64 {
        self.per_day / 86_400
    }

    /// What the clock on the wall says, in ticks.
    pub(super) fn local(&self) -> Result<Int64Array> {
        if self.zone.is_at_utc() {
            return Ok(self.ticks.clone());
        }
        let shift = |tick: i64| self.to_local(tick).ok_or_else(|| out_of_range(tick));
        self.ticks.try_unary::<_, Int64Type, Error>(shift)
    }

    /// What the clock says at `tick`.
    pub(super) fn to_local(&self, tick: i64) -> Option<i64> {
        tick.checked_add(self.offset(tick))
    }

    /// The instant at which the clock says `local`; where it does so twice, at the offset of `near`.
    /// Where it skips `local`, the clock's jump decides.
    pub(super) fn to_utc(&self, local: i64, near: i64) -> Option<i64> {
        let guess = local.checked_sub(self.offset(near))?;
        local.checked_sub(self.offset(guess))
    }

    /// The ticks that the clock at `tick` is ahead of UTC.
    fn offset(&self, tick: i64) -> i64 {
        let per_second = self.per_second();
        if per_second == 0 || self.zone.is_at_utc() {
            return 0;
        }
        self.zone.offset_seconds(tick.div_euclid(per_second)) * per_second
    }

    /// `op` on what the clock says, where it is not NULL.
    pub(super) fn map_local(&self, op: impl Fn(i64) -> i64) -> Result<Int64Array> {
        Ok(self.local()?.unary(op))
    }

    /// The division of ticks into days.
    pub(super) fn day(&self) -> Divisor {
        Divisor::new(self.per_day)
    }
}

fn reinterpret<T: ArrowPrimitiveType<Native = i64>>(array: &ArrayRef) -> Int64Array {
    let array: &PrimitiveArray<T> = array.as_primitive();
    array.reinterpret_cast()
}

/// The error for a result beyond what ticks can name.
pub(super) fn out_of_range(tick: i64) -> Error {
    Error::invalid_data(format!("a time near tick {tick} is out of range"))
        .remedy("cast it to a coarser timestamp, such as TIMESTAMP_S")
}

/// Where a clock is read.
pub(super) enum Zone {
    /// Without zone, or UTC under one of its names.
    Utc(String),
    /// Elsewhere.
    Named(Tz, String),
}

impl Zone {
    /// The zone of a type.
    pub(super) fn new(data_type: &DataType) -> Result<Self> {
        match data_type {
            DataType::Timestamp(_, Some(name)) => Self::named(name),
            _ => Ok(Self::Utc(String::new())),
        }
    }

    /// The zone called `name`.
    pub(super) fn named(name: &str) -> Result<Self> {
        let name = name.to_string();
        let utc = ["UTC", "Etc/UTC", "Z", "GMT", "+00:00", "+00", "+0000"];
        if utc.iter().any(|utc| utc.eq_ignore_ascii_case(&name)) {
            return Ok(Self::Utc(name));
        }
        let zone = Tz::from_str(&name).map_err(|error| {
            Error::invalid_data(format!("'{name}' is no time zone"))
                .source(error)
                .remedy("cast to a timestamp with a zone such as 'UTC' or 'Europe/Berlin'")
        })?;
        Ok(Self::Named(zone, name))
    }

    /// The name; empty if there is no zone.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Utc(name) | Self::Named(_, name) => name,
        }
    }

    pub(super) fn is_at_utc(&self) -> bool {
        matches!(self, Self::Utc(_))
    }

    /// The seconds that the clock is ahead of UTC `seconds` after the epoch.
    fn offset_seconds(&self, seconds: i64) -> i64 {
        let Self::Named(zone, _) = self else { return 0 };
        // Beyond the dates that `chrono` knows, any offset is a guess.
        let Some(instant) = DateTime::from_timestamp(seconds, 0) else { return 0 };
        let offset = zone.offset_from_utc_datetime(&instant.naive_utc());
        i64::from(offset.fix().local_minus_utc())
    }

    /// What the clock shows at `tick`, in ticks of which a second has `per_second`.
    pub(super) fn to_local(&self, tick: i64, per_second: i64) -> Option<i64> {
        let offset = self.offset_seconds(tick.div_euclid(per_second));
        tick.checked_add(offset.checked_mul(per_second)?)
    }

    /// The instant at which the clock shows `local`: the later one where it does so twice; where it skips
    /// `local`, it goes on by the offset that was.
    pub(super) fn to_utc(&self, local: i64, per_second: i64) -> Option<i64> {
        let Self::Named(zone, _) = self else { return Some(local) };
        let seconds = local.div_euclid(per_second);
        let offset = (0..=HOURS_SKIPPED).find_map(|hours| {
            let shown = DateTime::from_timestamp(seconds - hours * 3_600, 0)?.naive_utc();
            zone.offset_from_local_datetime(&shown).latest()
        })?;
        let offset = i64::from(offset.fix().local_minus_utc());
        local.checked_sub(offset.checked_mul(per_second)?)
    }
}

/// The most that a clock has skipped: a day, where the date line was moved.
const HOURS_SKIPPED: i64 = 25;
