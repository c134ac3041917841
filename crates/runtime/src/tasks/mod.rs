//! Graphs of a user's own tasks, on the threads and in the memory limit that queries have.
//!
//! ```text
//!   TaskGraph --run_tasks--> TaskRun: progress, cancel --wait--> TaskReport
//!                               |
//!          driver (a thread): which task is ready, which waits to be tried again
//!              |                          |
//!        CPU-bound: the workers     I/O-bound: threads of their own, made as they are needed
//! ```
//!
//! A query knows its tasks as [stages](crate::Stage); here each task has its own closure, dependencies
//! and fate. Nothing here knows chunks, columns or plans: what passes from task to task is any value.
//!
//! | file | question it answers |
//! |---|---|
//! | `graph` | what is to be done, and what does each task need? |
//! | `inputs` | how do values get from task to task? |
//! | `retry` | when is a task tried again? |
//! | `progress` | which tasks are ready, and what has become of the others? |
//! | `driver`, `in_turn` | what starts next, on many threads or on the caller's? |
//! | `waiting` | on which threads do I/O-bound tasks wait? |
//! | `report` | how did it go? |
//! | `drawing` | what does it look like? |

mod drawing;
mod driver;
mod graph;
mod in_turn;
mod inputs;
mod progress;
mod report;
mod retry;
mod waiting;

pub use graph::{Bound, Handle, TaskError, TaskGraph, TaskOptions, TaskScope};
pub use inputs::Inputs;
pub use progress::TaskProgress;
pub use report::{TaskOutcome, TaskReport, TaskRun, TaskSummary};
pub use retry::Retry;

pub(crate) use driver::{TaskCrew, start};
pub(crate) use in_turn::run_in_turn;
pub(crate) use waiting::WaitingThreads;
