//! Partitions that a user makes, holds and maps: the same rows, whatever is short.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod ways;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use dframe::plan::Optimizer;
use dframe::prelude::*;
use ways::{STARVED, fingerprint, layouts, write};

const AMPLE: u64 = 1 << 30;

/// Rows with a number, a key with one that has most of them, and a long text.
fn table(rows: usize, text: usize) -> RecordBatch {
    let key = |n: usize| {
        if n.is_multiple_of(10) { format!("key {}", n % 70) } else { "most".to_string() }
    };
    let keys = (0..rows).map(|n| (n % 9 > 0).then(|| key(n)));
    let texts = (0..rows).map(|n| format!("{n:0text$}"));
    RecordBatch::try_from_iter_with_nullable([
        ("n", Arc::new(Int64Array::from_iter_values(0..rows as i64)) as ArrayRef, true),
        ("key", Arc::new(StringArray::from_iter(keys)) as _, true),
        ("text", Arc::new(StringArray::from_iter_values(texts)) as _, true),
    ])
    .unwrap()
}

fn session(threads: usize, memory: u64, spills: &Path) -> Session {
    let builder = Session::builder().memory_limit(Size::Bytes(memory)).temp_dir(spills);
    match threads {
        0 => builder.synchronous().build().unwrap(),
        _ => builder.threads(threads).build().unwrap(),
    }
}

fn doubled() -> Schema {
    Schema::new(vec![
        Field::new("key", DataType::Utf8, true),
        Field::new("twice", DataType::Int64, true),
    ])
}

/// Each row with an odd number twice, and no other.
fn odd_ones_twice(rows: RecordBatch) -> Result<RecordBatch, dframe::tasks::TaskError> {
    assert!(matches!(rows.schema().field(1).data_type(), DataType::Utf8), "plain texts");
    let numbers = rows.column(0).as_primitive::<Int64Type>();
    let odd = (0..rows.num_rows() as u32).filter(|row| numbers.value(*row as usize) % 2 == 1);
    let odd = arrow::array::UInt32Array::from_iter_values(odd.flat_map(|row| [row, row]));
    let key = arrow::compute::take(rows.column(1), &odd, None)?;
    let numbers = arrow::compute::take(numbers, &odd, None)?;
    Ok(RecordBatch::try_from_iter([("key", key), ("twice", numbers)])?)
}

#[test]
fn functions_over_batches_give_the_same_in_every_way() {
    let folder = tempfile::tempdir().unwrap();
    let table = table(6_000, 20);
    let spills = folder.path().join("spills");
    std::fs::create_dir(&spills).unwrap();
    let mut all = 0;
    for layout in layouts(folder.path(), &table) {
        for (threads, memory) in [(0, AMPLE), (1, STARVED), (4, AMPLE), (4, STARVED)] {
            for optimizer in [Optimizer::default(), Optimizer::off()] {
                let session = Session::builder()
                    .memory_limit(Size::Bytes(memory))
                    .temp_dir(&spills)
                    .optimizer(optimizer);
                let session = match threads {
                    0 => session.synchronous(),
                    _ => session.threads(threads),
                };
                let mapped = session
                    .build()
                    .unwrap()
                    .scan_parquet(&*layout)
                    .unwrap()
                    .map_partitions(&doubled(), odd_ones_twice);
                let numbers = mapped.clone().filter(col("twice").lt(5_001)).collect().unwrap();
                let numbers = numbers.column("twice").unwrap();
                let expected: Vec<i64> =
                    (0..5_001).filter(|n| n % 2 == 1).flat_map(|n| [n, n]).collect();
                assert_eq!(numbers.as_primitive::<Int64Type>().values().to_vec(), expected);
                let sums = mapped.group_by(["key"]).agg([col("twice").sum(), count_all()]);
                let sums = fingerprint(&sums, false);
                assert_eq!(sums.len(), 2, "odd numbers have the key 'most', or none");
                all += 1;
            }
        }
    }
    assert_eq!(all, 6 * 4 * 2);
}

#[test]
fn held_rows_are_the_same_when_spilled_and_free_their_memory_with_the_last_frame() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    write(&path, &table(100_000, 600), 10_000);
    for threads in [0, 1, 4] {
        for (memory, is_spilled) in [(AMPLE, false), (STARVED, true)] {
            let session = session(threads, memory, folder.path());
            let scanned = session.scan_parquet(&*path).unwrap();
            let odd = scanned.clone().filter(call("mod", [col("n"), lit(2)]).eq(1));
            let held = odd.persist().unwrap();
            let reserved = session.memory_reserved();
            assert!(reserved as u64 <= memory);
            assert_eq!(is_spilled, reserved < 50_000 * 600, "{reserved} bytes are reserved");
            assert_eq!(fingerprint(&held, true), fingerprint(&odd, true));
            let sums =
                |frame: LazyFrame| frame.group_by(["key"]).agg([col("n").sum(), col("text").max()]);
            let expected = fingerprint(&sums(odd.clone()), false);
            for _ in 0..2 {
                assert_eq!(fingerprint(&sums(held.clone()), false), expected);
            }
            let some = held.clone().slice(30_001, 11).select(["n"]).collect().unwrap();
            let some = some.column("n").unwrap();
            let expected: Vec<i64> = (30_001..30_012).map(|row| 2 * row + 1).collect();
            assert_eq!(some.as_primitive::<Int64Type>().values().to_vec(), expected);
            assert_eq!(held.count().unwrap(), 50_000);
            let parts = held.partitions().unwrap();
            drop(held);
            assert_eq!(parts.iter().map(|part| part.clone().count().unwrap()).sum::<u64>(), 50_000);
            drop(parts);
            assert_eq!(session.memory_reserved(), 0);
        }
    }
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "nothing but the file that was there");
}

