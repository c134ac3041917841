//! `count(*)` and `count(x)`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::Int64Type;
use dframe_core::Result;

use super::groups::{Cell, Groups, grow};
use super::{Accumulator, GroupedRows};

/// Counts rows, or values that are not NULL.
#[derive(Default)]
pub(super) struct Count {
    counts: Counts,
}

impl Accumulator for Count {
    fn update(&mut self, rows: &GroupedRows<'_>, args: &[ArrayRef]) -> Result<()> {
        let groups = Groups::new(rows, rows.groups.len())?;
        let nulls = args.first().and_then(|array| array.logical_nulls());
        self.counts.add_rows(&groups, nulls.as_ref());
        Ok(())
    }

    fn merge(&mut self, rows: &GroupedRows<'_>, states: &[ArrayRef]) -> Result<()> {
        self.counts.merge(&Groups::new(rows, states[0].len())?, &states[0]);
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.counts.take()])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(self.counts.take())
    }

    fn memory(&self) -> usize {
        self.counts.memory()
    }
}

/// A number of rows for each group; part of other accumulators too.
#[derive(Default)]
pub(super) struct Counts {
    cells: Vec<Counter>,
}

#[derive(Clone, Copy)]
struct Counter(i64);

impl Cell<()> for Counter {
    const EMPTY: Self = Counter(0);

    #[inline]
    fn add(&mut self, (): ()) {
        self.0 += 1;
    }

    #[inline]
    fn combine(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Cell<i64> for Counter {
    const EMPTY: Self = Counter(0);

    #[inline]
    fn add(&mut self, value: i64) {
        self.0 += value;
    }

    #[inline]
    fn combine(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Counts {
    /// Counts the rows that are not NULL.
    pub(super) fn add_rows(
        &mut self,
        groups: &Groups<'_>,
        nulls: Option<&arrow::buffer::NullBuffer>,
    ) {
        grow::<(), _>(&mut self.cells, groups.count());
        groups.fold(&mut self.cells, &vec![(); groups.ids().len()], nulls);
    }

    /// Adds counts, an Int64 array without NULLs.
    pub(super) fn merge(&mut self, groups: &Groups<'_>, counts: &ArrayRef) {
        grow::<(), _>(&mut self.cells, groups.count());
        groups.fold(&mut self.cells, counts.as_primitive::<Int64Type>().values(), None);
    }

    /// The counts; forgets them.
    pub(super) fn take(&mut self) -> ArrayRef {
        Arc::new(Int64Array::from(self.take_values()))
    }

    /// The counts; forgets them.
    pub(super) fn take_values(&mut self) -> Vec<i64> {
        std::mem::take(&mut self.cells).into_iter().map(|cell| cell.0).collect()
    }

    /// The bytes held.
    pub(super) fn memory(&self) -> usize {
        self.cells.capacity() * size_of::<Counter>()
    }
}
