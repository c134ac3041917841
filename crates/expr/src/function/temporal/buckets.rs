//! Buckets of time: stretches of one width, one after another, on the clock of the instants.
//!
//! ```text
//!     origin                      local
//!   |-------|-------|-------|-------|--x----|       starts are origin + n * width
//!                           ^       ^
//!                       nth(x, -1)  nth(x, 0)
//! ```
//!
//! A width is months, or days and what is shorter. As in DuckDB, buckets of months count from 2000-01-01 and
//! the others from Monday, 2000-01-03, so that weeks begin on Mondays; a shift moves all of them. Days
//! have 24 hours here: this is about what the clock shows. Nothing here knows zones.

use arrow::datatypes::IntervalMonthDayNano;
use dframe_core::{Error, Result};

use super::calendar::Date;
use super::divisor::Divisor;

const DAY_NANOS: i64 = 86_400_000_000_000;
/// 2000-01-03, a Monday.
const ORIGIN_DAY: i64 = 10_959;
/// January 2000, in months since the year 0.
const ORIGIN_MONTH: i64 = 24_000;

/// A length of time, in months and ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Length {
    pub(super) months: i64,
    pub(super) ticks: i64,
}

impl Length {
    /// `interval` in ticks, of which a day has `per_day`.
    pub(super) fn new(interval: IntervalMonthDayNano, per_day: i64) -> Result<Self> {
        let per_tick = DAY_NANOS / per_day;
        if interval.nanoseconds % per_tick != 0 {
            let (unit, remedy) = match per_day {
                1 => ("days", "cast the dates to TIMESTAMP"),
                _ => ("microseconds", "cast the timestamps to TIMESTAMP_NS"),
            };
            return Err(Error::invalid_input(format!("an interval is no whole number of {unit}"))
                .remedy(remedy));
        }
        let days = i64::from(interval.days).checked_mul(per_day);
        let ticks = days.and_then(|days| days.checked_add(interval.nanoseconds / per_tick));
        let ticks = ticks.ok_or_else(|| Error::invalid_input("an interval is out of range"))?;
        Ok(Self { months: interval.months.into(), ticks })
    }

    /// `count` times as much.
    pub(super) fn times(self, count: i64) -> Option<Self> {
        let (months, ticks) = (self.months.checked_mul(count)?, self.ticks.checked_mul(count)?);
        Some(Self { months, ticks })
    }

    fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// The calendar of ticks: how a clock's ticks make days and months.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    per_day: i64,
    day: Divisor,
}

impl Clock {
    pub(super) fn new(per_day: i64) -> Self {
        Self { per_day, day: Divisor::new(per_day) }
    }

    /// `local` later by `length`; a day that the month does not have is its last.
    pub(super) fn later(self, local: i64, length: Length) -> Option<i64> {
        let mut local = local;
        if length.months != 0 {
            let (days, of_day) = (self.day.floor(local), self.day.remainder(local));
            let date = Date::from_days(days);
            let month = (date.year * 12 + date.month - 1).checked_add(length.months)?;
            let first = Date::new(month.div_euclid(12), month.rem_euclid(12) + 1, 1);
            let moved = Date { day: date.day.min(first.month_length()), ..first };
            local = moved.days()?.checked_mul(self.per_day)?.checked_add(of_day)?;
        }
        local.checked_add(length.ticks)
    }

    /// The months since the year 0.
    pub(super) fn month(self, local: i64) -> i64 {
        let date = Date::from_days(self.day.floor(local));
        date.year * 12 + date.month - 1
    }

    /// The start of a month, counted from the year 0.
    fn start_of_month(self, month: i64) -> Option<i64> {
        let first = Date::new(month.div_euclid(12), month.rem_euclid(12) + 1, 1);
        first.days()?.checked_mul(self.per_day)
    }
}

/// Where buckets begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Anchor {
    /// At the origin, moved by a length.
    Shift(IntervalMonthDayNano),
    /// At an instant, as its clock shows it.
    Origin(i64),
}

/// Buckets of one width.
#[derive(Clone, Copy, Debug)]
pub(super) struct Buckets {
    clock: Clock,
    width: Width,
    shift: Length,
}

