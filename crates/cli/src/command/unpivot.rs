//! `dframe unpivot`: columns become rows.

use clap::{ArgGroup, Args};
use dframe::expr::Expr;
use dframe::prelude::LazyFrame;
use dframe::sql::parse_exprs;
use dframe::{Error, Result};

use crate::args::{InputArgs, OutputArgs, RunArgs, row_count, some_text};
use crate::query::{Context, Query, joined};

/// Make rows of columns: wide to long, also called melt
///
/// Each row comes out once for each column of --on, with the columns of --index, the name of the column as
/// `variable` and its value as `value`, of a type that holds all of them. NULL values stay.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("columns").args(["on", "index"]).multiple(true).required(true)))]
#[command(after_help = r#"Examples:
  dframe unpivot data/flights.parquet --on "delay, distance" --index origin
  dframe unpivot quotes.parquet --on "bid, ask" \
      --variable side --value price --where "price is not null"
"#)]
pub struct Unpivot {
    /// What is read.
    #[command(flatten)]
    input: InputArgs,
    /// The columns that become rows [default: all but those of --index]
    #[arg(long, value_name = "COLS", value_parser = some_text)]
    on: Vec<String>,
    /// The columns that stay [default: all but those of --on]
    #[arg(long, value_name = "COLS", value_parser = some_text)]
    index: Vec<String>,
    /// What the column of names is called
    #[arg(long, value_name = "NAME", default_value = "variable", value_parser = some_text)]
    variable: String,
    /// What the column of values is called
    #[arg(long, value_name = "NAME", default_value = "value", value_parser = some_text)]
    value: String,
    /// Only rows of the result for which this holds: "value is not null"
    #[arg(long = "where", value_name = "EXPR", allow_hyphen_values = true, value_parser = some_text)]
    filter: Option<String>,
    /// Order of the rows: "ticker, variable"
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

/// Unpivots.
pub fn run(args: &Unpivot, context: &Context) -> Result<()> {
    let mut query = Query::new(&args.run, &args.output, context)?;
    let rows = query.scan(&args.input)?;
    let on = names(&mut query, &rows, &args.on)?;
    let index = names(&mut query, &rows, &args.index)?;
    let on = on.unwrap_or_default();
    let index = match index {
        Some(index) => index,
        None => others(&rows, &on)?,
    };
    let rows = rows.unpivot_as(on, index, &args.variable, &args.value);
    rows.schema()?;
    let rows = query.filter(rows, args.filter.as_deref())?;
    query.finish_ordered(rows, &args.sort, args.limit)
}

/// The columns named, as the files write them.
fn names(query: &mut Query<'_>, rows: &LazyFrame, texts: &[String]) -> Result<Option<Vec<String>>> {
    let Some(text) = joined(texts) else { return Ok(None) };
    let columns = parse_exprs(&text)?;
    if let Some(other) = columns.iter().find(|column| !matches!(column, Expr::Column(_))) {
        return Err(Error::invalid_input(format!("'{other}' is no name of a column"))
            .remedy("compute it with `dframe select --columns` first"));
    }
    let found = query.step(&text, || rows.clone().select(columns))?.schema()?;
    Ok(Some(found.fields().iter().map(|field| field.name().clone()).collect()))
}

fn others(rows: &LazyFrame, names: &[String]) -> Result<Vec<String>> {
    let schema = rows.schema()?;
    let all = schema.fields().iter().map(|field| field.name().clone());
    Ok(all.filter(|name| !names.contains(name)).collect())
}
