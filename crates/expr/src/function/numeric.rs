//! Functions of numbers. Domains follow IEEE and DuckDB: `sqrt(-1)` is NaN, `ln(0)` is -infinity.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Float64Array, Int8Array};
use arrow::compute::kernels::arity::{binary, try_unary, unary};
use arrow::datatypes::*;
use arrow::error::ArrowError;
use dframe_core::{Error, Result};

use super::argument::{Argument, Kind, accept, check_count, wrong_type};
use super::{Call, Function, Signature, rounding};
use crate::display::type_name;
use crate::value::Value;

pub(super) static LIST: &[Function] = &[
    Function {
        names: &["abs"],
        usage: "abs(x)",
        signature: same_number,
        evaluate: |call| per_number(call, abs),
    },
    Function {
        names: &["sign"],
        usage: "sign(x)",
        signature: |args| accept(args, &[Kind::Number], &[], DataType::Int8),
        evaluate: sign,
    },
    rounding::ROUND,
    rounding::TRUNC,
    rounding::FLOOR,
    rounding::CEIL,
    of_float(&["sqrt"], "sqrt(x)", |call| map(call, f64::sqrt)),
    of_float(&["cbrt"], "cbrt(x)", |call| map(call, f64::cbrt)),
    of_float(&["exp"], "exp(x)", |call| map(call, f64::exp)),
    of_float(&["ln"], "ln(x)", |call| map(call, f64::ln)),
    of_float(&["log2"], "log2(x)", |call| map(call, f64::log2)),
    of_float(&["log10"], "log10(x)", |call| map(call, f64::log10)),
    Function {
        names: &["log"],
        usage: "log([base,] x): to base 10 unless told",
        signature: |args| accept(args, &[Kind::Number], &[Kind::Number], DataType::Float64),
        evaluate: log,
    },
    of_two_floats(&["pow", "power"], "pow(x, exponent)", |call| map_two(call, f64::powf)),
    of_two_floats(&["atan2"], "atan2(y, x)", |call| map_two(call, f64::atan2)),
    of_two_floats(&["fmod"], "fmod(x, y): of the sign of y", |call| map_two(call, floored_modulo)),
    Function {
        names: &["pi"],
        usage: "pi()",
        signature: |args| accept(args, &[], &[], DataType::Float64),
        evaluate: |call| Ok(call.value(Arc::new(Float64Array::from(vec![std::f64::consts::PI])))),
    },
    of_float(&["sin"], "sin(radians)", |call| map(call, f64::sin)),
    of_float(&["cos"], "cos(radians)", |call| map(call, f64::cos)),
    of_float(&["tan"], "tan(radians)", |call| map(call, f64::tan)),
    of_float(&["cot"], "cot(radians)", |call| map(call, |x| x.tan().recip())),
    of_float(&["asin"], "asin(x)", |call| map(call, f64::asin)),
    of_float(&["acos"], "acos(x)", |call| map(call, f64::acos)),
    of_float(&["atan"], "atan(x)", |call| map(call, f64::atan)),
    of_float(&["sinh"], "sinh(x)", |call| map(call, f64::sinh)),
    of_float(&["cosh"], "cosh(x)", |call| map(call, f64::cosh)),
    of_float(&["tanh"], "tanh(x)", |call| map(call, f64::tanh)),
    of_float(&["asinh"], "asinh(x)", |call| map(call, f64::asinh)),
    of_float(&["acosh"], "acosh(x)", |call| map(call, f64::acosh)),
    of_float(&["atanh"], "atanh(x)", |call| map(call, f64::atanh)),
    of_float(&["degrees"], "degrees(radians)", |call| map(call, f64::to_degrees)),
    of_float(&["radians"], "radians(degrees)", |call| map(call, f64::to_radians)),
    test_of_float(&["isnan", "is_nan"], "isnan(x)", |call| test(call, f64::is_nan)),
    test_of_float(&["isinf", "is_infinite"], "isinf(x)", |call| test(call, f64::is_infinite)),
    test_of_float(&["isfinite", "is_finite"], "isfinite(x)", |call| test(call, f64::is_finite)),
    of_two_integers(&["gcd", "greatest_common_divisor"], "gcd(a, b)", |call| {
        map_integers(call, |a, b| i64::try_from(gcd(a.unsigned_abs(), b.unsigned_abs())).ok())
    }),
    of_two_integers(&["lcm", "least_common_multiple"], "lcm(a, b)", |call| map_integers(call, lcm)),
];

type Evaluate = fn(&Call<'_>) -> Result<Value>;

const fn of_float(
    names: &'static [&'static str],
    usage: &'static str,
    evaluate: Evaluate,
) -> Function {
    let signature = |args: &[Argument]| accept(args, &[Kind::Number], &[], DataType::Float64);
    Function { names, usage, signature, evaluate }
}

const fn of_two_floats(
    names: &'static [&'static str],
    usage: &'static str,
    evaluate: Evaluate,
) -> Function {
    let signature = |args: &[Argument]| accept(args, &[Kind::Number; 2], &[], DataType::Float64);
    Function { names, usage, signature, evaluate }
}

const fn test_of_float(
    names: &'static [&'static str],
    usage: &'static str,
    evaluate: Evaluate,
) -> Function {
    let signature = |args: &[Argument]| accept(args, &[Kind::Number], &[], DataType::Boolean);
    Function { names, usage, signature, evaluate }
}

