//! Whole queries, against the plans that they become.
//!
//! Tables are VALUES, so that nothing is opened; what comes out of a plan is checked where plans are run.

use dframe_core::{Error, Result};
use dframe_plan::LogicalPlan;
use dframe_sql::{Table, plan_query};

/// Rows that the queries are about.
const WITH: &str = "WITH t (a, b, x) AS (VALUES (1, 'p', 10), (1, 'q', 20), (2, 'p', 30)), \
                    u (a, y) AS (VALUES (1, 10), (3, NULL)) ";

fn plan(query: &str) -> Result<LogicalPlan> {
    let no_tables =
        &mut |table: &Table| Err(Error::invalid_input(format!("no {}", table.names[0])));
    plan_query(&format!("{WITH}{query}"), no_tables)
}

fn planned(query: &str) -> LogicalPlan {
    plan(query).unwrap_or_else(|error| panic!("{query}: {error}"))
}

fn names(query: &str) -> Vec<String> {
    planned(query).schema().fields().iter().map(|field| field.name().clone()).collect()
}

/// The message, and what it says to do.
fn failed(query: &str) -> (String, String) {
    let error = plan(query).expect_err(query);
    (error.message().to_string(), error.remedy_text().unwrap_or_default().to_string())
}

/// The keys of each aggregation, in the order of the plan.
fn keys(query: &str) -> Vec<String> {
    let explained = planned(query).explain();
    let lines = explained.lines().filter_map(|line| line.split_once("Aggregate keys=["));
    lines.map(|(_, rest)| rest.split(']').next().unwrap_or_default().to_string()).collect()
}

#[test]
fn sets_of_keys_are_aggregations_one_below_the_other() {
    for (group_by, expected) in [
        ("a, b", vec!["a, b"]),
        ("(a, b)", vec!["a, b"]),
        ("()", vec![""]),
        ("ROLLUP (a, b)", vec!["a, b", "a", ""]),
        ("ROLLUP ((a, b))", vec!["a, b", ""]),
        ("CUBE (a, b)", vec!["a, b", "a", "b", ""]),
        ("GROUPING SETS ((a, b), b, (), ())", vec!["a, b", "b", "", ""]),
        ("GROUPING SETS (ROLLUP (a, b), CUBE (a))", vec!["a, b", "a", "", "a", ""]),
        ("a, ROLLUP (b)", vec!["a, b", "a"]),
        ("ROLLUP (a), ROLLUP (b)", vec!["a, b", "a", "b", ""]),
        ("ROLLUP (a, a)", vec!["a", "a", ""]),
    ] {
        assert_eq!(
            keys(&format!("SELECT count(*) FROM t GROUP BY {group_by}")),
            expected,
            "{group_by}"
        );
    }
}

#[test]
fn names_of_several_sets_are_those_of_one() {
    let query = "SELECT a, b AS c, a + 1, sum(x) FROM t GROUP BY";
    let one = names(&format!("{query} a, b"));
    assert_eq!(one, ["a", "c", "a + 1", "sum(x)"]);
    assert_eq!(names(&format!("{query} CUBE (a, b)")), one);
}

#[test]
fn grouping_is_of_keys_of_groups() {
    let (message, remedy) = failed("SELECT grouping(b) FROM t GROUP BY ROLLUP (a)");
    assert_eq!(message, "grouping() is of keys, and b is none");
    assert_eq!(remedy, "name what GROUP BY names");
    let (message, _) = failed("SELECT grouping(a) FROM t");
    assert_eq!(message, "grouping() has a meaning only for groups");
    let (message, remedy) = failed("SELECT a FROM t WHERE grouping(a) = 0 GROUP BY a");
    assert_eq!(
        (message.as_str(), remedy.as_str()),
        ("WHERE cannot contain grouping()", "filter on it with HAVING")
    );
}

#[test]
fn sets_of_keys_have_an_end() {
    let many: Vec<String> = (0..9).map(|number| format!("a + {number}")).collect();
    let (message, _) =
        failed(&format!("SELECT count(*) FROM t GROUP BY CUBE ({})", many.join(", ")));
    assert_eq!(message, "GROUP BY stands for more than 256 sets of keys");
    let (message, _) = failed("SELECT count(*) FROM t GROUP BY ROLLUP (a, sum(x))");
    assert_eq!(message, "GROUP BY cannot contain an aggregate");
}

