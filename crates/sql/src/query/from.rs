//! FROM: tables, subqueries and joins, until one plan gives the rows of all.
//!
//! ```text
//!   FROM a, b JOIN c ON ..., d WHERE a.x = d.x AND ...
//!
//!   [a]  [b join c]  [d]      one each, with the scope of all
//!   a join d on x, cross [b join c], filter ...      equalities of WHERE are keys, whatever the order of FROM
//! ```

use std::collections::HashSet;
use std::sync::Arc;

use dframe_core::{Error, Result};
use dframe_expr::{Column, Expr, Span, col, conjunction, split_conjunction};
use dframe_plan::LogicalPlan;
use dframe_plan::node::{JoinKind, JoinOn};
use sqlparser::ast::{self, FunctionArg, FunctionArgExpr, TableAlias, TableFactor};

use super::join::{keys_of, pair};
use super::rows::one_row;
use super::scope::{Scope, ScopeColumn};
use super::select::table_name;
use super::unnest::Unnest;
use super::{Planner, Table};
use crate::call::UNNEST;
use crate::place::at;
use crate::text::Text;

/// Rows, and what their columns may be called.
pub(super) struct From {
    pub plan: LogicalPlan,
    pub scope: Scope,
}

/// Names of columns in the plan that are taken.
pub(super) type Taken = HashSet<String>;

impl Planner<'_, '_> {
    /// The plans of the tables between commas, with the scope of all and the names of columns in the plan.
    pub fn tables_of(
        &mut self,
        nodes: Vec<ast::TableWithJoins>,
    ) -> Result<(Vec<LogicalPlan>, Scope, Taken)> {
        let mut taken = Taken::new();
        let (plans, scope) = self.tables_in(nodes, &mut taken)?;
        Ok((plans, scope, taken))
    }

    /// As [`Planner::tables_of`], with columns in the plan that have none of the names `taken`.
    pub fn tables_in(
        &mut self,
        nodes: Vec<ast::TableWithJoins>,
        taken: &mut Taken,
    ) -> Result<(Vec<LogicalPlan>, Scope)> {
        let around = self.around.last().cloned();
        let (mut plans, mut scope) = (vec![], Scope { columns: vec![], around });
        for mut node in nodes {
            if let Some(unnest) = self.unnest_of(&mut node.relation)? {
                self.beside_tables(&mut plans, &mut scope, unnest, taken)?;
                if let Some(join) = node.joins.first() {
                    let place = self.converter().place(&join.relation);
                    let error = self.unsupported("a join behind unnest", place);
                    return Err(error.remedy("write the join before unnest"));
                }
                continue;
            }
            let from = self.table_with_joins(node, taken)?;
            scope = scope.with(from.scope);
            plans.push(from.plan);
        }
        if plans.is_empty() {
            plans.push(one_row());
        }
        Ok((plans, scope))
    }

    /// `unnest(..)`, if the table is that.
    pub fn unnest_of(&self, node: &mut TableFactor) -> Result<Option<Unnest>> {
        let place = self.converter().place(&*node);
        match node {
            TableFactor::Table { name, alias, args: Some(args), .. }
                if table_name(name).eq_ignore_ascii_case(UNNEST) =>
            {
                let (args, alias) = (std::mem::take(&mut args.args), alias.take());
                self.unnest(args, alias, self.text.call_of(self.text.table(name))).map(Some)
            }
            TableFactor::UNNEST { .. } => Err(self.unsupported("UNNEST of this form", place)),
            _ => Ok(None),
        }
    }

    /// Adds the elements of a list beside the rows of the tables before it in FROM that it is of; of none, as a
    /// table of its own.
    fn beside_tables(
        &mut self,
        plans: &mut Vec<LogicalPlan>,
        scope: &mut Scope,
        unnest: Unnest,
        taken: &mut Taken,
    ) -> Result<()> {
        let list = self.list_of(&unnest, scope)?;
        let columns = list.columns();
        let has_all = |plan: &LogicalPlan| {
            let schema = plan.schema();
            columns.iter().all(|column| schema.index_of(&column.name).is_ok())
        };
        let plan = match plans.iter().position(has_all) {
            _ if columns.is_empty() => one_row(),
            Some(index) => plans.remove(index),
            None => From::joined(std::mem::take(plans), None)?,
        };
        let (plan, column) = self.unnested(plan, list, unnest, false, taken)?;
        plans.push(match columns.is_empty() {
            true => plan.project(vec![column.expr.clone()])?,
            false => plan,
        });
        scope.columns.push(column);
        Ok(())
    }

