//! What the user asked, as data: logical plan, sources, optimizer rules, explain.
//!
//! This crate computes nothing on rows and starts nothing; `exec` lowers a plan to tasks.

mod logical;
mod source;

pub use logical::{LogicalPlan, Scan};
pub use source::{
    Partition, Partitions, ScanRequest, ScanUnit, ScannedBatch, ScannedBatches, Source, Statistics,
};
