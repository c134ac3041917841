//! Skewness and kurtosis, from exact sums of powers.
//!
//! The powers are rounded, their sums are not until the end: the order of rows cannot change the result. A group whose
//! values hardly differ from their mean loses digits to it, as in DuckDB.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::datatypes::{DataType, Field, Float64Type};
use dframe_core::Result;

use super::count::Counts;
use super::exact_sum::ExactSums;
use super::groups::Groups;
use super::{Accumulator, GroupedRows};

/// What is made of the sums of powers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    /// Skewness, corrected for a sample.
    Skewness,
    /// Excess kurtosis, corrected for a sample.
    Kurtosis,
    /// Excess kurtosis of a population.
    KurtosisPop,
}

impl Shape {
    /// The highest power.
    fn powers(self) -> usize {
        if self == Shape::Skewness { 3 } else { 4 }
    }

    /// The columns of the state: count, sums of powers.
    pub(super) fn fields(self) -> Vec<Field> {
        let mut fields = vec![Field::new("count", DataType::Int64, false)];
        (1..=self.powers())
            .for_each(|power| fields.extend(ExactSums::fields(&format!("x{power}"))));
        fields
    }

    /// The result for `n` values; `None` if they are too few, or all equal.
    fn of(self, n: f64, sums: &[f64]) -> Option<f64> {
        let least = match self {
            Shape::Skewness => 3.0,
            Shape::Kurtosis => 4.0,
            Shape::KurtosisPop => 2.0,
        };
        if n < least {
            return None;
        }
        let mean = sums[0] / n;
        let second = sums[1] / n - mean * mean;
        if second <= 0.0 {
            return None;
        }
        let third = sums[2] / n - 3.0 * mean * sums[1] / n + 2.0 * mean.powi(3);
        if self == Shape::Skewness {
            return Some((n * (n - 1.0)).sqrt() / (n - 2.0) * third / second.powf(1.5));
        }
        let fourth = sums[3] / n - 4.0 * mean * sums[2] / n + 6.0 * mean * mean * sums[1] / n
            - 3.0 * mean.powi(4);
        let ratio = fourth / (second * second);
        Some(match self {
            Shape::KurtosisPop => ratio - 3.0,
            _ => (n - 1.0) * ((n + 1.0) * ratio - 3.0 * (n - 1.0)) / ((n - 2.0) * (n - 3.0)),
        })
    }
}

/// Sums of powers.
pub(super) struct Powers {
    shape: Shape,
    counts: Counts,
    sums: Vec<ExactSums>,
}

impl Powers {
    /// An accumulator without groups.
    pub(super) fn boxed(shape: Shape) -> Box<dyn Accumulator> {
        let sums = (0..shape.powers()).map(|_| ExactSums::default()).collect();
        Box::new(Self { shape, counts: Counts::default(), sums })
    }
}

impl Accumulator for Powers {
    fn update(&mut self, rows: &GroupedRows<'_>, args: &[ArrayRef]) -> Result<()> {
        let array = args[0].as_primitive::<Float64Type>();
        let groups = Groups::new(rows, array.len())?;
        self.counts.add_rows(&groups, array.nulls());
        let mut powers = array.values().to_vec();
        for sums in &mut self.sums {
            sums.add(&groups, &powers, array.nulls());
            powers.iter_mut().zip(array.values()).for_each(|(power, x)| *power *= x);
        }
        Ok(())
    }

    fn merge(&mut self, rows: &GroupedRows<'_>, states: &[ArrayRef]) -> Result<()> {
        let groups = Groups::new(rows, states[0].len())?;
        self.counts.merge(&groups, &states[0]);
        let width = ExactSums::fields("").len();
        for (sums, states) in self.sums.iter_mut().zip(states[1..].chunks(width)) {
            sums.merge(&groups, states)?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let mut columns = vec![self.counts.take()];
        self.sums.iter_mut().for_each(|sums| columns.extend(sums.take_state()));
        Ok(columns)
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let sums: Vec<_> = self.sums.iter_mut().map(ExactSums::take).collect();
        let result = |(group, count): (usize, i64)| {
            let sums: Vec<f64> = sums.iter().map(|sums| sums.round(group)).collect();
            self.shape.of(count as f64, &sums)
        };
        let counts = self.counts.take_values().into_iter().enumerate();
        Ok(Arc::new(counts.map(result).collect::<Float64Array>()))
    }

    fn memory(&self) -> usize {
        self.counts.memory() + self.sums.iter().map(ExactSums::memory).sum::<usize>()
    }
}
