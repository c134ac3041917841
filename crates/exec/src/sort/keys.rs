//! The values that rows are ordered by, and how two rows compare.
//!
//! A key column is plain, or text as codes of a dictionary. Floats have one zero and one NaN.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, make_comparator};
use arrow::compute::{SortOptions, cast};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int32Type};
use arrow::row::{RowConverter, SortField};
use dframe_core::Result;
use dframe_expr::plain;

use super::SortSpec;

impl SortSpec {
    /// The keys of the rows of `batch`.
    pub(crate) fn key_columns(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
        self.keys.iter().map(|key| comparable(&key.evaluate_array(batch)?)).collect()
    }
}

pub(super) fn comparable(column: &ArrayRef) -> Result<ArrayRef> {
    match is_coded_text(column.data_type()) {
        true => Ok(column.clone()),
        false => canonical(&plain(column)?),
    }
}

/// Whether a column is text or bytes as codes of a dictionary.
pub(super) fn is_coded_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(key, value) => {
            **key == DataType::Int32 && matches!(**value, DataType::Utf8 | DataType::Binary)
        }
        _ => false,
    }
}

/// Floats with one zero and one NaN, which is the largest; other columns as they are.
pub(crate) fn canonical(column: &ArrayRef) -> Result<ArrayRef> {
    Ok(match column.data_type() {
        DataType::Float64 => {
            Arc::new(column.as_primitive::<Float64Type>().unary::<_, Float64Type>(|value| {
                if value.is_nan() { f64::NAN.abs() } else { value + 0.0 }
            }))
        }
        DataType::Float32 => {
            Arc::new(column.as_primitive::<Float32Type>().unary::<_, Float32Type>(|value| {
                if value.is_nan() { f32::NAN.abs() } else { value + 0.0 }
            }))
        }
        DataType::Float16 => {
            cast(&canonical(&cast(column, &DataType::Float32)?)?, &DataType::Float16)?
        }
        _ => column.clone(),
    })
}

type CompareRows = Box<dyn Fn(usize, usize) -> Ordering + Send + Sync>;

/// Compares rows of one batch with rows of another by their keys.
pub(crate) struct KeyComparator(Vec<CompareRows>);

impl KeyComparator {
    /// A comparator of `left` with `right`, which have a column per key.
    pub(crate) fn new(
        left: &[ArrayRef],
        right: &[ArrayRef],
        options: &[SortOptions],
    ) -> Result<Self> {
        let columns = left.iter().zip(right).zip(options);
        let columns = columns.map(|((left, right), options)| compare_column(left, right, *options));
        Ok(Self(columns.collect::<Result<_>>()?))
    }

    /// How row `left` of the one compares with row `right` of the other.
    pub(crate) fn compare(&self, left: usize, right: usize) -> Ordering {
        let mut columns = self.0.iter().map(|compare| compare(left, right));
        columns.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

fn compare_column(left: &ArrayRef, right: &ArrayRef, options: SortOptions) -> Result<CompareRows> {
    let (left, right) = (Side::of(left), Side::of(right));
    let compare = match is_simple(left.values.data_type()) {
        true => make_comparator(&left.values, &right.values, options)?,
        false => compare_encoded(&left.values, &right.values, options)?,
    };
    if left.codes.is_none() && right.codes.is_none() {
        return Ok(compare);
    }
    let null = if options.nulls_first { Ordering::Less } else { Ordering::Greater };
    Ok(Box::new(move |i, j| match (left.place(i), right.place(j)) {
        (Some(i), Some(j)) => compare(i, j),
        (None, None) => Ordering::Equal,
        (None, Some(_)) => null,
        (Some(_), None) => null.reverse(),
    }))
}

/// Whether the order of the `arrow` comparators is that of sorting; nested values are compared by their
/// encodings, as they are sorted.
fn is_simple(data_type: &DataType) -> bool {
    let primitive = data_type.is_primitive() && !matches!(data_type, DataType::Interval(_));
    primitive || matches!(data_type, DataType::Boolean | DataType::Utf8 | DataType::Binary)
}

fn compare_encoded(left: &ArrayRef, right: &ArrayRef, options: SortOptions) -> Result<CompareRows> {
    let field = SortField::new_with_options(left.data_type().clone(), options);
    let converter = RowConverter::new(vec![field])?;
    let left = converter.convert_columns(std::slice::from_ref(left))?;
    let right = converter.convert_columns(std::slice::from_ref(right))?;
    Ok(Box::new(move |i, j| left.row(i).cmp(&right.row(j))))
}

/// A column as values and, if it is a dictionary, codes of them.
struct Side {
    values: ArrayRef,
    codes: Option<Int32Array>,
}

impl Side {
    fn of(column: &ArrayRef) -> Self {
        if !is_coded_text(column.data_type()) {
            return Self { values: column.clone(), codes: None };
        }
        let dictionary = column.as_dictionary::<Int32Type>();
        Self { values: dictionary.values().clone(), codes: Some(dictionary.keys().clone()) }
    }

    /// The place of a row's value; `None` if the row is NULL as it has no code, or a NULL value.
    fn place(&self, row: usize) -> Option<usize> {
        let place = match &self.codes {
            Some(codes) if codes.is_null(row) => return None,
            Some(codes) => codes.value(row) as usize,
            None => row,
        };
        self.values.is_valid(place).then_some(place)
    }
}
