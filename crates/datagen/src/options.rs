//! What to generate: [`Options`], the names of its choices, and the checks that hold for any table.

use std::fmt;
use std::str::FromStr;
use std::thread::available_parallelism;

use dframe_core::{CancelToken, Error, Result};
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};

/// The size, shape and layout of a table. [`Options::default`] gives a million rows in one file.
#[derive(Clone, Debug)]
pub struct Options {
    /// Rows in all files together; none gives files with a schema only.
    pub rows: u64,
    /// Other seeds give other values; the same seed and options give the same bytes.
    pub seed: u64,
    /// `ticks`: the number of distinct tickers.
    pub tickers: usize,
    /// `ticks`: the Zipf exponent of the tickers' shares; 0 makes all equally frequent.
    pub skew: f64,
    /// The share of NULLs, 0 to 1, in the columns that may have some.
    pub null_share: f64,
    /// The order of the rows.
    pub sorted: Sortedness,
    /// `groupby`: the number of distinct values of each of id1, id2, id4 and id5.
    pub k: u32,
    /// Rows of each row group but a file's last.
    pub row_group_rows: usize,
    /// How pages are compressed.
    pub compression: Codec,
    /// The number of files.
    pub files: usize,
    /// The number of threads that generate and encode.
    pub threads: usize,
    /// Cancels the run from elsewhere.
    pub cancel: CancelToken,
}

/// The order of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sortedness {
    /// As the table comes about: `ticks` by time, `groupby` in random order.
    #[default]
    Natural,
    /// `ticks` by `ts`.
    Time,
    /// `ticks` by `ticker`, then `ts`.
    Ticker,
    /// `groupby` by `id1` to `id6`, NULLs last.
    Ids,
    /// In random order.
    Shuffled,
}

/// How the pages of the files are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Codec {
    /// Not at all.
    None,
    /// Snappy: fast, the usual choice.
    #[default]
    Snappy,
    /// Zstandard, level 1.
    Zstd,
    /// LZ4, the raw block format.
    Lz4,
    /// Gzip, level 6.
    Gzip,
    /// Brotli, level 1.
    Brotli,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rows: 1_000_000,
            seed: 42,
            tickers: 8_000,
            skew: 1.0,
            null_share: 0.0,
            sorted: Sortedness::Natural,
            k: 100,
            row_group_rows: 1 << 20,
            compression: Codec::Snappy,
            files: 1,
            threads: available_parallelism().map_or(1, usize::from),
            cancel: CancelToken::new(),
        }
    }
}

impl Options {
    /// Checks what no table could work with.
    pub(crate) fn validate(&self) -> Result<()> {
        at_least_one("tickers", self.tickers)?;
        at_least_one("k", self.k as usize)?;
        at_least_one("row group size", self.row_group_rows)?;
        at_least_one("number of files", self.files)?;
        at_least_one("number of threads", self.threads)?;
        if !(0.0..=1.0).contains(&self.null_share) {
            return Err(Error::invalid_input(format!(
                "null share {} is no share",
                self.null_share
            ))
            .remedy("give a number from 0 to 1"));
        }
        if !(0.0..=10.0).contains(&self.skew) {
            return Err(Error::invalid_input(format!("skew {} is out of range", self.skew))
                .remedy("give a Zipf exponent from 0 (uniform) to 10; markets are near 1"));
        }
        if self.rows > 1 << 48 {
            return Err(Error::invalid_input(format!("{} rows are too many", self.rows))
                .remedy("give at most 2^48 rows"));
        }
        Ok(())
    }
}

impl Sortedness {
    /// Every choice, in the order in which help texts list them.
    pub const ALL: [Self; 5] = [Self::Natural, Self::Time, Self::Ticker, Self::Ids, Self::Shuffled];

    /// The choice's name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Natural => "natural",
            Self::Time => "time",
            Self::Ticker => "ticker",
            Self::Ids => "ids",
            Self::Shuffled => "shuffled",
        }
    }

    /// The error of a table that cannot be ordered this way; `choices` are its own.
    pub(crate) fn unfit(self, table: &str, choices: &[Self]) -> Error {
        let names: Vec<&str> = choices.iter().map(|choice| choice.name()).collect();
        Error::invalid_input(format!("table '{table}' cannot be sorted by '{self}'"))
            .remedy(format!("choose one of {}", names.join(", ")))
    }
}

impl fmt::Display for Sortedness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Sortedness {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        by_name("sort order", name, &Self::ALL.map(|sorted| (sorted.name(), sorted)))
    }
}

impl Codec {
    /// Every choice, in the order in which help texts list them.
    pub const ALL: [Self; 6] =
        [Self::None, Self::Snappy, Self::Zstd, Self::Lz4, Self::Gzip, Self::Brotli];

    /// The choice's name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Snappy => "snappy",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Gzip => "gzip",
            Self::Brotli => "brotli",
        }
    }

    /// The writer's word for it, with the crate's default levels.
    pub(crate) fn compression(self) -> Compression {
        match self {
            Self::None => Compression::UNCOMPRESSED,
            Self::Snappy => Compression::SNAPPY,
            Self::Zstd => Compression::ZSTD(ZstdLevel::default()),
            Self::Lz4 => Compression::LZ4_RAW,
            Self::Gzip => Compression::GZIP(GzipLevel::default()),
            Self::Brotli => Compression::BROTLI(BrotliLevel::default()),
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Codec {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        by_name("compression", name, &Self::ALL.map(|codec| (codec.name(), codec)))
    }
}

/// Finds a choice by its name; the error lists the names there are.
pub(crate) fn by_name<T: Copy>(what: &str, name: &str, choices: &[(&str, T)]) -> Result<T> {
    match choices.iter().find(|(known, _)| *known == name) {
        Some((_, choice)) => Ok(*choice),
        None => {
            let names: Vec<&str> = choices.iter().map(|(known, _)| *known).collect();
            Err(Error::invalid_input(format!("unknown {what} '{name}'"))
                .remedy(format!("choose one of {}", names.join(", "))))
        }
    }
}

fn at_least_one(what: &str, value: usize) -> Result<()> {
    if value == 0 {
        return Err(
            Error::invalid_input(format!("the {what} must not be 0")).remedy("give 1 or more")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back() {
        for codec in Codec::ALL {
            assert_eq!(codec.to_string().parse::<Codec>().unwrap(), codec);
        }
        for sorted in Sortedness::ALL {
            assert_eq!(sorted.to_string().parse::<Sortedness>().unwrap(), sorted);
        }
        let error = "lzo".parse::<Codec>().unwrap_err().to_string();
        assert_eq!(
            error,
            "unknown compression 'lzo'; choose one of none, snappy, zstd, lz4, gzip, brotli"
        );
    }

    #[test]
    fn bad_options_name_the_remedy() {
        let default = Options::default;
        let bad = [
            (Options { k: 0, ..default() }, "the k must not be 0; give 1 or more"),
            (Options { tickers: 0, ..default() }, "the tickers must not be 0; give 1 or more"),
            (
                Options { null_share: 1.5, ..default() },
                "null share 1.5 is no share; give a number from 0 to 1",
            ),
            (
                Options { skew: f64::NAN, ..default() },
                "skew NaN is out of range; give a Zipf exponent from 0 (uniform) to 10; \
                 markets are near 1",
            ),
        ];
        for (options, message) in bad {
            assert_eq!(options.validate().unwrap_err().to_string(), message);
        }
        Options { rows: 0, null_share: 1.0, ..default() }.validate().unwrap();
    }
}
