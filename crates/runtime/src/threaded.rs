//! `ThreadedExecutor`: a pool of workers, I/O threads, and one coordinator thread per run.
//!
//! The only place that starts threads. Workers run steps and finishes and never wait for a channel or for
//! a read; I/O threads do that. The one exception is a spill: whoever needs memory writes it to disk.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use dframe_core::{CancelToken, Error, Result, Workers};

use crate::activity::Activity;
use crate::chunk::Chunk;
use crate::coordinator::{Coordinator, Crew, FETCHES_MAX, Job};
use crate::run::{Executor, Run};
use crate::task::{StageGraph, TaskContext};
use crate::tasks::{self, TaskCrew, TaskGraph, TaskRun, WaitingThreads};
use crate::work::Signal;

/// How many threads there are.
#[derive(Clone, Copy, Debug)]
pub struct ThreadedOptions {
    /// Workers; at least one.
    pub threads: usize,
    /// Threads that wait for reads; at least one.
    pub io_threads: usize,
    /// I/O-bound tasks of users that run at once; at least one.
    pub io_tasks: usize,
}

impl Default for ThreadedOptions {
    /// A worker for each core, and a reader for each task that may be open.
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { threads, io_threads: threads + 1, io_tasks: 256 }
    }
}

/// Runs graphs on several cores. Runs may overlap; they share the threads.
pub struct ThreadedExecutor {
    pool: Arc<rayon::ThreadPool>,
    io: Sender<Job>,
    activity: Arc<Activity>,
    waiting: Arc<WaitingThreads>,
    /// Where fetches wait for a network.
    network: Arc<WaitingThreads>,
}

impl ThreadedExecutor {
    /// Starts the threads. They end when the executor and its runs are gone.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn new(options: ThreadedOptions) -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads.max(1))
            .thread_name(|index| format!("dframe-worker-{index}"))
            .build()
            .map_err(|error| Error::internal("cannot start the workers").source(error))?;
        let io_threads = options.io_threads.max(1);
        let (io, jobs) = bounded::<Job>(4 * io_threads);
        for index in 0..io_threads {
            let jobs = jobs.clone();
            start_thread(format!("dframe-io-{index}"), move || jobs.iter().for_each(|job| job()))?;
        }
        let waiting = Arc::new(WaitingThreads::new(options.io_tasks));
        let network = Arc::new(WaitingThreads::new(FETCHES_MAX));
        Ok(Self { pool: Arc::new(pool), io, activity: Arc::default(), waiting, network })
    }

    /// The number of workers.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Whoever runs something waits for it, and a worker that waits is a core that is held.
    fn check_not_on_worker(&self) -> Result<()> {
        match self.pool.current_thread_index() {
            None => Ok(()),
            Some(_) => Err(Error::invalid_input("a run cannot be started by a CPU-bound task")
                .remedy("start it in an I/O-bound task: that one may wait")),
        }
    }
}

impl Executor for ThreadedExecutor {
    fn run(&self, graph: StageGraph, mut context: TaskContext) -> Result<Run> {
        self.check_not_on_worker()?;
        // Stopping this run must not stop the others that share the caller's token.
        context.cancel = context.cancel.child();
        let cancel = context.cancel.clone();
        let crew = Crew {
            pool: self.pool.clone(),
            io: self.io.clone(),
            network: self.network.clone(),
            activity: self.activity.clone(),
        };
        let signals = unbounded();
        let (outputs, chunks) = unbounded();
        let sender = signals.0.clone();
        let coordinator = Coordinator::new(graph, context, crew, signals, outputs)?;
        let thread = start_thread("dframe-run".to_string(), move || coordinator.run())?;
        Ok(Run::new(ThreadedRun { chunks, signals: sender, cancel, thread: Some(thread) }))
    }

    fn run_tasks(&self, graph: TaskGraph, context: TaskContext) -> Result<TaskRun> {
        self.check_not_on_worker()?;
        let crew = TaskCrew {
            pool: self.pool.clone(),
            waiting: self.waiting.clone(),
            activity: self.activity.clone(),
        };
        tasks::start(graph, context, crew)
    }

    fn workers(&self) -> Workers {
        let pool = self.pool.clone();
        Workers::new(self.threads(), move |piece| match pool.current_thread_index() {
            None => pool.spawn(piece),
            // A worker that waits for a piece would wait for itself.
            Some(_) => piece(),
        })
    }
}

struct ThreadedRun {
    chunks: Receiver<Result<Chunk>>,
    signals: Sender<Signal>,
    cancel: CancelToken,
    thread: Option<JoinHandle<()>>,
}

impl Iterator for ThreadedRun {
    type Item = Result<Chunk>;

    fn next(&mut self) -> Option<Self::Item> {
        let _ = self.signals.send(Signal::Wanted);
        if let Ok(chunk) = self.chunks.recv() {
            return Some(chunk);
        }
        let ended = self.thread.take().map_or(Ok(()), JoinHandle::join);
        ended.err().map(|_| Err(Error::internal("the coordinator of the run panicked")))
    }
}

impl Drop for ThreadedRun {
    fn drop(&mut self) {
        self.cancel.cancel();
        let _ = self.signals.send(Signal::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where threads are started")]
pub(crate) fn start_thread<T: Send + 'static>(
    name: String,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    std::thread::Builder::new()
        .name(name)
        .spawn(work)
        .map_err(|error| Error::io("cannot start a thread", error).remedy("lower --threads"))
}
