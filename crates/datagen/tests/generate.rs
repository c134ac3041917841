//! Whole runs of `generate`, read back from the files.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use dframe_core::ErrorKind;
use dframe_datagen::{Codec, Options, Report, Sortedness, Table, generate};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

/// The generated table, read back, and the report of its making.
fn run(table: Table, options: &Options) -> (RecordBatch, Report) {
    let directory = TempDir::new().unwrap();
    let report = generate(table, options, &directory.path().join("table"), &|_| ()).unwrap();
    let batches: Vec<RecordBatch> = report.files.iter().flat_map(|file| read(file)).collect();
    let schema = table.generator(options).unwrap().schema();
    let batch = match batches.first() {
        Some(first) => concat_batches(&first.schema(), &batches).unwrap(),
        None => RecordBatch::new_empty(schema),
    };
    (batch, report)
}

fn read(file: &Path) -> Vec<RecordBatch> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap();
    builder.build().unwrap().map(Result::unwrap).collect()
}

fn strings<'a>(batch: &'a RecordBatch, column: &str) -> &'a StringArray {
    batch.column_by_name(column).unwrap().as_string()
}

fn integers<'a>(batch: &'a RecordBatch, column: &str) -> &'a [i32] {
    batch.column_by_name(column).unwrap().as_primitive::<Int32Type>().values()
}

fn floats<'a>(batch: &'a RecordBatch, column: &str) -> &'a [f64] {
    batch.column_by_name(column).unwrap().as_primitive::<Float64Type>().values()
}

fn times(batch: &RecordBatch) -> &[i64] {
    batch.column_by_name("ts").unwrap().as_primitive::<TimestampMicrosecondType>().values()
}

fn trade_ids(batch: &RecordBatch) -> &[i64] {
    batch.column_by_name("trade_id").unwrap().as_primitive::<Int64Type>().values()
}

fn small() -> Options {
    Options { rows: 100_000, row_group_rows: 16_384, ..Options::default() }
}

#[test]
fn bytes_do_not_depend_on_the_threads() {
    let bytes = |table, threads| {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("table.parquet");
        let options = Options { threads, null_share: 0.1, ..small() };
        generate(table, &options, &path, &|_| ()).unwrap();
        fs::read(path).unwrap()
    };
    for table in Table::ALL {
        let one = bytes(table, 1);
        assert!(one == bytes(table, 3), "{table} differs with 3 threads");
        assert!(one == bytes(table, 8), "{table} differs with 8 threads");
    }
}

#[test]
fn rows_do_not_depend_on_the_layout_but_on_the_seed() {
    for table in Table::ALL {
        let (batch, _) = run(table, &small());
        let options =
            Options { files: 3, row_group_rows: 999, compression: Codec::Zstd, ..small() };
        assert_eq!(batch, run(table, &options).0);
        assert_ne!(batch, run(table, &Options { seed: 43, ..small() }).0);
    }
}

#[test]
fn files_and_row_groups_have_the_rows_that_were_asked_for() {
    let directory = TempDir::new().unwrap();
    let options = Options { files: 3, row_group_rows: 10_000, ..small() };
    let progress = RefCell::new(Vec::new());
    let report = generate(Table::Ticks, &options, directory.path(), &|rows| {
        progress.borrow_mut().push(rows);
    })
    .unwrap();
    assert_eq!((report.rows, report.row_groups), (100_000, 12));
    assert_eq!(progress.borrow().len(), 12);
    assert!(progress.borrow().is_sorted());
    assert_eq!(progress.borrow().last(), Some(&100_000));
    let sizes: u64 = report.files.iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert_eq!(report.bytes, sizes);
    let names: HashSet<_> =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(
        names,
        ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"].map(Into::into).into()
    );
    let file = File::open(&report.files[0]).unwrap();
    let metadata = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().metadata().clone();
    let rows: Vec<i64> = metadata.row_groups().iter().map(|group| group.num_rows()).collect();
    assert_eq!(rows, [10_000, 10_000, 10_000, 3_333]);
    let ts = metadata.row_group(0).column(0);
    assert!(ts.statistics().is_some() && ts.column_index_range().is_some());
    assert_eq!(ts.bloom_filter_offset(), None);
    assert_eq!(metadata.row_group(0).sorting_columns().unwrap()[0].column_idx, 0);
}

#[test]
fn no_rows_give_a_schema() {
    for table in Table::ALL {
        let (batch, report) = run(table, &Options { rows: 0, ..small() });
        assert_eq!((batch.num_rows(), report.row_groups), (0, 0));
        assert_eq!(report.files.len(), 1);
    }
}

