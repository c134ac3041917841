//! What the command does beside printing results: temporary files, limits, signals, closed pipes.
//!
//! The rows come from `dframe generate`, so that they are many and the same every time.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Cursor};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::ipc::reader::FileReader;
use dframe_tests::fixtures;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

/// 300,000 rows in few row groups; grouping by all six ids makes a group of nearly every row.
static MANY: LazyLock<PathBuf> =
    LazyLock::new(|| generated("many", "groupby --rows 300k --row-group-size 100k"));

/// 2,000,000 rows in one row group.
static ONE: LazyLock<PathBuf> =
    LazyLock::new(|| generated("one", "ticks --rows 2M --row-group-size 2M"));

/// Flags under which [`EVERY_ROW`] must spill.
const STARVED: &str = "--memory-limit 16MiB --threads 2";

/// A group for nearly every row of [`MANY`].
const EVERY_ROW: &str = "--by id1,id2,id3,id4,id5,id6";

fn generated(name: &str, flags: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("behaviour-{name}.parquet"));
    let output = dframe(&format!("generate {flags}")).arg("-o").arg(&path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    path
}

/// The command with flags that need no quotes.
fn dframe(flags: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dframe"));
    command.args(flags.split_whitespace()).stdin(Stdio::null());
    command
}

fn starved(flags: &str, temp_dir: &Path) -> Command {
    let mut command = dframe(&format!("{flags} {STARVED}"));
    command.arg("--temp-dir").arg(temp_dir);
    command
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The lines of the result without its header, ordered.
fn rows(output: &Output) -> Vec<&str> {
    assert!(output.status.success(), "{}", stderr(output));
    let mut rows: Vec<&str> =
        std::str::from_utf8(&output.stdout).unwrap().lines().skip(1).collect();
    rows.sort_unstable();
    rows
}

/// A number of the report that `--stats --error-format json` prints.
fn stat(output: &Output, name: &str) -> u64 {
    let text = stderr(output);
    let (_, rest) = text.split_once(&format!("\"{name}\":")).expect(&text);
    rest.split(|letter: char| !letter.is_ascii_digit()).next().unwrap().parse().unwrap()
}

fn group_every_row() -> String {
    format!("groupby {} {EVERY_ROW} --agg count(*),sum(v1),sum(v3)", MANY.display())
}

#[test]
fn a_starved_run_spills_leaves_nothing_and_sweeps_what_a_dead_one_left() {
    let temp = tempfile::tempdir().unwrap();
    let dead = temp.path().join("dframe-4194305-aB3dE6");
    std::fs::create_dir(&dead).unwrap();
    std::fs::write(dead.join("owner.lock"), "").unwrap();
    std::fs::write(dead.join("0"), "spilled").unwrap();
    std::fs::write(temp.path().join("mine.txt"), "precious").unwrap();
    let flags = format!("{} --stats --error-format json", group_every_row());
    let output = starved(&flags, temp.path()).output().unwrap();
    let ample = dframe(&group_every_row()).output().unwrap();
    assert!(rows(&output) == rows(&ample), "memory changes the result");
    assert!(stat(&output, "bytes_spilled") > 1 << 20, "{}", stderr(&output));
    assert!(stat(&output, "budget_peak") <= stat(&output, "memory_limit"));
    assert_eq!(names(temp.path()), ["mine.txt"]);
}

#[test]
fn the_temp_limit_ends_the_run_with_status_5() {
    let temp = tempfile::tempdir().unwrap();
    let flags = format!("{} --temp-limit 1MiB", group_every_row());
    let output = starved(&flags, temp.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(stderr(&output).contains("--temp-limit"), "{}", stderr(&output));
    assert!(output.stdout.is_empty());
    assert_eq!(names(temp.path()), [""; 0]);
}

#[test]
fn a_temp_dir_that_cannot_be_used_is_named() {
    let missing = Path::new("/nonexistent/dir");
    let output = starved(&group_every_row(), missing).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("/nonexistent/dir"), "{}", stderr(&output));
    assert!(stderr(&output).contains("--temp-dir"), "{}", stderr(&output));
}

#[test]
fn a_row_that_does_not_fit_the_memory_ends_the_run_with_status_4() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wide.parquet");
    let texts = (0..3).map(|row| format!("{row}{}", "x".repeat(24 << 20)));
    let rows = fixtures::batch([
        ("row", Arc::new(Int64Array::from_iter_values(0..3))),
        ("text", Arc::new(StringArray::from_iter_values(texts))),
    ]);
    fixtures::write(&path, &rows, 3);
    let flags = format!("select {} --sort text", path.display());
    let output = starved(&flags, folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(stderr(&output).contains("--memory-limit"), "{}", stderr(&output));
    assert_eq!(names(folder.path()), ["wide.parquet"]);
}

#[test]
fn a_closed_pipe_ends_the_run_quietly() {
    let sorted = format!("select {} --sort id3,id6", MANY.display());
    for flags in [format!("select {}", ONE.display()), group_every_row(), sorted] {
        let temp = tempfile::tempdir().unwrap();
        let mut child = starved(&flags, temp.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains(','), "{flags} prints {line}");
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{flags}");
        assert_eq!(stderr(&output), "", "{flags}");
        assert_eq!(names(temp.path()), [""; 0], "{flags}");
    }
}

/// Starts a starved run, and sends `signal` once it has begun to spill.
fn interrupted(flags: &str, signal: &str, temp_dir: &Path) -> Output {
    let mut command = starved(flags, temp_dir);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while !names(temp_dir).iter().any(|name| names(&temp_dir.join(name)).len() > 1) {
        assert!(child.try_wait().unwrap().is_none(), "{flags} ends before it spills");
        assert!(begun.elapsed() < Duration::from_secs(60), "{flags} does not spill");
        std::thread::sleep(Duration::from_millis(2));
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    let told = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(told.elapsed() < Duration::from_secs(10), "{flags} ends {:?} late", told.elapsed());
    output
}

#[test]
fn signals_end_the_run_with_status_130_and_nothing_left() {
    let sorted = format!("select {} --sort trade_id,price", ONE.display());
    let every_row = format!("groupby {} --by trade_id,ticker --agg max(price)", ONE.display());
    for (flags, signal) in [(&every_row, "-INT"), (&every_row, "-TERM"), (&sorted, "-INT")] {
        let temp = tempfile::tempdir().unwrap();
        let target = temp
            .path()
            .parent()
            .unwrap()
            .join(format!("{}.csv", temp.path().file_name().unwrap().to_str().unwrap()));
        let flags = format!("{flags} -o {}", target.display());
        let output = interrupted(&flags, signal, temp.path());
        assert_eq!(output.status.code(), Some(130), "{flags} {signal}: {}", stderr(&output));
        assert_eq!(stderr(&output), "error: interrupted\n", "{flags} {signal}");
        assert_eq!(names(temp.path()), [""; 0], "{flags} {signal}");
        assert!(!target.exists(), "{flags} {signal} leaves an output");
    }
}

#[test]
fn a_killed_run_is_swept_by_the_next() {
    let temp = tempfile::tempdir().unwrap();
    let every_row = format!("groupby {} --by trade_id,ticker --agg max(price)", ONE.display());
    let output = interrupted(&every_row, "-KILL", temp.path());
    assert_eq!(output.status.code(), None);
    assert_eq!(names(temp.path()).len(), 1, "a killed run cannot tidy up");
    let output = starved(&group_every_row(), temp.path()).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(names(temp.path()), [""; 0]);
}

#[test]
fn a_failed_run_keeps_the_old_output() {
    let folder = tempfile::tempdir().unwrap();
    fixtures::write_all(folder.path());
    let before = names(folder.path()).len();
    let torn = folder.path().join("torn.parquet");
    let torn = torn.display();
    for extension in ["csv", "json", "parquet", "arrow"] {
        let target = folder.path().join(format!("out.{extension}"));
        std::fs::write(&target, "old").unwrap();
        for (query, status) in [
            (format!("select {torn}"), 1),
            (format!("select {} --columns n/0,1//(9999-n)", torn), 1),
            (format!("select {torn} --columns m"), 1),
            (format!("select {torn}.missing"), 3),
        ] {
            let output = dframe(&query).arg("-o").arg(&target).output().unwrap();
            assert_eq!(output.status.code(), Some(status), "{query}: {}", stderr(&output));
            assert_eq!(std::fs::read_to_string(&target).unwrap(), "old", "{query}");
        }
        let whole = folder.path().join("whole.parquet");
        let good = format!("select {} --limit 3", whole.display());
        let output = dframe(&good).arg("-o").arg(&target).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        assert_ne!(std::fs::read(&target).unwrap(), b"old");
        std::fs::remove_file(&target).unwrap();
    }
    assert_eq!(names(folder.path()).len(), before, "{:?}", names(folder.path()));
}

/// A folder of so many files of one row each, `n` from 0 on and `n % 7`.
fn tiny_files(count: i64) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..count {
        let rows: RecordBatch = fixtures::batch([
            ("n", Arc::new(Int64Array::from(vec![n]))),
            ("k", Arc::new(Int64Array::from(vec![n % 7]))),
        ]);
        fixtures::write(&folder.path().join(format!("{n:05}.parquet")), &rows, 1);
    }
    folder
}

#[test]
fn binary_formats_hold_every_type_in_files_and_pipes() {
    let folder = tempfile::tempdir().unwrap();
    fixtures::write_all(folder.path());
    for name in ["integers", "decimals", "times", "nested", "floats", "all-null", "no-row-groups"] {
        let source = folder.path().join(format!("{name}.parquet"));
        let expected = parquet_rows(&std::fs::read(&source).unwrap());
        let flags = format!("select {}", source.display());
        for (extension, read) in
            [("parquet", parquet_rows as fn(&[u8]) -> RecordBatch), ("arrow", arrow_rows)]
        {
            let target = folder.path().join(format!("out.{extension}"));
            let piped = dframe(&format!("{flags} -f {extension}")).output().unwrap();
            assert!(piped.status.success(), "{}", stderr(&piped));
            assert!(read(&piped.stdout) == expected, "{name} as {extension} in a pipe");
            let filed = dframe(&flags).arg("-o").arg(&target).output().unwrap();
            assert!(filed.status.success(), "{}", stderr(&filed));
            let file = std::fs::read(&target).unwrap();
            assert!(read(&file) == expected, "{name} as {extension} in a file");
        }
    }
}

fn parquet_rows(bytes: &[u8]) -> RecordBatch {
    let bytes = bytes::Bytes::copy_from_slice(bytes);
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    let schema = reader.schema().clone();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(|batch| batch.unwrap()).collect();
    concat_batches(&schema, &batches).unwrap()
}

fn arrow_rows(bytes: &[u8]) -> RecordBatch {
    let reader = FileReader::try_new(Cursor::new(bytes), None).unwrap();
    let schema = reader.schema();
    let batches: Vec<RecordBatch> = reader.map(|batch| batch.unwrap()).collect();
    concat_batches(&schema, &batches).unwrap()
}

#[test]
fn ten_thousand_files_need_few_open_files() {
    const COUNT: i64 = 10_000;
    let folder = tiny_files(COUNT);
    let run = |flags: &str| {
        let binary = env!("CARGO_BIN_EXE_dframe");
        let script =
            format!("ulimit -n 64; exec {binary} {flags} --threads 4 --memory-limit 64MiB");
        Command::new("sh").args(["-c", &script]).output().unwrap()
    };
    let path = folder.path().display();
    let output = run(&format!("groupby {path} --by k --agg 'count(*) as c, sum(n) as s' --sort k"));
    let expected: Vec<String> = (0..7)
        .map(|k| {
            let numbers = || (0..COUNT).filter(move |n| n % 7 == k);
            format!("{k},{},{}", numbers().count(), numbers().sum::<i64>())
        })
        .collect();
    assert_eq!(rows(&output), expected);
    let output = run(&format!("select {path} --columns n --sort 'n desc' --limit 2"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "n\n9999\n9998\n", "{}", stderr(&output));
    let output = run(&format!("select {path} --columns n"));
    let in_order: String = (0..COUNT).map(|n| format!("{n}\n")).collect();
    assert!(String::from_utf8_lossy(&output.stdout) == format!("n\n{in_order}"));
    let output = run(&format!("sort {path} --by n"));
    let in_order: String = (0..COUNT).map(|n| format!("{n},{}\n", n % 7)).collect();
    assert!(String::from_utf8_lossy(&output.stdout) == format!("n,k\n{in_order}"));
    let output = run(&format!("distinct {path} --on k"));
    let firsts: Vec<String> = (0..7).map(|n| format!("{n},{n}")).collect();
    assert_eq!(rows(&output), firsts);
    let output = run(&format!("join {path} {path} --on n --how semi"));
    assert_eq!(rows(&output).len(), COUNT as usize, "{}", stderr(&output));
    let output = run(&format!("sample {path} -n 1000"));
    assert_eq!(rows(&output).len(), 1000, "{}", stderr(&output));
}

#[test]
fn one_huge_row_group_is_cut_to_fit_a_small_memory() {
    let temp = tempfile::tempdir().unwrap();
    let scan = format!("groupby {} --agg count(*),sum(size),mean(price),min(ts)", ONE.display());
    let by = ["--by", "trade_id % 500000 as k"];
    let flags = format!("{scan} --stats --error-format json");
    let small = starved(&flags, temp.path()).args(by).output().unwrap();
    let ample = dframe(&scan).args(by).output().unwrap();
    assert_eq!(rows(&ample).len(), 500_000);
    assert!(rows(&small) == rows(&ample), "memory changes the result");
    assert!(stat(&small, "partitions") > 1, "{}", stderr(&small));
    assert!(stat(&small, "bytes_spilled") > 0, "{}", stderr(&small));
    assert_eq!(names(temp.path()), [""; 0]);
}
