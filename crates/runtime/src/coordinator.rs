//! The coordinator of one run: decides what starts next and hears of everything that ends.
//!
//! ```text
//!                  reads, claims that may spill        steps, finishes
//!   Coordinator ---------> I/O threads       ---------> pool workers
//!        ^                     |                            |
//!        +------ Signal -------+----------------------------+------ consumer (Wanted, Stop)
//! ```
//!
//! It never waits for anything but signals. Memory is claimed before a read starts, in this order: what is
//! free is claimed at once; otherwise an I/O thread claims it and spills for it; if even that is refused,
//! the task waits until something has ended. When nothing is left that could end, all open tasks give way;
//! only when that does not help is it an error. A task that is refused in the midst of its end goes again, if
//! it can, when it is the only one open.
//!
//! Reads that wait for a network are many: tasks that have some are opened ahead of their turn, and hold nothing
//! but what was read for them until they begin.
//!
//! Invariants: at most `threads` tasks hold a core; at most `threads + 1` have begun; reads hold at most half
//! of the budget, read-ahead a quarter, unless they are alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use dframe_core::{Error, ErrorKind, Event, Reservation, Result};

use crate::activity::Activity;
use crate::chunk::Chunk;
use crate::open_task::{Admission, OpenTask};
use crate::run::fenced;
use crate::scheduler::{Scheduler, TaskId};
use crate::task::{FetchJob, Flow, Stage, StageGraph, Task, TaskContext};
use crate::tasks::WaitingThreads;
use crate::work::{Read, Signal, Work};

/// How often cancellation is looked at while nothing happens.
pub(crate) const TICK: Duration = Duration::from_millis(10);
/// How long the end of a run waits for reads that hang, as on a pipe.
const HANGING_READ: Duration = Duration::from_secs(1);
/// How long a run that finds no memory waits while other runs hold it and do not move either.
pub(crate) const OTHERS_STUCK: Duration = Duration::from_secs(2);

/// Reads that wait for a network at once; tasks that are open for them before their turn.
pub(crate) const FETCHES_MAX: usize = 48;
const AHEAD_OF_TURN: usize = 16;

/// A piece of work for an I/O thread or a worker.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// Where a coordinator sends work.
pub(crate) struct Crew {
    pub(crate) pool: Arc<rayon::ThreadPool>,
    pub(crate) io: Sender<Job>,
    pub(crate) network: Arc<WaitingThreads>,
    pub(crate) activity: Arc<Activity>,
}

pub(crate) struct Coordinator {
    graph: StageGraph,
    context: TaskContext,
    crew: Crew,
    threads: usize,
    signals: Receiver<Signal>,
    sender: Sender<Signal>,
    outputs: Sender<Result<Chunk>>,
    scheduler: Scheduler,
    open: BTreeMap<TaskId, OpenTask>,
    /// Jobs on workers and on I/O threads.
    running: usize,
    doing_io: usize,
    /// The bytes claimed for reads that were not stepped yet.
    read_bytes: usize,
    /// Outputs that the consumer has asked for.
    wanted: usize,
    /// Since when nothing has ended here or in other runs, while memory is refused.
    stuck: Option<Instant>,
}

impl Coordinator {
    pub(crate) fn new(
        graph: StageGraph,
        context: TaskContext,
        crew: Crew,
        (sender, signals): (Sender<Signal>, Receiver<Signal>),
        outputs: Sender<Result<Chunk>>,
    ) -> Result<Self> {
        let threads = crew.pool.current_num_threads();
        let scheduler = Scheduler::new(graph.clone())?;
        Ok(Self {
            graph,
            context,
            crew,
            threads,
            signals,
            sender,
            outputs,
            scheduler,
            open: BTreeMap::new(),
            running: 0,
            doing_io: 0,
            read_bytes: 0,
            wanted: 0,
            stuck: None,
        })
    }

    /// Runs the graph to its end, an error, or until the consumer goes; returns when its jobs have ended.
    pub(crate) fn run(mut self) {
        self.crew.activity.run_begins();
        let result = fenced("coordinator", 0, || self.drive());
        self.context.cancel.cancel();
        if let Err(error) = result {
            let _ = self.outputs.send(Err(error));
        }
        self.drain();
        self.crew.activity.run_ends();
    }

