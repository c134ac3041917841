//! Plans after each rule that changes them.

use dframe_core::Result;
use dframe_expr::window::{partition_by, rank, row_number};
use dframe_expr::{Expr, SortKey, call, col, count_all, lit};

use super::{Optimizer, optimize, optimize_with_trace};
use crate::logical::LogicalPlan;
use crate::testing::{ticks, ticks_of};

/// The plan as built, then after each rule that changed it.
fn trace(plan: &LogicalPlan) -> String {
    let mut text = format!("-- as built\n{}", plan.explain());
    for step in optimize_with_trace(plan.clone()).unwrap() {
        text.push_str(&format!("-- {}\n{}", step.rule, step.plan.explain()));
        assert_eq!(step.plan.schema(), plan.schema(), "after {}", step.rule);
    }
    text
}

fn assert_trace(plan: Result<LogicalPlan>, expected: &str) {
    let text = trace(&plan.unwrap());
    assert_eq!(text.trim(), expected.trim(), "\n{text}");
}

fn assert_optimized(plan: Result<LogicalPlan>, expected: &str) {
    let plan = plan.unwrap();
    let optimized = optimize(plan.clone()).unwrap();
    assert_eq!(optimized.schema(), plan.schema());
    let text = optimized.explain();
    assert_eq!(text.trim(), expected.trim(), "\n{text}");
}

fn ascending(exprs: &[&str]) -> Vec<SortKey> {
    exprs.iter().map(|name| SortKey::ascending(col(*name))).collect()
}

#[test]
fn a_group_by_from_top_to_bottom() {
    let day = call("date_trunc", [lit("day"), col("ts")]).alias("day");
    let plan = ticks()
        .filter(col("price").gt(lit(0)).and(lit(true)))
        .and_then(|plan| plan.with_columns(vec![(col("price") * col("size")).alias("value")]))
        .and_then(|plan| {
            let exprs = vec![col("value").sum().alias("v"), count_all(), col("side").max()];
            plan.aggregate(vec![day, col("ticker")], exprs, None)
        })
        .and_then(|plan| plan.filter(col("ticker").eq("A").and(col("v").gt(lit(9)))))
        .and_then(|plan| plan.project(vec![col("ticker"), col("v")]))
        .and_then(|plan| plan.sort(vec![SortKey::descending(col("v"))]))
        .map(|plan| plan.limit(2, Some(3)));
    assert_trace(
        plan,
        r#"
-- as built
Limit offset=2 limit=3
  Sort v DESC
    Project ticker, v
      Filter ticker = 'A' AND v > 9
        Project day, ticker, "sum(value)" AS v, "count(*)", "max(side)"
          Aggregate keys=[date_trunc('day', ts) AS day, ticker] aggregates=[sum(value), count(*), max(side)]
            Project ts, ticker, exchange, side, price, size, tags, price * size AS value
              Filter price > 0 AND true
                Scan ticks.parquet [7 of 7 columns]
-- simplify expressions
Limit offset=2 limit=3
  Sort v DESC
    Project ticker, v
      Filter ticker = 'A' AND v > 9.0
        Project day, ticker, "sum(value)" AS v, "count(*)", "max(side)"
          Aggregate keys=[date_trunc('day', ts) AS day, ticker] aggregates=[sum(value), count(*), max(side)]
            Project ts, ticker, exchange, side, price, size, tags, price * size AS value
              Filter price > 0.0
                Scan ticks.parquet [7 of 7 columns]
-- push filters down
Limit offset=2 limit=3
  Sort v DESC
    Project ticker, v
      Project day, ticker, "sum(value)" AS v, "count(*)", "max(side)"
        Filter "sum(value)" > 9.0
          Aggregate keys=[date_trunc('day', ts) AS day, ticker] aggregates=[sum(value), count(*), max(side)]
            Project ts, ticker, exchange, side, price, size, tags, price * size AS value
              Scan ticks.parquet [7 of 7 columns] filters=[price > 0.0, ticker = 'A']
-- merge projections
Limit offset=2 limit=3
  Sort v DESC
    Project ticker, "sum(value)" AS v
      Filter "sum(value)" > 9.0
        Aggregate keys=[date_trunc('day', ts) AS day, ticker] aggregates=[sum(price * size) AS "sum(value)", count(*), max(side)]
          Scan ticks.parquet [7 of 7 columns] filters=[price > 0.0, ticker = 'A']
-- push limits down
Limit offset=2 limit=3
  Sort v DESC limit=5
    Project ticker, "sum(value)" AS v
      Filter "sum(value)" > 9.0
        Aggregate keys=[date_trunc('day', ts) AS day, ticker] aggregates=[sum(price * size) AS "sum(value)", count(*), max(side)]
          Scan ticks.parquet [7 of 7 columns] filters=[price > 0.0, ticker = 'A']
-- prune columns
Limit offset=2 limit=3
  Sort v DESC limit=5
    Project ticker, "sum(value)" AS v
      Filter "sum(value)" > 9.0
        Aggregate keys=[date_trunc('day', ts) AS day, ticker] aggregates=[sum(price * size) AS "sum(value)"]
          Scan ticks.parquet [4 of 7 columns: ts, ticker, price, size] filters=[price > 0.0, ticker = 'A']
"#,
    );
}

