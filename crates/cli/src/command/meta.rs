//! `dframe meta`: what Parquet files say of themselves.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use clap::Args;
use dframe::expr::type_name;
use dframe::io::{ColumnMeta, FileMeta, ParquetSource, RowGroupMeta, SinkOptions};
use dframe::prelude::Session;
use dframe::{Error, InputFormat, Result};

use crate::args::{InputArgs, OutputArgs, StoreArgs};
use crate::input::{CopyRoom, Input};
use crate::query::Context;

/// Show what files say of themselves
///
/// One line per file: rows, row groups, size, compression, and who wrote it. Reads the footers only.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dframe meta data/flights.parquet data/ticks.parquet
  dframe meta data/ticks.parquet --columns -f json")]
pub struct Meta {
    /// What is read.
    #[command(flatten)]
    input: InputArgs,
    /// How objects are reached.
    #[command(flatten)]
    stores: StoreArgs,
    /// One line per column of each file: type, encodings, size, nulls, least and greatest value
    #[arg(long, conflicts_with = "row_groups")]
    columns: bool,
    /// One line per row group of each file: rows and size
    #[arg(long)]
    row_groups: bool,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Describes the files.
pub fn run(args: &Meta, context: &Context) -> Result<()> {
    let output = args.output.resolve()?;
    let room = CopyRoom { temp_dir: &std::env::temp_dir(), limit: None };
    let input = Input::open(&args.input, room, &context.cancel)?;
    let builder = Session::builder().cancel_token(context.cancel.clone());
    let inputs = args.stores.apply(builder).build()?.inputs(&input.paths);
    if args.input.reading.format(&inputs)? != InputFormat::Parquet {
        return Err(Error::unsupported("only Parquet files say something of themselves")
            .remedy("use `dframe schema` and `dframe count` for other files"));
    }
    let source = ParquetSource::open(inputs)?;
    let batch = match (args.columns, args.row_groups) {
        (true, _) => columns(&source.describe_files()?)?,
        (_, true) => row_groups(&source.describe_row_groups()?)?,
        _ => files(&source.describe_files()?)?,
    };
    output
        .write(batch.schema(), std::iter::once(Ok(batch)), None, SinkOptions::default())
        .map(|_| ())
}

fn files(files: &[FileMeta]) -> Result<RecordBatch> {
    batch([
        ("file", texts(files, |file| Some(name(&file.path)))),
        ("rows", numbers(files, |file| Some(file.rows))),
        ("row_groups", numbers(files, |file| Some(file.row_groups as u64))),
        ("largest_row_group", numbers(files, |file| Some(file.row_group_rows_max))),
        ("columns", numbers(files, |file| Some(file.columns.len() as u64))),
        ("bytes", numbers(files, |file| Some(file.bytes))),
        ("compression", texts(files, |file| Some(file.codecs.join(", ")))),
        ("version", numbers(files, |file| u64::try_from(file.version).ok())),
        ("created_by", texts(files, |file| file.created_by.clone())),
    ])
}

fn columns(files: &[FileMeta]) -> Result<RecordBatch> {
    let of_file = |file: &FileMeta| {
        let path = name(&file.path);
        let pair = |column: &ColumnMeta| (path.clone(), column.clone());
        file.columns.iter().map(pair).collect::<Vec<_>>()
    };
    let rows: Vec<(String, ColumnMeta)> = files.iter().flat_map(of_file).collect();
    let rows = rows.as_slice();
    batch([
        ("file", texts(rows, |(file, _)| Some(file.clone()))),
        ("column", texts(rows, |(_, column)| Some(column.name.clone()))),
        ("type", texts(rows, |(_, column)| Some(type_name(&column.data_type)))),
        ("encodings", texts(rows, |(_, column)| Some(column.encodings.join(", ")))),
        ("compressed_bytes", numbers(rows, |(_, column)| Some(column.compressed_bytes))),
        ("uncompressed_bytes", numbers(rows, |(_, column)| Some(column.uncompressed_bytes))),
        ("nulls", numbers(rows, |(_, column)| column.nulls)),
        ("min", texts(rows, |(_, column)| column.min.clone())),
        ("max", texts(rows, |(_, column)| column.max.clone())),
        ("bloom_filter", flags(rows, |(_, column)| column.bloom_filter)),
        ("page_index", flags(rows, |(_, column)| column.page_index)),
    ])
}

fn row_groups(row_groups: &[RowGroupMeta]) -> Result<RecordBatch> {
    batch([
        ("file", texts(row_groups, |row_group| Some(name(&row_group.path)))),
        ("row_group", numbers(row_groups, |row_group| Some(row_group.index as u64))),
        ("rows", numbers(row_groups, |row_group| Some(row_group.rows))),
        ("compressed_bytes", numbers(row_groups, |row_group| Some(row_group.compressed_bytes))),
        ("uncompressed_bytes", numbers(row_groups, |row_group| Some(row_group.uncompressed_bytes))),
    ])
}

fn batch<const N: usize>(columns: [(&'static str, ArrayRef); N]) -> Result<RecordBatch> {
    Ok(RecordBatch::try_from_iter(columns)?)
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

fn texts<T>(rows: &[T], of: impl Fn(&T) -> Option<String>) -> ArrayRef {
    Arc::new(StringArray::from_iter(rows.iter().map(of)))
}

fn numbers<T>(rows: &[T], of: impl Fn(&T) -> Option<u64>) -> ArrayRef {
    let number = |row| of(row).and_then(|number| i64::try_from(number).ok());
    Arc::new(Int64Array::from_iter(rows.iter().map(number)))
}

fn flags<T>(rows: &[T], of: impl Fn(&T) -> bool) -> ArrayRef {
    Arc::new(BooleanArray::from(rows.iter().map(of).collect::<Vec<bool>>()))
}
