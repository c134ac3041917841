//! Records in pieces of any size, against what a parser of JSON alone makes of them.

use std::io::Write;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::json::LineDelimitedWriter;
use arrow::util::display::array_value_to_string;
use serde_json::Value;

use super::*;
use crate::text::BadRows;

const TINY: Grain = Grain { piece_bytes: 50, block_bytes: 30 };
const SMALL: Grain = Grain { piece_bytes: 1000, block_bytes: 1 };
const COARSE: Grain = Grain { piece_bytes: 8 << 20, block_bytes: 256 << 10 };

fn open(path: &Path, options: &JsonOptions, grain: Grain) -> Result<JsonSource> {
    let grain_of = |file: &TextFile| if file.is_plain() { grain } else { Grain::of(file) };
    let survey = JsonSurvey::open_with(&[path.display().to_string()], options, grain_of)?;
    // Pieces may be looked through in any order.
    let cancel = CancelToken::new();
    let last_first = (0..survey.piece_count()).rev();
    let mut found: Vec<JsonFound> =
        last_first.map(|piece| survey.look_through(piece, &cancel)).collect::<Result<_>>()?;
    found.reverse();
    survey.finish(found, &cancel, &Budget::unlimited())
}

fn request(projection: Vec<usize>, batch_rows: usize) -> ScanRequest {
    let (filters, limit) = (vec![], None);
    ScanRequest {
        projection,
        filters,
        tests: Vec::new(),
        limit,
        batch_rows,
        unit_bytes: 1 << 14,
        partition_rows: 100,
        partition_share: 16,
    }
}

fn scan(source: JsonSource, request: &ScanRequest, mut skip: u64) -> Result<RecordBatch> {
    let source = Arc::new(source);
    let schema = Arc::new(source.schema().project(&request.projection)?);
    let (mut batches, mut rows) = (Vec::new(), 0);
    for mut unit in source.partitions(request)?.list.into_iter().flat_map(|part| part.units) {
        let count = unit.row_count().min(skip);
        skip -= count;
        (unit.rows.start, unit.position) = (unit.rows.start + count, unit.position + count);
        rows += unit.row_count();
        if unit.row_count() > 0 {
            let fetched = source.fetch(&unit, request)?;
            assert!(fetched.len() as u64 <= unit.fetch_bytes);
            for batch in source.clone().decode(&unit, fetched, request)? {
                batches.push(batch?.rows);
            }
        }
    }
    let all = concat_batches(&schema, &batches)?;
    assert_eq!(all.num_rows() as u64, rows);
    Ok(all)
}

fn read(text: &str, options: &JsonOptions, grain: Grain) -> Result<RecordBatch> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    std::fs::write(&path, text).unwrap();
    let source = open(&path, options, grain)?;
    let columns = (0..source.schema().fields().len()).collect();
    scan(source, &request(columns, 7), 0)
}

/// Without members that are null, which a table cannot tell from those that are not there.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(members.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

fn values(rows: &RecordBatch) -> Vec<Value> {
    let mut writer = LineDelimitedWriter::new(Vec::new());
    writer.write(rows).unwrap();
    writer.finish().unwrap();
    let text = String::from_utf8(writer.into_inner()).unwrap();
    text.lines().map(|line| without_nulls(serde_json::from_str(line).unwrap())).collect()
}

/// Records of which each lacks something else.
fn records() -> Vec<String> {
    let record = |row: usize| {
        let mut members = vec![format!("\"id\":{row}")];
        if !row.is_multiple_of(3) {
            members.push(format!(
                "\"te\\u0078t\" : \"{}\\\"\\n[{{é\\ud83d\\ude00\"",
                "x".repeat(row % 90)
            ));
        }
        if !row.is_multiple_of(4) {
            members.push(format!("\"list\":[{}]", ["", "1", "1, null", "2,3 ,4"][row % 4]));
        }
        if !row.is_multiple_of(5) {
            members
                .push(format!("\"o\":{{\"a\":{{\"b\":{}.25}},\"c\":[{{\"d\":true}},{{}}]}}", row));
        }
        if row.is_multiple_of(7) {
            members.push("\"n\":null".to_string());
        }
        format!("{{{}}}", members.join(","))
    };
    (0..300).map(record).collect()
}

