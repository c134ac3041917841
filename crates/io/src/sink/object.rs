//! A sink into an object of a store.
//!
//! ```text
//!   batches --> a Sink of the format --> compressed or not --> ObjectWriter --all is written--> the object
//! ```
//!
//! Writers of formats know errors of files only; the object's writer keeps what the store said, and it is told here.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use dframe_core::{Budget, Error, Result};

use super::output::Output;
use super::packed::Packing;
use super::{Format, Sink, SinkOptions, SinkReport, Target, create_file_sink};
use crate::object::{ObjectWriter, Url, writable};

/// Opens a sink, if the target is an object.
pub(super) fn create(
    target: &Target,
    format: Format,
    schema: &SchemaRef,
    options: &SinkOptions,
) -> Result<Option<Box<dyn Sink>>> {
    let Target::File(path) = target else { return Ok(None) };
    let Some(url) = writable(path.to_str().unwrap_or_default())? else { return Ok(None) };
    if format == Format::Sqlite {
        return Err(Error::unsupported("an SQLite database cannot be written into a store")
            .file(path)
            .remedy("write it to a disk, and copy it from there"));
    }
    let packing = Packing::choose(format, Some(Path::new(url.key)), options.compression)?;
    let writer = Shared::new(begin(&url, options)?);
    Ok(Some(into(writer, Ending::Whole, (format, packing), schema, options)?))
}

/// Writes text as an object, if the name is one of an object.
///
/// # Errors
/// The store does not take it.
pub fn write_object(name: &Path, text: &str, options: &SinkOptions) -> Result<bool> {
    let Some(url) = writable(name.to_str().unwrap_or_default())? else { return Ok(false) };
    let writer = Shared::new(begin(&url, options)?);
    let written = writer.clone().write_all(text.as_bytes());
    written.map_err(|error| writer.told(Error::io("cannot write", error)))?;
    writer.lock().finish()?;
    Ok(true)
}

fn begin(url: &Url<'_>, options: &SinkOptions) -> Result<ObjectWriter> {
    let budget = options.budget.clone().unwrap_or_else(Budget::unlimited);
    ObjectWriter::begin(&options.stores, url, budget)
}

/// A sink into an object that is begun.
pub(super) fn into(
    writer: Shared,
    ending: Ending,
    (format, packing): (Format, Packing),
    schema: &SchemaRef,
    options: &SinkOptions,
) -> Result<Box<dyn Sink>> {
    let stream = Target::Stdout(Box::new(writer.clone()));
    let output = Output::open(stream, packing, options)?;
    let sink = create_file_sink(output, format, schema.clone(), options)?;
    Ok(Box::new(ObjectSink { sink, writer, ending }))
}

/// What becomes of an object whose rows are all written.
pub(super) enum Ending {
    /// It appears.
    Whole,
    /// All of it is sent; when it appears is the business of who began it.
    Sent,
}

/// Writes an object. Dropped unfinished, the store keeps nothing of it.
struct ObjectSink {
    sink: Box<dyn Sink>,
    writer: Shared,
    ending: Ending,
}

impl Sink for ObjectSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.sink.write(batch).map_err(|error| self.writer.told(error))
    }

    fn settle(&mut self) -> Result<()> {
        self.sink.settle().map_err(|error| self.writer.told(error))
    }

    fn bytes(&self) -> u64 {
        self.sink.bytes()
    }

    fn finish(self: Box<Self>) -> Result<SinkReport> {
        let Self { sink, writer, ending } = *self;
        let report = sink.finish().map_err(|error| writer.told(error))?;
        match ending {
            Ending::Whole => writer.lock().finish()?,
            Ending::Sent => writer.lock().send_rest()?,
        }
        Ok(report)
    }
}

/// The object's writer: that of the format fills it, and what it has filled is completed here.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<ObjectWriter>>);

impl Shared {
    pub(super) fn new(writer: ObjectWriter) -> Self {
        Self(Arc::new(Mutex::new(writer)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, ObjectWriter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the store said, if it was the store.
    fn told(&self, error: Error) -> Error {
        self.lock().take_failure().unwrap_or(error)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.lock().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
