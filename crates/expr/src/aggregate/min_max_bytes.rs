//! Smallest and largest of strings and binary values, compared bytewise.
//!
//! Each group owns the bytes of its best value; nothing is allocated for a value that does not win,
//! and a winner reuses the room of the one before it where it fits.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayAccessor, ArrayRef, AsArray, BinaryBuilder, FixedSizeBinaryBuilder,
    LargeBinaryBuilder,
};
use arrow::datatypes::DataType;
use dframe_core::{Error, Result};

use super::groups::Groups;
use super::min_max::End;
use super::{Accumulator, GroupedRows};

/// The smallest or largest value of a column of strings or binary values.
pub(super) struct ExtremeBytes<E> {
    bests: Vec<Option<Box<[u8]>>>,
    /// The bytes of all `bests`.
    bytes: usize,
    return_type: DataType,
    end: PhantomData<E>,
}

impl<E: End> ExtremeBytes<E> {
    /// The extreme of a column of `return_type`.
    pub(super) fn boxed(return_type: &DataType) -> Box<dyn Accumulator> {
        let return_type = return_type.clone();
        Box::new(Self { bests: Vec::new(), bytes: 0, return_type, end: PhantomData })
    }

    fn fold<A: ArrayAccessor>(&mut self, groups: &Groups<'_>, array: A)
    where
        A::Item: AsRef<[u8]>,
    {
        for (row, &group) in groups.ids().iter().enumerate() {
            if array.is_valid(row) {
                self.offer(group as usize, array.value(row).as_ref());
            }
        }
    }

    fn offer(&mut self, group: usize, value: &[u8]) {
        let slot = &mut self.bests[group];
        if let Some(best) = slot {
            let wins = if E::GREATEST { value > &**best } else { value < &**best };
            if !wins {
                return;
            }
            if best.len() == value.len() {
                best.copy_from_slice(value);
                return;
            }
            self.bytes -= best.len();
        }
        self.bytes += value.len();
        *slot = Some(value.into());
    }
}

impl<E: End> Accumulator for ExtremeBytes<E> {
    fn update(&mut self, rows: &GroupedRows<'_>, args: &[ArrayRef]) -> Result<()> {
        let array = &args[0];
        let groups = Groups::new(rows, array.len())?;
        if self.bests.len() < groups.count() {
            self.bests.resize(groups.count(), None);
        }
        match array.data_type() {
            DataType::Utf8 => self.fold(&groups, array.as_string::<i32>()),
            DataType::LargeUtf8 => self.fold(&groups, array.as_string::<i64>()),
            DataType::Utf8View => self.fold(&groups, array.as_string_view()),
            DataType::Binary => self.fold(&groups, array.as_binary::<i32>()),
            DataType::LargeBinary => self.fold(&groups, array.as_binary::<i64>()),
            DataType::BinaryView => self.fold(&groups, array.as_binary_view()),
            DataType::FixedSizeBinary(_) => self.fold(&groups, array.as_fixed_size_binary()),
            other => return Err(Error::internal(format!("min and max over bytes got {other}"))),
        }
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
        let bytes = std::mem::take(&mut self.bytes);
        if let DataType::FixedSizeBinary(width) = self.return_type {
            let mut builder = FixedSizeBinaryBuilder::with_capacity(bests.len(), width);
            for best in bests {
                match best {
                    Some(best) => builder.append_value(best)?,
                    None => builder.append_null(),
                }
            }
            return Ok(Arc::new(builder.finish()));
        }
        build(bests, bytes, &self.return_type)
    }

    fn memory(&self) -> usize {
        // An allocation of its own costs some bytes besides its contents.
        const OVERHEAD: usize = 16;
        self.bests.capacity() * (size_of::<Option<Box<[u8]>>>() + OVERHEAD) + self.bytes
    }
}

/// An array of `data_type`; LargeUtf8 and the like hold more than 2 GiB.
pub(super) fn build(
    bests: Vec<Option<Box<[u8]>>>,
    bytes: usize,
    data_type: &DataType,
) -> Result<ArrayRef> {
    let wide = matches!(data_type, DataType::LargeUtf8 | DataType::LargeBinary);
    if bytes > i32::MAX as usize && matches!(data_type, DataType::Utf8 | DataType::Binary) {
        return Err(Error::unsupported("the strings of one piece of the result exceed 2 GiB")
            .remedy("cast the argument to large_utf8"));
    }
    let array: ArrayRef = if wide || bytes > i32::MAX as usize {
        let mut builder = LargeBinaryBuilder::with_capacity(bests.len(), bytes);
        bests.into_iter().for_each(|best| builder.append_option(best));
        Arc::new(builder.finish())
    } else {
        let mut builder = BinaryBuilder::with_capacity(bests.len(), bytes);
        bests.into_iter().for_each(|best| builder.append_option(best));
        Arc::new(builder.finish())
    };
    Ok(arrow::compute::cast(&array, data_type)?)
}
