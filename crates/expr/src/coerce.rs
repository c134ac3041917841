//! Which types operands are brought to before a kernel sees them: DuckDB's rules, kept exact.
//!
//! A constant adapts to the other side where nothing is lost (`int_column > 5.0`, `date > '2024-01-01'`),
//! so that columns are read as they are and scans can prune. Columns meet at the narrowest type that
//! holds both; strings never become numbers by themselves.

use arrow::array::{Array, ArrayRef, AsArray, new_empty_array};
use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, Float32Type, Float64Type,
    TimeUnit,
};
use dframe_core::{Error, Result};

use crate::display::{op_text, type_name};
use crate::expr::BinaryOp;
use crate::kernel::{arithmetic, cast, list};

/// What is known of an operand when it is bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operand<'a> {
    /// Its type, without dictionary encoding.
    pub data_type: &'a DataType,
    /// Its value, if it is constant.
    pub constant: Option<&'a ArrayRef>,
}

/// The types to bring the operands of an operator to, and the type of its result.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Operation {
    pub left: DataType,
    pub right: DataType,
    pub result: DataType,
}

impl Operation {
    pub(crate) fn new(left: DataType, right: DataType, result: DataType) -> Self {
        Self { left, right, result }
    }
}

pub(crate) fn is_string(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

pub(crate) fn is_interval(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(_))
}

/// The type to compare `left` and `right` in.
pub(crate) fn comparison(left: Operand<'_>, right: Operand<'_>) -> Result<DataType> {
    let common = whole(left, right)
        .or_else(|| whole(right, left))
        .or_else(|| common(left, right))
        .ok_or_else(|| mismatch("compare", left, right))?;
    Ok(match common {
        // Instants are the same in any zone; without one, they are in UTC.
        DataType::Timestamp(unit, _) => DataType::Timestamp(unit, None),
        other => other,
    })
}

/// The type in which columns of these types are compared for equality, as by a join.
///
/// # Errors
/// Types that cannot be compared.
pub fn key_type(left: &DataType, right: &DataType) -> Result<DataType> {
    let operand = |data_type| Operand { data_type, constant: None };
    comparison(operand(left), operand(right))
}

/// The integer type of a column that is compared with a whole number written as a float, `x > 5.0`.
fn whole(constant: Operand<'_>, column: Operand<'_>) -> Option<DataType> {
    let value = constant.constant.filter(|_| column.constant.is_none())?;
    let whole = constant.data_type.is_floating()
        && column.data_type.is_integer()
        && lossless(value, column.data_type);
    whole.then(|| column.data_type.clone())
}

