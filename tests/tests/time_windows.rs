//! Groups by windows of time against windows found by looking at every window for every row, and against
//! themselves: with any number of threads, little memory, other files, and without the optimizer.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Date32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use dframe::plan::Optimizer;
use dframe::prelude::*;
use parquet::arrow::ArrowWriter;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const MINUTE: i64 = 60_000_000;
/// Minutes from 1970-01-01 to 2000-01-03, where windows are counted from.
const ORIGIN: i64 = 10_959 * 1_440;

/// A row: key, minute if it is not NULL, value.
type Row = (&'static str, Option<i64>, i64);

fn rows(count: usize) -> Vec<Row> {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let row = |value| {
        let key = ["a", "b", "the one", "the one", "the one"][random.random_range(0..5)];
        let minute = (random.random_range(0..9) > 0).then(|| random.random_range(-3_000..3_000));
        (key, minute, value as i64)
    };
    (0..count).map(row).collect()
}

fn batch(rows: &[Row]) -> RecordBatch {
    let keys = StringArray::from_iter_values(rows.iter().map(|row| row.0));
    let times: TimestampMicrosecondArray =
        rows.iter().map(|row| row.1.map(|minute| minute * MINUTE)).collect();
    let values = Int64Array::from_iter_values(rows.iter().map(|row| row.2));
    let columns: [(&str, ArrayRef); 3] =
        [("k", Arc::new(keys)), ("ts", Arc::new(times)), ("v", Arc::new(values))];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)))
        .unwrap()
}

fn write(folder: &Path, batch: &RecordBatch, files: usize) -> PathBuf {
    let folder = folder.join(format!("files{files}"));
    std::fs::create_dir(&folder).unwrap();
    for file in 0..files {
        let (start, end) = (batch.num_rows() * file / files, batch.num_rows() * (file + 1) / files);
        let path = folder.join(format!("{file:05}.parquet"));
        let file = std::fs::File::create(path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch.slice(start, end - start)).unwrap();
        writer.close().unwrap();
    }
    folder
}

/// Minutes between starts, minutes of a window, minutes of offset, and closed ends.
type Shape = (i64, i64, i64, Closed);

const SHAPES: [Shape; 10] = [
    (60, 60, 0, Closed::Left),
    (60, 60, 7, Closed::Right),
    (7, 30, 0, Closed::Left),
    (7, 28, -3, Closed::Right),
    (60, 20, 15, Closed::Left),
    (60, 120, 0, Closed::Both),
    (30, 30, 0, Closed::Both),
    (30, 60, 0, Closed::Neither),
    (1_440, 10_080, 360, Closed::Left),
    (10_080, 10_080, 0, Closed::Left),
];

fn frame(scan: LazyFrame, (every, period, offset, closed): Shape) -> LazyFrame {
    let [every, period, offset] = [every, period, offset].map(|minutes| format!("{minutes}m"));
    scan.group_by_dynamic("ts", &every)
        .period(&period)
        .offset(&offset)
        .closed(closed)
        .by(["k"])
        .agg([
            count_all().alias("n"),
            col("v").sum().alias("sum"),
            col("v").first().alias("first"),
            col("v").last().alias("last"),
        ])
        .sort(["k", "ts"])
}

type Windows = BTreeMap<(String, i64), [i64; 4]>;

/// Every window that has rows, by search: count, sum, first, last.
fn expected(rows: &[Row], (every, period, offset, closed): Shape) -> Windows {
    let mut windows = Windows::new();
    for (key, minute, value) in rows {
        let Some(minute) = *minute else { continue };
        let first = (minute - period - offset - ORIGIN).div_euclid(every) - 1;
        for mark in first..first + period / every + 5 {
            let start = ORIGIN + offset + mark * every;
            let (low, high) = (minute - start, start + period - minute);
            let inside = match closed {
                Closed::Left => low >= 0 && high > 0,
                Closed::Right => low > 0 && high >= 0,
                Closed::Both => low >= 0 && high >= 0,
                Closed::Neither => low > 0 && high > 0,
            };
            if inside {
                let state = windows.entry((key.to_string(), start)).or_insert([0, 0, *value, 0]);
                *state = [state[0] + 1, state[1] + value, state[2], *value];
            }
        }
    }
    windows
}

