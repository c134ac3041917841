//! Keys packed into as few bits as their values need, in the order that is asked for.
//!
//! ```text
//!   BIGINT 7..900    value - min                             10 bits
//!   text codes       rank of the value                        3 bits
//!   text 'AAPL' ..   bytes after the common start, and how many
//! ```
//!
//! It says from which column on bits are missing. What is sorted by them is not known here.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::compute::{SortOptions, cast};
use arrow::datatypes::{DataType, Decimal128Type};
use dframe_core::Result;
use dframe_expr::{has_order_words, order_words, plain};

use super::gather::{OneDictionary, value_bytes};

/// How the keys of some rows become bits.
pub(super) struct Packing {
    columns: Vec<PackedColumn>,
    /// The bits of all columns.
    pub(super) bits: u32,
    /// The first column of which not all is in the bits.
    pub(super) ties_from: Option<usize>,
}

impl Packing {
    /// Packs the keys of `slices`, as far as `capacity` bits go.
    pub(super) fn new(
        slices: &[Vec<ArrayRef>],
        options: &[SortOptions],
        capacity: u32,
    ) -> Result<Self> {
        let mut packing = Self { columns: Vec::new(), bits: 0, ties_from: None };
        for (index, options) in options.iter().enumerate() {
            let column: Vec<ArrayRef> = slices.iter().map(|slice| slice[index].clone()).collect();
            let left = capacity - packing.bits;
            let Some(mut packed) = PackedColumn::new(&column, *options)? else {
                packing.ties_from = Some(index);
                break;
            };
            let whole = packed.is_whole() && packed.bits <= left;
            packed.cut(left);
            packing.bits += packed.bits;
            packing.columns.push(packed);
            if !whole {
                packing.ties_from = Some(index);
                break;
            }
        }
        Ok(packing)
    }

    /// The bits of each row of all slices.
    pub(super) fn words<W: Word>(&self, slices: &[Vec<ArrayRef>]) -> Vec<W> {
        let rows = slices.iter().map(|slice| slice[0].len()).sum();
        let mut words = vec![W::default(); rows];
        for column in &self.columns {
            column.pack(&mut words);
        }
        words
    }
}

/// A column of all slices, and how its values become bits.
struct PackedColumn {
    values: Values,
    descending: bool,
    /// What NULL becomes, if there are any.
    null: Option<bool>,
    /// The bits of a value, and of NULL or not.
    bits: u32,
    value_bits: u32,
    /// Low bits that are left out.
    dropped: u32,
}

enum Values {
    /// Numbers from `min` to `max`, per slice.
    Numbers { slices: Vec<Numbers>, min: u64, max: u64 },
    /// Texts, of which `skipped` bytes are the same in all.
    Texts { slices: Vec<ArrayRef>, skipped: usize, taken: usize, whole: bool },
}

/// The values of a slice as numbers in the same order.
struct Numbers {
    values: Vec<u64>,
    nulls: Option<NullBuffer>,
}

/// The bytes of a text that are packed at most, after what all texts begin with.
const TEXT_BYTES: usize = 15;
/// The bits that tell how many of these bytes a text has.
const LENGTH_BITS: u32 = 4;

impl PackedColumn {
    fn new(slices: &[ArrayRef], options: SortOptions) -> Result<Option<Self>> {
        // Some batches may be codes and others plain text.
        let values = match OneDictionary::of(slices)? {
            Some(one) => Some(numbers(ranks(&one))),
            None => {
                let plain: Vec<ArrayRef> = slices.iter().map(plain).collect::<Result<_>>()?;
                match plain.first().map(|slice| slice.data_type()) {
                    Some(DataType::Utf8 | DataType::Binary) => Some(texts(&plain)),
                    _ => {
                        let slices = plain.iter().map(as_numbers);
                        slices.collect::<Result<Option<Vec<_>>>>()?.map(numbers)
                    }
                }
            }
        };
        let Some(values) = values else { return Ok(None) };
        let has_nulls = slices.iter().any(|slice| slice.logical_null_count() > 0);
        let value_bits = match &values {
            Values::Numbers { min, max, .. } => bits_of(max.saturating_sub(*min)),
            Values::Texts { taken: 0, .. } => 0,
            Values::Texts { taken, .. } => *taken as u32 * 8 + LENGTH_BITS,
        };
        Ok(Some(Self {
            values,
            descending: options.descending,
            null: has_nulls.then_some(!options.nulls_first),
            bits: value_bits + u32::from(has_nulls),
            value_bits,
            dropped: 0,
        }))
    }

