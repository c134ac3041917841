//! `first`, `last` and `any_value`: the value of the row that comes first or last in the input.
//!
//! Each group knows the position of its winning row and where the value is kept. A batch's winners
//! are copied into an array of their own; when half of what is kept has lost since, the winners are
//! gathered into one array.
//!
//! ```text
//!   winners: group -> (position, place = (array, row))     kept: [array, array, ...]
//! ```

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array, UInt64Array, new_null_array};
use arrow::buffer::NullBuffer;
use arrow::compute::{interleave, take};
use arrow::datatypes::{DataType, UInt64Type};
use dframe_core::Result;

use super::groups::Groups;
use super::{Accumulator, GroupedRows, Positions};

/// How many lost values are kept at least before the winners are gathered.
const SLACK: usize = 8192;
/// How many arrays are kept at most before the winners are gathered.
const ARRAYS_MAX: usize = 1024;
/// The array of a group that has had no row.
const NOWHERE: u32 = u32::MAX;

/// The value of the first or the last row.
pub(super) struct Pick {
    order: Order,
    data_type: DataType,
    winners: Vec<Winner>,
    kept: Vec<ArrayRef>,
    kept_rows: usize,
    kept_bytes: usize,
}

/// Which row wins.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Order {
    /// The first.
    First,
    /// The last.
    Last,
    /// The first whose value is not NULL.
    FirstValue,
}

impl Order {
    /// The rank of a position, and the position of a rank.
    fn flip(self, position: u64) -> u64 {
        if self == Order::Last { !position } else { position }
    }
}

#[derive(Clone, Copy)]
struct Winner {
    /// The position, flipped for `last` so that the smallest wins in any case.
    rank: u64,
    array: u32,
    row: u32,
}

const NOBODY: Winner = Winner { rank: u64::MAX, array: NOWHERE, row: 0 };

impl Pick {
    /// Picks a value of `data_type`.
    pub(super) fn boxed(order: Order, data_type: &DataType) -> Box<dyn Accumulator> {
        let data_type = data_type.clone();
        Box::new(Self {
            order,
            data_type,
            winners: Vec::new(),
            kept: Vec::new(),
            kept_rows: 0,
            kept_bytes: 0,
        })
    }

    /// Lets the rows that are not in `nulls` compete.
    fn fold(
        &mut self,
        groups: &Groups<'_>,
        rank_of: impl Fn(usize) -> u64,
        nulls: Option<&NullBuffer>,
        values: &ArrayRef,
    ) -> Result<()> {
        if self.winners.len() < groups.count() {
            self.winners.resize(groups.count(), NOBODY);
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
        let place = |winner: &Winner| match winner.array {
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
}

/// Views into long buffers keep those alive: copy what they show.
fn own(array: ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Utf8View => Arc::new(array.as_string_view().gc()),
        DataType::BinaryView => Arc::new(array.as_binary_view().gc()),
        _ => array,
    }
}

impl Accumulator for Pick {
    fn update(&mut self, rows: &GroupedRows<'_>, args: &[ArrayRef]) -> Result<()> {
        let groups = Groups::new(rows, args[0].len())?;
        let skipped = match self.order {
            Order::FirstValue => args[0].logical_nulls(),
            Order::First | Order::Last => None,
        };
        let order = self.order;
        match rows.positions {
            Positions::From(base) => {
                self.fold(&groups, |row| order.flip(base + row as u64), skipped.as_ref(), &args[0])
            }
            Positions::Each(each) => {
                self.fold(&groups, |row| order.flip(each[row]), skipped.as_ref(), &args[0])
            }
        }
    }

    fn merge(&mut self, rows: &GroupedRows<'_>, states: &[ArrayRef]) -> Result<()> {
        let groups = Groups::new(rows, states[0].len())?;
        let positions = states[1].as_primitive::<UInt64Type>();
        let order = self.order;
        let rank = |row: usize| order.flip(positions.value(row));
        self.fold(&groups, rank, positions.nulls(), &states[0])
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let position = |winner: &Winner| match winner.array {
            NOWHERE => None,
            _ => Some(self.order.flip(winner.rank)),
        };
        let positions: UInt64Array = self.winners.iter().map(position).collect();
        Ok(vec![self.finish()?, Arc::new(positions)])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let values = self.gather()?;
        self.winners = Vec::new();
        self.kept = Vec::new();
        self.kept_rows = 0;
        self.kept_bytes = 0;
        Ok(values)
    }

    fn memory(&self) -> usize {
        self.winners.capacity() * size_of::<Winner>() + self.kept_bytes
    }
}
