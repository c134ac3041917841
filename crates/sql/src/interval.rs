//! Intervals: `INTERVAL '2 months 3 days'`, `INTERVAL 1 DAY`, `INTERVAL (n) HOUR`.

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, IntervalUnit};
use dframe_core::{Error, Result};
use dframe_expr::{BinaryOp, Expr, Literal, Span};

use crate::literal::typed;

/// The interval that `value` and `unit`, in lower case, make.
pub(crate) fn interval(value: Expr, unit: Option<&str>, span: Span) -> Result<Expr> {
    let to = DataType::Interval(IntervalUnit::MonthDayNano);
    match (value, unit) {
        (Expr::Literal(literal), None) => typed(&text(&literal)?, to, span),
        (Expr::Literal(literal), Some(unit)) => {
            typed(&format!("{} {unit}", text(&literal)?), to, span)
        }
        (value, Some(unit)) => {
            Ok(value.binary(BinaryOp::Multiply, typed(&format!("1 {unit}"), to, span)?))
        }
        (_, None) => Err(Error::invalid_input("an interval needs a unit")
            .remedy("write one behind it, as in INTERVAL (n) DAY")),
    }
}

fn text(literal: &Literal) -> Result<String> {
    let text = cast(&literal.0, &DataType::Utf8)?;
    let text = text.as_string::<i32>();
    Ok(text.iter().next().flatten().unwrap_or_default().trim().to_string())
}
