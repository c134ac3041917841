//! Turns a unit's bytes into batches: one reader per unit, so that a row group has one dictionary.
//!
//! ```text
//!   Fetched --page readers--> arrays (file types) --cast, fill--> batch (schema types)
//! ```
//!
//! Nothing here waits. The `parquet` crate may panic on corrupt pages; every step runs guarded, and a
//! failure names file, row group and column.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::{Buf, Bytes};
use dframe_core::{Error, Fetched, Result};
use dframe_plan::{ScanUnit, ScannedBatch};
use parquet::arrow::arrow_reader::{
    ParquetRecordBatchReader, RowGroups, RowSelection, RowSelector,
};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels};
use parquet::basic::{Encoding, EncodingMask};
use parquet::column::page::{PageIterator, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length, SerializedPageReader};

use super::checked::CheckedPages;
use super::fetch::{row_group_of, tail_of};
use super::footer::{SourceFile, guard};
use super::pages::{PageTable, decode as decode_tables};
use crate::hive::Constant;
use crate::unify::cast_to;

/// What is decoded of a unit.
pub(super) struct Wanted<'a> {
    /// Columns of the source's schema.
    pub(super) fields: &'a [Arc<Field>],
    /// Runs of rows in order, counted from the unit's first.
    pub(super) runs: Vec<Range<u64>>,
}

/// The batches of a unit, decoded one by one.
pub(super) struct UnitBatches {
    pages: Option<UnitPages>,
    reader: Option<ParquetRecordBatchReader>,
    /// For each column wanted, its place in the reader's batches; `None` if the file lacks it.
    sources: Vec<Option<usize>>,
    /// The columns that are not read.
    constants: Arc<[Constant]>,
    schema: SchemaRef,
    batch_rows: usize,
    runs: Vec<Range<u64>>,
    /// The rows not yet handed out.
    remaining: u64,
    /// Those that were.
    decoded: u64,
    unit: ScanUnit,
    path: std::path::PathBuf,
}

impl UnitBatches {
    /// Prepares to decode what is wanted; reads the dictionary pages at most.
    pub(super) fn new(
        file: &SourceFile,
        unit: &ScanUnit,
        fetched: Fetched,
        Wanted { fields, runs }: Wanted<'_>,
    ) -> Result<Self> {
        let columns = file_columns(file, fields);
        let rows: u64 = runs.iter().map(|run| run.end - run.start).sum();
        let mut batches = Self {
            pages: None,
            reader: None,
            sources: columns.iter().map(|(_, source)| *source).collect(),
            constants: file.constants.clone(),
            schema: Arc::new(Schema::empty()),
            // Buffers are made for a whole batch, however few rows there are.
            batch_rows: unit.batch_rows.min(rows as usize).max(1),
            runs,
            remaining: rows,
            decoded: 0,
            unit: unit.clone(),
            path: file.path.clone(),
        };
        let mut roots: Vec<usize> = columns.iter().filter_map(|(root, _)| *root).collect();
        roots.sort_unstable();
        roots.dedup();
        if !roots.is_empty() {
            let pages = UnitPages::new(file, unit, fetched, roots).map_err(|e| batches.place(e))?;
            let reader = pages.reader(&pages.roots, &batches);
            batches.reader = Some(reader.map_err(|e| batches.corrupt(e))?);
            batches.pages = Some(pages);
        }
        batches.schema = batches.physical_schema(fields);
        Ok(batches)
    }

    /// The schema of the batches: the wanted one, with dictionaries where the decoder keeps them.
    fn physical_schema(&self, fields: &[Arc<Field>]) -> SchemaRef {
        let decoded = self.reader.as_ref().map(|reader| {
            use arrow::array::RecordBatchReader;
            reader.schema()
        });
        let field = |(field, source): (&Arc<Field>, &Option<usize>)| {
            if let Some(constant) = self.constant(field) {
                let data_type = constant.physical_type();
                return Arc::new(field.as_ref().clone().with_data_type(data_type));
            }
            let read = source.zip(decoded.as_ref()).map(|(i, schema)| schema.field(i).data_type());
            match read {
                Some(read @ DataType::Dictionary(_, value)) if **value == *field.data_type() => {
                    Arc::new(field.as_ref().clone().with_data_type(read.clone()))
                }
                _ => field.clone(),
            }
        };
        let fields: Vec<_> = fields.iter().zip(&self.sources).map(field).collect();
        Arc::new(Schema::new(fields))
    }

    fn constant(&self, field: &Field) -> Option<&Constant> {
        self.constants.iter().find(|constant| constant.field.name() == field.name())
    }

