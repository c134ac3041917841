//! What both executors share: the trait, the result, and the fence around other people's code.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dframe_core::{Error, Result, Workers};

use crate::chunk::Chunk;
use crate::task::{StageGraph, TaskContext};
use crate::tasks::{TaskGraph, TaskRun};

/// Runs task graphs.
pub trait Executor: Send + Sync {
    /// Begins to run `graph`. Tasks that the last stage does not depend on are not run.
    fn run(&self, graph: StageGraph, context: TaskContext) -> Result<Run>;

    /// Begins to run a user's own tasks, with the same threads and memory.
    fn run_tasks(&self, graph: TaskGraph, context: TaskContext) -> Result<TaskRun>;

    /// The threads that compute, for what is done with results: they run its pieces between those of tasks.
    fn workers(&self) -> Workers;
}

/// The chunks of the last stage, in the order of its tasks, made about as fast as they are asked for.
///
/// After an error there is nothing more. Dropping a run stops it, and waits until its tasks have ended.
pub struct Run {
    chunks: Box<dyn Iterator<Item = Result<Chunk>> + Send>,
    ended: bool,
}

impl Run {
    pub(crate) fn new(chunks: impl Iterator<Item = Result<Chunk>> + Send + 'static) -> Self {
        Self { chunks: Box::new(chunks), ended: false }
    }
}

impl Iterator for Run {
    type Item = Result<Chunk>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.chunks.next();
        if !matches!(next, Some(Ok(_))) {
            self.ended = true;
            // What the run still held is given back now rather than when the caller drops it.
            self.chunks = Box::new(std::iter::empty());
        }
        next
    }
}

/// Runs a piece of a task; a panic in it becomes an error that names the task.
pub(crate) fn fenced<T>(name: &str, index: usize, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let message = panic_message(&*payload);
        Err(Error::internal(format!("task {index} of stage '{name}' panicked: {message}")))
    })
}

fn panic_message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
