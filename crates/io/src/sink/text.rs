//! Values and types as text.

use std::fmt::Write;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, FieldRef, TimeUnit};
use arrow::json::writer::{EncoderOptions, NullableEncoder, make_encoder};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use dframe_core::Result;

/// Timestamps as DuckDB prints them; the fraction only where there is one.
pub(super) const TIMESTAMP: &str = "%Y-%m-%d %H:%M:%S%.f";
/// The same with the offset from UTC.
pub(super) const TIMESTAMP_ZONED: &str = "%Y-%m-%d %H:%M:%S%.f%:z";

const OPTIONS: FormatOptions<'static> = FormatOptions::new()
    .with_display_error(false)
    .with_timestamp_format(Some(TIMESTAMP))
    .with_timestamp_tz_format(Some(TIMESTAMP_ZONED));

/// How JSON is written everywhere: NULL members are there, timestamps as in the other formats.
pub(super) fn json_options() -> EncoderOptions {
    EncoderOptions::default()
        .with_explicit_nulls(true)
        .with_timestamp_format(TIMESTAMP.to_string())
        .with_timestamp_tz_format(TIMESTAMP_ZONED.to_string())
}

/// Writes the values of a column: nested ones as JSON.
pub(super) enum Column<'a> {
    Flat(&'a dyn Array, ArrayFormatter<'a>),
    Nested(&'a dyn Array, NullableEncoder<'a>),
}

impl<'a> Column<'a> {
    /// Writers for the columns of a batch.
    pub(super) fn of_batch(
        batch: &'a RecordBatch,
        fields: &'a [FieldRef],
        json: &'a EncoderOptions,
    ) -> Result<Vec<Self>> {
        let columns = batch.columns().iter().zip(fields);
        columns.map(|(array, field)| Self::new(array.as_ref(), field, json)).collect()
    }

    pub(super) fn new(
        array: &'a dyn Array,
        field: &'a FieldRef,
        json: &'a EncoderOptions,
    ) -> Result<Self> {
        Ok(match array.data_type() {
            data_type if data_type.is_nested() => {
                Self::Nested(array, make_encoder(field, array, json)?)
            }
            _ => Self::Flat(array, ArrayFormatter::try_new(array, &OPTIONS)?),
        })
    }

    /// Appends the value of `row`; returns false, appending nothing, if it is NULL.
    pub(super) fn append(&mut self, row: usize, out: &mut String) -> Result<bool> {
        let array = match self {
            Self::Flat(array, _) | Self::Nested(array, _) => *array,
        };
        if is_null(array, row) {
            return Ok(false);
        }
        match self {
            Self::Flat(_, formatter) => formatter.value(row).write(out)?,
            Self::Nested(_, encoder) => {
                let mut json = Vec::new();
                encoder.encode(row, &mut json);
                out.push_str(&String::from_utf8_lossy(&json));
            }
        }
        Ok(true)
    }
}

/// NULL as a key, or as the value the key stands for.
fn is_null(array: &dyn Array, row: usize) -> bool {
    use arrow::array::AsArray;
    if array.is_null(row) || *array.data_type() == DataType::Null {
        return true;
    }
    array.as_any_dictionary_opt().is_some_and(|coded| {
        coded.values().null_count() > 0 && coded.values().is_null(coded.normalized_keys()[row])
    })
}

/// The type's name in SQL, as DuckDB writes it, in lower case.
pub fn type_name(data_type: &DataType) -> String {
    let name = match data_type {
        DataType::Boolean => "boolean",
        DataType::Int8 => "tinyint",
        DataType::Int16 => "smallint",
        DataType::Int32 => "integer",
        DataType::Int64 => "bigint",
        DataType::UInt8 => "utinyint",
        DataType::UInt16 => "usmallint",
        DataType::UInt32 => "uinteger",
        DataType::UInt64 => "ubigint",
        DataType::Float16 | DataType::Float32 => "float",
        DataType::Float64 => "double",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "varchar",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "blob",
        DataType::FixedSizeBinary(_) => "blob",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Timestamp(_, Some(_)) => "timestamptz",
        DataType::Timestamp(TimeUnit::Second, None) => "timestamp_s",
        DataType::Timestamp(TimeUnit::Millisecond, None) => "timestamp_ms",
        DataType::Timestamp(TimeUnit::Microsecond, None) => "timestamp",
        DataType::Timestamp(TimeUnit::Nanosecond, None) => "timestamp_ns",
        DataType::Duration(_) | DataType::Interval(_) => "interval",
        DataType::Null => "null",
        DataType::Dictionary(_, value) => return type_name(value),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => return format!("decimal({precision},{scale})"),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => return format!("{}[]", type_name(item.data_type())),
        DataType::FixedSizeList(item, length) => {
            return format!("{}[{length}]", type_name(item.data_type()));
        }
        DataType::Struct(fields) => return struct_name(fields),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => {
                let [key, value] = [0, 1].map(|index| type_name(pair[index].data_type()));
                return format!("map({key}, {value})");
            }
            _ => "map",
        },
        other => return other.to_string().to_lowercase(),
    };
    name.to_string()
}

fn struct_name(fields: &arrow::datatypes::Fields) -> String {
    let mut out = String::from("struct(");
    for (index, field) in fields.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let _ = write!(out, "{comma}{} {}", field.name(), type_name(field.data_type()));
    }
    out.push(')');
    out
}
