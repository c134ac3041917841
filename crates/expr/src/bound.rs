//! Bound expressions: by index and typed, ready to be evaluated on batch after batch.
//!
//! ```text
//!   batch --> node --> operands --> kernel --> Value
//!               \-- depends on one dictionary column only: on its values, once, then by code
//! ```
//!
//! A tree is immutable but for one memo: what a node makes of a dictionary is kept while batches
//! share it, so a predicate on a file's strings looks at each different string once per row group.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::DataType;
use dframe_core::{Error, Result};

use crate::codes::Memo;
use crate::display::type_name;
use crate::expr::{BinaryOp, Span, UnaryOp};
use crate::function::{Call, Function};
use crate::kernel::arithmetic::{self, Fault};
use crate::kernel::in_list::InSet;
use crate::kernel::like::LikeKind;
use crate::kernel::{cast, comparison, like, logic, temporal};
use crate::lazy;
use crate::value::{Value, plain, true_only};

/// An expression against a schema. Cloning shares it.
#[derive(Clone)]
pub struct BoundExpr(Arc<Node>);

/// A node and what is known of its values.
pub(crate) struct Node {
    pub kind: Kind,
    pub data_type: DataType,
    pub nullable: bool,
    pub span: Span,
    /// The node as SQL, for errors; empty where nothing can fail.
    pub text: String,
    /// The input columns it depends on, sorted.
    pub columns: Vec<usize>,
    /// Whether some value could make it fail.
    pub fallible: bool,
    /// Whether it can give something else for the same row.
    pub volatile: bool,
    /// Whether NULL in gives NULL out, if it depends on one column.
    pub strict: bool,
    /// What it made of the dictionaries it saw.
    pub memo: Memo,
}

/// What a node does. Operands have the types that the kernels want.
pub(crate) enum Kind {
    Column(usize),
    Literal(ArrayRef),
    Negate(BoundExpr),
    Test(UnaryOp, BoundExpr),
    Arithmetic(BinaryOp, BoundExpr, BoundExpr),
    Temporal(BinaryOp, BoundExpr, BoundExpr),
    Comparison(BinaryOp, BoundExpr, BoundExpr),
    Logic(BinaryOp, BoundExpr, BoundExpr),
    Concat(BoundExpr, BoundExpr),
    Like(LikeKind, BoundExpr, BoundExpr),
    /// The needle, the constants, and whether it is `NOT IN`.
    InSet(BoundExpr, InSet, bool),
    Case(Vec<(BoundExpr, BoundExpr)>, Option<BoundExpr>),
    Coalesce(Vec<BoundExpr>),
    /// `GREATEST` and `LEAST`: the comparison that lets a value replace the one before.
    Extreme(BinaryOp, Vec<BoundExpr>),
    /// The value, the type to compare in, and what it must not equal.
    NullIf(BoundExpr, DataType, BoundExpr),
    Cast(BoundExpr, bool),
    Call(&'static Function, Vec<BoundExpr>),
}

/// The columns that a tree is evaluated on; those it does not use may have any length.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a> {
    pub columns: &'a [ArrayRef],
    pub rows: usize,
}

impl BoundExpr {
    pub(crate) fn new(node: Node) -> Self {
        Self(Arc::new(node))
    }

    pub(crate) fn node(&self) -> &Node {
        &self.0
    }

    /// The type of the values, without dictionary encoding.
    pub fn data_type(&self) -> &DataType {
        &self.0.data_type
    }

    /// Whether there can be NULLs.
    pub fn nullable(&self) -> bool {
        self.0.nullable
    }

    /// Whether the same row can give different values, as `random()` does.
    pub fn is_volatile(&self) -> bool {
        self.0.volatile
    }

    /// The indices of the input columns it uses, sorted.
    pub fn columns(&self) -> Vec<usize> {
        self.0.columns.clone()
    }

    /// The index, if this is nothing but a column.
    pub fn as_column(&self) -> Option<usize> {
        match self.0.kind {
            Kind::Column(index) => Some(index),
            _ => None,
        }
    }

    /// The index and the type, if this is a column as numbers of a type that keeps their order: perhaps
    /// rounded, never reordered.
    pub fn as_widened_column(&self) -> Option<(usize, &DataType)> {
        match &self.0.kind {
            Kind::Column(index) => Some((*index, self.data_type())),
            Kind::Cast(inner, _) if keeps_order(inner.data_type(), self.data_type()) => {
                Some((inner.as_column()?, self.data_type()))
            }
            _ => None,
        }
    }

    /// The array of length one, if this is a constant.
    pub fn as_literal(&self) -> Option<&ArrayRef> {
        match &self.0.kind {
            Kind::Literal(array) => Some(array),
            _ => None,
        }
    }

