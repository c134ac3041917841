//! The first rows in an order against all rows in that order, where statistics let units be skipped.
//!
//! Columns are made so that bounds are easily misread: NaN beside numbers, zeros of both signs, NULLs here
//! and there or everywhere, texts longer than statistics keep, the same value at the edge of many units.

#![allow(clippy::unwrap_used)]

mod ways;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow::compute::take_record_batch;
use dframe::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use ways::{fingerprint, layouts, nullable, sessions, write};

const ROWS: usize = 2_500;

/// The columns that are sorted by.
const KEYS: &[&str] = &["rising", "steps", "float", "numbers", "text", "late_nulls", "random"];

fn table() -> RecordBatch {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let rows = || 0..ROWS as i64;
    let float = |row: i64| match row % 97 {
        0 => f64::NAN,
        1 => -0.0,
        2 => 0.0,
        3 => f64::NEG_INFINITY,
        _ => (row / 40) as f64 - 20.0,
    };
    // Longer than what statistics keep; different behind that only.
    let text = |row: i64| format!("{}{:05}", "é".repeat(60), row / 3);
    let late_nulls = |row: i64| (row < 1_000 || row % 7 == 0).then_some(row / 100);
    let columns: [(&str, ArrayRef); 8] = [
        ("row", Arc::new(Int64Array::from_iter_values(rows()))),
        ("rising", Arc::new(Int64Array::from_iter_values(rows()))),
        ("steps", Arc::new(Int64Array::from_iter_values(rows().map(|row| row / 60)))),
        ("float", Arc::new(Float64Array::from_iter_values(rows().map(float)))),
        ("numbers", Arc::new(Float64Array::from_iter_values(rows().map(|row| -row as f64 / 9.0)))),
        ("text", Arc::new(StringArray::from_iter_values(rows().map(text)))),
        ("late_nulls", Arc::new(Int64Array::from_iter(rows().map(late_nulls)))),
        (
            "random",
            Arc::new(Int64Array::from(nullable(&mut random, ROWS, |r| r.random_range(0..50)))),
        ),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn orders(key: &str) -> impl Iterator<Item = SortKey> {
    let order = |descending, nulls_first| SortKey { expr: col(key), descending, nulls_first };
    [order(false, false), order(true, false), order(false, true), order(true, true)].into_iter()
}

#[test]
fn the_first_rows_are_those_of_all_rows_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let layouts = layouts(folder.path(), &table());
    let sessions = sessions();
    for (key, order) in KEYS.iter().flat_map(|key| orders(key).map(move |order| (key, order))) {
        for with_row in [false, true] {
            // Equal rows stay as they were, unless later keys tell.
            let later = with_row.then(|| SortKey::descending(col("row")));
            let keys: Vec<SortKey> = [order.clone()].into_iter().chain(later).collect();
            let all = |session: &Session, path: &Path| {
                session.scan_parquet(path.to_str().unwrap()).unwrap().sort_by(keys.clone())
            };
            let expected = fingerprint(&all(&sessions[0].1, &layouts[0]), true);
            // A way for each layout and limit; all of them in the course of the keys.
            for (at, layout) in layouts.iter().enumerate() {
                for (nth, limit) in [1, 7, 300].into_iter().enumerate() {
                    let way = (at * 5 + nth * 7 + usize::from(with_row) + key.len()) % 16;
                    let (name, session) = &sessions[way];
                    let first = fingerprint(&all(session, layout).limit(limit), true);
                    let wanted = &expected[..limit as usize];
                    let place = layout.display();
                    assert!(first == wanted, "{limit} by {keys:?}: {name}, {place} differs");
                }
            }
        }
    }
}

#[test]
fn filters_and_new_columns_between_do_not_mislead() {
    let folder = tempfile::tempdir().unwrap();
    let path = &layouts(folder.path(), &table())[5];
    for (name, session) in sessions() {
        let scan = || session.scan_parquet(path.to_str().unwrap()).unwrap();
        // The least rows of the first units are filtered out.
        let few = scan().filter((col("row") % lit(500)).eq(lit(499)));
        let few = few.select([col("row").alias("rising"), (lit(0) - col("rising")).alias("row")]);
        for order in orders("row").chain(orders("rising")) {
            let all = fingerprint(&few.clone().sort_by([order.clone()]), true);
            let first = fingerprint(&few.clone().sort_by([order]).limit(2), true);
            assert!(first == all[..2], "{name} differs");
        }
    }
}

#[test]
fn files_of_different_types_and_columns_are_compared_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let column = |column: ArrayRef| RecordBatch::try_from_iter([("n", column)]).unwrap();
    let small = column(Arc::new(arrow::array::Int32Array::from_iter_values(-50..50)));
    let large = column(Arc::new(Int64Array::from_iter_values(0..100)));
    let other: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100));
    write(&folder.path().join("a.parquet"), &small, 10);
    write(&folder.path().join("b.parquet"), &large, 10);
    let without = RecordBatch::try_from_iter([("m", other)]).unwrap();
    write(&folder.path().join("c.parquet"), &without, 10);
    let scan = scan_parquet(folder.path()).unwrap();
    for order in orders("n") {
        let all = fingerprint(&scan.clone().sort_by([order.clone()]), true);
        for limit in [3, 120, 220] {
            let first = fingerprint(&scan.clone().sort_by([order.clone()]).limit(limit), true);
            assert!(first == all[..limit as usize], "the first {limit}");
        }
    }
    let union = scan.clone().select(["n"]).union_by_name([scan.select([col("n") * lit(2.5)])]);
    for order in orders("n") {
        let all = fingerprint(&union.clone().sort_by([order.clone()]), true);
        let first = fingerprint(&union.clone().sort_by([order]).limit(30), true);
        assert!(first == all[..30], "of a union");
    }
}

