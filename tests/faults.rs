//! What is left, and what is answered, when the disk is full, the process is killed, or two work in one folder.
//!
//! ```text
//!   {group-by, sort, distinct, join, window, median} x {while spilling, while writing} x {no room, SIGKILL, SIGINT, another process}
//! ```
//!
//! Nothing here waits for a time: a fault comes when the file that it is about appears. Disks that are full are small
//! ones in memory, mounted for one process; where that is not permitted, the tests say so and end.
#![allow(clippy::unwrap_used)]
#![expect(clippy::print_stdout, reason = "a test that cannot be done says why")]

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// 300,000 rows, more than the memory that queries get; grouping by all six ids makes a group of nearly every row.
static ROWS: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults.parquet");
    let flags = "generate groupby --rows 300k --row-group-size 50k -o";
    let output = command(&words(flags)).arg(&path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    path
});

/// What is never reached, unless something hangs.
const CEILING: Duration = Duration::from_secs(120);

/// A query of each kind that spills with little memory: its name and command line; `@` is the table.
const QUERIES: [(&str, &str); 6] = [
    ("groups", "groupby @ --by id1,id2,id3,id4,id5,id6 --agg count(*),sum(v1),sum(v3)"),
    ("sort", "sort @ --by id3,id6,v3"),
    ("distinct", "distinct @"),
    ("join", "join @ @ --on id3,id6,v3,id1,id2"),
    (
        "window",
        "select @ --columns id1,id2,id3,id4,id5,id6,v1,v2,v3,row_number()over(partition|by|id6|order|by|v3)as|n",
    ),
    ("median", "groupby @ --by id3,id6 --agg median(v3),list(v1)"),
];

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(|word| word.replace('|', " ")).collect()
}

fn query(line: &str) -> Vec<String> {
    let table = ROWS.to_str().unwrap();
    words(line).into_iter().map(|word| if word == "@" { table.into() } else { word }).collect()
}

