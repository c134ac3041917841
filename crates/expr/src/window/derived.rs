//! Functions that are expressions over others, and frames that are read from their other end.
//!
//! ```text
//!   percent_rank()                              (rank() - 1) / (count(*) - 1)
//!   sum(x) rows from here to the end    ---->   sum(x) rows from the start to here, in reverse order
//! ```
//!
//! So evaluators never wait for a partition's end to know where a row stands in it, and no frame has an open
//! end but those that hold the whole partition.

use dframe_core::{Error, Result};

use super::{Frame, FrameBound, FrameUnit, Over, WindowCall, WindowFunction};
use crate::aggregate::AggregateFunction;
use crate::expr::{Expr, Literal};
use crate::kernel::cast;
use crate::sort_key::SortKey;
use crate::{call, greatest, lit, when};
use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use std::sync::Arc;

/// `call` as an expression over other calls; itself where it is computed as it is.
///
/// # Errors
/// Arguments that must be constants and are none.
pub fn derived(window: WindowCall) -> Result<Expr> {
    use WindowFunction::{Aggregate, CumeDist, FirstValue, LastValue, Ntile, PercentRank};
    Ok(match &window.function {
        PercentRank => {
            no_arguments(&window)?;
            let rows = rows_of_partition(&window);
            let ranks = beside(&window, WindowFunction::Rank) - lit(1_i64);
            when(rows.clone().gt(lit(1_i64))).then(ranks / (rows - lit(1_i64))).otherwise(lit(0.0))
        }
        CumeDist => {
            no_arguments(&window)?;
            let so_far = WindowCall {
                function: Aggregate(AggregateFunction::Count),
                over: Over { frame: None, ..window.over.clone() },
                ..window.clone()
            };
            Expr::Window(Arc::new(so_far)) / rows_of_partition(&window)
        }
        Ntile => ntile(&window)?,
        Aggregate(AggregateFunction::First) if window.filter.is_none() => {
            Expr::Window(Arc::new(WindowCall { function: FirstValue, ..window }))
        }
        Aggregate(AggregateFunction::Last) if window.filter.is_none() => {
            Expr::Window(Arc::new(WindowCall { function: LastValue, ..window }))
        }
        Aggregate(AggregateFunction::AnyValue) if window.filter.is_none() => {
            let first = WindowCall { function: FirstValue, ignore_nulls: true, ..window };
            Expr::Window(Arc::new(first))
        }
        _ => Expr::Window(Arc::new(window)),
    })
}

fn no_arguments(window: &WindowCall) -> Result<()> {
    match window.args.len() {
        0 => Ok(()),
        given => {
            let name = window.function.name();
            Err(Error::invalid_input(format!("{name} takes no argument(s), not {given}")))
        }
    }
}

/// Another function without arguments over the same rows.
fn beside(window: &WindowCall, function: WindowFunction) -> Expr {
    Expr::Window(Arc::new(WindowCall { function, args: vec![], ..window.clone() }))
}

fn rows_of_partition(window: &WindowCall) -> Expr {
    let over = Over { partition_by: window.over.partition_by.clone(), ..Over::default() };
    let function = WindowFunction::Aggregate(AggregateFunction::Count);
    let count = WindowCall { function, args: vec![], over, ..window.clone() };
    Expr::Window(Arc::new(count))
}

