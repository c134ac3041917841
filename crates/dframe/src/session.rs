//! Sessions: where queries run, and within which limits.
//!
//! ```text
//!   Session (limits, optimizer, cancel token) --scan--> LazyFrame --collect--> engine
//!                                                                               |
//!                                        threads, memory budget, temp directory: made at the first run
//! ```

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use dframe_core::size::{Size, format_bytes, memory_total};
use dframe_core::{CancelToken, Error, Observer, Result, Silent};
use dframe_exec::{Engine, EngineOptions};
use dframe_io::{
    AvroSource, CsvOptions, CsvSource, CsvSurvey, Inputs, IpcSource, JsonOptions, JsonSource,
    JsonSurvey, ParquetSource, SinkOptions, SqliteOptions, SqliteSource, StoreOptions, Stores,
};
use dframe_plan::{LogicalPlan, Optimizer, Source};
use dframe_runtime::tasks::{TaskGraph, TaskRun};

use crate::frame::LazyFrame;
use crate::observers::Observers;
use crate::paths::IntoPaths;
use crate::survey;

/// The share of the memory that a session takes unless told.
const MEMORY_SHARE: f64 = 0.7;

/// The least memory limit: below, no query gets anywhere.
const MEMORY_MIN: u64 = 16 << 20;

/// Where queries run: threads, one memory budget, a temp directory. Cloning shares them all.
///
/// ```
/// use dframe::prelude::*;
///
/// let session = Session::builder().memory_limit("256MiB".parse::<Size>()?).threads(2).build()?;
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
/// let flights = session.scan_parquet(path)?;
/// assert_eq!(flights.count()?, 214_286);
/// # Ok::<(), dframe::Error>(())
/// ```
#[derive(Clone)]
pub struct Session {
    shared: Arc<Shared>,
    optimizer: Optimizer,
    cancel: CancelToken,
    stores: Stores,
}

struct Shared {
    memory_limit: usize,
    threads: usize,
    temp_dir: PathBuf,
    temp_limit: Option<u64>,
    observer: Arc<dyn Observer>,
    /// Made at the first run: a session that only explains starts no thread and makes no directory.
    engine: Mutex<Option<Arc<Engine>>>,
}

impl Default for Session {
    /// 70 % of the memory, all cores, the system's temp directory.
    fn default() -> Self {
        SessionBuilder::default().with_memory(Size::Share(MEMORY_SHARE).of(memory_total()))
    }
}

/// A row group in the making takes at most one part in so many of the memory limit.
const SINK_SHARE: usize = 8;

impl Session {
    /// The session of [`crate::scan_parquet`]: one for the process, so that frames made here and there
    /// keep one memory limit together.
    pub(crate) fn of_process() -> Session {
        static SESSION: LazyLock<Session> = LazyLock::new(Session::default);
        SESSION.clone()
    }

    /// A session with limits of its own.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    /// A frame over one or more Parquet files: paths, directories, globs, and URLs of objects
    /// (`s3://bucket/key`, `gs://`, `az://`, `https://`).
    ///
    /// # Errors
    /// A path that does not exist, a file that is no Parquet file, or files whose schemas conflict.
    pub fn scan_parquet(&self, paths: impl IntoPaths) -> Result<LazyFrame> {
        Ok(self.scan(Arc::new(ParquetSource::open(self.inputs(paths))?)))
    }

    /// A frame over one or more Arrow IPC files or streams, or Feather files: paths, directories and globs.
    ///
    /// # Errors
    /// A path that does not exist, a file that is no Arrow file or is cut off, a column of a type that cannot
    /// be read, or files whose schemas conflict.
    pub fn scan_ipc(&self, paths: impl IntoPaths) -> Result<LazyFrame> {
        Ok(self.scan(Arc::new(IpcSource::open(self.inputs(paths))?).with_folder_columns()?))
    }

    /// A frame over one or more CSV files: paths, directories and globs.
    ///
    /// # Errors
    /// As [`Session::scan_csv_with`].
    pub fn scan_csv(&self, paths: impl IntoPaths) -> Result<LazyFrame> {
        self.scan_csv_with(paths, &CsvOptions::default())
    }

