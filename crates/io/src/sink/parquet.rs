//! Parquet: workers encode the columns of a block of rows at the same time, and a row group is written when it is whole.
//!
//! ```text
//!   batches --cut--> block of rows --workers: a piece per column--> row group in the making --> Output
//! ```
//!
//! While a block is encoded, the next one comes in. What the memory limit refuses ends a row group early. It does not know
//! where rows come from.

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, SchemaRef};
use dframe_core::{Budget, Error, Reservation, Result, Workers};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::basic::{Compression as ParquetCompression, GzipLevel, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;

use super::conform::conform_column;
use super::in_order::InOrder;
use super::output::Output;
use super::{Compression, Format, Sink, SinkOptions, SinkReport, not_inside};

/// The rows of a block, at most.
const BLOCK_ROWS: usize = 64 * 1024;
/// A block takes at most one part in so many of what a row group may take.
const BLOCK_SHARE: usize = 4;
/// Lists of fewer bytes are not worth a reservation.
const LONG_LISTS_BYTES: usize = 16 << 20;

/// Writes Parquet; a row group ends with its rows, or with the bytes it takes in memory.
pub(super) struct ParquetSink {
    file: SerializedFileWriter<Output>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    workers: Workers,
    row_group_rows: usize,
    row_group_bytes: usize,
    /// The columns of the row group in the making, and its rows; none while they are with the workers.
    columns: Vec<Column>,
    encoding: InOrder<Result<Column>>,
    group_rows: usize,
    /// The bytes of the row group, as they were when no worker had it.
    group_bytes: GroupBytes,
    block: Block,
    held: Reservation,
    rows: u64,
}

/// The next rows, as far as they have come.
#[derive(Default)]
struct Block {
    batches: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

/// What a row group in the making takes: in memory, and about what it will take in the file.
#[derive(Clone, Copy, Default)]
struct GroupBytes {
    held: usize,
    written: usize,
}

/// A field of the row group in the making.
struct Column {
    field: FieldRef,
    /// One for each leaf.
    leaves: Vec<ArrowColumnWriter>,
}

impl Column {
    /// Appends rows.
    fn encode(mut self, arrays: &[ArrayRef]) -> Result<Self> {
        for array in arrays {
            let array = writable(array, &self.field)?;
            let leaves = compute_leaves(&self.field, &array).map_err(failed)?;
            for (writer, leaf) in self.leaves.iter_mut().zip(&leaves) {
                writer.write(leaf).map_err(failed)?;
            }
        }
        Ok(self)
    }

    fn close(self) -> Result<Vec<ArrowColumnChunk>> {
        self.leaves.into_iter().map(|writer| writer.close().map_err(failed)).collect()
    }
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
        let properties = WriterProperties::builder().set_compression(compression).build();
        let writer = ArrowWriter::try_new(output, schema.clone(), Some(properties));
        let (file, factory) =
            writer.and_then(ArrowWriter::into_serialized_writer).map_err(failed)?;
        let budget = options.budget.clone().unwrap_or_else(Budget::unlimited);
        Ok(Self {
            file,
            factory,
            schema,
            encoding: InOrder::new(options.workers.clone()),
            workers: options.workers.clone(),
            row_group_rows: options.row_group_rows.max(1),
            row_group_bytes: options.row_group_bytes,
            columns: Vec::new(),
            group_rows: 0,
            group_bytes: GroupBytes::default(),
            block: Block::default(),
            held: budget.reservation(),
            rows: 0,
        })
    }

    /// The rows that still fit the block and the row group.
    fn room(&self) -> usize {
        let rows = BLOCK_ROWS.min(self.row_group_rows - self.group_rows);
        rows - self.block.rows.min(rows)
    }

    fn is_block_full(&self) -> bool {
        self.room() == 0 || self.block.bytes > self.row_group_bytes / BLOCK_SHARE
    }

    /// Has the block encoded.
    fn encode(&mut self) -> Result<()> {
        self.take_columns()?;
        if self.block.rows == 0 {
            return Ok(());
        }
        let Block { batches, rows, bytes } = std::mem::take(&mut self.block);
        self.make_room(&batches, bytes)?;
        if self.columns.is_empty() {
            self.columns = self.new_columns()?;
        }
        for (number, column) in self.columns.drain(..).enumerate() {
            let arrays: Vec<ArrayRef> =
                batches.iter().map(|batch| batch.column(number).clone()).collect();
            self.encoding.start(move || column.encode(&arrays));
        }
        self.group_rows += rows;
        if self.group_rows >= self.row_group_rows {
            self.end_group()?;
        }
        Ok(())
    }

    /// Takes back the columns that workers have, in their order.
    fn wait(&mut self) -> Result<()> {
        while let Some(column) = self.encoding.take() {
            self.columns.push(column?);
        }
        Ok(())
    }

    /// Waits for the columns that workers have, and ends a row group that takes too much.
    fn take_columns(&mut self) -> Result<()> {
        self.wait()?;
        let leaves = self.columns.iter().flat_map(|column| &column.leaves);
        self.group_bytes = leaves.fold(GroupBytes::default(), |bytes, leaf| GroupBytes {
            held: bytes.held + leaf.memory_size(),
            written: bytes.written + leaf.get_estimated_total_bytes(),
        });
        let wanted = self.group_bytes.held;
        let granted = self.held.resize(wanted, "a row group in the making").is_ok();
        match granted && wanted <= self.row_group_bytes {
            true => Ok(()),
            false => self.end_group(),
        }
    }

    /// Reserves what a block takes while it is encoded. The items of long lists are taken apart, each with its levels and
    /// its place.
    fn make_room(&mut self, batches: &[RecordBatch], bytes: usize) -> Result<()> {
        let columns = batches.iter().flat_map(RecordBatch::columns);
        let nested = columns.filter(|column| column.data_type().is_nested());
        let nested: usize = nested.map(|column| 2 * column.get_array_memory_size()).sum();
        let bytes = if nested > LONG_LISTS_BYTES { bytes + nested } else { bytes };
        if !self.held.try_grow(bytes) {
            self.end_group()?;
            self.held.try_grow(bytes);
        }
        Ok(())
    }

    fn new_columns(&self) -> Result<Vec<Column>> {
        let group = self.file.flushed_row_groups().len();
        let writers = self.factory.create_column_writers(group).map_err(failed)?;
        let new = |field: &FieldRef| Column { field: field.clone(), leaves: Vec::new() };
        let mut columns: Vec<Column> = self.schema.fields().iter().map(new).collect();
        for (leaf, writer) in writers.into_iter().enumerate() {
            let column = self.file.schema_descr().get_column_root_idx(leaf);
            columns[column].leaves.push(writer);
        }
        Ok(columns)
    }

    /// Writes the row group in the making, if there is one.
    fn end_group(&mut self) -> Result<()> {
        self.wait()?;
        let mut closing = InOrder::new(self.workers.clone());
        self.columns.drain(..).for_each(|column| closing.start(move || column.close()));
        if !closing.is_empty() {
            let mut group = self.file.next_row_group().map_err(failed)?;
            while let Some(chunks) = closing.take() {
                for chunk in chunks? {
                    chunk.append_to_row_group(&mut group).map_err(failed)?;
                }
            }
            group.close().map_err(failed)?;
        }
        self.group_rows = 0;
        self.group_bytes = GroupBytes::default();
        self.held.shrink(usize::MAX);
        Ok(())
    }
}

impl Sink for ParquetSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut done = 0;
        while done < batch.num_rows() {
            let count = self.room().min(batch.num_rows() - done);
            let rows = batch.slice(done, count);
            done += count;
            self.block.rows += count;
            self.block.bytes += bytes_of(&rows);
            self.block.batches.push(rows);
            if self.is_block_full() {
                self.encode()?;
            }
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    fn settle(&mut self) -> Result<()> {
        self.encode()?;
        self.take_columns()
    }

    fn bytes(&self) -> u64 {
        (self.file.bytes_written() + self.group_bytes.written) as u64
    }

    fn finish(mut self: Box<Self>) -> Result<SinkReport> {
        self.encode()?;
        self.end_group()?;
        self.file.into_inner().map_err(failed)?.finish(self.rows)
    }
}

/// The column as the writer takes it: texts may be codes of a dictionary, which it looks up row by row.
fn writable(array: &ArrayRef, field: &Field) -> Result<ArrayRef> {
    match (array.data_type(), field.data_type()) {
        (DataType::Dictionary(_, value), DataType::Utf8) if **value == DataType::Utf8 => {
            Ok(array.clone())
        }
        _ => conform_column(array, field),
    }
}

/// The bytes of the rows themselves, also where they are a piece of larger arrays.
fn bytes_of(rows: &RecordBatch) -> usize {
    let bytes = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or_default();
    rows.columns().iter().map(bytes).sum()
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
