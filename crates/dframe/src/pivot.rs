//! Pivot: long to wide, a column for each value of a column.
//!
//! ```text
//!   day  side  size         day  buy  sell
//!   Mon  buy   10    ---->  Mon   15     4     sum(size), index day, on side
//!   Mon  buy    5           Tue    7  NULL
//!   Mon  sell   4
//!   Tue  buy    7
//! ```
//!
//! It is a group-by by the index, with the aggregates once for each value, over the rows that have it. With more than a
//! few values it is two: by index and value, and then by index, so that a row is not looked at once for each of them.
//! The columns are known before anything is planned: they are given, or found by a query of its own.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Schema};
use dframe_core::{Error, Result};
use dframe_expr::aggregate::AggregateFunction;
use dframe_expr::{AggregateCall, Expr, Literal, bind, coalesce, col, lit};
use dframe_plan::LogicalPlan;

use crate::columns::{IntoColumn, asc, columns};
use crate::frame::LazyFrame;

/// The values that are found at most.
const FOUND_MAX: usize = 1_000;
/// The values for which a row is looked at once for each.
const VALUES_AT_ONCE: usize = 4;

/// The name of the column that holds the values, and of its text, and of a call's result, in between.
const VALUE: &str = "__value";
const NAME: &str = "__name";
const CALL: &str = "__call";

impl LazyFrame {
    /// Long to wide: a row for each combination of `index`, and a column for each value of `on`, with the aggregate of the
    /// rows that have both. The values are found by a query that runs at once, and come in ascending order, NULL last;
    /// with [`LazyFrame::pivot_values`] they are given.
    ///
    /// Columns are named by the value as text, with an aggregate's name behind it if it has one (`alias`) or there are
    /// several: `buy`, `buy_volume`. Where no row has both, there is what the aggregate is of no rows: NULL, or 0 for a
    /// count.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/ticks.parquet");
    /// let by_side = scan_parquet(path)?.pivot("side", ["ticker"], [col("size").sum()])?;
    /// let schema = by_side.schema()?;
    /// let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    /// assert_eq!(names, ["ticker", "B", "S"]);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    ///
    /// # Errors
    /// What is wrong with the query or its data, and more than 1,000 values.
    pub fn pivot(
        self,
        on: impl IntoColumn,
        index: impl IntoIterator<Item = impl IntoColumn>,
        aggregates: impl IntoIterator<Item = impl IntoColumn>,
    ) -> Result<Self> {
        let on = on.into_column();
        let values = self.pivot_found(&on)?;
        let (index, aggregates) = (columns(index), columns(aggregates));
        Ok(self.then(|plan| pivoted(plan, on, values, index, &aggregates)))
    }

    /// As [`LazyFrame::pivot`], for these constants of `on` in this order; `alias` gives a column another name.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/ticks.parquet");
    /// let bought = [lit("S").alias("sold"), lit("B").alias("bought")];
    /// let by_side = scan_parquet(path)?.pivot_values("side", bought, ["ticker"], [count_all()]);
    /// assert_eq!(by_side.schema()?.field(1).name(), "sold");
    /// # Ok::<(), dframe::Error>(())
    /// ```
    pub fn pivot_values(
        self,
        on: impl IntoColumn,
        values: impl IntoIterator<Item = impl Into<Expr>>,
        index: impl IntoIterator<Item = impl IntoColumn>,
        aggregates: impl IntoIterator<Item = impl IntoColumn>,
    ) -> Self {
        let (on, index, aggregates) = (on.into_column(), columns(index), columns(aggregates));
        let values: Result<Vec<Value>> =
            values.into_iter().map(|value| Value::given(value.into())).collect();
        self.then(|plan| pivoted(plan, on, values?, index, &aggregates))
    }

    /// The values of `on`, in ascending order.
    fn pivot_found(&self, on: &Expr) -> Result<Vec<Value>> {
        let different = self.clone().select([on.clone().alias(VALUE)]).distinct();
        let name = col(VALUE).cast(DataType::Utf8).alias(NAME);
        let named = different.with_columns([name]).sort_by([asc(VALUE)]);
        let mut values = Vec::new();
        for batch in named.limit(FOUND_MAX as u64 + 1).collect_batches()? {
            let batch = batch?;
            let names = batch.column(1).as_string::<i32>();
            for row in 0..batch.num_rows() {
                values.push(match names.is_null(row) {
                    true => Value { constant: None, name: NULL_NAME.to_string() },
                    false => Value {
                        constant: Some(Literal(batch.column(0).slice(row, 1)).into()),
                        name: names.value(row).to_string(),
                    },
                });
            }
        }
        if values.len() > FOUND_MAX {
            let message = format!("{on} has more than {FOUND_MAX} values to make columns of");
            return Err(Error::invalid_data(message)
                .remedy("pivot on what has fewer values, or say which ones are wanted"));
        }
        Ok(values)
    }
}

/// What the column of the rows without a value is called, as in DuckDB.
const NULL_NAME: &str = "NULL";

/// A value that becomes a column.
struct Value {
    /// The constant; none is NULL.
    constant: Option<Expr>,
    name: String,
}