#[derive(Clone, Copy, Debug)]
enum Width {
    /// Months, and the month at which a bucket starts.
    Months { width: i64, origin: i64 },
    /// Ticks, and the tick, not below zero and below the width, at which a bucket starts.
    Ticks { width: i64, divisor: Divisor, origin: i64 },
}

impl Buckets {
    /// Buckets of `width` of ticks of which a day has `per_day`.
    pub(super) fn new(width: IntervalMonthDayNano, anchor: Anchor, per_day: i64) -> Result<Self> {
        let clock = Clock::new(per_day);
        let shift = match anchor {
            Anchor::Shift(interval) => Length::new(interval, per_day)?,
            Anchor::Origin(_) => Length::default(),
        };
        let width = match check_width(width, per_day)? {
            Length { months: 0, ticks } => {
                let origin = match anchor {
                    Anchor::Shift(_) => ORIGIN_DAY * per_day,
                    Anchor::Origin(local) => local,
                };
                let divisor = Divisor::new(ticks);
                Width::Ticks { width: ticks, divisor, origin: divisor.remainder(origin) }
            }
            Length { months, .. } => {
                let origin = match anchor {
                    Anchor::Shift(_) => ORIGIN_MONTH,
                    Anchor::Origin(local) => clock.month(local),
                };
                Width::Months { width: months, origin }
            }
        };
        Ok(Self { clock, width, shift })
    }

    /// The start of the bucket that `local` is in.
    #[inline]
    pub(super) fn start(&self, local: i64) -> Option<i64> {
        if let Width::Ticks { divisor, origin, .. } = self.width
            && self.shift.is_nothing()
        {
            let since = local.checked_sub(origin)?;
            let start = divisor.floor_multiple(since);
            return if start <= since { Some(start + origin) } else { None };
        }
        self.nth(local, 0)
    }

    /// The start of the bucket `count` after the one that `local` is in.
    pub(super) fn nth(&self, local: i64, count: i64) -> Option<i64> {
        self.start_of(self.number(local)?.checked_add(count)?)
    }

    /// The number of the bucket that `local` is in; neighbours have neighbouring numbers.
    pub(super) fn number(&self, local: i64) -> Option<i64> {
        let local = self.clock.later(local, self.shift.times(-1)?)?;
        Some(match self.width {
            Width::Ticks { divisor, origin, .. } => divisor.floor(local.checked_sub(origin)?),
            Width::Months { width, origin } => (self.clock.month(local) - origin).div_euclid(width),
        })
    }

    /// The start of the bucket of a number.
    pub(super) fn start_of(&self, number: i64) -> Option<i64> {
        self.clock.later(self.unshifted(number)?, self.shift)
    }

    /// The end of what begins with the bucket of a number and is so long. The shift comes last, so that
    /// months are counted from the first of a month, and what is as long as a bucket ends where the next one starts.
    pub(super) fn end_of(&self, number: i64, length: Length) -> Option<i64> {
        self.clock.later(self.clock.later(self.unshifted(number)?, length)?, self.shift)
    }

    fn unshifted(&self, number: i64) -> Option<i64> {
        match self.width {
            Width::Ticks { width, origin, .. } => number.checked_mul(width)?.checked_add(origin),
            Width::Months { width, origin } => {
                self.clock.start_of_month(number.checked_mul(width)?.checked_add(origin)?)
            }
        }
    }
}

/// The width, which must be above zero, and of months or of days and less.
pub(super) fn check_width(width: IntervalMonthDayNano, per_day: i64) -> Result<Length> {
    let length = Length::new(width, per_day)?;
    if length.months != 0 && length.ticks != 0 {
        return Err(Error::unsupported("buckets of months cannot have days or hours as well")
            .remedy("take months, or days and what is shorter"));
    }
    if length.months < 0 || length.ticks < 0 || length.is_nothing() {
        return Err(Error::invalid_input("the width of a bucket must be above zero")
            .remedy("write it as INTERVAL '1 hour' or '1h'"));
    }
    Ok(length)
}
