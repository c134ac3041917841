//! Projections disappear: into the projection or aggregation above them, into the scan below, or
//! altogether where they change nothing.
//!
//! ```text
//!   Project v * 2 AS w                     Project a * b * 2 AS w
//!     Project a * b AS v, c                  Scan [a, b]
//!       Scan [a, b, c]
//! ```
//!
//! Nothing that costs something is computed twice for it.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use dframe_core::Result;
use dframe_expr::Expr;

use super::substitute::Definitions;
use crate::logical::{LogicalPlan, Scan};

/// Merges projections with what is above and below them.
pub(super) fn apply(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.rewrite_up(&mut |node| Ok(merge(node)))
}

fn merge(plan: LogicalPlan) -> LogicalPlan {
    match plan {
        LogicalPlan::Project { input, exprs, schema } => merge_project(input, exprs, schema),
        LogicalPlan::Aggregate { input, keys, aggregates, schema } => match input.as_ref() {
            LogicalPlan::Project { input: below, exprs: inner, .. }
                if Definitions::new(inner).can_replace_in(keys.iter().chain(&aggregates)) =>
            {
                let definitions = Definitions::new(inner);
                let replace =
                    |exprs: Vec<Expr>| exprs.into_iter().map(|e| definitions.replace_in(e));
                LogicalPlan::Aggregate {
                    input: below.clone(),
                    keys: replace(keys).collect(),
                    aggregates: replace(aggregates).collect(),
                    schema,
                }
            }
            _ => LogicalPlan::Aggregate { input, keys, aggregates, schema },
        },
        other => other,
    }
}

fn merge_project(input: Arc<LogicalPlan>, exprs: Vec<Expr>, schema: SchemaRef) -> LogicalPlan {
    match input.as_ref() {
        LogicalPlan::Project { input: below, exprs: inner, .. }
            if Definitions::new(inner).can_replace_in(exprs.iter()) =>
        {
            let definitions = Definitions::new(inner);
            let exprs = exprs.into_iter().map(|expr| definitions.replace_in(expr)).collect();
            merge_project(below.clone(), exprs, schema)
        }
        below if is_identity(&exprs, &below.schema()) => Arc::unwrap_or_clone(input),
        LogicalPlan::Scan(scan) => match columns_of(&exprs, scan) {
            Some(projection) => LogicalPlan::Scan(Scan { projection, schema, ..scan.clone() }),
            None => LogicalPlan::Project { input, exprs, schema },
        },
        _ => LogicalPlan::Project { input, exprs, schema },
    }
}

/// Whether `exprs` are the columns of `schema`, in order.
fn is_identity(exprs: &[Expr], schema: &Schema) -> bool {
    exprs.len() == schema.fields().len()
        && exprs.iter().zip(schema.fields()).all(
            |(expr, field)| matches!(expr, Expr::Column(column) if column.name == *field.name()),
        )
}

/// Where the columns are in the source, if `exprs` are columns of `scan` and nothing else.
fn columns_of(exprs: &[Expr], scan: &Scan) -> Option<Vec<usize>> {
    let position = |expr: &Expr| match expr {
        Expr::Column(column) => {
            scan.schema.index_of(&column.name).ok().map(|index| scan.projection[index])
        }
        _ => None,
    };
    exprs.iter().map(position).collect()
}
