//! `strptime`: text to timestamps, by a format.
//!
//! Parts that the format does not have are those of 1900-01-01 00:00:00, as in DuckDB. Numbers may have
//! fewer digits than they are written with; spaces around the text are skipped.

use std::sync::Arc;

use arrow::array::TimestampMicrosecondArray;
use arrow::datatypes::{DataType, TimeUnit};
use dframe_core::{Error, Result};

use super::super::argument::{Argument, Kind, accept, check_count, wrong_type};
use super::super::{Call, Function, Signature, list};
use super::calendar::{Date, MONTHS, WEEKDAYS};
use super::format::{Field, Item, constant_format, parse_format};
use crate::value::Value;

pub(super) const STRPTIME: Function = Function {
    names: &["strptime"],
    usage: "strptime(string, format): a format, or a list of them to try in order",
    signature,
    evaluate: |call| {
        evaluate(call, |text, formats| {
            let formats: Vec<String> = formats.iter().map(|format| format!("'{format}'")).collect();
            let formats = match formats.as_slice() {
                [one] => format!("the format {one}"),
                several => format!("any of the formats {}", several.join(", ")),
            };
            Err(Error::invalid_data(format!("'{text}' does not match {formats}"))
                .remedy("use try_strptime to turn bad values into NULL"))
        })
    },
};

pub(super) const TRY_STRPTIME: Function = Function {
    names: &["try_strptime"],
    usage: "try_strptime(string, format): NULL for what does not match",
    signature,
    evaluate: |call| evaluate(call, |_, _| Ok(None)),
};

fn signature(args: &[Argument]) -> Result<Signature> {
    let is_list = args.get(1).is_some_and(|arg| list::item_type(&arg.data_type).is_some());
    let mut signature = accept(&args[..args.len().min(1)], &[Kind::Text], &[], DataType::Null)?;
    check_count(args, 2, 2)?;
    let formats = match is_list {
        true => list_of_formats(&args[1])?,
        false => constant_format(1, &args[1])?.into_iter().collect(),
    };
    formats.iter().flatten().try_for_each(check_readable)?;
    let zone = formats.iter().any(|items| items.contains(&Item::Offset)).then(|| "UTC".into());
    signature.args.push(if is_list { args[1].data_type.clone() } else { DataType::Utf8 });
    signature.returns = DataType::Timestamp(TimeUnit::Microsecond, zone);
    Ok(signature)
}

/// The items of each format of a list, which must be a constant; none for NULL.
fn list_of_formats(arg: &Argument) -> Result<Vec<Vec<Item>>> {
    let Some(constant) = &arg.constant else {
        return Err(wrong_type(1, arg, "a constant list of formats"));
    };
    let texts = list::texts(constant)?.ok_or_else(|| wrong_type(1, arg, "a list of formats"))?;
    texts.iter().map(|format| parse_format(format)).collect()
}

fn check_readable(item: &Item) -> Result<()> {
    let specifier = match item {
        Item::Zone => "%Z",
        Item::Number { field: Field::IsoYear, .. } => "%G",
        Item::Number { field: Field::IsoWeek, .. } => "%V",
        Item::Number { field: Field::WeekFromSunday, .. } => "%U",
        Item::Number { field: Field::WeekFromMonday, .. } => "%W",
        _ => return Ok(()),
    };
    Err(Error::unsupported(format!("strptime cannot read {specifier}"))
        .remedy("read dates by %Y %m %d or %Y %j, and zones by their offset %z"))
}

fn evaluate(
    call: &Call<'_>,
    mismatch: impl Fn(&str, &[String]) -> Result<Option<i64>>,
) -> Result<Value> {
    let texts = call.text(0)?;
    let formats = match call.args[1].data_type() {
        DataType::Utf8 => call.text(1)?.get(0).map(|format| vec![format.to_string()]),
        _ => list::texts(&call.args[1].clone().into_array(1)?)?,
    };
    let formats = formats.unwrap_or_default();
    let items = formats.iter().map(|format| parse_format(format)).collect::<Result<Vec<_>>>()?;
    let parse = |row| match texts.get(row).filter(|_| !items.is_empty()) {
        Some(text) => match items.iter().find_map(|items| read(text, items)) {
            Some(microseconds) => Ok(Some(microseconds)),
            None => mismatch(text, &formats),
        },
        None => Ok(None),
    };
    let timestamps: TimestampMicrosecondArray =
        (0..call.len()).map(parse).collect::<Result<_>>()?;
    Ok(call.value(Arc::new(timestamps.with_data_type(call.returns.clone()))))
}

/// The microseconds since the epoch that `text` says, if it matches.
fn read(text: &str, items: &[Item]) -> Option<i64> {
    let mut parts = Parts::default();
    let mut rest = text.trim_start_matches(' ');
    for item in items {
        rest = parts.read(item, rest)?;
    }
    if rest.trim_end_matches(' ').is_empty() { parts.microseconds() } else { None }
}

