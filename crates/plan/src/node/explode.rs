//! Explode: a row for each element of a list, beside the other columns (`UNNEST`).
//!
//! ```text
//!   id  tags           id  tags
//!   1   [a, b]  ---->  1   a
//!   2   []             1   b
//!   3   NULL           2   NULL
//!                      3   NULL
//! ```
//!
//! A row whose list is NULL or empty stays, with NULL (as in Polars and pandas). Several lists of a row are exploded side
//! by side, and must be of the same length.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use dframe_core::{Error, Result};
use dframe_expr::{Expr, resolve_name};

use super::{Names, Node, Operator, PruneInput, Pushed};
use crate::logical::LogicalPlan;

/// A row for each element.
#[derive(Clone, Debug)]
pub struct Explode {
    /// The rows.
    pub input: Arc<LogicalPlan>,
    /// The columns of lists.
    pub columns: Vec<String>,
    schema: SchemaRef,
}

impl LogicalPlan {
    /// A row for each element of the lists in `columns`, which come out as columns of elements.
    ///
    /// # Errors
    /// No columns, unknown ones, or ones that are no lists.
    pub fn explode(self, columns: &[&str]) -> Result<Self> {
        let input = self.schema();
        if columns.is_empty() {
            return Err(Error::invalid_input("no columns are exploded")
                .remedy("name at least one column of lists"));
        }
        let mut fields = input.fields().to_vec();
        let mut names = Vec::with_capacity(columns.len());
        for column in columns {
            let index = resolve_name(&input, column)?;
            let field = input.field(index);
            let element = element_type(field)?;
            fields[index] = Arc::new(Field::new(field.name(), element, true));
            names.push(field.name().clone());
        }
        Ok(LogicalPlan::Operator(Operator::Explode(Explode {
            input: Arc::new(self),
            columns: names,
            schema: Arc::new(Schema::new(fields)),
        })))
    }
}

fn element_type(field: &Field) -> Result<DataType> {
    match field.data_type() {
        DataType::List(element) | DataType::LargeList(element) => Ok(element.data_type().clone()),
        DataType::FixedSizeList(element, _) => Ok(element.data_type().clone()),
        other => {
            let message = format!(
                "'{}' is {}, which is no list",
                field.name(),
                dframe_expr::type_name(other)
            );
            Err(Error::invalid_input(message)
                .column(field.name())
                .remedy("explode a column of lists"))
        }
    }
}

impl Explode {
    fn over(&self, input: Arc<LogicalPlan>) -> Result<LogicalPlan> {
        let columns: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        Arc::unwrap_or_clone(input).explode(&columns)
    }
}

impl Node for Explode {
    fn name(&self) -> &'static str {
        "Explode"
    }

    fn details(&self) -> String {
        format!(" {}", self.columns.join(", "))
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn inputs(&self) -> Vec<&Arc<LogicalPlan>> {
        vec![&self.input]
    }

    fn with_inputs(&self, inputs: Vec<Arc<LogicalPlan>>) -> Result<LogicalPlan> {
        let [input] = <[Arc<LogicalPlan>; 1]>::try_from(inputs)
            .map_err(|_| Error::internal("one input is exploded"))?;
        self.over(input)
    }

    /// How many rows come out depends on the lists, wanted or not.
    fn prune(&self, wanted: &Names, prune: &mut PruneInput<'_>) -> Result<LogicalPlan> {
        let all = wanted.iter().chain(&self.columns).cloned().collect();
        self.over(prune(self.input.clone(), &all)?)
    }

    /// A condition on other columns holds for all elements of a row, or for none.
    fn push_condition(&self, condition: &Expr) -> Pushed {
        let on_others =
            !condition.columns().iter().any(|column| self.columns.contains(&column.name));
        Pushed { below: vec![on_others.then(|| condition.clone())], settled: on_others }
    }
}
