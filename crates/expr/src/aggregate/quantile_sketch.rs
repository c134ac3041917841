//! `approx_quantile`: counts of values by their leading bits.
//!
//! ```text
//!   a float in its order  [ sign | exponent: 11 bits | 8 bits of the fraction | cut off ]
//!                          \---------------- bucket -----------------------/
//! ```
//!
//! Every value of a bucket is within 0.2 % of its middle, and so is the answer of the exact quantile below it. Counts
//! are added up, so that neither the order of rows nor that of merges can change the result, as it would a t-digest's.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, UInt32Type};
use dframe_core::{Error, Result};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::groups::Groups;
use super::{Accumulator, GroupedRows};
use crate::words::{float_of_word, float_word};

/// The bits of a float that are cut off.
const CUT_BITS: u32 = 44;

/// The share of values below the quantile that a call wants.
pub(super) fn share(constants: &[ArrayRef]) -> Result<f64> {
    let wrong = || {
        Error::invalid_input("approx_quantile needs the share of values below it")
            .remedy("give a number from 0 to 1, as in approx_quantile(x, 0.9)")
    };
    let constant = constants.first().ok_or_else(wrong)?;
    let number = cast(constant, &DataType::Float64).map_err(|_| wrong())?;
    let number = number.as_primitive::<Float64Type>();
    let share = number.is_valid(0).then(|| number.value(0));
    share.filter(|share| (0.0..=1.0).contains(share)).ok_or_else(wrong)
}

/// The columns of the state.
pub(super) fn fields() -> Vec<Field> {
    let list = |item| DataType::List(Arc::new(Field::new_list_field(item, true)));
    vec![
        Field::new("buckets", list(DataType::UInt32), false),
        Field::new("counts", list(DataType::Int64), false),
    ]
}

/// Counts of buckets of each group.
pub(super) struct QuantileSketches {
    share: f64,
    groups: usize,
    counts: HashMap<(u32, u32), i64, FixedState>,
}

impl QuantileSketches {
    /// For the quantile at `share`.
    pub(super) fn boxed(share: f64) -> Box<dyn Accumulator> {
        let counts = HashMap::with_hasher(FixedState::with_seed(1));
        Box::new(Self { share, groups: 0, counts })
    }

    fn add(&mut self, group: u32, bucket: u32, count: i64) {
        *self.counts.entry((group, bucket)).or_default() += count;
    }

    /// The buckets and counts of each group, ascending; forgets them.
    fn take(&mut self) -> (Vec<usize>, Vec<(u32, i64)>) {
        let counts =
            std::mem::replace(&mut self.counts, HashMap::with_hasher(FixedState::with_seed(1)));
        let mut entries: Vec<((u32, u32), i64)> = counts.into_iter().collect();
        entries.sort_unstable();
        let mut lengths = vec![0; std::mem::take(&mut self.groups)];
        entries.iter().for_each(|((group, _), _)| lengths[*group as usize] += 1);
        (lengths, entries.into_iter().map(|((_, bucket), count)| (bucket, count)).collect())
    }
}

/// The middle of the bucket that holds the value of this share.
fn quantile(entries: &[(u32, i64)], share: f64) -> Option<f64> {
    let total: i64 = entries.iter().map(|entry| entry.1).sum();
    let mut rank = (share * (total - 1) as f64).round() as i64;
    for (bucket, count) in entries {
        if rank < *count {
            let word = u64::from(*bucket) << CUT_BITS;
            let (low, high) = (float_of_word(word), float_of_word(word | ((1 << CUT_BITS) - 1)));
            return Some(match (low.is_finite(), high.is_finite()) {
                (true, true) => low + (high - low) / 2.0,
                (true, false) => high,
                (false, _) => low,
            });
        }
        rank -= count;
    }
    None
}

impl Accumulator for QuantileSketches {
    fn update(&mut self, rows: &GroupedRows<'_>, args: &[ArrayRef]) -> Result<()> {
        let array = args[0].as_primitive::<Float64Type>();
        let groups = Groups::new(rows, array.len())?;
        self.groups = self.groups.max(groups.count());
        for (row, group) in groups.ids().iter().enumerate() {
            if array.is_valid(row) {
                self.add(*group, (float_word(array.value(row)) >> CUT_BITS) as u32, 1);
            }
        }
        Ok(())
    }

    fn merge(&mut self, rows: &GroupedRows<'_>, states: &[ArrayRef]) -> Result<()> {
        let (buckets, counts) = (states[0].as_list::<i32>(), states[1].as_list::<i32>());
        let groups = Groups::new(rows, buckets.len())?;
        self.groups = self.groups.max(groups.count());
        for (row, group) in groups.ids().iter().enumerate() {
            let (buckets, counts) = (buckets.value(row), counts.value(row));
            let buckets = buckets.as_primitive::<UInt32Type>().values();
            let counts = counts.as_primitive::<Int64Type>().values();
            buckets
                .iter()
                .zip(counts)
                .for_each(|(bucket, count)| self.add(*group, *bucket, *count));
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let (lengths, entries) = self.take();
        let buckets = UInt32Array::from_iter_values(entries.iter().map(|entry| entry.0));
        let counts = Int64Array::from_iter_values(entries.iter().map(|entry| entry.1));
        let list = |items: ArrayRef| -> Result<ArrayRef> {
            let field = Arc::new(Field::new_list_field(items.data_type().clone(), true));
            let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
            Ok(Arc::new(ListArray::try_new(field, offsets, items, None)?))
        };
        Ok(vec![list(Arc::new(buckets))?, list(Arc::new(counts))?])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let (lengths, entries) = self.take();
        let mut rest = entries.as_slice();
        let values = lengths.into_iter().map(|length| {
            let (own, after) = rest.split_at(length);
            rest = after;
            quantile(own, self.share)
        });
        Ok(Arc::new(values.collect::<Float64Array>()))
    }

    fn memory(&self) -> usize {
        // Table entries, and as much again to hand them over in order.
        2 * self.counts.capacity() * (size_of::<((u32, u32), i64)>() + 1) + self.groups * 8
    }
}
