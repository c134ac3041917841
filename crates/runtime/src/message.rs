//! One batch as bytes and back: its dictionaries and the batch, as Arrow IPC messages, with LZ4 where that
//! at least halves them.
//!
//! ```text
//!   blob = [dictionary message]* [record batch message]     read whole, independent of its neighbours
//! ```
//!
//! The schema is not in the blob: a [`Format`] in memory has it. Row boundaries and types come back as
//! they went in, so that what an operator computes does not depend on whether its input was spilled.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Int32Array};
use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::buffer::Buffer;
use arrow::compute::filter;
use arrow::datatypes::{DataType, Int32Type, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::convert::try_fb_to_schema;
use arrow::ipc::reader::FileDecoder;
use arrow::ipc::writer::{
    DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions, write_message,
};
use arrow::ipc::{
    Block, CompressionType, Message, MessageHeader, MetadataVersion, root_as_message,
};

use crate::measure::batch_bytes;

/// The physical schema that some batches share, and how it is numbered on disk.
#[derive(Clone, Debug)]
pub(crate) struct Format {
    /// The schema of the batches.
    schema: SchemaRef,
    /// The same with the ids that IPC gave to the dictionaries.
    wire: SchemaRef,
}

impl Format {
    pub(crate) fn new(schema: SchemaRef) -> Result<Self, ArrowError> {
        let mut tracker = DictionaryTracker::new(false);
        let encoded = IpcDataGenerator::default().schema_to_bytes_with_dictionary_tracker(
            &schema,
            &mut tracker,
            &IpcWriteOptions::default(),
        );
        let message = root_as_message(&encoded.ipc_message).map_err(corrupt)?;
        let header = message.header_as_schema().ok_or_else(|| corrupt("no schema"))?;
        Ok(Self { schema, wire: Arc::new(try_fb_to_schema(header)?) })
    }

    pub(crate) fn is_of(&self, schema: &SchemaRef) -> bool {
        Arc::ptr_eq(&self.schema, schema) || self.schema == *schema
    }

    /// The batch in `blob`. The decoder panics on some bytes that are no batch: that is an error as well.
    pub(crate) fn decode(&self, blob: &Buffer) -> Result<RecordBatch, ArrowError> {
        catch_unwind(AssertUnwindSafe(|| self.decoded(blob)))
            .unwrap_or_else(|_| Err(corrupt("the decoder gave up")))
    }

    fn decoded(&self, blob: &Buffer) -> Result<RecordBatch, ArrowError> {
        let mut decoder = FileDecoder::new(self.wire.clone(), MetadataVersion::V5);
        let mut at = 0;
        while at < blob.len() {
            let rest = blob.slice(at);
            let (block, header) = next_message(&rest)?;
            at += block.metaDataLength() as usize + block.bodyLength() as usize;
            if header == MessageHeader::DictionaryBatch {
                decoder.read_dictionary(&block, &rest)?;
                continue;
            }
            let batch =
                decoder.read_record_batch(&block, &rest)?.ok_or_else(|| corrupt("no batch"))?;
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let columns = batch.columns().to_vec();
            return RecordBatch::try_new_with_options(self.schema.clone(), columns, &options);
        }
        Err(corrupt("no batch"))
    }
}

/// The batch in bytes that may be anything, for tests: what the checksum of a spill file keeps away from the decoder.
pub fn decode_any(schema: SchemaRef, blob: &[u8]) -> Result<RecordBatch, ArrowError> {
    Format::new(schema)?.decode(&Buffer::from_slice_ref(blob))
}

/// A batch as bytes that [`decode_any`] reads.
pub fn encode_any(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut blob = Vec::new();
    Encoder::new()?.encode(batch, &mut blob)?;
    Ok(blob)
}

/// A batch of which LZ4 leaves more than this share is not worth compressing. Measured on one core, page
/// cache warm: prices as `Float64` shrink to 0.58 and are written at 250 MB/s and read at 600 MB/s; as they
/// are, at 1500 and 3000. Halving the bytes is where a disk of some 200 MB/s breaks even.
const WORTHWHILE: f64 = 0.5;
/// After such a batch, so many are written as they are before compression is tried again.
const PLAIN_RUN: u32 = 63;

/// Encodes batches; keeps its buffers between them.
pub(crate) struct Encoder {
    compressed: IpcWriteOptions,
    plain: IpcWriteOptions,
    /// Batches that are still to be written without compression.
    plain_run: u32,
    context: IpcWriteContext,
}

impl Encoder {
    pub(crate) fn new() -> Result<Self, ArrowError> {
        let plain = IpcWriteOptions::default();
        let compressed = plain.clone().try_with_compression(Some(CompressionType::LZ4_FRAME))?;
        Ok(Self { compressed, plain, plain_run: 0, context: IpcWriteContext::default() })
    }

    /// Appends the blob of `batch` to `out`.
    pub(crate) fn encode(
        &mut self,
        batch: &RecordBatch,
        out: &mut Vec<u8>,
    ) -> Result<(), ArrowError> {
        if self.plain_run > 0 {
            self.plain_run -= 1;
            return encode_with(&self.plain, &mut self.context, batch, out);
        }
        let start = out.len();
        encode_with(&self.compressed, &mut self.context, batch, out)?;
        if (out.len() - start) as f64 > WORTHWHILE * batch_bytes(batch) as f64 {
            self.plain_run = PLAIN_RUN;
        }
        Ok(())
    }
}

fn encode_with(
    options: &IpcWriteOptions,
    context: &mut IpcWriteContext,
    batch: &RecordBatch,
    out: &mut Vec<u8>,
) -> Result<(), ArrowError> {
    let batch = compact(batch)?;
    let generator = IpcDataGenerator::default();
    let mut tracker = DictionaryTracker::new(false);
    // Only for the numbering of the dictionaries, which is that of the format.
    generator.schema_to_bytes_with_dictionary_tracker(batch.schema_ref(), &mut tracker, options);
    let (dictionaries, body) = generator.encode(&batch, &mut tracker, options, context)?;
    for message in dictionaries.into_iter().chain([body]) {
        write_message(&mut *out, message, options)?;
    }
    Ok(())
}

/// The place and kind of the message that `bytes` starts with.
fn next_message(bytes: &[u8]) -> Result<(Block, MessageHeader), ArrowError> {
    let length = bytes.get(4..8).and_then(|length| length.try_into().ok()).map(i32::from_le_bytes);
    let metadata = length.filter(|length| *length > 0).ok_or_else(|| corrupt("no message"))?;
    let start = 8 + metadata as usize;
    let message = root_as_message(bytes.get(8..start).ok_or_else(|| corrupt("cut short"))?)
        .map_err(corrupt)?;
    let body = message.bodyLength();
    if body < 0 || body as u64 > (bytes.len() - start) as u64 {
        return Err(corrupt("cut short"));
    }
    check_lengths(&message, &bytes[start..start + body as usize])?;
    Ok((Block::new(0, start as i32, body), message.header_type()))
}

/// LZ4 makes no more of a byte than this; room for more than that is not made.
const LZ4_MOST: u64 = 255;

/// Looks at the lengths that compressed buffers say they have: the decoder believes them.
fn check_lengths(message: &Message<'_>, body: &[u8]) -> Result<(), ArrowError> {
    let dictionary = || message.header_as_dictionary_batch().and_then(|batch| batch.data());
    let batch = message.header_as_record_batch().or_else(dictionary);
    let Some(batch) = batch.filter(|batch| batch.compression().is_some()) else { return Ok(()) };
    for buffer in batch.buffers().into_iter().flatten() {
        let (offset, length) = (buffer.offset() as usize, buffer.length() as usize);
        let end = offset.checked_add(length).ok_or_else(|| corrupt("cut short"))?;
        let bytes = body.get(offset..end).ok_or_else(|| corrupt("cut short"))?;
        let Some((said, packed)) = bytes.split_first_chunk() else { continue };
        // -1 says that the bytes are as they were.
        let said = i64::from_le_bytes(*said);
        if said < -1 || said.max(0) as u64 > LZ4_MOST * (packed.len() as u64 + 1) {
            return Err(corrupt("a buffer has a length that cannot be"));
        }
    }
    Ok(())
}

fn corrupt(reason: impl std::fmt::Display) -> ArrowError {
    ArrowError::IpcError(format!("not an encoded batch: {reason}"))
}

/// Drops what the rows do not use: values of a dictionary that is larger than the batch, as after a
/// shuffle, and the text that sliced views keep alive.
fn compact(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().map(compact_column).collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), columns, &options)
}

