//! `dframe resample`: a row per window of time, and group.

use clap::{Args, ValueEnum};
use dframe::expr::Closed;
use dframe::prelude::{Expr, GroupByDynamic, Label, LazyFrame, count_all};
use dframe::sql::{parse_columns, parse_expr, parse_exprs};
use dframe::{Error, Result};

use crate::args::{InputArgs, OutputArgs, RunArgs, row_count, some_text};
use crate::query::{Context, Query, joined};

/// Compute aggregates for each window of time, and each group in it
///
/// Windows begin --every so often and are as long as --period says: longer ones overlap, shorter ones leave
/// gaps. Lengths are written 30s, 15m, 1h, 1d, 1w, 1mo, 1q, 1y or "90 minutes". Windows without rows are not there.
#[derive(Args, Debug)]
#[command(after_help = r#"Examples:
  dframe resample data/ticks.parquet --time ts --every 1m --by ticker \
      --agg "max(price) as high, min(price) as low, sum(size) as volume"
  dframe resample data/ticks.parquet --time ts --every 5m --period 1h \
      --closed right --label right --agg "sum(price*size)/sum(size) as vwap"
"#)]
pub struct Resample {
    /// What is read.
    #[command(flatten)]
    input: InputArgs,
    /// The column of dates or timestamps, or an expression with a name
    #[arg(long, value_name = "COL", allow_hyphen_values = true, value_parser = some_text)]
    time: String,
    /// How often a window begins: 15m
    #[arg(long, value_name = "LENGTH", value_parser = some_text)]
    every: String,
    /// How long a window is [default: as long as from one to the next]
    #[arg(long, value_name = "LENGTH", value_parser = some_text)]
    period: Option<String>,
    /// How far all windows are moved: 5m, or -5m
    #[arg(long, value_name = "LENGTH", allow_hyphen_values = true, value_parser = some_text)]
    offset: Option<String>,
    /// Which ends belong to a window
    #[arg(long, value_name = "ENDS", default_value = "left")]
    closed: ClosedChoice,
    /// Which end a window is named by
    #[arg(long, value_name = "END", default_value = "left")]
    label: LabelChoice,
    /// Columns to group by within a window, or expressions with a name
    #[arg(long, value_name = "COLS", allow_hyphen_values = true, value_parser = some_text)]
    by: Vec<String>,
    /// What to compute for each window: "sum(size) as volume, count(*) as n"
    #[arg(long, value_name = "EXPRS", allow_hyphen_values = true, value_parser = some_text)]
    #[arg(required = true)]
    agg: Vec<String>,
    /// Only rows for which this holds: "price > 10 and side = 'buy'"
    #[arg(long = "where", value_name = "EXPR", allow_hyphen_values = true, value_parser = some_text)]
    filter: Option<String>,
    /// Only windows for which this holds; may use aggregates and the names --agg gives: "n > 100"
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true, value_parser = some_text)]
    having: Option<String>,
    /// Order of the windows: "n desc, ts"
    #[arg(long, value_name = "KEYS", allow_hyphen_values = true, value_parser = some_text)]
    sort: Vec<String>,
    /// Only the first so many windows
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = row_count)]
    limit: Option<u64>,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How it is run.
    #[command(flatten)]
    pub run: RunArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ClosedChoice {
    /// The start
    Left,
    /// The end
    Right,
    /// Both
    Both,
    /// None
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LabelChoice {
    /// The start
    Left,
    /// The end
    Right,
}

/// Makes windows and aggregates.
pub fn run(args: &Resample, context: &Context) -> Result<()> {
    let mut query = Query::new(&args.run, &args.output, context)?;
    let rows = query.scan(&args.input)?;
    let rows = query.filter(rows, args.filter.as_deref())?;
    let time = time(&mut query, &rows, args)?;
    let keys = keys(&mut query, &rows, args)?;
    // Tried alone, so that what is wrong with a length is not shown in the text of the aggregates.
    windows(&rows, &time, &[], args).agg([count_all()]).schema()?;
    let windows = windows(&rows, &time, &keys, args);
    let groups = groups(&mut query, &windows, args)?;
    let by: Vec<Expr> = keys.into_iter().chain([time]).collect();
    query.finish_grouped(groups, &by, &args.sort, args.limit)
}

fn time(query: &mut Query<'_>, rows: &LazyFrame, args: &Resample) -> Result<Expr> {
    let times = <[Expr; 1]>::try_from(parse_columns(&args.time)?);
    let [time] = times.map_err(|times| {
        Error::invalid_input(format!("--time names {} columns", times.len())).remedy("name one")
    })?;
    query.step(&args.time, || rows.clone().select([time.clone()]))?;
    Ok(time)
}

fn keys(query: &mut Query<'_>, rows: &LazyFrame, args: &Resample) -> Result<Vec<Expr>> {
    let Some(text) = joined(&args.by) else { return Ok(vec![]) };
    let keys = parse_columns(&text)?;
    query.step(&text, || rows.clone().group_by(keys.clone()).agg([count_all()]))?;
    Ok(keys)
}

fn windows(rows: &LazyFrame, time: &Expr, keys: &[Expr], args: &Resample) -> GroupByDynamic {
    let mut windows = rows.clone().group_by_dynamic(time.clone(), &args.every).by(keys.to_vec());
    if let Some(period) = &args.period {
        windows = windows.period(period);
    }
    if let Some(offset) = &args.offset {
        windows = windows.offset(offset);
    }
    let windows = windows.closed(match args.closed {
        ClosedChoice::Left => Closed::Left,
        ClosedChoice::Right => Closed::Right,
        ClosedChoice::Both => Closed::Both,
        ClosedChoice::None => Closed::Neither,
    });
    windows.label(match args.label {
        LabelChoice::Left => Label::Left,
        LabelChoice::Right => Label::Right,
    })
}

fn groups(query: &mut Query<'_>, windows: &GroupByDynamic, args: &Resample) -> Result<LazyFrame> {
    let text = args.agg.join(", ");
    let exprs = parse_exprs(&text)?;
    let all = query.step(&text, || windows.clone().agg(exprs.clone()))?;
    let Some(text) = &args.having else { return Ok(all) };
    let condition = parse_expr(text)?;
    query.step(text, || windows.clone().having(condition).agg(exprs))
}
