//! Market data from a slow, flaky vendor into SQLite: tasks that wait, side by side with tasks that compute.
//!
//! ```text
//!   each instrument:   request --> collect --> decode --> bars --> store
//!                      a job       polled      to         dframe   SQLite
//!                                  until it    Parquet
//!                                  is ready
//!   runs as            I/O-bound   I/O-bound   CPU-bound  I/O-bound, as queries and databases are waited for
//! ```
//!
//! No instrument waits for another. A request that fails, and a job that is not ready yet, are tried again
//! with growing waits, which hold no thread. The vendor is the server of `vendor.rs`, on a free local port:
//! it takes its time, drops and refuses some requests, and does not know one of the instruments.
//!
//! ```text
//! cargo run -p dframe --example market_data
//! ```
//!
//! The bars are left in `dframe-bars.sqlite` in the folder for temporary files.
#![allow(clippy::print_stdout)]

mod vendor;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::{AsArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use dframe::prelude::*;
use dframe::tasks::{Handle, Retry, TaskError, TaskGraph, TaskOptions, TaskReport};
use parquet::arrow::ArrowWriter;
use rusqlite::Connection;

use vendor::{Trade, Vendor};

type Outcome<T> = Result<T, TaskError>;

/// The instrument that the vendor does not know.
const UNKNOWN: &str = "GONE";

fn main() -> Outcome<()> {
    let known = (0..40).map(|number| format!("INS{number:02}"));
    let instruments: Vec<String> = known.chain([UNKNOWN.to_string()]).collect();
    let folder = tempfile::tempdir()?;
    let database = std::env::temp_dir().join("dframe-bars.sqlite");
    let vendor = Vendor::open(UNKNOWN)?;
    std::thread::scope(|scope| {
        scope.spawn(|| vendor.serve(scope));
        let outcome = run(&vendor, &instruments, folder.path(), &database);
        vendor.close();
        outcome
    })?;
    println!("{} has the rows that it should have, to the last one", database.display());
    Ok(())
}

/// The whole pipeline, and a look at what came of it.
fn run(vendor: &Vendor, instruments: &[String], folder: &Path, database: &Path) -> Outcome<()> {
    let session = Session::builder().memory_limit(Size::Bytes(256 << 20)).build()?;
    let bars = Arc::new(BarsTable::create(database)?);
    let mut graph = TaskGraph::new();
    let stored: Vec<Handle<usize>> = instruments
        .iter()
        .map(|instrument| {
            let stages = Pipeline { session: &session, folder, vendor: vendor.url(), bars: &bars };
            stages.add(&mut graph, instrument)
        })
        .collect();
    println!("{graph}");

    let start = Instant::now();
    let report = session.run_tasks(graph)?.wait()?;
    let took = start.elapsed();
    print_instruments(&report, instruments, &stored);
    print_times(&report, vendor, took);
    check(&bars, instruments)
}

/// What the tasks of an instrument share with those of others.
struct Pipeline<'a> {
    session: &'a Session,
    folder: &'a Path,
    vendor: String,
    bars: &'a Arc<BarsTable>,
}

