//! The tasks of a query, for people to look at.

use std::fmt::{self, Display, Formatter};

use dframe_runtime::{TaskGraph, describe};

/// The stages and tasks that a run consists of. Printing gives a line per stage.
pub struct Graph(TaskGraph);

impl Graph {
    pub(crate) fn new(graph: TaskGraph) -> Self {
        Self(graph)
    }

    /// The graph itself.
    pub fn tasks(&self) -> &TaskGraph {
        &self.0
    }

    /// A drawing in the DOT language, for Graphviz.
    pub fn to_dot(&self) -> String {
        describe::dot(&self.0)
    }
}

impl Display for Graph {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&describe::text(&self.0))
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}
