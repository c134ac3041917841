//! Variances, standard deviations, covariances and correlations.
//!
//! All are quotients of `n * sum(x * y) - sum(x) * sum(y)`, which is computed exactly, from exact sums,
//! and rounded once: nothing cancels, and nothing depends on the order of rows. Infinite and NaN values
//! give NaN, where DuckDB fails or gives NaN depending on the function and their number.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Float64Type};
use dframe_core::Result;

use super::count::Counts;
use super::exact_sum::{ExactSums, TakenSums, zero_nulls};
use super::groups::Groups;
use super::product_sum::{ProductSums, TakenProducts};
use super::wide::{Wide, power_of_two};
use super::{Accumulator, GroupedRows};

/// What is made of the sums.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Moment {
    /// Variance of a sample.
    VarSample,
    /// Variance of a population.
    VarPop,
    /// Standard deviation of a sample.
    StdSample,
    /// Standard deviation of a population.
    StdPop,
    /// Covariance of a sample.
    CovarSample,
    /// Covariance of a population.
    CovarPop,
    /// Pearson's correlation.
    Corr,
}

impl Moment {
    /// The number of arguments.
    pub(super) fn args(self) -> usize {
        match self {
            Self::VarSample | Self::VarPop | Self::StdSample | Self::StdPop => 1,
            Self::CovarSample | Self::CovarPop | Self::Corr => 2,
        }
    }

    /// The products whose sums are needed, as pairs of arguments.
    pub(super) fn products(self) -> &'static [(usize, usize)] {
        match self {
            Self::VarSample | Self::VarPop | Self::StdSample | Self::StdPop => &[(0, 0)],
            Self::CovarSample | Self::CovarPop => &[(0, 1)],
            Self::Corr => &[(0, 1), (0, 0), (1, 1)],
        }
    }

    /// The columns of the state: count, sums, sums of products.
    pub(super) fn fields(self) -> Vec<Field> {
        let mut fields = vec![Field::new("count", DataType::Int64, false)];
        let names = ["x", "y"];
        names[..self.args()].iter().for_each(|name| fields.extend(ExactSums::fields(name)));
        for &(left, right) in self.products() {
            fields.extend(ProductSums::fields(&format!("{}{}", names[left], names[right])));
        }
        fields
    }
}

/// The sums that a moment is made of.
pub(super) struct Moments {
    moment: Moment,
    counts: Counts,
    sums: Vec<ExactSums>,
    products: Vec<ProductSums>,
}

impl Moments {
    /// An accumulator without groups.
    pub(super) fn boxed(moment: Moment) -> Box<dyn Accumulator> {
        Box::new(Self {
            moment,
            counts: Counts::default(),
            sums: (0..moment.args()).map(|_| ExactSums::default()).collect(),
            products: moment.products().iter().map(|_| ProductSums::default()).collect(),
        })
    }
}

impl Accumulator for Moments {
    fn update(&mut self, rows: &GroupedRows<'_>, args: &[ArrayRef]) -> Result<()> {
        let arrays: Vec<&Float64Array> =
            args.iter().map(|array| array.as_primitive::<Float64Type>()).collect();
        let groups = Groups::new(rows, arrays[0].len())?;
        let nulls = NullBuffer::union_many(arrays.iter().map(|array| array.nulls()));
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        let masked: Vec<Vec<f64>> = match &nulls {
            Some(nulls) => arrays.iter().map(|array| zero_nulls(array.values(), nulls)).collect(),
            None => Vec::new(),
        };
        let values = |index: usize| match masked.get(index) {
            Some(masked) => &masked[..],
            None => arrays[index].values(),
        };
        self.counts.add_rows(&groups, nulls.as_ref());
        for (index, sums) in self.sums.iter_mut().enumerate() {
            sums.add(&groups, values(index), None);
        }
        for (products, &(left, right)) in self.products.iter_mut().zip(self.moment.products()) {
            products.add(&groups, values(left), values(right));
        }
        Ok(())
    }