    /// A frame over one or more files of text with a delimiter between fields.
    ///
    /// The files are looked through at once, on all threads of the session, to know their types and
    /// rows; they are read again when a query runs.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("stocks.csv");
    /// std::fs::write(&path, "symbol;date;price\nMSFT;2000-01-01;39.81\nMSFT;2000-02-01;36.35\n")?;
    /// let session = Session::builder().threads(2).build()?;
    /// let stocks = session.scan_csv_with(&*path, &CsvOptions::default().delimiter(b';'))?;
    /// let means = stocks.group_by(["symbol"]).agg([col("price").mean()]).collect()?;
    /// assert_eq!(means.num_rows(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A path that does not exist, options that contradict each other, a record that is none: file,
    /// line and column are named.
    pub fn scan_csv_with(&self, paths: impl IntoPaths, options: &CsvOptions) -> Result<LazyFrame> {
        Ok(self.scan(self.open_csv(paths, options)?.with_folder_columns()?))
    }

    /// The source that [`Session::scan_csv_with`] scans, which knows how many rows were bad.
    ///
    /// # Errors
    /// As [`Session::scan_csv_with`].
    pub fn open_csv(&self, paths: impl IntoPaths, options: &CsvOptions) -> Result<Arc<CsvSource>> {
        Ok(Arc::new(survey::open(self, |budget| {
            CsvSurvey::open(self.inputs(paths), options, budget)
        })?))
    }

    /// A frame over one or more JSON files: paths, directories and globs.
    ///
    /// # Errors
    /// As [`Session::scan_ndjson_with`].
    pub fn scan_ndjson(&self, paths: impl IntoPaths) -> Result<LazyFrame> {
        self.scan_ndjson_with(paths, &JsonOptions::default())
    }

    /// A frame over one or more files of JSON objects: one on each line, or the items of one array.
    ///
    /// The files are looked through at once, on all threads of the session, to know their types and
    /// rows; they are read again when a query runs.
    ///
    /// ```
    /// use dframe::prelude::*;
    /// use dframe::BadRows;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("log.ndjson");
    /// std::fs::write(&path, "{\"level\":\"warn\",\"ms\":12}\nnot JSON\n{\"level\":\"warn\"}\n")?;
    /// let lax = JsonOptions::default().bad_rows(BadRows::Skip);
    /// let log = Session::builder().threads(2).build()?.scan_ndjson_with(&*path, &lax)?;
    /// assert_eq!(log.count()?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A path that does not exist, a record that is no object, members that no type holds: file, line and column
    /// are named.
    pub fn scan_ndjson_with(
        &self,
        paths: impl IntoPaths,
        options: &JsonOptions,
    ) -> Result<LazyFrame> {
        Ok(self.scan(self.open_ndjson(paths, options)?.with_folder_columns()?))
    }

    /// The source that [`Session::scan_ndjson_with`] scans, which knows how many rows were bad.
    ///
    /// # Errors
    /// As [`Session::scan_ndjson_with`].
    pub fn open_ndjson(
        &self,
        paths: impl IntoPaths,
        options: &JsonOptions,
    ) -> Result<Arc<JsonSource>> {
        let inputs = self.inputs(paths);
        Ok(Arc::new(survey::open(self, |_| JsonSurvey::open(inputs, options))?))
    }

    /// What paths name, for a source of your own opening: objects are reached as this session reaches them.
    pub fn inputs(&self, paths: impl IntoPaths) -> Inputs {
        Inputs::new(paths.into_paths(), self.stores.clone())
    }

    /// A frame over one or more Avro files: paths, directories and globs.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// # let folder = tempfile::tempdir()?;
    /// # let late = folder.path().join("late.avro");
    /// let session = Session::builder().threads(2).build()?;
    /// session.scan_parquet(path)?.filter(col("delay").gt(600)).sink(&late, Format::Avro)?;
    /// assert!(session.scan_avro(&*late)?.count()? > 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A path that does not exist, a file that is no Avro file or is cut off, or files whose schemas conflict.
    pub fn scan_avro(&self, paths: impl IntoPaths) -> Result<LazyFrame> {
        Ok(self.scan(Arc::new(AvroSource::open(&paths.into_paths())?).with_folder_columns()?))
    }

