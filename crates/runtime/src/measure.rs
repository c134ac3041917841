//! How much memory a batch is worth: the bytes its rows use, not the bytes its buffers keep alive.
//!
//! Slices of one buffer would otherwise each count the whole buffer, and every batch of a shuffle the
//! whole dictionary. A dictionary counts in proportion to the rows that may use it, never more than once.

use arrow::array::{Array, ArrayRef, AsArray, OffsetSizeTrait, RecordBatch};
use arrow::datatypes::DataType;

/// The bytes of memory that the rows of `batch` use, about.
pub fn batch_bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(array_bytes).sum()
}

fn array_bytes(array: &ArrayRef) -> usize {
    let validity = array.nulls().map_or(0, |_| array.len().div_ceil(8));
    match array.data_type() {
        DataType::Dictionary(_, _) => dictionary_bytes(array),
        DataType::Utf8View => {
            let views = array.as_string_view();
            validity + views.len() * 16 + views.total_buffer_bytes_used()
        }
        DataType::BinaryView => {
            let views = array.as_binary_view();
            validity + views.len() * 16 + views.total_buffer_bytes_used()
        }
        DataType::List(_) => validity + list_bytes::<i32>(array),
        DataType::LargeList(_) => validity + list_bytes::<i64>(array),
        DataType::Struct(_) => {
            let columns = array.as_struct().columns();
            validity + columns.iter().map(array_bytes).sum::<usize>()
        }
        _ => array
            .to_data()
            .get_slice_memory_size()
            .unwrap_or_else(|_| array.get_array_memory_size()),
    }
}

/// The offsets, and the items between the first and the last of them: `arrow` would count all items.
fn list_bytes<O: OffsetSizeTrait>(array: &ArrayRef) -> usize {
    let list = array.as_list::<O>();
    let offsets = list.value_offsets();
    let (first, last) = (offsets[0].as_usize(), offsets[list.len()].as_usize());
    size_of_val(offsets) + array_bytes(&list.values().slice(first, last - first))
}

fn dictionary_bytes(array: &ArrayRef) -> usize {
    let dictionary = array.as_any_dictionary();
    let (keys, values) = (dictionary.keys(), dictionary.values());
    let keys_bytes = keys.to_data().get_slice_memory_size().unwrap_or(keys.len() * 8);
    let values_bytes = array_bytes(values);
    if values.len() <= array.len() {
        return keys_bytes + values_bytes;
    }
    keys_bytes + (values_bytes as u128 * array.len() as u128 / values.len() as u128) as usize
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        DictionaryArray, Int32Array, Int64Array, ListArray, StringArray, StringViewArray,
        StructArray,
    };
    use arrow::datatypes::{Field, Int64Type};

    use super::*;

    fn bytes_of(array: ArrayRef) -> usize {
        array_bytes(&array)
    }

    #[test]
    fn a_slice_counts_its_rows_only() {
        let whole = Int64Array::from_iter_values(0..1000);
        assert_eq!(bytes_of(Arc::new(whole.slice(10, 100))), 800);
        let text = StringArray::from_iter_values((0..1000).map(|_| "0123456789"));
        assert_eq!(bytes_of(Arc::new(text.slice(0, 100))), 101 * 4 + 1000);
        let views = StringViewArray::from_iter_values((0..1000).map(|_| "0123456789abcdef"));
        assert_eq!(bytes_of(Arc::new(views.slice(0, 10))), 10 * 32);
    }

    #[test]
    fn a_slice_of_lists_counts_its_items_only() {
        let rows = (0..100).map(|row| Some((0..10).map(move |item| Some(row * item))));
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(rows);
        let slice: ArrayRef = Arc::new(lists.slice(50, 5));
        assert_eq!(bytes_of(slice.clone()), 6 * 4 + 50 * 8);
        let structs: ArrayRef = Arc::new(StructArray::from(vec![(
            Arc::new(Field::new("list", slice.data_type().clone(), true)),
            slice.clone(),
        )]));
        assert_eq!(bytes_of(structs), bytes_of(slice));
    }

    #[test]
    fn a_large_dictionary_counts_its_share() {
        let values = Arc::new(Int64Array::from_iter_values(0..1000));
        let keys = Int32Array::from_iter_values(0..10);
        let array = DictionaryArray::new(keys, values);
        assert_eq!(bytes_of(Arc::new(array)), 10 * 4 + 80);
    }
}
