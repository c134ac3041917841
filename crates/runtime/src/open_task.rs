//! `OpenTask`: a task between its start and its end, as the coordinator sees it.
//!
//! ```text
//!   next_fetch --> jobs --(one at a time)--> reading --> read --> step ... until exhausted --> finish
//!        the body is here, or away on a worker; only while it is here can it be asked anything
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use dframe_core::{Error, Reservation};

use crate::chunk::Chunk;
use crate::task::{FetchJob, Task};
use crate::work::Read;

/// Fetches that are asked for at once: one to step, and one being read in the meantime.
const AHEAD: usize = 2;

pub(crate) struct OpenTask {
    /// `None` while a worker has it.
    pub(crate) body: Option<Box<dyn Task>>,
    pub(crate) jobs: VecDeque<FetchJob>,
    pub(crate) reading: bool,
    pub(crate) read: VecDeque<Read>,
    exhausted: bool,
    /// Leave to run a task that reads nothing.
    pub(crate) admission: Admission,
    /// The budget's refusal of the next read or of the admission, since when nothing was freed.
    pub(crate) refused: Option<Error>,
    /// When the last claim was made, counted in ends of work.
    pub(crate) claimed_at: u64,
    pub(crate) projected: usize,
    pub(crate) busy: Duration,
    /// Whether it has given way since its last step.
    pub(crate) gave_way: bool,
    /// Whether it was refused in the midst of its end, so that it needs the run to itself.
    pub(crate) alone: bool,
    /// What it is finished of when its turn comes.
    pub(crate) again: Option<Vec<Chunk>>,
}

pub(crate) enum Admission {
    /// Not asked for yet.
    Open,
    /// Asked for.
    Pending,
    /// Granted; holds the projected bytes until the task starts to claim for itself.
    Granted(Option<Reservation>),
}

impl OpenTask {
    pub(crate) fn new(body: Box<dyn Task>, projected: usize) -> Self {
        Self {
            body: Some(body),
            jobs: VecDeque::new(),
            reading: false,
            read: VecDeque::new(),
            exhausted: false,
            admission: Admission::Open,
            refused: None,
            claimed_at: 0,
            projected,
            busy: Duration::ZERO,
            gave_way: false,
            alone: false,
            again: None,
        }
    }

    /// Asks the body for its next fetches.
    pub(crate) fn look_ahead(&mut self) {
        let Some(body) = &mut self.body else { return };
        while !self.exhausted
            && self.jobs.len() + self.read.len() + usize::from(self.reading) < AHEAD
        {
            match body.next_fetch() {
                Some(job) => {
                    // The claims for its reads are admission enough.
                    self.admission = Admission::Granted(None);
                    self.jobs.push_back(job);
                }
                None => self.exhausted = true,
            }
        }
    }

    /// Skips what is left to fetch; returns the bytes that were read for nothing.
    pub(crate) fn enough(&mut self) -> usize {
        self.exhausted = true;
        self.jobs.clear();
        self.read.drain(..).map(|read| read.bytes).sum()
    }

    /// The bytes of the next read, if one can start.
    pub(crate) fn next_read_bytes(&self) -> Option<usize> {
        if self.reading || self.refused.is_some() {
            return None;
        }
        self.jobs.front().map(|job| job.bytes)
    }

    /// Whether the task cannot go on before its next read.
    pub(crate) fn is_hungry(&self) -> bool {
        self.body.is_some() && self.read.is_empty()
    }

    pub(crate) fn can_step(&self) -> bool {
        self.body.is_some() && !self.read.is_empty()
    }

    pub(crate) fn can_finish(&self) -> bool {
        self.is_hungry() && self.exhausted && self.jobs.is_empty() && !self.reading
    }
}
