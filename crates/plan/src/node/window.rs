//! Window: answers beside each row, out of the rows of its partition in an order.
//!
//! ```text
//!   select x - lag(x) over (partition by k order by t) as d, count(*) over (partition by j)
//!
//!     Project   x - "lag(x) .." as d, "count(*) .."
//!       Window    partition_by=[j]                count(*)
//!         Window    partition_by=[k] order_by=[t]   lag(x)
//! ```
//!
//! Calls over the same rows in the same order are one node, and each call is computed once, under its own text
//! as a name. Rows that are equal in the order keep that of the input. How rows are brought into order is not
//! known here.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use dframe_core::{Error, Result};
use dframe_expr::window::{RowDirection, WindowCall, WindowFunction, derived, from_the_end};
use dframe_expr::{Expr, SortKey, col};

use super::{MapExpr, Names, Node, Operator, PruneInput, Pushed};
use crate::build::refuse_nested_key;
use crate::build::resolve::resolve;
use crate::logical::LogicalPlan;

/// Answers of window functions, as further columns.
#[derive(Clone, Debug)]
pub struct Window {
    /// The rows.
    pub input: Arc<LogicalPlan>,
    /// Rows see only rows that agree on these.
    pub partition_by: Vec<Expr>,
    /// The order within a partition.
    pub order_by: Vec<SortKey>,
    /// Whether rows that are equal in the order come as in the input, or in reverse.
    pub direction: RowDirection,
    /// The column that equal rows are ordered by; without it they come as the input has them.
    pub ties: Option<String>,
    /// The name of a column to add, of the place of each row in the input.
    pub places: Option<String>,
    /// `Expr::Window`, each under an `Expr::Alias`.
    pub calls: Vec<Expr>,
    schema: SchemaRef,
}

/// The rows that calls are about.
#[derive(Clone, Debug, PartialEq)]
struct Rows {
    partition_by: Vec<Expr>,
    order_by: Vec<SortKey>,
    direction: RowDirection,
    ties: Option<String>,
    places: Option<String>,
}

/// Computes the window functions in `exprs` over `plan`, and gives `exprs` over what comes of it.
///
/// # Errors
/// Unknown columns, wrong arguments, frames that make no sense, and keys of nested types.
pub(crate) fn split(plan: LogicalPlan, exprs: Vec<Expr>) -> Result<(LogicalPlan, Vec<Expr>)> {
    if !exprs.iter().any(Expr::contains_window) {
        return Ok((plan, exprs));
    }
    let mut calls = Calls { schema: plan.schema(), known: Vec::new() };
    let exprs = exprs.into_iter().map(|expr| calls.replaced(expr)).collect::<Result<Vec<_>>>()?;
    let plan = calls
        .nodes()
        .into_iter()
        .try_fold(plan, |plan, (rows, calls)| Window::over(Arc::new(plan), rows, calls))?;
    Ok((plan, exprs))
}

/// The calls of a select list, each once.
struct Calls {
    schema: SchemaRef,
    known: Vec<(Arc<WindowCall>, RowDirection, String)>,
}

impl Calls {
    /// `expr` over the columns that the calls make, under the name it had.
    fn replaced(&mut self, expr: Expr) -> Result<Expr> {
        if !expr.contains_window() {
            return Ok(expr);
        }
        let name = expr.output_name();
        let unaliased = expr.unaliased().clone();
        Ok(self.over_columns(resolve(unaliased, &self.schema)?)?.alias(name))
    }

    fn over_columns(&mut self, expr: Expr) -> Result<Expr> {
        match expr {
            Expr::Window(call) => {
                let span = call.span;
                // Checked as it was written, so that errors are about that.
                self.check(&call)?;
                let derived = derived(Arc::unwrap_or_clone(call));
                match derived.map_err(|error| with_span(error, span))? {
                    Expr::Window(call) => self.column_of(call),
                    other => other.map_children(&mut |child| self.over_columns(child)),
                }
            }
            other => other.map_children(&mut |child| self.over_columns(child)),
        }
    }

    fn check(&self, call: &WindowCall) -> Result<()> {
        for key in &call.over.partition_by {
            let field = key.to_field(&self.schema)?;
            refuse_nested_key(key, field.name(), field.data_type())?;
        }
        for key in &call.over.order_by {
            let field = key.expr.to_field(&self.schema)?;
            refuse_nested_key(&key.expr, field.name(), field.data_type())?;
        }
        Ok(())
    }

