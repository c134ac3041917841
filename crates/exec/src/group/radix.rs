//! Cutting rows into buckets by bits of their key's hash.
//!
//! ```text
//!   hash  [ level 0 bits | level 1 bits | ... | low bits: never used here ]
//! ```
//!
//! All rows of a key land in the same bucket of every task, so buckets can be finished on their own.
//! A bucket that is still too large is cut again by the next bits. Tables probe with other bits.

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use dframe_core::Result;

use super::key_column::hash_rows;

/// The label of rows that were not cut into buckets.
pub(crate) const UNCUT: u32 = u32::MAX;

/// Which bits of the hash name the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Radix {
    /// Bits used by the levels above.
    pub(crate) used: u32,
    /// Bits of this level.
    pub(crate) bits: u32,
}

impl Radix {
    /// The first level, of `buckets` buckets (a power of two).
    pub(crate) fn first(buckets: u32) -> Self {
        Self { used: 0, bits: buckets.trailing_zeros() }
    }

    /// The next level, of `2^bits` buckets; `None` when the hash has no bits left to tell keys apart.
    pub(crate) fn next(self, bits: u32) -> Option<Self> {
        let used = self.used + self.bits;
        (used + bits <= 48).then_some(Self { used, bits })
    }

    /// The number of buckets.
    pub(crate) fn buckets(self) -> u32 {
        1 << self.bits
    }

    /// The bucket of a hash.
    pub(crate) fn bucket(self, hash: u64) -> u32 {
        match self.bits {
            0 => 0,
            bits => ((hash << self.used) >> (u64::BITS - bits)) as u32,
        }
    }

    /// The indices of `hashes`, bucket after bucket.
    pub(crate) fn cut(self, hashes: &[u64]) -> Cut {
        let buckets = self.buckets() as usize;
        let mut starts = vec![0u32; buckets + 1];
        for hash in hashes {
            starts[self.bucket(*hash) as usize + 1] += 1;
        }
        for bucket in 0..buckets {
            starts[bucket + 1] += starts[bucket];
        }
        let mut next = starts.clone();
        let mut indices = vec![0u32; hashes.len()];
        for (index, hash) in hashes.iter().enumerate() {
            let place = &mut next[self.bucket(*hash) as usize];
            indices[*place as usize] = index as u32;
            *place += 1;
        }
        Cut { starts, indices }
    }
}

/// Indices of rows, by bucket.
pub(crate) struct Cut {
    starts: Vec<u32>,
    indices: Vec<u32>,
}

impl Cut {
    /// The indices, bucket after bucket, and within one in the order of the input.
    pub(crate) fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// The buckets that have rows, as slices of a batch whose rows are in the order of the indices.
    pub(crate) fn slices(&self, batch: &RecordBatch) -> Vec<(u32, RecordBatch)> {
        let ranges = self.starts.windows(2).enumerate().filter(|(_, range)| range[0] < range[1]);
        let slice = |(bucket, range): (usize, &[u32])| {
            let (start, rows) = (range[0] as usize, (range[1] - range[0]) as usize);
            (bucket as u32, batch.slice(start, rows))
        };
        ranges.map(slice).collect()
    }
}

/// The rows of `batches`, a batch per bucket, all of them slices of one. The first `keys` columns are
/// the keys.
pub(crate) fn scatter(
    batches: &[RecordBatch],
    keys: usize,
    radix: Radix,
) -> Result<Vec<(u32, RecordBatch)>> {
    let mut hashes = Vec::new();
    let mut places = Vec::new();
    for (number, batch) in batches.iter().enumerate() {
        hashes.extend(key_hashes(batch, keys)?);
        places.extend((0..batch.num_rows()).map(|row| (number, row)));
    }
    let cut = radix.cut(&hashes);
    drop(hashes);
    let places: Vec<_> = cut.indices.iter().map(|index| places[*index as usize]).collect();
    let batches: Vec<&RecordBatch> = batches.iter().collect();
    Ok(cut.slices(&interleave_record_batch(&batches, &places)?))
}

/// Bytes per row, about, that [`scatter`] needs besides the rows.
pub(crate) const SCATTER_ROW_BYTES: usize = 48;

/// The hash of each row's key.
fn key_hashes(batch: &RecordBatch, keys: usize) -> Result<Vec<u64>> {
    let mut hashes = vec![0; batch.num_rows()];
    for column in &batch.columns()[..keys] {
        hash_rows(column, &mut hashes)?;
    }
    Ok(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
    use arrow::datatypes::Int64Type;
    use std::sync::Arc;

    #[test]
    fn every_row_is_in_the_bucket_of_its_key_and_in_order() {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter((0..1000).map(|i| Some(i % 37))));
        let order: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1000));
        let batch = RecordBatch::try_from_iter([("k", numbers), ("i", order)]).expect("valid");
        let buckets = scatter(&[batch.slice(0, 400), batch.slice(400, 600)], 1, Radix::first(8))
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
