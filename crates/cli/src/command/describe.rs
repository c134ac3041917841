//! `dframe describe`: a summary of each column.

use clap::Args;
use dframe::Result;
use dframe::sql::parse_exprs;

use crate::args::{InputArgs, OutputArgs, RunArgs, some_text};
use crate::query::{Context, Query, joined};

/// Summarize each column
///
/// The number of values and of NULLs, about how many are different (standard error 1.6 %), mean, sample
/// standard deviation, least and greatest value, and exact quartiles; in a table, a histogram, too.
#[derive(Args, Debug)]
#[command(after_help = r#"Examples:
  dframe describe data/flights.parquet
  dframe describe data/ticks.parquet --columns "price, size" -f json"#)]
pub struct Describe {
    /// What is read.
    #[command(flatten)]
    input: InputArgs,
    /// Columns, or expressions with a name [default: *]
    #[arg(long, value_name = "EXPRS", allow_hyphen_values = true, value_parser = some_text)]
    columns: Vec<String>,
    /// Only rows for which this holds
    #[arg(long = "where", value_name = "EXPR", allow_hyphen_values = true, value_parser = some_text)]
    filter: Option<String>,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How it is run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Summarizes.
pub fn run(args: &Describe, context: &Context) -> Result<()> {
    let mut query = Query::new(&args.run, &args.output, context)?;
    let rows = query.scan(&args.input)?;
    let mut frame = query.filter(rows, args.filter.as_deref())?;
    if let Some(text) = joined(&args.columns) {
        let exprs = parse_exprs(&text)?;
        frame = query.step(&text, || frame.select(exprs))?;
    }
    let summary = match query.shows_table() {
        true => frame.describe_with_histograms(),
        false => frame.describe(),
    };
    query.finish(summary)
}
