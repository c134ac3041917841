//! Turns a unit's bytes into batches: dictionaries first, then record batch by record batch, each
//! handed out in slices.
//!
//! ```text
//!   Fetched --> dictionaries
//!           --> record batch --slices of batch_rows--> cast, fill --> batch (schema types)
//! ```
//!
//! Nothing here waits. Corrupt bytes that make a step panic are an error like others.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::CompressionType;
use bytes::Bytes;
use dframe_core::{Error, Fetched, Result};
use dframe_plan::{ScanRequest, ScanUnit, ScannedBatch};

use super::arrays::Arrays;
use super::index::{DictionaryPlace, Index, message_of};
use super::planned::{Planned, Precision, Walk};
use super::units::{Piece, dictionaries, pieces, plan};
use super::{IpcSource, SourceFile, corrupt, types};
use crate::guard::guarded;

/// The batches of a unit, decoded one by one.
pub(super) struct UnitBatches {
    source: Arc<IpcSource>,
    unit: ScanUnit,
    fetched: Fetched,
    wanted: Vec<usize>,
    /// For each column of the batches, its place among those wanted; `None` if the file lacks it.
    places: Vec<Option<usize>>,
    /// The types of the source's columns.
    schema: SchemaRef,
    dictionaries: HashMap<i64, ArrayRef>,
    /// Dictionaries in the type of the source, for columns that stay coded.
    coded: HashMap<i64, Option<ArrayRef>>,
    /// The number of the piece that is decoded next.
    next: usize,
    /// What has been decoded of a record batch and not handed out.
    current: Option<Current>,
    position: u64,
    allowed: Cell<u64>,
    zstd: RefCell<Option<zstd::bulk::Decompressor<'static>>>,
}

/// A record batch that is handed out in slices.
struct Current {
    /// Each column, in the order of the file.
    columns: Vec<Column>,
    /// The rows not yet handed out.
    rows: Range<usize>,
}

/// A column as it was decoded.
enum Column {
    Plain(ArrayRef),
    /// Keys, and the values in the type of the source.
    Coded(ArrayRef, ArrayRef),
}

impl UnitBatches {
    pub(super) fn new(
        source: Arc<IpcSource>,
        unit: &ScanUnit,
        fetched: Fetched,
        request: &ScanRequest,
    ) -> Result<Self> {
        let file = source.file(unit)?;
        let wanted = file.wanted(request);
        let place = |column: &usize| wanted.binary_search(&file.places[*column]?).ok();
        let places = request.projection.iter().map(place).collect();
        let schema = Arc::new(source.schema.project(&request.projection)?);
        let mut batches = Self {
            unit: unit.clone(),
            fetched,
            wanted,
            places,
            schema,
            dictionaries: HashMap::new(),
            coded: HashMap::new(),
            next: 0,
            current: None,
            position: unit.position,
            allowed: Cell::new(unit.decode_bytes),
            zstd: RefCell::default(),
            source: source.clone(),
        };
        batches.read_dictionaries().map_err(|error| error.file(&file.index.path))?;
        Ok(batches)
    }

    fn file(&self) -> &SourceFile {
        &self.source.files[self.unit.file as usize]
    }

    fn read_dictionaries(&mut self) -> Result<()> {
        let source = self.source.clone();
        let index = &source.files[self.unit.file as usize].index;
        for place in dictionaries(index, &pieces(index, &self.unit), &self.wanted) {
            let head = self.head(place.place.offset, place.place.head)?;
            let (planned, codec) = plan_values(index, place, &head)?;
            let values = self.array(&planned[0], codec)?;
            let values = match self.dictionaries.get(&place.id).filter(|_| is_delta(&head)) {
                Some(known) => concat(&[known, &values])?,
                None => values,
            };
            self.dictionaries.insert(place.id, values);
        }
        Ok(())
    }

    fn head(&self, offset: u64, length: u64) -> Result<Bytes> {
        let head = self.fetched.slice(offset, length as usize);
        head.ok_or_else(|| Error::internal("the head of a message was not fetched"))
    }

