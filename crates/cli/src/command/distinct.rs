//! `dframe distinct`: rows without their repetitions.

use clap::Args;
use dframe::Result;
use dframe::prelude::{Expr, col};
use dframe::sql::parse_exprs;
use dframe::{Error, ErrorKind};

use crate::args::{InputArgs, OutputArgs, RunArgs, some_text};
use crate::query::{Context, Query, joined};

/// Keep each different row once
///
/// With --on, one row for each combination of values of some columns: the first in the input, with all its
/// columns. NULL is equal to NULL, and NaN to NaN. A printed table is in the order of the columns named.
#[derive(Args, Debug)]
#[command(after_help = r#"Examples:
  dframe distinct data/flights.parquet --on "origin, destination"
  dframe distinct data/ticks.parquet --on ticker -f csv"#)]
pub struct Distinct {
    /// What is read.
    #[command(flatten)]
    input: InputArgs,
    /// The columns that tell rows apart: "origin, destination" [default: all]
    #[arg(long, value_name = "COLS", value_parser = some_text)]
    on: Vec<String>,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How it is run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Keeps different rows.
pub fn run(args: &Distinct, context: &Context) -> Result<()> {
    let mut query = Query::new(&args.run, &args.output, context)?;
    let rows = query.scan(&args.input)?;
    let Some(text) = joined(&args.on) else {
        return query.finish(rows.distinct());
    };
    let names = column_names(&text)?;
    let distinct = query.step(&text, || rows.distinct_on(&names))?;
    let keys: Vec<Expr> = names.iter().map(col).collect();
    query.finish_grouped(distinct, &keys, &[], None)
}

fn column_names(text: &str) -> Result<Vec<String>> {
    let name = |expr: Expr| match expr {
        Expr::Column(column) if column.relation.is_none() => Ok(column.name),
        other => {
            let message = format!("--on takes names of columns, and '{other}' is none");
            Err(Error::new(ErrorKind::InvalidInput, message)
                .remedy("compute it with `dframe select --columns` first"))
        }
    };
    parse_exprs(text)?.into_iter().map(name).collect()
}
