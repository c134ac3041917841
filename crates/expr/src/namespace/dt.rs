//! `col("x").dt()`: functions of dates and times, under the names that Polars gives them.

use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};

use crate::build::{call, lit};
use crate::expr::Expr;

/// Functions of dates and times. Lengths of time are written `15m`, `1h`, `3d12h`, `1w`, `1mo`, `1q`, `1y`, or as SQL
/// does, `90 minutes`. Where there is a time zone, the clock there decides.
///
/// ```
/// use dframe_expr::col;
///
/// assert_eq!(col("ts").dt().truncate("1h").to_string(), "time_bucket('1h', ts)");
/// let local = col("ts").dt().convert_time_zone("Europe/Zurich");
/// assert_eq!(local.dt().hour().to_string(), "hour(convert_time_zone(ts, 'Europe/Zurich'))");
/// ```
#[derive(Clone, Debug)]
pub struct Dt(Expr);

impl Expr {
    /// Functions of dates and times.
    pub fn dt(self) -> Dt {
        Dt(self)
    }
}

impl Dt {
    /// The year.
    pub fn year(self) -> Expr {
        self.0.call("year", [])
    }

    /// The year that the week of ISO 8601 belongs to.
    pub fn iso_year(self) -> Expr {
        self.0.call("isoyear", [])
    }

    /// The quarter, from 1.
    pub fn quarter(self) -> Expr {
        self.0.call("quarter", [])
    }

    /// The month, from 1.
    pub fn month(self) -> Expr {
        self.0.call("month", [])
    }

    /// The week of ISO 8601.
    pub fn week(self) -> Expr {
        self.0.call("week", [])
    }

    /// The day of the month, from 1.
    pub fn day(self) -> Expr {
        self.0.call("day", [])
    }

    /// The day of the week: Monday is 1, Sunday 7.
    pub fn weekday(self) -> Expr {
        self.0.call("isodow", [])
    }

    /// The day of the year, from 1.
    pub fn ordinal_day(self) -> Expr {
        self.0.call("dayofyear", [])
    }

    /// The hour, from 0.
    pub fn hour(self) -> Expr {
        self.0.call("hour", [])
    }

    /// The minute, from 0.
    pub fn minute(self) -> Expr {
        self.0.call("minute", [])
    }

    /// The second, from 0.
    pub fn second(self) -> Expr {
        self.0.call("second", [])
    }

    /// The milliseconds of the minute, seconds included.
    pub fn millisecond(self) -> Expr {
        self.0.call("millisecond", [])
    }

    /// The microseconds of the minute, seconds included.
    pub fn microsecond(self) -> Expr {
        self.0.call("microsecond", [])
    }

    /// The part called `name`, such as `century`, `yearweek` or `epoch`.
    pub fn part(self, name: &str) -> Expr {
        call("date_part", [lit(name), self.0])
    }

    /// The date.
    pub fn date(self) -> Expr {
        self.0.cast(DataType::Date32)
    }

    /// The time of day.
    pub fn time(self) -> Expr {
        self.0.cast(DataType::Time64(TimeUnit::Microsecond))
    }

    /// The start of the stretch of time it is in: of the hour for `1h`, the quarter of an hour for `15m`.
    pub fn truncate(self, every: &str) -> Expr {
        call("time_bucket", [lit(every), self.0])
    }

    /// The nearest start of a stretch of time, the later one if two are as near.
    pub fn round(self, every: &str) -> Expr {
        call("time_round", [lit(every), self.0])
    }

    /// Later by a length of time, on the calendar; earlier for `-1mo`.
    pub fn offset_by(self, length: &str) -> Expr {
        self.0 + lit(length).cast(DataType::Interval(IntervalUnit::MonthDayNano))
    }

    /// The start of the month.
    pub fn month_start(self) -> Expr {
        call("date_trunc", [lit("month"), self.0])
    }

    /// The last day of the month, a date.
    pub fn month_end(self) -> Expr {
        self.0.call("last_day", [])
    }

    /// As text, in a `format` such as `%Y-%m-%d`.
    pub fn strftime(self, format: &str) -> Expr {
        self.0.call("strftime", [lit(format)])
    }

    /// The name of the day of the week.
    pub fn day_name(self) -> Expr {
        self.0.call("dayname", [])
    }

    /// The name of the month.
    pub fn month_name(self) -> Expr {
        self.0.call("monthname", [])
    }

    /// Seconds since 1970, with a fraction.
    pub fn epoch(self) -> Expr {
        self.0.call("epoch", [])
    }

    /// Milliseconds since 1970.
    pub fn epoch_ms(self) -> Expr {
        self.0.call("epoch_ms", [])
    }

    /// Microseconds since 1970.
    pub fn epoch_us(self) -> Expr {
        self.0.call("epoch_us", [])
    }

    /// Nanoseconds since 1970.
    pub fn epoch_ns(self) -> Expr {
        self.0.call("epoch_ns", [])
    }

    /// What the clock shows, in another zone; `None` takes the zone away.
    pub fn replace_time_zone<'z>(self, zone: impl Into<Option<&'z str>>) -> Expr {
        self.0.call("replace_time_zone", [lit(zone.into())])
    }

    /// The same instant on a clock elsewhere. Without a zone, it is taken to be in UTC.
    pub fn convert_time_zone(self, zone: &str) -> Expr {
        self.0.call("convert_time_zone", [lit(zone)])
    }

    /// How many starts of a `unit`, such as `day`, lie between it and `end`.
    pub fn until(self, unit: &str, end: impl Into<Expr>) -> Expr {
        call("date_diff", [lit(unit), self.0, end.into()])
    }
}
