//! Three-valued logic, and the tests that turn three values into two.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{and_kleene, or_kleene};
use dframe_core::{Error, Result};

use crate::expr::{BinaryOp, UnaryOp};

/// `AND` or `OR` of masks of one length.
pub fn combine(op: BinaryOp, left: &BooleanArray, right: &BooleanArray) -> Result<BooleanArray> {
    match op {
        BinaryOp::And => Ok(and_kleene(left, right)?),
        BinaryOp::Or => Ok(or_kleene(left, right)?),
        _ => Err(Error::internal(format!("{op:?} is no logic"))),
    }
}

/// `AND` or `OR` of a mask with a constant; `None` if the mask stays as it is.
pub fn combine_constant(
    op: BinaryOp,
    mask: &BooleanArray,
    constant: Option<bool>,
) -> Result<Option<BooleanArray>> {
    let rows = mask.len();
    Ok(match (op, constant) {
        (BinaryOp::And, Some(true)) | (BinaryOp::Or, Some(false)) => None,
        (BinaryOp::And, Some(false)) => Some(BooleanBuffer::new_unset(rows).into()),
        (BinaryOp::Or, Some(true)) => Some(BooleanBuffer::new_set(rows).into()),
        _ => Some(combine(op, mask, &BooleanArray::new_null(rows))?),
    })
}

/// Whether `op` has this outcome for all rows, whatever the other side is.
pub fn decided(op: BinaryOp, mask: &BooleanArray) -> bool {
    match op {
        BinaryOp::And => mask.null_count() == 0 && mask.true_count() == 0,
        BinaryOp::Or => mask.true_count() == mask.len(),
        _ => false,
    }
}

/// `NOT` and the `IS` tests; those for truth take a mask, those for NULL anything plain.
pub fn test(op: UnaryOp, array: &ArrayRef) -> Result<BooleanArray> {
    Ok(match op {
        UnaryOp::Not => arrow::compute::not(array.as_boolean())?,
        UnaryOp::IsNull => arrow::compute::is_null(array)?,
        UnaryOp::IsNotNull => arrow::compute::is_not_null(array)?,
        UnaryOp::IsTrue => is(array.as_boolean(), true).into(),
        UnaryOp::IsFalse => is(array.as_boolean(), false).into(),
        UnaryOp::IsNotTrue => (!&is(array.as_boolean(), true)).into(),
        UnaryOp::IsNotFalse => (!&is(array.as_boolean(), false)).into(),
        UnaryOp::Negate => return Err(Error::internal("negation is no test")),
    })
}

/// The rows that are `wanted`, with NULL as neither.
pub fn is(mask: &BooleanArray, wanted: bool) -> BooleanBuffer {
    let values = if wanted { mask.values().clone() } else { !mask.values() };
    match mask.nulls() {
        Some(valid) => &values & valid.inner(),
        None => values,
    }
}
