//! `EXISTS` and `IN` of a query that names columns of the query around it: a semi or an anti join on what they say.
//!
//! ```text
//!   FROM orders o WHERE EXISTS (SELECT 1 FROM lines l WHERE l.order = o.id AND l.price > 9)
//!
//!   Join semi on o.id = l.order
//!     Scan orders
//!     Filter price > 9
//!       Scan lines
//! ```

use dframe_core::Result;
use dframe_expr::{BinaryOp, Expr, conjunction};
use dframe_plan::LogicalPlan;
use dframe_plan::node::{JoinKind, JoinOn};
use sqlparser::ast::{self, BinaryOperator, GroupByExpr, SelectItem, SetExpr};

use super::Planner;
use super::from::{From, Taken};
use super::join::keys_of;
use super::scope::Scope;

/// What is joined with for a query that names columns of the one around it.
pub(super) struct Correlated {
    rows: LogicalPlan,
    /// Over the columns of both.
    conditions: Vec<Expr>,
}

impl Planner<'_, '_> {
    /// `query` as rows to join with, if it names columns of `outer` in its WHERE and is plain otherwise. With `needle`,
    /// its one column is to be equal to that.
    pub fn correlated(
        &mut self,
        query: &ast::Query,
        needle: Option<&Expr>,
        outer: &Scope,
        taken: &mut Taken,
    ) -> Result<Option<Correlated>> {
        let Some(select) = plain(query) else { return Ok(None) };
        let Some(filter) = select.selection.clone() else { return Ok(None) };
        if select.projection.iter().any(|item| self.aggregates(item)) {
            return Ok(None);
        }
        let (tables, inner) = self.tables_in(select.from.clone(), taken)?;
        let (mut own, mut conditions) = (vec![], vec![]);
        for part in parts(filter) {
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
        if conditions.is_empty() {
            return Ok(None);
        }
        if let Some(needle) = needle {
            let [SelectItem::UnnamedExpr(node)] = select.projection.as_slice() else {
                return Ok(None);
            };
            let item = inner.resolve(self.converter().expr(node.clone())?.expr, &[])?;
            conditions.push(equal(needle.clone(), item));
        }
        Ok(Some(Correlated { rows: From::joined(tables, conjunction(own))?, conditions }))
    }

    /// Whether an item makes one row of all.
    fn aggregates(&self, item: &SelectItem) -> bool {
        let (SelectItem::UnnamedExpr(node) | SelectItem::ExprWithAlias { expr: node, .. }) = item
        else {
            return false;
        };
        self.converter().expr(node.clone()).is_ok_and(|found| found.expr.contains_aggregate())
    }
}

impl Correlated {
    /// The rows of `plan` that have a partner, or have none.
    pub fn join(self, plan: LogicalPlan, negated: bool) -> Result<LogicalPlan> {
        let (keys, rest) = keys_of(self.conditions, &plan, &self.rows);
        let kind = if negated { JoinKind::Anti } else { JoinKind::Semi };
        let on =
            JoinOn { kind, keys, nulls_equal: false, condition: conjunction(rest), asof: None };
        plan.join(self.rows, on)
    }
}

fn equal(left: Expr, right: Expr) -> Expr {
    let span = left.span();
    Expr::Binary { left: Box::new(left), op: BinaryOp::Eq, right: Box::new(right), span }
}

/// The SELECT of a query that has nothing but that, with FROM and WHERE.
fn plain(query: &ast::Query) -> Option<&ast::Select> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let no_keys = matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    let is_plain = query.with.is_none()
        && query.limit_clause.is_none()
        && no_keys
        && select.having.is_none()
        && select.qualify.is_none();
    is_plain.then_some(select)
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
