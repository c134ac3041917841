//! JSON: one array of objects, or one object per line.
//!
//! NULL members are written as `null`, so that every object has every member. NaN and the infinities,
//! for which JSON has no number, are `null` too.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use arrow::json::WriterBuilder;
use arrow::json::writer::{JsonArray, LineDelimited, Writer};
use dframe_core::Result;

use super::output::Output;
use super::text::{TIMESTAMP, TIMESTAMP_ZONED};
use super::{Sink, SinkReport};

pub(super) struct JsonSink {
    writer: JsonWriter,
    rows: u64,
    not_numbers: u64,
}

enum JsonWriter {
    Array(Writer<Output, JsonArray>),
    Lines(Writer<Output, LineDelimited>),
}

impl JsonSink {
    /// One array.
    pub(super) fn array(output: Output) -> Self {
        Self { writer: JsonWriter::Array(builder().build(output)), rows: 0, not_numbers: 0 }
    }

    /// One object per line.
    pub(super) fn lines(output: Output) -> Self {
        Self { writer: JsonWriter::Lines(builder().build(output)), rows: 0, not_numbers: 0 }
    }
}

fn builder() -> WriterBuilder {
    WriterBuilder::new()
        .with_explicit_nulls(true)
        .with_timestamp_format(TIMESTAMP.to_string())
        .with_timestamp_tz_format(TIMESTAMP_ZONED.to_string())
}

impl Sink for JsonSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match &mut self.writer {
            JsonWriter::Array(writer) => writer.write(batch)?,
            JsonWriter::Lines(writer) => writer.write(batch)?,
        }
        self.rows += batch.num_rows() as u64;
        self.not_numbers += batch.columns().iter().map(not_numbers).sum::<u64>();
        Ok(())
    }

    fn bytes(&self) -> u64 {
        match &self.writer {
            JsonWriter::Array(writer) => writer.get_ref().bytes(),
            JsonWriter::Lines(writer) => writer.get_ref().bytes(),
        }
    }

    fn finish(self: Box<Self>) -> Result<SinkReport> {
        let output = match self.writer {
            JsonWriter::Array(mut writer) => {
                writer.finish()?;
                let mut output = writer.into_inner();
                output.put(b"\n")?;
                output
            }
            JsonWriter::Lines(mut writer) => {
                writer.finish()?;
                writer.into_inner()
            }
        };
        let not_numbers = self.not_numbers;
        Ok(SinkReport { not_numbers, ..output.finish(self.rows)? })
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