    fn is_whole(&self) -> bool {
        match &self.values {
            Values::Numbers { .. } => true,
            Values::Texts { whole, .. } => *whole,
        }
    }

    /// Leaves out low bits until `bits` are enough.
    fn cut(&mut self, bits: u32) {
        self.dropped = self.bits.saturating_sub(bits);
        self.bits -= self.dropped;
    }

    /// Puts the bits of each row behind those that are there.
    fn pack<W: Word>(&self, words: &mut [W]) {
        let mut rest = words;
        match &self.values {
            Values::Numbers { slices, min, max } => {
                for slice in slices {
                    let (some, after) = rest.split_at_mut(slice.values.len());
                    let code = |value: u64| match self.descending {
                        true => u128::from(max.wrapping_sub(value)),
                        false => u128::from(value.wrapping_sub(*min)),
                    };
                    let codes = slice.values.iter().map(|value| code(*value));
                    self.put(some, codes, slice.nulls.as_ref());
                    rest = after;
                }
            }
            Values::Texts { slices, skipped, taken, .. } => {
                for slice in slices {
                    let (some, after) = rest.split_at_mut(slice.len());
                    let nulls = slice.logical_nulls();
                    let mask = (1u128 << self.value_bits) - 1;
                    let codes = (0..slice.len()).map(|row| {
                        let code = text_code(value_bytes(slice, row), *skipped, *taken);
                        if self.descending { mask ^ code } else { code }
                    });
                    self.put(some, codes, nulls.as_ref());
                    rest = after;
                }
            }
        }
    }

    fn put<W: Word>(
        &self,
        words: &mut [W],
        codes: impl Iterator<Item = u128>,
        nulls: Option<&NullBuffer>,
    ) {
        let (bits, dropped) = (self.bits, self.dropped);
        let Some(null) = self.null else {
            words
                .iter_mut()
                .zip(codes)
                .for_each(|(word, code)| *word = word.then(bits, code >> dropped));
            return;
        };
        let null_code = u128::from(null) << self.value_bits;
        let valid_code = u128::from(!null) << self.value_bits;
        for (row, (word, code)) in words.iter_mut().zip(codes).enumerate() {
            let code = match nulls.is_some_and(|nulls| nulls.is_null(row)) {
                true => null_code,
                false => valid_code | code,
            };
            *word = word.then(bits, code >> dropped);
        }
    }
}

/// The bytes after `skipped`, `taken` of them at most, filled up with zeros, then how many they are.
fn text_code(text: &[u8], skipped: usize, taken: usize) -> u128 {
    if taken == 0 {
        return 0;
    }
    let rest = text.get(skipped..).unwrap_or(&[]);
    let length = rest.len().min(taken);
    let mut bytes = [0u8; 16];
    bytes[..length].copy_from_slice(&rest[..length]);
    let value = u128::from_be_bytes(bytes) >> (128 - 8 * taken as u32);
    (value << LENGTH_BITS) | length as u128
}

