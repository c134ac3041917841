//! The chunk store: knows every part in memory, and spills the largest when the budget runs short.
//!
//! ```text
//!   Budget --reclaim(bytes)--> ChunkStore: largest part --write--> spill file
//!                                  ^  registered by Part::new, forgotten when dropped or spilled
//! ```
//!
//! Whoever asks for memory does the writing, on its own thread. That is the one place where a worker of
//! the pool blocks on the disk: the memory is needed before it can go on. It does not know tasks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use dframe_core::{Budget, Event, Observer, Reclaim, Result};

use crate::part::{Label, Part};
use crate::spill::{SpillDir, sweep};
use crate::spill_file::{Entry, SpillFile, SpillFileWriter};

/// Where chunks are spilled to.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The directory in which the spill directory is made.
    pub temp_dir: PathBuf,
    /// The most bytes on disk at once.
    pub temp_limit: Option<u64>,
}

impl Default for StoreOptions {
    /// The system's temp directory, without a limit.
    fn default() -> Self {
        Self { temp_dir: std::env::temp_dir(), temp_limit: None }
    }
}

/// Keeps track of the parts that runs of one session have in memory.
pub struct ChunkStore {
    options: StoreOptions,
    observer: Arc<dyn Observer>,
    directory: Mutex<Option<Arc<SpillDir>>>,
    spilled: AtomicU64,
    registry: Mutex<Registry>,
    some_freed: Condvar,
}

#[derive(Default)]
struct Registry {
    /// By size, then id.
    parts: BTreeMap<(usize, u64), Weak<Part>>,
    /// Parts that threads have picked and are writing now.
    spilling: usize,
    /// Bytes freed so far, by spills and by owners.
    freed: u64,
}

impl Registry {
    /// Takes out the largest part that nobody is about to drop.
    fn pop_largest(&mut self) -> Option<Arc<Part>> {
        let mut alive =
            self.parts.iter().rev().filter_map(|(key, part)| Some((*key, part.upgrade()?)));
        let (key, part) = alive.next()?;
        self.parts.remove(&key);
        self.spilling += 1;
        Some(part)
    }

    fn count_freed(&mut self, bytes: usize) {
        self.freed += bytes as u64;
    }
}

impl ChunkStore {
    /// A store that spills when `budget` refuses; removes what killed processes left in the temp
    /// directory. The spill directory is made when it is first needed.
    pub fn new(options: StoreOptions, observer: Arc<dyn Observer>, budget: Budget) -> Arc<Self> {
        sweep(&options.temp_dir);
        let store = Arc::new(Self {
            options,
            observer,
            directory: Mutex::default(),
            spilled: AtomicU64::new(0),
            registry: Mutex::default(),
            some_freed: Condvar::new(),
        });
        let reclaim: Weak<ChunkStore> = Arc::downgrade(&store);
        budget.reclaim_with(reclaim);
        store
    }

    /// The bytes written to spill files so far.
    pub fn spilled_bytes(&self) -> u64 {
        self.spilled.load(Ordering::Relaxed)
    }

    /// A part that is written to disk batch by batch.
    pub fn spill_writer(self: &Arc<Self>, tag: u32, schema: SchemaRef) -> Result<SpillWriter> {
        let writer = SpillFileWriter::create(self.directory()?)?;
        Ok(SpillWriter {
            store: self.clone(),
            tag,
            schema,
            writer,
            labels: Vec::new(),
            entries: Vec::new(),
        })
    }

    pub(crate) fn register(&self, part: &Arc<Part>) {
        let bytes = part.held_bytes();
        if bytes > 0 {
            let mut registry = self.registry();
            part.listed.store(bytes, Ordering::Relaxed);
            registry.parts.insert((bytes, part.id()), Arc::downgrade(part));
        }
    }

    /// A part is being dropped and has given back `freed` bytes.
    pub(crate) fn forget(&self, part: &Part, freed: usize) {
        let mut registry = self.registry();
        registry.parts.remove(&(part.listed.load(Ordering::Relaxed), part.id()));
        registry.count_freed(freed);
        drop(registry);
        self.some_freed.notify_all();
    }

