//! Which routes are flown most, and how late do their flights arrive?
//!
//! ```text
//! cargo run -p dframe --example busiest_routes
//! ```
#![allow(clippy::print_stdout)]

use dframe::prelude::*;

fn main() -> dframe::Result<()> {
    let flights = scan_parquet(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet"))?;

    let late = when(col("delay").gt(15)).then(1.0).otherwise(0.0);
    let routes = flights
        .group_by(["origin", "destination"])
        .agg([
            count_all().alias("flights"),
            col("delay").mean().round(1).alias("delay"),
            (late.mean() * 100).round(1).alias("late_percent"),
            col("distance").max().alias("miles"),
        ])
        .sort_by([desc("flights"), asc("origin"), asc("destination")])
        .limit(10);

    println!("{}", routes.collect()?);
    Ok(())
}
