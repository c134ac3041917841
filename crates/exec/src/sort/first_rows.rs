//! Rows of a scan that are none of the first `k`, by their first key alone: their other columns need not be decoded.
//!
//! ```text
//!   columns of the first key --evaluate--> keys that do not come after the threshold --> rows that may matter
//! ```
//!
//! Rows are dropped once more when they are sorted, so that it matters for the cost only.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::datatypes::Schema;
use dframe_core::Result;
use dframe_expr::{BoundExpr, bind, resolve_column};
use dframe_plan::{RowTest, Scan};

use super::SortSpec;
use super::keys::comparable;
use super::threshold::not_after;

/// Tells which rows may be among the first.
#[derive(Debug)]
pub(crate) struct FirstRows {
    spec: Arc<SortSpec>,
    /// The columns of the first key, as positions in the source.
    columns: Vec<usize>,
    /// The first key, over these columns.
    key: BoundExpr,
}

impl FirstRows {
    /// A test of rows of `scan`, which are sorted as they are; `None` if their first key is not made of its columns,
    /// the same each time.
    pub(crate) fn new(spec: &Arc<SortSpec>, scan: &Scan) -> Option<Self> {
        spec.limit?;
        let first = spec.first.as_ref()?;
        let mut columns = Vec::new();
        for column in first.columns() {
            let place = *scan.projection.get(resolve_column(&scan.schema, &column).ok()?)?;
            if !columns.contains(&place) {
                columns.push(place);
            }
        }
        let schema = scan.source.schema();
        let fields: Vec<_> = columns.iter().map(|place| schema.fields()[*place].clone()).collect();
        let key = bind(first, &Schema::new(fields)).ok()?;
        let is_simple = !key.is_volatile() && !key.data_type().is_nested();
        (is_simple && !columns.is_empty()).then(|| Self { spec: spec.clone(), columns, key })
    }
}

impl RowTest for FirstRows {
    fn columns(&self) -> &[usize] {
        &self.columns
    }

    fn may_matter(&self, columns: &RecordBatch) -> Result<Option<BooleanArray>> {
        let Some(bound) = self.spec.threshold.key() else { return Ok(None) };
        let keys = comparable(&self.key.evaluate_array(columns)?)?;
        not_after(&keys, &bound, self.spec.options[0])
    }
}
