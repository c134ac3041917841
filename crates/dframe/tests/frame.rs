//! Frames over the committed samples: one small question each, asked of every kind of session.

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int64Type};
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
            println!("{:?} {:?}", integers(&late, "flights"), floats(&late, "delay"));
        },
    );
}