    fn merge(&mut self, rows: &GroupedRows<'_>, states: &[ArrayRef]) -> Result<()> {
        let groups = Groups::new(rows, states[0].len())?;
        self.counts.merge(&groups, &states[0]);
        let mut columns = states[1..].chunks(3);
        for (sums, columns) in self.sums.iter_mut().zip(&mut columns) {
            sums.merge(&groups, columns)?;
        }
        for (products, columns) in self.products.iter_mut().zip(&mut columns) {
            products.merge(&groups, columns)?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let mut state = vec![self.counts.take()];
        self.sums.iter_mut().for_each(|sums| state.extend(sums.take_state()));
        self.products.iter_mut().for_each(|products| state.extend(products.take_state()));
        Ok(state)
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let counts = self.counts.take_values();
        let sums: Vec<TakenSums> = self.sums.iter_mut().map(ExactSums::take).collect();
        let products: Vec<TakenProducts> =
            self.products.iter_mut().map(ProductSums::take).collect();
        let result = |(group, count): (usize, &i64)| {
            let sums: Vec<Wide> = sums.iter().map(|sums| sums.exact(group)).collect();
            let products: Vec<Wide> = products.iter().map(|sums| sums.exact(group)).collect();
            self.moment.finish(*count, &sums, &products)
        };
        Ok(Arc::new(counts.iter().enumerate().map(result).collect::<Float64Array>()))
    }

    fn memory(&self) -> usize {
        self.counts.memory()
            + self.sums.iter().map(ExactSums::memory).sum::<usize>()
            + self.products.iter().map(ProductSums::memory).sum::<usize>()
    }
}

impl Moment {
    /// The result for a group, from the count, the sums and the sums of products.
    pub(super) fn finish(self, count: i64, sums: &[Wide], products: &[Wide]) -> Option<f64> {
        use Moment::{Corr, CovarPop, CovarSample, StdPop, StdSample, VarPop, VarSample};
        let sample = matches!(self, VarSample | StdSample | CovarSample);
        if count < 1 || (count < 2 && sample) {
            return None;
        }
        if sums.iter().chain(products).any(Wide::is_special) {
            return Some(f64::NAN);
        }
        let spread = |index: usize| {
            let (left, right) = self.products()[index];
            spread(count, &products[index], &sums[left], &sums[right])
        };
        let others = if sample { count - 1 } else { count };
        let pairs = Scaled(count as f64 * others as f64, 0);
        Some(match self {
            VarSample | VarPop | CovarSample | CovarPop => spread(0).over(pairs).value(),
            StdSample | StdPop => spread(0).over(pairs).root().value(),
            // Zero over zero, when a column is constant, is NaN.
            Corr => match spread(0).over(spread(1).times(spread(2)).root()).value() {
                value if value.is_nan() => f64::NAN,
                value => value.clamp(-1.0, 1.0),
            },
        })
    }
}

/// `n * sum(x * y) - sum(x) * sum(y)`, rounded once.
pub(super) fn spread(count: i64, xy: &Wide, x: &Wide, y: &Wide) -> Scaled {
    let mut spread = xy.product(&Wide::integer(count));
    spread.add_wide(&x.product(y).negated());
    Scaled::of(&spread)
}

/// `value * 2^exponent`: squares of floats exceed the range of floats.
#[derive(Clone, Copy)]
pub(super) struct Scaled(pub(super) f64, i32);

impl Scaled {
    /// An exact number, rounded once.
    pub(super) fn of(wide: &Wide) -> Self {
        let (value, exponent) = wide.scaled();
        Self(value, exponent)
    }

    pub(super) fn over(self, other: Self) -> Self {
        Self(self.0 / other.0, self.1 - other.1)
    }

    pub(super) fn times(self, other: Self) -> Self {
        Self(self.0 * other.0, self.1 + other.1)
    }

    pub(super) fn root(self) -> Self {
        let odd = self.1.rem_euclid(2);
        Self((self.0 * power_of_two(odd)).sqrt(), (self.1 - odd) / 2)
    }

    pub(super) fn value(self) -> f64 {
        let Self(mut value, mut exponent) = self;
        while exponent != 0 && value != 0.0 && value.is_finite() {
            let step = exponent.clamp(-1000, 1000);
            value *= power_of_two(step);
            exponent -= step;
        }
        value
    }
}
