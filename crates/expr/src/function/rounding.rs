//! `round`, `trunc`, `floor` and `ceil`. Integers stay integers, floats floats, decimals decimals.
//!
//! `round` is half away from zero. Decimals are rounded on their own integers: exact. Floats are scaled,
//! rounded and scaled back in double precision, as in DuckDB, so that `round(1.005, 2)` is 1.0.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, PrimitiveArray};
use arrow::datatypes::*;
use dframe_core::{Error, Result};

use super::argument::{Argument, Kind, argument_type, check_count};
use super::numeric::number_type;
use super::{Call, Function, Signature};
use crate::display::type_name;
use crate::value::Value;

pub(super) const ROUND: Function = Function {
    names: &["round"],
    usage: "round(x [, digits])",
    signature: |args| signature(args, 2),
    evaluate: evaluate::<HalfAway>,
};

pub(super) const TRUNC: Function = Function {
    names: &["trunc"],
    usage: "trunc(x [, digits])",
    signature: |args| signature(args, 2),
    evaluate: evaluate::<Truncate>,
};

pub(super) const FLOOR: Function = Function {
    names: &["floor"],
    usage: "floor(x)",
    signature: |args| signature(args, 1),
    evaluate: evaluate::<Floor>,
};

pub(super) const CEIL: Function = Function {
    names: &["ceil", "ceiling"],
    usage: "ceil(x)",
    signature: |args| signature(args, 1),
    evaluate: evaluate::<Ceil>,
};

/// In which direction to round.
trait Mode {
    /// `x` to an integer.
    fn float(x: f64) -> f64;
    /// `value / unit` to an integer; `unit` is positive.
    fn quotient(value: i128, unit: i128) -> i128;
}

struct HalfAway;
struct Truncate;
struct Floor;
struct Ceil;

impl Mode for HalfAway {
    fn float(x: f64) -> f64 {
        x.round()
    }

    fn quotient(value: i128, unit: i128) -> i128 {
        let (quotient, rest) = (value / unit, value % unit);
        let away = rest.unsigned_abs() >= unit.unsigned_abs().div_ceil(2);
        quotient + if away { value.signum() } else { 0 }
    }
}

impl Mode for Truncate {
    fn float(x: f64) -> f64 {
        x.trunc()
    }

    fn quotient(value: i128, unit: i128) -> i128 {
        value / unit
    }
}

impl Mode for Floor {
    fn float(x: f64) -> f64 {
        x.floor()
    }

    fn quotient(value: i128, unit: i128) -> i128 {
        value.div_euclid(unit)
    }
}

impl Mode for Ceil {
    fn float(x: f64) -> f64 {
        x.ceil()
    }

    fn quotient(value: i128, unit: i128) -> i128 {
        -(-value).div_euclid(unit)
    }
}

fn signature(args: &[Argument], count_max: usize) -> Result<Signature> {
    check_count(args, 1, count_max)?;
    let number = number_type(&args[0])?;
    let mut types = vec![number.clone()];
    if let Some(digits) = args.get(1) {
        types.push(argument_type(1, digits, Kind::Integer)?);
    }
    let digits = args.get(1).map_or(Some(0), Argument::constant_integer);
    Ok(Signature { args: types, returns: rounded_type(number, digits, args.len()) })
}

/// The type after rounding to `digits`, which are unknown where they vary by row.
fn rounded_type(number: DataType, digits: Option<i64>, arg_count: usize) -> DataType {
    match number {
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 if arg_count > 1 => DataType::Int64,
        DataType::Decimal128(precision, scale) => {
            let known = digits.map(|d| d.clamp(0, i64::from(scale.max(0))) as i8);
            // Rounding at or before the last digit kept can carry into a new one: 99 to 100.
            let carries = digits.is_none_or(|d| d < 0 && scale <= 0);
            let widened = (precision + 1).min(DECIMAL128_MAX_PRECISION);
            let precision = if carries { widened } else { precision };
            DataType::Decimal128(precision, known.map_or(scale, |d| d.min(scale)))
        }
        other => other,
    }
}

fn evaluate<M: Mode>(call: &Call<'_>) -> Result<Value> {
    let array = call.array(0)?;
    let digits = (call.args.len() > 1).then(|| call.primitive::<Int64Type>(1)).transpose()?;
    let rounded = match array.data_type() {
        DataType::Float64 => floats::<M, Float64Type>(&array, digits, |x| x, |x| x),
        DataType::Float32 => floats::<M, Float32Type>(&array, digits, f64::from, |x| x as f32),
        DataType::Decimal128(_, scale) => {
            decimals::<M>(array.as_primitive(), *scale, digits, call.returns)?
        }
        _ => match digits {
            Some(digits) => integers::<M>(&array, &digits, call.returns)?,
            None => array,
        },
    };
    Ok(call.value(rounded))
}

