//! The narrowest type that holds the values of two types, if there is one.
//!
//! Used where files of one source disagree, and where a filter compares a column with a literal.

use arrow::datatypes::{DataType, TimeUnit};

/// The type both `a` and `b` fit in; `None` where they are of different nature.
pub(crate) fn widen(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType::*;
    match (a, b) {
        _ if a == b => Some(a.clone()),
        (Null, other) | (other, Null) => Some(other.clone()),
        (Float64 | Float32, Float64 | Float32) => Some(Float64),
        (Float32 | Float64, other) | (other, Float32 | Float64) => {
            (other.is_integer() || other.is_decimal()).then_some(Float64)
        }
        _ if a.is_integer() && b.is_integer() => widen_integers(a, b),
        _ if is_exact(a) && is_exact(b) => widen_decimals(a, b),
        (Date32, Timestamp(unit, zone)) | (Timestamp(unit, zone), Date32) => {
            Some(Timestamp(*unit, zone.clone()))
        }
        (Timestamp(left, zone), Timestamp(right, other)) if zone == other => {
            Some(Timestamp(finer(*left, *right), zone.clone()))
        }
        (Time32(left) | Time64(left), Time32(right) | Time64(right)) => {
            Some(match finer(*left, *right) {
                unit @ (TimeUnit::Second | TimeUnit::Millisecond) => Time32(unit),
                unit => Time64(unit),
            })
        }
        (Duration(left), Duration(right)) => Some(Duration(finer(*left, *right))),
        _ => None,
    }
}

fn finer(a: TimeUnit, b: TimeUnit) -> TimeUnit {
    a.max(b)
}

fn is_exact(data_type: &DataType) -> bool {
    data_type.is_integer()
        || matches!(data_type, DataType::Decimal128(..) | DataType::Decimal256(..))
}

fn widen_integers(a: &DataType, b: &DataType) -> Option<DataType> {
    let signed = a.is_signed_integer() || b.is_signed_integer();
    let bits = |data_type: &DataType| {
        let bits = data_type.primitive_width()? * 8;
        // An unsigned integer needs one bit more beside a signed one.
        Some(if signed && data_type.is_unsigned_integer() { bits * 2 } else { bits })
    };
    Some(match (bits(a)?.max(bits(b)?), signed) {
        (8, true) => DataType::Int8,
        (16, true) => DataType::Int16,
        (32, true) => DataType::Int32,
        (64, true) => DataType::Int64,
        (8, false) => DataType::UInt8,
        (16, false) => DataType::UInt16,
        (32, false) => DataType::UInt32,
        (64, false) => DataType::UInt64,
        _ => DataType::Decimal128(20, 0),
    })
}

/// Digits before and after the point are kept, up to the 76 that a decimal can have.
fn widen_decimals(a: &DataType, b: &DataType) -> Option<DataType> {
    let (left_digits, left_scale) = digits(a)?;
    let (right_digits, right_scale) = digits(b)?;
    let scale = left_scale.max(right_scale);
    let whole = (left_digits - left_scale).max(right_digits - right_scale);
    match whole + scale {
        precision @ ..=38 => Some(DataType::Decimal128(precision as u8, scale as i8)),
        precision @ ..=76 => Some(DataType::Decimal256(precision as u8, scale as i8)),
        _ => None,
    }
}

/// The precision and scale of an exact number.
fn digits(data_type: &DataType) -> Option<(i32, i32)> {
    Some(match data_type {
        DataType::Int8 | DataType::UInt8 => (3, 0),
        DataType::Int16 | DataType::UInt16 => (5, 0),
        DataType::Int32 | DataType::UInt32 => (10, 0),
        DataType::Int64 => (19, 0),
        DataType::UInt64 => (20, 0),
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            (i32::from(*precision), i32::from(*scale))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use DataType::*;

    #[test]
    fn numbers_widen_without_loss() {
        let cases = [
            (Int32, Int64, Some(Int64)),
            (UInt8, Int8, Some(Int16)),
            (UInt32, Int32, Some(Int64)),
            (UInt64, Int64, Some(Decimal128(20, 0))),
            (Int32, Float32, Some(Float64)),
            (Float32, Float64, Some(Float64)),
            (Decimal128(10, 2), Decimal128(12, 4), Some(Decimal128(12, 4))),
            (Decimal128(38, 0), Decimal128(38, 10), Some(Decimal256(48, 10))),
            (Decimal128(5, 2), Int32, Some(Decimal128(12, 2))),
            (Null, Utf8, Some(Utf8)),
            (Utf8, Int64, None),
            (Boolean, Int64, None),
        ];
        for (a, b, wider) in cases {
            assert_eq!(widen(&a, &b), wider, "{a} {b}");
            assert_eq!(widen(&b, &a), wider, "{b} {a}");
        }
    }

    #[test]
    fn times_take_the_finer_unit() {
        let stamp = |unit| Timestamp(unit, None);
        let wider = widen(&stamp(TimeUnit::Millisecond), &stamp(TimeUnit::Nanosecond));
        assert_eq!(wider, Some(stamp(TimeUnit::Nanosecond)));
        assert_eq!(widen(&Date32, &stamp(TimeUnit::Second)), Some(stamp(TimeUnit::Second)));
        let zoned = Timestamp(TimeUnit::Second, Some("UTC".into()));
        assert_eq!(widen(&zoned, &stamp(TimeUnit::Second)), None);
    }
}
