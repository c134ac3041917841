//! Keys made comparable: equal keys of either side become equal words or equal byte strings.
//!
//! Keys that fit 64 bits are words; others are rows in arrow's row format. Floats have one zero and one
//! NaN, as they have as group-by keys. A key with a NULL in it equals nothing, unless NULLs are equal.

use arrow::array::{Array, ArrayRef};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, Rows, SortField};
use dframe_core::Result;
use dframe_expr::plain;

use crate::group::{hash_bytes, key_bits, key_width, mix};
use crate::sort::canonical;

/// Makes keys of these types comparable.
#[derive(Clone, Debug)]
pub(crate) struct KeyCoder {
    types: Vec<DataType>,
    nulls_equal: bool,
    /// The bits of each key, if all of them fit a word.
    widths: Option<Vec<u32>>,
}

/// The keys of some rows.
pub(crate) struct Keys {
    pub(crate) hashes: Vec<u64>,
    values: Values,
    /// The rows whose key can equal another.
    pub(crate) able: Option<NullBuffer>,
}

enum Values {
    Words(Vec<u64>),
    Rows(Rows),
}

impl KeyCoder {
    /// A coder of keys of these types.
    pub(crate) fn new(types: Vec<DataType>, nulls_equal: bool) -> Self {
        let widths = types.iter().map(key_width).collect::<Option<Vec<u32>>>();
        let widths = widths.filter(|widths| !nulls_equal && widths.iter().sum::<u32>() <= 64);
        Self { types, nulls_equal, widths }
    }

    /// Whether NULL equals NULL.
    pub(crate) fn nulls_equal(&self) -> bool {
        self.nulls_equal
    }

    /// The keys of `rows` rows.
    pub(crate) fn encode(&self, keys: &[ArrayRef], rows: usize) -> Result<Keys> {
        let keys = keys.iter().map(plain).collect::<Result<Vec<ArrayRef>>>()?;
        let nulls = keys.iter().map(|key| key.logical_nulls());
        let able = match self.nulls_equal {
            true => None,
            false => nulls.fold(None, |all, nulls| NullBuffer::union(all.as_ref(), nulls.as_ref())),
        };
        let (values, hashes) = match &self.widths {
            Some(widths) => {
                let words = packed(&keys, widths, rows)?;
                let hashes = words.iter().map(|word| hash_word(*word)).collect();
                (Values::Words(words), hashes)
            }
            None => {
                let field = |data_type: &DataType| SortField::new(data_type.clone());
                let converter = RowConverter::new(self.types.iter().map(field).collect())?;
                let keys = keys.iter().map(canonical).collect::<Result<Vec<_>>>()?;
                let encoded = converter.convert_columns(&keys)?;
                let hashes = encoded.iter().map(|row| hash_bytes(row.as_ref())).collect();
                (Values::Rows(encoded), hashes)
            }
        };
        Ok(Keys { hashes, values, able: able.filter(|able| able.null_count() > 0) })
    }
}

impl Keys {
    /// Whether the key of row `row` equals that of row `other` of `others`, made by the same coder.
    pub(crate) fn equal(&self, row: usize, others: &Keys, other: usize) -> bool {
        match (&self.values, &others.values) {
            (Values::Words(left), Values::Words(right)) => left[row] == right[other],
            (Values::Rows(left), Values::Rows(right)) => left.row(row) == right.row(other),
            _ => false,
        }
    }

    /// Whether the key of a row can equal another.
    pub(crate) fn is_able(&self, row: usize) -> bool {
        self.able.as_ref().is_none_or(|able| able.is_valid(row))
    }

    /// The bytes of memory held.
    pub(crate) fn memory(&self) -> usize {
        let values = match &self.values {
            Values::Words(words) => words.len() * size_of::<u64>(),
            Values::Rows(rows) => rows.size(),
        };
        values + self.hashes.len() * size_of::<u64>()
    }
}

/// The bits of all keys of a row side by side.
fn packed(keys: &[ArrayRef], widths: &[u32], rows: usize) -> Result<Vec<u64>> {
    let Some((first, rest)) = keys.split_first() else { return Ok(vec![0; rows]) };
    let mut words = key_bits(first)?;
    for (key, width) in rest.iter().zip(&widths[1..]) {
        for (word, bits) in words.iter_mut().zip(key_bits(key)?) {
            *word = *word << width | bits;
        }
    }
    Ok(words)
}

/// Buckets are cut by another hash, so that all of its bits are good within one.
fn hash_word(word: u64) -> u64 {
    mix(word ^ 0x243f_6a88_85a3_08d3, 0xf39c_c060_5ced_c835)
}
