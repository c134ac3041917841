//! Dates and timestamps as ISO 8601 writes them: `2024-02-29`, `2024-02-29 12:30[:05[.123]]`, with a
//! `T` for the blank, and `Z` or an offset at the end.
//!
//! Stricter than casts are: what is read here is what every value of a column looks like, so that a
//! text is not taken for a date by chance.

/// A point in time, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Days since 1970.
    pub(crate) days: i32,
    /// Seconds since midnight; in UTC, so below 0 or beyond a day where there is an offset.
    pub(crate) seconds: i32,
    /// Nanoseconds of the second.
    pub(crate) nanos: u32,
    /// Whether there is no time.
    pub(crate) is_date: bool,
    /// Whether there is an offset.
    pub(crate) is_zoned: bool,
}

impl Moment {
    fn in_seconds(&self) -> i64 {
        i64::from(self.days) * 86_400 + i64::from(self.seconds)
    }

    /// Microseconds since 1970; what is finer is cut off.
    pub(crate) fn in_micros(&self) -> i64 {
        self.in_seconds() * 1_000_000 + i64::from(self.nanos / 1000)
    }

    /// Nanoseconds since 1970, if 64 bits hold them.
    pub(crate) fn in_nanos(&self) -> Option<i64> {
        let nanos = i128::from(self.in_seconds()) * 1_000_000_000 + i128::from(self.nanos);
        i64::try_from(nanos).ok()
    }
}

/// Reads a date or a timestamp.
pub(crate) fn parse(text: &[u8]) -> Option<Moment> {
    let (date, rest) = text.split_first_chunk::<10>()?;
    let days = days_of(date)?;
    let mut moment = Moment { days, seconds: 0, nanos: 0, is_date: true, is_zoned: false };
    match rest {
        [] => Some(moment),
        [b' ' | b'T', clock @ ..] => {
            moment.is_date = false;
            read_clock(clock, &mut moment)?;
            Some(moment)
        }
        _ => None,
    }
}

fn digit(byte: u8) -> Option<u32> {
    let digit = byte.wrapping_sub(b'0');
    (digit < 10).then_some(u32::from(digit))
}

fn two(tens: u8, ones: u8) -> Option<u32> {
    Some(digit(tens)? * 10 + digit(ones)?)
}

/// Days since 1970 of `YYYY-MM-DD`.
fn days_of(date: &[u8; 10]) -> Option<i32> {
    let [a, b, c, d, b'-', e, f, b'-', g, h] = *date else { return None };
    let year = two(a, b)? * 100 + two(c, d)?;
    let (month, day) = (two(e, f)?, two(g, h)?);
    let fits = (1..=12).contains(&month) && day >= 1 && day <= month_days(year, month);
    fits.then(|| days_from_civil(year as i32, month as i32, day as i32))
}

fn month_days(year: u32, month: u32) -> u32 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970 in the Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date
/// algorithms").
fn days_from_civil(year: i32, month: i32, day: i32) -> i32 {
    // A year that begins in March has its leap day at the end.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// `HH:MM[:SS[.f]]`, and what follows.
fn read_clock(text: &[u8], moment: &mut Moment) -> Option<()> {
    let [a, b, b':', c, d, rest @ ..] = text else { return None };
    let (hours, minutes) = (two(*a, *b)?, two(*c, *d)?);
    let (seconds, rest) = match rest {
        [b':', e, f, rest @ ..] => (two(*e, *f)?, rest),
        _ => (0, rest),
    };
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    moment.seconds = ((hours * 60 + minutes) * 60 + seconds) as i32;
    let has_seconds = text.get(5) == Some(&b':');
    let rest = match rest {
        [b'.', fraction @ ..] if has_seconds => read_fraction(fraction, moment)?,
        _ => rest,
    };
    read_offset(rest, moment)
}

/// One to nine digits after the point.
fn read_fraction<'a>(text: &'a [u8], moment: &mut Moment) -> Option<&'a [u8]> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&count) {
        return None;
    }
    let value = text[..count].iter().fold(0, |sum, byte| sum * 10 + u32::from(byte - b'0'));
    moment.nanos = value * 10_u32.pow(9 - count as u32);
    Some(&text[count..])
}

/// Nothing, `Z`, `+HH`, `+HHMM` or `+HH:MM`.
fn read_offset(text: &[u8], moment: &mut Moment) -> Option<()> {
    let (sign, hours, minutes) = match text {
        [] => return Some(()),
        [b'Z' | b'z'] => (1, 0, 0),
        [sign @ (b'+' | b'-'), a, b] => (*sign, two(*a, *b)?, 0),
        [sign @ (b'+' | b'-'), a, b, c, d] | [sign @ (b'+' | b'-'), a, b, b':', c, d] => {
            (*sign, two(*a, *b)?, two(*c, *d)?)
        }
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let east = (hours * 3600 + minutes * 60) as i32;
    moment.seconds -= if sign == b'-' { -east } else { east };
    moment.is_zoned = true;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read() {
        let micros = |text: &str| parse(text.as_bytes()).map(|moment| moment.in_micros());
        assert_eq!(micros("1970-01-01"), Some(0));
        assert_eq!(micros("1969-12-31 23:59:59.5"), Some(-500_000));
        assert_eq!(micros("2000-03-01"), Some(11_017 * 86_400_000_000));
        assert_eq!(micros("1970-01-01T00:00:00+01:00"), Some(-3_600_000_000));
        assert_eq!(micros("1970-01-01T00:00:00-0130"), Some(5_400_000_000));
        assert_eq!(micros("0000-01-01"), Some(-719_528 * 86_400_000_000));
        for bad in ["", "1970-1-1", "1970-01-01 ", "1970-01-01 1:00", "1970-01-01 10:00.5"] {
            assert_eq!(micros(bad), None, "{bad}");
        }
        assert_eq!(micros("1970-01-01 10:00:00.1234567890"), None);
        assert_eq!(micros("1970-01-01 10:00:00+1"), None);
    }
}
