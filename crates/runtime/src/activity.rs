//! What the runs of one executor know of each other: whether others run, and whether anything has ended
//! that may have freed memory. A refusal by the shared budget is final only if neither gives hope.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

#[derive(Default)]
pub(crate) struct Activity {
    runs: AtomicUsize,
    ended: AtomicU64,
}

impl Activity {
    pub(crate) fn run_begins(&self) {
        self.runs.fetch_add(1, Ordering::SeqCst);
    }

    /// Counted as an end first: who sees one run less, and looks at the ends then, sees that too.
    pub(crate) fn run_ends(&self) {
        self.something_ended();
        self.runs.fetch_sub(1, Ordering::SeqCst);
    }

    pub(crate) fn something_ended(&self) {
        self.ended.fetch_add(1, Ordering::SeqCst);
    }

    /// How many pieces of work have ended so far, in all runs.
    pub(crate) fn ended(&self) -> u64 {
        self.ended.load(Ordering::SeqCst)
    }

    /// How many runs there are, of queries and of users' tasks.
    pub(crate) fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    /// Whether there is more than one run.
    pub(crate) fn is_shared(&self) -> bool {
        self.runs() > 1
    }
}
