//! Values to text, as DuckDB prints them: `1e+16`, `nan`, `2020-01-02 03:04:05.1`.

use std::fmt::{self, Write};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, PrimitiveArray, StringArray, StringBuilder,
};
use arrow::datatypes::{
    ArrowPrimitiveType, ArrowTemporalType, DataType, Date32Type, Date64Type,
    DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    Float32Type, Float64Type, IntervalMonthDayNanoType, IntervalUnit, Time32MillisecondType,
    Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow::temporal_conversions::{as_datetime, date32_to_datetime};
use chrono::{DateTime, Datelike, NaiveDateTime, Offset, TimeZone, Timelike, Utc};
use dframe_core::{Error, Result};

use super::list;
use crate::value::plain;

/// Each value as text, a `StringArray`.
pub fn to_text(array: &ArrayRef) -> Result<ArrayRef> {
    let array = &plain(array)?;
    let text = match array.data_type() {
        DataType::Float32 => each::<Float32Type>(array, |out, value| {
            write_float(out, &format!("{value:e}"), value.is_nan())
        }),
        DataType::Float64 => each::<Float64Type>(array, |out, value| {
            write_float(out, &format!("{value:e}"), value.is_nan())
        }),
        DataType::Date32 => each::<Date32Type>(array, |out, days| write_date(out, i64::from(days))),
        DataType::Date64 => {
            each::<Date64Type>(array, |out, millis| write_date(out, millis.div_euclid(86_400_000)))
        }
        DataType::Time32(TimeUnit::Second) => times::<Time32SecondType>(array, 1_000_000_000),
        DataType::Time32(_) => times::<Time32MillisecondType>(array, 1_000_000),
        DataType::Time64(TimeUnit::Nanosecond) => times::<Time64NanosecondType>(array, 1),
        DataType::Time64(_) => times::<Time64MicrosecondType>(array, 1_000),
        DataType::Timestamp(unit, zone) => match unit {
            TimeUnit::Second => timestamps::<TimestampSecondType>(array, zone.as_deref())?,
            TimeUnit::Millisecond => {
                timestamps::<TimestampMillisecondType>(array, zone.as_deref())?
            }
            TimeUnit::Microsecond => {
                timestamps::<TimestampMicrosecondType>(array, zone.as_deref())?
            }
            TimeUnit::Nanosecond => timestamps::<TimestampNanosecondType>(array, zone.as_deref())?,
        },
        DataType::Duration(unit) => match unit {
            TimeUnit::Second => durations::<DurationSecondType>(array, 1_000_000_000),
            TimeUnit::Millisecond => durations::<DurationMillisecondType>(array, 1_000_000),
            TimeUnit::Microsecond => durations::<DurationMicrosecondType>(array, 1_000),
            TimeUnit::Nanosecond => durations::<DurationNanosecondType>(array, 1),
        },
        DataType::Interval(_) => intervals(array)?,
        other if other.is_binary() => binaries(array)?,
        other if list::item_type(other).is_some() => list::to_text(array)?,
        _ => arrow::compute::cast(array, &DataType::Utf8)?,
    };
    Ok(text)
}

fn each<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    write: impl Fn(&mut String, T::Native) -> fmt::Result,
) -> ArrayRef {
    let array: &PrimitiveArray<T> = array.as_primitive();
    let mut texts = StringBuilder::with_capacity(array.len(), array.len() * 12);
    let mut text = String::new();
    for value in array {
        match value {
            Some(value) => {
                text.clear();
                write(&mut text, value).expect("a string takes all text");
                texts.append_value(&text);
            }
            None => texts.append_null(),
        }
    }
    Arc::new(texts.finish())
}

/// `scientific` is Rust's shortest form, `-1.25e-7`. Between 1e-4 and 1e16 it is written out.
fn write_float(out: &mut String, scientific: &str, is_nan: bool) -> fmt::Result {
    if is_nan {
        return out.write_str("nan");
    }
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return out.write_str(scientific);
    };
    let exponent: i32 = exponent.parse().expect("an exponent that Rust has written");
    if !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return write!(out, "{mantissa}e{sign}{:02}", exponent.abs());
    }
    if let Some(negative) = mantissa.strip_prefix('-') {
        out.push('-');
        return write_plain(out, negative, exponent);
    }
    write_plain(out, mantissa, exponent)
}

