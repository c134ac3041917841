//! Texts that are hard to read, in pieces of any size, against what is known to be in them.

use std::io::Write;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;
use dframe_expr::type_name;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::text::BadRows;

type Row = Vec<Option<String>>;

const COARSE: Grain = Grain { piece_bytes: 8 << 20, block_bytes: 256 << 10 };

fn source(
    text: &[u8],
    options: &CsvOptions,
    grain: Grain,
) -> Result<(CsvSource, tempfile::TempPath)> {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(text).expect("it can be written");
    let path = file.into_temp_path();
    let paths = [path.to_str().expect("UTF-8").to_string()];
    let budget = Budget::unlimited();
    let cancel = CancelToken::new();
    let survey = CsvSurvey::open_with(&paths, options, &budget, |file| match file.is_plain() {
        true => grain,
        false => Grain::of(file),
    })?;
    let found = (0..survey.piece_count()).map(|piece| survey.look_through(piece, &cancel));
    let found = found.collect::<Result<Vec<_>>>()?;
    Ok((survey.finish(found, &cancel, &budget)?, path))
}

fn request(projection: Vec<usize>, unit_bytes: u64) -> ScanRequest {
    ScanRequest {
        projection,
        filters: vec![],
        tests: Vec::new(),
        limit: None,
        batch_rows: 1000,
        unit_bytes,
        partition_rows: 1,
        partition_share: 16,
    }
}

/// All batches, whose positions must be those of their rows.
fn batches(source: CsvSource, request: &ScanRequest) -> Result<Vec<RecordBatch>> {
    let source = Arc::new(source);
    let (mut batches, mut row) = (Vec::new(), 0);
    for unit in source.partitions(request)?.list.iter().flat_map(|partition| &partition.units) {
        let fetched = source.fetch(unit, request)?;
        assert_eq!(fetched.len() as u64, unit.fetch_bytes);
        let mut rows = 0;
        for batch in source.clone().decode(unit, fetched, request)? {
            let batch = batch?;
            assert_eq!(batch.position, row);
            row += batch.rows.num_rows() as u64;
            rows += batch.rows.num_rows() as u64;
            batches.push(batch.rows);
        }
        assert_eq!(rows, unit.row_count());
    }
    assert_eq!(source.statistics().rows, Some(row));
    Ok(batches)
}

fn rows_of(source: CsvSource, unit_bytes: u64) -> Result<Vec<Row>> {
    let columns = source.schema.fields().len();
    let mut rows = Vec::new();
    for batch in batches(source, &request((0..columns).collect(), unit_bytes))? {
        let value = |column: &arrow::array::ArrayRef, row| {
            column.is_valid(row).then(|| array_value_to_string(column, row).expect("shown"))
        };
        let row = |row| batch.columns().iter().map(|column| value(column, row)).collect();
        rows.extend((0..batch.num_rows()).map(row));
    }
    Ok(rows)
}

/// The types, and the rows as text: `~` is NULL, `|` is between fields.
fn read_with(text: impl AsRef<[u8]>, options: &CsvOptions) -> Result<(String, Vec<String>)> {
    let (source, _path) = source(text.as_ref(), options, COARSE)?;
    let field = |field: &Arc<Field>| format!("{} {}", field.name(), type_name(field.data_type()));
    let types: Vec<String> = source.schema.fields().iter().map(field).collect();
    let rows = rows_of(source, 1 << 20)?;
    let shown = |row: Row| {
        row.into_iter().map(|value| value.unwrap_or("~".into())).collect::<Vec<_>>().join("|")
    };
    Ok((types.join(", "), rows.into_iter().map(shown).collect()))
}

fn read(text: impl AsRef<[u8]>) -> (String, Vec<String>) {
    read_with(text, &CsvOptions::default()).expect("it can be read")
}

fn error(text: impl AsRef<[u8]>) -> String {
    let error = read_with(text, &CsvOptions::default()).expect_err("it cannot be read");
    let place = error.context();
    assert!(place.file.is_some() && error.remedy_text().is_some(), "{error}");
    format!("{} [{}]", error.message(), place.column.as_deref().unwrap_or(""))
}

