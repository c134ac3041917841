//! UNION, EXCEPT and INTERSECT: rows of several queries, column by column.

use arrow::datatypes::{DataType, Schema};
use dframe_core::{Error, Result};
use dframe_expr::window::{partition_by, row_number};
use dframe_expr::{Expr, Span, coalesce, col, null};
use dframe_plan::LogicalPlan;
use dframe_plan::node::{JoinKind, JoinOn};
use sqlparser::ast::{SetExpr, SetOperator, SetQuantifier};

use super::Planner;
use super::order::unused;

impl Planner<'_, '_> {
    /// The plan of a query without WITH, ORDER BY and LIMIT.
    pub fn set_expr(&mut self, node: SetExpr) -> Result<LogicalPlan> {
        match node {
            SetExpr::Select(select) => self.select(*select, vec![]),
            SetExpr::Query(query) => self.query(*query),
            SetExpr::Values(values) => self.values(values),
            SetExpr::SetOperation { .. } => self.set_operations(node),
            other => {
                let place = self.converter().place(&other);
                Err(self.unsupported("a statement that changes tables", place))
            }
        }
    }

    /// `a UNION b UNION c`: the parser nests to the left, as deep as the text is long.
    fn set_operations(&mut self, node: SetExpr) -> Result<LogicalPlan> {
        let (mut first, mut links) = (node, vec![]);
        while let SetExpr::SetOperation { left, op, set_quantifier, right } = first {
            links.push((op, set_quantifier, right));
            first = *left;
        }
        let mut plans = vec![self.set_expr(first)?];
        let mut links = links.into_iter().rev().peekable();
        while let Some((op, quantifier, right)) = links.next() {
            let place = self.converter().place(&*right);
            plans.push(self.set_expr(*right)?);
            let is_all = |quantifier: &SetQuantifier| *quantifier == SetQuantifier::All;
            let goes_on = links
                .peek()
                .is_some_and(|(op, quantifier, _)| *op == SetOperator::Union && is_all(quantifier));
            if op == SetOperator::Union && is_all(&quantifier) && goes_on {
                continue;
            }
            plans = vec![self.combined(plans, op, quantifier, place)?];
        }
        let plan = plans.pop();
        plan.ok_or_else(|| Error::internal("a set operation of nothing"))
    }

    fn combined(
        &self,
        plans: Vec<LogicalPlan>,
        op: SetOperator,
        quantifier: SetQuantifier,
        place: Span,
    ) -> Result<LogicalPlan> {
        use SetQuantifier::{All, AllByName, ByName, Distinct, DistinctByName, None};
        let plans = match quantifier {
            ByName | AllByName | DistinctByName => by_name(plans),
            _ => aligned(plans),
        };
        let plans = plans.map_err(|error| crate::place::at(error, place))?;
        let kind = match op {
            SetOperator::Union => return union(plans, matches!(quantifier, All | AllByName)),
            SetOperator::Intersect => JoinKind::Semi,
            SetOperator::Except | SetOperator::Minus => JoinKind::Anti,
        };
        match quantifier {
            None | Distinct => matching(plans, kind, false),
            All => matching(plans, kind, true),
            other => {
                let error = self.unsupported(&format!("{op} {other}"), place);
                Err(error.remedy("select the columns of both queries in the same order"))
            }
        }
    }
}

fn union(plans: Vec<LogicalPlan>, all: bool) -> Result<LogicalPlan> {
    let union = LogicalPlan::union(plans)?;
    if all { Ok(union) } else { union.distinct() }
}

/// The different rows of the first that are in the second, or are not. With `counted`, equal rows are different:
/// the third `x` is in the second if that has three.
fn matching(plans: Vec<LogicalPlan>, kind: JoinKind, counted: bool) -> Result<LogicalPlan> {
    let [left, right] = <[LogicalPlan; 2]>::try_from(plans)
        .map_err(|_| Error::internal("a set operation takes two queries"))?;
    let columns = left.columns();
    let (left, right) = match counted {
        true => (numbered(left)?, numbered(right)?),
        false => (left.distinct()?, right),
    };
    let keys = left.columns().into_iter().map(|column| (column.clone(), column)).collect();
    let on = JoinOn { kind, keys, nulls_equal: true, condition: None, asof: None };
    let joined = left.join(right, on)?;
    if counted { joined.project(columns) } else { Ok(joined) }
}