/// What has been read.
struct Parts {
    year: i64,
    month: i64,
    day: i64,
    day_of_year: Option<i64>,
    hour: i64,
    /// Whether `%p` said AM (`Some(false)`) or PM.
    afternoon: Option<bool>,
    minute: i64,
    second: i64,
    microsecond: i64,
    /// Seconds ahead of UTC.
    offset: i64,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            year: 1900,
            month: 1,
            day: 1,
            day_of_year: None,
            hour: 0,
            afternoon: None,
            minute: 0,
            second: 0,
            microsecond: 0,
            offset: 0,
        }
    }
}

impl Parts {
    /// Reads `item` off the front of `text`; gives what follows it.
    fn read<'t>(&mut self, item: &Item, text: &'t str) -> Option<&'t str> {
        match item {
            Item::Text(' ') => Some(text.trim_start_matches(' ')),
            Item::Text(c) => text.strip_prefix(*c),
            Item::Number { field, digits } => self.read_number(*field, *digits, text),
            Item::HalfDay => {
                let (half, rest) = name(text, &["AM", "PM"], 2)?;
                self.afternoon = Some(half == 1);
                Some(rest)
            }
            Item::Month(_) => {
                let (month, rest) = name(text, &MONTHS, 3)?;
                self.month = month as i64 + 1;
                Some(rest)
            }
            Item::Weekday(_) => Some(name(text, &WEEKDAYS, 3)?.1),
            Item::Offset => {
                let (offset, rest) = offset(text)?;
                self.offset = offset;
                Some(rest)
            }
            Item::Zone => None,
        }
    }

    fn read_number<'t>(&mut self, field: Field, digits: usize, text: &'t str) -> Option<&'t str> {
        let digits_max = match field {
            Field::Year => 4,
            Field::DayOfYear => 3,
            Field::Fraction => digits,
            Field::Weekday | Field::IsoWeekday => 1,
            _ => 2,
        };
        let (number, rest) = number(text, digits_max)?;
        let (low, high) = bounds(field);
        if !(low..=high).contains(&number) {
            return None;
        }
        match field {
            Field::Year => self.year = number,
            Field::YearOfCentury => self.year = number + if number < 69 { 2000 } else { 1900 },
            Field::Month => self.month = number,
            Field::Day => self.day = number,
            Field::DayOfYear => self.day_of_year = Some(number),
            Field::Hour => self.hour = number,
            Field::HourOfHalf => {
                self.hour = number;
                self.afternoon.get_or_insert(false);
            }
            Field::Minute => self.minute = number,
            Field::Second => self.second = number,
            Field::Fraction => {
                let found = text.len() - rest.len();
                self.microsecond = number * 10i64.pow(9 - found as u32) / 1_000;
            }
            _ => {}
        }
        Some(rest)
    }

    fn microseconds(&self) -> Option<i64> {
        let date = Date::new(self.year, self.month, self.day);
        let days = match self.day_of_year {
            Some(day) => Date::new(self.year, 1, 1).days()? + day - 1,
            None => date.is_valid().then(|| date.days())??,
        };
        let hour = match self.afternoon {
            None => self.hour,
            Some(_) if !(1..=12).contains(&self.hour) => return None,
            Some(afternoon) => self.hour % 12 + if afternoon { 12 } else { 0 },
        };
        let seconds = days * 86_400 + hour * 3_600 + self.minute * 60 + self.second - self.offset;
        seconds.checked_mul(1_000_000)?.checked_add(self.microsecond)
    }
}

fn bounds(field: Field) -> (i64, i64) {
    match field {
        Field::Month => (1, 12),
        Field::Day => (1, 31),
        Field::DayOfYear => (1, 366),
        Field::Hour => (0, 23),
        Field::HourOfHalf => (1, 12),
        Field::Minute | Field::Second => (0, 59),
        Field::Weekday => (0, 6),
        Field::IsoWeekday => (1, 7),
        _ => (0, i64::MAX),
    }
}

/// The number of one to `digits_max` digits that `text` starts with.
fn number(text: &str, digits_max: usize) -> Option<(i64, &str)> {
    let digits = text.bytes().take(digits_max).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    Some((number.parse().ok()?, rest))
}

/// Which of `names` the text starts with, in any case: in full, or by its first `short` letters.
fn name<'t>(text: &'t str, names: &[&str], short: usize) -> Option<(usize, &'t str)> {
    let starts =
        |name: &str| text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let found = |length: fn(&str, usize) -> usize| {
        let index = names.iter().position(|name| starts(&name[..length(name, short)]))?;
        Some((index, &text[length(names[index], short)..]))
    };
    found(|name, _| name.len()).or_else(|| found(|_, short| short))
}

/// The offset in seconds that `text` starts with: `+02`, `-0530`, `+05:30`.
fn offset(text: &str) -> Option<(i64, &str)> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, rest) = number(&text[1..], 2)?;
    let minutes = number(rest.strip_prefix(':').unwrap_or(rest), 2);
    let (minutes, rest) = minutes.unwrap_or((0, rest));
    Some((sign * (hours * 3_600 + minutes * 60), rest))
}
