//! The threaded executor against the sync one, and how runs end.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod graphs;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dframe_core::{Error, ErrorKind, Event, Fetched, Observer, Reservation, Result};
use dframe_runtime::{
    Chunk, Dependency, Executor, FetchJob, Flow, Run, StageGraph, SyncExecutor, Task, TaskContext,
    ThreadedExecutor, ThreadedOptions,
};
use graphs::*;
use proptest::prelude::*;

fn threaded(threads: usize) -> ThreadedExecutor {
    ThreadedExecutor::new(ThreadedOptions { threads, io_threads: 2, io_tasks: 64 }).unwrap()
}

fn both() -> Vec<Box<dyn Executor>> {
    vec![Box::new(SyncExecutor::new()), Box::new(threaded(1)), Box::new(threaded(3))]
}

fn collect(run: Result<Run>) -> Result<Vec<Chunk>> {
    run?.collect()
}

// ---- random graphs ----

#[derive(Clone, Debug)]
struct RandomTask {
    /// Stage, and two points that bound a range, each as a share of what there is.
    needs: Vec<(f64, f64, f64)>,
    fetches: usize,
    enough_after: usize,
}

fn random_task() -> impl Strategy<Value = RandomTask> {
    let share = || 0.0..1.0_f64;
    let needs = prop::collection::vec((share(), share(), share()), 0..3);
    (needs, 0_usize..4, 1_usize..6).prop_map(|(needs, fetches, enough_after)| RandomTask {
        needs,
        fetches,
        enough_after,
    })
}

fn random_graph() -> impl Strategy<Value = Vec<Vec<RandomTask>>> {
    prop::collection::vec(prop::collection::vec(random_task(), 1..10), 1..6)
}

fn range(tasks: usize, (a, b): (f64, f64)) -> Range<usize> {
    let at = |share: f64| (share * (tasks + 1) as f64) as usize;
    at(a.min(b))..at(a.max(b))
}

fn build(stages: &[Vec<RandomTask>], runs: &Arc<Vec<AtomicU32>>) -> StageGraph {
    let mut graph = StageGraph::new();
    let counts: Vec<usize> = stages.iter().map(Vec::len).collect();
    for (position, tasks) in stages.iter().enumerate() {
        let needs: Vec<Vec<Dependency>> = tasks
            .iter()
            .map(|task| {
                let earlier = task.needs.iter().filter(|_| position > 0);
                earlier
                    .map(|(on, a, b)| {
                        let stage = (on * position as f64) as usize;
                        Dependency { stage, tasks: range(counts[stage], (*a, *b)) }
                    })
                    .collect()
            })
            .collect();
        let first = counts[..position].iter().sum::<usize>();
        let (tasks, runs) = (tasks.clone(), runs.clone());
        graph.push(Arc::new(TestStage {
            name: format!("mix{position}"),
            count: tasks.len(),
            needs: Box::new(move |index| needs[index].clone()),
            projected: MIX_BYTES,
            make: Box::new(move |index| {
                let RandomTask { fetches, enough_after, .. } = tasks[index];
                let recipe = Recipe { seed: (first + index) as u64, fetches, enough_after };
                Ok(Box::new(Mix::new(recipe, runs.clone())))
            }),
        }));
    }
    graph
}

