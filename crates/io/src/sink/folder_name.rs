//! What the folder of a partition is called: `column=value`, one in the other for several columns.
//!
//! ```text
//!   (2024, "a/b", NULL)  ->  year=2024/region=a%2Fb/team=__HIVE_DEFAULT_PARTITION__
//! ```
//!
//! Names are those that Hive, Spark, DuckDB and Polars read, and that `hive/mod.rs` does.

use std::fmt::Write;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{cast, partition};
use arrow::datatypes::{DataType, Float64Type, Schema};
use dframe_core::{Error, Result};

use super::text::{Column, json_options, type_name};
use crate::hive::HIVE_NULL;

/// The bytes that file systems allow a name.
const NAME_BYTES_MAX: usize = 255;

/// Tells rows apart by columns.
pub(super) struct Partitioner {
    /// The columns, by their place.
    columns: Vec<usize>,
    /// `column=` of each, encoded.
    prefixes: Vec<String>,
}

impl Partitioner {
    /// By these columns of `schema`.
    pub(super) fn new(schema: &Schema, columns: Vec<usize>) -> Result<Self> {
        for (place, column) in columns.iter().enumerate() {
            let field = schema.field(*column);
            if columns[..place].contains(column) {
                let message = format!("column '{}' is named twice", field.name());
                return Err(Error::invalid_input(message).remedy("partition by it once"));
            }
            check_type(field.name(), field.data_type())?;
        }
        let prefix = |column: &usize| {
            let mut prefix = String::new();
            encode(schema.field(*column).name(), &mut prefix);
            prefix + "="
        };
        let prefixes = columns.iter().map(prefix).collect();
        Ok(Self { columns, prefixes })
    }

    /// The stretches of rows that belong to one folder, and its path. Rows are told apart in the types of `schema`.
    pub(super) fn stretches(&self, batch: &RecordBatch, schema: &Schema) -> Result<Vec<Stretch>> {
        if self.columns.is_empty() {
            return Ok(vec![Stretch { folder: String::new(), rows: 0..batch.num_rows() }]);
        }
        let plain = |column: &usize| cast(batch.column(*column), schema.field(*column).data_type());
        let columns: Vec<ArrayRef> = self.columns.iter().map(plain).collect::<Result<_, _>>()?;
        let ranges = partition(&columns)?.ranges();
        let stretch =
            |rows: Range<usize>| Ok(Stretch { folder: self.path(&columns, &rows)?, rows });
        ranges.into_iter().map(stretch).collect()
    }

    fn path(&self, columns: &[ArrayRef], rows: &Range<usize>) -> Result<String> {
        let mut path = String::new();
        for (column, prefix) in columns.iter().zip(&self.prefixes) {
            if !path.is_empty() {
                path.push('/');
            }
            let start = path.len();
            path.push_str(prefix);
            append_value(column, rows.start, &mut path)?;
            if path.len() - start > NAME_BYTES_MAX {
                return Err(too_long(&path[start..]));
            }
        }
        Ok(path)
    }
}

/// Rows, one after the other, that belong to a folder.
pub(super) struct Stretch {
    /// The folder, relative to the whole; empty if there are no columns to partition by.
    pub(super) folder: String,
    /// The rows.
    pub(super) rows: Range<usize>,
}

fn check_type(name: &str, data_type: &DataType) -> Result<()> {
    use DataType::{Binary, BinaryView, FixedSizeBinary, LargeBinary};
    let binary = matches!(data_type, Binary | BinaryView | LargeBinary | FixedSizeBinary(_));
    if !binary && !data_type.is_nested() {
        return Ok(());
    }
    let message = format!("a {} cannot be the name of a folder", type_name(data_type));
    Err(Error::unsupported(message).column(name).remedy("partition by a column of text or numbers"))
}

fn too_long(name: &str) -> Error {
    let shown: String = name.chars().take(40).collect();
    Error::invalid_data(format!("'{shown}...' is too long for the name of a folder")).remedy(
        "partition by something shorter, such as the first letters: --partition-by \"left(x, 3) as start\"",
    )
}

