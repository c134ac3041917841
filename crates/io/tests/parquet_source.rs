//! Reading: what is written comes back, however it was written and however it is cut.

mod support;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::DataType;
use dframe_core::ErrorKind;
use dframe_io::{ParquetOptions, ParquetSource};
use dframe_plan::{ScanRequest, Source};
use parquet::basic::{BrotliLevel, Compression, Encoding, GzipLevel, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use support::{Folder, plain, request, scan, scan_units, table, text_of};

fn open(paths: &[&str]) -> Arc<ParquetSource> {
    let paths: Vec<String> = paths.iter().map(|path| path.to_string()).collect();
    Arc::new(ParquetSource::open(&paths).expect("opens"))
}

/// Reads all columns of a file in units of about `unit_bytes`.
fn read(path: &str, unit_bytes: u64, batch_rows: usize) -> RecordBatch {
    let source = open(&[path]);
    let request = ScanRequest { unit_bytes, batch_rows, ..request(&*source) };
    plain(&scan(&source, &request))
}

#[test]
fn every_codec_encoding_and_page_version_comes_back() {
    let folder = Folder::new();
    let rows = table(5_000);
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
    ];
    for codec in codecs {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            for dictionary in [true, false] {
                let properties = WriterProperties::builder()
                    .set_compression(codec)
                    .set_writer_version(version)
                    .set_dictionary_enabled(dictionary)
                    .set_data_page_row_count_limit(700)
                    .set_write_batch_size(100)
                    .build();
                let path = folder.write("a.parquet", &rows, properties);
                for unit_bytes in [1, 20_000, 1 << 30] {
                    let back = read(&path, unit_bytes, 999);
                    assert_eq!(back, plain_rows(&rows), "{codec} {version:?} {unit_bytes}");
                }
            }
        }
    }
}

fn plain_rows(rows: &RecordBatch) -> RecordBatch {
    plain(std::slice::from_ref(rows))
}

#[test]
fn delta_and_split_encodings_come_back() {
    let folder = Folder::new();
    let rows = table(3_000);
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_column_encoding("id".into(), Encoding::DELTA_BINARY_PACKED)
        .set_column_encoding("price".into(), Encoding::BYTE_STREAM_SPLIT)
        .set_column_encoding("name".into(), Encoding::DELTA_BYTE_ARRAY)
        .set_column_encoding("note".into(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
        .build();
    let path = folder.write("a.parquet", &rows, properties);
    assert_eq!(read(&path, 1 << 30, 100), plain_rows(&rows));
}

#[test]
fn strings_of_a_dictionary_share_it_and_fallen_back_ones_are_plain() {
    let folder = Folder::new();
    let rows = table(4_000);
    let coded = folder.write("coded.parquet", &rows, WriterProperties::default());
    let limit = WriterProperties::builder()
        .set_dictionary_page_size_limit(64)
        .set_write_batch_size(64)
        .build();
    let fallen = folder.write("fallen.parquet", &rows, limit);

    let source = open(&[&coded]);
    let batches = scan(&source, &ScanRequest { batch_rows: 500, ..request(&*source) });
    let name = |batch: &RecordBatch| batch.column_by_name("name").expect("there").clone();
    let values = |array: &ArrayRef| {
        use arrow::array::AsArray;
        array.as_dictionary::<arrow::datatypes::Int32Type>().values().clone()
    };
    let first = values(&name(&batches[0]));
    assert!(batches.len() == 8 && batches.iter().all(|b| Arc::ptr_eq(&values(&name(b)), &first)));

    let source = open(&[&fallen]);
    let batches = scan(&source, &request(&*source));
    assert_eq!(name(&batches[0]).data_type(), &DataType::Utf8);
    assert_eq!(plain(&batches), plain_rows(&rows));
}

#[test]
fn a_huge_row_group_is_cut_into_units_in_order() {
    let folder = Folder::new();
    let rows = table(150_000);
    for indexed in [true, false] {
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(200_000))
            .set_data_page_row_count_limit(1_000)
            .set_write_batch_size(1_000)
            .set_dictionary_enabled(false)
            .set_offset_index_disabled(!indexed)
            .set_statistics_enabled(match indexed {
                true => EnabledStatistics::Page,
                false => EnabledStatistics::Chunk,
            })
            .build();
        let path = folder.write("one.parquet", &rows, properties);
        let source = open(&[&path]);
        let request = ScanRequest { unit_bytes: 2 << 20, partition_rows: 1, ..request(&*source) };
        let partitions = source.partitions(&request).expect("cut");
        assert!(partitions.list.len() > 3, "{} units", partitions.list.len());
        assert_eq!(partitions.row_groups, 1);
        let whole: u64 = std::fs::metadata(&path).expect("there").len();
        let largest = partitions.list.iter().map(|p| p.units[0].fetch_bytes).max().expect("some");
        assert!(largest < whole * 2 / 3, "{largest} of {whole}");
        assert_eq!(plain(&scan(&source, &request)), plain_rows(&rows), "indexed: {indexed}");
    }
}

#[test]
fn positions_grow_over_files_and_name_rows() {
    let folder = Folder::new();
    let properties =
        || WriterProperties::builder().set_max_row_group_row_count(Some(1_000)).build();
    let a = folder.write("a.parquet", &table(2_500), properties());
    let b = folder.write("b.parquet", &table(10), properties());
    let source = open(&[&a, &b]);
    let request = ScanRequest { batch_rows: 600, ..request(&*source) };
    let positions: Vec<u64> = scan_units(&source, &request).iter().map(|b| b.position).collect();
    assert_eq!(positions, [0, 600, 1_000, 1_600, 2_000, 1 << 40]);
    assert_eq!(source.row_count(), 2_510);
}

#[test]
fn files_agree_by_name() {
    let folder = Folder::new();
    let ints: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
    let longs: ArrayRef = Arc::new(Int64Array::from(vec![1 << 40]));
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![0.5]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let rows = |columns: Vec<(&str, ArrayRef)>| RecordBatch::try_from_iter(columns).expect("rows");
    folder.write("1.parquet", &rows(vec![("a", ints.clone()), ("b", ints)]), Default::default());
    let second = rows(vec![("c", texts.clone()), ("b", floats), ("a", longs)]);
    folder.write("2.parquet", &second, Default::default());
    let source = open(&[&folder.path("")]);
    let back = plain(&scan(&source, &request(&*source)));
    assert_eq!(
        text_of(&back),
        ["a: Int64, b: Float64, c: Utf8", "1,1.0,", ",,", "1099511627776,0.5,x"]
    );

    folder.write("3.parquet", &rows(vec![("a", texts)]), Default::default());
    let error = ParquetSource::open(&[folder.path("")]).expect_err("text is no number");
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    for part in ["1.parquet", "3.parquet", "column 'a'", "VARCHAR", "INTEGER"] {
        assert!(text.contains(part) || text.contains("2.parquet"), "{part}: {text}");
    }
}

#[test]
fn footers_that_are_not_kept_are_read_again() {
    let folder = Folder::new();
    let rows = table(3_000);
    let limit = WriterProperties::builder().set_data_page_row_count_limit(100);
    let path = folder.write("a.parquet", &rows, limit.set_write_batch_size(100).build());
    let options = ParquetOptions { footer_bytes: 0 };
    let source = Arc::new(ParquetSource::open_with(&[path], &options).expect("opens"));
    for unit_bytes in [1, 1 << 30] {
        let request = ScanRequest { unit_bytes, ..request(&*source) };
        assert_eq!(plain(&scan(&source, &request)), plain_rows(&rows));
    }
}

#[test]
fn no_rows_no_columns_and_limits() {
    let folder = Folder::new();
    let empty = folder.write("empty.parquet", &table(0), Default::default());
    let source = open(&[&empty]);
    assert_eq!(scan(&source, &request(&*source)).len(), 0);
    assert_eq!(source.schema().fields().len(), table(0).num_columns());

    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(1)).build();
    let path = folder.write("ones.parquet", &table(20), properties);
    let source = open(&[&path]);
    let none = ScanRequest { projection: vec![], ..request(&*source) };
    let rows: usize = scan(&source, &none).iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows, 20);
    let limited = ScanRequest { limit: Some(3), ..request(&*source) };
    assert_eq!(source.partitions(&limited).expect("cut").row_groups, 3);
    assert_eq!(plain(&scan(&source, &request(&*source))), plain_rows(&table(20)));
}

