//! Files to batches and back: the Parquet, CSV, JSON, Arrow IPC, Avro and SQLite sources, and the sinks that write results.
//!
//! ```text
//!   paths --open--> ParquetSource, CsvSource, JsonSource, IpcSource, AvroSource, SqliteSource (dframe_plan::Source) --fetch, decode--> batches
//!   batches --> Sink (table, csv, json, markdown, parquet, arrow, avro, sqlite) --> file or standard output
//! ```
//!
//! This crate knows no operator and starts no thread but those that speak with object stores: whoever scans
//! decides where a fetch waits and where a decode computes.

pub mod avro;
pub mod csv;
mod file;
mod guard;
mod hive;
mod input_format;
pub mod ipc;
pub mod json;
mod object;
pub mod parquet;
mod partitioning;
mod paths;
pub mod sink;
pub mod sqlite;
mod text;
mod unify;
mod widen;

pub use avro::AvroSource;
pub use csv::{CsvOptions, CsvSource, CsvSurvey, PieceSurvey};
pub use guard::is_guarded;
pub use input_format::InputFormat;
pub use ipc::IpcSource;
pub use json::{JsonFound, JsonOptions, JsonSource, JsonSurvey};
pub use object::{StoreOptions, Stores};
pub use parquet::{ColumnMeta, FileMeta, ParquetOptions, ParquetSource, RowGroupMeta};
pub use paths::Inputs;
pub use sink::{
    Compression, FolderOptions, Format, Sink, SinkOptions, SinkReport, TableOptions, Target,
    WholeFile, create_sink, is_broken_pipe, type_name, write_object,
};
pub use sqlite::{SqliteOptions, SqliteSource};
pub use text::{BadRows, Survey};
