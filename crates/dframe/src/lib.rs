//! An out-of-core, parallel dataframe engine.
//!
//! A query is a chain of lazy steps over files. Nothing is read until it runs; then it runs on all
//! cores, within a memory limit, spilling to disk what does not fit, with the same answer whatever the
//! number of threads and whatever the limit.
//!
//! ```
//! use dframe::prelude::*;
//!
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
//! // path: "data/flights.parquet"
//! let routes = scan_parquet(path)?
//!     .filter(col("distance").gt(500))
//!     .group_by(["origin", "destination"])
//!     .agg([count_all().alias("flights"), col("delay").mean().alias("delay")])
//!     .sort_by([desc("flights"), asc("origin"), asc("destination")])
//!     .limit(10);
//! println!("{}", routes.collect()?);
//! # Ok::<(), dframe::Error>(())
//! ```
//!
//! # The words
//! - [`scan_parquet`], [`scan_csv`], [`scan_ndjson`] and [`scan_ipc`] make a [`LazyFrame`] of paths, directories or globs; [`Session`]
//!   does so within limits of your own: [memory](SessionBuilder::memory_limit), [threads](SessionBuilder::threads),
//!   [temp directory](SessionBuilder::temp_dir).
//! - Frames are made of frames: [`filter`](LazyFrame::filter), [`select`](LazyFrame::select),
//!   [`with_columns`](LazyFrame::with_columns), [`group_by`](LazyFrame::group_by),
//!   [`sort_by`](LazyFrame::sort_by), [`limit`](LazyFrame::limit), [`distinct`](LazyFrame::distinct).
//! - Expressions are written in Rust, `col("price") * col("size")`, or [in SQL](mod@sql), `sql::parse_expr("price * size")?`.
//!   Where a column is asked for, text names it; within expressions, text is a constant.
//! - [`explain_optimized`](LazyFrame::explain_optimized) and [`graph`](LazyFrame::graph) show what will run.
//! - [`collect`](LazyFrame::collect) holds the result in memory, [`collect_batches`](LazyFrame::collect_batches)
//!   gives Arrow batches as they are made, [`sink_parquet`](LazyFrame::sink_parquet) and its kin write files,
//!   [`sink_folder`](LazyFrame::sink_folder) a folder of them, partitioned by columns.
//! - [`RunStats`] counts what runs cost; any [`Observer`] can watch, and a [`CancelToken`] stops them.
//!
//! # Semantics
//! They are DuckDB's where in doubt: NULLs are skipped by aggregates and are one group as a key; `/` is
//! float division; sums of integers that overflow are errors; sorts put NULLs last unless told.
//!
//! # Errors
//! A wrong step in a chain is reported by whatever runs or explains it. An [`Error`] has a
//! [kind](ErrorKind), says where it happened, and mostly what to do about it.

mod batches;
mod columns;

mod data_frame;
mod describe;
mod folder;
mod frame;
mod graph;
mod group_by;
mod join;
mod observers;
mod partitions;
mod paths;
mod pivot;
pub mod prelude;
mod queries;
mod reshape;
mod rows;
mod session;
mod sink;
mod sketch;
mod stats;
mod survey;
mod time_windows;

pub use batches::Batches;
pub use columns::{IntoColumn, asc, desc};
pub use data_frame::DataFrame;
pub use dframe_core::{
    CancelToken, Context, Error, ErrorKind, Event, Observer, Result, Snippet, size,
};
pub use dframe_exec::Partitioning;
pub use dframe_expr as expr;
pub use dframe_expr::Closed;
pub use dframe_expr::aggregate;
pub use dframe_io as io;
pub use dframe_io::sink::Format;
pub use dframe_io::{BadRows, CsvOptions, InputFormat, JsonOptions, SqliteOptions};
pub use dframe_plan as plan;
pub use dframe_runtime as runtime;
pub use dframe_runtime::tasks;
pub use dframe_sql as sql;
pub use folder::Folder;
pub use frame::LazyFrame;
pub use graph::Graph;
pub use group_by::GroupBy;
pub use join::JoinBuilder;
pub use paths::IntoPaths;
pub use queries::table_format;
pub use session::{Session, SessionBuilder};
pub use stats::{OperatorStats, RunStats, StatsReading};
pub use time_windows::{GroupByDynamic, Label};