fn compact_column(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match column.data_type() {
        DataType::Dictionary(key, _) if **key == DataType::Int32 => {
            let dictionary = column.as_dictionary::<Int32Type>();
            if dictionary.values().len() <= dictionary.len() {
                return Ok(column.clone());
            }
            compact_dictionary(dictionary)
        }
        DataType::Utf8View => Ok(Arc::new(column.as_string_view().gc())),
        DataType::BinaryView => Ok(Arc::new(column.as_binary_view().gc())),
        _ => Ok(column.clone()),
    }
}

fn compact_dictionary(dictionary: &DictionaryArray<Int32Type>) -> Result<ArrayRef, ArrowError> {
    let used = dictionary.occupancy();
    let mut places = vec![0_i32; used.len()];
    for (place, old) in used.set_indices().enumerate() {
        places[old] = place as i32;
    }
    // The key of a NULL row may be anything.
    let place = |key: i32| usize::try_from(key).ok().and_then(|key| places.get(key)).copied();
    let keys: Int32Array = dictionary.keys().unary(|key| place(key).unwrap_or(0));
    let values = filter(dictionary.values(), &BooleanArray::new(used, None))?;
    Ok(Arc::new(DictionaryArray::try_new(keys, values)?))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Decimal128Array, Int64Array, ListArray, StringArray, StringViewArray};
    use arrow::datatypes::{Field, Int64Type, Schema};

    use super::*;

    fn round_trip(batch: &RecordBatch) -> (RecordBatch, usize) {
        let mut blob = Vec::new();
        Encoder::new().unwrap().encode(batch, &mut blob).unwrap();
        let bytes = blob.len();
        let format = Format::new(batch.schema()).unwrap();
        (format.decode(&Buffer::from_vec(blob)).unwrap(), bytes)
    }

    fn mixed() -> RecordBatch {
        let rows = 1000_i32;
        let keys = Int32Array::from_iter((0..rows).map(|i| (i % 7 != 0).then_some(i % 5)));
        let values: ArrayRef = Arc::new(StringArray::from(vec!["a", "bb", "ccc", "", "e"]));
        let columns: Vec<(&str, ArrayRef)> = vec![
            (
                "i",
                Arc::new(Int64Array::from_iter(
                    (0..rows).map(|i| (i % 3 != 0).then_some(i.into())),
                )),
            ),
            ("d", Arc::new(DictionaryArray::new(keys, values))),
            (
                "v",
                Arc::new(StringViewArray::from_iter_values(
                    (0..rows).map(|i| format!("a long enough text {i}")),
                )),
            ),
            ("m", Arc::new(Decimal128Array::from_iter_values((0..rows).map(i128::from)))),
            (
                "l",
                Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(
                    (0..rows).map(|i| Some(vec![Some(i64::from(i)), None])),
                )),
            ),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn comes_back_as_it_was() {
        let batch = mixed();
        let (back, _) = round_trip(&batch);
        assert_eq!(back, batch);
        assert_eq!(back.schema(), batch.schema());
        for (offset, length) in [(0, 0), (3, 1), (999, 1), (100, 500)] {
            assert_eq!(round_trip(&batch.slice(offset, length)).0, batch.slice(offset, length));
        }
    }

    #[test]
    fn rows_without_columns_are_counted() {
        let options = RecordBatchOptions::new().with_row_count(Some(42));
        let batch = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options);
        assert_eq!(round_trip(&batch.unwrap()).0.num_rows(), 42);
    }

    #[test]
    fn unused_dictionary_values_stay_behind() {
        let values = StringArray::from_iter_values((0..100_000).map(|i| format!("value {i}")));
        let keys = Int32Array::from(vec![Some(7), None, Some(99_999), Some(7)]);
        let column: ArrayRef = Arc::new(DictionaryArray::new(keys, Arc::new(values)));
        let batch = RecordBatch::try_from_iter([("d", column)]).unwrap();
        let (back, bytes) = round_trip(&batch);
        assert!(bytes < 4096, "{bytes}");
        let text = arrow::compute::cast(back.column(0), &DataType::Utf8).unwrap();
        let expected = vec![Some("value 7"), None, Some("value 99999"), Some("value 7")];
        assert_eq!(text.as_string::<i32>(), &StringArray::from(expected));
        assert_eq!(back.schema(), batch.schema());
    }

    #[test]
    fn a_null_behind_a_key_stays_null() {
        let values: ArrayRef =
            Arc::new(StringArray::from(vec![Some("a"), None, Some("c"), Some("d")]));
        let keys = Int32Array::from(vec![1, 2]);
        let column: ArrayRef = Arc::new(DictionaryArray::new(keys, values));
        let batch = RecordBatch::try_from_iter_with_nullable([("d", column, true)]).unwrap();
        let text = arrow::compute::cast(round_trip(&batch).0.column(0), &DataType::Utf8).unwrap();
        assert_eq!(text.as_string::<i32>(), &StringArray::from(vec![None, Some("c")]));
    }

    #[test]
    fn what_does_not_compress_is_written_as_it_is() {
        let random = (0..10_000_i64).map(|i| i.wrapping_mul(0x1E37_79B9_7F4A_7C15) ^ (i << 40));
        let noise: ArrayRef = Arc::new(Int64Array::from_iter_values(random));
        let flat: ArrayRef = Arc::new(Int64Array::from_iter_values((0..10_000).map(|i| i % 10)));
        let batches =
            [noise, flat].map(|column| RecordBatch::try_from_iter([("a", column)]).unwrap());
        let format = Format::new(batches[0].schema()).unwrap();
        let mut encoder = Encoder::new().unwrap();
        let mut encode = |batch: &RecordBatch| {
            let mut blob = Vec::new();
            encoder.encode(batch, &mut blob).unwrap();
            assert_eq!(format.decode(&Buffer::from_slice_ref(&blob)).unwrap(), *batch);
            blob.len()
        };
        assert!(encode(&batches[1]) < 10_000);
        assert!(encode(&batches[0]) >= 80_000);
        for _ in 0..PLAIN_RUN {
            assert!(encode(&batches[1]) >= 80_000, "not compressed for a while");
        }
        assert!(encode(&batches[1]) < 10_000, "tried again");
    }

    #[test]
    fn garbage_is_an_error() {
        let format =
            Format::new(Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true)])));
        let format = format.unwrap();
        for garbage in [vec![], vec![0; 3], vec![0; 64], vec![0xff; 64], vec![1; 4096]] {
            assert!(format.decode(&Buffer::from_vec(garbage)).is_err());
        }
    }
}
