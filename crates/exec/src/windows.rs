//! Rows in windows of time: blockwise, a copy of the batch for each window that a row can be in.
//!
//! ```text
//!   batch --copy 0--> rows in windows 0, 2, 4 ..  \
//!         --copy 1--> rows in windows 1, 3, 5 ..   +--> what follows, one copy after the other
//! ```
//!
//! All rows of a window are in one copy, so that their order, and with it `first` and `last`, stays what it is. Nothing
//! is held: a copy goes through all that follows before the next one is made.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::compute::{filter_record_batch, is_not_null};
use arrow::datatypes::SchemaRef;
use dframe_core::Result;
use dframe_expr::{BoundExpr, BoundWindows, bind, plain};
use dframe_plan::ScannedBatch;
use dframe_plan::node::{Node, Windows};

use crate::pipeline::{BlockMap, batch_of};

/// What makes windows of batches.
#[derive(Clone, Debug)]
pub(crate) struct WindowOp {
    instant: BoundExpr,
    windows: Arc<BoundWindows>,
    /// The columns of the batch, then starts, and ends if there is one more.
    schema: SchemaRef,
}

impl WindowOp {
    /// The windows of `node`, over batches of the columns `input`.
    pub(crate) fn new(node: &Windows, input: &SchemaRef) -> Result<Self> {
        let instant = bind(&node.instant, input)?;
        let windows = Arc::new(node.windows.bind(instant.data_type())?);
        Ok(Self { instant, windows, schema: node.schema() })
    }

    /// The most windows that a row can be in.
    pub(crate) fn copies(&self) -> usize {
        self.windows.copies()
    }

    /// The rows of copy `copy` that are in a window; `None` if there are none.
    fn copy(&self, rows: &RecordBatch, copy: usize) -> Result<Option<RecordBatch>> {
        let instants = plain(&self.instant.evaluate_array(rows)?)?;
        let starts = self.windows.starts(&instants, copy)?;
        if starts.null_count() == starts.len() {
            return Ok(None);
        }
        let mask = (starts.null_count() > 0).then(|| is_not_null(&starts)).transpose()?;
        let mut columns = rows.columns().to_vec();
        columns.push(starts);
        if columns.len() < self.schema.fields().len() {
            columns.push(self.windows.ends(&instants, copy)?);
        }
        let batch = batch_of(&self.schema, columns, rows.num_rows())?;
        Ok(Some(match mask {
            Some(mask) => filter_record_batch(&batch, &mask)?,
            None => batch,
        }))
    }
}

impl BlockMap for WindowOp {
    fn name(&self) -> &'static str {
        "windows"
    }

    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn map(
        &self,
        batch: &ScannedBatch,
        emit: &mut dyn FnMut(RecordBatch) -> Result<bool>,
    ) -> Result<bool> {
        for copy in 0..self.copies() {
            if let Some(rows) = self.copy(&batch.rows, copy)?
                && !emit(rows)?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
