//! Graphs of a user's own tasks, under both executors.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use dframe_core::{Budget, CancelToken, Error, ErrorKind, Silent};
use dframe_runtime::tasks::{Retry, TaskGraph, TaskOptions, TaskOutcome};
use dframe_runtime::{
    ChunkStore, Executor, StoreOptions, SyncExecutor, TaskContext, ThreadedExecutor,
    ThreadedOptions,
};

fn threaded(threads: usize, io_tasks: usize) -> ThreadedExecutor {
    ThreadedExecutor::new(ThreadedOptions { threads, io_threads: 2, io_tasks }).unwrap()
}

fn executors() -> [Box<dyn Executor>; 3] {
    [Box::new(SyncExecutor::new()), Box::new(threaded(1, 4)), Box::new(threaded(2, 64))]
}

fn context(limit: usize) -> TaskContext {
    let budget = Budget::new(limit);
    let spill = StoreOptions { temp_dir: std::env::temp_dir(), temp_limit: None };
    let store = ChunkStore::new(spill, Arc::new(Silent), budget.clone());
    TaskContext { budget, store, cancel: CancelToken::new(), observer: Arc::new(Silent) }
}

fn soon() -> Retry {
    Retry::up_to(5).wait(Duration::from_millis(1)).factor(1.0)
}

#[test]
fn values_go_from_task_to_task() {
    for executor in executors() {
        let mut graph = TaskGraph::new();
        let squares: Vec<_> = (0..100_u64)
            .map(|n| {
                let read = graph.io_bound("read", (), move |(), _| Ok(n));
                graph.cpu_bound("square", read, |n, _| Ok(*n * *n))
            })
            .collect();
        let one = graph.io_bound("one", (), |(), _| Ok(1_u64));
        let sum = graph.cpu_bound("sum", (squares, one), |(squares, one), _| {
            Ok(squares.iter().map(|n| **n).sum::<u64>() + *one)
        });
        let report = executor.run_tasks(graph, context(1 << 20)).unwrap().wait().unwrap();
        assert_eq!(*report.value(&sum).unwrap(), 328_351);
        assert_eq!(report.progress().done, 202);
    }
}

#[test]
fn a_failure_skips_what_needs_it_and_nothing_else() {
    for executor in executors() {
        let mut graph = TaskGraph::new();
        let bad = graph.add(TaskOptions::io_bound("request").label("BAD"), (), |(), _| {
            Err::<u64, _>("no such instrument".into())
        });
        let after = graph.cpu_bound("parse", bad, |n, _| Ok(*n));
        let last = graph.cpu_bound("store", after.clone(), |n, _| Ok(*n));
        let good = graph.io_bound("request", (), |(), _| Ok(7_u64));
        let report = executor.run_tasks(graph, context(1 << 20)).unwrap().wait().unwrap();
        assert_eq!(*report.value(&good).unwrap(), 7);
        let error = report.value(&last).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Task);
        assert_eq!(error.to_string(), "task 'request' (BAD) failed: no such instrument");
        assert!(matches!(report.tasks()[2].outcome, TaskOutcome::Skipped { failed: 0 }));
        let counts = report.progress();
        assert_eq!((counts.done, counts.failed, counts.skipped), (1, 1, 2));
        assert!(report.into_complete().is_err());
    }
}

#[test]
fn a_flaky_task_is_tried_until_it_succeeds() {
    for executor in executors() {
        let mut graph = TaskGraph::new();
        let flaky = graph.add(TaskOptions::io_bound("poll").retry(soon()), (), |(), scope| {
            match scope.attempt() {
                attempt @ 4.. => Ok(attempt),
                _ => Err("not ready".into()),
            }
        });
        let hopeless = graph.add(TaskOptions::cpu_bound("parse").retry(soon()), (), |(), _| {
            Err::<(), _>("bad".into())
        });
        let report = executor.run_tasks(graph, context(1 << 20)).unwrap().wait().unwrap();
        assert_eq!(*report.value(&flaky).unwrap(), 4);
        let error = report.value(&hopeless).unwrap_err().to_string();
        assert_eq!(error, "task 'parse' failed after 5 attempts: bad");
        assert_eq!(report.progress().retries, 3 + 4);
    }
}

#[test]
fn a_panic_is_an_error_of_its_task() {
    for executor in executors() {
        let mut graph = TaskGraph::new();
        let bad = graph.cpu_bound("divide", (), |(), scope| Ok(1 / (scope.attempt() - 1)));
        let good = graph.cpu_bound("add", (), |(), _| Ok(2));
        let report = executor.run_tasks(graph, context(1 << 20)).unwrap().wait().unwrap();
        let error = report.value(&bad).unwrap_err().to_string();
        assert!(error.contains("panicked") && error.contains("divide by zero"), "{error}");
        assert_eq!(*report.value(&good).unwrap(), 2);
    }
}

/// All wait for each other: fewer at once would never end.
#[test]
fn hundreds_of_io_bound_tasks_wait_together_and_hold_no_worker() {
    let executor = threaded(1, 300);
    let mut graph = TaskGraph::new();
    let meeting = Arc::new(Barrier::new(301));
    for _ in 0..300 {
        let meeting = meeting.clone();
        graph.io_bound("wait", (), move |(), _| Ok(meeting.wait().is_leader()));
    }
    let computed = Arc::new(AtomicUsize::new(0));
    let count = computed.clone();
    graph.cpu_bound("compute", (), move |(), _| Ok(count.fetch_add(1, Ordering::SeqCst)));
    let run = executor.run_tasks(graph, context(1 << 20)).unwrap();
    while computed.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    assert!(!run.progress().is_finished());
    meeting.wait();
    assert_eq!(run.wait().unwrap().progress().done, 301);
}

