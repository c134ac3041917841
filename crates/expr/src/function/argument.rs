//! Arguments as the binder knows them before any row is read, and what signatures ask of them.
//!
//! Types are strict, as in DuckDB: text is not parsed into numbers or dates unless the user casts it.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, TimeUnit};
use dframe_core::{Error, Result};

use super::Signature;
use crate::display::type_name;

/// The type of an argument, and its value where it is a constant: units, formats and patterns are
/// checked, and types that depend on them chosen, before any row is read.
#[derive(Clone, Debug)]
pub struct Argument {
    /// The type, without dictionary encoding; a NULL literal is [`DataType::Null`].
    pub data_type: DataType,
    /// The constant, as an array of length one.
    pub constant: Option<ArrayRef>,
}

impl Argument {
    /// An argument that varies by row.
    pub fn varying(data_type: DataType) -> Self {
        Self { data_type, constant: None }
    }

    /// A constant, as an array of length one.
    pub fn constant(value: ArrayRef) -> Self {
        Self { data_type: value.data_type().clone(), constant: Some(value) }
    }

    /// The text of a constant that is text and not NULL.
    pub(super) fn constant_text(&self) -> Option<String> {
        let array = self.constant.as_ref().filter(|array| array.is_valid(0))?;
        match array.data_type() {
            DataType::Utf8 => Some(array.as_string::<i32>().value(0).to_string()),
            DataType::LargeUtf8 => Some(array.as_string::<i64>().value(0).to_string()),
            DataType::Utf8View => Some(array.as_string_view().value(0).to_string()),
            _ => None,
        }
    }

    /// The value of a constant that is a number and not NULL.
    pub(super) fn constant_integer(&self) -> Option<i64> {
        let array = self.constant.as_ref().filter(|array| array.is_valid(0))?;
        let array = arrow::compute::cast(array, &DataType::Int64).ok()?;
        let array = array.as_primitive::<arrow::datatypes::Int64Type>();
        array.is_valid(0).then(|| array.value(0))
    }
}

/// What a function asks of an argument. NULL suits all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// Text; comes as `Utf8`.
    Text,
    /// Anything, as text: comes as `Utf8`.
    AsText,
    /// An integer; comes as `Int64`.
    Integer,
    /// A number; comes as `Float64`.
    Number,
    /// A date or timestamp; comes as `Date32` or a timestamp of its own unit and zone.
    Temporal,
    /// A date, a timestamp or a time of day, which comes as `Time64(Microsecond)`.
    Clock,
}

/// The type an argument of type `from` is cast to, if it suits `kind`.
fn cast_target(kind: Kind, from: &DataType) -> Option<DataType> {
    let microseconds = TimeUnit::Microsecond;
    match (kind, from) {
        (Kind::AsText, _) | (Kind::Text, DataType::Null) => Some(DataType::Utf8),
        (Kind::Text, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => {
            Some(DataType::Utf8)
        }
        (Kind::Integer, from) if from.is_null() || from.is_integer() => Some(DataType::Int64),
        (Kind::Number, from) if from.is_null() || from.is_numeric() => Some(DataType::Float64),
        (Kind::Temporal | Kind::Clock, DataType::Null) => {
            Some(DataType::Timestamp(microseconds, None))
        }
        (Kind::Temporal | Kind::Clock, DataType::Date32 | DataType::Date64) => {
            Some(DataType::Date32)
        }
        (Kind::Temporal | Kind::Clock, DataType::Timestamp(..)) => Some(from.clone()),
        (Kind::Clock, DataType::Time32(_) | DataType::Time64(_)) => {
            Some(DataType::Time64(microseconds))
        }
        _ => None,
    }
}

fn describe(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::AsText => "a value",
        Kind::Integer => "an integer",
        Kind::Number => "a number",
        Kind::Temporal => "a date or timestamp",
        Kind::Clock => "a date, timestamp or time",
    }
}

/// The signature of a function that takes `required`, then up to all of `optional`.
pub(super) fn accept(
    args: &[Argument],
    required: &[Kind],
    optional: &[Kind],
    returns: DataType,
) -> Result<Signature> {
    check_count(args, required.len(), required.len() + optional.len())?;
    let kinds = required.iter().chain(optional);
    let types = args.iter().zip(kinds).enumerate();
    let args = types.map(|(index, (arg, kind))| argument_type(index, arg, *kind));
    Ok(Signature { args: args.collect::<Result<_>>()?, returns })
}

/// The type that argument `index` is cast to.
pub(super) fn argument_type(index: usize, arg: &Argument, kind: Kind) -> Result<DataType> {
    cast_target(kind, &arg.data_type).ok_or_else(|| wrong_type(index, arg, describe(kind)))
}

/// The error for an argument that is not `wanted`.
pub(super) fn wrong_type(index: usize, arg: &Argument, wanted: &str) -> Error {
    let (place, found) = (index + 1, type_name(&arg.data_type));
    Error::invalid_input(format!("argument {place} must be {wanted}, not {found}"))
}

/// Fails unless there are `min` to `max` arguments.
pub(super) fn check_count(args: &[Argument], min: usize, max: usize) -> Result<()> {
    if (min..=max).contains(&args.len()) {
        return Ok(());
    }
    let wanted = match (min, max) {
        (1, 1) => "1 argument".to_string(),
        (min, max) if min == max => format!("{min} arguments"),
        (1, usize::MAX) => "at least 1 argument".to_string(),
        (min, usize::MAX) => format!("at least {min} arguments"),
        (min, max) if min + 1 == max => format!("{min} or {max} arguments"),
        (min, max) => format!("{min} to {max} arguments"),
    };
    Err(Error::invalid_input(format!("takes {wanted}, not {}", args.len())))
}