/// The one type of several values, as of the branches of a CASE.
pub(crate) fn unify(operands: &[Operand<'_>]) -> Result<DataType> {
    // Columns first: constants adapt to them.
    let (constants, columns): (Vec<_>, Vec<_>) =
        operands.iter().partition(|operand| operand.constant.is_some());
    let mut ordered = columns.into_iter().chain(constants);
    let Some(&first) = ordered.next() else { return Ok(DataType::Null) };
    let mut result = (first.data_type.clone(), first.constant);
    for &next in ordered {
        let so_far = Operand { data_type: &result.0, constant: result.1 };
        let both = common(so_far, next)
            .or_else(|| common_nested(so_far.data_type, next.data_type))
            .ok_or_else(|| mismatch("combine", so_far, next))?;
        let still_constant = result.1.and(next.constant).filter(|_| both == *next.data_type);
        result = (both, still_constant);
    }
    Ok(result.0)
}

/// The type of values that have no order, but can stand side by side: structs of one type, and lists of
/// items that have a common type.
fn common_nested(left: &DataType, right: &DataType) -> Option<DataType> {
    if left == right {
        return Some(left.clone());
    }
    let (left, right) = (list::item_type(left)?, list::item_type(right)?);
    let item = common_type(left, right).or_else(|| common_nested(left, right))?;
    Some(DataType::new_list(item, true))
}

fn mismatch(verb: &str, left: Operand<'_>, right: Operand<'_>) -> Error {
    let (left, right) = (left.data_type, right.data_type);
    let error =
        Error::invalid_input(format!("cannot {verb} {} and {}", type_name(left), type_name(right)));
    match (is_string(left), is_string(right)) {
        (true, false) => {
            error.remedy(format!("cast the string: CAST(... AS {})", type_name(right)))
        }
        (false, true) => error.remedy(format!("cast the string: CAST(... AS {})", type_name(left))),
        _ => error.remedy("cast one side to the type of the other"),
    }
}

/// The narrowest type that both convert to; `None` if there is none.
fn common(left: Operand<'_>, right: Operand<'_>) -> Option<DataType> {
    if left.data_type == right.data_type {
        return comparable(left.data_type).then(|| left.data_type.clone());
    }
    adapted(left, right)
        .or_else(|| adapted(right, left))
        .or_else(|| common_type(left.data_type, right.data_type))
}

fn comparable(data_type: &DataType) -> bool {
    !data_type.is_nested() || matches!(data_type, DataType::Dictionary(..))
}

/// The type of `fixed`, or nearly so, if `constant` is a constant that adapts to it without loss.
fn adapted(constant: Operand<'_>, fixed: Operand<'_>) -> Option<DataType> {
    let value = constant.constant?;
    let (from, to) = (constant.data_type, fixed.data_type);
    if is_string(from) {
        let adapts = !matches!(to, DataType::Null) && comparable(to);
        return (adapts && (!is_string(to) || fixed.constant.is_none())).then(|| to.clone());
    }
    if !from.is_numeric() || !to.is_numeric() || fixed.constant.is_some() {
        return None;
    }
    if to.is_decimal() {
        let exact = if from.is_floating() { decimal_of_float(value)? } else { return None };
        return common_type(&exact, to);
    }
    if to.is_integer() && !from.is_integer() {
        return None;
    }
    let rounds = matches!(to, DataType::Float32) && !from.is_integer();
    (rounds || lossless(value, to)).then(|| to.clone())
}

/// Whether the constant is the same after a cast to `to`.
pub(crate) fn lossless(value: &ArrayRef, to: &DataType) -> bool {
    let same = || -> Result<bool> {
        let there = cast::cast(value, to, true)?;
        let back = cast::cast(&there, value.data_type(), true)?;
        Ok(back.as_ref() == value.as_ref())
    };
    same().unwrap_or(false)
}

/// The decimal type that holds a float constant as it is written, `DECIMAL(2, 1)` for 1.5.
fn decimal_of_float(value: &ArrayRef) -> Option<DataType> {
    if value.is_null(0) {
        return None;
    }
    let text = match value.data_type() {
        DataType::Float64 => value.as_primitive::<Float64Type>().value(0).abs().to_string(),
        _ => value.as_primitive_opt::<Float32Type>()?.value(0).abs().to_string(),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "0"));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(fraction) || text.len() > 30 {
        return None;
    }
    let (precision, scale) = (whole.len() + fraction.len(), fraction.len());
    Some(DataType::Decimal128(u8::try_from(precision).ok()?, i8::try_from(scale).ok()?))
}

/// The narrowest type that values of both types convert to, whatever they are.
pub(crate) fn common_type(left: &DataType, right: &DataType) -> Option<DataType> {
    use DataType::{
        Binary, BinaryView, Boolean, Date32, Date64, Duration, Float32, Float64, Interval,
        LargeBinary, LargeUtf8, Null, Time32, Time64, Timestamp, Utf8,
    };
    Some(match (left, right) {
        (left, right) if left == right => left.clone(),
        (Null, other) | (other, Null) => other.clone(),
        (left, right) if left.is_numeric() && right.is_numeric() => numeric(left, right)?,
        (Boolean, number) | (number, Boolean) if number.is_integer() => number.clone(),
        (left, right) if is_string(left) && is_string(right) => {
            if *left == LargeUtf8 || *right == LargeUtf8 { LargeUtf8 } else { Utf8 }
        }
        (left, right) if left.is_binary() && right.is_binary() => match (left, right) {
            (LargeBinary, _) | (_, LargeBinary) => LargeBinary,
            (BinaryView, BinaryView) => BinaryView,
            _ => Binary,
        },
        (Date32, Date64) | (Date64, Date32) => Date64,
        (Date32 | Date64, Timestamp(unit, zone)) | (Timestamp(unit, zone), Date32 | Date64) => {
            Timestamp(*unit, zone.clone())
        }
        (Timestamp(left, left_zone), Timestamp(right, right_zone)) => {
            Timestamp(finer(*left, *right), left_zone.clone().or_else(|| right_zone.clone()))
        }
        (Time32(left) | Time64(left), Time32(right) | Time64(right)) => time(finer(*left, *right)),
        (Duration(left), Duration(right)) => Duration(finer(*left, *right)),
        (Duration(_) | Interval(_), Duration(_) | Interval(_)) => INTERVAL,
        (Float32 | Float64, _) | (_, Float32 | Float64) => return None,
        _ => return None,
    })
}

