//! Queries inside expressions: each is kept, and a column with its number stands for what is asked of it.
//!
//! ```text
//!   x > (SELECT avg(x) FROM t) OR k IN (SELECT k FROM u)
//!
//!   x > "(subquery)"."0" OR "(subquery)"."1"        0: its value      1: whether k is among its rows
//! ```
//!
//! What rows the queries have is not known here.

use dframe_core::Result;
use dframe_expr::{Column, Expr, Span, UnaryOp};
use sqlparser::ast::{self, BinaryOperator, Spanned};

use crate::convert::{Converter, Located};
use crate::place::join;
use crate::query::SUBQUERY;

/// A query inside an expression.
pub(crate) struct Inner {
    /// Its number in the text.
    pub number: usize,
    pub asked: Asked,
    pub query: ast::Query,
    pub place: Span,
}

/// What an expression asks of a query.
pub(crate) enum Asked {
    /// Its one value.
    Value,
    /// Whether it has rows.
    Any,
    /// Whether this is among its rows.
    Among(Expr),
}

impl Converter<'_> {
    /// An expression that is a question to a query.
    pub fn inner(&self, node: ast::Expr) -> Result<Located> {
        let node_span = self.place(&node);
        match in_query(node) {
            ast::Expr::Subquery(query) => {
                let span = self.text.in_parentheses(self.text.span(query.span()));
                self.question(Asked::Value, *query, span)
            }
            ast::Expr::Exists { subquery, negated } => {
                let span = self.text.in_call(self.text.span(subquery.span()));
                let found = self.question(Asked::Any, *subquery, span)?;
                Ok(unless(negated, found))
            }
            ast::Expr::InSubquery { expr, subquery, negated } => {
                let needle = self.expr(*expr)?;
                let rows = self.text.in_parentheses(self.text.span(subquery.span()));
                let span = join(needle.span, rows);
                let found = self.question(Asked::Among(needle.expr), *subquery, span)?;
                Ok(unless(negated, found))
            }
            _ => {
                let what = "a comparison with ANY or ALL but = ANY and <> ALL of a query";
                let error = self.unsupported(what, node_span);
                Err(error.remedy("compare with (SELECT min(x) ...) or (SELECT max(x) ...)"))
            }
        }
    }

    fn question(&self, asked: Asked, query: ast::Query, span: Span) -> Result<Located> {
        let Some(queries) = &self.queries else {
            let what = match asked {
                Asked::Value => "a query",
                _ => "a condition on the rows of a query",
            };
            let remedy = "give the query a name in FROM or WITH, and join with it";
            return Err(self.unsupported(what, span).remedy(remedy));
        };
        let number = self.count.get();
        self.count.set(number + 1);
        queries.borrow_mut().push(Inner { number, asked, query, place: span });
        let column =
            Column { relation: Some(SUBQUERY.to_string()), name: number.to_string(), span };
        Ok(Located { expr: Expr::Column(column), span })
    }
}

/// `node`, where `x = ANY (query)` is `x IN (query)`, and `x <> ALL (query)` is its opposite.
pub(crate) fn in_query(node: ast::Expr) -> ast::Expr {
    use ast::Expr::{AllOp, AnyOp, InSubquery, Subquery};
    let (expr, right, negated) = match node {
        AnyOp { left, compare_op: BinaryOperator::Eq, right, .. }
            if matches!(*right, Subquery(_)) =>
        {
            (left, *right, false)
        }
        AllOp { left, compare_op: BinaryOperator::NotEq, right }
            if matches!(*right, Subquery(_)) =>
        {
            (left, *right, true)
        }
        other => return other,
    };
    let Subquery(subquery) = right else { return right };
    InSubquery { expr, subquery, negated }
}

fn unless(negated: bool, Located { expr, span }: Located) -> Located {
    match negated {
        true => {
            Located { expr: Expr::Unary { op: UnaryOp::Not, expr: Box::new(expr), span }, span }
        }
        false => Located { expr, span },
    }
}
