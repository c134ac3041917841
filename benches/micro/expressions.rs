//! Evaluating expressions on batches of the size that scans make.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema};
use dframe::expr::{BoundExpr, bind};
use dframe::sql;
use divan::Bencher;
use divan::counter::ItemsCount;

use crate::data;

/// Rows of a batch.
const BATCH_ROWS: usize = 16 * 1024;

/// Arithmetic and choice.
#[divan::bench(args = [
    "price * size",
    "price * size * (1 - 0.01)",
    "size % 10 + 1",
    "price > 100 and size <= 50",
    "case when size > 100 then price else 0 end",
])]
fn numbers(bencher: Bencher<'_, '_>, text: &str) {
    let batch = data::batch(&["price", "size"]);
    bench(bencher, &bound(text, &batch), &batch);
}

const ON_TEXT: [&str; 3] = [
    "ticker = 'AAPL'",
    "ticker like 'A%'",
    "case when ticker in ('AAPL', 'BAC') then 'large' else ticker end",
];

/// Text as codes: once for each entry of the dictionary.
#[divan::bench(args = ON_TEXT)]
fn codes(bencher: Bencher<'_, '_>, text: &str) {
    let plain = data::batch(&["ticker"]);
    let codes = data::as_codes(plain.column(0));
    let field = Field::new("ticker", codes.data_type().clone(), true);
    let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![codes]);
    // Bound to plain text, as a plan would: the encoding is a matter of the batch.
    bench(bencher, &bound(text, &plain), &batch.expect("one column"));
}

/// Text as it is: once for each row.
#[divan::bench(args = ON_TEXT)]
fn text(bencher: Bencher<'_, '_>, text: &str) {
    let batch = data::batch(&["ticker"]);
    bench(bencher, &bound(text, &batch), &batch);
}

fn bound(text: &str, batch: &RecordBatch) -> BoundExpr {
    let expr = sql::parse_expr(text).expect("the text is right");
    bind(&expr, &batch.schema()).expect("the types fit")
}

fn bench(bencher: Bencher<'_, '_>, expr: &BoundExpr, batch: &RecordBatch) {
    let rows = batch.num_rows();
    let starts = (0..rows).step_by(BATCH_ROWS);
    let batches: Vec<RecordBatch> =
        starts.map(|start| batch.slice(start, BATCH_ROWS.min(rows - start))).collect();
    bencher.counter(ItemsCount::new(rows)).bench_local(|| {
        for batch in &batches {
            divan::black_box_drop(expr.evaluate(batch).expect("the values fit"));
        }
    });
}