impl Pipeline<'_> {
    /// Adds an instrument's tasks; the last one's value is the number of bars that were stored.
    fn add(&self, graph: &mut TaskGraph, instrument: &str) -> Handle<usize> {
        let io = |name: &str| TaskOptions::io_bound(name).label(instrument);
        let cpu = |name: &str| TaskOptions::cpu_bound(name).label(instrument);
        // That an instrument is not known will not change; anything else may.
        let flaky =
            Retry::up_to(8).wait(Duration::from_millis(20)).when(|error| !is_refusal(error));
        let until_ready = Retry::up_to(60).wait(Duration::from_millis(40)).factor(1.2);

        let (url, name) = (self.vendor.clone(), instrument.to_string());
        let job = graph.add(io("request").retry(flaky), (), move |(), _| {
            Ok(post(&format!("{url}/jobs?instrument={name}"))?)
        });
        let url = self.vendor.clone();
        let text = graph.add(io("collect").retry(until_ready), job, move |job, _| {
            let answer = ureq::get(format!("{url}/jobs/{job}")).call()?;
            match answer.status().as_u16() {
                202 => Err("the job is not ready yet".into()),
                _ => Ok(answer.into_body().read_to_string()?),
            }
        });
        let path = self.folder.join(format!("{instrument}.parquet"));
        let file = graph.add(cpu("decode").memory(4 << 20), text, move |text, _| {
            write_parquet(&decode(&text)?, &path)?;
            Ok(path.clone())
        });
        let session = self.session.clone();
        let frame = graph.add(io("bars"), file, move |file, _| {
            Ok(minute_bars(session.scan_parquet(file.as_path())?).collect()?)
        });
        let (bars, name) = (self.bars.clone(), instrument.to_string());
        let again = Retry::up_to(3);
        graph.add(io("store").retry(again), frame, move |frame, _| bars.put(&name, &frame))
    }
}

fn post(url: &str) -> Result<String, ureq::Error> {
    ureq::post(url).send_empty()?.into_body().read_to_string()
}

fn is_refusal(error: &TaskError) -> bool {
    matches!(error.downcast_ref(), Some(ureq::Error::StatusCode(404)))
}

/// The vendor's lines `microseconds;cents;shares` as columns.
fn decode(text: &str) -> Outcome<RecordBatch> {
    let (mut times, mut prices, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    for line in text.lines() {
        let fields = line.split(';').map(str::parse).collect::<Result<Vec<i64>, _>>()?;
        let [ts, price, size] = fields[..] else {
            return Err(format!("the vendor sent '{line}'").into());
        };
        times.push(ts);
        prices.push(price);
        sizes.push(size);
    }
    Ok(RecordBatch::try_from_iter([
        ("ts", Arc::new(TimestampMicrosecondArray::from(times)) as _),
        ("price", Arc::new(Int64Array::from(prices)) as _),
        ("size", Arc::new(Int64Array::from(sizes)) as _),
    ])?)
}

fn write_parquet(trades: &RecordBatch, path: &Path) -> Outcome<()> {
    let mut writer = ArrowWriter::try_new(std::fs::File::create(path)?, trades.schema(), None)?;
    writer.write(trades)?;
    writer.close()?;
    Ok(())
}

fn minute_bars(trades: LazyFrame) -> LazyFrame {
    let minute = call("date_trunc", [lit("minute"), col("ts")]).alias("minute");
    let bars = trades.group_by([minute]).agg([
        col("price").first().alias("open"),
        col("price").max().alias("high"),
        col("price").min().alias("low"),
        col("price").last().alias("close"),
        col("size").sum().alias("volume"),
    ]);
    bars.sort(["minute"])
}

/// Open, high, low, close in cents, and shares, of a minute that begins at so many microseconds.
type Bar = (i64, [i64; 5]);

/// The table in SQLite. One connection: SQLite writes one thing at a time.
struct BarsTable(Mutex<Connection>);

impl BarsTable {
    fn create(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(
            "DROP TABLE IF EXISTS bars;
             CREATE TABLE bars (instrument TEXT, minute INTEGER, open INTEGER, high INTEGER,
             low INTEGER, close INTEGER, volume INTEGER, PRIMARY KEY (instrument, minute))",
        )?;
        Ok(Self(Mutex::new(connection)))
    }

    /// Stores an instrument's bars, all or none; storing them again changes nothing.
    fn put(&self, instrument: &str, frame: &DataFrame) -> Outcome<usize> {
        let bars = bars_of(frame)?;
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction()?;
        {
            let sql = "INSERT OR REPLACE INTO bars VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let mut insert = transaction.prepare(sql)?;
            for (minute, [open, high, low, close, volume]) in &bars {
                insert.execute((instrument, minute, open, high, low, close, volume))?;
            }
        }
        transaction.commit()?;
        Ok(bars.len())
    }

    /// An instrument's bars, in order.
    fn get(&self, instrument: &str) -> rusqlite::Result<Vec<Bar>> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sql = "SELECT minute, open, high, low, close, volume FROM bars
                   WHERE instrument = ?1 ORDER BY minute";
        let mut select = connection.prepare(sql)?;
        let bar = |row: &rusqlite::Row<'_>| {
            let values = [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?];
            Ok((row.get(0)?, values))
        };
        select.query_map([instrument], bar)?.collect()
    }

    fn count(&self) -> rusqlite::Result<usize> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        connection.query_row("SELECT count(*) FROM bars", (), |row| row.get(0))
    }
}

