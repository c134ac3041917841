//! What names mean within one SELECT: columns of its tables, and names given to earlier expressions.
//!
//! ```text
//!   FROM 'flights.parquet' AS a JOIN 'flights.parquet' AS b USING (origin)
//!
//!   a.delay --> delay      b.delay --> "b.delay"      origin --> origin, of either table
//! ```
//!
//! A plan wants columns of different names, so that those of different tables that share one are renamed below
//! the join; here is known how each may be called. Nothing here knows plans.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use dframe_core::{Error, Result};
use dframe_expr::{Column, Expr, resolve_column};

use super::value::value_column;
use crate::place::at;

/// The names of one table: its alias, or what the file is called and the file's whole name.
pub(crate) type TableNames = Arc<[String]>;

/// A column as users name it, and what it is in the plan.
#[derive(Clone, Debug)]
pub(crate) struct ScopeColumn {
    /// The table; none for a column that USING made of several.
    pub table: Option<TableNames>,
    /// The name in its table.
    pub name: String,
    /// What it is in the plan.
    pub expr: Expr,
    /// Whether only `table.name` means it, because USING took it into another.
    pub merged: bool,
}

/// The columns that expressions may use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    pub columns: Vec<ScopeColumn>,
    /// The scope of the query around, whose columns are not to be used; for what to say.
    pub around: Option<Arc<Scope>>,
}

/// Expressions by the names that the user gave them.
pub(crate) type Aliases<'a> = &'a [(String, Expr)];

impl Scope {
    /// The columns of this scope, then those of `other`.
    pub fn with(mut self, other: Scope) -> Self {
        self.columns.extend(other.columns);
        self
    }

    /// The columns that `*` stands for.
    pub fn visible(&self) -> impl Iterator<Item = &ScopeColumn> {
        self.columns.iter().filter(|column| !column.merged)
    }

    /// The columns that `table.*` stands for.
    ///
    /// # Errors
    /// There is no such table.
    pub fn of_table(&self, table: &str) -> Result<Vec<&ScopeColumn>> {
        let of_it = |column: &&ScopeColumn| column.table.as_ref().is_some_and(|t| called(t, table));
        let columns: Vec<_> = self.columns.iter().filter(of_it).collect();
        if columns.is_empty() { Err(self.no_table(table)) } else { Ok(columns) }
    }

    /// `expr` over the columns of the plan. A name that no column has means one of `aliases`.
    ///
    /// # Errors
    /// A name that means nothing, or more than one thing.
    pub fn resolve(&self, expr: Expr, aliases: Aliases<'_>) -> Result<Expr> {
        expr.rewrite(&mut |node| match node {
            Expr::Column(column) => self.meaning(column, aliases),
            other => Ok(other),
        })
    }

    /// `expr` over the columns of the plan, where a name that is not in this scope is one of `outer`.
    ///
    /// # Errors
    /// As [`Scope::resolve`].
    pub fn resolve_within(&self, outer: &Scope, expr: Expr) -> Result<Expr> {
        expr.rewrite(&mut |node| match node {
            Expr::Column(column) => {
                let own = self.meaning(column.clone(), &[]);
                own.or_else(|error| outer.meaning(column, &[]).map_err(|_| error))
            }
            other => Ok(other),
        })
    }

    fn meaning(&self, column: Column, aliases: Aliases<'_>) -> Result<Expr> {
        if let Some(value) = value_column(&column) {
            return Ok(value);
        }
        let error = match self.column(&column) {
            Ok(found) => return Ok(placed(&found.expr, &column)),
            Err(error) => error,
        };
        match aliased(&column, aliases) {
            Some(expr) => Ok(expr),
            None => Err(at(self.of_around(&column).unwrap_or(error), column.span)),
        }
    }

    /// What to say of a name that only queries around know.
    fn of_around(&self, column: &Column) -> Option<Error> {
        let around = self.around.as_ref()?;
        let Ok(found) = around.column(column) else { return around.of_around(column) };
        let name = &found.name;
        let error = Error::unsupported(format!(
            "the column '{name}' of the query around is not supported here"
        ));
        Some(error.remedy(
            "name it in WHERE of one SELECT without GROUP BY, which for a value must aggregate or \
             have LIMIT 1; else join with the query",
        ))
    }

    /// The column that `column` names.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn column(&self, column: &Column) -> Result<&ScopeColumn> {
        let candidates = match &column.relation {
            Some(table) => self.of_table(table)?,
            None => self.visible().collect(),
        };
        let named = |test: &dyn Fn(&str) -> bool| {
            candidates.iter().filter(|c| test(&c.name)).copied().collect::<Vec<_>>()
        };
        let exact = named(&|name| name == column.name);
        match exact.as_slice() {
            [] => {}
            [one] => return Ok(one),
            several => return Err(ambiguous(&column.name, several)),
        }
        let plain = Column { relation: None, ..column.clone() };
        let index = resolve_column(&schema_of(&candidates), &plain)?;
        let distinct = distinct_names(&candidates);
        match named(&|name| name == distinct[index]).as_slice() {
            [one] => Ok(one),
            several => Err(ambiguous(&column.name, several)),
        }
    }

    fn no_table(&self, table: &str) -> Error {
        let mut tables: Vec<&str> = vec![];
        for names in self.columns.iter().filter_map(|column| column.table.as_ref()) {
            if !tables.contains(&names[0].as_str()) {
                tables.push(&names[0]);
            }
        }
        let error = Error::invalid_input(format!("there is no table '{table}' in FROM"));
        match tables.as_slice() {
            [] => error,
            [one] => error.remedy(format!("the table is called {one}")),
            several => error.remedy(format!("the tables are called {}", several.join(", "))),
        }
    }
}

/// The expression called so: exactly, else but for case.
pub(crate) fn aliased(column: &Column, aliases: Aliases<'_>) -> Option<Expr> {
    if column.relation.is_some() {
        return None;
    }
    let exact = aliases.iter().find(|(name, _)| *name == column.name);
    let found =
        exact.or_else(|| aliases.iter().find(|(name, _)| name.eq_ignore_ascii_case(&column.name)));
    found.map(|(_, expr)| expr.clone())
}

/// Whether a table of these names may be called `name`.
fn called(names: &TableNames, name: &str) -> bool {
    names.iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// `expr`, a column of the plan, as written at `column`.
fn placed(expr: &Expr, column: &Column) -> Expr {
    match expr {
        Expr::Column(found) => Expr::Column(Column { span: column.span, ..found.clone() }),
        other => other.clone(),
    }
}

fn distinct_names<'a>(columns: &[&'a ScopeColumn]) -> Vec<&'a str> {
    let mut seen = HashSet::new();
    let names = columns.iter().map(|column| column.name.as_str());
    names.filter(|name| seen.insert(*name)).collect()
}

/// The names alone, for the search of the nearest.
fn schema_of(columns: &[&ScopeColumn]) -> Schema {
    let field = |name: &str| Field::new(name, DataType::Null, true);
    Schema::new(distinct_names(columns).into_iter().map(field).collect::<Vec<_>>())
}

fn ambiguous(name: &str, columns: &[&ScopeColumn]) -> Error {
    let full = |column: &&ScopeColumn| match &column.table {
        Some(table) => format!("{}.{}", table[0], column.name),
        None => column.name.clone(),
    };
    let several: Vec<String> = columns.iter().map(full).collect();
    let message = format!("column '{name}' is ambiguous: it could be {}", several.join(" or "));
    Error::invalid_input(message).remedy("write the table's name before it")
}
