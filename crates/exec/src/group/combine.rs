//! Combining the chunks of several tasks into one: a step of the tree reduce.
//!
//! ```text
//!   [uncut] [uncut] [uncut]  --> one uncut part, merged by key
//!   [uncut] [cut]   [cut]    --> the uncut one cut; the others pass as they are, no row is touched
//! ```
//!
//! So few groups are merged as tasks finish, which frees memory, and many groups wait for the stage
//! that finishes each bucket on its own.

use std::sync::Arc;

use dframe_core::Result;
use dframe_runtime::{Chunk, Part, TaskContext};

use super::partial::{UNCUT_GROUPS_MAX, cut_states, hold, uncut_states};
use super::radix::{Radix, UNCUT};
use super::spec::GroupSpec;
use super::state::GroupState;

/// One chunk of the groups of all `inputs`.
pub(crate) fn combine(
    spec: &Arc<GroupSpec>,
    inputs: Vec<Chunk>,
    context: &TaskContext,
) -> Result<Chunk> {
    let parts = Chunk::concat(inputs).into_parts();
    let (uncut, mut cut): (Vec<_>, Vec<_>) = parts.into_iter().partition(is_uncut);
    if cut.is_empty() && uncut.len() < 2 {
        return Ok(Chunk::new(uncut));
    }
    let radix = Radix::first(spec.buckets);
    let mut held = context.budget.reservation();
    let mut state = GroupState::new(spec)?;
    for batch in uncut.iter().flat_map(|part| part.take(None)) {
        state.merge(&batch?)?;
        if !hold(&mut held, state.memory()) && !spec.keys.is_empty() {
            let full = std::mem::replace(&mut state, GroupState::new(spec)?);
            cut.push(cut_states(full, radix, &mut held, context)?);
        }
        context.cancel.check()?;
    }
    let into_buckets = !cut.is_empty() || state.len() > UNCUT_GROUPS_MAX;
    cut.push(match into_buckets && !spec.keys.is_empty() {
        true => cut_states(state, radix, &mut held, context)?,
        false => uncut_states(state, &mut held, context)?,
    });
    Ok(Chunk::new(cut))
}

/// Whether the part holds rows of all buckets, in no order.
pub(crate) fn is_uncut(part: &Arc<Part>) -> bool {
    part.buckets().first().is_none_or(|(bucket, ..)| *bucket == UNCUT)
}
