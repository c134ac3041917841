//! Corrupt files: an error that names the file, or the same rows; never a panic.

mod support;

use std::sync::Arc;

use arrow::array::RecordBatch;
use dframe_core::{Error, ErrorKind, Result};
use dframe_io::{ParquetOptions, ParquetSource};
use dframe_plan::{ScanRequest, Source};
use parquet::basic::Compression;
use parquet::file::properties::{WriterProperties, WriterVersion};
use support::{Folder, plain, request, table};

/// Reads everything, or fails.
fn try_read(path: &str, unit_bytes: u64) -> Result<Vec<RecordBatch>> {
    let source = Arc::new(ParquetSource::open_with(
        &[path.to_string()],
        &ParquetOptions { footer_bytes: 1 << 20 },
    )?);
    let request = ScanRequest { unit_bytes, ..request(&*source) };
    let mut batches = Vec::new();
    for unit in source.partitions(&request)?.list.iter().flat_map(|p| &p.units) {
        let fetched = source.fetch(unit, &request)?;
        for batch in source.clone().decode(unit, fetched, &request)? {
            batches.push(batch?.rows);
        }
    }
    Ok(batches)
}

fn check(error: &Error, path: &str) {
    let file = error.context().file.as_ref().map(|file| file.to_string_lossy().into_owned());
    assert_eq!(file.as_deref(), Some(path), "{error}");
    assert!(matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::Unsupported), "{error}");
}

#[test]
fn flipped_bytes_never_panic() {
    let folder = Folder::new();
    let rows = table(600);
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as usize % below
    };
    let mut failed = 0;
    let versions = [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0];
    for (version, codec) in
        versions.into_iter().zip([Compression::SNAPPY, Compression::UNCOMPRESSED])
    {
        let properties = WriterProperties::builder()
            .set_writer_version(version)
            .set_compression(codec)
            .set_data_page_row_count_limit(100)
            .set_write_batch_size(100)
            .build();
        let path = folder.write("a.parquet", &rows, properties);
        let good = std::fs::read(&path).expect("read");
        for _ in 0..150 {
            let mut bad = good.clone();
            let at = random(bad.len());
            bad[at] ^= 1 << random(8);
            std::fs::write(&path, &bad).expect("written");
            for unit_bytes in [1, 1 << 30] {
                if let Err(error) = try_read(&path, unit_bytes) {
                    failed += 1;
                    check(&error, &path);
                }
            }
        }
    }
    assert!(failed > 100, "{failed}");
}

#[test]
fn a_corrupt_page_names_its_column_and_row_group() {
    let folder = Folder::new();
    let rows = table(2_000);
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(1_000))
        .set_compression(Compression::SNAPPY)
        .set_dictionary_enabled(false)
        .build();
    let path = folder.write("a.parquet", &rows, properties);
    let mut bytes = std::fs::read(&path).expect("read");
    let metadata = {
        use parquet::file::reader::{FileReader, SerializedFileReader};
        let file = std::fs::File::open(&path).expect("there");
        SerializedFileReader::new(file).expect("reads").metadata().clone()
    };
    let (start, length) = metadata.row_group(1).column(3).byte_range();
    for byte in &mut bytes[(start + length / 2) as usize..(start + length) as usize] {
        *byte = 0xff;
    }
    std::fs::write(&path, &bytes).expect("written");
    let error = try_read(&path, 1 << 30).expect_err("corrupt");
    check(&error, &path);
    assert_eq!(error.context().row_group, Some(1), "{error}");
    assert_eq!(error.context().column.as_deref(), Some("note"), "{error}");
    let layers = ["External", "argument error", "Parquet error"];
    assert!(layers.iter().all(|layer| !error.to_string().contains(layer)), "{error}");
}

#[test]
fn a_file_that_changes_while_it_is_read_is_an_error() {
    let folder = Folder::new();
    let path = folder.write("a.parquet", &table(100), Default::default());
    let source = Arc::new(ParquetSource::open(std::slice::from_ref(&path)).expect("opens"));
    let request = request(&*source);
    let partitions = source.partitions(&request).expect("partitions");
    let bytes = std::fs::read(&path).expect("read");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("cut");
    let error = source.fetch(&partitions.list[0].units[0], &request).expect_err("changed");
    check(&error, &path);
}

#[test]
fn files_describe_themselves() {
    let folder = Folder::new();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(700))
        .set_compression(Compression::ZSTD(Default::default()))
        .build();
    let path = folder.write("a.parquet", &table(1_000), properties);
    let source = ParquetSource::open(std::slice::from_ref(&path)).expect("opens");
    let files = source.describe_files().expect("described");
    let file = &files[0];
    assert_eq!((file.rows, file.row_groups, file.row_group_rows_max), (1_000, 2, 700));
    assert_eq!(file.codecs, ["zstd"]);
    let price = &file.columns[1];
    assert_eq!((price.nulls, price.min.as_deref()), (Some(91), Some("0.25")));
    assert_eq!(price.max.as_deref(), Some("249.75"));
    assert_eq!(file.columns[2].max.as_deref(), Some("name-96"));
    assert_eq!((file.columns[9].nulls, &file.columns[9].min), (Some(1_000), &None));
    let whole = plain(&try_read(&path, 1 << 30).expect("reads"));
    assert_eq!(whole.num_rows(), 1_000);
}
