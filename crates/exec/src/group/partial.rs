//! Partial aggregation: one partition's rows, folded into a chunk.
//!
//! ```text
//!            few groups                          many groups, or little memory
//!   rows --> GroupState --------------> uncut states     (one part, bucket UNCUT)
//!                |  too large, or the budget refuses
//!                +--------------------> states by bucket (parts, spillable), start again
//!                |  and most rows were new groups
//!                +--> RawRows --------> rows by bucket, not aggregated at all
//! ```
//!
//! Once a task has cut anything into buckets, all it hands over is cut. Aggregating first pays only
//! when rows share groups; a task finds out from its own rows and changes its ways for good.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array};
use dframe_core::{ErrorKind, Reservation, Result};
use dframe_expr::plain;
use dframe_plan::ScannedBatch;
use dframe_runtime::{Chunk, Part, TaskContext, batch_bytes};

use super::radix::{Radix, UNCUT};
use super::scatter::{SCATTER_ROW_BYTES, scatter};
use super::spec::{GroupSpec, RowPositions, Rows};
use super::state::{Columns, GroupState};
use crate::fold::{Fold, keep};
use crate::pipeline::batch_of;

/// What a part of a group-by's chunk holds.
pub(crate) const TAG_STATES: u32 = 0;
/// Rows of the raw layout.
pub(crate) const TAG_RAW: u32 = 1;

/// Groups below which a task hands its states over uncut.
pub(crate) const UNCUT_GROUPS_MAX: usize = 32 * 1024;
/// Groups at which a task asks itself whether aggregating first pays.
const SAMPLE_GROUPS: usize = 128 * 1024;
/// It pays when groups are at most this share of the rows.
const UNIQUE_SHARE_MAX: f64 = 0.5;
/// A state larger than this has left the cache, and is cut.
const STATE_BYTES_MAX: usize = 64 << 20;
/// Raw rows that are cut at once.
const RAW_ROWS_MAX: usize = 512 * 1024;
/// Memory that raw rows and cutting them may need before they are cut.
const RAW_BYTES_MAX: usize = 256 << 20;

/// Folds the rows of one partition.
pub(crate) struct PartialAggregate {
    spec: Arc<GroupSpec>,
    radix: Radix,
    mode: Mode,
    held: Reservation,
    rows: u64,
    parts: Vec<Arc<Part>>,
}

enum Mode {
    Aggregate(Box<GroupState>),
    Raw(Vec<RecordBatch>),
}

impl PartialAggregate {
    /// Nothing folded yet.
    pub(crate) fn new(spec: &Arc<GroupSpec>, context: &TaskContext) -> Result<Self> {
        Ok(Self {
            spec: spec.clone(),
            radix: Radix::first(spec.buckets),
            mode: Mode::Aggregate(Box::new(GroupState::new(spec)?)),
            held: context.budget.reservation(),
            rows: 0,
            parts: Vec::new(),
        })
    }

    fn aggregate(&mut self, rows: &Rows, context: &TaskContext) -> Result<()> {
        let Mode::Aggregate(state) = &mut self.mode else { return Ok(()) };
        state.update(rows)?;
        self.rows += rows.len as u64;
        let groups = state.len();
        let refused = !hold(&mut self.held, state.memory())?;
        if self.spec.keys.is_empty() {
            return Ok(());
        }
        if groups >= SAMPLE_GROUPS && groups as f64 > UNIQUE_SHARE_MAX * self.rows as f64 {
            self.flush_states(context)?;
            self.mode = Mode::Raw(Vec::new());
        } else if refused || state.memory() > STATE_BYTES_MAX {
            self.flush_states(context)?;
        }
        Ok(())
    }

    /// Hands the groups so far over, by bucket, and starts again.
    fn flush_states(&mut self, context: &TaskContext) -> Result<()> {
        let fresh = Mode::Aggregate(Box::new(GroupState::new(&self.spec)?));
        let Mode::Aggregate(state) = std::mem::replace(&mut self.mode, fresh) else {
            return Ok(());
        };
        self.rows = 0;
        self.parts.push(cut_states(*state, self.radix, &mut self.held, context)?);
        Ok(())
    }

    fn keep_raw(&mut self, rows: &Rows, context: &TaskContext) -> Result<()> {
        let batch = raw_batch(&self.spec, rows)?;
        let Mode::Raw(batches) = &mut self.mode else { return Ok(()) };
        let granted = self.held.try_grow(cutting_bytes(&batch));
        batches.push(batch);
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        if !granted || rows >= RAW_ROWS_MAX || self.held.bytes() > RAW_BYTES_MAX {
            self.flush_raw(context)?;
        }
        Ok(())
    }

