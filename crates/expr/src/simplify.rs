//! Simplification of expressions by name: what a scan can prune with, and what need not be computed.
//!
//! Rules keep the value of every row, NULL included, and never compute what would fail: that is left
//! to run time, when there may be no row that asks for it.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Schema};

use crate::bind::{bind, constant_value};
use crate::coerce::lossless;
use crate::expr::{BinaryOp, Expr, Like, Literal, UnaryOp};
use crate::kernel::cast;

/// `expr` made simpler; with types from `schema` where constants adapt to columns.
pub fn simplify(expr: Expr, schema: &Schema) -> Expr {
    let original = expr.clone();
    expr.rewrite(&mut |node| Ok(simplify_node(node, schema))).unwrap_or(original)
}

/// The node, whose children are simple already.
fn simplify_node(node: Expr, schema: &Schema) -> Expr {
    let node = folded(node);
    match node {
        Expr::Unary { op: UnaryOp::Not, expr, span } => match negated(&expr) {
            Some(simple) => simple,
            None => Expr::Unary { op: UnaryOp::Not, expr, span },
        },
        Expr::Binary { left, op: op @ (BinaryOp::And | BinaryOp::Or), right, span } => {
            match logic(op, &left, &right) {
                Some(simple) => simple,
                None => Expr::Binary { left, op, right, span },
            }
        }
        Expr::Binary { left, op, right, span } if is_order(op) => {
            let (left, op, right) = match (&*left, &*right) {
                (Expr::Literal(_), Expr::Literal(_)) => (left, op, right),
                // Constants on the right, where whoever prunes looks for them.
                (Expr::Literal(_), _) => (right, op.mirrored(), left),
                _ => (left, op, right),
            };
            let right = Box::new(adapted(*right, &left, schema));
            Expr::Binary { left, op, right, span }
        }
        Expr::InList { expr, list, negated, span } => {
            let list = list.into_iter().map(|item| adapted(item, &expr, schema)).collect();
            Expr::InList { expr, list, negated, span }
        }
        other => other,
    }
}

