//! A row for each element of lists: blockwise, in pieces of bounded size.
//!
//! ```text
//!   lists  [a b] [] NULL [c]   --rows of the output-->  row of the batch   0 0 1 2 3
//!                                                       element of it      0 1 - - 3      (- is NULL)
//! ```
//!
//! All columns are taken by these two lists of places, a piece of them at a time, so that a batch of long lists, or of
//! short ones beside long texts, never stands exploded in memory. Elements are copied once, other values repeatedly:
//! pieces are cut by the bytes of these.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeListArray, RecordBatch, UInt64Array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, SchemaRef};
use dframe_core::{Error, Result};
use dframe_expr::plain;
use dframe_plan::ScannedBatch;
use dframe_plan::node::{Explode, Node};

use crate::pipeline::{BlockMap, RowChange, batch_of};
use crate::row_bytes::{PIECE_BYTES, PIECE_ROWS, RowBytes};

/// What explodes batches.
#[derive(Clone, Debug)]
pub(crate) struct ExplodeOp {
    /// The columns of lists.
    lists: Vec<usize>,
    schema: SchemaRef,
}

impl ExplodeOp {
    /// Explodes as `node` says.
    ///
    /// # Errors
    /// Only bugs: a column that is not there.
    pub(crate) fn new(node: &Explode) -> Result<Self> {
        let schema = node.schema();
        let lists = node.columns.iter().map(|name| Ok(schema.index_of(name)?));
        Ok(Self { lists: lists.collect::<Result<_>>()?, schema })
    }

    fn lists(&self, rows: &RecordBatch) -> Result<Vec<Lists>> {
        let lists: Vec<Lists> =
            self.lists.iter().map(|index| Lists::of(rows.column(*index))).collect::<Result<_>>()?;
        let Some((first, others)) = lists.split_first() else { return Ok(lists) };
        for (other, index) in others.iter().zip(&self.lists[1..]) {
            let differs = |row: &usize| first.elements(*row).len() != other.elements(*row).len();
            if let Some(row) = (0..rows.num_rows()).find(differs) {
                let field = |index: usize| self.schema.field(index).name();
                let (a, b) = (first.elements(row).len(), other.elements(row).len());
                let message = format!(
                    "a row has {a} elements in '{}' and {b} in '{}'",
                    field(self.lists[0]),
                    field(*index)
                );
                return Err(Error::invalid_data(message)
                    .column(field(*index))
                    .remedy("explode columns whose lists differ in length one after the other"));
            }
        }
        Ok(lists)
    }
}

impl BlockMap for ExplodeOp {
    fn name(&self) -> &'static str {
        "explode"
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
        let lists = self.lists(&batch.rows)?;
        let others = batch.rows.columns().iter().enumerate();
        let others = others.filter(|(index, _)| !self.lists.contains(index));
        let repeated = RowBytes::of(others.map(|(_, column)| column));
        let mut places = Places::default();
        for row in 0..batch.rows.num_rows() {
            let mut left = lists[0].elements(row).len();
            let bytes = repeated.row(row);
            loop {
                let some = left.min(places.room(bytes));
                places.add(row, lists.iter().map(|lists| lists.last_of(row, left, some)));
                places.bytes += bytes * some.max(1);
                left -= some;
                if places.are_enough() && !emit(self.piece(&batch.rows, &lists, &mut places)?)? {
                    return Ok(false);
                }
                if left == 0 {
                    break;
                }
            }
        }
        if places.rows.is_empty() {
            return Ok(true);
        }
        emit(self.piece(&batch.rows, &lists, &mut places)?)
    }
}

impl ExplodeOp {
    fn piece(
        &self,
        rows: &RecordBatch,
        lists: &[Lists],
        places: &mut Places,
    ) -> Result<RecordBatch> {
        let Places { rows: parents, elements, .. } = std::mem::take(places);
        let count = parents.len();
        let parents = UInt64Array::from(parents);
        let mut columns = Vec::with_capacity(rows.num_columns());
        for (index, column) in rows.columns().iter().enumerate() {
            columns.push(match self.lists.iter().position(|list| *list == index) {
                Some(list) => {
                    let elements = UInt64Array::from(elements[list].clone());
                    take(&lists[list].values, &elements, None)?
                }
                None => take(column, &parents, None)?,
            });
        }
        batch_of(&self.schema, columns, count)
    }
}

/// Where the rows of a piece come from.
#[derive(Default)]
struct Places {
    /// The row of the batch.
    rows: Vec<u64>,
    /// For each column of lists the element, or none.
    elements: Vec<Vec<Option<u64>>>,
    /// The bytes of what is repeated.
    bytes: usize,
}

impl Places {
    /// How many rows of so many bytes still fit, at least one.
    fn room(&self, bytes: usize) -> usize {
        let by_bytes = PIECE_BYTES.saturating_sub(self.bytes) / bytes;
        by_bytes.min(PIECE_ROWS - self.rows.len()).max(1)
    }

    fn are_enough(&self) -> bool {
        self.rows.len() >= PIECE_ROWS || self.bytes >= PIECE_BYTES
    }

    /// Adds elements of a row; a row without any gets one that is NULL.
    fn add(&mut self, row: usize, elements: impl Iterator<Item = Range<usize>>) {
        for (list, elements) in elements.enumerate() {
            if self.elements.len() <= list {
                self.elements.push(Vec::new());
            }
            if list == 0 {
                self.rows.extend(std::iter::repeat_n(row as u64, elements.len().max(1)));
            }
            match elements.is_empty() {
                true => self.elements[list].push(None),
                false => self.elements[list].extend(elements.map(|element| Some(element as u64))),
            }
        }
    }
}

/// A column of lists, of whatever layout.
struct Lists {
    ends: OffsetBuffer<i64>,
    values: ArrayRef,
    column: ArrayRef,
}

impl Lists {
    fn of(column: &ArrayRef) -> Result<Self> {
        let column = plain(column)?;
        let (ends, values) = match column.data_type() {
            DataType::List(_) => {
                let list = column.as_list::<i32>();
                let ends: Vec<i64> = list.offsets().iter().map(|end| i64::from(*end)).collect();
                (OffsetBuffer::new(ends.into()), list.values().clone())
            }
            DataType::LargeList(_) => {
                let list = column.as_list::<i64>();
                (list.offsets().clone(), list.values().clone())
            }
            _ => {
                let list: &FixedSizeListArray = column.as_fixed_size_list();
                let lengths = std::iter::repeat_n(list.value_length() as usize, list.len());
                (OffsetBuffer::from_lengths(lengths), list.values().clone())
            }
        };
        Ok(Self { ends, values, column })
    }

    /// The elements of a row; none if it is NULL.
    fn elements(&self, row: usize) -> Range<usize> {
        match self.column.is_null(row) {
            true => 0..0,
            false => self.ends[row] as usize..self.ends[row + 1] as usize,
        }
    }

    /// Of the last `left` elements of a row the first `some`.
    fn last_of(&self, row: usize, left: usize, some: usize) -> Range<usize> {
        let start = self.elements(row).end - left;
        start..start + some
    }
}