    fn array(&self, planned: &Planned, codec: Option<CompressionType>) -> Result<ArrayRef> {
        guarded(|| self.arrays(codec).make(planned), panicked)
    }

    fn arrays(&self, codec: Option<CompressionType>) -> Arrays<'_> {
        Arrays {
            fetched: &self.fetched,
            codec,
            dictionaries: &self.dictionaries,
            allowed: &self.allowed,
            zstd: &self.zstd,
        }
    }

    fn step(&mut self) -> Result<Option<ScannedBatch>> {
        loop {
            if let Some(current) = &mut self.current
                && !current.rows.is_empty()
            {
                let start = current.rows.start;
                let count = current.rows.len().min(self.unit.batch_rows.max(1));
                current.rows.start += count;
                return self.slice(start, count).map(Some);
            }
            let source = self.source.clone();
            let index = &source.files[self.unit.file as usize].index;
            let pieces = pieces(index, &self.unit);
            let Some(piece) = pieces.get(self.next) else { return Ok(None) };
            self.next += 1;
            self.current = None;
            let current = self.decode(index, piece);
            self.current = Some(current.map_err(|error| blame(error, piece.number))?);
        }
    }

    /// Decodes the wanted rows of a record batch.
    fn decode(&mut self, index: &Index, piece: &Piece<'_>) -> Result<Current> {
        let first = piece.cut().map_or(0, |cut| cut.start);
        let skip = (piece.rows.start - first) as usize;
        let rows = skip..skip + (piece.rows.end - piece.rows.start) as usize;
        if self.wanted.is_empty() {
            return Ok(Current { columns: vec![], rows });
        }
        // The batch before is gone.
        self.allowed.set(self.unit.decode_bytes);
        let head = self.head(piece.batch.place.offset, piece.batch.place.head)?;
        let codec = codec_of(&head)?;
        let fetched = self.fetched.clone();
        let mut read = move |range: Range<u64>| {
            let bytes = fetched.slice(range.start, (range.end - range.start) as usize);
            bytes.ok_or_else(|| Error::internal("offsets were not fetched"))
        };
        let planned = plan(index, piece, &self.wanted, &head, Precision::Exact, &mut read)?;
        let mut columns = Vec::with_capacity(planned.len());
        for (place, planned) in self.wanted.clone().iter().zip(&planned) {
            let name = index.wire.field(*place).name();
            let column = self.column(planned, codec, &piece.rows, first);
            let column = column.map_err(|error| error.column(name))?;
            if column.len() < rows.end {
                return Err(corrupt("a column", "it has fewer rows than its batch").column(name));
            }
            columns.push(column);
        }
        Ok(Current { columns, rows })
    }

    fn column(
        &mut self,
        planned: &Planned,
        codec: Option<CompressionType>,
        rows: &Range<u64>,
        first: u64,
    ) -> Result<Column> {
        if let (Some(id), DataType::Dictionary(keys, _)) = (planned.dictionary, &planned.data_type)
            && types::stays_dictionary(&planned.data_type)
            && let Some(values) = self.coded(id, &planned.data_type)?
        {
            let keys = guarded(|| self.arrays(codec).keys(planned, keys), panicked)?;
            return Ok(Column::Coded(keys, values));
        }
        let array = self.array(planned, codec)?;
        // A column that cannot be cut was read whole.
        let is_whole = array.len() as u64 > rows.end - first && codec.is_none() && first > 0;
        Ok(Column::Plain(match is_whole {
            true => array.slice(first as usize, (rows.end - first) as usize),
            false => array,
        }))
    }

    /// A dictionary in the type of the source; `None` if one of its values is NULL, which only keys may
    /// be.
    fn coded(&mut self, id: i64, wire: &DataType) -> Result<Option<ArrayRef>> {
        if let Some(known) = self.coded.get(&id) {
            return Ok(known.clone());
        }
        let logical = types::logical(wire)?;
        let values = match self.dictionaries.get(&id) {
            None => Some(arrow::array::new_empty_array(&logical)),
            Some(values) if values.logical_null_count() > 0 => None,
            Some(values) => Some(types::conform(values, &logical)?),
        };
        self.coded.insert(id, values.clone());
        Ok(values)
    }

    /// Rows of the current record batch, in the types of the source.
    fn slice(&mut self, start: usize, count: usize) -> Result<ScannedBatch> {
        let current = self.current.as_ref().expect("a batch has been decoded");
        let mut fields = Vec::with_capacity(self.places.len());
        let mut columns = Vec::with_capacity(self.places.len());
        for (field, place) in self.schema.fields().iter().zip(&self.places) {
            let column = match place.map(|place| &current.columns[place]) {
                Some(column) => column
                    .conform(start, count, field)
                    .map_err(|error| error.column(field.name()).file(&self.file().index.path))?,
                None => new_null_array(field.data_type(), count),
            };
            fields.push(field.as_ref().clone().with_data_type(column.data_type().clone()));
            columns.push(column);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let schema = Arc::new(Schema::new(fields));
        let rows = RecordBatch::try_new_with_options(schema, columns, &options)?;
        let position = self.position;
        self.position += count as u64;
        Ok(ScannedBatch { rows, position })
    }
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Column::Plain(array) | Column::Coded(array, _) => array.len(),
        }
    }

    /// Some of its rows in the type of `field`, or as a dictionary of that.
    fn conform(&self, start: usize, count: usize, field: &Field) -> Result<ArrayRef> {
        match self {
            Column::Plain(array) => types::conform(&array.slice(start, count), field.data_type()),
            Column::Coded(keys, values) => {
                let coded = types::coded(&keys.slice(start, count), values)?;
                match values.data_type() == field.data_type() {
                    true => Ok(coded),
                    false => types::conform(&coded, field.data_type()),
                }
            }
        }
    }
}

