//! `first`, `last` and `any_value`: the value of the row that comes first or last in the input.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt64Array};
use arrow::datatypes::{DataType, UInt64Type};
use dframe_core::Result;

use super::groups::Groups;
use super::pick::Winners;
use super::{Accumulator, GroupedRows, Positions};

/// The value of the first or the last row.
pub(super) struct Pick {
    order: Order,
    /// By position, flipped for `last` so that the least wins in any case.
    winners: Winners<u64>,
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

impl Pick {
    /// Picks a value of `data_type`.
    pub(super) fn boxed(order: Order, data_type: &DataType) -> Box<dyn Accumulator> {
        Box::new(Self { order, winners: Winners::new(data_type) })
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
            Positions::From(base) => self.winners.fold(
                &groups,
                |row| order.flip(base + row as u64),
                skipped.as_ref(),
                &args[0],
            ),
            Positions::Each(each) => {
                self.winners.fold(&groups, |row| order.flip(each[row]), skipped.as_ref(), &args[0])
            }
        }
    }

    fn merge(&mut self, rows: &GroupedRows<'_>, states: &[ArrayRef]) -> Result<()> {
        let groups = Groups::new(rows, states[0].len())?;
        let positions = states[1].as_primitive::<UInt64Type>();
        let order = self.order;
        let rank = |row: usize| order.flip(positions.value(row));
        self.winners.fold(&groups, rank, positions.nulls(), &states[0])
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let position = |rank: Option<u64>| rank.map(|rank| self.order.flip(rank));
        let positions: UInt64Array = self.winners.ranks().map(position).collect();
        Ok(vec![self.winners.take()?, Arc::new(positions)])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        self.winners.take()
    }

    fn memory(&self) -> usize {
        self.winners.memory()
    }
}
