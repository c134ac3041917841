//! Objects in a store for files: every format, prefixes and globs, and all that can go wrong with a store.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use dframe_tests::store::{Fault, Store, USER};
use flate2::write::GzEncoder;

const FLIGHTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
const COUNT: &str = "SELECT count(*) AS n, sum(delay) AS delay FROM";

/// The command, whose user the store knows.
fn dframe(store: &Store) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dframe"));
    command.stdin(Stdio::null()).env_clear();
    command.env("AWS_ACCESS_KEY_ID", USER).env("AWS_SECRET_ACCESS_KEY", "secret");
    command.env("AWS_ENDPOINT_URL", &store.url);
    command
}

fn sql(store: &Store, query: &str) -> Output {
    dframe(store).args(["sql", query, "-f", "csv"]).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The error, which has this status and these words.
fn fails(output: &Output, status: i32, words: &[&str]) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(status), "{text}");
    for word in words {
        assert!(text.contains(word), "{text}");
    }
}

fn with_flights() -> Store {
    let store = Store::start();
    store.put("flights.parquet", std::fs::read(FLIGHTS).unwrap());
    store
}

/// Writes the flights in another form.
fn converted(folder: &Path, name: &str) -> Vec<u8> {
    let path = folder.join(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_dframe"));
    let output = command.args(["convert", FLIGHTS, "-o"]).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    std::fs::read(path).unwrap()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

#[test]
fn every_format_is_read_as_from_a_disk() {
    let (store, folder) = (with_flights(), tempfile::tempdir().unwrap());
    let expected = stdout(&sql(&store, &format!("{COUNT} '{FLIGHTS}'")));
    let mut forms: Vec<(&str, Vec<u8>)> = ["a.parquet", "a.csv", "a.ndjson", "a.arrow", "a.arrows"]
        .map(|name| (name, converted(folder.path(), name)))
        .into();
    forms.push(("a.csv.gz", gzipped(&forms[1].1)));
    forms.push(("a.ndjson.zst", zstd::encode_all(forms[2].1.as_slice(), 1).unwrap()));
    for (name, bytes) in forms {
        store.put(name, bytes);
        for place in ["s3://bucket".to_string(), format!("{}/bucket", store.url)] {
            let query = format!("{COUNT} '{place}/{name}'");
            assert_eq!(stdout(&sql(&store, &query)), expected, "{query}");
        }
    }
}

#[test]
fn prefixes_and_globs_are_lists() {
    let store = Store::start();
    let flights = std::fs::read(FLIGHTS).unwrap();
    for month in 1..=5 {
        store.put(&format!("t/month={month}/a.parquet"), flights.clone());
    }
    store.put("t/_SUCCESS", "");
    store.put("t/month=1/.a.parquet.crc", "x");
    store.put("t/notes.txt", "x");
    store.put("other/a.parquet", flights);
    let count = |from: &str, and: &str| {
        stdout(&sql(&store, &format!("SELECT count(*) AS n FROM '{from}' {and}")))
            .replace("n\n", "")
    };
    assert_eq!(count("s3://bucket/t/", ""), "1071430\n");
    assert_eq!(count("s3://bucket/t", ""), "1071430\n");
    assert_eq!(count("s3://bucket/t", "WHERE month >= 4"), "428572\n");
    assert_eq!(count("s3://bucket/t/month=[12]/*.parquet", ""), "428572\n");
    assert_eq!(count("s3://bucket/*/*.parquet", ""), "214286\n");
    assert_eq!(count("s3://bucket", ""), "1285716\n");
}

#[test]
fn the_endpoint_is_a_flag_too() {
    let store = with_flights();
    for subcommand in ["count", "schema", "meta"] {
        let mut command = dframe(&store);
        command.env_remove("AWS_ENDPOINT_URL").args([subcommand, "s3://bucket/flights.parquet"]);
        assert!(command.arg("--endpoint").arg(&store.url).output().unwrap().status.success());
    }
}

#[test]
fn what_may_succeed_is_tried_again() {
    let store = with_flights();
    let query = format!("{COUNT} 's3://bucket/flights.parquet'");
    let expected = stdout(&sql(&store, &query));
    let faults = [Fault::Status(503), Fault::Status(500), Fault::Hangup, Fault::Truncated];
    for (fault, after) in faults.into_iter().flat_map(|fault| [(fault, 0), (fault, 1), (fault, 2)])
    {
        store.fail(fault, after, 2);
        assert_eq!(stdout(&sql(&store, &query)), expected, "{fault:?} after {after}");
    }
    store.fail(Fault::Slow, 0, usize::MAX);
    assert_eq!(stdout(&sql(&store, &query)), expected);
}

#[test]
fn what_never_succeeds_is_an_error_that_names_the_object() {
    let store = with_flights();
    let query = format!("{COUNT} 's3://bucket/flights.parquet'");
    let faults = [Fault::Status(500), Fault::Status(503), Fault::Hangup, Fault::Truncated];
    for fault in faults {
        for after in [0, 2] {
            store.fail(fault, after, usize::MAX);
            let begin = Instant::now();
            fails(&sql(&store, &query), 3, &["cannot read", "s3://bucket/flights.parquet"]);
            assert!(begin.elapsed() < Duration::from_secs(60), "{fault:?}");
        }
    }
}

#[test]
fn a_server_that_sends_whole_files_is_not_believed() {
    let store = with_flights();
    store.fail(Fault::Whole, 1, usize::MAX);
    let query = format!("{COUNT} '{}/bucket/flights.parquet'", store.url);
    fails(&sql(&store, &query), 1, &["serves no parts of files", "copy the file"]);
}

#[test]
fn an_object_that_changes_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let flights = std::fs::read(FLIGHTS).unwrap();
    for (name, bytes) in [("a.parquet", flights), ("a.csv", converted(folder.path(), "a.csv"))] {
        let store = Store::start();
        for place in ["s3://bucket".to_string(), format!("{}/bucket", store.url)] {
            for reads in [1, 2] {
                store.put(name, bytes.clone());
                store.change_after(reads, name, bytes.clone());
                let output = sql(&store, &format!("{COUNT} '{place}/{name}'"));
                fails(&output, 1, &["the file has changed since the query began", name]);
            }
        }
    }
}

#[test]
fn what_is_not_there_is_named() {
    let store = with_flights();
    let count = |name: &str| dframe(&store).args(["count", name]).output().unwrap();
    fails(
        &count("s3://bucket/flight.parquet"),
        3,
        &["no such object", "did you mean 's3://bucket/flights.parquet'?"],
    );
    fails(&count("s3://bukket/flights.parquet"), 3, &["no such bucket", "s3://bukket"]);
    fails(&count(&format!("{}/bucket/no.parquet", store.url)), 3, &["no such file", "no.parquet"]);
    fails(&count("s3://bucket/x/"), 1, &["there is no parquet object below it", "s3://bucket/x/"]);
    fails(&count("s3://bucket/x*.parquet"), 1, &["no object matches 's3://bucket/x*.parquet'"]);
}

#[test]
fn refused_access_names_the_variables() {
    let store = with_flights();
    for name in ["s3://bucket/flights.parquet", "s3://bucket/", "s3://bucket/*.parquet"] {
        let mut command = dframe(&store);
        let output = command.env("AWS_ACCESS_KEY_ID", "nobody").args(["count", name]).output();
        fails(&output.unwrap(), 3, &["refuses access", "AWS_ACCESS_KEY_ID", "s3://bucket/"]);
    }
}

#[test]
fn without_a_network_it_says_so() {
    let store = with_flights();
    let mut command = dframe(&store);
    // Nobody listens on this port.
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    let begin = Instant::now();
    let output = command.args(["count", "s3://bucket/flights.parquet"]).output().unwrap();
    fails(&output, 3, &["cannot read", "s3://bucket/flights.parquet", "check the network"]);
    assert!(begin.elapsed() < Duration::from_secs(60));
    let mut command = dframe(&store);
    command.env("AWS_ENDPOINT_URL", "http://store.invalid");
    let output = command.args(["count", "s3://bucket/flights.parquet"]).output().unwrap();
    fails(&output, 3, &["s3://bucket/flights.parquet", "AWS_ALLOW_HTTP"]);
}

#[test]
fn many_footers_are_read_side_by_side() {
    let store = Store::start();
    let flights = std::fs::read(FLIGHTS).unwrap();
    for index in 0..64 {
        store.put(&format!("many/{index:02}.parquet"), flights.clone());
    }
    store.delay(Duration::from_millis(50));
    let before = store.requests();
    let begin = Instant::now();
    let output = dframe(&store).args(["count", "s3://bucket/many/", "-f", "csv"]).output().unwrap();
    assert_eq!(stdout(&output).lines().last(), Some("13714304"));
    // One after the other, the footers alone would take 3.2 s.
    assert!(begin.elapsed() < Duration::from_millis(2600), "{:?}", begin.elapsed());
    assert!(store.requests() - before < 100);
}

/// Writes rows of which a CSV has more than two parts.
fn many(store: &Store, folder: &Path, target: &str) -> Command {
    let mut command = dframe(store);
    let table = folder.join("many.parquet");
    let query = "SELECT i, i * 7919 AS j, 'a text of some length, so that rows are long' AS t";
    let query = &format!("{query} FROM '{}'", table.display());
    command.args(["sql", query, "-o", target, "--memory-limit", "128MiB"]);
    command
}

/// A store with a table whose rows are `i`, and what `many` makes of it on a disk.
fn with_many(folder: &Path) -> (Store, Vec<u8>) {
    let store = Store::start();
    let path = folder.join("many.parquet");
    let rows = arrow_rows();
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let local = folder.join("many.csv");
    stdout(&many(&store, folder, local.to_str().unwrap()).output().unwrap());
    (store, std::fs::read(local).unwrap())
}

fn arrow_rows() -> arrow::array::RecordBatch {
    let numbers = arrow::array::Int64Array::from_iter_values(0..300_000);
    let column = std::sync::Arc::new(numbers) as arrow::array::ArrayRef;
    arrow::array::RecordBatch::try_from_iter([("i", column)]).unwrap()
}

#[test]
fn every_format_is_written_as_to_a_disk() {
    let (store, folder) = (with_flights(), tempfile::tempdir().unwrap());
    let names = [
        "a.parquet",
        "a.csv",
        "a.tsv",
        "a.json",
        "a.ndjson",
        "a.arrow",
        "a.arrows",
        "a.md",
        "a.csv.gz",
    ];
    for name in names {
        let target = format!("s3://bucket/out/{name}");
        stdout(&dframe(&store).args(["convert", FLIGHTS, "-o", &target]).output().unwrap());
        let expected = converted(folder.path(), name);
        assert!(store.get(&format!("out/{name}")).unwrap() == expected, "{name}");
    }
    // A file that has a random mark in it: its rows are the same.
    stdout(
        &dframe(&store).args(["convert", FLIGHTS, "-o", "s3://bucket/a.avro"]).output().unwrap(),
    );
    let copy = folder.path().join("copy.avro");
    std::fs::write(&copy, store.get("a.avro").unwrap()).unwrap();
    let counts =
        [copy.to_str().unwrap(), FLIGHTS].map(|file| sql(&store, &format!("{COUNT} '{file}'")));
    assert_eq!(stdout(&counts[0]), stdout(&counts[1]));
    // No rows, and an old object.
    let words = ["select", FLIGHTS, "--where", "false", "-o", "s3://bucket/out/a.csv"];
    stdout(&dframe(&store).args(words).output().unwrap());
    assert!(store.get("out/a.csv").unwrap().ends_with(b"\n") && store.unfinished() == 0);
}

#[test]
fn parts_are_put_together_and_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let (store, expected) = with_many(folder.path());
    assert!(expected.len() > 17 << 20, "{}", expected.len());
    let faults = [Fault::Status(503), Fault::Hangup, Fault::Slow];
    for fault in faults {
        // Two of the parts, which come after the request that begins the object.
        store.fail(fault, 1, 2);
        stdout(&many(&store, folder.path(), "s3://bucket/many.csv").output().unwrap());
        assert!(store.get("many.csv").unwrap() == expected, "{fault:?}");
        assert_eq!(store.unfinished(), 0);
    }
}

