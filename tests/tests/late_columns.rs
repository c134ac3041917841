//! Columns that are decoded late: only for rows that a small side's keys, or the first rows so far, leave.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod ways;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use dframe::RunStats;
use dframe::expr::SortKey;
use dframe::prelude::*;
use ways::{fingerprint, sessions, write};

const ROWS: i64 = 60_000;

/// Rows in disorder by every column, NULLs and NaNs among them, in row groups of 20,000.
fn large(path: &Path) {
    let mixed = |row: i64| row * 7_919 % 60_013;
    let known = |row: i64| (row % 10 != 3).then(|| mixed(row));
    let float = |row: i64| if row % 9_973 == 5 { f64::NAN } else { mixed(row) as f64 / 4.0 };
    let rows = || 0..ROWS;
    let text = |row: i64| format!("name {}", mixed(row) % 50);
    let columns: [(&str, ArrayRef); 5] = [
        ("k", Arc::new(Int64Array::from_iter(rows().map(known)))),
        ("x", Arc::new(Float64Array::from_iter_values(rows().map(float)))),
        ("name", Arc::new(StringArray::from_iter_values(rows().map(text)))),
        ("note", Arc::new(StringArray::from_iter_values(rows().map(|row| format!("note {row}"))))),
        ("row", Arc::new(Int64Array::from_iter_values(rows()))),
    ];
    write(path, &RecordBatch::try_from_iter(columns).unwrap(), 20_000);
}

/// Three keys that the large table has, one that it has not, and NULL.
fn small(path: &Path) {
    let keys = [Some(7_919), Some(5 * 7_919), Some(20_000 * 7_919 % 60_013), Some(-1), None];
    let columns: [(&str, ArrayRef); 2] = [
        ("k", Arc::new(Int64Array::from_iter(keys))),
        ("name", Arc::new(StringArray::from_iter((0..5).map(|n| Some(format!("name {n}")))))),
    ];
    write(path, &RecordBatch::try_from_iter(columns).unwrap(), 5);
}

/// The rows that come out, and how many were decoded in full.
fn run(path: &Path, query: impl Fn(LazyFrame) -> LazyFrame) -> (usize, u64) {
    let stats = Arc::new(RunStats::default());
    let session = Session::builder().observer(stats.clone()).synchronous().build().unwrap();
    let frame = query(session.scan_parquet(path.to_str().unwrap()).unwrap());
    (fingerprint(&frame, false).len(), stats.read().rows_read)
}

#[test]
fn rows_without_a_partner_are_not_decoded_in_full() {
    let folder = tempfile::tempdir().unwrap();
    let (left, right) = (folder.path().join("large.parquet"), folder.path().join("small.parquet"));
    large(&left);
    small(&right);
    let of = |kind: JoinKind| {
        let right = right.to_str().unwrap();
        let partners = |frame: &LazyFrame| frame.clone().join_with(scan_parquet(right).unwrap());
        run(&left, |frame| partners(&frame).on(["k"]).how(kind).finish())
    };
    let own = |(found, decoded)| (found, decoded - 5);
    assert_eq!(own(of(JoinKind::Inner)), (3, 3));
    assert_eq!(own(of(JoinKind::Semi)), (3, 3));
    assert_eq!(own(of(JoinKind::Left)), (ROWS as usize, ROWS as u64));
    assert_eq!(own(of(JoinKind::Anti)), (ROWS as usize - 3, ROWS as u64));
}

#[test]
fn rows_that_are_not_among_the_first_are_not_decoded_in_full() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.parquet");
    large(&path);
    let first = |frame: LazyFrame| frame.sort_by([desc(col("x") * 2.0), asc("row")]).limit(9);
    let (found, decoded) = run(&path, first);
    // Once rows have been put in order, only what comes before the ninth of them is.
    assert_eq!(found, 9);
    assert!(decoded < 41_000, "{decoded}");
    let (_, decoded) = run(&path, |frame| frame.sort_by([desc("x")]));
    assert_eq!(decoded, ROWS as u64);
}

#[test]
fn every_way_gives_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let (left, right) = (folder.path().join("large.parquet"), folder.path().join("small.parquet"));
    large(&left);
    small(&right);
    let mut first: Option<Vec<Vec<Vec<u8>>>> = None;
    for (way, session) in sessions() {
        let frame = session.scan_parquet(left.to_str().unwrap()).unwrap();
        let few = session.scan_parquet(right.to_str().unwrap()).unwrap();
        let joined =
            |on: &'static [&str]| frame.clone().join_with(few.clone()).on(on.iter().copied());
        let some = col("row").gt(lit(100));
        let queries = [
            (frame.clone().sort_by([desc(col("x") * 2.0), asc("row")]).limit(7), true),
            (frame.clone().sort_by([asc("x"), desc("note")]).limit(700), true),
            (
                frame
                    .clone()
                    .filter(some.clone())
                    .sort_by([SortKey { nulls_first: true, ..asc("k") }])
                    .limit(40),
                true,
            ),
            (
                frame.clone().filter(col("name").eq(lit("name 7"))).sort_by([desc("row")]).limit(3),
                true,
            ),
            (joined(&["k"]).finish(), false),
            (joined(&["k"]).nulls_equal().finish(), false),
            (joined(&["k", "name"]).how(JoinKind::Semi).finish(), false),
            (joined(&["k"]).finish().filter(some.clone()).sort_by([asc("row")]).limit(2), true),
            (frame.clone().filter(col("note").eq(lit("note 41234"))), false),
            (frame.clone().filter(some.and(col("k").eq(lit(7_919)))), false),
        ];
        let rows: Vec<_> =
            queries.iter().map(|(query, ordered)| fingerprint(query, *ordered)).collect();
        match &first {
            None => first = Some(rows),
            Some(first) => assert!(*first == rows, "{way}"),
        }
    }
    let sizes: Vec<usize> = first.unwrap().iter().map(Vec::len).collect();
    assert_eq!(sizes, [7, 700, 40, 3, 3, 6_003, 0, 1, 1, 0]);
}
