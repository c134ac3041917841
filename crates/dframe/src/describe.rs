//! A summary of each column, in one pass: a row of aggregates, exploded to a row per column.
//!
//! ```text
//!   one row    count [3, 2]  max ['9', 'z']  ..  --explode-->  a  3  9  ..
//!                                                              b  2  z  ..
//! ```

use arrow::datatypes::DataType;
use dframe_core::{Error, Result};
use dframe_expr::{Expr, call, col, lit, null};
use dframe_plan::LogicalPlan;

use crate::frame::LazyFrame;

/// The summary's columns, their types, and how they are computed of a column `{}`.
const SUMMARIES: [(&str, DataType, &str); 10] = [
    ("count", DataType::Int64, "count({})"),
    ("nulls", DataType::Int64, "count(*) - count({})"),
    ("approx_unique", DataType::Int64, "approx_count_distinct({})"),
    ("mean", DataType::Float64, "mean({})"),
    ("std", DataType::Float64, "stddev_samp({})"),
    ("min", DataType::Utf8, "min({})"),
    ("q25", DataType::Utf8, "quantile_cont({}, 0.25)"),
    ("median", DataType::Utf8, "median({})"),
    ("q75", DataType::Utf8, "quantile_cont({}, 0.75)"),
    ("max", DataType::Utf8, "max({})"),
];

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
            let schema = plan.schema();
            if schema.fields().is_empty() {
                return Err(Error::invalid_input("there are no columns to describe"));
            }
            let summaries = SUMMARIES.iter().map(|(name, data_type, text)| {
                let values =
                    schema.fields().iter().map(|field| value(text, field.name(), data_type, &plan));
                Ok(call("list_value", values.collect::<Result<Vec<_>>>()?).alias(*name))
            });
            let summaries = summaries.collect::<Result<Vec<Expr>>>()?;
            let names = schema.fields().iter().map(|field| lit(field.name().as_str()));
            let types = schema.fields().iter().map(|f| lit(dframe_expr::type_name(f.data_type())));
            let mut columns = vec![
                call("list_value", names).alias("column"),
                call("list_value", types).alias("type"),
            ];
            columns.extend(SUMMARIES.iter().map(|(name, ..)| col(*name)));
            let lists = plan.aggregate(vec![], summaries, None)?.project(columns)?;
            let schema = lists.schema();
            let all: Vec<&str> =
                schema.fields().iter().map(|field| field.name().as_str()).collect();
            lists.explode(&all)
        })
    }
}

/// What a summary says of a column: NULL where the column's type has no such thing.
fn value(text: &str, name: &str, data_type: &DataType, plan: &LogicalPlan) -> Result<Expr> {
    let column = format!("\"{}\"", name.replace('"', "\"\""));
    let summary = dframe_sql::parse_expr(&text.replace("{}", &column))?.cast(data_type.clone());
    Ok(match plan.clone().aggregate(vec![], vec![summary.clone().alias("summary")], None) {
        Ok(_) => summary,
        Err(_) => null().cast(data_type.clone()),
    })
}
