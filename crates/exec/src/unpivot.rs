//! Columns that become rows: blockwise, in pieces of bounded size.
//!
//! ```text
//!   columns a, b of rows 0 1   -->  a0 b0 a1 b1   values are interleaved, columns that stay are repeated
//! ```

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

/// Rows of a piece, about.
const PIECE_ROWS: usize = 16 * 1024;

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

    fn piece(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let (count, copies) = (rows.num_rows(), self.on.len());
        let repeated = (0..count as u64).flat_map(|row| std::iter::repeat_n(row, copies));
        let repeated = UInt64Array::from_iter_values(repeated);
        let mut columns = Vec::with_capacity(self.index.len() + 2);
        for index in &self.index {
            columns.push(take(rows.column(*index), &repeated, None)?);
        }
        let codes = (0..count).flat_map(|_| 0..copies as i32);
        let codes = Int32Array::from_iter_values(codes);
        columns.push(Arc::new(DictionaryArray::<Int32Type>::try_new(codes, self.names.clone())?));
        let values: Vec<ArrayRef> =
            self.on.iter().map(|index| plain(rows.column(*index))).collect::<Result<_>>()?;
        let values: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
        let places: Vec<(usize, usize)> =
            (0..count).flat_map(|row| (0..copies).map(move |column| (column, row))).collect();
        columns.push(interleave(&values, &places)?);
        batch_of(&self.schema, columns, count * copies)
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
        let step = (PIECE_ROWS / self.on.len().max(1)).max(1);
        for start in (0..rows.num_rows()).step_by(step) {
            let piece = rows.slice(start, step.min(rows.num_rows() - start));
            if !emit(self.piece(&piece)?)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
