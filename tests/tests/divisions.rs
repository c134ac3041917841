//! Files that have divisions by a key: no shuffle, and the same rows as of a file in disorder.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod ways;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::take;
use arrow::datatypes::{Float64Type, Int64Type};
use dframe::prelude::*;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use ways::{fingerprint, sessions, write};

/// Rows sorted by `id`, one to four of each and NULLs at the end; by `text`, which says the same in another way; and
/// by `x`, with NaNs before the NULLs.
fn sorted(rows: usize, random: &mut ChaCha8Rng) -> RecordBatch {
    let mut ids = Vec::new();
    let mut id = -1_000_i64;
    while ids.len() < rows {
        id += random.random_range(1..4);
        ids.extend(vec![id; random.random_range(1..5)]);
    }
    ids.truncate(rows);
    let known = rows - rows / 50;
    let all = |n: usize| (n < known).then(|| ids[n]);
    let ids = Int64Array::from_iter((0..rows).map(all));
    let texts = StringArray::from_iter(ids.iter().map(|id| Some(format!("{:08}", id? + 1_000))));
    let x = |n: usize| all(n).map(|id| if n + 100 > known { f64::NAN } else { id as f64 / 8.0 });
    let x = Float64Array::from_iter((0..rows).map(x));
    let values = Int64Array::from_iter_values((0..rows).map(|_| random.random_range(-50..50)));
    RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(ids) as ArrayRef, true),
        ("text", Arc::new(texts) as _, true),
        ("x", Arc::new(x) as _, true),
        ("value", Arc::new(values) as _, true),
        ("row", Arc::new(Int64Array::from_iter_values(0..rows as i64)) as _, true),
    ])
    .unwrap()
}

fn shuffled(table: &RecordBatch, random: &mut ChaCha8Rng) -> RecordBatch {
    let mut order: Vec<i64> = (0..table.num_rows() as i64).collect();
    order.shuffle(random);
    let order = Int64Array::from(order);
    let columns = table.columns().iter().map(|column| take(column, &order, None).unwrap());
    RecordBatch::try_new(table.schema(), columns.collect()).unwrap()
}

/// The table in `files` files, named in another order than that of its rows.
fn write_files(folder: &Path, table: &RecordBatch, files: usize, random: &mut ChaCha8Rng) {
    let mut names: Vec<usize> = (0..files).collect();
    names.shuffle(random);
    for (file, name) in names.into_iter().enumerate() {
        let (start, end) = (table.num_rows() * file / files, table.num_rows() * (file + 1) / files);
        let rows = table.slice(start, end - start);
        write(&folder.join(format!("{name:05}.parquet")), &rows, 300);
    }
}

/// Queries whose answers do not depend on the order of rows.
fn queries(frame: &LazyFrame, key: &str) -> Vec<LazyFrame> {
    let sums = [
        count_all().alias("n"),
        col("value").sum().alias("sum"),
        col("row").max().alias("max"),
        col("value").median().alias("median"),
    ];
    let agg = |frame: LazyFrame, calls: &[Expr]| frame.group_by([key]).agg(calls.to_vec());
    vec![
        agg(frame.clone(), &sums[..3]),
        agg(frame.clone(), &sums),
        agg(frame.clone().filter(col("value").gt(0)), &sums[..2]),
        agg(frame.clone(), &[col("value").n_unique().alias("distinct")]),
        frame.clone().select([key, "value"]).distinct(),
        frame.clone().group_by(["value", key]).agg([count_all().alias("n")]),
        joined(frame, JoinKind::Inner, key),
        joined(frame, JoinKind::Full, key),
        joined(frame, JoinKind::Anti, key),
        frame.clone().with_columns([
            col("value").sum().over(partition_by([key])).alias("sum"),
            row_number().over(partition_by([key]).order_by([asc("row")])).alias("n"),
        ]),
    ]
}

/// Some rows of the frame with others of it: each has divisions that the other has not.
fn joined(frame: &LazyFrame, kind: JoinKind, key: &str) -> LazyFrame {
    let left = frame.clone().filter(col("value").lt(10)).filter(col("id").lt(20_000));
    let right = frame.clone().select([key, "value"]).filter(col("value").gt(0));
    left.join_with(right).on([key]).how(kind).finish()
}