#[test]
fn a_store_that_refuses_leaves_the_old_object() {
    let (store, target) = (with_flights(), "s3://bucket/old.csv");
    store.put("old.csv", "old");
    // At the beginning, at the only part, and at the end.
    for after in 0..3 {
        store.fail(Fault::Status(403), after, 1);
        let output = dframe(&store).args(["convert", FLIGHTS, "-o", target]).output().unwrap();
        fails(&output, 3, &["the store refuses access", target, "AWS_ACCESS_KEY_ID"]);
        assert_eq!(store.get("old.csv").unwrap(), b"old");
        assert_eq!(store.unfinished(), 0, "{after}");
    }
    let words = ["select", FLIGHTS, "--columns", "cast(origin as int) as n", "-o", target];
    assert_eq!(dframe(&store).args(words).output().unwrap().status.code(), Some(1));
    assert_eq!((store.get("old.csv").unwrap(), store.unfinished()), (b"old".to_vec(), 0));
}

#[test]
fn folders_are_prefixes_whose_objects_appear_together() {
    let store = with_flights();
    let by = "case when distance > 2000 then 'a/b' else substr(origin, 1, 1) end as far";
    let write = |more: &[&str]| {
        let words = ["convert", FLIGHTS, "-o", "s3://bucket/out.csv", "--partition-by", by];
        dframe(&store).args(words).args(["--file-size", "256KB"]).args(more).output().unwrap()
    };
    stdout(&write(&[]));
    let written = store.names();
    assert!(written.iter().any(|name| name == "out.csv/far=a%2Fb/part-000000.csv"), "{written:?}");
    assert!(written.iter().any(|name| name.ends_with("part-000001.csv")) && written.len() > 20);
    assert_eq!(store.unfinished(), 0);
    let expected = stdout(&sql(&store, &format!("{COUNT} '{FLIGHTS}'")));
    let query = format!("{COUNT} 's3://bucket/out.csv'");
    assert_eq!(stdout(&sql(&store, &query)), expected);
    let keys = stdout(&sql(&store, "SELECT far FROM 's3://bucket/out.csv' WHERE far LIKE 'a%'"));
    assert!(keys.contains("a/b"), "{keys}");

    fails(&write(&[]), 1, &["the output is there already", "s3://bucket/out.csv", "--overwrite"]);
    store.put("out.csv/far=ZZ/part-000009.csv", "date,delay,distance,origin,destination\n");
    // A refusal at any moment leaves what was there, and nothing begun: while files are made, and at their end.
    for after in [1, 30] {
        store.fail(Fault::Status(403), after, 1);
        fails(&write(&["--overwrite"]), 3, &["the store refuses access"]);
        assert_eq!((store.names().len(), store.unfinished()), (written.len() + 1, 0), "{after}");
    }
    stdout(&write(&["--overwrite"]));
    assert_eq!((store.names(), store.unfinished()), (written, 0));
}

