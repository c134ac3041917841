//! `dframe tail`: the last rows.

use clap::Args;
use dframe::Result;

use crate::args::{InputArgs, OutputArgs, RunArgs, row_count};
use crate::query::{Context, Query};

/// Show the last rows
///
/// Reads only the row groups these are in. Of several files, the last in the order they are named.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dframe tail data/flights.parquet
  dframe tail data/ticks.parquet -n 3 -f csv")]
pub struct Tail {
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

/// Shows the last rows.
pub fn run(args: &Tail, context: &Context) -> Result<()> {
    let mut query = Query::new(&args.run, &args.output, context)?;
    let rows = query.scan(&args.input)?;
    let count = rows.count()?;
    query.finish(rows.offset(count.saturating_sub(args.rows)))
}
