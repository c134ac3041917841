//! Rows of the probing side whose keys are none of a table's or filter's: their other columns need not be decoded.
//!
//! ```text
//!   key columns --look up--> rows that find a key --> all columns, decoded for these --> probe
//! ```
//!
//! What others do with a Bloom filter of a small side, done with the table itself: it is there, and errs for no row. Only
//! for kinds that drop rows without a partner.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use dframe_core::{Error, Result};
use dframe_plan::RowTest;

use super::look_up::{LookUp, scanned_key};
use crate::skip::ScanColumn;

/// Tells which rows find a key.
pub(crate) struct ProbedRows {
    table: Arc<dyn LookUp>,
    /// The columns of the source that keys are, each once, in order.
    columns: Vec<usize>,
    /// Each key's column.
    keys: Vec<ScanColumn>,
}

impl ProbedRows {
    /// A test for rows that look themselves up in `table`; `column` tells which column of the scan a column of the rows is. `None`
    /// if rows without a partner come out, or if a key is no column of the scan.
    pub(crate) fn new(
        table: &Arc<dyn LookUp>,
        column: impl Fn(usize) -> Option<ScanColumn>,
    ) -> Option<Self> {
        if !table.drops_unpaired() {
            return None;
        }
        let probing = table.probing();
        let keys = (0..probing.keys().len()).map(|key| scanned_key(probing, key, &column));
        let keys = keys.collect::<Option<Vec<ScanColumn>>>()?;
        let mut columns: Vec<usize> = keys.iter().map(ScanColumn::column).collect();
        columns.sort_unstable();
        columns.dedup();
        (!keys.is_empty()).then(|| Self { table: table.clone(), columns, keys })
    }
}

impl RowTest for ProbedRows {
    fn columns(&self) -> &[usize] {
        &self.columns
    }

    fn may_matter(&self, columns: &RecordBatch) -> Result<Option<BooleanArray>> {
        let value = |key: &ScanColumn| {
            let place = self.columns.binary_search(&key.column());
            let place = place.map_err(|_| Error::internal("a key without its column"))?;
            key.values(columns.column(place))
        };
        let keys = self.keys.iter().map(value).collect::<Result<Vec<ArrayRef>>>()?;
        self.table.finds(&keys, columns.num_rows())
    }
}

impl Debug for ProbedRows {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "ProbedRows({:?} by {:?})", self.table, self.columns)
    }
}
