//! SQL queries to logical plans: `SELECT .. FROM .. WHERE ..` and all that is around it.
//!
//! ```text
//!   WITH ..            (here)            plans by name
//!   FROM, JOIN         from, join        plans side by side, and the scope: what names mean
//!   UNNEST             unnest            a row for each element of a list
//!   VALUES, range      rows, numbers     rows that are in the text, rows of numbers
//!   WHERE              from              conditions, of which equalities of two tables become keys of joins
//!   SELECT             select            columns, windows
//!   COLUMNS('..')       columns           an item for each of some columns
//!   GROUP BY           grouping, groups  sets of keys, and columns over the groups of each
//!   (SELECT ..), IN    subquery, correlated, value    queries inside expressions, as joins
//!   ORDER BY, LIMIT    order, limit      rows in order, and the first of them
//!   UNION ..           set_operation     plans one after the other
//! ```
//!
//! Where a table's rows come from is not known here: whoever calls says what a name stands for. Expressions are
//! converted as everywhere in this crate; here they learn which table their columns are of.

mod columns;
mod correlated;
mod from;
mod grouping;
mod groups;
mod join;
mod limit;
mod numbers;
mod order;
mod rows;
mod scope;
mod select;
mod set_operation;
mod subquery;
mod unnest;
mod value;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use dframe_core::{Error, Result};
use dframe_expr::Span;
use dframe_plan::LogicalPlan;
use sqlparser::ast::{self, SetExpr};

use crate::check::Grammar;
use crate::convert::Converter;
use crate::place::at;
use crate::syntax::parse_query;
use crate::text::Text;

use scope::Scope;
pub(crate) use select::{excluded, table_name};

/// What the table is called whose column stands for a query; no user's table is.
pub(crate) const SUBQUERY: &str = "(subquery)";

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
        Planner {
            text: &tokens,
            tables,
            opened: vec![],
            named: vec![],
            around: vec![],
            queries: Rc::default(),
        }
        .query(node)
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
    /// The scopes of the queries around, the innermost last.
    around: Vec<Arc<Scope>>,
    /// How many queries inside expressions there were until now.
    queries: Rc<Cell<usize>>,
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
        let plan = self.limit(plan, node.limit_clause)?;
        self.fetch(plan, node.fetch)
    }

    fn with(&mut self, with: ast::With) -> Result<()> {
        if with.recursive {
            let span = self.text.span(with.with_token.0.span);
            let error = self.unsupported("WITH RECURSIVE", span);
            return Err(error
                .remedy("write WITH, if no query names itself; rows of numbers are range(1, 10)"));
        }
        for table in with.cte_tables {
            let plan = self.query(*table.query)?;
            let plan = from::renamed(plan, &table.alias.columns, self.text)?;
            self.named.push((table.alias.name.value, plan));
        }
        Ok(())
    }

    fn refuse_query_clauses(&self, node: &ast::Query) -> Result<()> {
        let what = if node.fetch.as_ref().is_some_and(|fetch| fetch.with_ties || fetch.percent) {
            "FETCH .. WITH TIES and PERCENT"
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
