//! Values of rows as bytes, and arrays made of them.
//!
//! ```text
//!   0                 NULL
//!   1, 2  8 bytes     an integer, a real
//!   3, 4  4 bytes ..  a text, a blob: the length, then so many bytes
//! ```

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Float64Builder, Int64Builder,
    RecordBatch, RecordBatchOptions, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, SchemaRef};
use bytes::{Buf, Bytes};
use dframe_core::{Error, Result};
use dframe_plan::{ScanUnit, ScannedBatch};
use rusqlite::types::ValueRef;

use super::database::changed;
use crate::text::moment;

/// Appends a value.
pub(super) fn append(value: ValueRef<'_>, out: &mut Vec<u8>) {
    let mut sized = |tag: u8, bytes: &[u8]| {
        out.push(tag);
        // SQLite holds no value of more than 2 GiB.
        out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        out.extend_from_slice(bytes);
    };
    match value {
        ValueRef::Text(text) => sized(3, text),
        ValueRef::Blob(bytes) => sized(4, bytes),
        ValueRef::Null => out.push(0),
        ValueRef::Integer(number) => {
            out.push(1);
            out.extend_from_slice(&number.to_le_bytes());
        }
        ValueRef::Real(number) => {
            out.push(2);
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
}

/// The bytes that [`append`] takes for it.
pub(super) fn length(value: ValueRef<'_>) -> u64 {
    match value {
        ValueRef::Null => 1,
        ValueRef::Integer(_) | ValueRef::Real(_) => 9,
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => 5 + bytes.len() as u64,
    }
}

/// A value among the bytes of a unit.
enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(Bytes),
    Blob(Bytes),
}

fn next(bytes: &mut Bytes) -> Option<Value> {
    Some(match bytes.try_get_u8().ok()? {
        0 => Value::Null,
        1 => Value::Integer(bytes.try_get_i64_le().ok()?),
        2 => Value::Real(bytes.try_get_f64_le().ok()?),
        3 => Value::Text(sized(bytes)?),
        _ => Value::Blob(sized(bytes)?),
    })
}

fn sized(bytes: &mut Bytes) -> Option<Bytes> {
    let length = bytes.try_get_u32_le().ok()? as usize;
    (length <= bytes.len()).then(|| bytes.split_to(length))
}

/// Batches of a unit.
pub(super) struct UnitBatches {
    schema: SchemaRef,
    bytes: Bytes,
    rows: u64,
    position: u64,
    batch_rows: usize,
    path: PathBuf,
}

impl UnitBatches {
    pub(super) fn new(schema: SchemaRef, bytes: Bytes, unit: &ScanUnit, path: PathBuf) -> Self {
        let (rows, position, batch_rows) = (unit.row_count(), unit.position, unit.batch_rows);
        Self { schema, bytes, rows, position, batch_rows, path }
    }

    fn batch(&mut self, rows: usize) -> Result<RecordBatch> {
        let fields = self.schema.fields();
        let mut columns: Vec<Column> =
            fields.iter().map(|field| Column::new(field.data_type(), rows)).collect();
        for _ in 0..rows {
            for (column, field) in columns.iter_mut().zip(fields) {
                let value = next(&mut self.bytes)
                    .ok_or_else(|| Error::internal("a value of a database is cut off"))?;
                column.append(value).ok_or_else(|| changed().column(field.name()))?;
            }
        }
        let columns = columns.into_iter().map(Column::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }
}

impl Iterator for UnitBatches {
    type Item = Result<ScannedBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows = self.rows.min(self.batch_rows.max(1) as u64);
        if rows == 0 {
            return None;
        }
        let position = self.position;
        self.rows -= rows;
        self.position += rows;
        let batch = self.batch(rows as usize).map_err(|error| error.file(&self.path));
        Some(batch.map(|rows| ScannedBatch { rows, position }))
    }
}

/// An array in the making.
enum Column {
    Boolean(BooleanBuilder),
    Integer(Int64Builder),
    Real(Float64Builder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    Text(StringBuilder),
    Blob(BinaryBuilder),
}

impl Column {
    fn new(data_type: &DataType, rows: usize) -> Self {
        match data_type {
            DataType::Boolean => Self::Boolean(BooleanBuilder::with_capacity(rows)),
            DataType::Int64 => Self::Integer(Int64Builder::with_capacity(rows)),
            DataType::Float64 => Self::Real(Float64Builder::with_capacity(rows)),
            DataType::Date32 => Self::Date(Date32Builder::with_capacity(rows)),
            DataType::Timestamp(..) => {
                Self::Timestamp(TimestampMicrosecondBuilder::with_capacity(rows))
            }
            DataType::Binary => Self::Blob(BinaryBuilder::new()),
            _ => Self::Text(StringBuilder::new()),
        }
    }

    /// Takes a value; `None` if it is none of the column's type.
    fn append(&mut self, value: Value) -> Option<()> {
        match (self, value) {
            (column, Value::Null) => column.append_null(),
            (Self::Boolean(column), Value::Integer(bit @ 0..=1)) => column.append_value(bit == 1),
            (Self::Integer(column), Value::Integer(number)) => column.append_value(number),
            (Self::Real(column), Value::Real(number)) => column.append_value(number),
            (Self::Real(column), Value::Integer(number)) => column.append_value(number as f64),
            (Self::Date(column), Value::Text(text)) => {
                column.append_value(moment::parse(&text).filter(|moment| moment.is_date)?.days)
            }
            (Self::Timestamp(column), Value::Text(text)) => {
                column.append_value(moment::parse(&text)?.in_micros())
            }
            (Self::Text(column), Value::Text(text)) => {
                column.append_value(std::str::from_utf8(&text).ok()?)
            }
            (Self::Text(column), value) => column.append_value(as_text(&value)?),
            (Self::Blob(column), Value::Text(bytes) | Value::Blob(bytes)) => {
                column.append_value(bytes)
            }
            (Self::Blob(column), value) => column.append_value(as_text(&value)?),
            _ => return None,
        }
        Some(())
    }

    fn append_null(&mut self) {
        match self {
            Self::Boolean(column) => column.append_null(),
            Self::Integer(column) => column.append_null(),
            Self::Real(column) => column.append_null(),
            Self::Date(column) => column.append_null(),
            Self::Timestamp(column) => column.append_null(),
            Self::Text(column) => column.append_null(),
            Self::Blob(column) => column.append_null(),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Boolean(mut column) => Arc::new(column.finish()),
            Self::Integer(mut column) => Arc::new(column.finish()),
            Self::Real(mut column) => Arc::new(column.finish()),
            Self::Date(mut column) => Arc::new(column.finish()),
            Self::Timestamp(mut column) => Arc::new(column.finish()),
            Self::Text(mut column) => Arc::new(column.finish()),
            Self::Blob(mut column) => Arc::new(column.finish()),
        }
    }
}

/// Numbers as texts, as SQLite writes them but with all digits that a real needs.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::Integer(number) => Some(number.to_string()),
        Value::Real(number) => Some(format!("{number:?}")),
        Value::Text(_) | Value::Blob(_) | Value::Null => None,
    }
}