#[test]
fn every_layout_is_read_in_any_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let records = records();
    let wanted: Vec<Value> =
        records.iter().map(|r| without_nulls(serde_json::from_str(r).unwrap())).collect();
    let layouts = [
        records.join("\n"),
        format!("\n\n{}\r\n   \n", records.join(" \r\n\n  ")),
        format!("[{}]", records.join(",")),
        format!(" [\n{}\n]\n", records.join("\n ,\n")).replace("\":", "\"\n:"),
    ];
    for (number, text) in layouts.iter().enumerate() {
        let (plain, packed) = (folder.path().join("a.json"), folder.path().join("a.json.gz"));
        std::fs::write(&plain, text).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        std::fs::write(&packed, encoder.finish().unwrap()).unwrap();
        for (path, grain) in [(&plain, TINY), (&plain, SMALL), (&plain, COARSE), (&packed, TINY)] {
            for (batch_rows, skip) in [(1, 299), (7, 100), (1 << 14, 0)] {
                let source = open(path, &JsonOptions::default(), grain).unwrap();
                let columns: Vec<usize> = (0..source.schema().fields().len()).collect();
                let found = scan(source, &request(columns, batch_rows), skip).unwrap();
                assert!(values(&found) == wanted[skip as usize..], "{number} {batch_rows}");
            }
            let source = open(path, &JsonOptions::default(), grain).unwrap();
            let (text, _) = source.schema().fields().find("text").unwrap();
            let rows = scan(source, &request(vec![text, 0], 100), 5).unwrap();
            assert_eq!(rows.schema().field(0).name(), "text");
            for (row, record) in wanted[5..].iter().enumerate() {
                let text = rows.column(0).as_string_opt::<i32>().unwrap();
                let text = text.is_valid(row).then(|| text.value(row));
                assert_eq!(text, record.get("text").and_then(Value::as_str), "{row}");
            }
            assert_eq!(array_value_to_string(rows.column(1), 0).unwrap(), "5");
        }
    }
}

#[test]
fn types_hold_the_values_of_all_rows() {
    let text = r#"{"n":1,"d":"2024-01-02","m":1.50,"z":"2024-01-01T00:00:00+01:00","big":1}
        {"n":2.5,"d":"2024-01-02 10:30","m":"x","z":null,"big":9223372036854775808}
        {"n":-0,"d":null,"m":true,"big":2,"late":[{"t":"2024-02-29"}]}"#;
    for grain in [TINY, COARSE] {
        let rows = read(text, &JsonOptions::default(), grain).unwrap();
        let types =
            rows.schema().fields().iter().map(|f| type_name(f.data_type())).collect::<Vec<_>>();
        let wanted =
            ["DOUBLE", "TIMESTAMP", "VARCHAR", "TIMESTAMP WITH TIME ZONE", "DECIMAL(38, 0)"];
        assert_eq!(types[..5], wanted);
        assert!(types[5].contains("DATE"), "{}", types[5]);
        let shown =
            |column: usize, row: usize| array_value_to_string(rows.column(column), row).unwrap();
        assert_eq!([shown(1, 0), shown(1, 1)], ["2024-01-02T00:00:00", "2024-01-02T10:30:00"]);
        assert_eq!([shown(2, 0), shown(2, 1), shown(2, 2)], ["1.50", "x", "true"]);
        assert_eq!(shown(3, 0), "2023-12-31T23:00:00Z");
        assert_eq!(shown(4, 1), "9223372036854775808");
    }
}

#[test]
fn both_decoders_read_the_same() {
    let nested = "{\"nested\":[1]}";
    let texts = [
        r#"{"i":0,"f":-0.0,"t":"","b":true,"d":"2024-02-29","l":9223372036854775808}
           {"l":-1,"d":null,"b":false,"t":"\u00e9\ud83d\ude00\n\"\\","f":1e-3,"i":-9223372036854775808}
           { "t" : "}],{\"" , "i" : null , "x\u0079" : {"t":[[],[{"i":2}]]} , "f" : 123456789012345678901234567890 }
           {}
           {"t":"twice","t":"last","\u0069":7,"i":8,"f":2}
           {"other":"\\","t":"é","f":0.1,"l":99999999999999999999999999999999999999}"#,
        "{\"m\":1.50}\r\n{\"m\":\"x\"}\n{\"m\":true}\n{\"m\":false}\n{\"m\":null}\n{\"m\":\"null\"}",
    ];
    for text in texts {
        for text in [
            format!("{text}\n{nested}"),
            format!("[{},{nested}]", text.replace("}\n", "},\n").replace("}\r\n", "},")),
        ] {
            let all = read(&text, &JsonOptions::default(), SMALL).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.json");
            std::fs::write(&path, &text).unwrap();
            for (index, field) in all.schema().fields().iter().enumerate() {
                let source = open(&path, &JsonOptions::default(), TINY).unwrap();
                let one = scan(source, &request(vec![index, 0], 2), 0).unwrap();
                assert_eq!(one.column(0), all.column(index), "{}", field.name());
            }
        }
    }
}

