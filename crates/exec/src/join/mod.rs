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
//! `keys` makes keys comparable, `key_index` finds them, `table` has the rows, `probe` makes what comes out of the rows
//! found, `bucket` fits a bucket into memory, `broadcast` shares one table between tasks,
//! `key_filter` keeps rows without a partner from being cut, `probed_units` and `probed_rows` tell which units and rows of the other side need not be read.

mod broadcast;
mod bucket;
mod key_filter;
mod key_index;
mod keys;
mod look_up;
mod probe;
mod probed_rows;
mod probed_units;
mod table;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use dframe_core::{Error, Result};
use dframe_expr::BoundExpr;
use dframe_plan::node::JoinKind;

pub(crate) use broadcast::Broadcast;
pub(crate) use bucket::JoinBuckets;
pub(crate) use key_filter::KeyFilter;
pub(crate) use key_index::{END, KeyIndex};
pub(crate) use look_up::LookUp;
pub(crate) use probed_rows::ProbedRows;
pub(crate) use probed_units::ProbedUnits;

use crate::exchange::ExchangeSpec;
pub(crate) use keys::KeyCoder;
pub(crate) use table::columns_of;

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
    pub(crate) fn keeps(&self, side: Side) -> bool {
        match side {
            Side::Left => self.kind.keeps_left(),
            Side::Right => self.kind.keeps_right(),
        }
    }

    /// Whether pairs come out.
    fn emits_pairs(&self) -> bool {
        !self.kind.is_left_only()
    }

    /// Whether so many rows can come out of so many of the left and the right, all of which were joined.
    ///
    /// # Errors
    /// An internal one if rows were lost, or came out twice.
    fn check_count(&self, [left, right]: [u64; 2], out: u64) -> Result<()> {
        if can_make(self.kind, [left, right], out) {
            return Ok(());
        }
        let kind = self.kind.name();
        Err(Error::internal(format!("a {kind} join makes {out} rows of {left} and {right}")))
    }

    /// Whether it matters which rows of `side` have found a partner.
    fn marks(&self, side: Side) -> bool {
        self.keeps(side) || (self.kind == JoinKind::Semi && side == Side::Left)
    }
}

/// Whether a join of a kind can make so many rows of so many.
fn can_make(kind: JoinKind, [left, right]: [u64; 2], out: u64) -> bool {
    match kind {
        JoinKind::Inner => true,
        JoinKind::Left => out >= left,
        JoinKind::Right => out >= right,
        JoinKind::Full => out >= left.max(right),
        JoinKind::Semi | JoinKind::Anti => out <= left,
        JoinKind::Cross => u128::from(out) == u128::from(left) * u128::from(right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_rows_and_rows_too_many_are_found() {
        let fits = |kind, out| can_make(kind, [10, 7], out);
        assert!(fits(JoinKind::Inner, 0) && fits(JoinKind::Inner, 70));
        assert!(fits(JoinKind::Left, 10) && !fits(JoinKind::Left, 9));
        assert!(fits(JoinKind::Right, 7) && !fits(JoinKind::Right, 6));
        assert!(fits(JoinKind::Full, 10) && !fits(JoinKind::Full, 9));
        assert!(fits(JoinKind::Semi, 10) && !fits(JoinKind::Semi, 11));
        assert!(fits(JoinKind::Anti, 0) && !fits(JoinKind::Anti, 11));
        assert!(fits(JoinKind::Cross, 70) && !fits(JoinKind::Cross, 69));
        assert!(can_make(JoinKind::Full, [0, 0], 0));
    }
}
