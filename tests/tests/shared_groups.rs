//! Groups that are too many for a table per task and fewer than the rows, which tasks share, and those that are fewer,
//! whose tables tasks hand on: the same result in every way to run, and the right one.

#![allow(clippy::unwrap_used)]

mod ways;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use dframe::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use ways::{fingerprint, sessions, write};

const ROWS: usize = 1_000_000;
/// Rows enough for each that tasks share them, and more than a task keeps a table of.
const GROUPS: i64 = 200_000;
/// Too many to be merged as they are, too few to be shared.
const HANDED_ON_GROUPS: i64 = 60_000;

/// Keys by number, by short text, and by text of which some is too long for a view; one group is NULL.
fn table(groups: i64) -> RecordBatch {
    let mut random = ChaCha8Rng::seed_from_u64(29);
    let keys: Vec<i64> = (0..ROWS).map(|_| random.random_range(0..groups)).collect();
    let some = |key: &i64| (*key > 0).then_some(*key);
    let short = |key: i64| format!("k{key:06}");
    let mixed = |key: i64| if key % 1_000 == 7 { "é".repeat(9) + &short(key) } else { short(key) };
    let columns: [(&str, ArrayRef); 6] = [
        ("number", Arc::new(Int64Array::from_iter(keys.iter().map(some)))),
        ("short", Arc::new(StringArray::from_iter(keys.iter().map(|key| some(key).map(short))))),
        ("mixed", Arc::new(StringArray::from_iter(keys.iter().map(|key| some(key).map(mixed))))),
        ("row", Arc::new(Int64Array::from_iter_values(0..ROWS as i64))),
        ("size", Arc::new(Int64Array::from_iter_values(keys.iter().map(|key| key % 77 - 5)))),
        ("price", Arc::new(Float64Array::from_iter_values((0..ROWS).map(|row| row as f64 / 7.0)))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn query(session: &Session, path: &Path, key: &str) -> LazyFrame {
    session.scan_parquet(path).unwrap().group_by([col(key)]).agg([
        count_all().alias("n"),
        col("size").sum().alias("size"),
        col("price").sum().alias("price"),
        col("price").max().alias("greatest"),
        col("row").first().alias("first"),
    ])
}

#[test]
fn shared_groups_are_the_groups_of_all_rows() {
    assert_all_ways_agree(GROUPS, &["number", "short", "mixed"]);
}

#[test]
fn groups_of_tables_that_are_handed_on_are_those_of_all_rows() {
    assert_all_ways_agree(HANDED_ON_GROUPS, &["number", "short"]);
}

/// The same rows in every way to run, and of the right counts.
fn assert_all_ways_agree(groups: i64, keys: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.parquet");
    let table = table(groups);
    write(&path, &table, 120_000);
    for key in keys {
        let mut expected = None;
        for (way, session) in sessions().into_iter().filter(|(way, _)| way.ends_with("true")) {
            let rows = fingerprint(&query(&session, &path, key), false);
            assert_eq!(*expected.get_or_insert_with(|| rows.clone()), rows, "{key}, {way}");
        }
    }
    assert_sizes(&table, &query(&sessions()[0].1, &path, "number"));
}

/// Counts and sums against a map, and first rows against the rows themselves.
fn assert_sizes(table: &RecordBatch, frame: &LazyFrame) {
    let column = |batch: &RecordBatch, name: &str| {
        batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().clone()
    };
    let mut expected: HashMap<Option<i64>, (i64, i64, i64)> = HashMap::new();
    let (keys, sizes) = (column(table, "number"), column(table, "size"));
    for (row, (key, size)) in keys.iter().zip(sizes.values()).enumerate() {
        let group = expected.entry(key).or_insert((0, 0, row as i64));
        *group = (group.0 + 1, group.1 + size, group.2);
    }
    for batch in frame.collect_batches().unwrap() {
        let batch = batch.unwrap();
        let counts = [column(&batch, "n"), column(&batch, "size"), column(&batch, "first")];
        for (row, key) in column(&batch, "number").iter().enumerate() {
            let [n, size, first] = counts.each_ref().map(|column| column.value(row));
            assert_eq!(expected.remove(&key), Some((n, size, first)));
        }
    }
    assert!(expected.is_empty());
}
