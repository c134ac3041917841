//! A table of an SQLite database, which is made beside its place and renamed at the end.
//!
//! Numbers, texts and blobs are SQLite's own, booleans are 0 and 1. Dates and timestamps are texts in columns that
//! are declared as what they are, so that reading gives back the same types; whatever else there is is text. SQLite
//! has no NaN: it is NULL, and counted.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, SchemaRef, UInt64Type};
use dframe_core::{Error, Result};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, params_from_iter};
use tempfile::TempPath;

use super::beside;
use super::output::failed as not_written;
use super::text::{Column as TextColumn, json_options};
use super::{Sink, SinkOptions, SinkReport};
use crate::sqlite::{failed, quoted};

pub(super) struct SqliteSink {
    connection: Connection,
    temporary: TempPath,
    /// Held until the file is in its place, or gone.
    _lock: File,
    target: PathBuf,
    insert: String,
    schema: SchemaRef,
    rows: u64,
    not_numbers: u64,
}

impl SqliteSink {
    pub(super) fn new(target: &Path, schema: SchemaRef, options: &SinkOptions) -> Result<Self> {
        let file = beside::file(target).map_err(|error| not_written(error, target))?;
        let (temporary, lock) = (file.made.into_temp_path(), file.lock);
        let stem = target.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let table = options.table_name.clone().or(stem).unwrap_or_default();
        let columns: Vec<String> = schema.fields().iter().map(|field| declaration(field)).collect();
        let create = format!("CREATE TABLE {} ({})", quoted(&table), columns.join(", "));
        let places = vec!["?"; columns.len()].join(", ");
        let insert = format!("INSERT INTO {} VALUES ({places})", quoted(&table));
        let connection = Connection::open(&temporary).map_err(|error| failed(error, target))?;
        // Whole or not at all is the business of the rename.
        let begin =
            format!("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN; {create};");
        connection.execute_batch(&begin).map_err(|error| refused(error, target))?;
        let target = target.to_path_buf();
        Ok(Self {
            connection,
            temporary,
            _lock: lock,
            target,
            insert,
            schema,
            rows: 0,
            not_numbers: 0,
        })
    }
}

/// A table that SQLite does not make: too many columns, names that differ in case only.
fn refused(error: rusqlite::Error, target: &Path) -> Error {
    Error::invalid_input(format!("SQLite cannot make the table: {error}"))
        .file(target)
        .remedy("choose other names, or fewer columns")
}

/// A column, declared so that its values stay what they are.
fn declaration(field: &Field) -> String {
    let declared = match field.data_type() {
        DataType::Boolean => "BOOLEAN",
        other if other.is_integer() => "INTEGER",
        other if other.is_floating() => "REAL",
        DataType::Date32 | DataType::Date64 => "DATE",
        DataType::Timestamp(_, None) => "TIMESTAMP",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "BLOB",
        DataType::FixedSizeBinary(_) => "BLOB",
        _ => "TEXT",
    };
    format!("{} {declared}", quoted(field.name()))
}

impl Sink for SqliteSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = batch.columns().iter().zip(self.schema.fields());
        let columns = columns.map(|(array, field)| plain(array, field));
        let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
        let json = json_options();
        let fields = self.schema.fields();
        let mut writers = columns.iter().zip(fields).map(|(array, field)| {
            Values::new(array, || TextColumn::new(array.as_ref(), field, &json))
        });
        let mut writers: Vec<Values<'_>> = writers.by_ref().collect::<Result<_>>()?;
        let failed = |error| failed(error, &self.target);
        let mut statement = self.connection.prepare_cached(&self.insert).map_err(failed)?;
        for row in 0..batch.num_rows() {
            let values = writers.iter_mut().map(|values| values.at(row));
            let values: Vec<Value<'_>> = values.collect::<Result<_>>()?;
            statement.execute(params_from_iter(values)).map_err(failed)?;
        }
        self.rows += batch.num_rows() as u64;
        self.not_numbers += columns.iter().map(nans).sum::<u64>();
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<SinkReport> {
        let this = *self;
        this.connection.execute_batch("COMMIT").map_err(|error| failed(error, &this.target))?;
        this.connection.close().map_err(|(_, error)| failed(error, &this.target))?;
        let length = std::fs::metadata(&this.temporary).map(|file| file.len());
        let bytes = length.map_err(|error| not_written(error, &this.target))?;
        let placed = this.temporary.persist(&this.target);
        placed.map_err(|error| not_written(error.error, &this.target))?;
        let (rows, not_numbers) = (this.rows, this.not_numbers);
        Ok(SinkReport { rows, bytes, not_numbers, files: 1 })
    }
}

