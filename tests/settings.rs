//! Settings: flags over the environment over `dframe.toml` here over the user's, and what is said of a file that is
//! wrong.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// The command in a folder, with the user's files in `config` of it.
fn dframe(folder: &Path, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dframe"));
    command.args(words.split_whitespace()).current_dir(folder);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("DFRAME_")) {
        command.env_remove(name);
    }
    command.env("XDG_CONFIG_HOME", folder.join("config")).env("NO_COLOR", "1");
    command
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A folder with a file of settings, and another of the user.
fn folder(here: &str, users: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("config/dframe")).unwrap();
    fs::write(folder.path().join("config/dframe/dframe.toml"), users).unwrap();
    fs::write(folder.path().join("dframe.toml"), here).unwrap();
    folder
}

#[test]
fn each_says_where_it_comes_from() {
    let folder = folder("threads = 3\ntemp-limit = \"5GB\"\n", "threads = 9\nprogress = 'never'\n");
    let mut command = dframe(folder.path(), "config show --memory-limit 1GiB -f csv");
    let output = command.env("DFRAME_TEMP_LIMIT", "7GB").output().unwrap();
    let users = folder.path().join("config/dframe/dframe.toml");
    let expected = format!(
        "setting,value,from\n\
         memory-limit,1GiB,--memory-limit\n\
         threads,3,\"dframe.toml, line 1\"\n\
         temp-dir,{},default\n\
         temp-limit,7GB,DFRAME_TEMP_LIMIT\n\
         progress,never,\"{}, line 2\"\n\
         format,csv,--format\n\
         error-format,text,default\n",
        std::env::temp_dir().display(),
        users.display()
    );
    assert_eq!(text(&output), expected);
}

#[test]
fn settings_are_heeded() {
    let folder = folder("format = 'json'\nmemory-limit = '32MiB'\nthreads = 1\n", "");
    fs::write(folder.path().join("a.csv"), "x\n1\n").unwrap();
    let output = dframe(folder.path(), "head a.csv").output().unwrap();
    assert_eq!(text(&output), "[{\"x\":1}]\n");
    // A file's extension and a flag go before the setting.
    dframe(folder.path(), "head a.csv -o b.csv").output().unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("b.csv")).unwrap(), "x\n1\n");
    let output = dframe(folder.path(), "head a.csv -f tsv -v").output().unwrap();
    assert!(text(&output).starts_with("x\n1\n"), "{output:?}");
    assert!(text(&output).contains("memory limit 32 MiB, 1 thread"), "{output:?}");
    let mut command = dframe(folder.path(), "head a.csv");
    let output = command.env("DFRAME_FORMAT", "csv").output().unwrap();
    assert_eq!(text(&output), "x\n1\n");
}

#[test]
fn errors_have_the_format_that_is_set() {
    let folder = folder("error-format = 'json'\n", "");
    for words in ["count missing.csv", "cout"] {
        let output = dframe(folder.path(), words).output().unwrap();
        assert!(text(&output).starts_with("{\"level\":\"error\""), "{output:?}");
    }
    let output = dframe(folder.path(), "cout --error-format text").output().unwrap();
    assert!(text(&output).starts_with("error: "), "{output:?}");
}

#[test]
fn a_file_that_is_wrong_is_told_with_line_and_remedy() {
    let wrong = folder("# mine\nmemory_limit = '1GiB'\n", "");
    let output = dframe(wrong.path(), "count a.csv").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        text(&output),
        "error: line 2: there is no setting 'memory_limit'\n\
         \u{20} | memory_limit = '1GiB'\n\
         \u{20} | ^^^^^^^^^^^^\n\
         \u{20}--> dframe.toml\n\
         help: did you mean 'memory-limit'? the settings are memory-limit, threads, temp-dir, \
         temp-limit, progress, format, error-format\n"
    );
    // Help is there all the same.
    assert!(dframe(wrong.path(), "--help").status().unwrap().success());

    let wrong = folder("memory-limit = '12XB'\n", "");
    let output = dframe(wrong.path(), "count a.csv").output().unwrap();
    assert!(text(&output).starts_with("error: line 1: '12XB' is no value for 'memory-limit'\n"));
    assert!(text(&output).contains("help: '12XB' is not a size; write a number with a unit"));
}

#[test]
fn a_variable_that_is_wrong_is_named() {
    let folder = folder("", "");
    let mut command = dframe(folder.path(), "count a.csv");
    let output = command.env("DFRAME_THREADS", "many").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("The value is that of DFRAME_THREADS in the environment."));
    let mut command = dframe(folder.path(), "count a.csv --threads many");
    let output = command.env("DFRAME_THREADS", "many").output().unwrap();
    assert!(!text(&output).contains("environment"));
}
