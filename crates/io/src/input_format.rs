//! Which format files have, by their names.

use std::path::Path;
use std::str::FromStr;

use dframe_core::{Error, Result};

use crate::paths::{self, CSV, Extensions, PARQUET};

/// A format that files are read in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputFormat {
    /// Parquet.
    Parquet,
    /// Text with a delimiter between fields.
    Csv,
}

impl InputFormat {
    /// The format of files, directories and globs by their extensions: Parquet if they say nothing.
    /// A directory that holds files of both is one of Parquet files.
    ///
    /// # Errors
    /// Paths of different formats.
    pub fn of(paths: &[String]) -> Result<Self> {
        let mut formats = paths.iter().map(|path| of_one(path));
        let Some(first) = formats.next() else { return Ok(Self::Parquet) };
        match formats.position(|format| format != first) {
            None => Ok(first),
            Some(index) => Err(Error::invalid_input(format!(
                "'{}' and '{}' have different formats",
                paths[0],
                paths[index + 1]
            ))
            .remedy("read files of one format at a time")),
        }
    }
}

fn of_one(path: &str) -> InputFormat {
    let named = Path::new(path);
    if CSV.fit(named) {
        return InputFormat::Csv;
    }
    let only_csv = || !holds(path, &PARQUET) && holds(path, &CSV);
    let is_open = named.is_dir() || (!PARQUET.fit(named) && paths::is_pattern(path));
    if is_open && only_csv() { InputFormat::Csv } else { InputFormat::Parquet }
}

/// Whether a directory or glob names files with such names.
fn holds(path: &str, wanted: &Extensions) -> bool {
    let found = paths::expand(&[path.to_string()], wanted).unwrap_or_default();
    found.iter().any(|file| wanted.fit(file))
}

impl FromStr for InputFormat {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "parquet" => Ok(Self::Parquet),
            "csv" => Ok(Self::Csv),
            _ => Err(Error::invalid_input(format!("'{name}' is not a format that can be read"))
                .remedy("the formats are parquet and csv")),
        }
    }
}
