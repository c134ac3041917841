//! Bloom filters: whether a row group lacks a value for certain.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use parquet::basic::Type as PhysicalType;
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::ColumnChunkMetaData;

use super::footer::guard;
use crate::file::OpenFile;

/// Whether none of `values` is in the chunk, whose column is read as `read`. False where the file has
/// no filter, or one that cannot be asked.
pub(super) fn lacks_all(
    open: &OpenFile,
    chunk: &ColumnChunkMetaData,
    read: &DataType,
    values: &[&ArrayRef],
) -> bool {
    if chunk.bloom_filter_offset().is_none() {
        return false;
    }
    match guard(|| Sbbf::read_from_column_chunk(chunk, open)) {
        Ok(Some(filter)) => {
            let lacks = |value: &&ArrayRef| lacks(&filter, chunk.column_type(), read, value);
            values.iter().all(lacks)
        }
        _ => false,
    }
}

/// Whether the filter rules the value out. Only types whose equal values have equal bytes are asked:
/// not floats, whose zeros differ, and not decimals, which have several encodings.
fn lacks(filter: &Sbbf, physical: PhysicalType, read: &DataType, value: &ArrayRef) -> bool {
    let asked = read.is_integer()
        || matches!(read, DataType::Date32 | DataType::Timestamp(..) | DataType::Utf8);
    let Some(value) = Some(value).filter(|_| asked).and_then(|value| as_stored(value, read)) else {
        return false;
    };
    let stored = |wide: &DataType| cast(&value, wide).ok().filter(|array| array.is_valid(0));
    match physical {
        PhysicalType::BYTE_ARRAY => {
            value.as_string_opt::<i32>().is_some_and(|text| !filter.check(text.value(0)))
        }
        // Unsigned values are stored as the signed number of the same bits.
        PhysicalType::INT32 => stored(&DataType::Int64).is_some_and(|wide| {
            let bits = wide.as_primitive::<Int64Type>().value(0) as i32;
            !filter.check(&bits)
        }),
        PhysicalType::INT64 if *read == DataType::UInt64 => {
            use arrow::datatypes::UInt64Type;
            !filter.check(&(value.as_primitive::<UInt64Type>().value(0) as i64))
        }
        PhysicalType::INT64 => stored(&DataType::Int64)
            .is_some_and(|wide| !filter.check(&wide.as_primitive::<Int64Type>().value(0))),
        _ => false,
    }
}

/// The value in the column's type, if it is exactly the same there.
fn as_stored(value: &ArrayRef, read: &DataType) -> Option<ArrayRef> {
    let narrow = cast(value, read).ok().filter(|array| array.is_valid(0))?;
    let back = cast(&narrow, value.data_type()).ok()?;
    // Date32 casts to Int64 by way of Int32.
    let narrow = match read {
        DataType::Date32 => cast(&narrow, &DataType::Int32).ok()?,
        _ => narrow,
    };
    debug_assert!(*read != DataType::Date32 || narrow.as_primitive_opt::<Int32Type>().is_some());
    (back.as_ref() == value.as_ref()).then_some(narrow)
}
