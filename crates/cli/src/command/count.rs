//! `dframe count`: the number of rows.

use clap::Args;
use dframe::Result;

use crate::args::{InputArgs, OutputArgs, RunArgs, some_text};
use crate::query::{Context, Query};

/// Count rows
///
/// Prints the bare number, unless a format or an output file asks for a table of one column, `count`.
/// Without --where, reads no data: the files know how many rows they have.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dframe count data/flights.parquet
  dframe count data/ticks.parquet --where \"size >= 1000\"")]
pub struct Count {
    /// What is read.
    #[command(flatten)]
    input: InputArgs,
    /// Only rows for which this holds: "price > 10 and side = 'buy'"
    #[arg(long = "where", value_name = "EXPR", allow_hyphen_values = true, value_parser = some_text)]
    filter: Option<String>,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How it is run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Counts.
pub fn run(args: &Count, context: &Context) -> Result<()> {
    let mut query = Query::new(&args.run, &args.output, context)?;
    let rows = query.scan(&args.input)?;
    let rows = query.filter(rows, args.filter.as_deref())?;
    query.finish_count(rows)
}
