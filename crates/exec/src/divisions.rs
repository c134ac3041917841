//! Divisions of a scan: pieces that have no value of a column in common, by the bounds of its units.
//!
//! ```text
//!   units       a [0..9]   b [9..20]   c [21..30]   d [25..40]   e [50..60]
//!   divisions   ( a .......... b )     ( c .......... d )        ( e )
//! ```
//!
//! Files sorted by a column are made of many divisions, and so are files that hold a month each. Rows with equal
//! values of the column are in one division, so that whoever works by that column needs no shuffle (the name
//! is Dask's). NULL and NaN count as greater than all values. What is done with divisions, others know.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, new_null_array};
use arrow::compute::{SortOptions, concat};
use arrow::row::{Row, RowConverter, Rows, SortField};
use dframe_core::Result;
use dframe_plan::{ColumnBounds, Partition, ScanUnit, Source};

use crate::skip::ScanColumn;

/// Divisions of a scan by a column, in the order of its values.
pub(crate) struct Divisions {
    /// What is read for each: its units, in the order of the scan.
    pub(crate) partitions: Vec<Partition>,
    /// For each, at most the least value; NULL if there is none.
    pub(crate) min: ArrayRef,
    /// For each, at least the greatest value; NULL if there may be a NULL or a NaN.
    pub(crate) max: ArrayRef,
}

impl Divisions {
    /// A row for each: `rows`, `min`, `max`.
    pub(crate) fn to_batch(&self) -> Result<RecordBatch> {
        let rows = self.partitions.iter().map(|partition| partition.row_count() as i64);
        let rows: ArrayRef = Arc::new(Int64Array::from_iter_values(rows));
        let columns = [("rows", rows), ("min", self.min.clone()), ("max", self.max.clone())];
        let columns = columns.map(|(name, values)| (name, values, true));
        Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
    }

    /// The rows of the largest.
    pub(crate) fn rows_max(&self) -> u64 {
        self.partitions.iter().map(Partition::row_count).max().unwrap_or(0)
    }
}

/// The divisions of `units` by `column`; `None` where the bounds of a unit are not known. Neighbours are put
/// together as long as they have at most `rows` rows.
pub(crate) fn divide(
    source: &dyn Source,
    units: &[ScanUnit],
    column: &ScanColumn,
    rows: u64,
) -> Result<Option<Divisions>> {
    let bounds = units.iter().map(|unit| column.bounds(source, unit)).collect::<Option<Vec<_>>>();
    let Some(intervals) = bounds.map(|bounds| Intervals::of(&bounds)).transpose()?.flatten() else {
        return Ok(None);
    };
    let count = |runs: &[&Run<'_>]| -> u64 {
        let members = runs.iter().flat_map(|run| &run.members);
        members.map(|unit| units[*unit].row_count()).sum()
    };
    let mut runs: Vec<Run<'_>> = Vec::new();
    for run in intervals.runs() {
        match runs.last_mut() {
            Some(last) if count(&[last, &run]) <= rows => last.extend(run),
            _ => runs.push(run),
        }
    }
    let partition = |run: &Run<'_>| {
        let mut members = run.members.clone();
        members.sort_unstable();
        Partition { units: members.into_iter().map(|unit| units[unit].clone()).collect() }
    };
    Ok(Some(Divisions {
        partitions: runs.iter().map(partition).collect(),
        min: intervals.values(runs.iter().map(|run| run.start))?,
        max: intervals.values(runs.iter().map(|run| run.end))?,
    }))
}

/// From where to where the values of each unit go, both ends included.
struct Intervals {
    converter: RowConverter,
    starts: Rows,
    ends: Rows,
}

/// Intervals that overlap, directly or by way of others.
struct Run<'a> {
    members: Vec<usize>,
    start: Row<'a>,
    end: Row<'a>,
}

impl Run<'_> {
    fn extend(&mut self, next: Self) {
        self.members.extend(next.members);
        self.end = self.end.max(next.end);
    }
}

impl Intervals {
    /// `None` where an end is not known. An end beyond all values is NULL, which is greatest.
    fn of(bounds: &[ColumnBounds]) -> Result<Option<Self>> {
        let Some(first) = bounds.first() else { return Ok(None) };
        let is_known = |bounds: &ColumnBounds| {
            bounds.is_all_null() || (bounds.min.is_valid(0) && bounds.max.is_valid(0))
        };
        let options = SortOptions { descending: false, nulls_first: false };
        let field = SortField::new_with_options(first.min.data_type().clone(), options);
        let is_ordered = RowConverter::supports_fields(std::slice::from_ref(&field));
        if !is_ordered || !bounds.iter().all(is_known) {
            return Ok(None);
        }
        let beyond = new_null_array(first.min.data_type(), 1);
        let end = |bounds: &ColumnBounds| match bounds.nulls == Some(0) && !bounds.may_be_nan() {
            true => bounds.max.clone(),
            false => beyond.clone(),
        };
        let converter = RowConverter::new(vec![field])?;
        let rows = |values: Vec<ArrayRef>| -> Result<Rows> {
            let values: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
            Ok(converter.convert_columns(&[concat(&values)?])?)
        };
        let starts = rows(bounds.iter().map(|bounds| bounds.min.clone()).collect())?;
        let ends = rows(bounds.iter().map(end).collect())?;
        Ok(Some(Self { converter, starts, ends }))
    }

    /// All intervals, in the order of values.
    fn runs(&self) -> Vec<Run<'_>> {
        let mut by_start: Vec<usize> = (0..self.starts.num_rows()).collect();
        by_start.sort_by_key(|interval| self.starts.row(*interval));
        let mut runs: Vec<Run<'_>> = Vec::new();
        for interval in by_start {
            let (start, end) = (self.starts.row(interval), self.ends.row(interval));
            let run = Run { members: vec![interval], start, end };
            match runs.last_mut() {
                Some(last) if start <= last.end => last.extend(run),
                _ => runs.push(run),
            }
        }
        runs
    }

    fn values<'a>(&self, rows: impl IntoIterator<Item = Row<'a>>) -> Result<ArrayRef> {
        Ok(self.converter.convert_rows(rows)?.remove(0))
    }
}