/// Runs the graph; returns a digest per output, and how often each task was run.
fn outcome(
    executor: &dyn Executor,
    stages: &[Vec<RandomTask>],
    limit: usize,
) -> (Vec<i64>, Vec<u32>) {
    let place = Place::new(limit);
    let tasks = stages.iter().map(Vec::len).sum();
    let runs: Arc<Vec<AtomicU32>> = Arc::new((0..tasks).map(|_| AtomicU32::new(0)).collect());
    let run = executor.run(build(stages, &runs), place.context.clone()).unwrap();
    let digests = run.map(|chunk| digest(&chunk.unwrap())).collect();
    assert!(place.context.budget.peak() <= limit);
    place.assert_clean();
    (digests, runs.iter().map(|runs| runs.load(Ordering::Relaxed)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn threads_and_memory_do_not_change_the_result(stages in random_graph()) {
        let expected = outcome(&SyncExecutor::new(), &stages, usize::MAX);
        prop_assert!(expected.1.iter().all(|runs| *runs <= 1));
        // Just enough for one task that reads and another that does not.
        let starved = 2 * MIX_BYTES + FETCH_BYTES;
        prop_assert_eq!(&outcome(&SyncExecutor::new(), &stages, starved), &expected);
        for threads in [1, 2, 8] {
            let executor = threaded(threads);
            for limit in [usize::MAX, 20 * MIX_BYTES, starved, MIX_BYTES + FETCH_BYTES] {
                prop_assert_eq!(&outcome(&executor, &stages, limit), &expected);
            }
        }
    }
}

// ---- size ----

fn tree(leaves: usize, fan_in: usize) -> StageGraph {
    let mut graph = StageGraph::new();
    let nothing = |_: usize| -> Box<dyn Task> { Box::new(Finish(|_, _: &_| Ok(Chunk::default()))) };
    let mut last = stage(&mut graph, leaves, |_| vec![], nothing);
    let mut count = leaves;
    while count > 1 {
        let (below, on_stage) = (count, last);
        count = count.div_ceil(fan_in);
        let needs = move |i: usize| on(on_stage, i * fan_in..((i + 1) * fan_in).min(below));
        last = stage(&mut graph, count, needs, nothing);
    }
    graph
}

#[test]
fn a_hundred_thousand_tasks_take_seconds() {
    for executor in both() {
        let place = Place::new(1 << 20);
        let begin = Instant::now();
        assert_eq!(
            collect(executor.run(tree(100_000, 16), place.context.clone())).unwrap().len(),
            1
        );
        eprintln!("100,000 leaves: {:?}", begin.elapsed());
        assert!(begin.elapsed() < Duration::from_secs(20));
        place.assert_clean();
    }
}

#[test]
fn a_wide_shuffle_takes_seconds() {
    for executor in both() {
        let place = Place::new(1 << 20);
        let mut graph = StageGraph::new();
        let nothing =
            |_: usize| -> Box<dyn Task> { Box::new(Finish(|_, _: &_| Ok(Chunk::default()))) };
        stage(&mut graph, 1000, |_| vec![], nothing);
        let count_inputs = |_: usize| -> Box<dyn Task> {
            Box::new(Finish(|inputs: Vec<Chunk>, _: &_| {
                assert_eq!(inputs.len(), 1000);
                Ok(Chunk::default())
            }))
        };
        stage(&mut graph, 1000, |_| on(0, 0..1000), count_inputs);
        let begin = Instant::now();
        assert_eq!(collect(executor.run(graph, place.context.clone())).unwrap().len(), 1000);
        assert!(begin.elapsed() < Duration::from_secs(10));
    }
}

// ---- order, laziness, read-ahead ----

#[test]
fn no_stage_or_no_task_is_an_empty_result() {
    for executor in both() {
        let place = Place::new(1000);
        assert!(
            collect(executor.run(StageGraph::new(), place.context.clone())).unwrap().is_empty()
        );
        assert!(collect(executor.run(tree(0, 2), place.context.clone())).unwrap().is_empty());
    }
}

#[test]
fn a_consumer_that_stops_leaves_the_rest_undone() {
    let place = Place::new(1 << 20);
    let begun = Arc::new(AtomicUsize::new(0));
    for executor in both() {
        begun.store(0, Ordering::Relaxed);
        let mut graph = StageGraph::new();
        let count = begun.clone();
        stage(
            &mut graph,
            1000,
            |_| vec![],
            move |_| {
                count.fetch_add(1, Ordering::Relaxed);
                Box::new(Finish(|_, _: &_| Ok(Chunk::default())))
            },
        );
        let pass =
            |_: usize| -> Box<dyn Task> { Box::new(Finish(|_, _: &_| Ok(Chunk::default()))) };
        stage(&mut graph, 1000, |i| on(0, i..i + 1), pass);
        let taken = executor.run(graph, place.context.clone()).unwrap().take(3).count();
        assert_eq!(taken, 3);
        assert!(begun.load(Ordering::Relaxed) <= 3 + 2 * 3, "{begun:?}");
    }
    place.assert_clean();
}

/// Each step waits until the next fetch has begun.
struct Overlap {
    asked: usize,
    stepped: usize,
    begun: Arc<AtomicUsize>,
}

impl Task for Overlap {
    fn next_fetch(&mut self) -> Option<FetchJob> {
        self.asked += 1;
        let (number, begun) = (self.asked, self.begun.clone());
        let run = Box::new(move || {
            assert_eq!(begun.swap(number, Ordering::SeqCst), number - 1, "one after the other");
            Ok(Fetched::default())
        });
        (number <= 20).then_some(FetchJob { bytes: 1, run })
    }

    fn step(&mut self, _: Fetched, _: Reservation, _: &TaskContext) -> Result<Flow> {
        self.stepped += 1;
        let begin = Instant::now();
        while self.begun.load(Ordering::SeqCst) < (self.stepped + 1).min(20) {
            assert!(begin.elapsed() < Duration::from_secs(10), "the next fetch did not begin");
            std::thread::yield_now();
        }
        Ok(Flow::Continue)
    }

    fn finish(self: Box<Self>, _: Vec<Chunk>, _: &TaskContext) -> Result<Chunk> {
        assert_eq!(self.stepped, 20);
        Ok(Chunk::default())
    }
}

#[test]
fn the_next_fetch_runs_during_a_step() {
    let place = Place::new(1000);
    let mut graph = StageGraph::new();
    stage(
        &mut graph,
        3,
        |_| vec![],
        |_| Box::new(Overlap { asked: 0, stepped: 0, begun: Arc::default() }),
    );
    assert_eq!(collect(threaded(1).run(graph, place.context.clone())).unwrap().len(), 3);
    place.assert_clean();
}

// ---- memory ----

/// Reads `bytes` once, and makes an empty chunk.
struct Reads(Option<usize>);

impl Task for Reads {
    fn next_fetch(&mut self) -> Option<FetchJob> {
        let bytes = self.0.take()?;
        Some(FetchJob { bytes, run: Box::new(|| Ok(Fetched::default())) })
    }
    fn finish(self: Box<Self>, _: Vec<Chunk>, _: &TaskContext) -> Result<Chunk> {
        Ok(Chunk::default())
    }
}

#[test]
fn a_read_that_cannot_fit_is_over_budget() {
    for executor in both() {
        let place = Place::new(1000);
        let mut graph = StageGraph::new();
        stage(
            &mut graph,
            5,
            |_| vec![],
            |i| Box::new(Reads(Some(if i == 3 { 1001 } else { 1000 }))),
        );
        let mut run = executor.run(graph, place.context.clone()).unwrap();
        for _ in 0..3 {
            run.next().unwrap().unwrap();
        }
        let error = run.next().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OverBudget);
        assert!(error.to_string().contains("stage0 needs 1001 B more"), "{error}");
        assert!(run.next().is_none());
        place.assert_clean();
    }
}

#[test]
fn a_projection_beyond_the_limit_is_no_error() {
    let place = Place::new(1000);
    let mut graph = StageGraph::new();
    graph.push(Arc::new(TestStage {
        name: "pessimist".to_string(),
        count: 4,
        needs: Box::new(|_| vec![]),
        projected: 5000,
        make: Box::new(|_| Ok(Box::new(Finish(|_, _: &_| Ok(Chunk::default()))))),
    }));
    assert_eq!(collect(threaded(2).run(graph, place.context.clone())).unwrap().len(), 4);
}

#[test]
fn a_consumer_may_hold_the_memory_that_the_next_read_needs() {
    let place = Place::new(1000);
    let mut graph = StageGraph::new();
    stage(&mut graph, 5, |_| vec![], |_| Box::new(Reads(Some(800))));
    let mut run = threaded(2).run(graph, place.context.clone()).unwrap();
    for _ in 0..5 {
        assert!(run.next().unwrap().is_ok());
        let held = place.context.budget.reserve(900, "sink");
        std::thread::sleep(Duration::from_millis(30));
        drop(held);
    }
    assert!(run.next().is_none());
}

#[test]
fn a_run_waits_for_the_memory_of_another() {
    let place = Place::new(1000);
    let executor = threaded(2);
    let mut hog = StageGraph::new();
    stage(
        &mut hog,
        1,
        |_| vec![],
        |_| {
            Box::new(Finish(|_, context: &TaskContext| {
                let _held = context.budget.reserve(800, "hog")?;
                std::thread::sleep(Duration::from_millis(150));
                Ok(Chunk::default())
            }))
        },
    );
    let mut reader = StageGraph::new();
    stage(&mut reader, 3, |_| vec![], |_| Box::new(Reads(Some(500))));
    let first = executor.run(hog, place.context.clone()).unwrap();
    std::thread::sleep(Duration::from_millis(30));
    let second = executor.run(reader, place.context.clone()).unwrap();
    assert_eq!(second.map(Result::unwrap).count(), 3);
    assert_eq!(first.map(Result::unwrap).count(), 1);
    place.assert_clean();
}

#[test]
fn runs_share_an_executor() {
    let place = Place::new(1 << 20);
    let executor = threaded(2);
    let mut runs: Vec<Run> =
        (0..4).map(|_| executor.run(tree(50, 3), place.context.clone()).unwrap()).collect();
    assert!(runs.iter_mut().all(|run| run.next().unwrap().is_ok() && run.next().is_none()));
}

// ---- errors, panics, cancellation ----

#[derive(Clone, Copy, Debug)]
enum Fault {
    Make,
    Fetch,
    Step,
    Finish,
}

struct Faulty {
    fault: Option<Fault>,
    panics: bool,
    fetched: bool,
}

impl Faulty {
    fn fail(&self) -> Result<()> {
        assert!(!self.panics, "as told");
        Err(Error::invalid_data("as told"))
    }
}

impl Task for Faulty {
    fn next_fetch(&mut self) -> Option<FetchJob> {
        if std::mem::replace(&mut self.fetched, true) {
            return None;
        }
        let broken = matches!(self.fault, Some(Fault::Fetch));
        let panics = self.panics;
        let run = Box::new(move || {
            let task = Faulty { fault: None, panics, fetched: true };
            if broken {
                task.fail()?
            }
            Ok(Fetched::default())
        });
        Some(FetchJob { bytes: 10, run })
    }
    fn step(&mut self, _: Fetched, _: Reservation, _: &TaskContext) -> Result<Flow> {
        if matches!(self.fault, Some(Fault::Step)) {
            self.fail()?;
        }
        Ok(Flow::Continue)
    }
    fn finish(self: Box<Self>, _: Vec<Chunk>, context: &TaskContext) -> Result<Chunk> {
        if matches!(self.fault, Some(Fault::Finish)) {
            self.fail()?;
        }
        let runs = Arc::new(vec![AtomicU32::new(0)]);
        let recipe = Recipe { seed: 0, fetches: 0, enough_after: 1 };
        Box::new(Mix::new(recipe, runs)).finish(vec![], context)
    }
}

#[test]
fn an_error_or_a_panic_ends_the_run_and_cleans_up() {
    for executor in both() {
        for fault in [Fault::Make, Fault::Fetch, Fault::Step, Fault::Finish] {
            for panics in [false, true] {
                // Small enough that chunks of the first stage are on disk by then.
                let place = Place::new(3 * MIX_BYTES);
                let mut graph = StageGraph::new();
                graph.push(Arc::new(TestStage {
                    name: "faulty".to_string(),
                    count: 12,
                    needs: Box::new(|_| vec![]),
                    projected: MIX_BYTES,
                    make: Box::new(move |index| {
                        let task =
                            Faulty { fault: (index == 7).then_some(fault), panics, fetched: false };
                        if index == 7 && matches!(fault, Fault::Make) {
                            task.fail()?
                        }
                        Ok(Box::new(task))
                    }),
                }));
                let last = |_: usize| -> Box<dyn Task> {
                    Box::new(Finish(|_, _: &_| Ok(Chunk::default())))
                };
                stage(&mut graph, 1, |_| on(0, 0..12), last);
                let mut run = executor.run(graph, place.context.clone()).unwrap();
                let error = run.next().unwrap().unwrap_err();
                let expected =
                    if panics { "task 7 of stage 'faulty' panicked: as told" } else { "as told" };
                assert_eq!(error.message(), expected, "{fault:?}");
                assert!(run.next().is_none());
                assert!(place.context.store.spilled_bytes() > 0);
                assert!(
                    !place.context.cancel.is_cancelled(),
                    "the caller's token is not ours to set"
                );
                drop(run);
                place.assert_clean();
            }
        }
    }
}

#[test]
fn cancelling_ends_the_run_promptly() {
    let executor = threaded(2);
    let place = Place::new(1 << 20);
    let mut graph = StageGraph::new();
    stage(
        &mut graph,
        100,
        |_| vec![],
        |_| {
            Box::new(Finish(|_, context: &TaskContext| {
                loop {
                    context.cancel.check()?;
                    std::thread::sleep(Duration::from_millis(1));
                }
            }))
        },
    );
    let mut run = executor.run(graph, place.context.clone()).unwrap();
    let cancel = place.context.cancel.clone();
    let canceller = std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            cancel.cancel();
            Instant::now()
        });
        let error = run.next().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        Instant::now()
    });
    assert!(canceller.elapsed() < Duration::from_secs(1));
    place.assert_clean();
}

