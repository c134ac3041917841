//! UNNEST: a row for each element of a list, in a select list and in FROM.
//!
//! ```text
//!   SELECT id, unnest(tags) FROM t               a row of t for each of its tags
//!   FROM t, unnest(t.tags) AS u (tag)            the same, with the other columns of t
//!   FROM t LEFT JOIN unnest(t.tags) u ON true    rows without tags stay
//!   FROM unnest([1, 2, 3]) AS u (n)              rows of nothing else
//! ```
//!
//! Rows whose list is NULL or empty are left out, as in DuckDB; the plan's own operator keeps them.

use std::sync::Arc;

use dframe_core::{Error, Result};
use dframe_expr::{Expr, Span, call, col, lit};
use dframe_plan::LogicalPlan;
use sqlparser::ast::{FunctionArg, FunctionArgExpr, TableAlias};

use super::Planner;
use super::from::{Taken, free};
use super::order::unused;
use super::scope::{Scope, ScopeColumn};
use crate::call::UNNEST;
use crate::place::at;

/// `unnest(..)` in a FROM.
pub(super) struct Unnest {
    arg: FunctionArg,
    alias: Option<TableAlias>,
    place: Span,
}

impl Planner<'_, '_> {
    /// The call `unnest(args)` in a FROM.
    pub fn unnest(
        &self,
        args: Vec<FunctionArg>,
        alias: Option<TableAlias>,
        place: Span,
    ) -> Result<Unnest> {
        let [arg] = <[FunctionArg; 1]>::try_from(args).map_err(|args| {
            let message = format!("unnest takes one list, not {} arguments", args.len());
            at(Error::invalid_input(message).remedy("join one unnest for each"), place)
        })?;
        Ok(Unnest { arg, alias, place })
    }

    /// The list over the columns of `scope`.
    pub fn list_of(&self, unnest: &Unnest, scope: &Scope) -> Result<Expr> {
        match &unnest.arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(node)) => {
                scope.resolve(self.converter().expr(node.clone())?.expr, &[])
            }
            _ => Err(self.unsupported("this argument of unnest", unnest.place)),
        }
    }

    /// The rows of `plan`, once for each element of `list`, and the column of elements; with `outer` also the rows
    /// without one.
    pub fn unnested(
        &self,
        plan: LogicalPlan,
        list: Expr,
        unnest: Unnest,
        outer: bool,
        taken: &mut Taken,
    ) -> Result<(LogicalPlan, ScopeColumn)> {
        let Unnest { alias, place, .. } = unnest;
        let (table, name) = match alias {
            None => ("unnest".to_string(), "unnest".to_string()),
            Some(alias) => {
                if let Some(surplus) = alias.columns.get(1) {
                    let error = Error::invalid_input("unnest has one column to be named");
                    return Err(at(error, self.text.span(surplus.name.span)));
                }
                let own = alias.columns.first().map(|column| column.name.value.clone());
                (alias.name.value, own.unwrap_or_else(|| "unnest".to_string()))
            }
        };
        let inner = free(&table, &name, &[], taken);
        taken.insert(inner.clone());
        let plan = exploded(plan, list, &inner, outer).map_err(|error| at(error, place))?;
        let table = Some(Arc::from(vec![table]));
        Ok((plan, ScopeColumn { table, name, expr: col(inner), merged: false }))
    }
}

/// `plan` with the elements of `list` as the column `name`.
fn exploded(plan: LogicalPlan, list: Expr, name: &str, outer: bool) -> Result<LogicalPlan> {
    let plan = plan.with_columns(vec![list.alias(name)])?;
    // Says what is no list.
    plan.clone().explode(&[name])?;
    let plan = match outer {
        true => plan,
        false => plan.filter(call("len", [col(name)]).gt(lit(0)))?,
    };
    plan.explode(&[name])
}

/// `plan` with a row for each element of the list that `exprs` unnest, and those over its columns.
pub(super) fn unnested(plan: LogicalPlan, exprs: Vec<Expr>) -> Result<(LogicalPlan, Vec<Expr>)> {
    let mut lists: Vec<Expr> = vec![];
    for expr in &exprs {
        expr.visit(&mut |node| match node {
            Expr::Call { name, .. } if name == UNNEST => {
                if !lists.contains(node) {
                    lists.push(node.clone());
                }
                false
            }
            _ => true,
        });
    }
    let [unnest] = lists.as_slice() else {
        let Some(second) = lists.get(1) else { return Ok((plan, exprs)) };
        return Err(beside_others(second.span()));
    };
    let Expr::Call { args, span, .. } = unnest else {
        return Err(Error::internal("unnest is a call"));
    };
    let [list] = args.as_slice() else {
        let error =
            Error::invalid_input(format!("unnest takes one list, not {} arguments", args.len()));
        return Err(at(error, *span));
    };
    if exprs.iter().any(Expr::contains_window) || has_unnest(list) {
        return Err(beside_others(*span));
    }
    let schema = plan.schema();
    let taken: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let name = unused(unnest.output_name(), &taken);
    let plan = exploded(plan, list.clone(), &name, false).map_err(|error| at(error, *span))?;
    let over =
        |expr: Expr| expr.rewrite(&mut |node| Ok(if node == *unnest { col(&name) } else { node }));
    Ok((plan, exprs.into_iter().map(over).collect::<Result<_>>()?))
}

fn beside_others(span: Span) -> Error {
    let what = "unnest beside groups, windows and another unnest is not supported";
    let remedy = "unnest in a subquery: FROM (SELECT unnest(x) AS item FROM t)";
    at(Error::unsupported(what).remedy(remedy), span)
}

/// Groups cannot be of the elements of lists.
pub(super) fn refuse_in_groups(expr: &Expr) -> Result<()> {
    if has_unnest(expr) { Err(beside_others(expr.span())) } else { Ok(()) }
}

/// Whether a list is unnested in `expr`.
pub(super) fn has_unnest(expr: &Expr) -> bool {
    expr.any_node(|node| matches!(node, Expr::Call { name, .. } if name == UNNEST))
}