/// `d.ddd` times ten to the `exponent`, without an exponent.
fn write_plain(out: &mut String, mantissa: &str, exponent: i32) -> fmt::Result {
    let digits = mantissa.replace('.', "");
    if exponent < 0 {
        out.write_str("0.")?;
        (1..-exponent).for_each(|_| out.push('0'));
        return out.write_str(&digits);
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        return write!(out, "{digits:0<whole$}.0");
    }
    write!(out, "{}.{}", &digits[..whole], &digits[whole..])
}

/// Days since 1970; the bare number beyond the years that the calendar covers.
fn write_date(out: &mut String, days: i64) -> fmt::Result {
    let date = i32::try_from(days).ok().and_then(date32_to_datetime);
    match date {
        Some(date) => write!(out, "{:04}-{:02}-{:02}", date.year(), date.month(), date.day()),
        None => write!(out, "{days}"),
    }
}

fn times<T: ArrowPrimitiveType>(array: &ArrayRef, nanos_per_unit: i64) -> ArrayRef
where
    T::Native: Into<i64>,
{
    each::<T>(array, |out, value| {
        let nanos: i64 = value.into().saturating_mul(nanos_per_unit);
        write_clock(out, nanos)
    })
}

/// `hh:mm:ss[.f]`; hours may exceed a day.
fn write_clock(out: &mut String, nanos: i64) -> fmt::Result {
    let (seconds, nanos) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
    write_fraction(out, nanos)
}

fn write_fraction(out: &mut String, nanos: i64) -> fmt::Result {
    if nanos == 0 {
        return Ok(());
    }
    write!(out, ".{}", format!("{nanos:09}").trim_end_matches('0'))
}

fn timestamps<T: ArrowTemporalType>(array: &ArrayRef, zone: Option<&str>) -> Result<ArrayRef>
where
    T::Native: Into<i64>,
{
    let zone = zone.map(parse_zone).transpose()?;
    Ok(each::<T>(array, |out, value| {
        let value: i64 = value.into();
        match (as_datetime::<T>(value), zone) {
            (None, _) => write!(out, "{value}"),
            (Some(instant), None) => write_instant(out, instant),
            (Some(instant), Some(zone)) => {
                let local: DateTime<_> = Utc.from_utc_datetime(&instant).with_timezone(&zone);
                write_instant(out, local.naive_local())?;
                write_offset(out, local.offset().fix().local_minus_utc())
            }
        }
    }))
}

/// The zone of a timestamp type.
pub fn parse_zone(zone: &str) -> Result<arrow::array::timezone::Tz> {
    zone.parse().map_err(|_| {
        Error::invalid_input(format!("unknown time zone '{zone}'"))
            .remedy("use a name such as 'Europe/Berlin' or an offset such as '+02:00'")
    })
}

fn write_instant(out: &mut String, instant: NaiveDateTime) -> fmt::Result {
    write!(out, "{:04}-{:02}-{:02} ", instant.year(), instant.month(), instant.day())?;
    write!(out, "{:02}:{:02}:{:02}", instant.hour(), instant.minute(), instant.second())?;
    write_fraction(out, i64::from(instant.nanosecond()))
}

/// `+02`, or `+05:30`.
fn write_offset(out: &mut String, seconds: i32) -> fmt::Result {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    write!(out, "{sign}{:02}", minutes / 60)?;
    if minutes % 60 != 0 {
        write!(out, ":{:02}", minutes % 60)?;
    }
    Ok(())
}

const DAY_NANOS: i128 = 86_400_000_000_000;

fn durations<T: ArrowPrimitiveType>(array: &ArrayRef, nanos_per_unit: i64) -> ArrayRef
where
    T::Native: Into<i64>,
{
    each::<T>(array, |out, value| {
        let units: i64 = value.into();
        let nanos = i128::from(units) * i128::from(nanos_per_unit);
        write_interval(out, 0, (nanos / DAY_NANOS) as i64, (nanos % DAY_NANOS) as i64)
    })
}

