//! Partitions and graphs that one can look at: of a query, and of tasks of one's own around queries.
//!
//! Asks a flaky source for the airports to look at, queries each of them, and sums up. Writes both
//! graphs as SVG.
//!
//! ```text
//! cargo run -p dframe --example partitions_and_graph
//! ```
#![allow(clippy::print_stdout)]

use std::time::Duration;

use dframe::prelude::*;
use dframe::tasks::{Retry, TaskGraph, TaskOptions};

fn main() -> dframe::Result<()> {
    let session = Session::builder().memory_limit(Size::Bytes(64 << 20)).build()?;
    let flights =
        session.scan_parquet(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet"))?;

    let routes = flights
        .clone()
        .filter(col("delay").gt(15))
        .group_by(["origin", "destination"])
        .agg([count_all().alias("late")])
        .sort_by([desc("late"), asc("origin"), asc("destination")]);
    let graph = routes.graph()?;
    println!("the scan has {} partitions; the query's tasks:\n{graph}", flights.npartitions()?);
    save("dframe-query.svg", &graph.to_svg())?;

    let mut graph = TaskGraph::new();
    let retry = Retry::up_to(4).wait(Duration::from_millis(20));
    let ask = TaskOptions::io_bound("ask").label("airports").retry(retry);
    let airports = graph.add(ask, (), |(), scope| match scope.attempt() {
        1 | 2 => Err("the source is busy".into()),
        _ => Ok(["ATL", "JFK", "SFO"]),
    });
    let mut counts = Vec::new();
    for place in 0..3 {
        let flights = flights.clone();
        let count = TaskOptions::io_bound("query").label(place.to_string());
        counts.push(graph.add(count, airports.clone(), move |airports, _| {
            let origin = airports[place];
            let late =
                flights.clone().filter(col("origin").eq(lit(origin)).and(col("delay").gt(15)));
            Ok(format!("{origin}: {} flights were late", late.count()?))
        }));
    }
    let summary = graph.cpu_bound("sum up", counts, |lines, _| {
        Ok(lines.iter().map(|line| line.as_str()).collect::<Vec<_>>().join("\n"))
    });
    println!("tasks of our own:\n{graph}");
    save("dframe-tasks.svg", &graph.to_svg())?;

    let report = session.run_tasks(graph)?.wait()?;
    println!("{}", report.value(&summary)?);
    Ok(())
}

fn save(name: &str, svg: &str) -> dframe::Result<()> {
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, svg)
        .map_err(|error| dframe::Error::io("cannot write", error).file(&path))?;
    println!("drawn in {}\n", path.display());
    Ok(())
}
