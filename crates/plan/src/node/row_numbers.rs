//! Row numbers: each row with a column before the others that tells its place in the input, or a random number.
//!
//! ```text
//!   origin          row  origin
//!   ORD     ---->     0  ORD
//!   ATL               1  ATL
//! ```
//!
//! A random number depends on the row's place and a seed only, so that a sample is the same for any number of threads.
//! What the numbers are used for is not known here.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use dframe_core::{Error, Result};

use super::{Names, Node, Operator, PruneInput};
use crate::logical::LogicalPlan;

/// What a row is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Its place in the input, BIGINT, where the first row has this one.
    Places(u64),
    /// A DOUBLE of at least 0 and below 1, which follows from this seed and the row's place.
    Random(u64),
}

/// Each row with a number.
#[derive(Clone, Debug)]
pub struct RowNumbers {
    /// The rows.
    pub input: Arc<LogicalPlan>,
    /// What they are given.
    pub numbers: Numbers,
    schema: SchemaRef,
}

impl LogicalPlan {
    /// The rows with a first column `name` of numbers.
    ///
    /// # Errors
    /// There is a column of that name.
    pub fn row_numbers(self, name: &str, numbers: Numbers) -> Result<Self> {
        let input = self.schema();
        if input.column_with_name(name).is_some() {
            return Err(Error::invalid_input(format!("there is a column '{name}' already"))
                .column(name)
                .remedy("choose another name for the numbers of rows"));
        }
        let data_type = match numbers {
            Numbers::Places(_) => DataType::Int64,
            Numbers::Random(_) => DataType::Float64,
        };
        let mut fields = vec![Arc::new(Field::new(name, data_type, true))];
        fields.extend(input.fields().iter().cloned());
        Ok(LogicalPlan::Operator(Operator::RowNumbers(RowNumbers {
            input: Arc::new(self),
            numbers,
            schema: Arc::new(Schema::new(fields)),
        })))
    }
}

impl RowNumbers {
    fn column(&self) -> &str {
        self.schema.field(0).name()
    }

    fn over(&self, input: Arc<LogicalPlan>) -> Result<LogicalPlan> {
        Arc::unwrap_or_clone(input).row_numbers(self.column(), self.numbers)
    }
}

impl Node for RowNumbers {
    fn name(&self) -> &'static str {
        "RowNumbers"
    }

    fn details(&self) -> String {
        match self.numbers {
            Numbers::Places(first) => format!(" {} from={first}", self.column()),
            Numbers::Random(seed) => format!(" {} seed={seed}", self.column()),
        }
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn inputs(&self) -> Vec<&Arc<LogicalPlan>> {
        vec![&self.input]
    }

    fn with_inputs(&self, inputs: Vec<Arc<LogicalPlan>>) -> Result<LogicalPlan> {
        let [input] = <[Arc<LogicalPlan>; 1]>::try_from(inputs)
            .map_err(|_| Error::internal("row numbers are those of one input"))?;
        self.over(input)
    }

    fn prune(&self, wanted: &Names, prune: &mut PruneInput<'_>) -> Result<LogicalPlan> {
        let of_input = wanted.iter().filter(|name| *name != self.column()).cloned().collect();
        self.over(prune(self.input.clone(), &of_input)?)
    }

    fn row_count(&self) -> Option<u64> {
        self.input.row_count()
    }

    fn row_count_max(&self) -> Option<u64> {
        self.input.row_count_max()
    }
}
