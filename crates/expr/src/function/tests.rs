//! Cases of every function, as text: `call ==> TYPE value`, in `cases/`. They agree with DuckDB but for
//! what `divergences.txt` holds. `UPDATE_SCRIPTS=1 cargo test` writes what functions give now.
//!
//! Each call is made with scalars, with columns, and with every mix of one column and scalars: all must
//! agree. A NULL in place of any argument must give NULL, for all functions but those named here.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, NullArray, StringArray};
use arrow::datatypes::{DataType, TimeUnit};
use dframe_core::{ErrorKind, Result};

use super::{Argument, Call, FORMS, Function, lookup, names};
use crate::display::type_name;
use crate::kernel::cast::cast;
use crate::value::Value;

/// Functions that take NULL for an answer.
const TAKES_NULL: &[&str] = &[
    "concat",
    "concat_ws",
    "list_value",
    "list_concat",
    "list_append",
    "list_prepend",
    "list_contains",
    "list_position",
    "string_split",
    "replace_time_zone",
];

#[test]
fn numeric() {
    check_file("numeric.txt");
}

#[test]
fn string() {
    check_file("string.txt");
}

#[test]
fn pattern() {
    check_file("pattern.txt");
}

#[test]
fn temporal() {
    check_file("temporal.txt");
}

#[test]
fn list() {
    check_file("list.txt");
}

#[test]
fn divergences() {
    check_file("divergences.txt");
}

#[test]
fn names_are_lower_case_and_of_one_function() {
    let mut all: Vec<_> = names().collect();
    all.sort_unstable();
    assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "{all:?}");
    for name in all {
        assert_eq!(name.to_lowercase(), name);
        let function = lookup(name).is_some_and(|function| function.names.contains(&name));
        assert!(function || FORMS.iter().any(|form| form.names.contains(&name)), "{name}");
    }
    assert!(lookup("nothing").is_none());
}

#[test]
fn every_function_has_a_case() {
    let files =
        ["numeric.txt", "string.txt", "pattern.txt", "temporal.txt", "list.txt", "divergences.txt"];
    let cases: String = files.iter().map(|file| read(file)).collect();
    for function in super::functions() {
        let has_case = function.names.iter().any(|name| cases.contains(&format!("\n{name}(")));
        assert!(has_case, "{} has no case", function.name());
    }
}

#[test]
fn empty_columns_stay_empty() {
    let empty: ArrayRef = Arc::new(StringArray::from(Vec::<&str>::new()));
    let result = evaluate(lookup("upper").unwrap(), &[Value::Array(empty)], 0).unwrap();
    assert_eq!(result.into_array(0).unwrap().len(), 0);
}

#[test]
fn a_type_error_names_the_function_and_its_usage() {
    let args = [Argument::varying(DataType::Int64), Argument::varying(DataType::Utf8)];
    let error = lookup("substring").unwrap().resolve(&args).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(
        error.to_string(),
        "substr: argument 1 must be text, not BIGINT; usage: substr(string, start [, length]): \
         from 1, or from the end if negative"
    );
}

#[test]
fn bound_calls_take_dictionaries_constants_and_operators() {
    let tickers: arrow::array::DictionaryArray<arrow::datatypes::Int32Type> =
        [Some("abc"), None, Some("abc")].into_iter().collect();
    let size: ArrayRef = Arc::new(Int64Array::from(vec![7, -7, 0]));
    let columns = [("ticker", Arc::new(tickers) as ArrayRef), ("size", size)];
    let batch = arrow::array::RecordBatch::try_from_iter(columns).unwrap();
    let text = |expr: crate::Expr| {
        let bound = crate::bind(&expr, &batch.schema()).unwrap();
        let result = crate::plain(&bound.evaluate_array(&batch).unwrap()).unwrap();
        (0..3).map(|row| render(&result.slice(row, 1))).collect::<Vec<_>>().join(", ")
    };
    let (ticker, size) = (|| crate::col("ticker"), || crate::col("size"));
    assert_eq!(text(ticker().call("upper", [])), "VARCHAR 'ABC', VARCHAR NULL, VARCHAR 'ABC'");
    assert_eq!(text(size().call("mod", [crate::lit(4)])), "BIGINT 3, BIGINT -3, BIGINT 0");
    assert_eq!(text(size().call("div", [crate::lit(2)])), "BIGINT 3, BIGINT -3, BIGINT 0");
    assert_eq!(
        text(crate::call("concat", [ticker(), crate::lit("-"), size()])),
        "VARCHAR 'abc-7', VARCHAR '--7', VARCHAR 'abc-0'"
    );
}

fn path(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/function/cases").join(file)
}

fn read(file: &str) -> String {
    std::fs::read_to_string(path(file)).unwrap()
}

fn check_file(file: &str) {
    let text = read(file);
    let rewrite = |line: &str| match line.split_once(" ==> ") {
        Some((call, _)) => format!("{call} ==> {}\n", outcome(call)),
        None => format!("{line}\n"),
    };
    let actual: String = text.lines().map(rewrite).collect();
    if std::env::var_os("UPDATE_SCRIPTS").is_some() {
        std::fs::write(path(file), actual).unwrap();
        return;
    }
    for (actual, expected) in actual.lines().zip(text.lines()) {
        assert_eq!(actual, expected);
    }
}