fn texts(slices: &[ArrayRef]) -> Values {
    let valid = || {
        slices.iter().flat_map(|slice| {
            (0..slice.len()).filter(|row| slice.is_valid(*row)).map(|row| value_bytes(slice, row))
        })
    };
    let mut all = valid();
    let first = all.next().unwrap_or(&[]);
    let (mut skipped, mut longest) = (first.len(), first.len());
    for text in all {
        longest = longest.max(text.len());
        skipped = skipped.min(text.len());
        if text[..skipped] != first[..skipped] {
            skipped = text.iter().zip(first).take_while(|(a, b)| a == b).count();
        }
    }
    let taken = longest - skipped;
    let whole = taken <= TEXT_BYTES;
    Values::Texts { slices: slices.to_vec(), skipped, taken: taken.min(TEXT_BYTES), whole }
}

/// Numbers, and their bounds.
fn numbers(slices: Vec<Numbers>) -> Values {
    let (mut min, mut max) = (u64::MAX, 0);
    for slice in &slices {
        let bounds = |(min, max): (u64, u64), value: u64| (min.min(value), max.max(value));
        (min, max) = match &slice.nulls {
            None => slice.values.iter().copied().fold((min, max), bounds),
            Some(nulls) => {
                nulls.valid_indices().map(|row| slice.values[row]).fold((min, max), bounds)
            }
        };
    }
    Values::Numbers { slices, min: min.min(max), max }
}

/// Codes as the ranks of their values.
fn ranks(one: &OneDictionary) -> Vec<Numbers> {
    let mut order: Vec<usize> = (0..one.values.len()).collect();
    order.sort_unstable_by_key(|index| value_bytes(&one.values, *index));
    let mut ranks = vec![0u64; order.len()];
    for (place, index) in order.iter().enumerate() {
        let before = place.checked_sub(1).map(|before| order[before]);
        let same =
            |before: usize| value_bytes(&one.values, before) == value_bytes(&one.values, *index);
        ranks[*index] = match before {
            Some(before) if same(before) => ranks[before],
            Some(before) => ranks[before] + 1,
            None => 0,
        };
    }
    let rank = |code: &i32| ranks.get(*code as usize).copied().unwrap_or(0);
    let slice = |codes: &arrow::array::Int32Array| Numbers {
        values: codes.values().iter().map(rank).collect(),
        nulls: codes.nulls().cloned(),
    };
    one.codes.iter().map(slice).collect()
}

/// The values as numbers; `None` if the type has no such order, or too many bits.
fn as_numbers(column: &ArrayRef) -> Result<Option<Numbers>> {
    let nulls = column.logical_nulls();
    let narrow = match column.data_type() {
        DataType::Float16 => cast(column, &DataType::Float32)?,
        DataType::Decimal128(..) => {
            let values = column.as_primitive::<Decimal128Type>().values();
            // What is behind a NULL may be anything.
            let valid = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
            let fits = |(row, value): (usize, &i128)| i64::try_from(*value).is_ok() || !valid(row);
            if !values.iter().enumerate().all(fits) {
                return Ok(None);
            }
            Arc::new(Int64Array::from_iter_values(values.iter().map(|value| *value as i64)))
        }
        other if has_order_words(other) => column.clone(),
        _ => return Ok(None),
    };
    let mut values = Vec::with_capacity(narrow.len());
    order_words(&narrow, &mut values)?;
    Ok(Some(Numbers { values, nulls }))
}

/// The bits that a number up to `largest` needs.
pub(super) fn bits_of(largest: u64) -> u32 {
    u64::BITS - largest.leading_zeros()
}

/// A number that keys are packed into.
pub(super) trait Word: Copy + Ord + Default {
    /// The word with `bits` more bits behind it.
    fn then(self, bits: u32, code: u128) -> Self;
}

impl Word for u64 {
    fn then(self, bits: u32, code: u128) -> Self {
        self.checked_shl(bits).unwrap_or(0) | code as u64
    }
}

impl Word for u128 {
    fn then(self, bits: u32, code: u128) -> Self {
        self.checked_shl(bits).unwrap_or(0) | code
    }
}
