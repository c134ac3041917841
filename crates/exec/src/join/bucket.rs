//! A bucket of both sides: its pairs, within the memory that a table may take.
//!
//! ```text
//!   bucket of left, of right --the smaller one fits--> table, probed by the other
//!          |  it does not
//!          +--cut both by the next bits--> smaller buckets, one after the other
//!          |  cutting does not help: most of it is one key
//!          +--block by block: a table of what fits, probed by the whole other side
//! ```
//!
//! Which side makes the table depends on the bytes that the bucket really has.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use dframe_core::{Error, Event, Reservation, Result};
use dframe_runtime::{Chunk, Part, SpillWriter, TaskContext, batch_bytes};

use super::probe::{Emit, Marks, Probe};
use super::table::{JoinTable, building_bytes, building_bytes_of};
use super::{JoinSpec, Side};
use crate::group::{Radix, scatter};
use crate::shuffle::BucketStream;

/// Bits by which a bucket that does not fit is cut again.
const RECUT_BITS: u32 = 4;
/// Bytes of batches that are cut together, so that the pieces are not too small.
const RECUT_BYTES: usize = 4 << 20;
/// Cutting has not helped where a piece has more than this share of the whole.
const HELPLESS_SHARE: f64 = 0.8;
/// Bytes of a table, at most: offsets of text have 32 bits.
const TABLE_BYTES_MAX: usize = 1 << 30;
/// Bytes of a block's table that must fit for a join to go on.
const BLOCK_BYTES_MIN: usize = 1 << 20;

/// Joins buckets.
pub(crate) struct JoinBuckets(pub(crate) Arc<JoinSpec>);

impl BucketStream for JoinBuckets {
    fn name(&self) -> &'static str {
        "join"
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    fn stream(
        &self,
        bucket: u32,
        inputs: Vec<Chunk>,
        context: &TaskContext,
        emit: &mut Emit<'_>,
    ) -> Result<bool> {
        let mut parts = inputs.into_iter().map(Chunk::into_parts);
        let mut side = || parts.next().ok_or_else(|| Error::internal("a join has two inputs"));
        let radix = Radix::first(self.0.sides[0].buckets());
        let rows = Bucket { parts: [side()?, side()?], bucket, radix };
        let count = [Side::Left, Side::Right].map(|side| rows.rows(side) as u64);
        let mut out = 0;
        let mut counted = |batch: RecordBatch| {
            out += batch.num_rows() as u64;
            emit(batch)
        };
        let mut joining = Joining { spec: &self.0, context, emit: &mut counted };
        let goes_on = joining.bucket(&rows, Cutting::May)?;
        if goes_on {
            self.0.check_count(count, out)?;
        }
        Ok(goes_on)
    }
}

/// The rows of a bucket, on both sides.
struct Bucket {
    parts: [Vec<Arc<Part>>; 2],
    bucket: u32,
    radix: Radix,
}

impl Bucket {
    fn bytes(&self, side: Side) -> usize {
        let parts = self.parts[side as usize].iter();
        parts.map(|part| part.bucket_bytes(self.bucket) as usize).sum()
    }

    fn rows(&self, side: Side) -> usize {
        let parts = self.parts[side as usize].iter();
        parts.map(|part| part.bucket_rows(self.bucket) as usize).sum()
    }

    fn batches(&self, side: Side) -> impl Iterator<Item = Result<RecordBatch>> {
        let bucket = self.bucket;
        self.parts[side as usize].iter().flat_map(move |part| part.read(Some(bucket)))
    }

    fn smaller(&self) -> Side {
        match self.bytes(Side::Left) < self.bytes(Side::Right) {
            true => Side::Left,
            false => Side::Right,
        }
    }

    fn building_bytes(&self, side: Side) -> usize {
        building_bytes_of(self.bytes(side), self.rows(side))
    }
}

/// Whether a bucket may be cut again.
#[derive(Clone, Copy, PartialEq)]
enum Cutting {
    May,
    /// It was cut, and that did not make it much smaller.
    Helpless,
}

struct Joining<'a, 'e> {
    spec: &'a JoinSpec,
    context: &'a TaskContext,
    emit: &'a mut Emit<'e>,
}

impl Joining<'_, '_> {
    fn bucket(&mut self, rows: &Bucket, cutting: Cutting) -> Result<bool> {
        let build = rows.smaller();
        let needed = rows.building_bytes(build);
        if needed <= self.spec.table_memory.min(TABLE_BYTES_MAX)
            && let Some(held) = self.reserve(needed)?
        {
            let batches = rows.batches(build).collect::<Result<Vec<_>>>()?;
            let table = JoinTable::new(self.spec, build, batches, held)?;
            return self.probed(rows, build, &table);
        }
        let both = (rows.rows(Side::Left) + rows.rows(Side::Right)) as u64;
        let next = rows.radix.next(RECUT_BITS).filter(|_| cutting == Cutting::May);
        match next.filter(|_| !self.spec.sides[0].keys().is_empty()) {
            Some(radix) => {
                let begin = Instant::now();
                let pieces = self.pieces(rows, radix)?;
                self.report("cut of a join", begin, both);
                self.smaller_buckets(rows, pieces)
            }
            None => {
                let begin = Instant::now();
                let goes_on = self.blocks(rows, build)?;
                self.report("blocks of a join", begin, both);
                Ok(goes_on)
            }
        }
    }

