//! Seeded synthetic tables, written as Parquet: [`generate`] streams any number of rows in bounded
//! memory, on all cores, and writes the same bytes for the same options on any number of threads.
//!
//! ```text
//! options -> layout: row groups -> waves -> encode (pool)  -> output (calling thread) -> rename
//!                                    ^        |
//!                                    |        v
//!                                    |   generator: block(rows) -> batch
//!                                    +-- one wave is encoded while the one before is written
//! ```
//!
//! Every value is a pure function of the seed, the column and the row number (see `random.rs`), so
//! that any slice of a table can be made at any time by any thread.
//!
//! This crate knows nothing of plans or queries, and reads no files.

mod encode;
mod generator;
mod groupby;
mod join;
mod layout;
mod options;
mod output;
mod random;
mod ticks;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use dframe_core::{Error, Result};

use crate::encode::Encoder;
use crate::layout::RowGroup;
use crate::output::Output;

pub use crate::generator::Generator;
pub use crate::groupby::Groupby;
pub use crate::join::{Join, JoinTable};
pub use crate::options::{Codec, Options, Sortedness};
pub use crate::ticks::Ticks;

/// The tables that can be generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Table {
    /// Trades of a stock market: see [`Ticks`].
    Ticks,
    /// The table of the H2O db-benchmark's groupby task: see [`Groupby`].
    Groupby,
    /// A table of its join task: see [`Join`].
    Join(JoinTable),
}

/// What [`generate`] wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Rows in all files.
    pub rows: u64,
    /// Row groups in all files.
    pub row_groups: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// The files, in row order.
    pub files: Vec<PathBuf>,
}

/// Writes `table` to `output`: a file, or, with more than one file, a directory of
/// `part-00000.parquet` and so on, each with a contiguous range of the rows.
///
/// `on_progress` is called on the calling thread with the number of rows written so far. Files are
/// written to temporary names beside their targets and renamed when all are complete: a failed or
/// cancelled run leaves what was there.
///
/// # Errors
/// Bad options and an output that cannot be replaced are invalid input; a refused write is I/O;
/// a cancelled [`Options::cancel`] is [`dframe_core::ErrorKind::Cancelled`].
pub fn generate(
    table: Table,
    options: &Options,
    output: &Path,
    on_progress: &dyn Fn(u64),
) -> Result<Report> {
    options.validate()?;
    let generator = table.generator(options)?;
    let encoder = Encoder::try_new(&*generator, options)?;
    let mut output = Output::create(output, options.files, encoder.file_shape())?;
    let pool = start_pool(options.threads)?;
    let mut pending = layout::row_groups(options);
    let mut encoded = Vec::new();
    loop {
        let wave: Vec<RowGroup> = pending.by_ref().take(encoder.wave_row_groups()).collect();
        if wave.is_empty() && encoded.is_empty() {
            return output.publish();
        }
        let mut next = Ok(Vec::new());
        pool.in_place_scope(|scope| {
            scope.spawn(|_| next = encoder.encode_wave(wave));
            write_wave(&mut output, std::mem::take(&mut encoded), on_progress)
        })?;
        encoded = next?;
    }
}

impl Table {
    /// Every table, in the order in which help texts list them.
    pub const ALL: [Self; 6] = [
        Self::Ticks,
        Self::Groupby,
        Self::Join(JoinTable::Left),
        Self::Join(JoinTable::Small),
        Self::Join(JoinTable::Medium),
        Self::Join(JoinTable::Big),
    ];

    /// The table's name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ticks => "ticks",
            Self::Groupby => "groupby",
            Self::Join(table) => table.name(),
        }
    }

    /// The generator of this table's rows.
    ///
    /// # Errors
    /// Invalid input if the options do not fit the table.
    pub fn generator(self, options: &Options) -> Result<Box<dyn Generator>> {
        Ok(match self {
            Self::Ticks => Box::new(Ticks::try_new(options)?),
            Self::Groupby => Box::new(Groupby::try_new(options)?),
            Self::Join(table) => Box::new(Join::try_new(table, options)?),
        })
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Table {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        options::by_name("table", name, &Self::ALL.map(|table| (table.name(), table)))
    }
}

fn start_pool(threads: usize) -> Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|error| {
        Error::internal("cannot start the generator's threads")
            .remedy("ask for fewer threads")
            .source(error)
    })
}

fn write_wave(
    output: &mut Output,
    wave: Vec<encode::Encoded>,
    on_progress: &dyn Fn(u64),
) -> Result<()> {
    for encoded in wave {
        output.append(encoded)?;
        on_progress(output.rows());
    }
    Ok(())
}
