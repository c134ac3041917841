//! Rows that become a chart, as they come: what is kept does not grow with them.
//!
//! ```text
//!   bar    the first column that is no number (else the first): labels; numbers: series   the first rows
//!   line   the first column: x; other numbers: series                                   reduced to what is seen
//!   hist   the only number                                                              counted in ranges
//! ```

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema, TimeUnit};
use dframe::{Error, Result};

use super::PlotKind;
use super::chart::{Axis, Bars, Chart, Hist, Lines, Series};
use super::reduce::{Histogram, Points};
use crate::progress::grouped;

/// The rows that have bars.
const BARS: usize = 60;
/// The columns that are told apart in one chart.
const SERIES: usize = 8;
/// About so many bins are easy to look at.
const BINS: f64 = 24.0;

/// A chart in the making.
pub struct Gathering {
    drawn: Drawn,
    rows: u64,
    /// The values that are NULL, NaN or infinite.
    left_out: u64,
    notes: Vec<String>,
}

enum Drawn {
    Bars { label: usize, columns: Vec<usize>, bars: Bars },
    Lines { x: Axis, columns: Vec<usize>, series: Vec<(String, Points)> },
    Hist { column: usize, name: String, values: Histogram },
}

impl Gathering {
    /// For rows of such columns.
    ///
    /// # Errors
    /// Columns that such a chart cannot show.
    pub fn new(kind: PlotKind, schema: &Schema) -> Result<Self> {
        let mut notes = Vec::new();
        let drawn = match kind {
            PlotKind::Bar => bars(schema, &mut notes)?,
            PlotKind::Line => lines(schema, &mut notes)?,
            PlotKind::Hist => hist(schema)?,
        };
        Ok(Self { drawn, rows: 0, left_out: 0, notes })
    }

    /// Takes rows.
    ///
    /// # Errors
    /// Values that cannot be read as numbers.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let rows = batch.num_rows();
        self.rows += rows as u64;
        match &mut self.drawn {
            Drawn::Bars { label, columns, bars } => {
                let batch = batch.slice(0, rows.min(BARS - bars.labels.len()));
                bars.labels.extend(texts(batch.column(*label))?);
                for (series, column) in bars.series.iter_mut().zip(columns) {
                    series.values.extend(numbers(batch.column(*column))?);
                }
            }
            Drawn::Lines { x, columns, series } => {
                let places = match x.is_time {
                    true => seconds(batch.column(0))?,
                    false => numbers(batch.column(0))?,
                };
                for ((_, points), column) in series.iter_mut().zip(columns) {
                    let values = numbers(batch.column(*column))?;
                    for (x, y) in places.iter().zip(values) {
                        match (x, y) {
                            (Some(x), Some(y)) => points.add(*x, y),
                            _ => self.left_out += 1,
                        }
                    }
                }
            }
            Drawn::Hist { column, values, .. } => {
                for value in numbers(batch.column(*column))? {
                    match value {
                        Some(value) => values.add(value),
                        None => self.left_out += 1,
                    }
                }
            }
        }
        Ok(())
    }

    /// The chart, and what is to be said about it.
    pub fn finish(mut self) -> (Chart, Vec<String>) {
        if self.left_out > 0 {
            let count = grouped(self.left_out);
            self.notes.push(format!("values that are NULL or not finite are not drawn: {count}"));
        }
        let chart = match self.drawn {
            Drawn::Bars { bars, .. } => {
                let shown = bars.labels.len() as u64;
                if shown < self.rows {
                    let rows = grouped(self.rows);
                    self.notes.push(format!(
                        "the first {shown} of {rows} rows are drawn; --sort and --limit choose others"
                    ));
                }
                Chart::Bars(bars)
            }
            Drawn::Lines { x, series, .. } => {
                let names = series.iter().map(|(name, _)| name.as_str());
                let title = format!("{} by {}", listed(names), x.name);
                let series = series.into_iter().map(|(name, points)| (name, points.finish()));
                let series = series.filter(|(_, points)| !points.is_empty()).collect();
                Chart::Lines(Lines { title, x, series })
            }
            Drawn::Hist { name, values, .. } => {
                // Few values say little about narrow ranges.
                let wanted = (self.rows as f64).sqrt().clamp(5.0, BINS) as usize;
                Chart::Histogram(Hist { title: name.clone(), name, bins: values.bins(wanted) })
            }
        };
        (chart, self.notes)
    }
}

