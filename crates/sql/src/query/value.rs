//! Values of queries inside expressions, beside each row that the expression is about.
//!
//! ```text
//!   (SELECT max(y) FROM u)                       one row beside all
//!   (SELECT max(y) FROM u WHERE u.k = t.k)       a group for each k, joined: NULL (and 0 of count) without one
//!   (SELECT max(y) FROM u WHERE u.k < t.k)       a group for each k of t of the pairs, joined as above
//!   EXISTS (..)                                  whether count(*) is more than 0
//!   x IN (SELECT y ..)                           as EXISTS with y = x; else NULL if x or some y is, and there are rows
//! ```
//!
//! What of a query is a condition, and what an aggregate, is not known here.

use dframe_core::{Error, Result};
use dframe_expr::aggregate::AggregateFunction;
use dframe_expr::{BinaryOp, Column, Expr, coalesce, col, conjunction, count_all, lit, null, when};
use dframe_plan::LogicalPlan;
use dframe_plan::node::{JoinKind, JoinOn};

use super::SUBQUERY;
use super::join::keys_of;
use crate::place::at;

/// The column in the plan that query `number` of the text gives.
pub(super) fn value_name(number: &str) -> String {
    format!("subquery#{number}")
}

/// The number of the query whose value the column of the plan is.
pub(super) fn number_of(column: &Column) -> Option<usize> {
    column.name.strip_prefix("subquery#")?.parse().ok()
}

/// The column in the plan for one that stands for a query.
pub(super) fn value_column(column: &Column) -> Option<Expr> {
    let stands_for_query = column.relation.as_deref() == Some(SUBQUERY);
    stands_for_query.then(|| {
        Expr::Column(Column { relation: None, name: value_name(&column.name), span: column.span })
    })
}

/// `expr`, before its names have a meaning, with values of queries under a name that can be read.
pub(super) fn with_readable_values(expr: Expr) -> Result<Expr> {
    expr.rewrite(&mut |node| match node {
        Expr::Column(column) if column.relation.as_deref() == Some(SUBQUERY) => Ok(col("subquery")),
        other => Ok(other),
    })
}

/// The value of a query in an expression.
#[derive(Clone, Debug)]
pub(super) struct Value {
    /// Which of the text's queries it is of.
    pub number: usize,
    /// The value as the only row, if it is the same for all rows.
    pub row: Option<LogicalPlan>,
    lookups: Vec<Lookup>,
    /// What it is of the lookups' columns.
    value: Expr,
    /// What is to be among the query's rows.
    needle: Option<Expr>,
}

/// The rows of a query, and for which of them a row around looks.
#[derive(Clone, Debug)]
pub(super) struct Partners {
    pub rows: LogicalPlan,
    /// Over the columns of both.
    pub conditions: Vec<Expr>,
}

/// Aggregates of each row's partners, under names in the plan.
#[derive(Clone, Debug)]
struct Lookup {
    partners: Partners,
    calls: Vec<(String, Expr)>,
    /// What the names of columns begin with.
    prefix: String,
}

impl Value {
    /// A column of one row.
    pub fn of_row(number: usize, row: LogicalPlan) -> Self {
        let value = col(value_name(&number.to_string()));
        Self { number, row: Some(row), lookups: vec![], value, needle: None }
    }

    /// `item`, which aggregates `partners`.
    pub fn aggregated(number: usize, partners: Partners, item: Expr) -> Result<Self> {
        let mut lookup = Lookup::new(format!("{number}."), partners);
        let value = lookup.over(item)?;
        Ok(Self { number, row: None, lookups: vec![lookup], value, needle: None })
    }

    /// Whether there are `partners`.
    pub fn any(number: usize, partners: Partners) -> Result<Self> {
        Self::aggregated(number, partners, count_all().gt(lit(0)))
    }

    /// Whether `needle` is `item` of one of `partners`.
    pub fn among(number: usize, needle: Expr, partners: Partners, item: Expr) -> Result<Self> {
        let mut all = Lookup::new(format!("{number}.all."), partners.clone());
        let (rows, values) = (all.over(count_all())?, all.over(item.clone().count())?);
        let mut equal = Partners { conditions: partners.conditions, rows: partners.rows };
        equal.conditions.push(needle.clone().eq(item));
        let mut equal = Lookup::new(format!("{number}.equal."), equal);
        let found = equal.over(count_all())?.gt(lit(0));
        let unknown = needle.clone().is_null().or(values.lt(rows.clone()));
        let value = when(found)
            .then(lit(true))
            .when(rows.eq(lit(0)))
            .then(lit(false))
            .when(unknown)
            .then(null())
            .otherwise(lit(false));
        Ok(Self { number, row: None, lookups: vec![all, equal], value, needle: Some(needle) })
    }