fn found(frame: &LazyFrame) -> Windows {
    let mut windows = Windows::new();
    for batch in frame.collect_batches().unwrap() {
        let batch = batch.unwrap();
        let keys = batch.column(0).as_string::<i32>();
        let starts = batch.column(1).as_primitive::<TimestampMicrosecondType>();
        for row in 0..batch.num_rows() {
            let number =
                |column: usize| batch.column(column).as_primitive::<Int64Type>().value(row);
            assert_eq!(starts.value(row) % MINUTE, 0);
            let window = (keys.value(row).to_string(), starts.value(row) / MINUTE);
            let state = [number(2), number(3), number(4), number(5)];
            assert!(windows.insert(window, state).is_none(), "a window comes once");
        }
    }
    windows
}

fn session(threads: usize, memory: u64, optimizer: bool) -> Session {
    let builder = Session::builder().memory_limit(Size::Bytes(memory));
    let builder = if threads == 0 { builder.synchronous() } else { builder.threads(threads) };
    let builder = if optimizer { builder } else { builder.optimizer(Optimizer::off()) };
    builder.build().unwrap()
}

#[test]
fn every_way_finds_the_windows_that_a_search_finds() {
    let folder = tempfile::tempdir().unwrap();
    let rows = rows(4_000);
    let batch = batch(&rows);
    let layouts = [1, 3, 129].map(|files| write(folder.path(), &batch, files));
    for shape in SHAPES {
        let expected = expected(&rows, shape);
        assert!(expected.len() >= 3, "{shape:?}");
        for (threads, memory, optimizer) in
            [(0, 1 << 30, true), (1, 16 << 20, true), (2, 1 << 30, false), (8, 16 << 20, false)]
        {
            let session = session(threads, memory, optimizer);
            for layout in &layouts {
                let scan = session.scan_parquet(layout.to_str().unwrap()).unwrap();
                let found = found(&frame(scan, shape));
                let way = format!("{shape:?} {threads} threads, {memory} bytes, {layout:?}");
                assert!(found == expected, "{way}: {} of {}", found.len(), expected.len());
                assert_eq!(session.memory_reserved(), 0, "{way}");
            }
        }
    }
}

#[test]
fn conditions_on_windows_leave_first_and_last_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let rows = rows(4_000);
    let layout = write(folder.path(), &batch(&rows), 3);
    let shape = (7, 30, 0, Closed::Left);
    let mut expected = expected(&rows, shape);
    expected.retain(|(key, start), _| key == "the one" && start % 2 == 0);
    for optimizer in [true, false] {
        let session = session(2, 1 << 30, optimizer);
        let scan = session.scan_parquet(layout.to_str().unwrap()).unwrap();
        let even = (col("ts").dt().epoch_us().floor_div(MINUTE) % lit(2)).eq(0i64);
        let filtered = frame(scan, shape).filter(even).filter(col("k").eq("the one"));
        assert!(found(&filtered) == expected, "optimizer {optimizer}");
    }
}

#[test]
fn windows_stand_on_limits_unions_and_windows_of_groups() {
    let folder = tempfile::tempdir().unwrap();
    let rows = rows(3_000);
    let layout = write(folder.path(), &batch(&rows), 3);
    let shape = (7, 30, 0, Closed::Left);
    for (threads, optimizer) in [(0, true), (2, false)] {
        let session = session(threads, 1 << 30, optimizer);
        let scan = || session.scan_parquet(layout.to_str().unwrap()).unwrap();
        let some = frame(scan().slice(500, 1_500), shape);
        assert!(found(&some) == expected(&rows[500..2_000], shape));
        let twice = [&rows[..], &rows[..]].concat();
        assert!(found(&frame(scan().union([scan()]), shape)) == expected(&twice, shape));

        let windows = |frame: LazyFrame| {
            frame.group_by_dynamic("ts", "7m").period("30m").agg([col("k").n_unique().alias("n")])
        };
        let keys = windows(scan()).agg([col("n").sum(), col("n").max()]).collect().unwrap();
        let mut by_window: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
        for (key, start) in expected(&rows, shape).into_keys() {
            by_window.entry(start).or_default().insert(key);
        }
        let sum: usize = by_window.values().map(BTreeSet::len).sum();
        assert!(keys.to_string().contains(&format!("│ {sum:>6} ┆")), "{sum} is not in\n{keys}");

        let hours = scan().resample("ts", "1h").agg([count_all().alias("n")]);
        let days = hours.resample("ts", "1d").agg([col("n").sum().alias("n")]);
        let direct = scan().resample("ts", "1d").agg([count_all().alias("n")]);
        let text = |frame: LazyFrame| frame.sort(["ts"]).collect().unwrap().to_string();
        assert_eq!(text(days), text(direct));
    }
}

