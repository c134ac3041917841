//! The README and the user guide are true: every command in a `console` block is run, and must print what
//! the block shows.
//!
//! ```text
//!   $ dframe count data/flights.parquet      a command; a `\` at the end continues it
//!   214286                                   what it prints, standard error after standard output
//!   wall time   … s                          `…` stands for anything in a line, alone for any lines
//! ```
//!
//! The commands of a page share a folder in which `data` is that of the repository. They run with two
//! threads and 1 GiB where they do not say otherwise, and print tables, as on a terminal.
//!
//! Set `UPDATE_GUIDE=1` to write what is printed now, and the list of functions, into the pages.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use dframe::aggregate::AggregateFunction;
use dframe::expr::function::{FORMS, families};

/// Subcommands whose result is a table on a terminal.
const TABLES: &[&str] = &[
    "groupby", "resample", "select", "schema", "head", "tail", "meta", "pivot", "unpivot",
    "explode", "config", "bench", "sql",
];
/// What says that a command prints something else, or elsewhere.
const NO_TABLE: &[&str] = &[" -f ", " -o ", " | ", " > ", " --explain", " --help"];

#[test]
fn commands_print_what_the_pages_show() {
    let mut failures = Vec::new();
    for path in pages() {
        let page = std::fs::read_to_string(&path).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let data = root().join("data").canonicalize().unwrap();
        std::os::unix::fs::symlink(data, folder.path().join("data")).unwrap();
        let (now, differences) = replay(&page, folder.path());
        match updating() {
            true => std::fs::write(&path, now).unwrap(),
            false => {
                failures.extend(differences.iter().map(|d| format!("{}: {d}", path.display())))
            }
        }
    }
    assert!(failures.is_empty(), "{}\nUPDATE_GUIDE=1 writes what is printed", failures.join("\n"));
}

#[test]
fn the_page_of_functions_lists_them_all() {
    const START: &str = "<!-- what follows is written by tests/guide.rs -->\n";
    let path = guide().join("functions.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (own, listed) = page.split_once(START).unwrap();
    for name in AggregateFunction::names() {
        assert!(own.contains(&format!("`{name}`")) || own.contains(&format!("`{name}(")), "{name}");
    }
    match updating() {
        true => std::fs::write(&path, format!("{own}{START}{}", functions())).unwrap(),
        false => assert_eq!(listed, functions(), "UPDATE_GUIDE=1 writes the list anew"),
    }
}

#[test]
fn the_main_command_is_the_one_that_is_checked_before_a_change_lands() {
    let spaced = |text: &str| {
        let words = text.split_whitespace().filter(|word| *word != "\\");
        words.collect::<Vec<_>>().join(" ")
    };
    let readme = spaced(&std::fs::read_to_string(root().join("README.md")).unwrap());
    let checks = spaced(&std::fs::read_to_string(root().join(".ci/run")).unwrap());
    let start = readme.find("cargo run --release").unwrap();
    let command = readme[start..].split(" ┌").next().unwrap();
    assert!(checks.contains(command), ".ci/run does not run `{command}`");
    assert!(readme.contains("cargo test --workspace") && checks.contains("cargo test --workspace"));
}

#[test]
fn links_and_paths_lead_somewhere() {
    let documents = ["docs/ARCHITECTURE.md", "docs/glossary.md", "CONTRIBUTING.md"];
    let mut lost = Vec::new();
    for page in pages().into_iter().chain(documents.map(|name| root().join(name))) {
        let text = std::fs::read_to_string(&page).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let links = links.filter(|link| !link.starts_with("http"));
        let links = links.map(|link| page.parent().unwrap().join(link));
        let is_path = |word: &&str| {
            let folders = ["crates/", "tests/", "docs/", "data/", "benches/"];
            folders.iter().any(|folder| word.starts_with(folder)) && !word.contains([' ', '*'])
        };
        let paths = text.split('`').skip(1).step_by(2).filter(is_path);
        let paths = paths.map(|path| root().join(path));
        lost.extend(links.chain(paths).filter(|path| !path.exists()));
    }
    assert!(lost.is_empty(), "{lost:#?}");
}

#[test]
fn ellipses_stand_for_anything() {
    assert!(agree(&["a … c"], &["a b b c"]) && !agree(&["a … c"], &["a b"]));
    assert!(agree(&["a", "…", "z"], &["a", "b", "c", "z"]) && agree(&["a", "…"], &["a"]));
    assert!(!agree(&["…", "z"], &["a"]) && !agree(&["a"], &["a", "b"]) && !agree(&["a…a"], &["a"]));
}

fn updating() -> bool {
    std::env::var_os("UPDATE_GUIDE").is_some()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn guide() -> PathBuf {
    root().join("docs/user-guide/src")
}

fn pages() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(guide()).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> = entries.chain([root().join("README.md")]).collect();
    pages.sort();
    pages
}

/// The page with what its commands print now, and where that is not what it shows.
fn replay(page: &str, folder: &Path) -> (String, Vec<String>) {
    let (mut now, mut differences) = (String::new(), Vec::new());
    let mut in_console = false;
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        writeln!(now, "{line}").unwrap();
        if line.starts_with("```") {
            in_console = line == "```console";
        }
        let Some(command) = line.strip_prefix("$ ").filter(|_| in_console) else { continue };
        let mut command = command.to_string();
        while let Some(start) = command.strip_suffix('\\') {
            let more = lines.next().unwrap();
            writeln!(now, "{more}").unwrap();
            command = format!("{start}{}", more.trim_start());
        }
        let mut shown = Vec::new();
        while let Some(line) = lines.next_if(|line| *line != "```" && !line.starts_with("$ ")) {
            shown.push(line);
        }
        let blank = shown.iter().rev().take_while(|line| line.is_empty()).count();
        shown.truncate(shown.len() - blank);
        let printed = run(&command, folder);
        let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
        if !agree(&shown, &printed) {
            differences.push(format!("`{command}` prints\n{}", printed.join("\n")));
            shown = printed;
        }
        shown.iter().for_each(|line| writeln!(now, "{line}").unwrap());
        now.push_str(&"\n".repeat(blank));
    }
    (now, differences)
}

