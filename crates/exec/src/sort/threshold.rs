//! The key that a row must come before to be among the first `k`, within a task and between tasks.
//!
//! ```text
//!   statistics: k rows or more ----------+
//!   task: k rows kept --> key of the last --> Threshold (the best of all) --> other tasks, FirstUnits
//!   ended tasks: milestones in runs ------+
//!                3 .. 8 .. 20             |   of milestones of n rows each, k rows or more come up to the
//!                5 .. 6 .. 11 ------------+   (k / n)th: here 8 for k = 4 n
//! ```
//!
//! Milestones matter where `k` is a good part of what a task reads, or more: no task has `k` rows then.
//!
//! Within a task, a later row with the same key comes after it. Between tasks nothing is known of who comes
//! first, so rows with the same key stay.

use std::cmp::Ordering;
use std::sync::atomic::{AtomicU64, Ordering as Memory};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, Scalar};
use arrow::compute::kernels::cmp::{gt_eq, lt_eq};
use arrow::compute::{
    SortOptions, concat, filter_record_batch, is_null, or_kleene, prep_null_mask_filter,
    sort_to_indices,
};
use arrow::datatypes::{DataType, Int32Type};
use dframe_core::Result;
use dframe_expr::plain;

use super::SortSpec;
use super::keys::KeyComparator;

/// The best first key that `k` rows come up to, shared by all tasks.
#[derive(Debug, Default)]
pub(crate) struct Threshold {
    version: AtomicU64,
    key: Mutex<Option<ArrayRef>>,
    milestones: Mutex<Vec<Milestone>>,
}

/// A key that so many rows come up to, which no other milestone counts.
#[derive(Clone, Debug)]
pub(super) struct Milestone {
    /// A column of one row.
    pub(super) key: ArrayRef,
    pub(super) rows: u64,
}

impl Threshold {
    /// The first key of a row; at least `k` rows come before it, or have it too.
    pub(super) fn key(&self) -> Option<ArrayRef> {
        self.key.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Grows when the key changes.
    fn version(&self) -> u64 {
        self.version.load(Memory::Acquire)
    }

    /// Milestones of rows that were not told of before: of `k` rows, the last is a bound.
    pub(super) fn tell(&self, more: Vec<Milestone>, k: u64, options: SortOptions) -> Result<()> {
        if more.iter().any(|milestone| !is_simple(milestone.key.data_type())) || more.is_empty() {
            return Ok(());
        }
        let mut known = self.milestones.lock().unwrap_or_else(PoisonError::into_inner);
        let all = [std::mem::take(&mut *known), more].concat();
        let keys: Vec<&dyn Array> = all.iter().map(|milestone| milestone.key.as_ref()).collect();
        let order = sort_to_indices(&concat(&keys)?, Some(options), None)?;
        let mut rows = 0;
        for place in order.values() {
            let milestone = all[*place as usize].clone();
            rows += milestone.rows;
            known.push(milestone);
            if rows >= k {
                break;
            }
        }
        match known.last() {
            Some(last) if rows >= k => self.offer(&last.key, options),
            _ => Ok(()),
        }
    }

    /// At least `k` rows come up to `key`, a column of one row.
    pub(super) fn offer(&self, key: &ArrayRef, options: SortOptions) -> Result<()> {
        let mut known = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        let better = match &*known {
            Some(known) => compare_keys(key, known, options)?.is_lt(),
            None => true,
        };
        if better {
            *known = Some(key.clone());
            self.version.fetch_add(1, Memory::Release);
        }
        Ok(())
    }
}

/// How two keys, columns of one row, compare.
pub(super) fn compare_keys(
    left: &ArrayRef,
    right: &ArrayRef,
    options: SortOptions,
) -> Result<Ordering> {
    let one = std::slice::from_ref;
    Ok(KeyComparator::new(one(left), one(right), &[options])?.compare(0, 0))
}

/// Drops rows that are not wanted any more.
pub(super) struct LastWanted {
    spec: Arc<SortSpec>,
    /// The keys of the last row that this task keeps.
    own: Option<Vec<ArrayRef>>,
    shared: Option<ArrayRef>,
    seen: u64,
}

impl LastWanted {
    pub(super) fn new(spec: &Arc<SortSpec>) -> Self {
        Self { spec: spec.clone(), own: None, shared: None, seen: 0 }
    }