#[test]
fn what_is_explained_or_drawn_is_an_object_too() {
    let store = with_flights();
    let run = |words: &[&str]| stdout(&dframe(&store).args(words).output().unwrap());
    run(&["select", FLIGHTS, "--explain", "-o", "s3://bucket/plan.txt"]);
    assert!(String::from_utf8(store.get("plan.txt").unwrap()).unwrap().contains("flights"));
    run(&["groupby", FLIGHTS, "--by", "origin", "--plot", "bar", "-o", "s3://bucket/plot.svg"]);
    assert!(store.get("plot.svg").unwrap().starts_with(b"<svg"));
}

#[test]
fn what_cannot_be_written_is_told() {
    let store = with_flights();
    let web = format!("{}/bucket/a.csv", store.url);
    let convert = |words: &[&str]| {
        dframe(&store).args(["convert", FLIGHTS, "-o"]).args(words).output().unwrap()
    };
    fails(&convert(&[&web]), 1, &["a web server takes no files", "s3://"]);
    fails(&convert(&["s3://bucket/a.sqlite"]), 1, &["an SQLite database cannot be written into"]);
    let folder = |name| convert(&[name, "--partition-by", "origin"]);
    fails(&folder("s3://bucket"), 1, &["a whole bucket is no output"]);
    fails(&folder(&web), 1, &["a web server takes no files"]);
    fails(&convert(&["s3://nowhere/a.csv"]), 3, &["no such bucket"]);
}