/// What the call gives, after it was made in every form.
fn outcome(call: &str) -> String {
    let (name, args) = parse_call(call);
    let function = lookup(name).unwrap_or_else(|| panic!("no function {name}"));
    let scalars: Vec<Value> = args.iter().cloned().map(Value::Scalar).collect();
    let result = evaluate(function, &scalars, 3);
    for columns in forms(args.len()) {
        check_form(call, function, &args, &columns, &result);
    }
    check_nulls(call, function, &args);
    match result {
        Ok(value) => render(&value.into_array(1).unwrap()),
        Err(error) => format!("ERROR {error}"),
    }
}

/// Which arguments come as columns: each alone, then all.
fn forms(count: usize) -> Vec<Vec<bool>> {
    let alone = (0..count).map(|column| (0..count).map(|index| index == column).collect());
    alone.chain((count > 0).then(|| vec![true; count])).collect()
}

fn check_form(
    call: &str,
    function: &Function,
    args: &[ArrayRef],
    columns: &[bool],
    expected: &Result<Value>,
) {
    let form = |(arg, column): (&ArrayRef, &bool)| match column {
        // A slice of a longer column whose other rows are NULL or the same.
        true => Value::Array(column_of(arg)),
        false => Value::Scalar(arg.clone()),
    };
    let values: Vec<Value> = args.iter().zip(columns).map(form).collect();
    match (evaluate(function, &values, 3), expected) {
        (Err(error), _) if error.message().contains("must be a constant") => {}
        (Err(_), Err(_)) => {}
        (Ok(actual), Ok(expected)) => {
            let expected = expected.clone().into_array(1).unwrap();
            let actual = cast(&actual.into_array(3).unwrap(), expected.data_type(), true).unwrap();
            assert_eq!(actual.len(), 3, "{call} {columns:?}");
            for row in [0, 2] {
                assert_eq!(render(&actual.slice(row, 1)), render(&expected), "{call} {columns:?}");
            }
            let takes_null = TAKES_NULL.contains(&function.name());
            assert!(takes_null || actual.is_null(1), "{call} of NULL with {columns:?}");
        }
        (actual, expected) => panic!("{call} as {columns:?}: {actual:?}, not {expected:?}"),
    }
}

/// The value, NULL and the value: a slice of a longer column.
fn column_of(value: &ArrayRef) -> ArrayRef {
    let rows = Int64Array::from(vec![Some(0), Some(0), None, Some(0), Some(0)]);
    arrow::compute::take(value, &rows, None).unwrap().slice(1, 3)
}

fn check_nulls(call: &str, function: &Function, args: &[ArrayRef]) {
    let options_are_last = function.name().starts_with("regexp");
    for index in 0..args.len() {
        let mut values: Vec<Value> = args.iter().cloned().map(Value::Scalar).collect();
        values[index] = Value::Scalar(Arc::new(NullArray::new(1)));
        let Ok(result) = evaluate(function, &values, 3) else { continue };
        let is_null = result.into_array(1).unwrap().logical_null_count() > 0;
        let excused = TAKES_NULL.contains(&function.name()) || options_are_last;
        assert!(is_null || excused, "{call} with NULL as argument {}", index + 1);
    }
}

/// Resolves, casts and evaluates, as the binder does.
fn evaluate(function: &Function, args: &[Value], rows: usize) -> Result<Value> {
    let known = args.iter().map(|arg| match arg {
        Value::Array(array) => Argument::varying(array.data_type().clone()),
        Value::Scalar(array) => Argument::constant(array.clone()),
    });
    let signature = function.resolve(&known.collect::<Vec<_>>())?;
    let cast = |(arg, to): (&Value, &DataType)| match arg {
        Value::Array(array) => Ok(Value::Array(cast(array, to, true)?)),
        Value::Scalar(array) => Ok(Value::Scalar(cast(array, to, true)?)),
    };
    let args = args.iter().zip(&signature.args).map(cast).collect::<Result<Vec<_>>>()?;
    let result = (function.evaluate)(&Call { args: &args, returns: &signature.returns, rows })?;
    assert_eq!(result.data_type(), &signature.returns, "{}", function.name());
    Ok(result)
}

fn render(array: &ArrayRef) -> String {
    format!("{} {}", type_name(array.data_type()), render_value(array))
}

fn render_value(array: &ArrayRef) -> String {
    if array.is_null(0) {
        return "NULL".to_string();
    }
    if let DataType::List(_) = array.data_type() {
        let items = array.as_list::<i32>().value(0);
        let items = (0..items.len()).map(|index| render_value(&items.slice(index, 1)));
        return format!("[{}]", items.collect::<Vec<_>>().join(", "));
    }
    let text = cast(array, &DataType::Utf8, true).unwrap();
    let text = text.as_string::<i32>().value(0);
    match array.data_type() {
        DataType::Utf8 => format!("'{}'", text.replace('\n', r"\n").replace('\t', r"\t")),
        _ => text.to_string(),
    }
}

