//! Units of the probing side that hold no partner of a row of the other side, by the bounds of keys.
//!
//! ```text
//!   the known keys    3 .. 5 ........ 90       unit [6..80]   skipped: between two keys, if they are few
//!                                              unit [80..99]  read
//!                                              unit [91..99]  skipped
//! ```
//!
//! Only for kinds that drop rows without a partner. A further condition drops more, and is not looked at.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, make_comparator};
use arrow::compute::{SortOptions, cast, concat, sort_to_indices, take};
use arrow::datatypes::{DataType, Float64Type};
use dframe_core::Result;
use dframe_expr::plain;
use dframe_plan::{ColumnBounds, ScanUnit, Source};

use super::look_up::{LookUp, scanned_key};
use super::{JoinSpec, Side};
use crate::skip::{ScanColumn, UnitTest};
use crate::sort::canonical;

/// Values of a key that are all looked at; of more, the least and the greatest.
const VALUES_MAX: usize = 4096;

/// Tells which units may hold rows that find a partner.
pub(crate) struct ProbedUnits {
    table: Arc<dyn LookUp>,
    /// Keys, by number, that are columns of the scan.
    keys: Vec<(usize, ScanColumn)>,
}

impl ProbedUnits {
    /// A test for rows that look themselves up in `table`; `column` tells which column of the scan a column of the
    /// rows is. `None` if rows without a partner come out.
    pub(crate) fn new(
        table: &Arc<dyn LookUp>,
        column: impl Fn(usize) -> Option<ScanColumn>,
    ) -> Option<Self> {
        if !table.drops_unpaired() {
            return None;
        }
        let key = |key: usize| Some((key, scanned_key(table.probing(), key, &column)?));
        let keys = (0..table.probing().keys().len()).filter_map(key).collect();
        Some(Self { table: table.clone(), keys })
    }
}

impl UnitTest for ProbedUnits {
    fn may_matter(&self, source: &dyn Source, unit: &ScanUnit) -> bool {
        let Some(table) = self.table.known_keys() else { return true };
        let may_meet = |(key, column): &(usize, ScanColumn)| match column.bounds(source, unit) {
            Some(bounds) => table.may_meet(*key, &bounds),
            None => true,
        };
        !table.is_empty && self.keys.iter().all(may_meet)
    }
}

/// What is kept of all keys of a side.
pub(crate) struct KnownKeys {
    is_empty: bool,
    nulls_equal: bool,
    keys: Vec<KeyValues>,
}

/// What is kept of one of the keys.
struct KeyValues {
    /// In order, without NULL; `None` if they have no order here.
    values: Option<ArrayRef>,
    /// Whether these are all there are, rather than the first and the last.
    are_all: bool,
    has_null: bool,
}

impl KnownKeys {
    /// The keys of `batches`, which are laid out as those of `side`.
    pub(crate) fn of(spec: &JoinSpec, side: Side, batches: &[RecordBatch]) -> Result<Self> {
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let keys = spec.side(side).keys().iter().map(|place| {
            let parts = batches.iter().map(|batch| canonical(&plain(batch.column(*place))?));
            KeyValues::of(&parts.collect::<Result<Vec<_>>>()?, rows)
        });
        let keys = keys.collect::<Result<_>>()?;
        Ok(Self { is_empty: rows == 0, nulls_equal: spec.coder.nulls_equal(), keys })
    }

    /// Whether a value within `bounds` may equal one of key `key`.
    fn may_meet(&self, key: usize, bounds: &ColumnBounds) -> bool {
        let key = &self.keys[key];
        let null_meets_null = self.nulls_equal && key.has_null && bounds.nulls != Some(0);
        null_meets_null || (!bounds.is_all_null() && key.may_meet(bounds))
    }
}

