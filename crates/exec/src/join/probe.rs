//! Probing: what comes out for rows that look themselves up in a table.
//!
//! ```text
//!   probe rows --keys--> first row, next row, ..   pairs --condition--> pairs that hold --> emitted
//!                                                                |
//!                                      marks: probe rows and table rows that have a partner
//!   rows without a mark --> emitted with NULLs, where the kind keeps them; with a mark, for a semi join
//! ```
//!
//! It does not know where its rows come from, or how much of either side it sees.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::{filter, take};
use dframe_core::Result;
use dframe_runtime::batch_bytes;

use super::key_index::END;
use super::table::JoinTable;
use super::{JoinSpec, Side};
use crate::pipeline::batch_of;

/// Pairs that are put together at once, unless rows are wide.
const PAIRS_MAX: usize = 16 * 1024;
/// Bytes of pairs that are put together at once.
const PAIRS_BYTES: usize = 4 << 20;

/// Takes what comes out, and says whether more is wanted.
pub(crate) type Emit<'a> = dyn FnMut(RecordBatch) -> Result<bool> + 'a;

/// Rows that have a partner.
pub(crate) type Marks = Vec<bool>;

/// Looks rows up in a table.
pub(crate) struct Probe<'a> {
    spec: &'a JoinSpec,
    table: &'a JoinTable,
    build: Side,
    /// The table's rows that have a partner; empty if nobody asks.
    built: Marks,
    pairs_max: usize,
}

/// Pairs of rows found.
#[derive(Default)]
struct Pairs {
    probe: Vec<u32>,
    build: Vec<u32>,
}

impl<'a> Probe<'a> {
    /// A probe of a table of the rows of `build`.
    pub(crate) fn new(spec: &'a JoinSpec, table: &'a JoinTable, build: Side) -> Self {
        let rows = table.rows.num_rows();
        let built = if spec.marks(build) { vec![false; rows] } else { Vec::new() };
        let row_bytes = batch_bytes(&table.rows) / rows.max(1);
        Self { spec, table, build, built, pairs_max: PAIRS_BYTES / row_bytes.max(1) }
    }

    /// Emits the pairs of `batch`, which is laid out as its side, and marks its rows that have one, if
    /// `marks` has room for them. Says whether more is wanted.
    pub(crate) fn pairs(
        &mut self,
        batch: &RecordBatch,
        marks: &mut [bool],
        emit: &mut Emit<'_>,
    ) -> Result<bool> {
        let layout = self.spec.side(self.build.other());
        let index = &self.table.index;
        let firsts = index.firsts(&self.spec.coder, &layout.keys_of(batch), batch.num_rows())?;
        if !self.spec.emits_pairs() && self.spec.condition.is_none() {
            self.mark_keys(&firsts, marks);
            return Ok(true);
        }
        let row_bytes = batch_bytes(batch) / batch.num_rows().max(1);
        let wanted = self.pairs_max.min(PAIRS_BYTES / row_bytes.max(1)).clamp(16, PAIRS_MAX);
        let rows = layout.without_keys(batch.columns(), batch.num_rows())?;
        let mut pairs = Pairs::default();
        for (row, first) in firsts.into_iter().enumerate() {
            let mut found = first;
            while found != END {
                pairs.probe.push(row as u32);
                pairs.build.push(found);
                found = self.table.index.next(found);
                if pairs.probe.len() >= wanted
                    && !self.flush(std::mem::take(&mut pairs), &rows, marks, emit)?
                {
                    return Ok(false);
                }
            }
        }
        self.flush(pairs, &rows, marks, emit)
    }

    /// Marks rows whose keys are there; of the table's, the first of each key.
    fn mark_keys(&mut self, firsts: &[u32], marks: &mut [bool]) {
        for (row, &found) in firsts.iter().enumerate().filter(|(_, found)| **found != END) {
            if let Some(mark) = marks.get_mut(row) {
                *mark = true;
            }
            if let Some(mark) = self.built.get_mut(found as usize) {
                *mark = true;
            }
        }
    }

