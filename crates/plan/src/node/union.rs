//! Union: the rows of several inputs, one input after the other; duplicates stay (`UNION ALL`).
//!
//! All inputs have the columns of the first one: same names, types and order. Whoever builds a union of
//! other frames projects them first.

use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use dframe_core::{Error, Result};
use dframe_expr::Expr;

use super::{Names, Node, Operator, PruneInput, Pushed};
use crate::logical::LogicalPlan;

/// The rows of all inputs.
#[derive(Clone, Debug)]
pub struct Union {
    /// The inputs, at least one, of the same columns.
    pub inputs: Vec<Arc<LogicalPlan>>,
}

impl LogicalPlan {
    /// The rows of `plans`, one plan after the other.
    ///
    /// # Errors
    /// No plans, or plans whose columns differ in number, name or type.
    pub fn union(plans: Vec<LogicalPlan>) -> Result<Self> {
        let schemas: Vec<SchemaRef> = plans.iter().map(LogicalPlan::schema).collect();
        let Some((first, others)) = schemas.split_first() else {
            return Err(
                Error::invalid_input("there is nothing to unite").remedy("give at least one frame")
            );
        };
        for (number, other) in others.iter().enumerate() {
            check_columns(first, other, number + 2)?;
        }
        let inputs = plans.into_iter().map(Arc::new).collect();
        Ok(LogicalPlan::Operator(Operator::Union(Union { inputs })))
    }
}

/// Checks that input `number`, counted from one, has the columns of the first.
fn check_columns(first: &SchemaRef, other: &SchemaRef, number: usize) -> Result<()> {
    let (wanted, found) = (first.fields(), other.fields());
    if wanted.len() != found.len() {
        let counts = format!("{} columns, and the first {}", found.len(), wanted.len());
        return Err(Error::invalid_input(format!("input {number} of a union has {counts}"))
            .remedy("select the same columns of each"));
    }
    for (wanted, found) in wanted.iter().zip(found) {
        if wanted.name() != found.name() || wanted.data_type() != found.data_type() {
            let name = |field: &arrow::datatypes::Field| {
                format!("'{}' ({})", field.name(), dframe_expr::type_name(field.data_type()))
            };
            let message = format!(
                "input {number} of a union has {} where the first has {}",
                name(found),
                name(wanted)
            );
            return Err(Error::invalid_input(message)
                .column(found.name())
                .remedy("select, rename or cast the columns to those of the first"));
        }
    }
    Ok(())
}

impl Node for Union {
    fn name(&self) -> &'static str {
        "Union"
    }

    fn details(&self) -> String {
        String::new()
    }

    /// The columns of the first; one may be NULL if it may be in any input.
    fn schema(&self) -> SchemaRef {
        let first = self.inputs[0].schema();
        let others: Vec<SchemaRef> = self.inputs[1..].iter().map(|input| input.schema()).collect();
        let may_be_null =
            |index: usize| others.iter().any(|other| other.field(index).is_nullable());
        if (0..first.fields().len())
            .all(|index| first.field(index).is_nullable() || !may_be_null(index))
        {
            return first;
        }
        let field = |(index, field): (usize, &FieldRef)| {
            let nullable = field.is_nullable() || may_be_null(index);
            field.as_ref().clone().with_nullable(nullable)
        };
        Arc::new(Schema::new(first.fields().iter().enumerate().map(field).collect::<Vec<_>>()))
    }

    fn inputs(&self) -> Vec<&Arc<LogicalPlan>> {
        self.inputs.iter().collect()
    }

    fn with_inputs(&self, inputs: Vec<Arc<LogicalPlan>>) -> Result<LogicalPlan> {
        Ok(LogicalPlan::Operator(Operator::Union(Union { inputs })))
    }

    /// Inputs may answer with more columns than asked for, and each with others: they are cut to the same.
    fn prune(&self, wanted: &Names, prune: &mut PruneInput<'_>) -> Result<LogicalPlan> {
        let schema = self.schema();
        let kept: Vec<Expr> = (schema.fields().iter())
            .filter(|field| wanted.contains(field.name()))
            .map(|field| dframe_expr::col(field.name()))
            .collect();
        if kept.is_empty() {
            // Rows without columns still count; a column keeps the inputs alike.
            let one = Names::from([schema.field(0).name().clone()]);
            return self.prune(&one, prune);
        }
        let narrowed = self.inputs.iter().map(|input| {
            let pruned = Arc::unwrap_or_clone(prune(input.clone(), wanted)?);
            if pruned.schema().fields().len() == kept.len() {
                return Ok(Arc::new(pruned));
            }
            pruned.project(kept.clone()).map(Arc::new)
        });
        self.with_inputs(narrowed.collect::<Result<_>>()?)
    }

    fn push_condition(&self, condition: &Expr) -> Pushed {
        let below = self.inputs.iter().map(|_| Some(condition.clone())).collect();
        Pushed { below, settled: true }
    }

    fn row_count(&self) -> Option<u64> {
        self.inputs.iter().map(|input| input.row_count()).sum()
    }

    fn row_count_max(&self) -> Option<u64> {
        self.inputs.iter().map(|input| input.row_count_max()).sum()
    }
}
