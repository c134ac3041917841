//! Any array's values as byte strings, and arrays made of byte strings.
//!
//! Used for key values that have no fixed width of at most 64 bits: text, binary, decimals.

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, BooleanBufferBuilder, BufferBuilder, OffsetSizeTrait,
    make_array, new_null_array,
};
use arrow::buffer::{Buffer, MutableBuffer, NullBuffer};
use arrow::datatypes::{
    BinaryType, BinaryViewType, DataType, LargeBinaryType, LargeUtf8Type, StringViewType, Utf8Type,
};
use dframe_core::{Error, Result};

/// Reads values of an array as bytes.
pub(crate) struct ByteValues<'a> {
    nulls: Option<NullBuffer>,
    values: Values<'a>,
}

enum Values<'a> {
    Array(Box<dyn Fn(usize) -> &'a [u8] + 'a>),
    /// Native values end to end, each so many bytes wide.
    Native {
        bytes: Buffer,
        width: usize,
    },
}

impl<'a> ByteValues<'a> {
    /// A reader of `array`, which is not dictionary-encoded.
    pub(crate) fn new(array: &'a ArrayRef) -> Result<Self> {
        let values = match array.data_type() {
            DataType::Utf8 => {
                let array = array.as_bytes::<Utf8Type>();
                Values::Array(Box::new(move |row| array.value(row).as_bytes()))
            }
            DataType::LargeUtf8 => {
                let array = array.as_bytes::<LargeUtf8Type>();
                Values::Array(Box::new(move |row| array.value(row).as_bytes()))
            }
            DataType::Utf8View => {
                let array = array.as_byte_view::<StringViewType>();
                Values::Array(Box::new(move |row| array.value(row).as_bytes()))
            }
            DataType::Binary => {
                let array = array.as_bytes::<BinaryType>();
                Values::Array(Box::new(move |row| array.value(row)))
            }
            DataType::LargeBinary => {
                let array = array.as_bytes::<LargeBinaryType>();
                Values::Array(Box::new(move |row| array.value(row)))
            }
            DataType::BinaryView => {
                let array = array.as_byte_view::<BinaryViewType>();
                Values::Array(Box::new(move |row| array.value(row)))
            }
            DataType::FixedSizeBinary(_) => {
                let array = array.as_fixed_size_binary();
                Values::Array(Box::new(move |row| array.value(row)))
            }
            other => {
                let (data, width) = (array.to_data(), byte_width(other)?);
                let bytes = data.buffers()[0].slice(data.offset() * width);
                Values::Native { bytes, width }
            }
        };
        Ok(Self { nulls: array.logical_nulls(), values })
    }

    /// The bytes of row `row`; `None` for NULL.
    pub(crate) fn get(&self, row: usize) -> Option<&[u8]> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return None;
        }
        Some(match &self.values {
            Values::Array(value) => value(row),
            Values::Native { bytes, width } => &bytes.as_slice()[row * width..][..*width],
        })
    }
}

/// An array of `data_type` of these values.
pub(crate) fn array_of(data_type: &DataType, values: &[Option<&[u8]>]) -> Result<ArrayRef> {
    match data_type {
        DataType::Null => Ok(new_null_array(data_type, values.len())),
        DataType::Utf8 | DataType::Binary => offsets_array::<i32>(data_type, values),
        DataType::LargeUtf8 | DataType::LargeBinary => offsets_array::<i64>(data_type, values),
        DataType::Utf8View => {
            let large = offsets_array::<i64>(&DataType::LargeUtf8, values)?;
            Ok(arrow::compute::cast(&large, data_type)?)
        }
        DataType::BinaryView => {
            let large = offsets_array::<i64>(&DataType::LargeBinary, values)?;
            Ok(arrow::compute::cast(&large, data_type)?)
        }
        _ => fixed_width_array(data_type, values),
    }
}

fn offsets_array<O: OffsetSizeTrait>(
    data_type: &DataType,
    values: &[Option<&[u8]>],
) -> Result<ArrayRef> {
    let total: usize = values.iter().flatten().map(|value| value.len()).sum();
    if O::from_usize(total).is_none() {
        return Err(Error::unsupported("more than 2 GiB of text in one batch"));
    }
    let mut offsets = BufferBuilder::<O>::new(values.len() + 1);
    let mut bytes = MutableBuffer::with_capacity(total);
    offsets.append(O::usize_as(0));
    for value in values {
        bytes.extend_from_slice(value.unwrap_or_default());
        offsets.append(O::usize_as(bytes.len()));
    }
    finish(data_type, values, vec![offsets.finish(), bytes.into()])
}

fn fixed_width_array(data_type: &DataType, values: &[Option<&[u8]>]) -> Result<ArrayRef> {
    let width = byte_width(data_type)?;
    let mut bytes = MutableBuffer::with_capacity(values.len() * width);
    for value in values {
        match value {
            Some(value) => bytes.extend_from_slice(value),
            None => bytes.extend_zeros(width),
        }
    }
    finish(data_type, values, vec![bytes.into()])
}

fn finish(
    data_type: &DataType,
    values: &[Option<&[u8]>],
    buffers: Vec<Buffer>,
) -> Result<ArrayRef> {
    let mut valid = BooleanBufferBuilder::new(values.len());
    values.iter().for_each(|value| valid.append(value.is_some()));
    let nulls = NullBuffer::new(valid.finish());
    let data = ArrayData::builder(data_type.clone())
        .len(values.len())
        .buffers(buffers)
        .nulls(Some(nulls).filter(|nulls| nulls.null_count() > 0))
        .build()?;
    Ok(make_array(data))
}

fn byte_width(data_type: &DataType) -> Result<usize> {
    match data_type {
        DataType::FixedSizeBinary(width) => Ok(*width as usize),
        other => other
            .primitive_width()
            .ok_or_else(|| Error::unsupported(format!("a key of type {other}"))),
    }
}
