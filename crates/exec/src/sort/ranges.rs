//! Cuts sorted runs by ranges of the key, so that several tasks merge at once.
//!
//! ```text
//!   run 0   |----a-----b---|      the indexes of all runs give cuts a, b: about as many rows between
//!   run 1   |--a---------b-|      each two; task 1 merges what is between a and b of every run
//! ```
//!
//! A cut is a row of one run: its key, and for equal keys the order of the runs. So even a single key is
//! cut into equal ranges, and ranges one after the other are in order.

use std::cmp::Ordering;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::UInt64Type;
use dframe_core::{Error, Result};
use dframe_runtime::{Chunk, Part, TaskContext};

use super::SortSpec;
use super::keys::KeyComparator;
use super::merge::{Cut, MergeRuns, RunSlice, partition_point};
use super::order::{Given, Order};
use super::run::{INDEX_TAG, RUN_TAG};
use crate::shuffle::BucketStream;

/// Merges a range of all runs in each task.
pub(crate) struct MergeRanges {
    spec: Arc<SortSpec>,
    ranges: u32,
    /// Found by the first task; all find the same.
    cuts: OnceLock<Arc<Cuts>>,
}

impl MergeRanges {
    /// Merges in so many ranges.
    pub(crate) fn new(spec: Arc<SortSpec>, ranges: u32) -> Self {
        Self { spec, ranges, cuts: OnceLock::new() }
    }

    fn cuts(&self, chunk: &Chunk) -> Result<Arc<Cuts>> {
        if let Some(cuts) = self.cuts.get() {
            return Ok(cuts.clone());
        }
        let cuts = Arc::new(Cuts::new(&self.spec, chunk, self.ranges)?);
        Ok(self.cuts.get_or_init(|| cuts).clone())
    }
}

