//! Where results go: one sink per format, each writing batches as they come.
//!
//! ```text
//!   batches --> Sink (format) --> Output: standard output, or a temporary file renamed at the end
//!   batches --> ObjectSink --> a Sink, into an object of a store that appears at the end
//!   batches --> FolderSink --> a Sink per file, in a temporary folder renamed at the end, or objects completed then
//! ```
//!
//! A sink holds a bounded amount: the text formats what workers render and compress, the table its 40 rows, Parquet a row
//! group and the rows that workers encode.

mod avro;
mod beside;
mod conform;
mod folder;
mod folder_name;
mod in_order;
mod ipc;
mod json;
mod object;
mod output;
mod packed;
mod parquet;
mod pending;
mod pending_objects;
mod rendered;
mod separated;
mod sqlite;
mod table;
mod text;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use dframe_core::{Budget, Error, Result, Workers};

use crate::object::Stores;
pub use beside::WholeFile;
pub use folder::FolderOptions;
use folder::FolderSink;
pub use object::write_object;
use output::Output;
use packed::Packing;
use rendered::TextSink;
pub use table::TableOptions;
pub use text::type_name;

/// Writes batches in order.
pub trait Sink: Send {
    /// Writes the rows of a batch. Columns may be dictionaries of the sink's types.
    fn write(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Writes what has come and is still in work, so that [`Sink::bytes`] counts it.
    fn settle(&mut self) -> Result<()> {
        Ok(())
    }

    /// The bytes written so far, and about those that are still held; 0 where nobody counts.
    fn bytes(&self) -> u64 {
        0
    }

    /// Writes what is left, and puts a file in its place. A sink that is dropped unfinished leaves an
    /// old file as it was.
    fn finish(self: Box<Self>) -> Result<SinkReport>;
}

/// What a sink has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SinkReport {
    /// The rows received.
    pub rows: u64,
    /// The bytes written.
    pub bytes: u64,
    /// The values that the format has no number for, and that are NULL therefore: NaN and infinities in JSON, NaN in SQLite.
    pub not_numbers: u64,
    /// The files written, standard output being one.
    pub files: u64,
}

/// Where a sink writes to.
pub enum Target {
    /// A stream, such as standard output.
    Stdout(Box<dyn Write + Send>),
    /// A file; written beside it and renamed at the end. Or an object of a store, if it is called so:
    /// `s3://bucket/x.csv`.
    File(PathBuf),
    /// A folder of files; made beside it and renamed at the end.
    Folder(PathBuf, FolderOptions),
}

/// The formats of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// A table for people, cut after some rows.
    Table,
    /// Comma-separated: NULL is an empty field, the empty text is `""`.
    Csv,
    /// Tab-separated, otherwise as CSV.
    Tsv,
    /// One JSON array of objects. NaN and infinities are `null`, which JSON has no number for.
    Json,
    /// One JSON object per line.
    Ndjson,
    /// A Markdown table.
    Markdown,
    /// Apache Parquet.
    Parquet,
    /// An Apache Arrow IPC file.
    Arrow,
    /// An Apache Arrow IPC stream, which can be read while it is written.
    ArrowStream,
    /// An Avro object container file.
    Avro,
    /// A table of an SQLite database of its own. NaN is NULL, which SQLite has no number for.
    Sqlite,
}

impl Format {
    const NAMES: [(&'static str, Format); 11] = [
        ("table", Format::Table),
        ("csv", Format::Csv),
        ("tsv", Format::Tsv),
        ("json", Format::Json),
        ("ndjson", Format::Ndjson),
        ("markdown", Format::Markdown),
        ("parquet", Format::Parquet),
        ("arrow", Format::Arrow),
        ("arrow-stream", Format::ArrowStream),
        ("avro", Format::Avro),
        ("sqlite", Format::Sqlite),
    ];

    /// What all formats are called, in the order in which they are listed.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().map(|(name, _)| *name)
    }

    /// The format that a file's extension stands for, or the one before that of a compression: `out.csv.gz`.
    pub fn from_extension(path: impl AsRef<Path>) -> Option<Self> {
        let extension =
            Packing::unpacked_name(path.as_ref()).extension()?.to_str()?.to_ascii_lowercase();
        Some(match extension.as_str() {
            "csv" => Self::Csv,
            "tsv" | "tab" => Self::Tsv,
            "json" => Self::Json,
            "ndjson" | "jsonl" => Self::Ndjson,
            "md" | "markdown" => Self::Markdown,
            "parquet" | "parq" => Self::Parquet,
            "arrow" | "ipc" | "feather" => Self::Arrow,
            "arrows" => Self::ArrowStream,
            "avro" => Self::Avro,
            "sqlite" | "sqlite3" | "db" => Self::Sqlite,
            "txt" => Self::Table,
            _ => return None,
        })
    }

