//! Holds the arrows between crates to the table in `docs/ARCHITECTURE.md`, and the house rules that a
//! compiler does not check: every file says what it is, none grows out of its room.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What each crate may use, of this workspace.
const ARROWS: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("expr", &["core"]),
    ("plan", &["core", "expr"]),
    ("runtime", &["core"]),
    ("io", &["core", "expr", "plan"]),
    ("exec", &["core", "expr", "plan", "runtime"]),
    ("sql", &["core", "expr", "plan"]),
    ("datagen", &["core"]),
    ("dframe", &["core", "expr", "plan", "runtime", "io", "exec", "sql"]),
    ("cli", &["dframe", "datagen", "core"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The workspace's crates that a manifest's `[dependencies]` name.
fn dependencies(manifest: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(manifest).unwrap();
    let section = text.split("\n[dependencies]").nth(1).unwrap_or("");
    let section = section.split("\n[").next().unwrap();
    let names = section.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
    names
        .filter(|name| name.starts_with("dframe"))
        .map(|name| name.trim_start_matches("dframe-").to_string())
        .collect()
}

#[test]
fn crates_use_only_what_lies_below_them() {
    let allowed: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let folder = entry.unwrap();
        let name = folder.file_name().into_string().unwrap();
        let allowed = allowed.get(name.as_str()).unwrap_or_else(|| panic!("{name} is not listed"));
        for used in dependencies(&folder.path().join("Cargo.toml")) {
            assert!(allowed.contains(&used.as_str()), "{name} must not use {used}");
        }
    }
}

#[test]
fn the_table_of_the_architecture_is_this_one() {
    let text = std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    for (name, _) in ARROWS {
        assert!(text.contains(&format!("| {name} |")), "{name} is missing in the table");
    }
    assert!(text.lines().count() < 400, "docs/ARCHITECTURE.md has 400 lines or more");
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn every_file_opens_with_its_purpose_and_keeps_to_its_size() {
    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);
    assert!(files.len() > 50);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//!"), "{} does not say what it is", file.display());
        let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap();
        let lines = if is_test(&file) { 0 } else { code.lines().count() };
        assert!(lines <= 600, "{} has {lines} lines without its tests", file.display());
    }
}

/// Whether the whole file is tests: in a folder of them, or the tests of the file beside it.
fn is_test(file: &Path) -> bool {
    file.ends_with("tests.rs") || file.components().any(|part| part.as_os_str() == "tests")
}
