//! What is to be done: tasks with their dependencies, and handles of the values they will have.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dframe_core::{CancelToken, Error, Result};

use crate::tasks::inputs::Inputs;
use crate::tasks::retry::Retry;

/// What a task fails with: any error, by `?`.
pub type TaskError = Box<dyn std::error::Error + Send + Sync>;

/// How often [`TaskScope::sleep`] looks whether it should stop.
const NAP: Duration = Duration::from_millis(10);

/// What a task spends its time with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bound {
    /// Computing: it runs on a worker, as many at once as there are workers.
    Cpu,
    /// Waiting, for a server, a file, a database, a query: it runs on a thread of its own and holds no
    /// worker; hundreds run at once.
    Io,
}

/// Tasks and what each needs of others.
///
/// A task is a closure that is called with the values of the tasks it needs. It may be called again if
/// it fails, so it only borrows what it captures. Tasks that do the same for different things share a
/// name, and are told apart by their labels. There are no cycles: a task can only need tasks that were
/// added before it.
///
/// A value is freed once no task will need it and its [`Handle`]s are gone.
///
/// ```
/// use dframe_runtime::tasks::{Retry, TaskGraph, TaskOptions};
///
/// let mut graph = TaskGraph::new();
/// let pages: Vec<_> = ["a", "b"]
///     .into_iter()
///     .map(|page| {
///         let options = TaskOptions::io_bound("request").label(page).retry(Retry::up_to(3));
///         graph.add(options, (), move |(), _| Ok(format!("page {page}")))
///     })
///     .collect();
/// let letters = graph.cpu_bound("count", pages, |pages, _| {
///     Ok(pages.iter().map(|page| page.len()).sum::<usize>())
/// });
/// # use std::sync::Arc;
/// # use dframe_core::{Budget, CancelToken, Silent};
/// # use dframe_runtime::{ChunkStore, Executor, StoreOptions, SyncExecutor, TaskContext};
/// # let budget = Budget::new(1 << 20);
/// # let spill = StoreOptions { temp_dir: std::env::temp_dir(), temp_limit: None };
/// # let store = ChunkStore::new(spill, Arc::new(Silent), budget.clone());
/// # let context = TaskContext { budget, store, cancel: CancelToken::new(), observer: Arc::new(Silent) };
/// # let run = |graph| SyncExecutor::new().run_tasks(graph, context);
/// let report = run(graph)?.wait()?;
/// assert_eq!(*report.value(&letters)?, 12);
/// # Ok::<(), dframe_core::Error>(())
/// ```
#[derive(Default)]
pub struct TaskGraph {
    pub(super) identity: Identity,
    pub(super) nodes: Vec<Node>,
    /// What is wrong with the graph, told when it is run.
    pub(super) invalid: Option<Error>,
}

/// Tells graphs apart.
pub(super) type Identity = Arc<()>;

/// A task with its body.
pub(super) struct Node {
    pub(super) options: TaskOptions,
    pub(super) needs: Vec<usize>,
    /// Called once for each attempt; dropped, with the values it holds, after the last one.
    pub(super) body: Option<Body>,
}

/// Runs a task and keeps its value.
pub(super) type Body = Arc<dyn Fn(&TaskScope) -> Result<(), TaskError> + Send + Sync>;

