//! ORDER BY: by output columns (names or positions), or by expressions of the rows below them.

use dframe_core::{Error, Result};
use dframe_expr::{Column, Expr, SortKey, Span, col};
use dframe_plan::LogicalPlan;
use sqlparser::ast::{self, OrderByKind};

use super::Planner;
use super::scope::{Scope, aliased};
use crate::place::at;
use crate::sort_key;

/// A key as it was written.
pub(super) struct OrderKey {
    key: OrderBy,
    descending: bool,
    nulls_first: bool,
    span: Span,
}

enum OrderBy {
    /// An output column, counted from 0.
    Position(usize),
    /// An expression of names.
    Expr(Expr),
    /// Every output column.
    All,
}

impl Planner<'_, '_> {
    /// The keys of an ORDER BY.
    pub fn order_by(&self, node: Option<ast::OrderBy>) -> Result<Vec<OrderKey>> {
        match node.map(|node| node.kind) {
            None => Ok(vec![]),
            Some(OrderByKind::Expressions(keys)) => {
                keys.into_iter().map(|key| self.order_key(key)).collect()
            }
            Some(OrderByKind::All(options)) => {
                let descending = options.sort == Some(ast::OrderBySort::Desc);
                let nulls_first = options.nulls_first.unwrap_or(false);
                Ok(vec![OrderKey { key: OrderBy::All, descending, nulls_first, span: Span::NONE }])
            }
        }
    }

    fn order_key(&self, node: ast::OrderByExpr) -> Result<OrderKey> {
        let converter = self.converter();
        let span = converter.place(&node.expr);
        let position = position(&node.expr);
        let options = node.options.clone();
        let (key, descending, nulls_first) = match position {
            Some(position) => {
                let descending = options.sort == Some(ast::OrderBySort::Desc);
                let nulls_first = options.nulls_first.unwrap_or(false);
                (OrderBy::Position(position.wrapping_sub(1)), descending, nulls_first)
            }
            None => {
                let SortKey { expr, descending, nulls_first } = sort_key(&converter, node)?;
                (OrderBy::Expr(expr), descending, nulls_first)
            }
        };
        Ok(OrderKey { key, descending, nulls_first, span })
    }

    /// The rows of `plan` in the order of `keys`, which can only name its columns.
    pub fn order_output(&self, plan: LogicalPlan, keys: Vec<OrderKey>) -> Result<LogicalPlan> {
        let schema = plan.schema();
        let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        let keys = keys.into_iter().map(|key| match &key.key {
            OrderBy::Expr(expr) => Ok(vec![key.by(expr.clone())]),
            _ => key.over_all(&names),
        });
        let keys: Vec<SortKey> = keys.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
        if keys.is_empty() { Ok(plan) } else { plan.sort(keys) }
    }
}

impl OrderKey {
    fn by(&self, expr: Expr) -> SortKey {
        SortKey { expr, descending: self.descending, nulls_first: self.nulls_first }
    }

    /// The keys of a position, or of all positions.
    fn over_all(&self, names: &[String]) -> Result<Vec<SortKey>> {
        match self.key {
            OrderBy::Position(index) => {
                let name = names.get(index).ok_or_else(|| no_position(index, names.len()));
                Ok(vec![self.by(col(name.map_err(|error| at(error, self.span))?))])
            }
            _ => Ok(names.iter().map(|name| self.by(col(name))).collect()),
        }
    }

    /// The keys over output columns, and what is to be computed beside those for them.
    ///
    /// `outputs` are the output columns as the user named them, as they come out, and what they compute.
    pub fn over_outputs(
        self,
        outputs: &[Output],
        scope: &Scope,
        hidden: &mut Vec<Output>,
    ) -> Result<Vec<SortKey>> {
        let OrderBy::Expr(expr) = &self.key else {
            let names: Vec<String> = outputs.iter().map(|output| output.name.clone()).collect();
            return self.over_all(&names);
        };
        if let Expr::Column(column) = expr
            && let Some(output) = output_named(column, outputs)
        {
            return Ok(vec![self.by(col(&output.name))]);
        }
        let aliases: Vec<(String, Expr)> =
            outputs.iter().map(|output| (output.label.clone(), output.expr.clone())).collect();
        let expr = scope.resolve(expr.clone(), &aliases)?;
        let known = outputs.iter().chain(hidden.iter()).find(|output| output.expr == expr);
        if let Some(output) = known {
            return Ok(vec![self.by(col(&output.name))]);
        }
        let taken: Vec<&str> =
            outputs.iter().chain(hidden.iter()).map(|output| output.name.as_str()).collect();
        let name = unused(format!("order by {expr}"), &taken);
        let key = self.by(col(&name));
        hidden.push(Output { label: name.clone(), name, expr });
        Ok(vec![key])
    }
}

/// A column that comes out of a SELECT.
#[derive(Clone, Debug)]
pub(super) struct Output {
    /// What the user called it.
    pub label: String,
    /// The name it comes out under: as the label, unless an earlier column has that.
    pub name: String,
    /// What it computes.
    pub expr: Expr,
}

fn output_named<'a>(column: &Column, outputs: &'a [Output]) -> Option<&'a Output> {
    let labels: Vec<(String, Expr)> =
        outputs.iter().map(|output| (output.label.clone(), col(&output.name))).collect();
    let Some(Expr::Column(found)) = aliased(column, &labels) else { return None };
    outputs.iter().find(|output| output.name == found.name)
}

/// `name`, or `name` with a number behind it, that none of `taken` is.
pub(super) fn unused(name: String, taken: &[&str]) -> String {
    let numbered = (1..).map(|number| format!("{name}_{number}"));
    let mut names = std::iter::once(name.clone()).chain(numbered);
    names.find(|name| !taken.contains(&name.as_str())).unwrap_or(name)
}

/// The number that stands for a column.
pub(super) fn position(node: &ast::Expr) -> Option<usize> {
    match node {
        ast::Expr::Value(value) => match &value.value {
            ast::Value::Number(digits, false) => digits.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// There is no column `index`, counted from 0.
pub(super) fn no_position(index: usize, columns: usize) -> Error {
    let error = Error::invalid_input(format!("there is no column {}", index.wrapping_add(1)));
    error.remedy(format!("columns are counted from 1 to {columns}"))
}
