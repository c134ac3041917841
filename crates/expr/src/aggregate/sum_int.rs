//! Sums of integers, of decimals of moderate precision and of durations: 128 bits for each group.
//!
//! 128 bits cannot overflow: 2^44 values of 84 bits (a decimal of 25 digits) fit. What may not fit is
//! the result type, which is checked once, at the end.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Decimal128Array, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Decimal128Type, validate_decimal_precision_and_scale};
use dframe_core::{Error, Result};

use super::groups::{Cell, Groups, Seen, grow};
use super::min_max::as_type;
use super::{Accumulator, GroupedRows};

/// The type of a 128-bit state: a decimal only in name, the values use all bits.
pub(super) const RAW_128: DataType = DataType::Decimal128(38, 0);

/// The sum of values of type `T`, or of durations cast to it, as the type of the result.
pub(super) struct IntSum<T> {
    totals: Totals,
    return_type: DataType,
    arg: PhantomData<fn(T)>,
}

impl<T: ArrowPrimitiveType> IntSum<T>
where
    T::Native: Addend,
{
    /// A sum of `return_type`: Int64, a duration or a Decimal128.
    pub(super) fn boxed(return_type: &DataType) -> Box<dyn Accumulator> {
        let return_type = return_type.clone();
        Box::new(Self { totals: Totals::default(), return_type, arg: PhantomData })
    }
}

impl<T: ArrowPrimitiveType> Accumulator for IntSum<T>
where
    T::Native: Addend,
{
    fn update(&mut self, rows: &GroupedRows<'_>, args: &[ArrayRef]) -> Result<()> {
        let values = as_type::<T>(&args[0])?;
        self.totals.add(&Groups::new(rows, values.len())?, values.values(), values.nulls());
        Ok(())
    }

    fn merge(&mut self, rows: &GroupedRows<'_>, states: &[ArrayRef]) -> Result<()> {
        self.totals.merge(&Groups::new(rows, states[0].len())?, &states[0]);
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.totals.take_state()])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let (totals, nulls) = self.totals.take();
        match &self.return_type {
            DataType::Decimal128(precision, scale) => {
                check_digits(&totals, *precision)?;
                validate_decimal_precision_and_scale::<Decimal128Type>(*precision, *scale)?;
                let array = Decimal128Array::new(totals.into(), nulls);
                Ok(Arc::new(array.with_data_type(self.return_type.clone())))
            }
            return_type => {
                let sums = totals.into_iter().map(narrow).collect::<Result<Vec<i64>>>()?;
                let array = Arc::new(Int64Array::new(sums.into(), nulls)) as ArrayRef;
                Ok(arrow::compute::cast(&array, return_type)?)
            }
        }
    }

    fn memory(&self) -> usize {
        self.totals.memory()
    }
}

fn narrow(total: i128) -> Result<i64> {
    i64::try_from(total).map_err(|_| {
        Error::invalid_data(format!("the sum {total} does not fit a 64-bit integer"))
            .remedy("sum a wider type: sum(cast(x as decimal(38, 0))) or sum(cast(x as double))")
    })
}

fn check_digits(totals: &[i128], precision: u8) -> Result<()> {
    let bound = 10_i128.pow(u32::from(precision));
    match totals.iter().find(|total| total.abs() >= bound) {
        None => Ok(()),
        Some(_) => Err(digits_error(precision)),
    }
}

/// The error of a decimal sum that needs more than `precision` digits.
pub(super) fn digits_error(precision: u8) -> Error {
    Error::invalid_data(format!("the sum of a decimal column needs more than {precision} digits"))
        .remedy("sum as floating point: sum(cast(x as double))")
}

/// What totals are made of.
pub(super) trait Addend: Copy + Into<i128> {
    /// Whether all values fit 64 bits with a sign.
    const NARROW: bool;
}

impl Addend for i8 {
    const NARROW: bool = true;
}

impl Addend for i16 {
    const NARROW: bool = true;
}

impl Addend for i32 {
    const NARROW: bool = true;
}

