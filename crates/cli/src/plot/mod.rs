//! Charts of a result (`--plot`): bars, lines, histograms, in the terminal or as SVG.
//!
//! ```text
//!   batches --rows (kept in a bounded amount: reduce)--> chart --terminal--> text
//!                                                            `--svg------> file.svg
//! ```
//!
//! It knows no query: what is drawn is what would have been printed.

mod chart;
mod reduce;
mod rows;
mod svg;
mod terminal;
mod ticks;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use clap::ValueEnum;
use dframe::{Error, Result};

use crate::messages::Messages;
use crate::output::Output;
use rows::Gathering;

/// The width of a chart that nobody looks at in a terminal.
const WIDTH: usize = 80;

/// What users may ask for in vain.
const PICTURES: [&str; 6] = ["png", "jpg", "jpeg", "gif", "webp", "pdf"];

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlotKind {
    /// A bar for each row.
    Bar,
    /// A line for each column of numbers, along the first column.
    Line,
    /// How often the values of a column are in which range.
    Hist,
}

/// A chart, with what is to be said about it.
pub struct Plot {
    chart: chart::Chart,
    notes: Vec<String>,
}

/// Takes the rows of the result.
///
/// # Errors
/// Those of the batches; columns that cannot be drawn, or a file of a kind that is not written.
pub fn gather(
    kind: PlotKind,
    output: &Output,
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch>>,
) -> Result<Plot> {
    if let Some(end) = end_of(output).filter(|end| PICTURES.contains(end)) {
        return Err(Error::unsupported(format!("a chart is no {end} file"))
            .remedy("name a file that ends in .svg: browsers show it, and make others of it"));
    }
    let mut gathering = Gathering::new(kind, schema)?;
    for batch in batches {
        gathering.add(&batch?)?;
    }
    let (chart, notes) = gathering.finish();
    Ok(Plot { chart, notes })
}

impl Plot {
    /// What is to be written where the result goes: a file called `.svg` is a picture, anything else is text.
    ///
    /// # Errors
    /// What cannot be drawn.
    pub fn draw(&self, output: &Output, messages: Messages) -> Result<String> {
        if end_of(output) == Some("svg") {
            self.notes.iter().for_each(|note| messages.warn(note));
            return svg::draw(&self.chart)
                .map_err(|error| Error::internal(format!("cannot draw the chart: {error}")));
        }
        let text = terminal::draw(&self.chart, output.width().unwrap_or(WIDTH));
        let notes: String = self.notes.iter().map(|note| format!("({note})\n")).collect();
        Ok(text + &notes)
    }
}

fn end_of(output: &Output) -> Option<&str> {
    output.path()?.extension()?.to_str()
}