/// The lines of a plan without what is below tables of VALUES.
fn lines(query: &str) -> Vec<String> {
    let explained = planned(query).explain();
    explained.lines().map(|line| line.trim().to_string()).collect()
}

fn has_line(query: &str, start: &str) -> bool {
    lines(query).iter().any(|line| line.starts_with(start))
}

#[test]
fn values_of_correlated_queries_are_groups_that_are_joined() {
    let query = "SELECT a, (SELECT sum(y) FROM u WHERE u.a = t.a) FROM t";
    assert!(
        has_line(query, "Aggregate keys=[\"u.a\" AS \"subquery#0.key0\"]"),
        "{:#?}",
        lines(query)
    );
    assert!(has_line(query, "Join left on"), "{:#?}", lines(query));
    assert_eq!(names(query), ["a", "subquery"]);
}

#[test]
fn conditions_that_are_no_equalities_are_of_each_different_value() {
    let query = "SELECT a FROM t WHERE x > (SELECT min(y) FROM u WHERE u.a < t.a)";
    assert!(has_line(query, "Join inner"), "{:#?}", lines(query));
    assert!(has_line(query, "Distinct"), "{:#?}", lines(query));
}

#[test]
fn queries_in_expressions_may_stand_anywhere_in_them() {
    for query in [
        "SELECT a IN (SELECT a FROM u) FROM t",
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM u WHERE u.a = t.a) THEN 1 END FROM t",
        "SELECT a FROM t WHERE a = 1 OR a NOT IN (SELECT y FROM u WHERE u.a = t.a)",
        "SELECT a FROM t WHERE x NOT IN (SELECT y FROM u WHERE u.a = t.a)",
        "SELECT a FROM t WHERE x = ANY (SELECT y FROM u) OR x <> ALL (SELECT y FROM u)",
        "SELECT a, (SELECT count(*) FROM u WHERE u.a = t.a) FROM t GROUP BY a",
        "SELECT a, sum(x) IN (SELECT y FROM u) FROM t GROUP BY a",
        "SELECT sum((SELECT max(y) FROM u WHERE u.a = t.a)) FROM t",
        "SELECT (SELECT y FROM u WHERE u.a = t.a ORDER BY y DESC LIMIT 1) FROM t",
        "SELECT (SELECT count(*) + t.x FROM u WHERE u.a = t.a OR u.y = t.x) FROM t",
    ] {
        planned(query);
    }
}

#[test]
fn what_correlated_queries_cannot_say_is_told() {
    let (message, remedy) = failed("SELECT a FROM t WHERE x > (SELECT y FROM u WHERE u.a = t.a)");
    assert_eq!(message, "the column 'a' of the query around is not supported here");
    assert!(remedy.starts_with("name it in WHERE of one SELECT"), "{remedy}");
    let (message, _) = failed("SELECT a, (SELECT max(y) FROM u WHERE u.a = t.x) FROM t GROUP BY a");
    assert_eq!(message, "column x is neither a key nor inside an aggregate function");
    let (message, _) = failed("SELECT (SELECT u.y + count(*) FROM u WHERE u.a = t.a) FROM t");
    assert_eq!(message, "column y is neither a key nor inside an aggregate function");
    let (message, _) = failed("SELECT (SELECT sum(t.x) FROM u WHERE u.a = t.a) FROM t");
    assert_eq!(message, "an aggregate of the query around is not supported");
    let (message, _) = failed("SELECT a FROM t WHERE (a, b) IN (SELECT a, y FROM u)");
    assert_eq!(message, "a row of several values is not supported here");
    let (message, _) = failed("SELECT a FROM t WHERE x > ALL (SELECT y FROM u)");
    assert_eq!(
        message,
        "a comparison with ANY or ALL but = ANY and <> ALL of a query is not supported here"
    );
}

#[test]
fn set_operations_by_name_take_the_columns_of_all() {
    let query = "SELECT a, x FROM t UNION ALL BY NAME SELECT y, A FROM u";
    assert_eq!(names(query), ["a", "x", "y"]);
    let (message, remedy) = failed("SELECT a FROM t EXCEPT BY NAME SELECT a FROM u");
    assert_eq!(message, "EXCEPT BY NAME is not supported");
    assert_eq!(remedy, "select the columns of both queries in the same order");
    assert!(has_line("SELECT a FROM t EXCEPT ALL SELECT a FROM u", "Join anti"));
    assert!(has_line("SELECT a FROM t INTERSECT ALL SELECT a FROM u", "Window"));
}