    /// Writes a file of these batches, with an entry for each.
    pub(crate) fn write_file(
        &self,
        batches: &[Option<RecordBatch>],
    ) -> Result<(SpillFile, Vec<Option<Entry>>)> {
        let mut writer = SpillFileWriter::create(self.directory()?)?;
        let entries = batches
            .iter()
            .map(|batch| batch.as_ref().map(|batch| writer.append(batch)).transpose())
            .collect::<Result<Vec<_>>>()?;
        Ok((writer.finish()?, entries))
    }

    pub(crate) fn report_spill(&self, bytes: u64, freed: u64) {
        self.spilled.fetch_add(bytes, Ordering::Relaxed);
        self.observer.observe(&Event::Spilled { bytes, freed });
    }

    fn directory(&self) -> Result<Arc<SpillDir>> {
        let mut directory = self.directory.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(directory) = &*directory {
            return Ok(directory.clone());
        }
        let made = SpillDir::create(&self.options.temp_dir, self.options.temp_limit)?;
        Ok(directory.insert(made).clone())
    }

    /// The next thing to do for a thread that wants memory.
    fn pick(&self) -> Pick<'_> {
        let mut registry = self.registry();
        loop {
            if let Some(part) = registry.pop_largest() {
                return Pick::Spill(part, Spilling { store: self, freed: 0 });
            }
            if registry.spilling == 0 && registry.parts.is_empty() {
                return Pick::Nothing;
            }
            // What is left is being spilled by other threads, or dropped.
            let before = registry.freed;
            registry = self.some_freed.wait(registry).unwrap_or_else(PoisonError::into_inner);
            if registry.freed > before {
                return Pick::FreedByOthers((registry.freed - before) as usize);
            }
        }
    }

    /// Spills a part that was picked; puts it back if that fails, or if it is not as large as listed.
    fn spill(&self, part: &Arc<Part>) -> Result<usize> {
        let held = part.held_bytes();
        if held < part.listed.load(Ordering::Relaxed) / 2 {
            self.register(part);
            return Ok(0);
        }
        part.spill(self).inspect_err(|_| self.register(part))
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reclaim for ChunkStore {
    /// Spills parts until `bytes` are freed or none is left. While another thread spills the last part,
    /// waits for it.
    fn reclaim(&self, bytes: usize) -> Result<usize> {
        let mut freed = 0;
        while freed < bytes {
            match self.pick() {
                Pick::Nothing => break,
                Pick::FreedByOthers(others) => return Ok(freed + others),
                Pick::Spill(part, mut spilling) => {
                    spilling.freed = self.spill(&part)?;
                    freed += spilling.freed;
                }
            }
        }
        Ok(freed)
    }
}

enum Pick<'a> {
    Spill(Arc<Part>, Spilling<'a>),
    FreedByOthers(usize),
    Nothing,
}

/// Tells those who wait that a spill has ended, however it ended.
struct Spilling<'a> {
    store: &'a ChunkStore,
    freed: usize,
}

impl Drop for Spilling<'_> {
    fn drop(&mut self) {
        let mut registry = self.store.registry();
        registry.spilling -= 1;
        registry.count_freed(self.freed);
        self.store.some_freed.notify_all();
    }
}

/// Writes a part to disk as its batches come. Holds one encoded batch and 256 KiB at most.
pub struct SpillWriter {
    store: Arc<ChunkStore>,
    tag: u32,
    schema: SchemaRef,
    writer: SpillFileWriter,
    labels: Vec<Label>,
    entries: Vec<Option<Entry>>,
}

impl SpillWriter {
    /// Writes one batch. Blocks on the disk.
    pub fn write(&mut self, bucket: u32, batch: &RecordBatch) -> Result<()> {
        self.entries.push(Some(self.writer.append(batch)?));
        self.labels.push(Label::new(bucket, batch));
        Ok(())
    }

    /// The part.
    pub fn finish(self) -> Result<Arc<Part>> {
        let file = self.writer.finish()?;
        self.store.report_spill(file.bytes(), 0);
        let content = (file, self.entries);
        Ok(Part::on_disk(&self.store, self.tag, self.schema, self.labels, content))
    }
}