impl BucketStream for MergeRanges {
    fn name(&self) -> &'static str {
        "merge runs"
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    fn stream(
        &self,
        bucket: u32,
        inputs: Vec<Chunk>,
        context: &TaskContext,
        emit: &mut dyn FnMut(RecordBatch) -> Result<bool>,
    ) -> Result<bool> {
        let chunk = Chunk::concat(inputs);
        let slices = self.cuts(&chunk)?.slices(bucket, &chunk, &self.spec)?;
        drop(chunk);
        for rows in MergeRuns::new(&self.spec, slices, self.spec.run_memory, context)? {
            context.cancel.check()?;
            if !emit(rows?)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Batches of each run that a range has, about.
const RANGE_BATCHES: usize = 2;
/// Ranges for the cores to share, where batches are few.
const RANGES_MIN: usize = 16;

/// Where the runs are cut.
struct Cuts {
    runs: Vec<Index>,
    /// The first row of each range but the first: a run, and a batch of it.
    firsts: Vec<(usize, usize)>,
}

/// The first key of each batch of a run, and the number of its first row.
struct Index {
    keys: Vec<ArrayRef>,
    starts: Vec<u64>,
    rows: u64,
}

impl Index {
    fn of(batch: &RecordBatch, rows: u64) -> Self {
        let (starts, keys) = batch.columns().split_last().expect("the last column is the start");
        let starts = starts.as_primitive::<UInt64Type>().values().to_vec();
        Self { keys: keys.to_vec(), starts, rows }
    }

    fn batch_rows(&self, batch: usize) -> u64 {
        self.starts.get(batch + 1).copied().unwrap_or(self.rows) - self.starts[batch]
    }
}

fn parts_of(chunk: &Chunk, tag: u32) -> impl Iterator<Item = &Arc<Part>> {
    chunk.parts().iter().filter(move |part| part.tag() == tag)
}

impl Cuts {
    fn new(spec: &SortSpec, chunk: &Chunk, ranges: u32) -> Result<Self> {
        let mut runs = Vec::new();
        for (index, run) in parts_of(chunk, INDEX_TAG).zip(parts_of(chunk, RUN_TAG)) {
            let batch = index.read(None).next();
            let batch =
                batch.ok_or_else(|| Error::internal("a sorted run has an empty index"))??;
            runs.push(Index::of(&batch, run.rows()));
        }
        let keys: Vec<Vec<ArrayRef>> = runs.iter().map(|run| run.keys.clone()).collect();
        let total: u64 = runs.iter().map(|run| run.rows).sum();
        let batches: usize = runs.iter().map(|run| run.starts.len()).sum();
        // A batch on a cut is read twice: a range reads several of most runs.
        let worth_while = batches / (RANGE_BATCHES * runs.len()).max(1);
        let ranges = ranges.min(worth_while.max(RANGES_MIN) as u32);
        let mut firsts = Vec::new();
        if total > 0 {
            let order = Order::of(&keys, &spec.options, None, Given::SlicesInOrder)?;
            let mut before = 0;
            for (run, batch) in order.places(0..order.len()) {
                let wanted = total * (firsts.len() as u64 + 1) / u64::from(ranges);
                if before >= wanted && firsts.len() + 1 < ranges as usize && before > 0 {
                    firsts.push((run, batch));
                }
                before += runs[run].batch_rows(batch);
            }
        }
        Ok(Self { runs, firsts })
    }

    /// The rows of each run that are in a range.
    fn slices(&self, range: u32, chunk: &Chunk, spec: &SortSpec) -> Result<Vec<RunSlice>> {
        let range = range as usize;
        if range > self.firsts.len() {
            return Ok(Vec::new());
        }
        let from = range.checked_sub(1).map(|before| self.firsts[before]);
        let to = self.firsts.get(range).copied();
        let mut slices = Vec::new();
        for (number, part) in parts_of(chunk, RUN_TAG).enumerate() {
            let (start, from) = self.place(number, from, spec)?;
            let (end, to) = self.end(number, to, spec)?;
            if start < end {
                slices.push(RunSlice {
                    part: part.clone(),
                    places: start..end,
                    from,
                    to,
                    takes: false,
                });
            }
        }
        Ok(slices)
    }

    /// The batch of a run that a range begins in, and what is cut off of it.
    fn place(
        &self,
        run: usize,
        first: Option<(usize, usize)>,
        spec: &SortSpec,
    ) -> Result<(usize, Option<Cut>)> {
        let Some(first) = first else { return Ok((0, None)) };
        if first.0 == run {
            return Ok((first.1, None));
        }
        let (cut, below) = self.cut(run, first, spec)?;
        Ok((below.saturating_sub(1), Some(cut)))
    }

    /// The end of the batches of a run that a range ends in, and where the last of them is cut.
    fn end(
        &self,
        run: usize,
        first: Option<(usize, usize)>,
        spec: &SortSpec,
    ) -> Result<(usize, Option<Cut>)> {
        let Some(first) = first else { return Ok((self.runs[run].starts.len(), None)) };
        if first.0 == run {
            return Ok((first.1, None));
        }
        let (cut, below) = self.cut(run, first, spec)?;
        Ok((below, Some(cut)))
    }

    /// Where a range that begins with row `first` of another run cuts this one, and the number of batches
    /// that begin below.
    fn cut(&self, run: usize, first: (usize, usize), spec: &SortSpec) -> Result<(Cut, usize)> {
        let keys = self.runs[first.0].keys.iter().map(|key| key.slice(first.1, 1)).collect();
        let cut = Cut { keys: Arc::new(keys), after_equal: run < first.0 };
        let compare = KeyComparator::new(&self.runs[run].keys, &cut.keys, &spec.options)?;
        let below =
            partition_point(self.runs[run].starts.len(), |batch| match compare.compare(batch, 0) {
                Ordering::Less => true,
                Ordering::Equal => cut.after_equal,
                Ordering::Greater => false,
            });
        Ok((cut, below))
    }
}
