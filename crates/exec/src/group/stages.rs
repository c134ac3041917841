//! The stages of a group-by, after the tasks that fold rows into groups.
//!
//! ```text
//!   tasks' groups --Combine.. (a tree)--> few chunks --Shuffle of FinishGroups--> results, bucket by bucket
//!   divisions' groups --Shuffle of FinishDivisions--> results, division by division
//! ```
//!
//! What is done with groups, the files beside this one know.

use std::sync::Arc;

use dframe_core::Result;
use dframe_runtime::{Chunk, Dependency, Pattern, Stage, Task, TaskContext};

use super::{GroupSpec, SharedGroups, combine, finish_all, finish_bucket};
use crate::shuffle::BucketWork;
use crate::stage::{StageTasks, finishing};

/// Merges the groups of `fan_in` chunks at a time.
pub(crate) struct Combine {
    /// The stage before.
    pub(crate) input: StageTasks,
    /// The chunks per task.
    pub(crate) fan_in: usize,
    /// The group-by.
    pub(crate) spec: Arc<GroupSpec>,
    /// The groups that its tasks share.
    pub(crate) shared: Option<Arc<SharedGroups>>,
}

impl Stage for Combine {
    fn name(&self) -> &str {
        "combine groups"
    }

    fn pattern(&self) -> Pattern {
        Pattern::TreeReduce
    }

    fn task_count(&self) -> usize {
        self.input.tasks.div_ceil(self.fan_in)
    }

    fn dependencies(&self, index: usize) -> Vec<Dependency> {
        let start = index * self.fan_in;
        let tasks = start..(start + self.fan_in).min(self.input.tasks);
        vec![Dependency { stage: self.input.stage, tasks }]
    }

    fn task(&self, _index: usize) -> Result<Box<dyn Task>> {
        let (spec, shared) = (self.spec.clone(), self.shared.clone());
        Ok(finishing(move |inputs, context| combine(&spec, shared.as_deref(), inputs, context)))
    }
}

/// Finishes the groups of a bucket, those that tasks have shared among them.
pub(crate) struct FinishGroups(pub(crate) Arc<GroupSpec>, pub(crate) Option<Arc<SharedGroups>>);

impl BucketWork for FinishGroups {
    fn name(&self) -> &str {
        "finish groups"
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    fn run(&self, bucket: u32, inputs: Vec<Chunk>, context: &TaskContext) -> Result<Chunk> {
        let shared = self.1.as_deref();
        let part = shared.map(|shared| shared.part(bucket, context)).transpose()?.flatten();
        let part = Chunk::new(part.into_iter().collect());
        let chunks: Vec<Chunk> = [part].into_iter().chain(inputs).collect();
        finish_bucket(&self.0, Chunk::concat(chunks), bucket, shared, context)
    }
}

/// Finishes the groups of a division: no other has any of them.
pub(crate) struct FinishDivisions(pub(crate) Arc<GroupSpec>);

impl BucketWork for FinishDivisions {
    fn name(&self) -> &str {
        "finish divisions"
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    fn run(&self, _: u32, inputs: Vec<Chunk>, context: &TaskContext) -> Result<Chunk> {
        finish_all(&self.0, Chunk::concat(inputs), context)
    }
}
