//! The volume-weighted average price of each ticker, minute by minute, into a Parquet file.
//!
//! Shows the plan before and after the optimizer, and runs within 64 MiB.
//!
//! ```text
//! cargo run -p dframe --example vwap
//! ```
#![allow(clippy::print_stdout)]

use dframe::prelude::*;

fn main() -> dframe::Result<()> {
    let session = Session::builder().memory_limit(Size::Bytes(64 << 20)).build()?;
    let ticks = session
        .scan_parquet(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/ticks.parquet"))?
        .filter(col("size").gt(0));

    let minute = call("date_trunc", [lit("minute"), col("ts")]).alias("minute");
    let vwap = (col("price") * col("size")).sum() / col("size").sum();
    let bars = ticks
        .group_by([col("ticker"), minute])
        .agg([
            vwap.alias("vwap"),
            col("size").sum().alias("volume"),
            col("price").first().alias("open"),
            col("price").max().alias("high"),
            col("price").min().alias("low"),
            col("price").last().alias("close"),
        ])
        .sort(["ticker", "minute"]);

    println!("as written\n{}", bars.explain()?);
    println!("as it runs\n{}", bars.explain_optimized()?);

    let target = std::env::temp_dir().join("dframe-vwap.parquet");
    let written = bars.sink_parquet(&target)?;
    println!("{} bars in {}\n", written.rows, target.display());

    let busiest = session
        .scan_parquet(target.as_path())?
        .sort_by([desc("volume"), asc("ticker"), asc("minute")])
        .limit(5);
    println!("{}", busiest.collect()?);
    Ok(())
}
