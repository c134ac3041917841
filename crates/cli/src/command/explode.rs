//! `dframe explode`: a row for each element of a list.

use clap::Args;
use dframe::Result;
use dframe::prelude::Expr;
use dframe::sql::parse_columns;

use crate::args::{InputArgs, OutputArgs, RunArgs, row_count, some_text};
use crate::query::{Context, Query};

/// Make a row for each element of a list, beside the other columns
///
/// A row whose list is NULL or empty stays, with NULL. Several lists are taken side by side; those of a row must be of
/// one length. An expression adds a column: "string_split(tags, ',') as tag".
#[derive(Args, Debug)]
#[command(after_help = r#"Examples:
  dframe explode orders.parquet --on items
  dframe explode orders.parquet --on "[price, discount] as amount" \
      --where "amount > 0"
"#)]
pub struct Explode {
    /// What is read.
    #[command(flatten)]
    input: InputArgs,
    /// Columns of lists, or expressions with a name
    #[arg(long, value_name = "COLS", value_parser = some_text, required = true)]
    on: Vec<String>,
    /// Only rows of the result for which this holds: "item <> ''"
    #[arg(long = "where", value_name = "EXPR", allow_hyphen_values = true, value_parser = some_text)]
    filter: Option<String>,
    /// Order of the rows: "item desc, id"
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

/// Explodes.
pub fn run(args: &Explode, context: &Context) -> Result<()> {
    let mut query = Query::new(&args.run, &args.output, context)?;
    let rows = query.scan(&args.input)?;
    let text = args.on.join(", ");
    let columns = parse_columns(&text)?;
    let names: Vec<String> = columns.iter().map(Expr::output_name).collect();
    let made = columns.into_iter().filter(|column| !matches!(column, Expr::Column(_)));
    let made: Vec<Expr> = made.collect();
    let rows = match made.is_empty() {
        true => rows,
        false => query.step(&text, || rows.with_columns(made))?,
    };
    let rows = query.step(&text, || rows.explode(names))?;
    let rows = query.filter(rows, args.filter.as_deref())?;
    query.finish_ordered(rows, &args.sort, args.limit)
}
