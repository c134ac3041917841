//! What takes bytes of strangers, one function each: whatever they are, it ends, and does not panic.
//!
//! The targets of `tests/fuzz` and the mistakes of `tests/tests/probes.rs` call the same functions.

use std::io::Write;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use dframe::prelude::*;
use dframe::sql::{parse_columns, parse_expr, parse_keys, parse_schema};

static SESSION: LazyLock<Session> = LazyLock::new(|| {
    Session::builder().memory_limit(Size::Bytes(64 << 20)).synchronous().build().unwrap()
});

/// Columns of several types that expressions and queries may name.
static ROWS: LazyLock<LazyFrame> = LazyLock::new(|| {
    let query =
        "SELECT * FROM (VALUES (1, 'a', 0.5, true), (2, NULL, -1.5, false)) AS t(a, b, c, d)";
    SESSION.sql(query).unwrap()
});

/// The errors that say that dframe itself is at fault.
fn check<T>(result: dframe::Result<T>) -> Option<T> {
    match result {
        Err(error) if error.kind() == ErrorKind::Internal => panic!("{error}"),
        other => other.ok(),
    }
}

/// Any text as an expression, a list of columns, sort keys, types; what can be parsed is bound to columns.
pub fn expression(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    check(parse_keys(text));
    check(parse_schema(text));
    if let Some(columns) = check(parse_columns(text)) {
        check(ROWS.clone().select(columns).plan());
    }
    if let Some(condition) = check(parse_expr(text)) {
        check(ROWS.clone().filter(condition).optimized_plan());
    }
}

/// Any text as a query over a table `t`; what can be planned is optimized, not run.
pub fn query(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let frame = SESSION.sql_with(text, |table| match table.names.first().map(String::as_str) {
        Some("t") => Ok(ROWS.clone()),
        _ => Err(dframe::Error::invalid_input("there is no such table")),
    });
    if let Some(frame) = check(frame) {
        check(frame.optimized_plan());
    }
}

/// Any bytes as a CSV file, read whole.
pub fn csv(bytes: &[u8]) {
    read(bytes, ".csv", |path| SESSION.scan_csv(path));
}

/// Any bytes as an NDJSON file, or an array, read whole.
pub fn ndjson(bytes: &[u8]) {
    read(bytes, ".ndjson", |path| SESSION.scan_ndjson(path));
}

/// Any bytes as a Parquet file, of which what it says of itself is read.
pub fn parquet_metadata(bytes: &[u8]) {
    let file = file(bytes, ".parquet");
    let frame = check(SESSION.scan_parquet(file.path()));
    if let Some(frame) = frame {
        check(frame.filter(lit(false)).optimized_plan());
    }
}

/// Any bytes as a batch that was spilled.
pub fn spill_message(bytes: &[u8]) {
    let _ = dframe::runtime::decode_any(spilled_schema(), bytes);
}

/// The schema of the batches of [`spill_message`].
pub fn spilled_schema() -> SchemaRef {
    let text = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    Arc::new(Schema::new(vec![
        Field::new("number", DataType::Int64, true),
        Field::new("code", text, true),
        Field::new("text", DataType::Utf8, true),
        Field::new("list", DataType::new_list(DataType::Float64, true), true),
    ]))
}

fn file(bytes: &[u8], suffix: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(suffix).tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn read(
    bytes: &[u8],
    suffix: &str,
    scan: impl FnOnce(&std::path::Path) -> dframe::Result<LazyFrame>,
) {
    let file = file(bytes, suffix);
    let batches = check(scan(file.path())).and_then(|frame| check(frame.collect_batches()));
    for batch in batches.into_iter().flatten() {
        check(batch);
    }
}
