//! Several stages of as many tasks each as one, whose tasks take turns.
//!
//! ```text
//!   left  0 1 2        0 left, 0 right, 1 left, 1 right, 2 left, 2 right
//!   right 0 1 2
//! ```
//!
//! So that who needs task `n` of each of them does not wait for all tasks of the first.

use std::sync::Arc;

use dframe_core::Result;
use dframe_runtime::{Dependency, Pattern, Stage, Task};

/// The tasks of several stages, turn by turn.
pub(crate) struct Alternate {
    stages: Vec<Arc<dyn Stage>>,
    name: String,
}

impl Alternate {
    /// All of `stages` have as many tasks, and none depends on another.
    pub(crate) fn new(stages: Vec<Arc<dyn Stage>>) -> Self {
        let names: Vec<&str> = stages.iter().map(|stage| stage.name()).collect();
        let name = names.join(", ");
        Self { stages, name }
    }

    /// The stage whose turn it is at task `index`, and the number of its task.
    fn turn(&self, index: usize) -> (&dyn Stage, usize) {
        (self.stages[index % self.stages.len()].as_ref(), index / self.stages.len())
    }
}

impl Stage for Alternate {
    fn name(&self) -> &str {
        &self.name
    }

    fn pattern(&self) -> Pattern {
        Pattern::Blockwise
    }

    fn task_count(&self) -> usize {
        self.stages.iter().map(|stage| stage.task_count()).sum()
    }

    fn dependencies(&self, index: usize) -> Vec<Dependency> {
        let (stage, task) = self.turn(index);
        stage.dependencies(task)
    }

    fn projected_bytes(&self, index: usize) -> usize {
        let (stage, task) = self.turn(index);
        stage.projected_bytes(task)
    }

    fn task(&self, index: usize) -> Result<Box<dyn Task>> {
        let (stage, task) = self.turn(index);
        stage.task(task)
    }
}
