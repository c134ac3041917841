//! `max(x, n)` and `min(x, n)`: the first few values of a group in order.
//!
//! ```text
//!   n = 3     group 0: [9 7 7]   group 1: [4 _ _]      a value that comes before the last moves in
//! ```
//!
//! For few values of at most 64 bits, which are kept as numbers in the same order; others are gathered. Zeros have
//! no sign.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field};
use dframe_core::Result;

use super::gather::{list_offsets, wanted_rows};
use super::groups::Groups;
use super::{Accumulator, AggregateSignature, GroupedRows};
use crate::words::{Word, has_order_words};

/// So many values are kept side by side.
const VALUES_MAX: usize = 16;

/// The values of all groups.
pub(super) struct TopValues {
    greatest: bool,
    wanted: usize,
    data_type: DataType,
    /// `wanted` words for each group, flipped for the greatest so that the least come first.
    words: Vec<u64>,
    /// How many of a group's words are values.
    counts: Vec<u32>,
}

/// The signature for values of type `arg`, of which `constants` say how many are wanted; `None` if they are many, or
/// too wide.
pub(super) fn top_values(arg: &DataType, constants: &[ArrayRef]) -> Option<AggregateSignature> {
    let [wanted] = constants else { return None };
    if !has_order_words(arg) || wanted_rows(wanted).ok()? > VALUES_MAX {
        return None;
    }
    let list = DataType::List(Arc::new(Field::new_list_field(arg.clone(), true)));
    Some(AggregateSignature {
        arg_types: vec![arg.clone()],
        state_fields: vec![Field::new("values", list.clone(), true)],
        return_type: list,
    })
}

impl TopValues {
    /// The least or greatest values of `data_type`, as many as `constants` say.
    pub(super) fn boxed(
        greatest: bool,
        data_type: &DataType,
        constants: &[ArrayRef],
    ) -> Option<Box<dyn Accumulator>> {
        Some(Box::new(Self {
            greatest,
            wanted: wanted_rows(constants.first()?).ok()?,
            data_type: data_type.clone(),
            words: Vec::new(),
            counts: Vec::new(),
        }))
    }

    fn grow(&mut self, groups: &Groups<'_>) {
        if self.counts.len() < groups.count() {
            self.counts.resize(groups.count(), 0);
            self.words.resize(groups.count() * self.wanted, 0);
        }
    }

    fn words_of(&self, values: &ArrayRef) -> Result<Vec<u64>> {
        let mut words: Vec<u64> = Vec::with_capacity(values.len());
        Word::extend(&mut words, values)?;
        if self.greatest {
            words.iter_mut().for_each(|word| *word = !*word);
        }
        Ok(words)
    }

    #[inline]
    fn add(&mut self, group: u32, word: u64) {
        let group = group as usize;
        let values = &mut self.words[group * self.wanted..][..self.wanted];
        let count = &mut self.counts[group];
        let mut place = *count as usize;
        if place < values.len() {
            *count += 1;
        } else if word < values[place - 1] {
            place -= 1;
        } else {
            return;
        }
        while place > 0 && values[place - 1] > word {
            values[place] = values[place - 1];
            place -= 1;
        }
        values[place] = word;
    }
}

impl Accumulator for TopValues {
    fn update(&mut self, rows: &GroupedRows<'_>, args: &[ArrayRef]) -> Result<()> {
        let groups = Groups::new(rows, args[0].len())?;
        self.grow(&groups);
        let words = self.words_of(&args[0])?;
        let rows = groups.ids().iter().zip(words);
        match args[0].nulls().filter(|nulls| nulls.null_count() > 0) {
            None => rows.for_each(|(group, word)| self.add(*group, word)),
            Some(nulls) => {
                let known = rows.zip(nulls).filter(|(_, valid)| *valid);
                known.for_each(|((group, word), _)| self.add(*group, word));
            }
        }
        Ok(())
    }

    fn merge(&mut self, rows: &GroupedRows<'_>, states: &[ArrayRef]) -> Result<()> {
        let groups = Groups::new(rows, states[0].len())?;
        self.grow(&groups);
        let lists = states[0].as_list::<i32>();
        let words = self.words_of(lists.values())?;
        for (group, ends) in groups.ids().iter().zip(lists.value_offsets().windows(2)) {
            for word in &words[ends[0] as usize..ends[1] as usize] {
                self.add(*group, *word);
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.finish()?])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let (words, counts) = (std::mem::take(&mut self.words), std::mem::take(&mut self.counts));
        let mut offsets = Vec::with_capacity(counts.len() + 1);
        offsets.push(0);
        let mut values: Vec<u64> = Vec::new();
        for (own, count) in words.chunks_exact(self.wanted).zip(&counts) {
            let own = own[..*count as usize].iter();
            values.extend(own.map(|word| if self.greatest { !word } else { *word }));
            offsets.push(values.len());
        }
        let field = Arc::new(Field::new_list_field(self.data_type.clone(), true));
        let values = u64::array(values, None, &self.data_type)?;
        let nulls = NullBuffer::from_iter(counts.iter().map(|count| *count > 0));
        let nulls = Some(nulls).filter(|nulls| nulls.null_count() > 0);
        Ok(Arc::new(ListArray::try_new(field, list_offsets(&offsets)?, values, nulls)?))
    }

    fn memory(&self) -> usize {
        self.words.capacity() * size_of::<u64>() + self.counts.capacity() * size_of::<u32>()
    }
}
