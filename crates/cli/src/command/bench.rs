//! `dframe bench`: how long a handful of queries take on this machine, on rows that are the same everywhere.
//!
//! ```text
//!   generate ticks --> run 1: filter, groupby, sort, ... --> run 2: filter, groupby, sort, ... --> medians
//! ```
//!
//! Runs alternate, so that what slows the machine down for a while slows all queries. Each run has a session of its
//! own, and reads its rows from the file.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use clap::Args;
use clap::builder::PossibleValuesParser;
use dframe::io::SinkOptions;
use dframe::prelude::{JoinKind, LazyFrame, RunStats, Session, col};
use dframe::sql::{parse_columns, parse_expr, parse_exprs, parse_keys};
use dframe::{Error, Result};
use dframe_datagen::{Options, Table, generate};
use rustix::time::{ClockId, clock_gettime};

use crate::allocator;
use crate::args::{LimitArgs, OutputArgs, ProgressChoice, count};
use crate::progress::{Ticker, grouped};
use crate::query::Context;

/// Measure queries on generated rows
///
/// Rows are generated into the temp directory: trades of a stock market, the same on every machine. All queries are
/// run in turn, several times; shown are the medians of wall time and of CPU time over all threads, and the
/// most memory that the program held and disk that a run took.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dframe bench --rows 100k --runs 1
  dframe bench groupby sort --rows 10M --memory-limit 512MiB")]
pub struct Bench {
    /// Queries to run [default: all]
    #[arg(value_name = "QUERY", value_parser = PossibleValuesParser::new(QUERIES.map(|query| query.name)))]
    queries: Vec<String>,
    /// Rows to generate, such as 1_000_000, 100k, 2.5M or 1G
    #[arg(long, value_name = "N", default_value = "1M", value_parser = count::<u64>)]
    rows: u64,
    /// How often each query is run
    #[arg(long, value_name = "N", default_value = "3", value_parser = count::<usize>)]
    runs: usize,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// What runs may take.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Show how far the run is on standard error; auto does so on a terminal after half a second
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    #[arg(env = "DFRAME_PROGRESS", hide_env_values = true)]
    progress: ProgressChoice,
}

/// A query that is measured.
struct Query {
    name: &'static str,
    of: fn(LazyFrame) -> Result<LazyFrame>,
}

const QUERIES: [Query; 8] = [
    Query { name: "filter", of: filter },
    Query { name: "groupby", of: groupby },
    Query { name: "groups", of: groups },
    Query { name: "distinct", of: distinct },
    Query { name: "top", of: top },
    Query { name: "sort", of: sort },
    Query { name: "join", of: join },
    Query { name: "window", of: window },
];

/// A tenth of the rows, and one number of them.
fn filter(rows: LazyFrame) -> Result<LazyFrame> {
    let few = rows.filter(parse_expr("trade_id % 10 = 3 and side = 'B'")?);
    Ok(few.agg(parse_exprs("count(*) as n, sum(price * size) as value")?))
}

/// Thousands of groups.
fn groupby(rows: LazyFrame) -> Result<LazyFrame> {
    let aggregates = "count(*) as n, sum(size) as volume, mean(price) as price, max(ts) as last";
    Ok(rows.group_by(parse_columns("ticker")?).agg(parse_exprs(aggregates)?))
}

/// A group for nearly every row.
fn groups(rows: LazyFrame) -> Result<LazyFrame> {
    let keys = parse_columns("ticker, trade_id // 2 as pair")?;
    Ok(rows.group_by(keys).agg(parse_exprs("sum(price * size) as value")?))
}

/// Different rows of three columns.
fn distinct(rows: LazyFrame) -> Result<LazyFrame> {
    Ok(rows.select(parse_exprs("ticker, exchange, date_trunc('hour', ts) as hour")?).distinct())
}

/// The first rows in an order.
fn top(rows: LazyFrame) -> Result<LazyFrame> {
    Ok(rows.sort_by(parse_keys("price desc, trade_id")?).limit(100))
}

/// All rows in an order.
fn sort(rows: LazyFrame) -> Result<LazyFrame> {
    Ok(rows.sort_by(parse_keys("price, trade_id")?))
}

/// Each row with another of its ticker, and numbers of the pairs.
fn join(rows: LazyFrame) -> Result<LazyFrame> {
    let usual =
        rows.clone().group_by(parse_columns("ticker")?).agg(parse_exprs("mean(price) as usual")?);
    let pairs = rows.join_with(usual).how(JoinKind::Inner).on([col("ticker")]).finish();
    let pairs = pairs.filter(parse_expr("price > usual")?);
    Ok(pairs
        .group_by(parse_columns("exchange")?)
        .agg(parse_exprs("count(*) as n, sum(size) as volume")?))
}

/// Each row beside the one before, of its ticker.
fn window(rows: LazyFrame) -> Result<LazyFrame> {
    let change = "price - lag(price) over (partition by ticker order by ts, trade_id) as change";
    let changes = rows.select(parse_exprs(change)?);
    Ok(changes.agg(parse_exprs("count(change) as n, max(abs(change)) as most")?))
}

/// What a run has cost.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    rows: u64,
    wall: Duration,
    cpu: Duration,
    memory: u64,
    spilled: u64,
}