    fn step(&mut self) -> Result<Option<ScannedBatch>> {
        if self.remaining == 0 {
            return Ok(None);
        }
        let decoded = match &mut self.reader {
            None => None,
            Some(reader) => {
                let step = guard(|| reader.next().transpose().map_err(ParquetError::from));
                match step {
                    Ok(Some(batch)) => Some(batch),
                    Ok(None) => return Err(self.short()),
                    Err(error) => return Err(self.blame(error)),
                }
            }
        };
        let rows = match &decoded {
            Some(batch) => batch.num_rows(),
            None => self.remaining.min(self.batch_rows as u64) as usize,
        };
        let position = self.unit.position + self.decoded;
        self.decoded += rows as u64;
        self.remaining = self.remaining.checked_sub(rows as u64).ok_or_else(|| self.short())?;
        let rows = self.assemble(decoded.as_ref(), rows)?;
        Ok(Some(ScannedBatch { rows, position }))
    }

    /// Puts the decoded columns in order, cast to the schema's types; missing ones are NULL.
    fn assemble(&self, decoded: Option<&RecordBatch>, rows: usize) -> Result<RecordBatch> {
        let column = |(field, source): (&Arc<Field>, &Option<usize>)| match source.zip(decoded) {
            Some((index, batch)) => cast_to(batch.column(index), field.data_type())
                .map_err(|error| Error::from(error).column(field.name())),
            None => match self.constant(field) {
                Some(constant) => constant.repeat(rows),
                None => Ok(new_null_array(field.data_type(), rows)),
            },
        };
        let columns = self.schema.fields().iter().zip(&self.sources).map(column);
        let columns: Vec<ArrayRef> = columns.collect::<Result<_>>().map_err(|e| self.place(e))?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .map_err(|error| self.place(error.into()))
    }

    fn place(&self, error: Error) -> Error {
        error.file(&self.path).row_group(self.unit.row_group as usize)
    }

    fn corrupt(&self, error: ParquetError) -> Error {
        let message = "the data cannot be decoded";
        let error = match error {
            ParquetError::NYI(what) => Error::unsupported(what),
            other => Error::invalid_data(message)
                .source(cause(&other))
                .remedy("write the file again, or restore it from a copy"),
        };
        self.place(error)
    }

    fn short(&self) -> Error {
        let error = Error::invalid_data("the row group has other rows than its footer says");
        self.place(error.remedy("restore the file"))
    }

    /// Decodes the columns one by one until one fails, to name it.
    fn blame(&self, error: ParquetError) -> Error {
        let pages = self.pages.as_ref().expect("a reader has pages");
        let failing = |root: &usize| {
            let step = guard(|| {
                let mut reader = pages.reader(&[*root], self)?;
                reader.try_for_each(|batch| batch.map(drop).map_err(ParquetError::from))
            });
            step.is_err()
        };
        let error = self.corrupt(error);
        match pages.roots.iter().find(|root| failing(root)) {
            Some(root) => error.column(pages.hint[*root].name()),
            None => error,
        }
    }
}

impl Iterator for UnitBatches {
    type Item = Result<ScannedBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.remaining = 0;
            self.reader = None;
        }
        step.transpose()
    }
}

/// What is wrong, without the names of the layers that passed it on.
fn cause(error: &ParquetError) -> String {
    const LAYERS: [&str; 4] =
        ["External: ", "Parquet argument error: ", "Parquet error: ", "Arrow: "];
    let text = error.to_string();
    let mut rest = text.as_str();
    while let Some(inner) = LAYERS.iter().find_map(|layer| rest.strip_prefix(layer)) {
        rest = inner;
    }
    rest.to_string()
}

/// For each column wanted: its position in the file, and among the columns that are read.
fn file_columns(file: &SourceFile, fields: &[Arc<Field>]) -> Vec<(Option<usize>, Option<usize>)> {
    let roots: Vec<Option<usize>> =
        fields.iter().map(|field| file.index_of(field.name())).collect();
    let mut read: Vec<usize> = roots.iter().flatten().copied().collect();
    read.sort_unstable();
    read.dedup();
    let place = |root: Option<usize>| root.and_then(|root| read.binary_search(&root).ok());
    roots.into_iter().map(|root| (root, place(root))).collect()
}

/// Whether all data pages of a chunk are codes of its dictionary.
fn is_dictionary(chunk: &ColumnChunkMetaData) -> bool {
    if chunk.dictionary_page_offset().is_none() {
        return false;
    }
    if let Some(mask) = chunk.page_encoding_stats_mask() {
        return is_only_codes(mask);
    }
    // Old writers list PLAIN for the dictionary page itself: then the size tells codes from text.
    let encodings = chunk.encodings_mask();
    let delta = [Encoding::DELTA_BYTE_ARRAY, Encoding::DELTA_LENGTH_BYTE_ARRAY];
    let small = chunk.uncompressed_size() <= chunk.num_values().saturating_mul(4);
    !delta.iter().any(|encoding| encodings.is_set(*encoding))
        && (!encodings.is_set(Encoding::PLAIN) || small)
}

/// Whether pages of these encodings hold nothing but codes of a dictionary.
pub(super) fn is_only_codes(pages: &EncodingMask) -> bool {
    pages.is_only(Encoding::PLAIN_DICTIONARY) || pages.is_only(Encoding::RLE_DICTIONARY)
}