#[test]
fn constants_settle_filters() {
    let always = ticks().filter(lit(1).lt(lit(2)).and(lit("a").eq("a")));
    assert_optimized(always, "Scan ticks.parquet [7 of 7 columns]");
    let never = ticks().filter(col("price").gt(lit(1)).and(lit(1).gt(lit(2))));
    assert_optimized(never, "Limit limit=0\n  Scan ticks.parquet [7 of 7 columns] limit=0");
    let unknown = ticks().filter(lit(None::<bool>));
    assert_optimized(unknown, "Limit limit=0\n  Scan ticks.parquet [7 of 7 columns] limit=0");
    let settled_below = ticks()
        .with_columns(vec![lit(5).alias("five")])
        .and_then(|plan| plan.filter(col("five").gt(lit(3))))
        .and_then(|plan| plan.project(vec![col("price")]));
    assert_optimized(settled_below, "Scan ticks.parquet [1 of 7 columns: price]");
}

#[test]
fn dear_expressions_are_not_computed_twice() {
    let upper = || call("upper", [col("ticker")]).alias("u");
    let filtered = ticks()
        .project(vec![upper(), col("price")])
        .and_then(|plan| plan.filter(col("u").eq("A").and(col("price").gt(lit(1)))));
    assert_optimized(
        filtered,
        "
Filter u = 'A'
  Project upper(ticker) AS u, price
    Scan ticks.parquet [2 of 7 columns: ticker, price] filters=[price > 1.0]",
    );
    let used_twice = ticks()
        .project(vec![upper()])
        .and_then(|plan| plan.project(vec![col("u"), col("u").concat("x").alias("v")]));
    assert_optimized(
        used_twice,
        "
Project u, u || 'x' AS v
  Project upper(ticker) AS u
    Scan ticks.parquet [1 of 7 columns: ticker]",
    );
    let used_once = ticks()
        .project(vec![upper(), col("side")])
        .and_then(|plan| plan.project(vec![col("u").concat("x").alias("v"), col("side")]));
    assert_optimized(
        used_once,
        "
Project upper(ticker) || 'x' AS v, side
  Scan ticks.parquet [2 of 7 columns: ticker, side]",
    );
}

#[test]
fn conditions_that_may_fail_stay_behind_their_guards() {
    let upper = call("upper", [col("ticker")]).alias("u");
    let plan = ticks()
        .project(vec![upper, col("size")])
        .and_then(|plan| plan.filter(col("u").neq("A").and((lit(1) % col("size")).eq(lit(0)))));
    assert_optimized(
        plan,
        "
Filter u <> 'A' AND 1 % size = 0
  Project upper(ticker) AS u, size
    Scan ticks.parquet [2 of 7 columns: ticker, size]",
    );
}

#[test]
fn a_global_aggregate_keeps_its_row() {
    let plan = ticks()
        .aggregate(vec![], vec![count_all().alias("n")], None)
        .and_then(|plan| plan.filter(col("n").gt(lit(0))))
        .and_then(|plan| plan.sort(ascending(&["n"])))
        .map(|plan| plan.limit(0, Some(5)));
    assert_optimized(
        plan,
        r#"
Project "count(*)" AS n
  Filter "count(*)" > 0
    Aggregate keys=[] aggregates=[count(*)]
      Scan ticks.parquet [0 of 7 columns]"#,
    );
}

#[test]
fn limits_stop_scans_and_shorten_sorts() {
    let scan = ticks().project(vec![(col("price") * 2).alias("p")]).map(|p| p.limit(5, Some(10)));
    assert_optimized(
        scan,
        "
Project price * 2 AS p
  Limit offset=5 limit=10
    Scan ticks.parquet [1 of 7 columns: price] limit=15",
    );
    let sorted = ticks()
        .sort(ascending(&["price"]))
        .and_then(|plan| plan.project(vec![col("ticker")]))
        .map(|plan| plan.limit(0, Some(20)).limit(5, Some(100)));
    assert_optimized(
        sorted,
        "
Project ticker
  Limit offset=5 limit=15
    Sort price limit=20
      Scan ticks.parquet [2 of 7 columns: ticker, price]",
    );
    let filtered = ticks().filter(col("price").gt(lit(1))).map(|plan| plan.limit(0, Some(3)));
    assert_optimized(
        filtered,
        "Limit limit=3\n  Scan ticks.parquet [7 of 7 columns] filters=[price > 1.0]",
    );
}

