//! Sorted runs of one task's rows.
//!
//! ```text
//!   batches --gather until memory is short--> sort keys --> copies of rows in order --> run + index
//!   with a limit:  rows that cannot be among the first are dropped by their key alone
//! ```

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use dframe_core::{Reservation, Result};
use dframe_expr::{plain, plain_type};
use dframe_plan::ScannedBatch;
use dframe_runtime::{Chunk, Part, TaskContext, batch_bytes};

use super::SortSpec;
use super::gather::{Gather, RUN_BATCH_BYTES, RUN_BATCH_ROWS};
use super::order::{Given, Order};
use super::threshold::{LastWanted, Milestone};
use crate::fold::{Fold, halves, keep};

/// The tag of parts that are runs.
pub(crate) const RUN_TAG: u32 = 0;
/// The tag of parts that are the index of the run before them.
pub(super) const INDEX_TAG: u32 = 1;

/// Makes sorted runs of one task's rows.
pub(crate) struct SortRun {
    spec: Arc<SortSpec>,
    batches: Vec<RecordBatch>,
    rows: usize,
    last_wanted: LastWanted,
    milestones: Vec<Milestone>,
    held: Reservation,
    parts: Vec<Arc<Part>>,
}

impl SortRun {
    /// No rows yet.
    pub(crate) fn new(spec: &Arc<SortSpec>, context: &TaskContext) -> Self {
        Self {
            spec: spec.clone(),
            batches: Vec::new(),
            rows: 0,
            last_wanted: LastWanted::new(spec),
            milestones: Vec::new(),
            held: context.budget.reservation(),
            parts: Vec::new(),
        }
    }

    /// Takes rows in.
    pub(crate) fn add(&mut self, batch: &RecordBatch, context: &TaskContext) -> Result<()> {
        match self.last_wanted.wanted(batch)? {
            Some(batch) => self.add_wanted(batch, context),
            None => Ok(()),
        }
    }

    fn add_wanted(&mut self, batch: RecordBatch, context: &TaskContext) -> Result<()> {
        let bytes = self.spec.sorting_bytes(&batch);
        let full = self.held.bytes() + bytes > self.spec.run_memory || self.rows > RUN_ROWS_MAX;
        // Spills what others keep, and earlier runs, before this one is cut short.
        if full || !self.held.grow_if_granted(bytes, PURPOSE)? {
            self.close_run(context)?;
            if let Err(refusal) = self.held.grow(bytes, PURPOSE) {
                let mut halves = halves(&batch, refusal)?.into_iter();
                return halves.try_for_each(|half| self.add_wanted(half, context));
            }
        }
        self.rows += batch.num_rows();
        self.batches.push(batch);
        self.cut_to_limit()
    }

    /// The runs, each followed by its index.
    pub(crate) fn finish_runs(mut self, context: &TaskContext) -> Result<Vec<Arc<Part>>> {
        self.close_run(context)?;
        Ok(self.parts)
    }

    /// Sorts what is there, and cuts it to the limit.
    fn sorted(&mut self) -> Result<Vec<RecordBatch>> {
        let batches = std::mem::take(&mut self.batches);
        let rows = std::mem::take(&mut self.rows);
        let batch_rows = self.spec.batch_rows(batches.iter().map(batch_bytes).sum(), rows);
        let keys = batches.iter().map(|batch| self.spec.key_columns(batch));
        let keys: Vec<Vec<ArrayRef>> = keys.collect::<Result<_>>()?;
        let limit = self.spec.limit.and_then(|limit| usize::try_from(limit).ok());
        let order = Order::of(&keys, &self.spec.options, limit, Given::InAnyOrder)?;
        drop(keys);
        let gather = Gather::new(&self.spec.schema, &batches)?;
        let mut sorted = Vec::new();
        for start in (0..order.len()).step_by(batch_rows) {
            let end = (start + batch_rows).min(order.len());
            gather.append(&order.places(start..end), &mut sorted)?;
        }
        Ok(sorted)
    }

    fn close_run(&mut self, context: &TaskContext) -> Result<()> {
        let sorted = if self.rows > 0 { self.sorted()? } else { Vec::new() };
        if sorted.is_empty() {
            self.held.shrink(usize::MAX);
            return Ok(());
        }
        self.milestones.extend(self.spec.milestones(&sorted)?);
        let index = self.spec.index(&sorted)?;
        let run = sorted.into_iter().map(|batch| (0, batch)).collect();
        let run = keep(RUN_TAG, self.spec.schema.clone(), run, &mut self.held, context)?;
        self.parts.push(run);
        let (schema, index) = (index.schema(), vec![(0, index)]);
        self.parts.push(keep(INDEX_TAG, schema, index, &mut self.held, context)?);
        self.held.shrink(usize::MAX);
        Ok(())
    }

