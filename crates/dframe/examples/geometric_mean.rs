//! An aggregate function of one's own, results as they come, and a run that is watched and cancelled.
//!
//! The geometric mean is `exp(mean(ln(x)))`. Its state is a sum of logarithms and a count, so partial
//! results combine by adding: it runs in parallel and spills like every built-in function.
//!
//! ```text
//! cargo run -p dframe --example geometric_mean
//! ```
#![allow(clippy::print_stdout)]

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type};
use dframe::aggregate::{
    Accumulator, AggregateFunction, AggregateSignature, GroupedRows, UserAggregate,
};
use dframe::prelude::*;
use dframe::{Error, Result};

fn main() -> Result<()> {
    let stats = Arc::new(RunStats::default());
    let session = Session::builder().observer(stats.clone()).build()?;
    let ticks =
        session.scan_parquet(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/ticks.parquet"))?;

    let prices = ticks
        .clone()
        .group_by(["exchange"])
        .agg([
            geometric_mean(col("price")).alias("geometric"),
            col("price").mean().alias("arithmetic"),
        ])
        .sort(["exchange"]);
    println!("{}", prices.collect()?);

    // Batches come as they are made; after enough of them, the rest of the run is cancelled.
    let mut seen = 0;
    let batches = ticks.filter(col("price").gt(100)).collect_batches()?;
    let cancel = batches.cancel_token();
    for batch in batches {
        match batch {
            Ok(batch) => seen += batch.num_rows(),
            Err(error) if error.kind() == ErrorKind::Cancelled => break,
            Err(error) => return Err(error),
        }
        if seen > 10_000 {
            cancel.cancel();
        }
    }
    println!("stopped after {seen} trades above 100\n\n{}", stats.read());
    Ok(())
}

/// The geometric mean of `expr`, skipping NULLs.
fn geometric_mean(expr: Expr) -> Expr {
    expr.aggregate(AggregateFunction::User(Arc::new(GeometricMean)))
}

/// What the planner needs to know.
#[derive(Debug)]
struct GeometricMean;

impl UserAggregate for GeometricMean {
    fn name(&self) -> &str {
        "geometric_mean"
    }

    fn bind(&self, arg_types: &[DataType]) -> Result<AggregateSignature> {
        if arg_types.len() != 1 {
            return Err(Error::invalid_input("geometric_mean takes one argument"));
        }
        Ok(AggregateSignature {
            arg_types: vec![DataType::Float64],
            state_fields: vec![
                Field::new("logarithms", DataType::Float64, false),
                Field::new("count", DataType::Int64, false),
            ],
            return_type: DataType::Float64,
        })
    }

    fn accumulator(&self, _signature: &AggregateSignature) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(States::default()))
    }
}

/// The states of all groups, column by column.
#[derive(Default)]
struct States {
    logarithms: Vec<f64>,
    counts: Vec<i64>,
}

impl States {
    fn add(&mut self, group: u32, logarithm: f64, count: i64) {
        self.logarithms[group as usize] += logarithm;
        self.counts[group as usize] += count;
    }

    fn resize(&mut self, groups: usize) {
        self.logarithms.resize(groups, 0.0);
        self.counts.resize(groups, 0);
    }
}

impl Accumulator for States {
    fn update(&mut self, rows: &GroupedRows<'_>, args: &[ArrayRef]) -> Result<()> {
        self.resize(rows.group_count);
        let values = args[0].as_primitive::<Float64Type>();
        for (group, value) in rows.groups.iter().zip(values) {
            if let Some(value) = value {
                self.add(*group, value.ln(), 1);
            }
        }
        Ok(())
    }

    fn merge(&mut self, rows: &GroupedRows<'_>, states: &[ArrayRef]) -> Result<()> {
        self.resize(rows.group_count);
        let logarithms = states[0].as_primitive::<Float64Type>().values();
        let counts = states[1].as_primitive::<Int64Type>().values();
        for ((group, logarithm), count) in rows.groups.iter().zip(logarithms).zip(counts) {
            self.add(*group, *logarithm, *count);
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let states = std::mem::take(self);
        Ok(vec![
            Arc::new(Float64Array::from(states.logarithms)),
            Arc::new(Int64Array::from(states.counts)),
        ])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let States { logarithms, counts } = std::mem::take(self);
        let mean = |(sum, count): (f64, i64)| (count > 0).then(|| (sum / count as f64).exp());
        let means: Float64Array = logarithms.into_iter().zip(counts).map(mean).collect();
        Ok(Arc::new(means))
    }

    fn memory(&self) -> usize {
        self.logarithms.capacity() * size_of::<f64>() + self.counts.capacity() * size_of::<i64>()
    }
}
