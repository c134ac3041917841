//! Aggregates of all rows that row groups' bounds tell: the same answer as of the rows, and no rows where all is told.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod ways;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int64Array,
    RecordBatch, StringArray,
};
use dframe::prelude::*;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use ways::{fingerprint, sessions};

/// Rows whose floats are odd in a way of their own in each of several `parts`: NaNs, a zero of either sign as the least
/// or greatest value, only NULLs.
fn table(part: usize) -> RecordBatch {
    let rows = 200_usize;
    let long = format!("{}{part}", "a long text ".repeat(12));
    let x = |row: usize| match (part % 6, row % 7) {
        (_, 3) => None,
        (0, 5) => Some(f64::NAN),
        (1, _) => None,
        (2, 0) => Some(-0.0),
        (2, _) => Some(row as f64),
        (3, 0) => Some(0.0),
        (3, _) => Some(-(row as f64)),
        (4, _) => Some(f64::NAN),
        _ => Some(row as f64 * 0.5 - 100.0),
    };
    let n = |row: usize| (row % 5 != part % 5).then_some(row as i64 * 37 % 501 - 200 - part as i64);
    let times = Int64Array::from_iter((0..rows).map(n));
    let amounts = (0..rows).map(|row| n(row).map(i128::from));
    let amounts = Decimal128Array::from_iter(amounts).with_precision_and_scale(20, 2).unwrap();
    RecordBatch::try_from_iter_with_nullable([
        ("x", Arc::new(Float64Array::from_iter((0..rows).map(x))) as ArrayRef, true),
        (
            "f",
            Arc::new(Float32Array::from_iter((0..rows).map(|r| x(r).map(|x| x as f32)))) as _,
            true,
        ),
        ("n", Arc::new(times.clone()) as _, true),
        (
            "ts",
            Arc::new(times.reinterpret_cast::<arrow::datatypes::TimestampMicrosecondType>()) as _,
            true,
        ),
        (
            "day",
            Arc::new(Date32Array::from_iter((0..rows).map(|r| n(r).map(|n| n as i32)))) as _,
            true,
        ),
        ("amount", Arc::new(amounts) as _, true),
        (
            "flag",
            Arc::new(BooleanArray::from_iter((0..rows).map(|r| n(r).map(|n| n > 250)))) as _,
            true,
        ),
        (
            "text",
            Arc::new(StringArray::from_iter((0..rows).map(|r| n(r).map(|n| format!("{n}"))))) as _,
            true,
        ),
        (
            "long",
            Arc::new(StringArray::from_iter_values((0..rows).map(|r| format!("{long}{r}")))) as _,
            true,
        ),
        ("none", Arc::new(Int64Array::new_null(rows)) as _, true),
        ("row", Arc::new(Int64Array::from_iter_values((0..rows as i64).map(|r| r + 1))) as _, true),
    ])
    .unwrap()
}

fn write(path: &Path, rows: &RecordBatch, group: usize, statistics: EnabledStatistics) {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group))
        .set_statistics_enabled(statistics)
        .build();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(properties)).unwrap();
    writer.write(rows).unwrap();
    writer.close().unwrap();
}

fn aggregates(columns: &[&str]) -> Vec<Expr> {
    let mut calls = vec![count_all().alias("rows")];
    for column in columns {
        calls.push(col(*column).count().alias(format!("{column}_count")));
        calls.push(col(*column).min().alias(format!("{column}_min")));
        calls.push(col(*column).max().alias(format!("{column}_max")));
    }
    calls
}

#[test]
fn bounds_and_rows_say_the_same() {
    let all = ["x", "f", "n", "ts", "day", "amount", "flag", "text", "long", "none"];
    let folder = tempfile::tempdir().unwrap();
    for part in 0..12 {
        let statistics =
            [EnabledStatistics::Page, EnabledStatistics::Chunk, EnabledStatistics::None];
        // Column by column, so that files without statistics are read for one only.
        let path = folder.path().join(format!("{part:02}.parquet"));
        write(&path, &table(part), [40, 200][part % 2], statistics[part / 2 % 3]);
    }
    let path = folder.path().to_str().unwrap();
    for (way, session) in sessions() {
        let frame = session.scan_parquet(path).unwrap();
        // What a filter on another column leaves is all rows, and they are read.
        let read = frame.clone().filter(col("row").gt(0));
        let columns = all.iter().map(std::slice::from_ref).chain([all.as_slice()]);
        for columns in columns {
            let known = frame.clone().agg(aggregates(columns));
            let found = read.clone().agg(aggregates(columns));
            let (known, found) = (fingerprint(&known, true), fingerprint(&found, true));
            assert_eq!(known, found, "{way} {columns:?}");
        }
    }
}

#[test]
fn nothing_is_read_where_all_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    write(&path, &table(5), 50, EnabledStatistics::Chunk);
    let frame = scan_parquet(path.to_str().unwrap()).unwrap();
    let names = |frame: LazyFrame| frame.graph().unwrap().to_string();
    let known = frame.clone().agg(aggregates(&["n", "ts", "x"]));
    assert!(names(known.clone()).contains("read bounds"), "{}", names(known));
    let sum = frame.clone().agg([count_all().alias("n"), col("n").sum().alias("sum")]);
    assert!(!names(sum.clone()).contains("read bounds"), "{}", names(sum));
    let some = frame.filter(col("n").gt(3)).agg(aggregates(&["n"]));
    assert!(!names(some.clone()).contains("read bounds"), "{}", names(some));
}