/// The interval type that holds all others.
pub(crate) const INTERVAL: DataType =
    DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano);

fn time(unit: TimeUnit) -> DataType {
    match unit {
        TimeUnit::Second | TimeUnit::Millisecond => DataType::Time32(unit),
        TimeUnit::Microsecond | TimeUnit::Nanosecond => DataType::Time64(unit),
    }
}

pub(crate) fn finer(left: TimeUnit, right: TimeUnit) -> TimeUnit {
    left.max(right)
}

fn numeric(left: &DataType, right: &DataType) -> Option<DataType> {
    if left.is_floating() || right.is_floating() {
        return Some(float(left, right));
    }
    if left.is_decimal() || right.is_decimal() {
        let ((p1, s1), (p2, s2)) = (decimal_of(left)?, decimal_of(right)?);
        let scale = i16::from(s1.max(s2));
        let whole = (i16::from(p1) - i16::from(s1)).max(i16::from(p2) - i16::from(s2));
        return decimal(whole + scale, scale);
    }
    Some(integer(left, right))
}

fn float(left: &DataType, right: &DataType) -> DataType {
    let exact_in_f32 = |data_type: &DataType| {
        matches!(
            data_type,
            DataType::Float16
                | DataType::Float32
                | DataType::Int8
                | DataType::Int16
                | DataType::UInt8
                | DataType::UInt16
        )
    };
    let narrow = exact_in_f32(left) && exact_in_f32(right);
    if narrow { DataType::Float32 } else { DataType::Float64 }
}

/// The type with this many digits; at most the widest there is.
fn decimal(precision: i16, scale: i16) -> Option<DataType> {
    let scale = i8::try_from(scale).ok()?;
    let precision = u8::try_from(precision).ok()?.min(DECIMAL256_MAX_PRECISION);
    Some(if precision > DECIMAL128_MAX_PRECISION {
        DataType::Decimal256(precision, scale)
    } else {
        DataType::Decimal128(precision, scale)
    })
}

/// Precision and scale of a decimal, or of the decimal that holds every integer of a type.
pub(crate) fn decimal_of(data_type: &DataType) -> Option<(u8, i8)> {
    Some(match data_type {
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => (*p, *s),
        DataType::Int8 | DataType::UInt8 => (3, 0),
        DataType::Int16 | DataType::UInt16 => (5, 0),
        DataType::Int32 | DataType::UInt32 => (10, 0),
        DataType::Int64 => (19, 0),
        DataType::UInt64 => (20, 0),
        _ => return None,
    })
}

/// Every integer of 64 bits, signed or not.
pub(crate) const ANY_INTEGER: DataType = DataType::Decimal128(20, 0);

fn integer(left: &DataType, right: &DataType) -> DataType {
    let ((left_bits, left_signed), (right_bits, right_signed)) = (bits(left), bits(right));
    if left_signed == right_signed {
        return if left_bits >= right_bits { left.clone() } else { right.clone() };
    }
    let (signed, unsigned) =
        if left_signed { (left_bits, right_bits) } else { (right_bits, left_bits) };
    match signed.max(unsigned * 2) {
        8 | 16 => DataType::Int16,
        32 => DataType::Int32,
        64 => DataType::Int64,
        _ => ANY_INTEGER,
    }
}

fn bits(integer: &DataType) -> (usize, bool) {
    (integer.primitive_width().unwrap_or(8) * 8, integer.is_signed_integer())
}

/// The types of `left op right` for numbers; `None` if they are not numbers.
pub(crate) fn arithmetic(
    op: BinaryOp,
    left: Operand<'_>,
    right: Operand<'_>,
) -> Result<Option<Operation>> {
    let null = |operand: Operand<'_>| *operand.data_type == DataType::Null;
    let (left, right) = match (null(left), null(right)) {
        (true, true) => return Ok(Some(same(DataType::Int64))),
        (true, false) => (right, right),
        (false, true) => (left, left),
        (false, false) => (left, right),
    };
    if !left.data_type.is_numeric() || !right.data_type.is_numeric() {
        return Ok(None);
    }
    let common = adapted(left, right)
        .or_else(|| adapted(right, left))
        .or_else(|| numeric(left.data_type, right.data_type))
        .ok_or_else(|| mismatch(op_text(op), left, right))?;
    let decimal =
        common.is_decimal() && (left.data_type.is_decimal() || right.data_type.is_decimal());
    match op {
        BinaryOp::Divide => Ok(Some(same(DataType::Float64))),
        BinaryOp::IntegerDivide if decimal => Ok(Some(same(DataType::Float64))),
        _ if decimal => decimal_arithmetic(op, left, right, &common).map(Some),
        _ if common.is_integer() && common != DataType::UInt64 => Ok(Some(same(DataType::Int64))),
        _ if common == ANY_INTEGER => decimal_arithmetic(op, left, right, &common).map(Some),
        _ => Ok(Some(same(common))),
    }
}

