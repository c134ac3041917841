//! Tables made by SQLite itself, read in every way.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::util::display::array_value_to_string;
use dframe_core::ErrorKind;
use rusqlite::Connection;

use super::*;

fn database(sql: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    (folder, path.display().to_string())
}

fn open(path: &str, table: Option<&str>, query: Option<&str>) -> Result<Arc<SqliteSource>> {
    let [table, query] = [table, query].map(|text| text.map(str::to_string));
    let options = SqliteOptions { table, query, temp_dir: None };
    SqliteSource::open(&[path.to_string()], &options).map(Arc::new)
}

fn request(projection: Vec<usize>) -> ScanRequest {
    ScanRequest {
        projection,
        filters: Vec::new(),
        tests: Vec::new(),
        limit: None,
        batch_rows: 1000,
        unit_bytes: 1 << 20,
        partition_rows: 1,
        partition_share: 16,
    }
}

fn read(source: &Arc<SqliteSource>, request: &ScanRequest) -> RecordBatch {
    let schema = Arc::new(source.schema().project(&request.projection).unwrap());
    let partitions = source.partitions(request).unwrap();
    let mut batches = Vec::new();
    let mut position = None;
    for unit in partitions.list.iter().flat_map(|partition| &partition.units) {
        let fetched = source.fetch(unit, request).unwrap();
        assert!(fetched.len() as u64 <= unit.fetch_bytes);
        for batch in source.clone().decode(unit, fetched, request).unwrap() {
            let batch = batch.unwrap();
            assert!(position < Some(batch.position));
            position = Some(batch.position);
            batches.push(batch.rows);
        }
    }
    concat_batches(&schema, &batches).unwrap()
}

fn shown(source: &Arc<SqliteSource>) -> Vec<String> {
    let all = (0..source.schema().fields().len()).collect();
    let rows = read(source, &request(all));
    let row = |row: usize| -> String {
        let values =
            rows.columns().iter().map(|column| array_value_to_string(column, row).unwrap());
        values.collect::<Vec<_>>().join("|")
    };
    (0..rows.num_rows()).map(row).collect()
}

fn types(source: &SqliteSource) -> Vec<String> {
    source.schema().fields().iter().map(|f| format!("{} {}", f.name(), f.data_type())).collect()
}

#[test]
fn types_hold_all_values() {
    let (_folder, path) = database(
        "CREATE TABLE t (i INTEGER, r REAL, n, s TEXT, b BLOB, d DATE, at DATETIME, ok BOOLEAN, mixed INTEGER,
           bad DATE, nil INT);
         INSERT INTO t VALUES
           (1, 1, 1, 'a', x'00ff', '2024-02-29', '2024-02-29 12:30:00.5', 1, 7, '2024-02-30', NULL),
           (NULL, 2.5, 2.5, '', NULL, NULL, NULL, NULL, 'seven', '2024-02-29', NULL),
           (-9223372036854775808, NULL, NULL, NULL, 'x', '1969-12-31', '1969-12-31', 0, 1.5, NULL, NULL);",
    );
    let source = open(&path, None, None).unwrap();
    assert_eq!(
        types(&source),
        [
            "i Int64",
            "r Float64",
            "n Float64",
            "s Utf8",
            "b Binary",
            "d Date32",
            "at Timestamp(µs)",
            "ok Boolean",
            "mixed Utf8",
            "bad Utf8",
            "nil Int64"
        ]
    );
    assert_eq!(
        shown(&source),
        [
            "1|1.0|1.0|a|00ff|2024-02-29|2024-02-29T12:30:00.500|true|7|2024-02-30|",
            "|2.5|2.5||||||seven|2024-02-29|",
            "-9223372036854775808||||78|1969-12-31|1969-12-31T00:00:00|false|1.5||"
        ]
    );
}