#[test]
fn every_codec_can_be_read() {
    let (plain, plain_report) = run(Table::Ticks, &Options { compression: Codec::None, ..small() });
    for compression in Codec::ALL.into_iter().filter(|codec| *codec != Codec::None) {
        let (batch, report) = run(Table::Ticks, &Options { compression, ..small() });
        assert_eq!(batch, plain, "{compression}");
        assert!(report.bytes < plain_report.bytes, "{compression}");
    }
}

#[test]
fn ticks_by_time_are_what_they_say() {
    let (batch, _) = run(Table::Ticks, &small());
    assert!(times(&batch).is_sorted());
    assert!(trade_ids(&batch).iter().copied().eq(0..100_000));
    assert!(integers(&batch, "size").iter().all(|size| (1..=10_000).contains(size)));
    for price in floats(&batch, "price") {
        let cents = (price * 100.0).round();
        assert!(cents >= 1.0 && cents / 100.0 == *price, "{price} is not in cents");
    }
    let sides: HashSet<_> = strings(&batch, "side").iter().flatten().collect();
    assert_eq!(sides, HashSet::from(["B", "S"]));
    let exchanges: HashSet<_> = strings(&batch, "exchange").iter().flatten().collect();
    assert_eq!(exchanges.len(), 12);
    assert!(batch.columns().iter().all(|column| column.null_count() == 0));
}

#[test]
fn prices_walk_instead_of_jumping() {
    let (batch, _) = run(Table::Ticks, &small());
    let mut last = HashMap::new();
    let mut moved = 0;
    for (ticker, price) in strings(&batch, "ticker").iter().zip(floats(&batch, "price")) {
        let before = last.insert(ticker, *price).unwrap_or(*price);
        assert!((price - before).abs() <= 0.15 * before + 0.01, "{before} to {price}");
        moved += usize::from(*price != before);
    }
    assert!(moved > 50_000, "only {moved} prices differ from the ones before");
}

#[test]
fn tickers_follow_zipf() {
    let (batch, _) = run(Table::Ticks, &Options { tickers: 1_000, skew: 1.0, ..small() });
    let mut counts: HashMap<_, f64> = HashMap::new();
    for ticker in strings(&batch, "ticker").iter().flatten() {
        *counts.entry(ticker).or_default() += 1.0;
    }
    let mut counts: Vec<f64> = counts.into_values().collect();
    counts.sort_by(|a, b| b.total_cmp(a));
    let harmonic: f64 = (1..=1_000).map(|rank| 1.0 / f64::from(rank)).sum();
    for rank in [1, 2, 4, 10, 50] {
        let ratio = counts[rank - 1] * rank as f64 * harmonic / 100_000.0;
        assert!((ratio - 1.0).abs() < 0.15, "rank {rank}: {ratio}");
    }
    assert!(counts.len() > 990);
}

#[test]
fn without_skew_tickers_are_even() {
    let (batch, _) = run(Table::Ticks, &Options { tickers: 10, skew: 0.0, ..small() });
    let apple = strings(&batch, "ticker").iter().flatten().filter(|name| *name == "AAPL").count();
    assert!((9_500..10_500).contains(&apple), "{apple}");
}

#[test]
fn ticks_by_ticker_ascend_by_ticker_then_time() {
    let (batch, _) = run(Table::Ticks, &Options { sorted: Sortedness::Ticker, ..small() });
    let keys: Vec<_> = strings(&batch, "ticker").iter().zip(times(&batch)).collect();
    assert!(keys.is_sorted());
    let tickers: HashSet<_> = strings(&batch, "ticker").iter().collect();
    assert!(tickers.len() > 7_500, "{}", tickers.len());
}

#[test]
fn shuffled_ticks_are_the_same_trades() {
    let (batch, _) = run(Table::Ticks, &small());
    let (shuffled, _) = run(Table::Ticks, &Options { sorted: Sortedness::Shuffled, ..small() });
    assert!(!times(&shuffled).is_sorted());
    let distinct: HashSet<i64> = trade_ids(&shuffled).iter().copied().collect();
    assert_eq!(distinct.len(), 100_000);
    for row in (0..100_000).step_by(997) {
        let id = trade_ids(&shuffled)[row] as usize;
        assert_eq!(shuffled.slice(row, 1), batch.slice(id, 1));
    }
}

#[test]
fn a_share_of_the_values_is_null() {
    let options = Options { null_share: 0.05, ..small() };
    let share = |batch: &RecordBatch, column: &str| {
        batch.column_by_name(column).unwrap().null_count() as f64 / 100_000.0
    };
    let (ticks, _) = run(Table::Ticks, &options);
    for column in ["price", "size"] {
        assert!((share(&ticks, column) - 0.05).abs() < 0.005, "{column}");
    }
    assert_eq!(share(&ticks, "ticker"), 0.0);
    let (groupby, _) = run(Table::Groupby, &options);
    for column in groupby.schema().fields() {
        assert!((share(&groupby, column.name()) - 0.05).abs() < 0.005, "{}", column.name());
    }
    let ids: HashSet<_> = strings(&groupby, "id1").iter().flatten().collect();
    assert_eq!(ids.len(), 95, "whole ids become NULL, as in the benchmark");
}

