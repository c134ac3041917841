//! Conditions move towards the rows: into the scan where they can, where statistics may rule out
//! whole row groups.
//!
//! ```text
//!   Filter day = 3 AND n > 9               Filter "count(*)" > 9
//!     Aggregate keys=[day(ts) AS day]        Aggregate keys=[day(ts) AS day]
//!       Filter price > 0                       Scan filters=[price > 0, day(ts) = 3]
//!         Scan
//! ```
//!
//! Conditions keep their order, because one may protect the next (`x <> 0 AND 1 // x > 2`): where an
//! earlier one stays, later ones that could fail stay with it.

use std::sync::Arc;

use dframe_core::Result;
use dframe_expr::{BinaryOp, Expr, UnaryOp, conjunction, split_conjunction};

use super::substitute::{Definitions, is_cheap};
use crate::logical::LogicalPlan;
use crate::node::Node;

/// Merges adjacent filters and pushes conditions down.
pub(super) fn apply(plan: LogicalPlan) -> Result<LogicalPlan> {
    push(plan, vec![])
}

/// `plan` with only the rows that fulfil all of `pending`, conditions over its output.
fn push(plan: LogicalPlan, pending: Vec<Expr>) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::Filter { input, predicate } => {
            let mut conditions: Vec<Expr> =
                split_conjunction(&predicate).into_iter().cloned().collect();
            conditions.extend(pending);
            push(Arc::unwrap_or_clone(input), conditions)
        }
        LogicalPlan::Scan(mut scan) if scan.limit.is_none() => {
            scan.filters.extend(pending);
            Ok(LogicalPlan::Scan(scan))
        }
        LogicalPlan::Project { input, exprs, schema } => {
            let definitions = Definitions::new(&exprs);
            let cheap = |name: &str| definitions.get(name).is_some_and(is_cheap);
            let (below, above) = split(pending, &definitions, cheap);
            let input = Arc::new(push(Arc::unwrap_or_clone(input), below)?);
            Ok(keep(LogicalPlan::Project { input, exprs, schema }, above))
        }
        // Without keys there is a row whatever the input, so that no condition may go below.
        LogicalPlan::Aggregate { input, keys, aggregates, schema } if !keys.is_empty() => {
            let definitions = Definitions::new(&keys);
            let key = |name: &str| definitions.get(name).is_some();
            let (below, above) = split(pending, &definitions, key);
            let input = Arc::new(push(Arc::unwrap_or_clone(input), below)?);
            Ok(keep(LogicalPlan::Aggregate { input, keys, aggregates, schema }, above))
        }
        LogicalPlan::Sort { input, keys, limit: None } => {
            let input = Arc::new(push(Arc::unwrap_or_clone(input), pending)?);
            Ok(LogicalPlan::Sort { input, keys, limit: None })
        }
        LogicalPlan::Operator(operator) => push_into(operator.node(), pending),
        other => Ok(keep(other.map_inputs(&mut |input| push(input, vec![]))?, pending)),
    }
}

/// `node` with each condition in the inputs that take it, and above unless that settles it.
fn push_into(node: &dyn Node, pending: Vec<Expr>) -> Result<LogicalPlan> {
    let inputs = node.inputs();
    let mut below: Vec<Vec<Expr>> = vec![vec![]; inputs.len()];
    let mut above = vec![];
    for condition in pending {
        if !above.is_empty() && !cannot_fail(&condition) {
            above.push(condition);
            continue;
        }
        let pushed = node.push_condition(&condition);
        for (conditions, condition) in below.iter_mut().zip(pushed.below) {
            conditions.extend(condition);
        }
        if !pushed.settled {
            above.push(condition);
        }
    }
    let inputs = inputs.into_iter().zip(below);
    let inputs = inputs.map(|(input, below)| push(input.as_ref().clone(), below).map(Arc::new));
    Ok(keep(node.with_inputs(inputs.collect::<Result<_>>()?)?, above))
}

/// `pending` as the conditions that can be put below `definitions`, over their input, and the rest.
/// `movable` says whether a column of that name can be computed below.
fn split(
    pending: Vec<Expr>,
    definitions: &Definitions<'_>,
    movable: impl Fn(&str) -> bool,
) -> (Vec<Expr>, Vec<Expr>) {
    let (mut below, mut above) = (vec![], vec![]);
    for condition in pending {
        let moves = condition.columns().iter().all(|column| movable(&column.name));
        if moves && (above.is_empty() || cannot_fail(&condition)) {
            below.push(definitions.replace(condition));
        } else {
            above.push(condition);
        }
    }
    (below, above)
}

/// Whether evaluating `expr` on any row succeeds: comparisons and logic, but neither arithmetic nor
/// casts nor functions.
fn cannot_fail(expr: &Expr) -> bool {
    !expr.any_node(|node| match node {
        Expr::Binary { op, .. } => matches!(
            op,
            BinaryOp::Add
                | BinaryOp::Subtract
                | BinaryOp::Multiply
                | BinaryOp::Divide
                | BinaryOp::IntegerDivide
                | BinaryOp::Modulo
        ),
        Expr::Unary { op, .. } => *op == UnaryOp::Negate,
        Expr::Cast { .. } | Expr::Call { .. } | Expr::Case { .. } => true,
        _ => false,
    })
}

fn keep(plan: LogicalPlan, conditions: Vec<Expr>) -> LogicalPlan {
    match conjunction(conditions) {
        Some(predicate) => LogicalPlan::Filter { input: Arc::new(plan), predicate },
        None => plan,
    }
}
