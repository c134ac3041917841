//! `+ - * / // %` on numbers of one type, checked.
//!
//! Integers go through loops without branches that only gather whether anything overflowed; a
//! second look finds the values for the error. Floats and decimals are arrow's.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Datum, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::compute::kernels::numeric;
use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, DecimalType, Float32Type, Float64Type,
    Int64Type, UInt64Type,
};
use arrow::error::ArrowError;
use dframe_core::{Error, Result};

use crate::expr::BinaryOp;
use crate::value::Value;

/// Why arithmetic failed; the caller knows the expression's text.
#[derive(Debug)]
pub enum Fault {
    /// The result does not fit its type: the operands and the operator, for the message.
    Overflow(String),
    /// The divisor is zero.
    ZeroDivisor,
    /// Anything else.
    Other(Error),
}

impl From<ArrowError> for Fault {
    fn from(error: ArrowError) -> Self {
        match error {
            ArrowError::ArithmeticOverflow(message) => Fault::Overflow(message),
            ArrowError::DivideByZero => Fault::ZeroDivisor,
            other => Fault::Other(other.into()),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Other(error)
    }
}

/// `left op right`, in the types that [`crate::coerce::arithmetic`] has settled.
pub fn binary(op: BinaryOp, left: &Value, right: &Value) -> Result<ArrayRef, Fault> {
    match left.data_type() {
        DataType::Int64 => integers::<Int64Type>(op, left, right),
        DataType::UInt64 => integers::<UInt64Type>(op, left, right),
        DataType::Float32 | DataType::Float64 => floats(op, left, right),
        _ => decimal(op, left, right),
    }
}

/// What one integer operation gives, and whether it overflowed. Overflow of sums is read from sign
/// bits, as loops over the processor's overflow flag are not vectorized.
trait Checked: Copy + PartialEq + Default + std::fmt::Display {
    fn add(self, right: Self) -> (Self, bool);
    fn subtract(self, right: Self) -> (Self, bool);
    fn multiply(self, right: Self) -> (Self, bool);
    fn multiply_wrapping(self, right: Self) -> Self;
    /// The divisor is not zero.
    fn divide(self, right: Self) -> (Self, bool);
    /// The divisor is not zero.
    fn modulo(self, right: Self) -> (Self, bool);
    /// The bits of the magnitude: all zero above the highest one, whatever the sign.
    fn magnitude(self) -> u64;
}

impl Checked for i64 {
    fn add(self, right: Self) -> (Self, bool) {
        let sum = self.wrapping_add(right);
        (sum, ((self ^ sum) & (right ^ sum)) < 0)
    }

    fn subtract(self, right: Self) -> (Self, bool) {
        let difference = self.wrapping_sub(right);
        (difference, ((self ^ right) & (self ^ difference)) < 0)
    }

    fn multiply(self, right: Self) -> (Self, bool) {
        self.overflowing_mul(right)
    }

    fn multiply_wrapping(self, right: Self) -> Self {
        self.wrapping_mul(right)
    }

    fn divide(self, right: Self) -> (Self, bool) {
        self.overflowing_div(right)
    }

    fn modulo(self, right: Self) -> (Self, bool) {
        self.overflowing_rem(right)
    }

    fn magnitude(self) -> u64 {
        (self ^ (self >> 63)) as u64
    }
}

impl Checked for u64 {
    fn add(self, right: Self) -> (Self, bool) {
        let sum = self.wrapping_add(right);
        (sum, sum < self)
    }

    fn subtract(self, right: Self) -> (Self, bool) {
        (self.wrapping_sub(right), self < right)
    }

    fn multiply(self, right: Self) -> (Self, bool) {
        self.overflowing_mul(right)
    }

    fn multiply_wrapping(self, right: Self) -> Self {
        self.wrapping_mul(right)
    }

    fn divide(self, right: Self) -> (Self, bool) {
        (self / right, false)
    }

    fn modulo(self, right: Self) -> (Self, bool) {
        (self % right, false)
    }

