//! Where every part was written, and what is said of what is wrong there.

use std::ops::Range;

use dframe_expr::Expr;
use dframe_sql::{parse_expr, parse_exprs};

use crate::{failed, marked, parsed};

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
