//! Copies of rows of several batches, in a given order.
//!
//! ```text
//!   batches --prepare--> plain columns, or codes of one dictionary --(batch, row)*--> a batch
//! ```
//!
//! Text stays codes where the batches' dictionaries together are small; otherwise it becomes plain.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, RecordBatch};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Int32Type, SchemaRef};
use dframe_core::Result;
use dframe_expr::plain;
use dframe_runtime::batch_bytes;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::keys::is_coded_text;
use crate::pipeline::batch_of;

/// Rows of a batch that is gathered, unless they are wide.
pub(super) const RUN_BATCH_ROWS: usize = 4096;
/// Bytes of a batch of several wide rows.
pub(super) const RUN_BATCH_BYTES: usize = 1 << 20;

/// Batches whose rows can be copied.
pub(super) struct Gather {
    schema: SchemaRef,
    columns: Vec<Column>,
}

enum Column {
    Arrays(Vec<ArrayRef>),
    Codes { codes: Vec<ArrayRef>, values: ArrayRef },
}

impl Gather {
    /// The rows of `batches`, which have the columns of `schema`.
    pub(super) fn new(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Self> {
        let column = |index: usize| {
            let slices: Vec<ArrayRef> = batches.iter().map(|b| b.column(index).clone()).collect();
            Column::new(slices)
        };
        let columns = (0..schema.fields().len()).map(column).collect::<Result<_>>()?;
        Ok(Self { schema: schema.clone(), columns })
    }

    /// Copies the rows at `places`, `(batch, row)`, into a batch, or into several if they are wide.
    pub(super) fn append(
        &self,
        places: &[(usize, usize)],
        gathered: &mut Vec<RecordBatch>,
    ) -> Result<()> {
        let columns = self.columns.iter().map(|column| column.gather(places));
        let batch = batch_of(&self.schema, columns.collect::<Result<_>>()?, places.len())?;
        if places.len() == 1 || batch_bytes(&batch) <= RUN_BATCH_BYTES {
            gathered.push(batch);
            return Ok(());
        }
        drop(batch);
        let (first, second) = places.split_at(places.len() / 2);
        self.append(first, gathered)?;
        self.append(second, gathered)
    }
}

impl Column {
    fn new(slices: Vec<ArrayRef>) -> Result<Self> {
        if let Some(OneDictionary { codes, values }) = OneDictionary::of(&slices)? {
            let codes = codes.into_iter().map(|codes| Arc::new(codes) as ArrayRef).collect();
            return Ok(Column::Codes { codes, values });
        }
        Ok(Column::Arrays(slices.iter().map(|slice| plain(slice)).collect::<Result<_>>()?))
    }

    fn gather(&self, places: &[(usize, usize)]) -> Result<ArrayRef> {
        let copied = |arrays: &[ArrayRef]| {
            let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
            interleave(&arrays, places)
        };
        Ok(match self {
            Column::Arrays(arrays) => copied(arrays)?,
            Column::Codes { codes, values } => {
                let codes = copied(codes)?.as_primitive::<Int32Type>().clone();
                Arc::new(DictionaryArray::try_new(codes, values.clone())?)
            }
        })
    }
}

/// Text columns of several batches as codes of one dictionary.
pub(super) struct OneDictionary {
    /// The codes of each batch.
    pub(super) codes: Vec<Int32Array>,
    /// The values; no two are equal unless the batches shared a dictionary from the start.
    pub(super) values: ArrayRef,
}

impl OneDictionary {
    /// `None` if not all are dictionaries, or if they have many different values for their rows.
    pub(super) fn of(slices: &[ArrayRef]) -> Result<Option<Self>> {
        let coded = |slice: &ArrayRef| is_coded_text(slice.data_type());
        let Some(first) = slices.first().filter(|_| slices.iter().all(coded)) else {
            return Ok(None);
        };
        let rows: usize = slices.iter().map(|slice| slice.len()).sum();
        let first = first.as_dictionary::<Int32Type>().values();
        let place = identity(first);
        let shared =
            |slice: &ArrayRef| identity(slice.as_dictionary::<Int32Type>().values()) == place;
        if slices.iter().all(shared) && first.len() <= rows.max(256) && first.null_count() == 0 {
            let codes = slices.iter().map(|s| s.as_dictionary::<Int32Type>().keys().clone());
            return Ok(Some(Self { codes: codes.collect(), values: first.clone() }));
        }
        let mut merge = MergeDictionaries::default();
        let mut codes = Vec::with_capacity(slices.len());
        for slice in slices {
            codes.push(merge.codes(slice));
            if merge.places.len() > rows / 2 + 16 {
                return Ok(None);
            }
        }
        Ok(Some(Self { codes, values: merge.values()? }))
    }
}

/// The buffers of a dictionary's values: the same ones are the same dictionary.
fn identity(values: &ArrayRef) -> (usize, usize, usize) {
    let place = |offsets: &[i32], data: &[u8]| {
        (offsets.as_ptr() as usize, data.as_ptr() as usize, offsets.len())
    };
    match values.data_type() {
        DataType::Utf8 => {
            let text = values.as_string::<i32>();
            place(text.value_offsets(), text.value_data())
        }
        _ => {
            let bytes = values.as_binary::<i32>();
            place(bytes.value_offsets(), bytes.value_data())
        }
    }
}

/// The bytes of a text or binary value.
pub(super) fn value_bytes(values: &ArrayRef, index: usize) -> &[u8] {
    match values.data_type() {
        DataType::Utf8 => values.as_string::<i32>().value(index).as_bytes(),
        _ => values.as_binary::<i32>().value(index),
    }
}

/// No code was given to a value yet.
const UNSEEN: i32 = -1;

#[derive(Default)]
struct MergeDictionaries<'a> {
    dictionaries: Vec<&'a ArrayRef>,
    /// For each dictionary, the new code of each value that was met.
    new_codes: Vec<Vec<i32>>,
    numbers: HashMap<(usize, usize, usize), usize, FixedState>,
    codes_of: HashMap<&'a [u8], i32, FixedState>,
    /// Where the value of each new code is: dictionary and index.
    places: Vec<(usize, usize)>,
}