#[test]
fn types_are_those_of_all_rows() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("a,b\n1,x\n2,y\n", "a BIGINT, b VARCHAR", &["1|x", "2|y"]),
        ("a,b\r\n1,x\r\n2,y", "a BIGINT, b VARCHAR", &["1|x", "2|y"]),
        ("\u{feff}a\n1\n", "a BIGINT", &["1"]),
        ("a,b\n", "a VARCHAR, b VARCHAR", &[]),
        ("a,b", "a VARCHAR, b VARCHAR", &[]),
        ("a,b\n,1\n,2\n", "a VARCHAR, b BIGINT", &["~|1", "~|2"]),
        ("a\n1\n2.5\n", "a DOUBLE", &["1.0", "2.5"]),
        ("a\n1\n2\nx\n", "a VARCHAR", &["1", "2", "x"]),
        ("a\n1\n007\n", "a VARCHAR", &["1", "007"]),
        ("a\n1\n9223372036854775808\n", "a DECIMAL(38, 0)", &["1", "9223372036854775808"]),
        ("a,a,a_1,\n1,2,3,4\n", "a BIGINT, a_2 BIGINT, a_1 BIGINT, column3 BIGINT", &["1|2|3|4"]),
        ("a\n\n1\n\n2\n\n", "a BIGINT", &["~", "1", "~", "2", "~"]),
        ("a,b\n\n1,2\n\n\n3,4\n\n", "a BIGINT, b BIGINT", &["1|2", "3|4"]),
        ("\n\na,b\n1,2\n", "a BIGINT, b BIGINT", &["1|2"]),
        ("a,b\n\"\",\"\"\n,\n", "a VARCHAR, b VARCHAR", &["|", "~|~"]),
        ("a,b\n1,\"\"\n\"\",x\n", "a BIGINT, b VARCHAR", &["1|", "~|x"]),
        ("a,b\n\"1\",\"2,\n\"\"3\"\"\"\n", "a BIGINT, b VARCHAR", &["1|2,\n\"3\""]),
        ("a,b\nx\0y,\0\n", "a VARCHAR, b VARCHAR", &["x\0y|\0"]),
        ("\"a\"\"b\",\"c,d\"\n1,2\n", "a\"b BIGINT, c,d BIGINT", &["1|2"]),
        ("a\ntrue\nFALSE\n\n", "a BOOLEAN", &["true", "false", "~"]),
        ("a,b\n 1 , x \n", "a BIGINT, b VARCHAR", &["1| x "]),
        (
            "a\n2024-02-29\n2024-02-29 10:00\n",
            "a TIMESTAMP",
            &["2024-02-29T00:00:00", "2024-02-29T10:00:00"],
        ),
        ("a,b\n\"1\r\n2\",3\r\n", "a VARCHAR, b BIGINT", &["1\r\n2|3"]),
    ];
    for (text, types, rows) in cases {
        let (found_types, found_rows) = read(text);
        assert_eq!(
            (found_types.as_str(), found_rows),
            (*types, rows.iter().map(|r| r.to_string()).collect()),
            "{text:?}"
        );
    }
}

#[test]
fn options_say_how() {
    let default = CsvOptions::default;
    let plain = |text: &str, options| read_with(text, &options).expect("it can be read");
    let (types, rows) = plain("1;2\n3;4\n", default().delimiter(b';').has_header(false));
    assert_eq!((types.as_str(), rows.len()), ("column0 BIGINT, column1 BIGINT", 2));
    let (types, rows) = plain("a,b\n'x,\"y',1\n", default().quote(b'\''));
    assert_eq!((types.as_str(), rows[0].as_str()), ("a VARCHAR, b BIGINT", "x,\"y|1"));
    assert_eq!(plain("a,b\n\"x,1\n", default().quote(None)).1, ["\"x|1"]);
    assert_eq!(plain("#x\na,b\n#1,2,3\n3,4\n#", default().comment(b'#')).1, ["3|4"]);
    let (types, rows) = plain("a,b\nNA,-\n1,\"NA\"\n", default().null("NA").null("-"));
    assert_eq!((types.as_str(), rows), ("a BIGINT, b VARCHAR", vec!["~|~".into(), "1|NA".into()]));
    assert!(read_with("a\n", &default().delimiter(b'"')).is_err());
    assert!(read_with("a\n", &default().comment(b'\n')).is_err());
}

