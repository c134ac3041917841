//! Groups: keys chosen, aggregates to come.

use arrow::datatypes::{DataType, Schema};
use dframe_core::Result;
use dframe_expr::{Expr, col, count_all};
use dframe_plan::LogicalPlan;

use crate::columns::{IntoColumn, columns};
use crate::frame::LazyFrame;

/// The rows of a frame by their keys; [`GroupBy::agg`] makes a frame of a row per group.
///
/// ```
/// use dframe::prelude::*;
///
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/ticks.parquet");
/// let vwap = (col("price") * col("size")).sum() / col("size").sum();
/// let by_ticker = scan_parquet(path)?
///     .group_by(["ticker"])
///     .having(count_all().gt(100))
///     .agg([vwap.alias("vwap"), count_all().alias("trades")]);
/// assert_eq!(by_ticker.schema()?.fields().len(), 3);
/// # Ok::<(), dframe::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "groups do nothing until `agg` says what to compute"]
pub struct GroupBy {
    frame: LazyFrame,
    keys: Vec<Expr>,
    having: Option<Expr>,
}

impl GroupBy {
    pub(crate) fn new(frame: LazyFrame, keys: Vec<Expr>) -> Self {
        Self { frame, keys, having: None }
    }

    /// Only groups for which `condition` is true; it may use aggregates, keys and the names that `agg`
    /// gives.
    pub fn having(mut self, condition: Expr) -> Self {
        self.having = Some(match self.having.take() {
            Some(earlier) => earlier.and(condition),
            None => condition,
        });
        self
    }

    /// A row per group: the keys, then `exprs`, which combine aggregates, keys and constants.
    pub fn agg(self, exprs: impl IntoIterator<Item = impl IntoColumn>) -> LazyFrame {
        let exprs = columns(exprs);
        self.frame.then(|plan| plan.aggregate(self.keys, exprs, self.having))
    }

    /// What to compute when nobody said: `count`, and for every numeric column that is no key its
    /// `<column>_sum`, `_mean`, `_min` and `_max`.
    pub fn agg_default(self) -> LazyFrame {
        self.frame.then(|plan| {
            let exprs = default_aggregates(&plan, &self.keys)?;
            plan.aggregate(self.keys, exprs, self.having)
        })
    }
}

fn default_aggregates(plan: &LogicalPlan, keys: &[Expr]) -> Result<Vec<Expr>> {
    let schema = plan.schema();
    let keys = key_names(keys, &schema);
    let mut exprs = vec![count_all().alias("count")];
    for field in schema.fields() {
        if is_number(field.data_type()) && !keys.contains(field.name()) {
            let name = field.name();
            let column = || col(name);
            exprs.push(column().sum().alias(format!("{name}_sum")));
            exprs.push(column().mean().alias(format!("{name}_mean")));
            exprs.push(column().min().alias(format!("{name}_min")));
            exprs.push(column().max().alias(format!("{name}_max")));
        }
    }
    Ok(exprs)
}

/// The columns that are keys themselves, spelled as in `schema`.
fn key_names(keys: &[Expr], schema: &Schema) -> Vec<String> {
    let name = |key: &Expr| match key.unaliased() {
        Expr::Column(column) => dframe_expr::resolve_column(schema, column).ok(),
        _ => None,
    };
    keys.iter().filter_map(name).map(|index| schema.field(index).name().clone()).collect()
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}
