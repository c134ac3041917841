//! Ordering: by columns that come out, or by what they were computed from.
//!
//! ```text
//!   select a + b as s ... order by c         by ticker, sum(x) as v ... order by v, count(*)
//!
//!     Project a + b as s                       Project ticker, "sum(x)" as v
//!       Sort c                                   Sort "sum(x)", "count(*)"
//!         ...                                      Aggregate .. [sum(x), count(*)]
//! ```
//!
//! A key names output columns first. Where that fails, the sort goes below the projection, with the
//! output columns replaced by what they compute; the projection keeps the order.

use std::sync::Arc;

use dframe_core::{Error, Result};
use dframe_expr::{Expr, SortKey};

use super::aggregate::Grouping;
use super::resolve::scalar;
use crate::logical::LogicalPlan;

impl LogicalPlan {
    /// The rows ordered by `keys`, the first key first; equal rows keep their order.
    ///
    /// Keys are expressions of the columns that come out. Directly after a projection they may also
    /// use its input's columns, and directly after an aggregation other aggregates.
    ///
    /// # Errors
    /// No keys, unknown columns, or types that do not fit.
    pub fn sort(self, keys: Vec<SortKey>) -> Result<Self> {
        if keys.is_empty() {
            return Err(Error::invalid_input("there is nothing to sort by")
                .remedy("name at least one column"));
        }
        let schema = self.schema();
        let resolved = map_keys(keys.clone(), &mut |expr| scalar(expr, &schema, "in a sort key"));
        let error = match resolved {
            Ok(keys) => {
                return Ok(LogicalPlan::Sort { input: Arc::new(self), keys, limit: None });
            }
            Err(error) => error,
        };
        match self.sort_below_output(keys) {
            Ok(Some(sorted)) => Ok(sorted),
            Err(below) if below.kind() != error.kind() => Err(below),
            // The output's own error is the better one: its columns are those the user sees.
            _ => Err(error),
        }
    }

    /// The sort below the projection or within the aggregation that makes the output; `None` if
    /// neither is there.
    fn sort_below_output(self, keys: Vec<SortKey>) -> Result<Option<Self>> {
        match self {
            LogicalPlan::Project { input, exprs, schema } => {
                let outputs = named(&exprs);
                let sorted = match sort_groups(&input, &keys, &outputs)? {
                    Some(sorted) => sorted,
                    None => sort_input(Arc::unwrap_or_clone(input), keys, &outputs)?,
                };
                Ok(Some(LogicalPlan::Project { input: Arc::new(sorted), exprs, schema }))
            }
            plan => {
                let columns = plan.columns();
                let sorted = sort_groups(&plan, &keys, &named(&columns))?;
                sorted.map(|sorted| sorted.project(columns)).transpose()
            }
        }
    }
}

/// `input` in the order of `keys`, which name its columns or `outputs`.
fn sort_input(
    input: LogicalPlan,
    keys: Vec<SortKey>,
    outputs: &[(String, Expr)],
) -> Result<LogicalPlan> {
    let replaced = map_keys(keys, &mut |expr| {
        expr.rewrite(&mut |node| match &node {
            Expr::Column(column) => {
                let output = outputs.iter().find(|(name, _)| *name == column.name);
                Ok(output.map_or(node.clone(), |(_, expr)| expr.clone()))
            }
            _ => Ok(node),
        })
    })?;
    let schema = input.schema();
    let keys = map_keys(replaced, &mut |expr| scalar(expr, &schema, "in a sort key"))?;
    Ok(LogicalPlan::Sort { input: Arc::new(input), keys, limit: None })
}

/// The groups of `plan` in the order of `keys`, with the aggregates that the keys need; `None` if
/// `plan` does not end in an aggregation.
fn sort_groups(
    plan: &LogicalPlan,
    keys: &[SortKey],
    outputs: &[(String, Expr)],
) -> Result<Option<LogicalPlan>> {
    let (aggregate, having) = match plan {
        LogicalPlan::Filter { input, predicate } => (input.as_ref(), Some(predicate)),
        other => (other, None),
    };
    let LogicalPlan::Aggregate { input, keys: by, aggregates, .. } = aggregate else {
        return Ok(None);
    };
    let mut grouping = Grouping::reopen(input.clone(), by, aggregates, outputs.to_vec())?;
    let keys = map_keys(keys.to_vec(), &mut |expr| grouping.over_groups(expr))?;
    let mut groups = grouping.node()?;
    if let Some(having) = having {
        groups = groups.filter(having.clone())?;
    }
    let schema = groups.schema();
    let keys = map_keys(keys, &mut |expr| scalar(expr, &schema, "in a sort key"))?;
    Ok(Some(LogicalPlan::Sort { input: Arc::new(groups), keys, limit: None }))
}

/// Output columns by name.
fn named(exprs: &[Expr]) -> Vec<(String, Expr)> {
    exprs.iter().map(|expr| (expr.output_name(), expr.unaliased().clone())).collect()
}

fn map_keys(keys: Vec<SortKey>, f: &mut dyn FnMut(Expr) -> Result<Expr>) -> Result<Vec<SortKey>> {
    keys.into_iter().map(|key| Ok(SortKey { expr: f(key.expr)?, ..key })).collect()
}
