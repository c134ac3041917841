//! What rows look themselves up in on their way through a task: a table, or a filter of keys.

use std::fmt::Debug;

use arrow::array::{ArrayRef, BooleanArray};
use dframe_core::Result;
use dframe_plan::ScannedBatch;

use super::probe::Emit;
use super::probed_units::KnownKeys;
use crate::exchange::ExchangeSpec;
use crate::pipeline::RowChange;
use crate::skip::ScanColumn;

/// Keys of one side of a join, which a stage has made, for rows of the other side to look themselves up in.
pub(crate) trait LookUp: Debug + Send + Sync {
    /// What looking up is called in plans.
    fn name(&self) -> &'static str;

    /// How many rows come out of those that go in.
    fn row_change(&self) -> RowChange;

    /// Emits what comes out for `batch`; says whether more is wanted.
    fn look_up(&self, batch: ScannedBatch, emit: &mut Emit<'_>) -> Result<bool>;

    /// The rows that look themselves up, with their keys.
    fn probing(&self) -> &ExchangeSpec;

    /// The column of the rows that look themselves up that column `column` of what comes out of it is, if it is one.
    fn probing_column(&self, column: usize) -> Option<usize>;

    /// Whether rows that find no partner do not come out.
    fn drops_unpaired(&self) -> bool;

    /// Which of some rows may find their keys, if that is known and worth while.
    fn finds(&self, keys: &[ArrayRef], rows: usize) -> Result<Option<BooleanArray>>;

    /// What is known of all keys, once they are there.
    fn known_keys(&self) -> Option<&KnownKeys>;
}

/// The column of a scan that key `key` of rows that look themselves up is; `column` tells which one a column of theirs
/// is.
pub(super) fn scanned_key(
    probing: &ExchangeSpec,
    key: usize,
    column: impl Fn(usize) -> Option<ScanColumn>,
) -> Option<ScanColumn> {
    let (place, data_type) = probing.key_column(key)?;
    Some(column(place)?.cast_to(data_type))
}
