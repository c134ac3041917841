//! Which task may run next: a state machine without threads, clocks or memory.
//!
//! ```text
//!   wanted output --demand--> needed --its dependencies end--> ready --next_ready--> (runs) --complete--> done
//!        ^                      |                                                                          |
//!        |                      +--demand--> the tasks it depends on                                       |
//!        +------------------- the window moves on as the consumer asks for more <--------------------------+
//! ```
//!
//! Only what the next few outputs need is looked at, so a consumer that stops early leaves the rest
//! unread. Among ready tasks the deepest stage goes first, then the lowest index: finishing what was begun
//! frees the chunks it consumes (as in Dask's `order.py`).
//!
//! Tasks that depend on the same range share one [`Group`], and a group watches only the last task of its
//! range that is not done. A shuffle of n by m tasks thus costs n + m, a tree its edges.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::ops::Range;

use dframe_core::Result;

use crate::chunk::Chunk;
use crate::chunk_table::ChunkTable;
use crate::task::{Dependency, StageGraph};

/// A task; the greater one is the more urgent one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TaskId {
    pub(crate) stage: usize,
    pub(crate) index: usize,
}

impl Ord for TaskId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.stage.cmp(&other.stage).then(other.index.cmp(&self.index))
    }
}

impl PartialOrd for TaskId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The state of all tasks of a graph.
pub(crate) struct Scheduler {
    graph: StageGraph,
    table: ChunkTable,
    stages: Vec<StageState>,
    groups: Vec<Group>,
    group_of: HashMap<(usize, Range<usize>), usize>,
    ready: BinaryHeap<TaskId>,
    outputs: Outputs,
}

/// The last stage's side.
struct Outputs {
    count: usize,
    /// Outputs that are done and wait for their turn.
    waiting: BTreeMap<usize, Chunk>,
    /// Outputs demanded and handed out so far, both from the first one on.
    demanded: usize,
    emitted: usize,
}

struct StageState {
    demanded: Vec<bool>,
    /// The groups that a demanded task still waits for.
    waits_for: Vec<u32>,
    undone: Undone,
    /// The groups that watch a task.
    watchers: HashMap<usize, Vec<usize>>,
}

/// A range of tasks that others wait for.
struct Group {
    stage: usize,
    tasks: Range<usize>,
    waiters: Vec<TaskId>,
    done: bool,
}

impl Scheduler {
    /// # Errors
    /// When the graph depends on tasks that do not exist.
    pub(crate) fn new(graph: StageGraph) -> Result<Self> {
        let table = ChunkTable::new(&graph)?;
        let counts: Vec<usize> = graph.stages().iter().map(|stage| stage.task_count()).collect();
        let outputs = Outputs {
            count: counts.last().copied().unwrap_or(0),
            waiting: BTreeMap::new(),
            demanded: 0,
            emitted: 0,
        };
        Ok(Self {
            graph,
            table,
            stages: counts.into_iter().map(StageState::new).collect(),
            groups: Vec::new(),
            group_of: HashMap::new(),
            ready: BinaryHeap::new(),
            outputs,
        })
    }

    /// Makes sure that the first `count` outputs are being worked on.
    pub(crate) fn demand_outputs(&mut self, count: usize) {
        while self.outputs.demanded < count.min(self.outputs.count) {
            let stage = self.stages.len() - 1;
            self.demand(TaskId { stage, index: self.outputs.demanded });
            self.outputs.demanded += 1;
        }
    }

    /// The most urgent ready task.
    pub(crate) fn peek_ready(&self) -> Option<TaskId> {
        self.ready.peek().copied()
    }

    /// Takes the most urgent ready task, which is then running.
    pub(crate) fn next_ready(&mut self) -> Option<TaskId> {
        self.ready.pop()
    }

    /// The chunks that a running task needs; to be asked for once.
    pub(crate) fn inputs(&mut self, task: TaskId) -> Vec<Chunk> {
        self.table.hand_over(&self.graph.stages()[task.stage].dependencies(task.index))
    }

