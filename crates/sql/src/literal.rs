//! Constants: numbers, strings, and strings with a type before them.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Float64Array, Int64Array, NullArray,
    StringArray,
};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Schema};
use dframe_core::{Error, Result};
use dframe_expr::{Expr, Literal, Span, simplify, type_name};
use sqlparser::ast::Value;

/// The largest integer constant, and the negative of the smallest.
const INTEGER_MAX: i128 = 10_i128.pow(38) - 1;

/// The constant `value`, which the user wrote as `source`.
pub(crate) fn literal(value: Value, source: &str) -> Result<Expr> {
    let array: ArrayRef = match value {
        Value::Number(digits, false) => return number(&digits, ""),
        Value::Boolean(value) => Arc::new(BooleanArray::from(vec![value])),
        Value::Null => Arc::new(NullArray::new(1)),
        Value::HexStringLiteral(digits) if !source.starts_with('0') => {
            Arc::new(BinaryArray::from_vec(vec![&bytes(&digits)?]))
        }
        Value::SingleQuotedString(_)
        | Value::EscapedStringLiteral(_)
        | Value::DollarQuotedString(_) => {
            let text = value.into_string().unwrap_or_default();
            return Ok(string(&text));
        }
        Value::Placeholder(_) => {
            return Err(Error::unsupported(format!("the parameter {source} has no value"))
                .remedy("write the value itself"));
        }
        _ => return Err(Error::unsupported(format!("the constant {source} is not supported"))),
    };
    Ok(constant(array))
}

/// A constant string.
pub(crate) fn string(text: &str) -> Expr {
    constant(Arc::new(StringArray::from(vec![text])))
}

/// The number that `sign` (`-` or nothing) and `digits` make.
pub(crate) fn number(digits: &str, sign: &str) -> Result<Expr> {
    let text = format!("{sign}{}", digits.replace('_', ""));
    let out_of_range = || Error::invalid_input(format!("the number {text} is out of range"));
    if text.contains(['.', 'e', 'E']) {
        let value: f64 = text.parse().map_err(|_| out_of_range())?;
        if !value.is_finite() {
            return Err(out_of_range().remedy("write 'inf'::DOUBLE for infinity"));
        }
        return match long_decimal(&text, value)? {
            Some(decimal) => Ok(constant(Arc::new(decimal))),
            None => Ok(constant(Arc::new(Float64Array::from(vec![value])))),
        };
    }
    if let Ok(value) = text.parse::<i64>() {
        return Ok(constant(Arc::new(Int64Array::from(vec![value]))));
    }
    match text.parse::<i128>() {
        Ok(value) if value.abs() <= INTEGER_MAX => {
            let array = Decimal128Array::from(vec![value]).with_precision_and_scale(38, 0)?;
            Ok(constant(Arc::new(array)))
        }
        _ => Err(out_of_range().remedy("integers have at most 38 digits; write it as 1e40")),
    }
}

/// The number as it is written, if `value`, the nearest DOUBLE, has lost digits that a DECIMAL keeps.
fn long_decimal(text: &str, value: f64) -> Result<Option<Decimal128Array>> {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let written = match (whole, fraction) {
        ("", fraction) => format!("0.{fraction}"),
        (whole, "") => whole.to_string(),
        (whole, fraction) => format!("{whole}.{fraction}"),
    };
    let count = whole.len() + fraction.len();
    let scientific = text.contains(['e', 'E']);
    if scientific
        || count > usize::from(DECIMAL128_MAX_PRECISION)
        || written == value.abs().to_string()
    {
        return Ok(None);
    }
    let Ok(unscaled) = format!("{sign}{whole}{fraction}").parse::<i128>() else { return Ok(None) };
    let array = Decimal128Array::from(vec![unscaled]);
    Ok(Some(array.with_precision_and_scale(count as u8, fraction.len() as i8)?))
}

fn bytes(digits: &str) -> Result<Vec<u8>> {
    let invalid = || {
        Error::invalid_input(format!("X'{digits}' is not a sequence of bytes"))
            .remedy("write two hexadecimal digits for each byte")
    };
    let nibbles: Option<Vec<u32>> = digits.chars().map(|digit| digit.to_digit(16)).collect();
    let nibbles = nibbles.filter(|nibbles| nibbles.len() % 2 == 0).ok_or_else(invalid)?;
    Ok(nibbles.chunks_exact(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect())
}

/// `DATE '2024-02-29'` and the like: a cast, computed at once where it is one to a time.
pub(crate) fn typed(text: &str, to: DataType, span: Span) -> Result<Expr> {
    let cast = Expr::Cast { expr: Box::new(string(text)), to: to.clone(), strict: true, span };
    if !to.is_temporal() {
        return Ok(cast);
    }
    match simplify(cast, &Schema::empty()) {
        constant @ Expr::Literal(_) => Ok(constant),
        _ => {
            let error = Error::invalid_input(format!("'{text}' is not of type {}", type_name(&to)));
            Err(error.remedy(format!("write it like {}", example(&to))))
        }
    }
}

fn example(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Date32 => "DATE '2024-02-29'",
        DataType::Time64(_) => "TIME '23:59:59.5'",
        DataType::Interval(_) => "INTERVAL '2 months 3 days 04:05:06'",
        DataType::Timestamp(_, Some(_)) => "TIMESTAMPTZ '2024-02-29 23:59:59+02:00'",
        _ => "TIMESTAMP '2024-02-29 23:59:59.5'",
    }
}

fn constant(array: ArrayRef) -> Expr {
    Expr::Literal(Literal(array))
}
