//! Grouping: expressions over groups, cut into aggregate calls and what is computed from them.
//!
//! ```text
//!   by day(ts) as day; sum(a) / sum(b) as x, day + 1; having x > 2
//!
//!     Project   day, "sum(a)" / "sum(b)" as x, day + 1
//!       Filter    "sum(a)" / "sum(b)" > 2
//!         Aggregate  keys=[day(ts) as day] aggregates=[sum(a), sum(b)]
//! ```
//!
//! Each call is computed once, under its own text as a name. Outside of calls a name means a key,
//! then the alias of an earlier expression; inside it means a column, then a key.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use dframe_core::{Error, Result};
use dframe_expr::{AggregateCall, Column, Expr, bind_predicate, col};

use super::resolve::{at, output_schema, refuse_wildcard, resolve, resolve_where_possible, scalar};
use super::{expand_wildcards, refuse_nested_key};
use crate::logical::LogicalPlan;

impl LogicalPlan {
    /// A row per combination of `keys` for which `having` is true: the keys, then `exprs`, which
    /// combine aggregate calls, keys and constants. Without keys, one row.
    ///
    /// # Errors
    /// Unknown columns, types that do not fit, columns that are neither keys nor aggregated, keys of
    /// nested types, two columns of one name, or nothing to compute.
    pub fn aggregate(
        self,
        keys: Vec<Expr>,
        exprs: Vec<Expr>,
        having: Option<Expr>,
    ) -> Result<Self> {
        let mut grouping = Grouping::new(self, keys)?;
        let mut columns = grouping.key_columns();
        let keys = columns.len();
        for expr in exprs {
            let column = grouping.add(expr)?;
            // A key comes out once, whether it is named among the expressions or not.
            if !columns[..keys].contains(&column) {
                columns.push(column);
            }
        }
        grouping.finish(columns, having)
    }

    /// As [`LogicalPlan::aggregate`], but exactly `select` comes out: a key only where it is named.
    ///
    /// # Errors
    /// As [`LogicalPlan::aggregate`].
    pub fn aggregate_select(
        self,
        keys: Vec<Expr>,
        select: Vec<Expr>,
        having: Option<Expr>,
    ) -> Result<Self> {
        let mut grouping = Grouping::new(self, keys)?;
        let columns =
            select.into_iter().map(|expr| grouping.add(expr)).collect::<Result<Vec<_>>>()?;
        grouping.finish(columns, having)
    }
}

/// A key: what it computes from the input, and its name in the output.
struct Key {
    expr: Expr,
    name: String,
}

/// An `Aggregate` in the making, and what is computed over it.
pub(super) struct Grouping {
    input: Arc<LogicalPlan>,
    schema: SchemaRef,
    keys: Vec<Key>,
    calls: Vec<(Arc<AggregateCall>, String)>,
    /// Expressions over the groups that later ones may name.
    aliases: Vec<(String, Expr)>,
}

