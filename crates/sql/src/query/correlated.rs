//! Queries inside expressions that name columns of the query around them: rows, and which of them are whose partners.
//!
//! ```text
//!   FROM orders o WHERE EXISTS (SELECT 1 FROM lines l WHERE l.order = o.id AND l.price > 9)
//!
//!   Join semi on o.id = l.order
//!     Scan orders
//!     Filter price > 9
//!       Scan lines
//! ```
//!
//! They may name those columns in WHERE, and in the select list of an aggregate. All else is planned as a query by itself,
//! where such a name is an error.

use std::sync::Arc;

use dframe_core::Result;
use dframe_expr::aggregate::AggregateFunction;
use dframe_expr::{AggregateCall, Expr, SortKey, conjunction};
use dframe_plan::LogicalPlan;
use dframe_plan::node::{JoinKind, JoinOn};
use sqlparser::ast::{
    self, BinaryOperator, Distinct, GroupByExpr, LimitClause, OrderByKind, SelectItem, SetExpr,
};

use super::Planner;
use super::from::{From, Taken};
use super::join::keys_of;
use super::order::position;
use super::scope::Scope;
use super::select::refuse_grouped;
use super::value::{Partners, equal};
use crate::call::has_grouping;
use crate::sort_key;

/// The partners that a query names, and what it selects of them, if that is asked.
pub(super) struct Correlated {
    pub partners: Partners,
    pub item: Option<Expr>,
}

impl Planner<'_, '_> {
    /// `query` as partners of the rows of `outer`, if its WHERE names columns of those and it is plain otherwise;
    /// with its one column if `selects`.
    pub fn correlated(
        &mut self,
        query: &ast::Query,
        selects: bool,
        outer: &Scope,
        taken: &mut Taken,
    ) -> Result<Option<Correlated>> {
        let Some(select) = plain(query) else { return Ok(None) };
        let is_over_rows = |item: &SelectItem| !self.is_over_groups(item);
        let limited = query.limit_clause.is_some() || select.distinct.as_ref().is_some_and(is_on);
        if limited || !select.projection.iter().all(is_over_rows) {
            return Ok(None);
        }
        let Some((partners, inner)) = self.partners(select, outer, taken)? else { return Ok(None) };
        if partners.conditions.is_empty() {
            return Ok(None);
        }
        if !selects {
            return Ok(Some(Correlated { partners, item: None }));
        }
        let Some(node) = only_item(select) else { return Ok(None) };
        let Ok(converted) = self.converter().expr(node) else { return Ok(None) };
        let item = inner.resolve_within(outer, converted.expr)?;
        Ok(Some(Correlated { partners, item: Some(item) }))
    }

    /// `query` as partners of the rows of `outer` and what it aggregates of them, if it names columns of those and
    /// gives one row for sure.
    pub fn correlated_value(
        &mut self,
        query: &ast::Query,
        outer: &Scope,
        taken: &mut Taken,
    ) -> Result<Option<(Partners, Expr)>> {
        let Some(select) = plain(query) else { return Ok(None) };
        let Some(node) = only_item(select).filter(|_| select.distinct.is_none()) else {
            return Ok(None);
        };
        let Ok(converted) = self.converter().expr(node) else { return Ok(None) };
        let item = converted.expr;
        let first = takes_first(query);
        let aggregates = item.contains_aggregate() && query.limit_clause.is_none();
        if item.contains_window() || has_grouping(&item) || !(aggregates || first) {
            return Ok(None);
        }
        let Some((partners, inner)) = self.partners(select, outer, taken)? else { return Ok(None) };
        let names_outer = |expr: &Expr| inner.resolve(expr.clone(), &[]).is_err();
        if partners.conditions.is_empty() && !names_outer(&item) {
            return Ok(None);
        }
        let item = inner.resolve_within(outer, item)?;
        if item.contains_aggregate() {
            return Ok((!first).then_some((partners, item)));
        }
        let Some(order_by) = self.keys_within(query, &inner)? else { return Ok(None) };
        let call = AggregateCall {
            function: AggregateFunction::First,
            span: item.span(),
            args: vec![item],
            distinct: false,
            order_by,
            filter: None,
        };
        Ok(Some((partners, Expr::Aggregate(Arc::new(call)))))
    }