    /// The task has as many rows as are wanted; `row` is the last of them.
    pub(super) fn is(&mut self, row: &RecordBatch) -> Result<()> {
        let keys = self.spec.key_columns(row)?;
        let keys: Vec<ArrayRef> = keys.iter().map(|key| plain(key)).collect::<Result<_>>()?;
        self.spec.threshold.offer(&keys[0], self.spec.options[0])?;
        self.own = Some(keys);
        Ok(())
    }

    /// The rows that may be among the first; `None` if there are none.
    pub(super) fn wanted(&mut self, batch: &RecordBatch) -> Result<Option<RecordBatch>> {
        if self.spec.limit.is_none() {
            return Ok(Some(batch.clone()));
        }
        let version = self.spec.threshold.version();
        if version != self.seen {
            (self.shared, self.seen) = (self.spec.threshold.key(), version);
        }
        // What the task itself has found was offered, so that it is not better.
        let Some(bound) = &self.shared else { return Ok(Some(batch.clone())) };
        let first = self.spec.first_key(batch)?;
        let Some(mask) = not_after(&first, bound, self.spec.options[0])? else {
            return self.strictly(batch.clone());
        };
        match mask.true_count() {
            0 => Ok(None),
            all if all == batch.num_rows() => self.strictly(batch.clone()),
            _ => self.strictly(filter_record_batch(batch, &mask)?),
        }
    }

    /// The rows that come before the task's own last one.
    fn strictly(&self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let Some(own) = &self.own else { return Ok(Some(batch)) };
        let keys = self.spec.key_columns(&batch)?;
        let compare = KeyComparator::new(&keys, own, &self.spec.options)?;
        let before = |row| Some(compare.compare(row, 0) == Ordering::Less);
        let mask: BooleanArray = (0..batch.num_rows()).map(before).collect();
        Ok(match mask.true_count() {
            0 => None,
            _ => Some(filter_record_batch(&batch, &mask)?),
        })
    }
}

impl SortSpec {
    fn first_key(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        super::keys::comparable(&self.keys[0].evaluate_array(batch)?)
    }
}

/// Whether the kernels of `arrow` compare values of this type as sorting does.
fn is_simple(data_type: &DataType) -> bool {
    data_type.is_primitive() && !matches!(data_type, DataType::Interval(_))
        || matches!(data_type, DataType::Utf8 | DataType::Binary)
}

/// The rows of `column` that do not come after `bound`, a column of one row; `None` if that is not
/// known without comparing row by row.
pub(super) fn not_after(
    column: &ArrayRef,
    bound: &ArrayRef,
    options: SortOptions,
) -> Result<Option<BooleanArray>> {
    if bound.is_null(0) || !is_simple(bound.data_type()) {
        return Ok(None);
    }
    let (values, codes) = match super::keys::is_coded_text(column.data_type()) {
        true => {
            let dictionary = column.as_dictionary::<Int32Type>();
            (dictionary.values().clone(), Some(dictionary.keys()))
        }
        false => (column.clone(), None),
    };
    let bound = Scalar::new(bound.clone());
    let mut mask = match options.descending {
        true => gt_eq(&values, &bound)?,
        false => lt_eq(&values, &bound)?,
    };
    if let Some(codes) = codes {
        mask = arrow::compute::take(&mask, codes, None)?.as_boolean().clone();
    }
    if mask.null_count() == 0 {
        return Ok(Some(mask));
    }
    Ok(Some(match options.nulls_first {
        true => or_kleene(&mask, &is_null(&mask)?)?,
        false => prep_null_mask_filter(&mask),
    }))
}
