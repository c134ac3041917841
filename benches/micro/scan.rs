//! Decoding one column of a file that is in the page cache.

use std::sync::Arc;

use dframe::io::parquet::ParquetSource;
use dframe::plan::{ScanRequest, Source};
use divan::Bencher;
use divan::counter::ItemsCount;

use crate::data;

/// Text as codes, a float, a 32-bit and a 64-bit integer.
#[divan::bench(args = ["ticker", "price", "size", "trade_id"])]
fn decode(bencher: Bencher<'_, '_>, column: &str) {
    let path = data::ticks().display().to_string();
    let source = Arc::new(ParquetSource::open(&[path]).expect("ticks open"));
    let request = request(source.schema().index_of(column).expect("a column of ticks"));
    bencher.counter(ItemsCount::new(data::rows())).bench_local(|| read(&source, &request));
}

fn request(column: usize) -> ScanRequest {
    ScanRequest {
        projection: vec![column],
        filters: Vec::new(),
        tests: Vec::new(),
        limit: None,
        batch_rows: 16 * 1024,
        unit_bytes: u64::MAX,
        partition_rows: 1,
        partition_share: 16,
    }
}

fn read(source: &Arc<ParquetSource>, request: &ScanRequest) {
    let partitions = source.partitions(request).expect("metadata is whole");
    for unit in partitions.list.iter().flat_map(|partition| &partition.units) {
        let bytes = source.fetch(unit, request).expect("the file is there");
        let batches = source.clone().decode(unit, bytes, request).expect("pages are whole");
        batches.for_each(|batch| divan::black_box_drop(batch.expect("pages decode")));
    }
}
