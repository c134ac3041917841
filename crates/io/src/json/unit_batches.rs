//! Turns the text of a unit into batches.
//!
//! ```text
//!   text --records--> decoder of the arrow crate --> dates, types that were asked for --> batch
//! ```
//!
//! Types are those of the survey, so that every value can be read; one that cannot means that the
//! file has changed.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use arrow::json::reader::Decoder;
use dframe_core::{Error, Result};
use dframe_plan::ScannedBatch;

use super::options::JsonOptions;
use super::records::{Layout, Next};
use super::scalars::Scalars;
use super::scan;
use super::shape::Shape;
use super::values;
use crate::text::{BadRows, BatchSize, Rest, TextFile, convert};

/// The batches of a unit.
pub(super) struct UnitBatches {
    pub(super) file: TextFile,
    pub(super) layout: Layout,
    pub(super) options: JsonOptions,
    pub(super) wanted: Wanted,
    /// What is left of the text of the unit; nothing if no column is wanted.
    pub(super) rest: Rest,
    /// The rows of the text that are before those of the unit.
    pub(super) skip: u64,
    /// The position of the next row.
    pub(super) position: u64,
    /// The rows not yet handed out.
    pub(super) remaining: u64,
    pub(super) decoder: Option<Values>,
    /// Of records that may be bad.
    pub(super) scratch: Shape,
}

/// What to make of a unit.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// The columns, in order.
    pub(super) schema: SchemaRef,
    /// For each of them, its place among those that are decoded; `None` if the file lacks it.
    pub(super) places: Vec<Option<usize>>,
    /// For each of them, whether its type was asked for.
    pub(super) given: Vec<bool>,
    /// The columns that are decoded.
    pub(super) decoded: SchemaRef,
    pub(super) batch: BatchSize,
}

impl Wanted {
    /// A decoder of as many rows as a batch has; `None` if no column is wanted.
    pub(super) fn decoder(&self) -> Result<Option<Values>> {
        if self.decoded.fields().is_empty() {
            return Ok(None);
        }
        if let Some(scalars) = Scalars::new(&self.decoded) {
            return Ok(Some(Values::Single(scalars)));
        }
        let builder = ReaderBuilder::new(self.decoded.clone()).with_coerce_primitive(true);
        let decoder = builder.with_batch_size(self.batch.rows.max(1)).build_decoder()?;
        Ok(Some(Values::Any(Box::new(decoder))))
    }
}

/// Who makes values of records.
pub(super) enum Values {
    /// Of columns of single values.
    Single(Scalars),
    Any(Box<Decoder>),
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
        Some(step.map_err(|error| error.file(&self.file.path)))
    }
}

/// The records of a batch.
struct Split {
    /// Where they are in the text at hand. A record that is a row of NULLs is nowhere.
    records: Vec<Range<usize>>,
    /// Where the next record begins.
    end: usize,
}

impl UnitBatches {
    fn step(&mut self) -> Result<ScannedBatch> {
        let rows = match self.decoder.is_some() {
            true => self.with_text()?,
            false => {
                let rows = self.remaining.min(self.wanted.batch.rows as u64) as usize;
                self.assemble(rows, |_, data_type| Ok(new_null_array(data_type, rows)))?
            }
        };
        let position = self.position;
        self.position += rows.num_rows() as u64;
        self.remaining -= rows.num_rows() as u64;
        Ok(ScannedBatch { rows, position })
    }

    fn with_text(&mut self) -> Result<RecordBatch> {
        while self.skip > 0 {
            let split = self.split(self.skip)?;
            self.skip -= split.records.len() as u64;
            self.rest.advance(split.end);
            if self.skip > 0 && split.records.is_empty() && !self.rest.fill()? {
                return Err(self.file.changed());
            }
        }
        let mut split = self.split(self.remaining)?;
        while split.records.is_empty() {
            self.rest.advance(split.end);
            if !self.rest.fill()? {
                return Err(self.file.changed());
            }
            split = self.split(self.remaining)?;
        }
        let decoded = self.decode(&split)?;
        let batch = self.assemble(split.records.len(), |index, data_type| {
            let Some(place) = self.wanted.places[index] else {
                return Ok(new_null_array(data_type, split.records.len()));
            };
            let values = &decoded[place];
            match self.wanted.given[index] {
                true => self.converted(values, data_type, &split),
                false => values::revived(values, data_type).ok_or_else(|| self.file.changed()),
            }
        })?;
        self.rest.advance(split.end);
        Ok(batch)
    }

