//! A source without its first rows: units before them are not read, the one they end in is cut.
//!
//! ```text
//!   units of the source   [0..1000] [1000..2000] [2000..3000]
//!   without 1200 rows                   [1200..2000] [2000..3000]
//! ```
//!
//! Only for sources that know how many rows they have: their units say so exactly.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use dframe_core::{Fetched, Result};

use crate::source::{
    ColumnBounds, Partition, Partitions, ScanRequest, ScanUnit, ScannedBatches, Source, Statistics,
};

/// What the cut unit may fetch more than the whole: where its pages lie.
const PAGE_TABLES_BYTES: u64 = 64 << 10;

/// `source` without its first `skip` rows.
#[derive(Debug)]
pub(crate) struct SkipRows {
    source: Arc<dyn Source>,
    skip: u64,
}

impl SkipRows {
    /// The source without its first rows; `None` if it does not know how many it has.
    pub(crate) fn of(source: &Arc<dyn Source>, skip: u64) -> Option<Arc<dyn Source>> {
        source.statistics().rows?;
        Some(Arc::new(Self { source: source.clone(), skip }))
    }
}

impl Source for SkipRows {
    fn name(&self) -> String {
        format!("{} from row {}", self.source.name(), self.skip)
    }

    fn schema(&self) -> SchemaRef {
        self.source.schema()
    }

    fn statistics(&self) -> Statistics {
        let all = self.source.statistics();
        Statistics { rows: all.rows.map(|rows| rows.saturating_sub(self.skip)), ..all }
    }

    fn fetches_ahead(&self) -> usize {
        self.source.fetches_ahead()
    }

    fn partitions(&self, request: &ScanRequest) -> Result<Partitions> {
        // Rows are counted before filters, so none may be pruned.
        let unfiltered = ScanRequest {
            filters: vec![],
            limit: request
                .limit
                .filter(|_| request.filters.is_empty())
                .map(|limit| limit.saturating_add(self.skip)),
            ..request.clone()
        };
        let all = self.source.partitions(&unfiltered)?;
        let mut skip = self.skip;
        let keep = |partition: Partition| {
            let units = partition.units.into_iter();
            let units: Vec<_> = units.filter_map(|unit| without(unit, &mut skip)).collect();
            (!units.is_empty()).then_some(Partition { units })
        };
        let list: Vec<Partition> = all.list.into_iter().filter_map(keep).collect();
        let units = list.iter().flat_map(|partition| &partition.units);
        let row_groups: BTreeSet<_> = units.map(|unit| (unit.file, unit.row_group)).collect();
        Ok(Partitions {
            list,
            row_groups: row_groups.len(),
            row_groups_pruned: all.row_groups - row_groups.len(),
            filters_exact: vec![false; request.filters.len()],
        })
    }

    fn bounds(&self, unit: &ScanUnit, column: usize) -> Option<ColumnBounds> {
        self.source.bounds(unit, column)
    }

    fn fetch(&self, unit: &ScanUnit, request: &ScanRequest) -> Result<Fetched> {
        self.source.fetch(unit, request)
    }

    fn decode(
        self: Arc<Self>,
        unit: &ScanUnit,
        fetched: Fetched,
        request: &ScanRequest,
    ) -> Result<ScannedBatches> {
        self.source.clone().decode(unit, fetched, request)
    }
}

/// The unit without those of its rows that are yet to be skipped; `None` if that is all of them.
fn without(unit: ScanUnit, skip: &mut u64) -> Option<ScanUnit> {
    let count = unit.row_count().min(*skip);
    *skip -= count;
    match count {
        0 => Some(unit),
        count if count == unit.row_count() => None,
        count => Some(ScanUnit {
            rows: unit.rows.start + count..unit.rows.end,
            position: unit.position + count,
            fetch_bytes: unit.fetch_bytes + PAGE_TABLES_BYTES,
            ..unit
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(rows: std::ops::Range<u64>, position: u64) -> ScanUnit {
        let (fetch_bytes, decode_bytes) = (10, 10);
        ScanUnit {
            file: 0,
            row_group: 0,
            rows,
            position,
            batch_rows: 100,
            fetch_bytes,
            decode_bytes,
        }
    }

    #[test]
    fn units_are_dropped_cut_or_kept() {
        let mut skip = 1200;
        assert_eq!(without(unit(0..1000, 50), &mut skip), None);
        let cut = without(unit(0..1000, 1050), &mut skip).unwrap();
        assert_eq!((cut.rows.clone(), cut.position), (200..1000, 1250));
        let kept = unit(1000..2000, 2050);
        assert_eq!(without(kept.clone(), &mut skip), Some(kept));
        let mut skip = 1000;
        assert_eq!(without(unit(0..1000, 0), &mut skip), None);
        assert_eq!(skip, 0);
    }
}
