//! What a column's texts could be: each field is of one kind, a column's kinds are a set, and the set
//! gives the type.
//!
//! ```text
//!   12, 3.5, ,  --of_field--> {INT, FLOAT} --data_type--> DOUBLE
//!   12, x       --of_field--> {INT, TEXT}  --data_type--> VARCHAR
//! ```
//!
//! Sets are merged by union, so a type depends on neither the order of rows nor on who saw them.

use std::ops::BitOr;

use arrow::datatypes::{DataType, TimeUnit};

use super::moment::{self, Moment};

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinds(u16);

impl Kinds {
    /// NULL and nothing else.
    pub(crate) const NONE: Kinds = Kinds(0);
    pub(crate) const BOOLEAN: Kinds = Kinds(1);
    /// A whole number of 64 bits.
    pub(crate) const INTEGER: Kinds = Kinds(1 << 1);
    /// A whole number of at most 38 digits.
    pub(crate) const LARGE: Kinds = Kinds(1 << 2);
    pub(crate) const FLOAT: Kinds = Kinds(1 << 3);
    pub(crate) const DATE: Kinds = Kinds(1 << 4);
    pub(crate) const TIMESTAMP: Kinds = Kinds(1 << 5);
    /// A timestamp with an offset from UTC.
    pub(crate) const ZONED: Kinds = Kinds(1 << 6);
    /// Besides a timestamp: it has a fraction that microseconds cannot hold.
    pub(crate) const NANOS: Kinds = Kinds(1 << 7);
    /// Besides a date or timestamp: nanoseconds of 64 bits do not reach it.
    pub(crate) const FAR: Kinds = Kinds(1 << 8);
    pub(crate) const TEXT: Kinds = Kinds(1 << 9);

    /// Whether there is nothing more to find out.
    pub(crate) fn is_text(self) -> bool {
        self.0 & Self::TEXT.0 != 0
    }

    fn is_within(self, other: Kinds) -> bool {
        self.0 & !other.0 == 0
    }

    fn without(self, other: Kinds) -> Kinds {
        Kinds(self.0 & !other.0)
    }

    /// The type that holds all of these.
    pub(crate) fn data_type(self) -> DataType {
        let main = self.without(Self::NANOS | Self::FAR);
        let unit = match (self.0 & Self::NANOS.0 != 0, self.0 & Self::FAR.0 != 0) {
            (true, true) => return DataType::Utf8,
            (true, false) => TimeUnit::Nanosecond,
            (false, _) => TimeUnit::Microsecond,
        };
        match main {
            Self::NONE => DataType::Utf8,
            Self::BOOLEAN => DataType::Boolean,
            Self::INTEGER => DataType::Int64,
            Self::DATE => DataType::Date32,
            Self::ZONED => DataType::Timestamp(unit, Some("UTC".into())),
            _ if main.is_within(Self::INTEGER | Self::LARGE) => DataType::Decimal128(38, 0),
            _ if main.is_within(Self::INTEGER | Self::LARGE | Self::FLOAT) => DataType::Float64,
            _ if main.is_within(Self::DATE | Self::TIMESTAMP) => DataType::Timestamp(unit, None),
            _ => DataType::Utf8,
        }
    }

    /// The kind of a field that is not NULL. Blanks around it do not make a text of a number.
    #[inline]
    pub(crate) fn of_field(field: &[u8]) -> Kinds {
        match field.first() {
            None => Self::NONE,
            Some(b'0'..=b'9' | b'-' | b'.') if field.last() != Some(&b' ') => of_number(field),
            Some(b' ' | b'0'..=b'9' | b'-' | b'.') => match trimmed(field) {
                [] => Self::TEXT,
                [b' ', ..] => Self::TEXT,
                inner => Self::of_field(inner),
            },
            Some(b't' | b'T' | b'f' | b'F') => match boolean(field) {
                Some(_) => Self::BOOLEAN,
                None => Self::TEXT,
            },
            Some(b'n' | b'N' | b'i' | b'I') if is_word_of_float(field) => Self::FLOAT,
            Some(_) => Self::TEXT,
        }
    }
}

impl Kinds {
    /// The kind of a text that is certainly none of a number: a date, a timestamp, or just text.
    #[inline]
    pub(crate) fn of_text(text: &[u8]) -> Kinds {
        match text.first() {
            Some(b'0'..=b'9') if text.get(4) == Some(&b'-') => of_moment(text),
            _ => Self::TEXT,
        }
    }
}

impl BitOr for Kinds {
    type Output = Kinds;

    fn bitor(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }
}

/// Without blanks around.
pub(crate) fn trimmed(mut field: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] = field {
        field = rest;
    }
    while let [rest @ .., b' '] = field {
        field = rest;
    }
    field
}

/// `true` and `false`, in any case.
pub(crate) fn boolean(field: &[u8]) -> Option<bool> {
    match field.len() {
        4 if field.eq_ignore_ascii_case(b"true") => Some(true),
        5 if field.eq_ignore_ascii_case(b"false") => Some(false),
        _ => None,
    }
}

fn is_word_of_float(field: &[u8]) -> bool {
    ["nan", "inf", "infinity"].iter().any(|word| field.eq_ignore_ascii_case(word.as_bytes()))
}

