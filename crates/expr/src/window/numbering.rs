//! `row_number`, `rank` and `dense_rank`: counted as rows come.

use std::sync::Arc;

use arrow::array::Int64Array;
use dframe_core::Result;

use super::{Answers, WindowEvaluator, WindowFunction, WindowRows};

/// Counts rows, and groups of peers.
pub(super) struct Numbering {
    function: WindowFunction,
    row: i64,
    rank: i64,
}

impl Numbering {
    /// No rows yet.
    pub(super) fn new(function: WindowFunction) -> Self {
        Self { function, row: 0, rank: 0 }
    }

    fn row_numbers(&mut self, rows: &WindowRows<'_>) -> Vec<i64> {
        let next = |starts| {
            self.row = if starts { 1 } else { self.row + 1 };
            self.row
        };
        rows.partition_starts.iter().map(next).collect()
    }

    fn ranks(&mut self, rows: &WindowRows<'_>) -> Vec<i64> {
        let dense = self.function == WindowFunction::DenseRank;
        let starts = rows.partition_starts.iter().zip(rows.peer_starts.iter());
        let next = |(partition, peers)| {
            self.row = if partition { 1 } else { self.row + 1 };
            self.rank = match (partition, peers) {
                (true, _) => 1,
                (_, true) if dense => self.rank + 1,
                (_, true) => self.row,
                _ => self.rank,
            };
            self.rank
        };
        starts.map(next).collect()
    }
}

impl WindowEvaluator for Numbering {
    fn push(&mut self, rows: &WindowRows<'_>) -> Result<Vec<Answers>> {
        let numbers = match self.function {
            WindowFunction::RowNumber => self.row_numbers(rows),
            _ => self.ranks(rows),
        };
        Ok(vec![Answers::Rows(Arc::new(Int64Array::from(numbers)))])
    }

    fn finish(&mut self) -> Result<Vec<Answers>> {
        Ok(Vec::new())
    }

    fn memory(&self) -> usize {
        0
    }
}
