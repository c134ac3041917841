//! Operators, `LIKE`, `IN` and `CASE`: the types they compare and compute in.

use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;
use arrow::datatypes::DataType;
use dframe_core::{Error, Result};

use super::calls::call_of;
use super::node::finish;
use super::{Binder, Draft, at, convert, mark, operand, refuse_nested};
use crate::bound::{BoundExpr, Kind};
use crate::coerce::{self, Operand, is_string};
use crate::display::{op_text, type_name};
use crate::expr::{BinaryOp, Expr, Like, UnaryOp};
use crate::function;
use crate::kernel::in_list::InSet;
use crate::kernel::like::LikeKind;
use crate::kernel::{list, temporal};

impl Binder<'_> {
    pub(super) fn unary(&self, op: UnaryOp, expr: &Expr) -> Result<Draft> {
        let what = match op {
            UnaryOp::Negate => return self.negate(expr),
            UnaryOp::IsNull | UnaryOp::IsNotNull => {
                let operand = self.bind(expr)?;
                return Ok(Draft::new(Kind::Test(op, operand), DataType::Boolean, false));
            }
            UnaryOp::Not => "the operand of NOT",
            _ => "the operand of IS",
        };
        let operand = self.condition(expr, what)?;
        let nullable = op == UnaryOp::Not && operand.nullable();
        Ok(Draft::new(Kind::Test(op, operand), DataType::Boolean, nullable))
    }

    fn negate(&self, expr: &Expr) -> Result<Draft> {
        let operand = self.bind(expr)?;
        let data_type = match operand.data_type() {
            DataType::UInt64 => coerce::ANY_INTEGER,
            from if from.is_integer() || from.is_null() => DataType::Int64,
            from if from.is_floating() || from.is_decimal() => from.clone(),
            from @ (DataType::Interval(_) | DataType::Duration(_)) => from.clone(),
            from => return Err(Error::invalid_input(format!("cannot negate {}", type_name(from)))),
        };
        let operand = convert(operand, &data_type, expr)?;
        let nullable = operand.nullable();
        Ok(Draft::new(Kind::Negate(operand), data_type, nullable))
    }
    pub(super) fn binary(&self, left: &Expr, op: BinaryOp, right: &Expr) -> Result<Draft> {
        match op {
            BinaryOp::And | BinaryOp::Or => {
                let what = if op == BinaryOp::And { "each side of AND" } else { "each side of OR" };
                let (left, right) = (self.condition(left, what)?, self.condition(right, what)?);
                let nullable = left.nullable() || right.nullable();
                Ok(Draft::new(Kind::Logic(op, left, right), DataType::Boolean, nullable))
            }
            BinaryOp::Concat => {
                let (bound_left, bound_right) = (self.bind(left)?, self.bind(right)?);
                let is_list = |bound: &BoundExpr| list::item_type(bound.data_type()).is_some();
                if is_list(&bound_left) || is_list(&bound_right) {
                    let bound = vec![bound_left, bound_right];
                    return call_of(&function::CONCAT_LISTS, bound, &[left, right]);
                }
                let left = convert(bound_left, &DataType::Utf8, left)?;
                let right = convert(bound_right, &DataType::Utf8, right)?;
                let nullable = left.nullable() || right.nullable();
                Ok(Draft::new(Kind::Concat(left, right), DataType::Utf8, nullable))
            }
            _ if is_arithmetic(op) => self.arithmetic(left, op, right),
            _ => {
                let (left, right) = self.comparable(left, right)?;
                Ok(comparison(op, left, right))
            }
        }
    }

    /// Both sides in the type to compare them in.
    fn comparable(&self, left: &Expr, right: &Expr) -> Result<(BoundExpr, BoundExpr)> {
        let (bound_left, bound_right) = (self.bind(left)?, self.bind(right)?);
        refuse_nested(&bound_left, left)?;
        refuse_nested(&bound_right, right)?;
        let data_type = coerce::comparison(operand(&bound_left), operand(&bound_right))?;
        Ok((convert(bound_left, &data_type, left)?, convert(bound_right, &data_type, right)?))
    }

    fn arithmetic(&self, left: &Expr, op: BinaryOp, right: &Expr) -> Result<Draft> {
        let (bound_left, bound_right) = (self.bind(left)?, self.bind(right)?);
        refuse_nested(&bound_left, left)?;
        refuse_nested(&bound_right, right)?;
        let (left_type, right_type) = (bound_left.data_type(), bound_right.data_type());
        let nullable = bound_left.nullable() || bound_right.nullable();
        let numeric = coerce::arithmetic(op, operand(&bound_left), operand(&bound_right))?;
        let is_numeric = numeric.is_some();
        let types = numeric
            .or_else(|| temporal::operation(op, left_type, right_type))
            .ok_or_else(|| no_operation(left_type, op, right_type))?;
        let left = convert(bound_left, &types.left, left)?;
        let right = convert(bound_right, &types.right, right)?;
        let kind = if is_numeric {
            Kind::Arithmetic(op, left, right)
        } else {
            Kind::Temporal(op, left, right)
        };
        Ok(Draft::new(kind, types.result, nullable))
    }

    pub(super) fn like(&self, like: &Like) -> Result<Draft> {
        let text = |expr: &Expr| {
            let bound = self.bind(expr)?;
            let from = bound.data_type();
            if !is_string(from) && !from.is_null() {
                let message = format!("LIKE wants text, not {}: {expr}", type_name(from));
                let error = Error::invalid_input(message)
                    .remedy(format!("cast it: CAST({expr} AS VARCHAR)"));
                return Err(mark(error, expr.span().range()));
            }
            convert(bound, &DataType::Utf8, expr)
        };
        let (expr, pattern) = (text(&like.expr)?, text(&like.pattern)?);
        let Like { negated, case_insensitive, escape, .. } = *like;
        let nullable = expr.nullable() || pattern.nullable();
        let kind = Kind::Like(LikeKind { negated, case_insensitive, escape }, expr, pattern);
        Ok(Draft::new(kind, DataType::Boolean, nullable))
    }

    /// Constants become a set; what varies by row is compared one by one.
    pub(super) fn in_list(&self, needle: &Expr, list: &[Expr], negated: bool) -> Result<Draft> {
        let bound: Vec<BoundExpr> =
            list.iter().map(|expr| self.bind(expr)).collect::<Result<_>>()?;
        if list.is_empty() || bound.iter().any(|item| item.as_literal().is_none()) {
            return self.in_varying(needle, list, negated);
        }
        let bound_needle = self.bind(needle)?;
        refuse_nested(&bound_needle, needle)?;
        let mut data_type = bound_needle.data_type().clone();
        for item in &bound {
            let so_far = Operand { data_type: &data_type, ..operand(&bound_needle) };
            data_type = coerce::comparison(so_far, operand(item))?;
        }
        let convert_item = |(item, expr)| -> Result<ArrayRef> {
            let converted = convert(item, &data_type, expr)?;
            let literal = converted.as_literal();
            Ok(literal.ok_or_else(|| Error::internal("a constant is no more"))?.clone())
        };
        let items: Vec<ArrayRef> =
            bound.into_iter().zip(list).map(convert_item).collect::<Result<_>>()?;
        let items: Vec<&dyn Array> = items.iter().map(|item| item.as_ref()).collect();
        let set = InSet::new(&concat(&items)?)?;
        let nullable = bound_needle.nullable() || items.iter().any(|item| item.is_null(0));
        let needle = convert(bound_needle, &data_type, needle)?;
        Ok(Draft::new(Kind::InSet(needle, set, negated), DataType::Boolean, nullable))
    }

    fn in_varying(&self, needle: &Expr, list: &[Expr], negated: bool) -> Result<Draft> {
        let equal = list.iter().map(|item| needle.clone().eq(item.clone()));
        let found = equal.reduce(Expr::or).unwrap_or_else(|| crate::lit(false));
        self.draft(&if negated { found.not() } else { found })
    }

    pub(super) fn case(
        &self,
        subject: Option<&Expr>,
        branches: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) -> Result<Draft> {
        let condition = |when: &Expr| match subject {
            None => self.condition(when, "WHEN"),
            Some(subject) => {
                let (left, right) = at(when.span(), || self.comparable(subject, when))?;
                Ok(finish(comparison(BinaryOp::Eq, left, right), when))
            }
        };
        let whens: Vec<BoundExpr> =
            branches.iter().map(|(when, _)| condition(when)).collect::<Result<_>>()?;
        let results: Vec<&Expr> = branches.iter().map(|(_, then)| then).chain(otherwise).collect();
        let (mut results, data_type) = self.unified(&results)?;
        let nullable = otherwise.is_none() || results.iter().any(BoundExpr::nullable);
        let otherwise = if otherwise.is_some() { results.pop() } else { None };
        let branches = whens.into_iter().zip(results).collect();
        Ok(Draft::new(Kind::Case(branches, otherwise), data_type, nullable))
    }
}

fn is_arithmetic(op: BinaryOp) -> bool {
    matches!(
        op,
        BinaryOp::Add
            | BinaryOp::Subtract
            | BinaryOp::Multiply
            | BinaryOp::Divide
            | BinaryOp::IntegerDivide
            | BinaryOp::Modulo
    )
}

fn comparison(op: BinaryOp, left: BoundExpr, right: BoundExpr) -> Draft {
    let distinct = matches!(op, BinaryOp::IsDistinctFrom | BinaryOp::IsNotDistinctFrom);
    let nullable = !distinct && (left.nullable() || right.nullable());
    Draft::new(Kind::Comparison(op, left, right), DataType::Boolean, nullable)
}
fn no_operation(left: &DataType, op: BinaryOp, right: &DataType) -> Error {
    let error = Error::invalid_input(format!(
        "no operator {} for {} and {}",
        op_text(op),
        type_name(left),
        type_name(right)
    ));
    if is_string(left) || is_string(right) {
        error.remedy("cast the text: CAST(... AS DOUBLE); to join texts, use ||")
    } else if *left == DataType::Boolean || *right == DataType::Boolean {
        error.remedy("cast the truth value: CAST(... AS INTEGER)")
    } else {
        error.remedy("cast one side")
    }
}