    /// With a limit: keeps the first rows only, once enough have gathered to make that worth while.
    fn cut_to_limit(&mut self) -> Result<()> {
        let Some(limit) = self.spec.limit else { return Ok(()) };
        if (self.rows as u64) < limit.saturating_mul(2).max(8 * RUN_BATCH_ROWS as u64) {
            return Ok(());
        }
        self.batches = self.sorted()?;
        self.rows = self.batches.iter().map(RecordBatch::num_rows).sum();
        let bytes: usize = self.batches.iter().map(|batch| self.spec.sorting_bytes(batch)).sum();
        self.held.shrink(self.held.bytes().saturating_sub(bytes));
        if let Some(last) = self.batches.last().filter(|batch| batch.num_rows() > 0)
            && self.rows as u64 == limit
        {
            self.last_wanted.is(&last.slice(last.num_rows() - 1, 1))?;
        }
        Ok(())
    }
}

/// Runs that can be merged at once, if memory allows that at all.
const FAN_IN_WANTED: usize = 2048;
/// Bytes of a batch of a run when memory is short.
const RUN_BATCH_BYTES_MIN: usize = 16 << 10;
/// The rows of a run at most, so that sorting them stays near the cache.
const RUN_ROWS_MAX: usize = 1 << 20;

/// As many milestones of as many rows as this part of the limit tell of it.
const MILESTONES: u64 = 64;

const PURPOSE: &str = "sorting a run";

impl Fold for SortRun {
    fn push(&mut self, batch: ScannedBatch, context: &TaskContext) -> Result<bool> {
        self.add(&batch.rows, context)?;
        Ok(true)
    }

    fn give_way(&mut self, context: &TaskContext) -> Result<()> {
        self.close_run(context)
    }

    fn finish(mut self: Box<Self>, context: &TaskContext) -> Result<Chunk> {
        self.close_run(context)?;
        // Not before: a task that fails may be done again, and must not have counted its rows.
        let k = self.spec.limit.unwrap_or(u64::MAX);
        self.spec.threshold.tell(self.milestones, k, self.spec.options[0])?;
        Ok(Chunk::new(self.parts))
    }
}

impl SortSpec {
    /// While rows are sorted there are the rows, a copy of them in order, and numbers to sort by; keys
    /// that may not fit into numbers are encoded besides.
    pub(super) fn sorting_bytes(&self, batch: &RecordBatch) -> usize {
        let fixed = |data_type: &DataType| data_type.is_primitive();
        let copies = match self.keys.iter().all(|key| fixed(plain_type(key.data_type()))) {
            true => 2,
            false => 3,
        };
        copies * batch_bytes(batch) + batch.num_rows() * (24 + 8 * self.keys.len())
    }

    /// The rows of a batch of a run, so small that many runs can be merged at once.
    fn batch_rows(&self, bytes: usize, rows: usize) -> usize {
        let share = (self.run_memory / FAN_IN_WANTED).clamp(RUN_BATCH_BYTES_MIN, RUN_BATCH_BYTES);
        let row = bytes / rows.max(1) + 1;
        (share / row).clamp(1, RUN_BATCH_ROWS)
    }

    /// With a limit: milestones in a run, each of a good part of the limit.
    fn milestones(&self, batches: &[RecordBatch]) -> Result<Vec<Milestone>> {
        let Some(limit) = self.limit else { return Ok(Vec::new()) };
        let (mut milestones, mut rows) = (Vec::new(), 0);
        for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
            rows += batch.num_rows() as u64;
            if rows >= limit / MILESTONES {
                let keys = self.key_columns(&batch.slice(batch.num_rows() - 1, 1))?;
                milestones.push(Milestone { key: plain(&keys[0])?, rows });
                rows = 0;
            }
        }
        Ok(milestones)
    }

    /// The first key of each batch, and the number of its first row in the run.
    fn index(&self, batches: &[RecordBatch]) -> Result<RecordBatch> {
        let first = |batch: &RecordBatch| -> Result<Vec<ArrayRef>> {
            let keys = self.key_columns(&batch.slice(0, 1))?;
            keys.iter().map(|key| plain(key)).collect()
        };
        let firsts = batches.iter().map(first).collect::<Result<Vec<_>>>()?;
        let mut columns = Vec::with_capacity(self.keys.len() + 1);
        for key in 0..self.keys.len() {
            let values: Vec<&dyn arrow::array::Array> =
                firsts.iter().map(|first| first[key].as_ref()).collect();
            columns.push(concat(&values)?);
        }
        let starts = batches.iter().scan(0, |start, batch| {
            let this = *start;
            *start += batch.num_rows() as u64;
            Some(this)
        });
        columns.push(Arc::new(UInt64Array::from_iter_values(starts)));
        Ok(RecordBatch::try_new(self.index_schema(), columns)?)
    }

    fn index_schema(&self) -> SchemaRef {
        let key = |(number, key): (usize, &dframe_expr::BoundExpr)| {
            Field::new(format!("key{number}"), plain_type(key.data_type()).clone(), true)
        };
        let start = Field::new("start", DataType::UInt64, true);
        let fields = self.keys.iter().enumerate().map(key).chain([start]);
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}
