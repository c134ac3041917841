//! Golden scripts: what a user types and what comes back, as text files in `tests/scripts/`.
//!
//! ```text
//!   # a comment
//!   $ dframe groupby data/flights.parquet --by origin --limit 3
//!   origin,count,...
//! ```
//!
//! Every command runs with `{sync, 1, 4 threads} x {ample, starved memory} x {optimizer on, off}` and
//! must print the same each time. Standard error follows after a line `[stderr]`, a status other than
//! 0 as `[status N]`. Set `UPDATE_SCRIPTS=1` to write what the first run prints into the files.
//! A script whose first line is `#once` runs its commands in one way only.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

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

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What a command prints, as a script shows it.
fn output(command: &str, way: &[&str]) -> String {
    let words = shell_words(command);
    assert_eq!(words[0], "dframe", "a command starts with dframe: {command}");
    let scratch = tempfile::tempdir().unwrap();
    let words = words[1..].iter().map(|word| word.replace("$TMP", scratch.path().to_str().unwrap()));
    let output = Command::new(env!("CARGO_BIN_EXE_dframe"))
        .args(words)
        .args(way)
        .current_dir(root())
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .output()
        .unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap();
    if !output.stderr.is_empty() {
        let stderr = String::from_utf8(output.stderr).unwrap();
        write!(text, "[stderr]\n{}", stderr.replace(scratch.path().to_str().unwrap(), "$TMP")).unwrap();
    }
    match output.status.code() {
        Some(0) => {}
        status => writeln!(text, "[status {}]", status.unwrap_or(-1)).unwrap(),
    }
    text
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

/// A script's lines that are not output: commands, and the comments and blanks around them.
fn commands(script: &str) -> Vec<(String, String)> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    let mut preamble = String::new();
    for line in script.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            blocks.push((std::mem::take(&mut preamble), command.to_string()));
        } else if line.starts_with('#') {
            preamble.push_str(line);
            preamble.push('\n');
        }
    }
    blocks
}

/// The script as it should be, after running its commands in each way.
fn run(name: &str, script: &str) -> String {
    let ways: &[&[&str]] = if script.starts_with("#once") { &[&[]] } else { WAYS };
    let mut text = String::new();
    for (number, (preamble, command)) in commands(script).into_iter().enumerate() {
        let first = output(&command, ways[0]);
        for way in &ways[1..] {
            let other = output(&command, way);
            assert_eq!(first, other, "{name}: `{command}` differs with {way:?}");
        }
        if number > 0 {
            text.push('\n');
        }
        write!(text, "{preamble}$ {command}\n{first}").unwrap();
    }
    text
}

#[test]
fn scripts_print_what_they_say() {
    let folder = root().join("tests/scripts");
    let update = std::env::var_os("UPDATE_SCRIPTS").is_some();
    let mut failures = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        let script = std::fs::read_to_string(&path).unwrap();
        let now = run(&name, &script);
        count += 1;
        if update {
            std::fs::write(&path, now).unwrap();
        } else if now != script {
            failures.push(format!("--- {name}\n{}", difference(&script, &now)));
        }
    }
    assert!(count > 0, "there are no scripts");
    assert!(failures.is_empty(), "{}\nUPDATE_SCRIPTS=1 writes what is printed", failures.join("\n"));
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