/// A frame over one or more Parquet files: paths, directories and globs.
///
/// It runs in a session that all frames made by this function share, so that they keep one memory
/// limit, 70 % of the machine's memory, together. Use a [`Session`] to set limits.
///
/// # Errors
/// A path that does not exist, a file that is no Parquet file, or files whose schemas conflict.
pub fn scan_parquet(paths: impl IntoPaths) -> Result<LazyFrame> {
    Session::of_process().scan_parquet(paths)
}

/// A frame over one or more CSV files: paths, directories and globs, in the session of
/// [`scan_parquet`]. [`Session::scan_csv_with`] takes other delimiters and quotes.
///
/// ```
/// use dframe::prelude::*;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("stocks.csv");
/// std::fs::write(&path, "symbol,price\nMSFT,39.81\nAMZN,64.56\nMSFT,36.35\n")?;
/// let stocks = scan_csv(&*path)?.filter(col("price").lt(50)).collect()?;
/// assert_eq!(stocks.num_rows(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A path that does not exist, or a record that is none: file, line and column are named.
pub fn scan_csv(paths: impl IntoPaths) -> Result<LazyFrame> {
    Session::of_process().scan_csv(paths)
}

/// A frame over one or more JSON files: an object on each line (NDJSON), or one array of objects. Paths, directories and
/// globs, in the session of [`scan_parquet`]. [`Session::scan_ndjson_with`] asks for types, and leaves bad lines out.
///
/// ```
/// use dframe::prelude::*;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("orders.ndjson");
/// std::fs::write(&path, "{\"id\":1,\"tags\":[\"new\"]}\n{\"id\":2,\"tags\":[\"new\",\"paid\"]}\n")?;
/// let tags = scan_ndjson(&*path)?.explode(["tags"]).group_by(["tags"]).agg([count_all().alias("n")]);
/// assert_eq!(tags.collect()?.num_rows(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A path that does not exist, a record that is no object, members that no type holds: file, line and column are
/// named.
pub fn scan_ndjson(paths: impl IntoPaths) -> Result<LazyFrame> {
    Session::of_process().scan_ndjson(paths)
}

/// A frame over one or more Arrow IPC files or streams, or Feather files: paths, directories and globs, in
/// the session of [`scan_parquet`].
///
/// ```
/// use dframe::prelude::*;
///
/// # let flights = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("late.arrow");
/// // flights: "data/flights.parquet", path: "late.arrow"
/// scan_parquet(flights)?.filter(col("delay").gt(600)).sink(&path, Format::Arrow)?;
/// let late = scan_ipc(&*path)?.group_by(["origin"]).agg([col("delay").max()]).collect()?;
/// assert!(late.num_rows() > 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A path that does not exist, a file that is no Arrow file or is cut off, a column of a type that cannot be
/// read, or files whose schemas conflict.
pub fn scan_ipc(paths: impl IntoPaths) -> Result<LazyFrame> {
    Session::of_process().scan_ipc(paths)
}

/// The frame of a query in SQL whose tables are files in quotes, in the session of [`scan_parquet`]: [`Session::sql`].
///
/// ```
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/ticks.parquet");
/// let volumes = dframe::sql(&format!("SELECT ticker, sum(size) AS volume FROM '{path}' GROUP BY ALL"))?;
/// assert!(volumes.collect()?.num_rows() > 0);
/// # Ok::<(), dframe::Error>(())
/// ```
///
/// # Errors
/// As [`Session::sql`].
pub fn sql(text: &str) -> Result<LazyFrame> {
    Session::of_process().sql(text)
}

/// The programs of the README and the user guide, compiled.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/user-guide/src/library.md")]
    struct Library;
    #[doc = include_str!("../../../docs/user-guide/src/tasks.md")]
    struct Tasks;
}