#[test]
fn what_cannot_be_opened_is_named() {
    let folder = Folder::new();
    let good = folder.write("trades.parquet", &table(10), Default::default());
    std::fs::write(folder.path("x.parquet"), "a,b\n1,2\n3,4\n").expect("written");
    std::fs::write(folder.path("y.parquet"), "ARROW1\0\0\u{1}..ARROW1").expect("written");
    let bytes = std::fs::read(&good).expect("read");
    std::fs::write(folder.path("cut.parquet"), &bytes[..bytes.len() - 9]).expect("written");
    std::fs::create_dir(folder.path("nothing")).expect("made");
    let cases = [
        ("trade.parquet", ErrorKind::Io, "/trades.parquet'?"),
        ("tradez.parquet", ErrorKind::Io, "did you mean"),
        ("x.parquet", ErrorKind::InvalidData, "not a parquet file"),
        ("y.parquet", ErrorKind::InvalidData, "it is an Arrow file"),
        ("cut.parquet", ErrorKind::InvalidData, "cut off"),
        ("nothing", ErrorKind::InvalidInput, "no parquet file"),
        ("q*.parquet", ErrorKind::InvalidInput, "no file matches"),
    ];
    for (name, kind, words) in cases {
        let error = ParquetSource::open(&[folder.path(name)]).expect_err(name);
        let text = error.to_string();
        assert!(error.kind() == kind && text.contains(words) && text.contains(name), "{text}");
    }
}

#[test]
fn globs_leave_hidden_files_alone() {
    let folder = Folder::new();
    folder.write("a.parquet", &table(10), Default::default());
    std::fs::write(folder.path(".a.parquet"), "half written").expect("written");
    for pattern in ["*.parquet", "**/*.parquet", "[!b]*"] {
        let source = ParquetSource::open(&[folder.path(pattern)]).expect(pattern);
        assert_eq!(source.statistics().rows, Some(10), "{pattern}");
    }
}
