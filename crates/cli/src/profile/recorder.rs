//! What a run does, as it happens: who worked on what and when, what was held, read and written.
//!
//! Nothing is computed here that the page could. Memory is bounded: when there are too many spans, neighbours of a
//! thread and a stage become one, and of too many samples every other one is dropped.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dframe::{Event, Observer};

use crate::allocator;

/// More spans than this become fewer, in a file.
pub const SPANS_MAX: usize = 300_000;
/// More samples than this become fewer.
const SAMPLES_MAX: usize = 2_000;
/// The time between samples, at first.
const SAMPLE_EVERY: Duration = Duration::from_micros(500);

/// An observer that remembers.
#[derive(Debug)]
pub struct Recorder {
    started: Instant,
    record: Mutex<Record>,
}

/// What has happened.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The names of the threads.
    pub threads: Vec<String>,
    /// Who worked on what and when, in no order.
    pub spans: Vec<Span>,
    /// Whether spans have been put together.
    pub is_thinned: bool,
    /// What each stage has cost.
    pub stages: Vec<StageTotal>,
    /// What each operator has cost: its time, and the rows that went through it.
    pub operators: BTreeMap<&'static str, (Duration, u64)>,
    /// What was held, read and written, over time.
    pub samples: Vec<Sample>,
    pub(super) stage_ids: HashMap<(usize, String), usize>,
    pub(super) read: u64,
    pub(super) spilled: u64,
    pub(super) sample_every: Duration,
    pub(super) sample_due: Duration,
    /// How many spans there may be.
    pub(super) spans_max: usize,
    /// How often spans or samples have become fewer.
    pub(super) thinnings: u64,
}

/// How far a reader has come who reads again and again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// As the record's; none before the first reading.
    thinnings: Option<u64>,
    spans: usize,
    samples: usize,
}

/// What is new to a reader.
#[derive(Clone, Debug)]
pub struct News {
    /// New spans and samples; all else as it is now.
    pub record: Record,
    /// The time so far.
    pub elapsed: Duration,
    /// Whether these are the first spans and samples: there are none before, or they have become fewer.
    pub is_fresh: bool,
    /// Whether there are more spans to read at once.
    pub has_more: bool,
}

/// A stretch of time that a thread gave to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The position of the thread among [`Record::threads`].
    pub thread: usize,
    /// The position of the stage among [`Record::stages`].
    pub stage: usize,
    /// The task's position in its stage.
    pub index: usize,
    /// Since the start, in microseconds.
    pub start: u64,
    /// In microseconds.
    pub took: u64,
    /// How much of that it worked: all of it, unless it was put together of several.
    pub busy: u64,
    /// How many stretches it was.
    pub pieces: u64,
}

/// What a stage has cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StageTotal {
    /// Its place in its graph.
    pub position: usize,
    /// Its name.
    pub name: String,
    /// The tasks that have ended.
    pub tasks: u64,
    /// The time they held cores.
    pub busy: Duration,
    /// The rows of their chunks.
    pub rows: u64,
    /// The bytes of their chunks.
    pub bytes: u64,
}

/// The state of things at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Since the start.
    pub at: Duration,
    /// Bytes that the program holds.
    pub memory: u64,
    /// Bytes written to the temp directory so far.
    pub spilled: u64,
    /// Bytes read from sources so far.
    pub read: u64,
}

impl Recorder {
    /// Remembers no more than so many spans.
    pub fn new(spans_max: usize) -> Self {
        let record = Record { sample_every: SAMPLE_EVERY, spans_max, ..Record::default() };
        Self { started: Instant::now(), record: Mutex::new(record) }
    }

    /// What has happened so far, and the time it took.
    pub fn read(&self) -> (Record, Duration) {
        let elapsed = self.started.elapsed();
        let mut record = self.lock();
        record.sample(elapsed, allocator::current_bytes());
        (record.clone(), elapsed)
    }

