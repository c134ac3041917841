//! As-of joins: each left row with the one right row whose key is nearest in an order, as trades with quotes.
//!
//! ```text
//!   trades  09:30:05 A       quotes  09:30:01 A 7.0     backward    09:30:05 A 7.1
//!                                    09:30:04 A 7.1
//!                                    09:30:06 A 7.2     forward     09:30:05 A 7.2
//! ```
//!
//! It is a [`Join`](super::Join) whose last key is ordered, whose other keys are equal, and whose condition is the
//! tolerance: a partner that does not fulfil it is none.

use arrow::datatypes::{DataType, Schema};
use dframe_core::{Error, Result};
use dframe_expr::{Column, Expr, bind};

use super::join::{PairNames, unqualified};
use super::{JoinKind, JoinOn};
use crate::logical::LogicalPlan;

/// Which partner a left row gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AsofDirection {
    /// The last at or before its key.
    Backward,
    /// The first at or after its key.
    Forward,
    /// The nearer of both; the one before if they are as far.
    Nearest,
}

/// How a right row is found for a left one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Asof {
    /// Where it lies.
    pub direction: AsofDirection,
    /// Whether a key that is equal counts.
    pub exact: bool,
}

impl Asof {
    /// The name in plans.
    pub(super) fn name(self) -> String {
        let direction = format!("{:?}", self.direction).to_lowercase();
        let exact = if self.exact { "" } else { " without equal keys" };
        format!(" asof {direction}{exact}")
    }

    /// How the ordered keys of a pair compare in plans.
    pub(super) fn operator(self) -> &'static str {
        match (self.direction, self.exact) {
            (AsofDirection::Backward, true) => ">=",
            (AsofDirection::Backward, false) => ">",
            (AsofDirection::Forward, true) => "<=",
            (AsofDirection::Forward, false) => "<",
            (AsofDirection::Nearest, _) => "~",
        }
    }
}

impl LogicalPlan {
    /// The as-of join of this plan, the left, with `right`, with keys of one name once. The last of `on.keys` is the
    /// ordered one. With a tolerance, partners whose ordered key is further away than that do not count: a number, or an
    /// interval for times.
    ///
    /// # Errors
    /// As [`LogicalPlan::join`]; other kinds than inner and left; a condition; a tolerance or a direction that does not
    /// suit the type of the key.
    pub fn join_asof(
        self,
        right: LogicalPlan,
        on: JoinOn,
        asof: Asof,
        tolerance: Option<Expr>,
    ) -> Result<Self> {
        let on = asof_on(&self, &right, on, asof, tolerance)?;
        self.join_columns(right, on)
    }

    /// As [`LogicalPlan::join_asof`], with all columns of both, the right's keys too.
    ///
    /// # Errors
    /// As [`LogicalPlan::join_asof`].
    pub fn join_asof_all(
        self,
        right: LogicalPlan,
        on: JoinOn,
        asof: Asof,
        tolerance: Option<Expr>,
    ) -> Result<Self> {
        let on = asof_on(&self, &right, on, asof, tolerance)?;
        self.join(right, on)
    }
}

fn asof_on(
    left: &LogicalPlan,
    right: &LogicalPlan,
    on: JoinOn,
    asof: Asof,
    tolerance: Option<Expr>,
) -> Result<JoinOn> {
    if !matches!(on.kind, JoinKind::Inner | JoinKind::Left) {
        let message = format!("there is no {} as-of join", on.kind.name());
        return Err(Error::unsupported(message).remedy("make it an inner or a left one"));
    }
    if on.condition.is_some() {
        return Err(Error::unsupported("an as-of join has no condition besides its keys")
            .remedy("filter the right side first, or the result afterwards"));
    }
    if on.nulls_equal {
        return Err(Error::unsupported("NULL keys have no partner in an as-of join"));
    }
    if asof.direction == AsofDirection::Nearest && !asof.exact {
        return Err(Error::unsupported("the nearest partner may have an equal key")
            .remedy("look backward or forward"));
    }
    let Some((left_key, right_key)) = on.keys.last().cloned() else {
        return Err(Error::invalid_input("an as-of join has no ordered key")
            .remedy("name the columns to join on, the ordered one last"));
    };
    let (left_key, right_key) = (unqualified(left_key), unqualified(right_key));
    let (over, other) = (left.schema(), right.schema());
    let key_type = bind(&left_key, &over)?.data_type().clone();
    let has_distance = key_type.is_numeric() || key_type.is_temporal();
    if !has_distance && (asof.direction == AsofDirection::Nearest || tolerance.is_some()) {
        let name = dframe_expr::type_name(&key_type);
        let message = format!("{left_key} is {name}, which has no distances");
        return Err(
            Error::invalid_input(message).remedy("look backward or forward, without a tolerance")
        );
    }
    let right_key = in_pair(right_key, &over, &other)?;
    let condition = tolerance
        .map(|tolerance| within(asof.direction, (left_key, right_key), &key_type, tolerance));
    Ok(JoinOn { asof: Some(asof), condition: condition.transpose()?, ..on })
}

/// A key of the right in the names of a pair.
fn in_pair(key: Expr, left: &Schema, right: &Schema) -> Result<Expr> {
    let names = PairNames::new(left, right);
    key.rewrite(&mut |node| match node {
        Expr::Column(column) => {
            let plain = Column { relation: None, ..column.clone() };
            let index = dframe_expr::resolve_column(right, &plain)?;
            let own = right.field(index).name();
            let name = names.of_right(own).unwrap_or(own).to_string();
            Ok(Expr::Column(Column { name, ..plain }))
        }
        other => Ok(other),
    })
}

/// The condition that the keys of a pair are within `tolerance`.
fn within(
    direction: AsofDirection,
    (left, right): (Expr, Expr),
    key_type: &DataType,
    tolerance: Expr,
) -> Result<Expr> {
    let tolerance_type = bind(&tolerance, &Schema::empty())?.data_type().clone();
    let is_interval = matches!(tolerance_type, DataType::Interval(_));
    let is_instant = matches!(key_type, DataType::Timestamp(..));
    if is_interval != is_instant && !(is_interval && *key_type == DataType::Date32) {
        let [key, given] = [key_type, &tolerance_type].map(dframe_expr::type_name);
        return Err(Error::invalid_input(format!(
            "a tolerance of {given} does not suit keys of {key}"
        ))
        .remedy("give an interval for times, and a number for numbers"));
    }
    // Differences of the limits of integers do not fit integers.
    let wide = |key: Expr| match key_type {
        DataType::Date32 if is_interval => {
            key.cast(DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None))
        }
        other if other.is_integer() => key.cast(DataType::Decimal128(38, 0)),
        _ => key,
    };
    // The difference of two infinities is no number.
    let equal = left.clone().eq(right.clone());
    let (left, right) = (wide(left), wide(right));
    let before = (left.clone() - right.clone()).lt_eq(tolerance.clone());
    let after = (right - left).lt_eq(tolerance);
    let near = match direction {
        AsofDirection::Backward => before,
        AsofDirection::Forward => after,
        AsofDirection::Nearest => before.and(after),
    };
    Ok(if key_type.is_floating() { equal.or(near) } else { near })
}