    /// The whole other side, through a table of the whole of this one.
    fn probed(&mut self, rows: &Bucket, build: Side, table: &JoinTable) -> Result<bool> {
        let mut probe = Probe::new(self.spec, table, build);
        for batch in rows.batches(build.other()) {
            self.context.cancel.check()?;
            let batch = batch?;
            let mut marks = self.marks(build.other(), batch.num_rows());
            if !probe.pairs(&batch, &mut marks, self.emit)?
                || !probe.unpaired(&batch, &marks, self.emit)?
            {
                return Ok(false);
            }
        }
        probe.unpaired_of_table(self.emit)
    }

    fn marks(&self, side: Side, rows: usize) -> Marks {
        if self.spec.marks(side) { vec![false; rows] } else { Marks::new() }
    }

    /// Tells of work that a bucket which does not fit takes.
    fn report(&self, operator: &'static str, begin: Instant, rows: u64) {
        let busy = begin.elapsed();
        self.context.observer.observe(&Event::OperatorTime { operator, busy, rows });
    }

    /// Both sides cut by the next bits, on disk.
    fn pieces(&self, rows: &Bucket, radix: Radix) -> Result<Bucket> {
        let left = self.recut(rows, Side::Left, radix)?;
        let right = self.recut(rows, Side::Right, radix)?;
        Ok(Bucket { parts: [vec![left], vec![right]], bucket: 0, radix })
    }

    /// The pieces that `rows` was cut into, joined one by one.
    fn smaller_buckets(&mut self, rows: &Bucket, mut piece: Bucket) -> Result<bool> {
        let whole = rows.bytes(rows.smaller()) as f64;
        for bucket in 0..piece.radix.buckets() {
            piece.bucket = bucket;
            let helpless = piece.bytes(piece.smaller()) as f64 > HELPLESS_SHARE * whole;
            let cutting = if helpless { Cutting::Helpless } else { Cutting::May };
            if !self.bucket(&piece, cutting)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn recut(&self, rows: &Bucket, side: Side, radix: Radix) -> Result<Arc<Part>> {
        let layout = self.spec.side(side);
        let mut writer = self.context.store.spill_writer(0, layout.layout().clone())?;
        let mut waiting = Vec::new();
        for batch in rows.batches(side) {
            self.context.cancel.check()?;
            waiting.push(batch?);
            if waiting.iter().map(batch_bytes).sum::<usize>() > RECUT_BYTES {
                write_cut(&mut writer, &mut waiting, layout.keys(), radix)?;
            }
        }
        write_cut(&mut writer, &mut waiting, layout.keys(), radix)?;
        writer.finish()
    }

    /// The side `build` in blocks that fit, the other one read for each of them.
    fn blocks(&mut self, rows: &Bucket, build: Side) -> Result<bool> {
        let probe_side = build.other();
        let probe_rows = rows.rows(probe_side);
        let mut held = self.context.budget.reservation();
        held.grow(if self.spec.marks(probe_side) { probe_rows } else { 0 }, "marks of a join")?;
        let mut marks = self.marks(probe_side, probe_rows);
        let mut batches = rows.batches(build).peekable();
        loop {
            let table = self.next_block(build, &mut batches)?;
            let last = batches.peek().is_none();
            let mut probe = Probe::new(self.spec, &table, build);
            let mut start = 0;
            for batch in rows.batches(probe_side) {
                self.context.cancel.check()?;
                let batch = batch?;
                let end = (start + batch.num_rows()).min(marks.len());
                let marks = &mut marks[start.min(end)..end];
                start += batch.num_rows();
                if !probe.pairs(&batch, marks, self.emit)?
                    || (last && !probe.unpaired(&batch, marks, self.emit)?)
                {
                    return Ok(false);
                }
            }
            if !probe.unpaired_of_table(self.emit)? || last {
                return Ok(last);
            }
        }
    }

    /// A table of as many batches as fit.
    fn next_block(
        &self,
        build: Side,
        batches: &mut std::iter::Peekable<impl Iterator<Item = Result<RecordBatch>>>,
    ) -> Result<JoinTable> {
        let mut held = self.context.budget.reservation();
        let mut block = Vec::new();
        while let Some(next) = batches.peek() {
            let bytes = next.as_ref().map_or(0, building_bytes);
            let room = self.spec.table_memory.clamp(BLOCK_BYTES_MIN, TABLE_BYTES_MAX);
            let full = !block.is_empty() && held.bytes() + bytes > room;
            if full || (!block.is_empty() && !held.try_grow(bytes)) {
                break;
            }
            if block.is_empty() {
                held.grow(bytes, "a block of a join")?;
            }
            block.extend(batches.next().transpose()?);
        }
        JoinTable::new(self.spec, build, block, held)
    }

    /// Memory for a table, if it can be had.
    fn reserve(&self, bytes: usize) -> Result<Option<Reservation>> {
        let mut held = self.context.budget.reservation();
        let granted = held.grow_if_granted(bytes, "the table of a join")?;
        Ok(granted.then_some(held))
    }
}

fn write_cut(
    writer: &mut SpillWriter,
    batches: &mut Vec<RecordBatch>,
    keys: &[usize],
    radix: Radix,
) -> Result<()> {
    for (bucket, batch) in scatter(batches, keys, radix)? {
        writer.write(bucket, &batch)?;
    }
    batches.clear();
    Ok(())
}