    fn table_with_joins(&mut self, node: ast::TableWithJoins, taken: &mut Taken) -> Result<From> {
        let mut from = self.table(node.relation, taken)?;
        for join in node.joins {
            from = self.join(from, join, taken)?;
        }
        Ok(from)
    }

    /// One table of a FROM.
    pub fn table(&mut self, node: TableFactor, taken: &mut Taken) -> Result<From> {
        let place = self.converter().place(&node);
        match node {
            TableFactor::Table {
                name,
                alias,
                args,
                sample: None,
                version: None,
                with_ordinality: false,
                ..
            } => match args {
                None => self.named_table(&name, alias, taken),
                Some(args) => self.function(&name, args.args, alias, taken),
            },
            TableFactor::Derived { lateral: false, subquery, alias, sample: None } => {
                let plan = self.query(*subquery)?;
                let names = alias.as_ref().map(|alias| alias.name.value.clone());
                self.scoped(plan, names.into_iter().collect(), alias, taken)
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                self.table_with_joins(*table_with_joins, taken)
            }
            TableFactor::Derived { lateral: true, .. } => {
                let error = self.unsupported("LATERAL", place);
                Err(error.remedy("join with the query's groups by the columns that it names"))
            }
            TableFactor::Table { sample: Some(_), .. }
            | TableFactor::Derived { sample: Some(_), .. } => {
                let error = self.unsupported("TABLESAMPLE", place);
                Err(error.remedy("use dframe sample"))
            }
            TableFactor::Pivot { .. } | TableFactor::Unpivot { .. } => {
                let error = self.unsupported("PIVOT in FROM", place);
                Err(error.remedy("use dframe pivot or unpivot, and query its result"))
            }
            _ => Err(self.unsupported("this kind of table", place)),
        }
    }

    /// What WITH named, or a file.
    fn named_table(
        &mut self,
        name: &ast::ObjectName,
        alias: Option<TableAlias>,
        taken: &mut Taken,
    ) -> Result<From> {
        let text = table_name(name);
        let known = self.named.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(&text));
        if let Some((_, plan)) = known {
            return self.scoped(plan.clone(), vec![text], alias, taken);
        }
        let place = self.text.table(name);
        let plan = self.open(Table { function: None, names: vec![text.clone()] }, place)?;
        let mut names = vec![stem(&text)];
        if names[0] != text {
            names.push(text);
        }
        self.scoped(plan, names, alias, taken)
    }

    /// `read_csv('a.csv')`, `read_parquet(['a.parquet', 'b.parquet'])`.
    fn function(
        &mut self,
        name: &ast::ObjectName,
        args: Vec<FunctionArg>,
        alias: Option<TableAlias>,
        taken: &mut Taken,
    ) -> Result<From> {
        let function = table_name(name).to_lowercase();
        let place = self.text.call_of(self.text.table(name));
        if matches!(function.as_str(), "range" | "generate_series") {
            let plan = self.numbers(&function, args, place)?;
            return self.scoped(plan, vec![function], alias, taken);
        }
        let mut names = vec![];
        for arg in args {
            match paths(arg) {
                Some(paths) => names.extend(paths),
                None => {
                    let what = format!("this argument of {function}");
                    let error = self.unsupported(&what, place);
                    return Err(error.remedy("name files in single quotes"));
                }
            }
        }
        let plan = self.open(Table { function: Some(function.clone()), names }, place)?;
        self.scoped(plan, vec![function], alias, taken)
    }

    fn open(&mut self, table: Table, place: Span) -> Result<LogicalPlan> {
        if let Some((_, plan)) = self.opened.iter().find(|(opened, _)| *opened == table) {
            return Ok(plan.clone());
        }
        let plan = (self.tables)(&table).map_err(|error| at(error, place))?;
        self.opened.push((table, plan.clone()));
        Ok(plan)
    }

    /// `plan` with columns that no other table's are called like, and the names that they have for users.
    fn scoped(
        &self,
        plan: LogicalPlan,
        names: Vec<String>,
        alias: Option<TableAlias>,
        taken: &mut Taken,
    ) -> Result<From> {
        let (names, plan) = match alias {
            Some(alias) => (vec![alias.name.value], renamed(plan, &alias.columns, self.text)?),
            None => (names, plan),
        };
        let schema = plan.schema();
        let own: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        let table = names.first().map_or("subquery", String::as_str);
        let inner: Vec<String> = own.iter().map(|name| free(table, name, &own, taken)).collect();
        taken.extend(inner.iter().cloned());
        let plan = match own == inner {
            true => plan,
            false => plan
                .project(own.iter().zip(&inner).map(|(own, inner)| rename(own, inner)).collect())?,
        };
        let table = (!names.is_empty()).then(|| Arc::from(names));
        let column = |(name, inner): (String, String)| ScopeColumn {
            table: table.clone(),
            name,
            expr: col(inner),
            merged: false,
        };
        let columns = own.into_iter().zip(inner).map(column).collect();
        Ok(From { plan, scope: Scope { columns, around: self.around.last().cloned() } })
    }
}

