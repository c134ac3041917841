//! Joins in every way that they can be run: kinds, keys, conditions, skew; against each other and naive code.

#![allow(clippy::unwrap_used)]

mod ways;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use dframe::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use ways::{STARVED, fingerprint, layouts, nullable, sessions, write};

const KINDS: [JoinKind; 6] = [
    JoinKind::Inner,
    JoinKind::Left,
    JoinKind::Right,
    JoinKind::Full,
    JoinKind::Semi,
    JoinKind::Anti,
];

fn scan(session: &Session, path: &Path) -> LazyFrame {
    session.scan_parquet(path.to_str().unwrap()).unwrap()
}

fn counting(threads: usize) -> (Session, Arc<RunStats>) {
    let stats = Arc::new(RunStats::default());
    let builder = Session::builder().observer(stats.clone());
    let builder = if threads == 0 { builder.synchronous() } else { builder.threads(threads) };
    (builder.build().unwrap(), stats)
}

/// 40 row groups of 500 rows in the order of every key; the last has no key.
fn ordered(path: &Path) {
    let rows = || 0..20_000i64;
    let known = |row: i64| (row < 19_500).then_some(row);
    let text = |row: i64| known(row).map(|row| format!("{}{row:06}", "k".repeat(40)));
    let float = |row: i64| known(row).map(|row| if row == 700 { f64::NAN } else { row as f64 });
    let columns: [(&str, ArrayRef); 5] = [
        ("row", Arc::new(Int64Array::from_iter_values(rows()))),
        ("k", Arc::new(Int64Array::from_iter(rows().map(known)))),
        ("i", Arc::new(Int32Array::from_iter(rows().map(|row| known(row).map(|k| k as i32))))),
        ("f", Arc::new(Float64Array::from_iter(rows().map(float)))),
        ("t", Arc::new(StringArray::from_iter(rows().map(text)))),
    ];
    write(path, &RecordBatch::try_from_iter(columns).unwrap(), 500);
}

/// A table of few rows, by rows of [`ordered`] and `None` for NULL.
fn few(path: &Path, rows: &[Option<i64>]) {
    let text = |row: i64| format!("{}{row:06}", "k".repeat(40));
    let columns: [(&str, ArrayRef); 4] = [
        ("k", Arc::new(Int64Array::from(rows.to_vec()))),
        ("i", Arc::new(Int32Array::from_iter(rows.iter().map(|row| row.map(|row| row as i32))))),
        ("f", Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.map(|row| row as f64))))),
        ("t", Arc::new(StringArray::from_iter(rows.iter().map(|row| row.map(text))))),
    ];
    write(path, &RecordBatch::try_from_iter(columns).unwrap(), 500);
}

#[test]
fn units_without_a_partner_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let (large, small) = (folder.path().join("large.parquet"), folder.path().join("small.parquet"));
    ordered(&large);
    let units = |rows: &[Option<i64>], join: &dyn Fn(LazyFrame, LazyFrame) -> LazyFrame| {
        few(&small, rows);
        let mut found = Vec::new();
        for threads in [0, 2] {
            let (session, stats) = counting(threads);
            let pairs = fingerprint(&join(scan(&session, &large), scan(&session, &small)), false);
            let read = stats.read();
            assert_eq!(40 - read.units_skipped, (read.rows_read - rows.len() as u64) / 500);
            found.push((pairs.len(), 40 - read.units_skipped));
        }
        assert_eq!(found[0], found[1]);
        found[0]
    };
    let two = [Some(10), Some(10_010), None];
    for key in ["k", "i", "f", "t"] {
        let on = |left: LazyFrame, right: LazyFrame| left.join_with(right).on([key]).finish();
        assert_eq!(units(&two, &on), (2, 2), "{key}: of two keys far apart");
        let semi = |left: LazyFrame, right: LazyFrame| {
            left.join_with(right).on([key]).how(JoinKind::Semi).finish()
        };
        assert_eq!(units(&two, &semi), (2, 2), "{key}: semi");
        let swapped = |left: LazyFrame, right: LazyFrame| right.join_with(left).on([key]).finish();
        assert_eq!(units(&two, &swapped), (2, 2), "{key}: the left is the table");
        let right = |left: LazyFrame, right: LazyFrame| {
            left.join_with(right).on([key]).how(JoinKind::Left).finish()
        };
        assert_eq!(units(&two, &right).1, 40, "{key}: rows without a partner come out");
        let null = |left: LazyFrame, right: LazyFrame| {
            left.join_with(right).on([key]).nulls_equal().finish()
        };
        assert_eq!(units(&two, &null), (502, 3), "{key}: NULL equals NULL");
        assert_eq!(units(&[Some(3)], &null), (1, 1), "{key}: there is no NULL in the table");
        assert_eq!(units(&[None], &on), (0, 0), "{key}: NULL equals nothing");
        assert_eq!(units(&[], &on), (0, 0), "{key}: an empty table");
    }
    // Keys of different types meet in a third, and columns are renamed and filtered on the way.
    let coerced = |left: LazyFrame, right: LazyFrame| {
        let left = left.filter(col("row").gt(lit(-1))).select([col("i").alias("x"), col("row")]);
        left.join_with(right).left_on(["x"]).right_on(["f"]).finish()
    };
    assert_eq!(units(&two, &coerced), (2, 2));
    let both = |left: LazyFrame, right: LazyFrame| {
        let right = right.select([col("k"), (col("i") + lit(1)).alias("i")]);
        left.join_with(right).on(["k", "i"]).finish()
    };
    assert_eq!(
        units(&[Some(499), Some(700)], &both),
        (0, 1),
        "a key rules out what the other does not"
    );
    let cross =
        |left: LazyFrame, right: LazyFrame| left.join_with(right).how(JoinKind::Cross).finish();
    assert_eq!(units(&[], &cross), (0, 0));
    // More keys than are looked at one by one: only their ends count.
    let many: Vec<Option<i64>> = (0..5_000).map(|n| Some(n % 2 * 1_000 + 7_000)).collect();
    let on = |left: LazyFrame, right: LazyFrame| left.join_with(right).on(["k"]).finish();
    assert_eq!(units(&many, &on), (5_000, 3));
}

#[test]
fn a_not_a_number_finds_its_partner() {
    let folder = tempfile::tempdir().unwrap();
    let (large, small) = (folder.path().join("large.parquet"), folder.path().join("small.parquet"));
    ordered(&large);
    let nan: ArrayRef = Arc::new(Float64Array::from(vec![-f64::NAN]));
    write(&small, &RecordBatch::try_from_iter([("f", nan)]).unwrap(), 5);
    let (session, _) = counting(0);
    let join = scan(&session, &large).join_with(scan(&session, &small)).on(["f"]).finish();
    assert_eq!(fingerprint(&join, false).len(), 1);
}
