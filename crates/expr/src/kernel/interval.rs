//! Text to intervals, as DuckDB reads them: `1 year 2 mons`, `-1.5 days`, `3 days 04:05:06.7`, `2h ago`;
//! and as Polars writes them: `1mo`, `1q`, `3d12h`.
//!
//! A fraction of a unit becomes whole smaller units, a month counting thirty days; what is left below a
//! nanosecond is dropped.

use arrow::datatypes::IntervalMonthDayNano;

const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;
/// More digits behind the point than these are dropped: they are below a nanosecond of a day.
const FRACTION_DIGITS: usize = 15;

/// What a unit is counted in.
enum Unit {
    Months(i128),
    Days(i128),
    Nanoseconds(i128),
}

#[derive(Default)]
struct Sum {
    months: i128,
    days: i128,
    nanoseconds: i128,
}

/// The interval that `text` says, if it says one that fits.
pub fn interval(text: &str) -> Option<IntervalMonthDayNano> {
    let mut rest = text.trim();
    rest = rest.strip_prefix('@').map_or(rest, str::trim_start);
    let mut sum = Sum::default();
    let mut parts = 0;
    let mut sign = 1;
    while !rest.is_empty() {
        if parts > 0 && rest.eq_ignore_ascii_case("ago") {
            sign = -1;
            break;
        }
        rest = part(rest, parts == 0, &mut sum)?.trim_start();
        parts += 1;
    }
    (parts > 0).then_some(())?;
    Some(IntervalMonthDayNano {
        months: i32::try_from(sign * sum.months).ok()?,
        days: i32::try_from(sign * sum.days).ok()?,
        nanoseconds: i64::try_from(sign * sum.nanoseconds).ok()?,
    })
}

/// Adds the number and unit, or the time of day, at the start of `text`; gives what follows.
fn part<'a>(text: &'a str, alone: bool, sum: &mut Sum) -> Option<&'a str> {
    let (number, rest) = split(text, |c| c.is_ascii_digit() || matches!(c, '-' | '.' | ':'));
    if number.contains(':') {
        sum.add(Unit::Nanoseconds(1), clock(number)?, 1)?;
        return Some(rest);
    }
    let (count, per_one) = decimal(number)?;
    if alone && rest.is_empty() {
        sum.add(Unit::Nanoseconds(SECOND), count, per_one)?;
        return Some(rest);
    }
    let (name, rest) = split(rest.trim_start(), |c| c.is_ascii_alphabetic());
    sum.add(unit(&name.to_ascii_lowercase())?, count, per_one)?;
    Some(rest)
}

