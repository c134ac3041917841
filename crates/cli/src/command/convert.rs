//! `dframe convert`: files of one format into a file of another.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use dframe::io::Compression;
use dframe::{Error, Format, Result};

use crate::args::{InputArgs, OutputArgs, RunArgs};
use crate::query::{Context, Query};

/// Write files again in another format
///
/// Between Parquet, CSV, TSV, JSON, NDJSON, Arrow, Avro and SQLite, in the order of the rows, larger than
/// memory. Several files become one, with the columns of all. Without --output, the second of two files is
/// the output, which must not exist yet; `-` is standard output.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dframe convert data/flights.parquet flights.csv
  dframe convert 'logs/*.ndjson.gz' -o logs.parquet --compression zstd")]
pub struct Convert {
    /// What is read.
    #[command(flatten)]
    input: InputArgs,
    /// How the output is compressed [default: snappy for parquet and avro, nothing for arrow, text by the extension
    /// of the file, such as .csv.gz]
    #[arg(long, value_name = "CODEC")]
    compression: Option<Codec>,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How it is run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Codec {
    /// Not at all.
    None,
    /// Fast.
    Lz4,
    /// Small.
    Zstd,
    /// What everything reads; for parquet and text.
    Gzip,
    /// For text.
    Bzip2,
    /// Smallest, slow; for text.
    Xz,
}

impl Convert {
    /// Checks what takes more than one flag to see.
    ///
    /// # Errors
    /// As [`Convert::resolve_output`]; a compression for a database, which has none.
    pub fn check(&mut self) -> Result<()> {
        self.resolve_output()?;
        if self.compression.is_none() || self.run.watch.explain.is_some() {
            return Ok(());
        }
        match self.output.resolve()?.format {
            Format::Sqlite => {
                Err(Error::invalid_input("--compression is not for sqlite").remedy("leave it out"))
            }
            _ => Ok(()),
        }
    }

    /// Takes the second of two files for the output if no other is named.
    ///
    /// # Errors
    /// It exists.
    fn resolve_output(&mut self) -> Result<()> {
        if self.output.output.is_some() || self.input.files.len() != 2 {
            return Ok(());
        }
        let second = self.input.files.pop().unwrap_or_default();
        if second != "-" && Path::new(&second).exists() {
            return Err(Error::invalid_input(format!("'{second}' exists"))
                .remedy("say -o to replace it, or to read both files into another"));
        }
        self.output.output = Some(PathBuf::from(second));
        Ok(())
    }
}

/// Converts.
pub fn run(args: &Convert, context: &Context) -> Result<()> {
    let mut query = Query::new(&args.run, &args.output, context)?;
    query.compress(match args.compression {
        None => Compression::Default,
        Some(Codec::None) => Compression::None,
        Some(Codec::Lz4) => Compression::Lz4,
        Some(Codec::Zstd) => Compression::Zstd,
        Some(Codec::Gzip) => Compression::Gzip,
        Some(Codec::Bzip2) => Compression::Bzip2,
        Some(Codec::Xz) => Compression::Xz,
    });
    let rows = query.scan(&args.input)?;
    query.finish(rows)
}