    /// What of the rows around is aggregated in the question.
    pub fn needle(&self) -> Option<&Expr> {
        self.needle.as_ref()
    }

    /// Itself with `map` of what is of the rows around.
    pub fn map_around(mut self, map: &mut dyn FnMut(Expr) -> Result<Expr>) -> Result<Self> {
        self.needle = self.needle.map(&mut *map).transpose()?;
        for lookup in &mut self.lookups {
            lookup.map_around(map)?;
        }
        if !self.lookups.is_empty() {
            self.value = map(self.value)?;
        }
        Ok(self)
    }

    /// `plan` with the value beside each row.
    pub fn beside(self, plan: LogicalPlan) -> Result<LogicalPlan> {
        if let Some(row) = self.row {
            return plan.join(row, cross());
        }
        let joined = self.lookups.into_iter().try_fold(plan, |plan, lookup| lookup.beside(plan))?;
        joined.with_columns(vec![self.value.alias(value_name(&self.number.to_string()))])
    }

    /// `plan` with a column of the value's type beside each row.
    pub fn any_beside(self, plan: LogicalPlan) -> Result<LogicalPlan> {
        match self.needle {
            Some(_) => {
                let name = value_name(&self.number.to_string());
                plan.with_columns(vec![
                    null().cast(arrow::datatypes::DataType::Boolean).alias(name),
                ])
            }
            None => self.beside(plan),
        }
    }
}

impl Lookup {
    fn new(name: String, partners: Partners) -> Self {
        Self { partners, calls: vec![], prefix: value_name(&name) }
    }

    /// `item` over the columns of the lookup, where an aggregate of nothing is what it is of no rows.
    fn over(&mut self, item: Expr) -> Result<Expr> {
        match item {
            Expr::Aggregate(ref call) => {
                if self.is_around(&item) {
                    let error =
                        Error::unsupported("an aggregate of the query around is not supported");
                    return Err(at(error.remedy("compute it in a subquery of FROM"), call.span));
                }
                let of_none = of_no_rows(&call.function);
                let name = format!("{}{}", self.prefix, self.calls.len());
                self.calls.push((name.clone(), item));
                Ok(match of_none {
                    Some(of_none) => coalesce([col(name), of_none]),
                    None => col(name),
                })
            }
            Expr::Column(ref column) if self.has(column) => Err(no_key(column)),
            other => other.map_children(&mut |child| self.over(child)),
        }
    }

    fn has(&self, column: &Column) -> bool {
        self.partners.rows.schema().index_of(&column.name).is_ok()
    }

    /// Whether `expr` names columns, and all are of the rows around.
    fn is_around(&self, expr: &Expr) -> bool {
        let columns = expr.columns();
        !columns.is_empty() && columns.iter().all(|column| !self.has(column))
    }

    fn map_around(&mut self, map: &mut dyn FnMut(Expr) -> Result<Expr>) -> Result<()> {
        let conditions = std::mem::take(&mut self.partners.conditions);
        self.partners.conditions = conditions.into_iter().map(&mut *map).collect::<Result<_>>()?;
        let calls = std::mem::take(&mut self.calls);
        for (name, call) in calls {
            let call = call.rewrite(&mut |node| match node {
                Expr::Column(ref column) if !self.has(column) => map(node),
                other => Ok(other),
            })?;
            self.calls.push((name, call));
        }
        Ok(())
    }

    /// The columns of the rows around that the partners depend on.
    fn around(&self) -> Vec<Column> {
        let exprs = self.partners.conditions.iter().chain(self.calls.iter().map(|(_, call)| call));
        let mut around: Vec<Column> = vec![];
        for column in exprs.flat_map(Expr::columns) {
            if !self.has(&column) && !around.iter().any(|known| known.name == column.name) {
                around.push(column);
            }
        }
        around
    }

