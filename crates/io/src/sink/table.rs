//! A table for people: the first rows, in boxes, as wide as the terminal.
//!
//! ```text
//! ┌────────┬────────┐
//! │ ticker ┆  price │     names, and under them the types
//! │ varchar┆ double │
//! ╞════════╪════════╡
//! │ AAPL   ┆  189.5 │     numbers to the right, long texts cut
//! └────────┴────────┘
//! (1 of 12,345 rows)
//! ```
//!
//! Rows beyond the shown ones are counted, not kept.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, SchemaRef};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Row, Table};
use dframe_core::Result;

use super::output::Output;
use super::separated::is_number;
use super::text::{Column, json_options, type_name};
use super::{Sink, SinkReport};

/// The characters kept of a value: more fit no terminal.
const VALUE_CHARS: usize = 200;
/// A column takes this much of the width at least, borders included.
const COLUMN_WIDTH_MIN: usize = 9;

/// How a table looks.
#[derive(Clone, Debug)]
pub struct TableOptions {
    /// The rows shown at most.
    pub rows_max: usize,
    /// The width of the terminal; without it, lines are as long as they are.
    pub width: Option<u16>,
    /// Whether NULL is dim and names are bold; not for files, nor under `NO_COLOR`.
    pub styled: bool,
}

impl Default for TableOptions {
    fn default() -> Self {
        Self { rows_max: 40, width: None, styled: false }
    }
}

pub(super) struct TableSink {
    output: Output,
    schema: SchemaRef,
    options: TableOptions,
    /// The rows to show; `None` is NULL.
    shown: Vec<Vec<Option<String>>>,
    rows: u64,
}

impl TableSink {
    pub(super) fn new(output: Output, schema: SchemaRef, options: TableOptions) -> Self {
        Self { output, schema, options, shown: Vec::new(), rows: 0 }
    }

    fn render(&self) -> String {
        let columns = self.columns();
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED);
        table.force_no_tty();
        if self.options.styled {
            table.enforce_styling();
        }
        if let Some(width) = self.options.width {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        table.set_header(columns.iter().map(|column| self.header(*column)).collect::<Vec<_>>());
        for values in &self.shown {
            let cells: Vec<Cell> = columns.iter().map(|c| self.cell(*c, values)).collect();
            let mut row = Row::from(cells);
            row.max_height(1);
            table.add_row(row);
        }
        format!("{table}\n{}\n", self.footer(columns.len()))
    }

    /// The columns shown: all, or, where they cannot fit, the first and the last with `None` between.
    fn columns(&self) -> Vec<Option<usize>> {
        let count = self.schema.fields().len();
        let fits = self.options.width.map_or(count, |width| usize::from(width) / COLUMN_WIDTH_MIN);
        if count <= fits.max(2) {
            return (0..count).map(Some).collect();
        }
        let kept = fits.max(3) - 1;
        let first = kept.div_ceil(2);
        let last = count - (kept - first)..count;
        (0..first).map(Some).chain([None]).chain(last.map(Some)).collect()
    }

    fn header(&self, column: Option<usize>) -> Cell {
        let Some(index) = column else { return Cell::new("…") };
        let field = self.schema.field(index);
        let cell = Cell::new(format!("{}\n{}", field.name(), type_name(field.data_type())));
        let cell = cell.set_alignment(alignment(field.data_type()));
        if self.options.styled { cell.add_attribute(Attribute::Bold) } else { cell }
    }

    fn cell(&self, column: Option<usize>, values: &[Option<String>]) -> Cell {
        let Some(index) = column else { return Cell::new("…") };
        let cell = match &values[index] {
            Some(text) => Cell::new(text),
            None if self.options.styled => Cell::new("NULL").add_attribute(Attribute::Dim),
            None => Cell::new("NULL"),
        };
        cell.set_alignment(alignment(self.schema.field(index).data_type()))
    }

    fn footer(&self, columns: usize) -> String {
        let all = group_digits(self.rows);
        let rows = match (self.rows, self.shown.len() as u64) {
            (1, 1) => "1 row".to_string(),
            (rows, shown) if rows == shown => format!("{all} rows"),
            (_, shown) => format!("{} of {all} rows", group_digits(shown)),
        };
        let count = self.schema.fields().len();
        match columns < count {
            true => format!("({rows}, {} of {count} columns)", columns - 1),
            false => format!("({rows})"),
        }
    }
}

impl Sink for TableSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        let wanted = self.options.rows_max.saturating_sub(self.shown.len()).min(batch.num_rows());
        if wanted == 0 {
            return Ok(());
        }
        let batch = batch.slice(0, wanted);
        let json = json_options();
        let schema = batch.schema();
        let mut columns = Column::of_batch(&batch, schema.fields(), &json)?;
        for row in 0..wanted {
            let mut values = Vec::with_capacity(columns.len());
            for (column, array) in columns.iter_mut().zip(batch.columns()) {
                let mut text = String::new();
                let valid = column.append(row, &mut text)?;
                values.push(valid.then(|| match array.data_type().is_floating() {
                    true => float_text(array, row).unwrap_or(text),
                    false => one_line(&text),
                }));
            }
            self.shown.push(values);
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<SinkReport> {
        let text = self.render();
        self.output.put(text.as_bytes())?;
        self.output.finish(self.rows)
    }
}

fn alignment(data_type: &DataType) -> CellAlignment {
    if is_number(data_type) { CellAlignment::Right } else { CellAlignment::Left }
}

fn float_text(array: &dyn Array, row: usize) -> Option<String> {
    let wide = cast(&array.slice(row, 1), &DataType::Float64).ok()?;
    Some(format_float(wide.as_primitive::<Float64Type>().value(0)))
}

/// At most six digits after the point; very large and very small numbers with an exponent.
fn format_float(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return if value.is_nan() { "NaN".to_string() } else { format!("{value}") };
    }
    if size != 0.0 && !(1e-4..1e15).contains(&size) {
        let text = format!("{value:.6e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{exponent}", trim_zeros(digits));
    }
    trim_zeros(&format!("{value:.6}"))
}

/// Drops zeros at the end, but for one after the point.
fn trim_zeros(text: &str) -> String {
    let digits = text.trim_end_matches('0');
    if digits.ends_with('.') { format!("{digits}0") } else { digits.to_string() }
}

fn one_line(text: &str) -> String {
    let short = text.chars().take(VALUE_CHARS);
    short.map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// `12345` as `12,345`.
fn group_digits(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_short() {
        let cases = [
            (1.0, "1.0"),
            (-0.125, "-0.125"),
            (1.0 / 3.0, "0.333333"),
            (123456789.5, "123456789.5"),
            (1e20, "1.0e20"),
            (1.5e-7, "1.5e-7"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "NaN"),
            (0.0, "0.0"),
        ];
        for (value, text) in cases {
            assert_eq!(format_float(value), text);
        }
        assert_eq!(group_digits(1234567), "1,234,567");
    }
}
