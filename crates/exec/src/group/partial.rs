//! Partial aggregation: one partition's rows, folded into a chunk.
//!
//! ```text
//!            few groups                          many groups, or little memory
//!   rows --> GroupState --------------> uncut states     (one part, bucket UNCUT)
//!                |  too large, or the budget refuses
//!                +--------------------> states by bucket (parts, spillable), start again
//!                |  and most rows were new groups
//!                +--> rows by bucket -----> not aggregated at all, or folded into shared groups
//! ```
//!
//! A table of many groups goes to the next task, as long as there is one.
//!
//! States that are all values of their groups are always cut: no step of the tree reduce would make them
//! smaller, so that there is none. A task that has all rows of its groups, and keeps them all, finishes them. Once a task has cut anything into buckets, all it hands over is cut. Aggregating first pays only
//! when rows share groups, or come in the order of their keys and are all there; a task finds out from its own rows and changes its ways
//! for good.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array};
use dframe_core::{Reservation, Result};
use dframe_plan::ScannedBatch;
use dframe_runtime::{Chunk, Part, TaskContext};

use super::finish::results;
use super::radix::{Radix, UNCUT};
use super::shared::SharedGroups;
use super::short_texts::travelling;
use super::spec::{GroupSpec, RowPositions, Rows};
use super::state::{Columns, GroupState};
use crate::exchange::RowCutter;
use crate::fold::{Fold, keep};
use crate::pipeline::batch_of;

/// What a part of a group-by's chunk holds.
pub(crate) const TAG_STATES: u32 = 0;
/// Rows of the raw layout.
pub(crate) const TAG_RAW: u32 = 1;
/// Rows that come out.
pub(crate) const TAG_RESULTS: u32 = 2;

/// Groups below which a task hands its states over uncut.
pub(crate) const UNCUT_GROUPS_MAX: usize = 32 * 1024;
/// Groups from which a task hands its table on: fewer are made and merged in no time, and come out in the order of their first
/// rows.
pub(crate) const HANDED_ON_GROUPS_MIN: usize = 1024;
/// Groups at which a task asks itself whether aggregating first pays.
const SAMPLE_GROUPS: usize = 128 * 1024;
/// The same after another task has found that it does not.
const TOLD_SAMPLE_GROUPS: usize = 16 * 1024;
/// Groups at which it asks itself whether sharing them pays.
const SHARED_GROUPS_MIN: usize = 32 * 1024;
/// It pays when groups are at most this share of the rows.
const UNIQUE_SHARE_MAX: f64 = 0.5;
/// A state larger than this has left the cache, and is cut; so is one larger than what a task may hold.
const STATE_BYTES_MAX: usize = 64 << 20;
/// Gathered values are handed over in pieces that fit everywhere.
const GATHERED_BYTES_MAX: usize = 32 << 20;
/// Cut rows of a task that go into shared groups at once: many of each bucket, whose states come into the cache.
const SHARED_ROWS: u64 = 2 << 20;

/// Folds the rows of one partition.
pub(crate) struct PartialAggregate {
    spec: Arc<GroupSpec>,
    radix: Radix,
    mode: Mode,
    parts: Vec<Arc<Part>>,
    shared: Option<Arc<SharedGroups>>,
    /// The rows of `parts`, if they go into the shared groups.
    sharing: Option<u64>,
}

enum Mode {
    Aggregate(Table),
    Raw(RowCutter),
}

/// The groups of rows, as they are folded.
pub(crate) struct Table {
    state: Box<GroupState>,
    rows: u64,
    held: Reservation,
}

impl Table {
    fn new(spec: &Arc<GroupSpec>, context: &TaskContext) -> Result<Self> {
        let state = Box::new(GroupState::new(spec)?);
        Ok(Self { state, rows: 0, held: context.budget.reservation() })
    }

