//! scratch
#![allow(clippy::unwrap_used, clippy::print_stderr)]
use dframe::prelude::*;
fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let a: Vec<String> = std::env::args().collect();
    let limit: Size = a[4].parse()?;
    let threads: usize = a[5].parse()?;
    let b = Session::builder().memory_limit(limit);
    let s = if threads == 0 { b.synchronous() } else { b.threads(threads) }.build()?;
    let f = s.scan_parquet(a[2].as_str())?;
    let f = match a[1].as_str() {
        "t1" => f.group_by(["ticker"]).agg([
            count_all().alias("n"),
            col("price").sum().alias("s"),
            col("price").mean().alias("m"),
            col("price").min().alias("lo"),
            col("price").max().alias("hi"),
        ]),
        "t2" => f.group_by(["ticker", "exchange", "side"]).agg([
            ((col("price") * col("size")).sum() / col("size").sum()).alias("vwap"),
            count_all().alias("n"),
        ]),
        "t8" => f
            .group_by([(col("trade_id") % lit(50_000_000i64)).alias("k")])
            .agg([count_all().alias("n"), col("size").sum().alias("s")]),
        "fl" => f.group_by(["origin", "destination"]).agg_default(),
        _ => panic!(),
    };

    let t = std::time::Instant::now();
    let n = f.sink_parquet(&a[3])?;
    eprintln!("{} rows, {:?}, budget peak {} MiB", n, t.elapsed(), s.memory_peak() >> 20);
    Ok(())
}
