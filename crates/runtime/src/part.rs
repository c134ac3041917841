//! `Part`: batches of one schema, labelled with buckets, in memory under a reservation or on disk.
//!
//! ```text
//!   Part::new --> Memory (batches + Reservation) --spill--> Disk (SpillFile + entries)
//!                    |  read: clones   take: hands out, reservation shrinks   |
//!                    +------------------------ PartReader --------------------+
//! ```
//!
//! A reader asks for one batch at a time and holds no lock in between, so a part can be spilled while it
//! is read: the reader finds its next batch on disk. What buckets and tags mean is the maker's business.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use dframe_core::{Error, Reservation, Result};

use crate::measure::batch_bytes;
use crate::spill_file::{Entry, SpillFile};
use crate::store::ChunkStore;

/// Batches of one schema that can be spilled.
///
/// A column of a batch may be dictionary-encoded where the schema says the plain type.
pub struct Part {
    id: u64,
    tag: u32,
    schema: SchemaRef,
    labels: Labels,
    state: Mutex<State>,
    /// The size under which the store knows this part.
    pub(crate) listed: AtomicUsize,
    store: Weak<ChunkStore>,
}

enum State {
    Memory(Memory),
    Disk { file: Arc<SpillFile>, entries: Arc<[Option<Entry>]> },
}

/// Batches in memory; `None` where one was taken.
struct Memory {
    batches: Vec<Option<RecordBatch>>,
    left: usize,
    held: Reservation,
}

impl Part {
    /// A part in memory, known to `store`, which may spill it. `held` should cover the batches.
    pub fn new(
        store: &Arc<ChunkStore>,
        tag: u32,
        schema: SchemaRef,
        batches: Vec<(u32, RecordBatch)>,
        held: Reservation,
    ) -> Arc<Part> {
        let labels = Labels::new(batches.iter().map(|(bucket, batch)| Label::new(*bucket, batch)));
        let batches: Vec<_> = batches.into_iter().map(|(_, batch)| Some(batch)).collect();
        let memory = Memory { left: batches.len(), batches, held };
        let part = Self::with_state(store, tag, schema, labels, State::Memory(memory));
        store.register(&part);
        part
    }

    /// A part that was written to `file` from the start.
    pub(crate) fn on_disk(
        store: &Arc<ChunkStore>,
        tag: u32,
        schema: SchemaRef,
        labels: Vec<Label>,
        (file, entries): (SpillFile, Vec<Option<Entry>>),
    ) -> Arc<Part> {
        let state = State::Disk { file: Arc::new(file), entries: entries.into() };
        Self::with_state(store, tag, schema, Labels::new(labels.into_iter()), state)
    }

    fn with_state(
        store: &Arc<ChunkStore>,
        tag: u32,
        schema: SchemaRef,
        labels: Labels,
        state: State,
    ) -> Arc<Part> {
        static IDS: AtomicU64 = AtomicU64::new(0);
        Arc::new(Part {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            tag,
            schema,
            labels,
            state: Mutex::new(state),
            listed: AtomicUsize::new(0),
            store: Arc::downgrade(store),
        })
    }

    /// What its maker says it is.
    pub fn tag(&self) -> u32 {
        self.tag
    }

    /// The schema, with plain types.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The rows of all batches, also of those that were taken.
    pub fn rows(&self) -> u64 {
        self.labels.spans.iter().map(|span| span.rows).sum()
    }

    /// The bytes of all batches as they were in memory when the part was made.
    pub fn bytes(&self) -> u64 {
        self.labels.spans.iter().map(|span| span.bytes).sum()
    }

    /// `(bucket, rows, bytes)` of each bucket that has batches, by ascending bucket.
    pub fn buckets(&self) -> Vec<(u32, u64, u64)> {
        self.labels.spans.iter().map(|span| (span.bucket, span.rows, span.bytes)).collect()
    }

    /// The rows of a bucket.
    pub fn bucket_rows(&self, bucket: u32) -> u64 {
        let spans = &self.labels.spans;
        let found = spans.binary_search_by_key(&bucket, |span| span.bucket);
        found.map_or(0, |index| spans[index].rows)
    }

    /// The bytes of a bucket, as they were in memory when the part was made.
    pub fn bucket_bytes(&self, bucket: u32) -> u64 {
        let spans = &self.labels.spans;
        let found = spans.binary_search_by_key(&bucket, |span| span.bucket);
        found.map_or(0, |index| spans[index].bytes)
    }

    /// The lowest bucket that has batches.
    pub fn first_bucket(&self) -> Option<u32> {
        self.labels.spans.first().map(|span| span.bucket)
    }

    /// Whether the batches are on disk.
    pub fn is_spilled(&self) -> bool {
        matches!(*self.state(), State::Disk { .. })
    }

    /// The batches of a bucket, or all of them, in the order in which they were given.
    pub fn read(self: &Arc<Self>, bucket: Option<u32>) -> PartReader {
        PartReader { part: self.clone(), places: self.labels.places(bucket), takes: false }
    }

    /// The batches at some positions, in order.
    pub fn read_batches(self: &Arc<Self>, places: Range<usize>) -> PartReader {
        let end = places.end.min(self.labels.bytes.len());
        PartReader { part: self.clone(), places: Places::All(places.start..end), takes: false }
    }

    /// As [`Part::read`], for a reader that comes only once: the memory of each batch is given back to
    /// the budget when it is handed out, and is the reader's from then on. Batches that are slices of the same
    /// memory do not free it one by one: those are to be read.
    pub fn take(self: &Arc<Self>, bucket: Option<u32>) -> PartReader {
        PartReader { takes: true, ..self.read(bucket) }
    }

