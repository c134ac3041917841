//! `dframe window`: answers beside each row, out of the rows of its partition.

use clap::Args;
use dframe::Result;
use dframe::expr::window::Over;
use dframe::prelude::LazyFrame;
use dframe::sql::{parse_columns, parse_exprs_over, parse_keys};

use crate::args::{InputArgs, OutputArgs, RunArgs, row_count, some_text};
use crate::query::{Context, Query, joined};

/// Compute window functions over the rows of each partition, in an order
///
/// Aggregates and window functions in --columns are over the rows that --partition-by and --order-by say; one with
/// an OVER of its own may add a frame alone, or be about other rows. Functions: row_number, rank, dense_rank,
/// percent_rank, cume_dist, ntile, lag, lead, first_value, last_value, nth_value, and every aggregate.
#[derive(Args, Debug)]
#[command(mut_arg("folders_by", |arg| arg.long("folders-by")))]
#[command(after_help = r#"Examples:
  dframe window data/ticks.parquet --partition-by ticker --order-by ts \
      --columns "*, price - lag(price) as change, row_number() as n"
  dframe window data/ticks.parquet --partition-by ticker --order-by ts \
      --columns "ticker, ts, avg(price) over (rows 19 preceding) as mean_20"
"#)]
pub struct Window {
    /// What is read.
    #[command(flatten)]
    input: InputArgs,
    /// Columns that the rows of a partition agree on, or expressions with a name [default: all rows are one]
    #[arg(long, value_name = "COLS", allow_hyphen_values = true, value_parser = some_text)]
    partition_by: Vec<String>,
    /// Order of the rows in a partition: "ts, size desc"; equal rows keep the order of the input
    #[arg(long, value_name = "KEYS", allow_hyphen_values = true, value_parser = some_text)]
    order_by: Vec<String>,
    /// Columns that come out: "*, lag(price) as before, sum(size) as volume"
    #[arg(long, value_name = "EXPRS", allow_hyphen_values = true, value_parser = some_text)]
    #[arg(required = true)]
    columns: Vec<String>,
    /// Only rows for which this holds, before anything is computed: "price > 10 and side = 'buy'"
    #[arg(long = "where", value_name = "EXPR", allow_hyphen_values = true, value_parser = some_text)]
    filter: Option<String>,
    /// Order of the rows that come out: "volume desc, ticker"
    #[arg(long, value_name = "KEYS", allow_hyphen_values = true, value_parser = some_text)]
    sort: Vec<String>,
    /// Only the first so many rows
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = row_count)]
    limit: Option<u64>,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How it is run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Computes window functions.
pub fn run(args: &Window, context: &Context) -> Result<()> {
    let mut query = Query::new(&args.run, &args.output, context)?;
    let rows = query.scan(&args.input)?;
    let rows = query.filter(rows, args.filter.as_deref())?;
    let over = over(&mut query, &rows, args)?;
    let text = args.columns.join(", ");
    let exprs = parse_exprs_over(&text, &over)?;
    let frame = query.step(&text, || rows.select(exprs))?;
    query.finish_ordered(frame, &args.sort, args.limit)
}

/// The rows that functions are about. Tried alone, so that what is wrong is shown in its own text.
fn over(query: &mut Query<'_>, rows: &LazyFrame, args: &Window) -> Result<Over> {
    let mut over = Over::default();
    if let Some(text) = joined(&args.partition_by) {
        over.partition_by = parse_columns(&text)?;
        query.step(&text, || rows.clone().select(over.partition_by.clone()))?;
        over.partition_by.iter_mut().for_each(|key| *key = key.unaliased().clone());
    }
    if let Some(text) = joined(&args.order_by) {
        over.order_by = parse_keys(&text)?;
        query.step(&text, || rows.clone().sort_by(over.order_by.clone()))?;
    }
    Ok(over)
}
