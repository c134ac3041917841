//! Files of columns: Parquet and Arrow IPC.

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use dframe_core::{Budget, Error, Reservation, Result};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as ParquetCompression, GzipLevel, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::output::Output;
use super::{Compression, Format, Sink, SinkOptions, SinkReport, not_inside};

/// Writes Parquet; a row group is flushed by rows or by the bytes it takes in memory.
pub(super) struct ParquetSink {
    writer: ArrowWriter<Output>,
    schema: SchemaRef,
    row_group_bytes: usize,
    held: Reservation,
    rows: u64,
}

impl ParquetSink {
    pub(super) fn new(output: Output, schema: SchemaRef, options: &SinkOptions) -> Result<Self> {
        let compression = match options.compression {
            Compression::Default => ParquetCompression::SNAPPY,
            Compression::None => ParquetCompression::UNCOMPRESSED,
            Compression::Lz4 => ParquetCompression::LZ4_RAW,
            Compression::Zstd => ParquetCompression::ZSTD(ZstdLevel::default()),
            Compression::Gzip => ParquetCompression::GZIP(GzipLevel::default()),
            other => return Err(not_inside(Format::Parquet, other)),
        };
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_max_row_group_row_count(Some(options.row_group_rows.max(1)))
            .build();
        let writer =
            ArrowWriter::try_new(output, schema.clone(), Some(properties)).map_err(failed)?;
        let held = options.budget.clone().unwrap_or_else(Budget::unlimited).reservation();
        Ok(Self { writer, schema, row_group_bytes: options.row_group_bytes, held, rows: 0 })
    }
}

impl ParquetSink {
    /// The items of long lists are taken apart before they are encoded, each with its levels and its place.
    fn make_room(&mut self, batch: &RecordBatch) -> Result<()> {
        let nested = batch.columns().iter().filter(|column| column.data_type().is_nested());
        let bytes: usize = nested.map(|column| 2 * column.get_array_memory_size()).sum();
        if bytes > LONG_LISTS_BYTES && !self.held.try_grow(bytes) {
            self.writer.flush().map_err(failed)?;
            self.held.shrink(usize::MAX);
            self.held.try_grow(bytes);
        }
        Ok(())
    }
}

/// Lists of fewer bytes are not worth a reservation.
const LONG_LISTS_BYTES: usize = 16 << 20;

impl Sink for ParquetSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.make_room(batch)?;
        self.writer.write(&conform(batch, &self.schema)?).map_err(failed)?;
        let bytes = self.writer.memory_size();
        let granted = self.held.resize(bytes, "a row group in the making").is_ok();
        if !granted || bytes > self.row_group_bytes {
            self.writer.flush().map_err(failed)?;
            self.held.shrink(usize::MAX);
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    fn bytes(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    fn finish(self: Box<Self>) -> Result<SinkReport> {
        self.writer.into_inner().map_err(failed)?.finish(self.rows)
    }
}

/// Writes an Arrow IPC file or stream, batch by batch.
pub(super) struct ArrowSink {
    writer: IpcWriter,
    schema: SchemaRef,
    rows: u64,
}

enum IpcWriter {
    File(FileWriter<Output>),
    Stream(StreamWriter<Output>),
}

impl ArrowSink {
    /// A file: its end says where batches are.
    pub(super) fn file(output: Output, schema: SchemaRef, options: &SinkOptions) -> Result<Self> {
        let writer = FileWriter::try_new_with_options(output, &schema, ipc_options(options)?)?;
        Ok(Self { writer: IpcWriter::File(writer), schema, rows: 0 })
    }

    /// A stream.
    pub(super) fn stream(output: Output, schema: SchemaRef, options: &SinkOptions) -> Result<Self> {
        let writer = StreamWriter::try_new_with_options(output, &schema, ipc_options(options)?)?;
        Ok(Self { writer: IpcWriter::Stream(writer), schema, rows: 0 })
    }
}

fn ipc_options(options: &SinkOptions) -> Result<IpcWriteOptions> {
    let compression = match options.compression {
        Compression::Default | Compression::None => None,
        Compression::Lz4 => Some(CompressionType::LZ4_FRAME),
        Compression::Zstd => Some(CompressionType::ZSTD),
        other => return Err(not_inside(Format::Arrow, other)),
    };
    Ok(IpcWriteOptions::default().try_with_compression(compression)?)
}

impl Sink for ArrowSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = conform(batch, &self.schema)?;
        match &mut self.writer {
            IpcWriter::File(writer) => writer.write(&batch)?,
            IpcWriter::Stream(writer) => writer.write(&batch)?,
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    fn bytes(&self) -> u64 {
        match &self.writer {
            IpcWriter::File(writer) => writer.get_ref().bytes(),
            IpcWriter::Stream(writer) => writer.get_ref().bytes(),
        }
    }

    fn finish(self: Box<Self>) -> Result<SinkReport> {
        let output = match self.writer {
            IpcWriter::File(writer) => writer.into_inner()?,
            IpcWriter::Stream(writer) => writer.into_inner()?,
        };
        output.finish(self.rows)
    }
}

/// The batch in the sink's types: batches come with and without dictionaries, a file has one type.
pub(super) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(array, field)| match array.data_type() == field.data_type() {
        true => Ok(array.clone()),
        false => {
            cast(array, field.data_type()).map_err(|error| Error::from(error).column(field.name()))
        }
    });
    let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

/// Keeps an I/O error recognisable: the `parquet` crate wraps it.
fn failed(error: ParquetError) -> Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
            Ok(io) => Error::io("cannot write the parquet file", *io),
            Err(other) => Error::internal(format!("cannot write the parquet file: {other}")),
        },
        ParquetError::NYI(what) => Error::unsupported(format!("parquet cannot hold it: {what}")),
        other => Error::invalid_data("cannot write the parquet file").source(other),
    }
}
