//! What evaluating an expression gives: a column, or one value for all rows.

use arrow::array::{Array, ArrayRef, BooleanArray, Datum, UInt32Array};
use arrow::compute::prep_null_mask_filter;
use arrow::datatypes::DataType;
use dframe_core::Result;

/// A column, or a constant.
///
/// A column of type `T` may come as `Dictionary(_, T)`, as the file has it: kernels that gain from
/// codes use them, the others call [`plain`].
#[derive(Clone, Debug)]
pub enum Value {
    /// A value for each row.
    Array(ArrayRef),
    /// An array of length one that stands for every row.
    Scalar(ArrayRef),
}

impl Value {
    /// The type, dictionary encoding included.
    pub fn data_type(&self) -> &DataType {
        match self {
            Value::Array(array) | Value::Scalar(array) => array.data_type(),
        }
    }

    /// A value for each of `rows` rows.
    pub fn into_array(self, rows: usize) -> Result<ArrayRef> {
        match self {
            Value::Array(array) => Ok(array),
            Value::Scalar(array) => repeat(&array, rows),
        }
    }
}

impl Datum for Value {
    fn get(&self) -> (&dyn Array, bool) {
        match self {
            Value::Array(array) => (array.as_ref(), false),
            Value::Scalar(array) => (array.as_ref(), true),
        }
    }
}

/// The first value of `array`, `rows` times.
fn repeat(array: &ArrayRef, rows: usize) -> Result<ArrayRef> {
    if rows == array.len() {
        return Ok(array.clone());
    }
    let first = UInt32Array::from(vec![0; rows]);
    Ok(arrow::compute::take(array, &first, None)?)
}

/// The mask, with false where it is NULL.
pub fn true_only(mask: &BooleanArray) -> BooleanArray {
    match mask.null_count() {
        0 => mask.clone(),
        _ => prep_null_mask_filter(mask),
    }
}

/// `array` without dictionary encoding.
pub fn plain(array: &ArrayRef) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Dictionary(_, value_type) => Ok(arrow::compute::cast(array, value_type)?),
        _ => Ok(array.clone()),
    }
}

/// `data_type` without dictionary encoding at the top.
pub fn plain_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, value_type) => value_type,
        other => other,
    }
}
