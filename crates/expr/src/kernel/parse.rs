//! Text to values: numbers, truth, dates, times, timestamps and intervals, as DuckDB reads them.
//!
//! Text that cannot be read becomes NULL here; the caller knows whether that is an error.

use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray};
use arrow::array::{StringArray, timezone::Tz};
use arrow::compute::CastOptions;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DecimalType, DurationMicrosecondType,
    DurationMillisecondType, DurationNanosecondType, DurationSecondType, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, IntervalMonthDayNanoType, IntervalUnit,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use chrono::{FixedOffset, NaiveDate, NaiveDateTime, Offset, TimeZone};
use dframe_core::Result;

use super::cast::per_second;
use super::interval::interval;
use super::text::parse_zone;

/// Each text of the `Utf8` array as a value of type `to`.
pub fn parse(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let texts = array.as_string::<i32>();
    Ok(match to {
        DataType::Boolean => {
            Arc::new(texts.iter().map(|text| text.and_then(boolean)).collect::<BooleanArray>())
        }
        DataType::Int8 => integers::<Int8Type>(texts),
        DataType::Int16 => integers::<Int16Type>(texts),
        DataType::Int32 => integers::<Int32Type>(texts),
        DataType::Int64 => integers::<Int64Type>(texts),
        DataType::UInt8 => integers::<UInt8Type>(texts),
        DataType::UInt16 => integers::<UInt16Type>(texts),
        DataType::UInt32 => integers::<UInt32Type>(texts),
        DataType::UInt64 => integers::<UInt64Type>(texts),
        DataType::Float32 => each::<Float32Type>(texts, float),
        DataType::Float64 => each::<Float64Type>(texts, float),
        DataType::Decimal128(precision, scale) => {
            let decimals = each::<Decimal128Type>(texts, |text| decimal(text, *precision, *scale));
            let decimals = decimals.as_primitive::<Decimal128Type>().clone();
            Arc::new(decimals.with_data_type(to.clone()))
        }
        DataType::Date32 => each::<Date32Type>(texts, |text| days(date_and_rest(text)?)),
        DataType::Time32(TimeUnit::Second) => times::<Time32SecondType>(texts),
        DataType::Time32(_) => times::<Time32MillisecondType>(texts),
        DataType::Time64(TimeUnit::Nanosecond) => times::<Time64NanosecondType>(texts),
        DataType::Time64(_) => times::<Time64MicrosecondType>(texts),
        DataType::Timestamp(unit, zone) => {
            let zone = zone.as_deref().map(parse_zone).transpose()?;
            let instants = match unit {
                TimeUnit::Second => timestamps::<TimestampSecondType>(texts, *unit, zone),
                TimeUnit::Millisecond => timestamps::<TimestampMillisecondType>(texts, *unit, zone),
                TimeUnit::Microsecond => timestamps::<TimestampMicrosecondType>(texts, *unit, zone),
                TimeUnit::Nanosecond => timestamps::<TimestampNanosecondType>(texts, *unit, zone),
            };
            arrow::compute::cast(&arrow::compute::cast(&instants, &DataType::Int64)?, to)?
        }
        DataType::Duration(unit) => match unit {
            TimeUnit::Second => durations::<DurationSecondType>(texts, *unit),
            TimeUnit::Millisecond => durations::<DurationMillisecondType>(texts, *unit),
            TimeUnit::Microsecond => durations::<DurationMicrosecondType>(texts, *unit),
            TimeUnit::Nanosecond => durations::<DurationNanosecondType>(texts, *unit),
        },
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            each::<IntervalMonthDayNanoType>(texts, interval)
        }
        _ => by_arrow(texts, to)?,
    })
}

/// Types for which arrow's reading will do, once blanks are gone.
fn by_arrow(texts: &StringArray, to: &DataType) -> Result<ArrayRef> {
    let trimmed: StringArray = texts.iter().map(|text| text.map(str::trim)).collect();
    let options = CastOptions { safe: true, ..CastOptions::default() };
    Ok(arrow::compute::cast_with_options(&trimmed, to, &options)?)
}

fn each<T: ArrowPrimitiveType>(
    texts: &StringArray,
    parse: impl Fn(&str) -> Option<T::Native>,
) -> ArrayRef {
    let values = texts.iter().map(|text| text.and_then(|text| parse(text.trim())));
    Arc::new(values.collect::<PrimitiveArray<T>>())
}

