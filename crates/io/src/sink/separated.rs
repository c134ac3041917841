//! Fields with separators between: CSV, TSV and Markdown.
//!
//! CSV follows RFC 4180 with one addition that keeps what a table holds: NULL is an empty field, the
//! empty text is `""`.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use dframe_core::Result;

use super::output::Output;
use super::text::{Column, json_options};
use super::{Sink, SinkReport};

/// What tells the formats apart.
#[derive(Clone, Copy)]
pub(super) struct Dialect {
    begin: &'static str,
    between: &'static str,
    end: &'static str,
    /// Writes a text so that it is one field.
    escape: fn(&str, &mut String),
    /// Whether a line under the header says how columns are aligned.
    ruled: bool,
}

pub(super) const CSV: Dialect =
    Dialect { begin: "", between: ",", end: "\n", escape: quote_csv, ruled: false };
pub(super) const TSV: Dialect =
    Dialect { begin: "", between: "\t", end: "\n", escape: quote_tsv, ruled: false };
pub(super) const MARKDOWN: Dialect =
    Dialect { begin: "| ", between: " | ", end: " |\n", escape: escape_markdown, ruled: true };

pub(super) struct SeparatedSink {
    output: Output,
    schema: SchemaRef,
    dialect: Dialect,
    rows: u64,
    line: String,
}

impl SeparatedSink {
    pub(super) fn new(output: Output, schema: SchemaRef, dialect: Dialect) -> Result<Self> {
        let mut sink = Self { output, schema, dialect, rows: 0, line: String::new() };
        sink.write_header()?;
        Ok(sink)
    }

    fn write_header(&mut self) -> Result<()> {
        let schema = self.schema.clone();
        let mut line = String::from(self.dialect.begin);
        for (index, field) in schema.fields().iter().enumerate() {
            if index > 0 {
                line.push_str(self.dialect.between);
            }
            (self.dialect.escape)(field.name(), &mut line);
        }
        line.push_str(self.dialect.end);
        if self.dialect.ruled {
            let rule = |field: &arrow::datatypes::FieldRef| match is_number(field.data_type()) {
                true => "---:",
                false => "---",
            };
            let rules: Vec<&str> = schema.fields().iter().map(rule).collect();
            line.push_str(&format!("| {} |\n", rules.join(" | ")));
        }
        self.output.put(line.as_bytes())
    }
}

impl Sink for SeparatedSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let json = json_options();
        let schema = batch.schema();
        let mut columns = Column::of_batch(batch, schema.fields(), &json)?;
        let Dialect { begin, between, end, escape, .. } = self.dialect;
        let mut value = String::new();
        for row in 0..batch.num_rows() {
            self.line.clear();
            self.line.push_str(begin);
            for (index, column) in columns.iter_mut().enumerate() {
                if index > 0 {
                    self.line.push_str(between);
                }
                value.clear();
                if column.append(row, &mut value)? {
                    escape(&value, &mut self.line);
                }
            }
            self.line.push_str(end);
            self.output.put(self.line.as_bytes())?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.output.bytes()
    }

    fn finish(self: Box<Self>) -> Result<SinkReport> {
        self.output.finish(self.rows)
    }
}

/// Whether values of the type are aligned to the right.
pub(super) fn is_number(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => is_number(value),
        other => other.is_numeric(),
    }
}

fn quote_csv(text: &str, out: &mut String) {
    quote(text, b',', out);
}

fn quote_tsv(text: &str, out: &mut String) {
    quote(text, b'\t', out);
}

fn quote(text: &str, separator: u8, out: &mut String) {
    let special = |byte: u8| byte == separator || matches!(byte, b'"' | b'\n' | b'\r');
    if !text.is_empty() && !text.bytes().any(special) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for (index, part) in text.split('"').enumerate() {
        if index > 0 {
            out.push_str("\"\"");
        }
        out.push_str(part);
    }
    out.push('"');
}

fn escape_markdown(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '|' => out.push_str("\\|"),
            '\n' => out.push_str("<br>"),
            '\r' => (),
            c => out.push(c),
        }
    }
}
