//! The order of some rows, found by sorting numbers.
//!
//! ```text
//!   key columns --> per column as few bits as its values differ in --> | key bits | place | --> sort
//!     BIGINT 7..900      value - min        10 bits
//!     text codes         rank of the value   3 bits
//!     text 'AAPL' ..     bytes after the common start, and how many
//! ```
//!
//! A place is a slice and a row in it, so no two numbers are equal and the order is stable. Where the keys
//! need more than 128 bits, the numbers hold as much as fits and rows that tie are compared by encoded keys
//! (the row format of the `arrow` crate). Numbers of different calls do not compare.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::NullBuffer;
use arrow::compute::{SortOptions, cast};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type, UInt64Type};
use arrow::row::{RowConverter, Rows, SortField};
use dframe_core::Result;
use dframe_expr::plain;

use super::gather::{OneDictionary, value_bytes};

/// What is known of the order in which rows are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// Nothing.
    InAnyOrder,
    /// Each slice is in order.
    SlicesInOrder,
}

/// The rows of some slices in order.
pub(super) struct Order {
    places: Places,
    row_bits: u32,
    place_bits: u32,
}

enum Places {
    Narrow(Vec<u64>),
    Wide(Vec<u128>),
    Tied(Vec<Entry>),
}

struct Entry {
    prefix: u128,
    place: u64,
}

impl Order {
    /// Orders the rows of `slices`, which have a column per key; with a limit, only the first ones.
    pub(super) fn of(
        slices: &[Vec<ArrayRef>],
        options: &[SortOptions],
        limit: Option<usize>,
        given: Given,
    ) -> Result<Self> {
        let rows_max = slices.iter().map(|slice| slice[0].len()).max().unwrap_or(0);
        let row_bits = bits_of(rows_max.saturating_sub(1) as u64);
        let place_bits = row_bits + bits_of(slices.len().saturating_sub(1) as u64);
        let packing = Packing::new(slices, options, u128::BITS - place_bits)?;
        let layout = Layout { slices, row_bits, place_bits };
        let places = match packing.ties_from {
            Some(column) => {
                let ties = Ties::new(slices, options, column)?;
                Places::Tied(layout.tied(&packing, &ties, limit, given))
            }
            None if packing.bits + place_bits <= u64::BITS => {
                Places::Narrow(layout.sorted(&packing, limit, given))
            }
            None => Places::Wide(layout.sorted(&packing, limit, given)),
        };
        Ok(Self { places, row_bits, place_bits })
    }

    /// The number of rows.
    pub(super) fn len(&self) -> usize {
        match &self.places {
            Places::Narrow(places) => places.len(),
            Places::Wide(places) => places.len(),
            Places::Tied(places) => places.len(),
        }
    }

    /// The slices and rows of some positions of the order.
    pub(super) fn places(&self, positions: std::ops::Range<usize>) -> Vec<(usize, usize)> {
        let (row_bits, row) = (self.row_bits, (1u64 << self.row_bits) - 1);
        // The key's bits are above the place's.
        let place = (1u64 << self.place_bits) - 1;
        let split = |word: u64| (((word & place) >> row_bits) as usize, (word & row) as usize);
        match &self.places {
            Places::Narrow(places) => places[positions].iter().map(|p| split(*p)).collect(),
            Places::Wide(places) => places[positions].iter().map(|p| split(*p as u64)).collect(),
            Places::Tied(places) => places[positions].iter().map(|p| split(p.place)).collect(),
        }
    }
}

/// The bits that a number up to `largest` needs.
fn bits_of(largest: u64) -> u32 {
    u64::BITS - largest.leading_zeros()
}

/// A number that keys are packed into.
trait Word: Copy + Ord + Default {
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

/// Where rows are, as numbers.
struct Layout<'a> {
    slices: &'a [Vec<ArrayRef>],
    row_bits: u32,
    place_bits: u32,
}

