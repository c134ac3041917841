//! A sort of any size within one task: push batches, read them back in order.
//!
//! ```text
//!   push, push, .. --> SortRun --> runs, in memory or spilled --finish--> MergeRuns --> batches
//! ```

use std::sync::Arc;

use arrow::array::RecordBatch;
use dframe_core::Result;
use dframe_runtime::TaskContext;

use super::SortSpec;
use super::merge::{MergeRuns, RunSlice};
use super::run::{RUN_TAG, SortRun};

/// Sorts batches on the caller's thread; what does not fit is spilled.
pub(crate) struct ExternalSort {
    spec: Arc<SortSpec>,
    run: SortRun,
    context: TaskContext,
}

impl ExternalSort {
    /// No rows yet.
    pub(crate) fn new(spec: &Arc<SortSpec>, context: &TaskContext) -> Self {
        Self { spec: spec.clone(), run: SortRun::new(spec, context), context: context.clone() }
    }

    /// Takes rows in. Columns may be dictionaries of the types of [`SortSpec::schema`].
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        self.run.add(batch, &self.context)
    }

    /// The rows in order; equal rows as they were pushed. Text may come as codes of a dictionary.
    pub(crate) fn finish(self) -> Result<MergeRuns> {
        let parts = self.run.finish_runs(&self.context)?;
        let runs = parts.into_iter().filter(|part| part.tag() == RUN_TAG);
        let runs = runs.map(RunSlice::whole).collect();
        MergeRuns::new(&self.spec, runs, self.spec.run_memory, &self.context)
    }
}
