//! The rows of one side, found by key.

use arrow::array::{Array, ArrayRef, RecordBatch, new_empty_array};
use arrow::compute::concat;
use arrow::datatypes::Schema;
use dframe_core::{Reservation, Result};
use dframe_expr::{plain, plain_type};
use dframe_runtime::batch_bytes;

use super::key_index::KeyIndex;
use super::{JoinSpec, Side};

/// Bytes per row of slots, chain, and keys that are words.
const ROW_BYTES: usize = 52;

/// Rows by key.
pub(crate) struct JoinTable {
    /// The rows, without keys that were computed.
    pub(crate) rows: RecordBatch,
    /// Where their keys are.
    pub(crate) index: KeyIndex,
    _held: Reservation,
}

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
        let columns = columns_of(&batches, layout.layout())?;
        drop(batches);
        let keys: Vec<_> = layout.keys().iter().map(|key| columns[*key].clone()).collect();
        let keys = spec.coder.encode(&keys, len)?;
        let rows = layout.without_keys(&columns, len)?;
        let index = KeyIndex::new(keys, len);
        let bytes = batch_bytes(&rows) + index.memory();
        held.shrink(held.bytes().saturating_sub(bytes));
        Ok(Self { rows, index, _held: held })
    }
}

/// The columns of `batches` in one piece each, without dictionaries; `schema` tells their types.
pub(crate) fn columns_of(batches: &[RecordBatch], schema: &Schema) -> Result<Vec<ArrayRef>> {
    let column = |index: usize| {
        let parts = batches.iter().map(|batch| plain(batch.column(index)));
        let parts = parts.collect::<Result<Vec<_>>>()?;
        match parts.as_slice() {
            [] => Ok(new_empty_array(plain_type(schema.field(index).data_type()))),
            [one] => Ok(one.clone()),
            _ => Ok(concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<&dyn Array>>())?),
        }
    };
    (0..schema.fields().len()).map(column).collect()
}
