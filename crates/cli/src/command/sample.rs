//! `dframe sample`: some rows, chosen at random.

use clap::Args;
use dframe::Result;

use crate::args::{InputArgs, OutputArgs, RunArgs, row_count};
use crate::query::{Context, Query};

/// Choose rows at random
///
/// The rows come in the order of the files. The same seed chooses the same rows, whatever the number of
/// threads and the memory limit.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dframe sample data/flights.parquet -n 5
  dframe sample data/ticks.parquet --fraction 0.01 --seed 7 -o sample.parquet")]
pub struct Sample {
    /// What is read.
    #[command(flatten)]
    input: InputArgs,
    /// Number of rows [default: 10]
    #[arg(short = 'n', long, allow_negative_numbers = true, value_name = "N", value_parser = row_count)]
    rows: Option<u64>,
    /// Each row with this probability, from 0 to 1
    #[arg(long, value_name = "F", allow_negative_numbers = true, conflicts_with = "rows", value_parser = fraction)]
    fraction: Option<f64>,
    /// Which of the many samples
    #[arg(long, value_name = "S", default_value = "0")]
    seed: u64,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How it is run.
    #[command(flatten)]
    pub run: RunArgs,
}

const ROWS: u64 = 10;

fn fraction(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(fraction) if (0.0..=1.0).contains(&fraction) => Ok(fraction),
        _ => Err("give a number from 0 to 1".to_string()),
    }
}

/// Samples.
pub fn run(args: &Sample, context: &Context) -> Result<()> {
    let mut query = Query::new(&args.run, &args.output, context)?;
    let rows = query.scan(&args.input)?;
    query.finish(match args.fraction {
        Some(fraction) => rows.sample_fraction(fraction, args.seed),
        None => rows.sample_n(args.rows.unwrap_or(ROWS), args.seed),
    })
}
