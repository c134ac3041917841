//! A function of the user's over batches, checked: it gets plain columns, and has to give those that it promised.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use dframe_core::{Error, Result};
use dframe_expr::type_name;
use dframe_plan::ScannedBatch;
use dframe_plan::node::{BatchFn, MapPartitions, Node};

use crate::fold::as_planned;
use crate::pipeline::{BlockMap, RowChange};

/// What calls the function.
#[derive(Clone)]
pub(crate) struct MapPartitionsOp {
    function: Arc<BatchFn>,
    input: SchemaRef,
    schema: SchemaRef,
}

impl MapPartitionsOp {
    /// Calls as `node` says, with batches of the columns `input`.
    pub(crate) fn new(node: &MapPartitions, input: &SchemaRef) -> Self {
        Self { function: node.function.clone(), input: input.clone(), schema: node.schema() }
    }

    /// The function's batch, if it has the columns that it should have.
    fn checked(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let (expected, found) = (self.schema.fields(), rows.schema());
        if expected.len() != found.fields().len() {
            let (expected, found) = (expected.len(), found.fields().len());
            return Err(broken(format!("gave {found} columns, and should give {expected}")));
        }
        for (expected, found) in expected.iter().zip(found.fields()) {
            let name = expected.name();
            if found.name() != name {
                let message = format!("gave '{}' where '{name}' should be", found.name());
                return Err(broken(message).column(name));
            }
            if plain_type(found.data_type()) != expected.data_type() {
                let types = [found.data_type(), expected.data_type()].map(type_name);
                let [found, expected] = types;
                let message = format!("gave '{name}' as {found}, and should give {expected}");
                return Err(broken(message).column(name));
            }
        }
        as_planned(rows, &self.schema)
    }
}

impl BlockMap for MapPartitionsOp {
    fn name(&self) -> &'static str {
        "map partitions"
    }

    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn row_change(&self) -> RowChange {
        RowChange::More
    }

    fn map(
        &self,
        batch: &ScannedBatch,
        emit: &mut dyn FnMut(RecordBatch) -> Result<bool>,
    ) -> Result<bool> {
        let rows = (self.function)(as_planned(&batch.rows, &self.input)?)?;
        let rows = self.checked(&rows)?;
        if rows.num_rows() == 0 {
            return Ok(true);
        }
        emit(rows)
    }
}

impl fmt::Debug for MapPartitionsOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapPartitionsOp").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// The type of the values.
fn plain_type(of: &DataType) -> &DataType {
    match of {
        DataType::Dictionary(_, values) => values,
        other => other,
    }
}

fn broken(message: String) -> Error {
    Error::invalid_input(format!("the function of map_partitions {message}"))
        .remedy("promise the columns that it gives, by name and type and in their order")
}
