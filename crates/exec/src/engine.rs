//! The engine: an executor, a memory limit and a place to spill to, which runs plans.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use dframe_core::{Budget, CancelToken, Observer, Result, Workers};
use dframe_plan::LogicalPlan;
use dframe_runtime::tasks::{TaskGraph, TaskRun};
use dframe_runtime::{
    ChunkStore, Executor, StageGraph, StoreOptions, SyncExecutor, TaskContext, ThreadedExecutor,
    ThreadedOptions,
};

use crate::fold::as_planned;
use crate::held::{HeldSource, Partitioning};
use crate::lower::{LowerOptions, divisions, lower};
use crate::tail::{self, Batches};

/// How an [`Engine`] runs plans.
pub struct EngineOptions {
    /// The memory limit in bytes, for everything in flight in all runs together.
    pub memory_limit: usize,
    /// The workers; 0 runs everything on the thread that asks for the results, in order.
    pub threads: usize,
    /// The threads that wait for reads.
    pub io_threads: usize,
    /// The I/O-bound tasks of users that run at once.
    pub io_tasks: usize,
    /// Where chunks are spilled, in a directory of their own.
    pub temp_dir: PathBuf,
    /// The bytes that may be spilled at once.
    pub temp_limit: Option<u64>,
    /// Receives events.
    pub observer: Arc<dyn Observer>,
}

/// One part in so many of the memory limit is not given out: it is for what nobody reserves, such as
/// code, stacks, metadata, and memory that the allocator keeps.
const UNCOUNTED_SHARE: usize = 8;

/// Runs plans. Several may run at once; they share the memory limit and the workers.
pub struct Engine {
    executor: Box<dyn Executor>,
    budget: Budget,
    store: Arc<ChunkStore>,
    threads: usize,
    observer: Arc<dyn Observer>,
}

impl Engine {
    /// Starts the workers.
    ///
    /// # Errors
    /// The operating system refuses threads.
    pub fn new(options: EngineOptions) -> Result<Self> {
        let EngineOptions { memory_limit, threads, io_threads, io_tasks, .. } = options;
        let EngineOptions { temp_dir, temp_limit, observer, .. } = options;
        let executor: Box<dyn Executor> = match threads {
            0 => Box::new(SyncExecutor),
            _ => {
                Box::new(ThreadedExecutor::new(ThreadedOptions { threads, io_threads, io_tasks })?)
            }
        };
        let budget = Budget::keeping_back(memory_limit / UNCOUNTED_SHARE, memory_limit);
        let store_options = StoreOptions { temp_dir, temp_limit };
        let store = ChunkStore::new(store_options, observer.clone(), budget.clone());
        Ok(Self { executor, budget, store, threads, observer })
    }

    /// The memory limit and what is used of it.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The threads that compute, for what is done with results.
    pub fn workers(&self) -> Workers {
        self.executor.workers()
    }

    /// Begins to run a plan.
    ///
    /// # Errors
    /// What is wrong with the plan or its sources' metadata. Errors of the run come out of the
    /// iterator.
    pub fn execute(&self, plan: &LogicalPlan, cancel: &CancelToken) -> Result<ResultBatches> {
        let lowered = lower(plan, &self.lower_options())?;
        let context = self.context(cancel);
        let run = self.executor.run(lowered.graph, context.clone())?;
        let batches = tail::run(&lowered.tail, run, &context);
        Ok(ResultBatches { batches: Some(batches), schema: lowered.schema, cancel: cancel.clone() })
    }

    /// Runs a plan, and holds its rows within the memory limit, or on disk.
    ///
    /// # Errors
    /// As [`Engine::execute`], and what goes wrong in the run.
    pub fn hold(
        &self,
        plan: &LogicalPlan,
        partitioning: Partitioning,
        cancel: &CancelToken,
    ) -> Result<HeldSource> {
        let batches = self.execute(plan, cancel)?;
        let schema = batches.schema().clone();
        HeldSource::of(schema, batches, partitioning, &self.context(cancel))
    }

    /// Begins to run a user's own tasks, with the threads and the memory limit that plans have.
    ///
    /// # Errors
    /// A graph that is wrong, or the operating system refuses a thread.
    pub fn run_tasks(&self, graph: TaskGraph, cancel: &CancelToken) -> Result<TaskRun> {
        self.executor.run_tasks(graph, self.context(cancel))
    }

    fn context(&self, cancel: &CancelToken) -> TaskContext {
        TaskContext {
            budget: self.budget.clone(),
            store: self.store.clone(),
            cancel: cancel.clone(),
            observer: self.observer.clone(),
        }
    }

    /// The task graph that a plan is lowered to, without running it.
    ///
    /// # Errors
    /// As [`Engine::execute`].
    pub fn graph(&self, plan: &LogicalPlan) -> Result<StageGraph> {
        Ok(lower(plan, &self.lower_options())?.graph)
    }

    /// The divisions of what a plan reads by the column at position `column` of its result, in the order of
    /// values: `rows`, `min` and `max`, NULL where it is beyond all values. `None` if they are not known.
    ///
    /// # Errors
    /// As [`Engine::execute`].
    pub fn divisions(&self, plan: &LogicalPlan, column: usize) -> Result<Option<RecordBatch>> {
        divisions(plan, column, &self.lower_options())
    }

    fn lower_options(&self) -> LowerOptions {
        LowerOptions {
            memory: self.budget.limit(),
            threads: self.threads,
            observer: self.observer.clone(),
        }
    }
}

/// The rows of a result, batch by batch, as they are made. Dropping it stops the run.
pub struct ResultBatches {
    batches: Option<Batches>,
    schema: SchemaRef,
    cancel: CancelToken,
}

impl ResultBatches {
    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        self.cancel.check()?;
        match self.batches.as_mut().and_then(Iterator::next) {
            Some(batch) => as_planned(&batch?, &self.schema).map(Some),
            None => Ok(None),
        }
    }
}

impl Iterator for ResultBatches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_batch().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.batches = None;
        }
        next
    }
}
