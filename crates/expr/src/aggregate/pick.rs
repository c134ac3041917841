//! The values of one row of each group: the row whose rank is the least.
//!
//! Each group knows the rank of its winning row and where the value is kept. A batch's winners are copied
//! into an array of their own; when half of what is kept has lost since, the winners are gathered into one
//! array. What a rank is, the functions know.
//!
//! ```text
//!   winners: group -> (rank, place = (array, row))     kept: [array, array, ...]
//! ```

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array, new_null_array};
use arrow::buffer::NullBuffer;
use arrow::compute::{interleave, take};
use arrow::datatypes::DataType;
use dframe_core::Result;

use super::groups::Groups;

/// How many lost values are kept at least before the winners are gathered.
const SLACK: usize = 8192;
/// How many arrays are kept at most before the winners are gathered.
const ARRAYS_MAX: usize = 1024;
/// The array of a group that has had no row.
const NOWHERE: u32 = u32::MAX;

/// Orders rows: the least wins.
pub(super) trait Rank: Copy + Ord {
    /// At least as great as any row's.
    const LAST: Self;
}

impl Rank for u64 {
    const LAST: Self = u64::MAX;
}

impl Rank for u128 {
    const LAST: Self = u128::MAX;
}

/// The winners so far.
pub(super) struct Winners<R> {
    data_type: DataType,
    winners: Vec<Winner<R>>,
    kept: Vec<ArrayRef>,
    kept_rows: usize,
    kept_bytes: usize,
}

#[derive(Clone, Copy)]
struct Winner<R> {
    rank: R,
    array: u32,
    row: u32,
}

impl<R: Rank> Winners<R> {
    /// No group yet; values will be of `data_type`.
    pub(super) fn new(data_type: &DataType) -> Self {
        Self {
            data_type: data_type.clone(),
            winners: Vec::new(),
            kept: Vec::new(),
            kept_rows: 0,
            kept_bytes: 0,
        }
    }

    /// Lets the rows that are not in `nulls` compete.
    pub(super) fn fold(
        &mut self,
        groups: &Groups<'_>,
        rank_of: impl Fn(usize) -> R,
        nulls: Option<&NullBuffer>,
        values: &ArrayRef,
    ) -> Result<()> {
        if self.winners.len() < groups.count() {
            let nobody = Winner { rank: R::LAST, array: NOWHERE, row: 0 };
            self.winners.resize(groups.count(), nobody);
        }
        let array = self.kept.len() as u32;
        let mut changed: Vec<u32> = Vec::new();
        for (row, &group) in groups.ids().iter().enumerate() {
            let winner = &mut self.winners[group as usize];
            let rank = rank_of(row);
            if rank > winner.rank || nulls.is_some_and(|nulls| nulls.is_null(row)) {
                continue;
            }
            if winner.array != array {
                changed.push(group);
            }
            *winner = Winner { rank, array, row: row as u32 };
        }
        self.keep(values, &changed)
    }

    /// Copies the winners out of the batch, so that the batch need not be held.
    fn keep(&mut self, values: &ArrayRef, changed: &[u32]) -> Result<()> {
        if changed.is_empty() {
            return Ok(());
        }
        let winners = &mut self.winners;
        let rows = changed.iter().map(|&group| winners[group as usize].row);
        let rows = UInt32Array::from_iter_values(rows);
        let copied = own(take(values, &rows, None)?);
        self.kept_bytes += copied.get_array_memory_size();
        self.kept.push(copied);
        for (row, &group) in changed.iter().enumerate() {
            winners[group as usize].row = row as u32;
        }
        self.kept_rows += changed.len();
        if self.kept_rows > 2 * self.winners.len() + SLACK || self.kept.len() > ARRAYS_MAX {
            self.gather()?;
        }
        Ok(())
    }

    /// Gathers the winners' values into one array, in the order of groups, NULL where there is none.
    fn gather(&mut self) -> Result<ArrayRef> {
        let null = self.kept.len();
        self.kept.push(new_null_array(&self.data_type, 1));
        let place = |winner: &Winner<R>| match winner.array {
            NOWHERE => (null, 0),
            array => (array as usize, winner.row as usize),
        };
        let places: Vec<(usize, usize)> = self.winners.iter().map(place).collect();
        let arrays: Vec<&dyn Array> = self.kept.iter().map(|array| &**array).collect();
        let gathered = own(interleave(&arrays, &places)?);
        for (row, winner) in self.winners.iter_mut().enumerate() {
            if winner.array != NOWHERE {
                (winner.array, winner.row) = (0, row as u32);
            }
        }
        self.kept = vec![gathered.clone()];
        self.kept_rows = gathered.len();
        self.kept_bytes = gathered.get_array_memory_size();
        Ok(gathered)
    }

    /// The ranks of the groups' winners; `None` where there is none.
    pub(super) fn ranks(&self) -> impl Iterator<Item = Option<R>> {
        self.winners.iter().map(|winner| (winner.array != NOWHERE).then_some(winner.rank))
    }

    /// The winners' values, NULL where there is none; forgets them.
    pub(super) fn take(&mut self) -> Result<ArrayRef> {
        let values = self.gather()?;
        *self = Self::new(&self.data_type);
        Ok(values)
    }

    /// The bytes held.
    pub(super) fn memory(&self) -> usize {
        self.winners.capacity() * size_of::<Winner<R>>() + self.kept_bytes
    }
}

/// Views into long buffers keep those alive: copy what they show.
fn own(array: ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Utf8View => Arc::new(array.as_string_view().gc()),
        DataType::BinaryView => Arc::new(array.as_binary_view().gc()),
        _ => array,
    }
}
