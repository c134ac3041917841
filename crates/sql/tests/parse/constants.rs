//! Constants and types: numbers, texts, times, intervals.

use arrow::array::{Array, AsArray, Decimal128Array};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, IntervalMonthDayNano,
    IntervalMonthDayNanoType, IntervalUnit, Time64MicrosecondType, TimeUnit,
    TimestampMicrosecondType,
};
use dframe_core::ErrorKind;
use dframe_expr::{Expr, lit, null};
use dframe_sql::parse_exprs;

use crate::{assert_groups, failed, literal, parsed};

#[test]
fn numbers() {
    assert_eq!(literal("42").0.as_primitive::<Int64Type>().value(0), 42);
    assert_eq!(literal("1_000").0.as_primitive::<Int64Type>().value(0), 1000);
    assert_eq!(literal("-9223372036854775808").0.as_primitive::<Int64Type>().value(0), i64::MIN);
    assert_eq!(literal("1.5").0.as_primitive::<Float64Type>().value(0), 1.5);
    assert_eq!(literal(".5").0.as_primitive::<Float64Type>().value(0), 0.5);
    assert_eq!(literal("-2e-3").0.as_primitive::<Float64Type>().value(0), -0.002);
    let wide = literal("9223372036854775808");
    assert_eq!(wide.0.data_type(), &DataType::Decimal128(38, 0));
    assert_eq!(wide.0.as_primitive::<Decimal128Type>().value(0), 1 << 63);
    for (text, unscaled, precision, scale) in [
        ("8316713844486150534.6222494538631034188", 83167138444861505346222494538631034188, 38, 19),
        ("-0.12345678901234567890", -1234567890123456789, 19, 19),
        ("100000000000000000.01", 10000000000000000001, 20, 2),
    ] {
        let long = literal(text);
        assert_eq!(long.0.data_type(), &DataType::Decimal128(precision, scale), "{text}");
        assert_eq!(long.0.as_primitive::<Decimal128Type>().value(0), unscaled, "{text}");
    }
    for text in ["0.30000000000000004", "-0.0", "00.50", "5.", "1.23456789012345678901e5"] {
        let value = literal(text).0.as_primitive::<Float64Type>().value(0);
        assert_eq!(value.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{text}");
    }
    let widest: &Decimal128Array = &literal(&"9".repeat(38)).0.as_primitive().clone();
    assert_eq!(widest.value(0), 10_i128.pow(38) - 1);
    assert!(failed(&"9".repeat(39)).to_string().contains("out of range"));
    assert!(failed("1e999").to_string().contains("'inf'::DOUBLE"));
    assert_eq!(failed("0xFF").kind(), ErrorKind::Unsupported);
}

#[test]
fn other_constants() {
    assert_eq!(parsed("'it''s'"), lit("it's"));
    assert_eq!(parsed(r"'a\n'"), lit(r"a\n"));
    assert_eq!(parsed(r"e'a\n'"), lit("a\n"));
    assert_eq!(parsed("$$a'b$$"), lit("a'b"));
    assert_eq!(parsed("true"), lit(true));
    assert_eq!(parsed("NULL"), null());
    assert_eq!(literal("X'00fF'").0.as_binary::<i32>().value(0), [0, 255]);
    assert_eq!(literal("date '2024-02-29'").0.as_primitive::<Date32Type>().value(0), 19_782);
    let time = literal("TIME '01:02:03.5'");
    assert_eq!(time.0.as_primitive::<Time64MicrosecondType>().value(0), 3_723_500_000);
    for (text, micros) in [
        ("timestamp '1970-01-02 00:00:01'", 86_401_000_000),
        ("timestamp '1970-01-02'", 86_400_000_000),
        ("timestamptz '1970-01-01 02:00:00+02:00'", 0),
        ("timestamp with time zone '1970-01-01 00:00:00'", 0),
    ] {
        let value = literal(text);
        assert_eq!(value.0.as_primitive::<TimestampMicrosecondType>().value(0), micros, "{text}");
    }
    let ns = literal("timestamp_ns '1970-01-01 00:00:00.000000001'");
    assert_eq!(ns.0.data_type(), &DataType::Timestamp(TimeUnit::Nanosecond, None));
    let infinity = parsed("'inf'::double");
    assert!(matches!(infinity, Expr::Cast { to: DataType::Float64, strict: true, .. }));
}

#[test]
fn intervals() {
    const HOUR: i64 = 3_600_000_000_000;
    for (text, months, days, nanoseconds) in [
        ("interval '1 day'", 0, 1, 0),
        ("interval 1 day", 0, 1, 0),
        ("interval -2 days", 0, -2, 0),
        ("interval '2 months 3 days'", 2, 3, 0),
        ("interval '1' year", 12, 0, 0),
        ("interval 2 quarters", 6, 0, 0),
        ("interval '1 day 02:00:00'", 0, 1, 2 * HOUR),
        ("interval 90 minutes", 0, 0, HOUR + HOUR / 2),
        ("interval 1 week", 0, 7, 0),
        ("interval 1.5 hours", 0, 0, HOUR + HOUR / 2),
        ("interval '3 days ago'", 0, -3, 0),
        ("interval 1 century", 1200, 0, 0),
    ] {
        let value = literal(text);
        let value = value.0.as_primitive::<IntervalMonthDayNanoType>().value(0);
        assert_eq!(value, IntervalMonthDayNano { months, days, nanoseconds }, "{text}");
    }
    assert!(failed("interval '1 fortnight'").to_string().contains("is not of type INTERVAL"));
    assert!(failed("interval (a)").to_string().contains("needs a unit"));
    assert_groups("b - interval (a + 1) hours", "b - ((a + 1) * (interval '1 hours'))");
    assert_groups(
        "interval '1 day' < b - interval 2 hours",
        "(interval 1 day) < (b - (interval '2 hours'))",
    );
    let names = parse_exprs("interval '1 day' d").unwrap();
    assert_eq!(names[0].output_name(), "d");
}

#[test]
fn types() {
    use DataType::*;
    for (name, expected) in [
        ("tinyint", Int8),
        ("SMALLINT", Int16),
        ("int", Int32),
        ("integer", Int32),
        ("bigint", Int64),
        ("int8", Int64),
        ("utinyint", UInt8),
        ("usmallint", UInt16),
        ("uinteger", UInt32),
        ("ubigint", UInt64),
        ("hugeint", Decimal128(38, 0)),
        ("real", Float32),
        ("float", Float32),
        ("double", Float64),
        ("double precision", Float64),
        ("decimal", Decimal128(18, 3)),
        ("decimal(5)", Decimal128(5, 0)),
        ("numeric(10, 2)", Decimal128(10, 2)),
        ("boolean", Boolean),
        ("varchar", Utf8),
        ("varchar(10)", Utf8),
        ("text", Utf8),
        ("string", Utf8),
        ("blob", Binary),
        ("bytea", Binary),
        ("date", Date32),
        ("time", Time64(TimeUnit::Microsecond)),
        ("timestamp", Timestamp(TimeUnit::Microsecond, None)),
        ("datetime", Timestamp(TimeUnit::Microsecond, None)),
        ("timestamp_s", Timestamp(TimeUnit::Second, None)),
        ("timestamp_ms", Timestamp(TimeUnit::Millisecond, None)),
        ("timestamp_ns", Timestamp(TimeUnit::Nanosecond, None)),
        ("timestamptz", Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        ("timestamp with time zone", Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        ("interval", Interval(IntervalUnit::MonthDayNano)),
    ] {
        for text in [format!("cast(x as {name})"), format!("x::{name}")] {
            let Expr::Cast { to, strict: true, span, .. } = parsed(&text) else { panic!("{text}") };
            assert_eq!(to, expected, "{text}");
            assert_eq!(span.range(), Some(0..text.len()), "{text}");
        }
    }
    assert!(matches!(parsed("try_cast(x as int)"), Expr::Cast { strict: false, .. }));
    assert_eq!(failed("x::json").kind(), ErrorKind::Unsupported);
    assert_eq!(failed("x::nonsense").kind(), ErrorKind::Unsupported);
    for text in ["x::decimal(39, 1)", "x::decimal(3, 5)", "x::decimal(0, 0)", "x::decimal(3, -1)"] {
        failed(text);
    }
}
