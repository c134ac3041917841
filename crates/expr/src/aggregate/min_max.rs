//! Smallest and largest of types of fixed width: numbers, decimals, dates, times.
//!
//! A value becomes a *key*, an integer that sorts as the value does: integers are their own keys; the
//! bits of a float are flipped so that they sort in total order (-0.0 before 0.0, which makes the
//! choice between them independent of the order of rows), with every NaN as one NaN above infinity.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::datatypes::{DataType, i256};
use dframe_core::Result;

use super::groups::{Cell, Groups, Seen, grow};
use super::{Accumulator, GroupedRows};

/// The smallest or largest value, in arrays of `T`. Other types are cast to it and back: dates and times
/// are the integers that they are, half floats are exact in single precision.
pub(super) struct Extreme<T: ArrowPrimitiveType, E>
where
    T::Native: Ordered,
{
    bests: Vec<Best<T::Native, E>>,
    seen: Seen,
    return_type: DataType,
}

impl<T: ArrowPrimitiveType, E: End> Extreme<T, E>
where
    T::Native: Ordered,
{
    /// The extreme of a column of `return_type`.
    pub(super) fn boxed(return_type: &DataType) -> Box<dyn Accumulator> {
        let return_type = return_type.clone();
        Box::new(Self { bests: Vec::new(), seen: Seen::default(), return_type })
    }
}

impl<T: ArrowPrimitiveType, E: End> Accumulator for Extreme<T, E>
where
    T::Native: Ordered,
{
    fn update(&mut self, rows: &GroupedRows<'_>, args: &[ArrayRef]) -> Result<()> {
        let array = as_type::<T>(&args[0])?;
        let groups = Groups::new(rows, array.len())?;
        grow(&mut self.bests, groups.count());
        groups.fold(&mut self.bests, array.values(), array.nulls());
        self.seen.mark(&groups, array.nulls());
        Ok(())
    }

    fn merge(&mut self, rows: &GroupedRows<'_>, states: &[ArrayRef]) -> Result<()> {
        self.update(rows, states)
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.finish()?])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let bests = std::mem::take(&mut self.bests);
        let values: Vec<T::Native> =
            bests.into_iter().map(|best| T::Native::of(best.key)).collect();
        let array = PrimitiveArray::<T>::new(values.into(), self.seen.take_nulls());
        match (T::DATA_TYPE, &self.return_type) {
            (own, wanted) if own == *wanted => Ok(Arc::new(array)),
            (own, wanted) if own.is_decimal() => Ok(Arc::new(array.with_data_type(wanted.clone()))),
            (_, wanted) => Ok(arrow::compute::cast(&array, wanted)?),
        }
    }

    fn memory(&self) -> usize {
        self.bests.capacity() * size_of::<Best<T::Native, E>>() + self.seen.memory()
    }
}

/// `array` as an array of `T`.
pub(super) fn as_type<T: ArrowPrimitiveType>(array: &ArrayRef) -> Result<PrimitiveArray<T>> {
    match array.as_primitive_opt::<T>() {
        Some(array) => Ok(array.clone()),
        None => Ok(arrow::compute::cast(array, &T::DATA_TYPE)?.as_primitive::<T>().clone()),
    }
}

/// The key of the best value so far.
struct Best<V: Ordered, E> {
    key: V::Key,
    end: PhantomData<E>,
}

impl<V: Ordered, E> Clone for Best<V, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V: Ordered, E> Copy for Best<V, E> {}

impl<V: Ordered, E: End> Cell<V> for Best<V, E> {
    const EMPTY: Self = Best { key: if E::GREATEST { V::LOW } else { V::HIGH }, end: PhantomData };

    #[inline]
    fn add(&mut self, value: V) {
        self.offer(value.key());
    }

    #[inline]
    fn combine(&mut self, other: Self) {
        self.offer(other.key);
    }
}

impl<V: Ordered, E: End> Best<V, E> {
    /// Without a branch: few values of a group, or values that are often equal, would be guessed wrong.
    #[inline]
    fn offer(&mut self, new: V::Key) {
        let old = self.key;
        let wins = if E::GREATEST { new > old } else { new < old };
        self.key = if wins { new } else { old };
    }
}

/// A value with a key that sorts as the value does.
pub(super) trait Ordered: Copy + Send {
    /// The key: an integer.
    type Key: Copy + Ord + Send;
    /// The smallest key.
    const LOW: Self::Key;
    /// The largest key.
    const HIGH: Self::Key;

    /// The key of the value.
    fn key(self) -> Self::Key;

    /// The value of the key.
    fn of(key: Self::Key) -> Self;
}

/// The integers are their own keys; three lines each are clearer in a macro than ten times in full.
macro_rules! own_key {
    ($($integer:ty),*) => {$(
        impl Ordered for $integer {
            type Key = $integer;
            const LOW: $integer = <$integer>::MIN;
            const HIGH: $integer = <$integer>::MAX;

            #[inline]
            fn key(self) -> $integer {
                self
            }

            #[inline]
            fn of(key: $integer) -> $integer {
                key
            }
        }
    )*};
}

own_key!(i8, i16, i32, i64, u8, u16, u32, u64, i128, i256);

/// As `f64::total_cmp` does: the bits below the sign are flipped when it is set.
macro_rules! float_key {
    ($($float:ty, $bits:ty, $signed:ty);*) => {$(
        impl Ordered for $float {
            type Key = $signed;
            const LOW: $signed = <$signed>::MIN;
            const HIGH: $signed = <$signed>::MAX;

            #[inline]
            fn key(self) -> $signed {
                let bits = if self.is_nan() { <$float>::NAN.to_bits() } else { self.to_bits() };
                let bits = bits as $signed;
                bits ^ ((bits >> (<$bits>::BITS - 1)) & <$signed>::MAX)
            }

            #[inline]
            fn of(key: $signed) -> $float {
                let bits = key ^ ((key >> (<$bits>::BITS - 1)) & <$signed>::MAX);
                <$float>::from_bits(bits as $bits)
            }
        }
    )*};
}

float_key!(f64, u64, i64; f32, u32, i32);

/// Which end of the order is wanted.
pub(super) trait End: Copy + Send + 'static {
    /// The largest rather than the smallest.
    const GREATEST: bool;
}

/// `min`.
#[derive(Clone, Copy)]
pub(super) struct Least;

/// `max`.
#[derive(Clone, Copy)]
pub(super) struct Greatest;

impl End for Least {
    const GREATEST: bool = false;
}

impl End for Greatest {
    const GREATEST: bool = true;
}