/// `name(literal, ...)`.
fn parse_call(call: &str) -> (&str, Vec<ArrayRef>) {
    let (name, args) = call.split_once('(').unwrap();
    let args = args.strip_suffix(')').unwrap();
    (name, split(args).into_iter().map(literal).collect())
}

/// What is between the commas that are in no parentheses, brackets or quotes.
fn split(list: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut depth) = (Vec::new(), 0, false, 0);
    for (index, byte) in list.bytes().enumerate() {
        match byte {
            b'\'' => quoted = !quoted,
            b'(' | b'[' if !quoted => depth += 1,
            b')' | b']' if !quoted => depth -= 1,
            b',' if !quoted && depth == 0 => {
                parts.push(&list[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// `[item, ..]` or `[item, ..]::type[]`.
fn list_literal(text: &str) -> ArrayRef {
    let (items, rest) = text.rsplit_once(']').unwrap();
    let (items, item_type) = match rest {
        // The last bracket is that of the type.
        "" if items.ends_with('[') => {
            let (items, name) = items[..items.len() - 1].rsplit_once("]::").unwrap();
            (items, Some(parse_type(name)))
        }
        _ => (items, None),
    };
    let items: Vec<ArrayRef> = split(&items[1..]).into_iter().map(literal).collect();
    let found = items.iter().map(|item| item.data_type()).find(|item| **item != DataType::Null);
    let item_type = item_type.or(found.cloned()).unwrap_or(DataType::Null);
    let items: Vec<ArrayRef> =
        items.iter().map(|item| cast(item, &item_type, true).unwrap()).collect();
    let items: Vec<&dyn Array> = items.iter().map(AsRef::as_ref).collect();
    let values = match items.as_slice() {
        [] => arrow::array::new_empty_array(&item_type),
        items => arrow::compute::concat(items).unwrap(),
    };
    let offsets = arrow::buffer::OffsetBuffer::from_lengths([values.len()]);
    let field = Arc::new(arrow::datatypes::Field::new("element", item_type, true));
    Arc::new(arrow::array::ListArray::new(field, offsets, values, None))
}

/// `1`, `'a'::type`, `DATE '2020-01-01'`, `E'\n'`, `NULL`.
fn literal(text: &str) -> ArrayRef {
    if text.starts_with('[') {
        return list_literal(text);
    }
    if let Some(name) = text.strip_prefix("NULL::").and_then(|name| name.strip_suffix("[]")) {
        let item = arrow::datatypes::Field::new_list_field(parse_type(name), true);
        return arrow::array::new_null_array(&DataType::List(Arc::new(item)), 1);
    }
    if let Some((value, name)) = text.rsplit_once("::") {
        return cast(&literal(value), &parse_type(name), true).unwrap();
    }
    if let Ok(truth) = text.parse::<bool>() {
        return Arc::new(arrow::array::BooleanArray::from(vec![truth]));
    }
    if text == "NULL" {
        return Arc::new(NullArray::new(1));
    }
    let Some((prefix, quoted)) = text.split_once('\'') else {
        return match text.parse::<i64>() {
            Ok(integer) => Arc::new(Int64Array::from(vec![integer])),
            Err(_) => Arc::new(Float64Array::from(vec![text.parse::<f64>().unwrap()])),
        };
    };
    let value = quoted.strip_suffix('\'').unwrap();
    let string = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    match prefix.trim() {
        "" => string(value),
        "E" => string(&value.replace(r"\n", "\n").replace(r"\t", "\t")),
        name => cast(&string(value), &parse_type(name), true).unwrap(),
    }
}

fn parse_type(name: &str) -> DataType {
    let timestamp = |unit| DataType::Timestamp(unit, None);
    match name.to_lowercase().as_str() {
        "tinyint" => DataType::Int8,
        "smallint" => DataType::Int16,
        "integer" => DataType::Int32,
        "utinyint" => DataType::UInt8,
        "ubigint" => DataType::UInt64,
        "float" => DataType::Float32,
        "double" => DataType::Float64,
        "bigint" => DataType::Int64,
        "varchar" => DataType::Utf8,
        "interval" => crate::coerce::INTERVAL,
        "date" => DataType::Date32,
        "time" => DataType::Time64(TimeUnit::Microsecond),
        "timestamp" => timestamp(TimeUnit::Microsecond),
        "timestamp_s" => timestamp(TimeUnit::Second),
        "timestamp_ms" => timestamp(TimeUnit::Millisecond),
        "timestamp_ns" => timestamp(TimeUnit::Nanosecond),
        "timestamptz" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        zone if zone.starts_with("in ") => {
            DataType::Timestamp(TimeUnit::Microsecond, Some(name[3..].into()))
        }
        decimal => {
            let digits = decimal.strip_prefix("decimal(").unwrap().strip_suffix(')').unwrap();
            let (precision, scale) = digits.split_once(',').unwrap();
            DataType::Decimal128(precision.parse().unwrap(), scale.trim().parse().unwrap())
        }
    }
}
