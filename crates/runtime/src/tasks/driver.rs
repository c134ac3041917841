//! The driver of one graph of user's tasks: decides what starts next and hears of everything that ends.
//!
//! ```text
//!               +--> a worker (CPU-bound) -----------+
//!   Driver -----+--> a waiting thread (I/O-bound) ---+--> Ended
//!      ^        +--> a waiting thread that claims ---+--> Claimed
//!      +------------------------ Signal -------------+
//! ```
//!
//! It waits for nothing but signals and for the time at which a task is tried again.
//!
//! Invariants: a graph has at most as many CPU-bound tasks under way as there are workers, and queries
//! send no more to them at once either, so that all take turns; it has no more than its share of the
//! waiting threads, and, in memory claimed for tasks, of the limit, unless it has one task only.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use dframe_core::{Error, ErrorKind, Reservation, Result};

use crate::activity::Activity;
use crate::coordinator::{Job, OTHERS_STUCK, TICK};
use crate::task::TaskContext;
use crate::tasks::graph::{Body, Bound, TaskError, TaskGraph, TaskScope};
use crate::tasks::in_turn::{attempt_task, settle};
use crate::tasks::progress::Progress;
use crate::tasks::report::{SharedProgress, TaskReport, TaskRun, TaskWork};
use crate::tasks::waiting::WaitingThreads;
use crate::threaded::start_thread;

/// Where a driver sends tasks.
#[derive(Clone)]
pub(crate) struct TaskCrew {
    pub(crate) pool: Arc<rayon::ThreadPool>,
    pub(crate) waiting: Arc<WaitingThreads>,
    pub(crate) activity: Arc<Activity>,
}

/// Begins to run `graph` from a thread of its own.
pub(crate) fn start(graph: TaskGraph, mut context: TaskContext, crew: TaskCrew) -> Result<TaskRun> {
    if let Some(error) = graph.invalid {
        return Err(error);
    }
    // Stopping this run must not stop the others that share the caller's token.
    context.cancel = context.cancel.child();
    let cancel = context.cancel.clone();
    let (identity, shared) = (graph.identity.clone(), SharedProgress::default());
    let driver = Driver::new(graph, context, crew, shared.clone());
    let thread = start_thread("dframe-tasks".to_string(), move || {
        let progress = driver.run();
        let counts = progress.counts();
        TaskReport::new(identity, progress.into_outcomes(), counts)
    })?;
    Ok(TaskRun::new(TaskWork::Thread(thread), shared, cancel))
}

enum Signal {
    /// An attempt has ended, and holds nothing any more.
    Ended(usize, Result<(), TaskError>),
    /// The budget has answered.
    Claimed(usize, Result<Reservation>),
}

/// A task that was begun.
struct Begun {
    body: Option<Body>,
    attempt: u32,
    memory: usize,
}

struct Driver {
    progress: Progress,
    context: TaskContext,
    crew: TaskCrew,
    shared: SharedProgress,
    signals: Receiver<Signal>,
    sender: Sender<Signal>,
    begun: BTreeMap<usize, Begun>,
    computing: usize,
    waiting: usize,
    claimed_bytes: usize,
    /// The budget's last refusal, since when, and what had ended by then.
    refused: Option<(Error, Instant, u64)>,
}

impl Driver {
    fn new(graph: TaskGraph, context: TaskContext, crew: TaskCrew, shared: SharedProgress) -> Self {
        let (sender, signals) = unbounded();
        let progress = Progress::new(graph);
        shared.set(progress.counts());
        Self {
            progress,
            context,
            crew,
            shared,
            signals,
            sender,
            begun: BTreeMap::new(),
            computing: 0,
            waiting: 0,
            claimed_bytes: 0,
            refused: None,
        }
    }

    fn run(mut self) -> Progress {
        self.crew.activity.run_begins();
        self.crew.waiting.graph_begins();
        while !self.progress.counts().is_finished() {
            self.drive();
            self.shared.set(self.progress.counts());
        }
        self.crew.waiting.graph_ends();
        self.crew.activity.run_ends();
        self.progress
    }

    /// Starts what can start, then waits for what happens next.
    fn drive(&mut self) {
        let mut pause = TICK;
        if self.context.cancel.is_cancelled() {
            self.progress.give_up();
        } else {
            let now = Instant::now();
            if let Some(at) = self.progress.wake(now) {
                pause = pause.min(at - now);
            }
            self.look_at_refusal();
            self.start_all();
        }
        if self.progress.counts().is_finished() {
            return;
        }
        if let Ok(signal) = self.signals.recv_timeout(pause.max(Duration::from_micros(100))) {
            self.hear(signal);
        }
        while let Ok(signal) = self.signals.try_recv() {
            self.hear(signal);
        }
    }

