//! Arrow files in every way: the same rows as the Parquet file has, for any kind of file, threads and memory.

#![allow(clippy::unwrap_used)]

mod ways;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray, StringViewArray,
};
use arrow::datatypes::Int16Type;
use arrow::ipc::CompressionType;
use dframe::prelude::*;
use dframe_tests::fixtures::{batch, write_ipc, write_stream};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use ways::{fingerprint, nullable, sessions, write};

const ROWS: usize = 12_000;

/// Rows of which nine in ten have the same key, with NaN and NULL, and texts of all lengths.
fn table() -> RecordBatch {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let keys = nullable(&mut random, ROWS, |random| match random.random_range(0..10) {
        0 => format!("key {}", random.random_range(0..300)),
        _ => "the usual".to_string(),
    });
    let notes = nullable(&mut random, ROWS, |random| "note ".repeat(random.random_range(0..30)));
    let values = nullable(&mut random, ROWS, |random| match random.random_range(0..20) {
        0 => f64::NAN,
        _ => random.random_range(-1.0..1.0),
    });
    let ids = Int64Array::from_iter_values(0..ROWS as i64);
    batch([
        ("id", Arc::new(ids)),
        ("key", Arc::new(StringArray::from(keys))),
        ("note", Arc::new(StringArray::from(notes))),
        ("value", Arc::new(Float64Array::from(values))),
    ])
}

/// The same with a dictionary and views.
fn odd(table: &RecordBatch) -> RecordBatch {
    let keys = table.column(1).as_any().downcast_ref::<StringArray>().unwrap();
    let notes = table.column(2).as_any().downcast_ref::<StringArray>().unwrap();
    let coded: DictionaryArray<Int16Type> = keys.iter().collect();
    let views = StringViewArray::from_iter(notes.iter());
    batch([
        ("id", table.column(0).clone()),
        ("key", Arc::new(coded) as ArrayRef),
        ("note", Arc::new(views)),
        ("value", table.column(3).clone()),
    ])
}

fn pieces(table: &RecordBatch, count: usize) -> Vec<RecordBatch> {
    let rows = table.num_rows();
    let piece = |n: usize| table.slice(rows * n / count, rows * (n + 1) / count - rows * n / count);
    (0..count).map(piece).collect()
}

/// The table in files of many kinds.
fn layouts(folder: &Path, table: &RecordBatch) -> Vec<PathBuf> {
    let odd = odd(table);
    let many = folder.join("many");
    std::fs::create_dir(&many).unwrap();
    for (number, piece) in pieces(&odd, 129).iter().enumerate() {
        match number % 2 {
            0 => write_ipc(
                &many.join(format!("{number:03}.arrow")),
                std::slice::from_ref(piece),
                None,
            ),
            _ => {
                write_stream(&many.join(format!("{number:03}.arrows")), std::slice::from_ref(piece))
            }
        }
    }
    let path = |name: &str| folder.join(name);
    write_ipc(&path("one.arrow"), std::slice::from_ref(&odd), None);
    write_ipc(&path("lz4.arrow"), &pieces(table, 7), Some(CompressionType::LZ4_FRAME));
    write_ipc(&path("zstd.feather"), &pieces(&odd, 1), Some(CompressionType::ZSTD));
    write_stream(&path("tiny.arrows"), &pieces(&odd, 300));
    let names = ["one.arrow", "lz4.arrow", "zstd.feather", "tiny.arrows", "many"];
    names.map(path).to_vec()
}

fn queries(frame: &LazyFrame) -> Vec<(&'static str, LazyFrame, bool)> {
    let frame = || frame.clone();
    let grouped = frame().group_by(["key"]).agg([
        count_all().alias("n"),
        col("value").sum().alias("sum"),
        col("value").median().alias("median"),
        col("note").max().alias("note"),
    ]);
    let few = frame().filter(col("id").lt(500)).select(["key"]).distinct();
    vec![
        ("groups", grouped, false),
        ("sorted", frame().sort_by([desc("value"), asc("key"), asc("id")]), true),
        ("joined", frame().join(few, ["key"], JoinKind::Semi), false),
        ("filtered", frame().filter(col("key").eq(lit("key 7"))).select(["note", "id"]), true),
        ("last", frame().offset(ROWS as u64 - 300), true),
        ("middle", frame().offset(7000).limit(10), true),
    ]
}

#[test]
fn every_way_reads_what_parquet_holds() {
    let folder = tempfile::tempdir().unwrap();
    let table = table();
    let parquet = folder.path().join("a.parquet");
    write(&parquet, &table, 10_000);
    let expected: Vec<_> = queries(&scan_parquet(&*parquet).unwrap())
        .into_iter()
        .map(|(_, query, ordered)| fingerprint(&query, ordered))
        .collect();
    for path in layouts(folder.path(), &table) {
        for (way, session) in sessions() {
            let frame = session.scan_ipc(&*path).unwrap();
            assert_eq!(frame.count().unwrap(), ROWS as u64, "{way}");
            for (index, (name, query, ordered)) in queries(&frame).into_iter().enumerate() {
                let found = fingerprint(&query, ordered);
                assert!(found == expected[index], "{name} of {} differs: {way}", path.display());
            }
        }
    }
}