/// `plan` with the place of each row among those that are equal to it.
fn numbered(plan: LogicalPlan) -> Result<LogicalPlan> {
    let place = row_number().over(partition_by(plan.columns()));
    let schema = plan.schema();
    let taken: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let name = unused("place".to_string(), &taken);
    plan.with_columns(vec![place.alias(name)])
}

/// `plans` with the columns of all by name, which are NULL where a plan has none of the name.
fn by_name(plans: Vec<LogicalPlan>) -> Result<Vec<LogicalPlan>> {
    let schemas: Vec<_> = plans.iter().map(LogicalPlan::schema).collect();
    let mut names: Vec<&String> = vec![];
    for field in schemas.iter().flat_map(|schema| schema.fields()) {
        if !names.iter().any(|name| name.eq_ignore_ascii_case(field.name())) {
            names.push(field.name());
        }
    }
    let column = |schema: &Schema, name: &String| {
        let fields = schema.fields().iter();
        let mut own = fields.filter(|field| field.name().eq_ignore_ascii_case(name));
        let (found, other) = (own.next(), own.next());
        if let Some(other) = other {
            let message = format!("both '{name}' and '{}' are columns of one query", other.name());
            return Err(
                Error::invalid_input(message).remedy("name columns that differ not only in case")
            );
        }
        Ok(match found {
            Some(field) if field.name() == name => col(name),
            Some(field) => col(field.name()).alias(name),
            None => null().alias(name),
        })
    };
    let plans = plans.into_iter().zip(&schemas).map(|(plan, schema)| {
        plan.project(names.iter().map(|name| column(schema, name)).collect::<Result<_>>()?)
    });
    aligned(plans.collect::<Result<_>>()?)
}

/// `plans` with the names of the first, and types that hold the values of all.
pub(super) fn aligned(plans: Vec<LogicalPlan>) -> Result<Vec<LogicalPlan>> {
    let schemas: Vec<_> = plans.iter().map(LogicalPlan::schema).collect();
    let Some(first) = schemas.first() else { return Ok(plans) };
    if let Some(other) = schemas.iter().find(|other| other.fields().len() != first.fields().len()) {
        let counts = format!("{} and {} columns", first.fields().len(), other.fields().len());
        return Err(Error::invalid_input(format!("the queries have {counts}"))
            .remedy("select as many columns in each"));
    }
    let types = (0..first.fields().len())
        .map(|index| common_type(schemas.iter().map(|schema| schema.field(index).data_type())));
    let types = types.collect::<Result<Vec<_>>>()?;
    plans.into_iter().map(|plan| as_first(plan, first, &types)).collect()
}

fn as_first(plan: LogicalPlan, first: &Schema, types: &[DataType]) -> Result<LogicalPlan> {
    let schema = plan.schema();
    let same = (schema.fields().iter().zip(first.fields()).zip(types))
        .all(|((own, first), to)| own.name() == first.name() && own.data_type() == to);
    if same {
        return Ok(plan);
    }
    let column = |((own, first), to): (
        (&arrow::datatypes::FieldRef, &arrow::datatypes::FieldRef),
        &DataType,
    )| {
        let expr = col(own.name());
        let expr = if own.data_type() == to { expr } else { expr.cast(to.clone()) };
        if own.name() == first.name() && own.data_type() == to {
            expr
        } else {
            expr.alias(first.name())
        }
    };
    plan.project(schema.fields().iter().zip(first.fields()).zip(types).map(column).collect())
}

/// A type that holds the values of all.
pub(super) fn common_type<'a>(types: impl Iterator<Item = &'a DataType>) -> Result<DataType> {
    let typed = |data_type: &DataType| match data_type {
        DataType::Null => null(),
        other => null().cast(other.clone()),
    };
    let values: Vec<Expr> = types.map(typed).collect();
    let schema = Schema::empty();
    match values.as_slice() {
        [one] => Ok(one.to_field(&schema)?.data_type().clone()),
        _ => Ok(coalesce(values).to_field(&schema)?.data_type().clone()),
    }
}
