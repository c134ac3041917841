//! What the user asked, as data: logical plan, sources, optimizer rules, explain.
//!
//! ```text
//!   Source --scan--> LogicalPlan --filter, project, aggregate, sort, limit--> LogicalPlan
//!                                                     |
//!                                    optimize (a list of rules) --> LogicalPlan --> exec
//! ```
//!
//! This crate computes nothing on rows and starts nothing; `exec` lowers a plan to tasks.

mod build;
mod explain;
mod logical;
pub mod node;
pub mod optimize;
mod skip_rows;
mod source;
#[cfg(test)]
mod testing;
mod tree;

pub use logical::{LogicalPlan, Scan};
pub use node::{Node, Operator};
pub use optimize::{Optimizer, optimize, optimize_with_trace};
pub use source::{
    ColumnBounds, Partition, Partitions, RowTest, ScanRequest, ScanUnit, ScannedBatch,
    ScannedBatches, Source, Statistics,
};
