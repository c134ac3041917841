//! The rows of one side, found by key.
//!
//! ```text
//!   slots: [hash, first row] --> next[row] --> next[row] --> END      a chain per key, in the order of rows
//! ```
//!
//! Linear probing at 50 % load at most; a slot is a key. It does not know what becomes of the rows.

use arrow::array::RecordBatch;
use arrow::compute::concat;
use dframe_core::{Reservation, Result};
use dframe_expr::plain;
use dframe_runtime::batch_bytes;

use super::keys::Keys;
use super::{JoinSpec, Side};

/// No further row.
pub(crate) const END: u32 = u32::MAX;
/// Bytes per row of slots, chain, and keys that are words.
const ROW_BYTES: usize = 52;

/// Rows by key.
pub(crate) struct JoinTable {
    /// The rows, without keys that were computed.
    pub(crate) rows: RecordBatch,
    keys: Keys,
    slots: Vec<Slot>,
    next: Vec<u32>,
    _held: Reservation,
}

#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    first: u32,
}

const FREE: Slot = Slot { hash: 0, first: END };

/// The memory that making a table of a batch's rows takes: the rows, a copy of them, their keys and places.
pub(crate) fn building_bytes(batch: &RecordBatch) -> usize {
    building_bytes_of(batch_bytes(batch), batch.num_rows())
}

/// As [`building_bytes`], of rows that take so many bytes.
pub(crate) fn building_bytes_of(bytes: usize, rows: usize) -> usize {
    3 * bytes + rows * ROW_BYTES
}

impl JoinTable {
    /// The rows of `batches`, which are laid out as those of `side`. `held` covers [`building_bytes`].
    pub(crate) fn new(
        spec: &JoinSpec,
        side: Side,
        batches: Vec<RecordBatch>,
        mut held: Reservation,
    ) -> Result<Self> {
        let layout = spec.side(side);
        let len = batches.iter().map(RecordBatch::num_rows).sum::<usize>();
        let column = |index: usize| {
            let parts = batches.iter().map(|batch| plain(batch.column(index)));
            let parts = parts.collect::<Result<Vec<_>>>()?;
            match parts.as_slice() {
                [] => Ok(arrow::array::new_empty_array(layout.layout().field(index).data_type())),
                [one] => Ok(one.clone()),
                _ => {
                    let parts: Vec<&dyn arrow::array::Array> =
                        parts.iter().map(|part| part.as_ref()).collect();
                    Ok(concat(&parts)?)
                }
            }
        };
        let columns = (0..layout.layout().fields().len()).map(column);
        let columns = columns.collect::<Result<Vec<_>>>()?;
        drop(batches);
        let keys: Vec<_> = layout.keys().iter().map(|key| columns[*key].clone()).collect();
        let keys = spec.coder.encode(&keys, len)?;
        let rows = layout.without_keys(&columns, len)?;
        let (slots, next) = chains(&keys, len);
        let bytes = batch_bytes(&rows)
            + keys.memory()
            + slots.len() * size_of::<Slot>()
            + next.len() * size_of::<u32>();
        held.shrink(held.bytes().saturating_sub(bytes));
        Ok(Self { rows, keys, slots, next, _held: held })
    }

    /// The first row with the key of row `row` of `keys`; [`END`] if there is none.
    pub(crate) fn first(&self, keys: &Keys, row: usize) -> u32 {
        if !keys.is_able(row) {
            return END;
        }
        let hash = keys.hashes[row];
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            let same = slot.hash == (hash >> 32) as u32
                && slot.first != END
                && self.keys.equal(slot.first as usize, keys, row);
            if same || slot.first == END {
                return slot.first;
            }
            at = (at + 1) & mask;
        }
    }

    /// The row with the same key after `row`; [`END`] if there is none.
    pub(crate) fn next(&self, row: u32) -> u32 {
        self.next[row as usize]
    }
}

/// A slot per key, and for each row the next one of its key.
fn chains(keys: &Keys, rows: usize) -> (Vec<Slot>, Vec<u32>) {
    let mut slots = vec![FREE; (2 * rows.max(4)).next_power_of_two()];
    let mut next = vec![END; rows];
    let mask = slots.len() - 1;
    // Backwards, so that chains run forward.
    for row in (0..rows).rev().filter(|row| keys.is_able(*row)) {
        let hash = keys.hashes[row];
        let mut at = hash as usize & mask;
        loop {
            let slot = &mut slots[at];
            let same = slot.first != END
                && slot.hash == (hash >> 32) as u32
                && keys.equal(slot.first as usize, keys, row);
            if same || slot.first == END {
                next[row] = slot.first;
                *slot = Slot { hash: (hash >> 32) as u32, first: row as u32 };
                break;
            }
            at = (at + 1) & mask;
        }
    }
    (slots, next)
}
