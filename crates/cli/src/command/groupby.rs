//! `dframe groupby`: a row per group.

use clap::Args;
use dframe::Result;
use dframe::prelude::{Expr, LazyFrame, count_all};
use dframe::sql::{parse_columns, parse_expr, parse_exprs};

use crate::args::{InputArgs, OutputArgs, RunArgs, row_count, some_text};
use crate::query::{Context, Query, joined};

/// Compute aggregates for each group of rows
///
/// Without --agg: the count, and for every numeric column its sum, mean, min and max, as PRICE_sum and so
/// on. Without --by: one row over all rows. A table is ordered by the keys unless --sort says otherwise.
#[derive(Args, Debug)]
#[command(after_help = r#"Examples:
  dframe groupby data/flights.parquet --by origin \
      --agg "count(*) as n, mean(delay) as delay" --sort "n desc" --limit 5
  dframe groupby data/ticks.parquet --by "ticker, date_trunc('hour', ts) as h" \
      --agg "sum(price*size)/sum(size) as vwap" --having "count(*) > 100"
"#)]
pub struct GroupBy {
    /// What is read.
    #[command(flatten)]
    input: InputArgs,
    /// Columns to group by, or expressions with a name: "ticker, date_trunc('day', ts) as day"
    #[arg(long, value_name = "COLS", allow_hyphen_values = true, value_parser = some_text)]
    by: Vec<String>,
    /// What to compute for each group: "sum(price*size)/sum(size) as vwap, count(*) as n"
    #[arg(long, value_name = "EXPRS", allow_hyphen_values = true, value_parser = some_text)]
    agg: Vec<String>,
    /// Only rows for which this holds: "price > 10 and side = 'buy'"
    #[arg(long = "where", value_name = "EXPR", allow_hyphen_values = true, value_parser = some_text)]
    filter: Option<String>,
    /// Only groups for which this holds; may use aggregates and the names --agg gives: "n > 100"
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true, value_parser = some_text)]
    having: Option<String>,
    /// Order of the groups: "n desc, ticker"
    #[arg(long, value_name = "KEYS", allow_hyphen_values = true, value_parser = some_text)]
    sort: Vec<String>,
    /// Only the first so many groups
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = row_count)]
    limit: Option<u64>,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How it is run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Groups and aggregates.
pub fn run(args: &GroupBy, context: &Context) -> Result<()> {
    let mut query = Query::new(&args.run, &args.output, context)?;
    let rows = query.scan(&args.input)?;
    let rows = query.filter(rows, args.filter.as_deref())?;
    let keys = keys(&mut query, &rows, args)?;
    let groups = groups(&mut query, &rows, &keys, args)?;
    query.finish_grouped(groups, &keys, &args.sort, args.limit)
}

fn keys(query: &mut Query<'_>, rows: &LazyFrame, args: &GroupBy) -> Result<Vec<Expr>> {
    let Some(text) = joined(&args.by) else { return Ok(vec![]) };
    let keys = parse_columns(&text)?;
    // Tried alone, so that what is wrong with a key is shown in the text of the keys.
    query.step(&text, || rows.clone().group_by(keys.clone()).agg([count_all()]))?;
    Ok(keys)
}

fn groups(
    query: &mut Query<'_>,
    rows: &LazyFrame,
    keys: &[Expr],
    args: &GroupBy,
) -> Result<LazyFrame> {
    let text = joined(&args.agg);
    let exprs = text.as_deref().map(parse_exprs).transpose()?;
    let aggregated = |having: Option<Expr>| {
        let groups = rows.clone().group_by(keys.to_vec());
        let groups = match having {
            Some(condition) => groups.having(condition),
            None => groups,
        };
        match &exprs {
            Some(exprs) => groups.agg(exprs.clone()),
            None => groups.agg_default(),
        }
    };
    let all = match &text {
        Some(text) => query.step(text, || aggregated(None))?,
        None => aggregated(None),
    };
    match &args.having {
        Some(text) => {
            let condition = parse_expr(text)?;
            query.step(text, || aggregated(Some(condition)))
        }
        None => Ok(all),
    }
}
