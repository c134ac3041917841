//! What can be wrong with a record, and how the user is told.

use dframe_core::{Error, Result};

use crate::text::TextFile;

/// Where a record begins that is none, and why it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) offset: u64,
    pub(super) what: What,
}

/// Why a record is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// It has another number of fields than there are columns.
    Fields { found: usize, wanted: usize },
    /// Text follows the quote that closes the field.
    AfterQuote { column: usize },
    /// The quoted field is not closed.
    Unclosed { column: usize },
    /// The field is not UTF-8.
    NotText { column: usize },
    /// It does not end within what can be held.
    TooLong,
}

impl Flaw {
    /// The error that says so. Reads the file up to the record, to count lines.
    pub(super) fn error(self, file: &TextFile, names: &[String]) -> Error {
        match self.described(file, names) {
            Ok(error) | Err(error) => error,
        }
    }

    fn described(self, file: &TextFile, names: &[String]) -> Result<Error> {
        let line = file.line_of(self.offset)?;
        let error = match self.what {
            What::Fields { found, wanted } => fields(line, found, wanted, names),
            What::AfterQuote { column } => at(names, column, Error::invalid_data(format!(
                "in line {line}, text follows the quote that closes a field"
            )))
            .remedy("write quotes within a quoted field twice; if quotes are text, say --quote ''"),
            What::Unclosed { column } => at(names, column, Error::invalid_data(format!(
                "the record that begins in line {line} has a quoted field that is not closed"
            )))
            .remedy("close the quote; if quotes are text, say --quote ''"),
            What::NotText { column } => at(names, column, Error::invalid_data(format!(
                "the record that begins in line {line} is not UTF-8"
            )))
            .remedy("say what it is, as in --encoding latin1"),
            What::TooLong => Error::invalid_data(format!(
                "the record that begins in line {line} does not end within the memory there is for it"
            ))
            .remedy("close the quote if one is open; raise --memory-limit if it really is so long"),
        };
        Ok(error.file(&file.path))
    }
}

fn at(names: &[String], column: usize, error: Error) -> Error {
    match names.get(column) {
        Some(name) => error.column(name),
        None => error,
    }
}

fn fields(line: u64, found: usize, wanted: usize, names: &[String]) -> Error {
    let count = |count: usize| match count {
        1 => "1 field".to_string(),
        count => format!("{count} fields"),
    };
    let columns = match wanted {
        1 => "is 1 column".to_string(),
        wanted => format!("are {wanted} columns"),
    };
    let message = format!("line {line} has {}, but there {columns}", count(found));
    let error = Error::invalid_data(message);
    // The first column without a field; what is too much has no column.
    let error = if found < wanted { at(names, found, error) } else { error };
    error.remedy("put the line right; check --delimiter and --quote if many are so")
}
