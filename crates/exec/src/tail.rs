//! The merger: what is done with the chunks of the last stage, in the order of their tasks.
//!
//! ```text
//!   chunk 0, chunk 1, .. --> [merge sorted runs] --> [skip and cut] --> [filter, project] --> batches
//! ```
//!
//! It is an iterator: rows come out while later tasks still run, and once enough have come the
//! chunks are dropped, which stops the tasks. A sort waits for all chunks, the others for none.

use std::sync::Arc;

use arrow::array::RecordBatch;
use dframe_core::Result;
use dframe_plan::ScannedBatch;
use dframe_runtime::{Chunk, TaskContext};

use crate::pipeline::{self, BlockMap, BlockOp};
use crate::row_numbers::NumberOp;
use crate::sort::{MergeRuns, RUN_TAG, RunSlice, SortSpec};

/// A step of the merger.
#[derive(Clone, Debug)]
pub(crate) enum TailOp {
    /// The parts of all chunks are sorted runs: merge them.
    Merge(Arc<SortSpec>),
    /// Skip `offset` rows, then keep `limit`.
    Slice {
        /// Rows skipped.
        offset: u64,
        /// Rows kept; all if absent.
        limit: Option<u64>,
    },
    /// A blockwise operator.
    Block(BlockOp),
    /// Numbers rows in the order in which they come.
    Number(NumberOp),
}

impl TailOp {
    /// What it is called in plans.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            TailOp::Merge(_) => "merge",
            TailOp::Slice { .. } => "limit",
            TailOp::Block(op) => op.name(),
            TailOp::Number(op) => op.name(),
        }
    }
}

/// Batches, as they are asked for.
pub(crate) type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// Takes chunks, given in order, through `ops`.
pub(crate) fn run(
    ops: &[TailOp],
    chunks: impl Iterator<Item = Result<Chunk>> + Send + 'static,
    context: &TaskContext,
) -> Batches {
    let (mut batches, rest): (Batches, _) = match ops.split_first() {
        Some((TailOp::Merge(spec), rest)) => {
            let (spec, context) = (spec.clone(), context.clone());
            (lazily(move || merge(&spec, chunks, &context)), rest)
        }
        _ => (Box::new(chunks.flat_map(batches_of)), ops),
    };
    for op in rest {
        batches = match op.clone() {
            // A merge further down follows a stage of its own: `lower` never builds this.
            TailOp::Merge(_) => batches,
            TailOp::Slice { offset, limit } => Box::new(Slice {
                input: Some(batches),
                skip: offset,
                left: limit.unwrap_or(u64::MAX),
            }),
            TailOp::Block(op) => Box::new(batches.flat_map(move |batch| blockwise(&op, batch))),
            TailOp::Number(op) => {
                let mut place = 0;
                Box::new(batches.map(move |batch| {
                    let rows = batch?;
                    let first = place;
                    place += rows.num_rows() as u64;
                    op.number(&rows, first)
                }))
            }
        };
    }
    batches
}

fn merge(
    spec: &Arc<SortSpec>,
    chunks: impl Iterator<Item = Result<Chunk>>,
    context: &TaskContext,
) -> Result<MergeRuns> {
    let chunks = chunks.collect::<Result<Vec<Chunk>>>()?;
    let parts = Chunk::concat(chunks).into_parts().into_iter();
    let runs = parts.filter(|part| part.tag() == RUN_TAG).map(RunSlice::whole).collect();
    MergeRuns::new(spec, runs, context.budget.limit() / 2, context)
}

/// The batches of an iterator that is made when the first one is asked for.
fn lazily<I>(make: impl FnOnce() -> Result<I> + Send + 'static) -> Batches
where
    I: Iterator<Item = Result<RecordBatch>> + Send + 'static,
{
    Box::new(std::iter::once_with(make).flat_map(|made| -> Batches {
        match made {
            Ok(batches) => Box::new(batches),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    }))
}

fn batches_of(chunk: Result<Chunk>) -> Batches {
    match chunk {
        Ok(chunk) => Box::new(chunk.into_parts().into_iter().flat_map(|part| part.take(None))),
        Err(error) => Box::new(std::iter::once(Err(error))),
    }
}

fn blockwise(op: &BlockOp, batch: Result<RecordBatch>) -> Vec<Result<RecordBatch>> {
    let mut output = Vec::new();
    let mut keep = |batch: ScannedBatch| {
        output.push(Ok(batch.rows));
        Ok(true)
    };
    let outcome = batch.and_then(|rows| {
        let batch = ScannedBatch { rows, position: 0 };
        pipeline::run(std::slice::from_ref(op), batch, &mut keep)
    });
    if let Err(error) = outcome {
        output.push(Err(error));
    }
    output
}

/// Skips rows, then passes rows on until enough have passed; then drops its input.
struct Slice {
    input: Option<Batches>,
    skip: u64,
    left: u64,
}

impl Iterator for Slice {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.left == 0 {
                self.input = None;
            }
            let batch = match self.input.as_mut()?.next()? {
                Ok(batch) => batch,
                Err(error) => return Some(Err(error)),
            };
            let skip = self.skip.min(batch.num_rows() as u64);
            self.skip -= skip;
            let kept = (batch.num_rows() as u64 - skip).min(self.left);
            self.left -= kept;
            if kept > 0 {
                return Some(Ok(batch.slice(skip as usize, kept as usize)));
            }
        }
    }
}
