//! Parquet files as a [`Source`]: one or many, with one schema, cut into units that fit in memory.
//!
//! | file | question it answers |
//! |---|---|
//! | `footer` | what does a file say of itself, and is it whole? |
//! | `layout` | which columns are there, and how are they read? |
//! | `split` | what is a unit, what a partition? |
//! | `pruning`, `bounds`, `bloom`, `survivors` | which row groups and pages can no filter match? |
//! | `pages` | where do the pages of a row range lie? |
//! | `fetch`, `decode` | bytes, then batches |
//! | `checked` | can the counts of a page be true? |
//! | `prefilter` | which rows need not be decoded in full? |
//! | `describe`, `row_groups` | what does `dframe meta` show? |

mod bloom;
mod bounds;
mod checked;
mod decode;
mod describe;
mod fetch;
mod footer;
mod layout;
mod pages;
mod prefilter;
mod pruning;
mod row_groups;
mod split;
mod survivors;

use std::sync::Arc;

use arrow::datatypes::{Field, SchemaRef};
use dframe_core::{Error, Fetched, Result};
use dframe_plan::{
    ColumnBounds, Partitions, ScanRequest, ScanUnit, ScannedBatches, Source, Statistics,
};

pub use describe::{ColumnMeta, FileMeta};
pub use row_groups::RowGroupMeta;

use crate::file::{OpenFile, Place};
use crate::hive::{self, Constant};
use crate::partitioning::file_of;
use crate::paths::{self, Inputs};
use crate::unify::Unified;
use bounds::BoundsOf;
use decode::{UnitBatches, Wanted};
use footer::{ENDING, KIND, SourceFile};
use layout::Layout;
use prefilter::Prefilter;

/// How a source keeps what it knows.
#[derive(Clone, Debug)]
pub struct ParquetOptions {
    /// The bytes of footers in memory from which on no more are kept; those are read again when they are needed.
    pub footer_bytes: usize,
}

impl Default for ParquetOptions {
    fn default() -> Self {
        Self { footer_bytes: 64 << 20 }
    }
}

/// Parquet files, scanned as one table.
///
/// Columns are matched by name; a column that a file lacks is NULL there, and numbers, decimals and
/// timestamps are widened to the widest type any file has. Folders called `key=value` are columns, too.
#[derive(Debug)]
pub struct ParquetSource {
    files: Vec<SourceFile>,
    schema: SchemaRef,
    rows: u64,
    bytes: u64,
}

impl ParquetSource {
    /// Opens files, directories (searched for `*.parquet` and `*.parq`) and globs.
    ///
    /// # Errors
    /// A path that does not exist, names no Parquet file, or holds a corrupt footer; files whose
    /// columns have types that do not go together.
    pub fn open(inputs: impl Into<Inputs>) -> Result<Self> {
        Self::open_with(inputs, &ParquetOptions::default())
    }

    /// Opens like [`ParquetSource::open`], with options.
    pub fn open_with(inputs: impl Into<Inputs>, options: &ParquetOptions) -> Result<Self> {
        let mut opened = Opening::default();
        let places = paths::expand(&inputs.into(), &paths::PARQUET)?;
        let names: Vec<&std::path::Path> = places.iter().map(Place::name).collect();
        let constants = hive::columns(&names)?;
        let files = OpenFile::open_all(&places, KIND, ENDING);
        for ((open, place), constants) in files.zip(&places).zip(constants) {
            opened.add(&open?, place, constants, options.footer_bytes)?;
        }
        let sum = |of: fn(&SourceFile) -> u64| opened.files.iter().map(of).sum();
        Ok(Self {
            rows: sum(|file| file.rows),
            bytes: sum(|file| file.length),
            schema: hive::with_constants(opened.unified.finish(), &opened.files[0].constants),
            files: opened.files,
        })
    }

    /// The number of rows, from the footers alone.
    pub fn row_count(&self) -> u64 {
        self.rows
    }

    /// The number of files.
    pub fn file_count(&self) -> usize {
        self.files.len()
    }

    fn file(&self, unit: &ScanUnit) -> Result<&SourceFile> {
        file_of(&self.files, unit)
    }

    /// The fields of the columns wanted.
    fn fields(&self, request: &ScanRequest) -> Result<Vec<Arc<Field>>> {
        let field = |index: &usize| self.schema.fields().get(*index).cloned();
        let fields: Option<Vec<_>> = request.projection.iter().map(field).collect();
        fields.ok_or_else(|| Error::internal("the projection names columns that do not exist"))
    }
}

