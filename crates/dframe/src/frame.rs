//! Lazy frames: a plan in the making, and the ways to run it.
//!
//! ```text
//!   scan -> filter -> group_by -> agg -> sort_by     each step checked when it is written
//!                                          |
//!          explain, schema, graph (nothing runs)  |  collect, collect_batches, sink_* (it runs)
//! ```
//!
//! A wrong step is kept and reported by whatever asks for the result, so that chains need one `?`.

use std::path::Path;

use arrow::datatypes::SchemaRef;
use dframe_core::Result;
use dframe_expr::{Expr, SortKey, count_all};
use dframe_io::sink::{Format, Sink, SinkReport, Target};
use dframe_plan::LogicalPlan;
use dframe_plan::node::JoinKind;

use crate::batches::Batches;
use crate::columns::{IntoColumn, asc, columns};
use crate::data_frame::DataFrame;
use crate::folder::Folder;
use crate::graph::Graph;
use crate::group_by::GroupBy;
use crate::join::JoinBuilder;
use crate::session::Session;
use crate::sink;
use crate::time_windows::GroupByDynamic;

/// A query that has not run yet. Cloning is cheap, and a frame can run any number of times.
///
/// ```
/// use dframe::prelude::*;
///
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
/// let late = scan_parquet(path)?
///     .filter(col("delay").gt(60))
///     .group_by(["origin"])
///     .agg([count_all().alias("flights"), col("delay").mean().alias("delay")])
///     .sort_by([desc("flights"), asc("origin")])
///     .limit(3);
/// let table = late.collect()?;
/// assert_eq!(table.num_rows(), 3);
/// # Ok::<(), dframe::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LazyFrame {
    session: Session,
    /// The plan, or the first error on the way to it.
    plan: Result<LogicalPlan>,
}

impl LazyFrame {
    /// A frame of `plan` that runs in `session`.
    pub fn new(session: Session, plan: LogicalPlan) -> Self {
        Self { session, plan: Ok(plan) }
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) fn then(self, step: impl FnOnce(LogicalPlan) -> Result<LogicalPlan>) -> Self {
        Self { plan: self.plan.and_then(step), ..self }
    }

    /// The rows for which `predicate` is true.
    pub fn filter(self, predicate: Expr) -> Self {
        self.then(|plan| plan.filter(predicate))
    }

    /// A column for each expression; text names columns, `"*"` all of them. With aggregates in it, the
    /// result is one row.
    pub fn select(self, exprs: impl IntoIterator<Item = impl IntoColumn>) -> Self {
        let exprs = columns(exprs);
        match exprs.iter().any(Expr::contains_aggregate) {
            true => self.then(|plan| plan.aggregate_select(vec![], exprs, None)),
            false => self.then(|plan| plan.project(exprs)),
        }
    }

    /// All columns, and more; one with the name of a column takes its place.
    pub fn with_columns(self, exprs: impl IntoIterator<Item = impl IntoColumn>) -> Self {
        let exprs = columns(exprs);
        self.then(|plan| plan.with_columns(exprs))
    }

    /// Groups by `keys`; text names columns. [`GroupBy::agg`] says what is computed.
    pub fn group_by(self, keys: impl IntoIterator<Item = impl IntoColumn>) -> GroupBy {
        GroupBy::new(self, columns(keys))
    }

    /// Groups by windows of the time `instant`, which begin `every` so often: [`GroupByDynamic`] has their lengths, ends
    /// and further keys.
    pub fn group_by_dynamic(self, instant: impl IntoColumn, every: &str) -> GroupByDynamic {
        GroupByDynamic::new(self, instant.into_column(), every)
    }