    /// A frame over a table of an SQLite database: the only one, or the one that `options` name, or the result of a
    /// query in SQLite's own SQL. The table is looked through at once, to know its types.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// # let folder = tempfile::tempdir()?;
    /// # let database = folder.path().join("flights.sqlite");
    /// let session = Session::builder().threads(2).build()?;
    /// session.scan_parquet(path)?.sink(&database, Format::Sqlite)?;
    /// let one = SqliteOptions { table: Some("flights".into()), ..SqliteOptions::default() };
    /// let late = session.scan_sqlite(&*database, &one)?.filter(col("delay").gt(600));
    /// assert!(late.count()? > 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The file does not exist, is no database or locked; no table is meant for certain.
    pub fn scan_sqlite(&self, path: impl IntoPaths, options: &SqliteOptions) -> Result<LazyFrame> {
        let temp_dir = options.temp_dir.clone().or_else(|| Some(self.shared.temp_dir.clone()));
        let options = SqliteOptions { temp_dir, ..options.clone() };
        Ok(self.scan(Arc::new(SqliteSource::open(&path.into_paths(), &options)?)))
    }

    /// A frame over any source.
    pub fn scan(&self, source: Arc<dyn Source>) -> LazyFrame {
        LazyFrame::new(self.clone(), LogicalPlan::scan(source))
    }

    /// Begins to run tasks of your own, with the threads and the memory limit that queries have.
    /// I/O-bound tasks may run queries; CPU-bound ones may not, as they would hold the core that
    /// the query needs.
    ///
    /// ```
    /// use dframe::prelude::*;
    /// use dframe::tasks::TaskGraph;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// let session = Session::builder().threads(2).build()?;
    /// let flights = session.scan_parquet(path)?;
    /// let mut graph = TaskGraph::new();
    /// let counts: Vec<_> = ["SFO", "JFK"]
    ///     .into_iter()
    ///     .map(|origin| flights.clone().filter(col("origin").eq(lit(origin))))
    ///     .map(|from| graph.io_bound("count", (), move |(), _| Ok(from.clone().count()?)))
    ///     .collect();
    /// let total = graph.cpu_bound("total", counts, |counts, _| {
    ///     Ok(counts.iter().map(|count| **count).sum::<u64>())
    /// });
    /// let report = session.run_tasks(graph)?.wait()?;
    /// assert!(*report.value(&total)? > 0);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    ///
    /// # Errors
    /// The graph has a handle of another graph, or the session's threads cannot be started.
    pub fn run_tasks(&self, graph: TaskGraph) -> Result<TaskRun> {
        self.engine()?.run_tasks(graph, &self.cancel)
    }

    /// Runs of this session, all together, stop when this token is cancelled.
    pub fn cancel_token(&self) -> &CancelToken {
        &self.cancel
    }

    /// This session's threads and budget, with another token to cancel runs by.
    pub fn with_cancel_token(&self, cancel: CancelToken) -> Self {
        Self { cancel, ..self.clone() }
    }

    /// The memory limit in bytes.
    pub fn memory_limit(&self) -> usize {
        self.shared.memory_limit
    }

    /// The worker threads; 0 means that everything runs on the caller's.
    pub fn threads(&self) -> usize {
        self.shared.threads
    }

    /// The most memory that was ever reserved at once, in bytes.
    pub fn memory_peak(&self) -> usize {
        let engine = self.shared.engine.lock().unwrap_or_else(PoisonError::into_inner);
        engine.as_ref().map_or(0, |engine| engine.budget().peak())
    }

    /// The memory that is reserved now, in bytes: 0 unless something runs, or its results are still held.
    pub fn memory_reserved(&self) -> usize {
        let engine = self.shared.engine.lock().unwrap_or_else(PoisonError::into_inner);
        engine.as_ref().map_or(0, |engine| engine.budget().reserved())
    }

    /// Options for a sink whose memory counts towards this session's limit, and whose work is done by its threads.
    ///
    /// # Errors
    /// The session's workers cannot be started.
    pub fn sink_options(&self) -> Result<SinkOptions> {
        let defaults = SinkOptions::default();
        let row_group_bytes = defaults.row_group_bytes.min(self.memory_limit() / SINK_SHARE);
        let engine = self.engine()?;
        let (budget, workers) = (Some(engine.budget().clone()), engine.workers());
        let stores = self.stores.clone();
        Ok(SinkOptions { row_group_bytes, budget, workers, stores, ..defaults })
    }

