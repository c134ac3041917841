//! Cutting rows into buckets by bits of their key's hash.
//!
//! ```text
//!   hash  [ level 0 bits | level 1 bits | ... | low bits: never used here ]
//! ```
//!
//! All rows of a key land in the same bucket of every task, so buckets can be finished on their own.
//! A bucket that is still too large is cut again by the next bits. Tables probe with other bits.

use arrow::array::RecordBatch;

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

    /// Where each of `hashes` goes when they are put bucket after bucket.
    pub(crate) fn cut(self, hashes: &[u64]) -> Cut {
        let mut starts = vec![0u32; self.buckets() as usize + 1];
        for hash in hashes {
            starts[self.bucket(*hash) as usize + 1] += 1;
        }
        for bucket in 1..starts.len() {
            starts[bucket] += starts[bucket - 1];
        }
        let mut next = starts.clone();
        let destination = |hash: &u64| {
            let next = &mut next[self.bucket(*hash) as usize];
            *next += 1;
            *next - 1
        };
        let destinations = hashes.iter().map(destination).collect();
        Cut { starts, destinations }
    }
}

/// Rows, sorted by bucket; within one in the order of the input.
pub(crate) struct Cut {
    starts: Vec<u32>,
    destinations: Vec<u32>,
}

impl Cut {
    /// Where each row goes.
    pub(crate) fn destinations(&self) -> &[u32] {
        &self.destinations
    }

    /// The rows, in the order in which they are put.
    pub(crate) fn order(&self) -> Vec<u32> {
        let mut order = vec![0; self.destinations.len()];
        for (row, destination) in self.destinations.iter().enumerate() {
            order[*destination as usize] = row as u32;
        }
        order
    }

    /// The buckets that have rows, as slices of a batch whose rows are in that order.
    pub(crate) fn slices(&self, batch: &RecordBatch) -> Vec<(u32, RecordBatch)> {
        let ranges = self.starts.windows(2).enumerate().filter(|(_, range)| range[0] < range[1]);
        let slice = |(bucket, range): (usize, &[u32])| {
            let (start, rows) = (range[0] as usize, (range[1] - range[0]) as usize);
            (bucket as u32, batch.slice(start, rows))
        };
        ranges.map(slice).collect()
    }
}
