//! A table of an SQLite database as a [`Source`].
//!
//! ```text
//!   open: one pass over the table --> types, pieces (ranges of rowids, with their rows and bytes)
//!   partitions: pieces --> units --fetch: SELECT .. WHERE rowid BETWEEN .. --> values as bytes --decode--> batches
//! ```
//!
//! SQLite reads pages as it walks, so that walking waits: it is done by `fetch`, which puts the values of the columns
//! wanted one after the other. `decode` makes arrays of them. Views, queries and tables without rowids have no ranges:
//! their rows are kept in a temporary database, which has.
//!
//! | file | question it answers |
//! |---|---|
//! | `database` | how is a database opened, which table is meant, what do its errors mean? |
//! | `survey` | which types hold all values, where are the pieces? |
//! | `values` | values to bytes, bytes to arrays |

mod database;
mod survey;
#[cfg(test)]
mod tests;
mod values;

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use bytes::Bytes;
use dframe_core::{Error, Fetched, Result};
use dframe_plan::{Partitions, ScanRequest, ScanUnit, ScannedBatches, Source, Statistics};

use crate::partitioning::{Partitioner, position};
use crate::paths;
use database::Opened;
pub(crate) use database::{failed, quoted};
use survey::{Piece, Survey};
use values::UnitBatches;

/// Rows of a unit at most.
const UNIT_ROWS: u64 = 256 << 10;
/// What a value's bytes are to the memory that an array of it takes, about, while it is made.
const DECODED_SHARE: u64 = 2;

/// What of a database is read.
#[derive(Clone, Debug, Default)]
pub struct SqliteOptions {
    /// The table or view; without it, the only table there is.
    pub table: Option<String>,
    /// A query in SQLite's own SQL, whose result is read instead of a table.
    pub query: Option<String>,
    /// Where rows are kept that have no rowids; the system's temporary folder by default.
    pub temp_dir: Option<PathBuf>,
}

/// A table of an SQLite database.
///
/// Columns have the types of their values, not only those they were declared with: a column of whole numbers with
/// a text in it is text.
#[derive(Debug)]
pub struct SqliteSource {
    opened: Opened,
    schema: SchemaRef,
    pieces: Vec<Piece>,
    rows: u64,
}

impl SqliteSource {
    /// Opens a database, and looks through the table once.
    ///
    /// # Errors
    /// The file does not exist, is no database or locked; there is no such table, or several and none is named; the
    /// query cannot be run.
    pub fn open(paths: &[String], options: &SqliteOptions) -> Result<Self> {
        let files = paths::expand_local(paths, &paths::SQLITE)?;
        let [file] = files.as_slice() else {
            return Err(Error::invalid_input("several databases are named")
                .remedy("read one at a time, or join them"));
        };
        let opened = Opened::open(file, options)?;
        let survey = Survey::of(&opened).map_err(|error| error.file(file))?;
        let schema = Arc::new(Schema::new(survey.fields));
        let rows = survey.pieces.iter().map(|piece| piece.rows).sum();
        Ok(Self { opened, schema, pieces: survey.pieces, rows })
    }

    /// The names of the columns, without looking at a row.
    ///
    /// # Errors
    /// As [`SqliteSource::open`].
    pub fn column_names(paths: &[String], options: &SqliteOptions) -> Result<Vec<String>> {
        let files = paths::expand_local(paths, &paths::SQLITE)?;
        let opened = Opened::open(&files[0], options)?;
        Ok(opened.columns.into_iter().map(|column| column.name).collect())
    }

    /// The rows of pieces, from the first one of a unit on.
    fn rowids(&self, unit: &ScanUnit) -> Result<(i64, i64)> {
        let pieces = self.pieces.get(unit.row_group as usize..).unwrap_or_default();
        let Some(first) = pieces.first() else {
            return Err(Error::internal(format!("there is no piece {}", unit.row_group)));
        };
        let mut rows = 0;
        let mut last = first.last;
        for piece in pieces {
            if rows >= unit.row_count() {
                break;
            }
            (rows, last) = (rows + piece.rows, piece.last);
        }
        Ok((first.first, last))
    }
}

impl Source for SqliteSource {
    fn name(&self) -> String {
        format!("{} {}", paths::name_of(&self.opened.path, 1), self.opened.what)
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn statistics(&self) -> Statistics {
        let bytes = self.pieces.iter().map(|piece| piece.bytes).sum();
        Statistics { rows: Some(self.rows), bytes: Some(bytes) }
    }

    fn partitions(&self, request: &ScanRequest) -> Result<Partitions> {
        let mut partitioner = Partitioner::new(request, self.rows);
        let (mut index, mut row) = (0, 0);
        while index < self.pieces.len() && !partitioner.is_full() {
            let first = index;
            let (mut rows, mut bytes) = (self.pieces[index].rows, self.pieces[index].bytes);
            index += 1;
            while let Some(piece) = self.pieces.get(index)
                && rows + piece.rows <= UNIT_ROWS.min(partitioner.limit())
                && (bytes + piece.bytes) * (1 + DECODED_SHARE) <= request.unit_bytes
            {
                (rows, bytes, index) = (rows + piece.rows, bytes + piece.bytes, index + 1);
            }
            partitioner.count(true);
            partitioner.pass(rows);
            let wanted = rows.min(partitioner.limit());
            partitioner.add(ScanUnit {
                file: 0,
                row_group: first as u32,
                rows: 0..wanted,
                position: position(0, row),
                batch_rows: batch_rows(request, rows, bytes),
                fetch_bytes: bytes,
                decode_bytes: bytes * DECODED_SHARE,
            });
            row += rows;
        }
        Ok(partitioner.finish())
    }

    fn fetch(&self, unit: &ScanUnit, request: &ScanRequest) -> Result<Fetched> {
        if request.projection.is_empty() {
            return Ok(Fetched::default());
        }
        let bytes = self.opened.read(self.rowids(unit)?, unit.row_count(), &request.projection);
        let bytes = bytes.map_err(|error| error.file(&self.opened.path))?;
        Ok(Fetched { ranges: vec![(0, Bytes::from(bytes))] })
    }

    fn decode(
        self: Arc<Self>,
        unit: &ScanUnit,
        fetched: Fetched,
        request: &ScanRequest,
    ) -> Result<ScannedBatches> {
        let schema = Arc::new(self.schema.project(&request.projection)?);
        let bytes = fetched.ranges.into_iter().next().map(|(_, bytes)| bytes).unwrap_or_default();
        Ok(Box::new(UnitBatches::new(schema, bytes, unit, self.opened.path.clone())))
    }
}

/// Fewer rows where they are wide.
fn batch_rows(request: &ScanRequest, rows: u64, bytes: u64) -> usize {
    const BATCH_BYTES: u64 = 1 << 20;
    let width = bytes.div_ceil(rows.max(1)).max(1);
    let fitting = usize::try_from(BATCH_BYTES / width).unwrap_or(usize::MAX);
    request.batch_rows.min(fitting.max(64))
}
