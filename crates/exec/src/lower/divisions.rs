//! Lowering a group-by of a scan that has divisions by a key: a task each, and no shuffle.
//!
//! ```text
//!   units --divide by the key--> partitions that share no group
//! ```
//!
//! It pays where groups may be too many for one bucket, and only where every worker finds enough to do; else
//! the scan stays as it is.

use dframe_core::Result;
use dframe_expr::BoundExpr;
use dframe_plan::{LogicalPlan, Partition, Scan, ScanUnit};

use super::{Origin, PARTITION_ROWS, PlannedScan, Planner, Stream, grows};
use crate::divisions::{Divisions, divide};
use crate::skip::ScanColumn;

/// Divisions for each worker, at least, so that none waits long for the last one.
const DIVISIONS_PER_THREAD: usize = 4;

impl Planner<'_> {
    /// The stream, its scan's partitions planned; and if those are divisions by one of `keys`, the rows of the
    /// largest.
    pub(super) fn divided(
        &self,
        stream: Stream,
        keys: &[BoundExpr],
    ) -> Result<(Stream, Option<u64>)> {
        let Origin::Scan(scan) = &stream.origin else { return Ok((stream, None)) };
        let column = |key: &BoundExpr| ScanColumn::behind(key.as_column()?, &stream.ops, scan);
        let columns: Vec<ScanColumn> = keys.iter().filter_map(column).collect();
        if columns.is_empty() || grows(&stream.ops) {
            return Ok((stream, None));
        }
        let (request, mut partitions) = self.partitions(scan, PARTITION_ROWS, None)?;
        let mut rows_max = None;
        for column in columns {
            if let Some(divisions) = self.divisions(scan, &partitions, &column)? {
                rows_max = Some(divisions.rows_max());
                partitions = divisions.partitions;
                break;
            }
        }
        let origin = Origin::Planned(scan.clone(), PlannedScan { request, partitions });
        Ok((Stream { origin, ..stream }, rows_max))
    }

    /// The divisions of `partitions` of `scan` by `column`, if to work by them pays.
    fn divisions(
        &self,
        scan: &Scan,
        partitions: &[Partition],
        column: &ScanColumn,
    ) -> Result<Option<Divisions>> {
        let threads = self.options.threads.max(1);
        let rows: u64 = partitions.iter().map(Partition::row_count).sum();
        let wanted = (rows / (threads * DIVISIONS_PER_THREAD) as u64).min(PARTITION_ROWS);
        let divisions = divide(scan.source.as_ref(), &units(partitions), column, wanted)?;
        Ok(divisions.filter(|divisions| {
            divisions.partitions.len() >= threads * DIVISIONS_PER_THREAD
                && divisions.rows_max() <= rows / threads as u64
        }))
    }

    /// The divisions of what `plan` reads by a column of what comes out of it; `None` if they are not known.
    pub(super) fn known_divisions(
        &mut self,
        plan: &LogicalPlan,
        column: usize,
    ) -> Result<Option<Divisions>> {
        let stream = self.stream(plan)?;
        let Origin::Scan(scan) = &stream.origin else { return Ok(None) };
        let Some(column) = ScanColumn::behind(column, &stream.ops, scan) else { return Ok(None) };
        let (_, partitions) = self.partitions(scan, 1, None)?;
        divide(scan.source.as_ref(), &units(&partitions), &column, 0)
    }
}

fn units(partitions: &[Partition]) -> Vec<ScanUnit> {
    partitions.iter().flat_map(|partition| partition.units.clone()).collect()
}