    fn column_of(&mut self, call: Arc<WindowCall>) -> Result<Expr> {
        let (call, direction) = match from_the_end(&call) {
            Some(reversed) => (Arc::new(reversed), RowDirection::Backward),
            None => (call, RowDirection::Forward),
        };
        call.bind(&self.schema)?;
        let same = |known: &&(Arc<WindowCall>, RowDirection, String)| {
            known.0 == call && known.1 == direction
        };
        if let Some((_, _, name)) = self.known.iter().find(same) {
            return Ok(col(name));
        }
        let name = self.unused_name(call.to_string());
        self.known.push((call, direction, name.clone()));
        Ok(col(name))
    }

    fn unused_name(&self, name: String) -> String {
        let taken = |name: &String| {
            self.schema.column_with_name(name).is_some()
                || self.known.iter().any(|(_, _, known)| known == name)
        };
        let numbered = (2..).map(|number| format!("{name}#{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken(name));
        free.unwrap_or(name)
    }

    /// The calls by the rows they are about. Those that need no order are computed with others of the same
    /// partition.
    fn nodes(self) -> Vec<(Rows, Vec<Expr>)> {
        let places = self.unused_name("place in the input".to_string());
        let mut nodes: Vec<(Rows, Vec<Expr>)> = Vec::new();
        let (free, bound): (Vec<_>, Vec<_>) =
            self.known.into_iter().partition(|(call, ..)| needs_no_order(call));
        for (call, direction, name) in bound.into_iter().chain(free) {
            let rows = Rows {
                partition_by: call.over.partition_by.clone(),
                order_by: call.over.order_by.clone(),
                direction,
                ties: None,
                places: None,
            };
            let fits = |(other, _): &&mut (Rows, Vec<Expr>)| {
                *other == rows || (needs_no_order(&call) && other.partition_by == rows.partition_by)
            };
            let column = Expr::Window(call.clone()).alias(name);
            match nodes.iter_mut().find(fits) {
                Some((_, calls)) => calls.push(column),
                None => nodes.push((rows, vec![column])),
            }
        }
        if let [first, others @ ..] = nodes.as_mut_slice()
            && !others.is_empty()
        {
            // A node leaves its rows in an order of its own: later ones are told that of the input.
            first.0.places = Some(places.clone());
            others.iter_mut().for_each(|(rows, _)| rows.ties = Some(places.clone()));
        }
        nodes
    }
}

/// Whether all rows of the partition are asked about, and their order does not matter.
fn needs_no_order(call: &WindowCall) -> bool {
    let is_insensitive = match &call.function {
        WindowFunction::Aggregate(function) => function.ignores_order(),
        _ => false,
    };
    is_insensitive && call.over.order_by.is_empty() && call.over.frame.is_none()
}

fn with_span(error: Error, span: dframe_expr::Span) -> Error {
    match span.range() {
        Some(range) => error.span(range),
        None => error,
    }
}

impl Window {
    fn over(input: Arc<LogicalPlan>, rows: Rows, calls: Vec<Expr>) -> Result<LogicalPlan> {
        let over = input.schema();
        let mut fields = over.fields().to_vec();
        for call in &calls {
            fields.push(Arc::new(call.to_field(&over)?));
        }
        let Rows { partition_by, order_by, direction, ties, places } = rows;
        if let Some(name) = &places {
            fields.push(Arc::new(Field::new(name, DataType::UInt64, false)));
        }
        let schema = Arc::new(Schema::new(fields));
        let window =
            Window { input, partition_by, order_by, direction, ties, places, calls, schema };
        Ok(LogicalPlan::Operator(Operator::Window(window)))
    }

    fn rows(&self) -> Rows {
        Rows {
            partition_by: self.partition_by.clone(),
            order_by: self.order_by.clone(),
            direction: self.direction,
            ties: self.ties.clone(),
            places: self.places.clone(),
        }
    }
}

/// The call without the clauses that all calls of a node share.
fn short(call: &Expr) -> String {
    match call.unaliased() {
        Expr::Window(call) => {
            let mut call = WindowCall::clone(call);
            call.over.partition_by.clear();
            call.over.order_by.clear();
            let text = call.to_string();
            text.strip_suffix(" OVER ()").map_or(text.clone(), str::to_string)
        }
        other => other.to_string(),
    }
}

impl Node for Window {
    fn name(&self) -> &'static str {
        "Window"
    }

    fn details(&self) -> String {
        let list = |texts: Vec<String>| texts.join(", ");
        let partition = list(self.partition_by.iter().map(ToString::to_string).collect());
        let order = list(self.order_by.iter().map(ToString::to_string).collect());
        let calls = list(self.calls.iter().map(short).collect());
        let reversed = match self.direction {
            RowDirection::Forward => "",
            RowDirection::Backward => " reversed",
        };
        let order = if order.is_empty() { order } else { format!(" order_by=[{order}]") };
        format!(" partition_by=[{partition}]{order}{reversed} calls=[{calls}]")
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn inputs(&self) -> Vec<&Arc<LogicalPlan>> {
        vec![&self.input]
    }

    fn with_inputs(&self, inputs: Vec<Arc<LogicalPlan>>) -> Result<LogicalPlan> {
        let [input] = <[Arc<LogicalPlan>; 1]>::try_from(inputs)
            .map_err(|_| Error::internal("window functions have one input"))?;
        Window::over(input, self.rows(), self.calls.clone())
    }

    fn map_exprs(&self, map: &mut MapExpr<'_>) -> Result<LogicalPlan> {
        let schema = self.input.schema();
        let mut mapped = |expr: Expr| map(expr, &schema);
        let partition_by = self.partition_by.iter().cloned().map(&mut mapped).collect();
        let order_by = (self.order_by.iter().cloned())
            .map(|key| SortKey { expr: mapped(key.expr), ..key })
            .collect();
        let mut call = |call: &Expr| match call {
            Expr::Alias(call, name) => {
                let mapped = call.as_ref().clone().map_children(&mut |child| Ok(mapped(child)))?;
                Ok(mapped.alias(name))
            }
            other => Err(Error::internal(format!("{other} has no name"))),
        };
        let calls = self.calls.iter().map(&mut call).collect::<Result<_>>()?;
        let rows = Rows { partition_by, order_by, ..self.rows() };
        Window::over(self.input.clone(), rows, calls)
    }

    /// Calls that nobody asks for go, and with the last of them the node. Columns that are not needed are cut
    /// off below, as the node holds its rows.
    fn prune(&self, wanted: &Names, prune: &mut PruneInput<'_>) -> Result<LogicalPlan> {
        let own = |call: &&Expr| wanted.contains(&call.output_name());
        let calls: Vec<Expr> = self.calls.iter().filter(own).cloned().collect();
        let places = self.places.clone().filter(|name| wanted.contains(name));
        let made = |name: &&String| {
            self.places.as_ref() == Some(*name)
                || self.calls.iter().any(|call| call.output_name() == **name)
        };
        let mut needs: Names = wanted.iter().filter(|name| !made(name)).cloned().collect();
        if calls.is_empty() && places.is_none() {
            return Ok(Arc::unwrap_or_clone(prune(self.input.clone(), &needs)?));
        }
        let keys = self.partition_by.iter().chain(self.order_by.iter().map(|key| &key.expr));
        for expr in keys.chain(&calls) {
            needs.extend(expr.columns().into_iter().map(|column| column.name));
        }
        needs.extend(self.ties.clone());
        let input = prune(self.input.clone(), &needs)?;
        Window::over(input.narrowed(&needs)?, Rows { places, ..self.rows() }, calls)
    }

    /// A condition on partition keys holds for all rows that an answer is made of, or for none.
    fn push_condition(&self, condition: &Expr) -> Pushed {
        let is_key = |name: &str| {
            self.partition_by.iter().any(|key| matches!(key, Expr::Column(key) if key.name == name))
        };
        let columns = condition.columns();
        let moves = !columns.is_empty() && columns.iter().all(|column| is_key(&column.name));
        Pushed { below: vec![moves.then(|| condition.clone())], settled: moves }
    }

    fn row_count(&self) -> Option<u64> {
        self.input.row_count()
    }

    fn row_count_max(&self) -> Option<u64> {
        self.input.row_count_max()
    }
}
