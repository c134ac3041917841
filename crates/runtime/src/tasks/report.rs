//! How a run of a user's tasks goes, and how it went.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use dframe_core::{CancelToken, Error, Result};

use crate::tasks::graph::{Handle, Identity, TaskOptions};
use crate::tasks::progress::TaskProgress;

/// What has become of a task.
#[derive(Clone, Debug)]
pub enum TaskOutcome {
    /// It has succeeded.
    Done,
    /// It has failed for good.
    Failed(Error),
    /// It did not run, because of a task that it needs, directly or not.
    Skipped {
        /// The position of the task that failed.
        failed: usize,
    },
    /// The run was cancelled before it began, or while it waited to be tried again.
    Cancelled,
}

/// A task and its end.
#[derive(Clone, Debug)]
pub struct TaskSummary {
    /// The task's name.
    pub name: String,
    /// What tells it from others of the same name.
    pub label: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// How it ended.
    pub outcome: TaskOutcome,
}

/// How a graph of tasks ended, task by task.
pub struct TaskReport {
    graph: Identity,
    tasks: Vec<TaskSummary>,
    progress: TaskProgress,
}

impl TaskReport {
    pub(super) fn new(
        graph: Identity,
        ends: Vec<(TaskOptions, u32, TaskOutcome)>,
        progress: TaskProgress,
    ) -> Self {
        let tasks = ends
            .into_iter()
            .map(|(TaskOptions { name, label, .. }, attempts, outcome)| TaskSummary {
                name,
                label,
                attempts,
                outcome,
            })
            .collect();
        Self { graph, tasks, progress }
    }

    /// All tasks, in the order in which they were added.
    pub fn tasks(&self) -> &[TaskSummary] {
        &self.tasks
    }

    /// The counts.
    pub fn progress(&self) -> TaskProgress {
        self.progress
    }

    /// The errors of the tasks that failed, in the order of the graph.
    pub fn errors(&self) -> impl Iterator<Item = &Error> {
        self.tasks.iter().filter_map(|task| match &task.outcome {
            TaskOutcome::Failed(error) => Some(error),
            _ => None,
        })
    }

    /// The value of a task.
    ///
    /// # Errors
    /// The error of the task, or of the one because of which it was skipped; a cancellation; a handle
    /// of another graph.
    pub fn value<T>(&self, handle: &Handle<T>) -> Result<Arc<T>> {
        let id = handle.id();
        if !Arc::ptr_eq(&id.graph, &self.graph) {
            return Err(Error::invalid_input("this handle is of another graph"));
        }
        match &self.tasks[id.index].outcome {
            TaskOutcome::Done => Ok(handle.value().expect("a task that is done has its value")),
            TaskOutcome::Failed(error) => Err(error.clone()),
            TaskOutcome::Skipped { failed } => match &self.tasks[*failed].outcome {
                TaskOutcome::Failed(error) => Err(error.clone()),
                _ => Err(Error::internal("a task was skipped because of one that did not fail")),
            },
            TaskOutcome::Cancelled => Err(Error::cancelled()),
        }
    }

    /// The report, if every task has succeeded.
    ///
    /// # Errors
    /// The first task's error, or a cancellation.
    pub fn into_complete(self) -> Result<Self> {
        if let Some(error) = self.errors().next() {
            return Err(error.clone());
        }
        match self.progress.done == self.progress.tasks {
            true => Ok(self),
            false => Err(Error::cancelled()),
        }
    }
}

impl fmt::Debug for TaskReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskReport({:?})", self.progress)
    }
}

/// A graph of tasks at work. Dropping it cancels what is left, and waits for tasks that run.
pub struct TaskRun {
    work: Option<TaskWork>,
    progress: SharedProgress,
    cancel: CancelToken,
}

/// Where the tasks run from.
pub(super) enum TaskWork {
    /// A driver's thread.
    Thread(JoinHandle<TaskReport>),
    /// The thread that waits for the report.
    Caller(Box<dyn FnOnce() -> TaskReport + Send>),
}

/// What the run tells of itself meanwhile.
#[derive(Clone, Default)]
pub(super) struct SharedProgress(Arc<Mutex<TaskProgress>>);

impl SharedProgress {
    pub(super) fn set(&self, progress: TaskProgress) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }

    fn get(&self) -> TaskProgress {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TaskRun {
    pub(super) fn new(work: TaskWork, progress: SharedProgress, cancel: CancelToken) -> Self {
        Self { work: Some(work), progress, cancel }
    }

    /// How far it is.
    pub fn progress(&self) -> TaskProgress {
        self.progress.get()
    }

    /// Asks the tasks that run to stop, and starts no more. Returns at once.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// A token that cancels this run alone, from any thread.
    pub fn cancel_token(&self) -> CancelToken {
        self.cancel.clone()
    }

    /// Waits until all tasks have ended. That tasks fail is told by the report.
    ///
    /// # Errors
    /// The run itself could not go on: a bug in dframe.
    pub fn wait(mut self) -> Result<TaskReport> {
        match self.work.take().expect("a run is waited for once") {
            TaskWork::Caller(work) => Ok(work()),
            TaskWork::Thread(thread) => {
                thread.join().map_err(|_| Error::internal("the driver of the tasks panicked"))
            }
        }
    }
}

impl Drop for TaskRun {
    fn drop(&mut self) {
        if let Some(TaskWork::Thread(thread)) = self.work.take() {
            self.cancel.cancel();
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for TaskRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskRun({:?})", self.progress())
    }
}
