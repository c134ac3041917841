//! Plans as text: a line per node, inputs below and indented.
//!
//! ```text
//! Sort volume DESC limit=3
//!   Aggregate keys=[ticker] aggregates=[sum(size) AS volume]
//!     Scan ticks.parquet [2 of 7 columns: ticker, size] filters=[price > 10] rows≈1000000
//! ```

use std::fmt::{self, Display, Formatter};

use dframe_expr::{Expr, SortKey};

use crate::logical::{LogicalPlan, Scan};

/// Column names that a scan's line shows at most.
const NAMES_MAX: usize = 8;

impl LogicalPlan {
    /// The plan as indented text, a line per node, ending in a line break.
    pub fn explain(&self) -> String {
        let mut text = String::new();
        self.explain_into(&mut text, 0);
        text
    }

    fn explain_into(&self, text: &mut String, depth: usize) {
        text.push_str(&"  ".repeat(depth));
        text.push_str(&self.to_string());
        text.push('\n');
        for input in self.inputs() {
            input.explain_into(text, depth + 1);
        }
    }

    /// The node's name, without its inputs and expressions.
    pub fn name(&self) -> &'static str {
        match self {
            LogicalPlan::Scan(_) => "Scan",
            LogicalPlan::Filter { .. } => "Filter",
            LogicalPlan::Project { .. } => "Project",
            LogicalPlan::Aggregate { aggregates, .. } if aggregates.is_empty() => "Distinct",
            LogicalPlan::Aggregate { .. } => "Aggregate",
            LogicalPlan::Sort { .. } => "Sort",
            LogicalPlan::Limit { .. } => "Limit",
            LogicalPlan::Operator(operator) => operator.node().name(),
        }
    }
}

/// The node alone, on one line.
impl Display for LogicalPlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            LogicalPlan::Scan(scan) => write_scan(f, scan),
            LogicalPlan::Filter { predicate, .. } => write!(f, " {predicate}"),
            LogicalPlan::Project { exprs, .. } => write!(f, " {}", list(exprs)),
            LogicalPlan::Aggregate { keys, aggregates, .. } => {
                write!(f, " keys=[{}]", list(keys))?;
                match aggregates.is_empty() {
                    true => Ok(()),
                    false => write!(f, " aggregates=[{}]", list(aggregates)),
                }
            }
            LogicalPlan::Sort { keys, limit, .. } => {
                let keys: Vec<String> = keys.iter().map(sort_key).collect();
                write!(f, " {}", keys.join(", "))?;
                write_limit(f, *limit)
            }
            LogicalPlan::Limit { offset, limit, .. } => {
                if *offset > 0 {
                    write!(f, " offset={offset}")?;
                }
                write_limit(f, *limit)
            }
            LogicalPlan::Operator(operator) => f.write_str(&operator.node().details()),
        }
    }
}

fn write_scan(f: &mut Formatter<'_>, scan: &Scan) -> fmt::Result {
    write!(f, " {}", scan.source.name())?;
    write_columns(f, scan)?;
    if !scan.filters.is_empty() {
        write!(f, " filters=[{}]", list(&scan.filters))?;
    }
    write_limit(f, scan.limit)?;
    match scan.source.statistics().rows {
        Some(rows) => write!(f, " rows≈{rows}"),
        None => Ok(()),
    }
}

fn write_columns(f: &mut Formatter<'_>, scan: &Scan) -> fmt::Result {
    let (some, all) = (scan.projection.len(), scan.source.schema().fields().len());
    write!(f, " [{some} of {all} columns")?;
    if some > 0 && some < all {
        let names = scan.schema.fields().iter().map(|field| field.name().as_str());
        let shown: Vec<&str> = names.take(NAMES_MAX).collect();
        let more = if some > NAMES_MAX { ", …" } else { "" };
        write!(f, ": {}{more}", shown.join(", "))?;
    }
    f.write_str("]")
}

fn write_limit(f: &mut Formatter<'_>, limit: Option<u64>) -> fmt::Result {
    match limit {
        Some(limit) => write!(f, " limit={limit}"),
        None => Ok(()),
    }
}

fn list(exprs: &[Expr]) -> String {
    exprs.iter().map(column).collect::<Vec<_>>().join(", ")
}

/// An expression with its alias, unless that is only its own text.
fn column(expr: &Expr) -> String {
    match expr {
        Expr::Alias(inner, name) if inner.to_string() == *name => name.clone(),
        other => other.to_string(),
    }
}

fn sort_key(key: &SortKey) -> String {
    let direction = if key.descending { " DESC" } else { "" };
    let nulls = if key.nulls_first { " NULLS FIRST" } else { "" };
    format!("{}{direction}{nulls}", key.expr)
}