    fn magnitude(self) -> u64 {
        self
    }
}

/// A column or one number.
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

fn integers<T: ArrowPrimitiveType>(
    op: BinaryOp,
    left: &Value,
    right: &Value,
) -> Result<ArrayRef, Fault>
where
    T::Native: Checked,
{
    match op {
        BinaryOp::Add => apply::<T>("+", left, right, T::Native::add),
        BinaryOp::Subtract => apply::<T>("-", left, right, T::Native::subtract),
        BinaryOp::Multiply if magnitude_bits::<T>(left) + magnitude_bits::<T>(right) < 63 => {
            apply::<T>("*", left, right, |l, r| (l.multiply_wrapping(r), false))
        }
        BinaryOp::Multiply => apply::<T>("*", left, right, T::Native::multiply),
        BinaryOp::IntegerDivide => {
            refuse_zero::<T>(left, right)?;
            apply::<T>("//", left, right, guarded(T::Native::divide))
        }
        BinaryOp::Modulo => {
            refuse_zero::<T>(left, right)?;
            apply::<T>("%", left, right, guarded(T::Native::modulo))
        }
        _ => Err(Error::internal(format!("{op:?} of integers")).into()),
    }
}

/// How many bits the largest magnitude takes. Products of fewer than 63 bits cannot overflow.
fn magnitude_bits<T: ArrowPrimitiveType>(value: &Value) -> u32
where
    T::Native: Checked,
{
    let all = match side::<T>(value) {
        Side::Each(array) => array.values().iter().fold(0, |all, value| all | value.magnitude()),
        Side::One(value) => value.magnitude(),
        Side::Null => 0,
    };
    u64::BITS - all.leading_zeros()
}

/// Zero divisors are left under NULLs only, where the result does not matter.
fn guarded<N: Checked>(divide: fn(N, N) -> (N, bool)) -> impl Fn(N, N) -> (N, bool) {
    move |left, right| {
        if right == N::default() { (N::default(), false) } else { divide(left, right) }
    }
}

/// A zero is at fault only where both sides are there.
fn refuse_zero<T: ArrowPrimitiveType>(left: &Value, right: &Value) -> Result<(), Fault>
where
    T::Native: Checked,
{
    let zero = T::Native::default();
    let found = match (side::<T>(left), side::<T>(right)) {
        (Side::Null, _) | (_, Side::Null) => false,
        (Side::One(_), Side::One(right)) => right == zero,
        (Side::Each(left), Side::One(right)) => right == zero && left.null_count() < left.len(),
        (Side::One(_), Side::Each(right)) => has_zero(right, None),
        (Side::Each(left), Side::Each(right)) => has_zero(right, left.nulls()),
    };
    if found { Err(Fault::ZeroDivisor) } else { Ok(()) }
}

fn has_zero<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, mask: Option<&NullBuffer>) -> bool
where
    T::Native: Checked,
{
    let zero = T::Native::default();
    if !array.values().contains(&zero) {
        return false;
    }
    let valid = NullBuffer::union(array.nulls(), mask);
    let is_valid = |row| valid.as_ref().is_none_or(|valid| valid.is_valid(row));
    array.values().iter().enumerate().any(|(row, value)| *value == zero && is_valid(row))
}

fn apply<T: ArrowPrimitiveType>(
    symbol: &str,
    left: &Value,
    right: &Value,
    f: impl Fn(T::Native, T::Native) -> (T::Native, bool),
) -> Result<ArrayRef, Fault>
where
    T::Native: Checked,
{
    let fault = |l: T::Native, r: T::Native| Fault::Overflow(format!("{l} {symbol} {r}"));
    match (side::<T>(left), side::<T>(right)) {
        (Side::Each(left), Side::One(right)) => {
            let result = fold(left.values(), |value| f(value, right));
            finish::<T>(result, left.nulls().cloned(), |row| {
                let value = left.value(row);
                f(value, right).1.then(|| fault(value, right))
            })
        }
        (Side::One(left), Side::Each(right)) => {
            let result = fold(right.values(), |value| f(left, value));
            finish::<T>(result, right.nulls().cloned(), |row| {
                let value = right.value(row);
                f(left, value).1.then(|| fault(left, value))
            })
        }
        (Side::Each(left), Side::Each(right)) => {
            let nulls = NullBuffer::union(left.nulls(), right.nulls());
            let result = fold_both(left.values(), right.values(), &f);
            finish::<T>(result, nulls, |row| {
                let (l, r) = (left.value(row), right.value(row));
                f(l, r).1.then(|| fault(l, r))
            })
        }
        (Side::One(l), Side::One(r)) => match f(l, r) {
            (_, true) => Err(fault(l, r)),
            (value, false) => Ok(Arc::new(PrimitiveArray::<T>::from_iter_values([value]))),
        },
        (Side::Each(each), Side::Null) | (Side::Null, Side::Each(each)) => {
            Ok(Arc::new(PrimitiveArray::<T>::new_null(each.len())))
        }
        _ => Ok(Arc::new(PrimitiveArray::<T>::new_null(1))),
    }
}

