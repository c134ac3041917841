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
use crate::object::{ObjectWriter, writable};

/// Opens a sink, if the target is an object.
pub(super) fn create(
    target: &Target,
    format: Format,
    schema: &SchemaRef,
    options: &SinkOptions,
) -> Result<Option<Box<dyn Sink>>> {
    let (Target::File(path) | Target::Folder(path, _)) = target else { return Ok(None) };
    let Some(url) = writable(path.to_str().unwrap_or_default())? else { return Ok(None) };
    if let Some(what) = not_one_stream(target, format) {
        return Err(Error::unsupported(what)
            .file(path)
            .remedy("write it to a disk, and copy it from there"));
    }
    let packing = Packing::choose(format, Some(Path::new(url.key)), options.compression)?;
    let budget = options.budget.clone().unwrap_or_else(Budget::unlimited);
    let writer = Arc::new(Mutex::new(ObjectWriter::begin(&options.stores, &url, budget)?));
    let stream = Target::Stdout(Box::new(Shared(writer.clone())));
    let output = Output::open(stream, packing, options)?;
    let sink = create_file_sink(output, format, schema.clone(), options)?;
    Ok(Some(Box::new(ObjectSink { sink, writer: Shared(writer) })))
}

/// What cannot be written from the first byte to the last.
fn not_one_stream(target: &Target, format: Format) -> Option<&'static str> {
    match (target, format) {
        (Target::Folder(..), _) => Some("a folder of files cannot be written into a store"),
        (_, Format::Sqlite) => Some("an SQLite database cannot be written into a store"),
        _ => None,
    }
}

/// Writes an object. Dropped unfinished, the store keeps nothing of it.
struct ObjectSink {
    sink: Box<dyn Sink>,
    writer: Shared,
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
        let Self { sink, writer } = *self;
        let report = sink.finish().map_err(|error| writer.told(error))?;
        writer.lock().finish()?;
        Ok(report)
    }
}

/// The object's writer: that of the format fills it, and what it has filled is completed here.
struct Shared(Arc<Mutex<ObjectWriter>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, ObjectWriter> {
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
