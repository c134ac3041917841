//! Lowering by divisions: what works by a key has no shuffle where the scans below fall into pieces without a common
//! key.
//!
//! ```text
//!   scan --divide by the key--> a task per division --> a task that finishes it             group-by, windows
//!   left, right --divide both by the key--> tasks left, right, left, right .. --> a task for each two      join
//! ```
//!
//! It pays only where every worker finds enough to do; else scans stay as they are.

use std::sync::Arc;

use dframe_core::{Error, Result};
use dframe_expr::BoundExpr;
use dframe_plan::{LogicalPlan, Partition, Scan, ScanRequest, ScanUnit};
use dframe_runtime::Stage;

use super::{Origin, PARTITION_ROWS, Planner, Stream, grows, skip};
use crate::alternate::Alternate;
use crate::divisions::{Divided, Divisions, divide};
use crate::exchange::ExchangeSpec;
use crate::skip::ScanColumn;
use crate::stage::{FoldSpec, Fused, Leaf, StageTasks};

/// Divisions for each worker, at least, so that none waits long for the last one.
const DIVISIONS_PER_THREAD: usize = 4;

/// What a scan reads.
pub(super) struct PlannedScan {
    pub(super) scan: Scan,
    pub(super) request: Arc<ScanRequest>,
    pub(super) partitions: Vec<Partition>,
}

impl PlannedScan {
    fn divided(&self, column: ScanColumn) -> Divided<'_> {
        Divided { source: self.scan.source.as_ref(), units: units(&self.partitions), column }
    }

    /// A task for each partition, which takes its rows through `fused`.
    pub(super) fn into_leaf(self, fused: Arc<Fused>) -> Result<Leaf> {
        let Self { scan, request, partitions } = self;
        let tests = skip::unit_tests(&scan, &fused, &partitions)?;
        let row_tests = skip::row_tests(&scan, &fused);
        let request = match row_tests.is_empty() {
            true => request,
            false => Arc::new(ScanRequest { tests: row_tests, ..ScanRequest::clone(&request) }),
        };
        let (source, name) = (scan.source, Leaf::name(&fused));
        Ok(Leaf { source, request, partitions, tests, fused, name })
    }
}

impl Planner<'_> {
    /// Makes the partitions of the stream's scan divisions by one of `keys`, if it has some; the rows of the largest.
    pub(super) fn divide(&self, stream: &mut Stream, keys: &[BoundExpr]) -> Result<Option<u64>> {
        let column = |key: &BoundExpr| scan_column(stream, key.as_column()?);
        let columns: Vec<ScanColumn> = keys.iter().filter_map(column).collect();
        if columns.is_empty() {
            return Ok(None);
        }
        let Some(planned) = self.planned(stream)? else { return Ok(None) };
        for column in columns {
            if let Some(divisions) = self.divisions(&[planned.divided(column)])? {
                let rows_max = divisions.rows_max();
                planned.partitions = divisions.partitions.into_iter().flatten().collect();
                return Ok(Some(rows_max));
            }
        }
        Ok(None)
    }

    /// Makes the partitions of both streams' scans divisions by one of the keys of `sides`, if they have some, so that
    /// partition by partition they meet; says whether.
    pub(super) fn divide_both(
        &self,
        [left, right]: &mut [Stream; 2],
        sides: &[Arc<ExchangeSpec>; 2],
    ) -> Result<bool> {
        let column = |stream: &Stream, side: &ExchangeSpec, key: usize| {
            let (place, data_type) = side.key_column(key)?;
            Some(scan_column(stream, place)?.cast_to(data_type))
        };
        let both =
            |key: usize| Some((column(left, &sides[0], key)?, column(right, &sides[1], key)?));
        let columns: Vec<_> = (0..sides[0].keys().len()).filter_map(both).collect();
        if columns.is_empty() {
            return Ok(false);
        }
        let Some(left) = self.planned(left)? else { return Ok(false) };
        let Some(right) = self.planned(right)? else { return Ok(false) };
        for (left_column, right_column) in columns {
            let both = [left.divided(left_column), right.divided(right_column)];
            if let Some(divisions) = self.divisions(&both)? {
                let mut partitions = divisions.partitions.into_iter();
                for planned in [left, right] {
                    planned.partitions = partitions.next().unwrap_or_default();
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tasks that make a partition of the first stream, one of the second, the next one of the first, and so on, each
    /// in the layout of its side. The streams are divided.
    pub(super) fn alternating(
        &mut self,
        streams: [Stream; 2],
        sides: &[Arc<ExchangeSpec>; 2],
    ) -> Result<StageTasks> {
        let mut stages: Vec<Arc<dyn Stage>> = Vec::new();
        for (stream, side) in streams.into_iter().zip(sides) {
            let Origin::Planned(planned) = stream.origin else {
                return Err(Error::internal("a stream that is not divided"));
            };
            let fold = FoldSpec::Exchange(side.clone(), None);
            let fused = Arc::new(Fused { ops: stream.ops, fold, first_position: 0 });
            stages.push(Arc::new(planned.into_leaf(fused)?));
        }
        let stage = self.graph.push(Arc::new(Alternate::new(stages)));
        Ok(self.tasks_of(stage))
    }

    /// The divisions of what `plan` reads by a column of what comes out of it; `None` if they are not known.
    pub(super) fn known_divisions(
        &mut self,
        plan: &LogicalPlan,
        column: usize,
    ) -> Result<Option<Divisions>> {
        let mut stream = self.stream(plan)?;
        let Some(column) = scan_column(&stream, column) else { return Ok(None) };
        match self.planned(&mut stream)? {
            Some(planned) => divide(&[planned.divided(column)], 0),
            None => Ok(None),
        }
    }

    /// The scan of the stream with its partitions, unless its tasks cannot be cut in other ways.
    pub(super) fn planned<'s>(
        &self,
        stream: &'s mut Stream,
    ) -> Result<Option<&'s mut PlannedScan>> {
        let is_free = !grows(&stream.ops) && stream.tail.is_empty();
        if let (Origin::Scan(scan), true) = (&stream.origin, is_free) {
            let (request, partitions) = self.partitions(scan, PARTITION_ROWS, None)?;
            let scan = scan.clone();
            stream.origin = Origin::Planned(PlannedScan { scan, request, partitions });
        }
        Ok(match &mut stream.origin {
            Origin::Planned(planned) => Some(planned),
            _ => None,
        })
    }

    /// The divisions of `scans`, if to work by them pays.
    fn divisions(&self, scans: &[Divided<'_>]) -> Result<Option<Divisions>> {
        let threads = self.options.threads.max(1);
        let units = scans.iter().flat_map(|scan| &scan.units);
        let rows: u64 = units.map(ScanUnit::row_count).sum();
        let wanted = (rows / (threads * DIVISIONS_PER_THREAD) as u64).min(PARTITION_ROWS);
        Ok(divide(scans, wanted)?.filter(|divisions| {
            divisions.len() >= threads * DIVISIONS_PER_THREAD
                && divisions.rows_max() <= rows / threads as u64
        }))
    }
}

/// The column of the stream's scan that a column of its rows is.
pub(super) fn scan_column(stream: &Stream, column: usize) -> Option<ScanColumn> {
    match &stream.origin {
        Origin::Scan(scan) | Origin::Planned(PlannedScan { scan, .. }) => {
            ScanColumn::behind(column, &stream.ops, scan)
        }
        _ => None,
    }
}

pub(super) fn units(partitions: &[Partition]) -> Vec<ScanUnit> {
    partitions.iter().flat_map(|partition| partition.units.clone()).collect()
}
