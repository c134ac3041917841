//! Binding: names become column indices, operands get the types their kernels want, constants are
//! computed, and what cannot work is refused with a pointer to where it was written.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema};
use dframe_core::{Error, Result};

use crate::bound::{BoundExpr, Input, Kind, Node};
use crate::codes::Memo;
use crate::coerce::{self, Operand, is_string};
use crate::display::{op_text, type_name};
use crate::expr::{BinaryOp, Expr, Like, Span, UnaryOp};
use crate::function::{self, Argument, Function};
use crate::kernel::in_list::InSet;
use crate::kernel::like::LikeKind;
use crate::kernel::{cast, list, temporal};
use crate::resolve::{nearest, resolve_column};
use crate::value::plain_type;

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
            let bind = |arg| Ok(Binder { schema }.bind(arg)?.data_type().clone());
            let args: Vec<DataType> = call.args.iter().map(bind).collect::<Result<_>>()?;
            let bound = at(call.span, || call.function.bind(&args))?;
            return Ok(Field::new(self.output_name(), bound.signature().return_type.clone(), true));
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
            Expr::Aggregate(call) => Err(Error::invalid_input(format!(
                "the aggregate function {call} is not allowed here"
            ))
            .remedy("aggregates belong in the list of results, HAVING and ORDER BY of a group-by")),
        }
    }

    fn unary(&self, op: UnaryOp, expr: &Expr) -> Result<Draft> {
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

    fn binary(&self, left: &Expr, op: BinaryOp, right: &Expr) -> Result<Draft> {
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

    fn like(&self, like: &Like) -> Result<Draft> {
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
    fn in_list(&self, needle: &Expr, list: &[Expr], negated: bool) -> Result<Draft> {
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

    fn case(
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

    fn call(&self, name: &str, args: &[Expr]) -> Result<Draft> {
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
fn call_of(function: &'static Function, bound: Vec<BoundExpr>, args: &[&Expr]) -> Result<Draft> {
    let known: Vec<Argument> = bound.iter().map(argument).collect();
    let signature = function.resolve(&known)?;
    let converted = bound.into_iter().zip(&signature.args).zip(args);
    let converted = converted.map(|((bound, to), expr)| convert(bound, to, expr));
    let kind = Kind::Call(function, converted.collect::<Result<_>>()?);
    Ok(Draft::new(kind, signature.returns, true))
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

fn operand(bound: &BoundExpr) -> Operand<'_> {
    Operand { data_type: bound.data_type(), constant: bound.as_literal() }
}

fn argument(bound: &BoundExpr) -> Argument {
    match bound.as_literal() {
        Some(constant) => Argument::constant(constant.clone()),
        None => Argument::varying(bound.data_type().clone()),
    }
}

fn refuse_nested(bound: &BoundExpr, expr: &Expr) -> Result<()> {
    if !bound.data_type().is_nested() {
        return Ok(());
    }
    let message = format!("{expr} is a {}, which has no operators", type_name(bound.data_type()));
    Err(mark(Error::unsupported(message), expr.span().range()))
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

fn unknown_function(name: &str) -> Error {
    let error = Error::invalid_input(format!("function '{name}' does not exist"));
    match nearest(name, function::names()).first() {
        Some(nearest) => error.remedy(format!("did you mean '{nearest}'?")),
        None => error,
    }
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

/// The node with what follows from its operands; a constant, if they all are.
fn finish(draft: Draft, expr: &Expr) -> BoundExpr {
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