fn is_order(op: BinaryOp) -> bool {
    use BinaryOp::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// A constant for a node of constants, unless it varies or fails.
fn folded(node: Expr) -> Expr {
    let constant = !matches!(node, Expr::Literal(_) | Expr::Alias(..) | Expr::Wildcard)
        && !node.children().is_empty()
        && node.children().iter().all(|child| matches!(child, Expr::Literal(_)));
    let is_time = matches!(&node, Expr::Call { name, args, .. }
        if args.is_empty() && NOW.contains(&name.as_str()));
    if (constant && !node.contains_aggregate()) || is_time {
        let bound = bind(&node, &Schema::empty());
        if bound.is_ok_and(|bound| !bound.node().volatile)
            && let Ok(value) = constant_value(&node)
        {
            return Expr::Literal(Literal(value));
        }
    }
    node
}

/// One query has one now.
const NOW: [&str; 6] =
    ["now", "current_timestamp", "current_date", "today", "get_current_timestamp", "current_time"];

/// `NOT expr`, pushed into it.
fn negated(expr: &Expr) -> Option<Expr> {
    let expr = expr.clone();
    Some(match expr {
        Expr::Unary { op, expr, span } => {
            let opposite = match op {
                UnaryOp::Not => return Some(*expr),
                UnaryOp::IsNull => UnaryOp::IsNotNull,
                UnaryOp::IsNotNull => UnaryOp::IsNull,
                UnaryOp::IsTrue => UnaryOp::IsNotTrue,
                UnaryOp::IsNotTrue => UnaryOp::IsTrue,
                UnaryOp::IsFalse => UnaryOp::IsNotFalse,
                UnaryOp::IsNotFalse => UnaryOp::IsFalse,
                UnaryOp::Negate => return None,
            };
            Expr::Unary { op: opposite, expr, span }
        }
        Expr::Binary { left, op: op @ (BinaryOp::And | BinaryOp::Or), right, span } => {
            let op = if op == BinaryOp::And { BinaryOp::Or } else { BinaryOp::And };
            let not = |side: &Expr| Box::new(negated(side).unwrap_or_else(|| side.clone().not()));
            Expr::Binary { left: not(&left), op, right: not(&right), span }
        }
        Expr::Binary { left, op, right, span } => {
            Expr::Binary { left, op: opposite(op)?, right, span }
        }
        Expr::Like(like) => Expr::Like(Like { negated: !like.negated, ..like }),
        Expr::InList { expr, list, negated, span } => {
            Expr::InList { expr, list, negated: !negated, span }
        }
        _ => return None,
    })
}

/// NaN is ordered like a number, so each comparison has its opposite.
fn opposite(op: BinaryOp) -> Option<BinaryOp> {
    Some(match op {
        BinaryOp::Eq => BinaryOp::NotEq,
        BinaryOp::NotEq => BinaryOp::Eq,
        BinaryOp::Lt => BinaryOp::GtEq,
        BinaryOp::LtEq => BinaryOp::Gt,
        BinaryOp::Gt => BinaryOp::LtEq,
        BinaryOp::GtEq => BinaryOp::Lt,
        BinaryOp::IsDistinctFrom => BinaryOp::IsNotDistinctFrom,
        BinaryOp::IsNotDistinctFrom => BinaryOp::IsDistinctFrom,
        _ => return None,
    })
}

/// `AND` and `OR` with a constant, or of two of the same.
fn logic(op: BinaryOp, left: &Expr, right: &Expr) -> Option<Expr> {
    let absorbing = op == BinaryOp::Or;
    for (side, other) in [(left, right), (right, left)] {
        match truth(side) {
            Some(value) if value == absorbing => return Some(crate::lit(absorbing)),
            Some(_) => return Some(other.clone()),
            None => {}
        }
    }
    (left == right).then(|| left.clone())
}

fn truth(expr: &Expr) -> Option<bool> {
    match expr {
        Expr::Literal(Literal(value)) if *value.data_type() == DataType::Boolean => {
            value.is_valid(0).then(|| value.as_boolean().value(0))
        }
        _ => None,
    }
}

/// A constant as the type of the column it is compared with, where nothing is lost.
fn adapted(constant: Expr, column: &Expr, schema: &Schema) -> Expr {
    let (Expr::Literal(Literal(value)), Expr::Column(_)) = (&constant, column) else {
        return constant;
    };
    let Ok(bound) = bind(column, schema) else { return constant };
    match as_type(value, bound.data_type()) {
        Some(value) => Expr::Literal(Literal(value)),
        None => constant,
    }
}

fn as_type(value: &ArrayRef, to: &DataType) -> Option<ArrayRef> {
    let from = value.data_type();
    if from == to || to.is_nested() || to.is_null() {
        return None;
    }
    let text = crate::coerce::is_string(from);
    // Instants and dates compare at the finer of both; only numbers and text adapt here.
    let adapts = text || from.is_null() || (from.is_numeric() && to.is_numeric());
    let keeps = text || from.is_null() || *to == DataType::Float32 || lossless(value, to);
    if adapts && keeps { cast::cast(value, to, true).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{col, lit, null};
    use arrow::datatypes::Field;

    #[test]
    fn simplifies_without_changing_values() {
        let schema = Schema::new(vec![
            Field::new("i", DataType::Int32, true),
            Field::new("f", DataType::Float32, true),
            Field::new("b", DataType::Boolean, true),
            Field::new("d", DataType::Date32, true),
        ]);
        let table = [
            (lit(1i64) + lit(2i64), "3"),
            (lit(i64::MAX) + lit(1i64), "9223372036854775807 + 1"),
            (lit(1i64).floor_div(0i64), "1 // 0"),
            (!col("i").lt(5i64), "i >= 5"),
            (!!col("b"), "b"),
            (!(col("b").and(col("i").is_null())), "NOT b OR i IS NOT NULL"),
            (col("b").and(true), "b"),
            (lit(false).and(col("b")), "false"),
            (col("b").or(lit(1i64).eq(1i64)), "true"),
            (lit(5i64).lt(col("i")), "i > 5"),
            (col("d").gt("2024-01-01"), "d > DATE '2024-01-01'"),
            (col("d").gt("no date"), "d > 'no date'"),
            (col("i").is_in([1i64, 2]), "i IN (1, 2)"),
            (col("i").gt(1.5), "i > 1.5"),
            (col("i").eq(null()), "i = NULL"),
        ];
        for (expr, expected) in table {
            assert_eq!(simplify(expr, &schema).to_string(), expected);
        }
        let Expr::Binary { right, .. } = simplify(col("i").gt(5i64), &schema) else { panic!() };
        assert_eq!(*right, lit(5i32));
        let Expr::Binary { right, .. } = simplify(col("f").gt(0.1), &schema) else { panic!() };
        assert_eq!(*right, lit(0.1f32));
    }
}