#[test]
fn partitions_are_as_many_and_as_large_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    write(&path, &table(10_007, 100), 3_000);
    for memory in [AMPLE, STARVED] {
        let session = session(2, memory, folder.path());
        let scanned = session.scan_parquet(&*path).unwrap();
        let whole = fingerprint(&scanned, true);
        let rows_of = |partitioning| -> Vec<u64> {
            let frame = scanned.clone().repartition(partitioning).unwrap();
            assert_eq!(fingerprint(&frame, true), whole);
            let partitions = frame.partitions().unwrap();
            assert_eq!(frame.npartitions().unwrap(), partitions.len());
            let batches = partitions.iter().flat_map(|part| part.collect_batches().unwrap());
            let batches: Vec<RecordBatch> = batches.collect::<dframe::Result<_>>().unwrap();
            let all = concat_batches(&batches[0].schema(), &batches).unwrap();
            let numbers = all.column(0).as_primitive::<Int64Type>();
            assert!(numbers.values().iter().copied().eq(0..10_007), "in order");
            partitions.iter().map(|part| part.clone().count().unwrap()).collect()
        };
        for count in [1, 2, 7, 129, 10_007] {
            let rows = rows_of(Partitioning::Count(count));
            assert_eq!(rows.len() as u64, count);
            let even = 10_007 / count;
            assert!(rows.iter().all(|rows| [even, even + 1].contains(rows)), "{rows:?}");
        }
        assert_eq!(rows_of(Partitioning::Count(20_000)).len(), 10_007, "none is empty");
        assert_eq!(rows_of(Partitioning::Rows(4_000)), [4_000, 4_000, 2_007]);
        assert_eq!(rows_of(Partitioning::Rows(u64::MAX)), [10_007]);
        let by_bytes = rows_of(Partitioning::Bytes(500 << 10));
        assert!((2..=4).contains(&by_bytes.len()), "{by_bytes:?}");
        for nothing in [Partitioning::Count(0), Partitioning::Rows(0), Partitioning::Bytes(0)] {
            let error = scanned.repartition(nothing).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
    }
}

#[test]
fn frames_without_rows_have_no_partitions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    write(&path, &table(10, 10), 3);
    let none = scan_parquet(&*path).unwrap().filter(col("n").lt(0));
    for partitioning in [Partitioning::Any, Partitioning::Count(3), Partitioning::Rows(3)] {
        let held = none.repartition(partitioning).unwrap();
        assert_eq!((held.npartitions().unwrap(), held.partitions().unwrap().len()), (0, 0));
        assert_eq!(held.clone().collect().unwrap().num_rows(), 0);
        let total = held.select([col("n").sum(), count_all().alias("rows")]).collect().unwrap();
        assert_eq!(total.column("rows").unwrap().as_primitive::<Int64Type>().value(0), 0);
    }
}

#[test]
fn functions_that_fail_or_break_their_promise_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    write(&path, &table(1_000, 10), 100);
    let frame = scan_parquet(&*path).unwrap();
    let error_of =
        |schema: Schema,
         function: fn(RecordBatch) -> Result<RecordBatch, dframe::tasks::TaskError>| {
            frame.clone().map_partitions(&schema, function).collect().unwrap_err().to_string()
        };
    let numbers = |name: &str, of: DataType| Schema::new(vec![Field::new(name, of, true)]);
    let first = |rows: RecordBatch| Ok(rows.project(&[0])?);
    let cases = [
        (error_of(numbers("n", DataType::Int64), |_| Err("no luck".into())), "failed: no luck"),
        (error_of(numbers("m", DataType::Int64), first), "gave 'n' where 'm' should be"),
        (error_of(numbers("n", DataType::Utf8), first), "gave 'n' as"),
        (error_of(numbers("n", DataType::Int64), Ok), "gave 3 columns, and should give 1"),
    ];
    for (error, expected) in cases {
        assert!(error.contains(expected), "{error}");
    }
    let twice = Schema::new(vec![
        Field::new("a", DataType::Int64, true),
        Field::new("a", DataType::Utf8, true),
    ]);
    let error = frame.clone().map_partitions(&twice, Ok).schema().unwrap_err().to_string();
    assert!(error.contains("called 'a'"), "{error}");
    let panics =
        frame.map_partitions(&numbers("n", DataType::Int64), |_| panic!("a bug of the user's"));
    assert!(panics.collect().unwrap_err().to_string().contains("a bug of the user's"));
}

#[test]
fn a_limit_stops_the_calls() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    write(&path, &table(20_000, 10), 100);
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let session = Session::builder().synchronous().build().unwrap();
    let schema = Schema::new(vec![Field::new("n", DataType::Int64, true)]);
    let mapped = session.scan_parquet(&*path).unwrap().map_partitions(&schema, move |rows| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(rows.project(&[0])?)
    });
    assert_eq!(mapped.limit(10).collect().unwrap().num_rows(), 10);
    assert!(calls.load(Ordering::Relaxed) < 100, "{calls:?} calls for 10 of 20,000 rows");
}
