//! Fields with separators between: CSV, TSV and Markdown.
//!
//! CSV follows RFC 4180 with one addition that keeps what a table holds: NULL is an empty field, the
//! empty text is `""`.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, FieldRef, Schema};
use dframe_core::Result;

use super::rendered::{Render, TextFormat};
use super::text::{Column, json_options};

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

impl Dialect {
    /// The format for rows of `schema`.
    pub(super) fn format(self, schema: &Schema) -> TextFormat {
        TextFormat { begin: self.header(schema), between: "", end: "", render: Arc::new(self) }
    }

    fn header(self, schema: &Schema) -> String {
        let mut line = String::from(self.begin);
        for (index, field) in schema.fields().iter().enumerate() {
            if index > 0 {
                line.push_str(self.between);
            }
            (self.escape)(field.name(), &mut line);
        }
        line.push_str(self.end);
        if self.ruled {
            let rule = |field: &FieldRef| match is_number(field.data_type()) {
                true => "---:",
                false => "---",
            };
            let rules: Vec<&str> = schema.fields().iter().map(rule).collect();
            line.push_str(&format!("| {} |\n", rules.join(" | ")));
        }
        line
    }
}

impl Render for Dialect {
    fn render(&self, rows: &RecordBatch, text: &mut Vec<u8>) -> Result<u64> {
        let json = json_options();
        let schema = rows.schema();
        let columns = Column::of_batch(rows, schema.fields(), &json)?;
        let is_plain = rows.columns().iter().map(|column| is_plain(column.data_type()));
        let mut columns: Vec<_> = columns.into_iter().zip(is_plain).collect();
        let (mut lines, mut value) = (String::with_capacity(text.capacity()), String::new());
        for row in 0..rows.num_rows() {
            lines.push_str(self.begin);
            for (index, (column, is_plain)) in columns.iter_mut().enumerate() {
                if index > 0 {
                    lines.push_str(self.between);
                }
                if *is_plain {
                    column.append(row, &mut lines)?;
                    continue;
                }
                value.clear();
                if column.append(row, &mut value)? {
                    (self.escape)(&value, &mut lines);
                }
            }
            lines.push_str(self.end);
        }
        match text.is_empty() {
            true => *text = lines.into_bytes(),
            false => text.extend_from_slice(lines.as_bytes()),
        }
        Ok(0)
    }
}

/// Whether values of the type have nothing in them that one of the dialects escapes.
fn is_plain(data_type: &DataType) -> bool {
    data_type.is_numeric() || data_type.is_temporal() || *data_type == DataType::Boolean
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
