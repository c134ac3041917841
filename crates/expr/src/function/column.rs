//! Arguments read row by row, and columns of text written row by row.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayAccessor, ArrayRef, AsArray, BooleanArray, Int64Array, PrimitiveArray, StringArray,
    StringBuilder,
};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Int64Type, IntervalMonthDayNanoType};
use dframe_core::{Error, Result};

use super::Call;
use crate::value::Value;

/// A typed argument; a scalar stands for every row.
pub(super) struct Rows<'a, A> {
    array: &'a A,
    /// 0 for a scalar, else 1.
    step: usize,
}

impl<'a, T: 'static> Rows<'a, T>
where
    &'a T: ArrayAccessor,
{
    /// The value of `row`, unless it is NULL.
    #[inline]
    pub(super) fn get(&self, row: usize) -> Option<<&'a T as ArrayAccessor>::Item> {
        let row = row * self.step;
        self.array.is_valid(row).then(|| self.array.value(row))
    }

    /// Whether all rows have the same value, by its form.
    pub(super) fn is_constant(&self) -> bool {
        self.step == 0
    }

    /// The values of the rows, or the only one.
    pub(super) fn array(&self) -> &'a T {
        self.array
    }
}

impl<'a> Call<'a> {
    /// Argument `index`, which the signature asked for as `Utf8`.
    pub(super) fn text(&self, index: usize) -> Result<Rows<'a, StringArray>> {
        self.typed(index, |array| array.as_string_opt::<i32>())
    }

    /// Argument `index`, which the signature asked for as `Int64`.
    pub(super) fn integers(&self, index: usize) -> Result<Rows<'a, Int64Array>> {
        self.typed(index, |array| array.as_primitive_opt::<Int64Type>())
    }

    /// Argument `index`, which the signature asked for as an interval.
    pub(super) fn intervals(
        &self,
        index: usize,
    ) -> Result<Rows<'a, PrimitiveArray<IntervalMonthDayNanoType>>> {
        self.typed(index, |array| array.as_primitive_opt::<IntervalMonthDayNanoType>())
    }

    fn typed<T>(
        &self,
        index: usize,
        downcast: fn(&'a dyn Array) -> Option<&'a T>,
    ) -> Result<Rows<'a, T>> {
        let (array, step) = match &self.args[index] {
            Value::Array(array) => (array, 1),
            Value::Scalar(array) => (array, 0),
        };
        let array = downcast(array.as_ref()).ok_or_else(|| not_cast(index, array.data_type()))?;
        Ok(Rows { array, step })
    }

    /// Argument `index` as a primitive array of all rows.
    pub(super) fn primitive<T: ArrowPrimitiveType>(
        &self,
        index: usize,
    ) -> Result<PrimitiveArray<T>> {
        let array = self.array(index)?;
        let typed = array.as_primitive_opt::<T>().cloned();
        typed.ok_or_else(|| not_cast(index, array.data_type()))
    }

    /// The column of the integers that `row` gives.
    pub(super) fn map_integers(&self, row: impl FnMut(usize) -> Option<i64>) -> Result<Value> {
        Ok(self.value(Arc::new((0..self.len()).map(row).collect::<Int64Array>())))
    }

    /// The column of the truth values that `row` gives.
    pub(super) fn map_booleans(
        &self,
        mut row: impl FnMut(usize) -> Option<Result<bool>>,
    ) -> Result<Value> {
        let values = (0..self.len()).map(|index| row(index).transpose());
        Ok(self.value(Arc::new(values.collect::<Result<BooleanArray>>()?)))
    }

    /// The column of the strings that `row` gives.
    pub(super) fn map_text<'t>(
        &self,
        mut row: impl FnMut(usize) -> Option<&'t str>,
    ) -> Result<Value> {
        self.write_text(|index, out| {
            out.write(row(index)?);
            Some(Ok(()))
        })
    }

    /// The column of the strings that `row` writes, NULL where it gives `None`.
    pub(super) fn write_text(
        &self,
        mut row: impl FnMut(usize, &mut TextWriter) -> Option<Result<()>>,
    ) -> Result<Value> {
        let mut out = TextWriter::new(self.len());
        for index in 0..self.len() {
            match row(index, &mut out) {
                Some(written) => written.and_then(|()| out.end())?,
                None => out.null(),
            }
        }
        Ok(self.value(out.finish()))
    }
}

fn not_cast(index: usize, found: &DataType) -> Error {
    Error::internal(format!("argument {} came as {found}, uncast", index + 1))
}

/// A column of text in the making. A row is written in pieces, then ended.
pub(super) struct TextWriter {
    builder: StringBuilder,
}

impl TextWriter {
    fn new(rows: usize) -> Self {
        Self { builder: StringBuilder::with_capacity(rows, rows * 8) }
    }

    /// Adds to the current row.
    #[inline]
    pub(super) fn write(&mut self, piece: &str) {
        // Writing to memory cannot fail.
        let _ = std::fmt::Write::write_str(&mut self.builder, piece);
    }

    /// Adds to the current row.
    pub(super) fn write_char(&mut self, piece: char) {
        self.write(piece.encode_utf8(&mut [0; 4]));
    }

    /// Adds two digits, of a number below 100, to the current row.
    #[inline]
    pub(super) fn write_pair(&mut self, number: i64) {
        const PAIRS: &str = "\
            00010203040506070809101112131415161718192021222324252627282930313233343536373839\
            40414243444546474849505152535455565758596061626364656667686970717273747576777879\
            8081828384858687888990919293949596979899";
        let start = number as usize * 2;
        self.write(&PAIRS[start..start + 2]);
    }

    /// Fails if the column cannot hold `bytes` more: said before allocating them.
    pub(super) fn check_room(&self, bytes: usize) -> Result<()> {
        let limit = i32::MAX as usize;
        if self.builder.values_slice().len().saturating_add(bytes) <= limit {
            return Ok(());
        }
        Err(Error::invalid_data("the text of a batch is longer than 2 GiB")
            .remedy("make the strings shorter"))
    }

    fn end(&mut self) -> Result<()> {
        self.check_room(0)?;
        self.builder.append_value("");
        Ok(())
    }

    fn null(&mut self) {
        self.builder.append_null();
    }

    fn finish(mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}