impl KeyValues {
    fn of(parts: &[ArrayRef], rows: usize) -> Result<Self> {
        let has_null = parts.iter().any(|part| part.logical_null_count() > 0);
        let are_all = rows <= VALUES_MAX;
        let parts: Vec<ArrayRef> = match are_all {
            true => parts.to_vec(),
            false => parts.iter().filter_map(|part| ends(part).ok()).collect(),
        };
        let refs: Vec<&dyn Array> = parts.iter().map(|part| part.as_ref()).collect();
        let values = match refs.as_slice() {
            [] => None,
            refs => in_order(&concat(refs)?).ok(),
        };
        Ok(Self { values, are_all, has_null })
    }

    fn may_meet(&self, bounds: &ColumnBounds) -> bool {
        let Some(values) = &self.values else { return true };
        if values.data_type() != bounds.min.data_type() {
            return true;
        }
        let Some(last) = values.len().checked_sub(1) else { return false };
        if bounds.may_be_nan() && is_nan(values, last) {
            return true;
        }
        let compare = |bound: &ArrayRef| make_comparator(values, bound, SortOptions::default());
        let (Ok(to_min), Ok(to_max)) = (compare(&bounds.min), compare(&bounds.max)) else {
            return true;
        };
        let below = |place: usize| bounds.min.is_valid(0) && to_min(place, 0) == Ordering::Less;
        let within = |place: usize| bounds.max.is_null(0) || to_max(place, 0) != Ordering::Greater;
        match self.are_all {
            true => {
                let first = partition_point(values.len(), below);
                first < values.len() && within(first)
            }
            false => !below(last) && within(0),
        }
    }
}

/// Keys as they are noted, batch by batch: what [`KnownKeys`] are made of.
pub(super) struct NotedKeys {
    rows: usize,
    nulls_equal: bool,
    /// For each key, the ends of each batch, and whether there was a NULL.
    keys: Vec<(Vec<ArrayRef>, bool)>,
}

impl NotedKeys {
    /// None yet.
    pub(super) fn new(spec: &JoinSpec) -> Self {
        let keys = vec![(Vec::new(), false); spec.side(Side::Left).keys().len()];
        Self { rows: 0, nulls_equal: spec.coder.nulls_equal(), keys }
    }

    /// Notes the keys of some rows.
    pub(super) fn note(&mut self, keys: &[ArrayRef], rows: usize) -> Result<()> {
        self.rows += rows;
        for ((parts, has_null), key) in self.keys.iter_mut().zip(keys) {
            *has_null |= key.logical_null_count() > 0;
            parts.extend(ends(&canonical(&plain(key)?)?).ok());
        }
        Ok(())
    }

    /// What is known of them all.
    pub(super) fn known(&self) -> KnownKeys {
        let key = |(parts, has_null): &(Vec<ArrayRef>, bool)| {
            let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
            let values = concat(&parts).ok().and_then(|ends| in_order(&ends).ok());
            KeyValues { values, are_all: false, has_null: *has_null }
        };
        let keys = self.keys.iter().map(key).collect();
        KnownKeys { is_empty: self.rows == 0, nulls_equal: self.nulls_equal, keys }
    }
}

/// The number of places, from the first, for which `holds`.
fn partition_point(len: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = usize::midpoint(low, high);
        if holds(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

fn is_nan(values: &ArrayRef, place: usize) -> bool {
    values.data_type().is_floating()
        && cast(&values.slice(place, 1), &DataType::Float64)
            .is_ok_and(|value| value.as_primitive::<Float64Type>().value(0).is_nan())
}

/// The values in order, without NULLs.
fn in_order(values: &ArrayRef) -> Result<ArrayRef> {
    let options = SortOptions { descending: false, nulls_first: false };
    let order = sort_to_indices(values, Some(options), None)?;
    let known = values.len() - values.logical_null_count();
    Ok(take(values, &order.slice(0, known), None)?)
}

/// The least and the greatest value, or NULLs if there is none.
fn ends(values: &ArrayRef) -> Result<ArrayRef> {
    let end = |descending| -> Result<ArrayRef> {
        let options = SortOptions { descending, nulls_first: false };
        let place = sort_to_indices(values, Some(options), Some(1))?;
        Ok(take(values, &place, None)?)
    };
    Ok(concat(&[end(false)?.as_ref(), end(true)?.as_ref()])?)
}