    /// The values for the rows of `batch`, whose columns are those of the schema it was bound to.
    ///
    /// # Errors
    /// Overflow, division by zero and failed casts, with the span of the node at fault.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<Value> {
        self.eval(Input { columns: batch.columns(), rows: batch.num_rows() })
    }

    /// As [`BoundExpr::evaluate`], a value for each row; perhaps dictionary-encoded.
    pub fn evaluate_array(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        self.evaluate(batch)?.into_array(batch.num_rows())
    }

    /// The rows that this condition is true for; not those that it is NULL for.
    pub fn holds(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let mask = self.evaluate_array(batch)?;
        let mask = mask.as_boolean_opt();
        let mask = mask.ok_or_else(|| {
            Error::internal(format!("a condition is {}", type_name(self.data_type())))
        })?;
        Ok(true_only(mask))
    }

    pub(crate) fn eval(&self, input: Input<'_>) -> Result<Value> {
        if let Some(value) = self.eval_codes(input)? {
            return Ok(value);
        }
        self.eval_rows(input)
    }

    /// Without a look at dictionaries.
    pub(crate) fn eval_rows(&self, input: Input<'_>) -> Result<Value> {
        let node = &*self.0;
        let result = node.eval(input);
        match node.span.range() {
            Some(range) => result.map_err(|error| error.span(range)),
            None => result,
        }
    }

    /// The values without dictionary encoding.
    pub(crate) fn eval_plain(&self, input: Input<'_>) -> Result<Value> {
        Ok(match self.eval(input)? {
            Value::Array(array) => Value::Array(plain(&array)?),
            Value::Scalar(array) => Value::Scalar(plain(&array)?),
        })
    }

    /// A truth value for each row, or one for all.
    pub(crate) fn eval_mask(&self, input: Input<'_>) -> Result<Mask> {
        Ok(match self.eval_plain(input)? {
            Value::Array(array) => Mask::Each(array.as_boolean().clone()),
            Value::Scalar(array) => {
                let mask = array.as_boolean();
                Mask::All(mask.is_valid(0).then(|| mask.value(0)))
            }
        })
    }
}

/// A truth value for each row, or one for all.
pub(crate) enum Mask {
    Each(BooleanArray),
    All(Option<bool>),
}

impl Node {
    fn eval(&self, input: Input<'_>) -> Result<Value> {
        match &self.kind {
            Kind::Column(index) => column(*index, input),
            Kind::Literal(array) => Ok(Value::Scalar(array.clone())),
            Kind::Negate(operand) => self.map(operand.eval_plain(input)?, |array| {
                arithmetic::negate(array).map_err(|fault| self.fault(fault))
            }),
            Kind::Test(op, operand) => {
                self.map(operand.eval_plain(input)?, |array| Ok(Arc::new(logic::test(*op, array)?)))
            }
            Kind::Arithmetic(op, left, right) => self.both(left, right, input, |left, right| {
                arithmetic::binary(*op, left, right).map_err(|fault| self.fault(fault))
            }),
            Kind::Temporal(op, left, right) => self.both(left, right, input, |left, right| {
                temporal::binary(*op, left, right, &self.data_type)
                    .map_err(|fault| self.fault(fault))
            }),
            Kind::Comparison(op, left, right) => {
                let (left, right) = (left.eval(input)?, right.eval(input)?);
                with_shape(&left, &right, Arc::new(comparison::compare(*op, &left, &right)?))
            }
            Kind::Logic(op, left, right) => logic_of(*op, left, right, input),
            Kind::Concat(left, right) => self.both(left, right, input, like::concat),
            Kind::Like(kind, text, pattern) => self.both(text, pattern, input, |text, pattern| {
                Ok(Arc::new(like::like(kind, text, pattern)?))
            }),
            Kind::InSet(needle, set, negated) => self.map(needle.eval_plain(input)?, |array| {
                Ok(Arc::new(set.contains(array, *negated)?))
            }),
            Kind::Case(branches, otherwise) => {
                lazy::case(branches, otherwise.as_ref(), &self.data_type, input)
            }
            Kind::Coalesce(args) => lazy::coalesce(args, input),
            Kind::Extreme(op, args) => lazy::extreme(*op, args, input),
            Kind::NullIf(value, compare_as, other) => lazy::nullif(value, compare_as, other, input),
            Kind::Cast(operand, strict) => self.map(operand.eval(input)?, |array| {
                cast::cast(array, &self.data_type, *strict).map_err(|error| self.located(error))
            }),
            Kind::Call(function, args) => self.call(function, args, input),
        }
    }

    fn map(&self, value: Value, f: impl FnOnce(&ArrayRef) -> Result<ArrayRef>) -> Result<Value> {
        Ok(match value {
            Value::Array(array) => Value::Array(f(&array)?),
            Value::Scalar(array) => Value::Scalar(f(&array)?),
        })
    }

    fn both(
        &self,
        left: &BoundExpr,
        right: &BoundExpr,
        input: Input<'_>,
        f: impl FnOnce(&Value, &Value) -> Result<ArrayRef>,
    ) -> Result<Value> {
        let (left, right) = (left.eval_plain(input)?, right.eval_plain(input)?);
        let result = f(&left, &right)?;
        with_shape(&left, &right, result)
    }

