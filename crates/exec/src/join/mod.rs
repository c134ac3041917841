//! Join: pairs of rows with equal keys, from a table of one side's rows that the other side's rows look
//! themselves up in.
//!
//! ```text
//!   small side --> one table --(shared)--> each task of the large side probes it          broadcast
//!
//!   left  --cut by key--+--> bucket --> a table of its smaller side, probed by the larger one    shuffle
//!   right --cut by key--+        |  the table does not fit
//!                                +--> both sides cut by the next bits, on disk --> smaller buckets
//!                                |  one key is too much
//!                                +--> block by block of the table's side, the other side read for each
//! ```
//!
//! `keys` makes keys comparable, `table` finds rows by key, `probe` makes what comes out of the rows
//! found, `bucket` fits a bucket into memory, `broadcast` shares one table between tasks,
//! `probed_units` tells which units of the other side need not be read.

mod broadcast;
mod bucket;
mod keys;
mod probe;
mod probed_units;
mod table;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use dframe_expr::BoundExpr;
use dframe_plan::node::JoinKind;

pub(crate) use broadcast::{Broadcast, BuildTable};
pub(crate) use bucket::JoinBuckets;
pub(crate) use probed_units::ProbedUnits;

use crate::exchange::ExchangeSpec;
pub(crate) use keys::KeyCoder;

/// A side of a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The left.
    Left,
    /// The right.
    Right,
}

impl Side {
    /// The other one.
    pub(crate) fn other(self) -> Side {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }
}

/// A join, bound to its inputs.
#[derive(Debug)]
pub(crate) struct JoinSpec {
    /// Which rows come out.
    pub(crate) kind: JoinKind,
    /// A further condition, over the pairs.
    pub(crate) condition: Option<BoundExpr>,
    /// The left's and the right's columns with their keys behind them, and how they are cut.
    pub(crate) sides: [Arc<ExchangeSpec>; 2],
    /// Makes keys comparable.
    pub(crate) coder: KeyCoder,
    /// The columns of a pair.
    pub(crate) pairs: SchemaRef,
    /// The columns that come out.
    pub(crate) output: SchemaRef,
    /// Memory that a table may take, at most.
    pub(crate) table_memory: usize,
}

impl JoinSpec {
    /// How the rows of `side` are laid out and cut.
    pub(crate) fn side(&self, side: Side) -> &Arc<ExchangeSpec> {
        &self.sides[side as usize]
    }

    /// The number of columns of `side`, keys that were computed excluded.
    fn columns(&self, side: Side) -> usize {
        self.side(side).columns()
    }

    /// Whether rows of `side` without a pair come out.
    fn keeps(&self, side: Side) -> bool {
        match side {
            Side::Left => self.kind.keeps_left(),
            Side::Right => self.kind.keeps_right(),
        }
    }

    /// Whether pairs come out.
    fn emits_pairs(&self) -> bool {
        !self.kind.is_left_only()
    }

    /// Whether it matters which rows of `side` have found a partner.
    fn marks(&self, side: Side) -> bool {
        self.keeps(side) || (self.kind == JoinKind::Semi && side == Side::Left)
    }
}
