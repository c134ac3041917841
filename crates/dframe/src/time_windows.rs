//! Groups by windows of time: windows chosen, keys and aggregates to come.

use arrow::datatypes::IntervalMonthDayNano;
use dframe_core::Result;
use dframe_expr::{Closed, Expr, TimeWindows, col};
use dframe_plan::LogicalPlan;

use crate::columns::{IntoColumn, columns};
use crate::frame::LazyFrame;

/// Which end of a window it is named by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Label {
    /// Its start.
    #[default]
    Left,
    /// Its end.
    Right,
}

/// The names of starts and ends until they get those that the user sees.
const START: &str = "__window_start";
const END: &str = "__window_end";

/// The rows of a frame by windows of time; [`GroupByDynamic::agg`] makes a frame of a row per window that has rows.
///
/// Windows begin at regular times, `every` so often, and are as long as `period` says: longer ones overlap, and a row
/// is in each that its time falls into; shorter ones leave gaps, and rows in them are left out, as are those whose time is
/// NULL. Lengths are written `30s`, `15m`, `1h`, `1d`, `1w`, `1mo`, `1q`, `1y`, together `1d12h`, or `90 minutes`. Days and
/// weeks begin at midnight and on Mondays, and in a time zone the clock there decides; widths that do not divide a day or a
/// year count from Monday, 2000-01-03, and January 2000, as those of `time_bucket` do. Windows without rows are not there.
///
/// Bars of a minute, of the last five minutes each, by ticker:
/// ```
/// use dframe::prelude::*;
///
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/ticks.parquet");
/// let bars = scan_parquet(path)?
///     .group_by_dynamic("ts", "1m")
///     .period("5m")
///     .by(["ticker"])
///     .agg([col("price").max().alias("high"), col("size").sum().alias("volume")]);
/// assert_eq!(bars.schema()?.field(1).name(), "ts");
/// # Ok::<(), dframe::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "windows do nothing until `agg` says what to compute"]
pub struct GroupByDynamic {
    frame: LazyFrame,
    instant: Expr,
    every: String,
    period: Option<String>,
    offset: Option<String>,
    closed: Closed,
    label: Label,
    boundaries: bool,
    keys: Vec<Expr>,
    having: Option<Expr>,
}

impl GroupByDynamic {
    pub(crate) fn new(frame: LazyFrame, instant: Expr, every: &str) -> Self {
        Self {
            frame,
            instant,
            every: every.to_string(),
            period: None,
            offset: None,
            closed: Closed::default(),
            label: Label::default(),
            boundaries: false,
            keys: Vec::new(),
            having: None,
        }
    }

    /// How long a window is: as long as from one start to the next, unless told.
    pub fn period(mut self, period: &str) -> Self {
        self.period = Some(period.to_string());
        self
    }

    /// How far all starts are moved: `15m`, or `-15m`.
    pub fn offset(mut self, offset: &str) -> Self {
        self.offset = Some(offset.to_string());
        self
    }

    /// Which ends belong to a window: its start, unless told.
    pub fn closed(mut self, closed: Closed) -> Self {
        self.closed = closed;
        self
    }

    /// Which end a window is named by: its start, unless told.
    pub fn label(mut self, label: Label) -> Self {
        self.label = label;
        self
    }

    /// With both ends of each window, as columns `_lower_boundary` and `_upper_boundary` before its name.
    pub fn include_boundaries(mut self) -> Self {
        self.boundaries = true;
        self
    }

    /// Also by `keys`; text names columns.
    pub fn by(mut self, keys: impl IntoIterator<Item = impl IntoColumn>) -> Self {
        self.keys.extend(columns(keys));
        self
    }

    /// Only windows for which `condition` is true; it may use aggregates, keys and the names that `agg` gives.
    pub fn having(mut self, condition: Expr) -> Self {
        self.having = Some(match self.having.take() {
            Some(earlier) => earlier.and(condition),
            None => condition,
        });
        self
    }

    /// A row per window and combination of the keys: the keys, the window under the name of the time, then `exprs`.
    pub fn agg(self, exprs: impl IntoIterator<Item = impl IntoColumn>) -> LazyFrame {
        let exprs = columns(exprs);
        let frame = self.frame.clone();
        frame.then(|plan| self.plan(plan, exprs))
    }

    fn plan(self, plan: LogicalPlan, exprs: Vec<Expr>) -> Result<LogicalPlan> {
        let windows = self.windows()?;
        let name = self.instant.to_field(&plan.schema())?.name().clone();
        let name = spelled(&plan, &self.instant).unwrap_or(name);
        let (label, needs_end) = match self.label {
            Label::Left => (col(START), self.boundaries),
            Label::Right => (col(END), true),
        };
        let plan = plan.windows(self.instant, windows, START, needs_end.then_some(END))?;
        let mut keys = self.keys;
        if self.boundaries {
            keys.push(col(START).alias("_lower_boundary"));
            keys.push(col(END).alias("_upper_boundary"));
        }
        keys.push(label.alias(name));
        plan.aggregate(keys, exprs, self.having)
    }

    fn windows(&self) -> Result<TimeWindows> {
        let nothing = IntervalMonthDayNano { months: 0, days: 0, nanoseconds: 0 };
        let every = TimeWindows::parse_interval(&self.every)?;
        let period = self.period.as_deref().map(TimeWindows::parse_interval).transpose()?;
        let offset = self.offset.as_deref().map(TimeWindows::parse_interval).transpose()?;
        let (period, offset) = (period.unwrap_or(every), offset.unwrap_or(nothing));
        Ok(TimeWindows { every, period, offset, closed: self.closed })
    }
}

/// The column's own name, if the instant is nothing but a column.
fn spelled(plan: &LogicalPlan, instant: &Expr) -> Option<String> {
    let Expr::Column(column) = instant else { return None };
    let schema = plan.schema();
    let index = dframe_expr::resolve_column(&schema, column).ok()?;
    Some(schema.field(index).name().clone())
}
