//! Finishing one bucket: all its rows and states, from all tasks, into results.
//!
//! ```text
//!   parts --read(bucket)--> GroupState --> results
//!                 |  the budget refuses
//!                 +--> states and the rest of the rows, cut by the next bits, on disk
//!                            --> each smaller bucket, one after the other
//! ```

use std::sync::Arc;

use arrow::array::RecordBatch;
use dframe_core::{Error, Reservation, Result};
use dframe_runtime::{Chunk, Part, SpillWriter, TaskContext, batch_bytes};

use super::combine::is_uncut;
use super::large::LargeGroups;
use super::partial::{HANDED_ON_GROUPS_MIN, TAG_RAW, TAG_RESULTS, TAG_STATES, hold};
use super::radix::{Radix, UNCUT};
use super::scatter::scatter;
use super::shared::SharedGroups;
use super::spec::{Emit, GroupSpec};
use super::state::GroupState;
use crate::fold::keep;

/// Bits by which a bucket that does not fit is cut again.
const RECUT_BITS: u32 = 4;
/// Rows of a batch of results.
const OUTPUT_ROWS: usize = 32 * 1024;
/// Bytes of a batch of results that may be long lists, about.
const OUTPUT_BYTES: usize = 1 << 20;

/// The results of bucket `bucket` of a chunk that [`super::combine`] or one task made.
pub(crate) fn finish_bucket(
    spec: &Arc<GroupSpec>,
    chunk: Chunk,
    bucket: u32,
    shared: Option<&SharedGroups>,
    context: &TaskContext,
) -> Result<Chunk> {
    let parts = chunk.into_parts();
    let bucket = match parts.iter().all(is_uncut) {
        true if bucket == 0 => UNCUT,
        true => return Ok(Chunk::default()),
        false => bucket,
    };
    let mut output = Vec::new();
    let by_hash_from = shared.map_or(usize::MAX, |shared| by_hash_from(shared, &parts, bucket));
    let finish = Finish { spec, by_hash_from, context };
    finish.bucket(&parts, bucket, Radix::first(spec.buckets), &mut output)?;
    Ok(Chunk::new(output))
}

/// The number of groups from which they are put in the order of their hashes, as tasks may have raced for their first rows.
/// It depends on the race as little as can be.
fn by_hash_from(shared: &SharedGroups, parts: &[Arc<Part>], bucket: u32) -> usize {
    let are_states = parts.iter().all(|part| part.tag() == TAG_STATES);
    match bucket {
        UNCUT => HANDED_ON_GROUPS_MIN,
        _ if are_states || shared.is_raced() => 0,
        _ => usize::MAX,
    }
}

/// The results of all buckets of a chunk that one task made.
pub(crate) fn finish_all(
    spec: &Arc<GroupSpec>,
    chunk: Chunk,
    context: &TaskContext,
) -> Result<Chunk> {
    let parts = chunk.into_parts();
    if parts.iter().all(|part| part.tag() == TAG_RESULTS) {
        return Ok(Chunk::new(parts));
    }
    let mut output = Vec::new();
    let finish = Finish { spec, by_hash_from: usize::MAX, context };
    let radix = Radix::first(spec.buckets);
    match parts.iter().all(is_uncut) {
        true => finish.bucket(&parts, UNCUT, radix, &mut output)?,
        false => finish.buckets(&parts, radix, &mut output)?,
    }
    Ok(Chunk::new(output))
}

struct Finish<'a> {
    spec: &'a Arc<GroupSpec>,
    /// See [`by_hash_from`].
    by_hash_from: usize,
    context: &'a TaskContext,
}

