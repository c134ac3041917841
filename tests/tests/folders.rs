//! Folders of files: the same rows come back from any format, partitioned by any column, in any memory.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Int64Type};
use dframe::prelude::*;
use dframe_tests::fixtures::batch;
use parquet::arrow::ArrowWriter;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ROWS: usize = 20_000;
const NAMES: [&str; 7] = ["id", "key", "text", "day", "at", "even", "value"];

/// Rows in no order of their keys, of eight hundred and NULL.
fn table() -> RecordBatch {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let keys: Vec<Option<i64>> =
        (0..ROWS).map(|_| random.random_bool(0.99).then(|| random.random_range(0..800))).collect();
    let of_keys = || keys.iter().copied();
    let texts = of_keys().map(|key| key.map(|key| format!("a/{} é", key % 7)));
    let days = of_keys().map(|key| key.map(|key| 19_000 + (key % 9) as i32));
    let times = of_keys().map(|key| key.map(|key| (key % 5) * 1_500_000));
    let flags = of_keys().map(|key| key.map(|key| key % 2 == 0));
    let values = (0..ROWS).map(|row| row as f64 / 8.0);
    batch([
        ("id", Arc::new(Int64Array::from_iter_values(0..ROWS as i64)) as ArrayRef),
        ("key", Arc::new(Int64Array::from(keys.clone()))),
        ("text", Arc::new(texts.collect::<StringArray>())),
        ("day", Arc::new(days.collect::<Date32Array>())),
        ("at", Arc::new(times.collect::<TimestampMicrosecondArray>())),
        ("even", Arc::new(flags.collect::<BooleanArray>())),
        ("value", Arc::new(Float64Array::from_iter_values(values))),
    ])
}

fn session() -> Session {
    Session::builder().threads(2).memory_limit(32 << 20).build().unwrap()
}

/// The rows, in a file of `folder`.
fn rows(session: &Session, folder: &Path) -> LazyFrame {
    let (table, path) = (table(), folder.join("rows.parquet"));
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, table.schema(), None).unwrap();
    writer.write(&table).unwrap();
    writer.close().unwrap();
    session.scan_parquet(&*path).unwrap()
}

/// All rows, in the order of the ids, a text each.
fn texts(frame: &LazyFrame) -> Vec<String> {
    let text = NAMES.map(|name| coalesce([col(name).cast(DataType::Utf8), lit("NULL")]));
    let text = text.into_iter().reduce(|all, one| call("concat", [all, lit("|"), one])).unwrap();
    let shown = frame.clone().sort(["id"]).select([text.alias("text")]).collect().unwrap();
    let column = |batch: &RecordBatch| -> Vec<String> {
        batch.column(0).as_string::<i32>().iter().map(|text| text.unwrap().to_string()).collect()
    };
    shown.batches().iter().flat_map(column).collect()
}

fn ids(frame: &LazyFrame) -> Vec<i64> {
    let ids = frame.clone().select(["id"]).collect().unwrap();
    let column =
        |batch: &RecordBatch| batch.column(0).as_primitive::<Int64Type>().values().to_vec();
    ids.batches().iter().flat_map(column).collect()
}

fn types(frame: &LazyFrame) -> BTreeSet<String> {
    let schema = frame.schema().unwrap();
    schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type())).collect()
}

#[test]
fn rows_and_types_come_back_from_partitions() {
    let folder = tempfile::tempdir().unwrap();
    let session = session();
    let rows = rows(&session, folder.path());
    let before = texts(&rows);
    for by in [vec!["key"], vec!["text"], vec!["day"], vec!["at"], vec!["day", "text", "at"]] {
        let out = folder.path().join(by.join("-"));
        let options = Folder::new().partition_by(by.clone());
        let report = rows.sink_folder(&out, Format::Parquet, &options).unwrap();
        assert_eq!(report.rows, ROWS as u64);
        let back = session.scan_parquet(&*out).unwrap();
        assert_eq!(types(&back), types(&rows), "{by:?}");
        assert_eq!(texts(&back), before, "{by:?}");
    }
}

/// The files of a folder, or of one within.
fn scan(session: &Session, path: &Path, format: Format) -> LazyFrame {
    match format {
        Format::Parquet => session.scan_parquet(path),
        Format::Csv => session.scan_csv(path),
        Format::Ndjson => session.scan_ndjson(path),
        Format::Avro => session.scan_avro(path),
        _ => session.scan_ipc(path),
    }
    .unwrap()
}

const READ: [Format; 5] =
    [Format::Parquet, Format::Csv, Format::Ndjson, Format::Arrow, Format::Avro];

