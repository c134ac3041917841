//! Builders: `col("price").mean().rolling(20).over(partition_by(["ticker"]).order_by([key]))`.
//!
//! Functions begin over all rows; [`Expr::over`] says which partition and order they have, for all of them in
//! an expression.

use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use super::{Frame, FrameBound, FrameUnit, Over, WindowCall, WindowFunction};
use crate::build::{col, lit};
use crate::expr::{Expr, Span};
use crate::literal::IntoLiteral;
use crate::sort_key::SortKey;

/// The number of the row in its partition, from one.
pub fn row_number() -> Expr {
    window(WindowFunction::RowNumber, vec![])
}

/// The number of the row's first peer: `1 1 3`.
pub fn rank() -> Expr {
    window(WindowFunction::Rank, vec![])
}

/// The number of different order keys so far: `1 1 2`.
pub fn dense_rank() -> Expr {
    window(WindowFunction::DenseRank, vec![])
}

/// `(rank - 1) / (rows - 1)`.
pub fn percent_rank() -> Expr {
    window(WindowFunction::PercentRank, vec![])
}

/// The share of rows that come before or are peers.
pub fn cume_dist() -> Expr {
    window(WindowFunction::CumeDist, vec![])
}

/// Which of `parts` about equal parts the row is in, from one.
pub fn ntile(parts: i64) -> Expr {
    window(WindowFunction::Ntile, vec![lit(parts)])
}

/// Rows that agree on `columns`: for [`Expr::over`].
pub fn partition_by<T: Into<PartitionKey>>(columns: impl IntoIterator<Item = T>) -> Over {
    let partition_by = columns.into_iter().map(|column| column.into().0).collect();
    Over { partition_by, ..Over::default() }
}

/// All rows, in the order of `keys`: for [`Expr::over`].
pub fn order_by(keys: impl IntoIterator<Item = SortKey>) -> Over {
    Over::default().order_by(keys)
}

/// What rows are partitioned by: text names a column.
#[derive(Clone, Debug)]
pub struct PartitionKey(Expr);

impl From<&str> for PartitionKey {
    fn from(name: &str) -> Self {
        Self(col(name))
    }
}

impl From<String> for PartitionKey {
    fn from(name: String) -> Self {
        Self(col(name))
    }
}

impl From<Expr> for PartitionKey {
    fn from(expr: Expr) -> Self {
        Self(expr)
    }
}

impl<T: Into<PartitionKey>, const N: usize> From<[T; N]> for Over {
    fn from(columns: [T; N]) -> Self {
        partition_by(columns)
    }
}

impl Over {
    /// In the order of `keys`.
    pub fn order_by(mut self, keys: impl IntoIterator<Item = SortKey>) -> Self {
        self.order_by = keys.into_iter().collect();
        self
    }

    /// A frame of rows, from the row's place: `rows(-2..=0)`, `rows(..=0)`, `rows(0..)`.
    pub fn rows(self, rows: impl RangeBounds<i64>) -> Self {
        self.between(FrameUnit::Rows, rows)
    }

    /// A frame of groups of peers, from the row's own.
    pub fn groups(self, groups: impl RangeBounds<i64>) -> Self {
        self.between(FrameUnit::Groups, groups)
    }

    /// A frame of distances of the order key: numbers, or intervals where it is a time.
    pub fn range(mut self, start: FrameBound, end: FrameBound) -> Self {
        self.frame = Some(Frame { unit: FrameUnit::Range, start, end });
        self
    }

    /// Whether it says nothing of partitions and order.
    fn is_open(&self) -> bool {
        self.partition_by.is_empty() && self.order_by.is_empty()
    }

    fn between(mut self, unit: FrameUnit, range: impl RangeBounds<i64>) -> Self {
        let start = match range.start_bound() {
            Bound::Unbounded => FrameBound::UnboundedPreceding,
            Bound::Included(offset) => FrameBound::at(*offset),
            Bound::Excluded(offset) => FrameBound::at(offset.saturating_add(1)),
        };
        let end = match range.end_bound() {
            Bound::Unbounded => FrameBound::UnboundedFollowing,
            Bound::Included(offset) => FrameBound::at(*offset),
            Bound::Excluded(offset) => FrameBound::at(offset.saturating_sub(1)),
        };
        self.frame = Some(Frame { unit, start, end });
        self
    }
}

impl FrameBound {
    /// So much before the row.
    pub fn preceding(offset: impl IntoLiteral) -> Self {
        FrameBound::Preceding(offset.into_literal())
    }

    /// So much behind the row.
    pub fn following(offset: impl IntoLiteral) -> Self {
        FrameBound::Following(offset.into_literal())
    }

    fn at(offset: i64) -> Self {
        match offset {
            0 => FrameBound::CurrentRow,
            1.. => FrameBound::following(offset),
            _ => FrameBound::preceding(offset.saturating_neg()),
        }
    }
}

/// The names of these methods are those of SQL, Polars and pandas.
impl Expr {
    /// The functions in this expression over `over`: aggregates become window functions. A function that has
    /// a partition or an order already keeps them; a frame stays, unless `over` has one.
    pub fn over(self, over: impl Into<Over>) -> Expr {
        let over = over.into();
        let set = |node: Expr| {
            Ok(match node {
                Expr::Window(call) if call.over.is_open() => {
                    let mut call = Arc::unwrap_or_clone(call);
                    let frame = over.frame.clone().or(call.over.frame);
                    call.over = Over { frame, ..over.clone() };
                    Expr::Window(Arc::new(call))
                }
                other => other,
            })
        };
        let original = self.clone();
        self.windowed().rewrite(&mut { set }).unwrap_or(original)
    }

