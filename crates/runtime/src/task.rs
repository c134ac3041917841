//! Tasks, the stages they come in, and the graph of stages.
//!
//! ```text
//!   stage 0: scan       [0] [1] [2] [3] ...      each task: fetch* -> step* -> finish -> Chunk
//!                         \  |   |  /
//!   stage 1: combine       [0]  [1]              tasks are made when they are about to run
//!                             \/
//!   stage 2: output        [0] [1] [2]           the last stage's chunks are the result, in order
//! ```
//!
//! A graph of 100,000 partitions is a few stages: a [`Stage`] says how many tasks it has, what each
//! depends on, and makes one when it is asked to. Nothing here knows plans or columns.

use std::ops::Range;
use std::sync::Arc;

use dframe_core::{Budget, CancelToken, Fetched, Observer, Reservation, Result};

use crate::chunk::Chunk;
use crate::store::ChunkStore;
use crate::tasks::Bound;

/// The pattern a stage follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// Each task reads a partition, or one chunk of the stage before.
    Blockwise,
    /// Each task combines a few chunks of the stage before.
    TreeReduce,
    /// Each task reads its share of every chunk of the stage before.
    Shuffle,
    /// A user's own tasks, each with dependencies of its own.
    User(Bound),
}

/// The chunks a task needs: tasks `range` of stage `stage`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The stage, which comes earlier in the graph.
    pub stage: usize,
    /// The tasks of that stage.
    pub tasks: Range<usize>,
}

/// Tasks of one kind.
pub trait Stage: Send + Sync {
    /// What its tasks do, in a few words: `scan+filter+partial aggregate`.
    fn name(&self) -> &str;

    /// The pattern.
    fn pattern(&self) -> Pattern;

    /// The number of tasks.
    fn task_count(&self) -> usize;

    /// What task `index` needs, in the order in which its chunks are handed to `finish`.
    fn dependencies(&self, index: usize) -> Vec<Dependency>;

    /// The memory task `index` will need besides what it fetches, as far as is known.
    fn projected_bytes(&self, index: usize) -> usize {
        let _ = index;
        0
    }

    /// Whether a task whose `finish` has failed can be made again and finished again with the same inputs:
    /// it reads them as they are, takes nothing out of them, and leaves nothing behind. Such a task goes
    /// again, with no other of its run beside it, when the budget has refused it.
    fn is_repeatable(&self) -> bool {
        false
    }

    /// How many fetches of a task should be under way at once. More than one: each waits for a network, so that
    /// tasks are also opened, and read for, before there is a core for them.
    fn fetches_ahead(&self) -> usize {
        1
    }

    /// Makes task `index`. Cheap.
    fn task(&self, index: usize) -> Result<Box<dyn Task>>;
}

/// I/O that must be done before a task's next step.
pub struct FetchJob {
    /// The memory that the fetched bytes and the step that decodes them will need.
    pub bytes: usize,
    /// Reads; runs on an I/O thread, and may wait.
    pub run: Box<dyn FnOnce() -> Result<Fetched> + Send>,
}

/// Whether a task wants to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// There may be more to fetch.
    Continue,
    /// What has been read is enough: skip the remaining fetches.
    Enough,
}

/// A unit of work that folds what it fetches, and the chunks it depends on, into a chunk.
///
/// The executor calls `next_fetch` until it returns `None`, runs each job on an I/O thread ahead of
/// time, and calls `step` on a worker with the bytes, in order; then `finish`. Between two calls the
/// task holds no core.
pub trait Task: Send {
    /// The next thing to read, if there is one. Cheap. Called ahead of the steps.
    fn next_fetch(&mut self) -> Option<FetchJob> {
        None
    }

    /// Takes in the bytes of the oldest fetch that was not yet stepped. `held` covers
    /// [`FetchJob::bytes`]; dropping it gives them back.
    fn step(&mut self, fetched: Fetched, held: Reservation, context: &TaskContext) -> Result<Flow> {
        drop((fetched, held, context));
        Ok(Flow::Continue)
    }

    /// Hands memory over to the chunk store, which can spill it, as far as the task can do without. Asked for
    /// between two steps, when the budget has refused a read and nothing else is left that could end.
    fn give_way(&mut self, context: &TaskContext) -> Result<()> {
        let _ = context;
        Ok(())
    }

    /// Makes the chunk out of what was stepped and the chunks of the dependencies, one for each task
    /// depended on, in order.
    fn finish(self: Box<Self>, inputs: Vec<Chunk>, context: &TaskContext) -> Result<Chunk>;
}

/// What a task may use while it runs.
#[derive(Clone)]
pub struct TaskContext {
    /// The memory limit.
    pub budget: Budget,
    /// Keeps chunks, and spills them.
    pub store: Arc<ChunkStore>,
    /// Set when the run should stop; looked at between batches.
    pub cancel: CancelToken,
    /// Receives events.
    pub observer: Arc<dyn Observer>,
}

/// Stages in an order in which each depends on earlier ones only. The last one's chunks, in order of
/// their tasks, are the result.
#[derive(Clone, Default)]
pub struct StageGraph {
    stages: Vec<Arc<dyn Stage>>,
}

impl StageGraph {
    /// A graph without stages.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a stage and returns its position.
    pub fn push(&mut self, stage: Arc<dyn Stage>) -> usize {
        self.stages.push(stage);
        self.stages.len() - 1
    }

    /// The stages.
    pub fn stages(&self) -> &[Arc<dyn Stage>] {
        &self.stages
    }
}
