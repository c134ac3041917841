//! `--profile`: the page is whole, says what the run did, and stays small.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

fn dframe(folder: &Path, words: &[&str]) -> Output {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../data").canonicalize().unwrap();
    let words = words.iter().map(|word| word.replace("data/", &format!("{}/", data.display())));
    let mut command = Command::new(env!("CARGO_BIN_EXE_dframe"));
    command.args(words).current_dir(folder).output().unwrap()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The numbers of a page.
fn numbers(page: &str) -> Value {
    let (_, rest) = page.split_once("id=\"data\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn the_page_says_what_the_run_did() {
    let folder = folder();
    let words = ["groupby", "data/ticks.parquet", "--by", "ticker", "--agg", "sum(size) as v"];
    let flags = ["--threads", "2", "--memory-limit", "64MiB", "--profile", "run.html"];
    let output = dframe(folder.path(), &[&words[..], &flags[..]].concat());
    assert!(output.status.success(), "{output:?}");
    let page = fs::read_to_string(folder.path().join("run.html")).unwrap();
    assert!(page.contains("<svg ") && !page.contains("src=") && !page.contains("<link"));
    let data = numbers(&page);
    assert!(data["command"].as_str().unwrap().contains("--agg 'sum(size) as v'"), "{data}");
    assert_eq!(data["memory_limit"], 64 << 20);
    let stages = data["stages"].as_array().unwrap();
    assert!(stages[0]["name"].as_str().unwrap().contains("scan"), "{data}");
    let tasks: u64 = stages.iter().map(|stage| stage["tasks"].as_u64().unwrap()).sum();
    let spans = &data["spans"];
    let pieces = spans["start"].as_array().unwrap().len();
    assert!(tasks > 0 && pieces as u64 >= tasks, "{data}");
    for column in ["took", "thread", "stage", "index"] {
        assert_eq!(spans[column].as_array().unwrap().len(), pieces);
    }
    let first = data["order"][0].as_u64().unwrap() as usize;
    assert!(data["threads"][first].as_str().unwrap().starts_with("worker "), "{data}");
    let read = data["samples"]["read"].as_array().unwrap().last().unwrap();
    assert!(read.as_u64().unwrap() > 0);
    assert_eq!(names(folder.path()), ["run.html"]);
}

#[test]
fn a_run_that_fails_has_a_page_too() {
    let folder = folder();
    let words = ["select", "data/ticks.parquet", "--columns", "cast(ticker as int) as n"];
    let output = dframe(folder.path(), &[&words[..], &["--profile", "run.html"]].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let data = numbers(&fs::read_to_string(folder.path().join("run.html")).unwrap());
    assert!(!data["outcome"].as_str().unwrap().is_empty());
}

#[test]
fn a_page_that_cannot_be_written_is_told_before_the_run() {
    let folder = folder();
    let output =
        dframe(folder.path(), &["count", "data/ticks.parquet", "--profile", "no/run.html"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.stdout.is_empty());
    assert_eq!(
        text,
        "error: cannot write the profile\n --> no/run.html\nhelp: name another file after --profile\n"
    );
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
