//! Parts in memory and on disk: same rows, honest accounting, nothing left behind.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::sync::{Arc, Mutex};

use arrow::array::{
    ArrayRef, AsArray, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use dframe_core::{Budget, ErrorKind, Event, Observer, Silent};
use dframe_runtime::{ChunkStore, Part, StoreOptions, batch_bytes};
use proptest::prelude::*;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("n", DataType::Int64, false),
        Field::new("text", DataType::Utf8, true),
    ]))
}

/// `rows` rows that start at `first`; the text is dictionary-encoded in every other batch.
fn batch(first: i64, rows: usize) -> RecordBatch {
    let numbers: ArrayRef =
        Arc::new(Int64Array::from_iter_values((0..rows as i64).map(|i| first + i)));
    let text: ArrayRef = if first % 2 == 0 {
        Arc::new(StringArray::from_iter((0..rows).map(|i| (i % 3 != 0).then(|| format!("t{i}")))))
    } else {
        let keys = Int32Array::from_iter((0..rows).map(|i| (i % 3 != 0).then_some(i as i32 % 2)));
        Arc::new(DictionaryArray::new(keys, Arc::new(StringArray::from(vec!["a", "b"]))))
    };
    RecordBatch::try_from_iter_with_nullable([("n", numbers, false), ("text", text, true)]).unwrap()
}

struct House {
    temp: tempfile::TempDir,
    budget: Budget,
    store: Arc<ChunkStore>,
}

impl House {
    fn new(limit: usize) -> Self {
        Self::with(limit, None, Arc::new(Silent))
    }

    fn with(limit: usize, temp_limit: Option<u64>, observer: Arc<dyn Observer>) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let budget = Budget::new(limit);
        let options = StoreOptions { temp_dir: temp.path().to_path_buf(), temp_limit };
        let store = ChunkStore::new(options, observer, budget.clone());
        Self { temp, budget, store }
    }

    fn part(&self, batches: Vec<(u32, RecordBatch)>) -> Arc<Part> {
        let bytes = batches.iter().map(|(_, batch)| batch_bytes(batch)).sum();
        let held = self.budget.reserve(bytes, "part").unwrap();
        Part::new(&self.store, 7, schema(), batches, held)
    }
}

fn files(directory: &Path) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

fn read(part: &Arc<Part>, bucket: Option<u32>) -> Vec<RecordBatch> {
    part.read(bucket).map(Result::unwrap).collect()
}

#[test]
fn buckets_keep_their_order_in_memory_and_on_disk() {
    let house = House::new(usize::MAX);
    let labelled: Vec<_> =
        [5, 1, 5, 0, 1].iter().zip(0..).map(|(b, i)| (*b, batch(i, 10))).collect();
    let part = house.part(labelled.clone());
    for _ in 0..2 {
        assert_eq!(read(&part, Some(5)), [batch(0, 10), batch(2, 10)]);
        assert_eq!(read(&part, Some(1)), [batch(1, 10), batch(4, 10)]);
        assert_eq!(read(&part, Some(2)), []);
        assert_eq!(read(&part, None), labelled.iter().map(|(_, b)| b.clone()).collect::<Vec<_>>());
        let buckets: Vec<_> =
            part.buckets().iter().map(|(bucket, rows, _)| (*bucket, *rows)).collect();
        assert_eq!(buckets, [(0, 10), (1, 20), (5, 20)]);
        assert_eq!((part.tag(), part.rows()), (7, 50));
        part.spill(&house.store).unwrap();
        assert!(part.is_spilled());
    }
    assert_eq!(house.budget.reserved(), 0);
    drop(part);
    drop(house.store);
    assert_eq!(files(house.temp.path()), 0);
}

#[test]
fn taking_gives_memory_back_batch_by_batch() {
    let house = House::new(usize::MAX);
    let part = house.part((0..4).map(|i| (i as u32 % 2, batch(i, 100))).collect());
    let all = house.budget.reserved();
    let first: Vec<_> = part.take(Some(0)).map(Result::unwrap).collect();
    assert_eq!(first, [batch(0, 100), batch(2, 100)]);
    let left = batch_bytes(&batch(1, 100)) + batch_bytes(&batch(3, 100));
    assert_eq!(house.budget.reserved(), left);
    assert!(left < all);
    assert_eq!(part.take(Some(0)).next().unwrap().unwrap_err().kind(), ErrorKind::Internal);
    part.spill(&house.store).unwrap();
    assert_eq!(house.budget.reserved(), 0);
    assert_eq!(part.take(Some(1)).count(), 2);
    assert!(part.read(Some(0)).next().unwrap().is_err());
    assert_eq!(read(&part, Some(1)), [batch(1, 100), batch(3, 100)]);
}

