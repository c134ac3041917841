//! A database: which table of it is meant, a way to its rows by ranges of rowids, and what its errors mean.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use dframe_core::{Error, Result};
use rusqlite::{Connection, ErrorCode, OpenFlags, params};
use strsim::jaro_winkler;
use tempfile::NamedTempFile;

use super::SqliteOptions;
use super::values::append;

/// A table with rowids, in a database.
#[derive(Debug)]
pub(super) struct Opened {
    /// The database as it was named.
    pub(super) path: PathBuf,
    /// What of it is read, for plans.
    pub(super) what: String,
    /// The name of the table, quoted.
    table: String,
    /// The name that its rowids have.
    rowid: &'static str,
    /// Its columns, with the types they were declared with.
    pub(super) columns: Vec<Declared>,
    /// The rows, where they are not read from the table itself.
    kept: Option<NamedTempFile>,
}

/// A column as it was declared.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) name: String,
    /// In upper case; empty if there is none.
    pub(super) declared: String,
}

/// A table or view.
struct Listed {
    name: String,
    is_table: bool,
    has_rowids: bool,
}

impl Opened {
    pub(super) fn open(path: &Path, options: &SqliteOptions) -> Result<Self> {
        let failed = |error| failed(error, path);
        let connection = connect(path)?;
        if let Some(query) = &options.query {
            return Self::kept(path, "query".into(), query, options).map_err(|error| {
                match error.kind() {
                    dframe_core::ErrorKind::InvalidData => Error::invalid_input(format!(
                        "the query cannot be run: {}",
                        error.message()
                    ))
                    .remedy("write it as SQLite does"),
                    _ => error,
                }
            });
        }
        let listed = tables(&connection).map_err(failed)?;
        let found = chosen(listed, options.table.as_deref()).map_err(|error| error.file(path))?;
        let table = quoted(&found.name);
        let columns = columns(&connection, &found.name).map_err(failed)?;
        match free_rowid(&columns).filter(|_| found.has_rowids) {
            Some(rowid) => {
                let path = path.to_path_buf();
                Ok(Self { path, what: found.name, table, rowid, columns, kept: None })
            }
            None => {
                let query = format!("SELECT * FROM {table}");
                let kept = Self::kept(path, found.name, &query, options)?;
                Ok(Self { columns, ..kept })
            }
        }
    }

    /// The rows of a query, kept in a table of their own.
    fn kept(path: &Path, what: String, query: &str, options: &SqliteOptions) -> Result<Self> {
        let failed = |error| failed(error, path);
        let folder = options.temp_dir.clone().unwrap_or_else(std::env::temp_dir);
        let file = tempfile::Builder::new().prefix("dframe-").suffix(".sqlite").tempfile_in(folder);
        let file = file.map_err(|error| Error::io("cannot keep the rows of the query", error))?;
        let connection = Connection::open(file.path()).map_err(failed)?;
        let attached = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let unsynced = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;";
        connection.execute_batch(unsynced).map_err(failed)?;
        let source = format!("file:{}?mode=ro", in_uri(&attached));
        connection.execute("ATTACH ? AS source", params![source]).map_err(failed)?;
        let query = query.trim().trim_end_matches(';');
        connection
            .execute(&format!("CREATE TABLE main.\"rows\" AS {query}"), [])
            .map_err(failed)?;
        let columns = columns(&connection, "rows").map_err(failed)?;
        let Some(rowid) = free_rowid(&columns) else {
            return Err(Error::unsupported("columns are called rowid, _rowid_ and oid")
                .remedy("select one of them under another name"));
        };
        let (path, table) = (path.to_path_buf(), "\"rows\"".into());
        Ok(Self { path, what, table, rowid, columns, kept: Some(file) })
    }

    /// A connection of one's own.
    pub(super) fn connect(&self) -> Result<Connection> {
        match &self.kept {
            Some(file) => connect(file.path()),
            None => connect(&self.path),
        }
    }

    /// The statement that gives rowids and these columns, in order.
    pub(super) fn select(&self, columns: &[usize], condition: &str) -> String {
        let mut sql = format!("SELECT {}", self.rowid);
        for column in columns {
            let _ = write!(sql, ", {}", quoted(&self.columns[*column].name));
        }
        let _ = write!(sql, " FROM {} {condition} ORDER BY {}", self.table, self.rowid);
        sql
    }

    /// The values of columns in a range of rowids, both ends included, row after row.
    pub(super) fn read(&self, rowids: (i64, i64), rows: u64, columns: &[usize]) -> Result<Vec<u8>> {
        let failed = |error| failed(error, &self.path);
        let connection = self.connect()?;
        let condition = format!("WHERE {} BETWEEN ?1 AND ?2", self.rowid);
        let sql = self.select(columns, &condition);
        let mut statement = connection.prepare(&sql).map_err(failed)?;
        let mut found = statement.query(params![rowids.0, rowids.1]).map_err(failed)?;
        let mut bytes = Vec::new();
        let mut read = 0;
        while read < rows
            && let Some(row) = found.next().map_err(failed)?
        {
            for place in 1..=columns.len() {
                append(row.get_ref(place).map_err(failed)?, &mut bytes);
            }
            read += 1;
        }
        match read == rows {
            true => Ok(bytes),
            false => Err(changed()),
        }
    }
}

