//! Casts between types, as DuckDB does them: floats round half to even, decimals half away from
//! zero, text is trimmed, and a value that does not fit is an error that names it, or NULL.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, new_null_array,
};
use arrow::compute::CastOptions;
use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, Decimal128Type, Decimal256Type,
    DecimalType, Float32Type, Float64Type, Int32Type, Int64Type, TimeUnit,
};
use dframe_core::{Error, Result};

use super::{list, parse, text};
use crate::coerce::is_string;
use crate::display::type_name;
use crate::value::{Value, plain, plain_type};

/// Integers up to it are exact as floats.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// `array` as `to`. What does not fit is an error if `strict`, else NULL.
///
/// # Errors
/// A pair of types without a cast, and with `strict` the first value that does not fit.
pub fn cast(array: &ArrayRef, to: &DataType, strict: bool) -> Result<ArrayRef> {
    let (array, to) = (plain(array)?, plain_type(to));
    if array.data_type() == to {
        return Ok(array);
    }
    check(array.data_type(), to)?;
    if let (Some(_), Some(item)) = (list::item_type(array.data_type()), list::item_type(to)) {
        return list::map_items(&array, to, |items| cast(items, item, strict));
    }
    let result = convert(&array, to)?;
    if strict && result.null_count() > array.logical_null_count() {
        return Err(misfit(&array, &result, to));
    }
    Ok(result)
}

/// [`cast`] of all rows or the one.
pub fn cast_value(value: &Value, to: &DataType, strict: bool) -> Result<Value> {
    Ok(match value {
        Value::Array(array) => Value::Array(cast(array, to, strict)?),
        Value::Scalar(array) => Value::Scalar(cast(array, to, strict)?),
    })
}

/// Whether there is a cast between two types at all.
///
/// # Errors
/// If there is none.
pub fn check(from: &DataType, to: &DataType) -> Result<()> {
    let (from, to) = (plain_type(from), plain_type(to));
    match (list::item_type(from), list::item_type(to)) {
        (Some(from), Some(to)) => return check(from, to),
        (Some(item), None) if is_string(to) => return check(item, to),
        _ => {}
    }
    let nested = from.is_nested() || to.is_nested();
    let clock = |data_type: &DataType| data_type.is_temporal();
    let number = |data_type: &DataType| data_type.is_numeric() || *data_type == DataType::Boolean;
    let possible = from == to
        || *from == DataType::Null
        || !nested
            && match (from, to) {
                (from, to) if is_string(from) || is_string(to) => true,
                (from, to) if from.is_binary() || to.is_binary() => {
                    from.is_binary() && to.is_binary()
                }
                (from, to) if clock(from) && clock(to) => arrow::compute::can_cast_types(from, to),
                (from, to) => number(from) && number(to),
            };
    if possible {
        return Ok(());
    }
    let error =
        Error::invalid_input(format!("cannot cast {} to {}", type_name(from), type_name(to)));
    Err(match (clock(from), clock(to)) {
        (true, false) => error.remedy("use epoch(...) or date_part(...) to get a number"),
        (false, true) => error.remedy("use to_timestamp(...) or make_date(...)"),
        _ => error,
    })
}

/// Whether every value fits, so that a cast cannot fail.
pub fn is_infallible(from: &DataType, to: &DataType) -> bool {
    let (from, to) = (plain_type(from), plain_type(to));
    from == to
        || *from == DataType::Null
        || (is_string(to) && !from.is_nested())
        || (from.is_integer() && to.is_floating())
        || (*from == DataType::Float32 && *to == DataType::Float64)
        || (from.is_integer()
            && to.is_integer()
            && crate::coerce::common_type(from, to).as_ref() == Some(to))
        || (from.is_numeric() && *to == DataType::Boolean)
        || (*from == DataType::Boolean && (to.is_integer() || to.is_floating()))
        || matches!(
            (from, to),
            (DataType::Date32, DataType::Date64)
                | (DataType::Timestamp(..), DataType::Date32)
                | (DataType::Date32, DataType::Timestamp(TimeUnit::Second, None))
                | (DataType::Date32, DataType::Timestamp(TimeUnit::Millisecond, None))
        )
}

