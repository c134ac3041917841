//! CSV files in every way: the same rows as were written, for any threads, memory and number of files.

#![allow(clippy::unwrap_used)]

mod ways;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use dframe::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use ways::{fingerprint, sessions};

const ROWS: usize = 120_000;

/// Records with quotes, delimiters and line breaks in them, and NULLs; the last value of `amount` is no
/// whole number.
fn records() -> (Vec<String>, i64) {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut sum = 0;
    let records = (0..ROWS).map(|row| {
        let mut record = format!("{row},");
        let key = random.random_range(0..500);
        match key {
            0 => (),
            key if key % 3 == 0 => write!(record, "\"key, {key}\"").unwrap(),
            key => write!(record, "key{key}").unwrap(),
        }
        let size: i64 = random.random_range(-1000..1000);
        sum += size;
        write!(record, ",{size},2024-01-{:02} 10:{:02}:00", key % 28 + 1, row % 60).unwrap();
        match random.random_range(0..6) {
            0 => record.push_str(",\"two\n\"\"lines\"\",\n\""),
            1 => record.push_str(",\"\""),
            2 => record.push(','),
            n => write!(record, ",{}", "note ".repeat(n * n)).unwrap(),
        }
        let amount = if row + 1 == ROWS { "0.5" } else { "1" };
        writeln!(record, ",{amount}").unwrap();
        record
    });
    (records.collect(), sum)
}

fn write_files(folder: &Path, records: &[String], files: usize) -> PathBuf {
    let folder = folder.join(files.to_string());
    std::fs::create_dir(&folder).unwrap();
    for file in 0..files {
        let part = &records[records.len() * file / files..records.len() * (file + 1) / files];
        let text = format!("id,key,size,ts,note,amount\n{}", part.concat());
        std::fs::write(folder.join(format!("{file:03}.csv")), text).unwrap();
    }
    folder
}

fn queries(frame: &LazyFrame) -> Vec<(&'static str, LazyFrame, bool)> {
    let frame = || frame.clone();
    let grouped = frame().group_by(["key"]).agg([
        count_all().alias("n"),
        col("size").sum().alias("size"),
        col("amount").sum().alias("amount"),
        col("note").max().alias("note"),
    ]);
    vec![
        ("groups", grouped, false),
        ("sorted", frame().sort_by([desc("size"), asc("id")]).limit(2000), true),
        ("filtered", frame().filter(col("note").is_null()).select(["id", "ts"]), true),
        ("last", frame().offset(ROWS as u64 - 700), true),
        ("middle", frame().offset(50_000).limit(10), true),
    ]
}

#[test]
fn every_way_reads_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (records, sum) = records();
    let mut expected: Vec<Vec<Vec<u8>>> = Vec::new();
    for files in [1, 3, 129] {
        let path = write_files(folder.path(), &records, files);
        for (way, session) in sessions() {
            let frame = session.scan_csv(&*path).unwrap();
            assert_eq!(frame.count().unwrap(), ROWS as u64, "{way}");
            for (index, (name, query, ordered)) in queries(&frame).into_iter().enumerate() {
                let found = fingerprint(&query, ordered);
                match expected.get(index) {
                    None => expected.push(found),
                    Some(expected) => {
                        assert!(*expected == found, "{name} of {files} files differs: {way}");
                    }
                }
            }
        }
    }
    let path = folder.path().join("1");
    let totals = scan_csv(&*path).unwrap().agg([
        col("size").sum().alias("size"),
        col("amount").sum().alias("amount"),
        col("id").max().alias("id"),
    ]);
    let totals = totals.collect().unwrap().to_string();
    for total in [sum.to_string(), format!("{}.5", ROWS - 1), (ROWS - 1).to_string()] {
        assert!(totals.contains(&total), "{total} is missing in {totals}");
    }
}

#[test]
fn a_cancelled_session_does_not_look_through_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, "a\n1\n").unwrap();
    let session = Session::builder().threads(1).build().unwrap();
    session.cancel_token().cancel();
    let error = session.scan_csv(&*path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}
