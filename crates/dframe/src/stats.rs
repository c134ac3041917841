//! What a run has cost, counted from its events.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dframe_core::size::format_bytes;
use dframe_core::{Event, Observer};

/// An observer that counts. Give it to [`crate::SessionBuilder::observer`], and read it after the run.
///
/// ```
/// use std::sync::Arc;
/// use dframe::prelude::*;
///
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
/// let stats = Arc::new(RunStats::default());
/// let session = Session::builder().observer(stats.clone()).build()?;
/// session.scan_parquet(path)?.agg([col("delay").mean()]).collect()?;
/// assert_eq!(stats.read().rows_read, 214_286);
/// # Ok::<(), dframe::Error>(())
/// ```
#[derive(Debug)]
pub struct RunStats {
    started: Instant,
    partitions: AtomicU64,
    row_groups: AtomicU64,
    row_groups_pruned: AtomicU64,
    units_skipped: AtomicU64,
    rows_read: AtomicU64,
    bytes_read: AtomicU64,
    spills: AtomicU64,
    bytes_spilled: AtomicU64,
    tasks: AtomicU64,
    retries: AtomicU64,
    busy_nanos: AtomicU64,
    operators: Mutex<BTreeMap<&'static str, OperatorStats>>,
}

impl Default for RunStats {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            partitions: AtomicU64::default(),
            row_groups: AtomicU64::default(),
            row_groups_pruned: AtomicU64::default(),
            units_skipped: AtomicU64::default(),
            rows_read: AtomicU64::default(),
            bytes_read: AtomicU64::default(),
            spills: AtomicU64::default(),
            bytes_spilled: AtomicU64::default(),
            tasks: AtomicU64::default(),
            retries: AtomicU64::default(),
            busy_nanos: AtomicU64::default(),
            operators: Mutex::default(),
        }
    }
}

/// What one operator has cost, over all tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OperatorStats {
    /// The time it held cores.
    pub busy: Duration,
    /// The rows that went through it.
    pub rows: u64,
}

/// The counts at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatsReading {
    /// The time since the observer was made.
    pub elapsed: Duration,
    /// Partitions that were to be read.
    pub partitions: u64,
    /// Row groups that were to be read, in whole or in part.
    pub row_groups: u64,
    /// Row groups that statistics ruled out.
    pub row_groups_pruned: u64,
    /// Row groups, or pieces of them, that were to be read, until what the query had found by then made
    /// their statistics rule them out.
    pub units_skipped: u64,
    /// Rows decoded with all of their columns; a filter's own columns may show that others need not be.
    pub rows_read: u64,
    /// Bytes read from sources.
    pub bytes_read: u64,
    /// Chunks written to the temp directory.
    pub spills: u64,
    /// Bytes written to the temp directory.
    pub bytes_spilled: u64,
    /// Tasks that ended.
    pub tasks: u64,
    /// How often a task failed and was tried again: for its [`crate::tasks::Retry`], or because it got no
    /// memory beside others and then had the run to itself.
    pub retries: u64,
    /// The time that tasks held cores.
    pub busy: Duration,
    /// Operators by name.
    pub operators: BTreeMap<&'static str, OperatorStats>,
}

impl RunStats {
    /// The counts now.
    pub fn read(&self) -> StatsReading {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StatsReading {
            elapsed: self.started.elapsed(),
            partitions: count(&self.partitions),
            row_groups: count(&self.row_groups),
            row_groups_pruned: count(&self.row_groups_pruned),
            units_skipped: count(&self.units_skipped),
            rows_read: count(&self.rows_read),
            bytes_read: count(&self.bytes_read),
            spills: count(&self.spills),
            bytes_spilled: count(&self.bytes_spilled),
            tasks: count(&self.tasks),
            retries: count(&self.retries),
            busy: Duration::from_nanos(count(&self.busy_nanos)),
            operators: self.operators.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

impl Observer for RunStats {
    fn observe(&self, event: &Event) {
        let add = |counter: &AtomicU64, amount: u64| {
            counter.fetch_add(amount, Ordering::Relaxed);
        };
        match event {
            Event::PartitionsPlanned { partitions, row_groups, row_groups_pruned, .. } => {
                add(&self.partitions, *partitions as u64);
                add(&self.row_groups, *row_groups as u64);
                add(&self.row_groups_pruned, *row_groups_pruned as u64);
            }
            Event::BytesRead(bytes) => add(&self.bytes_read, *bytes),
            Event::UnitsSkipped { units, .. } => add(&self.units_skipped, *units),
            Event::RowsRead(rows) => add(&self.rows_read, *rows),
            Event::TaskRetried { .. } => add(&self.retries, 1),
            Event::Spilled { bytes, .. } => {
                add(&self.spills, 1);
                add(&self.bytes_spilled, *bytes);
            }
            Event::TaskFinished { busy, .. } => {
                add(&self.tasks, 1);
                add(&self.busy_nanos, u64::try_from(busy.as_nanos()).unwrap_or(u64::MAX));
            }
            Event::OperatorTime { operator, busy, rows } => {
                let mut operators = self.operators.lock().unwrap_or_else(PoisonError::into_inner);
                let stats = operators.entry(operator).or_default();
                stats.busy += *busy;
                stats.rows += rows;
            }
            _ => {}
        }
    }
}

/// A line per subject, as `--stats` prints them.
impl Display for StatsReading {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let seconds = |time: Duration| format!("{:.3} s", time.as_secs_f64());
        writeln!(f, "time       {} ({} on cores)", seconds(self.elapsed), seconds(self.busy))?;
        writeln!(f, "read       {} rows, {}", self.rows_read, format_bytes(self.bytes_read))?;
        writeln!(
            f,
            "row groups {} to read, {} ruled out by statistics, {} units skipped on the way",
            self.row_groups, self.row_groups_pruned, self.units_skipped
        )?;
        writeln!(f, "tasks      {} over {} partitions", self.tasks, self.partitions)?;
        writeln!(f, "spilled    {} in {} chunks", format_bytes(self.bytes_spilled), self.spills)?;
        for (name, stats) in &self.operators {
            writeln!(f, "  {name:<20} {:>10}  {} rows", seconds(stats.busy), stats.rows)?;
        }
        Ok(())
    }
}
