//! A key column of text, binary or anything else without a short fixed width, as ids.
//!
//! ```text
//!   Dictionary(Int32, Utf8)   keys [2, 0, 2]  --ids of entries [?, 7, 3]-->  [3, .., 3]
//!   Utf8                      every value is looked up in the interner
//! ```
//!
//! A dictionary-encoded column costs one table look-up per row: its entries are interned once per
//! dictionary, when a row first uses them. Entries that no row uses never get an id, so ids are groups.

use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Int32Type};
use dframe_core::Result;
use dframe_expr::plain;

use super::byte_values::{ByteValues, array_of};
use super::interner::Interner;
use super::short_texts::views;

/// The values of one key column seen so far, numbered.
#[derive(Default)]
pub(crate) struct Interned {
    interner: Interner,
    /// The dictionary seen last, and the id of each of its entries (`UNKNOWN` until a row uses it).
    dictionary: Option<(ArrayRef, Vec<u32>)>,
    /// The texts, once they were asked for as a dictionary.
    texts: OnceLock<ArrayRef>,
}

/// Ids whose texts come out as a dictionary, at most.
const FEW: usize = 16 * 1024;
/// Texts are few if there are so many times as many rows.
const FEW_SHARE: usize = 4;

/// The entry of a dictionary that no row has used yet; also a row that is NULL, until NULL has an id.
const UNKNOWN: u32 = u32::MAX;

impl Interned {
    /// Adds the id of each row of `array` to `ids`.
    pub(crate) fn encode(&mut self, array: &ArrayRef, ids: &mut Vec<u32>) -> Result<()> {
        match array.data_type() {
            DataType::Dictionary(key, _) if **key == DataType::Int32 => {
                self.encode_dictionary(array, ids)
            }
            DataType::Dictionary(..) => self.encode(&plain(array)?, ids),
            DataType::Utf8 => {
                self.interner.intern_texts(array.as_string(), ids);
                Ok(())
            }
            DataType::Utf8View => {
                self.interner.intern_views(array.as_string_view(), ids);
                Ok(())
            }
            DataType::Null => {
                let id = self.interner.intern_null();
                ids.extend(std::iter::repeat_n(id, array.len()));
                Ok(())
            }
            _ => {
                let values = ByteValues::new(array)?;
                ids.extend((0..array.len()).map(|row| intern(&mut self.interner, &values, row)));
                Ok(())
            }
        }
    }

    /// The values of these ids, as an array of `data_type`; as codes of a dictionary if texts are few.
    pub(crate) fn decode(&self, codes: &[u64], data_type: &DataType) -> Result<ArrayRef> {
        if self.are_few_texts(codes.len(), data_type) {
            return self.decode_codes(codes);
        }
        let values: Vec<_> = self.values(codes).collect();
        array_of(data_type, &values)
    }

    fn are_few_texts(&self, rows: usize, data_type: &DataType) -> bool {
        *data_type == DataType::Utf8 && self.len() <= FEW.min(rows / FEW_SHARE)
    }

    fn values(&self, codes: &[u64]) -> impl ExactSizeIterator<Item = Option<&[u8]>> {
        codes.iter().map(|code| self.interner.get(*code as u32))
    }

    /// The values of these ids for other tasks of the group-by: short texts as views.
    pub(crate) fn decode_travelling(
        &self,
        codes: &[u64],
        data_type: &DataType,
    ) -> Result<ArrayRef> {
        let are_many_texts =
            *data_type == DataType::Utf8 && !self.are_few_texts(codes.len(), data_type);
        match are_many_texts.then(|| views(self.values(codes))).flatten() {
            Some(views) => Ok(views),
            None => self.decode(codes, data_type),
        }
    }

    fn decode_codes(&self, codes: &[u64]) -> Result<ArrayRef> {
        let keys = codes.iter().map(|code| *code as i32).collect();
        let valid = |null: u32| codes.iter().map(move |code| *code != u64::from(null)).collect();
        let nulls = self.interner.null_id().map(valid);
        let nulls = nulls.filter(|nulls: &NullBuffer| nulls.null_count() > 0);
        Ok(Arc::new(DictionaryArray::try_new(Int32Array::new(keys, nulls), self.texts()?)?))
    }

    /// The text of each id, empty for NULL: the same array as long as no id is added.
    fn texts(&self) -> Result<ArrayRef> {
        if let Some(texts) = self.texts.get().filter(|texts| texts.len() == self.len()) {
            return Ok(texts.clone());
        }
        let text = |id: u32| self.interner.get(id).or(Some(&[]));
        let texts: Vec<_> = (0..self.len() as u32).map(text).collect();
        let texts = array_of(&DataType::Utf8, &texts)?;
        // Texts of fewer ids may be there already; they are not in the way.
        let _ = self.texts.set(texts.clone());
        Ok(texts)
    }

    /// The hash of each id's value, for so many of them that each is asked for more than once.
    pub(crate) fn hashes(&self) -> Vec<u64> {
        (0..self.len() as u32).map(|id| self.hash(id)).collect()
    }

    /// The hash of the value of an id.
    pub(crate) fn hash(&self, id: u32) -> u64 {
        self.interner.hash(id)
    }

    /// The number of ids.
    pub(crate) fn len(&self) -> usize {
        self.interner.len()
    }

    /// The bytes of memory held.
    pub(crate) fn memory(&self) -> usize {
        let entries = self.dictionary.as_ref().map_or(0, |(_, ids)| ids.capacity() * 4);
        self.interner.memory() + entries
    }

    fn encode_dictionary(&mut self, array: &ArrayRef, ids: &mut Vec<u32>) -> Result<()> {
        let array = array.as_dictionary::<Int32Type>();
        let (values, mut known) = match self.dictionary.take() {
            Some((values, known)) if same_array(&values, array.values()) => (values, known),
            _ => (array.values().clone(), vec![UNKNOWN; array.values().len()]),
        };
        let entries = ByteValues::new(&values)?;
        let interner = &mut self.interner;
        let mut id_of = |key: i32| {
            let id = &mut known[key as usize];
            if *id == UNKNOWN {
                *id = intern(interner, &entries, key as usize);
            }
            *id
        };
        let start = ids.len();
        let keys = array.keys().values().iter();
        match array.keys().nulls().filter(|nulls| nulls.null_count() > 0) {
            None => ids.extend(keys.map(|key| id_of(*key))),
            Some(nulls) => {
                ids.extend(keys.zip(nulls.iter()).map(|(key, valid)| match valid {
                    true => id_of(*key),
                    false => UNKNOWN,
                }));
                let null = self.interner.intern_null();
                let unknown = ids[start..].iter_mut().filter(|id| **id == UNKNOWN);
                unknown.for_each(|id| *id = null);
            }
        }
        drop(entries);
        self.dictionary = Some((values, known));
        Ok(())
    }
}

/// The id of a row's value.
fn intern(interner: &mut Interner, values: &ByteValues<'_>, row: usize) -> u32 {
    match values.get(row) {
        Some(value) => interner.intern(value),
        None => interner.intern_null(),
    }
}

/// Whether two arrays are the same object, or slices of the same rows of it.
fn same_array(left: &ArrayRef, right: &ArrayRef) -> bool {
    Arc::ptr_eq(left, right) || left.to_data().ptr_eq(&right.to_data())
}