#[test]
fn columns_of_folders_come_back_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let session = session();
    let rows = rows(&session, folder.path());
    let before = texts(&rows);
    for format in READ {
        for by in [vec!["day"], vec!["text", "at"]] {
            let out = folder.path().join(format!("{format}-{}", by.join("-")));
            let options = Folder::new().partition_by(by.clone());
            rows.sink_folder(&out, format, &options).unwrap();
            let back = scan(&session, &out, format);
            assert_eq!(types(&back), types(&rows), "{format} {by:?}");
            assert_eq!(texts(&back), before, "{format} {by:?}");
            let wanted =
                [col("day").gt(lit("1970-01-01").cast(DataType::Date32)), col("id").lt(lit(99))];
            let [wanted, back] = [&rows, &back].map(|frame| {
                let kept = frame.clone().filter(wanted[0].clone()).filter(wanted[1].clone());
                kept.group_by(["text"]).agg([col("value").sum().alias("value")]).sort(["text"])
            });
            let [wanted, back] = [wanted, back].map(|frame| frame.collect().unwrap().to_string());
            assert_eq!(back, wanted, "{format} {by:?}");
        }
    }
}

#[test]
fn a_filter_on_folders_opens_no_file_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let session = session();
    let rows = rows(&session, folder.path());
    // Of Arrow files, the heads of batches are looked at for a plan.
    for format in READ.into_iter().filter(|format| *format != Format::Arrow) {
        let out = folder.path().join(format.to_string());
        rows.sink_folder(&out, format, &Folder::new().partition_by(["even"])).unwrap();
        let back = scan(&session, &out, format);
        std::fs::remove_dir_all(out.join("even=false")).unwrap();
        let even = back.clone().filter(col("even").eq(lit("true")));
        let some = even.clone().filter(col("id").lt(lit(1000)).or(col("even").eq(lit("x"))));
        assert!(ids(&even).len() > 9_000, "{format}");
        assert!(ids(&some).len() > 400, "{format}");
        assert!(back.select(["id"]).collect().is_err(), "{format}");
    }
}

#[test]
fn rows_of_a_partition_keep_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let session = session();
    let rows = rows(&session, folder.path());
    let out = folder.path().join("out");
    let by_flag = Folder::new().partition_by(["even"]);
    rows.sort_by([desc("value")]).sink_folder(&out, Format::Arrow, &by_flag).unwrap();
    let evens = ids(&session.scan_ipc(out.join("even=true")).unwrap());
    assert!(evens.len() > 9_000 && evens.is_sorted_by(|a, b| a > b));
}

#[test]
fn files_have_about_the_size_that_is_wanted_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let session = session();
    let rows = rows(&session, folder.path());
    for format in [Format::Parquet, Format::Csv, Format::Ndjson, Format::Arrow] {
        let out = folder.path().join(format.to_string());
        let small = Folder::new().file_bytes(100_000);
        let report = rows.sink_folder(&out, format, &small).unwrap();
        let sizes = sizes(&out);
        assert_eq!(report.files, sizes.len() as u64);
        assert_eq!(report.bytes, sizes.iter().sum::<u64>());
        assert!(sizes.len() > 2, "{format}: {sizes:?}");
        assert!(sizes.iter().all(|size| *size < 250_000), "{format}: {sizes:?}");
        let back = match format {
            Format::Parquet => session.scan_parquet(&*out),
            Format::Csv => session.scan_csv(&*out),
            Format::Ndjson => session.scan_ndjson(&*out),
            _ => session.scan_ipc(&*out),
        };
        assert_eq!(ids(&back.unwrap()), (0..ROWS as i64).collect::<Vec<_>>(), "{format}");
    }
}

fn sizes(folder: &Path) -> Vec<u64> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().metadata().unwrap().len()).collect()
}

#[test]
fn a_failed_run_leaves_nothing_and_an_old_folder_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let session = session();
    let rows = rows(&session, folder.path());
    let out: PathBuf = folder.path().join("out");
    let wrong = rows.clone().filter(col("text").cast(DataType::Int64).gt(0));
    let replace = Folder::new().partition_by(["day"]).overwrite();
    assert!(wrong.sink_folder(&out, Format::Parquet, &replace).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    rows.sink_folder(&out, Format::Parquet, &replace).unwrap();
    assert!(wrong.sink_folder(&out, Format::Parquet, &replace).is_err());
    assert_eq!(session.scan_parquet(&*out).unwrap().count().unwrap(), ROWS as u64);
    // A folder can be read while it is replaced.
    let half = session.scan_parquet(&*out).unwrap().filter(col("id").lt(ROWS as i64 / 2));
    half.sink_folder(&out, Format::Parquet, &replace).unwrap();
    assert_eq!(session.scan_parquet(&*out).unwrap().count().unwrap(), ROWS as u64 / 2);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}