fn floats<M: Mode, T: ArrowPrimitiveType>(
    array: &ArrayRef,
    digits: Option<Int64Array>,
    widen: impl Fn(T::Native) -> f64,
    narrow: impl Fn(f64) -> T::Native,
) -> ArrayRef {
    let array = array.as_primitive::<T>();
    let Some(digits) = digits else {
        return Arc::new(array.unary::<_, T>(|x| narrow(M::float(widen(x)))));
    };
    let pairs = array.iter().zip(digits.iter());
    let round = |(x, digits): (Option<T::Native>, Option<i64>)| {
        Some(narrow(round_float::<M>(widen(x?), digits?)))
    };
    Arc::new(pairs.map(round).collect::<PrimitiveArray<T>>())
}

fn round_float<M: Mode>(x: f64, digits: i64) -> f64 {
    let scale = 10f64.powi(digits.unsigned_abs().min(400) as i32);
    if digits < 0 {
        let rounded = M::float(x / scale) * scale;
        return if rounded.is_finite() || !x.is_finite() { rounded } else { 0.0 };
    }
    let rounded = M::float(x * scale) / scale;
    if rounded.is_finite() { rounded } else { x }
}

/// Rounds the integers of scale `from`, and gives them at the scale of `returns`.
fn decimals<M: Mode>(
    array: &PrimitiveArray<Decimal128Type>,
    from: i8,
    digits: Option<Int64Array>,
    returns: &DataType,
) -> Result<ArrayRef> {
    let DataType::Decimal128(precision, to) = *returns else {
        return Err(Error::internal(format!("a rounded decimal cannot be {returns}")));
    };
    let (from, to) = (i64::from(from), i64::from(to));
    let limit = 10u128.pow(u32::from(precision));
    let rounded = map_with_digits(array, digits.as_ref(), |value, digits| {
        let kept = digits.min(from);
        let quotient = quotient::<M>(value, from.saturating_sub(kept));
        if quotient == 0 {
            return Ok(0);
        }
        power_of_ten(to - kept)
            .and_then(|unit| quotient.checked_mul(unit))
            .filter(|value| value.unsigned_abs() < limit)
            .ok_or_else(|| overflow(returns))
    })?;
    Ok(Arc::new(rounded.with_data_type(returns.clone())))
}

/// `value / 10^places`.
fn quotient<M: Mode>(value: i128, places: i64) -> i128 {
    match power_of_ten(places) {
        Some(unit) => M::quotient(value, unit),
        // No 38 digits are half of that, and only `round` and `trunc` take digits.
        None => 0,
    }
}

fn power_of_ten(exponent: i64) -> Option<i128> {
    10i128.checked_pow(u32::try_from(exponent).ok()?)
}

fn integers<M: Mode>(
    array: &ArrayRef,
    digits: &Int64Array,
    returns: &DataType,
) -> Result<ArrayRef> {
    if digits.null_count() == 0 && digits.values().iter().all(|digits| *digits >= 0) {
        return Ok(arrow::compute::cast(array, returns)?);
    }
    let wide_type = DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0);
    let wide = arrow::compute::cast(array, &wide_type)?;
    let wide = wide.as_primitive::<Decimal128Type>();
    let rounded = map_with_digits(wide, Some(digits), |value, digits| {
        let Some(unit) = power_of_ten(digits.saturating_neg().max(0)) else { return Ok(0) };
        M::quotient(value, unit).checked_mul(unit).ok_or_else(|| overflow(returns))
    })?;
    let rounded = rounded.with_data_type(wide_type);
    let options = arrow::compute::CastOptions { safe: false, ..Default::default() };
    arrow::compute::cast_with_options(&rounded, returns, &options)
        .map_err(|error| overflow(returns).source(error))
}

fn overflow(returns: &DataType) -> Error {
    Error::invalid_data(format!("a rounded number overflows {}", type_name(returns)))
        .remedy("cast it to a wider type first")
}

/// `op` on every value and its digits (0 if there are none), NULL where either is.
fn map_with_digits(
    array: &PrimitiveArray<Decimal128Type>,
    digits: Option<&Int64Array>,
    op: impl Fn(i128, i64) -> Result<i128>,
) -> Result<PrimitiveArray<Decimal128Type>> {
    let rounded = (0..array.len()).map(|row| {
        let digits = match digits {
            Some(digits) => digits.is_valid(row).then(|| digits.value(row)),
            None => Some(0),
        };
        let value = array.is_valid(row).then(|| array.value(row));
        value.zip(digits).map(|(value, digits)| op(value, digits)).transpose()
    });
    rounded.collect()
}
