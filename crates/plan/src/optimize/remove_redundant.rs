//! Sorts and limits that change nothing disappear.
//!
//! - a sort whose order an aggregation above forgets;
//! - a sort of a sort: one sort by both lists of keys, since sorts are stable;
//! - keys that are constant or repeated;
//! - a sort or a limit of no more rows than there are.

use std::sync::Arc;

use dframe_core::Result;
use dframe_expr::{Expr, SortKey};

use crate::logical::LogicalPlan;

/// Removes sorts and limits without effect.
pub(super) fn apply(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.rewrite_up(&mut |node| Ok(remove(node)))
}

fn remove(plan: LogicalPlan) -> LogicalPlan {
    match plan {
        LogicalPlan::Limit { input, offset: 0, limit } if keeps_all(&input, limit) => {
            Arc::unwrap_or_clone(input)
        }
        LogicalPlan::Sort { input, keys, limit } => simpler_sort(input, keys, limit),
        LogicalPlan::Aggregate { input, keys, aggregates, schema }
            if !aggregates.iter().any(needs_order) =>
        {
            let input = Arc::new(without_order(Arc::unwrap_or_clone(input)));
            LogicalPlan::Aggregate { input, keys, aggregates, schema }
        }
        other => other,
    }
}

/// Whether the first `limit` rows of `plan` are all its rows.
fn keeps_all(plan: &LogicalPlan, limit: Option<u64>) -> bool {
    match limit {
        Some(limit) => plan.row_count_max().is_some_and(|rows| rows <= limit),
        None => true,
    }
}

fn simpler_sort(input: Arc<LogicalPlan>, keys: Vec<SortKey>, limit: Option<u64>) -> LogicalPlan {
    let (input, keys) = match Arc::unwrap_or_clone(input) {
        LogicalPlan::Sort { input, keys: inner, limit: None } => {
            (input, keys.into_iter().chain(inner).collect())
        }
        other => (Arc::new(other), keys),
    };
    let keys = distinct_keys(keys);
    let single = input.row_count_max().is_some_and(|rows| rows <= 1);
    if !keys.is_empty() && !single {
        return LogicalPlan::Sort { input, keys, limit };
    }
    match limit {
        Some(_) => LogicalPlan::Limit { input, offset: 0, limit },
        None => Arc::unwrap_or_clone(input),
    }
}

/// `keys` without constants and without those that an earlier key settles.
fn distinct_keys(keys: Vec<SortKey>) -> Vec<SortKey> {
    let mut kept: Vec<SortKey> = vec![];
    for key in keys {
        let settled = kept.iter().any(|earlier| earlier.expr == key.expr);
        if !settled && !matches!(key.expr, Expr::Literal(_)) {
            kept.push(key);
        }
    }
    kept
}

/// Whether the result depends on the order of the rows.
fn needs_order(aggregate: &Expr) -> bool {
    aggregate.any_node(|node| match node {
        Expr::Aggregate(call) => !call.function.ignores_order(),
        _ => false,
    })
}

/// `plan` without sorts that only its order shows.
fn without_order(plan: LogicalPlan) -> LogicalPlan {
    match plan {
        LogicalPlan::Sort { input, limit: None, .. } => without_order(Arc::unwrap_or_clone(input)),
        LogicalPlan::Project { input, exprs, schema } => {
            let input = Arc::new(without_order(Arc::unwrap_or_clone(input)));
            LogicalPlan::Project { input, exprs, schema }
        }
        LogicalPlan::Filter { input, predicate } => {
            let input = Arc::new(without_order(Arc::unwrap_or_clone(input)));
            LogicalPlan::Filter { input, predicate }
        }
        other => other,
    }
}