impl Grouping {
    fn new(input: LogicalPlan, keys: Vec<Expr>) -> Result<Self> {
        let schema = input.schema();
        let keys = expand_wildcards(keys, &schema)
            .into_iter()
            .map(|key| check_key(key, &schema))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { input: Arc::new(input), schema, keys, calls: vec![], aliases: vec![] })
    }

    /// Takes an `Aggregate` apart, so that calls can be added to it.
    pub(super) fn reopen(
        input: Arc<LogicalPlan>,
        keys: &[Expr],
        aggregates: &[Expr],
        aliases: Vec<(String, Expr)>,
    ) -> Result<Self> {
        let schema = input.schema();
        let keys = keys.iter().map(|key| check_key(key.clone(), &schema)).collect::<Result<_>>()?;
        let call = |aggregate: &Expr| match aggregate {
            Expr::Alias(expr, name) => match expr.as_ref() {
                Expr::Aggregate(call) => Some((call.clone(), name.clone())),
                _ => None,
            },
            _ => None,
        };
        let calls = aggregates.iter().filter_map(call).collect();
        Ok(Self { input, schema, keys, calls, aliases })
    }

    fn key_columns(&self) -> Vec<Expr> {
        self.keys.iter().map(|key| col(&key.name)).collect()
    }

    /// An output column: `expr` over the columns of the aggregate, under the name it is known by.
    fn add(&mut self, expr: Expr) -> Result<Expr> {
        refuse_wildcard(&expr, "in a group-by's expressions")?;
        let name = match &expr {
            Expr::Alias(_, name) => name.clone(),
            Expr::Column(column) => match self.key_named(column) {
                Some(key) => key.name.clone(),
                None => resolve_where_possible(expr.clone(), &self.schema).output_name(),
            },
            other => resolve_where_possible(other.clone(), &self.schema).output_name(),
        };
        let over = self.over_groups(unalias(expr))?;
        self.aliases.push((name.clone(), over.clone()));
        Ok(match over {
            Expr::Column(column) if column.name == name => Expr::Column(column),
            other => other.alias(name),
        })
    }

    /// `expr` over the columns of the aggregate.
    pub(super) fn over_groups(&mut self, expr: Expr) -> Result<Expr> {
        if let Some(key) = self.key_equal_to(&expr) {
            return Ok(col(&key.name));
        }
        match expr {
            Expr::Aggregate(call) => self.call(call).map(col),
            Expr::Column(column) => self.column_over_groups(column),
            other => other.map_children(&mut |child| self.over_groups(child)),
        }
    }

    fn key_equal_to(&self, expr: &Expr) -> Option<&Key> {
        if expr.contains_aggregate() || matches!(expr, Expr::Literal(_)) {
            return None;
        }
        let expr = resolve(expr.clone(), &self.schema).ok()?;
        self.keys.iter().find(|key| key.expr == expr)
    }

    /// The key of that name; exactly, else but for case.
    fn key_named(&self, column: &Column) -> Option<&Key> {
        let exact = self.keys.iter().find(|key| key.name == column.name);
        exact.or_else(|| self.keys.iter().find(|key| key.name.eq_ignore_ascii_case(&column.name)))
    }

    fn column_over_groups(&self, column: Column) -> Result<Expr> {
        if let Some(key) = self.key_named(&column) {
            return Ok(col(&key.name));
        }
        if let Some((_, expr)) = self.aliases.iter().find(|(name, _)| *name == column.name) {
            return Ok(expr.clone());
        }
        let expr = resolve(Expr::Column(column), &self.schema)?;
        let name = expr.to_string();
        let error = Error::invalid_input(format!(
            "column {name} is neither a key nor inside an aggregate function"
        ))
        .remedy(format!("group by it as well, or write any_value({name})"));
        Err(at(error, &expr))
    }

    /// The name under which `call` is computed.
    fn call(&mut self, call: Arc<AggregateCall>) -> Result<String> {
        let call = self.check_call(call)?;
        if let Some((_, name)) = self.calls.iter().find(|(known, _)| *known == call) {
            return Ok(name.clone());
        }
        let name = self.unused_name(Expr::Aggregate(call.clone()).to_string());
        self.calls.push((call, name.clone()));
        Ok(name)
    }

    /// `call` with exact names, its types known to be right.
    fn check_call(&self, call: Arc<AggregateCall>) -> Result<Arc<AggregateCall>> {
        let expr = Expr::Aggregate(call);
        if expr.children().iter().any(|child| child.contains_aggregate()) {
            let error = Error::invalid_input(format!("{expr} has an aggregate inside another"))
                .remedy("group twice: the second group-by works on the result of the first");
            return Err(at(error, &expr));
        }
        let place = "inside an aggregate function";
        let expr = expr.map_children(&mut |arg| {
            let arg = self.keys_to_input(arg)?;
            scalar(arg, &self.schema, place)
        })?;
        expr.to_field(&self.schema)?;
        match expr {
            Expr::Aggregate(call) => {
                if let Some(filter) = &call.filter {
                    bind_predicate(filter, &self.schema)?;
                }
                Ok(call)
            }
            other => Err(Error::internal(format!("{other} is not an aggregate call"))),
        }
    }

    /// `expr` with names that only keys have replaced by what the keys compute.
    fn keys_to_input(&self, expr: Expr) -> Result<Expr> {
        expr.rewrite(&mut |node| match &node {
            Expr::Column(column) if resolve(node.clone(), &self.schema).is_err() => {
                Ok(self.key_named(column).map_or(node.clone(), |key| key.expr.clone()))
            }
            _ => Ok(node),
        })
    }

    fn unused_name(&self, name: String) -> String {
        let taken = |name: &String| {
            self.keys.iter().any(|key| key.name == *name)
                || self.calls.iter().any(|(_, call)| call == name)
        };
        let numbered = (2..).map(|number| format!("{name}#{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken(name));
        free.unwrap_or(name)
    }

    /// The `Aggregate` alone.
    pub(super) fn node(&self) -> Result<LogicalPlan> {
        let keys: Vec<Expr> = self.keys.iter().map(key_expr).collect();
        let aggregates: Vec<Expr> = (self.calls.iter())
            .map(|(call, name)| Expr::Aggregate(call.clone()).alias(name))
            .collect();
        let all: Vec<Expr> = keys.iter().chain(&aggregates).cloned().collect();
        let schema = Arc::new(output_schema(&all, &self.schema)?);
        Ok(LogicalPlan::Aggregate { input: self.input.clone(), keys, aggregates, schema })
    }

    /// `columns` over the groups for which `having` is true.
    fn finish(mut self, columns: Vec<Expr>, having: Option<Expr>) -> Result<LogicalPlan> {
        if columns.is_empty() {
            return Err(Error::invalid_input("there is nothing to aggregate")
                .remedy("name at least one key or aggregate, such as count(*)"));
        }
        let having = having.map(|having| self.over_groups(unalias(having))).transpose()?;
        let mut plan = self.node()?;
        if let Some(having) = having {
            plan = plan.filter(having)?;
        }
        if is_identity(&columns, &plan.schema()) { Ok(plan) } else { plan.project(columns) }
    }
}

/// Whether `columns` are those of `schema`, in order.
fn is_identity(columns: &[Expr], schema: &Schema) -> bool {
    columns.len() == schema.fields().len()
        && (columns.iter().zip(schema.fields()))
            .all(|(expr, field)| matches!(expr, Expr::Column(c) if c.name == *field.name()))
}

fn check_key(key: Expr, schema: &Schema) -> Result<Key> {
    let key = scalar(key, schema, "as a key")?;
    let field = key.to_field(schema)?;
    refuse_nested_key(&key, field.name(), field.data_type())?;
    Ok(Key { name: field.name().clone(), expr: unalias(key) })
}

fn key_expr(key: &Key) -> Expr {
    match &key.expr {
        Expr::Column(column) if column.name == key.name => key.expr.clone(),
        other => other.clone().alias(&key.name),
    }
}

fn unalias(expr: Expr) -> Expr {
    match expr {
        Expr::Alias(expr, _) => unalias(*expr),
        other => other,
    }
}
