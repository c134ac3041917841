//! Golden scripts: what a user types and what comes back, as text files in `tests/scripts/`.
//!
//! ```text
//!   # a comment
//!   $ dframe groupby data/flights.parquet --by origin --sort origin --limit 3
//!   origin,count,...
//! ```
//!
//! A script runs once in each of [`WAYS`]: threads, memory, optimizer. Every command must print the same
//! each time. Standard error follows after a line `[stderr]`, a status other than 0 as `[status N]`.
//! `$FIXTURES` is a folder with [the odd files](dframe_tests::fixtures), `$TMP` one that the commands of
//! a script share, empty at first. A command may end in `< FILE`; `cat FILE` prints what was written.
//!
//! Set `UPDATE_SCRIPTS=1` to write what the first way prints into the files, and `SCRIPT=groupby` to run
//! one. A script whose first line is `#once` runs once, as it is written: what it prints depends on the way.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use dframe_tests::fixtures;

/// The ways each command is run.
const WAYS: &[&[&str]] = &[
    &["--executor", "sync"],
    &["--threads", "1"],
    &["--threads", "4"],
    &["--threads", "4", "--memory-limit", "48MiB"],
    &["--executor", "sync", "--memory-limit", "24MiB"],
    &["--threads", "4", "--no-optimizer"],
    &["--executor", "sync", "--no-optimizer", "--memory-limit", "24MiB"],
];

/// The one way of a script that says itself how its commands run.
const AS_WRITTEN: &[&[&str]] = &[&[]];

/// Subcommands that run no query.
const WAYLESS: &[&str] = &["schema", "meta", "generate", "bench", "config", "--version", "--help"];

#[test]
fn scripts_print_what_they_say() {
    let fixtures = tempfile::tempdir().unwrap();
    fixtures::write_all(fixtures.path());
    let update = std::env::var_os("UPDATE_SCRIPTS").is_some();
    let mut failures = Vec::new();
    for path in paths() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let script = std::fs::read_to_string(&path).unwrap();
        let (now, differences) = run(&script, fixtures.path());
        failures.extend(differences.into_iter().map(|text| format!("--- {name}: {text}")));
        if update {
            std::fs::write(&path, now).unwrap();
        } else if now != script {
            failures.push(format!("--- {name}: {}", difference(&script, &now)));
        }
    }
    let hint = "UPDATE_SCRIPTS=1 writes what is printed";
    assert!(failures.is_empty(), "{}\n{hint}", failures.join("\n"));
}

