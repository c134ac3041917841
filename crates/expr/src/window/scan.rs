//! Which row has the answer: the first, the last, the n-th, the least or the greatest so far.
//!
//! ```text
//!   value   3 1 NULL 2 | 5 4        last, ignoring NULLs:  row 0 1 1 3 | 0 1
//!           partition  | partition  least:                 row 0 1 1 1 | 0 1
//! ```

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::{cast, concat, take};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type};
use arrow::row::{RowConverter, Rows, SortField};
use dframe_core::Result;

/// Whether NULLs count as values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nulls {
    /// They do.
    Respected,
    /// They are passed over.
    Ignored,
}

/// Which row has the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    First(Nulls),
    Last(Nulls),
    /// From one.
    Nth(u64, Nulls),
    /// From the end, from one.
    FromLast(u64, Nulls),
    /// NULLs are passed over.
    Least,
    /// NULLs are passed over.
    Greatest,
}

impl Rule {
    /// Whether it passes over NULLs.
    pub(super) fn ignores_nulls(self) -> bool {
        match self {
            Rule::First(nulls)
            | Rule::Last(nulls)
            | Rule::Nth(_, nulls)
            | Rule::FromLast(_, nulls) => nulls == Nulls::Ignored,
            Rule::Least | Rule::Greatest => true,
        }
    }

    fn compares(self) -> bool {
        matches!(self, Rule::Least | Rule::Greatest)
    }
}

/// The answer for the rows of each partition so far, row by row.
pub(super) struct Scan {
    rule: Rule,
    /// The answer so far in the partition that is not over; an array of length one.
    carried: Option<ArrayRef>,
    /// The rows that count in it.
    counted: u64,
}

impl Scan {
    /// No rows yet.
    pub(super) fn new(rule: Rule) -> Self {
        Self { rule, carried: None, counted: 0 }
    }

    /// The answers after each row.
    pub(super) fn push(&mut self, values: &ArrayRef, starts: &BooleanBuffer) -> Result<ArrayRef> {
        if self.rule == Rule::Last(Nulls::Respected) {
            return Ok(values.clone());
        }
        let all = match &self.carried {
            Some(carried) => concat(&[carried, values])?,
            None => values.clone(),
        };
        let offset = all.len() - values.len();
        let keys = self.rule.compares().then(|| Keys::of(&all)).transpose()?;
        let nulls = all.logical_nulls().filter(|_| self.rule.ignores_nulls());
        let valid = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        let mut best = (offset > 0).then_some(0);
        let mut answers = Vec::with_capacity(values.len());
        for (row, starts) in starts.iter().enumerate() {
            if starts {
                (best, self.counted) = (None, 0);
            }
            let row = row + offset;
            if valid(row) {
                self.counted += 1;
                if self.wins(row, best, keys.as_ref()) {
                    best = Some(row);
                }
            }
            answers.push(best.map(|row| row as u32));
        }
        let last = best.map(|row| UInt32Array::from(vec![row as u32]));
        self.carried = last.map(|last| take(&all, &last, None)).transpose()?;
        Ok(take(&all, &UInt32Array::from(answers), None)?)
    }

    fn wins(&self, row: usize, best: Option<usize>, keys: Option<&Keys>) -> bool {
        let order = || match (best, keys) {
            (Some(best), Some(keys)) => keys.compare(row, best),
            _ => Ordering::Equal,
        };
        match self.rule {
            Rule::First(_) => best.is_none(),
            Rule::Last(_) => true,
            Rule::Nth(n, _) => self.counted == n,
            Rule::Least => best.is_none() || order() == Ordering::Less,
            Rule::Greatest => best.is_none() || order() == Ordering::Greater,
            Rule::FromLast(..) => false,
        }
    }

    /// The bytes held.
    pub(super) fn memory(&self) -> usize {
        self.carried.as_ref().map_or(0, |carried| carried.get_array_memory_size())
    }
}

/// Values by which rows are compared: NaN is greatest, -0.0 comes before 0.0.
pub(super) enum Keys {
    Integers(Vec<i64>),
    Rows(Rows),
}

impl Keys {
    /// Keys of `values`; those of NULLs mean nothing.
    pub(super) fn of(values: &ArrayRef) -> Result<Self> {
        let data_type = values.data_type();
        let integers = match data_type {
            DataType::Float64 => values
                .as_primitive::<Float64Type>()
                .values()
                .iter()
                .map(|value| key(*value))
                .collect(),
            DataType::Float32 | DataType::Float16 => {
                let values = cast(values, &DataType::Float32)?;
                let values = values.as_primitive::<Float32Type>();
                values.values().iter().map(|value| key(f64::from(*value))).collect()
            }
            DataType::Boolean => values.as_boolean().values().iter().map(i64::from).collect(),
            _ if is_integer(data_type) => {
                let values = cast(values, &DataType::Int64)?;
                values.as_primitive::<Int64Type>().values().to_vec()
            }
            _ => {
                let converter = RowConverter::new(vec![SortField::new(data_type.clone())])?;
                return Ok(Keys::Rows(converter.convert_columns(std::slice::from_ref(values))?));
            }
        };
        Ok(Keys::Integers(integers))
    }

    /// The order of two rows.
    pub(super) fn compare(&self, left: usize, right: usize) -> Ordering {
        match self {
            Keys::Integers(keys) => keys[left].cmp(&keys[right]),
            Keys::Rows(rows) => rows.row(left).cmp(&rows.row(right)),
        }
    }
}

fn is_integer(data_type: &DataType) -> bool {
    let integer = data_type.is_integer() && *data_type != DataType::UInt64;
    integer || (data_type.is_temporal() && !matches!(data_type, DataType::Interval(_)))
}

/// An integer that sorts as the value does, as `f64::total_cmp`, with one NaN.
pub(super) fn key(value: f64) -> i64 {
    let bits = if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() } as i64;
    bits ^ ((bits >> 63) & i64::MAX)
}

/// The rows that count for `rule`, if not all do.
pub(super) fn counted(rule: Rule, values: &ArrayRef) -> Option<NullBuffer> {
    values.logical_nulls().filter(|nulls| rule.ignores_nulls() && nulls.null_count() > 0)
}