fn intervals(array: &ArrayRef) -> Result<ArrayRef> {
    let all = DataType::Interval(IntervalUnit::MonthDayNano);
    let array = arrow::compute::cast(array, &all)?;
    Ok(each::<IntervalMonthDayNanoType>(&array, |out, value| {
        write_interval(out, value.months, i64::from(value.days), value.nanoseconds)
    }))
}

/// `1 year 2 months 3 days 04:05:06.7`.
fn write_interval(out: &mut String, months: i32, days: i64, nanos: i64) -> fmt::Result {
    let parts =
        [(i64::from(months / 12), "year"), (i64::from(months % 12), "month"), (days, "day")];
    for (count, unit) in parts.into_iter().filter(|(count, _)| *count != 0) {
        let plural = if count.abs() == 1 { "" } else { "s" };
        let space = if out.is_empty() { "" } else { " " };
        write!(out, "{space}{count} {unit}{plural}")?;
    }
    if nanos == 0 && !out.is_empty() {
        return Ok(());
    }
    if !out.is_empty() {
        out.push(' ');
    }
    if nanos < 0 {
        out.push('-');
    }
    write_clock(out, nanos.checked_abs().unwrap_or(i64::MAX))
}

/// Printable ASCII as it is, other bytes as `\xAB`.
fn binaries(array: &ArrayRef) -> Result<ArrayRef> {
    let array = arrow::compute::cast(array, &DataType::Binary)?;
    let bytes: &BinaryArray = array.as_binary();
    let escaped = bytes.iter().map(|value| value.map(escape));
    Ok(Arc::new(escaped.collect::<StringArray>()))
}

fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b' '..=b'~' if byte != b'\\' => text.push(char::from(byte)),
            _ => {
                write!(text, "\\x{byte:02X}").expect("a string takes all text");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        DurationMicrosecondArray, Float32Array, Float64Array, TimestampMillisecondArray,
    };

    fn texts(array: impl Array + 'static) -> Vec<String> {
        let texts = to_text(&(Arc::new(array) as ArrayRef)).unwrap();
        texts.as_string::<i32>().iter().map(|text| text.unwrap_or("NULL").to_string()).collect()
    }

    #[test]
    fn floats_are_shortest_and_read_like_duckdbs() {
        let values = vec![
            1.0,
            1e20,
            1e15,
            1e16,
            0.0001,
            0.00001,
            -0.0,
            123.456,
            -2.5e-7,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            0.1 + 0.2,
            1.7976931348623157e308,
        ];
        let expected = [
            "1.0",
            "1e+20",
            "1000000000000000.0",
            "1e+16",
            "0.0001",
            "1e-05",
            "-0.0",
            "123.456",
            "-2.5e-07",
            "nan",
            "inf",
            "-inf",
            "0.30000000000000004",
            "1.7976931348623157e+308",
        ];
        assert_eq!(texts(Float64Array::from(values)), expected);
        assert_eq!(texts(Float32Array::from(vec![Some(0.1), None])), ["0.1", "NULL"]);
    }

    #[test]
    fn instants_and_durations() {
        let instants = TimestampMillisecondArray::from(vec![1_577_934_245_100, -1]);
        assert_eq!(texts(instants.clone()), ["2020-01-02 03:04:05.1", "1969-12-31 23:59:59.999"]);
        assert_eq!(
            texts(instants.with_timezone("+05:30")),
            ["2020-01-02 08:34:05.1+05:30", "1970-01-01 05:29:59.999+05:30"]
        );
        let durations = DurationMicrosecondArray::from(vec![86_400_000_000 * 2 + 500_000, -1, 0]);
        assert_eq!(texts(durations), ["2 days 00:00:00.5", "-00:00:00.000001", "00:00:00"]);
    }

    #[test]
    fn bytes_are_escaped() {
        assert_eq!(texts(BinaryArray::from(vec![b"a\0\\".as_ref()])), ["a\\x00\\x5C"]);
    }
}