impl<'a> MergeDictionaries<'a> {
    fn codes(&mut self, slice: &'a ArrayRef) -> Int32Array {
        let dictionary = slice.as_dictionary::<Int32Type>();
        let number = self.number(dictionary.values());
        let mut known = std::mem::take(&mut self.new_codes[number]);
        let mut code = |old: i32| {
            let old = old as usize;
            if known[old] == UNSEEN {
                known[old] = self.new_code(number, old);
            }
            known[old]
        };
        let keys = dictionary.keys();
        let codes = match keys.null_count() + dictionary.values().null_count() {
            0 => keys.values().iter().map(|old| code(*old)).collect::<Vec<i32>>().into(),
            _ => {
                let valid = |old: &i32| dictionary.values().is_valid(*old as usize);
                keys.iter().map(|old| old.filter(valid).map(&mut code)).collect()
            }
        };
        self.new_codes[number] = known;
        codes
    }

    fn number(&mut self, values: &'a ArrayRef) -> usize {
        let next = self.dictionaries.len();
        let number = *self.numbers.entry(identity(values)).or_insert(next);
        if number == next {
            self.dictionaries.push(values);
            self.new_codes.push(vec![UNSEEN; values.len()]);
        }
        number
    }

    fn new_code(&mut self, number: usize, index: usize) -> i32 {
        let next = self.places.len() as i32;
        let code =
            *self.codes_of.entry(value_bytes(self.dictionaries[number], index)).or_insert(next);
        if code == next {
            self.places.push((number, index));
        }
        code
    }

    fn values(&self) -> Result<ArrayRef> {
        let values: Vec<&dyn Array> = self.dictionaries.iter().map(|v| v.as_ref()).collect();
        Ok(interleave(&values, &self.places)?)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;

    use super::*;

    /// The lengths of the texts in each batch that is made of texts of these lengths.
    fn gathered(lengths: &[usize]) -> Vec<Vec<usize>> {
        let texts = StringArray::from_iter_values(lengths.iter().map(|length| "x".repeat(*length)));
        let batch =
            RecordBatch::try_from_iter_with_nullable([("text", Arc::new(texts) as ArrayRef, true)]);
        let batch = batch.expect("one column");
        let places: Vec<(usize, usize)> = (0..lengths.len()).map(|row| (0, row)).collect();
        let mut batches = Vec::new();
        let gather = Gather::new(&batch.schema(), std::slice::from_ref(&batch)).expect("plain");
        gather.append(&places, &mut batches).expect("rows of the batch");
        let lengths = |batch: &RecordBatch| {
            let texts = batch.column(0).as_string::<i32>().iter();
            texts.map(|text| text.map_or(0, str::len)).collect()
        };
        batches.iter().map(lengths).collect()
    }

    #[test]
    fn narrow_rows_make_one_batch() {
        assert_eq!(gathered(&[5; 1000]), [[5; 1000]]);
    }

    #[test]
    fn wide_rows_are_cut_by_their_bytes() {
        let wide = RUN_BATCH_BYTES / 3;
        assert_eq!(gathered(&[wide; 8]), [[wide; 2]; 4]);
        let one = 2 * RUN_BATCH_BYTES;
        assert_eq!(gathered(&[1, 2, one, 3]), [vec![1, 2], vec![one], vec![3]]);
    }

    #[test]
    fn dictionaries_become_one_and_nulls_stay() {
        let coded = |texts: &[Option<&str>]| -> ArrayRef {
            Arc::new(texts.iter().copied().collect::<DictionaryArray<Int32Type>>())
        };
        let slices =
            [coded(&[Some("b"), None, Some("a"), Some("b")]), coded(&[Some("c"), Some("a"), None])];
        let one = OneDictionary::of(&slices).expect("text").expect("small");
        let texts: Vec<Option<&str>> = one
            .codes
            .iter()
            .flat_map(|codes| codes.iter())
            .map(|code| code.map(|code| one.values.as_string::<i32>().value(code as usize)))
            .collect();
        let expected = [Some("b"), None, Some("a"), Some("b"), Some("c"), Some("a"), None];
        assert_eq!(texts, expected);
        assert_eq!(one.values.len(), 3);
    }
}