    pub(crate) fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    pub(crate) fn engine(&self) -> Result<Arc<Engine>> {
        let mut engine = self.shared.engine.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = engine.as_ref() {
            return Ok(engine.clone());
        }
        let made = Arc::new(Engine::new(self.shared.engine_options())?);
        Ok(engine.insert(made).clone())
    }
}

impl Shared {
    fn engine_options(&self) -> EngineOptions {
        EngineOptions {
            memory_limit: self.memory_limit,
            threads: self.threads,
            io_threads: self.threads.clamp(1, IO_THREADS_MAX),
            io_tasks: IO_TASKS_MAX,
            temp_dir: self.temp_dir.clone(),
            temp_limit: self.temp_limit,
            observer: self.observer.clone(),
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let limit = format_bytes(self.memory_limit() as u64);
        write!(f, "Session({limit}, {} threads)", self.threads())
    }
}

/// Limits and habits of a session.
#[derive(Default)]
pub struct SessionBuilder {
    memory: Option<Size>,
    threads: Option<usize>,
    temp_dir: Option<PathBuf>,
    temp_limit: Option<u64>,
    observers: Observers,
    optimizer: Optimizer,
    cancel: CancelToken,
    endpoint: Option<String>,
}

impl SessionBuilder {
    /// The server that `s3://`, `gs://` and `az://` objects are read from, where it is not the cloud's own:
    /// `http://127.0.0.1:9000`. Over http:// only this machine is, unless `AWS_ALLOW_HTTP` is true.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// The most memory that queries may take, together. 70 % of what there is by default.
    pub fn memory_limit(mut self, limit: impl Into<Size>) -> Self {
        self.memory = Some(limit.into());
        self
    }

    /// The worker threads, one at least. As many as there are cores by default.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    /// Everything runs on the caller's thread, in one order: for debugging, and as the oracle of tests.
    pub fn synchronous(mut self) -> Self {
        self.threads = Some(0);
        self
    }

    /// Where chunks that do not fit the memory are kept. The system's temp directory by default.
    pub fn temp_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.temp_dir = Some(dir.into());
        self
    }

    /// The most bytes that may be kept there.
    pub fn temp_limit(mut self, bytes: u64) -> Self {
        self.temp_limit = Some(bytes);
        self
    }

    /// Someone who receives the events of all runs; may be called more than once.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// A token to cancel all runs by.
    pub fn cancel_token(mut self, cancel: CancelToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// The rules that plans go through; [`Optimizer::off`] runs them as they were written.
    pub fn optimizer(mut self, optimizer: Optimizer) -> Self {
        self.optimizer = optimizer;
        self
    }

    /// The session. Nothing is started before the first run.
    ///
    /// # Errors
    /// A memory limit below 16 MiB.
    pub fn build(self) -> Result<Session> {
        let size = self.memory.unwrap_or(Size::Share(MEMORY_SHARE));
        let bytes = size.of(memory_total());
        if bytes < MEMORY_MIN {
            return Err(Error::invalid_input(format!(
                "a memory limit of {} is too small",
                format_bytes(bytes)
            ))
            .remedy(format!("allow {} or more", format_bytes(MEMORY_MIN))));
        }
        Ok(self.with_memory(bytes))
    }

    fn with_memory(self, bytes: u64) -> Session {
        let shared = Shared {
            memory_limit: usize::try_from(bytes).unwrap_or(usize::MAX),
            threads: self.threads.unwrap_or_else(cores),
            temp_dir: self.temp_dir.unwrap_or_else(std::env::temp_dir),
            temp_limit: self.temp_limit,
            observer: self.observers.into_observer().unwrap_or_else(|| Arc::new(Silent)),
            engine: Mutex::new(None),
        };
        let stores = StoreOptions { endpoint: self.endpoint, cancel: self.cancel.clone() };
        Session {
            shared: Arc::new(shared),
            optimizer: self.optimizer,
            cancel: self.cancel,
            stores: Stores::new(stores),
        }
    }
}

/// I/O-bound tasks of users that run at once: each takes a thread, which waits.
const IO_TASKS_MAX: usize = 256;

/// Reading ahead needs no more threads than keep a disk busy.
const IO_THREADS_MAX: usize = 8;

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}
