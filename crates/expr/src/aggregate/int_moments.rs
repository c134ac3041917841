//! Variances and the like of integers: as in `moments`, with cheaper exact sums.
//!
//! The terms of a group (its count, sums, and sums of products) lie side by side, so that a row touches
//! one place. While values are small they are 64-bit integers; before those can overflow they are
//! carried over into 256 bits, and batches of large values are added there at once.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal256Array, Float64Array, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Decimal256Type, Field, Int64Type, i256};
use dframe_core::Result;

use super::groups::{Cell, Groups, grow};
use super::moments::Moment;
use super::product_sum::add_to_wide;
use super::sum_decimal::RAW_256;
use super::wide::Wide;
use super::{Accumulator, GroupedRows};

/// A moment of integers, with so many terms: see [`terms`].
pub(super) struct IntMoments<const N: usize> {
    moment: Moment,
    parts: Vec<Terms<i64, N>>,
    /// What no part can exceed.
    bound: u64,
    /// The rest of the sums; empty until it is needed.
    totals: Vec<Terms<i256, N>>,
}

#[derive(Clone, Copy)]
struct Terms<T, const N: usize>([T; N]);

/// The terms of a row: one, the values, and the products in the order of [`Moment::products`].
#[inline(always)]
fn terms<T: Copy, const N: usize>(one: T, x: T, y: T, times: impl Fn(T, T) -> T) -> [T; N] {
    std::array::from_fn(|term| match (N, term) {
        (_, 0) => one,
        (_, 1) => x,
        (3, _) => times(x, x),
        (_, 2) => y,
        (_, 3) => times(x, y),
        (_, 4) => times(x, x),
        _ => times(y, y),
    })
}

impl<const N: usize> Cell<(i64, i64)> for Terms<i64, N> {
    const EMPTY: Self = Terms([0; N]);

    #[inline(always)]
    fn add(&mut self, (x, y): (i64, i64)) {
        self.combine(Terms(terms(1, x, y, i64::wrapping_mul)));
    }

    #[inline(always)]
    fn combine(&mut self, other: Self) {
        for (sum, term) in self.0.iter_mut().zip(other.0) {
            *sum = sum.wrapping_add(term);
        }
    }
}

impl<const N: usize> Cell<(i64, i64)> for Terms<i256, N> {
    const EMPTY: Self = Terms([i256::ZERO; N]);

    fn add(&mut self, (x, y): (i64, i64)) {
        let terms = terms(1, i128::from(x), i128::from(y), i128::wrapping_mul);
        self.combine(Terms(terms.map(i256::from_i128)));
    }

    fn combine(&mut self, other: Self) {
        for (sum, term) in self.0.iter_mut().zip(other.0) {
            *sum = sum.wrapping_add(term);
        }
    }
}

/// An accumulator for `moment` without groups.
pub(super) fn boxed(moment: Moment) -> Box<dyn Accumulator> {
    match 1 + moment.args() + moment.products().len() {
        3 => Box::new(IntMoments::<3>::new(moment)),
        4 => Box::new(IntMoments::<4>::new(moment)),
        _ => Box::new(IntMoments::<6>::new(moment)),
    }
}

/// The columns of the state.
pub(super) fn fields(moment: Moment) -> Vec<Field> {
    let sums = moment.args() + moment.products().len();
    let sum = |index| Field::new(format!("sum_{index}"), RAW_256, false);
    let count = Field::new("count", DataType::Int64, false);
    std::iter::once(count).chain((0..sums).map(sum)).collect()
}

impl<const N: usize> IntMoments<N> {
    fn new(moment: Moment) -> Self {
        Self { moment, parts: Vec::new(), bound: 0, totals: Vec::new() }
    }

    fn carry(&mut self) {
        grow::<(i64, i64), _>(&mut self.totals, self.parts.len());
        for (total, part) in self.totals.iter_mut().zip(&mut self.parts) {
            total.combine(Terms(part.0.map(|term| i256::from_i128(term.into()))));
            part.0 = [0; N];
        }
        self.bound = 0;
    }

