//! Writing a chunk to the temp directory, and reading it back.

use std::sync::Arc;

use arrow::array::RecordBatch;
use dframe::runtime::{ChunkStore, Part, StoreOptions};
use dframe_core::{Budget, Silent};
use divan::Bencher;
use divan::counter::ItemsCount;

use crate::data;

/// Rows of a spilled batch.
const BATCH_ROWS: usize = 8 * 1024;

/// All columns of the ticks, batch by batch. The system's page cache takes them.
#[divan::bench]
fn write(bencher: Bencher<'_, '_>) {
    let (store, batch) = (store(), ticks());
    bencher.counter(ItemsCount::new(data::rows())).bench_local(|| spilled(&store, &batch));
}

/// The same, read back.
#[divan::bench]
fn read(bencher: Bencher<'_, '_>) {
    let part = spilled(&store(), &ticks());
    bencher.counter(ItemsCount::new(data::rows())).bench_local(|| {
        for batch in part.read(None) {
            divan::black_box_drop(batch.expect("the file is whole"));
        }
    });
}

fn store() -> Arc<ChunkStore> {
    let options = StoreOptions { temp_dir: data::folder(), temp_limit: None };
    ChunkStore::new(options, Arc::new(Silent), Budget::unlimited())
}

fn ticks() -> RecordBatch {
    data::batch(&["ts", "ticker", "exchange", "side", "price", "size", "trade_id"])
}

fn spilled(store: &Arc<ChunkStore>, batch: &RecordBatch) -> Arc<Part> {
    let rows = batch.num_rows();
    let mut writer = store.spill_writer(0, batch.schema()).expect("the directory is writable");
    for start in (0..rows).step_by(BATCH_ROWS) {
        let slice = batch.slice(start, BATCH_ROWS.min(rows - start));
        writer.write(0, &slice).expect("there is room on the disk");
    }
    writer.finish().expect("there is room on the disk")
}
