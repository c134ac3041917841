//! Deep, long and random text: an answer or an error, and no panic.

use arrow::datatypes::{DataType, Field, Schema};
use dframe_core::ErrorKind;
use dframe_expr::{Expr, bind, col, lit, simplify};
use dframe_sql::{parse_columns, parse_expr, parse_exprs, parse_keys};
use proptest::prelude::*;

use crate::{failed, parsed};

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