/// The scripts that are asked for.
fn paths() -> Vec<PathBuf> {
    let wanted = std::env::var("SCRIPT").ok();
    let entries = std::fs::read_dir(root().join("tests/scripts")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| wanted.as_deref().is_none_or(|name| path.file_stem().unwrap() == name));
    paths.sort();
    assert!(!paths.is_empty(), "there is no such script");
    paths
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The script as it should be by its first way, and where other ways differ from that.
fn run(script: &str, fixtures: &Path) -> (String, Vec<String>) {
    let ways = if script.starts_with("#once") { AS_WRITTEN } else { WAYS };
    let blocks = blocks(script);
    let outputs: Vec<Vec<String>> = thread::scope(|scope| {
        let run = |way| run_in_one_way(&blocks, way, fixtures);
        let threads: Vec<_> = ways.iter().map(|way| scope.spawn(move || run(way))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut differences = Vec::new();
    for (way, others) in ways.iter().zip(&outputs).skip(1) {
        for ((block, first), other) in blocks.iter().zip(&outputs[0]).zip(others) {
            if first != other {
                let place = difference(first, other);
                differences.push(format!("`{}` differs with {way:?} {place}", block.command));
            }
        }
    }
    let texts = blocks
        .iter()
        .zip(&outputs[0])
        .map(|(block, output)| format!("{}$ {}\n{output}", block.preamble, block.command));
    (texts.collect::<Vec<_>>().join("\n"), differences)
}

fn run_in_one_way(blocks: &[Block], way: &[&str], fixtures: &Path) -> Vec<String> {
    let scratch = tempfile::tempdir().unwrap();
    let folders = [("$FIXTURES", fixtures), ("$TMP", scratch.path())];
    blocks.iter().map(|block| output(&block.command, way, &folders)).collect()
}

/// A command, and the comments above it.
struct Block {
    preamble: String,
    command: String,
}

/// A script without what its commands print.
fn blocks(script: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut preamble = String::new();
    for line in script.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            let preamble = std::mem::take(&mut preamble);
            blocks.push(Block { preamble, command: command.to_string() });
        } else if line.starts_with('#') {
            preamble.push_str(line);
            preamble.push('\n');
        }
    }
    blocks
}

/// What a command prints, as a script shows it.
fn output(command: &str, way: &[&str], folders: &[(&str, &Path)]) -> String {
    let mut words = shell_words(command);
    for (name, folder) in folders {
        let folder = folder.to_str().unwrap();
        words.iter_mut().for_each(|word| *word = word.replace(name, folder));
    }
    let mut text = match words[0].as_str() {
        "cat" => std::fs::read_to_string(&words[1]).unwrap(),
        "dframe" => dframe(&words[1..], way),
        other => panic!("{other} is no command of scripts"),
    };
    for (name, folder) in folders {
        text = text.replace(folder.to_str().unwrap(), name);
    }
    text
}

fn dframe(words: &[String], way: &[&str]) -> String {
    let (words, input) = match words {
        [words @ .., mark, file] if mark == "<" => {
            (words, File::open(root().join(file)).unwrap().into())
        }
        words => (words, Stdio::null()),
    };
    let output = Command::new(env!("CARGO_BIN_EXE_dframe"))
        .args(words)
        .args(flags(words, way))
        .stdin(input)
        .current_dir(root())
        .env("NO_COLOR", "1")
        // Where no settings of users are.
        .env("XDG_CONFIG_HOME", root().join("tests/scripts"))
        .output()
        .unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push_str("[no line break]\n");
    }
    if !output.stderr.is_empty() {
        write!(text, "[stderr]\n{}", String::from_utf8(output.stderr).unwrap()).unwrap();
    }
    match output.status.code() {
        Some(0) => {}
        status => writeln!(text, "[status {}]", status.unwrap_or(-1)).unwrap(),
    }
    text
}

/// The flags of `way` that `words` leave open.
fn flags(words: &[String], way: &[&str]) -> Vec<String> {
    if words.first().is_none_or(|word| WAYLESS.contains(&word.as_str())) {
        return vec![];
    }
    let (mut flags, mut given) = (Vec::new(), false);
    for word in way {
        // A value goes with the flag before it.
        if word.starts_with("--") {
            given = words.iter().any(|other| other == word);
        }
        if !given {
            flags.push((*word).to_string());
        }
    }
    flags
}

/// Splits a command as a shell does: blanks part words, quotes keep them together.
fn shell_words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut open) = (Vec::new(), String::new(), None, false);
    for letter in command.chars() {
        match (letter, quote) {
            (letter, Some(mark)) if letter == mark => quote = None,
            (letter, Some(_)) => word.push(letter),
            ('\'' | '"', None) => (quote, open) = (Some(letter), true),
            (' ', None) => {
                if open || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                open = false;
            }
            (letter, None) => word.push(letter),
        }
    }
    if open || !word.is_empty() {
        words.push(word);
    }
    words
}

/// The first lines that differ.
fn difference(before: &str, now: &str) -> String {
    let line = before.lines().zip(now.lines()).take_while(|(a, b)| a == b).count();
    let show = |text: &str, mark: &str| {
        let lines = text.lines().skip(line.saturating_sub(2)).take(8);
        lines.map(|line| format!("{mark} {line}\n")).collect::<String>()
    };
    format!("at line {}:\n{}{}", line + 1, show(before, "-"), show(now, "+"))
}
