//! Files to batches and back: the Parquet source, and the sinks that write results.
//!
//! ```text
//!   paths --open--> ParquetSource (dframe_plan::Source) --fetch, decode--> batches
//! ```
//!
//! This crate starts no thread and knows no operator: whoever scans decides where a fetch waits and
//! where a decode computes.

pub mod parquet;

pub use parquet::{ParquetOptions, ParquetSource};