    /// A running task has made its chunk.
    pub(crate) fn complete(&mut self, task: TaskId, chunk: Chunk) {
        if task.stage + 1 == self.stages.len() {
            self.outputs.waiting.insert(task.index, chunk);
        } else {
            self.table.put(task.stage, task.index, chunk);
        }
        let stage = &mut self.stages[task.stage];
        stage.undone.remove(task.index);
        for group in stage.watchers.remove(&task.index).unwrap_or_default() {
            if self.watch(group) {
                self.release(group);
            }
        }
    }

    /// The next output in order, if it is done.
    pub(crate) fn next_output(&mut self) -> Option<Chunk> {
        let chunk = self.outputs.waiting.remove(&self.outputs.emitted)?;
        self.outputs.emitted += 1;
        Some(chunk)
    }

    /// How many outputs were handed out.
    pub(crate) fn emitted(&self) -> usize {
        self.outputs.emitted
    }

    /// Whether all outputs were handed out.
    pub(crate) fn is_complete(&self) -> bool {
        self.outputs.emitted == self.outputs.count
    }

    fn demand(&mut self, output: TaskId) {
        let mut open = vec![output];
        while let Some(task) = open.pop() {
            if std::mem::replace(&mut self.stages[task.stage].demanded[task.index], true) {
                continue;
            }
            for Dependency { stage, tasks } in
                self.graph.stages()[task.stage].dependencies(task.index)
            {
                let group = self.group(stage, tasks, &mut open);
                if !self.groups[group].done {
                    self.groups[group].waiters.push(task);
                    self.stages[task.stage].waits_for[task.index] += 1;
                }
            }
            if self.stages[task.stage].waits_for[task.index] == 0 {
                self.ready.push(task);
            }
        }
    }

    /// The group of a range; if it is new, its tasks are added to those to be demanded.
    fn group(&mut self, stage: usize, tasks: Range<usize>, open: &mut Vec<TaskId>) -> usize {
        if let Some(group) = self.group_of.get(&(stage, tasks.clone())) {
            return *group;
        }
        let group = self.groups.len();
        self.group_of.insert((stage, tasks.clone()), group);
        open.extend(tasks.clone().map(|index| TaskId { stage, index }));
        self.groups.push(Group { stage, tasks, waiters: Vec::new(), done: false });
        self.groups[group].done = self.watch(group);
        group
    }

    /// Lets a group watch the last task of its range that is not done; true if there is none.
    fn watch(&mut self, group: usize) -> bool {
        let Group { stage, tasks, .. } = &self.groups[group];
        let stage = &mut self.stages[*stage];
        match stage.undone.last_before(tasks.end).filter(|last| *last >= tasks.start) {
            Some(last) => {
                stage.watchers.entry(last).or_default().push(group);
                false
            }
            None => true,
        }
    }

    /// All tasks of a group are done.
    fn release(&mut self, group: usize) {
        self.groups[group].done = true;
        for task in std::mem::take(&mut self.groups[group].waiters) {
            let waits_for = &mut self.stages[task.stage].waits_for[task.index];
            *waits_for -= 1;
            if *waits_for == 0 {
                self.ready.push(task);
            }
        }
    }
}

impl StageState {
    fn new(count: usize) -> Self {
        Self {
            demanded: vec![false; count],
            waits_for: vec![0; count],
            undone: Undone::new(count),
            watchers: HashMap::new(),
        }
    }
}

/// The tasks that are not done, as a union-find: each done task points towards the last one before it
/// that is not.
struct Undone(Vec<usize>);

impl Undone {
    fn new(count: usize) -> Self {
        // Shifted by one: place 0 stands for "none".
        Self((0..=count).collect())
    }

    fn remove(&mut self, index: usize) {
        self.0[index + 1] = index;
    }

