//! Files in a folder of their own, and scans of them.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Builder, Int64Array,
    ListBuilder, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Schema};
use dframe_io::ParquetSource;
use dframe_plan::{ScanRequest, ScannedBatch, Source};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

/// A temporary folder.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_string_lossy().into_owned()
    }

    pub fn write(&self, name: &str, rows: &RecordBatch, properties: WriterProperties) -> String {
        let file = std::fs::File::create(self.path(name)).expect("created");
        let mut writer =
            ArrowWriter::try_new(file, rows.schema(), Some(properties)).expect("a writer");
        writer.write(rows).expect("written");
        writer.close().expect("closed");
        self.path(name)
    }
}

/// Rows of many types, with NULLs, the same each time.
pub fn table(rows: usize) -> RecordBatch {
    let n = rows as i64;
    let some = |i: i64, every: i64| i % every != 0;
    let id: ArrayRef = Arc::new(Int64Array::from_iter_values((0..n).map(|i| i * 7919 % 100_003)));
    let price: ArrayRef =
        Arc::new(Float64Array::from_iter((0..n).map(|i| some(i, 11).then_some(i as f64 * 0.25))));
    let name: ArrayRef = Arc::new(StringArray::from_iter(
        (0..n).map(|i| some(i, 13).then(|| format!("name-{}", i * i % 97))),
    ));
    let note: ArrayRef = Arc::new(StringArray::from_iter_values((0..n).map(|i| format!("n{i}"))));
    let flag: ArrayRef =
        Arc::new(BooleanArray::from_iter((0..n).map(|i| some(i, 5).then_some(i % 3 == 0))));
    let day: ArrayRef = Arc::new(Date32Array::from_iter_values((0..n).map(|i| (i / 10) as i32)));
    let time: ArrayRef = Arc::new(TimestampMicrosecondArray::from_iter_values(
        (0..n).map(|i| 1_700_000_000_000_000 + i),
    ));
    let amount = Decimal128Array::from_iter_values((0..n).map(|i| i128::from(i) * 3));
    let amount: ArrayRef = Arc::new(amount.with_precision_and_scale(12, 2).expect("fits"));
    let mut list = ListBuilder::new(Int32Builder::new());
    for i in 0..rows {
        for j in 0..i % 4 {
            list.values().append_option((j != 2).then_some(j as i32));
        }
        list.append(i % 17 != 0);
    }
    let null: ArrayRef = Arc::new(Int64Array::new_null(rows));
    RecordBatch::try_from_iter_with_nullable([
        ("id", id, true),
        ("price", price, true),
        ("name", name, true),
        ("note", note, true),
        ("flag", flag, true),
        ("day", day, true),
        ("time", time, true),
        ("amount", amount, true),
        ("list", Arc::new(list.finish()) as ArrayRef, true),
        ("null", null, true),
    ])
    .expect("rows")
}

/// A request for everything.
pub fn request(source: &dyn Source) -> ScanRequest {
    ScanRequest {
        projection: (0..source.schema().fields().len()).collect(),
        filters: Vec::new(),
        tests: Vec::new(),
        limit: None,
        batch_rows: 1024,
        unit_bytes: 1 << 30,
        partition_rows: 1 << 20,
        partition_share: 16,
    }
}

/// The batches of a scan with their positions, unit after unit.
pub fn scan_units(source: &Arc<ParquetSource>, request: &ScanRequest) -> Vec<ScannedBatch> {
    let partitions = source.partitions(request).expect("partitions");
    let mut batches: Vec<ScannedBatch> = Vec::new();
    for unit in partitions.list.iter().flat_map(|partition| &partition.units) {
        let fetched = source.fetch(unit, request).expect("fetched");
        assert!(fetched.len() as u64 <= unit.fetch_bytes.max(64 << 10) * 2);
        let mut rows = 0;
        for batch in source.clone().decode(unit, fetched, request).expect("decodes") {
            let batch = batch.expect("a batch");
            assert!(batches.last().is_none_or(|last| last.position < batch.position));
            assert!(batch.rows.num_rows() <= request.batch_rows);
            rows += batch.rows.num_rows() as u64;
            batches.push(batch);
        }
        // Filters may leave fewer.
        assert!(rows == unit.row_count() || rows < unit.row_count() && !request.filters.is_empty());
    }
    batches
}

/// The rows of a scan.
pub fn scan(source: &Arc<ParquetSource>, request: &ScanRequest) -> Vec<RecordBatch> {
    scan_units(source, request).into_iter().map(|batch| batch.rows).collect()
}

/// The batches as one, without dictionaries.
pub fn plain(batches: &[RecordBatch]) -> RecordBatch {
    let plain: Vec<RecordBatch> = batches.iter().map(plain_batch).collect();
    concat_batches(&plain[0].schema(), &plain).expect("one schema")
}

fn plain_batch(batch: &RecordBatch) -> RecordBatch {
    use arrow::datatypes::DataType;
    let columns: Vec<(Field, ArrayRef)> = batch
        .schema()
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| {
            let data_type = match field.data_type() {
                DataType::Dictionary(_, value) => value.as_ref().clone(),
                other => other.clone(),
            };
            let column = arrow::compute::cast(column, &data_type).expect("plain");
            (Field::new(field.name(), data_type, true), column)
        })
        .collect();
    let (fields, columns): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("rows")
}

/// A header and a line per row.
pub fn text_of(batch: &RecordBatch) -> Vec<String> {
    let schema = batch.schema();
    let fields = schema.fields().iter().map(|f| format!("{}: {}", f.name(), f.data_type()));
    let mut lines = vec![fields.collect::<Vec<_>>().join(", ")];
    let mut csv = Vec::new();
    arrow::csv::WriterBuilder::new().with_header(false).build(&mut csv).write(batch).expect("csv");
    lines.extend(String::from_utf8(csv).expect("text").lines().map(str::to_string));
    lines
}
