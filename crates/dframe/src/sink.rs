//! Results into files and streams.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use dframe_core::Result;
use dframe_io::sink::{Format, Sink, SinkOptions, SinkReport, TableOptions, Target, create_sink};

use crate::batches::Batches;
use crate::data_frame::DataFrame;

/// Rows that a printed frame shows.
const ROWS_SHOWN: usize = 40;

/// Writes `batches` to `target`, which appears when it is whole.
pub(crate) fn to_target(
    batches: Batches,
    target: Target,
    format: Format,
    options: &SinkOptions,
) -> Result<SinkReport> {
    let sink = create_sink(target, format, batches.schema(), options)?;
    into_sink(batches, sink)
}

/// Writes `batches` to `sink`, and finishes it.
pub(crate) fn into_sink(batches: Batches, mut sink: Box<dyn Sink>) -> Result<SinkReport> {
    for batch in batches {
        sink.write(&batch?)?;
    }
    sink.finish()
}

/// The first rows of `frame` as a table.
pub(crate) fn table(frame: &DataFrame) -> Result<String> {
    let text = Text::default();
    let table = TableOptions { rows_max: ROWS_SHOWN, ..TableOptions::default() };
    let options = SinkOptions { table, ..SinkOptions::default() };
    let target = Target::Stdout(Box::new(text.clone()));
    let mut sink = create_sink(target, Format::Table, frame.schema().clone(), &options)?;
    for batch in frame.batches() {
        sink.write(batch)?;
    }
    sink.finish()?;
    Ok(text.take())
}

/// What was written, to be taken when the writer is gone.
#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Text {
    fn take(&self) -> String {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
