//! Values of operators, row by row, against what DuckDB gives for the same expressions.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
    Float32Array, Float64Array, Int8Array, Int32Array, Int64Array, PrimitiveArray, RecordBatch,
    StringArray, TimestampMicrosecondArray, TimestampSecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Decimal256Type, Field, Int32Type, Schema, TimeUnit, i256};
use dframe_core::{Error, ErrorKind};
use dframe_expr::{
    BinaryOp, Expr, Like, Literal, Span, UnaryOp, Value, bind, bind_predicate, call, coalesce, col,
    greatest, least, lit, null, when,
};

fn array(values: impl Array + 'static) -> ArrayRef {
    Arc::new(values)
}

/// Four rows of every type; the last is NULL.
fn batch() -> RecordBatch {
    let nan = f64::NAN;
    let columns = [
        ("i", array(Int64Array::from(vec![Some(1), Some(i64::MAX), Some(-7), None]))),
        ("j", array(Int64Array::from(vec![Some(2), Some(0), Some(2), Some(3)]))),
        ("i32", array(Int32Array::from(vec![Some(1), Some(i32::MAX), Some(0), None]))),
        ("i8", array(Int8Array::from(vec![Some(1), Some(-128), Some(0), None]))),
        ("u64", array(UInt64Array::from(vec![Some(1), Some(u64::MAX), Some(0), None]))),
        ("f", array(Float64Array::from(vec![Some(1.5), Some(nan), Some(-0.0), None]))),
        ("g", array(Float64Array::from(vec![Some(-nan), Some(nan), Some(0.0), Some(1.0)]))),
        ("f32", array(Float32Array::from(vec![Some(0.1), Some(2.5), Some(-0.0), None]))),
        ("s", array(StringArray::from(vec![Some("a%b"), Some("ABC"), Some(""), None]))),
        ("b", array(BooleanArray::from(vec![Some(true), Some(false), Some(true), None]))),
        ("d", array(Date32Array::from(vec![Some(18293), Some(0), Some(-1), None]))),
        (
            "t",
            array(TimestampMicrosecondArray::from(vec![
                Some(1_580_429_045_500_000),
                Some(0),
                Some(-1),
                None,
            ])),
        ),
        ("ts", array(TimestampSecondArray::from(vec![Some(0), Some(60), Some(-1), None]))),
        (
            "m",
            array(
                Decimal128Array::from(vec![Some(150), Some(-225), Some(0), None])
                    .with_precision_and_scale(10, 2)
                    .unwrap(),
            ),
        ),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn evaluate(expr: &Expr, batch: &RecordBatch) -> Result<Vec<String>, Error> {
    let bound = bind(expr, &batch.schema())?;
    let array = bound.evaluate_array(batch)?;
    assert_eq!(array.len(), batch.num_rows(), "{expr}");
    assert_eq!(dframe_expr::plain_type(array.data_type()), bound.data_type(), "{expr}");
    if !bound.nullable() {
        assert_eq!(array.logical_null_count(), 0, "{expr} is not nullable");
    }
    let rows = 0..array.len();
    Ok(rows.map(|row| Literal(array.slice(row, 1)).to_string().replace('\'', "")).collect())
}

#[track_caller]
fn check(table: impl IntoIterator<Item = (Expr, &'static str)>) {
    let batch = batch();
    for (expr, expected) in table {
        let result = evaluate(&expr, &batch).map_or_else(|e| e.to_string(), |v| v.join(" "));
        assert_eq!(result, expected, "{expr}");
    }
}

fn error(expr: Expr) -> Error {
    evaluate(&expr, &batch()).expect_err(&expr.to_string())
}

#[test]
fn integers_are_checked_and_widened() {
    check([
        (col("i") - lit(1i64), "0 9223372036854775806 -8 NULL"),
        (col("i32") * lit(1000i64), "1000 2147483647000 0 NULL"),
        (col("i32") + col("i32"), "2 4294967294 0 NULL"),
        (col("i8") - col("i8"), "0 0 0 NULL"),
        (-col("i8"), "-1 128 0 NULL"),
        (-col("u64"), "-1 -18446744073709551615 0 NULL"),
        (col("u64") - col("i8"), "0 18446744073709551743 0 NULL"),
        (col("u64") / lit(2i64), "0.5 9.223372036854776e+18 0.0 NULL"),
        (col("u64").floor_div(lit(2i64)), "0 9223372036854775807 0 NULL"),
        (col("i") / col("j"), "0.5 inf -3.5 NULL"),
        (col("i").floor_div(lit(2i64)), "0 4611686018427387903 -3 NULL"),
        (col("i") % lit(2i64), "1 1 -1 NULL"),
        (col("i") + null(), "NULL NULL NULL NULL"),
        (null() + lit(1i64), "NULL NULL NULL NULL"),
        (
            col("i") + lit(1i64),
            "integer overflow in i + 1 (9223372036854775807 + 1); cast an operand to a wider type: \
             DECIMAL(38, 0) is exact, DOUBLE is not",
        ),
        (
            col("i").floor_div(col("j")),
            "division by zero in i // j; guard the divisor: nullif(divisor, 0) makes the result NULL",
        ),
        (col("i").floor_div(col("j").nullif(0i64)), "0 NULL -3 NULL"),
    ]);
    assert_eq!(error(col("i") * lit(2i64)).kind(), ErrorKind::InvalidData);
    assert_eq!(error(-(col("i") - lit(i64::MAX) - lit(i64::MAX))).kind(), ErrorKind::InvalidData);
    assert!(error(col("i") % col("j")).to_string().starts_with("division by zero in i % j"));
    let lowest = lit(i64::MIN).floor_div(col("i") - col("i") - lit(1i64));
    assert!(error(lowest).to_string().contains("integer overflow"));
}

#[test]
fn overflow_below_null_is_none() {
    let i = Int64Array::new(vec![i64::MAX, 1].into(), Some(vec![false, true].into()));
    let batch = RecordBatch::try_from_iter([("i", array(i))]).unwrap();
    assert_eq!(evaluate(&(col("i") + lit(1i64)), &batch).unwrap(), ["NULL", "2"]);
}

#[test]
fn floats_and_decimals() {
    check([
        (col("f") / lit(0i64), "inf nan nan NULL"),
        (col("f") % lit(1i64), "0.5 nan -0.0 NULL"),
        (col("f32") * lit(2.0), "0.2 5.0 -0.0 NULL"),
        (col("f32") + col("i8"), "1.1 -125.5 0.0 NULL"),
        (col("f32") + col("i32"), "1.1000000014901161 2147483649.5 0.0 NULL"),
        (col("m") + lit(1i64), "2.50 -1.25 1.00 NULL"),
        (col("m") * lit(1.5), "2.250 -3.375 0.000 NULL"),
        (col("m") / lit(2i64), "0.75 -1.125 0.0 NULL"),
        (col("m") % lit(1i64), "0.50 -0.25 0.00 NULL"),
        (col("m") + col("f"), "3.0 nan 0.0 NULL"),
        (col("i") * lit(2.0), "2.0 1.8446744073709552e+19 -14.0 NULL"),
    ]);
    assert!(error(col("f").floor_div(lit(0.0))).to_string().starts_with("division by zero"));
    assert!(error(col("m") % lit(0i64)).to_string().starts_with("division by zero in m % 0"));
    let huge = lit(99_999_999_999_999_999_999_999_999_999_999_999_999_i128);
    assert!(error(huge * col("i")).to_string().contains("overflow"));
}

#[test]
fn comparisons() {
    check([
        (col("f").eq(col("f")), "true true true NULL"),
        (col("f").eq(col("g")), "false true true NULL"),
        (col("f").lt(col("g")), "true false false NULL"),
        (col("f").gt_eq(col("g")), "false true true NULL"),
        (col("f").eq(lit(0.0)), "false false true NULL"),
        (col("f").lt(lit(0.0)), "false false false NULL"),
        (col("f").gt(lit(f64::INFINITY)), "false true false NULL"),
        (col("f").eq(lit(f64::NAN)), "false true false NULL"),
        (col("f").lt(lit(f64::NAN)), "true false true NULL"),
        (lit(f64::NAN).gt(col("f")), "true false true NULL"),
        (col("f").lt_eq(lit(-f64::NAN)), "true true true NULL"),
        (col("f32").eq(lit(0.1)), "true false false NULL"),
        (col("f").eq_null_safe(col("g")), "false true true false"),
        (col("i").binary(BinaryOp::IsDistinctFrom, null()), "true true true false"),
        (col("i").eq(null()), "NULL NULL NULL NULL"),
        (col("u64").gt(col("i8")), "false true false NULL"),
        (col("u64").gt(lit(-1i64)), "true true true NULL"),
        (col("i").gt(lit(0.5)), "true true false NULL"),
        (col("i").gt("0"), "true true false NULL"),
        (col("i32").lt(col("i")), "false true false NULL"),
        (col("m").gt(lit(1.25)), "true false false NULL"),
        (col("m").eq(col("i")), "false false false NULL"),
        (col("b").eq(lit(true)), "true false true NULL"),
        (col("b").eq("false"), "false true false NULL"),
        (col("s").lt("a"), "false true true NULL"),
        (col("d").gt("1970-01-01"), "true false false NULL"),
        (col("d").eq(col("ts")), "false false false NULL"),
        (col("t").gt_eq("1970-01-01"), "true true false NULL"),
        (col("t").lt("1970-01-01 00:00:00.000001"), "false true true NULL"),
        (lit(2.0).is_between(col("f"), 3i64), "true false true NULL"),
    ]);
    let message = error(col("d").gt("no date")).to_string();
    assert!(message.starts_with("cannot cast VARCHAR 'no date' to DATE"), "{message}");
    let message = error(col("s").gt(5i64)).to_string();
    assert!(message.starts_with("cannot compare VARCHAR and BIGINT; cast the string"), "{message}");
}

#[test]
fn logic_has_three_values() {
    check([
        (col("b").and(null()), "NULL false NULL NULL"),
        (col("b").or(null()), "true NULL true NULL"),
        (col("b").and(false), "false false false false"),
        (col("b").or(true), "true true true true"),
        (!col("b"), "false true false NULL"),
        (col("b").unary(UnaryOp::IsTrue), "true false true false"),
        (col("b").unary(UnaryOp::IsNotTrue), "false true false true"),
        (col("b").unary(UnaryOp::IsFalse), "false true false false"),
        (col("b").unary(UnaryOp::IsNotFalse), "true false true true"),
        (col("b").is_null(), "false false false true"),
        (null().is_null(), "true true true true"),
        (col("b").is_not_null().and(col("i").gt(0i64)), "true true false false"),
        (col("b").and(col("i").is_null()), "false false false NULL"),
    ]);
    let message = error(col("i").and(true)).to_string();
    assert_eq!(message, "each side of AND must be BOOLEAN, not BIGINT: i; compare it: i <> 0");
}

#[test]
fn lists_and_patterns() {
    let like = |pattern: &str, escape| {
        let (expr, pattern) = (Box::new(col("s")), Box::new(lit(pattern)));
        let (negated, case_insensitive, span) = (false, false, Span::NONE);
        Expr::Like(Like { expr, pattern, negated, case_insensitive, escape, span })
    };
    check([
        (col("i").is_in([1i64, -7]), "true false true NULL"),
        (!col("i").is_in([lit(1i64), null()]), "false NULL NULL NULL"),
        (null().is_in([1i64]), "NULL NULL NULL NULL"),
        (col("i").is_in([col("j"), lit(1i64)]), "true false false NULL"),
        (col("i").is_in(["1"]), "true false false NULL"),
        (col("f").is_in([0.0, f64::NAN]), "false true true NULL"),
        (col("i8").is_in([1000i64, 1]), "true false false NULL"),
        (col("i").is_in([1.0, 2.5]), "true false false NULL"),
        (col("s").is_in(["", "x"]), "false false true NULL"),
        (like("a%", None), "true false false NULL"),
        (like("a\\%b", None), "false false false NULL"),
        (like("a$%b", Some('$')), "true false false NULL"),
        (like("_BC", None), "false true false NULL"),
        (col("s").ilike("a%"), "true true false NULL"),
        (col("s").like(col("s")), "true true true NULL"),
        (col("s").like(null()), "NULL NULL NULL NULL"),
        (col("s").concat(col("i8")), "a%b1 ABC-128 0 NULL"),
        (lit("<").concat(col("s")).concat(">"), "<a%b> <ABC> <> NULL"),
    ]);
    assert!(error(col("i").like("1")).to_string().contains("LIKE wants text, not BIGINT: i"));
}

#[test]
fn branches_are_evaluated_where_they_are_taken() {
    let safe = when(col("j").eq(0i64)).then(-1i64).otherwise(col("i").floor_div(col("j")));
    let guarded = when(col("i").lt(100i64)).then(col("i") * lit(1_000_000i64)).end();
    check([
        (safe, "0 -1 -3 NULL"),
        (guarded, "1000000 NULL -7000000 NULL"),
        (when(col("b")).then(1i64).otherwise(2.5), "1.0 2.5 1.0 2.5"),
        (when(col("b")).then("x").when(col("i").is_null()).then("y").end(), "x NULL x y"),
        (when(null()).then(1i64).end(), "NULL NULL NULL NULL"),
        (coalesce([col("i"), lit(0i64)]), "1 9223372036854775807 -7 0"),
        (
            coalesce([null(), col("i8"), lit(1i64).floor_div(0i64)]).is_null(),
            "division by zero in 1 // 0; guard the divisor: nullif(divisor, 0) makes the result NULL",
        ),
        (coalesce([col("j"), lit(1i64).floor_div(0i64)]), "2 0 2 3"),
        (coalesce([col("i32"), col("f")]), "1.0 2147483647.0 0.0 NULL"),
        (col("s").fill_null("none"), "a%b ABC  none"),
        (col("i").nullif(1i64), "NULL 9223372036854775807 -7 NULL"),
        (col("f").nullif(0i64), "1.5 nan NULL NULL"),
        (greatest([col("f"), lit(1i64), null()]), "1.5 nan 1.0 1.0"),
        (least([col("f"), lit(1i64)]), "1.0 1.0 -0.0 1.0"),
        (greatest([col("i"), col("j")]), "2 9223372036854775807 2 3"),
    ]);
    let batch = batch();
    let case = |operand, branches: Vec<(Expr, Expr)>| Expr::Case {
        operand: Some(Box::new(operand)),
        branches,
        otherwise: Some(Box::new(lit("other"))),
        span: Span::NONE,
    };
    let expr = case(col("i"), vec![(null(), lit("null")), (lit(1i64), lit("one"))]);
    assert_eq!(evaluate(&expr, &batch).unwrap(), ["one", "other", "other", "other"]);
}

#[test]
fn casts() {
    let text = |value: &str, to: DataType| lit(value).cast(to);
    let decimal = DataType::Decimal128(5, 2);
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let time = DataType::Time64(TimeUnit::Microsecond);
    let rows = [
        (lit(2.5).cast(DataType::Int32), "2"),
        (lit(3.5).cast(DataType::Int32), "4"),
        (lit(-2.5).cast(DataType::Int32), "-2"),
        (lit(2.5).cast(decimal.clone()).cast(DataType::Int32), "3"),
        (text(" 12 ", DataType::Int32), "12"),
        (text("12.5", DataType::Int32), "13"),
        (text("1e3", DataType::Int32), "1000"),
        (text("1_000", DataType::Int32), "1000"),
        (text("+5", DataType::Int32), "5"),
        (text("0x10", DataType::Int32), "16"),
        (text(" 1.5 ", DataType::Float64), "1.5"),
        (text("-Infinity", DataType::Float64), "-inf"),
        (text("T", DataType::Boolean), "true"),
        (text("no", DataType::Boolean), "false"),
        (lit(0.5).cast(DataType::Boolean), "true"),
        (lit(true).cast(DataType::Int32), "1"),
        (lit(true).cast(DataType::Decimal128(3, 1)), "1.0"),
        (
            text("3.14159265358979323846", DataType::Decimal128(38, 20)).cast(DataType::Float64),
            "3.141592653589793",
        ),
        (
            text("0.30000000000000004", DataType::Decimal128(38, 17)).cast(DataType::Float64),
            "0.30000000000000004",
        ),
        (lit(-4089423987781798.0).cast(DataType::Decimal128(18, 2)), "-4089423987781798.00"),
        (lit(12345678901.12345).cast(DataType::Decimal128(28, 9)), "12345678901.123450000"),
        (lit(90071992547409.94).cast(DataType::Decimal128(28, 2)), "90071992547409.94"),
        (lit(0.125).cast(DataType::Decimal128(5, 2)), "0.13"),
        (lit(1e20).cast(DataType::Decimal128(38, 1)), "100000000000000000000.0"),
        (lit(-1.55).cast(DataType::Decimal256(40, 2)).cast(DataType::Decimal128(5, 1)), "-1.6"),
        (text("1.225", decimal.clone()), "1.23"),
        (text("-1.225", decimal.clone()), "-1.23"),
        (text("1.2e1", decimal.clone()), "12.00"),
        (lit(1.005).cast(decimal.clone()), "1.00"),
        (lit(123i64).cast(decimal.clone()), "123.00"),
        (text(" 2020-1-2 ", DataType::Date32), "DATE 2020-01-02"),
        (text("2020/01/02", DataType::Date32), "DATE 2020-01-02"),
        (text("2020-01-02 03:04:05", DataType::Date32), "DATE 2020-01-02"),
        (text("2020-01-02", micros.clone()), "TIMESTAMP 2020-01-02 00:00:00"),
        (
            text("2020-01-02 03:04:05.123456789", micros.clone()),
            "TIMESTAMP 2020-01-02 03:04:05.123456",
        ),
        (text("2020-01-02T03:04:05Z", micros.clone()), "TIMESTAMP 2020-01-02 03:04:05"),
        (text("2020-01-02 03:04:05+02", micros.clone()), "TIMESTAMP 2020-01-02 03:04:05"),
        (text("2020-01-02 03:04:05+02", instant), "TIMESTAMPTZ 2020-01-02 01:04:05+00"),
        (text("2020-01-02 03:04", micros.clone()), "TIMESTAMP 2020-01-02 03:04:00"),
        (text("03:04:05.5", time), "TIME 03:04:05.5"),
        (lit("abc").try_cast(DataType::Int32), "NULL"),
        (lit(300i64).try_cast(DataType::Int8), "NULL"),
        (text("2020-01-02", DataType::Date32).cast(micros), "TIMESTAMP 2020-01-02 00:00:00"),
    ];
    let batch = batch().slice(0, 1);
    for (expr, expected) in rows {
        let result = evaluate(&expr, &batch).map_or_else(|e| e.to_string(), |v| v.join(" "));
        assert_eq!(result, expected, "{expr}");
    }
    check([
        (col("t").cast(DataType::Date32), "DATE 2020-01-31 DATE 1970-01-01 DATE 1969-12-31 NULL"),
        (
            col("t").cast(DataType::Timestamp(TimeUnit::Second, None)),
            "TIMESTAMP 2020-01-31 00:04:05 TIMESTAMP 1970-01-01 00:00:00 \
             TIMESTAMP 1969-12-31 23:59:59 NULL",
        ),
        (col("t").cast(DataType::Utf8).call("length", []), "21 19 26 NULL"),
        (col("f32").cast(DataType::Int64), "0 2 0 NULL"),
        (col("m").cast(DataType::Int64), "2 -2 0 NULL"),
        (col("f").try_cast(DataType::Int64), "2 NULL 0 NULL"),
    ]);
    let bad = [
        (text("abc", DataType::Int32), "cannot cast VARCHAR 'abc' to INTEGER"),
        (text("", DataType::Int32), "cannot cast VARCHAR '' to INTEGER"),
        (text("on", DataType::Boolean), "cannot cast VARCHAR 'on' to BOOLEAN"),
        (text(" true ", DataType::Boolean), "cannot cast VARCHAR ' true ' to BOOLEAN"),
        (text("2020-13-02", DataType::Date32), "cannot cast VARCHAR '2020-13-02' to DATE"),
        (lit(1e10).cast(DataType::Int32), "cannot cast DOUBLE value 10000000000.0 to INTEGER"),
        (lit(f64::NAN).cast(DataType::Int32), "cannot cast DOUBLE value nan to INTEGER"),
        (
            col("i").cast(DataType::UInt8),
            "cannot cast BIGINT value 9223372036854775807 to UTINYINT",
        ),
        (lit(1234i64).cast(decimal), "cannot cast BIGINT value 1234 to DECIMAL(5, 2)"),
        (lit(1i64).cast(DataType::Date32), "cannot cast BIGINT to DATE"),
    ];
    for (expr, expected) in bad {
        let message = error(expr).to_string();
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn casts_do_not_look_below_nulls() {
    let values = vec![i256::from_i128(150), i256::MIN];
    let nulls = Some(vec![true, false].into());
    let wide = PrimitiveArray::<Decimal256Type>::new(values.into(), nulls);
    let wide = wide.with_precision_and_scale(19, 2).unwrap();
    let batch = RecordBatch::try_from_iter([("m", array(wide))]).unwrap();
    let narrow = col("m").cast(DataType::Decimal128(19, 2));
    assert_eq!(evaluate(&narrow, &batch).unwrap(), ["1.50", "NULL"]);
}

#[test]
fn time_arithmetic() {
    let interval = |text: &str| {
        let unit = arrow::datatypes::IntervalUnit::MonthDayNano;
        lit(text).cast(DataType::Interval(unit))
    };
    check([
        (col("d") + lit(1i64), "DATE 2020-02-02 DATE 1970-01-02 DATE 1970-01-01 NULL"),
        (lit(1i64) + col("d"), "DATE 2020-02-02 DATE 1970-01-02 DATE 1970-01-01 NULL"),
        (col("d") - col("d"), "0 0 0 NULL"),
        (
            col("d") - interval("1 day"),
            "TIMESTAMP 2020-01-31 00:00:00 TIMESTAMP 1969-12-31 00:00:00 \
             TIMESTAMP 1969-12-30 00:00:00 NULL",
        ),
        (
            interval("1 month") + col("t"),
            "TIMESTAMP 2020-02-29 00:04:05.5 TIMESTAMP 1970-02-01 00:00:00 \
             TIMESTAMP 1970-01-31 23:59:59.999999 NULL",
        ),
        (col("ts") - col("d"), "INTERVAL -18293 days INTERVAL 00:01:00 INTERVAL 23:59:59 NULL"),
        ((col("ts") - col("d")).gt(interval("1 minute")), "false false true NULL"),
        (
            (col("ts") - col("ts") + interval("1 day")) * lit(2i64),
            "INTERVAL 2 days INTERVAL 2 days INTERVAL 2 days NULL",
        ),
        (
            (col("ts") - lit("1970-01-01").cast(DataType::Date32)) * lit(1.5),
            "INTERVAL 00:00:00 INTERVAL 00:01:30 INTERVAL -00:00:02 NULL",
        ),
        (interval("1 month").eq(interval("30 days")), "true true true true"),
        (interval("24 hours").lt(interval("1 day")), "false false false false"),
        (
            lit("23:30:00").cast(DataType::Time64(TimeUnit::Microsecond)) + interval("1 hour"),
            "TIME 00:30:00 TIME 00:30:00 TIME 00:30:00 TIME 00:30:00",
        ),
    ]);
    assert!(error(col("d") + col("d")).to_string().starts_with("no operator + for DATE and DATE"));
}

/// DuckDB's answers in the zone America/New_York.
#[test]
fn days_and_months_keep_the_time_on_the_wall() {
    let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("America/New_York".into()));
    let after = |instant: &str, interval: &str| {
        let unit = arrow::datatypes::IntervalUnit::MonthDayNano;
        lit(instant).cast(zoned.clone()) + lit(interval).cast(DataType::Interval(unit))
    };
    let table = [
        ("2021-03-13 02:30:00-05", "1 day", "2021-03-14 03:30:00-04"),
        ("2021-03-15 02:30:00-04", "-1 day", "2021-03-14 03:30:00-04"),
        ("2021-02-14 02:30:00-05", "1 month", "2021-03-14 03:30:00-04"),
        ("2021-03-13 02:30:00-05", "1 day 1 hour", "2021-03-14 04:30:00-04"),
        ("2021-11-06 01:30:00-04", "1 day", "2021-11-07 01:30:00-04"),
        ("2021-11-08 01:30:00-05", "-1 day", "2021-11-07 01:30:00-05"),
        ("2021-11-07 01:30:00-04", "10 minutes", "2021-11-07 01:40:00-04"),
        ("2021-06-30 23:59:59.5-04", "-6 months", "2020-12-30 23:59:59.5-05"),
    ];
    for (instant, interval, expected) in table {
        let result = evaluate(&after(instant, interval), &batch()).unwrap();
        assert_eq!(result[0], format!("TIMESTAMPTZ {expected}"), "{instant} + {interval}");
    }
}

#[test]
fn errors_point_at_the_innermost_node() {
    let column = |name: &str, start, end| {
        Expr::Column(dframe_expr::Column {
            relation: None,
            name: name.to_string(),
            span: Span::new(start, end),
        })
    };
    // "i + (sise * 2)"
    let inner = Expr::Binary {
        left: Box::new(column("jj", 5, 9)),
        op: BinaryOp::Multiply,
        right: Box::new(lit(2i64)),
        span: Span::new(5, 13),
    };
    let expr = Expr::Binary {
        left: Box::new(column("i", 0, 1)),
        op: BinaryOp::Add,
        right: Box::new(inner),
        span: Span::new(0, 14),
    };
    let error = bind(&expr, &batch().schema()).unwrap_err().in_text("i + (sise * 2)");
    assert_eq!(error.snippet().map(|snippet| snippet.range.clone()), Some(5..9));
    let error = bind(&call("uper", [col("s")]), &batch().schema()).unwrap_err();
    assert!(error.to_string().contains("function 'uper' does not exist; did you mean 'upper'"));
    assert!(bind_predicate(&col("i"), &batch().schema()).is_err());
    assert!(bind(&col("i").sum(), &batch().schema()).is_err());
}

#[test]
fn fields_know_type_and_nullability() {
    let schema = Schema::new(vec![
        Field::new("x", DataType::Int32, false),
        Field::new("y", DataType::Float64, true),
        Field::new(
            "tags",
            DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
            true,
        ),
    ]);
    let field = |expr: Expr| expr.to_field(&schema).unwrap();
    assert_eq!(field(col("X").alias("z")), Field::new("z", DataType::Int32, false));
    assert_eq!(field(col("x") + lit(1i64)), Field::new("x + 1", DataType::Int64, false));
    assert_eq!(field(col("y").is_null()), Field::new("y IS NULL", DataType::Boolean, false));
    assert!(!field(coalesce([col("y"), col("x")])).is_nullable());
    assert_eq!(field(col("x").sum().alias("s")), Field::new("s", DataType::Int64, true));
    assert_eq!(field(col("tags")).name(), "tags");
    let error = bind(&col("tags").eq("x"), &schema).unwrap_err();
    assert!(error.to_string().contains("tags is a VARCHAR[]"), "{error}");
}

/// The same strings, as text and as codes; the dictionary has an entry that no row refers to, and one
/// that is there twice.
fn encoded() -> (RecordBatch, RecordBatch) {
    let texts =
        vec![Some("1"), None, Some("22"), Some("1"), None, Some("333"), Some("1"), Some("22")];
    let keys = vec![Some(0), None, Some(1), Some(3), None, Some(4), Some(0), Some(1)];
    let values = StringArray::from(vec!["1", "22", "not a number", "1", "333"]);
    let dictionary = DictionaryArray::<Int32Type>::new(keys.into(), Arc::new(values));
    let n = array(Int64Array::from_iter_values(0..8));
    let schema = |data_type| {
        Arc::new(Schema::new(vec![
            Field::new("k", data_type, true),
            Field::new("n", DataType::Int64, false),
        ]))
    };
    let plain = array(StringArray::from(texts));
    let data_type = dictionary.data_type().clone();
    (
        RecordBatch::try_new(schema(DataType::Utf8), vec![plain, n.clone()]).unwrap(),
        RecordBatch::try_new(schema(data_type), vec![array(dictionary), n]).unwrap(),
    )
}

#[test]
fn dictionaries_give_what_text_gives() {
    let (plain, codes) = encoded();
    let table = [
        col("k"),
        col("k").eq("22"),
        col("k").neq("22").and(col("n").gt(2i64)),
        !col("k").is_in(["1", "x"]),
        col("k").is_null(),
        col("k").is_null().or(col("k").eq("1")),
        col("k").like("%2%"),
        col("k").fill_null("none"),
        col("k").nullif("1"),
        col("k").call("upper", []),
        col("k").call("length", []) + col("n"),
        col("k").concat("!"),
        col("k").cast(DataType::Int64) * lit(2i64),
        col("k").lt(col("k").concat("a")),
        col("k").lt(col("n").cast(DataType::Utf8)),
        when(col("k").eq("1")).then(col("n")).otherwise(0i64),
        when(col("n").gt(3i64)).then(col("k")).otherwise("few"),
        greatest([col("k"), lit("2")]),
        null().or(col("k").eq("1")),
    ];
    for expr in table {
        let schema = plain.schema();
        let bound = bind(&expr, &schema).unwrap();
        // Twice, as the second time the dictionary is known.
        for _ in 0..2 {
            let text = dframe_expr::plain(&bound.evaluate_array(&plain).unwrap()).unwrap();
            let code = dframe_expr::plain(&bound.evaluate_array(&codes).unwrap()).unwrap();
            assert_eq!(text.as_ref(), code.as_ref(), "{expr}");
        }
    }
}

#[test]
fn text_stays_encoded_with_nulls_in_the_codes() {
    let (_, codes) = encoded();
    let bound = bind(&col("k").nullif("1"), &codes.schema()).unwrap();
    let result = bound.evaluate_array(&codes).unwrap();
    assert!(result.as_any_dictionary_opt().is_some());
    assert_eq!((result.null_count(), result.logical_null_count()), (5, 5));
    let constant = bind(&lit(5i64), &codes.schema()).unwrap();
    assert!(matches!(constant.evaluate(&codes).unwrap(), Value::Scalar(_)));
}

#[test]
fn empty_batches_give_empty_arrays() {
    let batch = batch().slice(0, 0);
    for expr in [
        col("i") + lit(1i64),
        col("f").gt(col("g")),
        when(col("b")).then(col("i") + lit(1i64)).end(),
        coalesce([col("s"), lit("x")]),
        lit(1i64),
        col("s").is_in(["a"]),
        greatest([col("i"), lit(2i64)]),
    ] {
        assert_eq!(evaluate(&expr, &batch).unwrap().len(), 0, "{expr}");
    }
}
