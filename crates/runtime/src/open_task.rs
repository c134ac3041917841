//! `OpenTask`: a task between its start and its end, as the coordinator sees it.
//!
//! ```text
//!   next_fetch --> jobs --(few at a time)--> reads --> step, in order ... until exhausted --> finish
//!        the body is here, or away on a worker; only while it is here can it be asked anything
//! ```
//!
//! Reads of a disk come one at a time: more at once are no faster. Where each waits for a network many are under
//! way, and arrive in any order.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dframe_core::{Error, Reservation};

use crate::chunk::Chunk;
use crate::task::{FetchJob, Task};
use crate::work::Read;

/// How long a task that needs the run to itself, and more memory than others leave it, waits for them in all.
const OTHERS_BUSY: Duration = Duration::from_secs(30);
/// How long it waits before it tries once more.
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) struct OpenTask {
    /// `None` while a worker has it.
    pub(crate) body: Option<Box<dyn Task>>,
    /// Reads to come, by number.
    jobs: BTreeMap<u64, FetchJob>,
    /// Reads under way, and those not stepped yet.
    reads: BTreeMap<u64, Progress>,
    /// The number of the next job.
    next: u64,
    /// Reads that may be under way at once.
    ahead: usize,
    exhausted: bool,
    /// Whether it holds more than what was read for it.
    pub(crate) begun: bool,
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
    /// When it was first refused although it had the run to itself, and when it may go again.
    waiting: Option<(Instant, Instant)>,
}

/// How far a read is.
enum Progress {
    /// An I/O thread claims its memory, which may be refused.
    Claiming,
    Reading,
    Read(Read),
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
    /// A task that may have so many reads under way. More than one: it waits for a network, and may be opened
    /// before there is a core for it.
    pub(crate) fn new(body: Box<dyn Task>, projected: usize, ahead: usize) -> Self {
        Self {
            body: Some(body),
            jobs: BTreeMap::new(),
            reads: BTreeMap::new(),
            next: 0,
            ahead,
            exhausted: false,
            begun: ahead <= 1,
            admission: Admission::Open,
            refused: None,
            claimed_at: 0,
            projected,
            busy: Duration::ZERO,
            gave_way: false,
            alone: false,
            again: None,
            waiting: None,
        }
    }

    /// It was refused although it had the run to itself: whether it goes again later, because other runs, which
    /// hold the memory, may end.
    pub(crate) fn waits_for_others(&mut self, is_shared: bool) -> bool {
        let now = Instant::now();
        let (since, _) = self.waiting.unwrap_or((now, now));
        self.waiting = Some((since, now + PAUSE));
        is_shared && since.elapsed() < OTHERS_BUSY
    }

    /// What it is finished of, if that may be now.
    pub(crate) fn take_again(&mut self) -> Option<Vec<Chunk>> {
        match self.waiting {
            Some((_, next)) if Instant::now() < next => None,
            _ => self.again.take(),
        }
    }

    /// Asks the body for its next fetches: those to be under way, and one more.
    pub(crate) fn look_ahead(&mut self) {
        let Some(body) = &mut self.body else { return };
        while !self.exhausted && self.jobs.len() + self.reads.len() <= self.ahead {
            match body.next_fetch() {
                Some(job) => {
                    // The claims for its reads are admission enough.
                    self.admission = Admission::Granted(None);
                    self.jobs.insert(self.next, job);
                    self.next += 1;
                }
                None => self.exhausted = true,
            }
        }
    }

    /// Skips what is left to fetch; returns the bytes that were read for nothing. A read that is under way is
    /// dropped when it arrives.
    pub(crate) fn enough(&mut self) -> usize {
        self.exhausted = true;
        self.jobs.clear();
        let reads = std::mem::take(&mut self.reads).into_values();
        reads.map(|read| if let Progress::Read(read) = read { read.bytes } else { 0 }).sum()
    }

    /// The bytes of the next read, if one can start.
    pub(crate) fn next_read_bytes(&self) -> Option<usize> {
        let under_way = self.reads.values().filter(|read| !matches!(read, Progress::Read(_)));
        let claiming = |read: &Progress| matches!(read, Progress::Claiming);
        let may_start = under_way.count() < self.ahead && !self.reads.values().any(claiming);
        let job = self.jobs.first_key_value().filter(|_| may_start && self.refused.is_none());
        job.map(|(_, job)| job.bytes)
    }

    /// Whether the next read may claim its memory on an I/O thread. Where several are under way, one that is
    /// refused must not be the one that others wait behind.
    pub(crate) fn may_claim(&self) -> bool {
        self.ahead <= 1 || self.reads.is_empty()
    }

    /// Takes the next read to be started, and its number.
    pub(crate) fn start_read(&mut self, is_claimed: bool) -> (u64, FetchJob) {
        let (number, job) = self.jobs.pop_first().expect("there is a job to start");
        let progress = if is_claimed { Progress::Reading } else { Progress::Claiming };
        self.reads.insert(number, progress);
        (number, job)
    }

    /// Whether a read is still waited for.
    pub(crate) fn awaits(&self, number: u64) -> bool {
        self.reads.contains_key(&number)
    }

    pub(crate) fn arrived(&mut self, number: u64, read: Read) {
        self.reads.insert(number, Progress::Read(read));
    }

    /// The budget has refused a read.
    pub(crate) fn put_back(&mut self, number: u64, job: FetchJob) {
        self.reads.remove(&number);
        self.jobs.insert(number, job);
    }

    /// Takes what is to be stepped next.
    pub(crate) fn next_read(&mut self) -> Option<Read> {
        match self.reads.pop_first()?.1 {
            Progress::Read(read) => Some(read),
            Progress::Claiming | Progress::Reading => None,
        }
    }

    /// Whether reads of it wait for a network.
    pub(crate) fn is_remote(&self) -> bool {
        self.ahead > 1
    }

    /// Whether the task cannot go on before its next read.
    pub(crate) fn is_hungry(&self) -> bool {
        self.body.is_some() && self.reads.is_empty()
    }

    pub(crate) fn can_step(&self) -> bool {
        let first = self.reads.first_key_value();
        let is_next = |number| self.jobs.first_key_value().is_none_or(|(job, _)| number < job);
        let is_read =
            first.is_some_and(|(n, read)| is_next(n) && matches!(read, Progress::Read(_)));
        self.body.is_some() && is_read
    }

    pub(crate) fn can_finish(&self) -> bool {
        self.is_hungry() && self.exhausted && self.jobs.is_empty()
    }
}
