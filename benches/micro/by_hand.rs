//! The loop that one would write by hand for a group-by: what `groups::one_text_key` is to be compared with.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Float64Type, Int32Type, Schema};
use divan::Bencher;
use divan::counter::ItemsCount;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use crate::data;

/// Rows of a batch, as scans make them.
const BATCH_ROWS: usize = 16 * 1024;

/// Count, sum, mean, minimum and maximum of the price by ticker: decoded by the `parquet` crate, folded into arrays indexed by the dictionary's codes; sums as they
/// come, not exact.
#[divan::bench]
fn by_hand(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(data::rows())).bench_local(|| {
        let mut groups = Groups::default();
        read(&mut |batch| groups.fold(batch));
        groups.results()
    });
}

/// Nothing but the decoder.
#[divan::bench]
fn decoder(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(data::rows())).bench_local(|| {
        read(&mut |batch| {
            divan::black_box(batch);
        });
    });
}

fn read(take: &mut dyn FnMut(&RecordBatch)) {
    let codes = DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into());
    let open = || File::open(data::ticks()).expect("the file was just written");
    let plain = ParquetRecordBatchReaderBuilder::try_new(open()).expect("it is Parquet");
    let coded = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8 => Arc::new(field.as_ref().clone().with_data_type(codes.clone())),
        _ => field.clone(),
    };
    let fields: Vec<Arc<Field>> = plain.schema().fields().iter().map(coded).collect();
    let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields)));
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(open(), options);
    let builder = builder.expect("text comes as codes").with_batch_size(BATCH_ROWS);
    let columns = ProjectionMask::columns(builder.parquet_schema(), ["ticker", "price"]);
    let reader = builder.with_projection(columns).build().expect("a reader");
    reader.for_each(|batch| take(&batch.expect("a batch")));
}

/// The groups of one dictionary.
#[derive(Default)]
struct Groups {
    counts: Vec<i64>,
    sums: Vec<f64>,
    least: Vec<f64>,
    greatest: Vec<f64>,
}

impl Groups {
    fn fold(&mut self, batch: &RecordBatch) {
        let tickers = batch.column(0).as_dictionary::<Int32Type>();
        let prices = batch.column(1).as_primitive::<Float64Type>().values();
        let groups = tickers.values().len();
        if self.counts.len() < groups {
            self.counts.resize(groups, 0);
            self.sums.resize(groups, 0.0);
            self.least.resize(groups, f64::INFINITY);
            self.greatest.resize(groups, f64::NEG_INFINITY);
        }
        for (code, price) in tickers.keys().values().iter().zip(prices) {
            let group = *code as usize;
            self.counts[group] += 1;
            self.sums[group] += price;
            self.least[group] = self.least[group].min(*price);
            self.greatest[group] = self.greatest[group].max(*price);
        }
    }

    fn results(&self) -> Vec<(i64, f64, f64, f64, f64)> {
        let group = |group: usize| {
            let (count, sum) = (self.counts[group], self.sums[group]);
            (count, sum, sum / count as f64, self.least[group], self.greatest[group])
        };
        (0..self.counts.len()).map(group).collect()
    }
}