impl Addend for i64 {
    const NARROW: bool = true;
}

impl Addend for u8 {
    const NARROW: bool = true;
}

impl Addend for u16 {
    const NARROW: bool = true;
}

impl Addend for u32 {
    const NARROW: bool = true;
}

impl Addend for u64 {
    const NARROW: bool = false;
}

impl Addend for i128 {
    const NARROW: bool = false;
}

/// A 128-bit total for each group, and whether it had a value; part of other accumulators too.
///
/// While the values are small, 64 bits of it are enough: half the memory traffic, and additions that
/// vectorize. `bound` is what no 64-bit part can exceed; before it reaches 2^63, all are carried over.
#[derive(Default)]
pub(super) struct Totals {
    parts: Vec<Part>,
    bound: u64,
    /// The rest of the totals; empty until it is needed.
    totals: Vec<Total>,
    seen: Seen,
}

#[derive(Clone, Copy)]
struct Part(i64);

impl<V: Addend> Cell<V> for Part {
    const EMPTY: Self = Part(0);

    #[inline]
    fn add(&mut self, value: V) {
        self.0 = self.0.wrapping_add(value.into() as i64);
    }

    #[inline]
    fn combine(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

#[derive(Clone, Copy)]
struct Total(i128);

impl<V: Addend> Cell<V> for Total {
    const EMPTY: Self = Total(0);

    #[inline]
    fn add(&mut self, value: V) {
        self.0 = self.0.wrapping_add(value.into());
    }

    #[inline]
    fn combine(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl Totals {
    /// Adds the values that are not NULL.
    pub(super) fn add<V: Addend>(
        &mut self,
        groups: &Groups<'_>,
        values: &[V],
        nulls: Option<&NullBuffer>,
    ) {
        grow::<V, _>(&mut self.parts, groups.count());
        self.seen.mark(groups, nulls);
        match most(values) {
            Some(most) if most < 1 << 62 => {
                if self.bound + most >= 1 << 63 {
                    self.carry();
                }
                self.bound += most;
                groups.fold(&mut self.parts, values, nulls);
            }
            _ => {
                grow::<V, _>(&mut self.totals, groups.count());
                groups.fold(&mut self.totals, values, nulls);
            }
        }
    }

    /// Adds what [`Totals::take_state`] gave.
    pub(super) fn merge(&mut self, groups: &Groups<'_>, state: &ArrayRef) {
        let state = state.as_primitive::<Decimal128Type>();
        self.add(groups, state.values(), state.nulls());
    }

    fn carry(&mut self) {
        grow::<i64, _>(&mut self.totals, self.parts.len());
        for (total, part) in self.totals.iter_mut().zip(&mut self.parts) {
            total.0 += i128::from(std::mem::take(&mut part.0));
        }
        self.bound = 0;
    }

    /// The totals as an array of [`RAW_128`], NULL where there was no value; forgets them.
    pub(super) fn take_state(&mut self) -> ArrayRef {
        let (totals, nulls) = self.take();
        Arc::new(Decimal128Array::new(totals.into(), nulls).with_data_type(RAW_128))
    }

    /// The totals, and which have had a value; forgets them.
    pub(super) fn take(&mut self) -> (Vec<i128>, Option<NullBuffer>) {
        self.carry();
        let taken = std::mem::take(self);
        let mut seen = taken.seen;
        (taken.totals.into_iter().map(|total| total.0).collect(), seen.take_nulls())
    }

    /// The bytes held.
    pub(super) fn memory(&self) -> usize {
        self.parts.capacity() * size_of::<Part>()
            + self.totals.capacity() * size_of::<Total>()
            + self.seen.memory()
    }
}

/// A bound for the magnitude of any sum of some of `values`; None when they are wide.
fn most<V: Addend>(values: &[V]) -> Option<u64> {
    if !V::NARROW {
        return None;
    }
    let flip = |value: i64| value ^ (value >> 63);
    let bits = values.iter().fold(0, |bits, &value| bits | flip(value.into() as i64));
    (bits as u64 + 1).checked_mul(values.len() as u64)
}
