//! `dframe head`: the first rows.

use clap::Args;
use dframe::Result;

use crate::args::{InputArgs, OutputArgs, RunArgs, row_count};
use crate::query::{Context, Query};

/// Show the first rows
///
/// Reads only the row groups these are in. Of several files, the first in the order they are named.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dframe head data/flights.parquet
  dframe head data/ticks.parquet -n 3 -f ndjson")]
pub struct Head {
    /// What is read.
    #[command(flatten)]
    input: InputArgs,
    /// Number of rows
    #[arg(short = 'n', long, allow_negative_numbers = true, value_name = "N", default_value = "10", value_parser = row_count)]
    rows: u64,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How it is run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Shows the first rows.
pub fn run(args: &Head, context: &Context) -> Result<()> {
    let mut query = Query::new(&args.run, &args.output, context)?;
    let rows = query.scan(&args.input)?;
    query.finish(rows.limit(args.rows))
}
