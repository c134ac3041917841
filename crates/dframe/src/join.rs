//! Joins: how two frames are put side by side, said step by step.

use std::sync::Arc;

use arrow::array::IntervalMonthDayNanoArray;
use arrow::datatypes::Schema;
use dframe_core::Result;
use dframe_expr::{Expr, Literal, TimeWindows};
use dframe_plan::LogicalPlan;
use dframe_plan::node::{Asof, AsofDirection, JoinKind, JoinOn};

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
    asof: Option<Asof>,
    tolerance: Option<Expr>,
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
            asof: None,
            tolerance: None,
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

    /// Makes it an as-of join: the last key is ordered, and each left row has one partner at most, the nearest in
    /// `direction` among the right rows whose other keys are equal. Left rows without one come out, unless
    /// [`JoinBuilder::how`] says that only pairs do.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/ticks.parquet");
    /// let ticks = scan_parquet(path)?;
    /// let buys = ticks.clone().filter(col("side").eq("B"));
    /// let sells = ticks.filter(col("side").eq("S")).select(["ticker", "ts", "price"]);
    /// // Each buy with the price of the last sell of its ticker, if that is at most a minute ago.
    /// let pairs = buys.clone().join_with(sells).asof(AsofDirection::Backward).on(["ticker", "ts"]).tolerance("1m")?.finish();
    /// assert_eq!(pairs.count()?, buys.count()?);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    pub fn asof(mut self, direction: AsofDirection) -> Self {
        if self.kind == JoinKind::Inner && self.asof.is_none() {
            self.kind = JoinKind::Left;
        }
        let exact = self.asof.is_none_or(|asof| asof.exact);
        Self { asof: Some(Asof { direction, exact }), ..self }
    }

    /// An as-of partner must not have an equal key.
    pub fn no_exact_matches(mut self) -> Self {
        if let Some(asof) = &mut self.asof {
            asof.exact = false;
        }
        self
    }

    /// An as-of partner must not be further away than this length of time, as `"5m"` or `"1d12h"`.
    ///
    /// # Errors
    /// Text that is no length.
    pub fn tolerance(self, length: &str) -> Result<Self> {
        let length = TimeWindows::parse_interval(length)?;
        let length = Literal(Arc::new(IntervalMonthDayNanoArray::from(vec![length])));
        Ok(self.tolerance_of(Expr::Literal(length)))
    }

    /// An as-of partner must not be further away than this number or interval.
    pub fn tolerance_of(self, distance: impl Into<Expr>) -> Self {
        Self { tolerance: Some(distance.into()), ..self }
    }

    /// The left's columns, then the right's: keys of the same name once, others of the same name with
    /// `_right` behind the right's.
    pub fn finish(self) -> LazyFrame {
        match self.asof {
            None => self.made_by(|left, right, on, _| left.join_columns(right, on)),
            Some(asof) => self.made_by(move |left, right, on, tolerance| {
                left.join_asof(right, on, asof, tolerance)
            }),
        }
    }

    /// As [`JoinBuilder::finish`], with all columns of both, the right's keys too.
    pub fn finish_with_all_columns(self) -> LazyFrame {
        match self.asof {
            None => self.made_by(|left, right, on, _| left.join(right, on)),
            Some(asof) => self.made_by(move |left, right, on, tolerance| {
                left.join_asof_all(right, on, asof, tolerance)
            }),
        }
    }

    fn made_by(
        self,
        make: impl FnOnce(LogicalPlan, LogicalPlan, JoinOn, Option<Expr>) -> Result<LogicalPlan>,
    ) -> LazyFrame {
        let Self {
            left,
            right,
            kind,
            left_keys,
            right_keys,
            nulls_equal,
            condition,
            tolerance,
            ..
        } = self;
        left.then(|left| {
            let right = right.plan()?;
            let keys = pairs(left_keys, right_keys)?;
            make(left, right, JoinOn { kind, keys, nulls_equal, condition, asof: None }, tolerance)
        })
    }

    /// The columns of both sides.
    ///
    /// # Errors
    /// What is wrong with a step of the query on either side.
    pub fn schemas(&self) -> Result<(Arc<Schema>, Arc<Schema>)> {
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
