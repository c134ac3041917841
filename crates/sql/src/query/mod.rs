//! SQL queries to logical plans: `SELECT .. FROM .. WHERE ..` and all that is around it.
//!
//! ```text
//!   WITH ..            (here)            plans by name
//!   FROM, JOIN         from, join        plans side by side, and the scope: what names mean
//!   VALUES             rows              rows that are in the text
//!   WHERE              from              conditions, of which equalities of two tables become keys of joins
//!   SELECT             select            columns, windows
//!   GROUP BY           grouping, groups  sets of keys, and columns over the groups of each
//!   (SELECT ..), IN    subquery, correlated    queries inside expressions, as joins
//!   ORDER BY, LIMIT    order, limit      rows in order, and the first of them
//!   UNION ..           set_operation     plans one after the other
//! ```
//!
//! Where a table's rows come from is not known here: whoever calls says what a name stands for. Expressions are
//! converted as everywhere in this crate; here they learn which table their columns are of.

mod correlated;
mod from;
mod grouping;
mod groups;
mod join;
mod limit;
mod order;
mod rows;
mod scope;
mod select;
mod set_operation;
mod subquery;

use dframe_core::{Error, Result};
use dframe_expr::Span;
use dframe_plan::LogicalPlan;
use sqlparser::ast::{self, SetExpr};

use crate::check::Grammar;
use crate::convert::Converter;
use crate::place::at;
use crate::syntax::parse_query;
use crate::text::Text;

pub(crate) use subquery::SUBQUERY;

/// A table as a query names it.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The function whose arguments are the names: `read_csv`, in lower case.
    pub function: Option<String>,
    /// What is named: a file, a directory or a glob; several only as arguments of a function.
    pub names: Vec<String>,
}

/// Says which rows a table has.
pub type Tables<'a> = dyn FnMut(&Table) -> Result<LogicalPlan> + 'a;

/// The plan of the query `text`, whose tables are what `tables` says.
///
/// ```
/// # use dframe_core::Error;
/// let no_tables = &mut |table: &dframe_sql::Table| Err(Error::invalid_input(format!("no {}", table.names[0])));
/// let plan = dframe_sql::plan_query("SELECT 1 + 1 AS two", no_tables)?;
/// assert_eq!(plan.schema().field(0).name(), "two");
/// # Ok::<(), dframe_core::Error>(())
/// ```
///
/// # Errors
/// Text that is no query, or means nothing; with the place in it. Those of `tables`.
pub fn plan_query(text: &str, tables: &mut Tables<'_>) -> Result<LogicalPlan> {
    let mut plan = || {
        let tokens = Text::new(text, Grammar::Query)?;
        let node = parse_query(&tokens)?;
        Planner { text: &tokens, tables, opened: vec![], named: vec![] }.query(node)
    };
    plan().map_err(|error: Error| error.in_text(text))
}

/// Makes plans of the queries of one text.
struct Planner<'a, 't> {
    text: &'a Text<'a>,
    tables: &'a mut Tables<'t>,
    /// What `tables` said; each table is asked for once.
    opened: Vec<(Table, LogicalPlan)>,
    /// What WITH named, the innermost last.
    named: Vec<(String, LogicalPlan)>,
}

impl<'a> Planner<'a, '_> {
    /// The plan of a query, its output columns under the names that users see.
    fn query(&mut self, node: ast::Query) -> Result<LogicalPlan> {
        self.refuse_query_clauses(&node)?;
        let outer = self.named.len();
        if let Some(with) = node.with {
            self.with(with)?;
        }
        let order = self.order_by(node.order_by)?;
        let plan = match *node.body {
            SetExpr::Select(select) => self.select(*select, order)?,
            other => {
                let plan = self.set_expr(other)?;
                self.order_output(plan, order)?
            }
        };
        self.named.truncate(outer);
        self.limit(plan, node.limit_clause)
    }

    fn with(&mut self, with: ast::With) -> Result<()> {
        if with.recursive {
            let span = self.text.span(with.with_token.0.span);
            return Err(self.unsupported("WITH RECURSIVE", span));
        }
        for table in with.cte_tables {
            let plan = self.query(*table.query)?;
            let plan = from::renamed(plan, &table.alias.columns, self.text)?;
            self.named.push((table.alias.name.value, plan));
        }
        Ok(())
    }

    fn refuse_query_clauses(&self, node: &ast::Query) -> Result<()> {
        let what = if node.fetch.is_some() {
            "FETCH"
        } else if !node.locks.is_empty() || node.for_clause.is_some() {
            "FOR"
        } else if node.settings.is_some() || node.format_clause.is_some() {
            "SETTINGS"
        } else if !node.pipe_operators.is_empty() {
            "a pipe"
        } else {
            return Ok(());
        };
        Err(self.unsupported(what, Span::NONE))
    }

    fn converter(&self) -> Converter<'a> {
        Converter::of_query(self.text)
    }

    /// What is understood and not done.
    fn unsupported(&self, what: &str, span: Span) -> Error {
        at(Error::unsupported(format!("{what} is not supported")), span)
    }
}
