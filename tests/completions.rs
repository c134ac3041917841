//! Completions, as a real bash asks for them; where there is no bash, nothing is tested.
//!
//! The script that `dframe completions bash` prints is sourced, and its function called as bash calls it
//! when a user presses the tab key.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Calls the completion of the last of the words, and prints what it offers.
const ASK: &str = r#"
source <(dframe completions bash)
COMP_WORDS=("$@"); COMP_CWORD=${CWORD:-$(( $# - 1 ))}; COMP_TYPE=9
word="${COMP_WORDS[$COMP_CWORD]}"
_clap_complete_dframe dframe "$word" "${COMP_WORDS[$COMP_CWORD - 1]}" 2>&1
printf '%s\n' "${COMPREPLY[@]}"
"#;

fn has_bash() -> bool {
    let found = Command::new("bash").arg("--version").stdout(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

/// What bash offers for the last of the words, or the one at `index`.
fn offered_at(index: Option<usize>, words: &[&str], folder: &Path) -> Vec<String> {
    let binary = Path::new(env!("CARGO_BIN_EXE_dframe")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command.args(["--noprofile", "--norc", "-c", ASK, "bash", "dframe"]).args(words);
    if let Some(index) = index {
        command.env("CWORD", index.to_string());
    }
    let output = command.env("PATH", path).current_dir(folder).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| !line.is_empty()).map(str::to_string).collect()
}

fn offered(words: &[&str], folder: &Path) -> Vec<String> {
    offered_at(None, words, folder)
}

/// A folder with files of several formats.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../data").canonicalize().unwrap();
    std::os::unix::fs::symlink(data.join("flights.parquet"), folder.path().join("flights.parquet"))
        .unwrap();
    std::os::unix::fs::symlink(data.join("ticks.parquet"), folder.path().join("my ticks.parquet"))
        .unwrap();
    fs::write(folder.path().join("shop.csv"), "id;\"unit price\";region\n1;2;x\n").unwrap();
    fs::write(folder.path().join("shop.ndjson"), "{\"id\":1,\"tags\":[]}\n{\"late\":1}\n").unwrap();
    fs::write(folder.path().join("broken.parquet"), "no parquet").unwrap();
    folder
}

#[test]
fn columns_of_the_file_on_the_line_are_offered() {
    if !has_bash() {
        return;
    }
    let folder = folder();
    let offered = |words: &[&str]| offered(words, folder.path());
    let by = |started| offered(&["groupby", "flights.parquet", "--by", started]);
    assert_eq!(by("d"), ["date", "delay", "distance", "destination"]);
    assert_eq!(by("origin,de"), ["origin,delay", "origin,destination"]);
    assert!(by("delay,de").iter().all(|name| name != "delay,delay"));
    let agg = offered(&["groupby", "flights.parquet", "--agg", "count(*) as n, mean(del"]);
    assert_eq!(agg, ["count(*) as n, mean(delay"]);
    assert_eq!(offered(&["groupby", "flights.parquet", "--where", "origin = 'd"]), [""; 0]);
    let quoted = offered(&["sort", "'my ticks.parquet'", "--by", "tr"]);
    assert_eq!(quoted, ["trade_id"]);
}

#[test]
fn the_file_may_come_after_the_flag() {
    if !has_bash() {
        return;
    }
    let folder = folder();
    let words = ["groupby", "--by", "orig", "flights.parquet"];
    assert_eq!(offered_at(Some(3), &words, folder.path()), ["origin"]);
}

#[test]
fn text_files_are_read_as_the_flags_say() {
    if !has_bash() {
        return;
    }
    let folder = folder();
    let offered = |words: &[&str]| offered(words, folder.path());
    let csv = offered(&["select", "shop.csv", "--delimiter", "';'", "--columns", ""]);
    assert_eq!(csv, ["id", "\"unit price\"", "region"]);
    let json = offered(&["select", "shop.ndjson", "--columns", ""]);
    assert_eq!(json, ["id", "tags", "late"]);
}

#[test]
fn each_side_of_a_join_has_its_own_columns() {
    if !has_bash() {
        return;
    }
    let folder = folder();
    let join = |flag, started| {
        let words = ["join", "flights.parquet", "my ticks.parquet", flag, started];
        offered(
            &words.map(|word| if word.contains(' ') { "'my ticks.parquet'" } else { word }),
            folder.path(),
        )
    };
    assert_eq!(join("--left-on", "d"), ["date", "delay", "distance", "destination"]);
    assert_eq!(join("--right-on", "t"), ["ts", "ticker", "trade_id"]);
    assert_eq!(join("--columns", "right.ti"), ["right.ticker"]);
    assert_eq!(join("--columns", "left.ti"), [""; 0]);
}

#[test]
fn subcommands_flags_values_and_files_are_offered() {
    if !has_bash() {
        return;
    }
    let folder = folder();
    let offered = |words: &[&str]| offered(words, folder.path());
    assert_eq!(offered(&["gro"]), ["groupby"]);
    assert_eq!(offered(&["groupby", "x", "--ha"]), ["--having"]);
    assert_eq!(offered(&["groupby", "x", "-f", "nd"]), ["ndjson"]);
    assert_eq!(offered(&["join", "a", "b", "--how", "as"]), ["asof"]);
    assert_eq!(offered(&["count", "fli"]), ["flights.parquet"]);
}

#[test]
fn what_cannot_be_read_is_passed_over_in_silence() {
    if !has_bash() {
        return;
    }
    let folder = folder();
    for file in ["missing.parquet", "broken.parquet", "-", "/dev/null", "*.xyz", ""] {
        let offered = offered(&["groupby", file, "--by", ""], folder.path());
        assert_eq!(offered, [""; 0], "{file}");
    }
}