#[test]
fn cpu_bound_tasks_and_claimed_memory_are_bounded() {
    let executor = threaded(2, 64);
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut graph = TaskGraph::new();
    for index in 0..60 {
        let (now, most) = (now.clone(), most.clone());
        let options = match index % 2 {
            0 => TaskOptions::cpu_bound("compute"),
            _ => TaskOptions::io_bound("read"),
        };
        graph.add(options.memory(300 << 10), (), move |(), _| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(1));
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        });
    }
    let context = context(1 << 20);
    let budget = context.budget.clone();
    let report = executor.run_tasks(graph, context).unwrap().wait().unwrap();
    assert_eq!(report.progress().done, 60);
    assert!((1..=3).contains(&most.load(Ordering::SeqCst)), "{most:?} tasks of 300 KiB in 1 MiB");
    assert!(budget.peak() <= 1 << 20);
    assert_eq!(budget.reserved(), 0);
}

#[test]
fn a_task_that_cannot_fit_fails_alone() {
    for executor in executors() {
        let mut graph = TaskGraph::new();
        let large = TaskOptions::cpu_bound("large").memory(2 << 20);
        let large = graph.add(large, (), |(), _| Ok(()));
        let small = graph.add(TaskOptions::cpu_bound("small").memory(1 << 10), (), |(), _| Ok(()));
        let report = executor.run_tasks(graph, context(1 << 20)).unwrap().wait().unwrap();
        assert_eq!(report.value(&large).unwrap_err().kind(), ErrorKind::OverBudget);
        assert!(report.value(&small).is_ok());
    }
}

#[test]
fn two_graphs_take_turns() {
    let executor = threaded(2, 8);
    let slow = |count: usize| {
        let mut graph = TaskGraph::new();
        for _ in 0..count {
            graph.io_bound("wait", (), |(), scope| {
                scope.sleep(Duration::from_millis(20))?;
                Ok(())
            });
            graph.cpu_bound("compute", (), |(), scope| {
                scope.sleep(Duration::from_millis(2))?;
                Ok(())
            });
        }
        graph
    };
    let many = executor.run_tasks(slow(400), context(1 << 20)).unwrap();
    let few = executor.run_tasks(slow(4), context(1 << 20)).unwrap();
    assert_eq!(few.wait().unwrap().progress().done, 8);
    assert!(!many.progress().is_finished(), "the small graph ends in the midst of the large one");
}

#[test]
fn cancelling_ends_a_run_soon_and_the_others_not_at_all() {
    let executor = threaded(2, 8);
    let mut graph = TaskGraph::new();
    let endless = graph.io_bound("wait", (), |(), scope| {
        scope.sleep(Duration::from_secs(600))?;
        Ok(())
    });
    let after = graph.cpu_bound("compute", endless.clone(), |_, _| Ok(()));
    let begin = Instant::now();
    let shared = context(1 << 20);
    let run = executor.run_tasks(graph, shared.clone()).unwrap();
    run.cancel();
    let report = run.wait().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(60));
    assert_eq!(report.value(&endless).unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(report.value(&after).unwrap_err().kind(), ErrorKind::Cancelled);
    let mut graph = TaskGraph::new();
    let next = graph.cpu_bound("next", (), |(), _| Ok(1));
    assert_eq!(
        *executor.run_tasks(graph, shared).unwrap().wait().unwrap().value(&next).unwrap(),
        1
    );
}

#[test]
fn values_are_freed_when_nobody_needs_them() {
    for executor in executors() {
        let mut graph = TaskGraph::new();
        let probe = Arc::new(());
        let held = probe.clone();
        let first = graph.cpu_bound("make", (), move |(), _| Ok(held.clone()));
        let seen = graph.cpu_bound("use", first, |held, _| Ok(Arc::strong_count(&held)));
        let report = executor.run_tasks(graph, context(1 << 20)).unwrap().wait().unwrap();
        assert!(report.value(&seen).is_ok());
        assert_eq!(Arc::strong_count(&probe), 1);
    }
}

#[test]
fn a_handle_of_another_graph_is_refused() {
    let (mut one, mut other) = (TaskGraph::new(), TaskGraph::new());
    let stranger = one.cpu_bound("stranger", (), |(), _| Ok(1));
    other.cpu_bound("use", stranger, |n, _| Ok(*n));
    let error: Error = SyncExecutor::new().run_tasks(other, context(1 << 20)).unwrap_err();
    assert!(error.to_string().contains("another graph"), "{error}");
}

#[test]
fn a_graph_is_drawn_by_name_and_depth() {
    let mut graph = TaskGraph::new();
    for _ in 0..1000 {
        let page = graph.io_bound("request", (), |(), _| Ok(()));
        graph.cpu_bound("parse", page, |_, _| Ok(()));
    }
    let text = graph.to_string();
    assert!(text.contains("request  I/O-bound  1000 tasks"), "{text}");
    assert!(text.contains("parse    CPU-bound  1000 tasks"), "{text}");
    assert!(graph.to_svg().starts_with("<svg ") && graph.to_dot().contains("1000 tasks"));
}