    fn drive(&mut self) -> Result<()> {
        loop {
            self.context.cancel.check()?;
            self.emit();
            if self.scheduler.is_complete() {
                return Ok(());
            }
            self.advance()?;
            match self.signals.recv_timeout(TICK) {
                Ok(signal) => self.hear(signal)?,
                // Other runs may have freed memory in the midst of a task.
                Err(RecvTimeoutError::Timeout) if self.stuck.is_some() => self.ask_again(),
                Err(RecvTimeoutError::Timeout) => self.context.observer.observe(&Event::Waited),
                Err(RecvTimeoutError::Disconnected) => return Err(Error::cancelled()),
            }
            while let Ok(signal) = self.signals.try_recv() {
                self.hear(signal)?;
            }
        }
    }

    fn emit(&mut self) {
        while let Some(chunk) = self.scheduler.next_output() {
            let _ = self.outputs.send(Ok(chunk));
        }
        self.scheduler.demand_outputs(self.wanted.saturating_add(2 * self.threads));
    }

    /// Waits until no job of this run is left, so that its memory and files are free when it ends.
    fn drain(&mut self) {
        let deadline = Instant::now() + HANGING_READ;
        for (id, task) in std::mem::take(&mut self.open) {
            self.report_end(id, task.busy, &Chunk::default());
        }
        while self.running > 0 || (self.doing_io > 0 && Instant::now() < deadline) {
            let Ok(signal) = self.signals.recv_timeout(TICK) else { continue };
            self.count_ended(&signal);
        }
    }

    // ---- what has happened ----

    fn count_ended(&mut self, signal: &Signal) {
        match signal {
            Signal::Fetched(..) | Signal::FetchRefused(..) | Signal::Admitted(..) => {
                self.doing_io -= 1
            }
            Signal::Stepped(..)
            | Signal::GaveWay(..)
            | Signal::Finished(..)
            | Signal::Refused(..) => self.running -= 1,
            Signal::Wanted | Signal::Stop => {}
        }
    }

    fn hear(&mut self, signal: Signal) -> Result<()> {
        self.count_ended(&signal);
        match signal {
            Signal::Fetched(id, n, bytes, result) => self.fetched(id, n, bytes, result)?,
            Signal::FetchRefused(id, n, job, error) => self.fetch_refused(id, n, job, error),
            Signal::Admitted(id, result) => self.admitted(id, result)?,
            Signal::Stepped(id, body, bytes, flow, busy) => {
                self.stepped(id, body, bytes, flow, busy)?
            }
            Signal::GaveWay(id, body, result, busy) => {
                self.memory_may_be_free();
                if let Some(task) = self.open.get_mut(&id) {
                    task.body = Some(body);
                    task.busy += busy;
                }
                result?;
            }
            Signal::Finished(id, result, busy) => self.finished(id, result, busy)?,
            Signal::Refused(id, inputs, error, busy) => self.refused(id, inputs, error, busy)?,
            Signal::Wanted => {
                self.wanted += 1;
                self.memory_may_be_free();
            }
            Signal::Stop => return Err(Error::cancelled()),
        }
        Ok(())
    }

    fn fetched(&mut self, id: TaskId, n: u64, bytes: usize, result: Result<Read>) -> Result<()> {
        match self.open.get_mut(&id).filter(|task| task.awaits(n)) {
            Some(task) => task.arrived(n, result?),
            // The task had enough in the meantime; not even an error matters any more.
            None => {
                self.read_bytes -= bytes;
                drop(result);
                self.memory_may_be_free();
            }
        }
        Ok(())
    }

    fn fetch_refused(&mut self, id: TaskId, n: u64, job: FetchJob, error: Error) {
        self.read_bytes -= job.bytes;
        if let Some(task) = self.open.get_mut(&id).filter(|task| task.awaits(n)) {
            task.put_back(n, job);
            task.refused = Some(error);
        }
    }

