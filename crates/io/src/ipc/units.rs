//! Which record batches are a unit, which bytes of them are read, and what they cost.
//!
//! ```text
//!   batches |..|..|..|..|   --as many as fit--> unit            few rows each: several at once
//!   batch   |...........|   --ranges of rows--> unit, unit      if it is not compressed
//! ```
//!
//! A compressed buffer can only be read from its beginning: a batch of those is a unit at least.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use dframe_core::{Fetched, Result};
use dframe_plan::{Partitions, ScanRequest, ScanUnit};

use super::arrays::{PREFIX, inflated};
use super::index::{BatchPlace, DictionaryPlace, Index, Place, message_of};
use super::planned::{Planned, Precision, Read, Walk};
use super::{IpcSource, SourceFile, corrupt};
use crate::file::{GAP, OpenFile, coalesce};
use crate::partitioning::{PARTITION_ROWS_MIN, Partitioner, position};

/// Rows of a large batch are cut at multiples of this: 64 bits of a bitmap.
const CUT: u64 = 64;
/// The rows of a unit at most, unless partitions are larger.
const UNIT_ROWS_MAX: u64 = 1 << 20;
/// What a value of a fixed width takes at most that is cast while a batch is made.
const VALUE_BYTES: u64 = 16;
/// One part in so many of the bytes of a unit is as much as casting a batch may take.
const BATCH_SHARE: u64 = 4;
/// The rows of a batch at least, however wide.
const BATCH_ROWS_MIN: u64 = 64;

/// A stretch of the rows of a record batch.
#[derive(Clone, Debug)]
pub(super) struct Piece<'a> {
    pub(super) batch: &'a BatchPlace,
    /// Its number in the file.
    pub(super) number: usize,
    /// The rows wanted, of the batch's.
    pub(super) rows: Range<u64>,
}

impl Piece<'_> {
    /// The rows that are read, if not all of the batch: those wanted, and a few before.
    pub(super) fn cut(&self) -> Option<Range<u64>> {
        let is_whole = self.rows == (0..self.batch.rows);
        (!is_whole && !self.batch.is_compressed).then(|| self.rows.start / CUT * CUT..self.rows.end)
    }
}

/// The stretches that a unit is made of. Its rows count from the first row of its first batch.
pub(super) fn pieces<'a>(index: &'a Index, unit: &ScanUnit) -> Vec<Piece<'a>> {
    let first = unit.row_group as usize;
    let Some(begin) = index.batches.get(first).map(|batch| batch.first_row) else { return vec![] };
    let (start, end) = (begin + unit.rows.start, begin + unit.rows.end);
    let batches = index.batches.iter().enumerate().skip(first);
    batches
        .take_while(|(_, batch)| batch.first_row < end)
        .filter(|(_, batch)| batch.first_row + batch.rows > start)
        .map(|(number, batch)| {
            let rows = start.max(batch.first_row) - batch.first_row
                ..end.min(batch.first_row + batch.rows) - batch.first_row;
            Piece { batch, number, rows }
        })
        .collect()
}

/// The arrays of a record batch, or of the dictionary's values.
pub(super) fn plan(
    index: &Index,
    piece: &Piece<'_>,
    wanted: &[usize],
    head: &Bytes,
    precision: Precision,
    read: &mut Read<'_>,
) -> Result<Vec<Planned>> {
    let message = message_of(head)?;
    let batch = message.header_as_record_batch();
    let batch = batch.ok_or_else(|| corrupt("a record batch", "it has no head"))?;
    let body = piece.batch.place.body_start()..piece.batch.place.end();
    let walk = Walk::new(batch, message.version(), body, precision, read);
    walk.columns(&index.wire, wanted, piece.cut().as_ref())
}

/// The bytes of the file that arrays are made of.
fn ranges_of(planned: &[Planned], out: &mut Vec<Range<u64>>) {
    for array in planned {
        out.extend(array.parts.iter().map(|part| part.bytes.clone()));
        ranges_of(&array.children, out);
    }
}

/// Reads what decoding the unit's columns needs: heads of messages, dictionaries, buffers.
pub(super) fn fetch(index: &Index, unit: &ScanUnit, wanted: &[usize]) -> Result<Fetched> {
    let file = index.open()?;
    let pieces = pieces(index, unit);
    let mut ranges = Vec::new();
    for dictionary in dictionaries(index, &pieces, wanted) {
        ranges.push(dictionary.place.offset..dictionary.place.end());
    }
    for piece in &pieces {
        let place = piece.batch.place;
        let head = file.read(place.offset, place.head)?;
        ranges.push(place.offset..place.body_start());
        let mut read = |range: Range<u64>| file.read(range.start, range.end - range.start);
        let planned = plan(index, piece, wanted, &head, Precision::Exact, &mut read)?;
        ranges_of(&planned, &mut ranges);
    }
    ranges.sort_by_key(|range| (range.start, range.end));
    Ok(Fetched { ranges: file.read_ranges(ranges)? })
}

