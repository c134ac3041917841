//! What users type, against the expressions it means and the messages it earns.

use std::ops::Range;

use arrow::array::{Array, AsArray, Decimal128Array};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Float64Type, Int64Type, IntervalMonthDayNano,
    IntervalMonthDayNanoType, IntervalUnit, Schema, Time64MicrosecondType, TimeUnit,
    TimestampMicrosecondType,
};
use dframe_core::{Error, ErrorKind};
use dframe_expr::aggregate::AggregateFunction;
use dframe_expr::{
    BinaryOp, Expr, Like, Literal, UnaryOp, aggregate, bind, call, col, count_all, lit, null,
    simplify, when,
};
use dframe_sql::{parse_columns, parse_expr, parse_exprs, parse_keys};
use proptest::prelude::*;

fn parsed(text: &str) -> Expr {
    parse_expr(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn literal(text: &str) -> Literal {
    match parsed(text) {
        Expr::Literal(literal) => literal,
        other => panic!("{text} is no constant: {other:?}"),
    }
}

fn failed(text: &str) -> Error {
    parse_exprs(text).expect_err(text)
}

fn marked(error: &Error) -> Option<String> {
    let snippet = error.snippet()?;
    Some(snippet.text[snippet.range.clone()].to_string())
}

/// `text` and its fully parenthesised form mean the same.
fn assert_groups(text: &str, grouped: &str) {
    assert_eq!(parsed(text), parsed(grouped), "{text} against {grouped}");
}

#[test]
fn operators_group_as_in_duckdb() {
    for (text, grouped) in [
        ("a + b * c", "a + (b * c)"),
        ("a - b - c", "(a - b) - c"),
        ("a // b * c % d", "((a // b) * c) % d"),
        ("'a' || b + c", "'a' || (b + c)"),
        ("a + b || c", "(a + b) || c"),
        ("a or b and not c", "a or (b and (not c))"),
        ("not a = b is null", "not ((a = b) is null)"),
        ("a = b between c and d", "a = (b between c and d)"),
        ("a like b || c", "a like (b || c)"),
        ("a between b and c and d", "(a between b and c) and d"),
        ("a is distinct from b and c", "(a is distinct from b) and c"),
        ("-a * b", "(-a) * b"),
        ("-a::int", "-(a::int)"),
        ("a::int::text", "(a::int)::text"),
        ("a == b", "a = b"),
        ("a != b", "a <> b"),
        ("a not between b and c", "not (a >= b and a <= c)"),
        ("a notnull", "a is not null"),
    ] {
        assert_groups(text, grouped);
    }
}

#[test]
fn windows_print_as_they_are_read() {
    for text in [
        "row_number() OVER ()",
        "count(*) OVER (PARTITION BY a, b)",
        "lag(a, 2, 0) OVER (PARTITION BY b ORDER BY c DESC NULLS FIRST, d)",
        "sum(a) FILTER (WHERE b) OVER (ORDER BY c ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)",
        "min(a) OVER (ORDER BY c GROUPS BETWEEN CURRENT ROW AND 1 FOLLOWING)",
        "last_value(a IGNORE NULLS) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)",
        "a - mean(a) OVER (PARTITION BY b)",
    ] {
        assert_eq!(parsed(text).to_string(), text);
    }
    for (short, long) in [
        (
            "first_value(a) ignore nulls over (order by b)",
            "first_value(a ignore nulls) over (order by b)",
        ),
        (
            "sum(a) over (rows 1 preceding)",
            "sum(a) over (rows between 1 preceding and current row)",
        ),
        (
            "sum(a) over (order by b range interval 5 minutes preceding)",
            "sum(a) over (order by b range between interval '5 minutes' preceding and current row)",
        ),
    ] {
        assert_eq!(parsed(short), parsed(long));
    }
}

#[test]
fn operators_become_expressions() {
    let (a, b) = (|| col("a"), || col("b"));
    assert_eq!(parsed("a + b"), a() + b());
    assert_eq!(parsed("a >= b"), a().gt_eq(b()));
    assert_eq!(parsed("a is null"), a().is_null());
    assert_eq!(parsed("a // 2"), a().binary_for_test(BinaryOp::IntegerDivide, lit(2_i64)));
    assert_eq!(parsed("a in ('x', 'y')"), a().is_in(["x", "y"]));
    assert_eq!(
        parsed("case when a > 1 then 'x' else 'y' end"),
        when(a().gt(1_i64)).then("x").otherwise("y")
    );
    assert_eq!(parsed("(a)"), a());
    assert_eq!(parsed("+a"), a());
    for (text, op) in [
        ("not a", UnaryOp::Not),
        ("- a", UnaryOp::Negate),
        ("a is not null", UnaryOp::IsNotNull),
        ("a is true", UnaryOp::IsTrue),
        ("a is false", UnaryOp::IsFalse),
        ("a is not true", UnaryOp::IsNotTrue),
        ("a is not false", UnaryOp::IsNotFalse),
    ] {
        assert!(matches!(parsed(text), Expr::Unary { op: found, .. } if found == op), "{text}");
    }
}

trait BinaryForTest {
    fn binary_for_test(self, op: BinaryOp, right: Expr) -> Expr;
}

impl BinaryForTest for Expr {
    fn binary_for_test(self, op: BinaryOp, right: Expr) -> Expr {
        let span = dframe_expr::Span::NONE;
        Expr::Binary { left: Box::new(self), op, right: Box::new(right), span }
    }
}

#[test]
fn if_is_a_case() {
    assert_eq!(parsed("if(a > 1, b, c)"), parsed("case when a > 1 then b else c end"));
    let error = failed("if(a, b)");
    assert_eq!(error.message(), "if: takes 3 arguments, not 2");
    assert_eq!(marked(&error).as_deref(), Some("if(a, b)"));
}

#[test]
fn like_and_case() {
    let Expr::Like(Like { negated, case_insensitive, escape, .. }) =
        parsed(r"a not ilike '50\%%' escape '\'")
    else {
        panic!("no LIKE")
    };
    assert_eq!((negated, case_insensitive, escape), (true, true, Some('\\')));
    let Expr::Case { operand, branches, otherwise, .. } = parsed("case a when 1 then 2 end") else {
        panic!("no CASE")
    };
    assert_eq!(operand.as_deref(), Some(&col("a")));
    assert_eq!(branches, vec![(lit(1_i64), lit(2_i64))]);
    assert_eq!(otherwise, None);
}

#[test]
fn names_keep_their_case_and_quotes() {
    assert_eq!(parsed("Price"), col("Price"));
    assert_eq!(parsed("\"odd \"\"name\"\".x\""), col("odd \"name\".x"));
    assert_eq!(parsed("left.x"), Expr::column(Some("left"), "x"));
    assert_eq!(parsed("right.\"a b\""), Expr::column(Some("right"), "a b"));
    for name in
        ["date", "timestamp", "time", "year", "count", "größe", "type", "key", "value", "values"]
    {
        assert_eq!(parsed(name), col(name));
        assert_eq!(parsed(&format!("{name} > 1")), col(name).gt(1_i64));
    }
}

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

#[test]
fn every_function_and_form_can_be_called() {
    use dframe_expr::function::{FORMS, functions};
    let functions = functions().flat_map(|function| function.names);
    for name in functions.chain(FORMS.iter().flat_map(|form| form.names)) {
        assert!(matches!(parsed(&format!("{name}(a, b)")), Expr::Call { .. }), "{name}");
    }
    let schema = Schema::new(vec![Field::new("a", DataType::Int64, true)]);
    for form in FORMS.iter().flat_map(|form| form.names) {
        let bound = bind(&parsed(&format!("{form}(a, 2)")), &schema.clone());
        assert_eq!(bound.unwrap_or_else(|e| panic!("{form}: {e}")).data_type(), &DataType::Int64);
    }
}

#[test]
fn calls() {
    assert_eq!(parsed("UPPER(a)"), call("upper", [col("a")]));
    assert_eq!(parsed("substring(a from 2 for 3)"), parsed("substring(a, 2, 3)"));
    assert_eq!(parsed("substring(a for 3)"), parsed("substring(a, 1, 3)"));
    assert_eq!(parsed("trim(both 'x' from a)"), parsed("trim(a, 'x')"));
    assert_eq!(parsed("trim(leading from_x)"), parsed("ltrim(from_x)"));
    assert_eq!(parsed("trim(trailing 'x' from a)"), parsed("rtrim(a, 'x')"));
    assert_eq!(parsed("position('b' in a)"), parsed("strpos(a, 'b')"));
    assert_eq!(parsed("position(a, 'b')"), call("position", [col("a"), lit("b")]));
    assert_eq!(parsed("floor(a)"), call("floor", [col("a")]));
    assert_eq!(parsed("ceil(a)"), call("ceil", [col("a")]));
    assert_eq!(parsed("left(a, 2)"), call("left", [col("a"), lit(2_i64)]));
    assert_eq!(parsed("a ~ 'x+'"), parsed("regexp_full_match(a, 'x+')"));
    assert_eq!(parsed("len(a)"), call("len", [col("a")]));
}

#[test]
fn lists_and_subscripts_are_calls() {
    let list = || call("list_value", [lit(1i64), col("a")]);
    for (text, expected) in [
        ("[1, a]", list()),
        ("array[1, a]", list()),
        ("[]", call("list_value", [])),
        ("a[1]", call("list_extract", [col("a"), lit(1i64)])),
        ("a[-1]", call("list_extract", [col("a"), lit(-1i64)])),
        ("a[b + 1]", call("list_extract", [col("a"), col("b") + lit(1i64)])),
        ("a[2:3]", call("list_slice", [col("a"), lit(2i64), lit(3i64)])),
        ("a[:3]", call("list_slice", [col("a"), lit(1i64), lit(3i64)])),
        ("a[2:]", call("list_slice", [col("a"), lit(2i64), lit(-1i64)])),
        (
            "string_split(a, ',')[1]",
            call("list_extract", [call("string_split", [col("a"), lit(",")]), lit(1i64)]),
        ),
        ("a[1][2]", call("list_extract", [call("list_extract", [col("a"), lit(1i64)]), lit(2i64)])),
        ("a at time zone 'Europe/Zurich'", call("timezone", [lit("Europe/Zurich"), col("a")])),
    ] {
        assert_eq!(parsed(text), expected, "{text}");
    }
}

#[test]
fn aggregates() {
    assert_eq!(parsed("count(*)"), count_all());
    assert_eq!(parsed("count()"), count_all());
    assert_eq!(parsed("len()"), count_all());
    assert_eq!(parsed("avg(a)"), col("a").mean());
    assert_eq!(parsed("n_unique(a)"), col("a").n_unique());
    assert_eq!(parsed("count(distinct a)"), col("a").n_unique());
    assert_eq!(parsed("sum(a) filter (where b > 1)"), col("a").sum().filter(col("b").gt(1_i64)));
    assert_eq!(parsed("corr(a, b)"), aggregate(AggregateFunction::Corr, vec![col("a"), col("b")]));
    // An equation is an argument, not a named argument.
    assert_eq!(
        parsed("bool_or(a = 1)"),
        aggregate(AggregateFunction::BoolOr, vec![col("a").eq(1_i64)])
    );
}

#[test]
fn select_lists() {
    let exprs = parse_exprs("sum(price*size)/sum(size) as vwap, count(*) n, *, \"a b\"").unwrap();
    let names: Vec<String> = exprs.iter().map(Expr::output_name).collect();
    assert_eq!(names, ["vwap", "n", "*", "a b"]);
    assert_eq!(exprs[2], Expr::Wildcard);
    assert_eq!(exprs[1], count_all().alias("n"));
    assert_eq!(parse_exprs("a as isnull").unwrap()[0].output_name(), "isnull");
}

#[test]
fn columns_need_names() {
    let columns = parse_columns("upper(x) as day, ticker, \"odd name\", left.k").unwrap();
    let names: Vec<String> = columns.iter().map(Expr::output_name).collect();
    assert_eq!(names, ["day", "ticker", "odd name", "k"]);
    let error = parse_columns("a, upper(x)").unwrap_err();
    assert_eq!(marked(&error).as_deref(), Some("upper(x)"));
    assert_eq!(error.remedy_text(), Some("write upper(x) AS name"));
    assert!(parse_columns("*").is_err());
}

#[test]
fn keys() {
    let keys = parse_keys("volume desc nulls first, ticker, a + b asc nulls last").unwrap();
    let shape: Vec<_> =
        keys.iter().map(|k| (k.expr.to_string(), k.descending, k.nulls_first)).collect();
    assert_eq!(
        shape,
        [
            ("volume".to_string(), true, true),
            ("ticker".to_string(), false, false),
            ("a + b".to_string(), false, false)
        ]
    );
    assert!(!parse_keys("x desc").unwrap()[0].nulls_first);
    assert!(parse_keys("1").unwrap_err().to_string().contains("constant"));
}

fn span_of(expr: &Expr) -> Option<Range<usize>> {
    match expr {
        Expr::Column(column) => column.span.range(),
        Expr::Unary { span, .. }
        | Expr::Binary { span, .. }
        | Expr::InList { span, .. }
        | Expr::Case { span, .. }
        | Expr::Cast { span, .. }
        | Expr::Call { span, .. } => span.range(),
        Expr::Like(like) => like.span.range(),
        Expr::Aggregate(call) => call.span.range(),
        _ => None,
    }
}

#[test]
fn every_node_knows_where_it_was_written() {
    for text in [
        "größe",
        "left.\"naïve name\"",
        "a + b",
        "(a + b) * (c)",
        "- (a)",
        "not a",
        "a is not null",
        "a is  not\nnull",
        "a notnull",
        "(a) is true",
        "a in (1, 2)",
        "(a) not in ((1), (2))",
        "a like 'é%'",
        "a ilike 'x' escape '\\'",
        "case when a then b end",
        "cast(a as decimal(3, 1))",
        "try_cast((a) as int)",
        "(a)::timestamp with time zone",
        "(a)::decimal(3, 1)",
        "upper((a))",
        "count(*)",
        "count(*) filter (where a)",
        "sum(a + (b)) filter (where (a))",
        "substring(a from 1 for 2)",
        "trim(both 'x' from a)",
        "position('x' in a)",
        "floor(a)",
        "a between 1 and (2)",
    ] {
        for (before, after) in [("", ""), ("  /* ü */ ", " "), ("'ö' || f, \n\t", "\r\n , z")] {
            let padded = format!("{before}{text}{after}");
            let exprs = parse_exprs(&padded).unwrap();
            let expr = &exprs[usize::from(before.contains(','))];
            let range = span_of(expr).unwrap_or_else(|| panic!("{text} has no place"));
            assert_eq!(&padded[range], text, "{expr}");
        }
    }
}

#[test]
fn inner_nodes_know_where_they_were_written() {
    let text = "a *\n  ('ü' || bé)";
    let Expr::Binary { left, right, .. } = parsed(text) else { panic!() };
    assert_eq!(span_of(&left).map(|r| &text[r]), Some("a"));
    assert_eq!(span_of(&right).map(|r| &text[r]), Some("'ü' || bé"));
}

#[test]
fn errors_say_what_and_where() {
    for (text, message, place) in [
        ("a +", "expected an expression after '+', found the end", ""),
        ("a + , b", "expected an expression after '+', found ','", ","),
        ("a b c", "expected ',' or the end after 'b', found 'c'", "c"),
        ("a, ", "expected an expression after ',', found the end", ""),
        ("(a", "'(' is never closed", "("),
        ("a)", "')' closes nothing", ")"),
        ("'abc", "unterminated string literal", "'"),
        ("\"abc", "expected close delimiter '\"' before EOF.", "\""),
        ("a < b < c", "comparisons cannot be chained", "a < b < c"),
        ("a is 5", "expected [NOT] NULL, TRUE, FALSE or DISTINCT FROM after 'is', found '5'", "5"),
        ("a is", "expected [NOT] NULL, TRUE, FALSE or DISTINCT FROM after 'is', found the end", ""),
        ("case when a then b", "expected END after 'b', found the end", ""),
        ("a in ()", "expected an expression after '(', found ')'", ")"),
        ("sum(a) over w", "there is no window 'w'", "sum(a)"),
        ("lag(a)", "lag is a window function", "lag(a)"),
        (
            "upper(a) over ()",
            "upper is neither an aggregate nor a window function",
            "upper(a) over ()",
        ),
        ("sum(a) over (rows b preceding)", "a frame's offset must be a constant, not b", "b"),
        (
            "sum(a) over (rows 1 preceding exclude ties)",
            "EXCLUDE in a window's frame is not supported in an expression",
            "exclude",
        ),
        ("1 + (select 1)", "a subquery is not supported in an expression", "("),
        ("select a", "a whole query is not an expression", "select"),
        ("[1, 2", "'[' is never closed", "["),
        ("(a]", "']' closes nothing", "]"),
        ("a[1:2:1]", "a step of a slice is not supported here", "a[1:2:1]"),
        ("é + uper(x)", "there is no function 'uper'", "uper(x)"),
        ("date '2024-02-30'", "'2024-02-30' is not of type DATE", "date '2024-02-30'"),
        ("a & b", "the operator '&' is not supported here", "a & b"),
        ("sum(*)", "sum(*) has no meaning", "sum(*)"),
        ("upper(distinct a)", "upper is not an aggregate function", "upper(distinct a)"),
        ("count(distinct *)", "DISTINCT needs an argument", "count(distinct *)"),
        ("a.b.c", "a name of more than two parts is not supported", "a.b.c"),
        ("* exclude (a)", "'* EXCLUDE (a)' is not supported here", "*"),
        ("t.*", "'t.*' is not supported here", "t.*"),
        ("$1", "the parameter $1 has no value", "$1"),
        ("x::json", "the type JSON is not supported", "x::json"),
        ("a and and b", "expected an expression after 'and', found 'and'", "and"),
        ("a not b", "expected ',' or the end after 'a', found 'not'", "not"),
        ("a isnull", "ISNULL is not supported", "isnull"),
        ("a glob 'x'", "expected an operator after 'a', found 'glob'", "glob"),
        ("from", "expected an expression, found 'from'", "from"),
        ("a as", "expected an identifier after 'as', found the end", ""),
        ("f(a := 1)", "the operator ':=' is not supported here", "a := 1"),
        ("", "expected an expression, found nothing", ""),
        (" -- nothing", "expected an expression, found nothing", ""),
    ] {
        let error = failed(text);
        assert_eq!(error.message(), message, "{text}");
        assert_eq!(marked(&error).as_deref(), Some(place), "{text}");
    }
    assert_eq!(failed("sume(x)").remedy_text(), Some("did you mean 'sum' or 'some'?"));
    assert!(parse_expr("a, b").unwrap_err().to_string().contains("found 2"));
    assert!(parse_expr("a as b").is_err());
    assert!(parse_expr("*").is_err());
}

#[test]
fn errors_point_into_long_and_foreign_text() {
    let text = "größe > 1\n  AND ünïcödé = = 2";
    let error = parse_expr(text).unwrap_err();
    let snippet = error.snippet().unwrap();
    assert_eq!(snippet.range.start, text.rfind('=').unwrap());
    assert_eq!(snippet.text, text);
}

#[test]
fn display_parses_back() {
    for text in [
        "a + b * 2",
        "(a + b) * 2",
        "a - (b - c)",
        "-(a + 1)",
        "-(-1)",
        "a > 1 AND (b OR c)",
        "NOT a IS NULL",
        "NOT (a AND b)",
        "a IS NOT DISTINCT FROM b",
        "(a = 1) = TRUE",
        "a IN ('x', 'it''s') AND b NOT IN (1.5, 2.5)",
        "a NOT LIKE 'x%' ESCAPE '!'",
        "a || b || 'c'",
        "(a LIKE 'x') = b",
        "a // b % c",
        "\"my col\" + \"order\" + left.x",
        "CAST(a AS DECIMAL(10, 2))",
        "TRY_CAST(a AS TIMESTAMP WITH TIME ZONE)",
        "CASE a WHEN 1 THEN 'x' ELSE NULL END",
        "CASE WHEN a THEN 1 WHEN b THEN 2 END",
        "DATE '2024-02-29' + INTERVAL '1 month 2 days 03:00:00'",
        "TIMESTAMP '2024-02-29 01:02:03.5' < b",
        "TIMESTAMPTZ '2024-02-29 01:02:03+00' < b",
        "TIME '01:02:03' = c",
        "upper(a) || lower(b)",
        "count(*) + count(DISTINCT a) - sum(b) FILTER (WHERE c > 1)",
        "1e300 + 1.0 + 0.1 + -2.5 + 123456789012345678901234567890",
        "var_pop(a) + stddev_samp(a) + any_value(b) + covar_samp(a, b)",
    ] {
        let expr = parsed(text);
        let shown = expr.to_string();
        assert_eq!(parsed(&shown), expr, "{text} shown as {shown}");
    }
}

/// Nesting that the parser or a stack could drown in: each must end, soon, with some answer.
#[test]
fn deep_nesting_is_an_error_not_an_overflow() {
    let nest = |open: &str, core: &str, close: &str, depth: usize| {
        format!("{}{core}{}", open.repeat(depth), close.repeat(depth))
    };
    for depth in [20, 40, 90, 300, 10_000] {
        for (open, core, close) in [
            ("(", "1", ")"),
            ("(", "", ""),
            ("", "", ")"),
            ("upper(", "a", ")"),
            ("upper(", "a b", ")"),
            ("position(", "a", " in b)"),
            ("position(", "a", ", b)"),
            ("extract(year from ", "a", ")"),
            ("trim(both 'x' from ", "a", ")"),
            ("substring(", "a", " from 1)"),
            ("floor(", "a", ")"),
            ("cast(", "a", " as int)"),
            ("cast(", "a", " as int"),
            ("case when ", "a", " then 1 end"),
            ("case ", "a", ""),
            ("interval ", "a", ""),
            ("interval (", "a", ") day"),
            ("not ", "a", ""),
            ("not ", "", ""),
            ("- ", "a", ""),
            ("a + ", "a", ""),
            ("a and ", "", ""),
            ("a = 1 or ", "b", ""),
            ("a.", "b", ""),
            ("1 in (", "1", ")"),
            ("1 in ((", "1", "))"),
            ("f(a := ", "1", ")"),
            ("(a, ", "1", ")"),
            ("a -> ", "1", ""),
            ("((a) -> ", "1", ")"),
            ("lambda x : ", "1", ""),
            ("exists (", "1", ")"),
            ("any(", "1", ")"),
            ("1 = any(", "1", ")"),
            ("if(", "1", ", 2, 3)"),
            ("date ", "1", ""),
            ("struct(", "1", ")"),
            ("array(", "1", ")"),
            ("[", "1", "]"),
            ("[", "", ""),
            ("array[", "1", "]"),
            ("[1, [", "1", "]]"),
            ("a[", "1", "]"),
            ("", "a", "[1]"),
            ("", "a", "[1:2]"),
            ("a[1:", "1", "]"),
            ("f(a)[", "1", "]"),
            ("convert(", "1", ", int)"),
            ("overlay(", "1", " placing 2 from 3)"),
            ("(from ", "1", ")"),
            ("(table ", "1", ")"),
            ("sum(", "a", ") filter (where true)"),
            ("sum(a) over (partition by ", "a", ")"),
            ("'a' like ", "a", ""),
            ("", "a", "::int"),
            ("", "a", " is null"),
            ("", "a", " between 1 and 2"),
            ("a between ", "1", " and 2"),
            ("", "a", " like 'x'"),
            ("", "a", "::array<int>"),
            ("a::array<", "int", ">"),
            ("a::map(int, ", "int", ")"),
            ("a::struct(a ", "int", ")"),
            ("case-", "c", ""),
            ("current_time(", "x", ""),
        ] {
            let text = nest(open, core, close, depth);
            let start = std::time::Instant::now();
            let _ = parse_exprs(&text);
            let _ = parse_keys(&text);
            let elapsed = start.elapsed();
            assert!(elapsed.as_secs() < 2, "{open}{core}{close} {depth} took {elapsed:?}");
        }
    }
    assert!(failed(&nest("(", "1", ")", 10_000)).to_string().contains("nested deeper"));
    assert!(failed(&nest("1 + ", "1", "", 10_000)).to_string().contains("nested deeper"));
    assert_eq!(parsed(&nest("(", "a", ")", 90)), col("a"));
    parsed(&nest("a + (", "a", ")", 90));
    parsed(&nest("a = 1 or ", "b", "", 400));
}

#[test]
fn the_deepest_expression_binds_and_prints() {
    let schema = Schema::new(vec![Field::new("a", DataType::Int64, true)]);
    let deepest = format!("{}a", "a + ".repeat(990));
    let expr = parsed(&deepest);
    assert_eq!(bind(&expr, &schema).unwrap().data_type(), &DataType::Int64);
    assert_eq!(simplify(expr.clone(), &schema).to_string(), deepest);
    let either = format!("{}a = 1", "a = 1 or ".repeat(490));
    assert!(bind(&parsed(&either), &schema).is_ok());
}

#[test]
fn long_lists_are_fine() {
    let list: Vec<String> = (0..20_000).map(|n| n.to_string()).collect();
    let text = format!("ü in ({})", list.join(", "));
    let Expr::InList { list, .. } = parsed(&text) else { panic!("no list") };
    assert_eq!(list.len(), 20_000);
    assert_eq!(list[19_999], lit(19_999_i64));
}

/// Pieces that random text rarely has, joined at random.
fn fragments() -> impl Strategy<Value = String> {
    let fragment = prop::sample::select(vec![
        "a",
        "\"b c\"",
        "1",
        "1.5",
        "1e5",
        "'x'",
        "é",
        "(",
        ")",
        ",",
        ".",
        "+",
        "-",
        "*",
        "/",
        "//",
        "%",
        "||",
        "=",
        "<>",
        "<",
        ">=",
        "::",
        ":",
        "int",
        "decimal(3,1)",
        "and",
        "or",
        "not",
        "is",
        "null",
        "true",
        "in",
        "between",
        "like",
        "escape",
        "case",
        "when",
        "then",
        "else",
        "end",
        "cast",
        "as",
        "interval",
        "day",
        "date",
        "timestamp",
        "sum",
        "count",
        "distinct",
        "filter",
        "where",
        "over",
        "extract",
        "from",
        "for",
        "substring",
        "trim",
        "both",
        "position",
        "floor",
        "to",
        "desc",
        "nulls",
        "first",
        "select",
        "exists",
        "x'0f'",
        "0x1f",
        "$1",
        "?",
        "[",
        "]",
        "{",
        "}",
        "->",
        ";",
        "--",
        "/*",
        "*/",
        "\n",
        "\t",
        "'",
        "\"",
        "at",
        "time",
        "zone",
        "**",
        "^",
        "~",
        "!",
        "&",
        "|",
        "@",
        "#",
        "collate",
        "any",
        "all",
        "array",
        "map",
        "struct",
        "`",
        "e'\\",
        "U&'",
        "b'",
        "r'",
        "n'",
        "q'[",
        "$$",
        ":=",
        "=>",
        "similar",
        "overlaps",
        "within",
        "group",
        "order",
        "by",
        "with",
        "values",
        "convert",
        "using",
        "9223372036854775808",
        "1_0",
    ]);
    let separator = prop::sample::select(vec![" ", "", "\n"]);
    prop::collection::vec((fragment, separator), 0..24).prop_map(|pieces| {
        pieces.into_iter().flat_map(|(piece, separator)| [piece, separator]).collect()
    })
}

/// Parses with everything; an error must point into the text.
fn survives(text: &str) {
    let errors = [
        parse_exprs(text).err(),
        parse_expr(text).err(),
        parse_columns(text).err(),
        parse_keys(text).err(),
    ];
    for error in errors.into_iter().flatten() {
        assert_ne!(error.kind(), ErrorKind::Internal, "{text}");
        assert!(!error.message().is_empty());
        let snippet = error.snippet().unwrap_or_else(|| panic!("no place: {error} in {text:?}"));
        assert!(snippet.text.get(snippet.range.clone()).is_some(), "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..Default::default() })]

    #[test]
    fn random_text_never_panics(text in ".{0,40}") {
        survives(&text);
    }

    #[test]
    fn random_fragments_never_panic(text in fragments()) {
        survives(&text);
    }

    #[test]
    fn what_parses_is_shown_as_what_parses(text in fragments()) {
        if let Ok(expr) = parse_expr(&text) {
            let shown = expr.to_string();
            prop_assert!(parse_expr(&shown).is_ok(), "{} shown as {}", text, shown);
        }
    }
}
