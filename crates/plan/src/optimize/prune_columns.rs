//! Columns that nobody asks for are neither computed nor read.
//!
//! From the top down, each node is told which of its columns are wanted, and asks its input for those
//! its own expressions need. A node may give more columns than wanted (a filter passes on what it
//! filters by), in the old order; before a sort, which holds all its rows, they are cut off.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use dframe_core::Result;
use dframe_expr::Expr;

use crate::logical::{LogicalPlan, Scan};
use crate::node::Names;

/// Removes columns that are not used.
pub(super) fn apply(plan: LogicalPlan) -> Result<LogicalPlan> {
    let all = names(&plan.schema());
    prune(plan, &all)
}

/// `plan` with at least the columns `wanted`.
fn prune(plan: LogicalPlan, wanted: &Names) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::Scan(scan) => prune_scan(scan, wanted),
        LogicalPlan::Project { input, exprs, schema } => {
            let kept = positions(&schema, wanted);
            // Rows without columns are the input's rows without columns.
            if kept.is_empty() {
                return prune(Arc::unwrap_or_clone(input), &Names::new());
            }
            let exprs: Vec<Expr> = kept.iter().map(|index| exprs[*index].clone()).collect();
            let input = prune_arc(input, &used(&exprs))?;
            Ok(LogicalPlan::Project { input, exprs, schema: Arc::new(schema.project(&kept)?) })
        }
        LogicalPlan::Aggregate { input, keys, aggregates, schema } => {
            let kept = wanted_aggregates(&keys, &aggregates, &schema, wanted);
            let aggregates: Vec<Expr> =
                kept[keys.len()..].iter().map(|i| aggregates[i - keys.len()].clone()).collect();
            let needs = used(keys.iter().chain(&aggregates));
            let (input, schema) = (prune_arc(input, &needs)?, Arc::new(schema.project(&kept)?));
            Ok(LogicalPlan::Aggregate { input, keys, aggregates, schema })
        }
        LogicalPlan::Filter { input, predicate } => {
            let needs = union(wanted, used([&predicate]));
            Ok(LogicalPlan::Filter { input: prune_arc(input, &needs)?, predicate })
        }
        LogicalPlan::Sort { input, keys, limit } => {
            let needs = union(wanted, used(keys.iter().map(|key| &key.expr)));
            let input = prune_arc(input, &needs)?.narrowed(&needs)?;
            Ok(LogicalPlan::Sort { input, keys, limit })
        }
        LogicalPlan::Limit { input, offset, limit } => {
            Ok(LogicalPlan::Limit { input: prune_arc(input, wanted)?, offset, limit })
        }
        LogicalPlan::Operator(operator) => operator.node().prune(wanted, &mut prune_arc),
    }
}

fn prune_arc(plan: Arc<LogicalPlan>, wanted: &Names) -> Result<Arc<LogicalPlan>> {
    prune(Arc::unwrap_or_clone(plan), wanted).map(Arc::new)
}

fn prune_scan(scan: Scan, wanted: &Names) -> Result<LogicalPlan> {
    let kept = positions(&scan.schema, wanted);
    let projection = kept.iter().map(|index| scan.projection[*index]).collect();
    let schema = Arc::new(scan.schema.project(&kept)?);
    Ok(LogicalPlan::Scan(Scan { projection, schema, ..scan }))
}

/// The columns of an aggregation that stay: all keys, for they make the groups, and the aggregates
/// wanted; one of them at least where there are no keys, for a node has a column.
fn wanted_aggregates(
    keys: &[Expr],
    aggregates: &[Expr],
    schema: &SchemaRef,
    wanted: &Names,
) -> Vec<usize> {
    let of_wanted =
        |index: &usize| *index < keys.len() || wanted.contains(schema.field(*index).name());
    let columns = 0..keys.len() + aggregates.len();
    let mut kept: Vec<usize> = columns.filter(of_wanted).collect();
    if kept.is_empty() && keys.len() + aggregates.len() > 0 {
        kept.push(0);
    }
    kept
}

fn names(schema: &SchemaRef) -> Names {
    schema.fields().iter().map(|field| field.name().clone()).collect()
}

fn positions(schema: &SchemaRef, wanted: &Names) -> Vec<usize> {
    let of_wanted = |index: &usize| wanted.contains(schema.field(*index).name());
    (0..schema.fields().len()).filter(of_wanted).collect()
}

fn used<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> Names {
    exprs.into_iter().flat_map(Expr::columns).map(|column| column.name).collect()
}

fn union(wanted: &Names, more: Names) -> Names {
    wanted.iter().cloned().chain(more).collect()
}