#[test]
fn errors_say_where() {
    assert_eq!(error(""), "there are no columns: the file is empty []");
    assert_eq!(error("a,b\n1,2\n\n3\n"), "line 4 has 1 field, but there are 2 columns [b]");
    assert_eq!(error("a\n1\n3,4\n"), "line 3 has 2 fields, but there is 1 column []");
    assert_eq!(
        error("a,b\n\"x\ny\",2\n3,\"z\n"),
        "the record that begins in line 4 has a quoted field that is not closed [b]"
    );
    assert_eq!(
        error("a,b\n1,\"x\"y\n"),
        "in line 2, text follows the quote that closes a field [b]"
    );
    assert_eq!(
        error(b"a,b\n1,2\n3,\xff\n5,6\n"),
        "the record that begins in line 3 is not UTF-8 [b]"
    );
    assert_eq!(error("a,b\r1,2\r"), "lines end with a carriage return alone []");
    // What comes first is told, whatever else there is.
    assert!(error(b"a,b\n1\n\xff,2\n").starts_with("line 2 "));
    assert!(error(b"a,b\n\xff,2\n1\n").contains("line 2 is not UTF-8"));
}

#[test]
fn records_may_be_longer_than_windows_and_pieces() {
    let long = "é,\"\"\n".repeat(600_000);
    let text = format!("a,b\n1,\"{long}\"\n{}2,x\n", "0,y\n".repeat(1000));
    for grain in [COARSE, Grain { piece_bytes: 300_000, block_bytes: 100_000 }] {
        let (source, _path) = source(text.as_bytes(), &CsvOptions::default(), grain).expect("read");
        let batches = batches(source, &request(vec![1, 0], 1 << 20)).expect("read");
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, 1002);
        assert_eq!(batches[0].column(0).as_string::<i32>().value(0), long.replace("\"\"", "\""));
    }
}

#[test]
fn ten_thousand_columns_are_read() {
    let names: Vec<String> = (0..10_000).map(|column| format!("c{column}")).collect();
    let row: Vec<String> = (0..10_000).map(|column| column.to_string()).collect();
    let text = format!("{}\n{}\n{}\n", names.join(","), row.join(","), row.join(","));
    let (source, _path) = source(text.as_bytes(), &CsvOptions::default(), COARSE).expect("read");
    let batches = batches(source, &request((0..10_000).collect(), 1 << 20)).expect("read");
    let last = batches[0].column(9_999).as_primitive::<arrow::datatypes::Int64Type>();
    assert_eq!((batches[0].num_columns(), last.value(0)), (10_000, 9_999));
}

#[test]
fn bad_rows_are_skipped_or_made_rows() {
    let text = "a,b,c\n1,2,3\n4\n5,\"6\"x,7\n8,9,10,11\n\"x\"y\n12,13,14\n";
    let with = |bad_rows, grain| {
        let options = CsvOptions::default().bad_rows(bad_rows);
        let (source, _path) = source(text.as_bytes(), &options, grain).expect("read");
        let (bad, first) = source.bad_rows().expect("there are bad rows");
        assert_eq!(first.message(), "line 3 has 1 field, but there are 3 columns");
        let types: Vec<DataType> =
            source.schema.fields().iter().map(|field| field.data_type().clone()).collect();
        assert_eq!(types, vec![DataType::Int64; 3]);
        let shown = |row: Row| row.into_iter().map(|v| v.unwrap_or("~".into())).collect::<Vec<_>>();
        let rows = rows_of(source, 1 << 20).expect("read").into_iter();
        (bad, rows.map(|row| shown(row).join("|")).collect::<Vec<_>>())
    };
    for piece_bytes in 1..text.len() as u64 {
        let grain = Grain { piece_bytes, block_bytes: 1 };
        assert_eq!(with(BadRows::Skip, grain), (4, vec!["1|2|3".into(), "12|13|14".into()]));
        let made = ["1|2|3", "4|~|~", "5|~|7", "8|9|10", "~|~|~", "12|13|14"].map(str::to_string);
        assert_eq!(with(BadRows::Null, grain), (4, made.to_vec()));
    }
    let stretch = format!("a,b\n1,2\n{}3,4\n{}", "bad\n".repeat(500_000), "bad\n".repeat(500_000));
    let skip = CsvOptions::default().bad_rows(BadRows::Skip);
    for text in [stretch.clone().into_bytes(), zstd::encode_all(stretch.as_bytes(), 1).expect("")] {
        assert_eq!(read_with(text, &skip).expect("read").1, ["1|2", "3|4"]);
    }
    let unclosed = CsvOptions::default().bad_rows(BadRows::Skip);
    assert!(read_with("a,b\n1,\"2\n3,4\n", &unclosed).is_err(), "the rest would be lost");
}

