//! Puts units together to partitions, in the order of the source, and keeps to the limit.
//!
//! ```text
//!   units --as many rows as wanted--> partitions, smaller towards the end
//! ```
//!
//! Partitions and units get smaller towards the end of the source (guided self-scheduling, Polychronopoulos
//! and Kuck 1987), so that all cores finish at about the same time. How files are cut into units is the
//! formats' own affair.

use dframe_core::{Error, Result};
use dframe_plan::{Partition, Partitions, ScanRequest, ScanUnit};

/// The position of a row: the file in the upper bits, the row in the file in the lower 40.
const POSITION_ROW_BITS: u32 = 40;
/// The rows below which a partition is not worth a task of its own.
pub(crate) const PARTITION_ROWS_MIN: u64 = 64 << 10;

/// The rows of a file at most.
pub(crate) const FILE_ROWS_MAX: u64 = 1 << POSITION_ROW_BITS;

/// The position of a file's row in the whole source.
pub(crate) fn position(file: u32, row: u64) -> u64 {
    (u64::from(file) << POSITION_ROW_BITS) + row
}

/// The file that a unit is in.
pub(crate) fn file_of<'a, F>(files: &'a [F], unit: &ScanUnit) -> Result<&'a F> {
    let file = files.get(unit.file as usize);
    file.ok_or_else(|| Error::internal(format!("there is no file {}", unit.file)))
}

/// Partitions in the making.
pub(crate) struct Partitioner {
    /// The rows after which a partition is closed, at most.
    wanted: u64,
    /// One part in so many of the rows that are left is as much.
    share: u64,
    /// The rows of the source that have not been passed.
    remaining: u64,
    /// The rows still wanted by `LIMIT`.
    limit: u64,
    out: Partitions,
    open: Partition,
    open_rows: u64,
}

impl Partitioner {
    /// For a scan of a source of so many rows.
    pub(crate) fn new(request: &ScanRequest, rows: u64) -> Self {
        let unfiltered = request.filters.is_empty();
        Self {
            wanted: request.partition_rows.max(1),
            share: request.partition_share.max(1),
            remaining: rows,
            limit: request.limit.filter(|_| unfiltered).unwrap_or(u64::MAX),
            out: Partitions {
                filters_exact: vec![false; request.filters.len()],
                ..Default::default()
            },
            open: Partition::default(),
            open_rows: 0,
        }
    }

    /// Whether no more rows are wanted.
    pub(crate) fn is_full(&self) -> bool {
        self.limit == 0
    }

    /// The rows that are still wanted.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// The rows of the source that have not been passed.
    pub(crate) fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Counts a row group, or what a format has in its stead.
    pub(crate) fn count(&mut self, is_read: bool) {
        match is_read {
            true => self.out.row_groups += 1,
            false => self.out.row_groups_pruned += 1,
        }
    }

    /// Leaves rows of the source behind, whether they are in units or not.
    pub(crate) fn pass(&mut self, rows: u64) {
        self.remaining = self.remaining.saturating_sub(rows);
    }

    /// Adds a unit to the partition that is open.
    pub(crate) fn add(&mut self, unit: ScanUnit) {
        let rows = unit.row_count();
        self.limit = self.limit.saturating_sub(rows);
        self.open_rows += rows;
        self.open.units.push(unit);
        if self.open_rows >= self.rows_max() {
            self.close();
        }
    }

    /// The rows after which a partition is closed: fewer towards the end.
    fn rows_max(&self) -> u64 {
        (self.remaining / self.share).clamp(self.wanted.min(PARTITION_ROWS_MIN), self.wanted)
    }

    fn close(&mut self) {
        if !self.open.units.is_empty() {
            self.out.list.push(std::mem::take(&mut self.open));
            self.open_rows = 0;
        }
    }

    /// All partitions.
    pub(crate) fn finish(mut self) -> Partitions {
        self.close();
        self.out
    }
}