#[test]
fn dropping_a_run_stops_its_tasks() {
    let executor = threaded(2);
    let place = Place::new(1 << 20);
    let (began, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let mut graph = StageGraph::new();
    let flags = (began.clone(), ended.clone());
    stage(
        &mut graph,
        1,
        |_| vec![],
        move |_| {
            let (began, ended) = flags.clone();
            Box::new(Finish(move |_, context: &TaskContext| {
                began.store(true, Ordering::SeqCst);
                while !context.cancel.is_cancelled() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                std::thread::sleep(Duration::from_millis(20));
                ended.store(true, Ordering::SeqCst);
                Ok(Chunk::default())
            }))
        },
    );
    let run = executor.run(graph, place.context.clone()).unwrap();
    while !began.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
    drop(run);
    assert!(ended.load(Ordering::SeqCst), "the drop waits for what runs");
    assert!(!place.context.cancel.is_cancelled());
    place.assert_clean();
}

#[test]
fn a_read_that_hangs_does_not_hold_up_the_end_for_ever() {
    struct Hangs(bool);
    impl Task for Hangs {
        fn next_fetch(&mut self) -> Option<FetchJob> {
            let run = Box::new(|| {
                std::thread::sleep(Duration::from_secs(4));
                Ok(Fetched::default())
            });
            (!std::mem::replace(&mut self.0, true)).then_some(FetchJob { bytes: 1, run })
        }
        fn finish(self: Box<Self>, _: Vec<Chunk>, _: &TaskContext) -> Result<Chunk> {
            Ok(Chunk::default())
        }
    }
    let place = Place::new(1 << 20);
    let mut graph = StageGraph::new();
    stage(&mut graph, 1, |_| vec![], |_| Box::new(Hangs(false)));
    let begin = Instant::now();
    let run = threaded(1).run(graph, place.context.clone()).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    drop(run);
    assert!(begin.elapsed() < Duration::from_secs(3));
}

// ---- events ----

#[derive(Default)]
struct Log(Mutex<Vec<Event>>);

impl Observer for Log {
    fn observe(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

#[test]
fn every_task_is_seen_to_start_and_end() {
    for executor in both() {
        let log = Arc::new(Log::default());
        let place = Place::with_observer(1 << 20, log.clone());
        let tasks = vec![RandomTask { needs: vec![], fetches: 2, enough_after: 9 }; 5];
        let runs = Arc::new((0..5).map(|_| AtomicU32::new(0)).collect());
        assert_eq!(
            collect(executor.run(build(&[tasks], &runs), place.context.clone())).unwrap().len(),
            5
        );
        let events = log.0.lock().unwrap();
        for wanted in 0..5 {
            let started = |event: &&Event| matches!(event, Event::TaskStarted { index, .. } if *index == wanted);
            assert_eq!(events.iter().filter(started).count(), 1);
            let finished = |event: &&Event| matches!(event, Event::TaskFinished { index, rows, .. } if *index == wanted && *rows == ROWS as u64);
            assert_eq!(events.iter().filter(finished).count(), 1);
        }
        let read = |event: &Event| if let Event::BytesRead(bytes) = event { *bytes } else { 0 };
        assert_eq!(events.iter().map(read).sum::<u64>(), 5 * 2 * 80);
    }
}
