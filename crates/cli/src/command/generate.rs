//! `dframe generate`: writes a synthetic table.

use std::num::NonZero;
use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use dframe::size::format_bytes;
use dframe::{Error, Result};
use dframe_datagen::{Codec, Options, Sortedness, Table, generate};

use crate::args::{ProgressChoice, count, row_count, share, threads};
use crate::progress::{Ticker, grouped};
use crate::query::Context;

/// Write a synthetic table as Parquet
///
/// The same options give the same bytes, on any number of threads. Memory stays bounded for any number
/// of rows.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dframe generate ticks --rows 100k --compression zstd -o ticks.parquet
  dframe generate groupby --rows 2.5M --k 10 --nulls 5% --files 4 -o parts")]
pub struct Generate {
    /// The table: ticks is trades of a stock market, groupby and join those of the H2O db-benchmark
    ///
    /// What fits a join of N rows is join-small with N/1M rows, join-medium with N/1k and join-big with N.
    #[arg(value_name = "TABLE", value_parser = table_parser())]
    table: Table,
    /// Rows in all files together, such as 1_000_000, 100k, 2.5M or 1G
    #[arg(long, value_name = "N", default_value = "1M", value_parser = row_count)]
    rows: u64,
    /// File to write, or with --files a directory; it is replaced when all is written
    #[arg(short, long, value_name = "PATH")]
    output: PathBuf,
    /// Other seeds give other values
    #[arg(long, value_name = "N", default_value_t = Options::default().seed)]
    seed: u64,
    /// Share of NULLs in the columns that may have some, such as 5% or 0.05
    #[arg(long, value_name = "SHARE", default_value = "0%", value_parser = share)]
    nulls: f64,
    /// Order of the rows; ticker and time are for ticks, ids for groupby
    #[arg(long, value_name = "ORDER", default_value = "natural", value_parser = order_parser())]
    sorted: Sortedness,
    /// ticks: number of different tickers [default: 8k]
    #[arg(long, value_name = "N", value_parser = count::<usize>)]
    tickers: Option<usize>,
    /// ticks: how unequal the tickers' shares are, as a Zipf exponent; 0 makes them equal [default: 1]
    #[arg(long, value_name = "S")]
    skew: Option<f64>,
    /// groupby: number of different values of id1, id2, id4 and id5 [default: 100]
    #[arg(long, value_name = "N", value_parser = count::<u32>)]
    k: Option<u32>,
    /// Layout of the files.
    #[command(flatten)]
    layout: LayoutArgs,
    /// Threads that generate and encode [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = threads)]
    #[arg(env = "DFRAME_THREADS", hide_env_values = true)]
    threads: Option<usize>,
    /// Show how far the run is on standard error; auto does so on a terminal after half a second
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    #[arg(env = "DFRAME_PROGRESS", hide_env_values = true)]
    progress: ProgressChoice,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Layout")]
struct LayoutArgs {
    /// Rows of a row group
    #[arg(long, value_name = "ROWS", default_value = "1_048_576", value_parser = count::<usize>)]
    row_group_size: usize,
    /// How pages are compressed
    #[arg(long, value_name = "CODEC", default_value = "snappy", value_parser = codec_parser())]
    compression: Codec,
    /// Number of files; more than one go into a directory as part-00000.parquet and so on
    #[arg(long, value_name = "N", default_value = "1", value_parser = count::<usize>)]
    files: usize,
}

impl Generate {
    /// Checks which flags go with the table.
    ///
    /// # Errors
    /// One is another table's.
    pub fn check(&self) -> Result<()> {
        let given = [
            ("--tickers", Table::Ticks, self.tickers.is_some()),
            ("--skew", Table::Ticks, self.skew.is_some()),
            ("--k", Table::Groupby, self.k.is_some()),
            ("--sorted time", Table::Ticks, self.sorted == Sortedness::Time),
            ("--sorted ticker", Table::Ticks, self.sorted == Sortedness::Ticker),
            ("--sorted ids", Table::Groupby, self.sorted == Sortedness::Ids),
        ];
        match given.into_iter().find(|(_, table, given)| *given && *table != self.table) {
            Some((flag, table, _)) => {
                let message = format!("{flag} is for the table '{}'", table.name());
                Err(Error::invalid_input(message).remedy("leave it out"))
            }
            None => Ok(()),
        }
    }
}

/// Writes the table.
pub fn run(args: Generate, context: &Context) -> Result<()> {
    let default = Options::default();
    let options = Options {
        rows: args.rows,
        seed: args.seed,
        tickers: args.tickers.unwrap_or(default.tickers),
        skew: args.skew.unwrap_or(default.skew),
        null_share: args.nulls,
        sorted: args.sorted,
        k: args.k.unwrap_or(default.k),
        row_group_rows: args.layout.row_group_size,
        compression: args.layout.compression,
        files: args.layout.files,
        threads: args.threads.unwrap_or_else(cores),
        cancel: context.cancel.clone(),
    };
    let ticker = Ticker::new(args.progress, context.messages);
    let line = |rows| format!("{} of {} rows written", grouped(rows), grouped(args.rows));
    let outcome = generate(args.table, &options, &args.output, &|rows| ticker.tick(|| line(rows)));
    ticker.finish();
    let report = outcome?;
    context.messages.note(&format!(
        "wrote {} rows in {} row groups, {}, to {}",
        grouped(report.rows),
        report.row_groups,
        format_bytes(report.bytes),
        args.output.display(),
    ));
    Ok(())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

fn table_parser() -> impl TypedValueParser<Value = Table> {
    PossibleValuesParser::new(Table::ALL.map(Table::name)).try_map(parse::<Table>)
}

fn order_parser() -> impl TypedValueParser<Value = Sortedness> {
    PossibleValuesParser::new(Sortedness::ALL.map(Sortedness::name)).try_map(parse::<Sortedness>)
}

fn codec_parser() -> impl TypedValueParser<Value = Codec> {
    PossibleValuesParser::new(Codec::ALL.map(Codec::name)).try_map(parse::<Codec>)
}

fn parse<T: std::str::FromStr<Err = Error>>(name: String) -> Result<T> {
    name.parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_not_zero_and_fit() {
        assert_eq!(count::<usize>("8k"), Ok(8000));
        assert_eq!(count::<u32>("5G"), Err("too large".into()));
        assert_eq!(count::<u32>("0"), Err("must be 1 or more".into()));
    }

    #[test]
    fn defaults_are_those_of_the_library() {
        use clap::Parser;
        let words = ["dframe", "generate", "ticks", "-o", "x"];
        let cli = crate::args::Cli::try_parse_from(words).unwrap();
        let crate::args::Command::Generate(args) = cli.command else { panic!("not generate") };
        let default = Options::default();
        assert_eq!(args.rows, default.rows);
        assert_eq!((default.tickers, default.skew, default.k), (8_000, 1.0, 100));
        assert_eq!(args.layout.row_group_size, default.row_group_rows);
        assert_eq!(args.layout.files, default.files);
    }
}