fn misfit(array: &ArrayRef, result: &ArrayRef, to: &DataType) -> Error {
    let valid = array.logical_nulls();
    let row = (0..array.len())
        .find(|&row| result.is_null(row) && valid.as_ref().is_none_or(|valid| valid.is_valid(row)));
    let value = crate::Literal(array.slice(row.unwrap_or(0), 1));
    let (from, to) = (type_name(array.data_type()), type_name(to));
    let quote = if is_string(array.data_type()) { "" } else { " value" };
    Error::invalid_data(format!("cannot cast {from}{quote} {value} to {to}"))
        .remedy("use TRY_CAST to turn such values into NULL")
}

/// What does not fit becomes NULL.
fn convert(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let from = array.data_type();
    match (from, to) {
        (DataType::Null, _) => Ok(new_null_array(to, array.len())),
        (from, to) if is_string(from) && is_string(to) => safe(array, to),
        (_, to) if is_string(to) => safe(&text::to_text(array)?, to),
        (from, to) if is_string(from) && to.is_binary() => safe(array, to),
        (from, to) if is_string(from) => parse::parse(&safe(array, &DataType::Utf8)?, to),
        (DataType::Float64, to) if to.is_integer() => {
            safe(&unary::<Float64Type>(array, f64::round_ties_even), to)
        }
        (DataType::Float32, to) if to.is_integer() => {
            safe(&unary::<Float32Type>(array, f32::round_ties_even), to)
        }
        (DataType::Int64, DataType::Float64) => Ok(Arc::new(
            array.as_primitive::<Int64Type>().unary::<_, Float64Type>(|value| value as f64),
        )),
        (DataType::Int32, DataType::Int64) => {
            Ok(Arc::new(array.as_primitive::<Int32Type>().unary::<_, Int64Type>(i64::from)))
        }
        (DataType::Float64, DataType::Float32) => Ok(narrowed(array)),
        (DataType::Float64, DataType::Boolean) => Ok(non_zero::<Float64Type>(array, 0.0)),
        (DataType::Float32, DataType::Boolean) => Ok(non_zero::<Float32Type>(array, 0.0)),
        (DataType::Decimal128(_, scale), DataType::Float64) => Ok(nearest(array, *scale)),
        (DataType::Float64, DataType::Decimal128(digits, scale @ 0..)) => {
            decimals(array, *digits, *scale)
        }
        (DataType::Float32, DataType::Decimal128(digits, scale @ 0..)) => {
            decimals(&safe(array, &DataType::Float64)?, *digits, *scale)
        }
        (DataType::Decimal256(..), DataType::Decimal128(digits, scale)) => {
            halved(array, *digits, *scale)
        }
        (from, to) if from.is_decimal() && to.is_integer() => safe(&rounded(array)?, to),
        (from, DataType::Boolean) if from.is_decimal() => {
            safe(&safe(array, &DataType::Float64)?, to)
        }
        (DataType::Boolean, to) if to.is_decimal() => safe(&safe(array, &DataType::Int8)?, to),
        (DataType::Timestamp(from, zone), DataType::Timestamp(to_unit, _)) if to_unit < from => {
            let floored = floored(array, *from, *to_unit)?;
            safe(&safe(&floored, &DataType::Timestamp(*to_unit, zone.clone()))?, to)
        }
        _ => safe(array, to),
    }
}

fn safe(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let options = CastOptions { safe: true, ..CastOptions::default() };
    Ok(arrow::compute::cast_with_options(array, to, &options)?)
}

fn unary<T: ArrowPrimitiveType>(array: &ArrayRef, f: impl Fn(T::Native) -> T::Native) -> ArrayRef {
    Arc::new(array.as_primitive::<T>().unary::<_, T>(f))
}

/// A finite number beyond the range of FLOAT does not fit.
fn narrowed(array: &ArrayRef) -> ArrayRef {
    let narrow = |value: f64| {
        let narrow = value as f32;
        (narrow.is_finite() || !value.is_finite()).then_some(narrow)
    };
    Arc::new(array.as_primitive::<Float64Type>().unary_opt::<_, Float32Type>(narrow))
}