impl Finish<'_> {
    fn bucket(
        &self,
        parts: &[Arc<Part>],
        bucket: u32,
        radix: Radix,
        output: &mut Vec<Arc<Part>>,
    ) -> Result<()> {
        if self.spec.keys.is_empty()
            && self.spec.gathers()
            && bytes_of(parts, bucket) > HELD_BYTES_MAX
        {
            return self.large_groups(parts, bucket, radix, output);
        }
        let mut state = GroupState::of_bucket(self.spec)?;
        let mut held = self.context.budget.reservation();
        let expected = raw_rows(parts, bucket) / 2;
        if held.try_grow(state.memory_for(expected)) {
            state.reserve(expected);
        }
        let mut batches = batches_of(parts, bucket);
        while let Some((tag, batch)) = batches.next().transpose()? {
            self.context.cancel.check()?;
            state.fold(tag, &batch)?;
            let too_much = self.finishes_large() && state.memory() > self.spec.share;
            if too_much || !hold(&mut held, self.finishing_bytes(&state))? {
                if self.finishes_large() && state.len() == 1 {
                    drop((batches, state, held));
                    return self.large_groups(parts, bucket, radix, output);
                }
                let next = self.recut(state, batches, radix)?;
                drop(held);
                return self.buckets(&next.0, next.1, output);
            }
        }
        output.extend(results(state, self.spec, self.by_hash_from, held, self.context)?);
        Ok(())
    }

    /// Values that were gathered are there twice while they become results.
    fn finishing_bytes(&self, state: &GroupState) -> usize {
        if self.finishes_large() { 2 * state.memory() } else { state.memory() }
    }

    /// Whether a group's values need not fit. States do: they are one row of what comes out.
    fn finishes_large(&self) -> bool {
        self.spec.gathers() && self.spec.emit == Emit::Results
    }

    /// Finishes a bucket that is one group, or mostly one.
    fn large_groups(
        &self,
        parts: &[Arc<Part>],
        bucket: u32,
        radix: Radix,
        output: &mut Vec<Arc<Part>>,
    ) -> Result<()> {
        if LargeGroups::new(self.spec, self.context, parts, bucket).finish(output)? {
            return Ok(());
        }
        let next = self.recut(GroupState::new(self.spec)?, batches_of(parts, bucket), radix)?;
        self.buckets(&next.0, next.1, output)
    }

    /// Writes the states so far and the batches not yet read, cut by the next bits.
    fn recut(
        &self,
        state: GroupState,
        rest: impl Iterator<Item = Result<(u32, RecordBatch)>>,
        radix: Radix,
    ) -> Result<(Vec<Arc<Part>>, Radix)> {
        let next = radix.next(RECUT_BITS).filter(|_| state.len() != 1).ok_or_else(too_large)?;
        let store = &self.context.store;
        let mut states = store.spill_writer(TAG_STATES, self.spec.state_schema())?;
        let mut raw = store.spill_writer(TAG_RAW, self.spec.raw_schema())?;
        let hashes = state.hashes();
        let columns = state.into_states()?;
        let cut = next.cut(&hashes);
        for (bucket, batch) in cut.slices(&columns.take(&cut.order())?) {
            states.write(bucket, &batch)?;
        }
        drop((columns, hashes, cut));
        let keys: Vec<usize> = (0..self.spec.keys.len()).collect();
        let mut write = |tag: u32, batches: &mut Vec<RecordBatch>| -> Result<()> {
            let writer: &mut SpillWriter = if tag == TAG_RAW { &mut raw } else { &mut states };
            if !batches.is_empty() {
                for (bucket, batch) in scatter(batches, &keys, next)? {
                    writer.write(bucket, &batch)?;
                }
                batches.clear();
            }
            Ok(())
        };
        let mut pending: [Vec<RecordBatch>; 2] = [Vec::new(), Vec::new()];
        for item in rest {
            let (tag, batch) = item?;
            self.context.cancel.check()?;
            let waiting = &mut pending[usize::from(tag == TAG_RAW)];
            waiting.push(batch);
            if waiting.iter().map(batch_bytes).sum::<usize>() > RECUT_BYTES {
                write(tag, waiting)?;
            }
        }
        write(TAG_STATES, &mut pending[0])?;
        write(TAG_RAW, &mut pending[1])?;
        Ok((vec![states.finish()?, raw.finish()?], next))
    }

    fn buckets(
        &self,
        parts: &[Arc<Part>],
        radix: Radix,
        output: &mut Vec<Arc<Part>>,
    ) -> Result<()> {
        (0..radix.buckets()).try_for_each(|bucket| self.bucket(parts, bucket, radix, output))
    }
}

/// What comes out of all groups of `state`, if there are any; so many or more in the order of their hashes, fewer in that of
/// their first rows.
pub(super) fn results(
    state: GroupState,
    spec: &GroupSpec,
    by_hash_from: usize,
    mut held: Reservation,
    context: &TaskContext,
) -> Result<Option<Arc<Part>>> {
    let order = (state.len() >= by_hash_from).then(|| state.order_by_hash());
    let columns = state.into_output()?;
    let rows = match spec.gathers() {
        true => (OUTPUT_BYTES / (columns.bytes() / columns.len().max(1)).max(1)).max(1),
        false => OUTPUT_ROWS,
    };
    let mut batches = Vec::new();
    for start in (0..columns.len()).step_by(rows.min(OUTPUT_ROWS)) {
        let end = (start + rows.min(OUTPUT_ROWS)).min(columns.len());
        batches.push((
            0,
            match &order {
                Some(order) => columns.rows(&order[start..end])?,
                None => columns.batch(start..end)?,
            },
        ));
    }
    let schema = columns.schema().clone();
    drop(columns);
    if batches.is_empty() {
        return Ok(None);
    }
    keep(TAG_RESULTS, schema, batches, &mut held, context).map(Some)
}

/// The rows of a bucket that no task has aggregated, because most of them are groups of their own.
fn raw_rows(parts: &[Arc<Part>], bucket: u32) -> usize {
    let raw = parts.iter().filter(|part| part.tag() == TAG_RAW);
    raw.map(|part| part.bucket_rows(bucket) as usize).sum()
}

fn bytes_of(parts: &[Arc<Part>], bucket: u32) -> u64 {
    parts.iter().map(|part| part.bucket_bytes(bucket)).sum()
}

/// A group of more bytes is not copied into one place when it is all there is.
const HELD_BYTES_MAX: u64 = 16 << 20;

/// Bytes of batches that are cut together, so that the pieces are not too small.
const RECUT_BYTES: usize = 2 << 20;

/// The batches of a bucket with their parts' tags. A part's buckets are slices of the same memory, so
/// none is given back before all are read; a part in the way is spilled.
pub(super) fn batches_of(
    parts: &[Arc<Part>],
    bucket: u32,
) -> impl Iterator<Item = Result<(u32, RecordBatch)>> {
    parts.iter().flat_map(move |part| {
        let tag = part.tag();
        part.read(Some(bucket)).map(move |batch| Ok((tag, batch?)))
    })
}

pub(super) fn too_large() -> Error {
    Error::over_budget("the state of a single group does not fit the memory limit")
        .operator("aggregate")
        .remedy("raise --memory-limit")
}
