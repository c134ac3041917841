//! Operators that number, choose and reshape rows against what a few lines of naive code give.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, ListArray, RecordBatch, StringArray};
use arrow::datatypes::{Float64Type, Int64Type};
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

fn counted(folder: &Path, rows: i64) -> LazyFrame {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    scan_parquet(write(folder, vec![("n", column)])).unwrap()
}

fn integers(frame: &LazyFrame, name: &str) -> Vec<Option<i64>> {
    let column = frame.collect().unwrap().column(name).unwrap();
    column.as_primitive::<Int64Type>().iter().collect()
}

fn texts(frame: &LazyFrame, name: &str) -> Vec<Option<String>> {
    let column = frame.collect().unwrap().column(name).unwrap();
    column.as_string::<i32>().iter().map(|text| text.map(str::to_string)).collect()
}

#[test]
fn samples_have_the_size_and_the_spread_of_chance() {
    let folder = tempfile::tempdir().unwrap();
    let frame = counted(folder.path(), 100_000);
    for seed in 0..5 {
        let rows = integers(&frame.clone().sample_fraction(0.1, seed), "n");
        // Ten thousand rows, give or take five standard deviations of 95.
        assert!(rows.len().abs_diff(10_000) < 475, "{} rows", rows.len());
        assert!(rows.is_sorted());
        let chosen = integers(&frame.clone().sample_n(10_000, seed), "n");
        assert_eq!(chosen.len(), 10_000);
        assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]), "in order, none twice");
        let mean = chosen.iter().map(|n| n.unwrap() as f64).sum::<f64>() / 10_000.0;
        // The mean of so many has a standard deviation of 274.
        assert!((mean - 50_000.0).abs() < 1_400.0, "the mean is {mean}");
    }
    let of = |seed| integers(&frame.clone().sample_n(1_000, seed), "n");
    let common = of(1).iter().filter(|row| of(2).contains(row)).count();
    assert!(common < 40, "{common} of 1000 rows are in the samples of two seeds; 10 are expected");
    assert_eq!(frame.clone().sample_n(200_000, 1).count().unwrap(), 100_000);
    assert_eq!(frame.clone().sample_fraction(1.0, 1).count().unwrap(), 100_000);
    assert_eq!(frame.clone().sample_fraction(0.0, 1).count().unwrap(), 0);
    assert!(frame.sample_fraction(1.5, 1).count().unwrap_err().to_string().contains("no fraction"));
}

#[test]
fn lists_explode_in_order_and_empty_ones_become_null() {
    let folder = tempfile::tempdir().unwrap();
    let long: Vec<Option<i64>> = (0..40_000).map(Some).collect();
    let lists = vec![
        Some(vec![Some(1), None, Some(3)]),
        None,
        Some(vec![]),
        Some(long),
        Some(vec![Some(9)]),
    ];
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(lists);
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..5));
    let path = write(folder.path(), vec![("id", ids), ("v", Arc::new(lists))]);
    let frame = scan_parquet(path).unwrap();
    let exploded = frame.clone().explode(["v"]);
    let mut expected = vec![Some(1), None, Some(3), None, None];
    expected.extend((0..40_000).map(Some));
    expected.push(Some(9));
    assert_eq!(integers(&exploded, "v"), expected);
    let first = exploded.clone().group_by(["id"]).agg([col("v").last().alias("v")]).sort(["id"]);
    assert_eq!(integers(&first, "v"), [Some(3), None, None, Some(39_999), Some(9)]);
    // A condition on the elements stays above, one on other columns goes below.
    let few = exploded.filter(col("v").gt(39_997).or(col("v").is_null())).filter(col("id").lt(4));
    assert_eq!(integers(&few, "id"), [Some(0), Some(1), Some(2), Some(3), Some(3)]);
    let both = frame.clone().select([col("v"), col("v").alias("w")]).explode(["v", "w"]);
    assert_eq!(both.collect().unwrap().num_rows(), 40_006);
    let wrong = frame.clone().explode(["id"]).collect().unwrap_err();
    assert!(wrong.to_string().contains("'id' is BIGINT, which is no list"), "{wrong}");
    let uneven = frame.select([col("v"), col("v").call("list_slice", [lit(1), lit(2)]).alias("w")]);
    let wrong = uneven.explode(["v", "w"]).collect().unwrap_err();
    assert!(wrong.to_string().contains("3 elements in 'v' and 2 in 'w'"), "{wrong}");
}

