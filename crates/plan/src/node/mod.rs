//! Operators that the rules know only by contract: each is a struct in a file here, behind [`Node`].
//!
//! ```text
//!   LogicalPlan::Operator(Union(..)) --node()--> dyn Node --> tree, explain, rules that look into every node
//! ```
//!
//! Scan, filter, projection, aggregation, sort and limit are what rules match by shape. An operator here
//! answers what any rule may ask of any node: which inputs, which expressions, which columns it needs,
//! which conditions may pass it. It knows neither rules nor how it is executed.

mod asof;
mod explode;
mod join;
mod map_partitions;
mod row_numbers;
mod union;
mod unpivot;
mod window;
mod windows;

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use dframe_core::Result;
use dframe_expr::Expr;

use crate::logical::LogicalPlan;
pub use asof::{Asof, AsofDirection};
pub use explode::Explode;
pub use join::{Join, JoinKind, JoinOn, PairNames, qualify};
pub use map_partitions::{BatchFn, MapPartitions};
pub use row_numbers::{Numbers, RowNumbers};
pub use union::Union;
pub use unpivot::{Unpivot, UnpivotNames};
pub use window::Window;
pub(crate) use window::split as split_windows;
pub use windows::Windows;

/// The operators.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Operator {
    /// A row for each element of a list.
    Explode(Explode),
    /// Pairs of rows of two inputs.
    Join(Join),
    /// What a function of the user's makes of batches.
    MapPartitions(MapPartitions),
    /// Each row with its place, or a random number.
    RowNumbers(RowNumbers),
    /// The rows of several inputs, one after the other.
    Union(Union),
    /// A row for each of some columns.
    Unpivot(Unpivot),
    /// Answers of window functions beside each row.
    Window(Window),
    /// Each row in each window of time that it is in.
    Windows(Windows),
}

impl Operator {
    /// The operator behind its contract.
    pub fn node(&self) -> &dyn Node {
        match self {
            Operator::Explode(explode) => explode,
            Operator::Join(join) => join,
            Operator::MapPartitions(map) => map,
            Operator::RowNumbers(numbers) => numbers,
            Operator::Union(union) => union,
            Operator::Unpivot(unpivot) => unpivot,
            Operator::Window(window) => window,
            Operator::Windows(windows) => windows,
        }
    }
}

/// Names of columns.
pub type Names = HashSet<String>;

/// Replaces an input, given the columns that are wanted of it.
pub type PruneInput<'a> = dyn FnMut(Arc<LogicalPlan>, &Names) -> Result<Arc<LogicalPlan>> + 'a;

/// Replaces an expression over a schema, without changing its type.
pub type MapExpr<'a> = dyn FnMut(Expr, &Schema) -> Expr + 'a;

/// What becomes of a condition over an operator's output.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// For each input a condition over it: a row that does not fulfil it makes no row that is wanted.
    pub below: Vec<Option<Expr>>,
    /// Whether all rows that come out then fulfil the condition, so that it need not be checked above.
    pub settled: bool,
}

/// What every operator tells of itself.
pub trait Node: Debug + Send + Sync {
    /// The name in plans, without inputs and expressions.
    fn name(&self) -> &'static str;

    /// What follows the name in a plan's line; empty, or begins with a space.
    fn details(&self) -> String;

    /// The columns that come out.
    fn schema(&self) -> SchemaRef;

    /// The nodes whose rows it takes.
    fn inputs(&self) -> Vec<&Arc<LogicalPlan>>;

    /// Itself over other inputs, in the order of [`Node::inputs`], with at least the columns that its
    /// expressions name.
    ///
    /// # Errors
    /// Only bugs: inputs that do not fit.
    fn with_inputs(&self, inputs: Vec<Arc<LogicalPlan>>) -> Result<LogicalPlan>;

    /// Itself with each of its expressions replaced; output names stay.
    fn map_exprs(&self, map: &mut MapExpr<'_>) -> Result<LogicalPlan> {
        let _ = map;
        self.with_inputs(self.inputs().into_iter().cloned().collect())
    }

    /// Itself with inputs that have fewer columns, and at least the columns `wanted` coming out, in
    /// their old order. All columns of all inputs are needed unless it says otherwise.
    ///
    /// # Errors
    /// Those of `prune`.
    fn prune(&self, wanted: &Names, prune: &mut PruneInput<'_>) -> Result<LogicalPlan> {
        let _ = wanted;
        let all = |input: &Arc<LogicalPlan>| {
            let names = input.schema().fields().iter().map(|field| field.name().clone()).collect();
            prune(input.clone(), &names)
        };
        self.with_inputs(self.inputs().into_iter().map(all).collect::<Result<_>>()?)
    }

    /// What the inputs can do for `condition`, over the output: nothing, unless it says otherwise.
    fn push_condition(&self, condition: &Expr) -> Pushed {
        let _ = condition;
        Pushed { below: self.inputs().iter().map(|_| None).collect(), settled: false }
    }

    /// The number of rows that come out, where it is known exactly without reading data.
    fn row_count(&self) -> Option<u64> {
        None
    }

    /// The most rows that can come out, where something is known without reading data.
    fn row_count_max(&self) -> Option<u64> {
        self.row_count()
    }
}
