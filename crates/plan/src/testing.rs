//! A source without data, for tests of plans.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use dframe_core::{Error, Fetched, Result};

use crate::logical::LogicalPlan;
use crate::source::{Partitions, ScanRequest, ScanUnit, ScannedBatches, Source, Statistics};

/// Columns, and nothing in them.
#[derive(Debug)]
struct Empty {
    schema: SchemaRef,
    rows: Option<u64>,
}

impl Source for Empty {
    fn name(&self) -> String {
        "ticks.parquet".to_string()
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn statistics(&self) -> Statistics {
        Statistics { rows: self.rows, bytes: None }
    }

    fn partitions(&self, _request: &ScanRequest) -> Result<Partitions> {
        Ok(Partitions::default())
    }

    fn fetch(&self, _unit: &ScanUnit, _request: &ScanRequest) -> Result<Fetched> {
        Err(Error::internal("there is nothing to fetch"))
    }

    fn decode(
        self: Arc<Self>,
        _unit: &ScanUnit,
        _fetched: Fetched,
        _request: &ScanRequest,
    ) -> Result<ScannedBatches> {
        Err(Error::internal("there is nothing to decode"))
    }
}

/// A scan of `ticks`: `ts`, `ticker`, `exchange`, `side`, `price`, `size`, `tags` (a list).
pub(crate) fn ticks() -> LogicalPlan {
    ticks_of(None)
}

/// A scan of `ticks` that has so many rows.
pub(crate) fn ticks_of(rows: Option<u64>) -> LogicalPlan {
    let tags = Arc::new(Field::new("item", DataType::Utf8, true));
    let fields = vec![
        Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, None), false),
        Field::new("ticker", DataType::Utf8, true),
        Field::new("exchange", DataType::Utf8, true),
        Field::new("side", DataType::Utf8, true),
        Field::new("price", DataType::Float64, true),
        Field::new("size", DataType::Int64, true),
        Field::new("tags", DataType::List(tags), true),
    ];
    LogicalPlan::scan(Arc::new(Empty { schema: Arc::new(Schema::new(fields)), rows }))
}