impl Layout<'_> {
    fn places(&self) -> impl Iterator<Item = u64> + '_ {
        self.slices.iter().enumerate().flat_map(|(number, slice)| {
            let first = (number as u64).checked_shl(self.row_bits).unwrap_or(0);
            (0..slice[0].len() as u64).map(move |row| first | row)
        })
    }

    fn sorted<W: Word>(&self, packing: &Packing, limit: Option<usize>, given: Given) -> Vec<W> {
        let mut words: Vec<W> = packing.words(self.slices);
        for (word, place) in words.iter_mut().zip(self.places()) {
            *word = word.then(self.place_bits, u128::from(place));
        }
        if let Some(limit) = limit.filter(|limit| *limit < words.len()) {
            words.select_nth_unstable(limit);
            words.truncate(limit);
        }
        match given {
            Given::InAnyOrder => words.sort_unstable(),
            // Finds the stretches that are in order, and merges them.
            Given::SlicesInOrder => words.sort(),
        }
        words
    }

    fn tied(
        &self,
        packing: &Packing,
        ties: &Ties,
        limit: Option<usize>,
        given: Given,
    ) -> Vec<Entry> {
        let words: Vec<u128> = packing.words(self.slices);
        let entry = |(prefix, place)| Entry { prefix, place };
        let mut entries: Vec<Entry> = words.into_iter().zip(self.places()).map(entry).collect();
        let (row_bits, mask) = (self.row_bits, (1u64 << self.row_bits) - 1);
        let key = |place: u64| ties.row((place >> row_bits) as usize, (place & mask) as usize);
        let compare = |left: &Entry, right: &Entry| -> Ordering {
            left.prefix
                .cmp(&right.prefix)
                .then_with(|| key(left.place).cmp(key(right.place)))
                .then_with(|| left.place.cmp(&right.place))
        };
        if let Some(limit) = limit.filter(|limit| *limit < entries.len()) {
            entries.select_nth_unstable_by(limit, compare);
            entries.truncate(limit);
        }
        match given {
            Given::InAnyOrder => entries.sort_unstable_by(compare),
            Given::SlicesInOrder => entries.sort_by(compare),
        }
        entries
    }
}

/// The columns from the first that was not packed in whole, encoded.
struct Ties(Vec<Rows>);

impl Ties {
    fn new(slices: &[Vec<ArrayRef>], options: &[SortOptions], from: usize) -> Result<Self> {
        let plain_slice = |slice: &Vec<ArrayRef>| -> Result<Vec<ArrayRef>> {
            slice[from..].iter().map(|column| plain(column)).collect()
        };
        let slices: Vec<Vec<ArrayRef>> = slices.iter().map(plain_slice).collect::<Result<_>>()?;
        let Some(first) = slices.first() else { return Ok(Self(Vec::new())) };
        let field = |(column, options): (&ArrayRef, &SortOptions)| {
            SortField::new_with_options(column.data_type().clone(), *options)
        };
        let fields = first.iter().zip(&options[from..]).map(field).collect();
        let converter = RowConverter::new(fields)?;
        let rows = slices.iter().map(|slice| Ok(converter.convert_columns(slice)?));
        Ok(Self(rows.collect::<Result<_>>()?))
    }

    fn row(&self, slice: usize, row: usize) -> &[u8] {
        let rows = &self.0[slice];
        rows.row(row).data()
    }
}

/// How the keys of some rows become bits.
struct Packing {
    columns: Vec<PackedColumn>,
    bits: u32,
    /// The first column of which not all is in the bits.
    ties_from: Option<usize>,
}

