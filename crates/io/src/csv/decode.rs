//! Turns the text of a unit into batches: records first, then column by column.
//!
//! ```text
//!   text --split--> spans of the columns wanted, row by row --read--> arrays --> batch
//! ```
//!
//! Types are those of the survey, so that every field can be read; one that cannot means that the
//! file has changed.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanBuilder, PrimitiveBuilder, RecordBatch, RecordBatchOptions,
    StringBuilder, new_null_array,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, SchemaRef,
    TimeUnit, TimestampMicrosecondType, TimestampNanosecondType,
};
use dframe_core::{Error, Result};
use dframe_plan::ScannedBatch;

use super::options::CsvOptions;
use super::records::{Fault, Marks, Next, Span, Splitter};
use crate::text::numbers::{float, integer};
use crate::text::{BadRows, BatchSize, Rest, TextFile, boolean, convert, moment, trimmed};

/// What to make of a unit.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// The columns, in order.
    pub(super) schema: SchemaRef,
    /// For each of them, its place in the file; `None` if the file lacks it.
    pub(super) places: Vec<Option<usize>>,
    /// For each of them, whether its type was asked for.
    pub(super) given: Vec<bool>,
    /// The columns of the file.
    pub(super) file_columns: usize,
    pub(super) batch: BatchSize,
}

impl Wanted {
    /// Whether the file has any of the columns.
    pub(super) fn has_text(&self) -> bool {
        self.places.iter().any(Option::is_some)
    }
}

/// The batches of a unit.
pub(super) struct UnitBatches {
    pub(super) file: TextFile,
    pub(super) options: CsvOptions,
    pub(super) marks: Marks,
    pub(super) wanted: Wanted,
    /// What is left of the text of the unit; nothing if no column is wanted.
    pub(super) rest: Rest,
    /// The rows of the text that are before those of the unit.
    pub(super) skip: u64,
    /// The position of the next row.
    pub(super) position: u64,
    /// The rows not yet handed out.
    pub(super) remaining: u64,
}

impl Iterator for UnitBatches {
    type Item = Result<ScannedBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.remaining == 0 {
            return None;
        }
        let step = self.step();
        if step.is_err() {
            self.remaining = 0;
        }
        Some(step)
    }
}

impl UnitBatches {
    fn step(&mut self) -> Result<ScannedBatch> {
        let rows = match self.wanted.has_text() {
            true => self.with_text()?,
            false => self.without_text()?,
        };
        let position = self.position;
        self.position += rows.num_rows() as u64;
        self.remaining -= rows.num_rows() as u64;
        Ok(ScannedBatch { rows, position })
    }

    /// Rows of which nothing is wanted that the file has.
    fn without_text(&self) -> Result<RecordBatch> {
        let rows = self.remaining.min(self.wanted.batch.rows as u64) as usize;
        self.assemble(rows, |_, data_type| Ok(new_null_array(data_type, rows)))
    }

    fn with_text(&mut self) -> Result<RecordBatch> {
        self.skip()?;
        let mut split = self.split()?;
        while split.rows == 0 {
            self.rest.advance(split.end);
            if !self.rest.fill()? {
                return Err(self.file.changed());
            }
            split = self.split()?;
        }
        let text = std::str::from_utf8(&self.rest.text()[..split.end]);
        let text = text.map_err(|_| self.file.changed())?;
        let mut column = 0;
        let batch = self.assemble(split.rows, |index, data_type| {
            let place = self.wanted.places[index];
            if place.is_none() {
                return Ok(new_null_array(data_type, split.rows));
            }
            let spans = split.spans.iter().skip(column).step_by(split.columns);
            column += 1;
            let fields = Fields { text, spans, options: &self.options, marks: self.marks };
            if self.wanted.given[index] {
                return self.converted(fields, data_type, split.rows);
            }
            fields.read(data_type, split.rows).ok_or_else(|| self.file.changed())
        })?;
        self.rest.advance(split.end);
        Ok(batch)
    }

