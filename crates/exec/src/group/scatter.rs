//! Moving rows to their buckets, a column at a time.
//!
//! ```text
//!   batches --hash--> bucket of each row --count--> its destination
//!   numbers:   out[destination[row]] = value[row]      reads and writes run forward, per bucket
//!   the rest:  arrow's interleave, in the order of the destinations
//! ```
//!
//! Every write goes to the end of one of a few hundred runs, so that whole cache lines fill up.

use std::sync::Arc;

use arrow::array::{Array, ArrayData, ArrayRef, AsArray, RecordBatch, make_array};
use arrow::buffer::Buffer;
use arrow::compute::{cast, interleave};
use arrow::datatypes::{ArrowNativeType, DataType, Field};
use arrow::error::ArrowError;
use dframe_core::Result;

use super::key_column::hash_rows;
use super::radix::{Cut, Radix};
use crate::pipeline::batch_of;

/// The rows of `batches`, a batch per bucket, all of them slices of one; or as they are, where there is one bucket.
/// The columns `keys` are the keys.
pub(crate) fn scatter(
    batches: &[RecordBatch],
    keys: &[usize],
    radix: Radix,
) -> Result<Vec<(u32, RecordBatch)>> {
    let Some(first) = batches.first() else { return Ok(Vec::new()) };
    // Dictionaries of many batches become one, of those values that are there.
    let is_plain = |field: &Arc<Field>| !matches!(field.data_type(), DataType::Dictionary(..));
    if radix.buckets() == 1 && first.schema().fields().iter().all(is_plain) {
        return Ok(batches.iter().map(|batch| (0, batch.clone())).collect());
    }
    let mut hashes = Vec::new();
    for batch in batches {
        hashes.extend(key_hashes(batch, keys)?);
    }
    let rows = Rows { batches, cut: radix.cut(&hashes) };
    drop(hashes);
    let columns = (0..first.num_columns()).map(|column| rows.column(column));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let scattered = batch_of(&first.schema(), columns, rows.cut.destinations().len())?;
    Ok(rows.cut.slices(&scattered))
}

/// Bytes per row, about, that [`scatter`] needs besides the rows.
pub(crate) const SCATTER_ROW_BYTES: usize = 32;

/// The hash of each row's key.
fn key_hashes(batch: &RecordBatch, keys: &[usize]) -> Result<Vec<u64>> {
    let mut hashes = vec![0; batch.num_rows()];
    for key in keys {
        hash_rows(batch.column(*key), &mut hashes)?;
    }
    Ok(hashes)
}

struct Rows<'a> {
    batches: &'a [RecordBatch],
    cut: Cut,
}

impl Rows<'_> {
    /// One column of all batches, in the order of the buckets.
    fn column(&self, column: usize) -> Result<ArrayRef> {
        let arrays = alike(self.batches.iter().map(|batch| batch.column(column).clone()))?;
        let arrays: Vec<&ArrayRef> = arrays.iter().collect();
        let nulls = arrays.iter().any(|array| array.null_count() > 0);
        let width = match arrays[0].data_type() {
            DataType::Utf8View if arrays.iter().all(in_views) => Some(size_of::<u128>()),
            data_type => data_type.primitive_width(),
        };
        Ok(match width.filter(|_| !nulls) {
            Some(1) => self.numbers::<u8>(&arrays)?,
            Some(2) => self.numbers::<u16>(&arrays)?,
            Some(4) => self.numbers::<u32>(&arrays)?,
            Some(8) => self.numbers::<u64>(&arrays)?,
            Some(16) => self.numbers::<i128>(&arrays)?,
            _ => self.any(&arrays)?,
        })
    }

    /// Numbers without NULLs, of the width of `T`; or views that hold their texts.
    fn numbers<T: ArrowNativeType + Default>(&self, arrays: &[&ArrayRef]) -> Result<ArrayRef> {
        let mut destinations = self.cut.destinations();
        let mut output = vec![T::default(); destinations.len()];
        for array in arrays {
            let data = array.to_data();
            let values = &data.buffer::<T>(0)[..data.len()];
            let (own, rest) = destinations.split_at(values.len());
            for (value, destination) in values.iter().zip(own) {
                output[*destination as usize] = *value;
            }
            destinations = rest;
        }
        let data_type: &DataType = arrays[0].data_type();
        let data = ArrayData::builder(data_type.clone()).len(output.len());
        Ok(make_array(data.add_buffer(Buffer::from_vec(output)).build()?))
    }

    fn any(&self, arrays: &[&ArrayRef]) -> Result<ArrayRef> {
        let mut places = vec![(0, 0); self.cut.destinations().len()];
        let rows = arrays.iter().enumerate();
        let rows = rows.flat_map(|(array, rows)| (0..rows.len()).map(move |row| (array, row)));
        for (place, destination) in rows.zip(self.cut.destinations()) {
            places[*destination as usize] = place;
        }
        let arrays: Vec<&dyn Array> = arrays.iter().map(|array| Arc::as_ref(array)).collect();
        Ok(interleave(&arrays, &places)?)
    }
}