#[test]
fn types_can_be_asked_for() {
    let text = "id,price,day\n007,1.50,2024-01-01\n\"\",\"\",\"\"\n,,\nx,2,soon\n";
    let of = |day| {
        let options = CsvOptions::default();
        let options = options.column_type("price", DataType::Decimal128(9, 2));
        options.column_type("DAY", day).column_type("id", DataType::Utf8)
    };
    let (types, rows) = read_with(text, &of(DataType::Utf8)).expect("read");
    assert_eq!(types, "id VARCHAR, price DECIMAL(9, 2), day VARCHAR");
    assert_eq!(rows, ["007|1.50|2024-01-01", "|~|", "~|~|~", "x|2.00|soon"]);
    let error = read_with(text, &of(DataType::Date32)).expect_err("'soon' is no date");
    assert_eq!(error.message(), "'soon' in line 5 is no DATE");
    assert_eq!(error.context().column.as_deref(), Some("day"));
    let lax = of(DataType::Date32).bad_rows(BadRows::Null);
    assert_eq!(read_with(text, &lax).expect("read").1[3], "x|2.00|~");
    let unknown = CsvOptions::default().column_type("days", DataType::Date32);
    assert!(read_with(text, &unknown).expect_err("no such column").message().contains("days"));
    let packed = zstd::encode_all(text.as_bytes(), 1).expect("compressed");
    let error = read_with(packed, &of(DataType::Date32)).expect_err("'soon' is no date");
    assert_eq!(error.message(), "'soon' in line 5 is no DATE");
}

#[test]
fn compressed_text_is_read_as_a_stream() {
    let row = |row: usize| format!("{row},\"text\n{}\"\n", "x".repeat(row % 50));
    let text = format!("a,b\n{}", (0..100_000).map(row).collect::<String>());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).expect("compressed");
    let gzip = gzip.finish().expect("compressed");
    let zstd = zstd::encode_all(text.as_bytes(), 1).expect("compressed");
    for packed in [&gzip, &zstd] {
        let (plain, _path) = source(text.as_bytes(), &CsvOptions::default(), COARSE).expect("read");
        let (source, _path) = source(packed, &CsvOptions::default(), COARSE).expect("read");
        assert_eq!(source.schema, plain.schema);
        let rows = |source| rows_of(source, 1 << 20).expect("read");
        assert!(rows(source) == rows(plain), "rows differ");
    }
    let cut = |bytes: &[u8]| error(&bytes[..bytes.len() - 100]);
    assert_eq!(cut(&gzip), "the file cannot be decompressed []");
    assert_eq!(cut(&zstd), "the file cannot be decompressed []");
    let empty = zstd::encode_all(&b""[..], 1).expect("compressed");
    assert_eq!(error(empty), "there are no columns: the file is empty []");
    let mark = zstd::encode_all("\u{feff}a\n1\n\n".as_bytes(), 1).expect("compressed");
    assert_eq!(read(mark), ("a BIGINT".into(), vec!["1".into(), "~".into()]));
    let flawed = zstd::encode_all(&b"a,b\n1,2\n3\n"[..], 1).expect("compressed");
    assert_eq!(error(flawed), "line 3 has 1 field, but there are 2 columns [b]");
    let (source, _path) = source(&zstd, &CsvOptions::default(), COARSE).expect("read");
    let source = Arc::new(source);
    let request = request(vec![0], 1 << 20);
    let whole = source.partitions(&request).expect("planned").list[0].units[0].clone();
    let last = ScanUnit { rows: 99_990..100_000, position: 99_990, ..whole };
    let batches = source.clone().decode(&last, Fetched::default(), &request).expect("decoded");
    let rows: usize = batches.map(|batch| batch.expect("decoded").rows.num_rows()).sum();
    assert_eq!(rows, 10);
}

