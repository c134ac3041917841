//! Which format files have: by their names, else by their first bytes.

use std::path::Path;
use std::str::FromStr;

use dframe_core::{Error, Result};

use crate::file::OpenFile;
use crate::ipc::is_stream;
use crate::object::{Kind, Url};
use crate::paths::{self, AVRO, CSV, Extensions, IPC, Inputs, JSON, PARQUET, SQLITE};

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
    pub fn of(inputs: impl Into<Inputs>) -> Result<Self> {
        let inputs = inputs.into();
        let paths = &inputs.names;
        let mut formats = paths.iter().map(|path| of_one(path, &inputs));
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

fn of_one(path: &str, inputs: &Inputs) -> InputFormat {
    let url = Url::parse(path);
    let named = Path::new(url.map_or(path, |url| url.key));
    if let Some((_, format)) = FORMATS.iter().find(|(extensions, _)| extensions.fit(named)) {
        return *format;
    }
    let many = match url {
        None => named.is_dir() || paths::is_pattern(path),
        Some(url) => url.is_prefix() || url.is_pattern(),
    };
    let head = if many { None } else { of_head(path, inputs) };
    head.or_else(|| {
        // The name of an object may be one of many below it, which only a list tells.
        let may_hold = many || url.is_some_and(|url| url.kind != Kind::Http);
        let mut formats = FORMATS.iter().filter(|_| may_hold);
        formats.find(|(extensions, _)| holds(path, inputs, extensions)).map(|(_, format)| *format)
    })
    .unwrap_or(InputFormat::Parquet)
}

/// What the first bytes of a file tell.
fn of_head(path: &str, inputs: &Inputs) -> Option<InputFormat> {
    // A pipe would lose what is read of it.
    if Url::parse(path).is_none() && !Path::new(path).is_file() {
        return None;
    }
    let place = paths::expand(&inputs.only(path), &PARQUET).ok()?.into_iter().next()?;
    let mut head = [0; 8];
    OpenFile::open(&place, "").and_then(|file| file.read_into(0, &mut head)).ok()?;
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
fn holds(path: &str, inputs: &Inputs, wanted: &Extensions) -> bool {
    let found = paths::expand(&inputs.only(path), wanted).unwrap_or_default();
    found.iter().any(|place| wanted.fit(place.name()))
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