/// Untrimmed, unlike all others: so does DuckDB.
fn boolean(text: &str) -> Option<bool> {
    let is = |words: [&str; 4]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(["true", "t", "yes", "y"]) || text == "1" {
        return Some(true);
    }
    (is(["false", "f", "no", "n"]) || text == "0").then_some(false)
}

fn integers<T: ArrowPrimitiveType>(texts: &StringArray) -> ArrayRef
where
    T::Native: FromStr + TryFrom<i128>,
{
    each::<T>(texts, |text| match text.parse() {
        Ok(value) => Some(value),
        Err(_) => T::Native::try_from(integer(text)?).ok(),
    })
}

/// What plain digits do not cover: `1e3`, `12.5` (rounded half away from zero), `1_000`, `0x10`.
fn integer(text: &str) -> Option<i128> {
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return i128::from_str_radix(hex, 16).ok().filter(|_| !hex.starts_with(['+', '-']));
    }
    decimal(text, 38, 0)
}

fn float<F: FromStr>(text: &str) -> Option<F> {
    if text.contains('_') { without_underscores(text)?.parse().ok() } else { text.parse().ok() }
}

/// Underscores may stand between digits only.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let between = |index: usize| {
        let digit = |at: Option<&u8>| at.is_some_and(u8::is_ascii_digit);
        digit(index.checked_sub(1).and_then(|before| bytes.get(before)))
            && digit(bytes.get(index + 1))
    };
    let fine = bytes.iter().enumerate().all(|(index, byte)| *byte != b'_' || between(index));
    fine.then(|| text.replace('_', ""))
}

/// The number times ten to the `scale`, rounded half away from zero, if it has at most `precision`
/// digits.
fn decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let text = without_underscores(text)?;
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text.as_str(), 0),
    };
    let negative = mantissa.starts_with('-');
    let digits = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.len() + fraction.len() == 0 {
        return None;
    }
    // How many of all digits are before the point once it is moved by exponent and scale.
    let point = i64::try_from(whole.len()).ok()? + i64::from(exponent) + i64::from(scale);
    let mut value: i128 = 0;
    for (index, digit) in whole.bytes().chain(fraction.bytes()).enumerate() {
        if !digit.is_ascii_digit() {
            return None;
        }
        let (index, digit) = (i64::try_from(index).ok()?, i128::from(digit - b'0'));
        if index < point {
            value = value.checked_mul(10)?.checked_add(digit)?;
        } else if index == point && digit >= 5 {
            value = value.checked_add(1)?;
        }
    }
    let missing = point - i64::try_from(whole.len() + fraction.len()).ok()?;
    if missing > 0 && value != 0 {
        value = value.checked_mul(10_i128.checked_pow(u32::try_from(missing).ok()?)?)?;
    }
    let value = if negative { -value } else { value };
    Decimal128Type::is_valid_decimal_precision(value, precision).then_some(value)
}

/// A date, and what follows it.
fn date_and_rest(text: &str) -> Option<(NaiveDate, &str)> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (year, rest) = digits(text, 1, 6)?;
    let separator = rest.chars().next().filter(|c| matches!(c, '-' | '/' | '\\' | ' '))?;
    let (month, rest) = digits(&rest[1..], 1, 2)?;
    let (day, rest) = digits(rest.strip_prefix(separator)?, 1, 2)?;
    let year = i32::try_from(year).ok()?;
    let year = if negative { -year } else { year };
    Some((
        NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)?,
        rest,
    ))
}

/// Between `least` and `most` digits, and what follows them.
fn digits(text: &str, least: usize, most: usize) -> Option<(i64, &str)> {
    let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if count < least {
        return None;
    }
    Some((text[..count].parse().ok()?, &text[count..]))
}

/// Days since 1970, if what follows the date is nothing or a time.
fn days((date, rest): (NaiveDate, &str)) -> Option<i32> {
    if !rest.is_empty() {
        let (_, rest) = clock_and_rest(rest.strip_prefix([' ', 'T'])?)?;
        offset(rest)?;
    }
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).ok()
}

