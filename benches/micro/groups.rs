//! Group-by through the library: scan, partial aggregation, merge.

use dframe::prelude::*;
use divan::Bencher;
use divan::counter::ItemsCount;

use crate::data;

/// Some thousand groups, keyed by the codes of one column.
#[divan::bench]
fn one_text_key(bencher: Bencher<'_, '_>) {
    let price = || col("price");
    bench(
        bencher,
        data::frame(data::ticks()).group_by(["ticker"]).agg([
            count_all().alias("trades"),
            price().sum().alias("sum"),
            price().mean().alias("mean"),
            price().min().alias("least"),
            price().max().alias("greatest"),
        ]),
    );
}

/// More groups than a cache holds, keyed by the product of three columns' codes.
#[divan::bench]
fn three_text_keys(bencher: Bencher<'_, '_>) {
    let vwap = (col("price") * col("size")).sum() / col("size").sum();
    let keys = ["ticker", "exchange", "side"];
    let frame = data::frame(data::ticks()).group_by(keys).agg([vwap.alias("vwap")]);
    bench(bencher, frame);
}

/// Integers, hashed: the groups fit the first cache, the second, none.
#[divan::bench(args = [100, 10_000, 1_000_000])]
fn integer_key(bencher: Bencher<'_, '_>, groups: u32) {
    let sums = [count_all().alias("rows"), col("size").sum().alias("sum")];
    bench(bencher, data::frame(data::keys()).group_by([format!("key_{groups}")]).agg(sums));
}

fn bench(bencher: Bencher<'_, '_>, frame: LazyFrame) {
    bencher.counter(ItemsCount::new(data::rows())).bench_local(|| data::run(&frame));
}