fn bars_of(frame: &DataFrame) -> Outcome<Vec<Bar>> {
    let minutes = frame.column("minute")?;
    let minutes = minutes.as_primitive::<TimestampMicrosecondType>();
    let names = ["open", "high", "low", "close", "volume"];
    let columns =
        names.iter().map(|name| frame.column(name)).collect::<dframe::Result<Vec<_>>>()?;
    let value = |row: usize, column: usize| columns[column].as_primitive::<Int64Type>().value(row);
    let bar = |row| (minutes.value(row), std::array::from_fn(|column| value(row, column)));
    Ok((0..frame.num_rows()).map(bar).collect())
}

/// A line for each instrument: how often its tasks were tried, and what came out.
fn print_instruments(report: &TaskReport, instruments: &[String], stored: &[Handle<usize>]) {
    for (instrument, stored) in instruments.iter().zip(stored) {
        let of_instrument =
            report.tasks().iter().filter(|task| task.label.as_deref() == Some(instrument));
        let tries: Vec<String> = of_instrument
            .filter(|task| ["request", "collect"].contains(&task.name.as_str()))
            .map(|task| format!("{} {:>2} x", task.name, task.attempts))
            .collect();
        let outcome = match report.value(stored) {
            Ok(bars) => format!("{bars} bars stored"),
            Err(error) => format!("nothing: {error}"),
        };
        println!("{instrument:6}  {}  {outcome}", tries.join("  "));
    }
}

fn print_times(report: &TaskReport, vendor: &Vendor, took: Duration) {
    let counts = report.progress();
    let requests = vendor.counts();
    println!(
        "\n{} of {} tasks done, {} failed, {} skipped",
        counts.done, counts.tasks, counts.failed, counts.skipped
    );
    println!(
        "{} requests: {} failed on the way, {} came before a job was ready; {} attempts were followed by another",
        requests.all, requests.failed, requests.too_early, counts.retries
    );
    let one_by_one = requests.waits.as_secs_f64();
    let took = took.as_secs_f64();
    println!("the vendor made its clients wait {one_by_one:.1} s in all; the run took {took:.1} s");
}

/// Compares what is in the database with what a plain loop makes of the vendor's trades.
fn check(bars: &BarsTable, instruments: &[String]) -> Outcome<()> {
    let mut count = 0;
    for instrument in instruments.iter().filter(|instrument| *instrument != UNKNOWN) {
        let expected = bars_one_by_one(&vendor::trades(instrument));
        if bars.get(instrument)? != expected {
            return Err(format!("the bars of {instrument} are not what they should be").into());
        }
        count += expected.len();
    }
    match bars.count()? {
        found if found == count => Ok(()),
        found => Err(format!("there are {found} bars, and should be {count}").into()),
    }
}

fn bars_one_by_one(trades: &[Trade]) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    for Trade { ts, price, size } in trades {
        let minute = ts - ts % 60_000_000;
        match bars.last_mut() {
            Some((last, [_, high, low, close, volume])) if *last == minute => {
                *high = *price.max(high);
                *low = *price.min(low);
                *close = *price;
                *volume += size;
            }
            _ => bars.push((minute, [*price, *price, *price, *price, *size])),
        }
    }
    bars
}
