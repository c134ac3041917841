//! Rows that are repeated many times beside long texts, and pivots in one step and in two.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, ListArray, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use dframe::plan::Optimizer;
use dframe::prelude::*;
use parquet::arrow::ArrowWriter;

fn write(folder: &Path, columns: Vec<(&str, ArrayRef)>) -> PathBuf {
    let path = folder.join("rows.parquet");
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path
}

fn session(threads: usize, memory: u64, optimizer: bool) -> Session {
    let builder = Session::builder().memory_limit(Size::Bytes(memory));
    let builder = if threads == 0 { builder.synchronous() } else { builder.threads(threads) };
    let builder = if optimizer { builder } else { builder.optimizer(Optimizer::off()) };
    builder.build().unwrap()
}

/// Every way: threads, memory, optimizer.
const WAYS: [(usize, u64, bool); 4] =
    [(0, 1 << 30, true), (1, 32 << 20, true), (2, 1 << 30, false), (8, 32 << 20, false)];

fn integers(frame: &LazyFrame, name: &str) -> Vec<Option<i64>> {
    let column = frame.collect().unwrap().column(name).unwrap();
    column.as_primitive::<Int64Type>().iter().collect()
}

/// All at once, the copies of the text would have 3 GB, more than the offsets of a column can tell.
#[test]
fn a_long_text_is_not_held_once_for_each_element() {
    let folder = tempfile::tempdir().unwrap();
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(1 << 20), "y".to_string()]));
    let lists = vec![Some((0..3_000).map(Some).collect::<Vec<_>>()), Some(vec![None])];
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(lists);
    let path = write(folder.path(), vec![("text", text), ("list", Arc::new(lists))]);
    let session = session(2, 64 << 20, true);
    let scan = session.scan_parquet(path.to_str().unwrap()).unwrap();
    let length = col("text").str().len_bytes();
    let sums =
        [length.sum().alias("bytes"), col("list").sum().alias("sum"), count_all().alias("n")];
    let sums = scan.explode(["list"]).agg(sums);
    assert_eq!(integers(&sums, "bytes"), [Some((3_000 << 20) + 1)]);
    assert_eq!(integers(&sums, "sum"), [Some(3_000 * 2_999 / 2)]);
    assert_eq!(integers(&sums, "n"), [Some(3_001)]);
}

#[test]
fn a_long_text_is_not_held_once_for_each_column() {
    let folder = tempfile::tempdir().unwrap();
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(8 << 20), "y".to_string()]));
    let names: Vec<String> = (0..300).map(|number| format!("c{number}")).collect();
    let mut columns = vec![("text", text)];
    for (number, name) in names.iter().enumerate() {
        columns.push((name, Arc::new(Int64Array::from(vec![Some(number as i64), None]))));
    }
    let path = write(folder.path(), columns);
    let session = session(2, 128 << 20, true);
    let scan = session.scan_parquet(path.to_str().unwrap()).unwrap();
    let long = scan.unpivot(names.clone(), ["text"]);
    let length = col("text").str().len_bytes();
    let sums = [length.sum().alias("bytes"), col("value").sum().alias("sum")];
    let sums = long.agg(sums);
    assert_eq!(integers(&sums, "bytes"), [Some(300 * ((8 << 20) + 1))]);
    assert_eq!(integers(&sums, "sum"), [Some(300 * 299 / 2)]);
}

