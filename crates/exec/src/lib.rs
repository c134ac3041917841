//! Plan to tasks, chunks to result: planner, operators, merger.
//!
//! ```text
//!   LogicalPlan --lower--> StageGraph --Executor--> chunks --tail (merger)--> batches
//! ```
//!
//! This crate knows no file formats and starts no threads. An operator is a file here, with an arm
//! in [`lower`](crate::Engine::graph) that says which stages it becomes.

mod alternate;
mod asof;
mod divisions;
mod engine;
mod exchange;
mod explode;
mod fold;
mod group;
mod held;
mod join;
mod lower;
mod map_partitions;
mod pipeline;
mod row_bytes;
mod row_numbers;
mod shuffle;
mod skip;
mod sort;
mod stage;
mod tail;
mod unpivot;
mod window;
mod windows;

pub use engine::{Engine, EngineOptions, ResultBatches};
pub use held::{HeldSource, Partitioning};