/// The arrays in one type: texts travel as views, dictionaries or plain, as each batch had them.
fn alike(arrays: impl Iterator<Item = ArrayRef>) -> Result<Vec<ArrayRef>> {
    let arrays: Vec<ArrayRef> = arrays.collect();
    let first = arrays[0].data_type();
    if arrays.iter().all(|array| array.data_type() == first) {
        return Ok(arrays);
    }
    let plain = match first {
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        DataType::Utf8View => DataType::Utf8,
        other => other.clone(),
    };
    Ok(arrays.iter().map(|array| cast(array, &plain)).collect::<Result<_, ArrowError>>()?)
}

/// Whether all texts are in the views themselves.
fn in_views(array: &&ArrayRef) -> bool {
    array.as_string_view().data_buffers().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::Int64Type;
    use std::sync::Arc;

    #[test]
    fn every_row_is_in_the_bucket_of_its_key_and_in_order() {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter((0..1000).map(|i| Some(i % 37))));
        let order: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1000));
        let batch = RecordBatch::try_from_iter([("k", numbers), ("i", order)]).expect("valid");
        let buckets = scatter(&[batch.slice(0, 400), batch.slice(400, 600)], &[0], Radix::first(8))
            .expect("scatters");
        let mut bucket_of_key = [None; 37];
        let mut rows = 0;
        for (bucket, batch) in &buckets {
            rows += batch.num_rows();
            let order = batch.column(1).as_primitive::<Int64Type>().values();
            assert!(order.is_sorted());
            for key in batch.column(0).as_primitive::<Int64Type>().values() {
                assert_eq!(*bucket_of_key[*key as usize].get_or_insert(*bucket), *bucket);
            }
        }
        assert_eq!(rows, 1000);
        assert!(buckets.len() > 4, "37 keys fall into more than 4 of 8 buckets");
    }

    #[test]
    fn texts_of_several_types_are_scattered_as_texts() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let batches = [DataType::Utf8View, DataType::Utf8, dictionary].map(|data_type| {
            let array = cast(&texts, &data_type).expect("casts");
            RecordBatch::try_from_iter([("k", array)]).expect("valid")
        });
        let buckets = scatter(&batches, &[0], Radix::first(8)).expect("scatters");
        let texts = buckets.iter().flat_map(|(_, batch)| batch.column(0).as_string::<i32>());
        let mut texts: Vec<&str> = texts.flatten().collect();
        texts.sort_unstable();
        assert_eq!(texts, ["a", "a", "a", "b", "b", "b", "c", "c", "c"]);
    }

    #[test]
    fn dictionaries_hash_as_their_values() {
        let plain: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("b")]));
        let dictionary = arrow::compute::cast(
            &plain,
            &arrow::datatypes::DataType::Dictionary(
                Box::new(arrow::datatypes::DataType::Int32),
                Box::new(arrow::datatypes::DataType::Utf8),
            ),
        )
        .expect("casts");
        let (mut left, mut right) = (vec![0; 3], vec![0; 3]);
        hash_rows(&plain, &mut left).expect("hashes");
        hash_rows(&dictionary, &mut right).expect("hashes");
        assert_eq!(left, right);
    }
}
