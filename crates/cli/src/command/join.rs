//! `dframe join`: two tables side by side.

use clap::{Args, ValueEnum};
use dframe::plan::node::qualify;
use dframe::prelude::{AsofDirection, Expr, JoinBuilder, JoinKind, LazyFrame, SortKey};
use dframe::sql::{parse_columns, parse_expr, parse_exprs, parse_keys};
use dframe::{Error, Result};

use crate::args::{OutputArgs, RunArgs, row_count, some_text};
use crate::query::{Context, Query, joined};
use crate::reading::ReadingArgs;

/// Pair the rows of two tables whose keys are equal
///
/// Without --columns: the left's columns, then the right's; keys that have one name come out once, other
/// columns of the right that have a name of the left come out as NAME_right. In expressions `left.x` and
/// `right.x` say which side is meant. `semi` and `anti` give the left's columns. With `asof` the last key is
/// ordered, and each left row gets the right row that is nearest by it among those whose other keys are equal.
#[derive(Args, Debug)]
#[command(after_help = r#"Examples:
  dframe join trades.parquet companies.parquet --on ticker \
      --columns "ticker, name, price*size as value" --sort "value desc"
  dframe join orders.parquet customers.parquet --left-on customer \
      --right-on id --how left
"#)]
pub struct Join {
    /// The left table: a Parquet, CSV, JSON or Arrow file, a directory of them, or a glob
    #[arg(value_name = "LEFT")]
    left: String,
    /// The right table, likewise
    #[arg(value_name = "RIGHT")]
    right: String,
    /// How they are read.
    #[command(flatten)]
    reading: ReadingArgs,
    /// Keys that both have: "ticker, day"
    #[arg(long, value_name = "COLS", allow_hyphen_values = true, value_parser = some_text)]
    #[arg(conflicts_with_all = ["left_on", "right_on"])]
    on: Vec<String>,
    /// Keys of the left, columns or expressions
    #[arg(long, value_name = "COLS", allow_hyphen_values = true, value_parser = some_text)]
    #[arg(requires = "right_on")]
    left_on: Vec<String>,
    /// Keys of the right, in the same order
    #[arg(long, value_name = "COLS", allow_hyphen_values = true, value_parser = some_text)]
    #[arg(requires = "left_on")]
    right_on: Vec<String>,
    /// Which rows come out
    #[arg(long, value_name = "KIND", default_value = "inner")]
    how: How,
    /// Where the partner lies in an as-of join [default: backward]
    #[arg(long, value_name = "WHERE")]
    direction: Option<Direction>,
    /// How far the partner may be in an as-of join: "5m", "1d12h", "0.5"
    #[arg(long, value_name = "DISTANCE", allow_hyphen_values = true, value_parser = some_text)]
    tolerance: Option<String>,
    /// A further condition on pairs: "left.ts >= right.start and left.ts < right.stop"
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true, value_parser = some_text)]
    condition: Option<String>,
    /// A NULL key equals a NULL key
    #[arg(long)]
    nulls_equal: bool,
    /// Columns, or expressions with a name: "ticker, left.price - right.price as change"
    #[arg(long, value_name = "EXPRS", allow_hyphen_values = true, value_parser = some_text)]
    columns: Vec<String>,
    /// Only rows of the result for which this holds
    #[arg(long = "where", value_name = "EXPR", allow_hyphen_values = true, value_parser = some_text)]
    filter: Option<String>,
    /// Order of the rows: "volume desc, ticker"
    #[arg(long, value_name = "KEYS", allow_hyphen_values = true, value_parser = some_text)]
    sort: Vec<String>,
    /// Only the first so many rows
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = row_count)]
    limit: Option<u64>,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How it is run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Which rows come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum How {
    /// Pairs
    Inner,
    /// Pairs, and left rows without one
    Left,
    /// Pairs, and right rows without one
    Right,
    /// Pairs, and rows of either side without one
    #[value(alias = "outer")]
    Full,
    /// Left rows that have a partner
    Semi,
    /// Left rows that have none
    Anti,
    /// Every left row with every right row
    Cross,
    /// Each left row, with the right row whose last key is nearest
    Asof,
}

/// Where the partner lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Direction {
    /// The last at or before
    Backward,
    /// The first at or after
    Forward,
    /// The nearer of both
    Nearest,
}

impl Direction {
    fn asof(self) -> AsofDirection {
        match self {
            Direction::Backward => AsofDirection::Backward,
            Direction::Forward => AsofDirection::Forward,
            Direction::Nearest => AsofDirection::Nearest,
        }
    }
}

impl How {
    fn kind(self) -> JoinKind {
        match self {
            How::Inner => JoinKind::Inner,
            How::Left => JoinKind::Left,
            How::Right => JoinKind::Right,
            How::Full => JoinKind::Full,
            How::Semi => JoinKind::Semi,
            How::Anti => JoinKind::Anti,
            How::Cross => JoinKind::Cross,
            How::Asof => JoinKind::Left,
        }
    }
}

