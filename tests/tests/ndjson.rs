//! JSON files in every way: the same rows as the Parquet file has, for any layout, threads and memory.

#![allow(clippy::unwrap_used)]

mod ways;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Float64Array, Int64Array, ListArray, StringArray};
use arrow::datatypes::Int64Type;
use dframe::prelude::*;
use dframe_tests::fixtures::batch;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use ways::{fingerprint, nullable, sessions, write};

const ROWS: usize = 9_000;

/// Records, and the table that they are.
fn records(parquet: &Path) -> Vec<String> {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let keys = nullable(&mut random, ROWS, |random| match random.random_range(0..10) {
        0 => format!("key \"{}\"", random.random_range(0..300)),
        _ => "the\nusual".to_string(),
    });
    let values =
        nullable(&mut random, ROWS, |random| f64::from(random.random_range(-99..99)) / 8.0);
    let lists = nullable(&mut random, ROWS, |random| {
        (0..random.random_range(0..4)).map(Some).collect::<Vec<Option<i64>>>()
    });
    let record = |row: usize| {
        let mut record = format!("{{\"id\":{row}");
        if let Some(key) = &keys[row] {
            let key = key.replace('"', "\\\"").replace('\n', "\\n");
            write!(record, ",\"key\":\"{key}\"").unwrap();
        }
        match values[row] {
            Some(value) => write!(record, ", \"value\": {value}").unwrap(),
            None => record.push_str(",\"value\":null"),
        }
        if let Some(list) = &lists[row] {
            let items: Vec<String> = list.iter().flatten().map(i64::to_string).collect();
            write!(record, ",\"list\":[{}]", items.join(", ")).unwrap();
        }
        record + "}"
    };
    let records = (0..ROWS).map(record).collect();
    let table = batch([
        ("id", Arc::new(Int64Array::from_iter_values(0..ROWS as i64))),
        ("key", Arc::new(StringArray::from(keys.clone()))),
        ("value", Arc::new(Float64Array::from(values.clone()))),
        ("list", Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists.clone()))),
    ]);
    write(parquet, &table, 2000);
    records
}

fn layouts(folder: &Path, records: &[String]) -> Vec<PathBuf> {
    let in_files = |files: usize| {
        let folder = folder.join(files.to_string());
        std::fs::create_dir(&folder).unwrap();
        for file in 0..files {
            let part = &records[ROWS * file / files..ROWS * (file + 1) / files];
            std::fs::write(folder.join(format!("{file:03}.ndjson")), part.join("\n")).unwrap();
        }
        folder
    };
    let mut paths: Vec<PathBuf> = [1, 129].map(in_files).to_vec();
    let array = folder.join("array.json");
    std::fs::write(&array, format!("[{}]", records.join(",\n"))).unwrap();
    let packed = folder.join("packed.jsonl.zst");
    let text = zstd::encode_all(records.join("\n").as_bytes(), 1).unwrap();
    std::fs::write(&packed, text).unwrap();
    paths.extend([array, packed]);
    paths
}

fn queries(frame: &LazyFrame) -> Vec<(&'static str, LazyFrame, bool)> {
    let frame = || frame.clone();
    let grouped = frame().group_by(["key"]).agg([
        count_all().alias("n"),
        col("value").sum().alias("sum"),
        col("value").median().alias("median"),
    ]);
    vec![
        ("groups", grouped, false),
        ("sorted", frame().sort_by([desc("value"), asc("id")]), true),
        ("exploded", frame().select(["id", "list"]).explode(["list"]), true),
        ("filtered", frame().filter(col("key").is_null()).select(["value", "id"]), true),
        ("last", frame().offset(ROWS as u64 - 300), true),
        ("middle", frame().offset(5000).limit(10), true),
    ]
}

#[test]
fn every_way_reads_what_parquet_holds() {
    let folder = tempfile::tempdir().unwrap();
    let parquet = folder.path().join("a.parquet");
    let records = records(&parquet);
    let expected: Vec<_> = queries(&scan_parquet(&*parquet).unwrap())
        .into_iter()
        .map(|(_, query, ordered)| fingerprint(&query, ordered))
        .collect();
    for path in layouts(folder.path(), &records) {
        for (way, session) in sessions() {
            let frame = session.scan_ndjson(&*path).unwrap();
            assert_eq!(frame.count().unwrap(), ROWS as u64, "{way}");
            for (index, (name, query, ordered)) in queries(&frame).into_iter().enumerate() {
                let found = fingerprint(&query, ordered);
                assert!(found == expected[index], "{name} of {} differs: {way}", path.display());
            }
        }
    }
}