    /// Groups by stretches of the time `instant`, each as long as `every` says: [`LazyFrame::group_by_dynamic`] under
    /// the name that pandas and Dask give it.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/ticks.parquet");
    /// let hours = scan_parquet(path)?.resample("ts", "1h").agg([col("size").sum().alias("volume")]);
    /// assert_eq!(hours.sort(["ts"]).collect()?.num_rows(), 7);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    pub fn resample(self, instant: impl IntoColumn, every: &str) -> GroupByDynamic {
        self.group_by_dynamic(instant, every)
    }

    /// One row: aggregates over all rows.
    pub fn agg(self, exprs: impl IntoIterator<Item = impl IntoColumn>) -> Self {
        GroupBy::new(self, vec![]).agg(exprs)
    }

    /// The rows in ascending order of `keys`, NULLs last; text names columns.
    pub fn sort(self, keys: impl IntoIterator<Item = impl IntoColumn>) -> Self {
        self.sort_by(keys.into_iter().map(asc))
    }

    /// The rows in the order of `keys`, made with [`crate::asc`] and [`crate::desc`].
    pub fn sort_by(self, keys: impl IntoIterator<Item = SortKey>) -> Self {
        let keys = keys.into_iter().collect();
        self.then(|plan| plan.sort(keys))
    }

    /// The first `rows` rows in the order of `keys`.
    pub fn top_k(self, rows: u64, keys: impl IntoIterator<Item = SortKey>) -> Self {
        self.sort_by(keys).limit(rows)
    }

    /// The first `rows` rows.
    pub fn limit(self, rows: u64) -> Self {
        self.slice(0, rows)
    }

    /// The first `rows` rows.
    pub fn head(self, rows: u64) -> Self {
        self.limit(rows)
    }

    /// Without the first `rows` rows.
    pub fn offset(self, rows: u64) -> Self {
        self.then(|plan| Ok(plan.limit(rows, None)))
    }

    /// `rows` rows after the first `offset`.
    pub fn slice(self, offset: u64, rows: u64) -> Self {
        self.then(|plan| Ok(plan.limit(offset, Some(rows))))
    }

    /// The pairs of rows of this frame and `right` whose `keys`, which both have, are equal, and rows
    /// without a partner as `kind` says. Keys come out once; other columns of the right that have a name
    /// of the left get `_right` behind it.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// let flights = scan_parquet(path)?;
    /// let delays = flights.clone().group_by(["origin"]).agg([col("delay").mean().alias("usual")]);
    /// let worse = flights.join(delays, ["origin"], JoinKind::Inner).filter(col("delay").gt(col("usual")));
    /// assert!(worse.count()? > 0);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    pub fn join(
        self,
        right: LazyFrame,
        keys: impl IntoIterator<Item = impl IntoColumn>,
        kind: JoinKind,
    ) -> Self {
        self.join_with(right).on(keys).how(kind).finish()
    }

    /// A join of this frame with `right`, to be said step by step.
    pub fn join_with(self, right: LazyFrame) -> JoinBuilder {
        JoinBuilder::new(self, right)
    }

    /// The rows of this frame, then those of `others`, which have the same columns. Duplicates stay.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// let flights = scan_parquet(path)?;
    /// let from = flights.clone().select(["origin"]).limit(2);
    /// let to = flights.select([col("destination").alias("origin")]).limit(3);
    /// assert_eq!(from.union([to]).collect()?.num_rows(), 5);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    pub fn union(self, others: impl IntoIterator<Item = LazyFrame>) -> Self {
        let others: Result<Vec<LogicalPlan>> = others.into_iter().map(|frame| frame.plan).collect();
        self.then(|plan| {
            let mut plans = vec![plan];
            plans.extend(others?);
            LogicalPlan::union(plans)
        })
    }

    /// Each different row once.
    pub fn distinct(self) -> Self {
        self.then(LogicalPlan::distinct)
    }

    /// Each different row once.
    pub fn unique(self) -> Self {
        self.distinct()
    }

    /// The columns that will come out.
    ///
    /// # Errors
    /// What is wrong with a step of the query.
    pub fn schema(&self) -> Result<SchemaRef> {
        self.plan.as_ref().map(LogicalPlan::schema).map_err(Clone::clone)
    }

    /// The plan as it was written.
    ///
    /// # Errors
    /// What is wrong with a step of the query.
    pub fn plan(&self) -> Result<LogicalPlan> {
        self.plan.clone()
    }

    /// The plan as it will run.
    ///
    /// # Errors
    /// What is wrong with a step of the query.
    pub fn optimized_plan(&self) -> Result<LogicalPlan> {
        self.session.optimizer().optimize(self.plan()?)
    }

    /// The plan as it was written, as text.
    ///
    /// # Errors
    /// What is wrong with a step of the query.
    pub fn explain(&self) -> Result<String> {
        Ok(self.plan()?.explain())
    }

    /// The plan as it will run, as text.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// let flights = scan_parquet(path)?.filter(col("delay").gt(60)).select(["origin"]);
    /// let plan = flights.explain_optimized()?;
    /// assert!(plan.contains("[1 of 5 columns: origin] filters=[delay > 60]"), "{plan}");
    /// # Ok::<(), dframe::Error>(())
    /// ```
    ///
    /// # Errors
    /// What is wrong with a step of the query.
    pub fn explain_optimized(&self) -> Result<String> {
        Ok(self.optimized_plan()?.explain())
    }

    /// The tasks that a run will consist of.
    ///
    /// # Errors
    /// What is wrong with a step of the query, or metadata that cannot be read.
    pub fn graph(&self) -> Result<Graph> {
        Ok(Graph::new(self.session.engine()?.graph(&self.optimized_plan()?)?))
    }

    /// Runs the query, and gives its batches as they are made, within the memory limit.
    ///
    /// # Errors
    /// What is wrong with the query; what is wrong with the data comes with the batches.
    pub fn collect_batches(&self) -> Result<Batches> {
        let plan = self.optimized_plan()?;
        let cancel = self.session.cancel_token().child();
        let results = self.session.engine()?.execute(&plan, &cancel)?;
        Ok(Batches::new(results, cancel))
    }

    /// Runs the query, and holds all its rows in memory, outside the session's limit.
    ///
    /// # Errors
    /// What is wrong with the query or the data.
    pub fn collect(&self) -> Result<DataFrame> {
        self.collect_batches()?.into_data_frame()
    }

    /// The number of rows. From metadata, without reading data, where nothing filters or groups.
    ///
    /// # Errors
    /// What is wrong with the query or the data.
    pub fn count(&self) -> Result<u64> {
        if let Some(rows) = self.optimized_plan()?.row_count() {
            return Ok(rows);
        }
        let counted = self.clone().agg([count_all()]).collect()?;
        counted.single_count()
    }

    /// Runs the query into a Parquet file, which appears when it is whole. Says how much it wrote.
    ///
    /// # Errors
    /// What is wrong with the query, the data or the target.
    pub fn sink_parquet(&self, path: impl AsRef<Path>) -> Result<SinkReport> {
        self.sink(path, Format::Parquet)
    }

    /// Runs the query into a CSV file with a header, which appears when it is whole.
    ///
    /// # Errors
    /// What is wrong with the query, the data or the target.
    pub fn sink_csv(&self, path: impl AsRef<Path>) -> Result<SinkReport> {
        self.sink(path, Format::Csv)
    }

    /// Runs the query into a file of `format`, which appears when it is whole.
    ///
    /// # Errors
    /// What is wrong with the query, the data or the target.
    pub fn sink(&self, path: impl AsRef<Path>, format: Format) -> Result<SinkReport> {
        let options = self.session.sink_options()?;
        let target = Target::File(path.as_ref().to_path_buf());
        sink::to_target(self.collect_batches()?, target, format, &options)
    }

    /// Runs the query into a folder of files of `format`, which appears when it is whole: files of a size, in folders
    /// `column=value` by columns, as [`Folder`] says.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// # let folder = tempfile::tempdir()?;
    /// # let out = folder.path().join("flights");
    /// // path: "data/flights.parquet", out: "flights"
    /// let by_origin = Folder::new().partition_by(["origin"]).file_bytes(64 << 20);
    /// scan_parquet(path)?.sink_folder(&out, Format::Parquet, &by_origin)?;
    /// let from_sfo = scan_parquet(out.join("origin=SFO"))?;
    /// assert_eq!(from_sfo.count()?, 4380);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// What is wrong with the query, the data or the target, which may not be there unless it is empty or to be
    /// replaced.
    pub fn sink_folder(
        &self,
        path: impl AsRef<Path>,
        format: Format,
        folder: &Folder,
    ) -> Result<SinkReport> {
        let options = self.session.sink_options()?;
        let target = Target::Folder(path.as_ref().to_path_buf(), folder.options());
        let rows = folder.arrange(self.clone());
        sink::to_target(rows.collect_batches()?, target, format, &options)
    }

    /// Runs the query into a sink of any kind, and finishes it. Its schema must be the frame's.
    ///
    /// # Errors
    /// What is wrong with the query, the data or the sink.
    pub fn sink_into(&self, sink: Box<dyn Sink>) -> Result<SinkReport> {
        sink::into_sink(self.collect_batches()?, sink)
    }
}
