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