/// The pages of a unit, as the `parquet` crate reads them.
struct UnitPages {
    metadata: Arc<ParquetMetaData>,
    row_group: usize,
    bytes: Arc<FetchedFile>,
    tables: Vec<PageTable>,
    /// The columns of the file as this row group is read: dictionaries where it has them.
    hint: arrow::datatypes::Fields,
    leaves: Vec<Range<usize>>,
    roots: Vec<usize>,
}

impl UnitPages {
    fn new(
        file: &SourceFile,
        unit: &ScanUnit,
        fetched: Fetched,
        roots: Vec<usize>,
    ) -> Result<Self> {
        let metadata = match &file.footer {
            Some(footer) => footer.clone(),
            None => {
                let length = file.footer_length as usize;
                let bytes = fetched.slice(file.footer_offset(), length);
                file.parse(&bytes.ok_or_else(|| Error::internal("the footer was not fetched"))?)?
            }
        };
        let row_group = row_group_of(&metadata, unit)?;
        let hint = file.layout.read.iter().zip(&file.layout.leaves).map(|(field, leaves)| {
            let text = matches!(field.data_type(), DataType::Utf8 | DataType::Binary);
            if text && leaves.len() == 1 && is_dictionary(row_group.column(leaves.start)) {
                let value = Box::new(field.data_type().clone());
                let coded = DataType::Dictionary(Box::new(DataType::Int32), value);
                Arc::new(field.as_ref().clone().with_data_type(coded))
            } else {
                field.clone()
            }
        });
        let tables = match tail_of(&fetched, file.length) {
            Some(bytes) if !bytes.is_empty() => decode_tables(bytes),
            _ => Vec::new(),
        };
        Ok(Self {
            hint: hint.collect(),
            row_group: unit.row_group as usize,
            bytes: Arc::new(FetchedFile { fetched, length: file.length }),
            tables,
            leaves: file.layout.leaves.clone(),
            roots,
            metadata,
        })
    }

    /// A reader of the columns `roots`, limited to the runs of `wanted`.
    fn reader(
        &self,
        roots: &[usize],
        wanted: &UnitBatches,
    ) -> Result<ParquetRecordBatchReader, ParquetError> {
        guard(|| {
            let descriptor = self.metadata.file_metadata().schema_descr();
            let leaves = roots.iter().flat_map(|root| self.leaves[*root].clone());
            let mask = ProjectionMask::leaves(descriptor, leaves);
            let levels = parquet_to_arrow_field_levels(descriptor, mask, Some(&self.hint))?;
            let selection = (wanted.remaining < self.num_rows() as u64)
                .then(|| selection(wanted.unit.rows.start, &wanted.runs));
            let batch_rows = wanted.batch_rows;
            ParquetRecordBatchReader::try_new_with_row_groups(&levels, self, batch_rows, selection)
        })
    }

    fn row_group(&self) -> &RowGroupMetaData {
        self.metadata.row_group(self.row_group)
    }
}

/// `runs` of rows, counted from row `first` of the row group.
fn selection(first: u64, runs: &[Range<u64>]) -> RowSelection {
    let mut selectors = Vec::with_capacity(2 * runs.len());
    let mut row = 0;
    for run in runs {
        let start = first + run.start;
        selectors.push(RowSelector::skip((start - row) as usize));
        selectors.push(RowSelector::select((run.end - run.start) as usize));
        row = first + run.end;
    }
    RowSelection::from(selectors)
}

/// The fetched bytes at their places in the file.
struct FetchedFile {
    fetched: Fetched,
    length: u64,
}

impl Length for FetchedFile {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for FetchedFile {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let tail = tail_of(&self.fetched, start);
        tail.map(Buf::reader).ok_or_else(|| beyond(start))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.fetched.slice(start, length).ok_or_else(|| beyond(start))
    }
}

fn beyond(offset: u64) -> ParquetError {
    ParquetError::EOF(format!("a page at offset {offset} reaches beyond its column chunk"))
}

impl RowGroups for UnitPages {
    fn num_rows(&self) -> usize {
        self.row_group().num_rows() as usize
    }

    fn column_chunks(&self, leaf: usize) -> Result<Box<dyn PageIterator>, ParquetError> {
        let table = self.tables.iter().find(|table| table.leaf == leaf);
        let locations = table.map(|table| table.locations.clone());
        let chunk = self.row_group().column(leaf);
        let reader =
            SerializedPageReader::new(self.bytes.clone(), chunk, self.num_rows(), locations)?;
        let reader = CheckedPages::new(reader, chunk.column_descr());
        Ok(Box::new(OneChunk(Some(Box::new(reader)))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.row_group()))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// The one column chunk of a unit's column.
struct OneChunk(Option<Box<dyn PageReader>>);

impl Iterator for OneChunk {
    type Item = Result<Box<dyn PageReader>, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl PageIterator for OneChunk {}
