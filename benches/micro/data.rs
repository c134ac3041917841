//! What the benchmarks read: ticks, generated when first asked for, gone when the run ends.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::DataType;
use dframe::prelude::*;
use dframe_datagen::{Options, Table, generate};
use tempfile::TempDir;

/// The rows of [`ticks`]: a row group, or next to nothing when benchmarks are only tried.
pub fn rows() -> usize {
    let asked = |flag: &str| std::env::args().any(|argument| argument == flag);
    if asked("--bench") && !asked("--test") { 1 << 20 } else { 1 << 13 }
}

/// A file of ticks.
pub fn ticks() -> &'static Path {
    static TICKS: OnceLock<PathBuf> = OnceLock::new();
    TICKS.get_or_init(|| {
        let path = folder().join("ticks.parquet");
        let options = Options { rows: rows() as u64, ..Options::default() };
        generate(Table::Ticks, &options, &path, &|_| {}).expect("ticks are generated");
        path
    })
}

/// A file of three integer keys in random order, with about 10^2, 10^4 and 10^6 distinct values, and
/// a number to add up.
pub fn keys() -> &'static Path {
    static KEYS: OnceLock<PathBuf> = OnceLock::new();
    KEYS.get_or_init(|| {
        let path = folder().join("keys.parquet");
        let scattered = || col("trade_id") * lit(2_654_435_761_i64) % lit(1_000_003_i64);
        let key = |groups: i64| (scattered() % lit(groups)).alias(format!("key_{groups}"));
        let columns = [key(100), key(10_000), key(1_000_000), col("size")];
        frame(ticks()).select(columns).sink_parquet(&path).expect("keys are written");
        path
    })
}

/// A frame over a file, in a session that runs on the calling thread.
pub fn frame(path: &Path) -> LazyFrame {
    let session = Session::builder().synchronous().build().expect("the limit is large enough");
    session.scan_parquet(path).expect("the file was just written")
}

/// Runs a frame and drops what comes out.
pub fn run(frame: &LazyFrame) {
    for batch in frame.collect_batches().expect("the plan is valid") {
        divan::black_box_drop(batch.expect("the query runs"));
    }
}

/// Columns of [`ticks`] in one batch, text plain.
pub fn batch(columns: &[&str]) -> RecordBatch {
    let columns = columns.iter().copied();
    let collected = frame(ticks()).select(columns).collect().expect("ticks are read");
    concat_batches(collected.schema(), collected.batches()).expect("one schema")
}

/// Text as codes, as it comes out of a file.
pub fn as_codes(text: &ArrayRef) -> ArrayRef {
    let codes = DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into());
    cast(text, &codes).expect("few distinct values")
}

/// The directory of this run.
pub fn folder() -> PathBuf {
    let mut folder = lock();
    let folder =
        folder.get_or_insert_with(|| TempDir::new().expect("the temp directory is writable"));
    folder.path().to_path_buf()
}

/// Removes the directory of this run: what is static is not dropped.
pub fn remove() {
    lock().take();
}

fn lock() -> MutexGuard<'static, Option<TempDir>> {
    static FOLDER: Mutex<Option<TempDir>> = Mutex::new(None);
    FOLDER.lock().unwrap_or_else(PoisonError::into_inner)
}
