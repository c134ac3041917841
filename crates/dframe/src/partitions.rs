//! The partitions of a frame: how many, which values they hold, each by itself, by functions of one's own, others, and
//! held.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use dframe_core::{Error, Result};
use dframe_exec::Partitioning;
use dframe_plan::{LogicalPlan, Source};
use dframe_runtime::tasks::TaskError;

use crate::data_frame::DataFrame;
use crate::frame::LazyFrame;

impl LazyFrame {
    /// The number of partitions that the result is made in: the tasks of the last stage, whose chunks
    /// come out one after the other. For a scan, the pieces that the files are read in.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// assert!(scan_parquet(path)?.npartitions()? >= 1);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    ///
    /// # Errors
    /// What is wrong with a step of the query, or metadata that cannot be read.
    pub fn npartitions(&self) -> Result<usize> {
        Ok(self.graph()?.tasks().stages().last().map_or(0, |stage| stage.task_count()))
    }

    /// The divisions of the files by a column: pieces that have none of its values in common, in the order of its
    /// values, with the number of their `rows` before filters, their `min` and their `max`, which is NULL where a NULL
    /// or NaN may be. `None` if they are not known: the frame is more than columns and filters of a scan, or the files
    /// have no statistics.
    ///
    /// Files sorted by the column have many divisions, and so have files of a month each. Group-bys, joins and windows
    /// of many rows by such a column need no shuffle, which they find out by themselves. Dask's `divisions`.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/ticks.parquet");
    /// let divisions = scan_parquet(path)?.divisions("ts")?;
    /// assert!(divisions.is_some_and(|divisions| divisions.num_rows() >= 1));
    /// # Ok::<(), dframe::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is no such column, or metadata cannot be read.
    pub fn divisions(&self, column: &str) -> Result<Option<DataFrame>> {
        let plan = self.optimized_plan()?;
        let index = dframe_expr::resolve_name(&plan.schema(), column)?;
        let divisions = self.session().engine()?.divisions(&plan, index)?;
        Ok(divisions.map(|rows| DataFrame::new(rows.schema(), vec![rows])))
    }

    /// What `function` makes of each batch of each partition, on all cores: columns of the names and types of
    /// `schema`, as many rows as it likes. Dask's `map_partitions`, Polars' `map_batches`.
    ///
    /// The batches of a partition come in their order and hold some thousand rows, without dictionary encoding;
    /// which rows are in a batch together is not to be relied on. The function may be called again for the same
    /// rows, by another run or after memory was refused, and has to give the same.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use arrow::array::{AsArray, Float64Array, RecordBatch};
    /// use arrow::datatypes::{DataType, Field, Int64Type, Schema};
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// let schema = Schema::new(vec![Field::new("km", DataType::Float64, true)]);
    /// let kilometres = scan_parquet(path)?
    ///     .select([col("distance").cast(DataType::Int64)])
    ///     .map_partitions(&schema, |rows| {
    ///         let miles = rows.column(0).as_primitive::<Int64Type>();
    ///         let km: Float64Array = miles.unary(|miles| miles as f64 * 1.609344);
    ///         Ok(RecordBatch::try_from_iter([("km", Arc::new(km) as _)])?)
    ///     });
    /// assert!(kilometres.filter(col("km").gt(7_000)).count()? > 0);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    ///
    /// # Errors
    /// Two columns of one name. A run fails with what the function fails with, or if its columns are not those
    /// of `schema`.
    pub fn map_partitions<F>(self, schema: &Schema, function: F) -> Self
    where
        F: Fn(RecordBatch) -> Result<RecordBatch, TaskError> + Send + Sync + 'static,
    {
        let function = move |rows| function(rows).map_err(failed);
        self.then(|plan| plan.map_partitions(schema, Arc::new(function)))
    }

    /// Runs the query now and holds its rows: a frame that reads them, as often as it is asked, without running
    /// the query again. Dask's `persist`.
    ///
    /// The rows count towards the session's memory limit and are spilled when queries need the room; they are freed
    /// with the last clone of the frame.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// let late = scan_parquet(path)?.filter(col("delay").gt(60)).persist()?;
    /// let by_origin = late.clone().group_by(["origin"]).agg([count_all().alias("late")]);
    /// assert_eq!(by_origin.select([col("late").sum()]).count()?, 1);
    /// assert!(late.count()? > 0);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    ///
    /// # Errors
    /// What is wrong with the query or the data.
    pub fn persist(&self) -> Result<Self> {
        self.repartition(Partitioning::Any)
    }

    /// As [`LazyFrame::persist`], in partitions of a number, of rows, or of bytes. Each is a task of what follows.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// let flights = scan_parquet(path)?.repartition(Partitioning::Count(7))?;
    /// assert_eq!(flights.npartitions()?, 7);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    ///
    /// # Errors
    /// What is wrong with the query or the data, or a partitioning by 0.
    pub fn repartition(&self, partitioning: Partitioning) -> Result<Self> {
        let session = self.session();
        let cancel = session.cancel_token().child();
        let held = session.engine()?.hold(&self.optimized_plan()?, partitioning, &cancel)?;
        Ok(session.scan(Arc::new(held)))
    }

    /// The partitions, each a frame by itself: those of a frame from [`LazyFrame::repartition`] or
    /// [`LazyFrame::persist`], which share its rows. Other frames are persisted first.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// let flights = scan_parquet(path)?.repartition(Partitioning::Count(4))?;
    /// let counts = flights.partitions()?.into_iter().map(|part| part.count());
    /// let counts: Vec<u64> = counts.collect::<Result<_, _>>()?;
    /// assert_eq!(counts.iter().sum::<u64>(), flights.count()?);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    ///
    /// # Errors
    /// What is wrong with the query or the data.
    pub fn partitions(&self) -> Result<Vec<Self>> {
        let sources = match self.split()? {
            Some(sources) => sources,
            None => {
                self.persist()?.split()?.ok_or_else(|| Error::internal("held rows are whole"))?
            }
        };
        Ok(sources.into_iter().map(|source| self.session().scan(source)).collect())
    }

    fn split(&self) -> Result<Option<Vec<Arc<dyn Source>>>> {
        Ok(match self.plan()? {
            LogicalPlan::Scan(scan) => scan.source.split(),
            _ => None,
        })
    }
}

/// The error of a function, as one of a query.
fn failed(error: TaskError) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(error) => {
            let message = format!("the function of map_partitions failed: {error}");
            Error::invalid_data(message).source(error)
        }
    }
}
