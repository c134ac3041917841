//! Which tasks are ready, and what has become of the others. Starts nothing and waits for nothing.
//!
//! ```text
//!   waits for others --> ready --> running --> done
//!                          ^         |  \----> failed --> those that need it: skipped
//!                          +- later <+
//! ```

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::time::{Duration, Instant};

use dframe_core::{Error, ErrorKind};

use crate::tasks::graph::{Body, Bound, Node, TaskError, TaskGraph, TaskOptions};
use crate::tasks::report::TaskOutcome;

/// How far a run is. Counts of tasks, but for `retries`, which counts attempts that were tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskProgress {
    /// All tasks of the graph.
    pub tasks: usize,
    /// Those that have succeeded.
    pub done: usize,
    /// Those that have failed for good.
    pub failed: usize,
    /// Those that will not run because one that they need has failed, or because of a cancellation.
    pub skipped: usize,
    /// Those that run now.
    pub running: usize,
    /// Those that wait to be tried again.
    pub waiting: usize,
    /// The attempts that failed and were followed by another, or will be.
    pub retries: usize,
}

impl TaskProgress {
    /// Whether nothing is left to do.
    pub fn is_finished(&self) -> bool {
        self.done + self.failed + self.skipped == self.tasks
    }
}

/// Deepest first, as Dask orders tasks (`dask/order.py`): what is begun is finished, and frees what it
/// holds, before more is begun. Equal depths go in the order of the graph.
type Turn = (Reverse<usize>, usize);

pub(super) struct Progress {
    nodes: Vec<Node>,
    needed_by: Vec<Vec<usize>>,
    depths: Vec<usize>,
    /// The tasks needed that have not succeeded yet.
    missing: Vec<usize>,
    running: Vec<bool>,
    attempts: Vec<u32>,
    outcomes: Vec<Option<TaskOutcome>>,
    ready: [BTreeSet<Turn>; 2],
    later: BinaryHeap<Reverse<(Instant, usize)>>,
    counts: TaskProgress,
}

/// What happened at the end of an attempt.
pub(super) enum Ended {
    ForGood,
    TriedAgainAfter(Duration),
}

impl Progress {
    pub(super) fn new(graph: TaskGraph) -> Self {
        let nodes = graph.nodes;
        let mut needed_by = vec![Vec::new(); nodes.len()];
        let mut depths = vec![0; nodes.len()];
        for (index, node) in nodes.iter().enumerate() {
            for &need in &node.needs {
                needed_by[need].push(index);
                depths[index] = depths[index].max(depths[need] + 1);
            }
        }
        let mut progress = Self {
            missing: nodes.iter().map(|node| node.needs.len()).collect(),
            running: vec![false; nodes.len()],
            attempts: vec![0; nodes.len()],
            outcomes: vec![None; nodes.len()],
            counts: TaskProgress { tasks: nodes.len(), ..TaskProgress::default() },
            nodes,
            needed_by,
            depths,
            ready: Default::default(),
            later: BinaryHeap::new(),
        };
        for index in 0..progress.nodes.len() {
            if progress.missing[index] == 0 {
                progress.make_ready(index);
            }
        }
        progress
    }

    pub(super) fn counts(&self) -> TaskProgress {
        self.counts
    }

    pub(super) fn options(&self, index: usize) -> &TaskOptions {
        &self.nodes[index].options
    }

    /// The next ready task of a kind.
    pub(super) fn peek(&self, bound: Bound) -> Option<usize> {
        self.ready[bound as usize].first().map(|(_, index)| *index)
    }

    /// The next ready task of any kind.
    pub(super) fn peek_any(&self) -> Option<usize> {
        let firsts = self.ready.iter().filter_map(BTreeSet::first);
        firsts.min().map(|(_, index)| *index)
    }

    /// Takes a ready task to run it; which attempt it is comes back with its body.
    pub(super) fn begin(&mut self, index: usize) -> (Body, u32) {
        let node = &self.nodes[index];
        self.ready[node.options.bound as usize].remove(&(Reverse(self.depths[index]), index));
        self.counts.running += 1;
        self.running[index] = true;
        self.attempts[index] += 1;
        let body = node.body.clone().expect("a task that is ready has a body");
        (body, self.attempts[index])
    }

