//! The tasks of a query, for people to look at.

use std::fmt::{self, Display, Formatter};

use dframe_runtime::{StageGraph, describe};

/// The stages and tasks that a run consists of. Printing gives a line per stage.
pub struct Graph(StageGraph);

impl Graph {
    pub(crate) fn new(graph: StageGraph) -> Self {
        Self(graph)
    }

    /// The graph itself.
    pub fn tasks(&self) -> &StageGraph {
        &self.0
    }

    /// A drawing in the DOT language, for Graphviz.
    pub fn to_dot(&self) -> String {
        describe::dot(&self.0)
    }

    /// A picture that any browser shows, drawn without another program: a box per stage with its
    /// tasks counted, so that it stays readable for any number of tasks.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// let late = scan_parquet(path)?.group_by(["origin"]).agg([col("delay").mean()]);
    /// let svg = late.graph()?.to_svg();
    /// assert!(svg.starts_with("<svg ") && svg.contains("partial aggregate"));
    /// # Ok::<(), dframe::Error>(())
    /// ```
    pub fn to_svg(&self) -> String {
        describe::svg(&self.0)
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
