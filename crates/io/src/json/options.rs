//! How a JSON file is read, and what is to be done about records that are none.

use arrow::datatypes::DataType;
use dframe_core::{Error, Result};
use encoding_rs::Encoding;

use crate::text::{BadRows, convert};

/// How JSON files are to be read. Where nothing is said: an object on each line, or one array of objects; types
/// are those that hold every value.
///
/// ```
/// use dframe_io::{BadRows, JsonOptions};
///
/// let lax = JsonOptions::default().bad_rows(BadRows::Skip);
/// assert_ne!(lax, JsonOptions::default());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonOptions {
    pub(super) bad_rows: BadRows,
    pub(super) types: Vec<(String, DataType)>,
    pub(super) encoding: Option<&'static Encoding>,
}

impl JsonOptions {
    /// What is done about records that are no JSON objects. As [`BadRows::Null`], such a record is a row of
    /// NULLs. What leaves no way to go on is an error whatever this says: an array that is cut off.
    pub fn bad_rows(mut self, bad_rows: BadRows) -> Self {
        self.bad_rows = bad_rows;
        self
    }

    /// What the text is in, as [`crate::CsvOptions::encoding`] says.
    ///
    /// # Errors
    /// A name that is none.
    pub fn encoding(mut self, name: &str) -> Result<Self> {
        self.encoding = Some(crate::text::encoding(name)?);
        Ok(self)
    }

    /// The type of a member of the records, whatever its values look like. Values that are not of the type are
    /// an error of the query, unless [`BadRows::Null`] makes them NULL.
    pub fn column_type(mut self, name: impl Into<String>, data_type: DataType) -> Self {
        self.types.push((name.into(), data_type));
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        let mut types = self.types.iter();
        types.try_for_each(|(name, to)| {
            convert::check(to).map_err(|error: Error| error.column(name))
        })
    }
}