    /// The rows of a plain SELECT, and the conditions that name columns of `outer`.
    fn partners(
        &mut self,
        select: &ast::Select,
        outer: &Scope,
        taken: &mut Taken,
    ) -> Result<Option<(Partners, Scope)>> {
        let (tables, inner) = self.tables_in(select.from.clone(), taken)?;
        let (mut own, mut conditions) = (vec![], vec![]);
        for part in select.selection.clone().into_iter().flat_map(parts) {
            // What cannot be said so is left to those who read queries by themselves.
            let Ok(converted) = self.converter().expr(part) else { return Ok(None) };
            match inner.resolve(converted.expr.clone(), &[]) {
                Ok(expr) => own.push(expr),
                Err(error) => match inner.resolve_within(outer, converted.expr) {
                    Ok(expr) => conditions.push(expr),
                    Err(_) => return Err(error),
                },
            }
        }
        conditions.iter().chain(&own).try_for_each(|part| refuse_grouped(Some(part)))?;
        Ok(Some((Partners { rows: From::joined(tables, conjunction(own))?, conditions }, inner)))
    }

    /// The keys of an ORDER BY, if they are expressions over `inner`.
    fn keys_within(&self, query: &ast::Query, inner: &Scope) -> Result<Option<Vec<SortKey>>> {
        let nodes = match query.order_by.as_ref().map(|order| &order.kind) {
            None => return Ok(Some(vec![])),
            Some(OrderByKind::Expressions(nodes)) => nodes,
            Some(OrderByKind::All(_)) => return Ok(None),
        };
        let mut keys = vec![];
        for node in nodes {
            if position(&node.expr).is_some() {
                return Ok(None);
            }
            let key = sort_key(&self.converter(), node.clone())?;
            keys.push(SortKey { expr: inner.resolve(key.expr, &[])?, ..key });
        }
        Ok(Some(keys))
    }

    /// Whether an item is of groups or windows of rows.
    fn is_over_groups(&self, item: &SelectItem) -> bool {
        let (SelectItem::UnnamedExpr(node) | SelectItem::ExprWithAlias { expr: node, .. }) = item
        else {
            return false;
        };
        self.converter()
            .expr(node.clone())
            .is_ok_and(|found| found.expr.contains_aggregate() || found.expr.contains_window())
    }
}

impl Partners {
    /// Those of them whose `item` is `needle`.
    pub fn with_equal(mut self, needle: Expr, item: Expr) -> Self {
        self.conditions.push(equal(needle, item));
        self
    }

    /// The rows of `plan` that have a partner, or have none.
    pub fn join(self, plan: LogicalPlan, negated: bool) -> Result<LogicalPlan> {
        let (keys, rest) = keys_of(self.conditions, &plan, &self.rows);
        let kind = if negated { JoinKind::Anti } else { JoinKind::Semi };
        let on =
            JoinOn { kind, keys, nulls_equal: false, condition: conjunction(rest), asof: None };
        plan.join(self.rows, on)
    }
}

/// The SELECT of a query that has nothing but that, with FROM, WHERE, ORDER BY and LIMIT.
fn plain(query: &ast::Query) -> Option<&ast::Select> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let no_keys = matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    let is_plain = query.with.is_none()
        && query.fetch.is_none()
        && no_keys
        && select.having.is_none()
        && select.qualify.is_none()
        && select.top.is_none();
    is_plain.then_some(select)
}

fn is_on(distinct: &Distinct) -> bool {
    matches!(distinct, Distinct::On(_))
}

fn only_item(select: &ast::Select) -> Option<ast::Expr> {
    match select.projection.as_slice() {
        [SelectItem::UnnamedExpr(node) | SelectItem::ExprWithAlias { expr: node, .. }] => {
            Some(node.clone())
        }
        _ => None,
    }
}

/// Whether a query has LIMIT 1 and no OFFSET.
fn takes_first(query: &ast::Query) -> bool {
    let Some(LimitClause::LimitOffset { limit: Some(limit), offset: None, limit_by }) =
        &query.limit_clause
    else {
        return false;
    };
    limit_by.is_empty() && position(limit) == Some(1)
}

/// The conditions between ANDs.
fn parts(node: ast::Expr) -> Vec<ast::Expr> {
    let (mut parts, mut rest) = (vec![], vec![node]);
    while let Some(node) = rest.pop() {
        match node {
            ast::Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                rest.push(*right);
                rest.push(*left);
            }
            other => parts.push(other),
        }
    }
    parts
}
