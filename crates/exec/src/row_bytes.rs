//! How many bytes a copy of a row takes, for operators that repeat rows: their pieces are cut by it.
//!
//! ```text
//!   id BIGINT, text VARCHAR    row 0: 8 + 4 + 5 bytes    row 1: 8 + 4 + 3,000,000 bytes
//! ```
//!
//! It is an estimate: elements of lists count as the mean of the column's.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;

/// The rows of a piece at most.
pub(crate) const PIECE_ROWS: usize = 16 * 1024;
/// The bytes of repeated values from which on a piece is closed.
pub(crate) const PIECE_BYTES: usize = 4 << 20;

/// The sizes of the rows of some columns.
pub(crate) struct RowBytes<'a> {
    fixed: usize,
    /// Columns whose values differ in size, and the bytes of an element of each.
    varying: Vec<(&'a ArrayRef, usize)>,
}

impl<'a> RowBytes<'a> {
    /// Of the rows of `columns`.
    pub(crate) fn of(columns: impl Iterator<Item = &'a ArrayRef>) -> Self {
        let mut sizes = Self { fixed: 0, varying: Vec::new() };
        for column in columns {
            match column.data_type() {
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => {
                    sizes.varying.push((column, 1));
                }
                DataType::List(_) => {
                    sizes.varying.push((column, value_bytes(column.as_list::<i32>().values())));
                }
                DataType::LargeList(_) => {
                    sizes.varying.push((column, value_bytes(column.as_list::<i64>().values())));
                }
                // Only codes and views are copied.
                DataType::Dictionary(..) => sizes.fixed += 4,
                DataType::Utf8View | DataType::BinaryView => sizes.fixed += 16,
                _ => sizes.fixed += value_bytes(column),
            }
        }
        sizes
    }

    /// Of one row; never 0.
    pub(crate) fn row(&self, row: usize) -> usize {
        let varying = self.varying.iter().map(|(column, element)| {
            let length = match column.data_type() {
                DataType::Utf8 => column.as_string::<i32>().value_length(row) as usize,
                DataType::LargeUtf8 => column.as_string::<i64>().value_length(row) as usize,
                DataType::Binary => column.as_binary::<i32>().value_length(row) as usize,
                DataType::LargeBinary => column.as_binary::<i64>().value_length(row) as usize,
                DataType::List(_) => column.as_list::<i32>().value_length(row) as usize,
                _ => column.as_list::<i64>().value_length(row) as usize,
            };
            4 + length * element
        });
        1 + self.fixed + varying.sum::<usize>()
    }
}

/// The mean bytes of a value.
fn value_bytes(column: &ArrayRef) -> usize {
    if let Some(bytes) = column.data_type().primitive_width() {
        return bytes;
    }
    let bytes = column.to_data().get_slice_memory_size();
    bytes.unwrap_or_else(|_| column.get_array_memory_size()).div_ceil(column.len().max(1))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, ListArray, StringArray};
    use arrow::datatypes::Int16Type;

    use super::*;

    #[test]
    fn texts_and_lists_count_by_row() {
        let text: ArrayRef = Arc::new(StringArray::from(vec![Some("abc"), None, Some("")]));
        let lists = vec![Some(vec![Some(1), None]), Some(vec![]), None];
        let lists: ArrayRef =
            Arc::new(ListArray::from_iter_primitive::<Int16Type, _, _>(lists).slice(0, 3));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let sizes = RowBytes::of([&text, &lists, &numbers].into_iter());
        assert_eq!([0, 1, 2].map(|row| sizes.row(row)), [24, 17, 17]);
    }
}