    /// Texts as a type that was asked for, which they may not be of.
    fn converted(&self, texts: &ArrayRef, data_type: &DataType, split: &Split) -> Result<ArrayRef> {
        let values = convert::texts(texts, data_type)?;
        if self.options.bad_rows == BadRows::Null {
            return Ok(values);
        }
        let is_misfit = |row: &usize| values.is_null(*row) && texts.is_valid(*row);
        match (0..texts.len()).find(is_misfit) {
            None => Ok(values),
            Some(row) => {
                let start = split.records[row].start as u64;
                let line = self.file.line_of(self.rest.offset() + start)?;
                Err(convert::misfit(texts, row, line, data_type))
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
        Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
    }

    /// The next records at hand, as many as a batch has and `rows_max` allows.
    fn split(&mut self, rows_max: u64) -> Result<Split> {
        let rows_max = rows_max.min(self.wanted.batch.rows as u64) as usize;
        let (text, is_last) = (self.rest.text(), self.rest.is_last());
        let mut split = Split { records: Vec::new(), end: 0 };
        let is_full = |split: &Split| split.end >= self.wanted.batch.bytes;
        while split.records.len() < rows_max && (split.records.is_empty() || !is_full(&split)) {
            match self.layout.next(text, split.end, is_last) {
                Next::Record(record, next) => {
                    match self.options.bad_rows {
                        BadRows::Error => split.records.push(record),
                        fate => {
                            let is_good = scan::record(&text[record.clone()], &mut self.scratch);
                            match (is_good, fate) {
                                (Ok(()), _) => split.records.push(record),
                                (Err(_), BadRows::Null) => {
                                    split.records.push(record.start..record.start);
                                }
                                (Err(_), _) => (),
                            }
                        }
                    }
                    split.end = next;
                }
                Next::Open(at) if !is_last => {
                    if split.records.is_empty() {
                        split.end = at;
                    }
                    break;
                }
                Next::Open(_) | Next::End(_) => break,
            }
        }
        Ok(split)
    }

    /// The columns of the records.
    fn decode(&mut self, split: &Split) -> Result<Vec<ArrayRef>> {
        let text = self.rest.text();
        match &mut self.decoder {
            Some(Values::Single(scalars)) => {
                scalars.decode(text, &split.records).ok_or_else(|| self.file.changed())
            }
            Some(Values::Any(decoder)) => {
                let is_one =
                    self.layout == Layout::Lines && self.options.bad_rows == BadRows::Error;
                let batch = any(decoder, text, &split.records, is_one);
                let batch = batch.map_err(|error| self.file.changed().source(error))?;
                let batch = batch.filter(|batch| batch.num_rows() == split.records.len());
                Ok(batch.ok_or_else(|| self.file.changed())?.columns().to_vec())
            }
            None => Err(Error::internal("there is nothing to decode")),
        }
    }
}

/// Decodes records: all at once if what is between them is blank.
fn any(
    decoder: &mut Decoder,
    text: &[u8],
    records: &[Range<usize>],
    is_one: bool,
) -> Result<Option<RecordBatch>, ArrowError> {
    let mut feed = |bytes: &[u8]| match decoder.decode(bytes)? {
        count if count == bytes.len() => Ok(()),
        _ => Err(ArrowError::JsonError("a record is more than one".to_string())),
    };
    match records {
        [first, .., last] if is_one => feed(&text[first.start..last.end])?,
        records => {
            for record in records {
                let bytes = &text[record.clone()];
                feed(if bytes.is_empty() { b"{}" } else { bytes })?;
            }
        }
    }
    decoder.flush()
}
