//! Frames over the committed samples: one small question each, asked of every kind of session.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type};
use dframe::aggregate::Aggregation;
use dframe::plan::Optimizer;
use dframe::prelude::*;

fn data(name: &str) -> String {
    format!("{}/../../data/{name}.parquet", env!("CARGO_MANIFEST_DIR"))
}

/// Synchronous and threaded, with and without the optimizer, with much and little memory.
fn sessions() -> Vec<Session> {
    let builder = Session::builder;
    let builders = [
        builder().synchronous(),
        builder().threads(2),
        builder().threads(2).optimizer(Optimizer::off()),
        builder().threads(2).memory_limit(Size::Bytes(48 << 20)),
    ];
    builders.into_iter().map(|builder| builder.build().unwrap()).collect()
}

fn assert_everywhere(
    table: &str,
    query: impl Fn(LazyFrame) -> LazyFrame,
    check: impl Fn(DataFrame),
) {
    for session in sessions() {
        let frame = query(session.scan_parquet(data(table)).unwrap());
        match frame.collect() {
            Ok(result) => check(result),
            Err(error) => panic!("{session:?}: {error}\n{}", frame.explain_optimized().unwrap()),
        }
    }
}

fn integers(frame: &DataFrame, column: &str) -> Vec<i64> {
    frame.column(column).unwrap().as_primitive::<Int64Type>().values().to_vec()
}

fn floats(frame: &DataFrame, column: &str) -> Vec<f64> {
    frame.column(column).unwrap().as_primitive::<Float64Type>().values().to_vec()
}

fn texts(frame: &DataFrame, column: &str) -> Vec<String> {
    let column = frame.column(column).unwrap();
    column.as_string::<i32>().iter().map(|text| text.unwrap().to_string()).collect()
}

/// Equal but for the last bits, in which summing engines may differ.
fn assert_close(values: Vec<f64>, expected: &[f64]) {
    assert_eq!(values.len(), expected.len());
    for (value, expected) in values.iter().zip(expected) {
        assert!((value - expected).abs() <= 1e-12 * expected.abs(), "{value} is not {expected}");
    }
}

#[test]
fn groups_of_filtered_rows_in_order() {
    assert_everywhere(
        "flights",
        |flights| {
            flights
                .filter(col("delay").gt(60))
                .group_by(["origin"])
                .agg([count_all().alias("flights"), col("delay").mean().alias("delay")])
                .sort_by([desc("flights"), asc("origin")])
                .limit(3)
        },
        |late| {
            assert_eq!(texts(&late, "origin"), ["ORD", "DFW", "ATL"]);
            assert_eq!(integers(&late, "flights"), [910, 641, 429]);
            let delays = [107.62527472527472, 110.53978159126365, 103.91142191142191];
            assert_close(floats(&late, "delay"), &delays);
        },
    );
}

#[test]
fn expressions_over_aggregates_and_key_expressions() {
    let vwap = (col("price") * col("size")).sum() / col("size").sum();
    let minute = call("date_trunc", [lit("minute"), col("ts")]).alias("minute");
    assert_everywhere(
        "ticks",
        |ticks| {
            ticks
                .group_by([col("ticker"), minute.clone()])
                .agg([vwap.clone().alias("vwap"), col("size").sum().alias("volume")])
                .sort_by([desc("volume"), asc("ticker"), asc("minute")])
                .limit(3)
        },
        |bars| {
            assert_eq!(texts(&bars, "ticker"), ["AAPL", "AAPL", "AAPL"]);
            assert_eq!(integers(&bars, "volume"), [73435, 71372, 69242]);
            let vwaps = [74.20274474024643, 73.62808902650899, 76.28837208630598];
            assert_close(floats(&bars, "vwap"), &vwaps);
        },
    );
}

#[test]
fn aggregates_over_all_rows_of_a_selection() {
    assert_everywhere(
        "flights",
        |flights| {
            flights
                .filter(col("origin").eq("LAX").and(col("destination").is_in(["LAS", "PHX"])))
                .select([count_all(), col("delay").min(), col("delay").max()])
        },
        |row| {
            assert_eq!(integers(&row, "count(*)"), [1131]);
            assert_eq!(integers(&row, "min(delay)"), [-25]);
            assert_eq!(integers(&row, "max(delay)"), [267]);
        },
    );
}

