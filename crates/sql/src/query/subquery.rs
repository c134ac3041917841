//! Queries inside expressions: a value, `x IN (SELECT ..)`, `EXISTS (SELECT ..)`.
//!
//! ```text
//!   x > (SELECT avg(x) FROM t)      a value beside the rows of FROM
//!   k IN (SELECT k FROM t)          semi join
//!   k NOT IN (SELECT k FROM t)      anti join, and a filter by what NULL makes of it
//!   EXISTS (SELECT ..)              a filter by the number of rows
//! ```
//!
//! The last three are so in WHERE, alone or between ANDs; elsewhere they are values too.

use dframe_core::{Error, Result};
use dframe_expr::aggregate::AggregateFunction;
use dframe_expr::{Expr, Span, col, count_all, lit};
use dframe_plan::LogicalPlan;
use dframe_plan::node::{JoinKind, JoinOn};
use sqlparser::ast::{self, BinaryOperator, UnaryOperator};

use super::Planner;
use super::correlated::Correlated;
use super::from::Taken;
use super::scope::{Aliases, Scope};
use super::value::{Partners, Value, cross, number_of, value_name};
use crate::convert::Converter;
use crate::inner::{Asked, Inner, in_query};
use crate::place::at;

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
    match in_query(node) {
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
        ast::Expr::AnyOp { .. } | ast::Expr::AllOp { .. } => {
            matches!(in_query(node.clone()), ast::Expr::InSubquery { .. })
        }
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
    /// What each query inside an expression is worth beside the rows of `outer`.
    pub fn values_of(
        &mut self,
        converter: &Converter<'_>,
        outer: &Scope,
        aliases: Aliases<'_>,
        taken: &mut Taken,
    ) -> Result<Vec<Value>> {
        let mut values = vec![];
        for Inner { number, asked, query, place } in converter.take_queries() {
            values.push(match asked {
                Asked::Value => self.value(number, query, place, outer, taken)?,
                Asked::Any => self.any(number, query, outer, taken)?,
                Asked::Among(needle) => {
                    let asked = (outer.resolve(needle, aliases)?, place);
                    self.among(number, asked, query, outer, taken)?
                }
            });
        }
        Ok(values)
    }

    fn value(
        &mut self,
        number: usize,
        query: ast::Query,
        place: Span,
        outer: &Scope,
        taken: &mut Taken,
    ) -> Result<Value> {
        if let Some((partners, item)) = self.correlated_value(&query, outer, taken)? {
            return Value::aggregated(number, partners, item);
        }
        let plan = self.query(query)?;
        let column = only_column(&plan).map_err(|error| at(error, place))?;
        let name = value_name(&number.to_string());
        if plan.row_count() == Some(1) {
            return Ok(Value::of_row(number, plan.project(vec![col(column).alias(name)])?));
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
        Ok(Value::of_row(number, plan.aggregate_select(vec![], vec![first], None)?))
    }

    /// Whether `query` has rows.
    fn any(
        &mut self,
        number: usize,
        query: ast::Query,
        outer: &Scope,
        taken: &mut Taken,
    ) -> Result<Value> {
        let partners = match self.correlated(&query, false, outer, taken)? {
            Some(found) => found.partners,
            None => Partners { rows: self.query(query)?.limit(0, Some(1)), conditions: vec![] },
        };
        Value::any(number, partners)
    }

    /// Whether `needle`, asked for at a place, is among the rows of `query`.
    fn among(
        &mut self,
        number: usize,
        (needle, place): (Expr, Span),
        query: ast::Query,
        outer: &Scope,
        taken: &mut Taken,
    ) -> Result<Value> {
        if let Some(Correlated { partners, item: Some(item) }) =
            self.correlated(&query, true, outer, taken)?
        {
            return Value::among(number, needle, partners, item);
        }
        let plan = self.query(query)?;
        let column = only_column(&plan).map_err(|error| at(error, place))?;
        let name = value_name(&format!("{number}.item"));
        let rows = plan.project(vec![col(column).alias(&name)])?;
        Value::among(number, needle, Partners { rows, conditions: vec![] }, col(name))
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
        if let Some(found) = self.correlated(&query, needle.is_some(), scope, taken)? {
            let Correlated { partners, item } = found;
            return match needle.zip(item) {
                None => partners.join(plan, negated),
                Some((needle, item)) if !negated => {
                    partners.with_equal(needle, item).join(plan, false)
                }
                Some((needle, item)) => {
                    without(plan, Value::among(self.next_number(), needle, partners, item)?)
                }
            };
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

    fn next_number(&self) -> usize {
        self.queries.set(self.queries.get() + 1);
        self.queries.get() - 1
    }
}

/// The rows of `plan` for which `value` is false.
fn without(plan: LogicalPlan, value: Value) -> Result<LogicalPlan> {
    let columns = plan.columns();
    let name = value_name(&value.number.to_string());
    value.beside(plan)?.filter(col(name).not())?.project(columns)
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
    let columns = plan.columns();
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
