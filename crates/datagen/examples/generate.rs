//! Generates a table without the command-line tool:
//!
//! ```text
//! cargo run --profile quick -p dframe-datagen --example generate -- ticks 1000000 ticks.parquet
//! ... -- groupby 1000000 parts k=10 files=4 nulls=0.05 sorted=ids compression=zstd
//! ```

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use dframe_datagen::{Options, Table, generate};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [table, rows, output, settings @ ..] = &arguments[..] else {
        return Err("usage: generate TABLE ROWS OUTPUT [NAME=VALUE]...".into());
    };
    let table: Table = table.parse()?;
    let mut options = Options { rows: rows.parse()?, ..Options::default() };
    for setting in settings {
        let (name, value) = setting.split_once('=').ok_or("a setting is NAME=VALUE")?;
        set(&mut options, name, value)?;
    }
    let start = Instant::now();
    let report = generate(table, &options, Path::new(output), &|_| ())?;
    writeln!(std::io::stdout(), "{report:?} in {:.2?}", start.elapsed())?;
    Ok(())
}

fn set(options: &mut Options, name: &str, value: &str) -> Result<(), Box<dyn Error>> {
    match name {
        "seed" => options.seed = value.parse()?,
        "tickers" => options.tickers = value.parse()?,
        "skew" => options.skew = value.parse()?,
        "nulls" => options.null_share = value.parse()?,
        "sorted" => options.sorted = value.parse()?,
        "k" => options.k = value.parse()?,
        "row-group" => options.row_group_rows = value.parse()?,
        "compression" => options.compression = value.parse()?,
        "files" => options.files = value.parse()?,
        "threads" => options.threads = value.parse()?,
        _ => return Err(format!("unknown setting '{name}'").into()),
    }
    Ok(())
}