#[test]
fn columns_become_rows_and_rows_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(
        folder.path(),
        vec![
            ("k", Arc::new(StringArray::from(vec!["x", "y"])) as ArrayRef),
            ("a", Arc::new(Int64Array::from(vec![Some(1), None]))),
            ("b", Arc::new(arrow::array::Float64Array::from(vec![0.5, 2.5]))),
        ],
    );
    let frame = scan_parquet(path).unwrap();
    let long = frame.clone().unpivot(["a", "b"], ["k"]);
    let names = ["a", "b", "a", "b"].map(|name| Some(name.to_string()));
    assert_eq!(texts(&long, "variable"), names);
    let values = long.collect().unwrap().column("value").unwrap();
    let values: Vec<Option<f64>> = values.as_primitive::<Float64Type>().iter().collect();
    assert_eq!(values, [Some(1.0), Some(0.5), None, Some(2.5)]);
    let wide = long.clone().pivot("variable", ["k"], [col("value").sum()]).unwrap().sort(["k"]);
    let schema = wide.schema().unwrap();
    let found: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(found, ["k", "a", "b"]);
    let a = wide.collect().unwrap().column("a").unwrap();
    assert_eq!(a.as_primitive::<Float64Type>().iter().collect::<Vec<_>>(), [Some(1.0), None]);
    let one = long.clone().filter(col("k").eq("y")).count().unwrap();
    assert_eq!(one, 2);
    assert_eq!(long.count().unwrap(), 4);
    let rest = frame.clone().drop(["b"]).unpivot([] as [&str; 0], ["k"]);
    assert_eq!(texts(&rest, "variable").len(), 2);
    let twice = frame.clone().unpivot(["a", "b"], ["a"]).collect().unwrap_err();
    assert!(twice.to_string().contains("'a' would both stay and become rows"), "{twice}");
    let clash = frame.rename([("k", "value")]).unpivot(["a"], ["value"]).collect().unwrap_err();
    assert!(clash.to_string().contains("two columns are called 'value'"), "{clash}");
}

#[test]
fn frames_of_other_columns_are_united_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let frame = counted(folder.path(), 3);
    let half = frame.clone().select([(col("n") * lit(0.5)).alias("n"), lit("t").alias("t")]);
    let both = frame.clone().union_by_name([half]);
    let values = both.collect().unwrap().column("n").unwrap();
    let values: Vec<f64> = values.as_primitive::<Float64Type>().values().to_vec();
    assert_eq!(values, [0.0, 1.0, 2.0, 0.0, 0.5, 1.0]);
    assert_eq!(texts(&both, "t").iter().filter(|text| text.is_none()).count(), 3);
    let list = frame.clone().select([call("list_value", [col("n")]).alias("n")]);
    let error = frame.union_by_name([list]).collect().unwrap_err().to_string();
    assert!(error.contains("'n' is BIGINT in one frame and BIGINT[] in another"), "{error}");
}

#[test]
fn the_first_row_of_each_key_is_kept_whole() {
    let folder = tempfile::tempdir().unwrap();
    let frame = counted(folder.path(), 50_000);
    let keyed = frame.with_columns([(col("n") % lit(7)).alias("k")]).filter(col("n").gt(100));
    let kept = keyed.clone().distinct_on(["k"]).sort(["n"]);
    assert_eq!(integers(&kept, "n"), (101..108).map(Some).collect::<Vec<_>>());
    assert_eq!(kept.schema().unwrap(), keyed.schema().unwrap());
    let counts = keyed.value_counts(["k"]);
    assert_eq!(integers(&counts, "count").iter().flatten().sum::<i64>(), 49_899);
}
