//! Sorting through the library: keys, runs, gathering, merging.

use dframe::prelude::*;
use divan::Bencher;
use divan::counter::ItemsCount;

use crate::data;

/// All columns by one that is nearly sorted.
#[divan::bench]
fn by_time(bencher: Bencher<'_, '_>) {
    bench(bencher, data::frame(data::ticks()).sort(["ts"]));
}

/// All columns by text, then time.
#[divan::bench]
fn by_ticker_and_time(bencher: Bencher<'_, '_>) {
    bench(bencher, data::frame(data::ticks()).sort(["ticker", "ts"]));
}

/// The ten largest of a computed key.
#[divan::bench]
fn ten_largest(bencher: Bencher<'_, '_>) {
    let turnover = col("price") * col("size");
    bench(bencher, data::frame(data::ticks()).top_k(10, [desc(turnover), asc("trade_id")]));
}

fn bench(bencher: Bencher<'_, '_>, frame: LazyFrame) {
    bencher.counter(ItemsCount::new(data::rows())).bench_local(|| data::run(&frame));
}
