//! Expressions over groups: of one set of keys by an aggregation, of several by the union of one for each.
//!
//! ```text
//!   SELECT a, b, sum(x), grouping(b) .. GROUP BY ROLLUP (a, b)
//!
//!   Project   a, b, "sum(x)", "grouping(b)"              and windows, HAVING, values of queries
//!     Union     a, b, "sum(x)", "grouping(b)"
//!       Project   a, b,    "sum(x)", 0    over  Aggregate keys=[a, b]
//!       Project   a, NULL, "sum(x)", 1    over  Aggregate keys=[a]
//!       Project   NULL, NULL, "sum(x)", 1 over  Aggregate keys=[]
//! ```
//!
//! An aggregate's argument is of the rows: a key inside it has its value also where the set is without it.

use dframe_core::{Error, Result};
use dframe_expr::{Expr, Span, col, count_all, lit, null};
use dframe_plan::LogicalPlan;

use super::grouping::Grouping;
use super::order::unused;
use super::subquery::any_value_of;
use super::value::{Value, number_of};
use crate::call::GROUPING;
use crate::place::at;

/// Columns that a SELECT computes over its groups.
pub(super) struct Groups {
    sets: Vec<Vec<Expr>>,
    /// The name of each key in the plan, and what it computes.
    keys: Vec<(String, Expr)>,
    /// Aggregate calls and calls of `grouping`, by their names in the plan.
    calls: Vec<(String, Expr)>,
}

impl Groups {
    /// The groups of `grouping`; without it, all rows are one.
    pub fn new(grouping: Option<Grouping>) -> Self {
        let grouping = grouping.unwrap_or_else(|| Grouping { sets: vec![vec![]] });
        let mut keys: Vec<(String, Expr)> = vec![];
        for key in grouping.keys() {
            let taken: Vec<&str> = keys.iter().map(|(name, _)| name.as_str()).collect();
            keys.push((unused(key.output_name(), &taken), key));
        }
        Self { sets: grouping.sets, keys, calls: vec![] }
    }

    /// `columns` over the groups of `rows` for which `having` is true; `values` are those of queries in them.
    pub fn plan(
        mut self,
        rows: LogicalPlan,
        columns: Vec<(String, Expr)>,
        having: Option<Expr>,
        values: Vec<Value>,
    ) -> Result<LogicalPlan> {
        let mut any_values = values.clone().into_iter();
        let with_values =
            any_values.try_fold(rows.clone(), |rows, value| value.any_beside(rows))?;
        let plain = self.one_set(with_values, &columns, having.clone())?;
        if self.sets.len() == 1 && values.is_empty() {
            return Ok(plain);
        }
        let over = |(name, expr): (String, Expr)| Ok(named(self.over(expr)?, &name));
        let columns = columns.into_iter().map(over).collect::<Result<Vec<_>>>()?;
        let having = having.map(|having| self.over(having)).transpose()?;
        let values = values.into_iter().map(|value| value.map_around(&mut |expr| self.over(expr)));
        let values = values.collect::<Result<Vec<_>>>()?;
        let union = self.union(&rows)?;
        let mut plan = values.into_iter().try_fold(union, |plan, value| value.beside(plan))?;
        if let Some(having) = having {
            plan = plan.filter(having)?;
        }
        plan.project(columns)
    }

    /// As if all keys were one set; says also what is wrong with the expressions.
    fn one_set(
        &self,
        rows: LogicalPlan,
        columns: &[(String, Expr)],
        having: Option<Expr>,
    ) -> Result<LogicalPlan> {
        let over = |expr: Expr| self.with_all_keys(any_value_of(expr, &self.key_exprs())?);
        let column = |(name, expr): &(String, Expr)| Ok(named(over(expr.clone())?, name));
        let columns = columns.iter().map(column).collect::<Result<_>>()?;
        let keys = self.keys.iter().map(|(name, key)| named(key.clone(), name)).collect();
        rows.aggregate_select(keys, columns, having.map(over).transpose()?)
    }

    fn key_exprs(&self) -> Vec<Expr> {
        self.keys.iter().map(|(_, key)| key.clone()).collect()
    }

