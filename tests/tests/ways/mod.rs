//! The ways to run a query, and its rows as bytes: what tests of the engine against itself share.

#![allow(clippy::unwrap_used, dead_code)]

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::row::{RowConverter, SortField};
use dframe::plan::Optimizer;
use dframe::prelude::*;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use rand::{Rng, RngExt};

/// The least memory limit there is.
pub const STARVED: u64 = 16 << 20;

/// A column of `value(row)`, with one NULL in eight.
pub fn nullable<T>(
    random: &mut impl Rng,
    rows: usize,
    mut value: impl FnMut(&mut dyn Rng) -> T,
) -> Vec<Option<T>> {
    (0..rows).map(|_| (random.random_range(0..8) > 0).then(|| value(random))).collect()
}

/// A file of `rows`, so many in a row group.
pub fn write(path: &Path, rows: &RecordBatch, row_group: usize) {
    write_as(path, rows, row_group, true);
}

/// Writes rows as Parquet whose texts are not codes of dictionaries.
pub fn write_without_dictionaries(path: &Path, rows: &RecordBatch, row_group: usize) {
    write_as(path, rows, row_group, false);
}

fn write_as(path: &Path, rows: &RecordBatch, row_group: usize, dictionaries: bool) {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(row_group))
        .set_data_page_row_count_limit(500)
        .set_write_batch_size(100)
        .set_dictionary_enabled(dictionaries)
        .build();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(properties)).unwrap();
    writer.write(rows).unwrap();
    writer.close().unwrap();
}

/// The table in so many files; the last layout is one file of tiny row groups.
pub fn layouts(folder: &Path, table: &RecordBatch) -> Vec<PathBuf> {
    let rows = table.num_rows();
    let in_files = |files: usize| {
        let folder = folder.join(format!("files{files}"));
        std::fs::create_dir(&folder).unwrap();
        for file in 0..files {
            let (start, end) = (rows * file / files, rows * (file + 1) / files);
            let path = folder.join(format!("{file:05}.parquet"));
            write(&path, &table.slice(start, end - start), rows);
        }
        folder
    };
    let mut layouts: Vec<PathBuf> = [1, 3, 127, 128, 129].map(in_files).to_vec();
    layouts.push(folder.join("tiny.parquet"));
    write(&layouts[5], table, 40);
    layouts
}

/// The rows as bytes that are equal only if every bit is, in order if `ordered`, else sorted.
pub fn fingerprint(frame: &LazyFrame, ordered: bool) -> Vec<Vec<u8>> {
    try_fingerprint(frame, ordered).unwrap()
}

/// As [`fingerprint`], of a run that may fail.
pub fn try_fingerprint(frame: &LazyFrame, ordered: bool) -> dframe::Result<Vec<Vec<u8>>> {
    let batches = frame.collect_batches()?;
    let schema = batches.schema().clone();
    let batches: Vec<RecordBatch> = batches.collect::<dframe::Result<_>>()?;
    let all = concat_batches(&schema, &batches).unwrap();
    let fields = all.columns().iter().map(|column| SortField::new(column.data_type().clone()));
    let converter = RowConverter::new(fields.collect()).unwrap();
    let rows = converter.convert_columns(all.columns()).unwrap();
    let mut rows: Vec<Vec<u8>> = rows.iter().map(|row| row.as_ref().to_vec()).collect();
    if !ordered {
        rows.sort();
    }
    Ok(rows)
}

/// `{sync, 1, 2, 8 threads} x {ample, starved memory} x {optimizer on, off}`, the synchronous one with ample memory first.
pub fn sessions() -> Vec<(String, Session)> {
    let mut sessions = Vec::new();
    for threads in [0, 1, 2, 8] {
        for (memory, limit) in [("ample", 1u64 << 30), ("starved", STARVED)] {
            for optimizer in [true, false] {
                let name = format!("{threads} threads, {memory} memory, optimizer {optimizer}");
                let builder = Session::builder().memory_limit(Size::Bytes(limit));
                let builder = match threads {
                    0 => builder.synchronous(),
                    _ => builder.threads(threads),
                };
                let builder = match optimizer {
                    true => builder,
                    false => builder.optimizer(Optimizer::off()),
                };
                sessions.push((name, builder.build().unwrap()));
            }
        }
    }
    sessions
}
