//! Avro files (object container files) as a [`Source`]: one or many, with one schema.
//!
//! ```text
//!   open: heads of all blocks --> pieces --partitions--> units --fetch: bytes of blocks
//!   decode: the file's header, then those bytes: a small Avro file, which `arrow-avro` reads --> batches
//! ```
//!
//! | file | question it answers |
//! |---|---|
//! | `index` | where are the blocks of a file, and how many rows have they? |
//! | `mod` | what is a unit, how do its columns get the types of the source? |

mod index;
#[cfg(test)]
mod tests;

use std::io::{Chain, Cursor, Read};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{DataType, SchemaRef};
use arrow_avro::reader::{Reader, ReaderBuilder};
use bytes::Bytes;
use dframe_core::{Error, Fetched, Result};
use dframe_plan::{
    Partitions, ScanRequest, ScanUnit, ScannedBatch, ScannedBatches, Source, Statistics,
};

use crate::hive;
use crate::ipc::{conform, logical};
use crate::partitioning::{Partitioner, file_of, position};
use crate::paths;
use crate::unify::Unified;
use index::Index;

/// Avro files, scanned as one table.
///
/// Columns are matched by name; a column that a file lacks is NULL there, and numbers are widened to the widest type
/// that any file has.
#[derive(Debug)]
pub struct AvroSource {
    files: Vec<SourceFile>,
    schema: SchemaRef,
    rows: u64,
}

/// A file of the source.
#[derive(Debug)]
struct SourceFile {
    index: Index,
    /// For each column of the source, its place in the file.
    places: Vec<Option<usize>>,
}

impl AvroSource {
    /// Opens files, directories (searched for `*.avro`) and globs. Reads the heads of blocks: how many rows there are
    /// is known then.
    ///
    /// # Errors
    /// A path that does not exist, names no Avro file or one that is cut off; columns of types that cannot be read,
    /// or that do not go together.
    pub fn open(paths: &[String]) -> Result<Self> {
        let mut unified = Unified::default();
        let mut files = Vec::new();
        for path in paths::expand_local(paths, &paths::AVRO)? {
            let index = Index::read(&path)?;
            let types = index.schema.fields().iter().map(|field| {
                let named = |error: Error| error.column(field.name()).file(&path);
                logical(field.data_type()).map_err(named)
            });
            let types = types.collect::<Result<Vec<DataType>>>()?;
            unified.add(index.schema.fields(), &types, &path)?;
            files.push(SourceFile { index, places: Vec::new() });
        }
        let schema = unified.finish();
        for file in &mut files {
            let place = |name: &String| file.index.schema.index_of(name).ok();
            file.places = schema.fields().iter().map(|field| place(field.name())).collect();
        }
        let rows = files.iter().map(|file| file.index.rows()).sum();
        Ok(Self { files, schema, rows })
    }

    fn file(&self, unit: &ScanUnit) -> Result<&SourceFile> {
        file_of(&self.files, unit)
    }

    /// The source with a column for each `key=value` among the names of the files' folders, if all have the same.
    ///
    /// # Errors
    /// A value that cannot be read.
    pub fn with_folder_columns(self: Arc<Self>) -> Result<Arc<dyn Source>> {
        let files = self.clone();
        let names: Vec<_> = files.files.iter().map(|file| file.index.path.as_path()).collect();
        hive::with_folder_columns(self, &names)
    }
}

