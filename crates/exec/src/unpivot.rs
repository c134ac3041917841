//! Columns that become rows: blockwise, in pieces of bounded size.
//!
//! ```text
//!   columns a, b of rows 0 1   -->  a0 b0 a1 b1   values are interleaved, columns that stay are repeated
//!   places                           0  1  2  3
//! ```
//!
//! A piece is a range of places, which may begin and end within a row.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray, UInt64Array,
};
use arrow::compute::{interleave, take};
use arrow::datatypes::{Int32Type, SchemaRef};
use dframe_core::Result;
use dframe_expr::plain;
use dframe_plan::ScannedBatch;
use dframe_plan::node::{Node, Unpivot};

use crate::pipeline::{BlockMap, RowChange, batch_of};
use crate::row_bytes::{PIECE_BYTES, PIECE_ROWS, RowBytes};

/// What unpivots batches.
#[derive(Clone, Debug)]
pub(crate) struct UnpivotOp {
    /// The columns that stay, and those that become rows, in the input.
    index: Vec<usize>,
    on: Vec<usize>,
    names: Arc<StringArray>,
    schema: SchemaRef,
}

impl UnpivotOp {
    /// Unpivots as `node` says, over batches of the columns `input`.
    ///
    /// # Errors
    /// Only bugs: columns that are not there.
    pub(crate) fn new(node: &Unpivot, input: &SchemaRef) -> Result<Self> {
        let places = |names: &[String]| -> Result<Vec<usize>> {
            names.iter().map(|name| Ok(input.index_of(name)?)).collect()
        };
        let names = Arc::new(StringArray::from_iter_values(&node.on));
        Ok(Self {
            index: places(&node.index())?,
            on: places(&node.on)?,
            names,
            schema: node.schema(),
        })
    }

    /// The rows at `places`, where `values` are the columns that become rows.
    fn piece(
        &self,
        rows: &RecordBatch,
        values: &[&dyn Array],
        places: Range<usize>,
    ) -> Result<RecordBatch> {
        let (count, copies) = (places.len(), self.on.len());
        let places = places.map(|place| (place % copies, place / copies));
        let places: Vec<(usize, usize)> = places.collect();
        let repeated = UInt64Array::from_iter_values(places.iter().map(|place| place.1 as u64));
        let mut columns = Vec::with_capacity(self.index.len() + 2);
        for index in &self.index {
            columns.push(take(rows.column(*index), &repeated, None)?);
        }
        let codes = Int32Array::from_iter_values(places.iter().map(|place| place.0 as i32));
        columns.push(Arc::new(DictionaryArray::<Int32Type>::try_new(codes, self.names.clone())?));
        columns.push(interleave(values, &places)?);
        batch_of(&self.schema, columns, count)
    }

    /// The end of the piece of `rows` rows that begins at `start`.
    fn end(&self, start: usize, rows: usize, repeated: &RowBytes<'_>) -> usize {
        let copies = self.on.len();
        let last = (start + PIECE_ROWS).min(rows * copies);
        let (mut end, mut bytes) = (start, 0);
        while end < last && bytes < PIECE_BYTES {
            let row = end / copies;
            let each = repeated.row(row);
            let wanted = (PIECE_BYTES - bytes).div_ceil(each);
            let some = wanted.min((row + 1) * copies - end).min(last - end);
            bytes += some * each;
            end += some;
        }
        end
    }
}

impl BlockMap for UnpivotOp {
    fn name(&self) -> &'static str {
        "unpivot"
    }

    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn row_change(&self) -> RowChange {
        RowChange::More
    }

    fn map(
        &self,
        batch: &ScannedBatch,
        emit: &mut dyn FnMut(RecordBatch) -> Result<bool>,
    ) -> Result<bool> {
        let rows = &batch.rows;
        let repeated = RowBytes::of(self.index.iter().map(|index| rows.column(*index)));
        let values = self.on.iter().map(|index| plain(rows.column(*index)));
        let values = values.collect::<Result<Vec<ArrayRef>>>()?;
        let values: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
        let mut start = 0;
        while start < rows.num_rows() * self.on.len() {
            let end = self.end(start, rows.num_rows(), &repeated);
            if !emit(self.piece(rows, &values, start..end)?)? {
                return Ok(false);
            }
            start = end;
        }
        Ok(true)
    }
}
