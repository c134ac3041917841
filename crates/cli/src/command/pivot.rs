//! `dframe pivot`: a column for each value of a column.

use clap::Args;
use dframe::prelude::{Expr, LazyFrame, count_all};
use dframe::sql::{parse_columns, parse_exprs};
use dframe::{Error, Result};

use crate::args::{InputArgs, OutputArgs, RunArgs, row_count, some_text};
use crate::query::{Context, Query, joined};

/// Make columns of the values of a column: long to wide
///
/// A row for each combination of --index, and a column for each value of --on, with the aggregate of the rows that
/// have both. Without --values, a first query finds them, 1000 at most. A printed table is ordered by --index.
#[derive(Args, Debug)]
#[command(after_help = r#"Examples:
  dframe pivot data/ticks.parquet --on side --index ticker --agg "sum(size)"
  dframe pivot sales.parquet --on year --values "2023, 2024 as this_year" \
      --index "region, product" --agg "sum(price) as total, count(*) as n"
"#)]
pub struct Pivot {
    /// What is read.
    #[command(flatten)]
    input: InputArgs,
    /// The column whose values become columns, or an expression with a name
    #[arg(long, value_name = "COL", allow_hyphen_values = true, value_parser = some_text)]
    on: String,
    /// The columns that make a row, or expressions with a name [default: one row]
    #[arg(long, visible_alias = "by", value_name = "COLS", allow_hyphen_values = true)]
    #[arg(value_parser = some_text)]
    index: Vec<String>,
    /// What to compute for each place: "sum(size) as volume, count(*) as n"
    #[arg(long, value_name = "EXPRS", allow_hyphen_values = true, value_parser = some_text)]
    #[arg(required = true)]
    agg: Vec<String>,
    /// The values that become columns, in this order, perhaps under other names: "'buy' as bought, 'sell'"
    #[arg(long, value_name = "VALUES", allow_hyphen_values = true, value_parser = some_text)]
    values: Vec<String>,
    /// Only rows for which this holds: "price > 10 and side = 'buy'"
    #[arg(long = "where", value_name = "EXPR", allow_hyphen_values = true, value_parser = some_text)]
    filter: Option<String>,
    /// Order of the rows: "buy desc, ticker"
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

/// Pivots.
pub fn run(args: &Pivot, context: &Context) -> Result<()> {
    let mut query = Query::new(&args.run, &args.output, context)?;
    let rows = query.scan(&args.input)?;
    let rows = query.filter(rows, args.filter.as_deref())?;
    let on = on(&mut query, &rows, args)?;
    let index = match joined(&args.index) {
        Some(text) => {
            let index = parse_columns(&text)?;
            query.step(&text, || rows.clone().group_by(index.clone()).agg([count_all()]))?;
            index
        }
        None => vec![],
    };
    let text = args.agg.join(", ");
    let aggregates = parse_exprs(&text)?;
    query.step(&text, || rows.clone().group_by(index.clone()).agg(aggregates.clone()))?;
    let pivoted = match joined(&args.values) {
        Some(values) => {
            let constants = parse_exprs(&values)?;
            let pivot = || rows.pivot_values(on, constants, index.clone(), aggregates);
            query.step(&values, pivot)?
        }
        None => rows.pivot(on, index.clone(), aggregates)?,
    };
    query.finish_grouped(pivoted, &index, &args.sort, args.limit)
}

fn on(query: &mut Query<'_>, rows: &LazyFrame, args: &Pivot) -> Result<Expr> {
    let columns = <[Expr; 1]>::try_from(parse_columns(&args.on)?);
    let [on] = columns.map_err(|columns| {
        Error::invalid_input(format!("--on names {} columns", columns.len()))
            .remedy("name one; several make one by ||, as in \"exchange || ' ' || side as place\"")
    })?;
    query.step(&args.on, || rows.clone().select([on.clone()]))?;
    Ok(on.unaliased().clone())
}
