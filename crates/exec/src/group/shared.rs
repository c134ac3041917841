//! Groups that all tasks of a stage share: cut rows are folded into them, bucket by bucket.
//!
//! ```text
//!   task --rows by bucket--+--> bucket 0: a GroupState --+
//!   task --rows by bucket--+--> bucket 1: a GroupState --+--> a part each, when its bucket is finished
//!                                  |  no memory
//!                                  +--> a part of the task that is there
//! ```
//!
//! A bucket's states fit the cache, and every group has one, however many tasks see it: memory follows the groups,
//! and nothing is merged. It pays where groups are too many for a table per task, yet far fewer than the rows. Which rows
//! come first depends on the tasks' race, but not what comes out: aggregates do not depend on the order of
//! their rows, and a bucket's groups are put in the order of their hashes when it is finished.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dframe_core::{Error, Reservation, Result};
use dframe_runtime::{Part, TaskContext};

use super::finish::batches_of;
use super::handed_on::HandedOn;
use super::partial::{TAG_STATES, Table};
use super::spec::GroupSpec;
use super::state::GroupState;
use crate::fold::keep;

/// Rows there are for each group, at least, where sharing pays.
const ROWS_PER_GROUP_MIN: u64 = 4;
/// Groups that each task may as well have a table of.
const GROUPS_MIN: u128 = 160 * 1024;
/// One part in so many of the memory limit is for shared groups: they cannot be spilled as long as they are shared.
const MEMORY_SHARE: usize = 3;

/// The shared groups of one group-by.
pub(crate) struct SharedGroups {
    /// The rows of the input, about.
    rows: u64,
    buckets: Box<[Mutex<Bucket>]>,
    /// The memory of all buckets.
    held: Mutex<Option<Reservation>>,
    used: AtomicBool,
    /// Whether there was no memory for one.
    full: AtomicBool,
    /// Where the next task begins, so that tasks are not after the same buckets.
    start: AtomicUsize,
    /// Whether a task has found most of its rows to be groups of their own.
    mostly_new: AtomicBool,
    /// The tables of tasks that share none.
    pub(crate) tables: HandedOn<Table>,
}

#[derive(Default)]
enum Bucket {
    #[default]
    Empty,
    /// Its groups, and what is reserved for them.
    Open(Box<GroupState>, usize),
    Closed(Arc<Part>),
}

impl SharedGroups {
    /// None yet, of an input of about so many rows.
    pub(crate) fn new(spec: &GroupSpec, rows: u64) -> Self {
        Self {
            rows,
            buckets: (0..spec.buckets).map(|_| Mutex::default()).collect(),
            held: Mutex::default(),
            used: AtomicBool::new(false),
            full: AtomicBool::new(false),
            start: AtomicUsize::new(0),
            mostly_new: AtomicBool::new(false),
            tables: HandedOn::new(),
        }
    }

    /// Tells the other tasks that most of a task's rows were groups of their own.
    pub(crate) fn tell_mostly_new(&self) {
        self.mostly_new.store(true, Ordering::Relaxed);
    }

    /// Whether a task has told so.
    pub(crate) fn are_mostly_new(&self) -> bool {
        self.mostly_new.load(Ordering::Relaxed)
    }

    /// Whether groups are too many for a task to keep, and few enough to be shared, as far as it can tell that has
    /// found so many in its first rows.
    ///
    /// If all groups were as likely, pairs of rows would share one as often as persons share a birthday; where they are
    /// not, there are more groups than that, but most rows are of few. All of them are to fit, as `bytes` of the memory limit do for
    /// those it has.
    pub(crate) fn pays(&self, rows: u64, groups: u64, bytes: usize, limit: usize) -> bool {
        let known = rows.saturating_sub(groups).max(1);
        let expected = u128::from(rows) * u128::from(rows) / (2 * u128::from(known));
        let expected_bytes = expected * bytes as u128 / u128::from(groups.max(1));
        !self.full.load(Ordering::Relaxed)
            && expected > GROUPS_MIN
            && expected * u128::from(ROWS_PER_GROUP_MIN) <= u128::from(self.rows)
            && expected_bytes <= (limit / MEMORY_SHARE) as u128
    }

    /// Whether it shows which tasks were faster, unless groups are put in an order.
    pub(crate) fn is_raced(&self) -> bool {
        self.is_used() || self.tables.is_used()
    }

    /// Whether there may be any.
    pub(crate) fn is_used(&self) -> bool {
        self.used.load(Ordering::Acquire)
    }

