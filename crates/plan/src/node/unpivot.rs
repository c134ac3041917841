//! Unpivot: columns become rows, each with the column's name and its value (`melt`).
//!
//! ```text
//!   day  open  close         day  variable  value
//!   Mon  1.0   1.5    ---->  Mon  open      1.0
//!   Tue  1.5   1.2           Mon  close     1.5
//!                            Tue  open      1.5
//!                            Tue  close     1.2
//! ```
//!
//! Rows come out in the order of the input, columns in the order they were named. NULL values stay (as in Polars and
//! pandas). The columns have one type: whoever builds the node casts them first.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use dframe_core::{Error, Result};
use dframe_expr::Expr;

use super::{Names, Node, Operator, PruneInput, Pushed};
use crate::logical::LogicalPlan;

/// A row for each of some columns.
#[derive(Clone, Debug)]
pub struct Unpivot {
    /// The rows.
    pub input: Arc<LogicalPlan>,
    /// The columns that become rows.
    pub on: Vec<String>,
    /// The columns that stay, the names of those that became rows, and their values.
    schema: SchemaRef,
}

/// What the new columns of [`LogicalPlan::unpivot`] are called.
#[derive(Clone, Copy, Debug)]
pub struct UnpivotNames<'a> {
    /// The column of names.
    pub variable: &'a str,
    /// The column of values.
    pub value: &'a str,
}

impl LogicalPlan {
    /// The rows once for each column of `on`, with the columns `index` beside its name and value.
    ///
    /// # Errors
    /// Unknown columns, none in `on`, types in `on` that differ, and names that occur twice.
    pub fn unpivot(self, on: &[String], index: &[String], names: UnpivotNames<'_>) -> Result<Self> {
        let input = self.schema();
        let field = |name: &String| Ok(input.field_with_name(name)?.clone());
        let values = on.iter().map(field).collect::<Result<Vec<Field>>>()?;
        let Some(first) = values.first() else {
            return Err(Error::invalid_input("no columns are unpivoted")
                .remedy("name at least one column whose values become rows"));
        };
        if let Some(other) = values.iter().find(|other| other.data_type() != first.data_type()) {
            return Err(Error::internal(format!("'{}' has another type to unpivot", other.name())));
        }
        let mut fields = index.iter().map(field).collect::<Result<Vec<Field>>>()?;
        fields.push(Field::new(names.variable, DataType::Utf8, true));
        fields.push(Field::new(names.value, first.data_type().clone(), true));
        for (place, field) in fields.iter().enumerate() {
            if fields[..place].iter().any(|other| other.name() == field.name()) {
                return Err(Error::invalid_input(format!(
                    "two columns are called '{}'",
                    field.name()
                ))
                .column(field.name())
                .remedy("choose other names for the columns of names and values"));
            }
        }
        Ok(LogicalPlan::Operator(Operator::Unpivot(Unpivot {
            input: Arc::new(self),
            on: on.to_vec(),
            schema: Arc::new(Schema::new(fields)),
        })))
    }
}

impl Unpivot {
    /// The columns that stay.
    pub fn index(&self) -> Vec<String> {
        let fields = self.schema.fields();
        fields[..fields.len() - 2].iter().map(|field| field.name().clone()).collect()
    }

    fn new_names(&self) -> UnpivotNames<'_> {
        let fields = self.schema.fields();
        let [.., variable, value] = &**fields else { unreachable!("made with two more columns") };
        UnpivotNames { variable: variable.name(), value: value.name() }
    }

    fn is_made_here(&self, name: &str) -> bool {
        let UnpivotNames { variable, value } = self.new_names();
        name == variable || name == value
    }
}

impl Node for Unpivot {
    fn name(&self) -> &'static str {
        "Unpivot"
    }

    fn details(&self) -> String {
        let UnpivotNames { variable, value } = self.new_names();
        format!(" {} AS {variable}, {value}", self.on.join(", "))
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn inputs(&self) -> Vec<&Arc<LogicalPlan>> {
        vec![&self.input]
    }

    fn with_inputs(&self, inputs: Vec<Arc<LogicalPlan>>) -> Result<LogicalPlan> {
        let [input] = <[Arc<LogicalPlan>; 1]>::try_from(inputs)
            .map_err(|_| Error::internal("one input is unpivoted"))?;
        Arc::unwrap_or_clone(input).unpivot(&self.on, &self.index(), self.new_names())
    }

    fn prune(&self, wanted: &Names, prune: &mut PruneInput<'_>) -> Result<LogicalPlan> {
        let index: Vec<String> =
            self.index().into_iter().filter(|name| wanted.contains(name)).collect();
        let needed = index.iter().chain(&self.on).cloned().collect();
        let input = prune(self.input.clone(), &needed)?;
        Arc::unwrap_or_clone(input).unpivot(&self.on, &index, self.new_names())
    }

    /// A condition on columns that stay holds for all rows made of a row, or for none.
    fn push_condition(&self, condition: &Expr) -> Pushed {
        let on_index = !condition.columns().iter().any(|column| self.is_made_here(&column.name));
        Pushed { below: vec![on_index.then(|| condition.clone())], settled: on_index }
    }

    fn row_count(&self) -> Option<u64> {
        self.input.row_count()?.checked_mul(self.on.len() as u64)
    }

    fn row_count_max(&self) -> Option<u64> {
        self.input.row_count_max()?.checked_mul(self.on.len() as u64)
    }
}