#[test]
fn a_reader_goes_on_while_the_part_is_spilled() {
    let house = House::new(usize::MAX);
    let part = house.part((0..10).map(|i| (0, batch(i, 10))).collect());
    let mut reader = part.take(None);
    let mut seen: Vec<_> = reader.by_ref().take(4).map(Result::unwrap).collect();
    part.spill(&house.store).unwrap();
    seen.extend(reader.map(Result::unwrap));
    assert_eq!(seen, (0..10).map(|i| batch(i, 10)).collect::<Vec<_>>());
}

#[derive(Default)]
struct Spills(Mutex<Vec<(u64, u64)>>);

impl Observer for Spills {
    fn observe(&self, event: &Event) {
        if let Event::Spilled { bytes, freed } = event {
            self.0.lock().unwrap().push((*bytes, *freed));
        }
    }
}

#[test]
fn a_refusal_spills_the_largest_part() {
    let spills = Arc::new(Spills::default());
    let house = House::with(200_000, None, spills.clone());
    let small = house.part(vec![(0, batch(0, 100))]);
    let large = house.part(vec![(0, batch(0, 5000))]);
    let freed = large.bytes();
    let _table = house.budget.reserve(150_000, "table").unwrap();
    assert!(large.is_spilled() && !small.is_spilled());
    assert_eq!(*spills.0.lock().unwrap(), [(house.store.spilled_bytes(), freed)]);
    assert_eq!(read(&large, None), [batch(0, 5000)]);
    let error = house.budget.reserve(100_000, "more").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OverBudget);
    assert!(small.is_spilled());
}

#[test]
fn a_full_temp_dir_is_out_of_disk_and_keeps_the_part() {
    let house = House::with(200_000, Some(1000), Arc::new(Silent));
    let part = house.part(vec![(0, batch(0, 5000))]);
    for _ in 0..2 {
        let error = house.budget.reserve(150_000, "table").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfDisk);
        assert!(error.to_string().contains(house.temp.path().to_str().unwrap()), "{error}");
    }
    assert_eq!(read(&part, None), [batch(0, 5000)]);
}

#[test]
fn a_writer_makes_a_part_on_disk() {
    let house = House::new(usize::MAX);
    let mut writer = house.store.spill_writer(3, schema()).unwrap();
    for i in 0..30 {
        writer.write(i as u32 % 3, &batch(i, 1000)).unwrap();
    }
    let part = writer.finish().unwrap();
    assert!(part.is_spilled() && part.tag() == 3 && part.rows() == 30_000);
    let expected: Vec<_> = (0..30).filter(|i| i % 3 == 1).map(|i| batch(i, 1000)).collect();
    assert_eq!(part.take(Some(1)).map(Result::unwrap).collect::<Vec<_>>(), expected);
    drop(house.store.spill_writer(3, schema()).unwrap());
    drop((part, house.store));
    assert_eq!(files(house.temp.path()), 0);
}

#[test]
fn many_threads_under_pressure_all_get_their_turn() {
    let bytes = batch_bytes(&batch(0, 1000));
    let house = House::new(bytes * 6);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let house = &house;
            scope.spawn(move || {
                let parts: Vec<_> = (0..50)
                    .map(|i| house.part(vec![(0, batch(2 * (thread * 1000 + i), 1000))]))
                    .collect();
                for (part, i) in parts.iter().zip(0..) {
                    assert_eq!(read(part, None), [batch(2 * (thread * 1000 + i), 1000)]);
                }
            });
        }
    });
    assert_eq!(house.budget.reserved(), 0);
    assert!(house.budget.peak() <= house.budget.limit());
    assert!(house.store.spilled_bytes() > 0);
    drop(house.store);
    assert_eq!(files(house.temp.path()), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spilled_or_not_the_rows_are_the_same(
        sizes in prop::collection::vec((0_u32..4, 0_usize..300), 0..20),
        spill_after in 0_usize..20,
    ) {
        let house = House::new(usize::MAX);
        let batches: Vec<_> =
            sizes.iter().zip(0..).map(|((bucket, rows), i)| (*bucket, batch(i, *rows))).collect();
        let part = house.part(batches.clone());
        let mut sum = 0;
        for (count, batch) in part.read(None).enumerate() {
            if count == spill_after {
                part.spill(&house.store).unwrap();
            }
            sum += batch.unwrap().column(0).as_primitive::<Int64Type>().values().iter().sum::<i64>();
        }
        let numbers = batches.iter().flat_map(|(_, b)| b.column(0).as_primitive::<Int64Type>().values().to_vec());
        prop_assert_eq!(sum, numbers.sum::<i64>());
        for bucket in 0..4 {
            let expected: Vec<_> =
                batches.iter().filter(|(b, _)| *b == bucket).map(|(_, b)| b.clone()).collect();
            prop_assert_eq!(part.take(Some(bucket)).map(Result::unwrap).collect::<Vec<_>>(), expected);
        }
        drop(part);
        prop_assert_eq!(house.budget.reserved(), 0);
    }
}