impl Iterator for UnitBatches {
    type Item = Result<ScannedBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.next = usize::MAX;
            self.current = None;
        }
        step.map_err(|error| error.file(&self.file().index.path)).transpose()
    }
}

fn panicked(text: String) -> Error {
    corrupt("the data", text)
}

/// Names the record batch. Errors of kernels are those of data that was written wrong.
fn blame(error: Error, number: usize) -> Error {
    let context = error.context().clone();
    let named = Error::new(error.kind(), format!("in record batch {number}, {}", error.message()));
    let named = match error.remedy_text() {
        Some(remedy) => named.remedy(remedy),
        None => named.remedy("write the file again, or restore it from a copy"),
    };
    match context.column {
        Some(column) => named.column(column),
        None => named,
    }
}

fn codec_of(head: &Bytes) -> Result<Option<CompressionType>> {
    let message = message_of(head)?;
    let batch = match message.header_as_dictionary_batch() {
        Some(dictionary) => dictionary.data(),
        None => message.header_as_record_batch(),
    };
    Ok(batch.and_then(|batch| batch.compression()).map(|compression| compression.codec()))
}

fn is_delta(head: &Bytes) -> bool {
    let message = message_of(head);
    let batch = message.ok().and_then(|message| message.header_as_dictionary_batch());
    batch.is_some_and(|batch| batch.isDelta())
}

/// The values of a dictionary as they lie in the file, and how they are compressed.
pub(super) fn plan_values(
    index: &Index,
    dictionary: &DictionaryPlace,
    head: &Bytes,
) -> Result<(Vec<Planned>, Option<CompressionType>)> {
    let field = types::dictionary_field(&index.wire, dictionary.id);
    let field = field.ok_or_else(|| corrupt("a dictionary", "no column has its number"))?;
    let message = message_of(head)?;
    let batch = message.header_as_dictionary_batch().and_then(|batch| batch.data());
    let batch = batch.ok_or_else(|| corrupt("a dictionary", "it has no values"))?;
    let body = dictionary.place.body_start()..dictionary.place.end();
    let mut read = |_: Range<u64>| Err(Error::internal("a dictionary was to be cut"));
    let mut walk = Walk::new(batch, message.version(), body, Precision::Exact, &mut read);
    Ok((vec![walk.array(&field, None)?], codec_of(head)?))
}
