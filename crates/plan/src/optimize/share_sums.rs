//! A mean next to the sum of the same values is that sum divided by a count.
//!
//! ```text
//!   Aggregate [sum(x), mean(x)]     Project sum(x), sum(x) / count(x)
//!                                     Aggregate [sum(x), count(x)]
//! ```
//!
//! Summing is the dear part: floats are summed exactly. A mean is defined as the rounded sum divided by
//! the count, so the bits stay the same.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use dframe_core::Result;
use dframe_expr::aggregate::AggregateFunction;
use dframe_expr::{AggregateCall, Expr, col};

use crate::logical::LogicalPlan;

/// Computes each sum once.
pub(super) fn apply(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.rewrite_up(&mut |node| match node {
        LogicalPlan::Aggregate { input, keys, aggregates, schema } => {
            share(input, keys, aggregates, schema)
        }
        other => Ok(other),
    })
}

fn share(
    input: Arc<LogicalPlan>,
    keys: Vec<Expr>,
    aggregates: Vec<Expr>,
    schema: SchemaRef,
) -> Result<LogicalPlan> {
    let below = input.schema();
    let mut shared = Shared { columns: Vec::new(), calls: Vec::new() };
    for aggregate in &aggregates {
        let sum = mean_of(aggregate, &below).and_then(|mean| sum_beside(mean, &aggregates));
        match sum {
            Some((mean, sum)) => shared.divide(aggregate, mean, sum, &aggregates),
            None => shared.keep(aggregate),
        }
    }
    if shared.calls == aggregates {
        return Ok(LogicalPlan::Aggregate { input, keys, aggregates, schema });
    }
    let key_fields = schema.fields()[..keys.len()].iter();
    let exprs = key_fields.clone().map(|field| col(field.name())).chain(shared.columns).collect();
    let mut fields: Vec<Field> = key_fields.map(|field| field.as_ref().clone()).collect();
    for call in &shared.calls {
        fields.push(call.to_field(&below)?);
    }
    let grouped = Arc::new(Schema::new(fields));
    let aggregate =
        LogicalPlan::Aggregate { input, keys, aggregates: shared.calls, schema: grouped };
    Ok(LogicalPlan::Project { input: Arc::new(aggregate), exprs, schema })
}

/// The aggregation in the making: what is called, and what comes out above it.
struct Shared {
    columns: Vec<Expr>,
    calls: Vec<Expr>,
}

impl Shared {
    fn keep(&mut self, aggregate: &Expr) {
        self.columns.push(col(aggregate.output_name()));
        if !self.calls.contains(aggregate) {
            self.calls.push(aggregate.clone());
        }
    }

    /// Puts `sum / count` in the place of `aggregate`, which calls `mean`.
    fn divide(&mut self, aggregate: &Expr, mean: &AggregateCall, sum: &Expr, all: &[Expr]) {
        let count = AggregateCall { function: AggregateFunction::Count, ..mean.clone() };
        let known = |expr: &&Expr| call_of(expr).is_some_and(|call| *call == count);
        let count = match all.iter().chain(&self.calls).find(known) {
            Some(known) => known.clone(),
            None => {
                let call = Expr::Aggregate(Arc::new(count));
                let name = free_name(call.to_string(), all);
                call.alias(name)
            }
        };
        let quotient = col(sum.output_name()) / col(count.output_name());
        self.columns.push(quotient.alias(aggregate.output_name()));
        if !self.calls.contains(&count) {
            self.calls.push(count);
        }
    }
}

/// The call, if `aggregate` is a mean of integers or floats.
fn mean_of<'a>(aggregate: &'a Expr, schema: &Schema) -> Option<&'a AggregateCall> {
    let call = call_of(aggregate)?;
    let is_mean = call.function == AggregateFunction::Mean && !call.distinct;
    let arg = call.args.first().filter(|_| is_mean)?.to_field(schema).ok()?;
    let number = arg.data_type().is_integer() || arg.data_type().is_floating();
    number.then_some(call)
}

/// The sum of the same rows, if there is one.
fn sum_beside<'a>(
    mean: &'a AggregateCall,
    aggregates: &'a [Expr],
) -> Option<(&'a AggregateCall, &'a Expr)> {
    let sum = AggregateCall { function: AggregateFunction::Sum, ..mean.clone() };
    let beside = aggregates.iter().find(|expr| call_of(expr).is_some_and(|call| *call == sum))?;
    Some((mean, beside))
}

fn call_of(aggregate: &Expr) -> Option<&AggregateCall> {
    match aggregate.unaliased() {
        Expr::Aggregate(call) => Some(call),
        _ => None,
    }
}

/// `name`, or `name` with marks behind it if a column has that name.
fn free_name(mut name: String, aggregates: &[Expr]) -> String {
    while aggregates.iter().any(|aggregate| aggregate.output_name() == name) {
        name.push('\'');
    }
    name
}