    /// The extension that its files have.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Table => "txt",
            Self::Markdown => "md",
            Self::ArrowStream => "arrows",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
            Self::Avro => "avro",
            Self::Sqlite => "sqlite",
        }
    }

    /// Whether the output is for programs only, so that a terminal should not receive it.
    pub fn is_binary(self) -> bool {
        matches!(self, Self::Parquet | Self::Arrow | Self::ArrowStream | Self::Avro | Self::Sqlite)
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wanted = text.to_ascii_lowercase();
        let wanted = match wanted.as_str() {
            "md" => "markdown",
            "jsonl" => "ndjson",
            other => other,
        };
        let found = Self::NAMES.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, format)| *format).ok_or_else(|| {
            let names = Self::names().collect::<Vec<_>>().join(", ");
            Error::invalid_input(format!("there is no format '{text}'"))
                .remedy(format!("choose one of {names}"))
        })
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = Self::NAMES.iter().find(|(_, format)| format == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

/// How files are compressed: those of columns inside, those of text as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Parquet and Avro: snappy; Arrow: none; text: as the name of the file says, such as `out.csv.gz`.
    #[default]
    Default,
    /// Not at all.
    None,
    /// LZ4: fast. Not for text and Avro.
    Lz4,
    /// Zstandard: small.
    Zstd,
    /// Gzip, which everything reads. Not for Arrow and Avro.
    Gzip,
    /// Bzip2. For text only.
    Bzip2,
    /// Xz: smallest and slow. For text only.
    Xz,
}

/// What a sink may be told.
#[derive(Clone, Debug)]
pub struct SinkOptions {
    /// Of the table format.
    pub table: TableOptions,
    /// Of all formats but SQLite.
    pub compression: Compression,
    /// The bytes that a Parquet row group may take while it is written.
    pub row_group_bytes: usize,
    /// The rows of a Parquet row group at most.
    pub row_group_rows: usize,
    /// The memory limit that a Parquet row group in the making counts towards; one that the limit
    /// refuses is written early.
    pub budget: Option<Budget>,
    /// Who renders and compresses text, and encodes the columns of Parquet.
    pub workers: Workers,
    /// Where objects are.
    pub stores: Stores,
    /// The table of an SQLite database; called as the file is by default.
    pub table_name: Option<String>,
}

impl Default for SinkOptions {
    fn default() -> Self {
        Self {
            table: TableOptions::default(),
            compression: Compression::Default,
            row_group_bytes: 32 << 20,
            row_group_rows: 1 << 20,
            budget: None,
            workers: Workers::default(),
            stores: Stores::default(),
            table_name: None,
        }
    }
}

/// Opens a sink for batches of `schema`.
///
/// # Errors
/// The target cannot be created, or the format cannot hold a type of the schema.
pub fn create_sink(
    target: Target,
    format: Format,
    schema: SchemaRef,
    options: &SinkOptions,
) -> Result<Box<dyn Sink>> {
    if let Some(sink) = object::create(&target, format, &schema, options)? {
        return Ok(sink);
    }
    match target {
        Target::Folder(path, folder) => {
            Ok(Box::new(FolderSink::new(&path, format, schema, options, &folder)?))
        }
        Target::File(path) if format == Format::Sqlite => {
            Ok(Box::new(sqlite::SqliteSink::new(&path, schema, options)?))
        }
        target => {
            let path = match &target {
                Target::File(path) => Some(path.as_path()),
                _ => None,
            };
            let packing = Packing::choose(format, path, options.compression)?;
            let output = Output::open(target, packing, options)?;
            create_file_sink(output, format, schema, options)
        }
    }
}

fn create_file_sink(
    output: Output,
    format: Format,
    schema: SchemaRef,
    options: &SinkOptions,
) -> Result<Box<dyn Sink>> {
    let text = |output, format| TextSink::new(output, format, options).map(Box::new);
    Ok(match format {
        Format::Table => Box::new(table::TableSink::new(output, schema, options.table.clone())),
        Format::Csv => text(output, separated::CSV.format(&schema))?,
        Format::Tsv => text(output, separated::TSV.format(&schema))?,
        Format::Markdown => text(output, separated::MARKDOWN.format(&schema))?,
        Format::Json => text(output, json::array())?,
        Format::Ndjson => text(output, json::lines())?,
        Format::Parquet => Box::new(parquet::ParquetSink::new(output, schema, options)?),
        Format::Arrow => Box::new(ipc::ArrowSink::file(output, schema, options)?),
        Format::ArrowStream => Box::new(ipc::ArrowSink::stream(output, schema, options)?),
        Format::Avro => Box::new(avro::AvroSink::new(output, schema, options)?),
        Format::Sqlite => {
            return Err(Error::unsupported("an SQLite database is one file of its own")
                .remedy("name a file with -o, such as out.sqlite"));
        }
    })
}

/// The format has no files that are compressed this way inside.
fn not_inside(format: Format, compression: Compression) -> Error {
    let name = format!("{compression:?}").to_lowercase();
    Error::unsupported(format!("{format} files are not compressed with {name}"))
        .remedy("choose zstd or none")
}

/// Whether the error is a reader that went away (`dframe ... | head`), which ends a run quietly.
pub fn is_broken_pipe(error: &Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::BrokenPipe
        {
            return true;
        }
        cause = error.source();
    }
    false
}
