//! Which of its distinct values each id column has in a row: a rank, 0 for the least. NULLs are the
//! greatest ranks.
//!
//! In random order a rank is a draw. In ascending order, the six ids are the digits of one number
//! below the product of their counts, and each row takes a random number from its own equal slice of
//! that range:
//!
//! ```text
//! row       0         1         2         3
//!       |--x------|-------x-|----x----|x--------|   0 .. K * K * N/K * K * K * N/K
//!
//! x = ((((id1 * K + id2) * N/K + id3) * K + id4) * K + id5) * N/K + id6
//! ```
//!
//! That ascends by construction and needs no sort, at the price that groups are more even in size
//! than independent draws would make them.

use dframe_core::{Error, Result};

use crate::random::Stream;

/// The number of id columns.
pub(super) const IDS: usize = 6;

/// The values of one id column.
pub(super) struct Id {
    /// Distinct values before some become NULL.
    distinct: u64,
    /// Those that stay.
    kept: u64,
}

/// How rows get their ranks.
pub(super) enum Ranks {
    /// Evenly and independently.
    Drawn([Stream; IDS]),
    /// In ascending order of all ids.
    Ascending {
        /// Random numbers within the rows' slices.
        stream: Stream,
        /// Rows of the table.
        rows: u64,
        /// For each id, the combinations of those after it; the first is that of all.
        combinations: [u128; IDS + 1],
    },
}

impl Id {
    /// `null_share` of the `distinct` values become NULL.
    pub(super) fn new(distinct: u64, null_share: f64) -> Self {
        Self { distinct, kept: distinct - (distinct as f64 * null_share) as u64 }
    }

    /// The value of a rank below `distinct`, from 1; those that stay are spread evenly.
    #[inline]
    pub(super) fn value(&self, rank: u64) -> Option<u64> {
        if rank >= self.kept {
            None
        } else if self.kept == self.distinct {
            Some(rank + 1)
        } else {
            Some(((rank + 1) * self.distinct).div_ceil(self.kept))
        }
    }

    /// Splits a number below `distinct * rest` into the rank and what remains for the ids that
    /// follow. All NULLs are one rank, or the ids after it would start over within them.
    fn digit(&self, number: u128, rest: u128) -> (u64, u128) {
        let (rank, remainder) = (number / rest, number % rest);
        let kept = u128::from(self.kept);
        if rank < kept {
            (rank as u64, remainder)
        } else {
            (self.kept, (number - kept * rest) / u128::from(self.distinct - self.kept))
        }
    }
}

impl Ranks {
    pub(super) fn drawn(seed: u64) -> Self {
        let columns = ["id1", "id2", "id3", "id4", "id5", "id6"];
        Self::Drawn(columns.map(|column| Stream::new(seed, &format!("groupby.{column}"))))
    }

    /// # Errors
    /// Invalid input if the combinations of all ids do not fit 128 bits.
    pub(super) fn ascending(seed: u64, rows: u64, ids: &[Id; IDS]) -> Result<Self> {
        let mut combinations = [1u128; IDS + 1];
        for index in (0..IDS).rev() {
            combinations[index] = combinations[index + 1]
                .checked_mul(u128::from(ids[index].distinct))
                .ok_or_else(|| {
                    Error::invalid_input("the ids have too many combinations to be sorted")
                        .remedy("give fewer rows or a smaller k")
                })?;
        }
        Ok(Self::Ascending { stream: Stream::new(seed, "groupby.ids"), rows, combinations })
    }

    /// The ranks of a row.
    #[inline]
    pub(super) fn of(&self, row: u64, ids: &[Id; IDS]) -> [u64; IDS] {
        match self {
            Self::Drawn(streams) => {
                std::array::from_fn(|index| streams[index].below(row, ids[index].distinct))
            }
            Self::Ascending { stream, rows, combinations } => {
                let mut number = in_slice(*stream, row, *rows, combinations[0]);
                std::array::from_fn(|index| {
                    let (rank, rest) = ids[index].digit(number, combinations[index + 1]);
                    number = rest;
                    rank
                })
            }
        }
    }
}

/// A random number from the row's slice of 0..total.
fn in_slice(stream: Stream, row: u64, rows: u64, total: u128) -> u128 {
    let start = slice_start(row, rows, total);
    let length = slice_start(row + 1, rows, total) - start;
    let bits = u128::from(stream.bits(2 * row)) << 64 | u128::from(stream.bits(2 * row + 1));
    start + if length == 0 { 0 } else { bits % length }
}

/// total * row / rows without overflow: rows fit 48 bits.
fn slice_start(row: u64, rows: u64, total: u128) -> u128 {
    let (row, rows) = (u128::from(row), u128::from(rows));
    total / rows * row + total % rows * row / rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_values_is_null() {
        let id = Id::new(100, 0.05);
        let values: Vec<Option<u64>> = (0..100).map(|rank| id.value(rank)).collect();
        assert_eq!(values.iter().flatten().count(), 95);
        assert!(values[..95].is_sorted_by(|a, b| a < b));
        assert_eq!((values[0], values[94]), (Some(2), Some(100)));
        assert_eq!(Id::new(3, 1.0).value(0), None);
    }

    #[test]
    fn ascending_ranks_ascend_and_are_even() {
        for null_share in [0.0, 0.5] {
            let ids = [4, 4, 250, 4, 4, 250].map(|count| Id::new(count, null_share));
            let ranks = Ranks::ascending(1, 1_000, &ids).unwrap();
            let rows: Vec<[u64; IDS]> = (0..1_000).map(|row| ranks.of(row, &ids)).collect();
            assert!(rows.is_sorted());
            let first = rows.iter().filter(|ranks| ranks[0] == 0).count();
            assert!((249..=251).contains(&first), "{first}");
        }
    }
}
