//! A sort of any size within one task: push batches, read them back in order.
//!
//! ```text
//!   push, push, .. --> SortRun --> runs, in memory or spilled --finish--> MergeRuns --> batches
//!   a bucket of parts, pushed whole                           ----------> MergeRuns --> batches
//! ```

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use dframe_core::Result;
use dframe_runtime::{Part, TaskContext};

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

/// The rows of bucket `bucket` of `parts`, in order.
pub(crate) fn sorted_bucket(
    spec: &Arc<SortSpec>,
    parts: Vec<Arc<Part>>,
    bucket: u32,
    context: &TaskContext,
) -> Result<MergeRuns> {
    let mut sort = ExternalSort::new(spec, context);
    for rows in parts.into_iter().flat_map(|part| part.read(Some(bucket))) {
        context.cancel.check()?;
        sort.push(&copied(&rows?)?)?;
    }
    sort.finish()
}

/// The rows in memory of their own: the buckets of a part are slices of the same, which a run that holds one of
/// them would keep. For the same reason nothing is taken out of a part: its memory is free when all of it is.
fn copied(rows: &RecordBatch) -> Result<RecordBatch> {
    let places: UInt32Array = (0..rows.num_rows() as u32).collect();
    Ok(take_record_batch(rows, &places)?)
}
