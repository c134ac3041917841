//! Valid files to make mistakes in: one table in every format, some hundred rows of it.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array,
    ListArray, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int64Type};
use arrow::ipc::CompressionType;
use dframe::prelude::*;
use dframe_tests::fixtures::{batch, write_ipc, write_stream};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};

const ROWS: usize = 300;

/// Makes a table of so many rows.
type Rows = fn(usize) -> RecordBatch;

/// A file of a format, and another of the same to splice with.
pub struct Sample {
    pub name: &'static str,
    pub extension: &'static str,
    pub bytes: Vec<u8>,
    pub other: Vec<u8>,
}

impl Sample {
    /// A frame over `path`, taken for a file of this format.
    pub fn scan(&self, session: &Session, path: &Path) -> dframe::Result<LazyFrame> {
        match self.extension.split('.').next().unwrap() {
            "parquet" => session.scan_parquet(path),
            "csv" | "tsv" => session.scan_csv(path),
            "ndjson" | "json" => session.scan_ndjson(path),
            "arrow" | "arrows" => session.scan_ipc(path),
            "avro" => session.scan_avro(path),
            "sqlite" => session.scan_sqlite(path, &SqliteOptions::default()),
            other => panic!("no format {other}"),
        }
    }
}

/// A sample of every format.
pub fn samples(folder: &Path) -> Vec<Sample> {
    let mut samples = Vec::new();
    parquet(folder, &mut samples);
    arrow(folder, &mut samples);
    sunk(folder, &mut samples);
    samples
}

/// Columns of flat types, with NULLs. The first three are those that the queries use.
fn flat(rows: usize) -> RecordBatch {
    let texts = ["alpha", "beta", "", "gamma \"quoted\", with\nlines", "\u{e9}\u{1f600}"];
    let of = |odd: usize| (0..rows).map(move |row| (row % 11 != odd).then_some(row));
    let time = of(6).map(|row| row.map(|row| row as i64 * 1_234_567_890 - 77_000_001));
    let money = of(8).map(|row| row.map(|row| row as i128 * 997 - 5_000));
    batch([
        ("id", Arc::new(Int64Array::from_iter_values((0..rows).map(|row| row as i64)))),
        ("text", Arc::new(StringArray::from_iter(of(1).map(|row| row.map(|row| texts[row % 5]))))),
        ("float", Arc::new(Float64Array::from_iter(of(2).map(|r| r.map(|r| r as f64 / 7.0))))),
        ("small", Arc::new(Int32Array::from_iter(of(3).map(|row| row.map(|row| row as i32 % 9))))),
        ("flag", Arc::new(BooleanArray::from_iter(of(4).map(|row| row.map(|row| row % 3 > 0))))),
        ("day", Arc::new(Date32Array::from_iter(of(5).map(|r| r.map(|r| r as i32 * 50 - 90))))),
        ("time", Arc::new(TimestampMicrosecondArray::from_iter(time))),
        ("long", Arc::new(StringArray::from_iter(of(7).map(|r| r.map(|r| "long".repeat(r % 9)))))),
        (
            "money",
            Arc::new(Decimal128Array::from_iter(money).with_precision_and_scale(12, 2).unwrap()),
        ),
    ])
}

/// The same with a list and a struct of a list.
fn nested(rows: usize) -> RecordBatch {
    let flat = flat(rows);
    let list = || {
        let values = (0..rows as i64)
            .map(|row| (row % 5 > 0).then(|| (0..row % 4).map(move |n| (n > 0).then_some(row))));
        Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(values)) as ArrayRef
    };
    let text = flat.column(1).clone();
    let field = |name: &str, kind: &DataType| Arc::new(Field::new(name, kind.clone(), true));
    let pair = StructArray::from(vec![
        (field("inner", list().data_type()), list()),
        (field("word", text.data_type()), text),
    ]);
    let columns = flat.columns().to_vec().into_iter();
    let names: Vec<String> =
        flat.schema().fields().iter().map(|field| field.name().clone()).collect();
    let all = names.into_iter().zip(columns);
    let all = all.chain([("list".into(), list()), ("pair".into(), Arc::new(pair) as ArrayRef)]);
    RecordBatch::try_from_iter_with_nullable(all.map(|(name, column)| (name, column, true)))
        .unwrap()
}