#[test]
fn lists_are_unnested_in_from_and_in_select() {
    for (query, expected) in [
        ("SELECT * FROM unnest([1, 2])", vec!["unnest"]),
        ("SELECT * FROM unnest([1, 2]) AS n (i)", vec!["i"]),
        ("SELECT n.i, a FROM t, unnest([t.a, t.x]) AS n (i)", vec!["i", "a"]),
        ("SELECT a, i FROM t LEFT JOIN unnest([a]) n (i) ON true", vec!["a", "i"]),
        ("SELECT a, unnest([a, x]) + 1 AS n FROM t ORDER BY n", vec!["a", "n"]),
        ("SELECT unnest([a]) FROM t", vec!["unnest(list_value(a))"]),
    ] {
        assert_eq!(names(query), expected, "{query}");
        assert!(has_line(query, "Explode"), "{query}");
    }
    for query in [
        "SELECT a, unnest([a]), count(*) FROM t GROUP BY ALL",
        "SELECT unnest([a]), unnest([x, a]) FROM t",
        "SELECT unnest([a]), row_number() OVER () FROM t",
    ] {
        let (message, _) = failed(query);
        assert_eq!(
            message, "unnest beside groups, windows and another unnest is not supported",
            "{query}"
        );
    }
    let (message, remedy) = failed("SELECT a FROM t WHERE unnest([a]) = 1");
    assert_eq!(message, "WHERE cannot contain unnest()");
    assert_eq!(remedy, "filter the rows of a subquery that unnests");
}

#[test]
fn items_may_stand_for_several_columns() {
    for (query, expected) in [
        ("FROM t", vec!["a", "b", "x"]),
        ("SELECT COLUMNS('a|x') FROM t", vec!["a", "x"]),
        ("SELECT max(COLUMNS(* EXCLUDE (b))) FROM t", vec!["max(a)", "max(x)"]),
        ("SELECT COLUMNS('a|x') + a FROM t", vec!["a + a", "x + a"]),
        ("SELECT * RENAME (a AS key) FROM t", vec!["key", "b", "x"]),
        ("SELECT * EXCLUDE b RENAME x AS y FROM t", vec!["a", "y"]),
    ] {
        assert_eq!(names(query), expected, "{query}");
    }
    let (message, remedy) = failed("SELECT COLUMNS('z') FROM t");
    assert_eq!(
        (message.as_str(), remedy.as_str()),
        ("no column matches", "the columns are a, b, x")
    );
    let (message, _) = failed("SELECT a FROM t WHERE COLUMNS(*) > 1");
    assert_eq!(message, "WHERE cannot contain COLUMNS");
}

#[test]
fn statements_that_are_no_queries_say_what_there_is_instead() {
    let no_tables = &mut |_: &Table| Err(Error::invalid_input("no table"));
    for (statement, remedy) in [
        ("PIVOT t ON a USING sum(x)", "use dframe pivot, or aggregates with FILTER (WHERE ..)"),
        ("DESCRIBE t", "use dframe schema"),
        ("SUMMARIZE t", "use dframe describe"),
        ("CREATE TABLE t AS SELECT 1", "select rows, and write them to a file with -o"),
    ] {
        let error = plan_query(statement, no_tables).expect_err(statement);
        assert_eq!(error.remedy_text(), Some(remedy), "{statement}");
    }
    for (query, expected) in [
        (
            "SELECT * FROM t, LATERAL (SELECT * FROM u WHERE u.a = t.a) l",
            "LATERAL is not supported",
        ),
        ("SELECT * FROM range(1, 5, 0)", "the step cannot be 0"),
        ("SELECT * FROM range()", "range takes 1 to 3 numbers, not 0"),
        ("SELECT * FROM range('a')", "range of anything but whole numbers is not supported"),
    ] {
        assert_eq!(failed(query).0, expected);
    }
}

#[test]
fn numbers_are_tables() {
    assert_eq!(names("SELECT * FROM range(5)"), ["range"]);
    assert_eq!(names("SELECT * FROM generate_series(1, 5) AS g (n)"), ["n"]);
    assert_eq!(planned("SELECT * FROM range(3, -4, -2)").row_count(), Some(4));
}