#[test]
fn a_filter_stays_above_a_limit() {
    let plan = ticks().limit(0, Some(3)).filter(col("price").gt(lit(1)));
    assert_optimized(
        plan,
        "Filter price > 1.0\n  Limit limit=3\n    Scan ticks.parquet [7 of 7 columns] limit=3",
    );
}

#[test]
fn sorts_without_effect_disappear() {
    let forgotten = ticks()
        .sort(ascending(&["price"]))
        .and_then(|plan| plan.aggregate(vec![col("side")], vec![count_all()], None));
    assert_optimized(
        forgotten,
        "
Aggregate keys=[side] aggregates=[count(*)]
  Scan ticks.parquet [1 of 7 columns: side]",
    );
    let remembered = ticks()
        .sort(ascending(&["price"]))
        .and_then(|plan| plan.aggregate(vec![col("side")], vec![col("size").first()], None));
    assert_optimized(
        remembered,
        "
Aggregate keys=[side] aggregates=[first(size)]
  Sort price
    Scan ticks.parquet [3 of 7 columns: side, price, size]",
    );
    let stable = ticks()
        .sort(ascending(&["price", "size"]))
        .and_then(|plan| plan.sort(ascending(&["side", "price"])));
    assert_optimized(stable, "Sort side, price, size\n  Scan ticks.parquet [7 of 7 columns]");
    let few = ticks_of(Some(9)).limit(0, Some(10));
    assert_optimized(Ok(few), "Scan ticks.parquet [7 of 7 columns] rows≈9");
}

#[test]
fn sorts_do_not_hold_columns_that_nobody_wants() {
    let plan = ticks()
        .limit(0, Some(100))
        .filter(col("size").gt(lit(1)))
        .and_then(|plan| plan.sort(ascending(&["price"])))
        .and_then(|plan| plan.project(vec![col("ticker")]));
    assert_optimized(
        plan,
        "
Project ticker
  Sort price
    Project ticker, price
      Filter size > 1
        Limit limit=100
          Scan ticks.parquet [3 of 7 columns: ticker, price, size] limit=100",
    );
}

#[test]
fn aggregates_that_nobody_wants_are_not_computed() {
    let exprs = vec![col("price").sum().alias("s"), col("size").max().alias("m")];
    let plan = ticks()
        .aggregate(vec![col("side")], exprs, None)
        .and_then(|plan| plan.aggregate(vec![], vec![count_all(), col("m").sum()], None));
    assert_optimized(
        plan,
        r#"
Aggregate keys=[] aggregates=[count(*), sum("max(size)") AS "sum(m)"]
  Aggregate keys=[side] aggregates=[max(size)]
    Scan ticks.parquet [2 of 7 columns: side, size]"#,
    );
}

#[test]
fn no_rules_change_nothing() {
    let plan = ticks().filter(lit(true)).and_then(|p| p.project(vec![Expr::Wildcard])).unwrap();
    let same = Optimizer::off().optimize(plan.clone()).unwrap();
    assert_eq!(same.explain(), plan.explain());
}

#[test]
fn a_scan_of_a_known_number_of_rows_begins_at_the_offset() {
    let plan = || ticks_of(Some(100)).project(vec![col("price")]);
    assert_optimized(
        plan().map(|plan| plan.limit(90, None)),
        "Scan ticks.parquet from row 90 [1 of 7 columns: price] rows≈10",
    );
    assert_optimized(
        plan().map(|plan| plan.limit(30, None).limit(60, Some(5))),
        "Limit limit=5\n  Scan ticks.parquet from row 90 [1 of 7 columns: price] limit=5 rows≈10",
    );
    // A filter counts the rows, or they are counted before: neither may begin elsewhere.
    assert_optimized(
        plan().and_then(|plan| plan.filter(col("price").gt(1))).map(|plan| plan.limit(90, None)),
        "Limit offset=90\n  Scan ticks.parquet [1 of 7 columns: price] filters=[price > 1.0] rows≈100",
    );
    assert_optimized(
        plan().map(|plan| plan.limit(90, None)).and_then(|plan| plan.filter(col("price").gt(1))),
        "Filter price > 1.0\n  Scan ticks.parquet from row 90 [1 of 7 columns: price] rows≈10",
    );
}