/// A pivot of more than a few values groups twice; it gives what a group-by with filters gives.
#[test]
fn a_pivot_is_a_group_by_with_filters() {
    let folder = tempfile::tempdir().unwrap();
    let rows = 0..30_000_i64;
    let on = |row: i64| (row % 11 != 0).then_some(row * row % 37);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("k", Arc::new(Int64Array::from_iter_values(rows.clone().map(|row| row % 1_000)))),
        ("on", Arc::new(Int64Array::from_iter(rows.clone().map(on)))),
        ("v", Arc::new(Int64Array::from_iter(rows.map(|row| (row % 5 > 0).then_some(row))))),
    ];
    let path = write(folder.path(), columns);
    let value = || [col("v").sum() / count_all() + lit(1), count_all(), col("v").first()];
    for values in [2, 37] {
        let mut expected = None;
        for (threads, memory, optimizer) in WAYS {
            let session = session(threads, memory, optimizer);
            let scan = || session.scan_parquet(path.to_str().unwrap()).unwrap();
            let wanted = (0..values).map(|value| lit(value).alias(format!("p{value}")));
            let aliases = value().into_iter().zip(["a", "b", "c"]);
            let aliases = aliases.map(|(expr, name)| expr.alias(name));
            let pivoted = scan().pivot_values("on", wanted, ["k"], aliases).sort(["k"]);
            let cells = (0..values).flat_map(|value| {
                let here = || col("on").eq(value);
                let mean = col("v").sum().filter(here()) / count_all().filter(here()) + lit(1);
                [
                    mean.alias(format!("p{value}_a")),
                    count_all().filter(here()).alias(format!("p{value}_b")),
                    col("v").first().filter(here()).alias(format!("p{value}_c")),
                ]
            });
            let grouped = scan().group_by(["k"]).agg(cells).sort(["k"]);
            let found = pivoted.collect().unwrap();
            assert_eq!(found.num_rows(), 1_000);
            let grouped = grouped.collect().unwrap();
            let names = grouped.schema().fields().clone();
            let columns = |table: &DataFrame| -> Vec<ArrayRef> {
                names.iter().map(|field| table.column(field.name()).unwrap()).collect()
            };
            let found = columns(&found);
            assert!(found == columns(&grouped), "{threads} {memory} {optimizer}");
            assert!(*expected.get_or_insert_with(|| found.clone()) == found);
        }
    }
}

#[test]
fn values_to_pivot_on_are_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let on: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), None, Some("NULL"), Some("b")]));
    let value: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 4, 8]));
    let scan = scan_parquet(write(folder.path(), vec![("on", on), ("v", value)])).unwrap();
    let names = |frame: &LazyFrame| -> Vec<String> {
        frame.schema().unwrap().fields().iter().map(|field| field.name().clone()).collect()
    };
    let no_index = [] as [&str; 0];
    let some = scan.clone().filter(col("on").is_null().or(col("on").eq("b")));
    let wide = some.pivot("on", no_index, [col("v").sum()]).unwrap();
    assert_eq!(names(&wide), ["b", "NULL"]);
    assert_eq!((integers(&wide, "b"), integers(&wide, "NULL")), (vec![Some(9)], vec![Some(2)]));
    let length = col("on").str().len_chars().alias("length");
    let wide = scan.clone().pivot(length, ["on"], [count_all().alias("n")]).unwrap();
    assert_eq!(names(&wide), ["on", "1_n", "4_n", "NULL_n"]);
    let empty = scan.clone().filter(col("v").gt(100)).pivot("on", ["v"], [count_all()]).unwrap();
    assert_eq!((names(&empty), empty.count().unwrap()), (vec!["v".to_string()], 0));

    // The text NULL and the rows without a value want the same name.
    let clash = scan.clone().pivot("on", no_index, [count_all()]).unwrap();
    let clash = clash.schema().unwrap_err().to_string();
    assert!(clash.contains("two columns would be named 'NULL'"), "{clash}");
    let error = |frame: LazyFrame| frame.schema().unwrap_err().to_string();
    let no_aggregate = scan.clone().pivot_values("on", ["b"], no_index, [col("v")]);
    assert!(error(no_aggregate).contains("v has no aggregate function"));
    let no_constant = scan.clone().pivot_values("on", [col("v")], no_index, [count_all()]);
    assert!(error(no_constant).contains("v is no constant"));
    let many =
        scan.select([call("unnest_nothing", [col("v")])]).pivot("v", no_index, [count_all()]);
    assert!(many.is_err(), "what is wrong with the frame is said at once");
}

#[test]
fn more_than_a_thousand_values_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1_001));
    let scan = scan_parquet(write(folder.path(), vec![("n", numbers)])).unwrap();
    let no_index = [] as [&str; 0];
    let error = scan.clone().pivot("n", no_index, [count_all()]).unwrap_err();
    assert!(error.to_string().contains("n has more than 1000 values"), "{error}");
    let most = scan.filter(col("n").lt(1_000)).pivot("n", no_index, [count_all()]).unwrap();
    assert_eq!(most.schema().unwrap().fields().len(), 1_000);
    assert_eq!(integers(&most, "999"), [Some(1)]);
}
