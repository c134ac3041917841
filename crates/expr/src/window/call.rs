//! A call of a window function, by name: data, as every expression is.

use std::fmt::{self, Display, Formatter};

use crate::aggregate::AggregateFunction;
use crate::display::List;
use crate::expr::{Expr, Literal, Span};
use crate::sort_key::SortKey;

/// A window function.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum WindowFunction {
    /// The number of the row in its partition, from one.
    RowNumber,
    /// The number of the first of its peers.
    Rank,
    /// The number of different order keys so far.
    DenseRank,
    /// `(rank - 1) / (rows - 1)`.
    PercentRank,
    /// The share of rows that come before or are peers.
    CumeDist,
    /// Which of so many about equal parts of the partition the row is in.
    Ntile,
    /// The value so many rows before.
    Lag,
    /// The value so many rows behind.
    Lead,
    /// The value of the frame's first row.
    FirstValue,
    /// The value of the frame's last row.
    LastValue,
    /// The value of the frame's n-th row.
    NthValue,
    /// The value of the n-th row from the frame's end.
    NthFromLast,
    /// An aggregate over the frame.
    Aggregate(AggregateFunction),
}

impl WindowFunction {
    /// The function of this name, in lower case, that is one only with `OVER`.
    pub fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, own)| *own == name).map(|(function, _)| function.clone())
    }

    /// The name.
    pub fn name(&self) -> &str {
        match self {
            Self::Aggregate(function) => function.name(),
            Self::NthFromLast => "nth_value",
            _ => NAMES.iter().find(|(known, _)| known == self).map_or("", |(_, name)| name),
        }
    }

    /// Every name that [`WindowFunction::parse`] knows.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(_, name)| *name)
    }

    /// Whether it picks a value of the frame, so that `IGNORE NULLS` means something.
    pub(super) fn picks(&self) -> bool {
        use WindowFunction::{FirstValue, LastValue, NthFromLast, NthValue};
        matches!(self, FirstValue | LastValue | NthValue | NthFromLast)
    }
}

const NAMES: [(WindowFunction, &str); 11] = [
    (WindowFunction::RowNumber, "row_number"),
    (WindowFunction::Rank, "rank"),
    (WindowFunction::DenseRank, "dense_rank"),
    (WindowFunction::PercentRank, "percent_rank"),
    (WindowFunction::CumeDist, "cume_dist"),
    (WindowFunction::Ntile, "ntile"),
    (WindowFunction::Lag, "lag"),
    (WindowFunction::Lead, "lead"),
    (WindowFunction::FirstValue, "first_value"),
    (WindowFunction::LastValue, "last_value"),
    (WindowFunction::NthValue, "nth_value"),
];

/// What the frame's bounds count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameUnit {
    /// Rows.
    Rows,
    /// Distances of the order key.
    Range,
    /// Groups of peers.
    Groups,
}

/// An end of a frame. Offsets are constants that are not negative.
#[derive(Clone, Debug, PartialEq)]
pub enum FrameBound {
    /// The partition's first row.
    UnboundedPreceding,
    /// So much before.
    Preceding(Literal),
    /// The row itself; for ranges and groups its first or last peer.
    CurrentRow,
    /// So much behind.
    Following(Literal),
    /// The partition's last row.
    UnboundedFollowing,
}

/// Which rows of the partition an answer is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// What the bounds count.
    pub unit: FrameUnit,
    /// The first row.
    pub start: FrameBound,
    /// The last row.
    pub end: FrameBound,
}

/// `OVER (PARTITION BY .. ORDER BY .. frame)`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Over {
    /// Rows see only rows that agree on these.
    pub partition_by: Vec<Expr>,
    /// The order within a partition; rows that are equal in it keep the order of the input.
    pub order_by: Vec<SortKey>,
    /// The frame. Without it, with an order: from the partition's first row to the last peer; else all.
    pub frame: Option<Frame>,
}

/// A call of a window function.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowCall {
    /// The function.
    pub function: WindowFunction,
    /// Its arguments; those that are no values of rows (offsets, n) are constants.
    pub args: Vec<Expr>,
    /// `FILTER (WHERE ...)` of an aggregate.
    pub filter: Option<Box<Expr>>,
    /// `DISTINCT`, which is refused when it is bound.
    pub distinct: bool,
    /// `IGNORE NULLS`.
    pub ignore_nulls: bool,
    /// The rows it is about.
    pub over: Over,
    /// Where it was written.
    pub span: Span,
}

impl WindowCall {
    /// The frame, whether it was written or not.
    pub fn frame(&self) -> Frame {
        let end = match self.over.order_by.is_empty() {
            true => FrameBound::UnboundedFollowing,
            false => FrameBound::CurrentRow,
        };
        let usual = Frame { unit: FrameUnit::Range, start: FrameBound::UnboundedPreceding, end };
        self.over.frame.clone().unwrap_or(usual)
    }
}

impl Display for WindowCall {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = self.function.name();
        let is_count = self.function == WindowFunction::Aggregate(AggregateFunction::Count);
        match is_count && self.args.is_empty() {
            true => write!(f, "{name}(*)")?,
            false => {
                let distinct = if self.distinct { "DISTINCT " } else { "" };
                let nulls = if self.ignore_nulls { " IGNORE NULLS" } else { "" };
                let last = self.function == WindowFunction::NthFromLast;
                let last = if last { " FROM LAST" } else { "" };
                write!(f, "{name}({distinct}{}{last}{nulls})", List(&self.args))?;
            }
        }
        if let Some(filter) = &self.filter {
            write!(f, " FILTER (WHERE {filter})")?;
        }
        write!(f, " OVER ({})", self.over)
    }
}

impl Display for Over {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut clauses = Vec::new();
        if !self.partition_by.is_empty() {
            clauses.push(format!("PARTITION BY {}", List(&self.partition_by)));
        }
        if !self.order_by.is_empty() {
            let keys: Vec<String> = self.order_by.iter().map(ToString::to_string).collect();
            clauses.push(format!("ORDER BY {}", keys.join(", ")));
        }
        clauses.extend(self.frame.as_ref().map(ToString::to_string));
        f.write_str(&clauses.join(" "))
    }
}

impl Display for Frame {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            FrameUnit::Rows => "ROWS",
            FrameUnit::Range => "RANGE",
            FrameUnit::Groups => "GROUPS",
        };
        write!(f, "{unit} BETWEEN {} AND {}", self.start, self.end)
    }
}

impl Display for FrameBound {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            FrameBound::UnboundedPreceding => f.write_str("UNBOUNDED PRECEDING"),
            FrameBound::Preceding(offset) => write!(f, "{offset} PRECEDING"),
            FrameBound::CurrentRow => f.write_str("CURRENT ROW"),
            FrameBound::Following(offset) => write!(f, "{offset} FOLLOWING"),
            FrameBound::UnboundedFollowing => f.write_str("UNBOUNDED FOLLOWING"),
        }
    }
}
