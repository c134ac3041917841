//! The logical plan: what the user asked, as a tree of data.
//!
//! A node says what comes out, not how. It holds expressions by name, checked when the node is made
//! (see the builders in `build/` and `node/`); nothing here knows tasks, threads or files' formats.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use dframe_expr::{Expr, SortKey};

use crate::node::Operator;
use crate::source::Source;

/// A scan of a source.
#[derive(Clone, Debug)]
pub struct Scan {
    /// What is scanned.
    pub source: Arc<dyn Source>,
    /// The columns that come out, as positions in the source's schema.
    pub projection: Vec<usize>,
    /// Conditions pushed down; every row that comes out fulfils them.
    pub filters: Vec<Expr>,
    /// At most so many rows are needed.
    pub limit: Option<u64>,
    /// The columns that come out.
    pub schema: SchemaRef,
}

/// A node of the plan with its inputs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LogicalPlan {
    /// Rows of a source.
    Scan(Scan),
    /// The rows for which a condition is true.
    Filter {
        /// The rows.
        input: Arc<LogicalPlan>,
        /// The condition.
        predicate: Expr,
    },
    /// An expression per output column.
    Project {
        /// The rows.
        input: Arc<LogicalPlan>,
        /// The columns; no wildcards, each with a name of its own.
        exprs: Vec<Expr>,
        /// The columns that come out.
        schema: SchemaRef,
    },
    /// A row per distinct combination of keys; one row if there are no keys.
    Aggregate {
        /// The rows.
        input: Arc<LogicalPlan>,
        /// The keys; no aggregates inside.
        keys: Vec<Expr>,
        /// `Expr::Aggregate`, each under an `Expr::Alias`; expressions over aggregates are a
        /// `Project` above, HAVING is a `Filter` above.
        aggregates: Vec<Expr>,
        /// Keys, then aggregates.
        schema: SchemaRef,
    },
    /// The rows in order; stable.
    Sort {
        /// The rows.
        input: Arc<LogicalPlan>,
        /// The order.
        keys: Vec<SortKey>,
        /// Only the first so many rows are wanted.
        limit: Option<u64>,
    },
    /// Some rows after skipping some.
    Limit {
        /// The rows.
        input: Arc<LogicalPlan>,
        /// Rows skipped.
        offset: u64,
        /// Rows kept; all if absent.
        limit: Option<u64>,
    },
    /// An operator that rules know by contract only.
    Operator(Operator),
}
