//! `dframe sort`: all rows in an order.

use clap::Args;
use dframe::Result;

use crate::args::{InputArgs, OutputArgs, RunArgs, row_count, some_text};
use crate::query::{Context, Query};

/// Order the rows
///
/// Sorts files larger than memory: what does not fit is spilled and merged. Rows with equal keys keep their
/// order. NULLs come last unless a key says NULLS FIRST.
#[derive(Args, Debug)]
#[command(after_help = r#"Examples:
  dframe sort data/flights.parquet --by "delay desc, origin" --limit 5
  dframe sort data/ticks.parquet --by "ticker, ts" -o sorted.parquet"#)]
pub struct Sort {
    /// What is read.
    #[command(flatten)]
    input: InputArgs,
    /// The order: "delay desc, origin", also by expressions
    #[arg(long, value_name = "KEYS", required = true, allow_hyphen_values = true, value_parser = some_text)]
    by: Vec<String>,
    /// Only the first so many rows, which needs memory for these only
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = row_count)]
    limit: Option<u64>,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How it is run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Sorts.
pub fn run(args: &Sort, context: &Context) -> Result<()> {
    let mut query = Query::new(&args.run, &args.output, context)?;
    let rows = query.scan(&args.input)?;
    query.finish_ordered(rows, &args.by, args.limit)
}