#[test]
fn bad_records_are_named_left_out_or_null() {
    let text = "{\"a\":1}\n{\"a\":\"x\", oops}\n[1]\n\n{\"a\":4}\n{\"a\":5";
    for grain in [TINY, COARSE] {
        let error = read(text, &JsonOptions::default(), grain).unwrap_err();
        assert_eq!(error.message(), "line 2 is no JSON");
        let skip = JsonOptions::default().bad_rows(BadRows::Skip);
        let rows = read(text, &skip, grain).unwrap();
        // What is left out says nothing of types.
        assert_eq!(rows.column(0).as_primitive::<arrow::datatypes::Int64Type>().values(), &[1, 4]);
        let null = JsonOptions::default().bad_rows(BadRows::Null);
        let rows = read(text, &null, grain).unwrap();
        assert_eq!((rows.num_rows(), rows.column(0).null_count()), (5, 3));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    std::fs::write(&path, text).unwrap();
    let source = open(&path, &JsonOptions::default().bad_rows(BadRows::Skip), TINY).unwrap();
    let (rows, first) = source.bad_rows().unwrap();
    assert_eq!((rows, first.message()), (3, "line 2 is no JSON"));
}

#[test]
fn types_can_be_asked_for() {
    let of = |data_type| JsonOptions::default().column_type("a", data_type);
    let text = "{\"a\":1}\n{\"a\":\"2\"}\n{\"a\":null}\n{\"a\":\"x\"}\n";
    let error = read(text, &of(DataType::Int32), TINY).unwrap_err();
    assert_eq!(error.message(), "'x' in line 4 is no INTEGER");
    let rows = read(text, &of(DataType::Int32).bad_rows(BadRows::Null), TINY).unwrap();
    assert_eq!(*rows.column(0).data_type(), DataType::Int32);
    assert_eq!(rows.column(0).null_count(), 2);
    let error = read("{\"a\":[1]}", &of(DataType::Int32), TINY).unwrap_err();
    assert_eq!(error.message(), "the values are BIGINT[], which cannot be read as INTEGER");
}

#[test]
fn what_is_no_table_is_an_error() {
    let message = |text: &str| {
        let error = read(text, &JsonOptions::default(), COARSE).unwrap_err();
        error.message().to_string()
    };
    assert_eq!(message(""), "there are no columns: no record has a member");
    assert_eq!(message("[{\"a\":1}"), "the array is not closed");
    assert_eq!(message("[{\"a\":1}] {}"), "something follows the array in line 1");
    assert_eq!(message("{\n\"a\":1}"), "the object that begins in line 1 is not whole");
    assert_eq!(message("[\n1]"), "line 2 is no JSON object");
    assert_eq!(
        message("{\"a\":1}\n{\"a\":{}}"),
        "the values are objects and single values, which no type holds"
    );
    let many: String = (0..=shape::MEMBERS_MAX).map(|n| format!("{{\"m{n}\":1}}\n")).collect();
    assert!(message(&many).starts_with("there are more than 10000 different members"));
}

#[test]
fn corrupt_files_never_panic() {
    let whole = format!("{}\n", records()[..40].join("\n")).into_bytes();
    let mut state = 3_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    for round in 0..1500 {
        let mut bytes = whole.clone();
        for _ in 0..random() % 3 + 1 {
            let at = random() % bytes.len();
            bytes[at] = b"\"\\{}[],:\n0eu\xff\x00 "[random() % 15];
        }
        std::fs::write(&path, &bytes).unwrap();
        let fate = [BadRows::Error, BadRows::Skip, BadRows::Null][round % 3];
        let source = open(&path, &JsonOptions::default().bad_rows(fate), SMALL);
        let found = source.and_then(|source| {
            let columns = (0..source.schema().fields().len()).collect();
            scan(source, &request(columns, 16), 0)
        });
        if let Err(error) = found {
            assert_eq!(error.kind(), dframe_core::ErrorKind::InvalidData, "{error:?}");
            // The survey has told all that can be wrong.
            assert!(!error.message().contains("has changed"), "{error:?}");
        }
    }
}
