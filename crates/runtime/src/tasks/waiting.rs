//! The threads on which I/O-bound tasks wait: started when one is needed, gone when idle for a while.
//!
//! They are not those that read for queries, so that tasks waiting on a slow server keep no scan from
//! reading. Graphs that run at once share them evenly: a graph that has its share starts no more, and
//! what its tasks give back goes to the others; each has one always.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use dframe_core::Result;

use crate::coordinator::Job;
use crate::threaded::start_thread;

/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(5);

pub(crate) struct WaitingThreads {
    limit: usize,
    graphs: AtomicUsize,
    busy: Arc<AtomicUsize>,
    /// A meeting point: sending succeeds only if a thread is idle.
    idle: (Sender<Job>, Receiver<Job>),
}

impl WaitingThreads {
    /// Threads for at most `limit` tasks at once, and for one of each graph beyond that.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            graphs: AtomicUsize::new(0),
            busy: Arc::default(),
            idle: bounded(0),
        }
    }

    pub(super) fn graph_begins(&self) {
        self.graphs.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn graph_ends(&self) {
        self.graphs.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether a graph that has `own` tasks waiting may start another.
    pub(super) fn may_start(&self, own: usize) -> bool {
        let share = self.limit.div_ceil(self.graphs.load(Ordering::SeqCst).max(1));
        own == 0 || (own < share && self.busy.load(Ordering::SeqCst) < self.limit)
    }

    /// Runs a job on an idle thread, or a new one.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(crate) fn start(&self, job: Job) -> Result<()> {
        let busy = self.busy.clone();
        busy.fetch_add(1, Ordering::SeqCst);
        let counted: Job = Box::new(move || {
            let _end = Ends(busy);
            job();
        });
        let job = match self.idle.0.try_send(counted) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => job,
        };
        let more = self.idle.1.clone();
        let thread = start_thread("dframe-waiting".to_string(), move || {
            job();
            while let Ok(job) = more.recv_timeout(IDLE) {
                job();
            }
        });
        thread.map(drop).map_err(|error| error.remedy("allow fewer I/O-bound tasks at once"))
    }
}

/// Counts a job as ended when dropped: also when it never ran.
struct Ends(Arc<AtomicUsize>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