    /// The groups as one part, if there are any; cut if they are many, or have to be.
    fn into_part(
        mut self,
        spec: &GroupSpec,
        cut: bool,
        radix: Radix,
        context: &TaskContext,
    ) -> Result<Option<Arc<Part>>> {
        if self.state.len() == 0 {
            return Ok(None);
        }
        match cut || self.state.len() > UNCUT_GROUPS_MAX || spec.gathers() {
            true => cut_states(*self.state, radix, &mut self.held, context).map(Some),
            false => uncut_states(*self.state, &mut self.held, context).map(Some),
        }
    }
}

/// Hands a table of many groups to a task that is to begin; it comes back if there is none, or no memory for it to wait in.
fn hand_on(shared: Option<&SharedGroups>, table: Table, context: &TaskContext) -> Option<Table> {
    let may_wait = table.held.bytes() <= context.budget.available();
    match shared {
        Some(shared) if table.state.len() >= HANDED_ON_GROUPS_MIN && may_wait => {
            shared.tables.put(table)
        }
        _ => Some(table),
    }
}

impl PartialAggregate {
    /// Nothing folded yet. Groups may be shared with those tasks that have the same `shared`.
    pub(crate) fn new(
        spec: &Arc<GroupSpec>,
        shared: Option<&Arc<SharedGroups>>,
        context: &TaskContext,
    ) -> Result<Self> {
        let table = match shared.and_then(|shared| shared.tables.take()) {
            Some(table) => table,
            None => Table::new(spec, context)?,
        };
        Ok(Self {
            spec: spec.clone(),
            radix: Radix::first(spec.buckets),
            mode: Mode::Aggregate(table),
            parts: Vec::new(),
            shared: shared.cloned(),
            sharing: None,
        })
    }

    fn aggregate(&mut self, rows: &Rows, context: &TaskContext) -> Result<()> {
        let sample_groups = self.sample_groups();
        let Mode::Aggregate(table) = &mut self.mode else { return Ok(()) };
        table.state.update(rows)?;
        table.rows += rows.len as u64;
        let (state, rows) = (&table.state, table.rows);
        let (groups, bytes) = (state.len(), state.memory());
        let refused = !hold(&mut table.held, bytes)?;
        if self.spec.gathers() && (refused || bytes > GATHERED_BYTES_MAX.min(self.spec.share)) {
            return self.flush_states(context);
        }
        if self.spec.keys.is_empty() {
            return Ok(());
        }
        let mostly_new = groups as f64 > UNIQUE_SHARE_MAX * rows as f64;
        // States are larger than rows: they pay if they need not be merged with those of other tasks.
        let finishes = self.spec.divided && state.is_in_order();
        let shares = groups >= SHARED_GROUPS_MIN.min(sample_groups)
            && mostly_new
            && self.shared.as_ref().is_some_and(|shared| {
                shared.pays(rows, groups as u64, bytes, context.budget.limit())
            });
        if shares || groups >= sample_groups && mostly_new && !finishes {
            self.flush_states(context)?;
            if let (Some(shared), false) = (&self.shared, shares) {
                shared.tell_mostly_new();
            }
            self.sharing = shares.then_some(0);
            self.mode = Mode::Raw(raw_cutter(&self.spec, self.radix, context));
        } else if refused || bytes > STATE_BYTES_MAX.min(self.spec.share) {
            self.flush_states(context)?;
        }
        Ok(())
    }

    /// Groups at which this task asks itself whether aggregating first pays.
    fn sample_groups(&self) -> usize {
        match self.shared.as_ref().is_some_and(|shared| shared.are_mostly_new()) {
            true => TOLD_SAMPLE_GROUPS,
            false => SAMPLE_GROUPS,
        }
    }

    /// Takes cut rows in; if they go into the shared groups, once there are many.
    fn add_cut(
        &mut self,
        parts: impl IntoIterator<Item = Arc<Part>>,
        context: &TaskContext,
    ) -> Result<()> {
        for part in parts {
            self.sharing = self.sharing.map(|rows| rows + part.rows());
            self.parts.push(part);
        }
        match self.sharing {
            Some(rows) if rows >= SHARED_ROWS => self.share(context),
            _ => Ok(()),
        }
    }

