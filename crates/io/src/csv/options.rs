//! How a CSV file is written: what separates, what quotes, and what is to be done about lines that
//! break the rules.

use arrow::datatypes::DataType;
use dframe_core::{Error, Result};
use encoding_rs::Encoding;

use super::records::Marks;
use crate::text::{BadRows, convert};

/// How CSV files are to be read. Where nothing is said: commas (tabs in `.tsv`, bars in `.psv` files), `"` for
/// quotes, a header, no comments.
///
/// ```
/// use dframe_io::CsvOptions;
///
/// let semicolons = CsvOptions::default().delimiter(b';').has_header(false);
/// assert_ne!(semicolons, CsvOptions::default());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvOptions {
    delimiter: Option<u8>,
    quote: Option<u8>,
    comment: Option<u8>,
    pub(super) has_header: bool,
    pub(super) nulls: Vec<String>,
    pub(super) bad_rows: BadRows,
    pub(super) types: Vec<(String, DataType)>,
    pub(super) encoding: Option<&'static Encoding>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            delimiter: None,
            quote: Some(b'"'),
            comment: None,
            has_header: true,
            nulls: vec![],
            bad_rows: BadRows::Error,
            types: vec![],
            encoding: None,
        }
    }
}

impl CsvOptions {
    /// What stands between fields, in all files.
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = Some(delimiter);
        self
    }

    /// What fields are put in that have delimiters or line breaks; `None` if quotes are text.
    pub fn quote(mut self, quote: impl Into<Option<u8>>) -> Self {
        self.quote = quote.into();
        self
    }

    /// Lines that begin with this are left out.
    pub fn comment(mut self, comment: impl Into<Option<u8>>) -> Self {
        self.comment = comment.into();
        self
    }

    /// Whether the first record names the columns; otherwise they are `column0`, `column1`, ...
    pub fn has_header(mut self, has_header: bool) -> Self {
        self.has_header = has_header;
        self
    }

    /// Text that stands for NULL where it is a whole field without quotes, beside the empty field.
    /// May be called more than once.
    pub fn null(mut self, text: impl Into<String>) -> Self {
        self.nulls.push(text.into());
        self
    }

    /// What is done about lines that are no rows.
    pub fn bad_rows(mut self, bad_rows: BadRows) -> Self {
        self.bad_rows = bad_rows;
        self
    }

    /// What the text is in, by one of the names of the [WHATWG's standard](https://encoding.spec.whatwg.org/#names-and-labels), such as
    /// `latin1` (which is windows-1252 there) or `utf-16`. Otherwise it is UTF-8, or UTF-16 if a byte order mark says so.
    ///
    /// # Errors
    /// A name that is none.
    pub fn encoding(mut self, name: &str) -> Result<Self> {
        self.encoding = Some(crate::text::encoding(name)?);
        Ok(self)
    }

    /// The type of a column, whatever its values look like. Values that are not of the type are an error of
    /// the query, unless [`BadRows::Null`] makes them NULL.
    pub fn column_type(mut self, name: impl Into<String>, data_type: DataType) -> Self {
        self.types.push((name.into(), data_type));
        self
    }

    /// Whether a field without quotes stands for NULL.
    pub(super) fn is_null(&self, field: &[u8]) -> bool {
        field.is_empty() || self.nulls.iter().any(|null| null.as_bytes() == field)
    }

    /// The marks in a file where `usual` separates fields unless these options say otherwise.
    pub(super) fn marks(&self, usual: u8) -> Marks {
        Marks {
            delimiter: self.delimiter.unwrap_or(usual),
            quote: self.quote,
            comment: self.comment,
        }
    }

    /// # Errors
    /// One character has two meanings, or cannot be told from text.
    pub(super) fn check(&self) -> Result<()> {
        for (name, data_type) in &self.types {
            convert::check(data_type).map_err(|error| error.column(name))?;
        }
        let marks = [self.delimiter, self.quote, self.comment];
        let given: Vec<u8> = marks.into_iter().flatten().collect();
        for (index, mark) in given.iter().enumerate() {
            let shown = char::from(*mark);
            if !mark.is_ascii() || matches!(mark, b'\n' | b'\r') {
                let message = "a delimiter, quote or comment must be one ASCII character";
                return Err(Error::invalid_input(message)
                    .remedy("line breaks always end a record, and are not possible either"));
            }
            if given[..index].contains(mark) {
                return Err(Error::invalid_input(format!("'{shown}' is given two meanings"))
                    .remedy("choose different characters for delimiter, quote and comment"));
            }
        }
        Ok(())
    }
}