impl From {
    /// The rows of `tables` for which `filter` is true; its equalities are keys of their joins.
    pub fn joined(tables: Vec<LogicalPlan>, filter: Option<Expr>) -> Result<LogicalPlan> {
        let mut conditions: Vec<Expr> =
            filter.iter().flat_map(split_conjunction).cloned().collect();
        let mut rest = tables.into_iter();
        let Some(mut plan) = rest.next() else { return Ok(one_row()) };
        let mut rest: Vec<LogicalPlan> = rest.collect();
        if rest.is_empty() {
            return match filter {
                Some(filter) => plan.filter(filter),
                None => Ok(plan),
            };
        }
        while !rest.is_empty() {
            let has_keys = |right: &LogicalPlan| {
                conditions.iter().any(|condition| pair(condition, &plan, right).is_some())
            };
            let index = rest.iter().position(has_keys).unwrap_or(0);
            let right = rest.remove(index);
            let (keys, others) = keys_of(conditions, &plan, &right);
            conditions = others;
            let kind = if keys.is_empty() { JoinKind::Cross } else { JoinKind::Inner };
            plan = plan.join(
                right,
                JoinOn { kind, keys, nulls_equal: false, condition: None, asof: None },
            )?;
        }
        match conjunction(conditions) {
            Some(filter) => plan.filter(filter),
            None => Ok(plan),
        }
    }
}

/// The text constants of an argument: one, or a list.
fn paths(arg: FunctionArg) -> Option<Vec<String>> {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(node)) = arg else { return None };
    let text = |node: ast::Expr| match node {
        ast::Expr::Value(value) => value.value.into_string(),
        _ => None,
    };
    match node {
        ast::Expr::Array(list) => list.elem.into_iter().map(text).collect(),
        other => text(other).map(|path| vec![path]),
    }
}

/// `data/flights.parquet` is called `flights`.
fn stem(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.split('.').next().unwrap_or(file);
    if stem.is_empty() { path.to_string() } else { stem.to_string() }
}

/// A name in the plan for the column `name` of `table`.
pub(super) fn free(table: &str, name: &str, own: &[String], taken: &Taken) -> String {
    if !taken.contains(name) {
        return name.to_string();
    }
    let full = format!("{table}.{name}");
    let numbered = (2..).map(|number| format!("{full}#{number}"));
    let mut names = std::iter::once(full.clone()).chain(numbered);
    names.find(|name| !taken.contains(name) && !own.contains(name)).unwrap_or(full)
}

fn rename(own: &str, inner: &str) -> Expr {
    let column = Column { relation: None, name: own.to_string(), span: Span::NONE };
    if own == inner { Expr::Column(column) } else { Expr::Column(column).alias(inner) }
}

/// `plan` with its first columns called as in `AS t (a, b)`.
pub(super) fn renamed(
    plan: LogicalPlan,
    columns: &[ast::TableAliasColumnDef],
    text: &Text<'_>,
) -> Result<LogicalPlan> {
    let schema = plan.schema();
    if columns.is_empty() {
        return Ok(plan);
    }
    if let Some(surplus) = columns.get(schema.fields().len()) {
        let count = schema.fields().len();
        let error =
            Error::invalid_input(format!("there are {count} columns to be named, not more"));
        return Err(at(error, text.span(surplus.name.span)));
    }
    let own = schema.fields().iter().map(|field| field.name().clone());
    let wanted = columns.iter().map(|column| Some(column.name.value.clone()));
    let wanted = wanted.chain(std::iter::repeat(None));
    plan.project(
        own.zip(wanted).map(|(own, new)| rename(&own, new.as_ref().unwrap_or(&own))).collect(),
    )
}
