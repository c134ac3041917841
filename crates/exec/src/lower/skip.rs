//! Lowering a scan: which tests of its units and of its rows follow from what is done with its rows.

use std::sync::Arc;

use dframe_core::Result;
use dframe_plan::{Partition, RowTest, Scan, ScanUnit};

use crate::join::{ProbedRows, ProbedUnits};
use crate::pipeline::{BlockOp, RowChange};
use crate::skip::{ScanColumn, UnitTest};
use crate::sort::{FirstRows, FirstUnits};
use crate::stage::{FoldSpec, Fused};

/// The tests for `partitions` of `scan`, whose rows go through `fused`.
pub(super) fn unit_tests(
    scan: &Scan,
    fused: &Fused,
    partitions: &[Partition],
) -> Result<Arc<[Arc<dyn UnitTest>]>> {
    let mut tests: Vec<Arc<dyn UnitTest>> = Vec::new();
    if let Some(first) = first_units(scan, fused) {
        let all_rows_stay = fused.ops.iter().all(|op| op.row_change() == RowChange::None);
        if all_rows_stay && scan.filters.is_empty() && scan.limit.is_none() {
            let units = partitions.iter().flat_map(|partition| &partition.units);
            first.begin_with(scan.source.as_ref(), &units.collect::<Vec<&ScanUnit>>())?;
        }
        tests.push(Arc::new(first));
    }
    for (place, op) in fused.ops.iter().enumerate() {
        let BlockOp::Probe(table, _) = op else { continue };
        let column = |column| ScanColumn::behind(column, &fused.ops[..place], scan);
        if let Some(probed) = ProbedUnits::new(table, column) {
            tests.push(Arc::new(probed));
        }
    }
    Ok(tests.into())
}

/// The tests of rows of `scan`, which go through `fused`.
pub(super) fn row_tests(scan: &Scan, fused: &Fused) -> Vec<Arc<dyn RowTest>> {
    let mut tests: Vec<Arc<dyn RowTest>> = Vec::new();
    // A limit of the scan counts rows, whichever they are; so do numbers of rows.
    if scan.limit.is_some() || fused.ops.iter().any(|op| matches!(op, BlockOp::Map(_))) {
        return tests;
    }
    for (place, op) in fused.ops.iter().enumerate() {
        let BlockOp::Probe(table, _) = op else { continue };
        let column = |column| ScanColumn::behind(column, &fused.ops[..place], scan);
        if let Some(probed) = ProbedRows::new(table, column) {
            tests.push(Arc::new(probed));
        }
    }
    // What filters leave are rows as they are scanned.
    let FoldSpec::Sort(spec) = &fused.fold else { return tests };
    if fused.ops.iter().all(|op| matches!(op, BlockOp::Filter(_)))
        && let Some(first) = FirstRows::new(spec, scan)
    {
        tests.push(Arc::new(first));
    }
    tests
}

/// The test that belongs to a sort of which only the first rows are wanted.
fn first_units(scan: &Scan, fused: &Fused) -> Option<FirstUnits> {
    let FoldSpec::Sort(spec) = &fused.fold else { return None };
    spec.limit?;
    let key = spec.keys.first()?.as_column()?;
    Some(FirstUnits::new(spec.clone(), ScanColumn::behind(key, &fused.ops, scan)?))
}