/// Both files of a sample, made by `write` of so many rows.
fn sample(
    name: &'static str,
    extension: &'static str,
    folder: &Path,
    write: impl Fn(&Path, usize),
) -> Sample {
    let made = |rows: usize| {
        let path = folder.join(format!("{name}-{rows}.{extension}"));
        write(&path, rows);
        std::fs::read(&path).unwrap()
    };
    Sample { name, extension, bytes: made(ROWS), other: made(ROWS / 3) }
}

fn parquet(folder: &Path, samples: &mut Vec<Sample>) {
    let base = || {
        WriterProperties::builder()
            .set_max_row_group_row_count(Some(120))
            .set_data_page_row_count_limit(40)
            .set_write_batch_size(20)
    };
    let zstd = Compression::ZSTD(ZstdLevel::try_new(1).unwrap());
    let delta = base()
        .set_dictionary_enabled(false)
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_column_encoding("id".into(), Encoding::DELTA_BINARY_PACKED)
        .set_column_encoding("text".into(), Encoding::DELTA_BYTE_ARRAY)
        .set_column_encoding("long".into(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
        .set_column_encoding("float".into(), Encoding::BYTE_STREAM_SPLIT);
    let kinds: [(&str, WriterPropertiesBuilder, Rows); 6] = [
        ("parquet", base(), flat),
        ("parquet-snappy", base().set_compression(Compression::SNAPPY), flat),
        ("parquet-zstd", base().set_compression(zstd), flat),
        ("parquet-delta", delta, flat),
        (
            "parquet-bloom",
            base().set_bloom_filter_enabled(true).set_dictionary_enabled(false),
            flat,
        ),
        ("parquet-nested", base(), nested),
    ];
    for (name, properties, rows) in kinds {
        let properties = properties.build();
        samples.push(sample(name, "parquet", folder, |path, count| {
            let rows = rows(count);
            let file = File::create(path).unwrap();
            let mut writer =
                ArrowWriter::try_new(file, rows.schema(), Some(properties.clone())).unwrap();
            writer.write(&rows).unwrap();
            writer.close().unwrap();
        }));
    }
}

fn arrow(folder: &Path, samples: &mut Vec<Sample>) {
    let batches = |rows: usize| {
        let rows = nested(rows);
        let cut = rows.num_rows() / 2;
        vec![rows.slice(0, cut), rows.slice(cut, rows.num_rows() - cut)]
    };
    let codecs: [(&str, Option<CompressionType>); 3] = [
        ("arrow", None),
        ("arrow-lz4", Some(CompressionType::LZ4_FRAME)),
        ("arrow-zstd", Some(CompressionType::ZSTD)),
    ];
    for (name, codec) in codecs {
        let write = |path: &Path, rows| write_ipc(path, &batches(rows), codec);
        samples.push(sample(name, "arrow", folder, write));
    }
    let write = |path: &Path, rows| write_stream(path, &batches(rows));
    samples.push(sample("arrow-stream", "arrows", folder, write));
}

/// Formats that dframe writes itself.
fn sunk(folder: &Path, samples: &mut Vec<Sample>) {
    let formats: [(&str, Format, Rows); 6] = [
        ("csv", Format::Csv, flat),
        ("tsv", Format::Tsv, flat),
        ("ndjson", Format::Ndjson, nested),
        ("json", Format::Json, nested),
        ("avro", Format::Avro, nested),
        ("sqlite", Format::Sqlite, flat),
    ];
    let session = Session::builder().memory_limit(Size::Bytes(64 << 20)).synchronous();
    let session = session.build().unwrap();
    for (name, format, rows) in formats {
        samples.push(sample(name, name, folder, |path, count| {
            let from = folder.join("from.parquet");
            dframe_tests::fixtures::write(&from, &rows(count), 100);
            session.scan_parquet(&*from).unwrap().sink(path, format).unwrap();
        }));
    }
    for (name, extension, packed) in [
        ("csv-gz", "csv.gz", gzip as fn(&[u8]) -> Vec<u8>),
        ("csv-zst", "csv.zst", |bytes| zstd::encode_all(bytes, 1).unwrap()),
        ("ndjson-gz", "ndjson.gz", gzip),
    ] {
        let plain = name.split('-').next().unwrap();
        let plain = samples.iter().find(|sample| sample.name == plain).unwrap();
        let (bytes, other) = (packed(&plain.bytes), packed(&plain.other));
        samples.push(Sample { name, extension, bytes, other });
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