impl Packing {
    fn new(slices: &[Vec<ArrayRef>], options: &[SortOptions], capacity: u32) -> Result<Self> {
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
    fn words<W: Word>(&self, slices: &[Vec<ArrayRef>]) -> Vec<W> {
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

const SIGN: u64 = 1 << 63;

/// The values as numbers; `None` if the type has no such order, or too many bits.
fn as_numbers(column: &ArrayRef) -> Result<Option<Numbers>> {
    let nulls = column.logical_nulls();
    let values: Vec<u64> = match column.data_type() {
        DataType::Boolean => column.as_boolean().values().iter().map(u64::from).collect(),
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
            cast(column, &DataType::UInt64)?.as_primitive::<UInt64Type>().values().to_vec()
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let floats = cast(column, &DataType::Float64)?;
            floats.as_primitive::<Float64Type>().values().iter().map(|v| float_number(*v)).collect()
        }
        DataType::Decimal128(_, _) => {
            let values = column.as_primitive::<Decimal128Type>().values();
            // What is behind a NULL may be anything.
            let valid = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
            let fits = |(row, value): (usize, &i128)| i64::try_from(*value).is_ok() || !valid(row);
            if !values.iter().enumerate().all(fits) {
                return Ok(None);
            }
            values.iter().map(|value| *value as u64 ^ SIGN).collect()
        }
        other if is_integral(other) => {
            // Dates and times of 32 bits are cast by way of their integers.
            let narrow = match other.primitive_width() {
                Some(4) => cast(column, &DataType::Int32)?,
                _ => column.clone(),
            };
            let wide = cast(&narrow, &DataType::Int64)?;
            wide.as_primitive::<Int64Type>().values().iter().map(|v| *v as u64 ^ SIGN).collect()
        }
        _ => return Ok(None),
    };
    Ok(Some(Numbers { values, nulls }))
}

fn is_integral(data_type: &DataType) -> bool {
    data_type.is_signed_integer()
        || matches!(
            data_type,
            DataType::Date32
                | DataType::Date64
                | DataType::Time32(_)
                | DataType::Time64(_)
                | DataType::Timestamp(_, _)
                | DataType::Duration(_)
        )
}

/// A float as a number in the same order.
fn float_number(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        DictionaryArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
    };
    use arrow::compute::SortColumn;
    use arrow::compute::{concat, lexsort_to_indices};
    use arrow::datatypes::Int32Type;
    use proptest::prelude::*;

    use super::*;

    /// Checks the order of `slices` against a naive stable sort.
    fn check(slices: &[Vec<ArrayRef>], options: &[SortOptions], limit: Option<usize>) {
        let columns: Vec<ArrayRef> = (0..options.len())
            .map(|index| {
                let parts: Vec<ArrayRef> =
                    slices.iter().map(|slice| plain(&slice[index]).expect("plain")).collect();
                let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
                concat(&parts).expect("same types")
            })
            .collect();
        let rows = columns[0].len();
        let mut sort: Vec<SortColumn> = columns
            .into_iter()
            .zip(options)
            .map(|(values, options)| SortColumn { values, options: Some(*options) })
            .collect();
        // The row's number as a last key makes it stable.
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows as i64));
        sort.push(SortColumn { values: numbers, options: None });
        let expected = lexsort_to_indices(&sort, limit).expect("sorts");
        let order = Order::of(slices, options, limit, Given::InAnyOrder).expect("orders");
        let starts: Vec<usize> = slices
            .iter()
            .scan(0, |start, slice| {
                let this = *start;
                *start += slice[0].len();
                Some(this)
            })
            .collect();
        let found: Vec<u32> = order
            .places(0..order.len())
            .into_iter()
            .map(|(slice, row)| (starts[slice] + row) as u32)
            .collect();
        assert_eq!(found, expected.values().to_vec());
    }

    fn options() -> impl Strategy<Value = SortOptions> {
        (any::<bool>(), any::<bool>())
            .prop_map(|(descending, nulls_first)| SortOptions { descending, nulls_first })
    }

    fn column(kind: u8, seeds: &[Option<u64>]) -> ArrayRef {
        let texts = |seed: &Option<u64>| {
            seed.map(|seed| {
                ["x", "xa", "xab", "", "x\0", "xabcdefghijklmnopqrstuvw", "y"][seed as usize % 7]
            })
        };
        let shorts =
            |seed: &Option<u64>| seed.map(|seed| ["T1", "T12", "T2", "T"][seed as usize % 4]);
        match kind {
            0 => Arc::new(seeds.iter().map(|s| s.map(|s| s as i64)).collect::<Int64Array>()),
            1 => Arc::new(seeds.iter().map(|s| s.map(|s| s as i64 % 5)).collect::<Int64Array>()),
            2 => Arc::new(
                seeds
                    .iter()
                    .map(|s| s.map(|s| (s as i64 % 7 - 3) as f64 / 2.0))
                    .collect::<Float64Array>(),
            ),
            3 => Arc::new(seeds.iter().map(texts).collect::<StringArray>()),
            4 => Arc::new(seeds.iter().map(texts).collect::<DictionaryArray<Int32Type>>()),
            5 => Arc::new(seeds.iter().map(shorts).collect::<StringArray>()),
            _ => Arc::new(
                seeds
                    .iter()
                    .map(|s| s.map(|s| s as i64 % 1000))
                    .collect::<TimestampMicrosecondArray>(),
            ),
        }
    }

    proptest! {
        #[test]
        fn any_keys_are_ordered_as_by_naive_code(
            keys in prop::collection::vec((0u8..8, options()), 1..4),
            slices in prop::collection::vec(prop::collection::vec(prop::option::weighted(0.9, any::<u64>()), 0..40), 1..5),
            limit in prop::option::of(0usize..50),
        ) {
            let options: Vec<SortOptions> = keys.iter().map(|(_, options)| *options).collect();
            let slices: Vec<Vec<ArrayRef>> = slices
                .iter()
                .enumerate()
                .map(|(slice, seeds)| keys.iter().enumerate().map(|(i, (kind, _))| {
                    let seeds: Vec<Option<u64>> =
                        seeds.iter().map(|s| s.map(|s| s.rotate_left(13 * i as u32))).collect();
                    // The last kind is text that is codes in some slices and plain in others.
                    column(if *kind == 7 { 3 + slice as u8 % 2 } else { *kind }, &seeds)
                }).collect())
                .collect();
            check(&slices, &options, limit);
        }
    }

    #[test]
    fn extremes_need_all_bits() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![
            Some(i64::MAX),
            None,
            Some(i64::MIN),
            Some(0),
            Some(-1),
        ]));
        let slices = [vec![numbers.clone(), numbers.clone(), numbers]];
        let ascending = SortOptions { descending: false, nulls_first: false };
        let descending = SortOptions { descending: true, nulls_first: true };
        check(&slices, &[ascending; 3], None);
        check(&slices, &[descending; 3], Some(2));
        let nothing: [Vec<ArrayRef>; 1] = [vec![Arc::new(Int64Array::from(vec![None::<i64>; 4]))]];
        check(&nothing, &[ascending], None);
    }
}
