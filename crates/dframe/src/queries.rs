//! Queries in SQL, whose tables are files.

use dframe_core::{Error, Result};
use dframe_io::{InputFormat, SqliteOptions};
use dframe_sql::{Table, plan_query};

use crate::frame::LazyFrame;
use crate::session::Session;

impl Session {
    /// The frame of a query in SQL, in DuckDB's dialect. Its tables are files, directories and globs in quotes.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// let session = Session::builder().threads(2).build()?;
    /// let late = session.sql(&format!(
    ///     "SELECT origin, count(*) AS flights, avg(delay) AS delay
    ///      FROM '{path}' WHERE delay > 60
    ///      GROUP BY origin ORDER BY flights DESC LIMIT 3"
    /// ))?;
    /// assert_eq!(late.collect()?.num_rows(), 3);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    ///
    /// # Errors
    /// Text that is no query, or means nothing, with the place in it; files that cannot be read.
    pub fn sql(&self, text: &str) -> Result<LazyFrame> {
        self.sql_with(text, |table| self.table(table))
    }

    /// As [`Session::sql`], where `tables` says what a table is. [`Session::table`] has the files.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// let session = Session::builder().threads(2).build()?;
    /// let flights = session.scan_parquet(path)?;
    /// let late = session.sql_with("SELECT count(*) AS n FROM flights WHERE delay > 60", |table| {
    ///     match table.names[0].as_str() {
    ///         "flights" => Ok(flights.clone()),
    ///         _ => session.table(table),
    ///     }
    /// })?;
    /// assert_eq!(late.collect()?.num_rows(), 1);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::sql`], and those of `tables`.
    pub fn sql_with(
        &self,
        text: &str,
        mut tables: impl FnMut(&Table) -> Result<LazyFrame>,
    ) -> Result<LazyFrame> {
        let plan = plan_query(text, &mut |table| tables(table)?.plan())?;
        Ok(LazyFrame::new(self.clone(), plan))
    }

    /// The rows of a table of a query: a file, a directory or a glob, of the format that its name or its first bytes
    /// tell; or the arguments of `read_parquet`, `read_csv`, `read_json` and `read_arrow`.
    ///
    /// # Errors
    /// Files that cannot be read, and other functions.
    pub fn table(&self, table: &Table) -> Result<LazyFrame> {
        let format = match table_format(table)? {
            Some(format) => format,
            None => InputFormat::of(self.inputs(&table.names))?,
        };
        match format {
            InputFormat::Parquet => self.scan_parquet(&table.names),
            InputFormat::Arrow => self.scan_ipc(&table.names),
            InputFormat::Csv => self.scan_csv(&table.names),
            InputFormat::Json => self.scan_ndjson(&table.names),
            InputFormat::Avro => self.scan_avro(&table.names),
            InputFormat::Sqlite => self.scan_sqlite(&table.names, &SqliteOptions::default()),
        }
    }
}

/// The format that the function of a table says; `None` if it has none.
///
/// # Errors
/// There is no such function, or it names no file.
pub fn table_format(table: &Table) -> Result<Option<InputFormat>> {
    let Some(function) = &table.function else { return Ok(None) };
    let format = match function.as_str() {
        "read_parquet" | "parquet_scan" => InputFormat::Parquet,
        "read_csv" | "read_csv_auto" => InputFormat::Csv,
        "read_json" | "read_ndjson" | "read_json_auto" | "read_ndjson_auto" => InputFormat::Json,
        "read_arrow" | "read_ipc" => InputFormat::Arrow,
        "read_avro" => InputFormat::Avro,
        "read_sqlite" => InputFormat::Sqlite,
        other => {
            return Err(Error::unsupported(format!(
                "there is no function '{other}' that gives rows"
            ))
            .remedy(
                "write read_parquet, read_csv, read_json, read_arrow, or the file alone in quotes",
            ));
        }
    };
    match table.names.is_empty() {
        true => Err(Error::invalid_input(format!("{function} names no file"))
            .remedy(format!("write {function}('file')"))),
        false => Ok(Some(format)),
    }
}
