//! Queries at once in one session: they share its memory limit and its threads, and each gives what it gives alone.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod ways;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Float64Array, Int64Array, RecordBatch, StringArray};
use dframe::prelude::*;

use ways::{fingerprint, try_fingerprint, write};

const ROWS: i64 = 300_000;

/// The least limit that one query may have, for each of eight; and less, so that some wait for others.
const LIMITS: [u64; 2] = [8 * (16 << 20), 48 << 20];

fn table() -> RecordBatch {
    let key = |row: i64| row.wrapping_mul(0x1E37_79B9_7F4A_7C15) >> 20;
    let texts = (0..ROWS).map(|row| format!("text {}", key(row) % 5_000));
    RecordBatch::try_from_iter([
        ("row", Arc::new(Int64Array::from_iter_values(0..ROWS)) as _),
        ("key", Arc::new(Int64Array::from_iter_values((0..ROWS).map(key))) as _),
        ("text", Arc::new(StringArray::from_iter_values(texts)) as _),
        (
            "float",
            Arc::new(Float64Array::from_iter_values((0..ROWS).map(|row| row as f64 / 3.0))) as _,
        ),
    ])
    .unwrap()
}

/// Eight queries that keep rows or groups: one of each kind.
fn queries(rows: &LazyFrame) -> Vec<LazyFrame> {
    let rows = || rows.clone();
    let over = || partition_by(["text"]).order_by([SortKey::ascending(col("key"))]);
    vec![
        rows().group_by(["key"]).agg([count_all().alias("n"), col("float").sum().alias("sum")]),
        rows().sort(["key"]),
        rows().distinct(),
        rows().join(rows(), ["row"], JoinKind::Inner),
        rows().select([col("row"), row_number().over(over()).alias("n")]),
        rows().group_by(["text"]).agg([col("float").median().alias("median")]),
        rows().sort_by([SortKey::descending(col("text")), SortKey::ascending(col("row"))]),
        rows().group_by(["text"]).agg([col("key").count().distinct().alias("keys")]),
    ]
}

#[test]
fn eight_queries_at_once_share_one_limit_and_all_finish() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    write(&path, &table(), 20_000);
    let ample = Session::builder().memory_limit(Size::Bytes(2 << 30)).threads(2).build().unwrap();
    let expected: Vec<_> = queries(&ample.scan_parquet(&*path).unwrap())
        .iter()
        .map(|query| fingerprint(query, false))
        .collect();
    for limit in LIMITS {
        let temp = folder.path().join(limit.to_string());
        std::fs::create_dir(&temp).unwrap();
        at_once(&path, &temp, limit, &expected);
    }
}

fn at_once(path: &Path, temp: &Path, limit: u64, expected: &[Vec<Vec<u8>>]) {
    let session = Session::builder().memory_limit(Size::Bytes(limit)).threads(4);
    let session = session.temp_dir(temp).build().unwrap();
    let queries = queries(&session.scan_parquet(path).unwrap());
    let answers: Vec<_> = std::thread::scope(|scope| {
        let started: Vec<_> = queries
            .iter()
            .map(|query| {
                scope.spawn(move || {
                    (0..2).map(|_| try_fingerprint(query, false)).collect::<Vec<_>>()
                })
            })
            .collect();
        started.into_iter().map(|query| query.join().unwrap()).collect()
    });
    for (number, (answers, expected)) in answers.into_iter().zip(expected).enumerate() {
        for answer in answers {
            let answer = answer.unwrap_or_else(|error| panic!("query {number}: {error}"));
            assert!(answer == *expected, "query {number} has another answer beside others");
        }
    }
    assert!(session.memory_peak() as u64 <= limit, "{} bytes", session.memory_peak());
    assert_eq!(session.memory_reserved(), 0);
    drop((queries, session));
    assert_eq!(std::fs::read_dir(temp).unwrap().count(), 0);
}
