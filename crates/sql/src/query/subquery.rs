//! Queries inside expressions: a value, `x IN (SELECT ..)`, `EXISTS (SELECT ..)`. Here they know nothing of the
//! query that they are in.
//!
//! ```text
//!   x > (SELECT avg(x) FROM t)      a table of one row beside those of FROM, and its column in place of the query
//!   k IN (SELECT k FROM t)          semi join
//!   k NOT IN (SELECT k FROM t)      anti join, and a filter by what NULL makes of it
//!   EXISTS (SELECT ..)              a filter by the number of rows
//! ```

use dframe_core::{Error, Result};
use dframe_expr::aggregate::AggregateFunction;
use dframe_expr::{Column, Expr, Span, col, count_all, lit};
use dframe_plan::LogicalPlan;
use dframe_plan::node::{JoinKind, JoinOn};
use sqlparser::ast::{self, BinaryOperator, UnaryOperator};

use super::Planner;
use super::from::Taken;
use super::scope::{Aliases, Scope};
use crate::convert::Converter;
use crate::place::at;

/// What the table is called whose column stands for a query; no user's table is.
pub(crate) const SUBQUERY: &str = "(subquery)";

/// The column in the plan that query `number` of a SELECT gives.
fn value_name(number: &str) -> String {
    format!("subquery#{number}")
}

/// The number of the query whose value the column of the plan is.
pub(super) fn number_of(column: &Column) -> Option<usize> {
    column.name.strip_prefix("subquery#")?.parse().ok()
}

/// The value of a query in an expression, as a table of one row.
#[derive(Clone, Debug)]
pub(super) struct Value {
    /// Which of the SELECT's queries it is of.
    pub number: usize,
    /// The row.
    pub rows: LogicalPlan,
}

impl Value {
    /// `plan` with the value beside each row.
    pub fn beside(self, plan: LogicalPlan) -> Result<LogicalPlan> {
        plan.join(self.rows, cross())
    }
}

fn cross() -> JoinOn {
    JoinOn { kind: JoinKind::Cross, keys: vec![], nulls_equal: false, condition: None, asof: None }
}

/// `expr`, before its names have a meaning, with values of queries under a name that can be read.
pub(super) fn with_readable_values(expr: Expr) -> Result<Expr> {
    expr.rewrite(&mut |node| match node {
        Expr::Column(column) if column.relation.as_deref() == Some(SUBQUERY) => Ok(col("subquery")),
        other => Ok(other),
    })
}

/// The column in the plan for one that stands for a query.
pub(super) fn value_column(column: &Column) -> Option<Expr> {
    let stands_for_query = column.relation.as_deref() == Some(SUBQUERY);
    stands_for_query.then(|| {
        Expr::Column(Column { relation: None, name: value_name(&column.name), span: column.span })
    })
}

/// A condition on the rows of a query.
struct Written {
    /// What is to be among the rows; without it, there are to be rows.
    needle: Option<ast::Expr>,
    query: ast::Query,
    negated: bool,
    place: Span,
}

/// As [`Written`], with the needle over the columns of the plan.
pub(super) struct Membership {
    needle: Option<Expr>,
    query: ast::Query,
    negated: bool,
    place: Span,
}

/// The conditions of a WHERE that are on rows of queries, and the others.
pub(super) fn memberships(
    node: Option<ast::Expr>,
    converter: &Converter<'_>,
    scope: &Scope,
    aliases: Aliases<'_>,
) -> Result<(Vec<Membership>, Option<ast::Expr>)> {
    let (mut written, mut rest) = (vec![], None);
    if let Some(node) = node {
        split(node, false, converter, &mut written, &mut rest);
    }
    let resolved = |written: Written| {
        let Written { needle, query, negated, place } = written;
        let needle = needle.map(|node| scope.resolve(converter.expr(node)?.expr, aliases));
        Ok(Membership { needle: needle.transpose()?, query, negated, place })
    };
    Ok((written.into_iter().map(resolved).collect::<Result<_>>()?, rest))
}

fn split(
    node: ast::Expr,
    not: bool,
    converter: &Converter<'_>,
    written: &mut Vec<Written>,
    rest: &mut Option<ast::Expr>,
) {
    let place = converter.place(&node);
    match node {
        ast::Expr::BinaryOp { left, op: BinaryOperator::And, right } if !not => {
            split(*left, false, converter, written, rest);
            split(*right, false, converter, written, rest);
        }
        ast::Expr::Nested(inner) if leads_to_query(&inner) => {
            split(*inner, not, converter, written, rest);
        }
        ast::Expr::UnaryOp { op: UnaryOperator::Not, expr } if leads_to_query(&expr) => {
            split(*expr, !not, converter, written, rest);
        }
        ast::Expr::InSubquery { expr, subquery, negated } => {
            let negated = negated != not;
            written.push(Written { needle: Some(*expr), query: *subquery, negated, place });
        }
        ast::Expr::Exists { subquery, negated } => {
            let negated = negated != not;
            written.push(Written { needle: None, query: *subquery, negated, place });
        }
        other => {
            *rest = Some(match rest.take() {
                None => other,
                Some(left) => ast::Expr::BinaryOp {
                    left: Box::new(left),
                    op: BinaryOperator::And,
                    right: Box::new(other),
                },
            });
        }
    }
}

