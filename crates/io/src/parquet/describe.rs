//! What files say of themselves, for `dframe meta`: no data page is read.

use std::collections::BTreeSet;
use std::path::PathBuf;

use arrow::datatypes::Field;
use arrow::util::display::array_value_to_string;
use dframe_core::Result;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use super::ParquetSource;
use super::bounds::BoundsOf;
use super::footer::SourceFile;
use super::pruning::Bounds;

/// A file, as its footer describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct FileMeta {
    /// Where it is.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// The number of rows.
    pub rows: u64,
    /// The number of row groups.
    pub row_groups: usize,
    /// The rows of the largest row group.
    pub row_group_rows_max: u64,
    /// The program that wrote it, if it says so.
    pub created_by: Option<String>,
    /// The version of the format.
    pub version: i32,
    /// The compression codecs, such as `snappy`.
    pub codecs: Vec<String>,
    /// The columns, in the file's order.
    pub columns: Vec<ColumnMeta>,
}

/// A column of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnMeta {
    /// The name.
    pub name: String,
    /// The type in the file's own terms, such as `Int32` or `Utf8`.
    pub data_type: arrow::datatypes::DataType,
    /// The encodings of its pages, such as `RLE_DICTIONARY`.
    pub encodings: Vec<String>,
    /// The bytes in the file.
    pub compressed_bytes: u64,
    /// The bytes once decompressed.
    pub uncompressed_bytes: u64,
    /// The number of NULLs, if all row groups count them.
    pub nulls: Option<u64>,
    /// The least value as text, or a lower bound of it where statistics are cut short.
    pub min: Option<String>,
    /// The greatest value as text, or an upper bound of it.
    pub max: Option<String>,
    /// Whether there are Bloom filters.
    pub bloom_filter: bool,
    /// Whether there is a page index.
    pub page_index: bool,
}

impl ParquetSource {
    /// Describes each file, from its footer.
    pub fn describe_files(&self) -> Result<Vec<FileMeta>> {
        self.files.iter().map(describe).collect()
    }
}

fn describe(file: &SourceFile) -> Result<FileMeta> {
    let metadata = file.metadata()?;
    let row_groups = metadata.row_groups();
    let chunks = || row_groups.iter().flat_map(|row_group| row_group.columns());
    let codecs: BTreeSet<String> = chunks().map(codec).collect();
    let largest = row_groups.iter().map(|row_group| row_group.num_rows()).max().unwrap_or(0);
    let columns = file.layout.read.iter().zip(&file.layout.leaves);
    Ok(FileMeta {
        path: file.path.clone(),
        bytes: file.length,
        rows: file.rows,
        row_groups: row_groups.len(),
        row_group_rows_max: largest as u64,
        created_by: metadata.file_metadata().created_by().map(str::to_string),
        version: metadata.file_metadata().version(),
        codecs: codecs.into_iter().collect(),
        columns: columns
            .map(|(field, leaves)| describe_column(file, &metadata, field, leaves.clone()))
            .collect(),
    })
}

/// `ZSTD(ZstdLevel(1))` without the level, which the footer does not hold.
fn codec(chunk: &ColumnChunkMetaData) -> String {
    let name = chunk.compression().to_string().to_lowercase();
    name.split('(').next().unwrap_or_default().to_string()
}

fn describe_column(
    file: &SourceFile,
    metadata: &ParquetMetaData,
    field: &Field,
    leaves: std::ops::Range<usize>,
) -> ColumnMeta {
    let chunks = || {
        let leaves = leaves.clone();
        metadata.row_groups().iter().flat_map(move |group| &group.columns()[leaves.clone()])
    };
    let sum = |of: fn(&ColumnChunkMetaData) -> i64| chunks().map(of).sum::<i64>().max(0) as u64;
    let encodings: BTreeSet<String> =
        chunks().flat_map(|chunk| chunk.encodings()).map(|encoding| encoding.to_string()).collect();
    let bounds: Vec<Bounds> = (0..metadata.num_row_groups())
        .map(|row_group| BoundsOf { file, metadata, row_group }.row_group(field))
        .collect();
    ColumnMeta {
        name: field.name().clone(),
        data_type: field.data_type().clone(),
        encodings: encodings.into_iter().collect(),
        compressed_bytes: sum(ColumnChunkMetaData::compressed_size),
        uncompressed_bytes: sum(ColumnChunkMetaData::uncompressed_size),
        nulls: bounds.iter().map(|bounds| bounds.nulls[0]).sum(),
        min: extreme(&bounds, |bounds| &bounds.min, std::cmp::Ordering::Less),
        max: extreme(&bounds, |bounds| &bounds.max, std::cmp::Ordering::Greater),
        bloom_filter: chunks().any(|chunk| chunk.bloom_filter_offset().is_some()),
        page_index: chunks().any(|chunk| chunk.offset_index_offset().is_some()),
    }
}

/// The outermost bound of all row groups that have values; `None` if one of them has no bound.
fn extreme(
    bounds: &[Bounds],
    of: fn(&Bounds) -> &arrow::array::ArrayRef,
    wanted: std::cmp::Ordering,
) -> Option<String> {
    let mut best: Option<&arrow::array::ArrayRef> = None;
    for bounds in bounds.iter().filter(|bounds| bounds.nulls[0] != Some(bounds.rows[0])) {
        let bound = of(bounds);
        if bound.is_null(0) {
            return None;
        }
        let better = match best {
            None => true,
            Some(best) => {
                let order = arrow::array::make_comparator(bound, best, Default::default()).ok()?;
                order(0, 0) == wanted
            }
        };
        if better {
            best = Some(bound);
        }
    }
    array_value_to_string(best?, 0).ok()
}