    fn hear(&mut self, signal: Signal) {
        match signal {
            Signal::Ended(index, result) => self.ended(index, result),
            Signal::Claimed(index, Ok(held)) => self.launch(index, Some(held)),
            Signal::Claimed(index, Err(error)) if error.kind() == ErrorKind::OverBudget => {
                self.forget(index);
                self.progress.put_back(index);
                self.refused = Some((error, Instant::now(), self.crew.activity.ended()));
            }
            Signal::Claimed(index, Err(error)) => self.ended(index, Err(error.into())),
        }
    }

    fn ended(&mut self, index: usize, result: Result<(), TaskError>) {
        let attempt = self.forget(index);
        let name = self.progress.options(index).name.clone();
        settle(&mut self.progress, (index, &name, attempt), result, &self.context);
        self.crew.activity.something_ended();
    }

    /// The task holds nothing any more. Returns which attempt it was.
    fn forget(&mut self, index: usize) -> u32 {
        let begun = self.begun.remove(&index).expect("ends after it began");
        self.claimed_bytes -= begun.memory;
        match self.progress.options(index).bound {
            Bound::Cpu => self.computing -= 1,
            Bound::Io => self.waiting -= 1,
        }
        begun.attempt
    }

    /// After a refusal nothing starts that takes memory, until something has ended anywhere; if nothing
    /// ends any more, the refusal is the fate of the task.
    fn look_at_refusal(&mut self) {
        let Some((error, since, ended)) = &self.refused else { return };
        let hope = !self.begun.is_empty() || self.crew.activity.is_shared();
        if self.crew.activity.ended() != *ended {
            self.refused = None;
        } else if !hope || (self.begun.is_empty() && since.elapsed() > OTHERS_STUCK) {
            let error = error.clone();
            self.refused = None;
            let next = self.progress.peek_any().filter(|index| self.memory_of(*index) > 0);
            if let Some(index) = next {
                let (body, attempt) = self.progress.begin(index);
                drop(body);
                let name = self.progress.options(index).name.clone();
                let end = (index, name.as_str(), attempt);
                settle(&mut self.progress, end, Err(error.into()), &self.context);
            }
        }
    }

    fn memory_of(&self, index: usize) -> usize {
        self.progress.options(index).memory
    }

    fn start_all(&mut self) {
        while self.computing < self.crew.pool.current_num_threads() && self.start_next(Bound::Cpu) {
        }
        while self.crew.waiting.may_start(self.waiting) && self.start_next(Bound::Io) {}
    }

    /// Begins the next ready task of a kind, if there is one and its memory is within this graph's share.
    fn start_next(&mut self, bound: Bound) -> bool {
        let Some(index) = self.progress.peek(bound) else { return false };
        let memory = self.memory_of(index);
        if memory > 0 && (self.refused.is_some() || !self.within_share(memory)) {
            return false;
        }
        let (body, attempt) = self.progress.begin(index);
        self.begun.insert(index, Begun { body: Some(body), attempt, memory });
        self.claimed_bytes += memory;
        match bound {
            Bound::Cpu => self.computing += 1,
            Bound::Io => self.waiting += 1,
        }
        let mut held = self.context.budget.reservation();
        match held.try_grow(memory) {
            true => self.launch(index, Some(held)),
            false => self.claim(index, memory),
        }
        true
    }

    fn within_share(&self, memory: usize) -> bool {
        let share = self.context.budget.limit() / self.crew.activity.runs().max(1);
        self.claimed_bytes == 0 || self.claimed_bytes.saturating_add(memory) <= share
    }

    /// Claims memory where spilling for it may take its time.
    fn claim(&mut self, index: usize, memory: usize) {
        let (sender, budget) = (self.sender.clone(), self.context.budget.clone());
        let name = self.progress.options(index).name.clone();
        let claim: Job = Box::new(move || {
            let _ = sender.send(Signal::Claimed(index, budget.reserve(memory, &name)));
        });
        if let Err(error) = self.crew.waiting.start(claim) {
            self.ended(index, Err(error.into()));
        }
    }

    fn launch(&mut self, index: usize, held: Option<Reservation>) {
        let begun = self.begun.get_mut(&index).expect("launched after it began");
        let body = begun.body.take().expect("a task is launched once");
        let scope = TaskScope { cancel: self.context.cancel.clone(), attempt: begun.attempt };
        let options = self.progress.options(index);
        let (name, bound) = (options.name.clone(), options.bound);
        let (sender, context) = (self.sender.clone(), self.context.clone());
        let job = move || {
            let (result, _) = attempt_task(&name, index, &context, || body(&scope));
            drop((body, held));
            let _ = sender.send(Signal::Ended(index, result));
        };
        match bound {
            Bound::Cpu => self.crew.pool.spawn(job),
            Bound::Io => {
                if let Err(error) = self.crew.waiting.start(Box::new(job)) {
                    self.ended(index, Err(error.into()));
                }
            }
        }
    }
}
