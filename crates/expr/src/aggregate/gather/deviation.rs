//! The median absolute deviation: the median of the distances from the median.
//!
//! ```text
//!   1 2 4 9 --median--> 3 --distances--> 2 1 1 6 --median--> 1.5
//! ```

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Decimal128Type, Float32Type, Float64Type};
use dframe_core::Result;

use super::Passes;
use super::quantile::Quantiles;
use super::select;
use super::store::Lists;

/// The median absolute deviation of a column.
#[derive(Clone, Debug)]
pub(super) struct Deviations {
    arg: DataType,
    /// The type of the median, and of distances from it.
    item: DataType,
}

impl Deviations {
    /// Of numbers.
    pub(super) fn of(arg: &DataType) -> Option<Self> {
        let (_, item) = Quantiles::median(arg);
        let number =
            matches!(item, DataType::Float32 | DataType::Float64 | DataType::Decimal128(..));
        number.then(|| Self { arg: arg.clone(), item })
    }

    pub(super) fn return_type(&self) -> DataType {
        self.item.clone()
    }

    /// The result for each group.
    pub(super) fn finish(&self, lists: &Lists) -> Result<ArrayRef> {
        let medians = Quantiles::median(&self.arg).0.finish(lists, &self.arg)?;
        let group =
            |(group, pair): (usize, &[usize])| std::iter::repeat_n(group, pair[1] - pair[0]);
        let groups = lists.offsets.windows(2).enumerate().flat_map(group);
        let distances = self.distances(&lists.columns[0], &medians, groups)?;
        let lists = Lists { offsets: lists.offsets.clone(), columns: vec![distances] };
        Quantiles::median(&self.item).0.finish(&lists, &self.item)
    }

    /// The distance of each value from the median of its group.
    fn distances(
        &self,
        values: &ArrayRef,
        medians: &ArrayRef,
        groups: impl Iterator<Item = usize>,
    ) -> Result<ArrayRef> {
        let values = cast(values, &self.item)?;
        Ok(match self.item {
            DataType::Float32 => {
                Arc::new(apart::<Float32Type>(&values, medians, groups, |x, m| (x - m).abs()))
            }
            DataType::Float64 => {
                Arc::new(apart::<Float64Type>(&values, medians, groups, |x, m| (x - m).abs()))
            }
            _ => {
                let far = |x: i128, m: i128| x.wrapping_sub(m).wrapping_abs();
                let apart: Decimal128Array = apart::<Decimal128Type>(&values, medians, groups, far);
                Arc::new(apart.with_data_type(self.item.clone()))
            }
        })
    }

    /// Finishes a group of `rows` values that are shown several times.
    pub(super) fn passes(&self, rows: u64) -> Box<dyn Passes> {
        let passes = selection(&self.arg, rows);
        Box::new(DeviationPasses { deviations: self.clone(), rows, median: None, passes })
    }
}

fn apart<T: ArrowPrimitiveType>(
    values: &ArrayRef,
    medians: &ArrayRef,
    groups: impl Iterator<Item = usize>,
    far: impl Fn(T::Native, T::Native) -> T::Native,
) -> PrimitiveArray<T> {
    let (values, medians) = (values.as_primitive::<T>(), medians.as_primitive::<T>());
    let pairs = values.values().iter().zip(groups);
    PrimitiveArray::from_iter_values(pairs.map(|(x, group)| far(*x, medians.value(group))))
}

/// Finds the median of `rows` values.
fn selection(arg: &DataType, rows: u64) -> Box<dyn Passes> {
    let (median, _) = Quantiles::median(arg);
    match arg {
        DataType::Decimal128(..) => select::passes::<u128>(&median, rows, arg),
        _ => select::passes::<u64>(&median, rows, arg),
    }
}

/// First the median, then that of the distances.
struct DeviationPasses {
    deviations: Deviations,
    rows: u64,
    median: Option<ArrayRef>,
    passes: Box<dyn Passes>,
}

impl Passes for DeviationPasses {
    fn push(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let Some(median) = &self.median else { return self.passes.push(columns) };
        let rows = std::iter::repeat_n(0, columns[0].len());
        self.passes.push(&[self.deviations.distances(&columns[0], median, rows)?])
    }

    fn again(&mut self) -> Result<bool> {
        if self.passes.again()? {
            return Ok(true);
        }
        if self.median.is_some() {
            return Ok(false);
        }
        let next = selection(&self.deviations.item, self.rows);
        self.median = Some(std::mem::replace(&mut self.passes, next).finish()?);
        Ok(true)
    }

    fn memory(&self) -> usize {
        self.passes.memory()
    }

    fn finish(self: Box<Self>) -> Result<ArrayRef> {
        self.passes.finish()
    }
}