impl Sum {
    /// Adds `count / per_one` units.
    fn add(&mut self, unit: Unit, count: i128, per_one: i128) -> Option<()> {
        let (months, days, nanoseconds) = match unit {
            Unit::Months(months) => (count.checked_mul(months)?, 0, 0),
            Unit::Days(days) => (0, count.checked_mul(days)?, 0),
            Unit::Nanoseconds(nanoseconds) => (0, 0, count.checked_mul(nanoseconds)?),
        };
        let days = days + months % per_one * 30;
        let nanoseconds = nanoseconds.checked_add((days % per_one).checked_mul(DAY)?)?;
        self.months = self.months.checked_add(months / per_one)?;
        self.days = self.days.checked_add(days / per_one)?;
        self.nanoseconds = self.nanoseconds.checked_add(nanoseconds / per_one)?;
        Some(())
    }
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

/// `-1.25` as -125 and 100.
fn decimal(text: &str) -> Option<(i128, i128)> {
    let (sign, digits) = sign(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let fraction = &fraction[..fraction.len().min(FRACTION_DIGITS)];
    // Eighteen digits of whole units leave room for any unit and fraction in 128 bits.
    let whole = whole.trim_start_matches('0');
    (whole.len() <= 18).then_some(())?;
    let count: i128 = format!("0{whole}{fraction}").parse().ok()?;
    Some((sign * count, 10_i128.pow(fraction.len() as u32)))
}

/// `[-]h:mm[:ss[.f]]` in nanoseconds; hours may exceed a day.
fn clock(text: &str) -> Option<i128> {
    let (sign, text) = sign(text);
    let mut parts = text.split(':');
    let whole = |part: Option<&str>| -> Option<i128> {
        let part = part.filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?;
        i128::from(part.parse::<u32>().ok()?).into()
    };
    let (hours, minutes) = (whole(parts.next())?, whole(parts.next())?);
    let (count, per_one) = parts.next().map_or(Some((0, 1)), decimal)?;
    let in_range = minutes < 60 && (0..60 * per_one).contains(&count) && parts.next().is_none();
    let seconds = (hours * 60 + minutes) * 60;
    in_range.then_some(sign * (seconds * SECOND + count * SECOND / per_one))
}

fn sign(text: &str) -> (i128, &str) {
    text.strip_prefix('-').map_or((1, text), |digits| (-1, digits))
}

fn unit(name: &str) -> Option<Unit> {
    Some(match name {
        "millennium" | "millennia" | "millenium" | "millenia" | "mil" | "mils" => {
            Unit::Months(12_000)
        }
        "century" | "centuries" | "cent" | "c" => Unit::Months(1200),
        "decade" | "decades" | "dec" | "decs" => Unit::Months(120),
        "year" | "years" | "yr" | "yrs" | "y" => Unit::Months(12),
        "quarter" | "quarters" | "q" => Unit::Months(3),
        "month" | "months" | "mon" | "mons" | "mo" => Unit::Months(1),
        "week" | "weeks" | "w" => Unit::Days(7),
        "day" | "days" | "d" => Unit::Days(1),
        "hour" | "hours" | "hr" | "hrs" | "h" => Unit::Nanoseconds(3600 * SECOND),
        "minute" | "minutes" | "min" | "mins" | "m" => Unit::Nanoseconds(60 * SECOND),
        "second" | "seconds" | "sec" | "secs" | "s" => Unit::Nanoseconds(SECOND),
        "millisecond" | "milliseconds" | "msec" | "msecs" | "ms" => Unit::Nanoseconds(1_000_000),
        "microsecond" | "microseconds" | "usec" | "usecs" | "us" => Unit::Nanoseconds(1000),
        "nanosecond" | "nanoseconds" | "nsec" | "nsecs" | "ns" => Unit::Nanoseconds(1),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_duckdb_reads() {
        const HOUR: i64 = 3_600_000_000_000;
        for (text, months, days, nanoseconds) in [
            ("1 day", 0, 1, 0),
            ("1day", 0, 1, 0),
            ("@ 2 DAYS", 0, 2, 0),
            ("1h30m", 0, 0, HOUR + HOUR / 2),
            ("1 year 2 mons", 14, 0, 0),
            ("1 month 2 days 03:04:05.123456", 1, 2, 11_045_123_456_000),
            ("-1 day -02:00:00", 0, -1, -2 * HOUR),
            ("26:00", 0, 0, 26 * HOUR),
            ("1 month 3 days ago", -1, -3, 0),
            ("1.5 years", 18, 0, 0),
            ("1.5 quarters", 4, 15, 0),
            ("-1.5 months", -1, -15, 0),
            ("0.5 weeks", 0, 3, 12 * HOUR),
            ("1.5 days", 0, 1, 12 * HOUR),
            (".5 hours", 0, 0, HOUR / 2),
            ("1 day 1 day", 0, 2, 0),
            ("1 millennium 1 century 1 decade", 13_320, 0, 0),
            ("5", 0, 0, 5_000_000_000),
            ("1.0000000000000000000000001 ns", 0, 0, 1),
        ] {
            let expected = IntervalMonthDayNano { months, days, nanoseconds };
            assert_eq!(interval(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            "@",
            "ago",
            "day",
            "abc days",
            "1 fortnight",
            "1 day, 2 hours",
            "1 hour 30",
            "- 5 days",
            "--5 days",
            "1.2.3 days",
            ". days",
            "1e3 seconds",
            "00:61:00",
            "00:00:60",
            "1:2:3:4",
            ":1",
            "1:-2",
            "3 days ago ago",
            "99999999999 years",
            "99999999999999999999 ns",
            "999999999999999999.999999999999999 millennia",
            "é day",
        ] {
            assert_eq!(interval(text), None, "{text}");
        }
    }
}