/// The column in a type that [`Values`] knows.
fn plain(array: &ArrayRef, field: &Field) -> Result<ArrayRef> {
    let to = match field.data_type() {
        DataType::UInt64 => DataType::UInt64,
        other if other.is_integer() || *other == DataType::Boolean => DataType::Int64,
        other if other.is_floating() => DataType::Float64,
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::FixedSizeBinary(_) => DataType::Binary,
        other => other.clone(),
    };
    match *array.data_type() == to {
        true => Ok(array.clone()),
        false => cast(array, &to).map_err(|error| Error::from(error).column(field.name())),
    }
}

fn nans(array: &ArrayRef) -> u64 {
    let floats = array.as_primitive_opt::<Float64Type>();
    floats.map_or(0, |floats| floats.iter().flatten().filter(|x| x.is_nan()).count() as u64)
}

/// A column whose values SQLite is given one by one.
enum Values<'a> {
    Integers(&'a arrow::array::Int64Array),
    Unsigned(&'a arrow::array::UInt64Array),
    Reals(&'a arrow::array::Float64Array),
    Texts(&'a arrow::array::StringArray),
    Blobs(&'a arrow::array::BinaryArray),
    Others(TextColumn<'a>),
}

/// A value on its way.
enum Value<'a> {
    Borrowed(ValueRef<'a>),
    Owned(String),
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Borrowed(value) => *value,
            Self::Owned(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

impl<'a> Values<'a> {
    fn new(array: &'a ArrayRef, others: impl FnOnce() -> Result<TextColumn<'a>>) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Int64 => Self::Integers(array.as_primitive::<Int64Type>()),
            DataType::UInt64 => Self::Unsigned(array.as_primitive::<UInt64Type>()),
            DataType::Float64 => Self::Reals(array.as_primitive::<Float64Type>()),
            DataType::Utf8 => Self::Texts(array.as_string()),
            DataType::Binary => Self::Blobs(array.as_binary()),
            _ => Self::Others(others()?),
        })
    }

    fn at(&mut self, row: usize) -> Result<Value<'a>> {
        let value = match self {
            Self::Others(column) => {
                let mut text = String::new();
                return Ok(match column.append(row, &mut text)? {
                    true => Value::Owned(text),
                    false => Value::Borrowed(ValueRef::Null),
                });
            }
            Self::Integers(array) => {
                array.is_valid(row).then(|| ValueRef::Integer(array.value(row)))
            }
            Self::Reals(array) => array.is_valid(row).then(|| ValueRef::Real(array.value(row))),
            Self::Texts(array) => {
                array.is_valid(row).then(|| ValueRef::Text(array.value(row).as_bytes()))
            }
            Self::Blobs(array) => array.is_valid(row).then(|| ValueRef::Blob(array.value(row))),
            Self::Unsigned(array) => match array.is_valid(row) {
                true => Some(ValueRef::Integer(signed(array.value(row))?)),
                false => None,
            },
        };
        Ok(Value::Borrowed(value.unwrap_or(ValueRef::Null)))
    }
}

fn signed(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|_| {
        Error::invalid_data(format!("SQLite has no integer as large as {number}"))
            .remedy("cast the column to varchar or double")
    })
}