/// Whether there is nothing around a condition on a query but parentheses and NOT.
fn leads_to_query(node: &ast::Expr) -> bool {
    match node {
        ast::Expr::InSubquery { .. } | ast::Expr::Exists { .. } => true,
        ast::Expr::Nested(inner) => leads_to_query(inner),
        ast::Expr::UnaryOp { op: UnaryOperator::Not, expr } => leads_to_query(expr),
        _ => false,
    }
}

impl Membership {
    /// What is to be among the rows.
    pub fn needle(&self) -> Option<&Expr> {
        self.needle.as_ref()
    }
}

impl Planner<'_, '_> {
    /// A table of one row and one column for each query that stands for a value.
    pub fn values_of(&mut self, converter: &Converter<'_>) -> Result<Vec<Value>> {
        let queries = converter.take_queries().into_iter().enumerate();
        let value = |(number, (query, place))| {
            Ok(Value { number, rows: self.value(number, query, place)? })
        };
        queries.map(value).collect()
    }

    fn value(&mut self, number: usize, query: ast::Query, place: Span) -> Result<LogicalPlan> {
        let plan = self.query(query)?;
        let column = only_column(&plan).map_err(|error| at(error, place))?;
        let name = value_name(&number.to_string());
        if plan.row_count() == Some(1) {
            return plan.project(vec![col(column).alias(name)]);
        }
        if plan.row_count_max().is_none_or(|rows| rows > 1) {
            let error = Error::unsupported("a query for a value must be one that gives one row");
            return Err(at(
                error.remedy("select an aggregate without GROUP BY, or add LIMIT 1"),
                place,
            ));
        }
        // No row means NULL.
        let first = col(column).aggregate(AggregateFunction::Max).alias(name);
        plan.aggregate_select(vec![], vec![first], None)
    }

    /// The rows of `plan` for which `membership` is true.
    pub fn member(
        &mut self,
        plan: LogicalPlan,
        membership: Membership,
        scope: &Scope,
        taken: &mut Taken,
    ) -> Result<LogicalPlan> {
        let Membership { needle, query, negated, place } = membership;
        if let Some(correlated) = self.correlated(&query, needle.as_ref(), scope, taken)? {
            if negated && needle.is_some() {
                let error = self.unsupported(
                    "NOT IN of a query that names columns of the one around it",
                    place,
                );
                return Err(error.remedy("write NOT EXISTS"));
            }
            return correlated.join(plan, negated);
        }
        let rows = self.query(query)?;
        let Some(needle) = needle else { return existing(plan, rows, negated) };
        let column = only_column(&rows).map_err(|error| at(error, place))?;
        let key = (needle.clone(), col(&column));
        let kind = if negated { JoinKind::Anti } else { JoinKind::Semi };
        let on = JoinOn { kind, keys: vec![key], nulls_equal: false, condition: None, asof: None };
        let joined = plan.join(rows.clone(), on)?;
        if !negated {
            return Ok(joined);
        }
        // Whether NULL is among the rows, or is looked for, is unknown to be true; unless there are no rows.
        let (all, values) = (value_name("rows"), value_name("values"));
        let counts = vec![count_all().alias(&all), col(column).count().alias(&values)];
        let counts = rows.aggregate_select(vec![], counts, None)?;
        let known = needle.is_not_null().and(col(&all).eq(col(&values)));
        beside(joined, counts, col(&all).eq(lit(0)).or(known))
    }
}

/// The rows of `plan` if there are `rows`, or if there are none.
fn existing(plan: LogicalPlan, rows: LogicalPlan, negated: bool) -> Result<LogicalPlan> {
    let name = value_name("rows");
    let counts = vec![count_all().alias(&name)];
    let counts = rows.limit(0, Some(1)).aggregate_select(vec![], counts, None)?;
    let wanted = if negated { 0 } else { 1 };
    beside(plan, counts, col(name).eq(lit(wanted)))
}

/// The rows of `plan` for which `condition` holds, which also names columns of the one row `one`.
fn beside(plan: LogicalPlan, one: LogicalPlan, condition: Expr) -> Result<LogicalPlan> {
    let schema = plan.schema();
    let columns = schema.fields().iter().map(|field| col(field.name())).collect();
    plan.join(one, cross())?.filter(condition)?.project(columns)
}

fn only_column(plan: &LogicalPlan) -> Result<String> {
    let schema = plan.schema();
    match schema.fields().as_ref() {
        [field] => Ok(field.name().clone()),
        fields => {
            let error = Error::invalid_input(format!(
                "a query inside an expression has {} columns",
                fields.len()
            ));
            Err(error.remedy("select one"))
        }
    }
}

/// `expr` over groups by `keys`, with any of a group's rows for the value of a query.
pub(super) fn any_value_of(expr: Expr, keys: &[Expr]) -> Result<Expr> {
    match expr {
        Expr::Aggregate(_) => Ok(expr),
        Expr::Column(ref column) if number_of(column).is_some() => {
            Ok(expr.aggregate(AggregateFunction::AnyValue))
        }
        _ if keys.contains(&expr) => Ok(expr),
        other => other.map_children(&mut |child| any_value_of(child, keys)),
    }
}
