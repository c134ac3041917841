//! Runs any task graph inside a memory budget. Knows no plans and no columns' meaning.
//!
//! ```text
//!   StageGraph --> Executor::run --> Run: the last stage's chunks, in order, as the consumer asks
//!                   |
//!                   +-- SyncExecutor      one thread, on demand: the oracle
//!                   +-- ThreadedExecutor  workers and I/O threads; the only place that starts threads
//!                   |
//!                ChunkStore: parts in memory, spilled when the budget refuses
//! ```
//!
//! The executors run graphs of a user's own [`tasks`] as well.

mod activity;
mod chunk;
mod chunk_table;
mod coordinator;
pub mod describe;
mod measure;
mod message;
mod open_task;
mod part;
mod run;
mod scheduler;
mod spill;
mod spill_file;
mod store;
mod svg;
mod sync;
mod task;
pub mod tasks;
mod threaded;
mod work;

pub use chunk::Chunk;
pub use measure::batch_bytes;
#[doc(hidden)]
pub use message::{decode_any, encode_any};
pub use part::{Part, PartReader};
pub use run::{Executor, Run};
pub use spill::{abandon, sweep};
pub use store::{ChunkStore, SpillWriter, StoreOptions};
pub use sync::SyncExecutor;
pub use task::{Dependency, FetchJob, Flow, Pattern, Stage, StageGraph, Task, TaskContext};
pub use threaded::{ThreadedExecutor, ThreadedOptions};