    /// Takes back what [`Progress::begin`] did, as though the task had not been tried.
    pub(super) fn put_back(&mut self, index: usize) {
        self.stop_running(index);
        self.attempts[index] -= 1;
        self.make_ready(index);
    }

    /// An attempt has succeeded.
    pub(super) fn succeed(&mut self, index: usize) {
        self.stop_running(index);
        self.counts.done += 1;
        self.end(index, TaskOutcome::Done);
        for dependent in std::mem::take(&mut self.needed_by[index]) {
            self.missing[dependent] -= 1;
            if self.missing[dependent] == 0 && self.outcomes[dependent].is_none() {
                self.make_ready(dependent);
            }
        }
    }

    /// An attempt has failed: the task is tried again, or fails with all that need it.
    pub(super) fn fail(&mut self, index: usize, error: TaskError) -> Ended {
        self.stop_running(index);
        let options = &self.nodes[index].options;
        if !is_cancellation(&error)
            && let Some(wait) = options.retry.wait_after(self.attempts[index], &error, index)
        {
            self.counts.waiting += 1;
            self.counts.retries += 1;
            self.later.push(Reverse((Instant::now() + wait, index)));
            return Ended::TriedAgainAfter(wait);
        }
        self.counts.failed += 1;
        let error = attributed(options, self.attempts[index], error);
        self.end(index, TaskOutcome::Failed(error));
        self.skip_dependents(index);
        Ended::ForGood
    }

    /// Lets tasks go on whose wait is over; returns when the next one's is.
    pub(super) fn wake(&mut self, now: Instant) -> Option<Instant> {
        while let Some(&Reverse((at, index))) = self.later.peek() {
            if at > now {
                return Some(at);
            }
            self.later.pop();
            self.counts.waiting -= 1;
            self.make_ready(index);
        }
        None
    }

    /// Gives up everything that does not run.
    pub(super) fn give_up(&mut self) {
        self.later.clear();
        self.counts.waiting = 0;
        self.ready.iter_mut().for_each(BTreeSet::clear);
        for index in 0..self.nodes.len() {
            if self.outcomes[index].is_none() && !self.running[index] {
                self.counts.skipped += 1;
                self.end(index, TaskOutcome::Cancelled);
            }
        }
    }

    /// What became of each task, in the order of the graph.
    pub(super) fn into_outcomes(self) -> Vec<(TaskOptions, u32, TaskOutcome)> {
        let ends = self.nodes.into_iter().zip(self.attempts).zip(self.outcomes);
        ends.map(|((node, attempts), outcome)| {
            (node.options, attempts, outcome.unwrap_or(TaskOutcome::Cancelled))
        })
        .collect()
    }

    fn stop_running(&mut self, index: usize) {
        self.counts.running -= 1;
        self.running[index] = false;
    }

    fn make_ready(&mut self, index: usize) {
        let turn = (Reverse(self.depths[index]), index);
        self.ready[self.nodes[index].options.bound as usize].insert(turn);
    }

    fn end(&mut self, index: usize, outcome: TaskOutcome) {
        self.outcomes[index] = Some(outcome);
        // With the body go the values of others that it held.
        self.nodes[index].body = None;
    }

    /// All that need the task, directly or not, will not run.
    fn skip_dependents(&mut self, failed: usize) {
        let mut needing = std::mem::take(&mut self.needed_by[failed]);
        while let Some(index) = needing.pop() {
            if self.outcomes[index].is_none() {
                self.counts.skipped += 1;
                self.end(index, TaskOutcome::Skipped { failed });
                needing.append(&mut self.needed_by[index]);
            }
        }
    }
}

fn is_cancellation(error: &TaskError) -> bool {
    let error = error.downcast_ref::<Error>();
    error.is_some_and(|error| error.kind() == ErrorKind::Cancelled)
}

/// The error of a task: of the kind that dframe's own errors have, else [`ErrorKind::Task`].
fn attributed(options: &TaskOptions, attempts: u32, error: TaskError) -> Error {
    let kind = error.downcast_ref::<Error>().map_or(ErrorKind::Task, Error::kind);
    let after = if attempts > 1 { format!(" after {attempts} attempts") } else { String::new() };
    Error::new(kind, format!("{} failed{after}", options.described())).source(error)
}
