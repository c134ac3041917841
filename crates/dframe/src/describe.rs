//! A summary of each column, in one pass: a row of aggregates, exploded to a row per column.
//!
//! ```text
//!   one row    count [3, 2]  max ['9', 'z']  ..  --explode-->  a  3  9  ..
//!                                                              b  2  z  ..
//! ```
//!
//! All quantiles of a column are one aggregate, which gathers its values once. A histogram is drawn from more of them.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use dframe_core::{Error, Result};
use dframe_expr::{Expr, call, col, lit, null};
use dframe_plan::LogicalPlan;

use crate::frame::LazyFrame;
use crate::sketch;

/// The summary's columns, their types, and how they are computed of a column `{}`: the first that its type has.
const SUMMARIES: [(&str, DataType, &[&str]); 10] = [
    ("count", DataType::Int64, &["count({})"]),
    ("nulls", DataType::Int64, &["count(*) - count({})"]),
    ("approx_unique", DataType::Int64, &["approx_count_distinct({})"]),
    ("mean", DataType::Float64, &["mean({})"]),
    ("std", DataType::Float64, &["stddev_samp({})"]),
    ("min", DataType::Utf8, &["min({})"]),
    ("q25", DataType::Utf8, &["{quantiles}[{q25}]"]),
    ("median", DataType::Utf8, &["{quantiles}[{q50}]", "median({})"]),
    ("q75", DataType::Utf8, &["{quantiles}[{q75}]"]),
    ("max", DataType::Utf8, &["max({})"]),
];

/// What is shown of the quantiles.
const HISTOGRAM: &str = "histogram";

/// Quantiles that cut the values into so many parts: a multiple of four.
#[derive(Clone, Copy)]
struct Parts(usize);

const QUARTERS: Parts = Parts(4);
/// Enough for a histogram of a few letters.
const MANY: Parts = Parts(64);

impl LazyFrame {
    /// A row for each column: its name and type, the numbers of values and of NULLs, about how many values are different
    /// (with a standard error of 1.6 %), mean and sample standard deviation, the least and the greatest value and the
    /// exact quartiles, as text. What a type does not have is NULL.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// let summary = scan_parquet(path)?.describe();
    /// println!("{}", summary.select(["column", "count", "nulls", "mean", "max"]).collect()?);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    pub fn describe(self) -> Self {
        self.then(|plan| {
            let summaries = summaries(&plan, QUARTERS)?;
            exploded(&plan, summaries, SUMMARIES.iter().map(|(name, ..)| *name))
        })
    }

    /// [`LazyFrame::describe`], with a `histogram` of each column of numbers, dates or times for people to look at, in a few
    /// letters from the least value to the greatest: `▁▃█▅▂▁`. It comes from exact quantiles, in the same pass.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// let summary = scan_parquet(path)?.describe_with_histograms();
    /// println!("{}", summary.select(["column", "min", "max", "histogram"]).collect()?);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    pub fn describe_with_histograms(self) -> Self {
        self.then(|plan| {
            let mut summaries = summaries(&plan, MANY)?;
            let texts = DataType::new_list(DataType::Utf8, true);
            summaries.push(listed(&plan, (HISTOGRAM, &texts, &["{quantiles}"]), MANY)?);
            let names = SUMMARIES.iter().map(|(name, ..)| *name).chain([HISTOGRAM]);
            let quantiles = exploded(&plan, summaries, names)?;
            let schema = drawn_schema(&quantiles.schema());
            let to = schema.clone();
            quantiles.map_partitions(&schema, Arc::new(move |rows: RecordBatch| drawn(&rows, &to)))
        })
    }
}

/// An aggregate for each summary: the list of what it is of each column.
fn summaries(plan: &LogicalPlan, parts: Parts) -> Result<Vec<Expr>> {
    let each = SUMMARIES.iter();
    each.map(|(name, to, texts)| listed(plan, (name, to, texts), parts)).collect()
}

fn listed(
    plan: &LogicalPlan,
    (name, to, texts): (&str, &DataType, &[&str]),
    parts: Parts,
) -> Result<Expr> {
    let schema = plan.schema();
    if schema.fields().is_empty() {
        return Err(Error::invalid_input("there are no columns to describe"));
    }
    let values = schema.fields().iter().map(|field| {
        let texts = texts.iter().map(|text| parts.filled(text, field.name()));
        value(texts, to, plan)
    });
    Ok(call("list_value", values.collect::<Result<Vec<_>>>()?).alias(name))
}

/// A row for each column.
fn exploded<'a>(
    plan: &LogicalPlan,
    summaries: Vec<Expr>,
    names: impl Iterator<Item = &'a str>,
) -> Result<LogicalPlan> {
    let schema = plan.schema();
    let columns = schema.fields().iter().map(|field| lit(field.name().as_str()));
    let types = schema.fields().iter().map(|f| lit(dframe_expr::type_name(f.data_type())));
    let mut lists =
        vec![call("list_value", columns).alias("column"), call("list_value", types).alias("type")];
    lists.extend(names.map(col));
    let lists = plan.clone().aggregate(vec![], summaries, None)?.project(lists)?;
    let schema = lists.schema();
    let all: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    lists.explode(&all)
}

/// What a summary says of a column: NULL where the column's type has no such thing.
fn value(texts: impl Iterator<Item = String>, to: &DataType, plan: &LogicalPlan) -> Result<Expr> {
    for text in texts {
        let summary = dframe_sql::parse_expr(&text)?.cast(to.clone());
        let tried = vec![summary.clone().alias("summary")];
        if plan.clone().aggregate(vec![], tried, None).is_ok() {
            return Ok(summary);
        }
    }
    Ok(null().cast(to.clone()))
}

impl Parts {
    /// The text of a summary of the column `name`.
    fn filled(self, text: &str, name: &str) -> String {
        let column = format!("\"{}\"", name.replace('"', "\"\""));
        let shares = (0..=self.0).map(|part| (part as f64 / self.0 as f64).to_string());
        let shares = shares.collect::<Vec<_>>().join(", ");
        // Lists are counted from 1.
        let quarter = |count: usize| (self.0 / 4 * count + 1).to_string();
        text.replace("{quantiles}", &format!("quantile_cont({{}}, [{shares}])"))
            .replace("{q25}", &quarter(1))
            .replace("{q50}", &quarter(2))
            .replace("{q75}", &quarter(3))
            .replace("{}", &column)
    }
}

fn drawn_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.name() == HISTOGRAM {
        true => Arc::new(Field::new(HISTOGRAM, DataType::Utf8, true)),
        false => field.clone(),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The rows with a histogram in place of the quantiles.
fn drawn(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let mut columns = rows.columns().to_vec();
    if let Some(last) = columns.last_mut() {
        let lists = last.as_list::<i32>();
        let drawn: StringArray = lists.iter().map(|list| sketch::histogram(&list?)).collect();
        *last = Arc::new(drawn) as ArrayRef;
    }
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}
