//! Skewness and kurtosis, from exact sums of powers.
//!
//! The powers are rounded, their sums are not, nor are the moments about the mean until they are divided: the order of
//! rows cannot change the result, and integers lose nothing, however far from zero they are. Floats whose powers are
//! rounded, and that hardly differ from their mean, lose digits to it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::datatypes::{DataType, Field, Float64Type};
use dframe_core::Result;

use super::count::Counts;
use super::exact_sum::ExactSums;
use super::groups::Groups;
use super::moments::{Scaled, spread};
use super::wide::Wide;
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

    /// The result for so many values; `None` if they are too few, or all equal.
    fn of(self, count: i64, sums: &[Wide]) -> Option<f64> {
        let least = match self {
            Shape::Skewness => 3,
            Shape::Kurtosis => 4,
            Shape::KurtosisPop => 2,
        };
        if count < least {
            return None;
        }
        if sums.iter().any(Wide::is_special) {
            return Some(f64::NAN);
        }
        let (n, sample) = (count as f64, Central { n: Wide::integer(count), sums });
        let second = spread(count, &sums[1], &sums[0], &sums[0]);
        if second.0 <= 0.0 {
            return None;
        }
        if self == Shape::Skewness {
            let ratio = Scaled::of(&sample.third()).over(second.times(second.root())).value();
            return Some((n * (n - 1.0)).sqrt() / (n - 2.0) * ratio);
        }
        let ratio = Scaled::of(&sample.fourth()).over(second.times(second)).value();
        Some(match self {
            Shape::KurtosisPop => ratio - 3.0,
            _ => (n - 1.0) * ((n + 1.0) * ratio - 3.0 * (n - 1.0)) / ((n - 2.0) * (n - 3.0)),
        })
    }
}

/// Exact central moments of `n` values, times powers of `n`: whatever their mean, nothing cancels.
struct Central<'a> {
    n: Wide,
    sums: &'a [Wide],
}

impl Central<'_> {
    /// `n^3` times the third moment: `n (n s3 - 3 s1 s2) + 2 s1^3`.
    fn third(&self) -> Wide {
        let [s1, s2, s3, ..] = self.sums else { return Wide::default() };
        let outer = sum([self.n.product(s3), s1.product(s2).product(&Wide::integer(-3))]);
        sum([self.n.product(&outer), s1.product(s1).product(s1).product(&Wide::integer(2))])
    }

    /// `n^4` times the fourth moment: `n (n (n s4 - 4 s1 s3) + 6 s1^2 s2) - 3 s1^4`.
    fn fourth(&self) -> Wide {
        let [s1, s2, s3, s4] = self.sums else { return Wide::default() };
        let square = s1.product(s1);
        let inner = sum([self.n.product(s4), s1.product(s3).product(&Wide::integer(-4))]);
        let outer = sum([self.n.product(&inner), square.product(s2).product(&Wide::integer(6))]);
        sum([self.n.product(&outer), square.product(&square).product(&Wide::integer(-3))])
    }
}

fn sum([mut left, right]: [Wide; 2]) -> Wide {
    left.add_wide(&right);
    left
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
            let sums: Vec<Wide> = sums.iter().map(|sums| sums.exact(group)).collect();
            self.shape.of(count, &sums)
        };
        let counts = self.counts.take_values().into_iter().enumerate();
        Ok(Arc::new(counts.map(result).collect::<Float64Array>()))
    }

    fn memory(&self) -> usize {
        self.counts.memory() + self.sums.iter().map(ExactSums::memory).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(shape: Shape, values: &[i64]) -> Option<f64> {
        let power = |power: u32| {
            let powers = values.iter().map(|value| i128::from(*value).pow(power));
            let mut sum = Wide::default();
            powers.for_each(|value| sum.add(value, 0));
            sum
        };
        let sums: Vec<Wide> = (1..=shape.powers() as u32).map(power).collect();
        shape.of(values.len() as i64, &sums)
    }

    #[test]
    fn a_far_mean_costs_no_digits() {
        let near = [3, 3, 3, 4, 3];
        for far in [0, 1_000, 100_000_000] {
            let values = near.map(|value| value + far);
            assert_eq!(of(Shape::KurtosisPop, &values), Some(0.25));
            assert_eq!(of(Shape::Skewness, &values), of(Shape::Skewness, &near));
            assert_eq!(of(Shape::Kurtosis, &values), of(Shape::Kurtosis, &near));
        }
    }

    #[test]
    fn too_few_and_equal_values_have_none() {
        assert_eq!(of(Shape::Skewness, &[1, 2]), None);
        assert_eq!(of(Shape::Kurtosis, &[1, 2, 3]), None);
        assert_eq!(of(Shape::KurtosisPop, &[7, 7, 7]), None);
    }
}
