//! What exact sums of floats cost: the accumulator against adding doubles.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int32Type};
use dframe::aggregate::{AggregateFunction, GroupedRows, Positions};
use divan::Bencher;
use divan::counter::ItemsCount;

use crate::data;

/// Rows of a batch.
const BATCH_ROWS: usize = 16 * 1024;
/// One group, few, and all tickers.
const GROUPS: [u32; 3] = [1, 10, 8_000];

/// The accumulator of `sum`.
#[divan::bench(args = GROUPS)]
fn exact(bencher: Bencher<'_, '_>, groups: u32) {
    let (ids, prices) = ids_and_prices(groups);
    let sum = AggregateFunction::Sum.bind(&[DataType::Float64]).expect("floats add up");
    bencher.counter(ItemsCount::new(ids.len())).bench_local(|| {
        let mut sums = sum.accumulator().expect("the function is no user's");
        for (number, ids) in ids.chunks(BATCH_ROWS).enumerate() {
            let rows = GroupedRows {
                groups: ids,
                group_count: groups as usize,
                positions: Positions::From(0),
            };
            let prices = prices.slice(number * BATCH_ROWS, ids.len());
            sums.update(&rows, &[prices]).expect("the ids are below the count");
        }
        sums.finish().expect("sums round")
    });
}

/// The loop that gives another result for another order.
#[divan::bench(args = GROUPS)]
fn plain(bencher: Bencher<'_, '_>, groups: u32) {
    let (ids, prices) = ids_and_prices(groups);
    let prices = prices.as_primitive::<Float64Type>().values();
    bencher.counter(ItemsCount::new(ids.len())).bench_local(|| {
        let mut sums = vec![0.0; groups as usize];
        for (id, price) in ids.iter().zip(prices) {
            sums[*id as usize] += price;
        }
        sums
    });
}

/// The tickers' numbers, folded to `groups`, and the prices.
fn ids_and_prices(groups: u32) -> (Vec<u32>, ArrayRef) {
    let batch = data::batch(&["ticker", "price"]);
    let codes = data::as_codes(batch.column(0));
    let codes = codes.as_dictionary::<Int32Type>().keys().values();
    let ids = codes.iter().map(|code| *code as u32 % groups).collect();
    (ids, batch.column(1).clone())
}
