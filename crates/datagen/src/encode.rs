//! From rows to compressed column chunks, a wave of row groups at a time.
//!
//! ```text
//! row group  --16 Ki rows-->  block  --one writer per column-->  pages in memory
//! ```
//!
//! A block stays in the cache between being made and being encoded. In memory are at most two waves
//! of encoded row groups: one being made, one being written. It does not know where they go.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use dframe_core::{CancelToken, Error, Result};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, TypePtr};
use rayon::prelude::*;

use crate::layout::RowGroup;
use crate::{Generator, Options};

/// Rows made at a time.
const BLOCK_ROWS: u64 = 1 << 14;

/// What both waves together may hold, by [`ROW_BYTES`].
const WAVES_BYTES: usize = 512 << 20;

/// A generous estimate of an encoded row, uncompressed pages and dictionaries in the making included.
const ROW_BYTES: usize = 48;

/// Makes row groups on the pool that it is called on.
pub(crate) struct Encoder<'a> {
    generator: &'a dyn Generator,
    schema: SchemaRef,
    writers: ArrowRowGroupWriterFactory,
    shape: FileShape,
    cancel: CancelToken,
    wave_row_groups: usize,
}

/// What every file of a table has in common.
#[derive(Clone)]
pub(crate) struct FileShape {
    /// The columns as Parquet has them.
    pub(crate) schema: TypePtr,
    /// Encodings, compression and statistics.
    pub(crate) properties: WriterPropertiesPtr,
}

/// A finished row group.
pub(crate) struct Encoded {
    /// Where it goes.
    pub(crate) row_group: RowGroup,
    /// Its column chunks in order.
    pub(crate) columns: Vec<ArrowColumnChunk>,
}

impl<'a> Encoder<'a> {
    pub(crate) fn try_new(generator: &'a dyn Generator, options: &Options) -> Result<Self> {
        let schema = generator.schema();
        let shape = FileShape {
            schema: ArrowSchemaConverter::new()
                .convert(&schema)
                .map_err(encode_error)?
                .root_schema_ptr(),
            properties: Arc::new(properties(generator, options)),
        };
        // The factory wants a file writer only for its schema and properties.
        let template = SerializedFileWriter::new(
            Vec::new(),
            Arc::clone(&shape.schema),
            Arc::clone(&shape.properties),
        )
        .map_err(encode_error)?;
        let writers = ArrowRowGroupWriterFactory::new(&template, Arc::clone(&schema));
        let cancel = options.cancel.clone();
        let wave_row_groups = wave_row_groups(options);
        Ok(Self { generator, schema, writers, shape, cancel, wave_row_groups })
    }

    /// What every file must be opened with.
    pub(crate) fn file_shape(&self) -> FileShape {
        self.shape.clone()
    }

    /// How many row groups to ask for at a time: enough for all threads, and few enough for memory.
    pub(crate) fn wave_row_groups(&self) -> usize {
        self.wave_row_groups
    }

    /// Makes row groups in parallel; the result is in the order of the request.
    pub(crate) fn encode_wave(&self, wave: Vec<RowGroup>) -> Result<Vec<Encoded>> {
        wave.into_par_iter().with_max_len(1).map(|row_group| self.encode(row_group)).collect()
    }

    fn encode(&self, row_group: RowGroup) -> Result<Encoded> {
        let mut writers = self.writers.create_column_writers(0).map_err(encode_error)?;
        let mut start = row_group.rows.start;
        while start < row_group.rows.end {
            self.cancel.check()?;
            let end = row_group.rows.end.min(start + BLOCK_ROWS);
            self.append(&mut writers, &self.generator.block(start..end)?)?;
            start = end;
        }
        let columns = writers
            .into_iter()
            .map(|writer| writer.close().map_err(encode_error))
            .collect::<Result<_>>()?;
        Ok(Encoded { row_group, columns })
    }

    fn append(&self, writers: &mut [ArrowColumnWriter], block: &RecordBatch) -> Result<()> {
        let columns = self.schema.fields().iter().zip(block.columns());
        for (writer, (field, column)) in writers.iter_mut().zip(columns) {
            for leaf in compute_leaves(field, column).map_err(encode_error)? {
                writer.write(&leaf).map_err(encode_error)?;
            }
        }
        Ok(())
    }
}

/// Two row groups per thread, so that a slow one does not leave the others idle for long.
fn wave_row_groups(options: &Options) -> usize {
    let row_group_rows = (options.row_group_rows as u64).min(options.rows.max(1)) as usize;
    let fitting = WAVES_BYTES / 2 / row_group_rows.saturating_mul(ROW_BYTES);
    fitting.clamp(1, options.threads.saturating_mul(2))
}

/// The writer's defaults (dictionaries, page index, statistics per page; no Bloom filters), without
/// dictionaries where they would be abandoned after the first pages.
fn properties(generator: &dyn Generator, options: &Options) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_compression(options.compression.compression())
        .set_max_row_group_row_count(Some(options.row_group_rows))
        .set_sorting_columns(sorting_columns(generator));
    for &column in generator.unique_columns() {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(column), false);
    }
    properties.build()
}

fn sorting_columns(generator: &dyn Generator) -> Option<Vec<SortingColumn>> {
    let schema = generator.schema();
    let columns: Vec<SortingColumn> = generator
        .sorted_by()
        .iter()
        .filter_map(|name| schema.index_of(name).ok())
        .map(|index| SortingColumn {
            column_idx: index as i32,
            descending: false,
            nulls_first: false,
        })
        .collect();
    (!columns.is_empty()).then_some(columns)
}

/// Encoding happens in memory and on our own data: it fails only by a bug.
fn encode_error(error: ParquetError) -> Error {
    Error::internal("cannot encode a generated row group").source(error)
}