fn non_zero<T: ArrowPrimitiveType>(array: &ArrayRef, zero: T::Native) -> ArrayRef {
    let array: &PrimitiveArray<T> = array.as_primitive();
    Arc::new(BooleanArray::from_unary(array, |value| value != zero))
}

/// The floats nearest to decimals. Of integers up to 2^53 and powers of ten up to 10^22, which are exact,
/// a division rounds once; the others are read from their digits.
fn nearest(array: &ArrayRef, scale: i8) -> ArrayRef {
    let power = (0..=22).contains(&scale).then(|| 10_f64.powi(i32::from(scale)));
    let float = |value: i128| match power {
        Some(power) if value.unsigned_abs() <= EXACT_MAX as u128 => value as f64 / power,
        _ => format!("{value}e{}", -i32::from(scale)).parse().unwrap_or(f64::NAN),
    };
    Arc::new(array.as_primitive::<Decimal128Type>().unary::<_, Float64Type>(float))
}

/// The decimals nearest to floats: a product while that is exact to the unit, else the digits that the
/// float is written with.
fn decimals(array: &ArrayRef, digits: u8, scale: i8) -> Result<ArrayRef> {
    let power = 10_f64.powi(i32::from(scale));
    let unscaled = |value: f64| match value * power {
        scaled if scaled.abs() < EXACT_MAX => Some(scaled.round() as i128),
        _ => unscaled_of_text(&value.to_string(), usize::try_from(scale).ok()?),
    };
    let fits = |value: &i128| Decimal128Type::is_valid_decimal_precision(*value, digits);
    let decimals = array
        .as_primitive::<Float64Type>()
        .unary_opt::<_, Decimal128Type>(|value| unscaled(value).filter(fits));
    Ok(Arc::new(decimals.with_precision_and_scale(digits, scale)?))
}

/// The number in `text`, which has no exponent, in units of the last of `scale` digits behind the point.
fn unscaled_of_text(text: &str, scale: usize) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let kept = &fraction[..fraction.len().min(scale)];
    let truncated: i128 = format!("{whole}{kept:0<scale$}").parse().ok()?;
    let rounds_up = fraction.as_bytes().get(scale).is_some_and(|digit| *digit >= b'5');
    let away = if text.starts_with('-') { -1 } else { 1 };
    truncated.checked_add(if rounds_up { away } else { 0 })
}

/// Decimals of 256 bits in 128. Arrow's cast relies on the precision of what is below a NULL, too.
fn halved(array: &ArrayRef, digits: u8, scale: i8) -> Result<ArrayRef> {
    let rescaled = safe(array, &DataType::Decimal256(DECIMAL256_MAX_PRECISION, scale))?;
    let fits = |value: &i128| Decimal128Type::is_valid_decimal_precision(*value, digits);
    let decimals = rescaled
        .as_primitive::<Decimal256Type>()
        .unary_opt::<_, Decimal128Type>(|value| value.to_i128().filter(fits));
    Ok(Arc::new(decimals.with_precision_and_scale(digits, scale)?))
}

/// The decimal at scale 0, rounded half away from zero.
fn rounded(array: &ArrayRef) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Decimal256(..) => safe(array, &DataType::Decimal256(DECIMAL256_MAX_PRECISION, 0)),
        _ => safe(array, &DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0)),
    }
}

/// The instants with what is below `to` cut off, towards the past; still in `from` units.
fn floored(array: &ArrayRef, from: TimeUnit, to: TimeUnit) -> Result<ArrayRef> {
    let step = per_second(from) / per_second(to);
    let ticks = safe(array, &DataType::Int64)?;
    let floored = ticks
        .as_primitive::<Int64Type>()
        .unary_opt::<_, Int64Type>(|tick| tick.div_euclid(step).checked_mul(step));
    safe(&(Arc::new(floored) as ArrayRef), array.data_type())
}

/// Ticks of a unit in a second.
pub fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}