const fn of_two_integers(
    names: &'static [&'static str],
    usage: &'static str,
    evaluate: Evaluate,
) -> Function {
    let signature = |args: &[Argument]| accept(args, &[Kind::Integer; 2], &[], DataType::Int64);
    Function { names, usage, signature, evaluate }
}

fn map(call: &Call<'_>, op: impl Fn(f64) -> f64) -> Result<Value> {
    let x = call.primitive::<Float64Type>(0)?;
    Ok(call.value(Arc::new(unary::<_, _, Float64Type>(&x, op))))
}

fn map_two(call: &Call<'_>, op: impl Fn(f64, f64) -> f64) -> Result<Value> {
    let (x, y) = (call.primitive::<Float64Type>(0)?, call.primitive::<Float64Type>(1)?);
    Ok(call.value(Arc::new(binary::<_, _, _, Float64Type>(&x, &y, op)?)))
}

fn map_integers(call: &Call<'_>, op: impl Fn(i64, i64) -> Option<i64>) -> Result<Value> {
    let (a, b) = (call.primitive::<Int64Type>(0)?, call.primitive::<Int64Type>(1)?);
    let overflow = |a, b| ArrowError::ArithmeticOverflow(format!("of {a} and {b}"));
    let checked = |a, b| op(a, b).ok_or_else(|| overflow(a, b));
    let result = arrow::compute::kernels::arity::try_binary::<_, _, _, Int64Type>(&a, &b, checked)?;
    Ok(call.value(Arc::new(result)))
}

fn test(call: &Call<'_>, op: fn(f64) -> bool) -> Result<Value> {
    let x = call.primitive::<Float64Type>(0)?;
    let values = arrow::array::BooleanArray::from_unary(&x, op);
    Ok(call.value(Arc::new(values)))
}

fn sign(call: &Call<'_>) -> Result<Value> {
    let x = call.primitive::<Float64Type>(0)?;
    let signs: Int8Array = unary(&x, |x| i8::from(x > 0.0) - i8::from(x < 0.0));
    Ok(call.value(Arc::new(signs)))
}

fn log(call: &Call<'_>) -> Result<Value> {
    match call.args {
        [_] => map(call, f64::log10),
        _ => map_two(call, |base, x| x.log10() / base.log10()),
    }
}

/// The remainder with the sign of the divisor, as in DuckDB.
fn floored_modulo(x: f64, y: f64) -> f64 {
    let rest = x % y;
    if rest != 0.0 && (rest < 0.0) != (y < 0.0) { rest + y } else { rest }
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn lcm(a: i64, b: i64) -> Option<i64> {
    let (a, b) = (a.unsigned_abs(), b.unsigned_abs());
    let least = if a == 0 || b == 0 { 0 } else { (a / gcd(a, b)).checked_mul(b)? };
    i64::try_from(least).ok()
}

/// A function of one number that returns a number of the same type.
pub(super) fn same_number(args: &[Argument]) -> Result<Signature> {
    check_count(args, 1, 1)?;
    let data_type = number_type(&args[0])?;
    Ok(Signature { args: vec![data_type.clone()], returns: data_type })
}

/// The type that keeps the kind of number: an integer, float or decimal type with a kernel of its own.
pub(super) fn number_type(arg: &Argument) -> Result<DataType> {
    match &arg.data_type {
        DataType::Null => Ok(DataType::Int64),
        DataType::Float16 => Ok(DataType::Float32),
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            Ok(DataType::Decimal128(*precision, *scale))
        }
        DataType::Decimal256(..) => {
            Err(Error::unsupported(format!("{} is too wide a number", type_name(&arg.data_type)))
                .remedy("cast it to DECIMAL(38, s) or DOUBLE"))
        }
        number if number.is_numeric() => Ok(number.clone()),
        _ => Err(wrong_type(0, arg, "a number")),
    }
}

fn abs(array: &ArrayRef) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Int8 => checked::<Int8Type>(array, i8::checked_abs),
        DataType::Int16 => checked::<Int16Type>(array, i16::checked_abs),
        DataType::Int32 => checked::<Int32Type>(array, i32::checked_abs),
        DataType::Int64 => checked::<Int64Type>(array, i64::checked_abs),
        DataType::Float32 => checked::<Float32Type>(array, |x| Some(x.abs())),
        DataType::Float64 => checked::<Float64Type>(array, |x| Some(x.abs())),
        DataType::Decimal128(..) => checked::<Decimal128Type>(array, i128::checked_abs),
        _ => Ok(array.clone()),
    }
}

/// `op` on every value that is not NULL, keeping the type; `None` is an overflow.
fn checked<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    op: impl Fn(T::Native) -> Option<T::Native>,
) -> Result<ArrayRef> {
    let overflow = |x| ArrowError::ArithmeticOverflow(format!("abs({x:?})"));
    let checked = |x| op(x).ok_or_else(|| overflow(x));
    let result = try_unary::<_, _, T>(array.as_primitive::<T>(), checked)?;
    Ok(Arc::new(result.with_data_type(array.data_type().clone())))
}

/// `kernel` on the first argument.
fn per_number(call: &Call<'_>, kernel: fn(&ArrayRef) -> Result<ArrayRef>) -> Result<Value> {
    Ok(call.value(kernel(&call.array(0)?)?))
}
