//! Operators, and the tests and forms made of them.

use dframe_expr::{BinaryOp, Expr, Like, UnaryOp, col, lit, when};

use crate::{assert_groups, failed, marked, parsed};

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
