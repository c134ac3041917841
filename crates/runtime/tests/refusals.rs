//! What happens when the budget refuses: tasks go again alone, and give way.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[expect(dead_code, reason = "other tests need more of it")]
mod graphs;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use dframe_core::{ErrorKind, Event, Fetched, Observer, Reservation, Result};
use dframe_runtime::{
    Chunk, Dependency, Executor, FetchJob, Flow, Pattern, Stage, StageGraph, SyncExecutor, Task,
    TaskContext, ThreadedExecutor, ThreadedOptions,
};
use graphs::*;

/// Tasks that hold 400 bytes, and then want `more`.
struct Greedy {
    tasks: usize,
    more: usize,
    repeatable: bool,
    seen: Arc<Seen>,
}

struct Seen {
    attempts: AtomicUsize,
    at_work: AtomicUsize,
    /// The most tasks at work beside one that got all it wanted.
    beside: AtomicUsize,
    /// The first attempts of the first two tasks meet, each with what it holds.
    meeting: Barrier,
    met: [AtomicBool; 2],
}

impl Greedy {
    fn stage(tasks: usize, more: usize, repeatable: bool) -> (Arc<Seen>, Arc<Self>) {
        let seen = Arc::new(Seen {
            attempts: AtomicUsize::new(0),
            at_work: AtomicUsize::new(0),
            beside: AtomicUsize::new(0),
            meeting: Barrier::new(2),
            met: [AtomicBool::new(false), AtomicBool::new(false)],
        });
        (seen.clone(), Arc::new(Self { tasks, more, repeatable, seen }))
    }
}

impl Stage for Greedy {
    fn name(&self) -> &str {
        "greedy"
    }
    fn pattern(&self) -> Pattern {
        Pattern::Shuffle
    }
    fn task_count(&self) -> usize {
        self.tasks
    }
    fn dependencies(&self, _index: usize) -> Vec<Dependency> {
        Vec::new()
    }
    fn is_repeatable(&self) -> bool {
        self.repeatable
    }
    fn task(&self, index: usize) -> Result<Box<dyn Task>> {
        let (seen, more) = (self.seen.clone(), self.more);
        Ok(Box::new(Finish(move |_, context: &TaskContext| {
            seen.attempts.fetch_add(1, Ordering::SeqCst);
            seen.at_work.fetch_add(1, Ordering::SeqCst);
            let result = seen.claim(index, more, context);
            seen.at_work.fetch_sub(1, Ordering::SeqCst);
            result
        })))
    }
}

impl Seen {
    fn claim(&self, index: usize, more: usize, context: &TaskContext) -> Result<Chunk> {
        let mut held = context.budget.reserve(400, "a table")?;
        if self.met.get(index).is_some_and(|met| !met.swap(true, Ordering::SeqCst)) {
            self.meeting.wait();
            let refused = held.grow(more, "a table");
            self.meeting.wait();
            refused?;
        } else {
            held.grow(more, "a table")?;
        }
        self.beside.fetch_max(self.at_work.load(Ordering::SeqCst), Ordering::SeqCst);
        Ok(Chunk::default())
    }
}

fn executor() -> ThreadedExecutor {
    ThreadedExecutor::new(ThreadedOptions { threads: 2, io_threads: 1, io_tasks: 1 }).unwrap()
}

#[derive(Default)]
struct Retries(Mutex<Vec<usize>>);

impl Observer for Retries {
    fn observe(&self, event: &Event) {
        if let Event::TaskRetried { index, .. } = event {
            self.0.lock().unwrap().push(*index);
        }
    }
}

#[test]
fn two_that_do_not_fit_together_go_one_after_the_other() {
    let retries = Arc::new(Retries::default());
    let place = Place::with_observer(1000, retries.clone());
    let mut graph = StageGraph::new();
    let (seen, stage) = Greedy::stage(2, 500, true);
    graph.push(stage);
    let chunks = executor().run(graph, place.context.clone()).unwrap();
    assert_eq!(chunks.map(Result::unwrap).count(), 2);
    assert_eq!(seen.attempts.load(Ordering::SeqCst), 4);
    assert_eq!(seen.beside.load(Ordering::SeqCst), 1, "each had the run to itself");
    let mut retried = retries.0.lock().unwrap().clone();
    retried.sort();
    assert_eq!(retried, [0, 1]);
    place.assert_clean();
}

#[test]
fn the_rest_of_the_stage_follows() {
    let place = Place::new(1000);
    let mut graph = StageGraph::new();
    graph.push(Greedy::stage(40, 500, true).1);
    let chunks = executor().run(graph, place.context.clone()).unwrap();
    assert_eq!(chunks.map(Result::unwrap).count(), 40);
    place.assert_clean();
}

#[test]
fn what_does_not_fit_alone_is_an_error() {
    for (repeatable, attempts) in [(true, 3), (false, 2)] {
        let place = Place::new(1000);
        let mut graph = StageGraph::new();
        let (seen, stage) = Greedy::stage(2, 601, repeatable);
        graph.push(stage);
        let mut chunks = executor().run(graph, place.context.clone()).unwrap();
        let error = chunks.next().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OverBudget);
        assert!(chunks.next().is_none());
        drop(chunks);
        assert_eq!(seen.attempts.load(Ordering::SeqCst), attempts);
        place.assert_clean();
    }
}

/// Reads 800 bytes twice, and holds 300 from the first step on.
struct Hoarder {
    reads: usize,
    held: Option<Reservation>,
    gives_way: bool,
}

impl Task for Hoarder {
    fn next_fetch(&mut self) -> Option<FetchJob> {
        self.reads = self.reads.checked_sub(1)?;
        let run = Box::new(|| Ok(Fetched::default()));
        Some(FetchJob { bytes: 800, run })
    }
    fn step(&mut self, _: Fetched, read: Reservation, context: &TaskContext) -> Result<Flow> {
        drop(read);
        self.held = Some(context.budget.reserve(300, "hoard")?);
        Ok(Flow::Continue)
    }
    fn give_way(&mut self, _: &TaskContext) -> Result<()> {
        if self.gives_way {
            self.held = None;
        }
        Ok(())
    }
    fn finish(self: Box<Self>, _: Vec<Chunk>, _: &TaskContext) -> Result<Chunk> {
        Ok(Chunk::default())
    }
}

#[test]
fn a_task_gives_way_to_its_own_reads_and_to_others() {
    let executors: [Box<dyn Executor>; 2] = [Box::new(SyncExecutor::new()), Box::new(executor())];
    for executor in executors {
        for gives_way in [true, false] {
            let place = Place::new(1000);
            let mut graph = StageGraph::new();
            let make =
                move |_| -> Box<dyn Task> { Box::new(Hoarder { reads: 2, held: None, gives_way }) };
            stage(&mut graph, 3, |_| vec![], make);
            let chunks = executor.run(graph, place.context.clone()).unwrap();
            let result = chunks.collect::<Result<Vec<Chunk>>>();
            match gives_way {
                true => assert_eq!(result.unwrap().len(), 3),
                false => assert_eq!(result.unwrap_err().kind(), ErrorKind::OverBudget),
            }
            place.assert_clean();
        }
    }
}
