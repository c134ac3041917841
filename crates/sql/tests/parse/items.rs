//! Lists of items: names, select lists, columns and keys.

use dframe_expr::{Expr, col, count_all};
use dframe_sql::{parse_columns, parse_exprs, parse_keys};

use crate::{marked, parsed};

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