fn bars(schema: &Schema, notes: &mut Vec<String>) -> Result<Drawn> {
    let label = (0..schema.fields().len()).find(|column| !is_number(schema, *column)).unwrap_or(0);
    let columns = series_columns(schema, label, notes)?;
    let name = |column: usize| schema.field(column).name().clone();
    let series = columns.iter().map(|column| Series { name: name(*column), values: vec![] });
    let names = columns.iter().map(|column| schema.field(*column).name().as_str());
    let title = format!("{} by {}", listed(names), name(label));
    let bars = Bars { title, labels: vec![], series: series.collect() };
    Ok(Drawn::Bars { label, columns, bars })
}

fn lines(schema: &Schema, notes: &mut Vec<String>) -> Result<Drawn> {
    let Some(first) = schema.fields().first() else { return Err(no_numbers("line")) };
    let is_time = matches!(
        plain(first.data_type()),
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..)
    );
    if !is_time && !is_number(schema, 0) {
        let message =
            format!("a line needs numbers or times to go along, which '{}' has not", first.name());
        return Err(Error::invalid_input(message)
            .remedy("put such a column first, with --columns or --by, or choose --plot bar"));
    }
    let columns = series_columns(schema, 0, notes)?;
    let name = |column: &usize| schema.field(*column).name().clone();
    let series = columns.iter().map(|column| (name(column), Points::default())).collect();
    Ok(Drawn::Lines { x: Axis { name: first.name().clone(), is_time }, columns, series })
}

fn hist(schema: &Schema) -> Result<Drawn> {
    let numbers: Vec<usize> =
        (0..schema.fields().len()).filter(|column| is_number(schema, *column)).collect();
    match numbers.as_slice() {
        [] => Err(no_numbers("hist")),
        [column] => {
            let name = schema.field(*column).name().clone();
            Ok(Drawn::Hist { column: *column, name, values: Histogram::default() })
        }
        several => {
            let names = several.iter().map(|column| schema.field(*column).name().as_str());
            let message = format!("a histogram is of one column, and there are {}", listed(names));
            Err(Error::invalid_input(message)
                .remedy("choose one, as in: dframe select FILES --columns price --plot hist"))
        }
    }
}

/// The columns of numbers beside `other`.
fn series_columns(schema: &Schema, other: usize, notes: &mut Vec<String>) -> Result<Vec<usize>> {
    let is_series = |column: &usize| *column != other && is_number(schema, *column);
    let mut columns: Vec<usize> = (0..schema.fields().len()).filter(is_series).collect();
    if columns.is_empty() {
        return Err(no_numbers("chart"));
    }
    if columns.len() > SERIES {
        let count = columns.len();
        notes.push(format!("the first {SERIES} of {count} columns of numbers are drawn"));
        columns.truncate(SERIES);
    }
    Ok(columns)
}

fn no_numbers(kind: &str) -> Error {
    let what = if kind == "hist" { "histogram" } else { kind };
    Error::invalid_input(format!("a {what} shows numbers, and there is no column of them to show"))
        .remedy("compute one, such as: dframe groupby FILES --by origin --agg \"count(*) as n\"")
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn plain(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, value) => value,
        other => other,
    }
}

fn is_number(schema: &Schema, column: usize) -> bool {
    plain(schema.field(column).data_type()).is_numeric()
}

/// The values, where they are finite.
fn numbers(array: &ArrayRef) -> Result<Vec<Option<f64>>> {
    let values = cast(array, &DataType::Float64)?;
    let values = values.as_primitive::<Float64Type>().iter();
    Ok(values.map(|value| value.filter(|value| value.is_finite())).collect())
}

/// Times as seconds since 1970.
fn seconds(array: &ArrayRef) -> Result<Vec<Option<f64>>> {
    let micros = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
    let micros = cast(&micros, &DataType::Int64)?;
    let micros = micros.as_primitive::<Int64Type>().iter();
    Ok(micros.map(|micros| micros.map(|micros| micros as f64 / 1e6)).collect())
}

fn texts(array: &ArrayRef) -> Result<Vec<String>> {
    let texts = cast(array, &DataType::Utf8)?;
    let is_time = matches!(plain(array.data_type()), DataType::Timestamp(..));
    let shown = |text: Option<&str>| match text {
        None => "NULL".to_string(),
        // As in a table: a space before the time, and none of it at midnight.
        Some(text) if is_time => text.trim_end_matches("T00:00:00").replace('T', " "),
        Some(text) => text.to_string(),
    };
    Ok(texts.as_string::<i32>().iter().map(shown).collect())
}