/// What begins with a digit, a sign or a point.
fn of_number(field: &[u8]) -> Kinds {
    let unsigned = field.strip_prefix(b"-").unwrap_or(field);
    let whole = unsigned.iter().take_while(|byte| byte.is_ascii_digit()).count();
    // A code such as 007 loses its zeros as a number.
    let is_code = whole > 1 && unsigned[0] == b'0';
    match unsigned.get(whole) {
        None if whole == 0 => Kinds::TEXT,
        None if is_code => Kinds::TEXT,
        None if whole <= 18 => Kinds::INTEGER,
        None => of_long_integer(field, whole),
        Some(b'-') if whole == 4 && unsigned.len() == field.len() => of_moment(field),
        Some(b'.' | b'e' | b'E') if !is_code && is_float(&unsigned[whole..], whole > 0) => {
            Kinds::FLOAT
        }
        Some(_) if whole == 0 && is_word_of_float(unsigned) => Kinds::FLOAT,
        Some(_) => Kinds::TEXT,
    }
}

fn of_long_integer(field: &[u8], digits: usize) -> Kinds {
    match std::str::from_utf8(field).map(str::parse::<i64>) {
        Ok(Ok(_)) => Kinds::INTEGER,
        _ if digits <= 38 => Kinds::LARGE,
        _ => Kinds::FLOAT,
    }
}

/// Whether a float goes on like this: `.5`, `.5e-3`, `e9`.
fn is_float(rest: &[u8], has_digits: bool) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, rest) = match rest.strip_prefix(b".") {
        Some(after) => after.split_at(digits(after)),
        None => (&b""[..], rest),
    };
    if !has_digits && fraction.is_empty() {
        return false;
    }
    match rest {
        [] => true,
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            !exponent.is_empty() && digits(exponent) == exponent.len()
        }
        _ => false,
    }
}

/// Days around 1970 that nanoseconds of 64 bits certainly reach.
const NEAR_DAYS: i32 = 106_000;

fn of_moment(field: &[u8]) -> Kinds {
    let Some(moment) = moment::parse(field) else { return Kinds::TEXT };
    let Moment { is_date, is_zoned, .. } = moment;
    let main = match (is_date, is_zoned) {
        (true, _) => Kinds::DATE,
        (false, true) => Kinds::ZONED,
        (false, false) => Kinds::TIMESTAMP,
    };
    let nanos = if moment.nanos % 1000 == 0 { Kinds::NONE } else { Kinds::NANOS };
    let is_near = moment.days.abs() < NEAR_DAYS || moment.in_nanos().is_some();
    let far = if is_near { Kinds::NONE } else { Kinds::FAR };
    main | nanos | far
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_kinds() {
        let cases: &[(Kinds, &[&str])] = &[
            (Kinds::INTEGER, &["0", "-0", "12", " 12 ", "9223372036854775807"]),
            (Kinds::INTEGER, &["-9223372036854775808"]),
            (Kinds::LARGE, &["9223372036854775808", "-12345678901234567890"]),
            (Kinds::FLOAT, &["1.", ".5", "-.5", "1e5", "1.5E-3", "nan", "-Infinity", "inf"]),
            (Kinds::FLOAT, &["123456789012345678901234567890123456789", "0.5", "0e1"]),
            (Kinds::TEXT, &["007", "-01", "00.5", "+1", ".", "-", "1e", "1.5.2", "1_000", "0x1"]),
            (Kinds::TEXT, &["  ", "x", "12a", "t", "yes", "2024-13-01", "2023-02-29", "truex"]),
            (Kinds::TEXT, &["2024-01-01x", "2024-01-01 25:00", "1 2", "-2024-01-01", "--1"]),
            (Kinds::BOOLEAN, &["true", "FALSE"]),
            (Kinds::DATE, &["2024-02-29"]),
            (Kinds::TIMESTAMP, &["2024-02-29 12:30", "2024-02-29T12:30:05.123456"]),
            (Kinds::ZONED, &["2024-02-29T12:30:00Z", "2024-02-29 12:30:00.5+05:30"]),
            (Kinds::TIMESTAMP | Kinds::NANOS, &["2024-02-29 12:30:00.123456789"]),
            (Kinds::DATE | Kinds::FAR, &["1500-01-01", "9999-12-31"]),
        ];
        for (kinds, fields) in cases {
            for field in *fields {
                assert_eq!(Kinds::of_field(field.as_bytes()), *kinds, "{field:?}");
            }
        }
    }

    #[test]
    fn sets_have_types() {
        let of = |fields: &[&str]| {
            let kinds = fields.iter().map(|field| Kinds::of_field(field.as_bytes()));
            kinds.fold(Kinds::NONE, Kinds::bitor).data_type()
        };
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        let nanos = DataType::Timestamp(TimeUnit::Nanosecond, None);
        assert_eq!(of(&[]), DataType::Utf8);
        assert_eq!(of(&["1", "2"]), DataType::Int64);
        assert_eq!(of(&["1", "2.5", "9223372036854775808"]), DataType::Float64);
        assert_eq!(of(&["1", "9223372036854775808"]), DataType::Decimal128(38, 0));
        assert_eq!(of(&["1", "true"]), DataType::Utf8);
        assert_eq!(of(&["2024-01-01", "2024-01-01 10:00"]), micros);
        assert_eq!(of(&["2024-01-01", "2024-01-01 10:00:00.000000001"]), nanos);
        assert_eq!(of(&["1024-01-01", "2024-01-01 10:00:00.000000001"]), DataType::Utf8);
        assert_eq!(of(&["2024-01-01", "2024-01-01 10:00Z"]), DataType::Utf8);
    }
}
