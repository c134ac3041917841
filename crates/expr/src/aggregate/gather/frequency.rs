//! What is made of how often each value occurs: the mode, and entropy.
//!
//! Values are counted in their order, or in a table if they are few; entropy is summed up by ascending counts, so that it
//! does not depend on how the rows came.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array};
use arrow::datatypes::DataType;
use dframe_core::Result;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::store::Lists;
use super::values::{
    ByteValues, Values, WordValues, byte_array, each_group, extend_bytes, word_array,
};
use super::{InOrder, Passes};
use crate::words::{Repr, Word, repr};

/// What is wanted of the counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Frequency {
    /// The value that occurs most often, the smallest of several.
    Mode,
    /// The entropy of the values, in bits.
    Entropy,
}

impl Frequency {
    /// The result for each group.
    pub(super) fn finish(self, lists: &Lists, arg: &DataType) -> Result<ArrayRef> {
        let array = &lists.columns[0];
        match repr(arg) {
            Some(Repr::Narrow) => self.of_groups(&WordValues::<u64>::new(array), &lists.offsets),
            Some(Repr::Wide) => self.of_groups(&WordValues::<u128>::new(array), &lists.offsets),
            _ => self.of_groups(&ByteValues::new(array), &lists.offsets),
        }
    }

    fn of_groups<V: Values>(self, values: &V, offsets: &[usize]) -> Result<ArrayRef> {
        let (mut modes, mut entropies) = (Vec::new(), Vec::new());
        each_group(values, offsets, |group| {
            group.sort_unstable();
            let mut runs = Runs::new(group.len() as u64);
            group.iter().for_each(|value| runs.push(*value));
            runs.close();
            match self {
                Frequency::Mode => modes.push(runs.best.map(|(value, _)| value)),
                Frequency::Entropy => entropies.push(runs.lengths.entropy(runs.total)),
            }
        })?;
        match self {
            Frequency::Mode => values.array(modes),
            Frequency::Entropy => Ok(Arc::new(Float64Array::from(entropies))),
        }
    }

    /// Finishes a group of `rows` values if few of them are different; `None` for texts.
    pub(super) fn counting(self, rows: u64, arg: &DataType) -> Option<Box<dyn Passes>> {
        match repr(arg)? {
            Repr::Narrow => Some(Counting::<u64>::boxed(self, rows, arg)),
            Repr::Wide => Some(Counting::<u128>::boxed(self, rows, arg)),
            Repr::Bytes => None,
        }
    }

    /// Finishes a group of `rows` values that come in order.
    pub(super) fn in_order(self, rows: u64, arg: &DataType) -> Box<dyn InOrder> {
        let arg = arg.clone();
        match repr(&arg) {
            Some(Repr::Narrow) => {
                Box::new(WordRuns::<u64> { frequency: self, arg, runs: Runs::new(rows) })
            }
            Some(Repr::Wide) => {
                Box::new(WordRuns::<u128> { frequency: self, arg, runs: Runs::new(rows) })
            }
            _ => Box::new(ByteRuns { frequency: self, arg, runs: Runs::new(rows) }),
        }
    }
}

/// The stretches of equal values in sorted values.
struct Runs<O> {
    total: u64,
    current: Option<O>,
    length: u64,
    best: Option<(O, u64)>,
    lengths: Lengths,
}

impl<O> Runs<O> {
    /// None yet, of `total` values.
    fn new(total: u64) -> Self {
        Self { total, current: None, length: 0, best: None, lengths: Lengths::default() }
    }

    fn push<T: Copy + Into<O>>(&mut self, value: T)
    where
        O: PartialEq<T>,
    {
        if self.current.as_ref().is_some_and(|current| *current == value) {
            self.length += 1;
            return;
        }
        self.close();
        (self.current, self.length) = (Some(value.into()), 1);
    }

    /// Ends the current stretch.
    fn close(&mut self) {
        let Some(value) = self.current.take() else { return };
        *self.lengths.0.entry(self.length).or_default() += 1;
        if self.best.as_ref().is_none_or(|(_, best)| self.length > *best) {
            self.best = Some((value, self.length));
        }
    }
}

/// How many values occur so many times.
#[derive(Default)]
struct Lengths(BTreeMap<u64, u64>);

