//! What workers and I/O threads do for one task. Each piece ends in a signal to the coordinator, and lets
//! go of all it holds before it is sent: when a run has heard of its last piece, nothing of it is left.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dframe_core::{Error, ErrorKind, Event, Fetched, Reservation, Result};

use crate::chunk::Chunk;
use crate::run::fenced;
use crate::scheduler::TaskId;
use crate::task::{FetchJob, Flow, Stage, Task, TaskContext};

/// Something the coordinator should know.
pub(crate) enum Signal {
    /// An I/O thread has done the read of this number; the bytes are those that were claimed.
    Fetched(TaskId, u64, usize, Result<Read>),
    /// The budget refused a read.
    FetchRefused(TaskId, u64, FetchJob, Error),
    /// The budget answered for a task that reads nothing.
    Admitted(TaskId, Result<Reservation>),
    /// A worker has stepped; the bytes are those of the read.
    Stepped(TaskId, Box<dyn Task>, usize, Result<Flow>, Duration),
    /// A worker has made a task give memory back.
    GaveWay(TaskId, Box<dyn Task>, Result<()>, Duration),
    /// A worker has finished a task.
    Finished(TaskId, Result<Chunk>, Duration),
    /// The budget has refused a task that can be finished again, of these inputs.
    Refused(TaskId, Vec<Chunk>, Error, Duration),
    /// The consumer waits for the next output.
    Wanted,
    /// The consumer has gone.
    Stop,
}

/// What was read, and the claim that covers it.
pub(crate) struct Read {
    pub(crate) fetched: Fetched,
    pub(crate) held: Reservation,
    /// The bytes that were asked for.
    pub(crate) bytes: usize,
}

/// A task at work.
pub(crate) struct Work {
    pub(crate) id: TaskId,
    pub(crate) stage: Arc<dyn Stage>,
    pub(crate) context: TaskContext,
}

impl Work {
    /// Reads, after claiming the memory if it is not `held` yet. May spill; may wait for the disk.
    pub(crate) fn read(self, number: u64, job: FetchJob, held: Option<Reservation>) -> Signal {
        let bytes = job.bytes;
        let claimed = held.map_or_else(|| self.claim(bytes), Ok);
        match claimed {
            Ok(held) => Signal::Fetched(self.id, number, bytes, self.read_held(job, held)),
            Err(error) if error.kind() == ErrorKind::OverBudget => {
                Signal::FetchRefused(self.id, number, job, error)
            }
            Err(error) => Signal::Fetched(self.id, number, bytes, Err(error)),
        }
    }

    fn read_held(&self, job: FetchJob, held: Reservation) -> Result<Read> {
        let bytes = job.bytes;
        let begin = Instant::now();
        let fetched = self.fenced(|| {
            self.context.cancel.check()?;
            (job.run)()
        });
        self.report(begin.elapsed());
        let fetched = fetched?;
        self.context.observer.observe(&Event::BytesRead(fetched.len() as u64));
        Ok(Read { fetched, held, bytes })
    }

    /// Claims memory for a task that reads nothing. May spill.
    pub(crate) fn admit(self, bytes: usize) -> Signal {
        Signal::Admitted(self.id, self.claim(bytes))
    }

    pub(crate) fn step(self, mut body: Box<dyn Task>, read: Read) -> Signal {
        let begin = Instant::now();
        let Read { fetched, held, bytes } = read;
        let flow = self.fenced(|| {
            self.context.cancel.check()?;
            body.step(fetched, held, &self.context)
        });
        Signal::Stepped(self.id, body, bytes, flow, self.report(begin.elapsed()))
    }

    pub(crate) fn give_way(self, mut body: Box<dyn Task>) -> Signal {
        let begin = Instant::now();
        let result = self.fenced(|| body.give_way(&self.context));
        Signal::GaveWay(self.id, body, result, self.report(begin.elapsed()))
    }

    pub(crate) fn finish(self, body: Box<dyn Task>, inputs: Vec<Chunk>) -> Signal {
        let begin = Instant::now();
        let again = self.stage.is_repeatable().then(|| inputs.clone());
        let result = self.fenced(|| {
            self.context.cancel.check()?;
            body.finish(inputs, &self.context)
        });
        let took = self.report(begin.elapsed());
        match (result, again) {
            (Err(error), Some(inputs)) if error.kind() == ErrorKind::OverBudget => {
                Signal::Refused(self.id, inputs, error, took)
            }
            (result, _) => Signal::Finished(self.id, result, took),
        }
    }

    /// Tells how long this thread took.
    fn report(&self, took: Duration) -> Duration {
        self.context.observer.observe(&Event::TaskRan {
            stage: self.id.stage,
            name: self.stage.name().to_string(),
            index: self.id.index,
            took,
        });
        took
    }

    fn claim(&self, bytes: usize) -> Result<Reservation> {
        self.fenced(|| {
            self.context.cancel.check()?;
            self.context.budget.reserve(bytes, self.stage.name())
        })
    }

    fn fenced<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        fenced(self.stage.name(), self.id.index, work)
    }
}
