//! Type names to types.

use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use dframe_core::{Error, Result};
use sqlparser::ast::{self, ArrayElemTypeDef, ExactNumberInfo, TimezoneInfo};

/// The most digits of a decimal.
const DIGITS_MAX: u64 = 38;

/// The type that `node` names.
pub(crate) fn data_type(node: &ast::DataType) -> Result<DataType> {
    use ast::DataType as Node;
    let found = match node {
        Node::Boolean | Node::Bool => DataType::Boolean,
        Node::Real | Node::Float4 | Node::Float32 => DataType::Float32,
        Node::Float(ExactNumberInfo::Precision(bits)) if *bits > 24 => DataType::Float64,
        Node::Float(_) => DataType::Float32,
        Node::Double(_) | Node::DoublePrecision | Node::Float8 | Node::Float64 => DataType::Float64,
        Node::Decimal(info) | Node::Numeric(info) | Node::Dec(info) => decimal(info)?,
        Node::HugeInt | Node::Int128 => DataType::Decimal128(38, 0),
        Node::Date | Node::Date32 => DataType::Date32,
        Node::Array(ArrayElemTypeDef::SquareBracket(item, None)) => {
            DataType::new_list(data_type(item)?, true)
        }
        Node::Interval { fields: None, .. } => DataType::Interval(IntervalUnit::MonthDayNano),
        Node::Custom(name, modifiers) if modifiers.is_empty() => {
            return by_name(&name.to_string());
        }
        _ => match integer(node).or_else(|| text_or_bytes(node)) {
            Some(found) => found,
            None => return time(node),
        },
    };
    Ok(found)
}

fn integer(node: &ast::DataType) -> Option<DataType> {
    use ast::DataType as Node;
    Some(match node {
        Node::TinyInt(_) => DataType::Int8,
        Node::SmallInt(_) | Node::Int2(_) | Node::Int16 => DataType::Int16,
        Node::Integer(_) | Node::Int(_) | Node::Int4(_) | Node::Int32 => DataType::Int32,
        Node::BigInt(_) | Node::Int8(_) | Node::Int64 => DataType::Int64,
        Node::UTinyInt | Node::UInt8 => DataType::UInt8,
        Node::USmallInt | Node::UInt16 => DataType::UInt16,
        Node::UInt32 => DataType::UInt32,
        Node::UBigInt | Node::UInt64 => DataType::UInt64,
        _ => return None,
    })
}

/// Lengths are taken and ignored, as in DuckDB.
fn text_or_bytes(node: &ast::DataType) -> Option<DataType> {
    use ast::DataType as Node;
    Some(match node {
        Node::Varchar(_) | Node::Char(_) | Node::CharVarying(_) | Node::Character(_) => {
            DataType::Utf8
        }
        Node::CharacterVarying(_) | Node::Nvarchar(_) | Node::Text | Node::String(_) => {
            DataType::Utf8
        }
        Node::Blob(_) | Node::Bytea | Node::Binary(_) | Node::Varbinary(_) => DataType::Binary,
        _ => return None,
    })
}

fn time(node: &ast::DataType) -> Result<DataType> {
    use TimezoneInfo::{None as Plain, Tz, WithTimeZone, WithoutTimeZone};
    use ast::DataType as Node;
    match node {
        Node::Time(_, Plain | WithoutTimeZone) => Ok(DataType::Time64(TimeUnit::Microsecond)),
        Node::Datetime(digits) => timestamp(*digits),
        Node::Timestamp(digits, Plain | WithoutTimeZone) => timestamp(*digits),
        Node::Timestamp(None, Tz | WithTimeZone) => {
            Ok(DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))
        }
        _ => Err(unsupported(&node.to_string())),
    }
}

fn timestamp(digits: Option<u64>) -> Result<DataType> {
    let unit = match digits {
        Some(0) => TimeUnit::Second,
        Some(1..=3) => TimeUnit::Millisecond,
        None | Some(4..=6) => TimeUnit::Microsecond,
        Some(7..=9) => TimeUnit::Nanosecond,
        Some(digits) => {
            return Err(Error::invalid_input(format!("TIMESTAMP({digits}) is too precise"))
                .remedy("use at most 9 digits"));
        }
    };
    Ok(DataType::Timestamp(unit, None))
}

fn decimal(info: &ExactNumberInfo) -> Result<DataType> {
    let (digits, scale) = match *info {
        ExactNumberInfo::None => (18, 3),
        ExactNumberInfo::Precision(digits) => (digits, 0),
        ExactNumberInfo::PrecisionAndScale(digits, scale) => (digits, scale),
    };
    match (u8::try_from(digits), i8::try_from(scale)) {
        (Ok(precision @ 1..), Ok(scale @ 0..))
            if digits <= DIGITS_MAX && scale as u8 <= precision =>
        {
            Ok(DataType::Decimal128(precision, scale))
        }
        _ => Err(Error::invalid_input(format!("DECIMAL({digits}, {scale}) is out of range"))
            .remedy("DECIMAL(p, s) has 1 to 38 digits p, and 0 to p of them behind the point")),
    }
}

/// Types and aliases of DuckDB that are no words to the parser.
fn by_name(name: &str) -> Result<DataType> {
    let found = match name.to_ascii_uppercase().as_str() {
        "INT1" => DataType::Int8,
        "SHORT" => DataType::Int16,
        "SIGNED" | "INTEGRAL" => DataType::Int32,
        "LONG" => DataType::Int64,
        "UINTEGER" => DataType::UInt32,
        "LOGICAL" => DataType::Boolean,
        "BPCHAR" | "UTF8" => DataType::Utf8,
        "TIMESTAMP_S" => DataType::Timestamp(TimeUnit::Second, None),
        "TIMESTAMP_MS" => DataType::Timestamp(TimeUnit::Millisecond, None),
        "TIMESTAMP_US" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "TIMESTAMP_NS" => DataType::Timestamp(TimeUnit::Nanosecond, None),
        _ => return Err(unsupported(name)),
    };
    Ok(found)
}

fn unsupported(name: &str) -> Error {
    Error::unsupported(format!("the type {name} is not supported")).remedy(
        "types are TINYINT to BIGINT (and U...), HUGEINT, FLOAT, DOUBLE, DECIMAL(p, s), BOOLEAN, \
         VARCHAR, BLOB, DATE, TIME, TIMESTAMP, TIMESTAMPTZ and INTERVAL, and lists of them: BIGINT[]",
    )
}