/// Nanoseconds since midnight of `hh:mm[:ss[.f]]`, and what follows.
fn clock_and_rest(text: &str) -> Option<(i64, &str)> {
    let (hours, rest) = digits(text, 1, 2)?;
    let (minutes, rest) = digits(rest.strip_prefix(':')?, 2, 2)?;
    let (seconds, rest) = match rest.strip_prefix(':') {
        Some(rest) => digits(rest, 2, 2)?,
        None => (0, rest),
    };
    let (nanos, rest) = match rest.strip_prefix('.') {
        Some(rest) => fraction(rest)?,
        None => (0, rest),
    };
    let in_range = hours < 24 && minutes < 60 && seconds < 60;
    in_range.then_some((((hours * 60 + minutes) * 60 + seconds) * 1_000_000_000 + nanos, rest))
}

/// Nanoseconds of the digits after the point; those beyond the ninth are cut off.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let count = text.bytes().take_while(u8::is_ascii_digit).count();
    let (nanos, _) = digits(text, 1, 9)?;
    let missing = 9 - u32::try_from(count.min(9)).ok()?;
    Some((nanos * 10_i64.pow(missing), &text[count..]))
}

/// What may follow a time: nothing, `Z`, `UTC`, or an offset.
fn offset(text: &str) -> Option<Option<FixedOffset>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(None);
    }
    if text.eq_ignore_ascii_case("z") || text.eq_ignore_ascii_case("utc") {
        return Some(FixedOffset::east_opt(0));
    }
    let east = match text.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, rest) = digits(&text[1..], 1, 2)?;
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let (minutes, rest) = if rest.is_empty() { (0, rest) } else { digits(rest, 2, 2)? };
    let seconds = i32::try_from((hours * 60 + minutes) * 60).ok()?;
    rest.is_empty().then(|| FixedOffset::east_opt(east * seconds)).flatten().map(Some)
}

fn times<T: ArrowPrimitiveType>(texts: &StringArray) -> ArrayRef
where
    T::Native: TryFrom<i64>,
{
    let nanos_per_unit = match T::DATA_TYPE {
        DataType::Time32(unit) | DataType::Time64(unit) => 1_000_000_000 / per_second(unit),
        _ => 1,
    };
    each::<T>(texts, |text| {
        let (nanos, rest) = clock_and_rest(text)?;
        if !rest.is_empty() {
            return None;
        }
        T::Native::try_from(nanos / nanos_per_unit).ok()
    })
}

fn timestamps<T: ArrowPrimitiveType<Native = i64>>(
    texts: &StringArray,
    unit: TimeUnit,
    zone: Option<Tz>,
) -> ArrayRef {
    each::<T>(texts, |text| {
        let (date, rest) = date_and_rest(text)?;
        let (nanos, rest) = match rest.strip_prefix([' ', 'T']) {
            Some(rest) => clock_and_rest(rest.trim_start())?,
            None => (0, rest),
        };
        let offset = offset(rest)?;
        let local = date.and_hms_opt(0, 0, 0)? + chrono::Duration::nanoseconds(nanos);
        ticks(in_utc(local, offset, zone)?, unit)
    })
}

/// Without a zone in the type, an offset in the text is ignored: so does DuckDB.
fn in_utc(
    local: NaiveDateTime,
    offset: Option<FixedOffset>,
    zone: Option<Tz>,
) -> Option<NaiveDateTime> {
    let Some(zone) = zone else { return Some(local) };
    let east = match offset {
        Some(offset) => offset,
        None => zone.offset_from_local_datetime(&local).earliest()?.fix(),
    };
    local.checked_sub_offset(east)
}

fn ticks(instant: NaiveDateTime, unit: TimeUnit) -> Option<i64> {
    let instant = instant.and_utc();
    match unit {
        TimeUnit::Second => Some(instant.timestamp()),
        TimeUnit::Millisecond => Some(instant.timestamp_millis()),
        TimeUnit::Microsecond => Some(instant.timestamp_micros()),
        TimeUnit::Nanosecond => instant.timestamp_nanos_opt(),
    }
}

/// An interval without months, which have no length.
fn durations<T: ArrowPrimitiveType<Native = i64>>(texts: &StringArray, unit: TimeUnit) -> ArrayRef {
    let nanos_per_unit = i128::from(1_000_000_000 / per_second(unit));
    each::<T>(texts, |text| {
        let interval = interval(text).filter(|interval| interval.months == 0)?;
        let nanos =
            i128::from(interval.days) * 86_400_000_000_000 + i128::from(interval.nanoseconds);
        i64::try_from(nanos / nanos_per_unit).ok()
    })
}