    /// `expr` with what `grouping` says of the set of all keys.
    fn with_all_keys(&self, expr: Expr) -> Result<Expr> {
        expr.rewrite(&mut |node| match node {
            Expr::Call { ref name, ref args, span } if name == GROUPING => {
                self.mark(args, &self.key_exprs(), span)
            }
            other => Ok(other),
        })
    }

    /// A bit for each of `args`, the last one's the lowest: 1 if it is not in `set`.
    fn mark(&self, args: &[Expr], set: &[Expr], span: Span) -> Result<Expr> {
        let all = self.key_exprs();
        let args = if args.is_empty() { all.as_slice() } else { args };
        if let Some(other) = args.iter().find(|arg| !all.contains(arg)) {
            let error = Error::invalid_input(format!("grouping() is of keys, and {other} is none"));
            return Err(at(error.remedy("name what GROUP BY names"), span));
        }
        let bits = args.iter().fold(0_i64, |bits, arg| bits << 1 | i64::from(!set.contains(arg)));
        match args.len() {
            0..=63 => Ok(lit(bits)),
            _ => Err(at(Error::invalid_input("grouping() takes at most 63 keys"), span)),
        }
    }

    /// `expr` over the columns of the union.
    fn over(&mut self, expr: Expr) -> Result<Expr> {
        if let Some((name, _)) = self.keys.iter().find(|(_, key)| *key == expr) {
            return Ok(col(name));
        }
        match expr {
            Expr::Aggregate(_) => Ok(col(self.call(expr))),
            Expr::Call { ref name, .. } if name == GROUPING => Ok(col(self.call(expr))),
            other => other.map_children(&mut |child| self.over(child)),
        }
    }

    /// The name under which `call` is computed.
    fn call(&mut self, call: Expr) -> String {
        if let Some((name, _)) = self.calls.iter().find(|(_, known)| *known == call) {
            return name.clone();
        }
        let names = self.keys.iter().chain(&self.calls).map(|(name, _)| name.as_str());
        let name = unused(call.to_string(), &names.collect::<Vec<_>>());
        self.calls.push((name.clone(), call));
        name
    }

    /// The keys and calls of all sets, one set below the other.
    fn union(&mut self, rows: &LogicalPlan) -> Result<LogicalPlan> {
        if !self.calls.iter().any(|(_, call)| matches!(call, Expr::Aggregate(_))) {
            self.call(count_all());
        }
        let sets = self.sets.iter().map(|set| self.groups(rows.clone(), set));
        let mut sets = sets.collect::<Result<Vec<_>>>()?;
        if sets.len() > 1 { LogicalPlan::union(sets) } else { Ok(sets.remove(0)) }
    }

    fn groups(&self, rows: LogicalPlan, set: &[Expr]) -> Result<LogicalPlan> {
        let schema = rows.schema();
        let mut keys = vec![];
        let mut columns = vec![];
        for (name, key) in &self.keys {
            if set.contains(key) {
                keys.push(named(key.clone(), name));
                columns.push(col(name));
            } else {
                let absent = null().cast(key.to_field(&schema)?.data_type().clone());
                columns.push(absent.alias(name));
            }
        }
        for (name, call) in &self.calls {
            let computed = match call {
                Expr::Call { args, span, .. } => self.mark(args, set, *span)?,
                call => call.clone(),
            };
            columns.push(computed.alias(name));
        }
        rows.aggregate_select(keys, columns, None)
    }
}

/// Which values of queries `expr` needs of the rows (first), and which of their groups by `keys`.
pub(super) fn places_of_values(
    expr: &Expr,
    keys: Option<&[Expr]>,
    of_rows: &mut Vec<usize>,
    of_groups: &mut Vec<usize>,
) {
    expr.visit(&mut |node| match (node, keys) {
        (node, Some(keys)) if keys.contains(node) => false,
        (Expr::Aggregate(_), Some(_)) => {
            places_of_values(node, None, of_rows, of_groups);
            false
        }
        (Expr::Column(column), _) => {
            let numbers = if keys.is_some() { &mut *of_groups } else { &mut *of_rows };
            numbers.extend(number_of(column));
            true
        }
        _ => true,
    });
}

/// `expr` under a name.
pub(super) fn named(expr: Expr, name: &str) -> Expr {
    match expr {
        Expr::Column(column) if column.name == name => Expr::Column(column),
        other => other.alias(name),
    }
}
