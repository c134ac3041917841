//! The stages whose tasks each read their bucket of everything that some stages made.
//!
//! ```text
//!   [`Shuffle`]   chunks, cut by key --a bucket of all--> BucketWork --> chunk
//!   [`Stream`]    chunks, cut by key --a bucket of all--> BucketStream --batches--> operators --> fold
//!   both          the chunks of a division -------------> the same
//! ```
//!
//! How rows are cut is `exchange`'s business, what is done with a bucket an operator's.

use std::sync::Arc;

use arrow::array::RecordBatch;
use dframe_core::Result;
use dframe_plan::ScannedBatch;
use dframe_runtime::{Chunk, Dependency, Pattern, Stage, Task, TaskContext};

use crate::stage::{Folding, Fused, StageTasks, TASK_POSITION_BITS, finishing};

/// What the tasks of a [`Shuffle`] do.
pub(crate) trait BucketWork: Send + Sync {
    /// A name for plans.
    fn name(&self) -> &str;

    /// Whether it reads its inputs as they are, so that it can be done again after it has failed.
    fn is_repeatable(&self) -> bool;

    /// Makes a chunk of bucket `bucket` of `inputs`, which has a chunk for each stage that is read.
    fn run(&self, bucket: u32, inputs: Vec<Chunk>, context: &TaskContext) -> Result<Chunk>;
}

/// Works on each bucket of everything that some stages made.
pub(crate) struct Shuffle {
    /// What is read.
    pub(crate) inputs: BucketInputs,
    /// What is done with a bucket.
    pub(crate) work: Arc<dyn BucketWork>,
}

impl Stage for Shuffle {
    fn name(&self) -> &str {
        self.work.name()
    }

    fn pattern(&self) -> Pattern {
        self.inputs.pattern()
    }

    fn task_count(&self) -> usize {
        self.inputs.task_count()
    }

    fn dependencies(&self, index: usize) -> Vec<Dependency> {
        self.inputs.dependencies(index)
    }

    fn is_repeatable(&self) -> bool {
        self.work.is_repeatable()
    }

    fn task(&self, index: usize) -> Result<Box<dyn Task>> {
        let (work, inputs) = (self.work.clone(), self.inputs.clone());
        Ok(finishing(move |chunks, context| {
            let (bucket, sides) = inputs.bucket(index, chunks);
            work.run(bucket, sides, context)
        }))
    }
}

/// What the tasks of these stages read.
#[derive(Clone)]
pub(crate) enum BucketInputs {
    /// Each its bucket, out of so many, of all chunks of each of these stages.
    Buckets(Vec<StageTasks>, u32),
    /// Each its division: the next few tasks of a stage, one for each side, whose chunks are of one bucket.
    Divisions {
        /// The stage.
        stage: StageTasks,
        /// The tasks of a division.
        sides: usize,
    },
}

impl BucketInputs {
    fn pattern(&self) -> Pattern {
        match self {
            Self::Buckets(..) => Pattern::Shuffle,
            Self::Divisions { .. } => Pattern::Blockwise,
        }
    }

    fn task_count(&self) -> usize {
        match self {
            Self::Buckets(_, buckets) => *buckets as usize,
            Self::Divisions { stage, sides } => stage.tasks / sides,
        }
    }

    fn dependencies(&self, index: usize) -> Vec<Dependency> {
        match self {
            Self::Buckets(inputs, _) => inputs.iter().map(|input| input.all()).collect(),
            Self::Divisions { stage, sides } => {
                let tasks = index * sides..(index + 1) * sides;
                vec![Dependency { stage: stage.stage, tasks }]
            }
        }
    }

    /// The bucket that task `index` reads, and a chunk for each side out of its inputs.
    fn bucket(&self, index: usize, chunks: Vec<Chunk>) -> (u32, Vec<Chunk>) {
        match self {
            Self::Buckets(inputs, _) => (index as u32, sides(inputs, chunks)),
            Self::Divisions { .. } => (0, chunks),
        }
    }
}

/// Makes rows of a bucket, batch by batch.
pub(crate) trait BucketStream: Send + Sync {
    /// A name for plans.
    fn name(&self) -> &'static str;

    /// Whether it reads its inputs as they are, so that it can be done again after it has failed.
    fn is_repeatable(&self) -> bool;

    /// Makes rows of bucket `bucket` of `inputs`, which has a chunk for each stage that is read. `emit`
    /// takes them, and says whether more are wanted; so does what comes back.
    fn stream(
        &self,
        bucket: u32,
        inputs: Vec<Chunk>,
        context: &TaskContext,
        emit: &mut dyn FnMut(RecordBatch) -> Result<bool>,
    ) -> Result<bool>;
}

/// Streams each bucket of everything that some stages made into a [`Fold`].
pub(crate) struct Stream {
    /// What is read, and what makes rows of it.
    pub(crate) origin: StreamOrigin,
    /// What is done with them.
    pub(crate) fused: Arc<Fused>,
    /// The stage's name.
    pub(crate) name: String,
}

/// Buckets of some stages, and what makes rows of them.
#[derive(Clone)]
pub(crate) struct StreamOrigin {
    /// The stages.
    pub(crate) inputs: BucketInputs,
    /// What makes rows.
    pub(crate) work: Arc<dyn BucketStream>,
}

impl Stream {
    /// A stage that takes what `origin` makes through `fused`.
    pub(crate) fn new(origin: StreamOrigin, fused: Arc<Fused>) -> Self {
        let name = fused.name(origin.work.name());
        Self { origin, fused, name }
    }
}

impl Stage for Stream {
    fn name(&self) -> &str {
        &self.name
    }

    fn pattern(&self) -> Pattern {
        self.origin.inputs.pattern()
    }

    fn task_count(&self) -> usize {
        self.origin.inputs.task_count()
    }

    fn dependencies(&self, index: usize) -> Vec<Dependency> {
        let mut all = self.origin.inputs.dependencies(index);
        all.extend(self.fused.after());
        all
    }

    fn is_repeatable(&self) -> bool {
        self.origin.work.is_repeatable()
    }

    fn task(&self, index: usize) -> Result<Box<dyn Task>> {
        let StreamOrigin { inputs, work } = self.origin.clone();
        let mut folding = Folding::new(&self.fused);
        Ok(finishing(move |chunks, context| {
            // Positions only have to grow from task to task, and within one.
            let mut position = (index as u64) << TASK_POSITION_BITS;
            let (bucket, sides) = inputs.bucket(index, chunks);
            work.stream(bucket, sides, context, &mut |rows| {
                let next = position + rows.num_rows() as u64;
                let batch = ScannedBatch { rows, position };
                position = next;
                folding.push(batch, context)
            })?;
            folding.finish(context)
        }))
    }
}

/// A chunk for each of `inputs`, out of the chunks of all their tasks.
fn sides(inputs: &[StageTasks], chunks: Vec<Chunk>) -> Vec<Chunk> {
    let mut chunks = chunks.into_iter();
    let side = |input: &StageTasks| Chunk::concat(chunks.by_ref().take(input.tasks));
    inputs.iter().map(side).collect()
}