fn append_value(column: &ArrayRef, row: usize, path: &mut String) -> Result<()> {
    // Zeros of both signs are equal, so that they come in any order.
    let column = match column.data_type().is_floating() {
        true => &zero_without_sign(column, row)?,
        false => &column.slice(row, 1),
    };
    let batch = RecordBatch::try_from_iter([("value", column.clone())])?;
    let json = json_options();
    let schema = batch.schema();
    let mut text = String::new();
    let mut columns = Column::of_batch(&batch, schema.fields(), &json)?;
    match columns[0].append(0, &mut text)? {
        true => encode_value(&text, path),
        false => path.push_str(HIVE_NULL),
    }
    Ok(())
}

fn zero_without_sign(column: &ArrayRef, row: usize) -> Result<ArrayRef> {
    let one = column.slice(row, 1);
    let wide = cast(&one, &DataType::Float64)?;
    match wide.is_valid(0) && wide.as_primitive::<Float64Type>().value(0) == 0.0 {
        true => Ok(cast(&arrow::array::Int8Array::from(vec![0]), one.data_type())?),
        false => Ok(one),
    }
}

/// The text of a value; one that reads as NULL is told apart.
fn encode_value(text: &str, path: &mut String) {
    match text.strip_prefix('_').filter(|_| text == HIVE_NULL) {
        Some(rest) => {
            path.push_str("%5F");
            path.push_str(rest);
        }
        None => encode(text, path),
    }
}

/// As Hive does, and spaces: what a file system or a shell could take for something else is `%` and two digits.
fn encode(text: &str, path: &mut String) {
    for letter in text.chars() {
        match letter.is_ascii_control() || " \"#%&'*/:;<=>?[\\]^`{|}$!~".contains(letter) {
            true => write!(path, "%{:02X}", u32::from(letter)).unwrap_or_default(),
            false => path.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, Date32Array, Float64Array, Int64Array, StringArray};
    use arrow::datatypes::Field;

    use super::*;

    fn shown(columns: Vec<(&str, ArrayRef)>) -> Vec<String> {
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, column)| (name, column, true)),
        )
        .unwrap();
        let schema = batch.schema();
        let partitioner = Partitioner::new(&schema, (0..batch.num_columns()).collect()).unwrap();
        let stretches = partitioner.stretches(&batch, &schema).unwrap();
        stretches.iter().map(|s| format!("{} {:?}", s.folder, s.rows)).collect()
    }

    #[test]
    fn rows_that_agree_are_a_stretch() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a/b"), Some("a/b"), None]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 1, -2]));
        assert_eq!(
            shown(vec![("the text", texts), ("n", numbers)]),
            ["the%20text=a%2Fb/n=1 0..2", "the%20text=__HIVE_DEFAULT_PARTITION__/n=-2 2..3"]
        );
    }

    #[test]
    fn values_are_written_as_hive_does() {
        let name = |column: ArrayRef| shown(vec![("x", column)]).remove(0);
        assert_eq!(name(Arc::new(Date32Array::from(vec![19782]))), "x=2024-02-29 0..1");
        assert_eq!(name(Arc::new(BooleanArray::from(vec![true]))), "x=true 0..1");
        assert_eq!(name(Arc::new(StringArray::from(vec![""]))), "x= 0..1");
        assert_eq!(name(Arc::new(StringArray::from(vec!["é=\n%"]))), "x=é%3D%0A%25 0..1");
        let null = name(Arc::new(StringArray::from(vec![HIVE_NULL])));
        assert_eq!(null, "x=%5F_HIVE_DEFAULT_PARTITION__ 0..1");
        let zeros: ArrayRef = Arc::new(Float64Array::from(vec![-0.0, 0.0, f64::NAN]));
        assert_eq!(shown(vec![("x", zeros)]), ["x=0.0 0..1", "x=0.0 1..2", "x=NaN 2..3"]);
    }

    #[test]
    fn what_has_no_name_is_refused() {
        let long: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(300)]));
        let batch = RecordBatch::try_from_iter([("x", long)]).unwrap();
        let partitioner = Partitioner::new(&batch.schema(), vec![0]).unwrap();
        assert!(partitioner.stretches(&batch, &batch.schema()).is_err());
        let schema = Schema::new(vec![Field::new("b", DataType::Binary, true)]);
        let error = Partitioner::new(&schema, vec![0]).err().unwrap();
        assert_eq!(error.message(), "a blob cannot be the name of a folder");
        let schema = Schema::new(vec![Field::new("b", DataType::Int8, true)]);
        assert!(Partitioner::new(&schema, vec![0, 0]).is_err());
    }
}
