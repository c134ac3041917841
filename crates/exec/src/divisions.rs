//! Divisions of a scan: pieces that have no value of a column in common, by the bounds of its units.
//!
//! ```text
//!   units       a [0..9]   b [9..20]   c [21..30]   d [25..40]   e [50..60]
//!   divisions   ( a .......... b )     ( c .......... d )        ( e )
//! ```
//!
//! Files sorted by a column are made of many divisions, and so are files that hold a month each. Rows with equal
//! values of the column are in one division, so that whoever works by that column needs no shuffle (the name
//! is Dask's). Of two scans, a division has units of both, or of one. NULL and NaN count as greater than all
//! values. What is done with divisions, others know.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, new_null_array};
use arrow::compute::{SortOptions, concat};
use arrow::row::{Row, RowConverter, Rows, SortField};
use dframe_core::Result;
use dframe_plan::{ColumnBounds, Partition, ScanUnit, Source};

use crate::skip::ScanColumn;

/// A scan to be divided by one of its columns.
pub(crate) struct Divided<'a> {
    /// What is scanned.
    pub(crate) source: &'a dyn Source,
    /// All that is read of it, in order.
    pub(crate) units: Vec<ScanUnit>,
    /// The column.
    pub(crate) column: ScanColumn,
}

/// Divisions in the order of their values.
pub(crate) struct Divisions {
    /// For each of the scans: what is read of it for each division, its units in their order. May be nothing.
    pub(crate) partitions: Vec<Vec<Partition>>,
    /// The rows of each.
    pub(crate) rows: Vec<u64>,
    /// For each, at most the least value; NULL if there is none.
    pub(crate) min: ArrayRef,
    /// For each, at least the greatest value; NULL if there may be a NULL or a NaN.
    pub(crate) max: ArrayRef,
}

impl Divisions {
    /// A row for each: `rows`, `min`, `max`.
    pub(crate) fn to_batch(&self) -> Result<RecordBatch> {
        let rows = self.rows.iter().map(|rows| *rows as i64);
        let rows: ArrayRef = Arc::new(Int64Array::from_iter_values(rows));
        let columns = [("rows", rows), ("min", self.min.clone()), ("max", self.max.clone())];
        let columns = columns.map(|(name, values)| (name, values, true));
        Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
    }

    /// The number of divisions.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The rows of the largest.
    pub(crate) fn rows_max(&self) -> u64 {
        self.rows.iter().copied().max().unwrap_or(0)
    }
}

/// The divisions of `scans` by their columns, which are of one type; `None` where the bounds of a unit are not
/// known. Neighbours are put together as long as they have at most `rows` rows.
pub(crate) fn divide(scans: &[Divided<'_>], rows: u64) -> Result<Option<Divisions>> {
    let units: Vec<(usize, &ScanUnit)> = scans
        .iter()
        .enumerate()
        .flat_map(|(scan, divided)| divided.units.iter().map(move |unit| (scan, unit)))
        .collect();
    let bounds = units.iter().map(|(scan, unit)| {
        let Divided { source, column, .. } = &scans[*scan];
        column.bounds(*source, unit)
    });
    let bounds = bounds.collect::<Option<Vec<_>>>();
    let Some(intervals) = bounds.map(|bounds| Intervals::of(&bounds)).transpose()?.flatten() else {
        return Ok(None);
    };
    let mut runs: Vec<Run<'_>> = Vec::new();
    for mut run in intervals.runs() {
        run.rows = run.members.iter().map(|unit| units[*unit].1.row_count()).sum();
        match runs.last_mut() {
            Some(last) if last.rows + run.rows <= rows => last.extend(run),
            _ => runs.push(run),
        }
    }
    let partition = |scan: usize, run: &Run<'_>| {
        let mut members = run.members.clone();
        members.sort_unstable();
        let members = members.into_iter().map(|unit| units[unit]).filter(|(of, _)| *of == scan);
        Partition { units: members.map(|(_, unit)| unit.clone()).collect() }
    };
    let partitions = |scan: usize| runs.iter().map(|run| partition(scan, run)).collect();
    Ok(Some(Divisions {
        partitions: (0..scans.len()).map(partitions).collect(),
        rows: runs.iter().map(|run| run.rows).collect(),
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
    rows: u64,
}

impl Run<'_> {
    fn extend(&mut self, next: Self) {
        self.members.extend(next.members);
        self.rows += next.rows;
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
        let is_of_one_type =
            |bounds: &ColumnBounds| bounds.min.data_type() == first.min.data_type();
        let is_ordered = RowConverter::supports_fields(std::slice::from_ref(&field));
        if !is_ordered || !bounds.iter().all(is_known) || !bounds.iter().all(is_of_one_type) {
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
            let run = Run { members: vec![interval], start, end, rows: 0 };
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
