//! Binding: names become column indices, operands get the types their kernels want, constants are
//! computed, and what cannot work is refused with a pointer to where it was written.
//!
//! `operators` and `calls` bind what they are called after; `node` says what follows for a node from its
//! operands.

mod calls;
mod node;
mod operators;

use std::ops::Range;

use arrow::array::Array;
use arrow::datatypes::{DataType, Field, Schema};
use dframe_core::{Error, Result};

use crate::bound::{BoundExpr, Kind};
use crate::coerce::{self, Operand, is_string};
use crate::display::type_name;
use crate::expr::{Expr, Span};
use crate::kernel::cast;
use crate::resolve::resolve_column;
use crate::value::plain_type;
pub(crate) use node::constant_value;
use node::finish;

/// `expr` against `schema`, ready to be evaluated on batches of it.
///
/// # Errors
/// Unknown columns and functions, operands of types that do not go together, aggregate functions; with
/// the span of the innermost node at fault.
pub fn bind(expr: &Expr, schema: &Schema) -> Result<BoundExpr> {
    at(expr.span(), || Binder { schema }.bind(expr))
}

/// As [`bind`], for a condition: its type is BOOLEAN.
pub fn bind_predicate(expr: &Expr, schema: &Schema) -> Result<BoundExpr> {
    let binder = Binder { schema };
    binder.condition(expr, "a condition")
}

impl Expr {
    /// The column this makes of `schema`'s columns: its name, type and nullability.
    pub fn to_field(&self, schema: &Schema) -> Result<Field> {
        if let Expr::Aggregate(call) = self.unaliased() {
            let returns = call.prepare(schema)?.aggregate.signature().return_type.clone();
            return Ok(Field::new(self.output_name(), returns, true));
        }
        if let Expr::Window(call) = self.unaliased() {
            let bound = call.bind(schema)?;
            let data_type = bound.data_type().clone();
            return Ok(Field::new(self.output_name(), data_type, bound.nullable()));
        }
        let bound = bind(self, schema)?;
        let field = Field::new(self.output_name(), bound.data_type().clone(), bound.nullable());
        Ok(match bound.as_column() {
            Some(index) => field.with_metadata(schema.field(index).metadata().clone()),
            None => field,
        })
    }
}

/// Marks where an error happened, unless a part of it is marked already.
fn at<T>(span: Span, f: impl FnOnce() -> Result<T>) -> Result<T> {
    f().map_err(|error| mark(error, span.range()))
}

fn mark(error: Error, range: Option<Range<usize>>) -> Error {
    match range {
        Some(range) => error.span(range),
        None => error,
    }
}

struct Binder<'a> {
    schema: &'a Schema,
}

/// A node as its arm makes it.
struct Draft {
    kind: Kind,
    data_type: DataType,
    nullable: bool,
}

impl Draft {
    fn new(kind: Kind, data_type: DataType, nullable: bool) -> Self {
        Self { kind, data_type, nullable }
    }
}