fn command(args: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dframe"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The query with so little memory that it spills to `temp`.
fn starved(line: &str, temp: &Path) -> Command {
    let mut command = command(&query(line));
    command.args(["--memory-limit", "16MiB", "--threads", "2", "--temp-dir"]).arg(temp);
    command
}

/// Folders for spilled files and for results, and an old result in one.
struct Place {
    temp: tempfile::TempDir,
    out: tempfile::TempDir,
}

const OLD: &str = "old and precious";

impl Place {
    fn new() -> Self {
        let place = Self { temp: tempfile::tempdir().unwrap(), out: tempfile::tempdir().unwrap() };
        std::fs::write(place.target(), OLD).unwrap();
        place
    }

    fn target(&self) -> PathBuf {
        self.out.path().join("out.csv")
    }

    fn start(&self, line: &str) -> Child {
        starved(line, self.temp.path()).arg("-o").arg(self.target()).spawn().unwrap()
    }

    /// Whether the old result is as it was.
    fn is_old(&self) -> bool {
        std::fs::read_to_string(self.target()).unwrap() == OLD
    }

    /// Nothing is there but the result.
    fn assert_tidy(&self, what: &str) {
        assert_eq!(names(self.temp.path()), [""; 0], "{what} leaves spilled files");
        assert_eq!(names(self.out.path()), ["out.csv"], "{what} leaves files beside its output");
    }

    fn has_spilled(&self) -> bool {
        let folders = names(self.temp.path()).into_iter();
        folders
            .map(|name| self.temp.path().join(name))
            .any(|folder| std::fs::read_dir(folder).is_ok_and(|entries| entries.count() > 1))
    }

    fn has_begun_to_write(&self) -> bool {
        let hidden = |entry: std::fs::DirEntry| {
            entry.file_name().to_string_lossy().starts_with('.')
                && entry.metadata().is_ok_and(|found| found.len() > 0)
        };
        std::fs::read_dir(self.out.path()).unwrap().flatten().any(hidden)
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The lines of a result, ordered.
fn lines(result: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(result).unwrap();
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    lines.sort_unstable();
    lines
}

/// What a query answers with all the memory it wants.
fn answer(line: &str) -> Vec<String> {
    let output = command(&query(line)).args(["-f", "csv"]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", text(&output));
    lines(&output.stdout)
}

/// Waits until `is_so`, or the process has ended; whether it still runs.
fn waits(child: &mut Child, is_so: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if is_so() {
            return true;
        }
        assert!(begun.elapsed() < CEILING, "neither ends nor comes to the point");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn signal(child: &Child, signal: &str) {
    let _ = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
}

#[test]
fn a_killed_run_leaves_the_old_output_and_the_next_run_sweeps_the_rest() {
    let mut killed = 0;
    for (name, line) in QUERIES {
        let expected = answer(line);
        for stage in [Place::has_spilled, Place::has_begun_to_write] {
            let place = Place::new();
            let mut child = place.start(line);
            if waits(&mut child, || stage(&place)) {
                signal(&child, "-KILL");
            }
            let output = child.wait_with_output().unwrap();
            if output.status.signal() == Some(9) {
                killed += 1;
                assert!(place.is_old(), "{name}: the old output is not what it was");
            }
            let output = place.start(line).wait_with_output().unwrap();
            assert!(output.status.success(), "{name}: {}", text(&output));
            let result = std::fs::read(place.target()).unwrap();
            assert!(lines(&result) == expected, "{name}: another answer after a kill");
            place.assert_tidy(name);
        }
    }
    assert!(killed >= QUERIES.len(), "only {killed} were killed in time");
}

#[test]
fn a_killed_run_that_replaces_a_folder_leaves_one_and_the_next_sweeps_the_rest() {
    let place = Place::new();
    let target = place.out.path().join("folder");
    let start = || {
        let mut command = starved("sort @ --by v1", place.temp.path());
        command.args(["--partition-by", "v1", "--overwrite", "-f", "csv", "-o"]).arg(&target);
        command.spawn().unwrap()
    };
    let output = start().wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let whole = names(&target);
    let mut child = start();
    let hidden = || names(place.out.path()).iter().any(|name| name.starts_with('.'));
    if waits(&mut child, hidden) {
        signal(&child, "-KILL");
    }
    child.wait_with_output().unwrap();
    assert_eq!(names(&target), whole);
    let output = start().wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(names(&target), whole);
    assert_eq!(names(place.out.path()), ["folder", "out.csv"]);
    assert_eq!(names(place.temp.path()), [""; 0]);
}

#[test]
fn an_interrupted_run_leaves_nothing() {
    for (name, line) in QUERIES {
        let place = Place::new();
        let mut child = place.start(line);
        let runs = waits(&mut child, || place.has_spilled());
        assert!(runs, "{name} ends before it spills");
        signal(&child, "-INT");
        let output = child.wait_with_output().unwrap();
        // It may have been done at that moment.
        let status = output.status.code();
        assert!(matches!(status, Some(130 | 0)), "{name}: {status:?} {}", text(&output));
        assert!(status == Some(0) || place.is_old(), "{name}: the old output is not what it was");
        place.assert_tidy(name);
    }
}

#[test]
fn a_living_run_is_not_swept_by_another() {
    let (place, line) = (Place::new(), QUERIES[0].1);
    // It lives for as long as nobody reads what it prints.
    let mut living = starved(line, place.temp.path()).args(["-f", "csv"]).spawn().unwrap();
    assert!(waits(&mut living, || place.has_spilled()));
    let mine = names(place.temp.path());
    let output = place.start(QUERIES[1].1).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(names(place.temp.path()), mine);
    let mut printed = Vec::new();
    living.stdout.take().unwrap().read_to_end(&mut printed).unwrap();
    assert!(living.wait().unwrap().success());
    assert!(lines(&printed) == answer(line));
    place.assert_tidy("the last of two");
}

#[test]
fn two_runs_at_once_with_one_temp_dir_and_one_output_both_finish() {
    for (name, line) in QUERIES {
        let place = Place::new();
        let both = [place.start(line), place.start(line)];
        for child in both {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{name}: {}", text(&output));
        }
        let result = std::fs::read(place.target()).unwrap();
        assert!(lines(&result) == answer(line), "{name}: another answer beside another");
        place.assert_tidy(name);
    }
}

#[test]
fn the_temp_limit_ends_every_kind_of_query_with_status_5_and_the_remedy() {
    for (name, line) in QUERIES {
        let place = Place::new();
        let mut command = starved(line, place.temp.path());
        let command = command.args(["--temp-limit", "64KiB", "-o"]).arg(place.target());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(5), "{name}: {}", text(&output));
        assert!(text(&output).contains("--temp-limit"), "{name}: {}", text(&output));
        assert!(place.is_old(), "{name}: the old output is not what it was");
        place.assert_tidy(name);
    }
}

/// Runs a query with a disk of so many KiB at `at`, which nobody else sees and which is gone afterwards; what is on it at
/// the end comes back too. `None` if this may not be done here.
fn on_a_small_disk(at: &Path, kib: u32, command: &Command) -> Option<(Output, Vec<String>)> {
    let script = "mount -t tmpfs -o size=$1k tmpfs \"$2\" || exit 77\n\
        at=$2; shift 2; printf 'old and precious' > \"$at/out\"; \"$@\" || code=$?\n\
        ls -A \"$at\" >&2; [ \"$(head -c 16 \"$at/out\")\" = 'old and precious' ] && echo kept >&2\n\
        exit ${code:-0}";
    let mut wrapped = Command::new("unshare");
    wrapped.args(["--mount", "--map-root-user", "sh", "-c", script, "sh", &kib.to_string()]);
    wrapped.arg(at).arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    let output = wrapped.output().ok()?;
    if output.status.code() == Some(77) || text(&output).contains("unshare") {
        println!("no small disks may be mounted here: {}", text(&output));
        return None;
    }
    let left = text(&output).lines().map(String::from).collect();
    Some((output, left))
}

#[test]
fn a_full_temp_dir_ends_every_kind_of_query_with_status_5_and_the_remedy() {
    for (name, line) in QUERIES {
        let place = Place::new();
        let mut command = starved(line, place.temp.path());
        command.arg("-o").arg(place.target());
        let Some((output, left)) = on_a_small_disk(place.temp.path(), 128, &command) else {
            return;
        };
        assert_eq!(output.status.code(), Some(5), "{name}: {}", text(&output));
        assert!(text(&output).contains("--temp-dir"), "{name}: {}", text(&output));
        assert!(left.ends_with(&["out".into(), "kept".into()]), "{name} leaves {left:?}");
        assert!(place.is_old(), "{name}: the old output is not what it was");
        place.assert_tidy(name);
    }
}

#[test]
fn a_full_output_disk_ends_the_run_with_status_5_and_keeps_the_old_output() {
    for format in
        ["csv", "tsv", "json", "ndjson", "parquet", "arrow", "arrow-stream", "avro", "sqlite"]
    {
        let place = Place::new();
        let mut command = starved("select @", place.temp.path());
        command.args(["-f", format, "-o"]).arg(place.out.path().join("out"));
        let Some((output, left)) = on_a_small_disk(place.out.path(), 256, &command) else {
            return;
        };
        assert_eq!(output.status.code(), Some(5), "{format}: {}", text(&output));
        assert!(text(&output).contains("out"), "{format}: {}", text(&output));
        assert!(left.ends_with(&["out".into(), "kept".into()]), "{format} leaves {left:?}");
    }
    let place = Place::new();
    let mut command = starved("select @", place.temp.path());
    command.args(["--partition-by", "id1", "-f", "csv", "-o"]).arg(place.out.path().join("new"));
    let Some((output, left)) = on_a_small_disk(place.out.path(), 256, &command) else { return };
    assert_eq!(output.status.code(), Some(5), "{}", text(&output));
    assert!(left.ends_with(&["out".into(), "kept".into()]), "a folder leaves {left:?}");
}

#[test]
fn a_full_device_ends_the_run_with_status_5() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        return println!("there is no /dev/full here");
    }
    let temp = tempfile::tempdir().unwrap();
    for (name, line) in QUERIES {
        let as_file = starved(line, temp.path()).args(["-f", "csv", "-o"]).arg(full).output();
        let stream = std::fs::File::options().write(true).open(full).unwrap();
        let as_stream = starved(line, temp.path()).args(["-f", "csv"]).stdout(stream).output();
        for output in [as_file.unwrap(), as_stream.unwrap()] {
            assert_eq!(output.status.code(), Some(5), "{name}: {}", text(&output));
            assert_eq!(names(temp.path()), [""; 0], "{name} leaves spilled files");
        }
    }
}
