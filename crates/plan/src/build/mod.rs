//! Checked builders: each makes a node over another, or says what is wrong with the request.
//!
//! ```text
//!   names as written --resolve--> names of the schema --bind--> types known --> a node
//! ```
//!
//! What a builder returned is right by construction: exact names, no wildcards, distinct output
//! names, aggregates only in `Aggregate`, conditions that are Boolean. Rules and `exec` rely on it.

mod aggregate;
pub(crate) mod resolve;
mod sort;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use dframe_core::{Error, Result};
use dframe_expr::{Expr, col};

use crate::logical::{LogicalPlan, Scan};
use crate::node::split_windows;
use crate::source::Source;
use resolve::{condition, output_schema, scalar};

impl LogicalPlan {
    /// All columns and rows of `source`.
    pub fn scan(source: Arc<dyn Source>) -> Self {
        let schema = source.schema();
        let projection = (0..schema.fields().len()).collect();
        LogicalPlan::Scan(Scan { source, projection, filters: vec![], limit: None, schema })
    }

    /// The rows for which `predicate` is true.
    ///
    /// # Errors
    /// Unknown columns, types that do not fit, aggregates, or something else than a condition.
    pub fn filter(self, predicate: Expr) -> Result<Self> {
        let predicate = condition(predicate, &self.schema(), "in a filter")?;
        Ok(LogicalPlan::Filter { input: Arc::new(self), predicate })
    }

    /// A column for each of `exprs`; `*` stands for all columns of this plan.
    ///
    /// # Errors
    /// Unknown columns, types that do not fit, aggregates, two columns of one name, or no column.
    pub fn project(self, exprs: Vec<Expr>) -> Result<Self> {
        let exprs = expand_wildcards(exprs, &self.schema());
        let (plan, exprs) = split_windows(self, exprs)?;
        let input = plan.schema();
        let exprs = (exprs.into_iter())
            .map(|expr| scalar(expr, &input, "in a select list"))
            .collect::<Result<Vec<_>>>()?;
        if exprs.is_empty() {
            return Err(Error::invalid_input("no columns are selected")
                .remedy("name at least one column, or select `*`"));
        }
        let schema = Arc::new(output_schema(&exprs, &input)?);
        Ok(LogicalPlan::Project { input: Arc::new(plan), exprs, schema })
    }

    /// Each column, by its name.
    pub fn columns(&self) -> Vec<Expr> {
        self.schema().fields().iter().map(|field| col(field.name())).collect()
    }

    /// All columns, with `exprs` added; one with the name of a column takes its place.
    ///
    /// # Errors
    /// As [`LogicalPlan::project`].
    pub fn with_columns(self, exprs: Vec<Expr>) -> Result<Self> {
        let input = self.schema();
        let mut columns = self.columns();
        let mut replaced = vec![false; columns.len()];
        let (plan, exprs) = split_windows(self, exprs)?;
        let over = plan.schema();
        for expr in exprs {
            let expr = scalar(expr, &over, "in with_columns")?;
            let name = expr.to_field(&over)?.name().clone();
            match input.index_of(&name) {
                Ok(index) if !replaced[index] => {
                    replaced[index] = true;
                    columns[index] = expr;
                }
                // A second one for the same name goes to the end, where `project` refuses it.
                _ => columns.push(expr),
            }
        }
        plan.project(columns)
    }

    /// Some rows: `offset` are skipped, then at most `limit` are kept.
    pub fn limit(self, offset: u64, limit: Option<u64>) -> Self {
        LogicalPlan::Limit { input: Arc::new(self), offset, limit }
    }

    /// Each different row once.
    ///
    /// # Errors
    /// A column of a nested type.
    pub fn distinct(self) -> Result<Self> {
        let schema = self.schema();
        let keys = self.columns();
        for (key, field) in keys.iter().zip(schema.fields()) {
            refuse_nested_key(key, field.name(), field.data_type())?;
        }
        Ok(LogicalPlan::Aggregate { input: Arc::new(self), keys, aggregates: vec![], schema })
    }
}

/// `exprs` with each `*` replaced by the columns of `input`.
fn expand_wildcards(exprs: Vec<Expr>, input: &Schema) -> Vec<Expr> {
    let expand = |expr| match expr {
        Expr::Wildcard => input.fields().iter().map(|field| col(field.name())).collect(),
        other => vec![other],
    };
    exprs.into_iter().flat_map(expand).collect()
}

/// Refuses types that have no equality that groups could be made by.
pub(crate) fn refuse_nested_key(expr: &Expr, name: &str, data_type: &DataType) -> Result<()> {
    if !data_type.is_nested() || matches!(data_type, DataType::Dictionary(..)) {
        return Ok(());
    }
    let type_name = dframe_expr::type_name(data_type);
    let error = Error::unsupported(format!("'{name}' is {type_name}, which cannot be a key"))
        .column(name)
        .remedy("leave it out, or select one of its parts first");
    Err(resolve::at(error, expr))
}
