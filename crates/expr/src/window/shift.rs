//! `lag` and `lead`: the value of another row of the partition.
//!
//! ```text
//!   lag 2     kept [v7 v8] | v9 v10 v11      row 9 is answered by v7, at once
//!   lead 2    waiting [d7 d8] | v9 v10       row 7 is answered by v9: two rows later
//! ```

use arrow::array::{Array, ArrayRef, UInt32Array, new_null_array};
use arrow::compute::{concat, interleave, take};
use arrow::datatypes::DataType;
use dframe_core::Result;

use super::{Answers, WindowEvaluator, WindowRows};

/// Where a row's value is when there is none.
const NONE: u64 = u64::MAX;

/// Shifts values by rows.
pub(super) struct Shift {
    /// Rows back; negative is ahead.
    back: i64,
    has_default: bool,
    nothing: ArrayRef,
    /// Values of the rows from `base` on.
    values: Column,
    /// Defaults of the rows that are not answered yet.
    defaults: Column,
    /// Where the partitions of the rows that are not answered yet begin; the first may be before them.
    starts: std::collections::VecDeque<u64>,
    /// The first row that is not answered.
    next: u64,
    /// The number of rows so far.
    end: u64,
}

/// Values of consecutive rows.
pub(super) struct Column {
    parts: Vec<ArrayRef>,
    /// No values, of their type.
    none: Option<ArrayRef>,
    /// The row of the first value.
    base: u64,
}

impl Column {
    /// Nothing, from row 0 on.
    pub(super) fn new() -> Self {
        Self { parts: Vec::new(), none: None, base: 0 }
    }

    /// Adds the values of the next rows.
    pub(super) fn push(&mut self, values: &ArrayRef) {
        self.none.get_or_insert_with(|| values.slice(0, 0));
        if !values.is_empty() {
            self.parts.push(values.clone());
        }
    }

    /// Forgets the rows before `row`, where whole arrays can go.
    pub(super) fn forget(&mut self, row: u64) {
        let mut gone = 0;
        for part in &self.parts {
            if self.base + part.len() as u64 > row {
                break;
            }
            self.base += part.len() as u64;
            gone += 1;
        }
        self.parts.drain(..gone);
    }

    /// The values of some rows in one array; none before the first values came.
    pub(super) fn range(&self, start: u64, end: u64) -> Result<Option<ArrayRef>> {
        let mut at = self.base;
        let mut slices: Vec<ArrayRef> = Vec::new();
        for part in &self.parts {
            let len = part.len() as u64;
            let (from, to) = (start.max(at), end.min(at + len));
            if from < to {
                slices.push(part.slice((from - at) as usize, (to - from) as usize));
            }
            at += len;
        }
        Ok(match slices.as_slice() {
            [] => self.none.clone(),
            [only] => Some(only.clone()),
            many => Some(concat(&many.iter().map(AsRef::as_ref).collect::<Vec<&dyn Array>>())?),
        })
    }

    /// The values of `rows`, which ascend but for [`NONE`].
    fn gather(&self, rows: &[u64], nothing: &ArrayRef) -> Result<ArrayRef> {
        if let [only] = self.parts.as_slice() {
            let place = |row: &u64| (*row != NONE).then(|| (*row - self.base) as u32);
            return Ok(take(only, &rows.iter().map(place).collect::<UInt32Array>(), None)?);
        }
        let mut arrays: Vec<&dyn Array> = self.parts.iter().map(AsRef::as_ref).collect();
        arrays.push(nothing);
        let (mut part, mut start) = (0, self.base);
        let mut place = |row: &u64| {
            if *row == NONE {
                return (self.parts.len(), 0);
            }
            while *row >= start + self.parts[part].len() as u64 {
                start += self.parts[part].len() as u64;
                part += 1;
            }
            (part, (*row - start) as usize)
        };
        let places: Vec<(usize, usize)> = rows.iter().map(&mut place).collect();
        Ok(interleave(&arrays, &places)?)
    }

    /// The bytes held.
    pub(super) fn memory(&self) -> usize {
        self.parts.iter().map(|part| part.to_data().get_slice_memory_size().unwrap_or(0)).sum()
    }
}

impl Shift {
    /// Values `back` rows before; a second input is what to give where there is no such row.
    pub(super) fn new(back: i64, has_default: bool, data_type: DataType) -> Self {
        Self {
            back,
            has_default,
            nothing: new_null_array(&data_type, 1),
            values: Column::new(),
            defaults: Column::new(),
            starts: std::collections::VecDeque::new(),
            next: 0,
            end: 0,
        }
    }

    /// Answers the rows before `until`; no row of a partition that is not over comes after `end` rows.
    fn answer(&mut self, until: u64) -> Result<Vec<Answers>> {
        if until <= self.next {
            return Ok(Vec::new());
        }
        let mut sources = Vec::with_capacity((until - self.next) as usize);
        for row in self.next..until {
            while self.starts.get(1).is_some_and(|start| *start <= row) {
                self.starts.pop_front();
            }
            let start = self.starts.front().copied().unwrap_or(0);
            let end = self.starts.get(1).copied().unwrap_or(self.end);
            let source = row.checked_add_signed(self.back.saturating_neg());
            let inside = source.filter(|source| (start..end).contains(source));
            sources.push(inside.unwrap_or(NONE));
        }
        let mut answers = self.values.gather(&sources, &self.nothing)?;
        if self.has_default {
            let defaults = self.defaults.range(self.next, until)?;
            if let Some(defaults) = defaults.filter(|_| sources.contains(&NONE)) {
                let mask = sources.iter().map(|source| Some(*source != NONE));
                let mask: arrow::array::BooleanArray = mask.collect();
                answers = arrow::compute::kernels::zip::zip(&mask, &answers, &defaults)?;
            }
            self.defaults.forget(until);
        }
        self.next = until;
        self.values.forget(until.saturating_sub(self.back.max(0).unsigned_abs()));
        Ok(vec![Answers::Rows(answers)])
    }
}

impl WindowEvaluator for Shift {
    fn push(&mut self, rows: &WindowRows<'_>) -> Result<Vec<Answers>> {
        self.values.push(&rows.inputs[0]);
        if self.has_default {
            self.defaults.push(&rows.inputs[1]);
        }
        self.starts.extend(rows.partition_starts.set_indices().map(|row| self.end + row as u64));
        self.end += rows.len() as u64;
        let ahead = self.back.min(0).unsigned_abs();
        // Rows before the last partition have all that they can see.
        let over = self.starts.back().copied().unwrap_or(0);
        self.answer(self.end.saturating_sub(ahead).max(over))
    }

    fn finish(&mut self) -> Result<Vec<Answers>> {
        self.answer(self.end)
    }

    fn memory(&self) -> usize {
        self.values.memory() + self.defaults.memory() + self.starts.len() * size_of::<u64>()
    }
}
