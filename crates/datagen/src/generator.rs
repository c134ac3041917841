//! The contract between a table and the machinery that writes it.

use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::buffer::NullBuffer;
use arrow::datatypes::SchemaRef;
use dframe_core::Result;

use crate::random::Stream;

/// A table whose every slice can be made on its own, by any thread, in any order.
pub trait Generator: Send + Sync {
    /// The columns. Strings may be dictionaries in memory; files have them as plain strings.
    fn schema(&self) -> SchemaRef;

    /// The columns by which the rows ascend, NULLs last; none if they are in no order.
    fn sorted_by(&self) -> &[&'static str];

    /// The columns with (nearly) as many values as rows, for which a dictionary would be wasted.
    fn unique_columns(&self) -> &[&'static str];

    /// The given rows of the table: the same whatever the range they are asked with.
    ///
    /// # Errors
    /// Only if the columns do not fit the schema, which is a bug.
    fn block(&self, rows: Range<u64>) -> Result<RecordBatch>;
}

/// Which of `rows` are NULL, a `share` of them on average; `None` if none can be.
pub(crate) fn nulls(
    stream: Stream,
    share: f64,
    rows: impl Iterator<Item = u64>,
) -> Option<NullBuffer> {
    (share > 0.0).then(|| rows.map(|row| stream.unit(row) >= share).collect::<Vec<bool>>().into())
}
