//! Makes arrays of the bytes that were planned: without a copy, unless they are compressed or were cut
//! out of the middle.
//!
//! Everything is validated: offsets, dictionary keys, UTF-8. What a compressed buffer claims to be
//! once it is not is checked against what has been reserved before it is allocated.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::Read;

use arrow::array::{ArrayData, ArrayRef, StructArray, make_array, new_empty_array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::datatypes::{DataType, Fields};
use arrow::ipc::CompressionType;
use bytes::Bytes;
use dframe_core::{Error, Fetched, Result};

use super::corrupt;
use super::planned::{Part, Planned};

/// Before a compressed buffer: the bytes that it has when it is not.
pub(super) const PREFIX: u64 = 8;

/// The bytes that a compressed buffer will have, told by its first bytes; 0 if it is stored as it is.
pub(super) fn inflated(prefix: &[u8]) -> Result<u64> {
    let length = prefix.first_chunk().map(|bytes| i64::from_le_bytes(*bytes));
    match length {
        Some(-1) => Ok(0),
        Some(length) if (0..1 << 48).contains(&length) => Ok(length as u64),
        _ => Err(corrupt("a compressed buffer", "its length is none")),
    }
}

/// Makes arrays.
pub(super) struct Arrays<'a> {
    pub(super) fetched: &'a Fetched,
    pub(super) codec: Option<CompressionType>,
    pub(super) dictionaries: &'a HashMap<i64, ArrayRef>,
    /// The bytes that may still be allocated for what was compressed.
    pub(super) allowed: &'a Cell<u64>,
    pub(super) zstd: &'a RefCell<Option<zstd::bulk::Decompressor<'static>>>,
}

impl Arrays<'_> {
    /// The array.
    pub(super) fn make(&self, planned: &Planned) -> Result<ArrayRef> {
        use DataType::*;
        match &planned.data_type {
            Struct(fields) => self.structs(fields, planned),
            Union(..) => Err(Error::internal("a union was to be decoded")),
            _ => self.array_data(planned).map(make_array),
        }
    }

    /// The keys of a column that is a dictionary.
    pub(super) fn keys(&self, planned: &Planned, keys: &DataType) -> Result<ArrayRef> {
        let nulls = planned.parts.first().filter(|_| planned.has_nulls);
        let builder = ArrayData::builder(keys.clone())
            .len(planned.rows)
            .null_bit_buffer(nulls.map(|part| self.buffer(part)).transpose()?)
            .buffers(planned.parts.iter().skip(1).map(|p| self.buffer(p)).collect::<Result<_>>()?);
        Ok(make_array(builder.align_buffers(true).build()?))
    }

    fn array_data(&self, planned: &Planned) -> Result<ArrayData> {
        let mut builder = ArrayData::builder(planned.data_type.clone()).len(planned.rows);
        let has_validity =
            !matches!(planned.data_type, DataType::RunEndEncoded(..) | DataType::Null);
        let mut parts = planned.parts.iter();
        if has_validity {
            let validity = parts.next().filter(|_| planned.has_nulls);
            builder = builder.null_bit_buffer(validity.map(|part| self.buffer(part)).transpose()?);
        }
        let mut buffers = parts.map(|part| self.buffer(part)).collect::<Result<Vec<_>>>()?;
        rebase(planned, &mut buffers);
        builder = builder.buffers(buffers);
        for child in &planned.children {
            builder = builder.add_child_data(self.make(child)?.to_data());
        }
        if let Some(id) = planned.dictionary {
            builder = builder.add_child_data(self.dictionary(id, &planned.data_type).to_data());
        }
        Ok(builder.align_buffers(true).build()?)
    }

    /// The values of a dictionary. A writer leaves out one of which no value is used.
    fn dictionary(&self, id: i64, data_type: &DataType) -> ArrayRef {
        let values = self.dictionaries.get(&id).cloned();
        values.unwrap_or_else(|| match data_type {
            DataType::Dictionary(_, values) => new_empty_array(values),
            other => new_empty_array(other),
        })
    }

    /// A struct may have no field, and then only its own node knows how many rows there are.
    fn structs(&self, fields: &Fields, planned: &Planned) -> Result<ArrayRef> {
        let validity = planned.parts.first().filter(|_| planned.has_nulls);
        let nulls = validity.map(|part| self.buffer(part)).transpose()?;
        if nulls.as_ref().is_some_and(|nulls| nulls.len() < planned.rows.div_ceil(8)) {
            return Err(corrupt("a column", "a bitmap is shorter than its rows"));
        }
        let nulls = nulls.map(|nulls| NullBuffer::new(BooleanBuffer::new(nulls, 0, planned.rows)));
        let children = planned.children.iter().map(|child| self.make(child));
        let children = children.collect::<Result<Vec<_>>>()?;
        if children.is_empty() {
            return Ok(std::sync::Arc::new(StructArray::new_empty_fields(planned.rows, nulls)));
        }
        Ok(std::sync::Arc::new(StructArray::try_new(fields.clone(), children, nulls)?))
    }

    fn buffer(&self, part: &Part) -> Result<Buffer> {
        let length = (part.bytes.end - part.bytes.start) as usize;
        if length == 0 {
            return Ok(Buffer::from(Vec::<u8>::new()));
        }
        let bytes = self.fetched.slice(part.bytes.start, length);
        let bytes = bytes.ok_or_else(|| Error::internal("a buffer was not fetched"))?;
        match self.codec {
            None => Ok(Buffer::from(bytes)),
            Some(codec) => self.inflate(bytes, codec),
        }
    }

    fn inflate(&self, bytes: Bytes, codec: CompressionType) -> Result<Buffer> {
        let length = inflated(&bytes)?;
        let packed = bytes.slice(PREFIX as usize..);
        if bytes.first_chunk() == Some(&(-1_i64).to_le_bytes()) {
            return Ok(Buffer::from(packed));
        }
        let left = self.allowed.get().checked_sub(length);
        self.allowed.set(left.ok_or_else(|| {
            corrupt("a compressed buffer", "it is larger than when the query began")
        })?);
        let failed = |error| corrupt("a compressed buffer", error);
        let text = match codec {
            CompressionType::LZ4_FRAME => unpack_lz4(&packed, length).map_err(failed)?,
            CompressionType::ZSTD => self.unpack_zstd(&packed, length as usize).map_err(failed)?,
            other => return Err(Error::unsupported(format!("compression by {other:?}"))),
        };
        match text.len() as u64 == length {
            true => Ok(Buffer::from_vec(text)),
            false => Err(corrupt("a compressed buffer", "it is not as long as it says")),
        }
    }

    fn unpack_zstd(&self, packed: &[u8], length: usize) -> std::io::Result<Vec<u8>> {
        let mut decompressor = self.zstd.borrow_mut();
        if decompressor.is_none() {
            *decompressor = Some(zstd::bulk::Decompressor::new()?);
        }
        match decompressor.as_mut() {
            Some(decompressor) => decompressor.decompress(packed, length),
            None => Ok(Vec::new()),
        }
    }
}