    /// Folds cut parts in. What comes back there was no memory for; from then on sharing does not pay.
    pub(crate) fn fold(
        &self,
        spec: &Arc<GroupSpec>,
        parts: &[Arc<Part>],
        context: &TaskContext,
    ) -> Result<Vec<Arc<Part>>> {
        self.used.store(true, Ordering::Release);
        let count = self.buckets.len();
        let start = self.start.fetch_add(count / 2 + 1, Ordering::Relaxed);
        let mut refused = Vec::new();
        for bucket in (start..start + count).map(|bucket| (bucket % count) as u32) {
            if parts.iter().any(|part| part.bucket_rows(bucket) > 0) {
                context.cancel.check()?;
                refused.extend(self.fold_bucket(spec, parts, bucket, context)?);
            }
        }
        self.full.fetch_or(!refused.is_empty(), Ordering::Relaxed);
        Ok(refused)
    }

    fn fold_bucket(
        &self,
        spec: &Arc<GroupSpec>,
        parts: &[Arc<Part>],
        bucket: u32,
        context: &TaskContext,
    ) -> Result<Option<Arc<Part>>> {
        let mut place = lock(&self.buckets[bucket as usize]);
        let (mut state, reserved) = match std::mem::take(&mut *place) {
            Bucket::Open(state, reserved) => (state, reserved),
            Bucket::Empty => (Box::new(GroupState::of_bucket(spec)?), 0),
            Bucket::Closed(_) => return Err(Error::internal("rows for groups that are finished")),
        };
        for item in batches_of(parts, bucket) {
            let (tag, batch) = item?;
            state.fold(tag, &batch)?;
        }
        let wanted = state.memory();
        if self.reserve(wanted.saturating_sub(reserved), context)? {
            *place = Bucket::Open(state, reserved.max(wanted));
            return Ok(None);
        }
        drop(place);
        let mut held = self.take_back(reserved);
        part_of(*state, bucket, &mut held, context).map(Some)
    }

    /// Reserves more memory, if there is any for shared groups.
    fn reserve(&self, bytes: usize, context: &TaskContext) -> Result<bool> {
        let mut held = lock(&self.held);
        let held = held.get_or_insert_with(|| context.budget.reservation());
        if held.bytes() + bytes > context.budget.limit() / MEMORY_SHARE {
            return Ok(false);
        }
        held.grow_if_granted(bytes, "groups that tasks share")
    }

    fn take_back(&self, bytes: usize) -> Reservation {
        let mut held = lock(&self.held);
        held.as_mut().expect("reserved before").split(bytes)
    }

    /// The groups of a bucket, if it has any. No rows may be folded into it after that.
    pub(crate) fn part(&self, bucket: u32, context: &TaskContext) -> Result<Option<Arc<Part>>> {
        let mut place = lock(&self.buckets[bucket as usize]);
        let part = match std::mem::take(&mut *place) {
            Bucket::Empty => return Ok(None),
            Bucket::Open(state, reserved) => {
                part_of(*state, bucket, &mut self.take_back(reserved), context)?
            }
            Bucket::Closed(part) => part,
        };
        // The task may be tried again.
        *place = Bucket::Closed(part.clone());
        Ok(Some(part))
    }
}

impl fmt::Debug for SharedGroups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedGroups").field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// The groups of one bucket as a part.
fn part_of(
    state: GroupState,
    bucket: u32,
    held: &mut Reservation,
    context: &TaskContext,
) -> Result<Arc<Part>> {
    let groups: Vec<u32> = (0..state.len() as u32).collect();
    let columns = state.into_states()?;
    let batch = columns.take(&groups)?;
    let schema = columns.schema().clone();
    drop(columns);
    keep(TAG_STATES, schema, vec![(bucket, batch)], held, context)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups that `rows` draws from `groups` groups show, about.
    fn seen(rows: u64, groups: u64) -> u64 {
        (groups as f64 * (1.0 - (-(rows as f64) / groups as f64).exp())) as u64
    }

    #[test]
    fn groups_are_shared_where_rows_are_many_times_as_many() {
        let shared = |rows: u64| SharedGroups {
            rows,
            buckets: Box::default(),
            held: Mutex::default(),
            used: AtomicBool::new(false),
            full: AtomicBool::new(false),
            start: AtomicUsize::new(0),
            mostly_new: AtomicBool::new(false),
            tables: HandedOn::new(),
        };
        for (rows, groups, pays) in [
            (100_000_000, 1_000_000, true),
            (100_000_000, 20_000_000, true),
            (100_000_000, 50_000_000, false),
            (10_000_000, 1_000_000, true),
            (10_000_000, 5_000_000, false),
            (10_000_000, 100_000, false),
            (500_000, 300_000, false),
        ] {
            let first = 40_000;
            let seen = seen(first, groups);
            assert_eq!(shared(rows).pays(first, seen, 1, 1 << 40), pays, "{groups} of {rows}");
            let bytes = 100 * seen as usize;
            assert!(!shared(rows).pays(first, seen, bytes, groups as usize * 200), "no memory");
        }
        // No two rows alike: nothing is known but that groups are many.
        assert!(!shared(100_000_000).pays(40_000, 40_000, 1, 1 << 40));
    }
}
