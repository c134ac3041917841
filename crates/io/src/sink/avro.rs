//! Avro: an object container file, a block for each batch.
//!
//! Avro has fewer types than the engine: small whole numbers are `int` or `long`, texts and lists what they are,
//! timestamps in seconds have milliseconds.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow_avro::compression::CompressionCodec;
use arrow_avro::errors::AvroError;
use arrow_avro::writer::{AvroWriter, WriterBuilder};
use dframe_core::{Error, Result};

use super::conform::conform;
use super::output::Output;
use super::{Compression, Format, Sink, SinkOptions, SinkReport, not_inside};

pub(super) struct AvroSink {
    writer: AvroWriter<Counted>,
    bytes: Arc<AtomicU64>,
    schema: SchemaRef,
    rows: u64,
}

impl AvroSink {
    pub(super) fn new(output: Output, schema: SchemaRef, options: &SinkOptions) -> Result<Self> {
        let codec = match options.compression {
            Compression::Default => Some(CompressionCodec::Snappy),
            Compression::Zstd => Some(CompressionCodec::ZStandard),
            Compression::None => None,
            other => return Err(not_inside(Format::Avro, other)),
        };
        let fields = schema.fields().iter().map(|field| avro_field(field));
        let schema = Arc::new(Schema::new(fields.collect::<Result<Vec<Field>>>()?));
        let builder = WriterBuilder::new(schema.as_ref().clone()).with_compression(codec);
        let bytes = Arc::new(AtomicU64::new(0));
        let writer = builder.build(Counted(output, bytes.clone())).map_err(failed)?;
        Ok(Self { writer, bytes, schema, rows: 0 })
    }
}

/// The writer shows nobody what it writes to.
struct Counted(Output, Arc<AtomicU64>);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.0.write(bytes)?;
        self.1.store(self.0.bytes(), Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// A column as Avro has it.
fn avro_field(field: &Field) -> Result<Field> {
    let is_letter = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
    let name = field.name();
    let is_name = name.starts_with(is_letter)
        && name.chars().all(|letter| is_letter(letter) || letter.is_ascii_digit());
    if !is_name {
        return Err(Error::unsupported("Avro has names of letters, digits and '_' only")
            .column(name)
            .remedy("give the column another name with AS"));
    }
    let data_type = match field.data_type() {
        DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::Date64 => DataType::Date32,
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Timestamp(TimeUnit::Second, zone) => {
            DataType::Timestamp(TimeUnit::Millisecond, zone.clone())
        }
        other => other.clone(),
    };
    Ok(Field::new(name, data_type, field.is_nullable()))
}

impl Sink for AvroSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.writer.write(&conform(batch, &self.schema)?).map_err(failed)?;
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn finish(mut self: Box<Self>) -> Result<SinkReport> {
        self.writer.finish().map_err(failed)?;
        self.writer.into_inner().0.finish(self.rows)
    }
}

fn failed(error: AvroError) -> Error {
    match error {
        AvroError::IoError(_, error) => Error::io("cannot write the avro file", error),
        AvroError::NYI(what) => Error::unsupported(format!("Avro cannot hold it: {what}")),
        other => Error::invalid_data(format!("cannot write the avro file: {other}")),
    }
}