/// `a,b` and 200,000 rows of a digit and `x`, as `xz -1` compresses them.
const XZ: &[u8] =
    b"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x10\x00\x00\x00\xa8\x70\
    \x8e\x86\xec\x35\x03\x00\xd3\x5d\x00\x30\x8b\x08\x40\xa6\x6c\x55\x90\x83\x0d\x6d\x6c\x8c\
    \x07\x64\x82\xa4\x1e\x0e\x77\x65\x2e\x23\x50\x94\x33\xbd\xb3\xca\x5f\x80\x1c\xc8\x52\x2b\
    \x38\xb8\x8c\x8d\x77\xc4\xbc\x69\x2d\xe2\x0d\xbc\x13\x2c\xea\x24\xcc\x20\x3e\xee\xe7\x31\
    \x78\x8c\xb5\x1d\x20\x8b\x42\x4d\xf6\x5e\xa5\x02\xe8\xed\xed\xe8\xa9\x8e\xda\x59\xf6\x5f\
    \xc3\xb8\x5a\x6d\xc8\x66\x17\x61\xc1\xe2\x63\xd7\x4e\xa3\xaf\x22\x5b\xb2\xf9\x20\x0d\xe3\
    \xe7\x74\x8d\x91\x2b\xee\x34\xe6\x5a\xea\xc6\x93\x78\x2f\xde\xba\xce\xb1\x27\x18\x5c\x59\
    \x86\xe9\x66\x52\x58\xbe\xe9\x76\xac\x59\xe4\xe5\x5b\x05\x08\xf9\xc7\xda\xad\xfc\xfb\x52\
    \x2b\x74\xcd\x1e\x5b\x20\x42\xf9\xdd\x53\x3d\xf8\x29\x64\x09\x3b\x80\xcb\x2a\x6c\xdf\xb5\
    \x3b\xf0\xc4\xbd\x2e\x5f\xaa\x0f\x3e\x4b\x66\x42\x90\x13\x0e\xff\x10\x93\xf8\x71\x78\x59\
    \xf8\x0b\xcd\xff\x95\x28\x46\x0f\xa9\xfc\x7c\xde\xfb\x9a\x30\x2e\x55\xc3\x53\x8a\x00\x00\
    \x00\x00\x5f\x78\x1b\xec\xc9\x9a\xf4\xd0\x00\x01\xef\x01\x84\xea\x30\x00\xd3\x16\x2f\x00\
    \xb1\xc4\x67\xfb\x02\x00\x00\x00\x00\x04\x59\x5a";

#[test]
fn text_compressed_by_bzip2_and_xz_is_read() {
    let rows: String = (0..200_000).map(|row| format!("{},x\n", row % 10)).collect();
    let text = format!("a,b\n{rows}");
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(text.as_bytes()).expect("compressed");
    let bzip2 = bzip2.finish().expect("compressed");
    let plain = read(&text);
    for packed in [&bzip2[..], XZ] {
        assert!(read(packed) == plain, "rows differ");
        assert!(read([packed, packed].concat()).1.len() == 400_001, "two streams are one text");
        assert_eq!(error(&packed[..packed.len() - 30]), "the file cannot be decompressed []");
    }
}

#[test]
fn text_of_other_encodings_is_read() {
    let units = |text: &str| text.encode_utf16().collect::<Vec<u16>>();
    let text = "\u{feff}name,n\n\"Jos\u{e9}, 漢\",1\n\u{1f600},2\n";
    let little: Vec<u8> = units(text).iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = units(text).iter().flat_map(|unit| unit.to_be_bytes()).collect();
    let expected = ("name VARCHAR, n BIGINT".to_string(), vec!["José, 漢|1".into(), "😀|2".into()]);
    let utf_16 = CsvOptions::default().encoding("utf-16").expect("an encoding");
    for bytes in [&little, &big] {
        assert_eq!(read(bytes), expected);
        assert_eq!(read_with(bytes, &utf_16).expect("read"), expected);
        assert_eq!(read(zstd::encode_all(&bytes[..], 1).expect("compressed")), expected);
    }
    assert_eq!(read_with(&little[2..], &utf_16).expect("read"), expected);
    let latin = b"name,n\nJos\xe9,1\n\x80,x\n";
    assert_eq!(error(latin), "the record that begins in line 2 is not UTF-8 [name]");
    let options = CsvOptions::default().encoding("latin1").expect("an encoding");
    assert_eq!(read_with(latin, &options).expect("read").1, ["José|1", "€|x"]);
    let long = [b"a,b\n".to_vec(), b"\xe9,1\n".repeat(300_000)].concat();
    assert_eq!(read_with(long, &options).expect("read").1.len(), 300_000);
    assert!(CsvOptions::default().encoding("klingon").is_err());
}

#[test]
fn a_file_that_has_changed_is_an_error() {
    let (source, path) = source(b"a\n1\n2\n", &CsvOptions::default(), COARSE).expect("read");
    std::fs::write(&path, "a\n1\n2\n3\n").expect("written");
    let error = rows_of(source, 1 << 20).expect_err("it has changed");
    assert_eq!(error.message(), "the file has changed since the query began");
}

