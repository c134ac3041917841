//! The order of some rows, found by sorting numbers.
//!
//! ```text
//!   key columns --packing--> key bits --> | key bits | place | --> sort --> places
//! ```
//!
//! A place is a slice and a row in it, so no two numbers are equal and the order is stable. Where the keys
//! need more than 128 bits, the numbers hold as much as fits and rows that tie are compared by encoded keys
//! (the row format of the `arrow` crate). Numbers of different calls do not compare.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef};
use arrow::compute::SortOptions;
use arrow::row::{RowConverter, Rows, SortField};
use dframe_core::Result;
use dframe_expr::plain;

use super::packing::{Packing, Word, bits_of};

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
