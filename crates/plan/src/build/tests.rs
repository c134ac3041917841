//! What the builders make of requests, and what they say about wrong ones.

use arrow::datatypes::DataType;
use dframe_core::{Error, ErrorKind};
use dframe_expr::window::{partition_by, rank, row_number};
use dframe_expr::{Expr, SortKey, call, col, count_all, lit};

use crate::logical::LogicalPlan;
use crate::testing::ticks;

fn assert_plan(plan: Result<LogicalPlan, Error>, lines: &[&str]) {
    let text = plan.expect("the request is right").explain();
    assert_eq!(text.lines().collect::<Vec<_>>(), lines, "\n{text}");
}

fn assert_refused(plan: Result<LogicalPlan, Error>, kind: ErrorKind, parts: &[&str]) {
    let error = plan.expect_err("the request is wrong");
    assert_eq!(error.kind(), kind, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "'{part}' is not in: {error}");
    }
}

fn names(plan: &LogicalPlan) -> Vec<String> {
    plan.schema().fields().iter().map(|field| field.name().clone()).collect()
}

const SCAN: &str = "Scan ticks.parquet [7 of 7 columns]";

#[test]
fn names_are_spelled_as_in_the_schema() {
    let plan = ticks().filter(col("PRICE").gt(lit(1.5))).and_then(|p| p.project(vec![col("Size")]));
    assert_plan(plan, &["Project size", "  Filter price > 1.5", &format!("    {SCAN}")]);
}

#[test]
fn wildcards_are_expanded() {
    let plan = ticks().project(vec![(col("price") * 2).alias("double"), Expr::Wildcard]).unwrap();
    let expected = ["double", "ts", "ticker", "exchange", "side", "price", "size", "tags"];
    assert_eq!(names(&plan), expected);
}

#[test]
fn with_columns_replaces_in_place_and_appends() {
    let exprs = vec![(col("price") * 2).alias("price"), col("size").alias("n")];
    let plan = ticks().with_columns(exprs).unwrap();
    let expected = ["ts", "ticker", "exchange", "side", "price", "size", "tags", "n"];
    assert_eq!(names(&plan), expected);
    let twice = vec![lit(1).alias("n"), lit(2).alias("n")];
    assert_refused(ticks().with_columns(twice), ErrorKind::InvalidInput, &["'n'", "AS"]);
}

#[test]
fn projections_refuse_what_makes_no_sense() {
    let refused = |exprs, parts: &[&str]| {
        assert_refused(ticks().project(exprs), ErrorKind::InvalidInput, parts);
    };
    refused(vec![], &["no columns"]);
    refused(vec![col("prise")], &["prise", "price"]);
    refused(vec![col("price"), col("PRICE")], &["two columns", "'price'", "AS"]);
    refused(vec![col("price").sum()], &["sum(price)", "--agg"]);
    refused(vec![Expr::Wildcard + 1], &["'*'"]);
}

#[test]
fn filters_must_be_conditions() {
    let refused = |predicate, parts: &[&str]| {
        assert_refused(ticks().filter(predicate), ErrorKind::InvalidInput, parts);
    };
    refused(col("price"), &["price", "BOOLEAN"]);
    refused(col("price").sum().gt(lit(1)), &["sum(price)", "--having"]);
}

#[test]
fn aggregates_are_split_from_what_is_computed_over_them() {
    let keys = vec![call("date_trunc", [lit("day"), col("ts")]).alias("day"), col("Ticker")];
    let vwap = (col("price") * col("size")).sum() / col("size").sum();
    let exprs = vec![
        vwap.clone().alias("vwap"),
        col("size").sum().alias("volume"),
        col("ticker").concat("!").alias("shout"),
        col("day"),
        count_all(),
    ];
    let having = col("vwap").gt(lit(1.0)).and(col("price").max().gt(lit(0)));
    let plan = ticks().aggregate(keys, exprs, Some(having));
    assert_plan(
        plan,
        &[
            "Project day, ticker, \"sum(price * size)\" / \"sum(size)\" AS vwap, \
             \"sum(size)\" AS volume, ticker || '!' AS shout, \"count(*)\"",
            "  Filter \"sum(price * size)\" / \"sum(size)\" > 1.0 AND \"max(price)\" > 0",
            "    Aggregate keys=[date_trunc('day', ts) AS day, ticker] \
             aggregates=[sum(price * size), sum(size), count(*), max(price)]",
            &format!("      {SCAN}"),
        ],
    );
}

