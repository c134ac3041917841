//! Combining the chunks of several tasks into one: a step of the tree reduce.
//!
//! ```text
//!   [uncut] [uncut] [uncut]   --> one uncut part, merged by key
//!   [uncut] [states] [states] --> one part of states, merged bucket by bucket, if that makes them fewer
//!   [rows] ..                 --> pass as they are: no row is touched
//! ```
//!
//! So memory follows the number of groups and not the number of tasks, while groups that no two tasks
//! share wait untouched for the stage that finishes each bucket on its own.

use std::sync::Arc;

use arrow::array::RecordBatch;
use dframe_core::{Reservation, Result};
use dframe_runtime::{Chunk, Part, TaskContext, batch_bytes};

use super::partial::{TAG_STATES, UNCUT_GROUPS_MAX, cut_states, hold, uncut_states};
use super::radix::{Radix, UNCUT};
use super::shared::SharedGroups;
use super::spec::GroupSpec;
use super::state::GroupState;
use crate::fold::keep;

/// Buckets after which merging cut states is given up if it has not made them fewer.
const TRIAL_BUCKETS: u32 = 8;
/// Fewer means at most this share of the rows that went in.
const MERGED_SHARE_MAX: f64 = 0.75;

/// One chunk of the groups of all `inputs`.
pub(crate) fn combine(
    spec: &Arc<GroupSpec>,
    shared: Option<&SharedGroups>,
    inputs: Vec<Chunk>,
    context: &TaskContext,
) -> Result<Chunk> {
    let parts = Chunk::concat(inputs).into_parts();
    let (uncut, mut cut): (Vec<_>, Vec<_>) = parts.into_iter().partition(is_uncut);
    let combine = Combine { spec, context };
    // Shared groups are cut, so that all have to be.
    let only = cut.is_empty() && !shared.is_some_and(SharedGroups::is_used);
    if !(only && uncut.len() < 2) {
        cut.extend(combine.uncut(&uncut, only)?);
        return Ok(Chunk::new(combine.cut(cut)?));
    }
    Ok(Chunk::new(uncut))
}

/// Whether the part holds rows of all buckets, in no order.
pub(crate) fn is_uncut(part: &Arc<Part>) -> bool {
    part.first_bucket().is_none_or(|bucket| bucket == UNCUT)
}

struct Combine<'a> {
    spec: &'a Arc<GroupSpec>,
    context: &'a TaskContext,
}

impl Combine<'_> {
    /// Merges uncut parts; into one that is not cut either, if they are all there is and few.
    fn uncut(&self, parts: &[Arc<Part>], only: bool) -> Result<Vec<Arc<Part>>> {
        let Self { spec, context } = self;
        let radix = Radix::first(spec.buckets);
        let mut held = context.budget.reservation();
        let mut state = GroupState::new(spec)?;
        let mut merged = Vec::new();
        for batch in parts.iter().flat_map(|part| part.take(None)) {
            state.merge(&batch?)?;
            if !hold(&mut held, state.memory())? && !spec.keys.is_empty() {
                let full = std::mem::replace(&mut state, GroupState::new(spec)?);
                merged.push(cut_states(full, radix, &mut held, context)?);
            }
            context.cancel.check()?;
        }
        let few = only && merged.is_empty() && state.len() <= UNCUT_GROUPS_MAX;
        if few || spec.keys.is_empty() {
            merged.push(uncut_states(state, &mut held, context)?);
        } else if state.len() > 0 {
            merged.push(cut_states(state, radix, &mut held, context)?);
        }
        Ok(merged)
    }

    /// Merges the cut parts that hold states, bucket by bucket.
    fn cut(&self, parts: Vec<Arc<Part>>) -> Result<Vec<Arc<Part>>> {
        let is_mergeable = |part: &Arc<Part>| part.tag() == TAG_STATES && !is_uncut(part);
        let (states, mut parts): (Vec<_>, Vec<_>) = parts.into_iter().partition(is_mergeable);
        // Rows on disk stay there: reading and writing them again would cost more than it frees.
        if states.len() < 2 || states.iter().any(|part| part.is_spilled()) {
            parts.extend(states);
            return Ok(parts);
        }
        match self.merged_buckets(&states)? {
            Some(merged) => parts.push(merged),
            None => parts.extend(states),
        }
        Ok(parts)
    }

    /// The states as one part; `None` if a trial shows that it would have nearly as many rows.
    fn merged_buckets(&self, states: &[Arc<Part>]) -> Result<Option<Arc<Part>>> {
        let mut held = self.context.budget.reservation();
        let mut merged: Vec<(u32, RecordBatch)> = Vec::new();
        let (mut rows_in, mut rows_out) = (0, 0);
        for bucket in 0..self.spec.buckets {
            self.context.cancel.check()?;
            let Some((rows, batch)) = self.merged_bucket(states, bucket, &mut held)? else {
                continue;
            };
            (rows_in, rows_out) = (rows_in + rows, rows_out + batch.num_rows());
            let granted = held.try_grow(batch_bytes(&batch));
            let tried =
                bucket == TRIAL_BUCKETS && rows_out as f64 > MERGED_SHARE_MAX * rows_in as f64;
            if tried || !granted {
                return Ok(None);
            }
            merged.push((bucket, batch));
        }
        let schema = self.spec.state_schema();
        Ok(Some(keep(TAG_STATES, schema, merged, &mut held, self.context)?))
    }

    /// The groups of one bucket, and the number of rows they were merged from.
    fn merged_bucket(
        &self,
        states: &[Arc<Part>],
        bucket: u32,
        held: &mut Reservation,
    ) -> Result<Option<(usize, RecordBatch)>> {
        let mut state = GroupState::of_bucket(self.spec)?;
        let mut rows = 0;
        for batch in states.iter().flat_map(|part| part.read(Some(bucket))) {
            let batch = batch?;
            rows += batch.num_rows();
            state.merge(&batch)?;
        }
        let _covered = held.budget().reserve(state.memory(), "combining groups")?;
        let columns = state.into_states()?;
        if columns.len() == 0 {
            return Ok(None);
        }
        Ok(Some((rows, columns.batch(0..columns.len())?)))
    }
}
