//! Formats of dates and times, as DuckDB has them, and `strftime`, which writes them.

use arrow::array::Array;
use arrow::datatypes::DataType;
use dframe_core::{Error, Result};

use super::super::argument::{Argument, Kind, accept, wrong_type};
use super::super::column::TextWriter;
use super::super::{Call, Function, Signature};
use super::calendar::{Date, MONTHS, WEEKDAYS, iso_week, iso_weekday};
use super::divisor::Divisor;
use super::instants::Instants;
use crate::value::Value;

pub(super) const STRFTIME: Function =
    Function { names: &["strftime"], usage: "strftime(x, format)", signature, evaluate };

/// A piece of a format.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    /// As it is; a space stands for any number of spaces when reading.
    Text(char),
    /// A number, written with leading zeros up to `digits`.
    Number { field: Field, digits: usize },
    /// `%p`: AM or PM.
    HalfDay,
    /// `%B`, `%b`.
    Month(Name),
    /// `%A`, `%a`.
    Weekday(Name),
    /// `%z`: the offset from UTC, as `+00`, `+05:30`.
    Offset,
    /// `%Z`: the name of the zone; nothing without one.
    Zone,
}

/// How to write a name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Name {
    Full,
    /// The first three letters.
    Short,
}

/// A number in a format.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Field {
    Year,
    YearOfCentury,
    Month,
    Day,
    DayOfYear,
    Hour,
    /// 1 to 12.
    HourOfHalf,
    Minute,
    Second,
    /// The fraction of the second, in units of which it has `10^digits`.
    Fraction,
    /// Sunday is 0.
    Weekday,
    /// Monday is 1.
    IsoWeekday,
    IsoYear,
    IsoWeek,
    /// Weeks since the first Sunday.
    WeekFromSunday,
    /// Weeks since the first Monday.
    WeekFromMonday,
}

/// Reads a format.
pub(super) fn parse_format(format: &str) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            items.push(Item::Text(c));
            continue;
        }
        let (letter, dash) = match chars.next() {
            Some('-') => (chars.next(), "-"),
            letter => (letter, ""),
        };
        let found = letter.and_then(if dash.is_empty() { specifier } else { unpadded });
        items.extend(found.ok_or_else(|| {
            let letter = letter.map(String::from).unwrap_or_default();
            Error::invalid_input(format!(
                "bad date format '{format}': '%{dash}{letter}' is unknown"
            ))
            .remedy("use %Y %m %d %H %M %S %f %j %b %a %p %z and their kin, or %% for a percent")
        })?);
    }
    Ok(items)
}

/// What `%letter` stands for.
fn specifier(letter: char) -> Option<Vec<Item>> {
    let number = |field, digits| Item::Number { field, digits };
    let item = match letter {
        '%' => Item::Text('%'),
        'Y' => number(Field::Year, 4),
        'y' => number(Field::YearOfCentury, 2),
        'm' => number(Field::Month, 2),
        'd' => number(Field::Day, 2),
        'j' => number(Field::DayOfYear, 3),
        'H' => number(Field::Hour, 2),
        'I' => number(Field::HourOfHalf, 2),
        'M' => number(Field::Minute, 2),
        'S' => number(Field::Second, 2),
        'g' => number(Field::Fraction, 3),
        'f' => number(Field::Fraction, 6),
        'n' => number(Field::Fraction, 9),
        'w' => number(Field::Weekday, 1),
        'u' => number(Field::IsoWeekday, 1),
        'G' => number(Field::IsoYear, 4),
        'V' => number(Field::IsoWeek, 2),
        'U' => number(Field::WeekFromSunday, 2),
        'W' => number(Field::WeekFromMonday, 2),
        'p' => Item::HalfDay,
        'B' => Item::Month(Name::Full),
        'b' | 'h' => Item::Month(Name::Short),
        'A' => Item::Weekday(Name::Full),
        'a' => Item::Weekday(Name::Short),
        'z' => Item::Offset,
        'Z' => Item::Zone,
        'c' => return parse_format("%Y-%m-%d %H:%M:%S").ok(),
        'x' | 'F' => return parse_format("%Y-%m-%d").ok(),
        'X' | 'T' => return parse_format("%H:%M:%S").ok(),
        'R' => return parse_format("%H:%M").ok(),
        _ => return None,
    };
    Some(vec![item])
}

/// What `%-letter` stands for.
fn unpadded(letter: char) -> Option<Vec<Item>> {
    match specifier(letter)?.as_slice() {
        [Item::Number { field, .. }] if "ymdjHIMS".contains(letter) => {
            Some(vec![Item::Number { field: *field, digits: 1 }])
        }
        _ => None,
    }
}

/// The items of a format that must be a constant; `None` for NULL.
pub(super) fn constant_format(index: usize, format: &Argument) -> Result<Option<Vec<Item>>> {
    match (&format.constant, format.constant_text()) {
        (Some(_), None) => Ok(None),
        (_, Some(text)) => parse_format(&text).map(Some),
        (None, None) => Err(wrong_type(index, format, "a constant format")),
    }
}