fn fold<N: Copy + Default>(values: &[N], f: impl Fn(N) -> (N, bool)) -> (Vec<N>, bool) {
    let mut overflowed = false;
    let mut results = vec![N::default(); values.len()];
    for (result, value) in results.iter_mut().zip(values) {
        let (value, overflow) = f(*value);
        *result = value;
        overflowed |= overflow;
    }
    (results, overflowed)
}

fn fold_both<N: Copy + Default>(
    left: &[N],
    right: &[N],
    f: impl Fn(N, N) -> (N, bool),
) -> (Vec<N>, bool) {
    let mut overflowed = false;
    let mut results = vec![N::default(); left.len()];
    for ((result, left), right) in results.iter_mut().zip(left).zip(right) {
        let (value, overflow) = f(*left, *right);
        *result = value;
        overflowed |= overflow;
    }
    (results, overflowed)
}

/// An overflow below a NULL is none: only then every row is looked at again.
fn finish<T: ArrowPrimitiveType>(
    (values, overflowed): (Vec<T::Native>, bool),
    nulls: Option<NullBuffer>,
    fault_at: impl Fn(usize) -> Option<Fault>,
) -> Result<ArrayRef, Fault> {
    let is_valid = |row: &usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(*row));
    if overflowed && let Some(fault) = (0..values.len()).filter(is_valid).find_map(fault_at) {
        return Err(fault);
    }
    Ok(Arc::new(PrimitiveArray::<T>::new(values.into(), nulls)))
}

fn floats(op: BinaryOp, left: &Value, right: &Value) -> Result<ArrayRef, Fault> {
    Ok(match op {
        BinaryOp::Add => numeric::add(left, right)?,
        BinaryOp::Subtract => numeric::sub(left, right)?,
        BinaryOp::Multiply => numeric::mul(left, right)?,
        BinaryOp::Divide => numeric::div(left, right)?,
        BinaryOp::Modulo => numeric::rem(left, right)?,
        // Not rounded, and not infinite: this is what DuckDB does.
        BinaryOp::IntegerDivide => {
            let quotient = numeric::div(left, right)?;
            refuse_float_zero(&quotient, right)?;
            quotient
        }
        _ => return Err(Error::internal(format!("{op:?} of floats")).into()),
    })
}

fn refuse_float_zero(quotient: &ArrayRef, divisor: &Value) -> Result<(), Fault> {
    let divisor = divisor.clone().into_array(quotient.len())?;
    let zero = |row: usize| match divisor.data_type() {
        DataType::Float32 => divisor.as_primitive::<Float32Type>().value(row) == 0.0,
        _ => divisor.as_primitive::<Float64Type>().value(row) == 0.0,
    };
    let found = (0..quotient.len()).any(|row| quotient.is_valid(row) && zero(row));
    if found { Err(Fault::ZeroDivisor) } else { Ok(()) }
}

/// `left op right` for decimals of one width, each of its own scale.
pub fn decimal(op: BinaryOp, left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef, Fault> {
    let result = match op {
        BinaryOp::Add => numeric::add(left, right)?,
        BinaryOp::Subtract => numeric::sub(left, right)?,
        BinaryOp::Multiply => numeric::mul(left, right)?,
        BinaryOp::Modulo => numeric::rem(left, right)?,
        BinaryOp::IntegerDivide => whole_quotient(left, right)?,
        _ => return Err(Error::internal(format!("{op:?} of decimals")).into()),
    };
    refuse_too_many_digits(&result)?;
    Ok(result)
}

/// Of integers that only a decimal holds: scale 0 on both sides.
fn whole_quotient(left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef, Fault> {
    let remainder = numeric::rem(left, right)?;
    let whole = numeric::sub(left, &remainder)?;
    let quotient = numeric::div(&whole, right)?;
    Ok(arrow::compute::cast(&quotient, &DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0))?)
}

/// Arrow checks 128 bits, which hold some numbers of 39 digits.
fn refuse_too_many_digits(array: &ArrayRef) -> Result<(), Fault> {
    match array.data_type() {
        DataType::Decimal128(precision, _) if *precision == DECIMAL128_MAX_PRECISION => {
            let decimals = array.as_primitive::<Decimal128Type>();
            let fits = |value| Decimal128Type::is_valid_decimal_precision(value, *precision);
            match decimals.iter().flatten().find(|value| !fits(*value)) {
                Some(value) => Err(Fault::Overflow(format!("{value} has more than 38 digits"))),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// `-array`, checked.
pub fn negate(array: &ArrayRef) -> Result<ArrayRef, Fault> {
    Ok(numeric::neg(array)?)
}
