//! Arrow IPC files and streams (Feather, too) as a [`Source`]: one or many, with one schema.
//!
//! ```text
//!   open: heads of all messages --> Index --partitions--> units --fetch, decode--> batches
//!         rows and places                  record batches, or ranges of the rows of a large one
//! ```
//!
//! Of a unit only the buffers of the columns wanted are read. Batches are handed on without a copy
//! where the types allow it.
//!
//! | file | question it answers |
//! |---|---|
//! | `index` | which messages has a file, and where? |
//! | `types` | which types have the columns, which types has the engine? |
//! | `planned` | of which bytes is an array made? |
//! | `arrays` | bytes, then arrays |
//! | `units` | what is a unit, and what does it cost? |
//! | `unit_batches` | batches of a unit |

mod arrays;
mod index;
mod planned;
#[cfg(test)]
mod tests;
mod types;
mod unit_batches;
mod units;

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use dframe_core::{Error, Fetched, Result};
use dframe_plan::{Partitions, ScanRequest, ScanUnit, ScannedBatches, Source, Statistics};

use crate::hive;
use crate::partitioning::file_of;
use crate::paths::{self, Inputs};
use crate::unify::Unified;
use index::Index;
pub(crate) use index::is_stream;
pub(crate) use types::{conform, logical};
use unit_batches::UnitBatches;

/// Arrow IPC files and streams, scanned as one table.
///
/// Columns are matched by name; a column that a file lacks is NULL there, and numbers, decimals and
/// timestamps are widened to the widest type any file has.
#[derive(Debug)]
pub struct IpcSource {
    files: Vec<SourceFile>,
    schema: SchemaRef,
    rows: u64,
    bytes: u64,
}

/// A file of the source.
#[derive(Debug)]
struct SourceFile {
    index: Index,
    /// For each column of the source, its place in the file.
    places: Vec<Option<usize>>,
}

impl IpcSource {
    /// Opens files, directories (searched for `*.arrow`, `*.arrows`, `*.ipc` and `*.feather`) and globs.
    /// Reads the heads of record batches: how many rows there are is known then.
    ///
    /// # Errors
    /// A path that does not exist, names no Arrow file or one that is cut off; columns of types that
    /// cannot be read, or that do not go together.
    pub fn open(inputs: impl Into<Inputs>) -> Result<Self> {
        let mut unified = Unified::default();
        let mut files = Vec::new();
        for place in paths::expand(&inputs.into(), &paths::IPC)? {
            let index = Index::read(place)?;
            unified.add(index.wire.fields(), &logical_types(&index)?, &index.path)?;
            files.push(SourceFile { index, places: Vec::new() });
        }
        let schema = unified.finish();
        for file in &mut files {
            let place = |name: &String| file.index.wire.fields().find(name).map(|(place, _)| place);
            file.places = schema.fields().iter().map(|field| place(field.name())).collect();
        }
        let sum = |of: fn(&Index) -> u64| files.iter().map(|file| of(&file.index)).sum();
        let (rows, bytes) = (sum(|index| index.rows), sum(|index| index.length));
        Ok(Self { files, schema, rows, bytes })
    }

    fn file(&self, unit: &ScanUnit) -> Result<&SourceFile> {
        file_of(&self.files, unit)
    }
}

impl SourceFile {
    /// The columns of the file that the request wants, in the order of the file.
    fn wanted(&self, request: &ScanRequest) -> Vec<usize> {
        let places = request.projection.iter().filter_map(|column| self.places[*column]);
        let mut wanted: Vec<usize> = places.collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }
}

fn logical_types(index: &Index) -> Result<Vec<DataType>> {
    let named = |error: Error, name: &String| error.column(name).file(&index.path);
    let fields = index.wire.fields().iter();
    fields
        .map(|field| types::logical(field.data_type()).map_err(|error| named(error, field.name())))
        .collect()
}

impl IpcSource {
    /// The source with a column for each `key=value` among the names of the files' folders, if all have the same.
    ///
    /// # Errors
    /// A value that cannot be read.
    pub fn with_folder_columns(self: Arc<Self>) -> Result<Arc<dyn Source>> {
        let files = self.clone();
        let names: Vec<_> = files.files.iter().map(|file| file.index.place.name()).collect();
        hive::with_folder_columns(self, &names)
    }
}

impl Source for IpcSource {
    fn name(&self) -> String {
        paths::name_of(&self.files[0].index.path, self.files.len())
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn statistics(&self) -> Statistics {
        Statistics { rows: Some(self.rows), bytes: Some(self.bytes) }
    }

    fn fetches_ahead(&self) -> usize {
        self.files[0].index.place.fetches_ahead()
    }

    fn partitions(&self, request: &ScanRequest) -> Result<Partitions> {
        units::partitions(self, request)
    }

    fn fetch(&self, unit: &ScanUnit, request: &ScanRequest) -> Result<Fetched> {
        let file = self.file(unit)?;
        let wanted = file.wanted(request);
        if wanted.is_empty() {
            return Ok(Fetched::default());
        }
        units::fetch(&file.index, unit, &wanted).map_err(|error| error.file(&file.index.path))
    }

    fn decode(
        self: Arc<Self>,
        unit: &ScanUnit,
        fetched: Fetched,
        request: &ScanRequest,
    ) -> Result<ScannedBatches> {
        Ok(Box::new(UnitBatches::new(self, unit, fetched, request)?))
    }
}

/// The error for bytes that are not what the format says.
fn corrupt(what: &str, why: impl std::fmt::Display) -> Error {
    Error::invalid_data(format!("{what} is corrupt: {why}"))
        .remedy("write the file again, or restore it from a copy")
}
