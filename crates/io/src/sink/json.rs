//! JSON: one array of objects, or one object per line.
//!
//! NULL members are written as `null`, so that every object has every member. NaN and the infinities,
//! for which JSON has no number, are `null` too.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use arrow::error::ArrowError;
use arrow::json::WriterBuilder;
use arrow::json::writer::{JsonFormat, LineDelimited};

use super::rendered::{Render, TextFormat};
use super::text::{TIMESTAMP, TIMESTAMP_ZONED};

/// One array.
pub(super) fn array() -> TextFormat {
    let render = Arc::new(JsonRows::Items);
    TextFormat { begin: "[".to_string(), between: ",", end: "]\n", render }
}

/// One object per line.
pub(super) fn lines() -> TextFormat {
    let render = Arc::new(JsonRows::Lines);
    TextFormat { begin: String::new(), between: "", end: "", render }
}

enum JsonRows {
    Items,
    Lines,
}

/// Objects with commas between.
#[derive(Debug, Default)]
struct Items;

impl JsonFormat for Items {
    fn start_row<W: Write>(&self, text: &mut W, is_first: bool) -> Result<(), ArrowError> {
        Ok(text.write_all(if is_first { b"" } else { b"," })?)
    }
}

impl Render for JsonRows {
    fn render(&self, rows: &RecordBatch, text: &mut Vec<u8>) -> dframe_core::Result<u64> {
        let builder = WriterBuilder::new()
            .with_explicit_nulls(true)
            .with_timestamp_format(TIMESTAMP.to_string())
            .with_timestamp_tz_format(TIMESTAMP_ZONED.to_string());
        match self {
            Self::Items => builder.build::<_, Items>(text).write(rows)?,
            Self::Lines => builder.build::<_, LineDelimited>(text).write(rows)?,
        }
        Ok(rows.columns().iter().map(not_numbers).sum())
    }
}

/// The floats that JSON has no number for.
fn not_numbers(array: &ArrayRef) -> u64 {
    let count = match array.data_type() {
        DataType::Float64 => {
            array.as_primitive::<Float64Type>().iter().flatten().filter(|x| !x.is_finite()).count()
        }
        DataType::Float32 => {
            array.as_primitive::<Float32Type>().iter().flatten().filter(|x| !x.is_finite()).count()
        }
        DataType::List(_) => return not_numbers(array.as_list::<i32>().values()),
        DataType::Struct(_) => return array.as_struct().columns().iter().map(not_numbers).sum(),
        _ => 0,
    };
    count as u64
}
