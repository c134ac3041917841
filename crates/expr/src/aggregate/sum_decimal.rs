//! Sums of decimals that 128 bits may not hold: 320 bits for each group, as 256 and a count of wraps.
//!
//! Decimals of moderate precision take `sum_int` instead, which is faster.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Decimal128Array, Decimal256Array, Int64Array,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Decimal256Type, Int64Type, i256};
use dframe_core::Result;

use super::groups::{Cell, Groups, Seen, grow};
use super::sum_int::digits_error;
use super::{Accumulator, GroupedRows};

/// The type of the low 256 bits of a state: a decimal only in name.
pub(super) const RAW_256: DataType = DataType::Decimal256(76, 0);

/// The sum of decimals in arrays of `T`.
pub(super) struct DecimalSum<T> {
    cells: Vec<Total>,
    seen: Seen,
    return_type: DataType,
    arg: PhantomData<fn(T)>,
}

impl<T: ArrowPrimitiveType> DecimalSum<T>
where
    T::Native: Wide,
{
    /// A sum of `return_type`: Decimal128 or Decimal256.
    pub(super) fn boxed(return_type: &DataType) -> Box<dyn Accumulator> {
        let return_type = return_type.clone();
        Box::new(Self { cells: Vec::new(), seen: Seen::default(), return_type, arg: PhantomData })
    }
}

/// What widens to 256 bits.
pub(super) trait Wide: Copy {
    /// The value in 256 bits.
    fn widen(self) -> i256;
}

impl Wide for i128 {
    fn widen(self) -> i256 {
        i256::from_i128(self)
    }
}

impl Wide for i256 {
    fn widen(self) -> i256 {
        self
    }
}

/// `wraps * 2^256 + low`.
#[derive(Clone, Copy, PartialEq)]
struct Total {
    low: i256,
    wraps: i64,
}

impl Cell<Total> for Total {
    const EMPTY: Self = Total { low: i256::ZERO, wraps: 0 };

    fn add(&mut self, value: Total) {
        let sum = self.low.wrapping_add(value.low);
        let wrapped = match (self.low.is_negative(), value.low.is_negative(), sum.is_negative()) {
            (false, false, true) => 1,
            (true, true, false) => -1,
            _ => 0,
        };
        *self = Total { low: sum, wraps: self.wraps + value.wraps + wrapped };
    }

    fn combine(&mut self, other: Self) {
        self.add(other);
    }
}

impl<V: Wide> Cell<(V,)> for Total {
    const EMPTY: Self = <Total as Cell<Total>>::EMPTY;

    fn add(&mut self, (value,): (V,)) {
        Cell::<Total>::add(self, Total { low: value.widen(), wraps: 0 });
    }

    fn combine(&mut self, other: Self) {
        Cell::<Total>::add(self, other);
    }
}

impl<T: ArrowPrimitiveType> Accumulator for DecimalSum<T>
where
    T::Native: Wide,
{
    fn update(&mut self, rows: &GroupedRows<'_>, args: &[ArrayRef]) -> Result<()> {
        let array = args[0].as_primitive::<T>();
        let values: Vec<(T::Native,)> = array.values().iter().map(|&value| (value,)).collect();
        let groups = Groups::new(rows, values.len())?;
        grow::<(T::Native,), _>(&mut self.cells, groups.count());
        groups.fold(&mut self.cells, &values, array.nulls());
        self.seen.mark(&groups, array.nulls());
        Ok(())
    }

    fn merge(&mut self, rows: &GroupedRows<'_>, states: &[ArrayRef]) -> Result<()> {
        let low = states[0].as_primitive::<Decimal256Type>();
        let wraps = states[1].as_primitive::<Int64Type>().values();
        let totals: Vec<Total> =
            low.values().iter().zip(wraps).map(|(&low, &wraps)| Total { low, wraps }).collect();
        let groups = Groups::new(rows, totals.len())?;
        grow::<Total, _>(&mut self.cells, groups.count());
        groups.fold(&mut self.cells, &totals, low.nulls());
        self.seen.mark(&groups, low.nulls());
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let (totals, nulls) = self.take();
        let low: Vec<i256> = totals.iter().map(|total| total.low).collect();
        let wraps = Int64Array::from_iter_values(totals.iter().map(|total| total.wraps));
        let low = Decimal256Array::new(low.into(), nulls).with_data_type(RAW_256);
        Ok(vec![Arc::new(low), Arc::new(wraps)])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let (totals, nulls) = self.take();
        match self.return_type {
            DataType::Decimal256(precision, _) => {
                let bound = i256::from_i128(10).wrapping_pow(u32::from(precision));
                let fits = |low: i256| low < bound && low > bound.wrapping_neg();
                let sums = narrow(&totals, precision, |low| fits(low).then_some(low))?;
                let array = Decimal256Array::new(sums.into(), nulls);
                Ok(Arc::new(array.with_data_type(self.return_type.clone())))
            }
            _ => {
                let bound = 10_u128.pow(38);
                let fits = |low: &i128| low.unsigned_abs() < bound;
                let sums = narrow(&totals, 38, |low| low.to_i128().filter(fits))?;
                let array = Decimal128Array::new(sums.into(), nulls);
                Ok(Arc::new(array.with_data_type(self.return_type.clone())))
            }
        }
    }

    fn memory(&self) -> usize {
        self.cells.capacity() * size_of::<Total>() + self.seen.memory()
    }
}

impl<T> DecimalSum<T> {
    fn take(&mut self) -> (Vec<Total>, Option<NullBuffer>) {
        (std::mem::take(&mut self.cells), self.seen.take_nulls())
    }
}

fn narrow<N>(
    totals: &[Total],
    precision: u8,
    convert: impl Fn(i256) -> Option<N>,
) -> Result<Vec<N>> {
    let narrow = |total: &Total| match total.wraps {
        0 => convert(total.low).ok_or_else(|| digits_error(precision)),
        _ => Err(digits_error(precision)),
    };
    totals.iter().map(narrow).collect()
}
