//! `arg_min(x, y)` and `arg_max(x, y)`: the `x` of the row with the least or greatest `y`, of several the first.
//!
//! ```text
//!   rank of a row:   y as a number of 64 bits in the same order, flipped for `arg_max`  |  position
//! ```
//!
//! For a `y` of at most 64 bits; others are gathered.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, UInt64Type};
use dframe_core::Result;

use super::groups::Groups;
use super::pick::Winners;
use super::{Accumulator, AggregateSignature, GroupedRows, Positions};
use crate::words::{Word, has_order_words};

/// The value of the row with the least or the greatest key.
pub(super) struct ArgExtreme {
    greatest: bool,
    winners: Winners<u128>,
}

/// The signature for a value and a key of these types; `None` where the key is too wide.
pub(super) fn arg_extreme(value: &DataType, key: &DataType) -> Option<AggregateSignature> {
    let value = if value.is_null() { &DataType::Int32 } else { value };
    let state_fields = vec![
        Field::new("value", value.clone(), true),
        Field::new("key", DataType::UInt64, true),
        Field::new("position", DataType::UInt64, true),
    ];
    has_order_words(key).then(|| AggregateSignature {
        arg_types: vec![value.clone(), key.clone()],
        state_fields,
        return_type: value.clone(),
    })
}

impl ArgExtreme {
    /// Picks a value of `data_type`.
    pub(super) fn boxed(greatest: bool, data_type: &DataType) -> Box<dyn Accumulator> {
        Box::new(Self { greatest, winners: Winners::new(data_type) })
    }
}

impl Accumulator for ArgExtreme {
    fn update(&mut self, rows: &GroupedRows<'_>, args: &[ArrayRef]) -> Result<()> {
        let groups = Groups::new(rows, args[0].len())?;
        let mut words: Vec<u64> = Vec::with_capacity(args[1].len());
        Word::extend(&mut words, &args[1])?;
        let nulls = [&args[0], &args[1]].map(|arg| arg.logical_nulls());
        let nulls = NullBuffer::union(nulls[0].as_ref(), nulls[1].as_ref());
        let greatest = self.greatest;
        let rank = move |word: u64, position: u64| rank(greatest, word, position);
        match rows.positions {
            Positions::From(base) => {
                let rank = |row: usize| rank(words[row], base + row as u64);
                self.winners.fold(&groups, rank, nulls.as_ref(), &args[0])
            }
            Positions::Each(each) => {
                let rank = |row: usize| rank(words[row], each[row]);
                self.winners.fold(&groups, rank, nulls.as_ref(), &args[0])
            }
        }
    }

    fn merge(&mut self, rows: &GroupedRows<'_>, states: &[ArrayRef]) -> Result<()> {
        let groups = Groups::new(rows, states[0].len())?;
        let [words, positions] = [1, 2].map(|state| states[state].as_primitive::<UInt64Type>());
        let greatest = self.greatest;
        let rank = |row: usize| rank(greatest, words.value(row), positions.value(row));
        self.winners.fold(&groups, rank, words.nulls(), &states[0])
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let ranks: Vec<Option<u128>> = self.winners.ranks().collect();
        let words = ranks.iter().map(|rank| rank.map(|rank| word(self.greatest, rank)));
        let words: UInt64Array = words.collect();
        let positions: UInt64Array =
            ranks.iter().map(|rank| rank.map(|rank| rank as u64)).collect();
        Ok(vec![self.winners.take()?, Arc::new(words), Arc::new(positions)])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        self.winners.take()
    }

    fn memory(&self) -> usize {
        self.winners.memory()
    }
}

fn rank(greatest: bool, word: u64, position: u64) -> u128 {
    u128::from(if greatest { !word } else { word }) << 64 | u128::from(position)
}

fn word(greatest: bool, rank: u128) -> u64 {
    let word = (rank >> 64) as u64;
    if greatest { !word } else { word }
}