#[test]
fn units_are_ranges_of_rowids() {
    let (_folder, path) = database(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT);
         WITH RECURSIVE n(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM n WHERE x < 99999)
         INSERT INTO t SELECT x * 3 - 1000, 'text ' || x FROM n;",
    );
    let source = open(&path, None, None).unwrap();
    assert_eq!(source.statistics().rows, Some(100_000));
    let text = read(&source, &request(vec![1]));
    assert_eq!((text.num_rows(), text.num_columns()), (100_000, 1));
    assert_eq!(array_value_to_string(text.column(0), 99_999).unwrap(), "text 99999");
    assert!(source.partitions(&request(vec![1])).unwrap().list.len() > 3);
    assert_eq!(read(&source, &request(vec![])).num_rows(), 100_000);
    let limited = ScanRequest { limit: Some(70_001), ..request(vec![1, 0]) };
    let rows = read(&source, &limited);
    assert_eq!(rows.num_rows(), 70_001);
    assert_eq!(array_value_to_string(rows.column(1), 70_000).unwrap(), "209000");
}

#[test]
fn rows_without_rowids_are_kept() {
    let (_folder, path) = database(
        "CREATE TABLE t (k TEXT PRIMARY KEY, rowid DATE) WITHOUT ROWID;
         INSERT INTO t VALUES ('b', '2024-01-01'), ('a', NULL);
         CREATE VIEW v AS SELECT k || '!' AS k FROM t;",
    );
    assert_eq!(shown(&open(&path, None, None).unwrap()), ["a|", "b|2024-01-01"]);
    assert_eq!(types(&open(&path, Some("T"), None).unwrap())[1], "rowid Date32");
    assert_eq!(shown(&open(&path, Some("v"), None).unwrap()), ["a!", "b!"]);
    let query = "SELECT count(*) AS n, max(k) FROM t;";
    let source = open(&path, None, Some(query)).unwrap();
    assert_eq!(types(&source), ["n Int64", "max(k) Utf8"]);
    assert_eq!(shown(&source), ["2|b"]);
}

#[test]
fn what_cannot_be_read_is_told() {
    let (folder, path) = database("CREATE TABLE a (x); CREATE TABLE \"b c\" (x);");
    let message =
        |error: Error| format!("{} / {}", error.message(), error.remedy_text().unwrap_or_default());
    let several = message(open(&path, None, None).unwrap_err());
    assert_eq!(several, "the database has 2 tables / name one with --table: 'a', 'b c'");
    let missing = message(open(&path, Some("C"), None).unwrap_err());
    assert_eq!(missing, "there is no table 'C' / did you mean 'b c'? the tables are 'a', 'b c'");
    for query in ["SELECT y FROM a", "DROP TABLE a"] {
        let error = open(&path, None, Some(query)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    let text = folder.path().join("text.db");
    std::fs::write(&text, "no database at all, but a long text ".repeat(100)).unwrap();
    let error = open(&text.display().to_string(), None, None).unwrap_err();
    assert_eq!(error.message(), "the file is not an SQLite database, or it is encrypted");
    let empty = folder.path().join("empty.db");
    std::fs::write(&empty, "").unwrap();
    let error = open(&empty.display().to_string(), None, None).unwrap_err();
    assert_eq!(error.message(), "the database has no table");
}

#[test]
fn a_locked_database_is_told() {
    let (_folder, path) = database("CREATE TABLE a (x); INSERT INTO a VALUES (1);");
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = open(&path, None, None).unwrap_err();
    assert_eq!((error.message(), error.kind()), ("the database is locked", ErrorKind::Io));
}

#[test]
fn rows_that_changed_are_told() {
    let (_folder, path) = database("CREATE TABLE a (x INT); INSERT INTO a VALUES (1), (2);");
    let source = open(&path, None, None).unwrap();
    let request = request(vec![0]);
    let unit = source.partitions(&request).unwrap().list[0].units[0].clone();
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("UPDATE a SET x = 'text'").unwrap();
    let fetched = source.fetch(&unit, &request).unwrap();
    let error =
        source.clone().decode(&unit, fetched, &request).unwrap().next().unwrap().unwrap_err();
    assert_eq!(error.message(), "the table was changed while it was read");
    writer.execute_batch("DELETE FROM a WHERE rowid = 1").unwrap();
    assert!(source.fetch(&unit, &request).is_err());
}