    fn admitted(&mut self, id: TaskId, result: Result<Reservation>) -> Result<()> {
        let Some(task) = self.open.get_mut(&id) else { return Ok(()) };
        match result {
            Ok(held) => task.admission = Admission::Granted(Some(held)),
            Err(error) if error.kind() == ErrorKind::OverBudget => {
                task.admission = Admission::Open;
                task.refused = Some(error);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn stepped(
        &mut self,
        id: TaskId,
        body: Box<dyn Task>,
        bytes: usize,
        flow: Result<Flow>,
        busy: Duration,
    ) -> Result<()> {
        self.read_bytes -= bytes;
        self.memory_may_be_free();
        let Some(task) = self.open.get_mut(&id) else { return Ok(()) };
        task.body = Some(body);
        task.busy += busy;
        task.gave_way = false;
        if flow? == Flow::Enough {
            self.read_bytes -= task.enough();
        }
        Ok(())
    }

    fn finished(&mut self, id: TaskId, result: Result<Chunk>, busy: Duration) -> Result<()> {
        self.memory_may_be_free();
        let Some(task) = self.open.remove(&id) else { return Ok(()) };
        self.report_end(id, task.busy + busy, result.as_ref().unwrap_or(&Chunk::default()));
        self.scheduler.complete(id, result?);
        Ok(())
    }

    /// A task has got no memory while others held it: when they are done there may be enough.
    fn refused(
        &mut self,
        id: TaskId,
        inputs: Vec<Chunk>,
        error: Error,
        busy: Duration,
    ) -> Result<()> {
        self.memory_may_be_free();
        let stage = self.stage(id).clone();
        let Some(task) = self.open.get_mut(&id) else { return Ok(()) };
        task.busy += busy;
        if task.alone && !task.waits_for_others(self.crew.activity.is_shared()) {
            return Err(error);
        }
        task.body = Some(fenced(stage.name(), id.index, || stage.task(id.index))?);
        (task.alone, task.again) = (true, Some(inputs));
        self.context.observer.observe(&Event::TaskRetried {
            name: stage.name().to_string(),
            index: id.index,
            attempt: 1,
            wait: Duration::ZERO,
            error: error.to_string(),
        });
        Ok(())
    }

    /// Something has ended: lets refused tasks claim again.
    fn memory_may_be_free(&mut self) {
        self.stuck = None;
        self.crew.activity.something_ended();
        self.ask_again();
    }

    fn report_end(&self, id: TaskId, busy: Duration, chunk: &Chunk) {
        self.context.observer.observe(&Event::TaskFinished {
            stage: id.stage,
            name: self.stage(id).name().to_string(),
            index: id.index,
            busy,
            rows: chunk.rows(),
            bytes: chunk.bytes(),
        });
    }

    // ---- what to do next ----

    fn advance(&mut self) -> Result<()> {
        let ids: Vec<TaskId> = self.open.keys().rev().copied().collect();
        for id in ids {
            self.advance_task(id)?;
        }
        while let Some(id) = self.next_to_open() {
            self.open_task(id)?;
            self.advance_task(id)?;
        }
        self.start_alone();
        self.resolve_standstill()
    }

    /// The next ready task, if there is room for it among the open ones.
    fn next_to_open(&mut self) -> Option<TaskId> {
        let id = self.scheduler.peek_ready()?;
        let waited_for = |task: &OpenTask| task.refused.is_some() || task.alone;
        let ahead = self.open.values().filter(|task| !task.begun).count();
        let has_room = match self.stage(id).fetches_ahead() {
            0 | 1 => self.open.len() - ahead <= self.threads,
            _ => ahead < AHEAD_OF_TURN && self.doing_io < FETCHES_MAX,
        };
        if !has_room || self.open.values().any(waited_for) {
            return None;
        }
        let own = self.stage(id).projected_bytes(id.index);
        (self.fits(own) || self.open.is_empty()).then(|| self.scheduler.next_ready()).flatten()
    }

    /// Whether `bytes` more fit beside what the open tasks are expected to hold and what was read for
    /// them. Chunks do not count: they can be spilled.
    fn fits(&self, bytes: usize) -> bool {
        let begun = self.open.values().filter(|task| task.begun);
        let projected = begun.map(|task| task.projected);
        let sum = projected.fold(self.read_bytes.saturating_add(bytes), usize::saturating_add);
        sum <= self.context.budget.limit()
    }

    fn open_task(&mut self, id: TaskId) -> Result<()> {
        let stage = self.stage(id).clone();
        let body = fenced(stage.name(), id.index, || stage.task(id.index))?;
        self.context.observer.observe(&Event::TaskStarted {
            stage: id.stage,
            name: stage.name().to_string(),
            index: id.index,
        });
        let (projected, ahead) = (stage.projected_bytes(id.index), stage.fetches_ahead());
        self.open.insert(id, OpenTask::new(body, projected, ahead));
        Ok(())
    }

    fn advance_task(&mut self, id: TaskId) -> Result<()> {
        let stage = self.stage(id).clone();
        let task = self.open.get_mut(&id).expect("advanced while open");
        if task.alone {
            return Ok(());
        }
        fenced(stage.name(), id.index, || {
            task.look_ahead();
            Ok(())
        })?;
        self.start_reads(id)?;
        if self.running < self.threads {
            self.start_work(id)?;
        }
        Ok(())
    }

    fn start_work(&mut self, id: TaskId) -> Result<()> {
        if !self.may_begin(id) {
            return Ok(());
        }
        let task = self.open.get_mut(&id).expect("started while open");
        if task.can_step() {
            self.start_step(id);
        } else if task.can_finish() {
            match &mut task.admission {
                Admission::Granted(held) => {
                    let held = held.take();
                    self.start_finish(id, held);
                }
                Admission::Open if task.refused.is_none() => self.start_admission(id)?,
                Admission::Open | Admission::Pending => {}
            }
        }
        Ok(())
    }

    /// Whether a task has begun, or may: if there is room for what it will hold, or nobody else moves.
    fn may_begin(&self, id: TaskId) -> bool {
        let begun = self.open.values().filter(|task| task.begun && !task.alone).count();
        let moves = self.running > 0 || self.doing_io > 0;
        self.open[&id].begun || begun <= self.threads || !moves
    }

    fn may_read(&self, bytes: usize, hungry: bool) -> bool {
        let share = self.context.budget.limit() / if hungry { 2 } else { 4 };
        let alone = hungry && self.read_bytes == 0;
        alone || (self.read_bytes.saturating_add(bytes) <= share && self.fits(bytes))
    }

    /// Starts the reads of a task that may be under way now.
    fn start_reads(&mut self, id: TaskId) -> Result<()> {
        loop {
            let task = &self.open[&id];
            let Some(bytes) = task.next_read_bytes() else { return Ok(()) };
            let is_full = task.is_remote() && self.doing_io >= FETCHES_MAX;
            let hungry = task.is_hungry() && self.may_begin(id);
            if is_full || !self.may_read(bytes, hungry) || !self.start_read(id, bytes)? {
                return Ok(());
            }
        }
    }

    /// Starts a read, unless its memory should have been free.
    fn start_read(&mut self, id: TaskId, bytes: usize) -> Result<bool> {
        let task = self.open.get_mut(&id).expect("reads while open");
        let mut held = self.context.budget.reservation();
        let claimed = held.try_grow(bytes);
        if !claimed && !task.may_claim() {
            return Ok(false);
        }
        let is_remote = task.is_remote();
        let (number, job) = task.start_read(claimed);
        task.claimed_at = self.crew.activity.ended();
        self.read_bytes += bytes;
        let (work, sender) = self.work_for(id);
        let held = claimed.then_some(held);
        let read: Job = Box::new(move || {
            let _ = sender.send(work.read(number, job, held));
        });
        match is_remote {
            false => self.send_io(read)?,
            true => {
                self.doing_io += 1;
                self.crew.network.start(read)?;
            }
        }
        Ok(true)
    }

    fn start_admission(&mut self, id: TaskId) -> Result<()> {
        let task = self.open.get_mut(&id).expect("admitted while open");
        let bytes = task.projected;
        let mut held = self.context.budget.reservation();
        if held.try_grow(bytes) {
            self.start_finish(id, Some(held));
            return Ok(());
        }
        task.admission = Admission::Pending;
        task.claimed_at = self.crew.activity.ended();
        let (work, sender) = self.work_for(id);
        self.send_io(Box::new(move || {
            let _ = sender.send(work.admit(bytes));
        }))
    }

    fn start_step(&mut self, id: TaskId) {
        let task = self.open.get_mut(&id).expect("steps while open");
        let body = task.body.take().expect("the body is here");
        let read = task.next_read().expect("something was read");
        task.begun = true;
        let (work, sender) = self.work_for(id);
        self.running += 1;
        self.crew.pool.spawn(move || {
            let _ = sender.send(work.step(body, read));
        });
    }

    /// Starts the end of a task that needs the run to itself, once it has it.
    fn start_alone(&mut self) {
        if self.running == 0 && self.open.values().all(|task| task.alone) {
            let waiting =
                self.open.iter_mut().find_map(|(id, task)| Some((*id, task.take_again()?)));
            if let Some((id, inputs)) = waiting {
                self.start_finish_of(inputs, id, None);
            }
        }
    }

    fn start_finish(&mut self, id: TaskId, admission: Option<Reservation>) {
        let inputs = self.scheduler.inputs(id);
        self.start_finish_of(inputs, id, admission);
    }

    fn start_finish_of(&mut self, inputs: Vec<Chunk>, id: TaskId, admission: Option<Reservation>) {
        let task = self.open.get_mut(&id).expect("finishes while open");
        task.begun = true;
        let body = task.body.take().expect("the body is here");
        let (work, sender) = self.work_for(id);
        self.running += 1;
        self.crew.pool.spawn(move || {
            // From here on the task claims for itself.
            drop(admission);
            let _ = sender.send(work.finish(body, inputs));
        });
    }

    fn work_for(&self, id: TaskId) -> (Work, Sender<Signal>) {
        let work = Work { id, stage: self.stage(id).clone(), context: self.context.clone() };
        (work, self.sender.clone())
    }

    fn send_io(&mut self, job: Job) -> Result<()> {
        self.doing_io += 1;
        // Waits only while all I/O threads are busy, and those wait for no coordinator.
        self.crew.io.send(job).map_err(|_| Error::internal("the I/O threads are gone"))
    }

    fn stage(&self, id: TaskId) -> &Arc<dyn Stage> {
        &self.graph.stages()[id.stage]
    }

    // ---- when nothing moves ----

    /// If nothing is left that could end and free memory, the refused task goes on without admission, or
    /// the run fails. While the consumer is busy with a chunk, it is the one who may free memory.
    fn resolve_standstill(&mut self) -> Result<()> {
        while self.stands_still() {
            let refused = |(_, task): &(&TaskId, &OpenTask)| task.refused.is_some();
            let Some((id, task)) = self.open.iter().rev().find(refused) else {
                return Err(Error::internal("the task graph is stuck"));
            };
            let (id, claimed_at) = (*id, task.claimed_at);
            let is_shared = self.crew.activity.is_shared();
            if self.crew.activity.ended() != claimed_at {
                self.ask_again();
                self.advance_task(id)?;
            } else if is_shared
                && self.stuck.get_or_insert_with(Instant::now).elapsed() < OTHERS_STUCK
            {
                return Ok(());
            } else if !self.give_way() {
                self.go_without(id)?;
            }
        }
        Ok(())
    }

    fn stands_still(&self) -> bool {
        let consumer_waits = self.wanted > self.scheduler.emitted();
        let is_idle = self.running == 0 && self.doing_io == 0 && consumer_waits;
        is_idle && self.open.values().all(|task| task.again.is_none())
    }

    /// Makes open tasks hand over what they hold; whether any is asked.
    fn give_way(&mut self) -> bool {
        let ids: Vec<TaskId> = self.open.keys().copied().collect();
        for id in ids {
            let task = self.open.get_mut(&id).expect("listed above");
            if task.gave_way {
                continue;
            }
            let Some(body) = task.body.take() else { continue };
            task.gave_way = true;
            let (work, sender) = self.work_for(id);
            self.running += 1;
            self.crew.pool.spawn(move || {
                let _ = sender.send(work.give_way(body));
            });
        }
        self.running > 0
    }

    /// Starts a task that was refused its projection, which is a guess: what it really needs it claims
    /// itself. A refused read is final.
    fn go_without(&mut self, id: TaskId) -> Result<()> {
        let task = self.open.get_mut(&id).expect("refused while open");
        let error = task.refused.take().expect("found to be refused");
        if !task.can_finish() {
            return Err(error);
        }
        self.start_finish(id, None);
        Ok(())
    }

    /// Lets refused tasks claim again.
    fn ask_again(&mut self) {
        for task in self.open.values_mut() {
            task.refused = None;
        }
    }
}