#[test]
fn having_filters_groups_by_what_is_not_selected() {
    assert_everywhere(
        "flights",
        |flights| {
            flights
                .group_by(["origin"])
                .having(col("delay").mean().gt(20))
                .agg([count_all().alias("n"), col("distance").sum().alias("miles")])
                .sort_by([desc("miles")])
                .limit(3)
        },
        |origins| {
            assert_eq!(texts(&origins, "origin"), ["HDN", "DLG", "AKN"]);
            assert_eq!(integers(&origins, "n"), [40, 10, 5]);
            assert_eq!(integers(&origins, "miles"), [31531, 3290, 791]);
        },
    );
}

#[test]
fn default_aggregates_describe_numbers_by_key() {
    assert_everywhere(
        "flights",
        |flights| flights.group_by(["Origin"]).agg_default().sort(["origin"]).limit(2),
        |origins| {
            let names: Vec<&str> =
                origins.schema().fields().iter().map(|field| field.name().as_str()).collect();
            assert_eq!(names[..4], ["origin", "count", "delay_sum", "delay_mean"]);
            assert_eq!(names[4..8], ["delay_min", "delay_max", "distance_sum", "distance_mean"]);
            assert_eq!(names.len(), 10);
            assert_eq!(texts(&origins, "origin"), ["ABE", "ABI"]);
            assert_eq!(integers(&origins, "count"), [214, 76]);
            assert_eq!(integers(&origins, "delay_sum"), [1046, -46]);
            assert_close(floats(&origins, "delay_mean"), &[4.88785046728972, -0.6052631578947368]);
            assert_eq!(integers(&origins, "delay_min"), [-36, -19]);
            assert_eq!(integers(&origins, "delay_max"), [176, 112]);
        },
    );
}

#[test]
fn sorts_skip_and_cut() {
    assert_everywhere(
        "flights",
        |flights| {
            flights
                .filter(col("origin").neq("EWR"))
                .sort_by([desc("distance"), asc("origin")])
                .slice(2, 3)
                .select(["origin", "distance"])
        },
        |far| {
            assert_eq!(texts(&far, "origin"), ["HNL", "HNL", "HNL"]);
            assert_eq!(integers(&far, "distance"), [4962, 4962, 4962]);
        },
    );
}

#[test]
fn counts_of_what_was_asked() {
    for session in sessions() {
        let flights = session.scan_parquet(data("flights")).unwrap();
        let routes = flights.clone().select(["origin", "destination"]).distinct();
        assert_eq!(flights.count().unwrap(), 214_286);
        assert_eq!(flights.clone().offset(214_000).count().unwrap(), 286);
        assert_eq!(flights.filter(col("delay").gt(60)).count().unwrap(), 10_786);
        assert_eq!(routes.count().unwrap(), 3350);
    }
}

#[test]
fn what_is_written_can_be_read() {
    let session = Session::builder().threads(2).build().unwrap();
    let flights = session.scan_parquet(data("flights")).unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("frame-late.parquet");
    let late = flights.filter(col("delay").gt(60)).select(["origin", "delay"]);
    let written = late.sink_parquet(&target).unwrap();
    assert_eq!(written.rows, 10_786);
    let read = session.scan_parquet(target.as_path()).unwrap();
    let sum = |frame: &LazyFrame| {
        integers(&frame.clone().agg([col("delay").sum()]).collect().unwrap(), "sum(delay)")
    };
    assert_eq!((read.count().unwrap(), sum(&read)), (10_786, sum(&late)));
    std::fs::remove_file(&target).unwrap();
}

#[test]
fn batches_come_one_by_one_and_can_be_stopped() {
    let session = Session::builder().threads(2).build().unwrap();
    let mut batches = session.scan_parquet(data("flights")).unwrap().collect_batches().unwrap();
    assert!(batches.next().unwrap().unwrap().num_rows() > 0);
    batches.cancel_token().cancel();
    let error = batches.find_map(Result::err).expect("the run is cancelled");
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(!session.cancel_token().is_cancelled());
}

