//! Texts as values of a type that was asked for, as casts read them.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use dframe_core::{Error, Result};
use dframe_expr::{bind, col, type_name};

/// The values; NULL where a text is none of the type.
pub(crate) fn texts(texts: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, true)]));
    let cast = bind(&col("text").try_cast(to.clone()), &schema)?;
    cast.evaluate_array(&RecordBatch::try_new(schema, vec![texts.clone()])?)
}

/// Whether there are values of the type that text can be read as.
///
/// # Errors
/// There are none.
pub(crate) fn check(to: &DataType) -> Result<()> {
    let schema = Schema::new(vec![Field::new("text", DataType::Utf8, true)]);
    bind(&col("text").try_cast(to.clone()), &Arc::new(schema)).map(|_| ())
}

/// The error for a text that is no value of the type.
pub(crate) fn misfit(texts: &ArrayRef, row: usize, line: u64, to: &DataType) -> Error {
    const SHOWN: usize = 40;
    let text = texts.as_string::<i32>().value(row);
    let shown: String = text.chars().take(SHOWN).collect();
    let more = if shown.len() < text.len() { "..." } else { "" };
    let name = type_name(to);
    Error::invalid_data(format!("'{shown}{more}' in line {line} is no {name}"))
        .remedy("put the value right, ask for another type, or say --on-bad-row null")
}
