//! `bool_and`, `bool_or`, and `min`, `max` of booleans, which are the same.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt8Array};
use arrow::datatypes::UInt8Type;
use dframe_core::Result;

use super::groups::{Cell, Groups, grow};
use super::{Accumulator, GroupedRows};

/// Which truth values each group has had.
pub(super) struct Bools {
    cells: Vec<Had>,
    /// The value that decides as soon as it is there: false for `bool_and`, true for `bool_or`.
    decisive: Had,
}

/// A set of truth values.
#[derive(Clone, Copy, PartialEq)]
struct Had(u8);

const HAD_FALSE: Had = Had(1);
const HAD_TRUE: Had = Had(2);

impl Bools {
    /// Whether all are true.
    pub(super) fn all() -> Box<dyn Accumulator> {
        Box::new(Self { cells: Vec::new(), decisive: HAD_FALSE })
    }

    /// Whether any is true.
    pub(super) fn any() -> Box<dyn Accumulator> {
        Box::new(Self { cells: Vec::new(), decisive: HAD_TRUE })
    }

    fn result(&self, had: Had) -> Option<bool> {
        match had {
            Had(0) => None,
            Had(bits) if bits & self.decisive.0 != 0 => Some(self.decisive == HAD_TRUE),
            _ => Some(self.decisive == HAD_FALSE),
        }
    }
}

impl Accumulator for Bools {
    fn update(&mut self, rows: &GroupedRows<'_>, args: &[ArrayRef]) -> Result<()> {
        let array = args[0].as_boolean();
        let groups = Groups::new(rows, array.len())?;
        grow::<u8, _>(&mut self.cells, groups.count());
        let values: Vec<u8> = array.values().iter().map(|value| 1 << u8::from(value)).collect();
        groups.fold(&mut self.cells, &values, array.nulls());
        Ok(())
    }

    fn merge(&mut self, rows: &GroupedRows<'_>, states: &[ArrayRef]) -> Result<()> {
        let values = states[0].as_primitive::<UInt8Type>().values();
        let groups = Groups::new(rows, values.len())?;
        grow::<u8, _>(&mut self.cells, groups.count());
        groups.fold(&mut self.cells, values, None);
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let cells = std::mem::take(&mut self.cells);
        Ok(vec![Arc::new(UInt8Array::from_iter_values(cells.iter().map(|had| had.0)))])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let cells = std::mem::take(&mut self.cells);
        Ok(Arc::new(cells.iter().map(|&had| self.result(had)).collect::<BooleanArray>()))
    }

    fn memory(&self) -> usize {
        self.cells.capacity()
    }
}

impl Cell<u8> for Had {
    const EMPTY: Self = Had(0);

    #[inline]
    fn add(&mut self, value: u8) {
        self.0 |= value;
    }

    #[inline]
    fn combine(&mut self, other: Self) {
        self.0 |= other.0;
    }
}
