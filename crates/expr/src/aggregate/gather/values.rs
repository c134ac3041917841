//! The values of a column as what can be compared, group by group.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use dframe_core::Result;

use crate::aggregate::min_max_bytes;
use crate::words::Word;

/// Gathered values, none of them NULL, that can be compared and made into arrays again.
pub(super) trait Values {
    /// A value.
    type Value: Copy + Ord;

    /// Appends the values of some rows.
    fn extend(&self, rows: Range<usize>, values: &mut Vec<Self::Value>) -> Result<()>;

    /// An array of these.
    fn array(&self, values: Vec<Option<Self::Value>>) -> Result<ArrayRef>;
}

/// Values that are words.
pub(super) struct WordValues<'a, W> {
    array: &'a ArrayRef,
    word: std::marker::PhantomData<W>,
}

impl<'a, W: Word> WordValues<'a, W> {
    /// The values of `array`.
    pub(super) fn new(array: &'a ArrayRef) -> Self {
        Self { array, word: std::marker::PhantomData }
    }
}

impl<W: Word + Default> Values for WordValues<'_, W> {
    type Value = W;

    fn extend(&self, rows: Range<usize>, values: &mut Vec<W>) -> Result<()> {
        W::extend(values, &self.array.slice(rows.start, rows.len()))
    }

    fn array(&self, values: Vec<Option<W>>) -> Result<ArrayRef> {
        word_array(values, self.array.data_type())
    }
}

/// An array of `to`.
pub(super) fn word_array<W: Word + Default>(
    values: Vec<Option<W>>,
    to: &DataType,
) -> Result<ArrayRef> {
    let nulls = NullBuffer::from_iter(values.iter().map(Option::is_some));
    let words = values.into_iter().map(Option::unwrap_or_default).collect();
    W::array(words, Some(nulls).filter(|nulls| nulls.null_count() > 0), to)
}

/// Values that are bytes.
pub(super) struct ByteValues<'a> {
    array: &'a ArrayRef,
}

impl<'a> ByteValues<'a> {
    /// The values of `array`.
    pub(super) fn new(array: &'a ArrayRef) -> Self {
        Self { array }
    }
}

impl<'a> Values for ByteValues<'a> {
    type Value = &'a [u8];

    fn extend(&self, rows: Range<usize>, values: &mut Vec<&'a [u8]>) -> Result<()> {
        extend_bytes(self.array, rows, values);
        Ok(())
    }

    fn array(&self, values: Vec<Option<&'a [u8]>>) -> Result<ArrayRef> {
        byte_array(values.into_iter().map(|value| value.map(Box::from)), self.array.data_type())
    }
}

/// An array of `to`, which is text or binary.
pub(super) fn byte_array(
    values: impl Iterator<Item = Option<Box<[u8]>>>,
    to: &DataType,
) -> Result<ArrayRef> {
    let values: Vec<Option<Box<[u8]>>> = values.collect();
    let bytes = values.iter().flatten().map(|value| value.len()).sum();
    min_max_bytes::build(values, bytes, to)
}

/// Appends the bytes of some rows of text or binary.
pub(in crate::aggregate) fn extend_bytes<'a>(
    array: &'a ArrayRef,
    rows: Range<usize>,
    values: &mut Vec<&'a [u8]>,
) {
    match array.data_type() {
        DataType::Utf8 => {
            let array = array.as_string::<i32>();
            values.extend(rows.map(|row| array.value(row).as_bytes()));
        }
        DataType::LargeUtf8 => {
            let array = array.as_string::<i64>();
            values.extend(rows.map(|row| array.value(row).as_bytes()));
        }
        DataType::Utf8View => {
            let array = array.as_string_view();
            values.extend(rows.map(|row| array.value(row).as_bytes()));
        }
        DataType::Binary => {
            let array = array.as_binary::<i32>();
            values.extend(rows.map(|row| array.value(row)));
        }
        DataType::LargeBinary => {
            let array = array.as_binary::<i64>();
            values.extend(rows.map(|row| array.value(row)));
        }
        DataType::BinaryView => {
            let array = array.as_binary_view();
            values.extend(rows.map(|row| array.value(row)));
        }
        _ => {
            let array = array.as_fixed_size_binary();
            values.extend(rows.map(|row| array.value(row)));
        }
    }
}

/// Values that are taken out at once, when groups are small.
const BLOCK: usize = 16 * 1024;

/// Calls `f` with the values of each group, which it may reorder.
pub(super) fn each_group<V: Values>(
    values: &V,
    offsets: &[usize],
    mut f: impl FnMut(&mut [V::Value]),
) -> Result<()> {
    let groups = offsets.len() - 1;
    let (mut first, mut block) = (0, Vec::new());
    while first < groups {
        let start = offsets[first];
        let mut end = first + 1;
        while end < groups && offsets[end + 1] - start <= BLOCK {
            end += 1;
        }
        block.clear();
        values.extend(start..offsets[end], &mut block)?;
        for group in first..end {
            f(&mut block[offsets[group] - start..offsets[group + 1] - start]);
        }
        first = end;
    }
    Ok(())
}