/// The error for rows that are others than they were.
pub(super) fn changed() -> Error {
    Error::invalid_data("the table was changed while it was read").remedy("run the query again")
}

fn connect(path: impl AsRef<Path>) -> Result<Connection> {
    let path = path.as_ref();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags);
    connection.map_err(|error| failed(error, path))
}

fn tables(connection: &Connection) -> rusqlite::Result<Vec<Listed>> {
    let mut statement = connection.prepare(
        "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' \
         AND type IN ('table', 'view', 'virtual') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )?;
    let listed = statement.query_map([], |row| {
        let kind: String = row.get(1)?;
        let has_rowids = kind == "table" && row.get::<_, i64>(2)? == 0;
        Ok(Listed { name: row.get(0)?, is_table: kind != "view", has_rowids })
    })?;
    listed.collect()
}

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Declared>> {
    let mut statement =
        connection.prepare("SELECT name, type FROM pragma_table_xinfo(?1) WHERE hidden <> 1")?;
    let columns = statement.query_map(params![table], |row| {
        let declared: Option<String> = row.get(1)?;
        Ok(Declared { name: row.get(0)?, declared: declared.unwrap_or_default().to_uppercase() })
    })?;
    columns.collect()
}

/// A name of the rowid that no column has taken.
fn free_rowid(columns: &[Declared]) -> Option<&'static str> {
    let taken = |name: &str| columns.iter().any(|c| c.name.eq_ignore_ascii_case(name));
    ["rowid", "_rowid_", "oid"].into_iter().find(|name| !taken(name))
}

/// The table that is meant.
fn chosen(mut listed: Vec<Listed>, wanted: Option<&str>) -> Result<Listed> {
    let names: Vec<String> = listed.iter().map(|table| format!("'{}'", table.name)).collect();
    let names = names.join(", ");
    if let Some(wanted) = wanted {
        let index = listed.iter().position(|table| table.name.eq_ignore_ascii_case(wanted));
        if let Some(index) = index {
            return Ok(listed.swap_remove(index));
        }
        return Err({
            let near = listed.iter().filter(|table| is_near(&table.name, wanted));
            let near: Vec<String> = near.map(|table| format!("'{}'", table.name)).collect();
            let hint = match near.is_empty() {
                true => String::new(),
                false => format!("did you mean {}? ", near.join(" or ")),
            };
            Error::invalid_input(format!("there is no table '{wanted}'"))
                .remedy(format!("{hint}the tables are {names}"))
        });
    }
    if listed.iter().any(|table| table.is_table) {
        listed.retain(|table| table.is_table);
    }
    match listed.len() {
        0 => Err(Error::invalid_data("the database has no table")),
        1 => Ok(listed.swap_remove(0)),
        count => Err(Error::invalid_input(format!("the database has {count} tables"))
            .remedy(format!("name one with --table: {names}"))),
    }
}

fn is_near(name: &str, wanted: &str) -> bool {
    let (name, wanted) = (name.to_lowercase(), wanted.to_lowercase());
    name.contains(&wanted) || wanted.contains(&name) || jaro_winkler(&name, &wanted) > 0.8
}

pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn in_uri(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

/// What an error of SQLite means.
pub(crate) fn failed(error: rusqlite::Error, path: &Path) -> Error {
    let code = error.sqlite_error_code();
    let io = |message: &str, kind| Error::io(message, std::io::Error::from(kind)).file(path);
    match code {
        Some(ErrorCode::NotADatabase) => {
            Error::invalid_data("the file is not an SQLite database, or it is encrypted")
                .file(path)
                .remedy("check the path, or name the format with --input-format")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            io("the database is locked", std::io::ErrorKind::WouldBlock)
                .remedy("wait until the program that writes to it is done")
        }
        Some(ErrorCode::CannotOpen) => io("cannot open the database", std::io::ErrorKind::NotFound)
            .remedy("check the path, and that it may be read"),
        Some(ErrorCode::DiskFull) => {
            io("cannot write the database", std::io::ErrorKind::StorageFull)
        }
        Some(ErrorCode::DatabaseCorrupt) => Error::invalid_data("the database is corrupt")
            .file(path)
            .remedy("restore it from a copy, or save what is left with 'sqlite3 FILE .recover'"),
        _ => {
            let message = match &error {
                rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
                other => other.to_string(),
            };
            Error::invalid_data(message).file(path)
        }
    }
}
