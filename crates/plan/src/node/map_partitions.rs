//! A function of the user's over batches: what it does is known to nobody else, so that no rule looks through it.
//!
//! ```text
//!   batches of the input --function--> batches of the columns that were promised
//! ```

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use dframe_core::{Error, Result};
use dframe_expr::type_name;

use super::{Node, Operator};
use crate::logical::LogicalPlan;

/// A batch made of a batch.
pub type BatchFn = dyn Fn(RecordBatch) -> Result<RecordBatch> + Send + Sync;

/// A function over batches.
#[derive(Clone)]
pub struct MapPartitions {
    /// The rows.
    pub input: Arc<LogicalPlan>,
    /// What is made of each batch.
    pub function: Arc<BatchFn>,
    schema: SchemaRef,
}

impl LogicalPlan {
    /// What `function` makes of each batch: columns of the names and types of `schema`.
    ///
    /// # Errors
    /// Two columns of one name.
    pub fn map_partitions(self, schema: &Schema, function: Arc<BatchFn>) -> Result<Self> {
        let mut fields: Vec<Field> = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            if fields.iter().any(|other| other.name() == field.name()) {
                let message =
                    format!("two columns of the new schema are called '{}'", field.name());
                return Err(Error::invalid_input(message)
                    .column(field.name())
                    .remedy("give each column a name of its own"));
            }
            let of = match field.data_type() {
                DataType::Dictionary(_, values) => values.as_ref().clone(),
                other => other.clone(),
            };
            fields.push(Field::new(field.name(), of, true));
        }
        let schema = Arc::new(Schema::new(fields));
        let input = Arc::new(self);
        Ok(LogicalPlan::Operator(Operator::MapPartitions(MapPartitions {
            input,
            function,
            schema,
        })))
    }
}

impl Node for MapPartitions {
    fn name(&self) -> &'static str {
        "MapPartitions"
    }

    fn details(&self) -> String {
        let column =
            |field: &Arc<Field>| format!("{}: {}", field.name(), type_name(field.data_type()));
        let columns: Vec<String> = self.schema.fields().iter().map(column).collect();
        format!(" to {}", columns.join(", "))
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn inputs(&self) -> Vec<&Arc<LogicalPlan>> {
        vec![&self.input]
    }

    fn with_inputs(&self, inputs: Vec<Arc<LogicalPlan>>) -> Result<LogicalPlan> {
        let [input] = <[Arc<LogicalPlan>; 1]>::try_from(inputs)
            .map_err(|_| Error::internal("one input is mapped"))?;
        Ok(LogicalPlan::Operator(Operator::MapPartitions(MapPartitions { input, ..self.clone() })))
    }
}

impl fmt::Debug for MapPartitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapPartitions")
            .field("input", &self.input)
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}