    /// Writes the batches to disk and returns the bytes this gave back to the budget; 0 if they are
    /// there already. Safe while others read. Blocks on the disk.
    pub fn spill(&self, store: &ChunkStore) -> Result<usize> {
        let batches = match &*self.state() {
            State::Memory(memory) => memory.batches.clone(),
            State::Disk { .. } => return Ok(0),
        };
        let (file, entries) = store.write_file(&batches)?;
        let bytes = file.bytes();
        let disk = State::Disk { file: Arc::new(file), entries: entries.into() };
        let before = {
            let mut state = self.state();
            if matches!(*state, State::Disk { .. }) {
                return Ok(0);
            }
            std::mem::replace(&mut *state, disk)
        };
        // The memory goes before the claim on it.
        drop(batches);
        let State::Memory(Memory { batches, held, .. }) = before else { return Ok(0) };
        drop(batches);
        let freed = held.bytes();
        drop(held);
        store.report_spill(bytes, freed as u64);
        Ok(freed)
    }

    /// The bytes that spilling would free.
    pub(crate) fn held_bytes(&self) -> usize {
        match &*self.state() {
            State::Memory(memory) => memory.held.bytes(),
            State::Disk { .. } => 0,
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Batch `place`; reads from disk without holding the lock.
    fn batch(&self, place: usize, takes: bool) -> Result<RecordBatch> {
        let gone = || Error::internal("a batch of a chunk was read after it had been taken");
        let (file, entry) = match &mut *self.state() {
            State::Memory(memory) if takes => {
                return memory.take(place, &self.labels).ok_or_else(gone);
            }
            State::Memory(memory) => return memory.batches[place].clone().ok_or_else(gone),
            State::Disk { file, entries } => (file.clone(), entries[place].ok_or_else(gone)?),
        };
        file.read(entry)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = if self.is_spilled() { "on disk" } else { "in memory" };
        write!(f, "Part(tag {}, {} rows, {} bytes, {place})", self.tag, self.rows(), self.bytes())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let Some(store) = self.store.upgrade() else { return };
        // The memory goes first: a thread that finds nothing left to spill may rely on it.
        let freed = match self.state.get_mut().unwrap_or_else(PoisonError::into_inner) {
            State::Memory(memory) => memory.clear(),
            State::Disk { .. } => 0,
        };
        store.forget(self, freed);
    }
}

impl Memory {
    /// Drops everything and returns the bytes this gave back.
    fn clear(&mut self) -> usize {
        self.batches.clear();
        let held = self.held.bytes();
        self.held.shrink(held);
        held
    }

    fn take(&mut self, place: usize, labels: &Labels) -> Option<RecordBatch> {
        let batch = self.batches[place].take()?;
        self.left -= 1;
        let share = match self.left {
            0 => self.held.bytes(),
            _ => (labels.bytes[place] as usize).min(self.held.bytes()),
        };
        self.held.shrink(share);
        Some(batch)
    }
}

/// Hands out the batches of a part, one at a time.
pub struct PartReader {
    part: Arc<Part>,
    places: Places,
    takes: bool,
}

impl PartReader {
    /// The part that is read.
    pub fn part(&self) -> &Arc<Part> {
        &self.part
    }
}

impl Iterator for PartReader {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let place = match &mut self.places {
            Places::All(range) => range.next()?,
            Places::Bucket(range) => self.part.labels.by_bucket[range.next()?] as usize,
        };
        Some(self.part.batch(place, self.takes))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.places {
            Places::All(range) | Places::Bucket(range) => range.size_hint(),
        }
    }
}

impl ExactSizeIterator for PartReader {}

enum Places {
    /// Positions of batches.
    All(Range<usize>),
    /// Positions in [`Labels::by_bucket`].
    Bucket(Range<usize>),
}

/// What is known of one batch without reading it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label {
    bucket: u32,
    rows: u64,
    bytes: u64,
}

impl Label {
    pub(crate) fn new(bucket: u32, batch: &RecordBatch) -> Self {
        Self { bucket, rows: batch.num_rows() as u64, bytes: batch_bytes(batch) as u64 }
    }
}

/// The batches of a part by bucket.
struct Labels {
    /// The bytes of each batch.
    bytes: Vec<u64>,
    /// The positions of the batches, ordered by bucket, then position.
    by_bucket: Vec<u32>,
    /// The buckets, ascending, with their ranges of `by_bucket`.
    spans: Vec<Span>,
}

struct Span {
    bucket: u32,
    places: Range<usize>,
    rows: u64,
    bytes: u64,
}

impl Labels {
    fn new(labels: impl Iterator<Item = Label>) -> Self {
        let labels: Vec<Label> = labels.collect();
        let mut by_bucket: Vec<u32> = (0..labels.len() as u32).collect();
        by_bucket.sort_by_key(|place| labels[*place as usize].bucket);
        let mut spans: Vec<Span> = Vec::new();
        for (at, place) in by_bucket.iter().enumerate() {
            let Label { bucket, rows, bytes } = labels[*place as usize];
            match spans.last_mut() {
                Some(span) if span.bucket == bucket => {
                    span.places.end = at + 1;
                    span.rows += rows;
                    span.bytes += bytes;
                }
                _ => spans.push(Span { bucket, places: at..at + 1, rows, bytes }),
            }
        }
        Self { bytes: labels.iter().map(|label| label.bytes).collect(), by_bucket, spans }
    }

    fn places(&self, bucket: Option<u32>) -> Places {
        let Some(bucket) = bucket else { return Places::All(0..self.bytes.len()) };
        match self.spans.binary_search_by_key(&bucket, |span| span.bucket) {
            Ok(at) => Places::Bucket(self.spans[at].places.clone()),
            Err(_) => Places::Bucket(0..0),
        }
    }
}
