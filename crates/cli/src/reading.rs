//! The flags that say how files are read: their format, and how text is cut into fields.

use arrow::datatypes::DataType;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use dframe::io::Inputs;
use dframe::sql::parse_schema;
use dframe::{BadRows, CsvOptions, InputFormat, JsonOptions, Result, SqliteOptions};

use crate::args::some_text;

/// How files are read.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Input")]
pub struct ReadingArgs {
    /// Format of the files [default: by their extension or first bytes]
    #[arg(long, value_name = "FORMAT", value_parser = format_parser())]
    input_format: Option<InputFormat>,
    /// What separates the fields of a CSV file, such as ';' or '\t' [default: ',', a tab in .tsv files]
    #[arg(long, value_name = "CHAR", value_parser = mark)]
    delimiter: Option<Mark>,
    /// What fields of a CSV file are put in that hold a delimiter or line break; '' for nothing
    #[arg(long, value_name = "CHAR", default_value = "\"", value_parser = mark)]
    quote: Mark,
    /// The first line of a CSV file is a row: columns are called column0, column1, ...
    #[arg(long)]
    no_header: bool,
    /// Lines of a CSV file that begin with this are left out
    #[arg(long, value_name = "CHAR", value_parser = mark)]
    comment: Option<Mark>,
    /// Text that stands for NULL in a CSV file, such as NA, as an empty field does; may be repeated
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    null: Vec<String>,
    /// Types of columns of a CSV or JSON file, whatever they look like: "id:varchar, price:decimal(9,2)"
    #[arg(long, value_name = "COLUMNS", value_parser = some_text)]
    schema: Option<String>,
    /// What the text of a CSV or JSON file is in, such as latin1 [default: utf-8, or utf-16 if the file says so]
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    /// What is done about lines of a CSV file with too few or too many fields, and lines that are no JSON
    #[arg(long, value_name = "WHAT", default_value = "error")]
    on_bad_row: OnBadRow,
    /// Table of an SQLite database that is read, or written to --output [default: the only one; the name of the file]
    #[arg(long, value_name = "NAME", value_parser = some_text)]
    pub table: Option<String>,
    /// Read the result of this query of an SQLite database, in SQLite's own SQL
    #[arg(long = "query", value_name = "SQL", value_parser = some_text, conflicts_with = "table")]
    sqlite_query: Option<String>,
}

/// What is done about a bad row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnBadRow {
    /// It is an error
    Error,
    /// It is left out, and counted on standard error
    Skip,
    /// What is missing is NULL, what is too much is left out; it is counted
    Null,
}

impl ReadingArgs {
    /// The format of the files.
    ///
    /// # Errors
    /// The files have different ones.
    pub fn format(&self, inputs: impl Into<Inputs>) -> Result<InputFormat> {
        match self.input_format {
            Some(format) => Ok(format),
            None => InputFormat::of(inputs),
        }
    }

    /// These flags, with another format.
    pub fn of_format(&self, format: InputFormat) -> Self {
        Self { input_format: Some(format), ..self.clone() }
    }

    /// What became of rows that were bad.
    pub fn fate_of_bad_rows(&self) -> &'static str {
        match self.on_bad_row {
            OnBadRow::Null => "filled with NULL",
            OnBadRow::Skip | OnBadRow::Error => "left out",
        }
    }

    /// How CSV files are read.
    ///
    /// # Errors
    /// A type that is none.
    pub fn csv(&self) -> Result<CsvOptions> {
        let mut options = CsvOptions::default().quote(self.quote.0).has_header(!self.no_header);
        if let Some(Mark(Some(delimiter))) = self.delimiter {
            options = options.delimiter(delimiter);
        }
        if let Some(Mark(comment)) = self.comment {
            options = options.comment(comment);
        }
        options = self.null.iter().fold(options, |options, text| options.null(text));
        options = options.bad_rows(self.bad_rows());
        if let Some(name) = &self.encoding {
            options = options.encoding(name)?;
        }
        for (name, to) in self.types()? {
            options = options.column_type(name, to);
        }
        Ok(options)
    }

    /// How JSON files are read.
    ///
    /// # Errors
    /// A type that is none.
    pub fn json(&self) -> Result<JsonOptions> {
        let mut options = JsonOptions::default().bad_rows(self.bad_rows());
        if let Some(name) = &self.encoding {
            options = options.encoding(name)?;
        }
        for (name, to) in self.types()? {
            options = options.column_type(name, to);
        }
        Ok(options)
    }

    /// What of an SQLite database is read.
    pub fn sqlite(&self) -> SqliteOptions {
        let (table, query) = (self.table.clone(), self.sqlite_query.clone());
        SqliteOptions { table, query, temp_dir: None }
    }

    fn types(&self) -> Result<Vec<(String, DataType)>> {
        self.schema.as_deref().map_or(Ok(Vec::new()), parse_schema)
    }

    fn bad_rows(&self) -> BadRows {
        match self.on_bad_row {
            OnBadRow::Error => BadRows::Error,
            OnBadRow::Skip => BadRows::Skip,
            OnBadRow::Null => BadRows::Null,
        }
    }
}

/// A character, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark(Option<u8>);

fn mark(text: &str) -> Result<Mark, String> {
    match text.as_bytes() {
        [] => Ok(Mark(None)),
        b"\\t" | b"tab" => Ok(Mark(Some(b'\t'))),
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') => Ok(Mark(Some(*byte))),
        _ => Err("write one ASCII character, or \\t for a tab".into()),
    }
}

fn format_parser() -> impl TypedValueParser<Value = InputFormat> {
    PossibleValuesParser::new(InputFormat::NAMES).try_map(|name| name.parse::<InputFormat>())
}