/// The dictionaries that columns of a unit's batches need, in the order in which they are read.
/// They are the same for all batches of a unit.
pub(super) fn dictionaries<'a>(
    index: &Index,
    pieces: &[Piece<'a>],
    wanted: &[usize],
) -> Vec<&'a DictionaryPlace> {
    let mut ids = Vec::new();
    for column in wanted {
        super::types::dictionary_ids(index.wire.field(*column), &mut ids);
    }
    let known = pieces.first().map(|piece| piece.batch.dictionaries.as_slice());
    known.unwrap_or_default().iter().filter(|place| ids.contains(&place.id)).collect()
}

/// The partitions of a scan.
pub(super) fn partitions(source: &IpcSource, request: &ScanRequest) -> Result<Partitions> {
    let mut out = Partitioner::new(request, source.rows);
    for (number, file) in source.files.iter().enumerate() {
        if out.is_full() {
            break;
        }
        let mut split = Split::new(number as u32, file, request, &mut out)?;
        split.run().map_err(|error| error.file(&file.index.path))?;
    }
    Ok(out.finish())
}

/// What reading holds.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    fetch: u64,
    /// What is no longer compressed.
    decode: u64,
}

/// Cuts a file into units.
struct Split<'a> {
    number: u32,
    file: &'a SourceFile,
    wanted: Vec<usize>,
    open: OpenFile,
    request: &'a ScanRequest,
    out: &'a mut Partitioner,
    /// The unit that further batches may be added to: its first batch, its rows, its cost.
    pending: Option<(usize, u64, Cost)>,
}

impl<'a> Split<'a> {
    fn new(
        number: u32,
        file: &'a SourceFile,
        request: &'a ScanRequest,
        out: &'a mut Partitioner,
    ) -> Result<Self> {
        let index = &file.index;
        let open = index.open()?;
        let wanted = file.wanted(request);
        Ok(Self { number, file, wanted, open, request, out, pending: None })
    }

    fn run(&mut self) -> Result<()> {
        let file = self.file;
        for (number, batch) in file.index.batches.iter().enumerate() {
            if batch.rows == 0 {
                continue;
            }
            if self.out.is_full() {
                break;
            }
            let piece = Piece { batch, number, rows: 0..batch.rows.min(self.out.limit()) };
            let cost = self.cost(&piece)?;
            match self.is_large(&piece, cost) {
                true => self.cut(&piece, cost)?,
                false => self.join(&piece, cost)?,
            }
        }
        self.close()
    }

    /// Whether a batch is more than a unit should be, and can be less.
    fn is_large(&self, piece: &Piece<'_>, cost: Cost) -> bool {
        let is_large = cost.fetch > self.bytes_max() || piece.rows.end > self.rows_max() * 3 / 2;
        is_large && !piece.batch.is_compressed && !self.wanted.is_empty()
    }

    /// The bytes of a unit at most; what is cast while it is decoded takes as much again.
    fn bytes_max(&self) -> u64 {
        self.request.unit_bytes / 2
    }

    /// The rows of a unit at most: fewer towards the end.
    fn rows_max(&self) -> u64 {
        let most = self.request.partition_rows.max(UNIT_ROWS_MAX);
        (self.out.remaining() / 8).clamp(PARTITION_ROWS_MIN, most)
    }