    /// Fields as a type that was asked for, which they may not be of.
    fn converted<'a>(
        &self,
        fields: Fields<'a, impl Iterator<Item = &'a Span> + Clone>,
        data_type: &DataType,
        rows: usize,
    ) -> Result<ArrayRef> {
        let spans = fields.spans.clone();
        let texts = fields.texts(rows, data_type).ok_or_else(|| self.file.changed())?;
        let values = convert::texts(&texts, data_type)?;
        if self.options.bad_rows == BadRows::Null {
            return Ok(values);
        }
        let is_misfit = |row: &usize| values.is_null(*row) && texts.is_valid(*row);
        match (0..rows).find(is_misfit) {
            None => Ok(values),
            Some(row) => {
                let span = spans.clone().nth(row).map_or(0, |span| span.start());
                let line = self.file.line_of(self.rest.offset() + span as u64)?;
                Err(convert::misfit(&texts, row, line, data_type).file(&self.file.path))
            }
        }
    }

    fn assemble(
        &self,
        rows: usize,
        mut column: impl FnMut(usize, &DataType) -> Result<ArrayRef>,
    ) -> Result<RecordBatch> {
        let schema = &self.wanted.schema;
        let columns = schema.fields().iter().enumerate().map(|(index, field)| {
            column(index, field.data_type()).map_err(|error| error.column(field.name()))
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(schema.clone(), columns, &options)
            .map_err(|error| Error::from(error).file(&self.file.path))
    }

    /// Goes to the first row of the unit.
    fn skip(&mut self) -> Result<()> {
        while self.skip > 0 {
            let (records, bytes) = self.records_before()?;
            self.rest.advance(bytes);
            self.skip -= records;
            if self.skip > 0 && !self.rest.fill()? {
                return Err(self.file.changed());
            }
        }
        Ok(())
    }

    /// The number of records at hand, of those to be skipped, and where they end.
    fn records_before(&self) -> Result<(u64, usize)> {
        let mut splitter = self.splitter();
        let (mut fields, mut records, mut bytes) = (Vec::new(), 0, 0);
        while records < self.skip {
            match splitter.next(&mut fields) {
                Next::Record { end, fault, .. } => {
                    records += u64::from(self.take(fault, &mut fields)?);
                    bytes = end;
                }
                Next::Open(at) => return Ok((records, at)),
            }
        }
        Ok((records, bytes))
    }

    fn splitter(&self) -> Splitter<'_> {
        let splitter = Splitter::new(self.rest.text(), 0, self.marks, self.rest.is_last());
        splitter.keeping_empty(self.wanted.file_columns == 1)
    }

    /// Whether a record is a row; one that is bad is made one if that was asked for.
    fn take(&self, fault: Option<Fault>, fields: &mut Vec<Span>) -> Result<bool> {
        if fault.is_none() && fields.len() == self.wanted.file_columns {
            return Ok(true);
        }
        match self.options.bad_rows {
            _ if fault == Some(Fault::Unclosed) => Err(self.file.changed()),
            BadRows::Error => Err(self.file.changed()),
            BadRows::Skip => Ok(false),
            BadRows::Null => {
                fields.resize(self.wanted.file_columns, Span::missing());
                Ok(true)
            }
        }
    }

    /// The records of the next batch: those at hand, none if none is whole.
    fn split(&self) -> Result<Split> {
        let places: Vec<usize> = self.wanted.places.iter().flatten().copied().collect();
        let rows_max = self.remaining.min(self.wanted.batch.rows as u64) as usize;
        let mut splitter = self.splitter();
        let mut split = Split { rows: 0, columns: places.len(), end: 0, spans: Vec::new() };
        split.spans.reserve(rows_max * places.len());
        let mut fields = Vec::with_capacity(self.wanted.file_columns);
        let bytes_max = self.wanted.batch.bytes;
        while split.rows < rows_max && (split.rows == 0 || split.end < bytes_max) {
            match splitter.next(&mut fields) {
                Next::Record { end, fault, .. } => {
                    if self.take(fault, &mut fields)? {
                        split.spans.extend(places.iter().map(|place| fields[*place]));
                        split.rows += 1;
                    }
                    split.end = end;
                }
                Next::Open(at) if !self.rest.is_last() => {
                    if split.rows == 0 {
                        split.end = at;
                    }
                    break;
                }
                Next::Open(_) => return Err(self.file.changed()),
            }
        }
        Ok(split)
    }
}