#[test]
fn plain_aggregates_need_no_projection() {
    let plan = ticks().aggregate(vec![col("ticker")], vec![col("price").sum(), count_all()], None);
    let expected = "Aggregate keys=[ticker] aggregates=[sum(price), count(*)]";
    assert_plan(plan, &[expected, &format!("  {SCAN}")]);
    let plan = ticks().aggregate(vec![], vec![count_all()], None);
    assert_plan(plan, &["Aggregate keys=[] aggregates=[count(*)]", &format!("  {SCAN}")]);
}

#[test]
fn key_expressions_are_known_by_text_and_by_name() {
    let upper = || call("upper", [col("ticker")]);
    let exprs = vec![
        upper().concat("x").alias("by_text"),
        col("t").concat("y").alias("by_name"),
        col("t").count().alias("inside"),
    ];
    let plan = ticks().aggregate(vec![upper().alias("t")], exprs, None);
    assert_plan(
        plan,
        &[
            "Project t, t || 'x' AS by_text, t || 'y' AS by_name, \"count(upper(ticker))\" AS inside",
            "  Aggregate keys=[upper(ticker) AS t] aggregates=[count(upper(ticker))]",
            &format!("    {SCAN}"),
        ],
    );
}

#[test]
fn aggregate_select_gives_only_what_is_named() {
    let plan = ticks()
        .aggregate_select(vec![col("ticker")], vec![count_all().alias("n"), col("ticker")], None)
        .unwrap();
    assert_eq!(names(&plan), ["n", "ticker"]);
}

#[test]
fn aggregations_refuse_what_makes_no_sense() {
    let by = |keys: Vec<Expr>, exprs| ticks().aggregate(keys, exprs, None);
    let invalid = |plan, parts: &[&str]| assert_refused(plan, ErrorKind::InvalidInput, parts);
    invalid(
        by(vec![col("ticker")], vec![col("price")]),
        &["price", "group by it as well", "any_value(price)"],
    );
    invalid(by(vec![], vec![]), &["nothing to aggregate"]);
    invalid(by(vec![], vec![col("price").sum().max()]), &["max(sum(price))", "inside another"]);
    invalid(by(vec![col("side"), col("Side")], vec![count_all()]), &["'side'", "AS"]);
    invalid(by(vec![col("side")], vec![count_all().alias("side")]), &["'side'", "AS"]);
    invalid(by(vec![], vec![col("price").mean(), col("price").mean()]), &["'mean(price)'", "AS"]);
    invalid(by(vec![col("price").sum()], vec![count_all()]), &["sum(price)", "as a key"]);
    invalid(by(vec![col("side")], vec![col("pric").sum()]), &["pric", "price"]);
    invalid(
        by(vec![col("side")], vec![col("price").sum().filter(col("size"))]),
        &["size", "BOOLEAN"],
    );
    assert_refused(by(vec![col("tags")], vec![count_all()]), ErrorKind::Unsupported, &["'tags'"]);
    assert_refused(ticks().distinct(), ErrorKind::Unsupported, &["'tags'"]);
}

#[test]
fn distinct_is_an_aggregation_by_all_columns() {
    let plan = ticks().project(vec![col("side"), col("ticker")]).and_then(LogicalPlan::distinct);
    assert_plan(
        plan,
        &["Distinct keys=[side, ticker]", "  Project side, ticker", &format!("    {SCAN}")],
    );
}

#[test]
fn sorts_may_use_what_the_output_was_made_of() {
    let plan =
        ticks().project(vec![(col("price") * col("size")).alias("v"), col("ticker")]).and_then(
            |plan| plan.sort(vec![SortKey::descending(col("v")), SortKey::ascending(col("side"))]),
        );
    assert_plan(
        plan,
        &[
            "Project price * size AS v, ticker",
            "  Sort price * size DESC, side",
            &format!("    {SCAN}"),
        ],
    );
}

