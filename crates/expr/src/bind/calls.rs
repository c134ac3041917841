//! Calls of functions, and of forms that look like them.

use dframe_core::{Error, Result};

use super::{Binder, Draft, convert, operand, refuse_nested};
use crate::bound::{BoundExpr, Kind};
use crate::coerce;
use crate::expr::{BinaryOp, Expr};
use crate::function::{self, Argument, Function};
use crate::resolve::nearest;

impl Binder<'_> {
    pub(super) fn call(&self, name: &str, args: &[Expr]) -> Result<Draft> {
        match (name, args.len()) {
            ("coalesce" | "ifnull", 1..) => {
                let (args, data_type) = self.unified(&args.iter().collect::<Vec<_>>())?;
                let nullable = args.iter().all(BoundExpr::nullable);
                return Ok(Draft::new(Kind::Coalesce(args), data_type, nullable));
            }
            ("greatest" | "least", 1..) => {
                let op = if name == "greatest" { BinaryOp::Gt } else { BinaryOp::Lt };
                let exprs = args;
                let (args, data_type) = self.unified(&args.iter().collect::<Vec<_>>())?;
                args.iter().zip(exprs).try_for_each(|(arg, expr)| refuse_nested(arg, expr))?;
                let nullable = args.iter().all(BoundExpr::nullable);
                return Ok(Draft::new(Kind::Extreme(op, args), data_type, nullable));
            }
            ("nullif", 2) => return self.nullif(&args[0], &args[1]),
            ("date_add", 2) => return self.binary(&args[0], BinaryOp::Add, &args[1]),
            ("mod", 2) => return self.binary(&args[0], BinaryOp::Modulo, &args[1]),
            ("div" | "divide", 2) => {
                return self.binary(&args[0], BinaryOp::IntegerDivide, &args[1]);
            }
            (
                "coalesce" | "ifnull" | "greatest" | "least" | "nullif" | "mod" | "div" | "divide"
                | "date_add",
                count,
            ) => {
                return Err(Error::invalid_input(format!(
                    "{name} does not take {count} arguments"
                )));
            }
            _ => {}
        }
        let function = function::lookup(name).ok_or_else(|| unknown_function(name))?;
        let bound: Vec<BoundExpr> = args.iter().map(|arg| self.bind(arg)).collect::<Result<_>>()?;
        call_of(function, bound, &args.iter().collect::<Vec<_>>())
    }

    fn nullif(&self, value: &Expr, other: &Expr) -> Result<Draft> {
        let (bound_value, bound_other) = (self.bind(value)?, self.bind(other)?);
        let compare_as = coerce::comparison(operand(&bound_value), operand(&bound_other))?;
        let other = convert(bound_other, &compare_as, other)?;
        let data_type = bound_value.data_type().clone();
        Ok(Draft::new(Kind::NullIf(bound_value, compare_as, other), data_type, true))
    }
}

/// The call of a function whose arguments are bound.
pub(super) fn call_of(
    function: &'static Function,
    bound: Vec<BoundExpr>,
    args: &[&Expr],
) -> Result<Draft> {
    let known: Vec<Argument> = bound.iter().map(argument).collect();
    let signature = function.resolve(&known)?;
    let converted = bound.into_iter().zip(&signature.args).zip(args);
    let converted = converted.map(|((bound, to), expr)| convert(bound, to, expr));
    let kind = Kind::Call(function, converted.collect::<Result<_>>()?);
    Ok(Draft::new(kind, signature.returns, true))
}
fn argument(bound: &BoundExpr) -> Argument {
    match bound.as_literal() {
        Some(constant) => Argument::constant(constant.clone()),
        None => Argument::varying(bound.data_type().clone()),
    }
}
fn unknown_function(name: &str) -> Error {
    let error = Error::invalid_input(format!("function '{name}' does not exist"));
    match nearest(name, function::names()).first() {
        Some(nearest) => error.remedy(format!("did you mean '{nearest}'?")),
        None => error,
    }
}