impl Join {
    /// Checks which flags go with --how.
    ///
    /// # Errors
    /// One that does not, or no keys where there must be some.
    pub fn check(&self) -> Result<()> {
        if self.how != How::Asof {
            for (flag, given) in [
                ("--tolerance", self.tolerance.is_some()),
                ("--direction", self.direction.is_some()),
            ] {
                wrong(given, format!("{flag} is for as-of joins"), "add --how asof")?;
            }
        }
        let keys = !self.on.is_empty() || !self.left_on.is_empty();
        let condition = self.condition.is_some();
        match self.how {
            How::Cross => wrong(
                keys || condition || self.nulls_equal,
                "a cross join has no keys".into(),
                "leave the keys out, or make it an inner join",
            ),
            How::Asof => {
                let remedy = "filter the right side first, or the result afterwards";
                wrong(condition, "an as-of join has no condition besides its keys".into(), remedy)?;
                let remedy = "name the columns to join on (--on), the ordered one last";
                wrong(!keys, "an as-of join has no ordered key".into(), remedy)
            }
            _ => wrong(
                !keys && !condition,
                "a join has no keys".into(),
                "name the columns to join on (--on), or make it a cross join (--how cross)",
            ),
        }
    }
}

fn wrong(is_wrong: bool, message: String, remedy: &str) -> Result<()> {
    if is_wrong { Err(Error::invalid_input(message).remedy(remedy)) } else { Ok(()) }
}

/// Joins.
pub fn run(args: &Join, context: &Context) -> Result<()> {
    let mut query = Query::new(&args.run, &args.output, context)?;
    let left = query.scan_table(&args.left, &args.reading)?;
    let right = query.scan_table(&args.right, &args.reading)?;
    let (of_left, of_right) = (left.schema()?, right.schema()?);
    let qualified = |expr: Expr| qualify(expr, &of_left, &of_right);
    let builder = with_keys(&mut query, left, right, args)?;
    let builder = match &args.condition {
        Some(text) => {
            let condition = parse_expr(text)?;
            let builder = builder.condition(condition);
            query.step(text, || builder.clone().finish())?;
            builder
        }
        None => builder,
    };
    let all = builder.clone().finish_with_all_columns();
    let mut frame = if needs_all(args) { all } else { builder.finish() };
    if let Some(text) = &args.filter {
        let predicate = qualified(parse_expr(text)?).map_err(|error| error.in_text(text))?;
        frame = query.step(text, || frame.filter(predicate))?;
    }
    if let Some(text) = joined(&args.columns) {
        let exprs = parse_exprs(&text)?.into_iter().map(qualified).collect::<Result<Vec<_>>>();
        let exprs = exprs.map_err(|error| error.in_text(&text))?;
        frame = query.step(&text, || frame.select(exprs))?;
    }
    if let Some(text) = joined(&args.sort) {
        let keys = parse_keys(&text)?.into_iter();
        let keys = keys.map(|key| Ok(SortKey { expr: qualified(key.expr)?, ..key }));
        let keys = keys.collect::<Result<Vec<_>>>().map_err(|error| error.in_text(&text))?;
        frame = query.step(&text, || frame.sort_by(keys))?;
    }
    query.finish(match args.limit {
        Some(limit) => frame.limit(limit),
        None => frame,
    })
}

/// Whether the user says which columns come out, so that all must be there to choose from.
fn needs_all(args: &Join) -> bool {
    !args.columns.is_empty() && !matches!(args.how, How::Semi | How::Anti)
}

fn with_keys(
    query: &mut Query<'_>,
    left: LazyFrame,
    right: LazyFrame,
    args: &Join,
) -> Result<JoinBuilder> {
    let mut builder = left.join_with(right).how(args.how.kind());
    if args.nulls_equal {
        builder = builder.nulls_equal();
    }
    if args.how == How::Asof {
        builder = builder.asof(args.direction.unwrap_or(Direction::Backward).asof());
        builder = match &args.tolerance {
            Some(text) => with_tolerance(builder, text)?,
            None => builder,
        };
    }
    let (on, left_on, right_on) = (joined(&args.on), joined(&args.left_on), joined(&args.right_on));
    builder = match (on, left_on, right_on) {
        (Some(on), None, None) => {
            let keys = parse_columns(&on)?;
            let builder = builder.on(keys);
            query.step(&on, || builder.clone().finish())?;
            return Ok(builder);
        }
        (None, Some(left), Some(right)) => {
            builder.left_on(parse_columns(&left)?).right_on(parse_columns(&right)?)
        }
        _ => return Ok(builder),
    };
    builder.clone().finish().schema()?;
    Ok(builder)
}

/// A number, a length of time, or an expression.
fn with_tolerance(builder: JoinBuilder, text: &str) -> Result<JoinBuilder> {
    let is_number = text.trim().parse::<f64>().is_ok();
    match builder.clone().tolerance(text) {
        Ok(builder) if !is_number => Ok(builder),
        _ => Ok(builder.tolerance_of(parse_expr(text)?)),
    }
}
