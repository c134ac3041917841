//! `dframe sql`: a whole query.

use clap::Args;
use dframe::{Error, Result, table_format};

use crate::args::{InputArgs, OutputArgs, RunArgs, some_text};
use crate::query::{Context, Query};
use crate::reading::ReadingArgs;

/// Run a query in SQL over files
///
/// Tables are files, directories or globs in quotes: FROM 'flights.parquet'. The dialect is DuckDB's: joins,
/// subqueries in FROM, WITH, GROUP BY, HAVING, window functions, QUALIFY, UNION, EXCEPT, INTERSECT.
#[derive(Args, Debug)]
#[command(after_help = r#"Examples:
  dframe sql "SELECT origin, avg(delay) AS delay FROM 'data/flights.parquet' \
      GROUP BY origin ORDER BY delay DESC LIMIT 5"
  dframe sql "SELECT f.*, a.name FROM 'data/flights.parquet' f \
      JOIN 'airports.csv' a ON f.origin = a.code" -o named.parquet
"#)]
pub struct Sql {
    /// The query: "SELECT ... FROM 'file.parquet'"
    #[arg(value_name = "QUERY", value_parser = some_text)]
    query: String,
    /// How files are read.
    #[command(flatten)]
    reading: ReadingArgs,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How it is run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Runs the query.
pub fn run(args: &Sql, context: &Context) -> Result<()> {
    let mut query = Query::new(&args.run, &args.output, context)?;
    let session = query.session().clone();
    let frame = session.sql_with(&args.query, |table| {
        let reading = match table_format(table)? {
            Some(format) => args.reading.of_format(format),
            None => args.reading.clone(),
        };
        let input = InputArgs { files: table.names.clone(), reading };
        query.scan(&input).map_err(|error| named_table(error, &table.names[0]))
    })?;
    let frame = query.step(&args.query, || frame)?;
    query.finish(frame)
}

/// A name without a dot or a slash is mostly no file.
fn named_table(error: Error, name: &str) -> Error {
    let is_file = name.contains(['.', '/', '*']) || name == "-";
    if is_file { error } else { error.remedy("tables are files: FROM 'file.parquet'") }
}
