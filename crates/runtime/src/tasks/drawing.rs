//! A graph of user's tasks to look at: tasks of one name on one level are drawn as the tasks of a stage.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use dframe_core::{Error, Result};

use crate::describe;
use crate::task::{Dependency, Pattern, Stage, StageGraph, Task};
use crate::tasks::graph::{Bound, TaskGraph};

impl TaskGraph {
    /// A drawing in the DOT language, for Graphviz.
    pub fn to_dot(&self) -> String {
        describe::dot(&self.drawn())
    }

    /// A picture that any browser shows: a box for all tasks of a name that are as deep in the graph.
    pub fn to_svg(&self) -> String {
        describe::svg(&self.drawn())
    }

    /// The tasks as stages, from those that need nothing to the deepest.
    fn drawn(&self) -> StageGraph {
        let mut places = vec![(0, 0); self.nodes.len()];
        let mut depths: Vec<usize> = Vec::with_capacity(self.nodes.len());
        let mut kinds: BTreeMap<(usize, &str, Bound), Vec<usize>> = BTreeMap::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let depth = node.needs.iter().map(|need| depths[*need] + 1).max().unwrap_or(0);
            depths.push(depth);
            kinds.entry((depth, &node.options.name, node.options.bound)).or_default().push(index);
        }
        let mut graph = StageGraph::new();
        for (stage, ((_, name, bound), tasks)) in kinds.into_iter().enumerate() {
            tasks.iter().enumerate().for_each(|(at, task)| places[*task] = (stage, at));
            let needs = tasks.iter().map(|task| {
                let needs = self.nodes[*task].needs.iter().map(|need| places[*need]);
                needs.map(|(stage, at)| Dependency { stage, tasks: at..at + 1 }).collect()
            });
            graph.push(Arc::new(Kind {
                name: name.to_string(),
                bound,
                needs: needs.collect(),
                memory: tasks.iter().map(|task| self.nodes[*task].options.memory).collect(),
            }));
        }
        graph
    }
}

impl fmt::Display for TaskGraph {
    /// A line for all tasks of a name that are as deep in the graph.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&describe::text(&self.drawn()))
    }
}

/// Tasks of one name on one level; to look at, not to run.
struct Kind {
    name: String,
    bound: Bound,
    needs: Vec<Vec<Dependency>>,
    memory: Vec<usize>,
}

impl Stage for Kind {
    fn name(&self) -> &str {
        &self.name
    }

    fn pattern(&self) -> Pattern {
        Pattern::User(self.bound)
    }

    fn task_count(&self) -> usize {
        self.needs.len()
    }

    fn dependencies(&self, index: usize) -> Vec<Dependency> {
        self.needs[index].clone()
    }

    fn projected_bytes(&self, index: usize) -> usize {
        self.memory[index]
    }

    fn task(&self, _index: usize) -> Result<Box<dyn Task>> {
        Err(Error::internal("a drawing of tasks cannot run"))
    }
}
