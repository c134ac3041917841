//! Expressions are computed now where they are constant, and conditions that are settled disappear.
//!
//! `filter true` vanishes; `filter false` (or NULL) leaves no rows, and nothing is read for them. A
//! constant that fails (`1 // 0`) stays, to fail where a row needs it.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Schema};
use dframe_core::Result;
use dframe_expr::{Expr, SortKey, conjunction, simplify, split_conjunction};

use super::substitute::with_name;
use crate::logical::{LogicalPlan, Scan};

/// Simplifies the expressions of every node.
pub(super) fn apply(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.rewrite_up(&mut simplify_node)
}

fn simplify_node(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(match plan {
        LogicalPlan::Scan(scan) => simplify_scan(scan),
        LogicalPlan::Filter { input, predicate } => {
            let conditions = split_conjunction(&predicate).into_iter().cloned().collect();
            match simplify_conditions(conditions, &input.schema()) {
                Some(conditions) => match conjunction(conditions) {
                    Some(predicate) => LogicalPlan::Filter { input, predicate },
                    None => Arc::unwrap_or_clone(input),
                },
                None => nothing_of(Arc::unwrap_or_clone(input)),
            }
        }
        LogicalPlan::Project { input, exprs, schema } => {
            let exprs = simplify_columns(exprs, &input.schema());
            LogicalPlan::Project { input, exprs, schema }
        }
        LogicalPlan::Aggregate { input, keys, aggregates, schema } => {
            let over = input.schema();
            let keys = simplify_columns(keys, &over);
            let aggregates = simplify_columns(aggregates, &over);
            LogicalPlan::Aggregate { input, keys, aggregates, schema }
        }
        LogicalPlan::Sort { input, keys, limit } => {
            let over = input.schema();
            let simpler = |key: SortKey| SortKey { expr: simplify(key.expr, &over), ..key };
            let keys = keys.into_iter().map(simpler).collect();
            LogicalPlan::Sort { input, keys, limit }
        }
        limit @ LogicalPlan::Limit { .. } => limit,
        LogicalPlan::Operator(operator) => {
            operator.node().map_exprs(&mut |expr, over| simplify(expr, over))?
        }
    })
}

fn simplify_scan(scan: Scan) -> LogicalPlan {
    let over = scan.source.schema();
    match simplify_conditions(scan.filters.clone(), &over) {
        Some(filters) => LogicalPlan::Scan(Scan { filters, ..scan }),
        None => nothing_of(LogicalPlan::Scan(Scan { filters: vec![], ..scan })),
    }
}

/// Columns under their names as they were.
fn simplify_columns(exprs: Vec<Expr>, over: &Schema) -> Vec<Expr> {
    let simpler = |expr: Expr| {
        let name = expr.output_name();
        with_name(simplify(expr, over), &name)
    };
    exprs.into_iter().map(simpler).collect()
}

/// What is left of `conditions`, all of which must hold; `None` if no row can fulfil them.
fn simplify_conditions(conditions: Vec<Expr>, over: &Schema) -> Option<Vec<Expr>> {
    let mut left = vec![];
    for condition in conditions {
        let simpler = simplify(condition, over);
        for part in split_conjunction(&simpler) {
            match settled(part) {
                Some(true) => {}
                Some(false) => return None,
                None => left.push(part.clone()),
            }
        }
    }
    Some(left)
}

/// Whether `condition` holds for every row, or for none.
fn settled(condition: &Expr) -> Option<bool> {
    let Expr::Literal(literal) = condition else { return None };
    match literal.0.data_type() {
        DataType::Null => Some(false),
        DataType::Boolean => Some(literal.0.is_valid(0) && literal.0.as_boolean().value(0)),
        _ => None,
    }
}

/// None of the rows of `plan`.
fn nothing_of(plan: LogicalPlan) -> LogicalPlan {
    LogicalPlan::Limit { input: Arc::new(plan), offset: 0, limit: Some(0) }
}