/// The leaf columns of a file that hold the columns wanted.
fn leaves_of(file: &SourceFile, fields: &[Arc<Field>]) -> Vec<usize> {
    let roots = fields.iter().filter_map(|field| file.index_of(field.name()));
    let mut leaves: Vec<usize> = roots.flat_map(|root| file.layout.leaves[root].clone()).collect();
    leaves.sort_unstable();
    leaves.dedup();
    leaves
}

/// A source while its files are added.
#[derive(Default)]
struct Opening {
    files: Vec<SourceFile>,
    layouts: Vec<Arc<Layout>>,
    unified: Unified,
    footer_bytes: usize,
}

impl Opening {
    fn add(
        &mut self,
        open: &OpenFile,
        place: &Place,
        constants: Arc<[Constant]>,
        footer_bytes_max: usize,
    ) -> Result<()> {
        let path = open.path.clone();
        let (metadata, footer_length) = open.footer()?;
        let layout = self.layout(&metadata, &path)?;
        let mut rows = 0u64;
        for row_group in metadata.row_groups() {
            rows += u64::try_from(row_group.num_rows()).map_err(|_| {
                Error::invalid_data("a row group has a negative number of rows").file(&path)
            })?;
        }
        // The one that goes beyond it is kept: read again for each of many row groups, it would take for ever.
        let keep = self.footer_bytes < footer_bytes_max;
        self.footer_bytes += metadata.memory_size();
        self.files.push(SourceFile {
            length: open.length,
            place: place.clone(),
            version: open.version.clone(),
            footer_length,
            rows,
            layout,
            constants,
            footer: keep.then(|| Arc::new(metadata)),
            path,
        });
        Ok(())
    }

    /// The layout of a file: shared with files written alike, else new and checked against the rest.
    fn layout(
        &mut self,
        metadata: &parquet::file::metadata::ParquetMetaData,
        path: &std::path::Path,
    ) -> Result<Arc<Layout>> {
        let layout = Layout::of(metadata, path)?;
        if let Some(known) = self.layouts.iter().rev().find(|known| ***known == layout) {
            return Ok(known.clone());
        }
        self.unified.add(&layout.read, &layout.logical, path)?;
        self.layouts.push(Arc::new(layout));
        Ok(self.layouts[self.layouts.len() - 1].clone())
    }
}

impl Source for ParquetSource {
    fn name(&self) -> String {
        paths::name_of(&self.files[0].path, self.files.len())
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn statistics(&self) -> Statistics {
        Statistics { rows: Some(self.rows), bytes: Some(self.bytes) }
    }

    fn fetches_ahead(&self) -> usize {
        self.files[0].place.fetches_ahead()
    }

    fn partitions(&self, request: &ScanRequest) -> Result<Partitions> {
        split::partitions(self, request)
    }

    fn bounds(&self, unit: &ScanUnit, column: usize) -> Option<ColumnBounds> {
        let file = self.files.get(unit.file as usize)?;
        // A footer that is not kept would have to be read.
        let metadata = file.footer.as_ref()?;
        let row_group = unit.row_group as usize;
        metadata.row_groups().get(row_group)?;
        let (of, field) = (BoundsOf { file, metadata, row_group }, self.schema.field(column));
        Some(of.row_group(field).into_first(of.are_values(field)))
    }

    fn fetch(&self, unit: &ScanUnit, request: &ScanRequest) -> Result<Fetched> {
        let file = self.file(unit)?;
        let leaves = leaves_of(file, &self.fields(request)?);
        if leaves.is_empty() {
            return Ok(Fetched::default());
        }
        fetch::fetch(file, unit, &leaves)
    }

    fn decode(
        self: Arc<Self>,
        unit: &ScanUnit,
        fetched: Fetched,
        request: &ScanRequest,
    ) -> Result<ScannedBatches> {
        let (file, fields) = (self.file(unit)?, self.fields(request)?);
        let runs = match Prefilter::new(request, &self.schema, &fields) {
            None => survivors::whole(unit.row_count()),
            Some(prefilter) => prefilter.runs(file, unit, &fetched)?,
        };
        let wanted = Wanted { fields: &fields, runs };
        Ok(Box::new(UnitBatches::new(file, unit, fetched, wanted)?))
    }
}