/// Measures.
pub fn run(args: &Bench, context: &Context) -> Result<()> {
    let output = args.output.resolve()?;
    let folder =
        tempfile::Builder::new().prefix("dframe-bench-").tempdir_in(args.limits.temp_dir());
    let failed = |error| Error::io("cannot generate rows", error).file(args.limits.temp_dir());
    let folder = folder.map_err(failed)?;
    let file = folder.path().join("ticks.parquet");
    let ticker = Ticker::new(args.progress, context.messages);
    let outcome = generated(args, &file, &ticker, context)
        .and_then(|()| measured(args, &file, &ticker, context));
    ticker.finish();
    let batch = table(&outcome?)?;
    output
        .write(batch.schema(), std::iter::once(Ok(batch)), None, SinkOptions::default())
        .map(|_| ())
}

fn generated(args: &Bench, file: &Path, ticker: &Ticker, context: &Context) -> Result<()> {
    let options = Options { rows: args.rows, cancel: context.cancel.clone(), ..Options::default() };
    let line = |rows| format!("{} of {} rows generated", grouped(rows), grouped(args.rows));
    generate(Table::Ticks, &options, file, &|rows| ticker.tick(|| line(rows))).map(|_| ())
}

/// The costs of each query's runs.
fn measured(
    args: &Bench,
    file: &Path,
    ticker: &Ticker,
    context: &Context,
) -> Result<Vec<(&'static str, Vec<Cost>)>> {
    let wanted = |query: &&Query| {
        args.queries.is_empty() || args.queries.iter().any(|name| name == query.name)
    };
    let queries: Vec<&Query> = QUERIES.iter().filter(wanted).collect();
    let mut costs: Vec<(&str, Vec<Cost>)> =
        queries.iter().map(|query| (query.name, vec![])).collect();
    for run in 1..=args.runs {
        for (query, (name, costs)) in queries.iter().zip(&mut costs) {
            ticker.tick(|| format!("run {run} of {}: {name}", args.runs));
            let cost = cost(query, args, file, context).map_err(|error| error.operator(*name))?;
            if costs.first().is_some_and(|first: &Cost| first.rows != cost.rows) {
                return Err(Error::internal(format!("{name} gives other rows each time")));
            }
            costs.push(cost);
        }
    }
    Ok(costs)
}

fn cost(query: &Query, args: &Bench, file: &Path, context: &Context) -> Result<Cost> {
    let stats = Arc::new(RunStats::default());
    let builder = args.limits.apply(Session::builder());
    let session = builder.observer(stats.clone()).cancel_token(context.cancel.clone()).build()?;
    allocator::forget_peak();
    let (cpu, begin) = (cpu_time(), Instant::now());
    let frame = (query.of)(session.scan_parquet(file)?)?;
    let mut rows = 0;
    for batch in frame.collect_batches()? {
        rows += batch?.num_rows() as u64;
    }
    Ok(Cost {
        rows,
        wall: begin.elapsed(),
        cpu: cpu_time().saturating_sub(cpu),
        memory: allocator::peak_bytes(),
        spilled: stats.read().bytes_spilled,
    })
}

/// What all threads of the process have computed so far.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn table(costs: &[(&'static str, Vec<Cost>)]) -> Result<RecordBatch> {
    let floats = |value: &dyn Fn(&[Cost]) -> f64| {
        Arc::new(Float64Array::from_iter_values(costs.iter().map(|(_, runs)| value(runs))))
            as ArrayRef
    };
    let most = |value: fn(&Cost) -> u64| {
        floats(&move |runs| mebibytes(runs.iter().map(value).max().unwrap_or(0)))
    };
    let rows = costs.iter().map(|(_, runs)| runs.first().map_or(0, |run| run.rows));
    let columns: [(&str, ArrayRef); 7] = [
        ("query", Arc::new(StringArray::from_iter_values(costs.iter().map(|(name, _)| name)))),
        ("rows", Arc::new(UInt64Array::from_iter_values(rows))),
        ("wall_s", floats(&|runs| median(runs, |run| run.wall))),
        ("fastest_s", floats(&|runs| seconds(runs.iter().map(|run| run.wall).min()))),
        ("cpu_s", floats(&|runs| median(runs, |run| run.cpu))),
        ("peak_mib", most(|run| run.memory)),
        ("spilled_mib", most(|run| run.spilled)),
    ];
    Ok(RecordBatch::try_from_iter(columns)?)
}

/// The middle value, the lower of two, in seconds.
fn median(runs: &[Cost], time: fn(&Cost) -> Duration) -> f64 {
    let mut times: Vec<Duration> = runs.iter().map(time).collect();
    times.sort();
    seconds(times.get(times.len().saturating_sub(1) / 2).copied())
}

/// To the millisecond.
fn seconds(time: Option<Duration>) -> f64 {
    (time.unwrap_or_default().as_secs_f64() * 1e3).round() / 1e3
}

/// To a tenth.
fn mebibytes(bytes: u64) -> f64 {
    (bytes as f64 / 1_048_576.0 * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_runs_is_shown() {
        let runs =
            [5, 1, 9, 3].map(|ms| Cost { wall: Duration::from_millis(ms), ..Cost::default() });
        assert_eq!(median(&runs, |run| run.wall), 0.003);
        assert_eq!(median(&runs[..3], |run| run.wall), 0.005);
        assert_eq!((median(&[], |run| run.wall), mebibytes(1_572_864)), (0.0, 1.5));
    }

    #[test]
    fn computing_takes_cpu_time() {
        let before = cpu_time();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(30) {
            std::hint::spin_loop();
        }
        assert!(cpu_time() - before > Duration::from_millis(1));
    }
}
