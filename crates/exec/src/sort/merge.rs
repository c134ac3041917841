//! Sorted runs to one stream of batches in order, with bounded memory.
//!
//! ```text
//!   run 0  [a c f | h ..        loaded up to |        everything up to the smallest of the last keys
//!   run 1  [b d | e g ..        (here d, of run 1) -> is sorted as numbers and copied: a b c d
//!   run 2  [a b d | ..          then the runs are loaded again
//! ```
//!
//! A round touches only the runs that have rows below its end, and costs one sort of stretches that are in
//! order instead of a comparison of encoded keys per row and step of a heap. More runs than can be loaded at
//! once are merged on disk first, neighbours with neighbours. Equal rows come in the order of their runs.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::SortOptions;
use arrow::row::{RowConverter, SortField};
use dframe_core::{Reservation, Result};
use dframe_expr::{BoundExpr, plain, plain_type};
use dframe_runtime::{Part, TaskContext};

use super::SortSpec;
use super::gather::{Gather, RUN_BATCH_BYTES, RUN_BATCH_ROWS};
use super::keys::KeyComparator;
use super::order::{Given, Order};
use super::run::RUN_TAG;

/// Runs that are merged at once, if their batches fit the memory.
const FAN_IN_MAX: usize = 1024;
/// Loaded rows are there once, their keys and places about once more, and a batch of copies.
const COPIES: usize = 2;

const PURPOSE: &str = "merging sorted runs";

/// A run, or the rows of it between two cuts.
pub(crate) struct RunSlice {
    /// The run.
    pub(super) part: Arc<Part>,
    /// The batches that are read.
    pub(super) places: Range<usize>,
    /// Rows of the first batch that are below this cut are left out.
    pub(super) from: Option<Cut>,
    /// Rows of the last batch that are not below this cut are left out.
    pub(super) to: Option<Cut>,
    /// Whether nobody else reads the run.
    pub(super) takes: bool,
}

/// A place between rows.
#[derive(Clone)]
pub(super) struct Cut {
    /// The keys of one row.
    pub(super) keys: Arc<Vec<ArrayRef>>,
    /// Whether rows with the same key are below the cut.
    pub(super) after_equal: bool,
}

impl Cut {
    /// The number of rows of a batch with these keys that are below the cut.
    fn rows_below(&self, keys: &[ArrayRef], spec: &SortSpec) -> Result<usize> {
        let compare = KeyComparator::new(keys, &self.keys, &spec.options)?;
        Ok(partition_point(keys[0].len(), |row| match compare.compare(row, 0) {
            Ordering::Less => true,
            Ordering::Equal => self.after_equal,
            Ordering::Greater => false,
        }))
    }
}