#[test]
fn a_mean_beside_its_sum_is_a_quotient() {
    let exprs =
        || vec![col("price").sum().alias("s"), col("price").mean().alias("m"), col("size").mean()];
    let plan = ticks().aggregate(vec![col("ticker")], exprs(), None);
    assert_optimized(
        plan,
        r#"
Project ticker, "sum(price)" AS s, "sum(price)" / "count(price)" AS m, "mean(size)"
  Aggregate keys=[ticker] aggregates=[sum(price), count(price), mean(size)]
    Scan ticks.parquet [3 of 7 columns: ticker, price, size]
"#,
    );
    let filtered = col("price").sum().filter(col("size").gt(lit(1)));
    let plan = ticks().aggregate(vec![], vec![filtered.alias("s"), col("price").mean()], None);
    assert_optimized(
        plan,
        r#"
Project "sum(price) FILTER (WHERE size > 1)" AS s, "mean(price)"
  Aggregate keys=[] aggregates=[sum(price) FILTER (WHERE size > 1), mean(price)]
    Scan ticks.parquet [2 of 7 columns: price, size]
"#,
    );
}

#[test]
fn conditions_and_columns_go_into_both_inputs_of_a_union() {
    let columns = || vec![col("ticker"), col("price"), col("size")];
    let one = ticks().project(columns()).unwrap();
    let other =
        ticks().filter(col("side").eq("buy")).and_then(|plan| plan.project(columns())).unwrap();
    let plan = LogicalPlan::union(vec![one, other])
        .and_then(|plan| plan.filter(col("price").gt(lit(10))))
        .and_then(|plan| plan.aggregate(vec![col("ticker")], vec![col("size").sum()], None));
    assert_optimized(
        plan,
        r#"
Aggregate keys=[ticker] aggregates=[sum(size)]
  Union
    Scan ticks.parquet [2 of 7 columns: ticker, size] filters=[price > 10.0]
    Scan ticks.parquet [2 of 7 columns: ticker, size] filters=[side = 'buy', price > 10.0]
"#,
    );
}

#[test]
fn windows_that_nobody_asks_for_go_and_conditions_on_partitions_go_below() {
    let by_time = || partition_by(["ticker"]).order_by(ascending(&["ts"]));
    let plan = ticks()
        .with_columns(vec![
            col("price").lag(1).over(by_time()).alias("before"),
            col("size").sum().over(by_time()).alias("volume"),
        ])
        .and_then(|plan| plan.filter(col("ticker").eq("A").and(col("before").gt(lit(1.0)))))
        .and_then(|plan| plan.project(vec![col("ticker"), col("before")]));
    assert_optimized(
        plan,
        r#"
Project ticker, "lag(price, 1) OVER (PARTITION BY ticker ORDER BY ts)" AS before
  Filter "lag(price, 1) OVER (PARTITION BY ticker ORDER BY ts)" > 1.0
    Window partition_by=[ticker] order_by=[ts] calls=[lag(price, 1)]
      Scan ticks.parquet [3 of 7 columns: ts, ticker, price] filters=[ticker = 'A']
"#,
    );
    let by_price = partition_by(["side"]).order_by(ascending(&["price"]));
    let plan = ticks()
        .with_columns(vec![
            col("price").lag(1).over(by_time()).alias("before"),
            rank().over(by_price).alias("rank"),
        ])
        .and_then(|plan| plan.project(vec![col("before")]));
    assert_optimized(
        plan,
        r#"
Project "lag(price, 1) OVER (PARTITION BY ticker ORDER BY ts)" AS before
  Window partition_by=[ticker] order_by=[ts] calls=[lag(price, 1)]
    Scan ticks.parquet [3 of 7 columns: ts, ticker, price]
"#,
    );
    let plan = ticks()
        .with_columns(vec![row_number().over(by_time()).alias("n")])
        .and_then(|plan| plan.filter(col("price").gt(lit(1.0)).and(col("ticker").eq("A"))))
        .and_then(|plan| plan.aggregate(vec![], vec![count_all(), col("n").max()], None));
    assert_optimized(
        plan,
        r#"
Aggregate keys=[] aggregates=[count(*), max("row_number() OVER (PARTITION BY ticker ORDER BY ts)") AS "max(n)"]
  Filter price > 1.0
    Window partition_by=[ticker] order_by=[ts] calls=[row_number()]
      Scan ticks.parquet [3 of 7 columns: ts, ticker, price] filters=[ticker = 'A']
"#,
    );
}
