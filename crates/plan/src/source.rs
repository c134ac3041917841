//! What can be scanned: a schema, statistics, partitions, and bytes that become batches.
//!
//! ```text
//!   partitions(request) -> Partition[ ScanUnit, ScanUnit, .. ]
//!   per unit:   fetch (I/O thread, waits) -> Fetched -> decode (worker, computes) -> batches
//! ```
//!
//! Reading is cut in two so that waiting never holds a core: [`Source::fetch`] only reads bytes,
//! [`Source::decode`] only computes. A unit is what is fetched at once; a partition is what one task
//! folds; a source may be shared by any number of threads.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use dframe_core::{Fetched, Result};
use dframe_expr::Expr;

/// What a scan wants of a source.
#[derive(Clone, Debug)]
pub struct ScanRequest {
    /// The columns wanted, as positions in the source's schema, in output order. May be empty: then
    /// batches have rows but no columns.
    pub projection: Vec<usize>,
    /// Conditions that every row wanted fulfils, over the source's schema. The source may use them to
    /// skip what cannot match; whoever scans filters again unless the source applied them exactly.
    pub filters: Vec<Expr>,
    /// What is known of rows that cannot matter only once the query runs. The source may use it to skip them;
    /// whoever scans drops them in any case.
    pub tests: Vec<Arc<dyn RowTest>>,
    /// The number of rows after which the reader will stop, if it is known (`LIMIT` without filters).
    pub limit: Option<u64>,
    /// The rows of a batch, at most.
    pub batch_rows: usize,
    /// The bytes that one unit may take, compressed and decoded together. Larger row groups are cut.
    pub unit_bytes: u64,
    /// The rows after which a partition is closed. 1 makes each unit a partition.
    pub partition_rows: u64,
    /// A partition is about one part in so many of the rows that are left, so that partitions get smaller towards the end.
    pub partition_share: u64,
}

/// Knows of rows that cannot matter.
pub trait RowTest: Send + Sync + std::fmt::Debug {
    /// The columns it looks at, as positions in the source's schema.
    fn columns(&self) -> &[usize];

    /// Which rows of these columns may matter, by what is known now; `None` if nothing is.
    ///
    /// # Errors
    /// A value that cannot be computed. It may be one of a row that is dropped for another reason.
    fn may_matter(&self, columns: &RecordBatch) -> Result<Option<BooleanArray>>;
}

/// What one fetch reads: a row group, or a range of its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct ScanUnit {
    /// The file's position in the source's list.
    pub file: u32,
    /// The row group within the file.
    pub row_group: u32,
    /// The rows of the row group that are read.
    pub rows: Range<u64>,
    /// The position of the unit's first row in the whole source; grows with file and row, with gaps.
    pub position: u64,
    /// The rows of a batch at most: fewer than wanted where rows are wide.
    pub batch_rows: usize,
    /// The bytes that `fetch` will hold.
    pub fetch_bytes: u64,
    /// The bytes that decoding will hold at once, batches handed out excluded.
    pub decode_bytes: u64,
}

impl ScanUnit {
    /// The number of rows, before filters.
    pub fn row_count(&self) -> u64 {
        self.rows.end - self.rows.start
    }
}

/// A piece of a source that one task reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Partition {
    /// What is read, in order.
    pub units: Vec<ScanUnit>,
}

impl Partition {
    /// The number of rows, before filters.
    pub fn row_count(&self) -> u64 {
        self.units.iter().map(ScanUnit::row_count).sum()
    }
}

/// The partitions that a scan will read, and what it was spared.
#[derive(Clone, Debug, Default)]
pub struct Partitions {
    /// The partitions, in the order of the source.
    pub list: Vec<Partition>,
    /// The row groups that are read, in whole or in part.
    pub row_groups: usize,
    /// The row groups that statistics or Bloom filters ruled out.
    pub row_groups_pruned: usize,
    /// For each filter of the request, whether the source fulfils it exactly.
    pub filters_exact: Vec<bool>,
}

/// What a source knows without reading data.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    /// The number of rows, if it is known.
    pub rows: Option<u64>,
    /// The bytes on disk, if they are known.
    pub bytes: Option<u64>,
}

/// What is known of a column's values in a unit without reading it. It may be about more rows than the
/// unit's: those of the row group around it.
#[derive(Clone, Debug)]
pub struct ColumnBounds {
    /// At most the least value: one element of the column's type, NULL where unknown.
    pub min: ArrayRef,
    /// At least the greatest value, NaN aside: one element of the column's type, NULL where unknown.
    pub max: ArrayRef,
    /// The number of NULLs; `None` where nobody counted.
    pub nulls: Option<u64>,
    /// The number of NaNs; `None` where nobody counted.
    pub nans: Option<u64>,
    /// The number of rows that all this is about.
    pub rows: u64,
    /// Whether `min` and `max`, where known, are values of those rows: the least, and the greatest but NaN.
    pub are_values: bool,
}

impl ColumnBounds {
    /// Whether there is nothing but NULL.
    pub fn is_all_null(&self) -> bool {
        self.nulls == Some(self.rows)
    }

    /// Whether there may be a NaN, which is greater than `max`.
    pub fn may_be_nan(&self) -> bool {
        self.max.data_type().is_floating() && self.nans != Some(0)
    }
}

/// A batch with the place of its first row in the whole source.
#[derive(Clone, Debug)]
pub struct ScannedBatch {
    /// The rows. Columns have the types of the source's schema, or `Dictionary(Int32, T)` of them;
    /// the batch's own schema says which.
    pub rows: RecordBatch,
    /// The position of the first row; positions of later batches are larger.
    pub position: u64,
}

/// Batches of a unit, decoded as they are asked for.
pub type ScannedBatches = Box<dyn Iterator<Item = Result<ScannedBatch>> + Send>;

/// Something that can be scanned.
pub trait Source: Send + Sync + std::fmt::Debug {
    /// What it is called in plans and errors.
    fn name(&self) -> String;

    /// The columns, without dictionary encoding.
    fn schema(&self) -> SchemaRef;

    /// What is known without reading data.
    fn statistics(&self) -> Statistics;

    /// Splits what the request wants into partitions. Reads metadata at most.
    fn partitions(&self, request: &ScanRequest) -> Result<Partitions>;

    /// The bounds of a column, as a position in the schema, in a unit; `None` if they are not at hand.
    /// Waits for nothing.
    fn bounds(&self, unit: &ScanUnit, column: usize) -> Option<ColumnBounds> {
        let _ = (unit, column);
        None
    }

    /// How many fetches of a task should be under way at once: more than one where each waits for a network.
    fn fetches_ahead(&self) -> usize {
        1
    }

    /// Each of its own partitions as a source; `None` if it has none that stay the same whatever is asked.
    fn split(&self) -> Option<Vec<Arc<dyn Source>>> {
        None
    }

    /// Reads a unit's bytes. Waits for I/O, and computes next to nothing.
    fn fetch(&self, unit: &ScanUnit, request: &ScanRequest) -> Result<Fetched>;

    /// Decodes a unit's bytes. Computes, and never waits.
    fn decode(
        self: Arc<Self>,
        unit: &ScanUnit,
        fetched: Fetched,
        request: &ScanRequest,
    ) -> Result<ScannedBatches>;
}