impl TaskGraph {
    /// A graph without tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a task that computes.
    pub fn cpu_bound<I: Inputs, T: Send + Sync + 'static>(
        &mut self,
        name: impl Into<String>,
        inputs: I,
        run: impl Fn(I::Values, &TaskScope) -> Result<T, TaskError> + Send + Sync + 'static,
    ) -> Handle<T> {
        self.add(TaskOptions::cpu_bound(name), inputs, run)
    }

    /// Adds a task that waits.
    pub fn io_bound<I: Inputs, T: Send + Sync + 'static>(
        &mut self,
        name: impl Into<String>,
        inputs: I,
        run: impl Fn(I::Values, &TaskScope) -> Result<T, TaskError> + Send + Sync + 'static,
    ) -> Handle<T> {
        self.add(TaskOptions::io_bound(name), inputs, run)
    }

    /// Adds a task. It runs after the tasks that `inputs` names have succeeded, and is called with their
    /// values; if one of them fails, it is skipped.
    ///
    /// A handle of another graph is an error of the run.
    pub fn add<I: Inputs, T: Send + Sync + 'static>(
        &mut self,
        options: TaskOptions,
        inputs: I,
        run: impl Fn(I::Values, &TaskScope) -> Result<T, TaskError> + Send + Sync + 'static,
    ) -> Handle<T> {
        let id = TaskId { graph: self.identity.clone(), index: self.nodes.len() };
        let handle = Handle { id, value: Arc::default() };
        let needs = self.checked_needs(&options, inputs.tasks());
        let slot = handle.value.clone();
        let body: Body = Arc::new(move |scope| {
            let value = run(inputs.values(), scope)?;
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(value));
            Ok(())
        });
        self.nodes.push(Node { options, needs, body: Some(body) });
        handle
    }

    /// The number of tasks.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no tasks.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    fn checked_needs(&mut self, options: &TaskOptions, needs: Vec<TaskId>) -> Vec<usize> {
        if needs.iter().any(|id| !Arc::ptr_eq(&id.graph, &self.identity)) {
            let message = format!("{} needs a task of another graph", options.described());
            self.invalid.get_or_insert_with(|| {
                Error::invalid_input(message).remedy("add both tasks to one graph")
            });
            return Vec::new();
        }
        let mut needs: Vec<usize> = needs.into_iter().map(|id| id.index).collect();
        needs.sort_unstable();
        needs.dedup();
        needs
    }
}

impl fmt::Debug for TaskGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskGraph({} tasks)", self.len())
    }
}

/// What a task is called, and how it is run.
#[derive(Clone, Debug)]
pub struct TaskOptions {
    pub(super) bound: Bound,
    pub(super) name: String,
    pub(super) label: Option<String>,
    pub(super) memory: usize,
    pub(super) retry: Retry,
}

impl TaskOptions {
    /// A task that computes.
    pub fn cpu_bound(name: impl Into<String>) -> Self {
        Self::new(Bound::Cpu, name.into())
    }

    /// A task that waits.
    pub fn io_bound(name: impl Into<String>) -> Self {
        Self::new(Bound::Io, name.into())
    }

    fn new(bound: Bound, name: String) -> Self {
        Self { bound, name, label: None, memory: 0, retry: Retry::default() }
    }

    /// What the task is about, to tell it from others of the same name.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// The memory in bytes that the task takes while it runs. It is reserved before the task starts,
    /// out of the limit that queries share; chunks of queries are spilled for it.
    pub fn memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// When to try again if it fails. It is tried once unless told.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// `task 'request' (AAPL)`.
    pub(super) fn described(&self) -> String {
        match &self.label {
            Some(label) => format!("task '{}' ({label})", self.name),
            None => format!("task '{}'", self.name),
        }
    }
}

/// A task in its graph.
#[derive(Clone, Debug)]
pub struct TaskId {
    pub(super) graph: Identity,
    pub(super) index: usize,
}

/// Stands for the value that a task will have. Cloning shares it.
pub struct Handle<T> {
    id: TaskId,
    value: Arc<Mutex<Option<Arc<T>>>>,
}

impl<T> Handle<T> {
    /// The task.
    pub fn id(&self) -> TaskId {
        self.id.clone()
    }

    /// The value, once the task has succeeded.
    pub fn value(&self) -> Option<Arc<T>> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        Self { id: self.id.clone(), value: self.value.clone() }
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle(task {})", self.id.index)
    }
}

/// What a task may ask while it runs.
#[derive(Clone, Debug)]
pub struct TaskScope {
    pub(super) cancel: CancelToken,
    pub(super) attempt: u32,
}

impl TaskScope {
    /// Which attempt this is: 1 is the first.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The token that is cancelled when the task should stop.
    pub fn cancel_token(&self) -> &CancelToken {
        &self.cancel
    }

    /// # Errors
    /// The task should stop. A task that takes long looks at this now and then.
    pub fn check(&self) -> Result<()> {
        self.cancel.check()
    }

    /// Waits, unless the task should stop; for I/O-bound tasks. To wait until something is ready, it is
    /// better to fail and be [tried again](Retry): that holds no thread meanwhile.
    ///
    /// # Errors
    /// The task should stop.
    pub fn sleep(&self, duration: Duration) -> Result<()> {
        let end = Instant::now() + duration;
        loop {
            self.check()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(NAP));
        }
    }
}