/// Records, cut into fields.
struct Split {
    rows: usize,
    /// The columns of which there are spans, row by row.
    columns: usize,
    spans: Vec<Span>,
    /// Where in the text at hand the next record begins.
    end: usize,
}

/// The fields of one column.
struct Fields<'a, S> {
    text: &'a str,
    spans: S,
    options: &'a CsvOptions,
    marks: Marks,
}

impl<'a, S: Iterator<Item = &'a Span> + Clone> Fields<'a, S> {
    /// The values; `None` if there is a field that is none of the type.
    fn read(self, data_type: &DataType, rows: usize) -> Option<ArrayRef> {
        match data_type {
            DataType::Boolean => self.booleans(rows),
            DataType::Int64 => self.each::<Int64Type>(rows, data_type, integer),
            DataType::Float64 => self.each::<Float64Type>(rows, data_type, float),
            DataType::Date32 => self.each::<Date32Type>(rows, data_type, |field| {
                moment::parse(field).filter(|moment| moment.is_date).map(|moment| moment.days)
            }),
            DataType::Decimal128(..) => self.each::<Decimal128Type>(rows, data_type, |field| {
                std::str::from_utf8(field).ok()?.parse().ok()
            }),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                self.each::<TimestampMicrosecondType>(rows, data_type, |field| {
                    moment::parse(field).map(|moment| moment.in_micros())
                })
            }
            DataType::Timestamp(..) => {
                self.each::<TimestampNanosecondType>(rows, data_type, |field| {
                    moment::parse(field).and_then(|moment| moment.in_nanos())
                })
            }
            _ => self.texts(rows, data_type),
        }
    }

    /// The field, `None` where it is NULL for a column that is not of text.
    #[inline]
    fn field(&self, span: Span) -> Option<&'a [u8]> {
        let field = &self.text.as_bytes()[span.range()];
        let is_null = field.is_empty() || (!span.is_quoted() && self.options.is_null(field));
        (!is_null).then_some(field)
    }

    fn is_null(&self, span: Span, field: &str, keeps_empty: bool) -> bool {
        match span.is_quoted() {
            true => field.is_empty() && !keeps_empty,
            false => self.options.is_null(field.as_bytes()),
        }
    }

    fn each<T: ArrowPrimitiveType>(
        self,
        rows: usize,
        data_type: &DataType,
        read: impl Fn(&[u8]) -> Option<T::Native>,
    ) -> Option<ArrayRef> {
        let builder = PrimitiveBuilder::<T>::with_capacity(rows);
        let mut builder = builder.with_data_type(data_type.clone());
        for span in self.spans.clone() {
            match self.field(*span) {
                None => builder.append_null(),
                Some(field) => builder.append_value(read(field).or_else(|| read(trimmed(field)))?),
            }
        }
        Some(Arc::new(builder.finish()))
    }

    fn booleans(self, rows: usize) -> Option<ArrayRef> {
        let mut builder = BooleanBuilder::with_capacity(rows);
        for span in self.spans.clone() {
            match self.field(*span) {
                None => builder.append_null(),
                Some(field) => builder.append_value(boolean(field)?),
            }
        }
        Some(Arc::new(builder.finish()))
    }

    /// The fields as they are; an empty one in quotes is NULL unless the column is of text.
    fn texts(self, rows: usize, data_type: &DataType) -> Option<ArrayRef> {
        let keeps_empty = *data_type == DataType::Utf8;
        let bytes = self.spans.clone().map(|span| span.range().len()).sum();
        let mut builder = StringBuilder::with_capacity(rows, bytes);
        for span in self.spans.clone() {
            let field = self.text.get(span.range())?;
            if span.is_doubled() {
                let quote = char::from(self.marks.quote?);
                builder.append_value(field.replace(&format!("{quote}{quote}"), &quote.to_string()));
            } else if self.is_null(*span, field, keeps_empty) {
                builder.append_null();
            } else {
                builder.append_value(field);
            }
        }
        Some(Arc::new(builder.finish()))
    }
}