impl Lengths {
    /// The entropy of `total` values.
    fn entropy(&self, total: u64) -> f64 {
        let total = total as f64;
        let part = |(count, values): (&u64, &u64)| {
            let count = *count as f64;
            *values as f64 * (count / total * (total / count).log2())
        };
        self.0.iter().map(part).fold(0.0, |sum, part| sum + part)
    }
}

/// Different values that are counted in a table.
const COUNTED_MAX: usize = 256 * 1024;

/// Counts values in a table, as long as few of them are different.
struct Counting<W> {
    frequency: Frequency,
    arg: DataType,
    total: u64,
    counts: HashMap<W, u64, FixedState>,
    words: Vec<W>,
    gave_up: bool,
}

impl<W: Word + Default> Counting<W> {
    fn boxed(frequency: Frequency, total: u64, arg: &DataType) -> Box<dyn Passes> {
        let counts = HashMap::with_hasher(FixedState::with_seed(1));
        let arg = arg.clone();
        Box::new(Self { frequency, arg, total, counts, words: Vec::new(), gave_up: false })
    }
}

impl<W: Word + Default> Passes for Counting<W> {
    fn push(&mut self, columns: &[ArrayRef]) -> Result<()> {
        if self.gave_up {
            return Ok(());
        }
        self.words.clear();
        W::extend(&mut self.words, &columns[0])?;
        for word in &self.words {
            *self.counts.entry(*word).or_default() += 1;
        }
        if self.counts.len() > COUNTED_MAX {
            self.gave_up = true;
            self.counts = HashMap::with_hasher(FixedState::with_seed(1));
        }
        Ok(())
    }

    fn again(&mut self) -> Result<bool> {
        Ok(false)
    }

    fn gave_up(&self) -> bool {
        self.gave_up
    }

    fn memory(&self) -> usize {
        // A table that is not quite full, with an entry's two words and a byte, and the one before it.
        3 * COUNTED_MAX * (size_of::<(W, u64)>() + 1)
    }

    fn finish(self: Box<Self>) -> Result<ArrayRef> {
        match self.frequency {
            Frequency::Mode => {
                let first = |(word, count): (&W, &u64)| (std::cmp::Reverse(*count), *word);
                let mode = self.counts.iter().map(first).min().map(|(_, word)| word);
                word_array(vec![mode], &self.arg)
            }
            Frequency::Entropy => {
                let mut lengths = Lengths::default();
                self.counts.values().for_each(|count| *lengths.0.entry(*count).or_default() += 1);
                Ok(Arc::new(Float64Array::from(vec![lengths.entropy(self.total)])))
            }
        }
    }
}

struct WordRuns<W> {
    frequency: Frequency,
    arg: DataType,
    runs: Runs<W>,
}

impl<W: Word + Default> InOrder for WordRuns<W> {
    fn push(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let mut words: Vec<W> = Vec::with_capacity(columns[0].len());
        W::extend(&mut words, &columns[0])?;
        words.into_iter().for_each(|word| self.runs.push(word));
        Ok(())
    }

    fn memory(&self) -> usize {
        0
    }

    fn finish(mut self: Box<Self>) -> Result<ArrayRef> {
        self.runs.close();
        match self.frequency {
            Frequency::Mode => word_array(vec![self.runs.best.map(|(value, _)| value)], &self.arg),
            Frequency::Entropy => {
                Ok(Arc::new(Float64Array::from(vec![self.runs.lengths.entropy(self.runs.total)])))
            }
        }
    }
}

struct ByteRuns {
    frequency: Frequency,
    arg: DataType,
    runs: Runs<Vec<u8>>,
}

impl InOrder for ByteRuns {
    fn push(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let mut values = Vec::with_capacity(columns[0].len());
        extend_bytes(&columns[0], 0..columns[0].len(), &mut values);
        values.into_iter().for_each(|value| self.runs.push(value));
        Ok(())
    }

    fn memory(&self) -> usize {
        self.runs.best.as_ref().map_or(0, |(value, _)| 2 * value.len())
    }

    fn finish(mut self: Box<Self>) -> Result<ArrayRef> {
        self.runs.close();
        match self.frequency {
            Frequency::Mode => {
                let best = self.runs.best.map(|(value, _)| value.into_boxed_slice());
                byte_array(std::iter::once(best), &self.arg)
            }
            Frequency::Entropy => {
                Ok(Arc::new(Float64Array::from(vec![self.runs.lengths.entropy(self.runs.total)])))
            }
        }
    }
}