impl Binder<'_> {
    fn bind(&self, expr: &Expr) -> Result<BoundExpr> {
        let draft = match expr {
            Expr::Alias(expr, _) => return self.bind(expr),
            _ => at(expr.span(), || self.draft(expr))?,
        };
        Ok(finish(draft, expr))
    }

    fn draft(&self, expr: &Expr) -> Result<Draft> {
        match expr {
            Expr::Alias(..) | Expr::Wildcard => {
                Err(Error::invalid_input("'*' stands for all columns, and only in a list of them"))
            }
            Expr::Column(column) => {
                let index = resolve_column(self.schema, column)?;
                let field = self.schema.field(index);
                let data_type = plain_type(field.data_type()).clone();
                Ok(Draft::new(Kind::Column(index), data_type, field.is_nullable()))
            }
            Expr::Literal(literal) => {
                let array = crate::value::plain(&literal.0)?;
                let (data_type, nullable) = (array.data_type().clone(), array.is_null(0));
                let nullable = nullable || data_type == DataType::Null;
                Ok(Draft::new(Kind::Literal(array), data_type, nullable))
            }
            Expr::Unary { op, expr, .. } => self.unary(*op, expr),
            Expr::Binary { left, op, right, .. } => self.binary(left, *op, right),
            Expr::Like(like) => self.like(like),
            Expr::InList { expr, list, negated, .. } => self.in_list(expr, list, *negated),
            Expr::Case { operand, branches, otherwise, .. } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref())
            }
            Expr::Cast { expr, to, strict, .. } => {
                let operand = self.bind(expr)?;
                cast::check(operand.data_type(), to)?;
                let nullable = operand.nullable() || !strict;
                Ok(Draft::new(Kind::Cast(operand, *strict), plain_type(to).clone(), nullable))
            }
            Expr::Call { name, args, .. } => self.call(name, args),
            Expr::Window(call) => {
                Err(Error::invalid_input(format!("the window function {call} is not allowed here"))
                    .remedy("select it under a name first, then use that name"))
            }
            Expr::Aggregate(call) => Err(Error::invalid_input(format!(
                "the aggregate function {call} is not allowed here"
            ))
            .remedy("aggregates belong in the list of results, HAVING and ORDER BY of a group-by")),
        }
    }
    /// `expr` as a truth value.
    fn condition(&self, expr: &Expr, what: &str) -> Result<BoundExpr> {
        at(expr.span(), || {
            let bound = self.bind(expr)?;
            match bound.data_type() {
                DataType::Boolean => Ok(bound),
                DataType::Null => convert(bound, &DataType::Boolean, expr),
                from if is_string(from) && bound.as_literal().is_some() => {
                    convert(bound, &DataType::Boolean, expr)
                }
                other => {
                    let message =
                        format!("{what} must be BOOLEAN, not {}: {expr}", type_name(other));
                    let error = Error::invalid_input(message);
                    Err(match other.is_numeric() {
                        true => error.remedy(format!("compare it: {expr} <> 0")),
                        false => error.remedy("compare it with something"),
                    })
                }
            }
        })
    }
    /// All of `exprs` in one type.
    fn unified(&self, exprs: &[&Expr]) -> Result<(Vec<BoundExpr>, DataType)> {
        let bound: Vec<BoundExpr> =
            exprs.iter().map(|expr| self.bind(expr)).collect::<Result<_>>()?;
        let operands: Vec<Operand<'_>> = bound.iter().map(operand).collect();
        let data_type = coerce::unify(&operands)?;
        let converted = bound.into_iter().zip(exprs);
        let converted = converted.map(|(bound, expr)| convert(bound, &data_type, expr));
        Ok((converted.collect::<Result<_>>()?, data_type))
    }
}

fn operand(bound: &BoundExpr) -> Operand<'_> {
    Operand { data_type: bound.data_type(), constant: bound.as_literal() }
}
fn refuse_nested(bound: &BoundExpr, expr: &Expr) -> Result<()> {
    if !bound.data_type().is_nested() {
        return Ok(());
    }
    let message = format!("{expr} is a {}, which has no operators", type_name(bound.data_type()));
    Err(mark(Error::unsupported(message), expr.span().range()))
}
/// `bound` as `to`; a constant that does not fit is refused here and now.
fn convert(bound: BoundExpr, to: &DataType, expr: &Expr) -> Result<BoundExpr> {
    if bound.data_type() == to {
        return Ok(bound);
    }
    let nullable = bound.nullable();
    if let Some(value) = bound.as_literal() {
        let value = at(expr.span(), || cast::cast(value, to, true))?;
        return Ok(finish(Draft::new(Kind::Literal(value), to.clone(), nullable), expr));
    }
    at(expr.span(), || cast::check(bound.data_type(), to))?;
    Ok(finish(Draft::new(Kind::Cast(bound, true), to.clone(), nullable), expr))
}