#[test]
fn any_rows_of_a_unit_are_read() {
    let text: String = (0..40).map(|row| format!("{row},x\n")).collect();
    let grain = Grain { piece_bytes: 50, block_bytes: 20 };
    let options = CsvOptions::default().has_header(false);
    let (source, _path) = source(text.as_bytes(), &options, grain).expect("read");
    let source = Arc::new(source);
    let request = request(vec![0], 1 << 20);
    let whole = source.partitions(&request).expect("planned").list[0].units[0].clone();
    assert_eq!(whole.rows, 0..40);
    for (start, end) in (0..40).flat_map(|start| (start + 1..41).map(move |end| (start, end))) {
        let unit = ScanUnit { rows: start..end, position: start, ..whole.clone() };
        let fetched = source.fetch(&unit, &request).expect("fetched");
        let batches = source.clone().decode(&unit, fetched, &request).expect("decoded");
        let rows = batches.flat_map(|batch| {
            let batch = batch.expect("decoded").rows;
            batch.column(0).as_primitive::<arrow::datatypes::Int64Type>().values().to_vec()
        });
        let expected: Vec<i64> = (start as i64..end as i64).collect();
        assert_eq!(rows.collect::<Vec<_>>(), expected);
    }
}

/// How a field is written.
#[derive(Clone, Debug)]
struct Cell {
    text: String,
    quoted: bool,
}

fn cell() -> impl Strategy<Value = Cell> {
    let letters = prop::sample::select(vec!["a", "é", ",", "\"", "\n", "\r\n", "1", " ", "#"]);
    (vec(letters, 0..6), any::<bool>())
        .prop_map(|(letters, quoted)| Cell { text: letters.concat(), quoted })
}

impl Cell {
    fn written(&self) -> String {
        let must = self.text.contains([',', '"', '\n', '\r']);
        match self.quoted || must {
            true => format!("\"{}\"", self.text.replace('"', "\"\"")),
            false => self.text.clone(),
        }
    }

    fn value(&self) -> Option<String> {
        (!self.text.is_empty() || self.quoted).then(|| self.text.clone())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Where pieces and units begin does not change what is read, wherever quotes and line breaks are.
    #[test]
    fn pieces_of_any_size_read_the_same(
        cells in (1..5_usize).prop_flat_map(|columns| vec(vec(cell(), columns), 1..40)),
        piece_bytes in 1..60_u64,
        block_bytes in 1..40_u64,
        crlf in any::<bool>(),
        end in any::<bool>(),
    ) {
        let columns = cells[0].len();
        // Of a column of text all values can be compared as such.
        let first: Vec<Cell> = (0..columns).map(|_| Cell { text: "x".into(), quoted: false }).collect();
        let line_end = if crlf { "\r\n" } else { "\n" };
        let header: Vec<String> = (0..columns).map(|column| format!("c{column}")).collect();
        let mut lines = vec![header.join(",")];
        let rows = || std::iter::once(&first).chain(&cells);
        lines.extend(rows().map(|row| row.iter().map(Cell::written).collect::<Vec<_>>().join(",")));
        let mut text = lines.join(line_end);
        // Without a line end, an empty last line is none.
        if end || lines.last().is_some_and(String::is_empty) {
            text.push_str(line_end);
        }
        let grain = Grain { piece_bytes, block_bytes };
        let (source, _path) = source(text.as_bytes(), &CsvOptions::default(), grain).expect("read");
        let found = rows_of(source, 1 << 20).expect("read");
        let expected: Vec<Row> = rows().map(|row| row.iter().map(Cell::value).collect()).collect();
        prop_assert_eq!(found, expected);
    }

    /// Any bytes are read or refused, and pieces do not change which.
    #[test]
    fn any_bytes_are_read_or_refused(
        letters in vec(prop::sample::select(b"a1,,\"\"\n\n\r\xff\0 -.e:".to_vec()), 0..80),
        piece_bytes in 1..30_u64,
    ) {
        let fine = Grain { piece_bytes, block_bytes: 1 };
        let outcome = |grain| {
            let read = source(&letters, &CsvOptions::default(), grain);
            let rows = read.and_then(|(source, _path)| rows_of(source, 1 << 20));
            rows.map_err(|error| error.message().to_string())
        };
        prop_assert_eq!(outcome(fine), outcome(COARSE));
    }
}
