//! Rows that the filters leave come back, in order; the other columns of the rest are not decoded where that pays.

mod support;

use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use dframe_expr::{Expr, bind_predicate, col, lit};
use dframe_io::ParquetSource;
use dframe_plan::ScanRequest;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;
use support::{Folder, plain, request, scan, table};

const ROWS: usize = 40_000;

/// The rows of `batch` for which all `filters` are true.
fn filtered(batch: &RecordBatch, filters: &[Expr]) -> RecordBatch {
    filters.iter().fold(batch.clone(), |rows, filter| {
        let predicate = bind_predicate(filter, &rows.schema()).expect("binds");
        let kept = predicate.evaluate_array(&rows).expect("evaluates");
        let kept: BooleanArray =
            kept.as_boolean().iter().map(|kept| Some(kept == Some(true))).collect();
        filter_record_batch(&rows, &kept).expect("filters")
    })
}

/// A file with pages of 1,500 rows.
fn write(folder: &Folder, group: usize) -> Arc<ParquetSource> {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group))
        .set_data_page_row_count_limit(1_500)
        .set_write_batch_size(500)
        .build();
    let path = folder.write("a.parquet", &table(ROWS), properties);
    Arc::new(ParquetSource::open(&[path]).expect("opens"))
}

/// The rows decoded of one row group of all rows, under `filters`.
fn decoded(filters: Vec<Expr>) -> usize {
    let folder = Folder::new();
    let source = write(&folder, ROWS);
    let request = ScanRequest { filters: filters.clone(), ..request(&*source) };
    let batches = scan(&source, &request);
    let expected = filtered(&plain(&[table(ROWS)]), &filters);
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let found = match rows {
        0 => expected.slice(0, 0),
        _ => filtered(&plain(&batches), &filters),
    };
    assert_eq!(found, expected);
    rows
}

#[test]
fn few_rows_are_decoded_alone() {
    let id = |id: i64| col("id").eq(lit(id));
    assert_eq!(decoded(vec![id(7919)]), 1);
    // A computed value, of which no bounds are known.
    assert_eq!(decoded(vec![(col("amount") * lit(2)).gt_eq(lit(2_328))]), 1_200);
    assert_eq!(decoded(vec![id(7919).or(id(2 * 7919)), col("price").gt(lit(0.25))]), 1);
}

#[test]
fn a_value_that_no_dictionary_has_leaves_no_row() {
    // It lies between the least and the greatest name.
    assert_eq!(decoded(vec![col("name").eq(lit("name-5x"))]), 0);
}

#[test]
fn many_rows_are_decoded_as_they_are() {
    assert_eq!(decoded(vec![col("flag").eq(lit(true))]), ROWS);
    assert_eq!(decoded(vec![col("name").eq(lit("name-1"))]), ROWS);
}

#[test]
fn a_filter_that_fails_is_left_to_the_scan() {
    let failing = vec![(lit(1_i64) % (col("id") - lit(7919_i64))).eq(lit(0_i64))];
    let folder = Folder::new();
    let source = write(&folder, ROWS);
    let request = ScanRequest { filters: failing, ..request(&*source) };
    let rows: usize = scan(&source, &request).iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows, ROWS);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..Default::default() })]

    #[test]
    fn any_range_of_rows_comes_back(
        start in 0..ROWS as i64,
        length in 0..3_000i64,
        modulus in prop_oneof![Just(1i64), Just(2), Just(97), Just(1009)],
        group in prop_oneof![Just(ROWS), Just(9_000), Just(2_500)],
        unit_bytes in prop_oneof![Just(1u64 << 30), Just(200_000)],
    ) {
        let filters = vec![
            (col("amount") * lit(100)).gt_eq(lit(3 * start)),
            (col("amount") * lit(100)).lt(lit(3 * (start + length))),
            (col("id") % lit(modulus)).eq(lit(0_i64)),
        ];
        let folder = Folder::new();
        let source = write(&folder, group);
        let request = ScanRequest { filters: filters.clone(), unit_bytes, ..request(&*source) };
        let batches = scan(&source, &request);
        let expected = filtered(&plain(&[table(ROWS)]), &filters);
        match batches.is_empty() {
            true => prop_assert_eq!(expected.num_rows(), 0),
            false => prop_assert_eq!(filtered(&plain(&batches), &filters), expected),
        }
    }
}