    /// The last undone task below `end`.
    fn last_before(&mut self, end: usize) -> Option<usize> {
        let mut at = end;
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at.checked_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::task::{Pattern, Stage, Task};

    type Needs = Box<dyn Fn(usize) -> Vec<Dependency> + Send + Sync>;

    struct Shape(usize, Needs);

    impl Stage for Shape {
        fn name(&self) -> &str {
            "shape"
        }
        fn pattern(&self) -> Pattern {
            Pattern::Blockwise
        }
        fn task_count(&self) -> usize {
            self.0
        }
        fn dependencies(&self, index: usize) -> Vec<Dependency> {
            (self.1)(index)
        }
        fn task(&self, _index: usize) -> Result<Box<dyn Task>> {
            Err(dframe_core::Error::internal("never made"))
        }
    }

    fn leaf(count: usize) -> Shape {
        Shape(count, Box::new(|_| vec![]))
    }

    fn needs(
        count: usize,
        stage: usize,
        range: impl Fn(usize) -> Range<usize> + Send + Sync + 'static,
    ) -> Shape {
        Shape(count, Box::new(move |index| vec![Dependency { stage, tasks: range(index) }]))
    }

    fn scheduler(shapes: Vec<Shape>) -> Scheduler {
        let mut graph = StageGraph::new();
        for shape in shapes {
            graph.push(Arc::new(shape));
        }
        Scheduler::new(graph).unwrap()
    }

    /// Runs everything one by one and returns the order.
    fn order(scheduler: &mut Scheduler) -> Vec<(usize, usize)> {
        let mut order = Vec::new();
        while let Some(task) = scheduler.next_ready() {
            scheduler.inputs(task);
            scheduler.complete(task, Chunk::default());
            while scheduler.next_output().is_some() {}
            order.push((task.stage, task.index));
        }
        order
    }

    #[test]
    fn the_deepest_task_goes_first() {
        let mut tree =
            scheduler(vec![leaf(4), needs(2, 0, |i| 2 * i..2 * i + 2), needs(1, 1, |_| 0..2)]);
        tree.demand_outputs(1);
        let expected = [(0, 0), (0, 1), (1, 0), (0, 2), (0, 3), (1, 1), (2, 0)];
        assert_eq!(order(&mut tree), expected);
        assert!(tree.is_complete());
    }

    #[test]
    fn only_what_is_demanded_becomes_ready() {
        let mut chain = scheduler(vec![leaf(100), needs(100, 0, |i| i..i + 1)]);
        chain.demand_outputs(3);
        assert_eq!(order(&mut chain).len(), 6);
        assert_eq!(chain.emitted(), 3);
        chain.demand_outputs(4);
        assert_eq!(order(&mut chain), [(0, 3), (1, 3)]);
    }

    #[test]
    fn outputs_come_in_order() {
        let mut flat = scheduler(vec![leaf(3)]);
        flat.demand_outputs(3);
        let tasks: Vec<_> = std::iter::from_fn(|| flat.next_ready()).collect();
        flat.complete(tasks[2], Chunk::default());
        assert!(flat.next_output().is_none());
        flat.complete(tasks[0], Chunk::default());
        assert!(flat.next_output().is_some() && flat.next_output().is_none());
        flat.complete(tasks[1], Chunk::default());
        assert!(flat.next_output().is_some() && flat.next_output().is_some());
        assert!(flat.is_complete());
    }

    #[test]
    fn overlapping_and_empty_ranges() {
        let last = needs(5, 0, |i| i.saturating_sub(2)..(i + 1).min(5));
        let mut rolling = scheduler(vec![leaf(5), last]);
        rolling.demand_outputs(5);
        assert_eq!(order(&mut rolling).len(), 10);
        let mut empty = scheduler(vec![leaf(0), needs(1, 0, |_| 0..0)]);
        empty.demand_outputs(1);
        assert_eq!(order(&mut empty), [(1, 0)]);
    }

    #[test]
    fn a_wide_shuffle_is_linear() {
        let tasks = 200_000;
        // Every task of the second stage needs all of the first; only readiness is worked out here.
        let mut wide = scheduler(vec![leaf(tasks), needs(tasks, 0, move |_| 0..tasks)]);
        wide.demand_outputs(tasks);
        for _ in 0..tasks {
            let task = wide.next_ready().unwrap();
            assert_eq!(task.stage, 0);
            wide.complete(task, Chunk::default());
        }
        assert_eq!(wide.next_ready(), Some(TaskId { stage: 1, index: 0 }));
        assert_eq!(wide.ready.len(), tasks - 1);
    }

    #[test]
    fn a_graph_that_points_nowhere_is_refused() {
        let mut graph = StageGraph::new();
        graph.push(Arc::new(leaf(2)));
        graph.push(Arc::new(needs(1, 0, |_| 0..3)));
        assert!(Scheduler::new(graph).is_err());
    }
}
