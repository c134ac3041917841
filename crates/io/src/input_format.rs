//! Which format files have: by their names, else by their first bytes.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use dframe_core::{Error, Result};

use crate::ipc::is_stream;
use crate::paths::{self, AVRO, CSV, Extensions, IPC, JSON, PARQUET, SQLITE};

/// A format that files are read in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputFormat {
    /// Parquet.
    Parquet,
    /// Text with a delimiter between fields.
    Csv,
    /// An object on each line, or one array of objects.
    Json,
    /// Arrow IPC: files, streams, Feather.
    Arrow,
    /// Avro object container files.
    Avro,
    /// A table of an SQLite database.
    Sqlite,
}

/// The formats, by the extensions of their files. Of a directory that holds files of several, those of the
/// first in this list are read.
const FORMATS: [(&Extensions, InputFormat); 6] = [
    (&PARQUET, InputFormat::Parquet),
    (&CSV, InputFormat::Csv),
    (&JSON, InputFormat::Json),
    (&IPC, InputFormat::Arrow),
    (&AVRO, InputFormat::Avro),
    (&SQLITE, InputFormat::Sqlite),
];

impl InputFormat {
    /// The names of the formats.
    pub const NAMES: [&str; 7] = ["parquet", "csv", "json", "ndjson", "arrow", "avro", "sqlite"];

    /// The format of files, directories and globs by their extensions; of a file whose name says nothing by
    /// its first bytes, and Parquet if they say nothing, either.
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
    if let Some((_, format)) = FORMATS.iter().find(|(extensions, _)| extensions.fit(named)) {
        return *format;
    }
    if named.is_dir() || paths::is_pattern(path) {
        let held = FORMATS.iter().find(|(extensions, _)| holds(path, extensions));
        return held.map_or(InputFormat::Parquet, |(_, format)| *format);
    }
    of_head(named).unwrap_or(InputFormat::Parquet)
}

/// What the first bytes of a file tell.
fn of_head(path: &Path) -> Option<InputFormat> {
    let mut head = [0; 8];
    // A pipe would lose what is read of it.
    let mut file = File::open(path).ok().filter(|_| path.is_file())?;
    file.read_exact(&mut head).ok()?;
    if head.starts_with(b"Obj\x01") {
        return Some(InputFormat::Avro);
    }
    if head.starts_with(b"SQLite f") {
        return Some(InputFormat::Sqlite);
    }
    (head.starts_with(b"ARROW1") || head.starts_with(b"\xff\xff\xff\xff") && is_stream(&head))
        .then_some(InputFormat::Arrow)
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
            "json" | "ndjson" => Ok(Self::Json),
            "arrow" => Ok(Self::Arrow),
            "avro" => Ok(Self::Avro),
            "sqlite" => Ok(Self::Sqlite),
            _ => Err(Error::invalid_input(format!("'{name}' is not a format that can be read"))
                .remedy("the formats are parquet, csv, json, ndjson, arrow, avro and sqlite")),
        }
    }
}