    /// Emits pairs for which the condition holds.
    fn flush(
        &mut self,
        pairs: Pairs,
        rows: &RecordBatch,
        marks: &mut [bool],
        emit: &mut Emit<'_>,
    ) -> Result<bool> {
        if pairs.probe.is_empty() {
            return Ok(true);
        }
        let (mut probe, mut build) =
            (UInt32Array::from(pairs.probe), UInt32Array::from(pairs.build));
        let mut joined = self.joined(rows, &probe, &build)?;
        if let Some(condition) = &self.spec.condition {
            let holds = condition.holds(&joined)?;
            if holds.true_count() < holds.len() {
                probe = filtered(&probe, &holds)?;
                build = filtered(&build, &holds)?;
                joined = arrow::compute::filter_record_batch(&joined, &holds)?;
            }
        }
        if !marks.is_empty() {
            probe.values().iter().for_each(|row| marks[*row as usize] = true);
        }
        if !self.built.is_empty() {
            build.values().iter().for_each(|row| self.built[*row as usize] = true);
        }
        match self.spec.emits_pairs() && joined.num_rows() > 0 {
            true => emit(joined),
            false => Ok(true),
        }
    }

    /// Pairs of rows side by side.
    fn joined(
        &self,
        rows: &RecordBatch,
        probe: &UInt32Array,
        build: &UInt32Array,
    ) -> Result<RecordBatch> {
        let of_probe = taken(rows, probe)?;
        let of_build = taken(&self.table.rows, build)?;
        let columns = match self.build {
            Side::Right => [of_probe, of_build].concat(),
            Side::Left => [of_build, of_probe].concat(),
        };
        batch_of(&self.spec.pairs, columns, probe.len())
    }

    /// Emits what the marks of `batch`, whose rows have seen the whole other side, say.
    pub(crate) fn unpaired(
        &self,
        batch: &RecordBatch,
        marks: &[bool],
        emit: &mut Emit<'_>,
    ) -> Result<bool> {
        let side = self.build.other();
        if !self.spec.marks(side) {
            return Ok(true);
        }
        let rows = self.spec.side(side).without_keys(batch.columns(), batch.num_rows())?;
        emit_marked(self.spec, side, &rows, marks, emit)
    }

    /// Emits what the marks of the table's rows say, once the whole other side has been seen.
    pub(crate) fn unpaired_of_table(mut self, emit: &mut Emit<'_>) -> Result<bool> {
        if !self.spec.marks(self.build) {
            return Ok(true);
        }
        if !self.spec.emits_pairs() && self.spec.condition.is_none() {
            self.spread_marks();
        }
        for start in (0..self.built.len()).step_by(PAIRS_MAX) {
            let len = PAIRS_MAX.min(self.built.len() - start);
            let rows = self.table.rows.slice(start, len);
            let marks = &self.built[start..start + len];
            if !emit_marked(self.spec, self.build, &rows, marks, emit)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Each row has the mark of the first of its key.
    fn spread_marks(&mut self) {
        for row in 0..self.built.len() {
            let next = self.table.index.next(row as u32);
            if self.built[row] && next != END {
                self.built[next as usize] = true;
            }
        }
    }
}

/// Rows of `side` with a mark, for a semi join; else those without, beside NULLs.
fn emit_marked(
    spec: &JoinSpec,
    side: Side,
    rows: &RecordBatch,
    marks: &[bool],
    emit: &mut Emit<'_>,
) -> Result<bool> {
    let keeps_unmarked = spec.keeps(side);
    let wanted: BooleanArray = marks.iter().map(|mark| Some(*mark != keeps_unmarked)).collect();
    if wanted.true_count() == 0 {
        return Ok(true);
    }
    let rows = arrow::compute::filter_record_batch(rows, &wanted)?;
    let len = rows.num_rows();
    if !spec.emits_pairs() {
        return emit(batch_of(&spec.output, rows.columns().to_vec(), len)?);
    }
    let own = rows.columns().to_vec();
    let fields = spec.pairs.fields();
    let nulls = |fields: &[Arc<arrow::datatypes::Field>]| -> Vec<ArrayRef> {
        fields.iter().map(|field| new_null_array(field.data_type(), len)).collect()
    };
    let columns = match side {
        Side::Left => [own, nulls(&fields[spec.columns(side)..])].concat(),
        Side::Right => [nulls(&fields[..fields.len() - spec.columns(side)]), own].concat(),
    };
    emit(batch_of(&spec.pairs, columns, len)?)
}

fn taken(rows: &RecordBatch, places: &UInt32Array) -> Result<Vec<ArrayRef>> {
    rows.columns().iter().map(|column| Ok(take(column, places, None)?)).collect()
}

fn filtered(places: &UInt32Array, holds: &BooleanArray) -> Result<UInt32Array> {
    let kept = filter(places, holds)?;
    Ok(arrow::array::AsArray::as_primitive::<arrow::datatypes::UInt32Type>(&kept).clone())
}
