//! Nodes: what follows from the operands, which columns they depend on, whether they can fail, and
//! whether they are constants.

use arrow::array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Schema};
use dframe_core::Result;

use super::{Draft, bind};
use crate::bound::{BoundExpr, Input, Kind, Node};
use crate::codes::Memo;
use crate::expr::{BinaryOp, Expr, UnaryOp};
use crate::kernel::cast;

/// The node with what follows from its operands; a constant, if they all are.
pub(super) fn finish(draft: Draft, expr: &Expr) -> BoundExpr {
    let Draft { kind, data_type, nullable } = draft;
    let operands = operands(&kind);
    let mut columns: Vec<usize> = match kind {
        Kind::Column(index) => vec![index],
        _ => operands.iter().flat_map(|operand| operand.node().columns.clone()).collect(),
    };
    columns.sort_unstable();
    columns.dedup();
    let fails = fails_itself(&kind, &data_type);
    let fallible = fails || operands.iter().any(|operand| operand.node().fallible);
    let volatile = is_volatile(&kind) || operands.iter().any(|operand| operand.node().volatile);
    let strict = matches!(kind, Kind::Column(_))
        || (gives_null_for_null(&kind) && operands.iter().any(|operand| operand.node().strict));
    let constant = !operands.is_empty() && operands.iter().all(|o| o.as_literal().is_some());
    let text = if fails { expr.to_string() } else { String::new() };
    let (span, memo) = (expr.span(), Memo::default());
    let node =
        Node { kind, data_type, nullable, span, text, columns, fallible, volatile, strict, memo };
    let bound = BoundExpr::new(node);
    if constant && !bound.node().volatile { folded(bound) } else { bound }
}

/// The value of an expression of constants, unless computing it fails: that is left for rows, which
/// there may be none of.
fn folded(bound: BoundExpr) -> BoundExpr {
    let Ok(value) = bound.eval(Input { columns: &[], rows: 1 }) else { return bound };
    let Ok(value) = value.into_array(1) else { return bound };
    let node = bound.node();
    let value = if *node.data_type() == *value.data_type() {
        value
    } else if value.logical_null_count() == 1 {
        new_null_array(&node.data_type, 1)
    } else {
        return bound;
    };
    let nullable = value.logical_null_count() > 0;
    BoundExpr::new(Node {
        kind: Kind::Literal(value),
        data_type: node.data_type.clone(),
        nullable,
        span: node.span,
        text: String::new(),
        columns: vec![],
        fallible: false,
        volatile: false,
        strict: false,
        memo: Memo::default(),
    })
}

impl Node {
    fn data_type(&self) -> &DataType {
        &self.data_type
    }
}

fn operands(kind: &Kind) -> Vec<&BoundExpr> {
    match kind {
        Kind::Column(_) | Kind::Literal(_) => vec![],
        Kind::Negate(operand)
        | Kind::Test(_, operand)
        | Kind::Cast(operand, _)
        | Kind::InSet(operand, ..) => vec![operand],
        Kind::Arithmetic(_, left, right)
        | Kind::Temporal(_, left, right)
        | Kind::Comparison(_, left, right)
        | Kind::Logic(_, left, right)
        | Kind::Concat(left, right)
        | Kind::Like(_, left, right)
        | Kind::NullIf(left, _, right) => vec![left, right],
        Kind::Case(branches, otherwise) => {
            branches.iter().flat_map(|(when, then)| [when, then]).chain(otherwise).collect()
        }
        Kind::Coalesce(args) | Kind::Extreme(_, args) | Kind::Call(_, args) => {
            args.iter().collect()
        }
    }
}

/// Whether values can make the node itself fail.
fn fails_itself(kind: &Kind, data_type: &DataType) -> bool {
    match kind {
        Kind::Arithmetic(op, ..) => !data_type.is_floating() || *op == BinaryOp::IntegerDivide,
        Kind::Negate(_) => !data_type.is_floating(),
        Kind::Temporal(..) | Kind::Call(..) => true,
        Kind::Cast(operand, strict) => {
            *strict && !cast::is_infallible(operand.data_type(), data_type)
        }
        Kind::NullIf(value, compare_as, _) => !cast::is_infallible(value.data_type(), compare_as),
        Kind::Like(kind, _, pattern) => kind.escape.is_some() && pattern.as_literal().is_none(),
        _ => false,
    }
}

fn gives_null_for_null(kind: &Kind) -> bool {
    match kind {
        Kind::Test(op, _) => *op == UnaryOp::Not,
        Kind::Comparison(op, ..) => {
            !matches!(op, BinaryOp::IsDistinctFrom | BinaryOp::IsNotDistinctFrom)
        }
        Kind::Negate(_)
        | Kind::Arithmetic(..)
        | Kind::Temporal(..)
        | Kind::Concat(..)
        | Kind::Like(..)
        | Kind::InSet(..)
        | Kind::Cast(..) => true,
        _ => false,
    }
}

/// Functions that give something new for each row or call.
fn is_volatile(kind: &Kind) -> bool {
    const VOLATILE: [&str; 4] = ["random", "uuid", "gen_random_uuid", "setseed"];
    matches!(kind, Kind::Call(function, _) if VOLATILE.contains(&function.name()))
}

/// The value of an expression without columns.
pub(crate) fn constant_value(expr: &Expr) -> Result<ArrayRef> {
    let bound = bind(expr, &Schema::empty())?;
    let batch = RecordBatch::new_empty(std::sync::Arc::new(Schema::empty()));
    bound.evaluate(&batch)?.into_array(1)
}
