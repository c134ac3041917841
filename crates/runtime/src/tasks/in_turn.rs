//! A user's tasks one by one, on the thread that waits for them: the oracle of the driver.

use std::time::{Duration, Instant};

use dframe_core::{Error, Event, Result};

use crate::run::fenced;
use crate::task::TaskContext;
use crate::tasks::graph::{TaskError, TaskGraph, TaskScope};
use crate::tasks::progress::{Ended, Progress};
use crate::tasks::report::{SharedProgress, TaskReport, TaskRun, TaskWork};

/// Runs `graph` when its report is waited for.
pub(crate) fn run_in_turn(graph: TaskGraph, mut context: TaskContext) -> Result<TaskRun> {
    if let Some(error) = graph.invalid {
        return Err(error);
    }
    context.cancel = context.cancel.child();
    let (identity, shared) = (graph.identity.clone(), SharedProgress::default());
    let cancel = context.cancel.clone();
    let mut progress = Progress::new(graph);
    shared.set(progress.counts());
    let told = shared.clone();
    let work = TaskWork::Caller(Box::new(move || {
        while !progress.counts().is_finished() {
            turn(&mut progress, &context);
            told.set(progress.counts());
        }
        let counts = progress.counts();
        TaskReport::new(identity, progress.into_outcomes(), counts)
    }));
    Ok(TaskRun::new(work, shared, cancel))
}

fn turn(progress: &mut Progress, context: &TaskContext) {
    if context.cancel.is_cancelled() {
        return progress.give_up();
    }
    let next_wake = progress.wake(Instant::now());
    match (progress.peek_any(), next_wake) {
        (Some(index), _) => run_one(progress, index, context),
        (None, Some(at)) => {
            // What is cancelled meanwhile is seen at the next turn.
            let _ = TaskScope { cancel: context.cancel.clone(), attempt: 1 }
                .sleep(at.saturating_duration_since(Instant::now()));
        }
        (None, None) => progress.give_up(),
    }
}

fn run_one(progress: &mut Progress, index: usize, context: &TaskContext) {
    let options = progress.options(index);
    let (name, memory) = (options.name.clone(), options.memory);
    let (body, attempt) = progress.begin(index);
    let scope = TaskScope { cancel: context.cancel.clone(), attempt };
    let (result, _) = attempt_task(&name, index, context, || {
        let _held = context.budget.reserve(memory, &name)?;
        body(&scope)
    });
    drop(body);
    settle(progress, (index, &name, attempt), result, context);
}

/// Runs an attempt between its two events; a panic is an error.
pub(super) fn attempt_task(
    name: &str,
    index: usize,
    context: &TaskContext,
    work: impl FnOnce() -> Result<(), TaskError>,
) -> (Result<(), TaskError>, Duration) {
    let name = name.to_string();
    context.observer.observe(&Event::TaskStarted { stage: 0, name: name.clone(), index });
    let begin = Instant::now();
    let result = fenced(&name, index, || Ok(work())).unwrap_or_else(|panic| Err(panic.into()));
    let busy = begin.elapsed();
    let ran = Event::TaskRan { stage: 0, name: name.clone(), index, took: busy };
    context.observer.observe(&ran);
    context.observer.observe(&Event::TaskFinished {
        stage: 0,
        name,
        index,
        busy,
        rows: 0,
        bytes: 0,
    });
    (result, busy)
}

/// Takes in how an attempt ended.
pub(super) fn settle(
    progress: &mut Progress,
    (index, name, attempt): (usize, &str, u32),
    result: Result<(), TaskError>,
    context: &TaskContext,
) {
    let Err(error) = result else { return progress.succeed(index) };
    let text = error.to_string();
    if context.cancel.is_cancelled() {
        progress.fail(index, Error::cancelled().into());
    } else if let Ended::TriedAgainAfter(wait) = progress.fail(index, error) {
        let name = name.to_string();
        context.observer.observe(&Event::TaskRetried { name, index, attempt, wait, error: text });
    }
}