fn same(data_type: DataType) -> Operation {
    Operation::new(data_type.clone(), data_type.clone(), data_type)
}

/// Decimals keep their own scales; the result's type is what arrow says.
fn decimal_arithmetic(
    op: BinaryOp,
    left: Operand<'_>,
    right: Operand<'_>,
    common: &DataType,
) -> Result<Operation> {
    let wide = |operand: Operand<'_>| -> Option<DataType> {
        let exact = match operand.constant {
            Some(value) if operand.data_type.is_floating() => decimal_of_float(value)?,
            Some(value) if operand.data_type.is_integer() => integer_constant(value),
            _ => operand.data_type.clone(),
        };
        let (p, s) = decimal_of(&exact)?;
        Some(match common {
            DataType::Decimal256(..) => DataType::Decimal256(p, s),
            _ => DataType::Decimal128(p, s),
        })
    };
    let (left_type, right_type) =
        wide(left).zip(wide(right)).ok_or_else(|| mismatch(op_text(op), left, right))?;
    let (l, r) = (new_empty_array(&left_type), new_empty_array(&right_type));
    let result = arithmetic::decimal(op, &l, &r).map_err(|_| {
        Error::invalid_input(format!(
            "too many digits in {} {} {}",
            type_name(&left_type),
            op_text(op),
            type_name(&right_type)
        ))
        .remedy("cast an operand to DOUBLE or to a DECIMAL of fewer digits")
    })?;
    Ok(Operation::new(left_type, right_type, result.data_type().clone()))
}

/// The decimal with just the digits of an integer constant.
fn integer_constant(value: &ArrayRef) -> DataType {
    let digits = crate::display::literal_value(&crate::Literal(value.clone()));
    let digits = digits.trim_start_matches('-').len().clamp(1, 20);
    DataType::Decimal128(digits as u8, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::DataType::*;

    #[test]
    fn integers_meet_where_both_fit() {
        let table = [
            (Int8, Int8, Int8),
            (Int8, UInt8, Int16),
            (Int32, UInt8, Int32),
            (Int32, UInt32, Int64),
            (UInt64, Int8, ANY_INTEGER),
            (UInt64, UInt8, UInt64),
            (Int32, Float32, Float64),
            (Int16, Float32, Float32),
            (Int64, Decimal128(10, 2), Decimal128(21, 2)),
            (Decimal128(38, 10), Decimal128(38, 0), Decimal256(48, 10)),
            (Boolean, Int32, Int32),
            (Utf8, Utf8View, Utf8),
            (Date32, Timestamp(TimeUnit::Nanosecond, None), Timestamp(TimeUnit::Nanosecond, None)),
        ];
        for (left, right, expected) in table {
            assert_eq!(common_type(&left, &right), Some(expected.clone()), "{left} {right}");
            assert_eq!(common_type(&right, &left), Some(expected), "{right} {left}");
        }
        assert_eq!(common_type(&Utf8, &Int32), None);
    }

    #[test]
    fn constants_adapt() {
        let constant = |literal: crate::Literal| literal.0;
        use crate::literal::IntoLiteral;
        let table = [
            (constant(5i64.into_literal()), Int8, Int8),
            (constant(5.0.into_literal()), UInt64, UInt64),
            (constant((-5i64).into_literal()), UInt64, ANY_INTEGER),
            (constant(1.5.into_literal()), Int32, Float64),
            (constant(0.1.into_literal()), Float32, Float32),
            (constant(300i64.into_literal()), Int8, Int64),
            (constant("x".into_literal()), Date32, Date32),
            (constant(1.25.into_literal()), Decimal128(10, 1), Decimal128(11, 2)),
            (constant(0.000041733.into_literal()), Decimal128(10, 9), Decimal128(10, 9)),
            (constant((-2.0).into_literal()), Decimal128(10, 1), Decimal128(10, 1)),
        ];
        for (value, column, expected) in table {
            let left = Operand { data_type: value.data_type(), constant: Some(&value) };
            let right = Operand { data_type: &column, constant: None };
            assert_eq!(comparison(left, right).unwrap(), expected, "{value:?} {column}");
        }
    }
}