#[test]
fn rows_in_order_need_no_shuffle_and_give_the_groups_of_rows_in_disorder() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let table = sorted(30_000, &mut random);
    let folder = tempfile::tempdir().unwrap();
    let disorder = folder.path().join("disorder.parquet");
    write(&disorder, &shuffled(&table, &mut random), 5_000);
    let layouts = [1, 3, 129].map(|files| {
        let folder = folder.path().join(format!("files{files}"));
        std::fs::create_dir(&folder).unwrap();
        write_files(&folder, &table, files, &mut random);
        folder
    });
    let reference = Session::builder().synchronous().build().unwrap();
    for key in ["id", "text", "x"] {
        let expected = queries(&reference.scan_parquet(&*disorder).unwrap(), key);
        let expected: Vec<_> = expected.iter().map(|query| fingerprint(query, false)).collect();
        for (way, session) in sessions() {
            for layout in if key == "id" { &layouts[..] } else { &layouts[1..2] } {
                let frame = session.scan_parquet(&**layout).unwrap();
                for (number, query) in queries(&frame, key).iter().enumerate() {
                    let found = fingerprint(query, false);
                    assert_eq!(found, expected[number], "query {number} by {key}, {way}");
                }
            }
        }
    }
}

#[test]
fn divisions_are_planned_without_a_shuffle() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let table = sorted(120_000, &mut random);
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("rows.parquet"), &table, 300);
    let starved = Session::builder().memory_limit(Size::Bytes(ways::STARVED)).threads(2);
    let frame = starved.build().unwrap().scan_parquet(folder.path()).unwrap();
    let stages = |query: &LazyFrame| query.graph().unwrap().to_string();
    for key in ["id", "text", "x"] {
        for query in queries(&frame, key) {
            let stages = stages(&query);
            let is_divided = stages.contains("finish divisions") || !stages.contains("shuffle");
            assert!(is_divided, "{stages}");
        }
    }
    let by_value = frame.group_by(["value"]).agg([count_all()]);
    assert!(!stages(&by_value).contains("finish divisions"), "values are in disorder");
}

#[test]
fn divisions_are_told_with_their_rows_and_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![
        Some(7),
        Some(9), // the files' order is not that of values
        Some(1),
        Some(2),
        Some(2),
        Some(4),
        Some(5),
        Some(6),
        Some(9),
        None,
    ]));
    let table = RecordBatch::try_from_iter_with_nullable([("id", ids, true)]).unwrap();
    write(&folder.path().join("ids.parquet"), &table, 2);
    let session = Session::builder().synchronous().build().unwrap();
    let frame = session.scan_parquet(folder.path()).unwrap();
    let found = frame.divisions("id").unwrap().unwrap().to_batch().unwrap();
    let values = |column: usize| -> Vec<Option<i64>> {
        found.column(column).as_primitive::<Int64Type>().iter().collect()
    };
    assert_eq!(values(0), [Some(4), Some(2), Some(4)]);
    assert_eq!(values(1), [Some(1), Some(5), Some(7)]);
    assert_eq!(values(2), [Some(4), Some(6), None], "a NULL is beyond all values");

    let doubled = frame.clone().select([(col("id") * 2).alias("id")]);
    assert!(doubled.divisions("id").unwrap().is_none(), "the bounds of a result are not known");
    let error = frame.divisions("di").unwrap_err().to_string();
    assert!(error.contains("'di'"), "{error}");
    let floats = Float64Array::from(vec![1.0, f64::NAN, 2.0, 3.0]);
    let floats = RecordBatch::try_from_iter([("x", Arc::new(floats) as ArrayRef)]).unwrap();
    let path = folder.path().join("floats");
    std::fs::create_dir(&path).unwrap();
    write(&path.join("x.parquet"), &floats, 2);
    let found = session.scan_parquet(&*path).unwrap().divisions("x").unwrap().unwrap();
    let least = found.column("min").unwrap();
    assert_eq!(least.as_primitive::<Float64Type>().values(), &[1.0], "a NaN is beyond all values");
    assert!(found.column("max").unwrap().is_null(0));
}
