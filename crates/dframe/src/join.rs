//! Joins: how two frames are put side by side, said step by step.

use arrow::datatypes::Schema;
use dframe_core::Result;
use dframe_expr::Expr;
use dframe_plan::LogicalPlan;
use dframe_plan::node::{JoinKind, JoinOn};

use crate::columns::{IntoColumn, columns};
use crate::frame::LazyFrame;

/// Two frames to be joined; [`JoinBuilder::finish`] makes a frame of the pairs.
///
/// ```
/// use dframe::prelude::*;
///
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
/// let flights = scan_parquet(path)?;
/// let hubs = flights.clone().group_by(["origin"]).having(count_all().gt(5000)).agg([count_all().alias("n")]);
/// // Flights that arrive at a hub, with the departures of that hub.
/// let arrivals = flights.join_with(hubs)
///     .left_on(["destination"])
///     .right_on(["origin"])
///     .finish()
///     .select(["origin", "destination", "n"]);
/// assert_eq!(arrivals.schema()?.fields().len(), 3);
/// # Ok::<(), dframe::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a join does nothing until it is finished"]
pub struct JoinBuilder {
    left: LazyFrame,
    right: LazyFrame,
    kind: JoinKind,
    left_keys: Vec<Expr>,
    right_keys: Vec<Expr>,
    nulls_equal: bool,
    condition: Option<Expr>,
}

impl JoinBuilder {
    pub(crate) fn new(left: LazyFrame, right: LazyFrame) -> Self {
        Self {
            left,
            right,
            kind: JoinKind::Inner,
            left_keys: vec![],
            right_keys: vec![],
            nulls_equal: false,
            condition: None,
        }
    }

    /// Which rows come out; pairs only, if this is not called.
    pub fn how(self, kind: JoinKind) -> Self {
        Self { kind, ..self }
    }

    /// Keys of the same names on both sides.
    pub fn on(self, keys: impl IntoIterator<Item = impl IntoColumn>) -> Self {
        let keys = columns(keys);
        self.left_on(keys.clone()).right_on(keys)
    }

    /// Keys of the left.
    pub fn left_on(mut self, keys: impl IntoIterator<Item = impl IntoColumn>) -> Self {
        self.left_keys.extend(columns(keys));
        self
    }

    /// Keys of the right, in the order of the left's.
    pub fn right_on(mut self, keys: impl IntoIterator<Item = impl IntoColumn>) -> Self {
        self.right_keys.extend(columns(keys));
        self
    }

    /// A NULL key equals a NULL key.
    pub fn nulls_equal(self) -> Self {
        Self { nulls_equal: true, ..self }
    }

    /// A further condition on pairs. A name that both sides have means the left's column; the right's is
    /// `x_right`, or `qualified("right", "x")`.
    pub fn condition(mut self, condition: Expr) -> Self {
        self.condition = Some(match self.condition.take() {
            Some(earlier) => earlier.and(condition),
            None => condition,
        });
        self
    }

    /// The left's columns, then the right's: keys of the same name once, others of the same name with
    /// `_right` behind the right's.
    pub fn finish(self) -> LazyFrame {
        self.made_by(LogicalPlan::join_columns)
    }

    /// As [`JoinBuilder::finish`], with all columns of both, the right's keys too.
    pub fn finish_with_all_columns(self) -> LazyFrame {
        self.made_by(LogicalPlan::join)
    }

    fn made_by(
        self,
        make: fn(LogicalPlan, LogicalPlan, JoinOn) -> Result<LogicalPlan>,
    ) -> LazyFrame {
        let Self { left, right, kind, left_keys, right_keys, nulls_equal, condition } = self;
        left.then(|left| {
            let right = right.plan()?;
            let keys = pairs(left_keys, right_keys)?;
            make(left, right, JoinOn { kind, keys, nulls_equal, condition })
        })
    }

    /// The columns of both sides.
    ///
    /// # Errors
    /// What is wrong with a step of the query on either side.
    pub fn schemas(&self) -> Result<(std::sync::Arc<Schema>, std::sync::Arc<Schema>)> {
        Ok((self.left.schema()?, self.right.schema()?))
    }
}

fn pairs(left: Vec<Expr>, right: Vec<Expr>) -> Result<Vec<(Expr, Expr)>> {
    if left.len() != right.len() {
        let message = format!("{} left keys and {} right keys", left.len(), right.len());
        return Err(dframe_core::Error::invalid_input(format!("a join has {message}"))
            .remedy("name as many keys on either side"));
    }
    Ok(left.into_iter().zip(right).collect())
}