    /// Folds the cut parts so far into the shared groups.
    fn share(&mut self, context: &TaskContext) -> Result<()> {
        if let (Some(shared), Some(_)) = (&self.shared, self.sharing.take()) {
            self.parts = shared.fold(&self.spec, &self.parts, context)?;
            match self.parts.is_empty() {
                true => self.sharing = Some(0),
                false => self.stop_sharing(context)?,
            }
        }
        Ok(())
    }

    /// Goes on with a table of its own, as there is no memory for shared groups.
    fn stop_sharing(&mut self, context: &TaskContext) -> Result<()> {
        let fresh = Mode::Aggregate(Table::new(&self.spec, context)?);
        if let Mode::Raw(mut cutter) = std::mem::replace(&mut self.mode, fresh) {
            self.parts.extend(cutter.flush(context)?);
        }
        Ok(())
    }

    /// Hands the groups so far over, by bucket, and starts again.
    fn flush_states(&mut self, context: &TaskContext) -> Result<()> {
        let fresh = Mode::Aggregate(Table::new(&self.spec, context)?);
        if let Mode::Aggregate(Table { state, mut held, .. }) =
            std::mem::replace(&mut self.mode, fresh)
        {
            self.parts.push(cut_states(*state, self.radix, &mut held, context)?);
        }
        Ok(())
    }
}

impl Fold for PartialAggregate {
    fn push(&mut self, batch: ScannedBatch, context: &TaskContext) -> Result<bool> {
        let rows = self.spec.evaluate(&batch.rows, batch.position)?;
        match &mut self.mode {
            Mode::Aggregate(_) => self.aggregate(&rows, context)?,
            Mode::Raw(cutter) => {
                let parts = cutter.push(raw_batch(&self.spec, &rows)?, context)?;
                self.add_cut(parts, context)?;
            }
        }
        Ok(true)
    }

    fn give_way(&mut self, context: &TaskContext) -> Result<()> {
        match &mut self.mode {
            // One state is as small as it gets, unless it gathers.
            Mode::Aggregate(table) if table.state.len() > usize::from(!self.spec.gathers()) => {
                self.flush_states(context)
            }
            Mode::Aggregate(_) => Ok(()),
            Mode::Raw(cutter) => {
                self.parts.extend(cutter.flush(context)?);
                Ok(())
            }
        }
    }

    fn finish(mut self: Box<Self>, context: &TaskContext) -> Result<Chunk> {
        match self.mode {
            Mode::Raw(mut cutter) => {
                let last = cutter.flush(context)?;
                self.mode = Mode::Raw(cutter);
                self.parts.extend(last);
                self.share(context)?;
            }
            Mode::Aggregate(table) if self.spec.divided && self.parts.is_empty() => {
                let Table { state, held, .. } = table;
                let results = results(*state, &self.spec, usize::MAX, held, context)?;
                return Ok(Chunk::new(results.into_iter().collect()));
            }
            Mode::Aggregate(table) => {
                if let Some(table) = hand_on(self.shared.as_deref(), table, context) {
                    let cut = !self.parts.is_empty();
                    self.parts.extend(table.into_part(&self.spec, cut, self.radix, context)?);
                }
            }
        }
        Ok(Chunk::new(self.parts))
    }
}

/// Cuts rows of the raw layout by their keys.
pub(crate) fn raw_cutter(spec: &GroupSpec, radix: Radix, context: &TaskContext) -> RowCutter {
    RowCutter::new(TAG_RAW, (0..spec.keys.len()).collect(), radix, context)
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
    held.grow_if_granted(wanted - held.bytes(), "aggregation")
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
    let mut columns = rows.keys.iter().map(travelling).collect::<Result<Vec<_>>>()?;
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
