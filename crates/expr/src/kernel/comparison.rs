//! Comparisons. NaN equals NaN and is greater than all numbers; -0.0 equals 0.0; NULL gives NULL.
//!
//! Integers, strings and the rest are arrow's; floats are not, as arrow orders them by their bits.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Datum, Decimal128Array,
    PrimitiveArray,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::kernels::cmp;
use arrow::datatypes::{DataType, Float32Type, Float64Type, IntervalMonthDayNanoType};
use dframe_core::{Error, Result};

use crate::expr::BinaryOp;
use crate::value::{Value, plain};

/// `left op right` for two operands of one type.
pub fn compare(op: BinaryOp, left: &Value, right: &Value) -> Result<BooleanArray> {
    use BinaryOp::{IsDistinctFrom, IsNotDistinctFrom};
    let (left, right) = (&comparable(left)?, &comparable(right)?);
    if matches!(op, IsDistinctFrom | IsNotDistinctFrom) {
        let (left, right) = (normalized(left), normalized(right));
        let distinct = cmp::distinct(&left, &right)?;
        return if op == IsDistinctFrom { Ok(distinct) } else { Ok(inverted(&distinct)) };
    }
    match left.data_type() {
        DataType::Float64 => floats::<Float64Type>(op, left, right),
        DataType::Float32 => floats::<Float32Type>(op, left, right),
        _ => arrow_compare(op, left, right),
    }
}

fn arrow_compare(op: BinaryOp, left: &dyn Datum, right: &dyn Datum) -> Result<BooleanArray> {
    Ok(match op {
        BinaryOp::Eq => cmp::eq(left, right)?,
        BinaryOp::NotEq => cmp::neq(left, right)?,
        BinaryOp::Lt => cmp::lt(left, right)?,
        BinaryOp::LtEq => cmp::lt_eq(left, right)?,
        BinaryOp::Gt => cmp::gt(left, right)?,
        BinaryOp::GtEq => cmp::gt_eq(left, right)?,
        _ => return Err(Error::internal(format!("{op:?} is no comparison"))),
    })
}

/// Without dictionary encoding, but for strings, whose codes arrow compares through; intervals as
/// their length, with months of 30 days.
fn comparable(value: &Value) -> Result<Value> {
    let convert = |array: &ArrayRef| -> Result<ArrayRef> {
        match array.data_type() {
            DataType::Dictionary(_, text) if **text == DataType::Utf8 => Ok(array.clone()),
            DataType::Interval(_) => interval_lengths(array),
            _ => plain(array),
        }
    };
    Ok(match value {
        Value::Array(array) => Value::Array(convert(array)?),
        Value::Scalar(array) => Value::Scalar(convert(array)?),
    })
}

fn interval_lengths(array: &ArrayRef) -> Result<ArrayRef> {
    const DAY: i128 = 86_400_000_000_000;
    let array = arrow::compute::cast(array, &crate::coerce::INTERVAL)?;
    let lengths: Decimal128Array =
        array.as_primitive::<IntervalMonthDayNanoType>().unary(|value| {
            let days = i128::from(value.months) * 30 + i128::from(value.days);
            days * DAY + i128::from(value.nanoseconds)
        });
    Ok(Arc::new(lengths))
}

fn inverted(mask: &BooleanArray) -> BooleanArray {
    BooleanArray::new(!mask.values(), mask.nulls().cloned())
}

/// Floats with one NaN and one zero, so that equality of bits is equality of values.
pub fn normalize(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Float64 => {
            Arc::new(array.as_primitive::<Float64Type>().unary::<_, Float64Type>(|value| {
                if value.is_nan() { f64::NAN } else { value + 0.0 }
            }))
        }
        DataType::Float32 => {
            Arc::new(array.as_primitive::<Float32Type>().unary::<_, Float32Type>(|value| {
                if value.is_nan() { f32::NAN } else { value + 0.0 }
            }))
        }
        _ => array.clone(),
    }
}

fn normalized(value: &Value) -> Value {
    match value {
        Value::Array(array) => Value::Array(normalize(array)),
        Value::Scalar(array) => Value::Scalar(normalize(array)),
    }
}

/// The operand of a float comparison.
enum Side<'a, T: ArrowPrimitiveType> {
    Each(&'a PrimitiveArray<T>),
    One(T::Native),
    Null,
}

fn side<T: ArrowPrimitiveType>(value: &Value) -> Side<'_, T> {
    match value {
        Value::Array(array) => Side::Each(array.as_primitive()),
        Value::Scalar(array) if array.is_null(0) => Side::Null,
        Value::Scalar(array) => Side::One(array.as_primitive::<T>().value(0)),
    }
}