    /// `plan` with the aggregates of each row's partners.
    fn beside(self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let around = self.around();
        let schema = plan.schema();
        if let Some(column) = around.iter().find(|column| schema.index_of(&column.name).is_err()) {
            return Err(no_key(column));
        }
        let rows = self.partners.rows.schema();
        if let Some(field) = schema.fields().iter().find(|f| rows.index_of(f.name()).is_ok()) {
            let error = Error::unsupported(format!(
                "a query inside an expression cannot have the column '{}', which is one of the groups",
                field.name()
            ));
            return Err(error.remedy("give the column another name"));
        }
        let Partners { rows, conditions } = self.partners.clone();
        if around.is_empty() {
            let rows = match conjunction(conditions) {
                Some(condition) => rows.filter(condition)?,
                None => rows,
            };
            return plan.join(rows.aggregate_select(vec![], self.computed(), None)?, cross());
        }
        let (keys, rest) = keys_of(conditions, &plan, &rows);
        let of_rows = |(_, call): &(String, Expr)| call.columns().iter().all(|c| self.has(c));
        if rest.is_empty() && self.calls.iter().all(of_rows) {
            return self.by_keys(plan, keys);
        }
        self.by_pairs(plan, &around)
    }

    fn computed(&self) -> Vec<Expr> {
        self.calls.iter().map(|(name, call)| call.clone().alias(name)).collect()
    }

    /// A group for each value of the keys.
    fn by_keys(&self, plan: LogicalPlan, keys: Vec<(Expr, Expr)>) -> Result<LogicalPlan> {
        let name = |index: usize| format!("{}key{index}", self.prefix);
        let own = keys.iter().enumerate().map(|(index, (_, own))| own.clone().alias(name(index)));
        let own: Vec<Expr> = own.collect();
        let named = (0..keys.len()).map(|index| col(name(index)));
        let columns = named.chain(self.computed()).collect();
        let groups = self.partners.rows.clone().aggregate_select(own, columns, None)?;
        let around = keys.into_iter().enumerate();
        let keys = around.map(|(index, (around, _))| (around, col(name(index)))).collect();
        plan.join(groups, on(JoinKind::Left, keys, false, None))
    }

    /// A group for each value of the columns around, of their pairs with partners.
    fn by_pairs(&self, plan: LogicalPlan, around: &[Column]) -> Result<LogicalPlan> {
        let name = |index: usize| format!("{}of{index}", self.prefix);
        let renamed = |expr: Expr| {
            expr.rewrite(&mut |node| match node {
                Expr::Column(ref column) => {
                    let index = around.iter().position(|known| known.name == column.name);
                    Ok(index.map_or(node, |index| col(name(index))))
                }
                other => Ok(other),
            })
        };
        let own = around.iter().enumerate();
        let own = own.map(|(index, column)| col(&column.name).alias(name(index))).collect();
        let outer = plan.clone().project(own)?.distinct()?;
        let conditions = self.partners.conditions.iter().cloned().map(renamed);
        let rows = self.partners.rows.clone();
        let (keys, rest) = keys_of(conditions.collect::<Result<_>>()?, &outer, &rows);
        let rest = conjunction(rest);
        let kind = match keys.is_empty() && rest.is_none() {
            true => JoinKind::Cross,
            false => JoinKind::Inner,
        };
        let pairs = outer.join(rows, on(kind, keys, false, rest))?;
        let names: Vec<Expr> = (0..around.len()).map(|index| col(name(index))).collect();
        let computed = self.computed().into_iter().map(renamed).collect::<Result<Vec<_>>>()?;
        let columns = names.iter().cloned().chain(computed).collect();
        let groups = pairs.aggregate_select(names.clone(), columns, None)?;
        let keys = around.iter().zip(names).map(|(column, own)| (col(&column.name), own)).collect();
        plan.join(groups, on(JoinKind::Left, keys, true, None))
    }
}

/// What `function` is of no rows, unless that is NULL.
fn of_no_rows(function: &AggregateFunction) -> Option<Expr> {
    match function {
        AggregateFunction::Count | AggregateFunction::ApproxCountDistinct => Some(lit(0)),
        AggregateFunction::Entropy => Some(lit(0.0)),
        _ => None,
    }
}

fn no_key(column: &Column) -> Error {
    let message =
        format!("column {} is neither a key nor inside an aggregate function", column.name);
    at(Error::invalid_input(message).remedy("group by it as well"), column.span)
}

fn on(
    kind: JoinKind,
    keys: Vec<(Expr, Expr)>,
    nulls_equal: bool,
    condition: Option<Expr>,
) -> JoinOn {
    JoinOn { kind, keys, nulls_equal, condition, asof: None }
}

/// A join of all with all.
pub(super) fn cross() -> JoinOn {
    on(JoinKind::Cross, vec![], false, None)
}

/// `left = right`.
pub(super) fn equal(left: Expr, right: Expr) -> Expr {
    let span = left.span();
    Expr::Binary { left: Box::new(left), op: BinaryOp::Eq, right: Box::new(right), span }
}