    fn take(&mut self) -> Vec<Terms<i256, N>> {
        self.carry();
        self.parts = Vec::new();
        std::mem::take(&mut self.totals)
    }
}

/// A bound for the magnitude of any sum of terms of these values.
fn most(x: &[i64], y: &[i64]) -> Option<u64> {
    let bits = |values: &[i64]| values.iter().fold(0, |bits, value| bits | (value ^ (value >> 63)));
    let most = (bits(x) | bits(y)) as u64 + 1;
    most.checked_mul(most)?.checked_mul(x.len() as u64)
}

impl<const N: usize> Accumulator for IntMoments<N> {
    fn update(&mut self, rows: &GroupedRows<'_>, args: &[ArrayRef]) -> Result<()> {
        let arrays: Vec<&Int64Array> =
            args.iter().map(|array| array.as_primitive::<Int64Type>()).collect();
        let groups = Groups::new(rows, arrays[0].len())?;
        let nulls = NullBuffer::union_many(arrays.iter().map(|array| array.nulls()));
        let x = &arrays[0].values()[..];
        let y = &arrays[arrays.len() - 1].values()[..x.len()];
        let pair = |row: usize| (x[row], y[row]);
        grow::<(i64, i64), _>(&mut self.parts, groups.count());
        match most(x, y) {
            Some(most) if most < 1 << 62 => {
                if self.bound + most >= 1 << 63 {
                    self.carry();
                }
                self.bound += most;
                groups.fold_rows(&mut self.parts, pair, nulls.as_ref());
            }
            _ => {
                grow::<(i64, i64), _>(&mut self.totals, groups.count());
                groups.fold_rows(&mut self.totals, pair, nulls.as_ref());
            }
        }
        Ok(())
    }

    fn merge(&mut self, rows: &GroupedRows<'_>, states: &[ArrayRef]) -> Result<()> {
        let groups = Groups::new(rows, states[0].len())?;
        grow::<(i64, i64), _>(&mut self.parts, groups.count());
        grow::<(i64, i64), _>(&mut self.totals, groups.count());
        let counts = states[0].as_primitive::<Int64Type>().values();
        for (&group, &count) in groups.ids().iter().zip(counts) {
            let total = &mut self.totals[group as usize].0[0];
            *total = total.wrapping_add(i256::from_i128(count.into()));
        }
        for (term, state) in (1..N).zip(&states[1..]) {
            let sums = state.as_primitive::<Decimal256Type>().values();
            for (&group, &sum) in groups.ids().iter().zip(sums) {
                let total = &mut self.totals[group as usize].0[term];
                *total = total.wrapping_add(sum);
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let totals = self.take();
        let counts = totals.iter().map(|total| total.0[0].as_i128() as i64);
        let mut state: Vec<ArrayRef> = vec![Arc::new(Int64Array::from_iter_values(counts))];
        for term in 1..N {
            let sums: Vec<i256> = totals.iter().map(|total| total.0[term]).collect();
            let sums = Decimal256Array::new(sums.into(), None).with_data_type(RAW_256);
            state.push(Arc::new(sums));
        }
        Ok(state)
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let totals = self.take();
        let result = |total: &Terms<i256, N>| {
            let wide = |sum: &i256| {
                let mut wide = Wide::default();
                add_to_wide(&mut wide, *sum, 0);
                wide
            };
            let wides: Vec<Wide> = total.0[1..].iter().map(wide).collect();
            let (sums, products) = wides.split_at(self.moment.args());
            self.moment.finish(total.0[0].as_i128() as i64, sums, products)
        };
        Ok(Arc::new(totals.iter().map(result).collect::<Float64Array>()))
    }

    fn memory(&self) -> usize {
        self.parts.capacity() * size_of::<Terms<i64, N>>()
            + self.totals.capacity() * size_of::<Terms<i256, N>>()
    }
}