    /// What has happened since the reader was here last, with at most so many spans.
    pub fn read_since(&self, cursor: &mut Cursor, spans_max: usize) -> News {
        let elapsed = self.started.elapsed();
        let mut record = self.lock();
        record.sample(elapsed, allocator::current_bytes());
        record.since(cursor, spans_max, elapsed)
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Recorder {
    fn observe(&self, event: &Event) {
        let now = self.started.elapsed();
        let mut record = self.lock();
        record.take(event, now, &thread_name());
        if now >= record.sample_due {
            record.sample(now, allocator::current_bytes());
        }
    }
}

impl Record {
    fn take(&mut self, event: &Event, now: Duration, thread: &str) {
        match event {
            Event::TaskRan { stage, name, index, took } => {
                let start = micros(now.saturating_sub(*took));
                let span = Span {
                    thread: self.thread(thread),
                    stage: self.stage(*stage, name),
                    index: *index,
                    start,
                    took: micros(*took),
                    busy: micros(*took),
                    pieces: 1,
                };
                self.spans.push(span);
                if self.spans.len() > self.spans_max {
                    self.thin(micros(now));
                }
            }
            Event::TaskFinished { stage, name, busy, rows, bytes, .. } => {
                let stage = self.stage(*stage, name);
                let total = &mut self.stages[stage];
                total.tasks += 1;
                total.busy += *busy;
                total.rows += rows;
                total.bytes += bytes;
            }
            Event::OperatorTime { operator, busy, rows } => {
                let total = self.operators.entry(operator).or_default();
                total.0 += *busy;
                total.1 += rows;
            }
            Event::BytesRead(bytes) => self.read += bytes,
            Event::Spilled { bytes, .. } => self.spilled += bytes,
            _ => {}
        }
    }

    fn since(&self, cursor: &mut Cursor, spans_max: usize, elapsed: Duration) -> News {
        let is_fresh = cursor.thinnings != Some(self.thinnings);
        if is_fresh {
            *cursor = Cursor { thinnings: Some(self.thinnings), ..Cursor::default() };
        }
        let spans_end = self.spans.len().min(cursor.spans + spans_max);
        let record = Self {
            threads: self.threads.clone(),
            spans: self.spans[cursor.spans..spans_end].to_vec(),
            is_thinned: self.is_thinned,
            stages: self.stages.clone(),
            operators: self.operators.clone(),
            samples: self.samples[cursor.samples..].to_vec(),
            ..Self::default()
        };
        (cursor.spans, cursor.samples) = (spans_end, self.samples.len());
        News { record, elapsed, is_fresh, has_more: spans_end < self.spans.len() }
    }

    fn thread(&mut self, name: &str) -> usize {
        let known = self.threads.iter().position(|thread| thread == name);
        known.unwrap_or_else(|| {
            self.threads.push(name.to_string());
            self.threads.len() - 1
        })
    }

    fn stage(&mut self, position: usize, name: &str) -> usize {
        if let Some(id) = self.stage_ids.get(&(position, name.to_string())) {
            return *id;
        }
        let id = self.stages.len();
        self.stages.push(StageTotal { position, name: name.to_string(), ..StageTotal::default() });
        self.stage_ids.insert((position, name.to_string()), id);
        id
    }

    fn sample(&mut self, at: Duration, memory: u64) {
        self.samples.push(Sample { at, memory, spilled: self.spilled, read: self.read });
        if self.samples.len() > SAMPLES_MAX {
            let mut index = 0;
            self.samples.retain(|_| {
                index += 1;
                index % 2 == 0
            });
            self.sample_every *= 2;
            self.thinnings += 1;
        }
        self.sample_due = at + self.sample_every;
    }

    /// Puts neighbours of a thread and a stage together, until there are half as many spans.
    fn thin(&mut self, elapsed: u64) {
        self.is_thinned = true;
        self.thinnings += 1;
        self.spans.sort_by_key(|span| (span.thread, span.start));
        let mut gap = (elapsed / 20_000).max(1);
        while self.spans.len() > self.spans_max / 2 {
            // Wide gaps also swallow other stages.
            let any_stage = gap > elapsed / 500;
            self.spans.dedup_by(|next, last| joins(last, next, gap, any_stage));
            gap *= 2;
        }
    }
}

/// Takes `next` into `last`, if it follows so soon.
fn joins(last: &mut Span, next: &Span, gap: u64, any_stage: bool) -> bool {
    let end = last.start + last.took;
    let is_near = next.thread == last.thread && next.start.saturating_sub(end) <= gap;
    if !is_near || !(any_stage || next.stage == last.stage) {
        return false;
    }
    last.took = (next.start + next.took).max(end) - last.start;
    last.busy += next.busy;
    last.pieces += next.pieces;
    true
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// `worker 3` of `dframe-worker-3`.
fn thread_name() -> String {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("other");
    match name.strip_prefix("dframe-").and_then(|name| name.rsplit_once('-')) {
        Some((kind, number)) => format!("{kind} {number}"),
        None => name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(index: usize, took: u64) -> Event {
        let took = Duration::from_micros(took);
        Event::TaskRan { stage: 0, name: "scan".into(), index, took }
    }

    fn empty() -> Record {
        Record { spans_max: SPANS_MAX, ..Record::default() }
    }

    #[test]
    fn who_reads_again_sees_what_is_new() {
        let mut record = Record { spans_max: 4, ..Record::default() };
        let mut cursor = Cursor::default();
        let starts = |record: &Record| record.spans.iter().map(|s| s.start).collect::<Vec<_>>();
        let mut read = |record: &Record| record.since(&mut cursor, 2, Duration::ZERO);
        for at in [100, 200, 300] {
            record.take(&ran(0, 9), Duration::from_micros(at), "worker 0");
        }
        let [first, second, third] = std::array::from_fn(|_| read(&record));
        assert_eq!(starts(&first.record), [91, 191]);
        assert_eq!(starts(&second.record), [291]);
        assert!(third.record.spans.is_empty());
        let flags = [&first, &second, &third].map(|news| (news.is_fresh, news.has_more));
        assert_eq!(flags, [(true, true), (false, false), (false, false)]);
        for at in [400, 500] {
            record.take(&ran(0, 9), Duration::from_micros(at), "worker 0");
        }
        let again = read(&record);
        assert!(again.is_fresh && again.record.is_thinned, "{again:?}");
        assert_eq!(starts(&again.record), starts(&record));
    }

    #[test]
    fn work_is_a_span_of_its_thread() {
        let mut record = empty();
        record.take(&ran(7, 30), Duration::from_micros(100), "worker 1");
        let span = Span { thread: 0, stage: 0, index: 7, start: 70, took: 30, busy: 30, pieces: 1 };
        assert_eq!(record.spans, [span]);
        assert_eq!(
            (record.threads.as_slice(), record.stages.len()),
            (&["worker 1".to_string()][..], 1)
        );
    }

    #[test]
    fn too_many_spans_become_fewer_and_keep_their_time() {
        let mut record = empty();
        for index in 0..=SPANS_MAX {
            let now = Duration::from_micros(10 * (index as u64 + 1));
            record.take(&ran(index, 9), now, if index % 2 == 0 { "worker 0" } else { "worker 1" });
        }
        assert!(record.is_thinned && record.spans.len() <= SPANS_MAX / 2);
        let pieces: u64 = record.spans.iter().map(|span| span.pieces).sum();
        assert_eq!(pieces, SPANS_MAX as u64 + 1);
        let busy: u64 = record.spans.iter().map(|span| span.busy).sum();
        assert_eq!(busy, 9 * pieces);
    }

    #[test]
    fn samples_stay_few_and_in_order() {
        let mut record = Record::default();
        for at in 0..10 * SAMPLES_MAX as u64 {
            record.sample(Duration::from_micros(at), at);
        }
        assert!(record.samples.len() <= SAMPLES_MAX);
        assert!(record.samples.is_sorted_by_key(|sample| sample.at));
    }
}
