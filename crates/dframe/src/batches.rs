//! The batches of a run, as they are made.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use dframe_core::{CancelToken, Result};
use dframe_exec::ResultBatches;

use crate::data_frame::DataFrame;

/// The result of a run, batch by batch. Dropping it stops the run; after an error nothing more comes.
pub struct Batches {
    results: ResultBatches,
    cancel: CancelToken,
}

impl Batches {
    pub(crate) fn new(results: ResultBatches, cancel: CancelToken) -> Self {
        Self { results, cancel }
    }

    /// The columns of every batch.
    pub fn schema(&self) -> SchemaRef {
        self.results.schema().clone()
    }

    /// A token that stops this run alone, from any thread.
    pub fn cancel_token(&self) -> CancelToken {
        self.cancel.clone()
    }

    /// All remaining rows, in memory.
    ///
    /// # Errors
    /// What went wrong in the run.
    pub fn into_data_frame(self) -> Result<DataFrame> {
        let schema = self.schema();
        let batches = self.collect::<Result<Vec<_>>>()?;
        Ok(DataFrame::new(schema, batches))
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.results.next()
    }
}

impl std::fmt::Debug for Batches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Batches({})", self.schema())
    }
}