impl Value {
    /// A constant that the user wrote.
    fn given(expr: Expr) -> Result<Self> {
        let (expr, alias) = match expr {
            Expr::Alias(expr, alias) => (*expr, Some(alias)),
            other => (other, None),
        };
        if !expr.columns().is_empty() || expr.contains_aggregate() {
            return Err(Error::invalid_input(format!("{expr} is no constant to make a column of"))
                .remedy("give values such as 'buy', 2 or DATE '2024-01-31'"));
        }
        let text = bind(&expr.clone().cast(DataType::Utf8), &Schema::empty())?;
        let one = RecordBatchOptions::new().with_row_count(Some(1));
        let one = RecordBatch::try_new_with_options(Schema::empty().into(), vec![], &one)?;
        let text = dframe_expr::plain(&text.evaluate_array(&one)?)?;
        let text = text.as_string::<i32>();
        let (constant, name) = match text.is_null(0) {
            true => (None, NULL_NAME),
            false => (Some(expr), text.value(0)),
        };
        Ok(Self { constant, name: alias.unwrap_or_else(|| name.to_string()) })
    }

    /// Whether `column` has the value.
    fn is_in(&self, column: &Expr) -> Expr {
        match &self.constant {
            Some(constant) => column.clone().eq(constant.clone()),
            None => column.clone().is_null(),
        }
    }

    fn column_name(&self, aggregate: &Expr, alone: bool) -> String {
        match aggregate {
            Expr::Alias(_, name) => format!("{}_{name}", self.name),
            _ if alone => self.name.clone(),
            other => format!("{}_{}", self.name, other.output_name()),
        }
    }
}

fn pivoted(
    plan: LogicalPlan,
    on: Expr,
    values: Vec<Value>,
    index: Vec<Expr>,
    aggregates: &[Expr],
) -> Result<LogicalPlan> {
    let mut calls: Vec<Arc<AggregateCall>> = Vec::new();
    for call in aggregates.iter().flat_map(Expr::aggregates) {
        if !calls.contains(&call) {
            calls.push(call);
        }
    }
    if let Some(expr) = aggregates.iter().find(|expr| !expr.contains_aggregate()) {
        return Err(Error::invalid_input(format!(
            "{expr} has no aggregate function to pivot with"
        ))
        .remedy("write sum(..), count(*) or another: several rows may share a place"));
    }
    let by_value = values.len() > VALUES_AT_ONCE && calls.iter().all(|call| empty(call).is_some());
    match by_value {
        false => {
            let cells = cells(&values, aggregates, &mut |call, value| {
                Ok(Expr::Aggregate(call).filter(value.is_in(&on)))
            })?;
            plan.aggregate(index, cells, None)
        }
        true => {
            let names = index_names(&plan, &index)?;
            let keys = index.into_iter().chain([on.alias(VALUE)]).collect();
            let of_call = |(place, call)| Expr::Aggregate(call).alias(format!("{CALL}{place}"));
            let first = calls.iter().cloned().enumerate().map(of_call).collect();
            let groups = plan.aggregate(keys, first, None)?;
            let cells = cells(&values, aggregates, &mut |call, value| {
                let place = calls.iter().position(|known| *known == call);
                let place = place.ok_or_else(|| Error::internal("a call of a pivot is unknown"))?;
                let here = col(format!("{CALL}{place}")).first();
                let here = here.filter(value.is_in(&col(VALUE)));
                Ok(match empty(&call) {
                    Some(Empty::Zero) => coalesce([here, lit(0_i64)]),
                    _ => here,
                })
            })?;
            groups.aggregate(names, cells, None)
        }
    }
}

/// The columns that are made: each aggregate for each value, its calls replaced by what `of_call` makes of them.
fn cells(
    values: &[Value],
    aggregates: &[Expr],
    of_call: &mut dyn FnMut(Arc<AggregateCall>, &Value) -> Result<Expr>,
) -> Result<Vec<Expr>> {
    let alone = aggregates.len() == 1;
    let mut cells = Vec::with_capacity(values.len() * aggregates.len());
    for value in values {
        for aggregate in aggregates {
            let name = value.column_name(aggregate, alone);
            let cell = aggregate.unaliased().clone().rewrite(&mut |node| match node {
                Expr::Aggregate(call) => of_call(call, value),
                other => Ok(other),
            })?;
            cells.push(cell.alias(name));
        }
    }
    Ok(cells)
}

/// The names of the index, as columns of what was grouped by it.
fn index_names(plan: &LogicalPlan, index: &[Expr]) -> Result<Vec<Expr>> {
    if index.is_empty() {
        return Ok(vec![]);
    }
    Ok(plan.clone().project(index.to_vec())?.columns())
}

/// What an aggregate is of no rows.
enum Empty {
    Null,
    Zero,
}

/// None where that is not known.
fn empty(call: &AggregateCall) -> Option<Empty> {
    use AggregateFunction::*;
    match call.function {
        Count => Some(Empty::Zero),
        Sum | Mean | Min | Max | First | Last | AnyValue | BoolAnd | BoolOr => Some(Empty::Null),
        VarSample | VarPop | StdSample | StdPop => Some(Empty::Null),
        Corr | CovarSample | CovarPop | Median | QuantileCont | QuantileDisc => Some(Empty::Null),
        _ => None,
    }
}
