//! `dframe select`: columns and rows.

use clap::Args;
use dframe::Result;
use dframe::sql::parse_exprs;

use crate::args::{InputArgs, OutputArgs, RunArgs, row_count, some_text};
use crate::query::{Context, Query, joined};

/// Compute columns, filter and order rows
///
/// Without --columns: all columns. The order of the steps is that of SQL: where, columns, distinct, sort,
/// offset, limit.
#[derive(Args, Debug)]
#[command(after_help = r#"Examples:
  dframe select data/flights.parquet --where "delay > 600" \
      --columns "origin, destination, delay / 60 as hours" --sort "hours desc"
  dframe select data/ticks.parquet --columns ticker --distinct --limit 3 -f csv
"#)]
pub struct Select {
    /// What is read.
    #[command(flatten)]
    input: InputArgs,
    /// Columns, or expressions with a name: "ticker, price*size as volume" [default: *]
    #[arg(long, value_name = "EXPRS", allow_hyphen_values = true, value_parser = some_text)]
    columns: Vec<String>,
    /// Only rows for which this holds: "price > 10 and side = 'buy'"
    #[arg(long = "where", value_name = "EXPR", allow_hyphen_values = true, value_parser = some_text)]
    filter: Option<String>,
    /// Each different row once
    #[arg(long)]
    distinct: bool,
    /// Order of the rows: "volume desc, ticker"
    #[arg(long, value_name = "KEYS", allow_hyphen_values = true, value_parser = some_text)]
    sort: Vec<String>,
    /// Only the first so many rows
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = row_count)]
    limit: Option<u64>,
    /// Without the first so many rows
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = row_count)]
    offset: Option<u64>,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How it is run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Selects.
pub fn run(args: &Select, context: &Context) -> Result<()> {
    let mut query = Query::new(&args.run, &args.output, context)?;
    let rows = query.scan(&args.input)?;
    let mut frame = query.filter(rows, args.filter.as_deref())?;
    if let Some(text) = joined(&args.columns) {
        let exprs = parse_exprs(&text)?;
        frame = query.step(&text, || frame.select(exprs))?;
    }
    if args.distinct {
        frame = frame.distinct();
    }
    if let Some(text) = joined(&args.sort) {
        frame = query.sort(frame, &text)?;
    }
    query.finish(match (args.offset, args.limit) {
        (Some(offset), Some(limit)) => frame.slice(offset, limit),
        (Some(offset), None) => frame.offset(offset),
        (None, Some(limit)) => frame.limit(limit),
        (None, None) => frame,
    })
}