impl Source for AvroSource {
    fn name(&self) -> String {
        paths::name_of(&self.files[0].index.path, self.files.len())
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn statistics(&self) -> Statistics {
        let bytes = self.files.iter().map(|file| file.index.version.length).sum();
        Statistics { rows: Some(self.rows), bytes: Some(bytes) }
    }

    fn partitions(&self, request: &ScanRequest) -> Result<Partitions> {
        let mut partitioner = Partitioner::new(request, self.rows);
        for (number, file) in self.files.iter().enumerate() {
            let mut row = 0;
            for (piece, found) in file.index.pieces.iter().enumerate() {
                if partitioner.is_full() {
                    return Ok(partitioner.finish());
                }
                partitioner.count(true);
                partitioner.pass(found.rows);
                partitioner.add(ScanUnit {
                    file: number as u32,
                    row_group: piece as u32,
                    rows: 0..found.rows.min(partitioner.limit()),
                    position: position(number as u32, row),
                    batch_rows: request.batch_rows,
                    fetch_bytes: found.length,
                    decode_bytes: found.length * file.index.decoded_share(),
                });
                row += found.rows;
            }
        }
        Ok(partitioner.finish())
    }

    fn fetch(&self, unit: &ScanUnit, request: &ScanRequest) -> Result<Fetched> {
        if request.projection.is_empty() {
            return Ok(Fetched::default());
        }
        let bytes = self.file(unit)?.index.fetch(unit.row_group as usize)?;
        Ok(Fetched { ranges: vec![(0, bytes)] })
    }

    fn decode(
        self: Arc<Self>,
        unit: &ScanUnit,
        fetched: Fetched,
        request: &ScanRequest,
    ) -> Result<ScannedBatches> {
        let file = self.file(unit)?;
        let wanted: Vec<usize> =
            request.projection.iter().filter_map(|column| file.places[*column]).collect();
        let bytes = fetched.ranges.into_iter().next().map(|(_, bytes)| bytes);
        let reader = match bytes.filter(|_| !wanted.is_empty()) {
            Some(bytes) => Some(file.reader(bytes, wanted, unit.batch_rows)?),
            None => None,
        };
        let schema = Arc::new(self.schema.project(&request.projection)?);
        let (rows, position, batch_rows) = (unit.row_count(), unit.position, unit.batch_rows);
        let file = unit.file as usize;
        Ok(Box::new(UnitBatches { source: self, file, schema, reader, rows, position, batch_rows }))
    }
}

impl SourceFile {
    fn reader(&self, bytes: Bytes, wanted: Vec<usize>, rows: usize) -> Result<Blocks> {
        // A projection names a column once.
        let mut places = wanted;
        places.sort_unstable();
        places.dedup();
        let builder = ReaderBuilder::new().with_batch_size(rows.max(1)).with_projection(places);
        let bytes = Cursor::new(self.index.header.clone()).chain(Cursor::new(bytes));
        builder.build(bytes).map_err(|error| self.index.corrupt(error))
    }
}

/// Reads blocks, after the header of their file.
type Blocks = Reader<Chain<Cursor<Bytes>, Cursor<Bytes>>>;

/// Batches of a unit.
struct UnitBatches {
    source: Arc<AvroSource>,
    file: usize,
    schema: SchemaRef,
    /// Without it, no column of the file is wanted.
    reader: Option<Blocks>,
    rows: u64,
    position: u64,
    batch_rows: usize,
}

impl UnitBatches {
    /// The rows of the file, cut to what is wanted, in the columns and types of the source.
    fn batch(&mut self) -> Result<RecordBatch> {
        let index = &self.source.files[self.file].index;
        let found = match &mut self.reader {
            None => None,
            Some(reader) => Some(match reader.next() {
                Some(batch) => batch.map_err(|error| index.corrupt(error))?,
                None => return Err(index.corrupt("it has fewer rows than it says")),
            }),
        };
        let rows = found.as_ref().map_or(self.batch_rows.max(1), RecordBatch::num_rows);
        let rows = rows.min(usize::try_from(self.rows).unwrap_or(usize::MAX));
        let columns = self.schema.fields().iter().map(|field| {
            let column = found.as_ref().and_then(|found| found.column_by_name(field.name()));
            match column {
                Some(column) => conform(&column.slice(0, rows), field.data_type()),
                None => Ok(new_null_array(field.data_type(), rows)),
            }
        });
        let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }
}

impl Iterator for UnitBatches {
    type Item = Result<ScannedBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rows == 0 {
            return None;
        }
        let position = self.position;
        Some(match self.batch() {
            Ok(rows) => {
                self.rows -= rows.num_rows() as u64;
                self.position += rows.num_rows() as u64;
                Ok(ScannedBatch { rows, position })
            }
            Err(error) => {
                self.rows = 0;
                Err(error)
            }
        })
    }
}
