//! What is made of how often each value occurs: the mode, and entropy.
//!
//! Values are counted in their order, so sums of floats do not depend on how the rows came.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array};
use arrow::datatypes::DataType;
use dframe_core::Result;

use super::InOrder;
use super::store::Lists;
use super::values::{
    ByteValues, Values, WordValues, byte_array, each_group, extend_bytes, word_array,
};
use super::words::{Repr, Word, repr};

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
                Frequency::Entropy => entropies.push(runs.entropy),
            }
        })?;
        match self {
            Frequency::Mode => values.array(modes),
            Frequency::Entropy => Ok(Arc::new(Float64Array::from(entropies))),
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
    entropy: f64,
}

impl<O> Runs<O> {
    /// None yet, of `total` values.
    fn new(total: u64) -> Self {
        Self { total, current: None, length: 0, best: None, entropy: 0.0 }
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
        let (count, total) = (self.length as f64, self.total as f64);
        self.entropy += count / total * (total / count).log2();
        if self.best.as_ref().is_none_or(|(_, best)| self.length > *best) {
            self.best = Some((value, self.length));
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
            Frequency::Entropy => Ok(Arc::new(Float64Array::from(vec![self.runs.entropy]))),
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
            Frequency::Entropy => Ok(Arc::new(Float64Array::from(vec![self.runs.entropy]))),
        }
    }
}