/// The first `rows % parts` parts have a row more than the others.
fn ntile(window: &WindowCall) -> Result<Expr> {
    let [parts] = window.args.as_slice() else {
        let given = window.args.len();
        return Err(Error::invalid_input(format!("ntile takes one argument(s), not {given}")));
    };
    let parts = constant_integer(parts, "the number of parts of ntile")?;
    if parts < 1 {
        return Err(Error::invalid_input(format!("ntile cannot make {parts} parts"))
            .remedy("the number of parts must be greater than zero"));
    }
    let row = beside(window, WindowFunction::RowNumber) - lit(1_i64);
    let rows = rows_of_partition(window);
    let small = rows.clone().floor_div(lit(parts));
    let large = small.clone() + lit(1_i64);
    let more = call("mod", [rows, lit(parts)]);
    let in_large = more.clone() * large.clone();
    let part_of_large = row.clone().floor_div(large) + lit(1_i64);
    let part_of_small = more
        + (row.clone() - in_large.clone()).floor_div(greatest([small, lit(1_i64)]))
        + lit(1_i64);
    Ok(when(row.lt(in_large)).then(part_of_large).otherwise(part_of_small))
}

/// The value of a constant that is a whole number.
pub(super) fn constant_integer(expr: &Expr, what: &str) -> Result<i64> {
    let error = || {
        let error =
            Error::invalid_input(format!("{what} must be a constant whole number, not {expr}"));
        match expr.span().range() {
            Some(range) => error.span(range),
            None => error,
        }
    };
    let value = crate::bind::constant_value(expr).map_err(|_| error())?;
    if !value.data_type().is_integer() || value.is_null(0) {
        return Err(error());
    }
    let value = cast::cast(&value, &DataType::Int64, true).map_err(|_| error())?;
    Ok(value.as_primitive::<Int64Type>().value(0))
}

/// `window` over the same rows in reverse order, where its frame begins somewhere in the partition and ends
/// with it. Equal rows are then to be taken in the reverse order of the input.
pub fn from_the_end(window: &WindowCall) -> Option<WindowCall> {
    let frame = normal_frame(window);
    let open_end = frame.end == FrameBound::UnboundedFollowing
        && frame.start != FrameBound::UnboundedPreceding;
    if !open_end || !(window.function.picks() || is_aggregate(&window.function)) {
        return None;
    }
    let function = match &window.function {
        WindowFunction::FirstValue => WindowFunction::LastValue,
        WindowFunction::LastValue => WindowFunction::FirstValue,
        WindowFunction::NthValue => WindowFunction::NthFromLast,
        WindowFunction::NthFromLast => WindowFunction::NthValue,
        other => other.clone(),
    };
    let start = FrameBound::UnboundedPreceding;
    let frame = Frame { unit: frame.unit, start, end: mirrored(frame.start) };
    let order_by = window.over.order_by.iter().map(reversed).collect();
    let over = Over { order_by, frame: Some(frame), ..window.over.clone() };
    Some(WindowCall { function, over, ..window.clone() })
}

fn is_aggregate(function: &WindowFunction) -> bool {
    matches!(function, WindowFunction::Aggregate(_))
}

/// Without an order all rows are peers, so that a range from or to the row is all rows.
pub(super) fn normal_frame(window: &WindowCall) -> Frame {
    let mut frame = window.frame();
    if window.over.order_by.is_empty() && frame.unit == FrameUnit::Range {
        if frame.start == FrameBound::CurrentRow {
            frame.start = FrameBound::UnboundedPreceding;
        }
        if frame.end == FrameBound::CurrentRow {
            frame.end = FrameBound::UnboundedFollowing;
        }
    }
    frame
}

fn mirrored(bound: FrameBound) -> FrameBound {
    match bound {
        FrameBound::UnboundedPreceding => FrameBound::UnboundedFollowing,
        FrameBound::Preceding(offset) => FrameBound::Following(offset),
        FrameBound::CurrentRow => FrameBound::CurrentRow,
        FrameBound::Following(offset) => FrameBound::Preceding(offset),
        FrameBound::UnboundedFollowing => FrameBound::UnboundedPreceding,
    }
}

fn reversed(key: &SortKey) -> SortKey {
    SortKey { descending: !key.descending, nulls_first: !key.nulls_first, expr: key.expr.clone() }
}

/// The name that a literal goes by in errors.
pub(super) fn shown(literal: &Literal) -> String {
    Expr::Literal(literal.clone()).to_string()
}
