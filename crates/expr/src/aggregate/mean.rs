//! `mean`: an exact sum and a count, divided at the end, so that it does not depend on order.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Float64Type};
use dframe_core::Result;

use super::count::Counts;
use super::exact_sum::ExactSums;
use super::groups::Groups;
use super::min_max::as_type;
use super::sum_int::{Addend, Totals};
use super::{Accumulator, GroupedRows};

/// The mean of floats.
#[derive(Default)]
pub(super) struct FloatMean {
    sums: ExactSums,
    counts: Counts,
}

impl Accumulator for FloatMean {
    fn update(&mut self, rows: &GroupedRows<'_>, args: &[ArrayRef]) -> Result<()> {
        let array = args[0].as_primitive::<Float64Type>();
        let groups = Groups::new(rows, array.len())?;
        self.sums.add(&groups, array.values(), array.nulls());
        self.counts.add_rows(&groups, array.nulls());
        Ok(())
    }

    fn merge(&mut self, rows: &GroupedRows<'_>, states: &[ArrayRef]) -> Result<()> {
        let groups = Groups::new(rows, states[0].len())?;
        self.counts.merge(&groups, &states[3]);
        self.sums.merge(&groups, states)
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let mut state = self.sums.take_state();
        state.push(self.counts.take());
        Ok(state)
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let sums = self.sums.take();
        let counts = self.counts.take_values();
        let mean = |(group, count): (usize, &i64)| sums.round(group) / *count as f64;
        let means: Vec<f64> = counts.iter().enumerate().map(mean).collect();
        Ok(Arc::new(Float64Array::new(means.into(), sums.nulls)))
    }

    fn memory(&self) -> usize {
        self.sums.memory() + self.counts.memory()
    }
}

/// The mean of integers, decimals, and of timestamps and durations, which are cast to `T`.
pub(super) struct IntMean<T> {
    totals: Totals,
    counts: Counts,
    /// What the quotient of a decimal is divided by.
    unit: f64,
    return_type: DataType,
    arg: PhantomData<fn(T)>,
}

impl<T: ArrowPrimitiveType> IntMean<T>
where
    T::Native: Addend,
{
    /// The mean of a column of `arg_type`.
    pub(super) fn boxed(arg_type: &DataType, return_type: &DataType) -> Box<dyn Accumulator> {
        let scale = match arg_type {
            DataType::Decimal128(_, scale) => i32::from(*scale),
            _ => 0,
        };
        Box::new(Self {
            totals: Totals::default(),
            counts: Counts::default(),
            unit: 10_f64.powi(scale),
            return_type: return_type.clone(),
            arg: PhantomData,
        })
    }
}

impl<T: ArrowPrimitiveType> Accumulator for IntMean<T>
where
    T::Native: Addend,
{
    fn update(&mut self, rows: &GroupedRows<'_>, args: &[ArrayRef]) -> Result<()> {
        let array = as_type::<T>(&args[0])?;
        let groups = Groups::new(rows, array.len())?;
        self.totals.add(&groups, array.values(), array.nulls());
        self.counts.add_rows(&groups, array.nulls());
        Ok(())
    }

    fn merge(&mut self, rows: &GroupedRows<'_>, states: &[ArrayRef]) -> Result<()> {
        let groups = Groups::new(rows, states[0].len())?;
        self.totals.merge(&groups, &states[0]);
        self.counts.merge(&groups, &states[1]);
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.totals.take_state(), self.counts.take()])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let (totals, nulls) = self.totals.take();
        let pairs = totals.into_iter().zip(self.counts.take_values());
        if self.return_type == DataType::Float64 {
            let means: Vec<f64> =
                pairs.map(|(total, count)| total as f64 / (count as f64 * self.unit)).collect();
            return Ok(Arc::new(Float64Array::new(means.into(), nulls)));
        }
        // A mean lies between the values, so it fits; times are rounded down to their unit.
        let mean = |(total, count): (i128, i64)| total.div_euclid(i128::from(count.max(1))) as i64;
        let means = Int64Array::new(pairs.map(mean).collect(), nulls);
        Ok(arrow::compute::cast(&means, &self.return_type)?)
    }

    fn memory(&self) -> usize {
        self.totals.memory() + self.counts.memory()
    }
}