    /// Adds a batch to the unit that is open, if there is room.
    fn join(&mut self, piece: &Piece<'_>, cost: Cost) -> Result<()> {
        if let Some((first, rows, known)) = self.pending {
            let batches = &self.file.index.batches;
            let same = Arc::ptr_eq(&batches[first].dictionaries, &piece.batch.dictionaries);
            let both = known.fetch + known.decode + cost.fetch + cost.decode;
            let fits = both <= self.bytes_max() && rows + piece.rows.end <= self.rows_max();
            if same && fits && rows < self.out.limit() {
                let (fetch, decode) = (known.fetch + cost.fetch, known.decode.max(cost.decode));
                self.pending = Some((first, rows + piece.rows.end, Cost { fetch, decode }));
                return Ok(());
            }
        }
        self.close()?;
        if !self.out.is_full() {
            self.pending = Some((piece.number, piece.rows.end.min(self.out.limit()), cost));
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        let Some((first, rows, cost)) = self.pending.take() else { return Ok(()) };
        let rows = rows.min(self.out.limit());
        self.out.count(true);
        self.add(&self.file.index.batches[first], first, 0..rows, cost)
    }

    /// Cuts a large batch into units.
    fn cut(&mut self, piece: &Piece<'_>, cost: Cost) -> Result<()> {
        self.close()?;
        self.out.count(true);
        let row_bytes = cost.fetch.div_ceil(piece.rows.end).max(1);
        let fits = self.bytes_max() / row_bytes;
        let mut start = 0;
        while start < piece.rows.end && !self.out.is_full() {
            let step = (fits.min(self.rows_max()) / CUT * CUT).max(CUT);
            let end = (start + step).min(piece.rows.end);
            let part = Piece { rows: start..end, ..piece.clone() };
            let cost = self.cost(&part)?;
            self.add(part.batch, part.number, start..end, cost)?;
            start = end;
        }
        Ok(())
    }

    fn add(
        &mut self,
        batch: &BatchPlace,
        number: usize,
        rows: Range<u64>,
        cost: Cost,
    ) -> Result<()> {
        let count = rows.end - rows.start;
        let dictionaries = self.dictionary_cost(batch, number)?;
        let columns = self.request.projection.len() as u64;
        let row_bytes = (cost.fetch + cost.decode).div_ceil(count.max(1)) + columns * VALUE_BYTES;
        let batch_rows = self.batch_rows(row_bytes);
        self.out.pass(count);
        self.out.add(ScanUnit {
            file: self.number,
            row_group: number as u32,
            position: position(self.number, batch.first_row + rows.start),
            rows,
            batch_rows: batch_rows as usize,
            fetch_bytes: cost.fetch + dictionaries.fetch,
            decode_bytes: cost.decode + dictionaries.decode + row_bytes * batch_rows.min(count),
        });
        Ok(())
    }

    /// The rows of a batch: as many as wanted, unless they are so wide that casting them would take a good part
    /// of what a unit may.
    fn batch_rows(&self, row_bytes: u64) -> u64 {
        let fits = self.request.unit_bytes / BATCH_SHARE / row_bytes.max(1);
        fits.max(BATCH_ROWS_MIN).min(self.request.batch_rows.max(1) as u64)
    }

    /// What reading rows of a batch holds, dictionaries aside.
    fn cost(&self, piece: &Piece<'_>) -> Result<Cost> {
        if self.wanted.is_empty() {
            return Ok(Cost::default());
        }
        let place = piece.batch.place;
        let head = self.open.read(place.offset, place.head)?;
        let index = &self.file.index;
        let mut read = |range: Range<u64>| self.open.read(range.start, range.end - range.start);
        let planned = plan(index, piece, &self.wanted, &head, Precision::Cost, &mut read)?;
        self.cost_of(&planned, place, piece.batch.is_compressed)
    }

    fn cost_of(&self, planned: &[Planned], place: Place, is_compressed: bool) -> Result<Cost> {
        let mut ranges = Vec::new();
        ranges_of(planned, &mut ranges);
        let mut decode = 0;
        if is_compressed {
            for range in ranges.iter().filter(|range| !range.is_empty()) {
                let length = PREFIX.min(range.end - range.start);
                decode += inflated(&self.open.read(range.start, length)?)?;
            }
        }
        ranges.push(place.offset..place.body_start());
        ranges.sort_by_key(|range| (range.start, range.end));
        let fetch: u64 = coalesce(ranges).iter().map(|range| range.end - range.start).sum();
        // What is between this message and the next may be read along with both.
        let between = GAP.min((place.end() - place.offset).saturating_sub(fetch));
        Ok(Cost { fetch: fetch + between, decode })
    }

    /// What the dictionaries of a batch hold: as they are read, and as the engine wants them.
    fn dictionary_cost(&self, batch: &BatchPlace, number: usize) -> Result<Cost> {
        let piece = Piece { batch, number, rows: 0..batch.rows };
        let mut cost = Cost::default();
        for dictionary in dictionaries(&self.file.index, &[piece], &self.wanted) {
            let place = dictionary.place;
            let head = self.open.read(place.offset, place.head)?;
            let (planned, codec) =
                super::unit_batches::plan_values(&self.file.index, dictionary, &head)?;
            let values = self.cost_of(&planned, place, codec.is_some())?;
            cost.fetch += place.end() - place.offset + GAP;
            cost.decode += 2 * values.decode + values.fetch;
        }
        Ok(cost)
    }
}