fn unpack_lz4(packed: &[u8], length: u64) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(length as usize);
    lz4_flex::frame::FrameDecoder::new(packed).take(length).read_to_end(&mut text)?;
    Ok(text)
}

/// Makes offsets of a batch that was cut count from the beginning of what was read. Buffers are those
/// after the validity.
fn rebase(planned: &Planned, buffers: &mut [Buffer]) {
    use DataType::*;
    let bases: Vec<u64> = planned.parts.iter().skip(1).map(|part| part.base).collect();
    if bases.iter().all(|base| *base == 0) {
        return;
    }
    match &planned.data_type {
        Utf8 | Binary | List(_) | Map(..) => buffers[0] = less::<4>(&buffers[0], bases[0]),
        LargeUtf8 | LargeBinary | LargeList(_) => buffers[0] = less::<8>(&buffers[0], bases[0]),
        Utf8View | BinaryView => buffers[0] = views_less(&buffers[0], &bases[1..]),
        _ => (),
    }
}

/// Numbers of so many bytes, each less by `base`. What wraps around is found by the validation.
fn less<const WIDTH: usize>(numbers: &Buffer, base: u64) -> Buffer {
    let mut out = Vec::with_capacity(numbers.len());
    for number in numbers.as_chunks::<WIDTH>().0 {
        let mut value = [0; 8];
        value[..WIDTH].copy_from_slice(number);
        let value = u64::from_le_bytes(value).wrapping_sub(base).to_le_bytes();
        out.extend_from_slice(&value[..WIDTH]);
    }
    Buffer::from_vec(out)
}

/// Views with the offsets in their buffers less by what was left out of these.
fn views_less(views: &Buffer, bases: &[u64]) -> Buffer {
    const INLINE: u32 = 12;
    let mut out = views.to_vec();
    for view in out.as_chunks_mut::<16>().0 {
        let word = |at: usize| view[at..].first_chunk().map_or(0, |word| u32::from_le_bytes(*word));
        let (length, buffer, offset) = (word(0), word(8), word(12));
        if length > INLINE
            && let Some(base) = bases.get(buffer as usize)
        {
            let offset = offset.wrapping_sub(*base as u32);
            view[12..].copy_from_slice(&offset.to_le_bytes());
        }
    }
    Buffer::from_vec(out)
}
