//! One of two values for each row, by a mask.
//!
//! Arrow's `zip` copies run by run; for values of a fixed width a choice without branches is quicker.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, downcast_primitive,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::kernels::zip::zip;
use dframe_core::Result;

use crate::value::Value;

/// `then` where the mask is set, `other` elsewhere; both of one type.
pub fn select(mask: &BooleanBuffer, then: &Value, other: &Value) -> Result<ArrayRef> {
    macro_rules! primitive {
        ($t:ty) => {
            return Ok(primitives::<$t>(mask, then, other))
        };
    }
    downcast_primitive! {
        then.data_type() => (primitive),
        _ => Ok(zip(&BooleanArray::from(mask.clone()), then, other)?)
    }
}

fn primitives<T: ArrowPrimitiveType>(
    mask: &BooleanBuffer,
    then: &Value,
    other: &Value,
) -> ArrayRef {
    let data_type = then.data_type().clone();
    let nulls = valid(mask, then, other);
    let values: Vec<T::Native> = match (one::<T>(then), one::<T>(other)) {
        (Some(then), Some(other)) => choose(mask, |_| then, |_| other),
        (Some(then), None) => {
            let other = each::<T>(other);
            choose(mask, |_| then, |row| other[row])
        }
        (None, Some(other)) => {
            let then = each::<T>(then);
            choose(mask, |row| then[row], |_| other)
        }
        (None, None) => {
            let (then, other) = (each::<T>(then), each::<T>(other));
            choose(mask, |row| then[row], |row| other[row])
        }
    };
    Arc::new(PrimitiveArray::<T>::new(values.into(), nulls).with_data_type(data_type))
}

fn one<T: ArrowPrimitiveType>(value: &Value) -> Option<T::Native> {
    match value {
        Value::Scalar(array) => Some(array.as_primitive::<T>().value(0)),
        Value::Array(_) => None,
    }
}

fn each<T: ArrowPrimitiveType>(value: &Value) -> &[T::Native] {
    match value {
        Value::Scalar(array) | Value::Array(array) => array.as_primitive::<T>().values(),
    }
}

/// Both sides are read for every row, so that there is no branch.
fn choose<N: Copy>(
    mask: &BooleanBuffer,
    then: impl Fn(usize) -> N,
    other: impl Fn(usize) -> N,
) -> Vec<N> {
    let mut values = Vec::with_capacity(mask.len());
    for (index, word) in mask.bit_chunks().iter_padded().enumerate() {
        let start = index * 64;
        let end = mask.len().min(start + 64);
        values.extend((start..end).map(|row| {
            let (then, other) = (then(row), other(row));
            if word >> (row - start) & 1 == 1 { then } else { other }
        }));
    }
    values
}

fn valid(mask: &BooleanBuffer, then: &Value, other: &Value) -> Option<NullBuffer> {
    let valid = |value: &Value| match value {
        Value::Array(array) => array.nulls().map(|nulls| nulls.inner().clone()),
        Value::Scalar(array) => array.is_null(0).then(|| BooleanBuffer::new_unset(mask.len())),
    };
    let (then, other) = (valid(then), valid(other));
    if then.is_none() && other.is_none() {
        return None;
    }
    let then = then.map_or_else(|| mask.clone(), |valid| mask & &valid);
    let not = !mask;
    let other = other.map_or_else(|| not.clone(), |valid| &not & &valid);
    Some(NullBuffer::new(&then | &other)).filter(|nulls| nulls.null_count() > 0)
}