#[test]
fn many_groups_in_overlapping_windows_spill_and_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let layout = write(folder.path(), &batch(&rows(60_000)), 2);
    let frame = |session: &Session| {
        let scan = session.scan_parquet(layout.to_str().unwrap()).unwrap();
        let key = col("v").cast(arrow::datatypes::DataType::Utf8).alias("k");
        let windows =
            scan.group_by_dynamic("ts", "1m").period("9m").closed(Closed::Right).by([key]);
        let v = || col("v");
        windows.agg([count_all().alias("n"), v().sum(), v().first(), v().last()])
    };
    let wanted = found(&frame(&session(2, 1 << 30, true)));
    assert!(wanted.len() > 400_000);
    let stats = Arc::new(RunStats::default());
    let starved = Session::builder().memory_limit(Size::Bytes(16 << 20)).threads(2);
    let starved = starved.observer(stats.clone()).build().unwrap();
    assert!(found(&frame(&starved)) == wanted);
    assert!(stats.read().bytes_spilled > 0);
}

#[test]
fn labels_boundaries_dates_and_empty_input() {
    let folder = tempfile::tempdir().unwrap();
    let layout = write(folder.path(), &batch(&rows(500)), 1);
    let scan = || scan_parquet(layout.to_str().unwrap()).unwrap();
    let right = scan().resample("TS", "1h").label(Label::Right).include_boundaries();
    let right = right.agg([count_all().alias("n")]);
    let names: Vec<String> =
        right.schema().unwrap().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["_lower_boundary", "_upper_boundary", "ts", "n"]);
    let table = right.select(["_upper_boundary", "ts"]).collect_batches().unwrap();
    for batch in table {
        let batch = batch.unwrap();
        assert_eq!(batch.column(0).as_ref(), batch.column(1).as_ref());
    }
    let empty = scan().filter(col("v").lt(0i64)).resample("ts", "1h").agg([count_all()]);
    assert_eq!(empty.count().unwrap(), 0);
    let nulls = scan().filter(col("ts").is_null()).resample("ts", "1h").agg([count_all()]);
    assert_eq!(nulls.count().unwrap(), 0);

    let days: ArrayRef = Arc::new(Date32Array::from(vec![Some(0), Some(31), Some(45), None]));
    let path = folder.path().join("days.parquet");
    let batch = RecordBatch::try_from_iter_with_nullable([("day", days, true)]).unwrap();
    let mut writer =
        ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let months = scan_parquet(path.to_str().unwrap()).unwrap();
    let months = months.group_by_dynamic("day", "1mo").period("2mo").agg([count_all().alias("n")]);
    let table = months.sort(["day"]).collect().unwrap().to_string();
    for row in ["1969-12-01 ┆      1", "1970-01-01 ┆      3", "1970-02-01 ┆      2"] {
        assert!(table.contains(row), "{row} is not in\n{table}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let layout = write(folder.path(), &batch(&rows(10)), 1);
    let error = |every: &str, period: &str, instant: &str| {
        let scan = scan_parquet(layout.to_str().unwrap()).unwrap();
        let frame = scan.group_by_dynamic(instant, every).period(period).agg([count_all()]);
        frame.schema().unwrap_err().to_string()
    };
    assert!(error("soon", "1h", "ts").contains("'soon' is no length of time"));
    assert!(error("1h", "0h", "ts").contains("the period of a window must be above zero"));
    assert!(error("1h", "1h", "v").contains("are of dates or timestamps, not BIGINT"));
    assert!(error("1h", "1h", "when").contains("column 'when' does not exist"));
    assert!(error("1us", "1y", "ts").contains("more than 10000 windows"));
}