/// What the command prints.
fn run(command: &str, folder: &Path) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_dframe"));
    let inherited = std::env::var("PATH").unwrap();
    let output = Command::new("sh")
        .args(["-c", &as_on_a_terminal(command)])
        .current_dir(folder)
        .env("PATH", format!("{}:{inherited}", binary.parent().unwrap().display()))
        .env("NO_COLOR", "1")
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .env("DFRAME_THREADS", "2")
        .env("DFRAME_MEMORY_LIMIT", "1GiB")
        .output()
        .unwrap();
    let text =
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert_ne!(output.status.success(), text.contains("error: "), "{command}\n{text}");
    text
}

fn as_on_a_terminal(command: &str) -> String {
    let command = command.replace("cargo run --release --", "dframe");
    let table = command
        .strip_prefix("dframe ")
        .and_then(|words| words.split(' ').next())
        .is_some_and(|subcommand| TABLES.contains(&subcommand));
    let unquoted: String = command.split('"').step_by(2).collect();
    match table && !NO_TABLE.iter().any(|sign| unquoted.contains(sign)) {
        true => command + " -f table",
        false => command,
    }
}

/// Whether the lines are those shown, where `…` stands for anything.
fn agree(shown: &[&str], printed: &[&str]) -> bool {
    match (shown, printed) {
        ([], printed) => printed.is_empty(),
        (["…", rest @ ..], _) => (0..=printed.len()).any(|skip| agree(rest, &printed[skip..])),
        ([_, ..], []) => false,
        ([shown, shown_rest @ ..], [printed, printed_rest @ ..]) => {
            line_agrees(shown, printed) && agree(shown_rest, printed_rest)
        }
    }
}

fn line_agrees(shown: &str, printed: &str) -> bool {
    let Some((start, rest)) = shown.split_once('…') else { return shown == printed };
    let (middle, end) = rest.rsplit_once('…').unwrap_or(("", rest));
    let Some(mut left) = printed.strip_prefix(start).and_then(|left| left.strip_suffix(end)) else {
        return false;
    };
    middle.split('…').all(|piece| match left.find(piece) {
        Some(place) => {
            left = &left[place + piece.len()..];
            true
        }
        None => false,
    })
}

/// The functions and their aliases, a table for each family.
fn functions() -> String {
    let mut text = String::new();
    let row = |text: &mut String, usage: &str, names: &[&str]| {
        let (call, note) = usage.split_once(": ").unwrap_or((usage, ""));
        let others: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        writeln!(text, "| `{call}` | {note} | {} |", others.join(", ")).unwrap();
    };
    let head = |text: &mut String, name: &str| {
        let (first, rest) = name.split_at(1);
        let title = first.to_uppercase() + rest;
        write!(text, "\n## {title}\n\n| function | | also called |\n|---|---|---|\n").unwrap();
    };
    for (name, functions) in families() {
        head(&mut text, name);
        functions.iter().for_each(|function| row(&mut text, function.usage, &function.names[1..]));
    }
    head(&mut text, "choices");
    FORMS.iter().for_each(|form| row(&mut text, form.usage, &form.names[1..]));
    text
}
