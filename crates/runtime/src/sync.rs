//! `SyncExecutor`: everything on the calling thread, depth first, one task at a time.
//!
//! The oracle for the threaded executor, and the way to debug a graph. A task runs when the consumer
//! asks for a chunk that needs it; no more than one fetch is held.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dframe_core::{ErrorKind, Event, Result, Workers};

use crate::chunk::Chunk;
use crate::chunk_table::ChunkTable;
use crate::run::{Executor, Run, fenced};
use crate::task::{Flow, Stage, StageGraph, Task, TaskContext};
use crate::tasks::{TaskGraph, TaskRun, run_in_turn};

/// Runs a graph on the thread that asks for the result.
#[derive(Clone, Copy, Debug, Default)]
pub struct SyncExecutor;

impl SyncExecutor {
    /// The executor.
    pub fn new() -> Self {
        Self
    }
}

impl Executor for SyncExecutor {
    fn run(&self, graph: StageGraph, context: TaskContext) -> Result<Run> {
        let outputs = graph.stages().last().map_or(0, |stage| stage.task_count());
        let table = ChunkTable::new(&graph)?;
        Ok(Run::new(SyncRun { graph, context, table, outputs: 0..outputs }))
    }

    fn run_tasks(&self, graph: TaskGraph, context: TaskContext) -> Result<TaskRun> {
        run_in_turn(graph, context)
    }

    fn workers(&self) -> Workers {
        Workers::default()
    }
}

struct SyncRun {
    graph: StageGraph,
    context: TaskContext,
    table: ChunkTable,
    outputs: std::ops::Range<usize>,
}

impl Iterator for SyncRun {
    type Item = Result<Chunk>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.outputs.next()?;
        Some(self.task(self.graph.stages().len() - 1, index))
    }
}

impl SyncRun {
    /// Runs a task after those it depends on. Recurses as deep as there are stages.
    fn task(&mut self, position: usize, index: usize) -> Result<Chunk> {
        let stage = self.graph.stages()[position].clone();
        let dependencies = stage.dependencies(index);
        for dependency in &dependencies {
            for needed in dependency.tasks.clone() {
                if !self.table.has(dependency.stage, needed) {
                    let chunk = self.task(dependency.stage, needed)?;
                    self.table.put(dependency.stage, needed, chunk);
                }
            }
        }
        self.context.cancel.check()?;
        let inputs = self.table.hand_over(&dependencies);
        let mut busy = Duration::ZERO;
        self.context.observer.observe(&Event::TaskStarted {
            stage: position,
            name: stage.name().to_string(),
            index,
        });
        let begin = Instant::now();
        let result = fenced(stage.name(), index, || {
            run_task(&stage, index, inputs, &self.context, &mut busy)
        });
        self.context.observer.observe(&Event::TaskRan {
            stage: position,
            name: stage.name().to_string(),
            index,
            took: begin.elapsed(),
        });
        self.context.observer.observe(&Event::TaskFinished {
            stage: position,
            name: stage.name().to_string(),
            index,
            busy,
            rows: result.as_ref().map_or(0, Chunk::rows),
            bytes: result.as_ref().map_or(0, Chunk::bytes),
        });
        result
    }
}

fn run_task(
    stage: &Arc<dyn Stage>,
    index: usize,
    inputs: Vec<Chunk>,
    context: &TaskContext,
    busy: &mut Duration,
) -> Result<Chunk> {
    let mut task: Box<dyn Task> = stage.task(index)?;
    while let Some(job) = task.next_fetch() {
        context.cancel.check()?;
        let held = match context.budget.reserve(job.bytes, stage.name()) {
            Err(error) if error.kind() == ErrorKind::OverBudget => {
                task.give_way(context)?;
                context.budget.reserve(job.bytes, stage.name())?
            }
            held => held?,
        };
        let fetched = (job.run)()?;
        context.observer.observe(&Event::BytesRead(fetched.len() as u64));
        let begin = Instant::now();
        let flow = task.step(fetched, held, context)?;
        *busy += begin.elapsed();
        if flow == Flow::Enough {
            break;
        }
    }
    context.cancel.check()?;
    let begin = Instant::now();
    let chunk = task.finish(inputs, context);
    *busy += begin.elapsed();
    chunk
}
