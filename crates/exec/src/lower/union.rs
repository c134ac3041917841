//! Lowering a union: each input goes through what follows in tasks of its own, whose chunks are then one
//! stage's.
//!
//! ```text
//!   input 0 --ops, fold--> stage --+
//!   input 1 --ops, fold--> stage --+--> concat: their chunks, in order --> ...
//! ```

use std::sync::Arc;

use dframe_core::Result;
use dframe_plan::node::{Node, Union};

use super::{Origin, Planner, Stream};
use crate::pipeline::BlockOp;
use crate::stage::{Concat, FoldSpec, StageTasks};

impl Planner<'_> {
    /// The rows of all inputs.
    pub(super) fn union(&mut self, union: &Union) -> Result<Stream> {
        let input = |plan: &Arc<dframe_plan::LogicalPlan>| {
            let stream = self.stream(plan)?;
            self.without_tail(stream)
        };
        let inputs = union.inputs.iter().map(input).collect::<Result<Vec<Stream>>>()?;
        let rows = inputs.iter().fold(0_u64, |rows, input| rows.saturating_add(input.rows));
        let schema = union.schema();
        Ok(Stream {
            origin: Origin::Union(inputs),
            ops: Vec::new(),
            tail: Vec::new(),
            before_tail: schema.clone(),
            schema,
            rows,
        })
    }

    /// Folds each input, after `ops`, in a stage of its own.
    pub(super) fn fold_each(
        &mut self,
        inputs: Vec<Stream>,
        ops: &[BlockOp],
        fold: &FoldSpec,
        before: &mut u64,
    ) -> Result<usize> {
        let mut stages = Vec::with_capacity(inputs.len());
        for mut input in inputs {
            input.ops.extend(ops.iter().cloned());
            let stage = self.fold_from(input, fold.clone(), before)?;
            stages.push(self.tasks_of(stage));
        }
        Ok(self.graph.push(Arc::new(Concat { inputs: stages })))
    }

    /// All tasks of a stage.
    pub(super) fn tasks_of(&self, stage: usize) -> StageTasks {
        StageTasks { stage, tasks: self.graph.stages()[stage].task_count() }
    }
}