#[test]
fn the_first_wrong_step_is_what_is_reported() {
    let flights = scan_parquet(data("flights")).unwrap();
    let wrong = flights.filter(col("delayed").gt(60)).select(["nothing"]).limit(3);
    for error in [wrong.schema().err(), wrong.explain().err(), wrong.collect().err()] {
        let error = error.expect("there is no such column").to_string();
        assert!(error.contains("'delayed'") && error.contains("delay"), "{error}");
    }
}

#[test]
fn frames_print_as_tables() {
    let flights = scan_parquet(data("flights")).unwrap();
    let table = flights.agg([count_all().alias("flights")]).collect().unwrap().to_string();
    assert!(table.contains("flights") && table.contains("214286"), "{table}");
}

#[test]
fn graphs_can_be_seen_before_they_run() {
    let flights = scan_parquet(data("flights")).unwrap();
    let graph = flights.group_by(["origin"]).agg([count_all()]).graph().unwrap();
    assert!(graph.to_string().starts_with("stage 0"), "{graph}");
    assert!(graph.to_dot().starts_with("digraph"));
}

#[test]
fn a_union_keeps_the_order_of_its_inputs() {
    let flights = scan_parquet(data("flights")).unwrap();
    let first = flights.clone().filter(col("origin").eq("ORD"));
    let second = flights.filter(col("origin").eq("ATL"));
    let both = first.clone().union([second.clone()]);
    let counts = [&first, &second, &both].map(|frame| frame.count().unwrap());
    assert_eq!(counts[2], counts[0] + counts[1]);
    let ends = both.agg([col("origin").first().alias("first"), col("origin").last().alias("last")]);
    let ends = ends.collect().unwrap();
    let text = ends.to_string();
    assert!(text.contains("│ ORD     ┆ ATL     │"), "{text}");
}

#[test]
fn a_union_of_different_columns_names_the_difference() {
    let flights = scan_parquet(data("flights")).unwrap();
    let error = flights.clone().union([flights.select([col("origin")])]).schema().unwrap_err();
    assert!(
        error.to_string().contains("input 2 of a union has 1 columns, and the first 5"),
        "{error}"
    );
}

/// The mean of the first argument, weighted by the second.
fn weighted_mean(value: &str, weight: &str) -> Expr {
    let aggregation = Aggregation {
        name: "weighted_mean",
        initial: [0.0; 2],
        chunk: |[sum, weights]: &mut [f64; 2], [value, weight]: [f64; 2]| {
            *sum += value * weight;
            *weights += weight;
        },
        combine: |[sum, weights]: &mut [f64; 2], other: &[f64; 2]| {
            *sum += other[0];
            *weights += other[1];
        },
        finalize: |[sum, weights]: &[f64; 2]| (*weights > 0.0).then(|| sum / weights),
    };
    aggregation.over([col(value), col(weight)])
}

#[test]
fn three_closures_are_an_aggregate() {
    let by_ticker = |frame: LazyFrame| {
        let none = weighted_mean("price", "size").filter(col("size").lt(0));
        let own = (col("price") * col("size")).sum() / col("size").sum();
        let calls = [weighted_mean("price", "size").alias("a"), own.alias("b"), none.alias("none")];
        frame.group_by(["ticker"]).agg(calls)
    };
    assert_everywhere("ticks", by_ticker, |result| {
        let values = |name| result.column(name).unwrap().as_primitive::<Float64Type>().clone();
        let (found, expected) = (values("a"), values("b"));
        assert!(found.len() > 100 && found.null_count() == 0);
        for (found, expected) in found.values().iter().zip(expected.values()) {
            assert!((found / expected - 1.0).abs() < 1e-12, "{found} is not {expected}");
        }
        assert_eq!(values("none").null_count(), found.len(), "no rows give NULL");
    });
    let ticks = scan_parquet(data("ticks")).unwrap();
    let error = ticks.agg([weighted_mean("ticker", "size")]).schema().unwrap_err().to_string();
    assert!(error.contains("weighted_mean takes numbers, not"), "{error}");
}