#[test]
fn groupby_has_the_benchmark_s_values() {
    let (batch, _) = run(Table::Groupby, &Options { k: 10, ..small() });
    let range = |column| {
        let values: HashSet<i32> = integers(&batch, column).iter().copied().collect();
        (values.iter().min().copied().unwrap(), values.iter().max().copied().unwrap())
    };
    assert_eq!((range("id4"), range("id5")), ((1, 10), (1, 10)));
    assert_eq!((range("v1"), range("v2")), ((1, 5), (1, 15)));
    let (least, most) = range("id6");
    assert!(least >= 1 && (9_900..=10_000).contains(&most));
    for column in ["id1", "id2"] {
        let ids: HashSet<String> =
            strings(&batch, column).iter().flatten().map(String::from).collect();
        assert_eq!(ids, (1..=10).map(|id| format!("id{id:03}")).collect());
    }
    for id in strings(&batch, "id3").iter().flatten() {
        let number: u64 = id.strip_prefix("id").unwrap().parse().unwrap();
        assert!(id.len() == 12 && (1..=10_000).contains(&number), "{id}");
    }
    let v3 = floats(&batch, "v3");
    let mean = v3.iter().sum::<f64>() / 100_000.0;
    assert!((mean - 50.0).abs() < 0.5, "{mean}");
    assert!(v3.iter().all(|v| (0.0..=100.0).contains(v) && (v * 1e6).round() / 1e6 == *v));
}

#[test]
fn groupby_by_ids_ascends_with_nulls_last() {
    for (k, null_share) in [(10, 0.0), (10, 0.2), (2_000, 0.1)] {
        let options = Options { k, null_share, sorted: Sortedness::Ids, ..small() };
        let (batch, _) = run(Table::Groupby, &options);
        let string = |column: &str, row| {
            let ids = strings(&batch, column);
            if ids.is_null(row) { (true, "") } else { (false, ids.value(row)) }
        };
        let integer = |column: &str, row| {
            let ids = batch.column_by_name(column).unwrap().as_primitive::<Int32Type>();
            if ids.is_null(row) { (true, 0) } else { (false, ids.value(row)) }
        };
        let key = |row| {
            let strings = ["id1", "id2", "id3"].map(|column| string(column, row));
            (strings, ["id4", "id5", "id6"].map(|column| integer(column, row)))
        };
        assert!((0..100_000).map(key).is_sorted(), "k = {k}, nulls {null_share}");
        assert_eq!(strings(&batch, "id3").null_count() > 0, null_share > 0.0);
    }
}

#[test]
fn bad_options_and_outputs_are_refused_and_leave_nothing() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("table.parquet");
    let error = |options: &Options, path: &Path| {
        generate(Table::Ticks, options, path, &|_| ()).unwrap_err()
    };
    let bad = Options { sorted: Sortedness::Ids, ..small() };
    assert_eq!(error(&bad, &path).kind(), ErrorKind::InvalidInput);
    assert_eq!(error(&small(), directory.path()).kind(), ErrorKind::InvalidInput);
    assert_eq!(error(&small(), &directory.path().join("no/such")).kind(), ErrorKind::Io);
    fs::write(&path, "old").unwrap();
    let parts = Options { files: 2, ..small() };
    assert_eq!(error(&parts, directory.path()).kind(), ErrorKind::InvalidInput);
    let cancelled = small();
    cancelled.cancel.cancel();
    assert_eq!(error(&cancelled, &path).kind(), ErrorKind::Cancelled);
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

/// Values of a seed are a promise: documents and benchmarks quote them.
#[test]
fn seed_42_gives_these_rows() {
    let shown = |table| {
        let batch = run(table, &small()).0.slice(0, 3);
        let options = FormatOptions::default();
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        let row = |row| {
            let values: Vec<String> =
                columns.iter().map(|column| column.value(row).to_string()).collect();
            values.join(" ")
        };
        [0, 1, 2].map(row)
    };
    assert_eq!(
        shown(Table::Ticks),
        [
            "2024-01-08T09:30:00.000971 BAC XNAS B 21.68 33 0",
            "2024-01-08T09:30:00.111866 TR XNAS S 46.46 1 1",
            "2024-01-08T09:30:00.267667 PYZG ARCX S 290.75 1 2",
        ]
    );
    assert_eq!(
        shown(Table::Groupby),
        [
            "id031 id002 id0000000994 50 26 32 4 1 33.326837",
            "id050 id052 id0000000810 68 33 258 5 10 32.374663",
            "id027 id063 id0000000414 12 56 708 5 15 58.724552",
        ]
    );
}