    fn call(&self, function: &Function, args: &[BoundExpr], input: Input<'_>) -> Result<Value> {
        let args: Vec<Value> =
            args.iter().map(|arg| arg.eval_plain(input)).collect::<Result<_>>()?;
        let call = Call { args: &args, returns: &self.data_type, rows: input.rows };
        (function.evaluate)(&call).map_err(|error| self.located(error))
    }

    fn fault(&self, fault: Fault) -> Error {
        match fault {
            Fault::Overflow(values) if self.data_type.is_temporal() => {
                let message = format!("date or time out of range in {} ({values})", self.text);
                Error::invalid_data(message)
            }
            Fault::Overflow(values) => {
                let kind = if self.data_type.is_integer() { "integer" } else { "decimal" };
                Error::invalid_data(format!("{kind} overflow in {} ({values})", self.text)).remedy(
                    "cast an operand to a wider type: DECIMAL(38, 0) is exact, DOUBLE is not",
                )
            }
            Fault::ZeroDivisor => Error::invalid_data(format!("division by zero in {}", self.text))
                .remedy("guard the divisor: nullif(divisor, 0) makes the result NULL"),
            Fault::Other(error) => self.located(error),
        }
    }

    /// Names the expression in an error that does not.
    fn located(&self, error: Error) -> Error {
        if self.text.is_empty() || error.message().contains(&self.text) {
            return error;
        }
        let message = format!("{} in {}", error.message(), self.text);
        let located = Error::new(error.kind(), message);
        match error.remedy_text() {
            Some(remedy) => located.remedy(remedy),
            None => located,
        }
    }
}

/// Whether a cast gives values in the order of what was cast.
fn keeps_order(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (from, to) if from.is_integer() => {
            to.is_integer() || to.is_floating() || matches!(to, DataType::Decimal128(..))
        }
        (DataType::Float32, DataType::Float64) => true,
        (DataType::Date32, DataType::Timestamp(_, None)) => true,
        _ => false,
    }
}

fn column(index: usize, input: Input<'_>) -> Result<Value> {
    match input.columns.get(index) {
        Some(array) => Ok(Value::Array(array.clone())),
        None => Err(Error::internal(format!("the batch has no column {index}"))),
    }
}

/// The result is one for all rows if both operands are.
pub(crate) fn with_shape(left: &Value, right: &Value, result: ArrayRef) -> Result<Value> {
    match (left, right) {
        (Value::Scalar(_), Value::Scalar(_)) => Ok(Value::Scalar(result)),
        _ => Ok(Value::Array(result)),
    }
}

/// The right side is not looked at where the left one decides all rows.
fn logic_of(op: BinaryOp, left: &BoundExpr, right: &BoundExpr, input: Input<'_>) -> Result<Value> {
    let left = left.eval_mask(input)?;
    match &left {
        Mask::Each(mask) if logic::decided(op, mask) => {
            return Ok(Value::Array(Arc::new(mask.clone())));
        }
        _ => {}
    }
    let right = right.eval_mask(input)?;
    let result = match (&left, &right) {
        (Mask::Each(left), Mask::Each(right)) => logic::combine(op, left, right)?,
        (Mask::Each(mask), Mask::All(constant)) | (Mask::All(constant), Mask::Each(mask)) => {
            logic::combine_constant(op, mask, *constant)?.unwrap_or_else(|| mask.clone())
        }
        (Mask::All(left), Mask::All(right)) => {
            let (left, right) = (BooleanArray::from(vec![*left]), BooleanArray::from(vec![*right]));
            return Ok(Value::Scalar(Arc::new(logic::combine(op, &left, &right)?)));
        }
    };
    Ok(Value::Array(Arc::new(result)))
}

impl fmt::Debug for BoundExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, type_name(&self.0.data_type))
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Column(index) => write!(f, "#{index}"),
            Kind::Literal(array) => write!(f, "{}", crate::Literal(array.clone())),
            Kind::Negate(operand) => write!(f, "-({operand:?})"),
            Kind::Test(op, operand) => write!(f, "{op:?}({operand:?})"),
            Kind::Arithmetic(op, left, right)
            | Kind::Temporal(op, left, right)
            | Kind::Comparison(op, left, right)
            | Kind::Logic(op, left, right) => write!(f, "{op:?}({left:?}, {right:?})"),
            Kind::Concat(left, right) => write!(f, "Concat({left:?}, {right:?})"),
            Kind::Like(kind, text, pattern) => write!(f, "{kind:?}({text:?}, {pattern:?})"),
            Kind::InSet(needle, set, negated) => {
                write!(f, "InSet({needle:?}, {} values, negated: {negated})", set.len())
            }
            Kind::Case(branches, otherwise) => write!(f, "Case({branches:?}, {otherwise:?})"),
            Kind::Coalesce(args) => write!(f, "Coalesce({args:?})"),
            Kind::Extreme(op, args) => write!(f, "Extreme({op:?}, {args:?})"),
            Kind::NullIf(value, _, other) => write!(f, "NullIf({value:?}, {other:?})"),
            Kind::Cast(operand, strict) => write!(f, "Cast({operand:?}, strict: {strict})"),
            Kind::Call(function, args) => write!(f, "{}({args:?})", function.name()),
        }
    }
}
