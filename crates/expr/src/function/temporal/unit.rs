//! The units of time, by the names that DuckDB knows.

use dframe_core::{Error, Result};

/// A unit to truncate to or to count, or a part of a date or time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
    IsoYear,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    YearWeek,
    Epoch,
    Era,
    Julian,
}

const NAMES: &[(Unit, &[&str])] = &[
    (Unit::Microsecond, &["microsecond", "microseconds", "us", "usec", "usecs", "usecond"]),
    (Unit::Millisecond, &["millisecond", "milliseconds", "ms", "msec", "msecs", "msecond"]),
    (Unit::Second, &["second", "seconds", "s", "sec", "secs"]),
    (Unit::Minute, &["minute", "minutes", "m", "min", "mins"]),
    (Unit::Hour, &["hour", "hours", "h", "hr", "hrs"]),
    (Unit::Day, &["day", "days", "d", "dayofmonth"]),
    (Unit::Week, &["week", "weeks", "w", "weekofyear"]),
    (Unit::Month, &["month", "months", "mon", "mons"]),
    (Unit::Quarter, &["quarter", "quarters"]),
    (Unit::Year, &["year", "years", "y", "yr", "yrs"]),
    (Unit::Decade, &["decade", "decades", "dec", "decs"]),
    (Unit::Century, &["century", "centuries", "cent", "c"]),
    (Unit::Millennium, &["millennium", "millenniums", "millennia", "mil", "mils"]),
    (Unit::IsoYear, &["isoyear"]),
    (Unit::DayOfWeek, &["dayofweek", "dow", "weekday"]),
    (Unit::IsoDayOfWeek, &["isodow"]),
    (Unit::DayOfYear, &["dayofyear", "doy"]),
    (Unit::YearWeek, &["yearweek"]),
    (Unit::Epoch, &["epoch"]),
    (Unit::Era, &["era"]),
    (Unit::Julian, &["julian"]),
];

impl Unit {
    /// The unit called `name`, in any case.
    pub(super) fn parse(name: &str) -> Result<Self> {
        let lower = name.to_ascii_lowercase();
        let found = NAMES.iter().find(|(_, names)| names.contains(&lower.as_str()));
        found.map(|(unit, _)| *unit).ok_or_else(|| {
            Error::invalid_input(format!("'{name}' is no unit of time")).remedy(
                "units are microsecond, millisecond, second, minute, hour, day, week, month, \
                 quarter, year, decade, century, millennium",
            )
        })
    }

    /// The name.
    pub(super) fn name(self) -> &'static str {
        NAMES.iter().find(|(unit, _)| *unit == self).map_or("", |(_, names)| names[0])
    }

    /// How many of the unit a day has, if all days have as many.
    pub(super) fn per_day(self) -> Option<i64> {
        match self {
            Self::Microsecond => Some(86_400_000_000),
            Self::Millisecond => Some(86_400_000),
            Self::Second => Some(86_400),
            Self::Minute => Some(1_440),
            Self::Hour => Some(24),
            Self::Day => Some(1),
            _ => None,
        }
    }

    /// Whether it is a stretch of time, rather than only a part of a date.
    pub(super) fn is_stretch(self) -> bool {
        use Unit::*;
        !matches!(self, DayOfWeek | IsoDayOfWeek | DayOfYear | YearWeek | Epoch | Era | Julian)
    }

    /// Whether a time of day has it.
    pub(super) fn is_of_clock(self) -> bool {
        self == Self::Epoch || self.per_day().is_some_and(|per_day| per_day > 1)
    }
}
