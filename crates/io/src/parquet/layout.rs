//! Which columns a file has, how they are read, and what they are called in the whole source.
//!
//! Three types meet in a column: the type in the file, the type the decoder is asked for, and the
//! type of the source's schema, to which files agree by name:
//!
//! ```text
//!   file (LargeUtf8) --decode--> read (Utf8, or a dictionary of it) --cast--> schema (Utf8)
//!   file (Int32)     --decode--> read (Int32)                       --cast--> schema (Int64)
//! ```

use std::ops::Range;
use std::path::Path;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use dframe_core::{Error, Result};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::basic::Type as PhysicalType;
use parquet::file::metadata::ParquetMetaData;

use super::footer::guard;

/// The columns of a file. Files written alike share one.
#[derive(Debug, PartialEq)]
pub(super) struct Layout {
    /// The columns as the decoder is asked for them, dictionaries aside.
    pub(super) read: Fields,
    /// The columns' types as kernels see them.
    pub(super) logical: Vec<DataType>,
    /// For each column, the leaf columns it is made of.
    pub(super) leaves: Vec<Range<usize>>,
}

impl Layout {
    /// The layout of the file with this metadata.
    pub(super) fn of(metadata: &ParquetMetaData, path: &Path) -> Result<Self> {
        let file = metadata.file_metadata();
        let descriptor = file.schema_descr();
        let parsed = guard(|| parquet_to_arrow_schema(descriptor, file.key_value_metadata()));
        // The embedded Arrow schema is advice: a file with a bad one is still a Parquet file.
        let schema = parsed
            .or_else(|_| guard(|| parquet_to_arrow_schema(descriptor, None)))
            .map_err(|error| {
                Error::unsupported("the schema cannot be read as arrow types")
                    .source(error)
                    .file(path)
            })?;
        let leaves = leaf_ranges(metadata, schema.fields().len());
        let leaf_type = |range: &Range<usize>| match range.len() {
            1 => Some(descriptor.column(range.start).physical_type()),
            _ => None,
        };
        let read: Vec<Field> = schema
            .fields()
            .iter()
            .zip(&leaves)
            .map(|(field, range)| {
                let data_type = read_type(field.data_type(), leaf_type(range));
                Field::new(field.name(), data_type, field.is_nullable())
            })
            .collect();
        let logical = read.iter().map(|field| logical_type(field.data_type())).collect();
        Ok(Self { read: read.into(), logical, leaves })
    }

    /// The position of the column called `name`.
    pub(super) fn index_of(&self, name: &str) -> Option<usize> {
        self.read.find(name).map(|(index, _)| index)
    }
}

fn leaf_ranges(metadata: &ParquetMetaData, columns: usize) -> Vec<Range<usize>> {
    let descriptor = metadata.file_metadata().schema_descr();
    let mut ranges = vec![0..0; columns];
    for leaf in 0..descriptor.num_columns() {
        if let Some(range) = ranges.get_mut(descriptor.get_column_root_idx(leaf)) {
            *range = if range.start == range.end { leaf..leaf + 1 } else { range.start..leaf + 1 };
        }
    }
    ranges
}

/// The type asked of the decoder: plain where the file says dictionary or view, as few string types
/// as can be, and INT96 in microseconds, since nanoseconds end in the year 2262.
fn read_type(file: &DataType, leaf: Option<PhysicalType>) -> DataType {
    match file {
        DataType::Dictionary(_, value) => read_type(value, leaf),
        DataType::RunEndEncoded(_, value) => read_type(value.data_type(), leaf),
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Timestamp(_, zone) if leaf == Some(PhysicalType::INT96) => {
            DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
        }
        other => other.clone(),
    }
}

/// The type kernels see. Half floats and dates in milliseconds have wider or simpler twins.
fn logical_type(read: &DataType) -> DataType {
    match read {
        DataType::Float16 => DataType::Float32,
        DataType::Date64 => DataType::Date32,
        other => other.clone(),
    }
}