    /// Hands the raw rows so far over, by bucket.
    fn flush_raw(&mut self, context: &TaskContext) -> Result<()> {
        let Mode::Raw(batches) = &mut self.mode else { return Ok(()) };
        let batches = std::mem::take(batches);
        if batches.is_empty() {
            return Ok(());
        }
        let schema = batches[0].schema();
        let bytes = batches.iter().map(cutting_bytes).sum();
        self.held.resize(bytes, "cutting rows by key")?;
        let cut = scatter(&batches, self.spec.keys.len(), self.radix)?;
        drop(batches);
        let part = keep(TAG_RAW, schema, cut, &mut self.held, context)?;
        self.held.shrink(usize::MAX);
        self.parts.push(part);
        Ok(())
    }
}

impl Fold for PartialAggregate {
    fn push(&mut self, batch: ScannedBatch, context: &TaskContext) -> Result<bool> {
        let rows = self.spec.evaluate(&batch.rows, batch.position)?;
        match self.mode {
            Mode::Aggregate(_) => self.aggregate(&rows, context)?,
            Mode::Raw(_) => self.keep_raw(&rows, context)?,
        }
        Ok(true)
    }

    fn finish(mut self: Box<Self>, context: &TaskContext) -> Result<Chunk> {
        self.flush_raw(context)?;
        if let Mode::Aggregate(state) = self.mode {
            let cut = !self.parts.is_empty() || state.len() > UNCUT_GROUPS_MAX;
            if state.len() > 0 {
                self.parts.push(match cut {
                    true => cut_states(*state, self.radix, &mut self.held, context)?,
                    false => uncut_states(*state, &mut self.held, context)?,
                });
            }
        }
        Ok(Chunk::new(self.parts))
    }
}

/// While a batch is cut, there are its rows, a copy of them, and their places.
fn cutting_bytes(batch: &RecordBatch) -> usize {
    2 * batch_bytes(batch) + batch.num_rows() * SCATTER_ROW_BYTES
}

/// Makes `held` cover `bytes` and what doubling will need; `false` if the budget refuses.
///
/// # Errors
/// Spilling others to make room failed, as on a full disk.
pub(crate) fn hold(held: &mut Reservation, bytes: usize) -> Result<bool> {
    let wanted = bytes + bytes / 2;
    if wanted <= held.bytes() {
        return Ok(true);
    }
    match held.grow(wanted - held.bytes(), "aggregation") {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::OverBudget => Ok(false),
        Err(error) => Err(error),
    }
}

/// The groups of `state` as one part, cut by bucket.
pub(crate) fn cut_states(
    state: GroupState,
    radix: Radix,
    held: &mut Reservation,
    context: &TaskContext,
) -> Result<Arc<Part>> {
    let hashes = state.hashes();
    let columns = state.into_states()?;
    let cut = radix.cut(&hashes);
    let batches = cut.slices(&columns.take(&cut.order())?);
    let schema = columns.schema().clone();
    drop(columns);
    let part = keep(TAG_STATES, schema, batches, held, context);
    held.shrink(usize::MAX);
    part
}

/// The groups of `state` as one part, in one piece.
pub(crate) fn uncut_states(
    state: GroupState,
    held: &mut Reservation,
    context: &TaskContext,
) -> Result<Arc<Part>> {
    let columns: Columns = state.into_states()?;
    let batch = columns.batch(0..columns.len())?;
    let schema = columns.schema().clone();
    drop(columns);
    let part = keep(TAG_STATES, schema, vec![(UNCUT, batch)], held, context);
    held.shrink(usize::MAX);
    part
}

/// Rows in the raw layout.
fn raw_batch(spec: &GroupSpec, rows: &Rows) -> Result<RecordBatch> {
    let mut columns = rows.keys.iter().map(plain).collect::<Result<Vec<_>>>()?;
    columns.extend(rows.inputs.iter().cloned());
    if spec.needs_positions() {
        let positions: ArrayRef = match &rows.positions {
            RowPositions::From(base) => {
                Arc::new(UInt64Array::from_iter_values((*base..).take(rows.len)))
            }
            RowPositions::Each(positions) => Arc::new(UInt64Array::new(positions.clone(), None)),
        };
        columns.push(positions);
    }
    debug_assert!(columns.iter().all(|column| column.len() == rows.len));
    batch_of(&spec.raw_schema(), columns, rows.len)
}