    /// Aggregates over the last `rows` rows, the row's own included. The order is [`Expr::over`]'s.
    pub fn rolling(self, rows: u32) -> Expr {
        let start = FrameBound::at(1 - i64::from(rows.max(1)));
        self.framed(Frame { unit: FrameUnit::Rows, start, end: FrameBound::CurrentRow })
    }

    /// Aggregates over the rows whose order key is at most `distance` before the row's own: a number, or an
    /// interval where the key is a time. The order is [`Expr::over`]'s.
    pub fn rolling_by(self, distance: impl IntoLiteral) -> Expr {
        let start = FrameBound::preceding(distance);
        self.framed(Frame { unit: FrameUnit::Range, start, end: FrameBound::CurrentRow })
    }

    /// Aggregates over the rows from the partition's first to this one. The order is [`Expr::over`]'s.
    pub fn cumulative(self) -> Expr {
        let start = FrameBound::UnboundedPreceding;
        self.framed(Frame { unit: FrameUnit::Rows, start, end: FrameBound::CurrentRow })
    }

    /// The sum of the rows so far.
    pub fn cum_sum(self) -> Expr {
        self.sum().cumulative()
    }

    /// The least of the rows so far.
    pub fn cum_min(self) -> Expr {
        self.min().cumulative()
    }

    /// The greatest of the rows so far.
    pub fn cum_max(self) -> Expr {
        self.max().cumulative()
    }

    /// The number of values so far that are not NULL.
    pub fn cum_count(self) -> Expr {
        self.count().cumulative()
    }

    /// The value `rows` rows before.
    pub fn lag(self, rows: i64) -> Expr {
        window(WindowFunction::Lag, vec![self, lit(rows)])
    }

    /// The value `rows` rows behind.
    pub fn lead(self, rows: i64) -> Expr {
        window(WindowFunction::Lead, vec![self, lit(rows)])
    }

    /// The value `rows` rows before, or behind where that is negative.
    pub fn shift(self, rows: i64) -> Expr {
        self.lag(rows)
    }

    /// The difference to the value `rows` rows before.
    pub fn diff(self, rows: i64) -> Expr {
        self.clone() - self.lag(rows)
    }

    /// The change from the value `rows` rows before, as a share of it.
    pub fn pct_change(self, rows: i64) -> Expr {
        self.clone() / self.lag(rows) - lit(1_i64)
    }

    /// NULLs replaced by the last value before them.
    pub fn forward_fill(self) -> Expr {
        let last = window(WindowFunction::LastValue, vec![self]).ignore_nulls();
        last.cumulative()
    }

    /// NULLs replaced by the first value behind them.
    pub fn backward_fill(self) -> Expr {
        let first = window(WindowFunction::FirstValue, vec![self]).ignore_nulls();
        let (start, end) = (FrameBound::CurrentRow, FrameBound::UnboundedFollowing);
        first.framed(Frame { unit: FrameUnit::Rows, start, end })
    }

    /// The value of the frame's `n`-th row, from one.
    pub fn nth_value(self, n: i64) -> Expr {
        window(WindowFunction::NthValue, vec![self, lit(n)])
    }

    /// `first`, `last` and `nth_value` of the values that are not NULL.
    pub fn ignore_nulls(self) -> Expr {
        self.map_windows(|call| {
            use super::WindowFunction::{Aggregate, FirstValue, LastValue};
            use crate::aggregate::AggregateFunction::{First, Last};
            match call.function {
                Aggregate(First) => call.function = FirstValue,
                Aggregate(Last) => call.function = LastValue,
                _ => {}
            }
            call.ignore_nulls = true;
        })
    }

    fn framed(self, frame: Frame) -> Expr {
        self.map_windows(|call| call.over.frame = Some(frame.clone()))
    }

    fn map_windows(self, mut change: impl FnMut(&mut WindowCall)) -> Expr {
        let original = self.clone();
        let windowed = self.windowed().rewrite(&mut |node| {
            Ok(match node {
                Expr::Window(mut call) => {
                    change(Arc::make_mut(&mut call));
                    Expr::Window(call)
                }
                other => other,
            })
        });
        windowed.unwrap_or(original)
    }

    /// Aggregates as window functions over all rows.
    fn windowed(self) -> Expr {
        match self {
            Expr::Aggregate(call) if call.order_by.is_empty() => {
                let call = Arc::unwrap_or_clone(call);
                Expr::Window(Arc::new(WindowCall {
                    function: WindowFunction::Aggregate(call.function),
                    args: call.args,
                    filter: call.filter,
                    distinct: call.distinct,
                    ignore_nulls: false,
                    over: Over::default(),
                    span: call.span,
                }))
            }
            // What is inside of one has its own rows.
            window @ Expr::Window(_) => window,
            other => {
                let original = other.clone();
                other.map_children(&mut |child| Ok(child.windowed())).unwrap_or(original)
            }
        }
    }
}

fn window(function: WindowFunction, args: Vec<Expr>) -> Expr {
    Expr::Window(Arc::new(WindowCall {
        function,
        args,
        filter: None,
        distinct: false,
        ignore_nulls: false,
        over: Over::default(),
        span: Span::NONE,
    }))
}
