//! Walking plans: inputs, rewriting, schemas.
//!
//! Every variant's inputs are listed in two places only, [`LogicalPlan::inputs`] and
//! [`LogicalPlan::map_inputs`]; the rules are made of them.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use dframe_core::Result;
use dframe_expr::col;

use crate::logical::LogicalPlan;
use crate::node::Names;

impl LogicalPlan {
    /// The columns that come out.
    pub fn schema(&self) -> SchemaRef {
        match self {
            LogicalPlan::Scan(scan) => scan.schema.clone(),
            LogicalPlan::Project { schema, .. } | LogicalPlan::Aggregate { schema, .. } => {
                schema.clone()
            }
            LogicalPlan::Filter { input, .. }
            | LogicalPlan::Sort { input, .. }
            | LogicalPlan::Limit { input, .. } => input.schema(),
            LogicalPlan::Operator(operator) => operator.node().schema(),
        }
    }

    /// Itself with only those of its columns that are `wanted`; all of them if none is.
    pub(crate) fn narrowed(self: Arc<Self>, wanted: &Names) -> Result<Arc<Self>> {
        let schema = self.schema();
        let of_wanted = |index: &usize| wanted.contains(schema.field(*index).name());
        let kept: Vec<usize> = (0..schema.fields().len()).filter(of_wanted).collect();
        if kept.len() == schema.fields().len() || kept.is_empty() {
            return Ok(self);
        }
        let exprs = kept.iter().map(|index| col(schema.field(*index).name())).collect();
        let schema = Arc::new(schema.project(&kept)?);
        Ok(Arc::new(LogicalPlan::Project { input: self, exprs, schema }))
    }

    /// The nodes whose rows this node takes.
    pub fn inputs(&self) -> Vec<&Arc<LogicalPlan>> {
        match self {
            LogicalPlan::Scan(_) => vec![],
            LogicalPlan::Filter { input, .. }
            | LogicalPlan::Project { input, .. }
            | LogicalPlan::Aggregate { input, .. }
            | LogicalPlan::Sort { input, .. }
            | LogicalPlan::Limit { input, .. } => vec![input],
            LogicalPlan::Operator(operator) => operator.node().inputs(),
        }
    }

    /// This node over what `f` makes of each input. The new inputs must have the columns that the
    /// node's expressions name.
    pub fn map_inputs(self, f: &mut dyn FnMut(LogicalPlan) -> Result<LogicalPlan>) -> Result<Self> {
        let mut map = |input: Arc<LogicalPlan>| f(Arc::unwrap_or_clone(input)).map(Arc::new);
        Ok(match self {
            scan @ LogicalPlan::Scan(_) => scan,
            LogicalPlan::Filter { input, predicate } => {
                LogicalPlan::Filter { input: map(input)?, predicate }
            }
            LogicalPlan::Project { input, exprs, schema } => {
                LogicalPlan::Project { input: map(input)?, exprs, schema }
            }
            LogicalPlan::Aggregate { input, keys, aggregates, schema } => {
                LogicalPlan::Aggregate { input: map(input)?, keys, aggregates, schema }
            }
            LogicalPlan::Sort { input, keys, limit } => {
                LogicalPlan::Sort { input: map(input)?, keys, limit }
            }
            LogicalPlan::Limit { input, offset, limit } => {
                LogicalPlan::Limit { input: map(input)?, offset, limit }
            }
            LogicalPlan::Operator(operator) => {
                let node = operator.node();
                let inputs = node.inputs().into_iter().map(|input| map(input.clone()));
                node.with_inputs(inputs.collect::<Result<_>>()?)?
            }
        })
    }

    /// Rewrites bottom-up: `f` sees each node after its inputs have been replaced.
    pub fn rewrite_up(self, f: &mut dyn FnMut(LogicalPlan) -> Result<LogicalPlan>) -> Result<Self> {
        let node = self.map_inputs(&mut |input| input.rewrite_up(f))?;
        f(node)
    }

    /// Rewrites top-down: `f` sees each node before its inputs, then the inputs of what it returned.
    pub fn rewrite_down(
        self,
        f: &mut dyn FnMut(LogicalPlan) -> Result<LogicalPlan>,
    ) -> Result<Self> {
        f(self)?.map_inputs(&mut |input| input.rewrite_down(f))
    }

    /// The number of rows that come out, where it is known exactly without reading data.
    pub fn row_count(&self) -> Option<u64> {
        match self {
            LogicalPlan::Scan(scan) if scan.filters.is_empty() => scan.source.statistics().rows,
            LogicalPlan::Aggregate { keys, .. } if keys.is_empty() => Some(1),
            LogicalPlan::Limit { limit: Some(0), .. } => Some(0),
            LogicalPlan::Scan(_) | LogicalPlan::Filter { .. } | LogicalPlan::Aggregate { .. } => {
                None
            }
            LogicalPlan::Project { input, .. } => input.row_count(),
            LogicalPlan::Sort { input, limit, .. } => Some(cut(input.row_count()?, 0, *limit)),
            LogicalPlan::Limit { input, offset, limit } => {
                Some(cut(input.row_count()?, *offset, *limit))
            }
            LogicalPlan::Operator(operator) => operator.node().row_count(),
        }
    }

    /// The most rows that can come out, where something is known without reading data.
    pub fn row_count_max(&self) -> Option<u64> {
        match self {
            LogicalPlan::Scan(scan) => scan.source.statistics().rows,
            LogicalPlan::Aggregate { keys, .. } if keys.is_empty() => Some(1),
            LogicalPlan::Filter { input, .. }
            | LogicalPlan::Project { input, .. }
            | LogicalPlan::Aggregate { input, .. } => input.row_count_max(),
            LogicalPlan::Sort { input, limit, .. } => most(input.row_count_max(), 0, *limit),
            LogicalPlan::Limit { input, offset, limit } => {
                most(input.row_count_max(), *offset, *limit)
            }
            LogicalPlan::Operator(operator) => operator.node().row_count_max(),
        }
    }
}

/// What is left of `rows` after `offset` are skipped and at most `limit` kept.
fn cut(rows: u64, offset: u64, limit: Option<u64>) -> u64 {
    let left = rows.saturating_sub(offset);
    limit.map_or(left, |limit| left.min(limit))
}

/// As [`cut`], of rows whose number may not be known.
fn most(rows: Option<u64>, offset: u64, limit: Option<u64>) -> Option<u64> {
    rows.map_or(limit, |rows| Some(cut(rows, offset, limit)))
}
