//! Units of a scan that hold none of the first `k` rows, by the bounds of the first key.
//!
//! ```text
//!   ascending, k = 10     unit a [0..9], 20 rows     the last of 10 rows is 9 at most, before any is read
//!                         unit b [9..30]             read: rows with 9 may come first, by later keys or place
//!                         unit c [10..40]            skipped
//! ```
//!
//! Units stay in order, as equal rows must. Where rows are dropped on the way to the sort, nothing is known
//! before some were read.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::compute::SortOptions;
use dframe_core::Result;
use dframe_plan::{ColumnBounds, ScanUnit, Source};

use super::SortSpec;
use super::threshold::compare_keys;
use crate::skip::{ScanColumn, UnitTest};

/// Tells which units may hold one of the first rows.
pub(crate) struct FirstUnits {
    spec: Arc<SortSpec>,
    /// The first key.
    key: ScanColumn,
}

impl FirstUnits {
    /// A test for the sort `spec`, which has a limit, whose first key is `key`.
    pub(crate) fn new(spec: Arc<SortSpec>, key: ScanColumn) -> Self {
        Self { spec, key }
    }

    /// Finds a key that the first `k` rows come up to, by the bounds of units all of whose rows are sorted.
    pub(crate) fn begin_with(&self, source: &dyn Source, units: &[&ScanUnit]) -> Result<()> {
        let options = self.spec.options[0];
        let known = |unit: &&ScanUnit| -> Option<(ArrayRef, u64)> {
            last(&self.key.bounds(source, unit)?, unit.row_count(), options)
        };
        let mut known: Vec<(ArrayRef, u64)> = units.iter().filter_map(known).collect();
        known.sort_by(|(left, _), (right, _)| {
            compare_keys(left, right, options).unwrap_or(std::cmp::Ordering::Equal)
        });
        let wanted = self.spec.limit.unwrap_or(u64::MAX);
        let mut rows = 0u64;
        for (key, more) in known {
            rows = rows.saturating_add(more);
            if rows >= wanted {
                return self.spec.threshold.offer(&key, options);
            }
        }
        Ok(())
    }
}

impl UnitTest for FirstUnits {
    fn may_matter(&self, source: &dyn Source, unit: &ScanUnit) -> bool {
        let Some(bound) = self.spec.threshold.key() else { return true };
        let options = self.spec.options[0];
        let Some(bounds) = self.key.bounds(source, unit) else { return true };
        let Some(first) = first(&bounds, options) else { return true };
        compare_keys(&first, &bound, options).is_ok_and(|order| order.is_le())
    }
}

/// A key that no row's key comes before.
fn first(bounds: &ColumnBounds, options: SortOptions) -> Option<ArrayRef> {
    let null_comes_first = options.nulls_first && bounds.nulls != Some(0);
    if null_comes_first || bounds.is_all_null() {
        return Some(new_null_array(bounds.min.data_type(), 1));
    }
    let value = match options.descending {
        true if bounds.may_be_nan() => return None,
        true => &bounds.max,
        false => &bounds.min,
    };
    value.is_valid(0).then(|| value.clone())
}

/// A key that no row comes after, of those that are not NULL or come first as they are; and how many of `rows`
/// rows these are at least.
fn last(bounds: &ColumnBounds, rows: u64, options: SortOptions) -> Option<(ArrayRef, u64)> {
    if options.nulls_first && bounds.is_all_null() {
        return Some((new_null_array(bounds.min.data_type(), 1), rows));
    }
    let rows = match options.nulls_first {
        true => rows,
        false => rows.saturating_sub(bounds.nulls?),
    };
    let value = match options.descending {
        true => &bounds.min,
        false if bounds.may_be_nan() => return None,
        false => &bounds.max,
    };
    value.is_valid(0).then(|| (value.clone(), rows))
}