/// Rows decoded and units skipped for the first ten rows by `n`.
fn rows_read(path: &Path, build: impl Fn(LazyFrame) -> LazyFrame) -> (u64, u64) {
    let stats = Arc::new(RunStats::default());
    let session = Session::builder().synchronous().observer(stats.clone()).build().unwrap();
    let frame = build(session.scan_parquet(path.to_str().unwrap()).unwrap());
    assert_eq!(fingerprint(&frame, true).len(), 10);
    (stats.read().rows_read, stats.read().units_skipped)
}

#[test]
fn most_units_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    let numbers = |numbers: Vec<i64>| {
        let odd: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers.iter().map(|n| n % 2)));
        let numbers: ArrayRef = Arc::new(Int64Array::from(numbers));
        RecordBatch::try_from_iter([("n", numbers), ("odd", odd)]).unwrap()
    };
    let sorted = numbers((0..200_000).collect());
    write(&path, &sorted, 2_000);
    for key in [SortKey::ascending(col("n")), SortKey::descending(col("n"))] {
        let top = |frame: LazyFrame| frame.sort_by([key.clone()]).limit(10);
        assert_eq!(rows_read(&path, top), (2_000, 99), "known from statistics alone");
        let middle = |frame: LazyFrame| frame.sort_by([key.clone()]).slice(5_000, 10);
        assert_eq!(rows_read(&path, middle), (6_000, 97));
        let renamed = |frame: LazyFrame| top(frame.select([col("odd"), col("n").alias("n")]));
        assert_eq!(rows_read(&path, renamed), (2_000, 99));
    }
    // Rows are dropped: nothing is known before enough of them have been sorted.
    let odd = |f: LazyFrame| f.filter(col("odd").eq(lit(1))).sort(["n"]).limit(10);
    let (rows, skipped) = rows_read(&path, odd);
    assert!(rows < 80_000 && skipped > 60, "{rows} rows, {skipped} units skipped");
    // Units in any order: that of the least numbers alone.
    let mut places: Vec<u32> = (0..200_000).collect();
    let mut random = ChaCha8Rng::seed_from_u64(3);
    for unit in (1..100).rev() {
        let other = random.random_range(0..=unit);
        for row in 0..2_000 {
            places.swap(unit * 2_000 + row, other * 2_000 + row);
        }
    }
    write(&path, &take_record_batch(&sorted, &UInt32Array::from(places)).unwrap(), 2_000);
    let top = |frame: LazyFrame| frame.sort(["n"]).limit(10);
    assert_eq!(rows_read(&path, top), (2_000, 99));
}