#[test]
fn sorts_may_use_aggregates_that_are_not_selected() {
    let exprs = vec![(col("price").sum() / 2).alias("half")];
    let plan = ticks().aggregate(vec![col("ticker")], exprs, None).and_then(|plan| {
        let keys = [col("half"), col("price").sum(), count_all(), col("ticker")];
        plan.sort(keys.map(SortKey::ascending).to_vec())
    });
    assert_plan(
        plan,
        &[
            "Project ticker, \"sum(price)\" / 2 AS half",
            "  Sort \"sum(price)\" / 2, \"sum(price)\", \"count(*)\", ticker",
            "    Aggregate keys=[ticker] aggregates=[sum(price), count(*)]",
            &format!("      {SCAN}"),
        ],
    );
    let plan = ticks()
        .aggregate(vec![col("ticker")], vec![count_all()], Some(count_all().gt(lit(1))))
        .and_then(|plan| plan.sort(vec![SortKey::descending(col("price").max())]));
    assert_plan(
        plan,
        &[
            "Project ticker, \"count(*)\"",
            "  Sort \"max(price)\" DESC",
            "    Filter \"count(*)\" > 1",
            "      Aggregate keys=[ticker] aggregates=[count(*), max(price)]",
            &format!("        {SCAN}"),
        ],
    );
}

#[test]
fn sorts_refuse_what_is_nowhere() {
    let plan = ticks().project(vec![col("price")]).unwrap();
    let plan = plan.sort(vec![SortKey::ascending(col("prize"))]);
    assert_refused(plan, ErrorKind::InvalidInput, &["prize", "price"]);
    let wide = col("price").cast(DataType::Decimal256(50, 2)).alias("wide");
    let plan = ticks().project(vec![wide, col("ticker")]).unwrap();
    let plan = plan.project(vec![col("ticker")]).unwrap();
    let plan = plan.sort(vec![SortKey::ascending(call("abs", [col("wide")]))]);
    assert_refused(plan, ErrorKind::Unsupported, &["too wide"]);
    assert_refused(ticks().sort(vec![]), ErrorKind::InvalidInput, &["nothing to sort by"]);
}

#[test]
fn window_functions_over_the_same_rows_are_one_node_under_a_projection() {
    let by_time = || partition_by(["ticker"]).order_by([SortKey::ascending(col("ts"))]);
    let change = (col("price") - col("price").lag(1)).over(by_time()).alias("change");
    let plan = ticks().project(vec![
        col("ticker"),
        change,
        row_number().over(by_time()).alias("n"),
        (col("size") / col("size").sum()).over(["Ticker"]).alias("share"),
        col("price").lag(1).over(by_time()).alias("before"),
    ]);
    let before = "lag(price, 1) OVER (PARTITION BY ticker ORDER BY ts)";
    let total = "sum(size) OVER (PARTITION BY ticker)";
    assert_plan(
        plan,
        &[
            &format!(
                "Project ticker, price - \"{before}\" AS change, \
                 \"row_number() OVER (PARTITION BY ticker ORDER BY ts)\" AS n, \
                 size / \"{total}\" AS share, \"{before}\" AS before"
            ),
            "  Window partition_by=[ticker] order_by=[ts] calls=[lag(price, 1), row_number(), sum(size)]",
            &format!("    {SCAN}"),
        ],
    );
}

#[test]
fn frames_with_an_open_end_are_read_in_reverse_with_equal_rows_as_the_input_has_them() {
    let by_price = || partition_by(["ticker"]).order_by([SortKey::descending(col("price"))]);
    let plan = ticks().with_columns(vec![
        rank().over(by_price()).alias("rank"),
        col("size").sum().over(by_price().rows(0..)).alias("rest"),
    ]);
    let plan = plan.expect("the request is right");
    let text = plan.explain();
    let reversed = "  Window partition_by=[ticker] order_by=[price NULLS FIRST] reversed calls=[sum(size) \
                    OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)]";
    assert!(text.contains(reversed), "{text}");
    assert_eq!(names(&plan)[7..], ["rank", "rest"]);
    let LogicalPlan::Project { input, .. } = &plan else { panic!("{text}") };
    assert!(input.schema().column_with_name("place in the input").is_some());
}

#[test]
fn windows_refuse_what_makes_no_sense() {
    let refused = |expr: Expr, kind, parts: &[&str]| {
        assert_refused(ticks().project(vec![expr]), kind, parts);
    };
    let invalid = ErrorKind::InvalidInput;
    refused(row_number().over(["tickers"]), invalid, &["tickers", "ticker"]);
    refused(row_number().over(["tags"]), ErrorKind::Unsupported, &["'tags'"]);
    refused(col("price").sum().lag(1).over(["ticker"]), invalid, &["sum(price)", "not allowed"]);
    refused(col("ticker").mean().over(["ticker"]), invalid, &["mean cannot take VARCHAR"]);
    let plan = ticks().filter(row_number().over(["ticker"]).eq(1));
    assert_refused(plan, invalid, &["row_number()", "select it under a name first"]);
}