/// The first of `0..count` for which `holds` does not; it holds for all before.
pub(super) fn partition_point(count: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

impl RunSlice {
    /// All of a run, which nobody else reads.
    pub(crate) fn whole(part: Arc<Part>) -> Self {
        let places = 0..part.read(None).len();
        Self { part, places, from: None, to: None, takes: true }
    }

    fn bytes(&self) -> usize {
        let batches = self.part.read(None).len().max(1);
        (self.part.bytes() as usize / batches).saturating_mul(self.places.len())
    }

    /// The bytes of a batch, about.
    fn batch_bytes(&self) -> usize {
        self.part.bytes() as usize / self.part.read(None).len().max(1) + 1
    }
}

/// Reads a slice of a run.
struct Input {
    slice: RunSlice,
    reader: dframe_runtime::PartReader,
    next: usize,
    loaded: VecDeque<Loaded>,
    loaded_rows: usize,
    ended: bool,
    /// The encoded keys of the first row loaded; `None` if there is none.
    first: Option<Vec<u8>>,
    /// The encoded keys of the last row loaded.
    last: Vec<u8>,
}

/// Rows that were read and not yet handed out.
struct Loaded {
    batch: RecordBatch,
    keys: Vec<ArrayRef>,
}

impl Loaded {
    fn slice(&self, start: usize, rows: usize) -> Self {
        let keys = self.keys.iter().map(|key| key.slice(start, rows)).collect();
        Self { batch: self.batch.slice(start, rows), keys }
    }
}

impl Input {
    fn new(slice: RunSlice) -> Self {
        let reader = match slice.takes {
            true => slice.part.take(None),
            false => slice.part.read_batches(slice.places.clone()),
        };
        Self {
            next: slice.places.start,
            slice,
            reader,
            loaded: VecDeque::new(),
            loaded_rows: 0,
            ended: false,
            first: None,
            last: Vec::new(),
        }
    }

    fn next_loaded(&mut self, spec: &SortSpec) -> Result<Option<Loaded>> {
        let Some(batch) = self.reader.next().transpose()? else {
            self.ended = true;
            return Ok(None);
        };
        let keys = spec.key_columns(&batch)?;
        let place = self.next;
        self.next += 1;
        let start = match &self.slice.from {
            Some(cut) if place == self.slice.places.start => cut.rows_below(&keys, spec)?,
            _ => 0,
        };
        let end = match &self.slice.to {
            Some(cut) if place + 1 == self.slice.places.end => cut.rows_below(&keys, spec)?,
            _ => batch.num_rows(),
        };
        let whole = start == 0 && end == batch.num_rows();
        let loaded = Loaded { batch, keys };
        Ok(Some(if whole { loaded } else { loaded.slice(start, end.saturating_sub(start)) }))
    }

    /// Reads until so many bytes are there, and at least one row, or the slice ends.
    fn load(&mut self, quota: usize, spec: &SortSpec, encoder: &KeyEncoder) -> Result<()> {
        let row = self.slice.part.bytes() as usize / self.slice.part.rows().max(1) as usize;
        while !self.ended && (self.loaded_rows == 0 || self.loaded_rows * row < quota) {
            if let Some(loaded) = self.next_loaded(spec)?
                && loaded.batch.num_rows() > 0
            {
                self.loaded_rows += loaded.batch.num_rows();
                self.last = encoder.row(&loaded.keys, loaded.batch.num_rows() - 1)?;
                self.loaded.push_back(loaded);
            }
        }
        self.first = match self.loaded.front() {
            Some(first) => Some(encoder.row(&first.keys, 0)?),
            None => None,
        };
        Ok(())
    }

    /// Takes all loaded rows.
    fn take_all(&mut self, taken: &mut Taken) {
        self.loaded_rows = 0;
        self.loaded.drain(..).for_each(|loaded| taken.push(loaded));
    }

    /// Takes the loaded rows that are below the cut.
    fn take_below(&mut self, cut: &Cut, spec: &SortSpec, taken: &mut Taken) -> Result<()> {
        while let Some(first) = self.loaded.pop_front() {
            let (rows, below) = (first.batch.num_rows(), cut.rows_below(&first.keys, spec)?);
            self.loaded_rows -= below;
            if below == rows {
                taken.push(first);
                continue;
            }
            if below > 0 {
                taken.push(first.slice(0, below));
            }
            self.loaded.push_front(first.slice(below, rows - below));
            break;
        }
        Ok(())
    }

    /// Whether the first row loaded comes before, or is, the row of run `run` with these encoded keys.
    fn reaches(&self, number: usize, (last, run): (&[u8], usize)) -> bool {
        let first = self.first.as_deref();
        first.is_some_and(|first| (first, number) <= (last, run))
    }
}

/// Keys of single rows as bytes in the same order.
struct KeyEncoder(RowConverter);

impl KeyEncoder {
    fn new(spec: &SortSpec) -> Result<Self> {
        let field = |(key, options): (&BoundExpr, &SortOptions)| {
            SortField::new_with_options(plain_type(key.data_type()).clone(), *options)
        };
        let fields = spec.keys.iter().zip(&spec.options).map(field).collect();
        Ok(Self(RowConverter::new(fields)?))
    }

    fn row(&self, keys: &[ArrayRef], row: usize) -> Result<Vec<u8>> {
        let keys = keys.iter().map(|key| plain(&key.slice(row, 1)));
        let rows = self.0.convert_columns(&keys.collect::<Result<Vec<_>>>()?)?;
        Ok(rows.row(0).data().to_vec())
    }
}

/// Stretches of rows that make up a round.
#[derive(Default)]
struct Taken {
    stretches: Vec<Loaded>,
    rows: usize,
}

impl Taken {
    fn push(&mut self, stretch: Loaded) {
        self.rows += stretch.batch.num_rows();
        self.stretches.push(stretch);
    }
}

/// The rows of sorted runs, in order.
pub(crate) struct MergeRuns {
    spec: Arc<SortSpec>,
    inputs: Vec<Input>,
    /// The bytes that each run loads ahead.
    quota: usize,
    /// Rounds have so many rows, unless many runs meet.
    round_rows: usize,
    encoder: KeyEncoder,
    round: Option<Round>,
    left: u64,
    held: Reservation,
}

/// Rows whose order is known.
struct Round {
    order: Order,
    gather: Gather,
    next: usize,
    ready: VecDeque<RecordBatch>,
}

impl MergeRuns {
    /// Merges runs, given in the order of the input, within about `memory` bytes.
    pub(crate) fn new(
        spec: &Arc<SortSpec>,
        mut runs: Vec<RunSlice>,
        memory: usize,
        context: &TaskContext,
    ) -> Result<Self> {
        let fan_in = fan_in(&runs, memory);
        while runs.len() > fan_in {
            let mut merged = Vec::with_capacity(runs.len().div_ceil(fan_in));
            let mut rest = runs.into_iter();
            loop {
                let neighbours: Vec<RunSlice> = rest.by_ref().take(fan_in).collect();
                match neighbours.len() {
                    0 => break,
                    1 => merged.extend(neighbours),
                    _ => merged.push(merged_run(spec, neighbours, memory, context)?),
                }
            }
            runs = merged;
        }
        Self::of(spec, runs, memory, context)
    }

    fn of(
        spec: &Arc<SortSpec>,
        runs: Vec<RunSlice>,
        memory: usize,
        context: &TaskContext,
    ) -> Result<Self> {
        let mut quota = memory / (COPIES * 2 * runs.len().max(1));
        let mut held = context.budget.reservation();
        if !held.grow_if_granted(reading_bytes(&runs, quota), PURPOSE)? {
            // With less, each round is smaller.
            quota = 0;
            held.grow(reading_bytes(&runs, 0), PURPOSE)?;
        }
        let (bytes, rows) = runs
            .iter()
            .fold((0, 1), |(bytes, rows), run| (bytes + run.part.bytes(), rows + run.part.rows()));
        let row = (bytes / rows + 1) as usize;
        let encoder = KeyEncoder::new(spec)?;
        let mut inputs: Vec<Input> = runs.into_iter().map(Input::new).collect();
        if inputs.len() > 1 {
            for input in &mut inputs {
                input.load(quota, spec, &encoder)?;
            }
        }
        Ok(Self {
            spec: spec.clone(),
            inputs,
            quota,
            round_rows: (RUN_BATCH_BYTES.min(memory / (COPIES * 2)) / row).min(4 * RUN_BATCH_ROWS),
            encoder,
            round: None,
            left: spec.limit.unwrap_or(u64::MAX),
            held,
        })
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while self.left > 0 {
            if let [only] = self.inputs.as_mut_slice() {
                // A single run is in order already.
                let Some(loaded) = only.next_loaded(&self.spec)? else { break };
                if loaded.batch.num_rows() == 0 {
                    continue;
                }
                return Ok(Some(self.within_limit(loaded.batch)));
            }
            if self.round.is_none() {
                self.round = self.next_round()?;
            }
            let Some(round) = &mut self.round else { break };
            match round.next_batch()? {
                Some(batch) => return Ok(Some(self.within_limit(batch))),
                None => self.round = None,
            }
        }
        self.inputs.clear();
        self.round = None;
        self.held.shrink(usize::MAX);
        Ok(None)
    }

    fn within_limit(&mut self, batch: RecordBatch) -> RecordBatch {
        let rows = self.left.min(batch.num_rows() as u64);
        self.left -= rows;
        if rows == batch.num_rows() as u64 { batch } else { batch.slice(0, rows as usize) }
    }

    fn next_round(&mut self) -> Result<Option<Round>> {
        let mut taken = Taken::default();
        while self.take_some(&mut taken)? && taken.rows < self.round_rows {}
        Round::new(taken.stretches, &self.spec, self.left)
    }

    /// Takes rows that come before all others, and loads again what they were taken from. `false` if
    /// there are none.
    fn take_some(&mut self, taken: &mut Taken) -> Result<bool> {
        let Some(end) = self.first_end() else {
            let before = taken.rows;
            self.inputs.iter_mut().for_each(|input| input.take_all(taken));
            self.inputs.clear();
            return Ok(taken.rows > before);
        };
        let last = std::mem::take(&mut self.inputs[end].last);
        let cut =
            self.inputs[end].loaded.back().map(|back| back.slice(back.batch.num_rows() - 1, 1));
        let keys = Arc::new(cut.map(|row| row.keys).unwrap_or_default());
        for (number, input) in self.inputs.iter_mut().enumerate() {
            if !input.reaches(number, (&last, end)) {
                continue;
            }
            if number == end {
                input.take_all(taken);
            } else {
                // Rows that tie with the last one loaded come before it, or after all of its run.
                let cut = Cut { keys: keys.clone(), after_equal: number < end };
                input.take_below(&cut, &self.spec, taken)?;
            }
            input.load(self.quota, &self.spec, &self.encoder)?;
        }
        Ok(true)
    }

    /// Of the runs that have more to load, the one whose last loaded row comes first.
    fn first_end(&self) -> Option<usize> {
        let inputs = self.inputs.iter().enumerate();
        let more = inputs.filter(|(_, input)| !input.ended && input.loaded_rows > 0);
        more.min_by(|(_, left), (_, right)| left.last.cmp(&right.last)).map(|(number, _)| number)
    }
}

impl Round {
    fn new(taken: Vec<Loaded>, spec: &SortSpec, left: u64) -> Result<Option<Self>> {
        if taken.is_empty() {
            return Ok(None);
        }
        let (batches, keys): (Vec<_>, Vec<_>) =
            taken.into_iter().map(|loaded| (loaded.batch, loaded.keys)).unzip();
        let limit = usize::try_from(left).ok().filter(|_| left < u64::MAX);
        let order = Order::of(&keys, &spec.options, limit, Given::SlicesInOrder)?;
        let gather = Gather::new(&spec.schema, &batches)?;
        Ok(Some(Self { order, gather, next: 0, ready: VecDeque::new() }))
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        if self.ready.is_empty() && self.next < self.order.len() {
            let end = (self.next + RUN_BATCH_ROWS).min(self.order.len());
            let mut batches = Vec::new();
            self.gather.append(&self.order.places(self.next..end), &mut batches)?;
            self.next = end;
            self.ready.extend(batches);
        }
        Ok(self.ready.pop_front())
    }
}

impl Iterator for MergeRuns {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}

/// The memory that loading runs takes.
fn reading_bytes(runs: &[RunSlice], quota: usize) -> usize {
    let loaded = |run: &RunSlice| quota.saturating_add(run.batch_bytes()).min(run.bytes());
    runs.iter()
        .map(loaded)
        .fold(RUN_BATCH_BYTES.min(quota), usize::saturating_add)
        .saturating_mul(COPIES)
}

/// The runs that are merged at once: as many as fit the memory.
fn fan_in(runs: &[RunSlice], memory: usize) -> usize {
    let largest = runs.iter().map(RunSlice::batch_bytes).max().unwrap_or(0);
    (memory / (COPIES * largest).max(1)).clamp(2, FAN_IN_MAX)
}

/// Some runs as one, on disk.
fn merged_run(
    spec: &Arc<SortSpec>,
    runs: Vec<RunSlice>,
    memory: usize,
    context: &TaskContext,
) -> Result<RunSlice> {
    let mut writer = context.store.spill_writer(RUN_TAG, spec.schema.clone())?;
    for batch in MergeRuns::of(spec, runs, memory, context)? {
        context.cancel.check()?;
        writer.write(0, &batch?)?;
    }
    Ok(RunSlice::whole(writer.finish()?))
}
