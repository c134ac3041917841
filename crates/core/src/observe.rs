//! Everything a user can wait for is observable: typed events, sent to observers.
//!
//! Progress, profile and statistics are observers. Observers are called from worker and I/O threads
//! and must be quick; they cannot fail and cannot stop the run.

use std::time::Duration;

/// Something that happened during a run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The planner has asked a source for its partitions.
    PartitionsPlanned {
        /// Partitions that will be read.
        partitions: usize,
        /// Row groups that will be read, in whole or in part.
        row_groups: usize,
        /// Row groups that statistics or Bloom filters ruled out.
        row_groups_pruned: usize,
        /// Rows that will be read, after pruning.
        rows: u64,
        /// Bytes that will be read, after pruning.
        bytes: u64,
    },
    /// A task has begun.
    TaskStarted {
        /// The stage's position in the graph.
        stage: usize,
        /// The stage's name.
        name: String,
        /// The task's position in its stage.
        index: usize,
    },
    /// A task has ended, well or not.
    TaskFinished {
        /// The stage's position in the graph.
        stage: usize,
        /// The stage's name.
        name: String,
        /// The task's position in its stage.
        index: usize,
        /// The time it held a core.
        busy: Duration,
        /// The rows of its chunk.
        rows: u64,
        /// The bytes of its chunk.
        bytes: u64,
    },
    /// A thread has worked on a task for a while: a worker that computed, or an I/O thread that read. Comes
    /// from that thread, when it is done.
    TaskRan {
        /// The stage's position in the graph.
        stage: usize,
        /// The stage's name.
        name: String,
        /// The task's position in its stage.
        index: usize,
        /// How long the thread took.
        took: Duration,
    },
    /// A task has failed and will be tried again: one of the user's own, or one of a query that got no
    /// memory beside others.
    TaskRetried {
        /// The task's name.
        name: String,
        /// The task's position in its graph.
        index: usize,
        /// The attempt that failed; the first is 1.
        attempt: u32,
        /// How long it waits.
        wait: Duration,
        /// What it failed with.
        error: String,
    },
    /// Nothing has ended for a moment while a run goes on: observers see time pass.
    Waited,
    /// An I/O thread has read this many bytes from a source.
    BytesRead(u64),
    /// A source has decoded this many rows.
    RowsRead(u64),
    /// A task has passed over units of its partition: what other tasks had found made their statistics
    /// show that no row of them can matter.
    UnitsSkipped {
        /// The units.
        units: u64,
        /// Their rows.
        rows: u64,
    },
    /// A chunk was written to the temp directory.
    Spilled {
        /// Bytes on disk.
        bytes: u64,
        /// Bytes of memory it freed.
        freed: u64,
    },
    /// Time that an operator held a core.
    OperatorTime {
        /// The operator's name.
        operator: &'static str,
        /// The time.
        busy: Duration,
        /// The rows that went through it.
        rows: u64,
    },
}

/// Receives events.
pub trait Observer: Send + Sync {
    /// Called for each event, from any thread.
    fn observe(&self, event: &Event);
}

/// An observer that ignores everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn observe(&self, _event: &Event) {}
}