/// The format first or last, as in DuckDB.
fn signature(args: &[Argument]) -> Result<Signature> {
    let swapped = matches!(args, [_, time] if !is_text_like(time));
    let (kinds, format) =
        if swapped { ([Kind::Text, Kind::Temporal], 0) } else { ([Kind::Temporal, Kind::Text], 1) };
    let signature = accept(args, &kinds, &[], DataType::Utf8)?;
    constant_format(format, &args[format])?;
    Ok(signature)
}

fn is_text_like(arg: &Argument) -> bool {
    arg.data_type.is_null() || arg.data_type.is_string()
}

fn evaluate(call: &Call<'_>) -> Result<Value> {
    let format = usize::from(!matches!(call.args[0].data_type(), DataType::Utf8));
    let instants = Instants::new(&call.array(1 - format)?)?;
    let items = call.text(format)?.get(0).map(parse_format).transpose()?;
    let (clock, local) = (Clock::new(&instants), instants.local()?);
    call.write_text(|row, out| {
        let items = items.as_ref().filter(|_| local.is_valid(row))?;
        let moment = clock.read(local.value(row), instants.ticks.value(row));
        items.iter().for_each(|item| moment.write(item, out));
        Some(Ok(()))
    })
}

/// What takes instants apart.
struct Clock<'a> {
    day: Divisor,
    second: Divisor,
    nanoseconds_per_tick: i64,
    zone: &'a str,
}

impl<'a> Clock<'a> {
    fn new(instants: &'a Instants) -> Self {
        let per_second = instants.per_second().max(1);
        Self {
            day: instants.day(),
            second: Divisor::new(per_second),
            nanoseconds_per_tick: 1_000_000_000 / per_second,
            zone: instants.zone.name(),
        }
    }

    fn read(&self, local: i64, utc: i64) -> Moment<'a> {
        let (days, of_day) = (self.day.floor(local), self.day.remainder(local));
        Moment {
            days,
            date: Date::from_days(days),
            second_of_day: self.second.floor(of_day),
            nanosecond: self.second.remainder(of_day) * self.nanoseconds_per_tick,
            offset: self.second.floor(local.wrapping_sub(utc)),
            zone: self.zone,
        }
    }
}

/// One instant, taken apart as far as all formats need it.
struct Moment<'a> {
    days: i64,
    date: Date,
    second_of_day: i64,
    nanosecond: i64,
    /// Seconds ahead of UTC.
    offset: i64,
    zone: &'a str,
}

impl Moment<'_> {
    fn write(&self, item: &Item, out: &mut TextWriter) {
        match item {
            Item::Text(c) => out.write_char(*c),
            Item::Number { field, digits } => {
                write_number(self.field(*field, *digits), *digits, out)
            }
            Item::HalfDay => out.write(if self.second_of_day < 43_200 { "AM" } else { "PM" }),
            Item::Month(name) => write_name(MONTHS[(self.date.month - 1) as usize], *name, out),
            Item::Weekday(name) => {
                write_name(WEEKDAYS[(iso_weekday(self.days) - 1) as usize], *name, out);
            }
            Item::Offset => self.write_offset(out),
            Item::Zone => out.write(self.zone),
        }
    }

    fn field(&self, field: Field, digits: usize) -> i64 {
        let hour = self.second_of_day / 3_600;
        match field {
            Field::Year => self.date.year,
            Field::YearOfCentury => self.date.year.rem_euclid(100),
            Field::Month => self.date.month,
            Field::Day => self.date.day,
            Field::DayOfYear => self.date.day_of_year(),
            Field::Hour => hour,
            Field::HourOfHalf => (hour + 11) % 12 + 1,
            Field::Minute => self.second_of_day / 60 % 60,
            Field::Second => self.second_of_day % 60,
            Field::Fraction => self.nanosecond / 10i64.pow(9 - digits as u32),
            Field::Weekday => iso_weekday(self.days) % 7,
            Field::IsoWeekday => iso_weekday(self.days),
            Field::IsoYear => iso_week(self.days).0,
            Field::IsoWeek => iso_week(self.days).1,
            Field::WeekFromSunday => (self.date.day_of_year() + 6 - iso_weekday(self.days) % 7) / 7,
            Field::WeekFromMonday => {
                (self.date.day_of_year() + 6 - (iso_weekday(self.days) - 1)) / 7
            }
        }
    }

    fn write_offset(&self, out: &mut TextWriter) {
        let minutes = self.offset.unsigned_abs() / 60;
        out.write(if self.offset < 0 { "-" } else { "+" });
        write_number((minutes / 60) as i64, 2, out);
        if !minutes.is_multiple_of(60) {
            out.write(":");
            write_number((minutes % 60) as i64, 2, out);
        }
    }
}

/// Writes `number` with leading zeros up to `digits`.
fn write_number(number: i64, digits: usize, out: &mut TextWriter) {
    match (digits, number) {
        (2, 0..=99) => out.write_pair(number),
        (4, 0..=9_999) => {
            out.write_pair(number / 100);
            out.write_pair(number % 100);
        }
        (6, 0..=999_999) => {
            out.write_pair(number / 10_000);
            out.write_pair(number / 100 % 100);
            out.write_pair(number % 100);
        }
        _ => out.write(&format!("{number:0digits$}")),
    }
}

fn write_name(name: &str, style: Name, out: &mut TextWriter) {
    out.write(match style {
        Name::Full => name,
        Name::Short => &name[..3],
    });
}