fn floats<T: ArrowPrimitiveType>(op: BinaryOp, left: &Value, right: &Value) -> Result<BooleanArray>
where
    T::Native: PartialOrd,
{
    let rows = |left: &PrimitiveArray<T>| BooleanArray::new_null(left.len());
    match (side::<T>(left), side::<T>(right)) {
        (Side::Each(left), Side::Each(right)) => each_with_each(op, left, right),
        (Side::Each(left), Side::One(right)) => Ok(each_with_one(op, left, right)),
        (Side::One(left), Side::Each(right)) => Ok(each_with_one(op.mirrored(), right, left)),
        (Side::Each(each), Side::Null) | (Side::Null, Side::Each(each)) => Ok(rows(each)),
        (Side::One(left), Side::One(right)) => {
            let left = PrimitiveArray::<T>::from_iter_values([left]);
            Ok(each_with_one(op, &left, right))
        }
        _ => Ok(BooleanArray::new_null(1)),
    }
}

// A NaN differs from itself, and `<` and its likes are false for it: hence the forms below.
#[allow(clippy::eq_op)]
fn is_nan<N: PartialOrd + Copy>(value: N) -> bool {
    value != value
}

/// False if either is NaN; so its negation is true for a NaN, which is above all numbers.
fn at_most<N: PartialOrd>(x: N, y: N) -> bool {
    x <= y
}

/// False if either is NaN.
fn below<N: PartialOrd>(x: N, y: N) -> bool {
    x < y
}

fn each_with_one<T: ArrowPrimitiveType>(
    op: BinaryOp,
    left: &PrimitiveArray<T>,
    right: T::Native,
) -> BooleanArray
where
    T::Native: PartialOrd,
{
    let values = left.values();
    let test = |test: &dyn Fn(&[T::Native]) -> BooleanBuffer| {
        BooleanArray::new(test(values), left.nulls().cloned())
    };
    match (op, is_nan(right)) {
        (BinaryOp::Eq, false) => test(&|v| collect(v, |x| x == right)),
        (BinaryOp::NotEq, false) => test(&|v| collect(v, |x| x != right)),
        (BinaryOp::Lt, false) => test(&|v| collect(v, |x| x < right)),
        (BinaryOp::LtEq, false) => test(&|v| collect(v, |x| x <= right)),
        (BinaryOp::Gt, false) => test(&|v| collect(v, |x| !at_most(x, right))),
        (BinaryOp::GtEq, false) => test(&|v| collect(v, |x| !below(x, right))),
        (BinaryOp::Eq | BinaryOp::GtEq, true) => test(&|v| collect(v, is_nan)),
        (BinaryOp::NotEq | BinaryOp::Lt, true) => test(&|v| collect(v, |x| !is_nan(x))),
        (BinaryOp::LtEq, true) => test(&|v| BooleanBuffer::new_set(v.len())),
        _ => test(&|v| BooleanBuffer::new_unset(v.len())),
    }
}

fn collect<N: Copy>(values: &[N], test: impl Fn(N) -> bool) -> BooleanBuffer {
    BooleanBuffer::collect_bool(values.len(), |index| test(values[index]))
}

fn each_with_each<T: ArrowPrimitiveType>(
    op: BinaryOp,
    left: &PrimitiveArray<T>,
    right: &PrimitiveArray<T>,
) -> Result<BooleanArray>
where
    T::Native: PartialOrd,
{
    if left.len() != right.len() {
        return Err(Error::internal("operands of a comparison differ in length"));
    }
    let nulls = NullBuffer::union(left.nulls(), right.nulls());
    let (l, r) = (left.values(), right.values());
    let eq = |x: T::Native, y: T::Native| (x == y) | (is_nan(x) & is_nan(y));
    let lt = |x: T::Native, y: T::Native| !at_most(y, x) & !is_nan(x);
    let bits = match op {
        BinaryOp::Eq => collect_both(l, r, eq),
        BinaryOp::NotEq => collect_both(l, r, |x, y| !eq(x, y)),
        BinaryOp::Lt => collect_both(l, r, lt),
        BinaryOp::LtEq => collect_both(l, r, |x, y| !lt(y, x)),
        BinaryOp::Gt => collect_both(l, r, |x, y| lt(y, x)),
        BinaryOp::GtEq => collect_both(l, r, |x, y| !lt(x, y)),
        _ => return Err(Error::internal(format!("{op:?} is no comparison"))),
    };
    Ok(BooleanArray::new(bits, nulls))
}

fn collect_both<N: Copy>(left: &[N], right: &[N], test: impl Fn(N, N) -> bool) -> BooleanBuffer {
    let right = &right[..left.len()];
    BooleanBuffer::collect_bool(left.len(), |index| test(left[index], right[index]))
}
