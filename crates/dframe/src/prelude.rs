//! What most programs need: `use dframe::prelude::*;`

pub use crate::columns::{asc, desc};
pub use crate::data_frame::DataFrame;
pub use crate::folder::Folder;
pub use crate::frame::LazyFrame;
pub use crate::group_by::GroupBy;
pub use crate::join::JoinBuilder;
pub use crate::session::Session;
pub use crate::stats::RunStats;
pub use crate::time_windows::{GroupByDynamic, Label};
pub use crate::{scan_csv, scan_ipc, scan_ndjson, scan_parquet};
pub use dframe_core::size::Size;
pub use dframe_core::{CancelToken, ErrorKind};
pub use dframe_exec::Partitioning;
pub use dframe_expr::window::{
    FrameBound, Over, cume_dist, dense_rank, ntile, order_by, partition_by, percent_rank, rank,
    row_number,
};
pub use dframe_expr::{
    Closed, Expr, Interpolation, SortKey, call, coalesce, col, corr, count_all, covar, greatest,
    least, len, lit, null, when,
};
pub use dframe_io::sink::Format;
pub use dframe_io::{CsvOptions, JsonOptions, SqliteOptions};
pub use dframe_plan::node::{AsofDirection, JoinKind};
