//! The expression tree: what to compute, by column name, before any schema is known.
//!
//! It is data: it can be compared, printed as SQL and moved between threads. It knows no types; those
//! come with [`crate::bind`].

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use crate::aggregate::AggregateFunction;
use crate::sort_key::SortKey;
use crate::window::WindowCall;

/// A byte range in the text an expression was parsed from. Equality ignores it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span(pub Option<(u32, u32)>);

impl Span {
    /// The span of an expression that was not parsed from text.
    pub const NONE: Span = Span(None);

    /// A span of the bytes `start..end`.
    pub fn new(start: usize, end: usize) -> Self {
        Self(u32::try_from(start).ok().zip(u32::try_from(end).ok()))
    }

    /// The byte range, if there is one.
    pub fn range(self) -> Option<std::ops::Range<usize>> {
        self.0.map(|(start, end)| start as usize..end as usize)
    }
}

impl PartialEq for Span {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

/// A constant, held as an array of length one. NULL of no type is a `NullArray`.
#[derive(Clone, Debug)]
pub struct Literal(pub ArrayRef);

impl PartialEq for Literal {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_ref() == other.0.as_ref()
    }
}

/// A column reference. `relation` is for joins (`left.x`).
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The table the column is of, where it must be said.
    pub relation: Option<String>,
    /// The name, as the user wrote it.
    pub name: String,
    /// Where it was written.
    pub span: Span,
}

/// An operator of one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// Three-valued `NOT`.
    Not,
    /// `-x`, checked.
    Negate,
    /// `IS NULL`.
    IsNull,
    /// `IS NOT NULL`.
    IsNotNull,
    /// `IS TRUE`.
    IsTrue,
    /// `IS FALSE`.
    IsFalse,
    /// `IS NOT TRUE`.
    IsNotTrue,
    /// `IS NOT FALSE`.
    IsNotFalse,
}

/// An operator of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `+`, checked; also date or timestamp + interval. Integers below 64 bits are computed in Int64.
    Add,
    /// `-`, checked; also timestamps and intervals.
    Subtract,
    /// `*`, checked.
    Multiply,
    /// `/`: float division, always Float64; a zero divisor gives infinity or NaN.
    Divide,
    /// `//`: integer division towards zero, and plain division for others; a zero divisor is an
    /// error, as in DuckDB.
    IntegerDivide,
    /// `%`, with the sign of the dividend. A zero divisor is an error, but NaN for floats.
    Modulo,
    /// `=`.
    Eq,
    /// `<>`.
    NotEq,
    /// `<`.
    Lt,
    /// `<=`.
    LtEq,
    /// `>`.
    Gt,
    /// `>=`.
    GtEq,
    /// `IS NOT DISTINCT FROM`: NULL equals NULL.
    IsNotDistinctFrom,
    /// `IS DISTINCT FROM`.
    IsDistinctFrom,
    /// Three-valued `AND`.
    And,
    /// Three-valued `OR`.
    Or,
    /// `||`: NULL if either side is.
    Concat,
}

impl BinaryOp {
    /// The operator that says the same with its operands swapped, for comparisons; others as they are.
    pub fn mirrored(self) -> Self {
        match self {
            Self::Lt => Self::Gt,
            Self::LtEq => Self::GtEq,
            Self::Gt => Self::Lt,
            Self::GtEq => Self::LtEq,
            other => other,
        }
    }
}

/// `expr [NOT] LIKE pattern [ESCAPE c]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Like {
    /// The text to match.
    pub expr: Box<Expr>,
    /// The pattern: `%` any run, `_` any character.
    pub pattern: Box<Expr>,
    /// `NOT LIKE`.
    pub negated: bool,
    /// `ILIKE`.
    pub case_insensitive: bool,
    /// The escape character.
    pub escape: Option<char>,
    /// Where it was written.
    pub span: Span,
}

/// A call of an aggregate function.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateCall {
    /// The function.
    pub function: AggregateFunction,
    /// Its arguments; none is `count(*)`.
    pub args: Vec<Expr>,
    /// `DISTINCT`.
    pub distinct: bool,
    /// `ORDER BY` within the call.
    pub order_by: Vec<SortKey>,
    /// `FILTER (WHERE ...)`.
    pub filter: Option<Box<Expr>>,
    /// Where it was written.
    pub span: Span,
}

/// An expression by name.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Expr {
    /// A column.
    Column(Column),
    /// A constant.
    Literal(Literal),
    /// `expr AS name`.
    Alias(Box<Expr>, String),
    /// One operand.
    Unary {
        /// The operator.
        op: UnaryOp,
        /// The operand.
        expr: Box<Expr>,
        /// Where it was written.
        span: Span,
    },
    /// Two operands.
    Binary {
        /// The left operand.
        left: Box<Expr>,
        /// The operator.
        op: BinaryOp,
        /// The right operand.
        right: Box<Expr>,
        /// Where it was written.
        span: Span,
    },
    /// `LIKE` and its kin.
    Like(Like),
    /// `expr [NOT] IN (list)`.
    InList {
        /// The needle.
        expr: Box<Expr>,
        /// The haystack.
        list: Vec<Expr>,
        /// `NOT IN`.
        negated: bool,
        /// Where it was written.
        span: Span,
    },
    /// `CASE [operand] WHEN .. THEN .. ELSE .. END`.
    Case {
        /// What the `WHEN`s are compared with; without it they are conditions.
        operand: Option<Box<Expr>>,
        /// `(when, then)`.
        branches: Vec<(Expr, Expr)>,
        /// `ELSE`; NULL if absent.
        otherwise: Option<Box<Expr>>,
        /// Where it was written.
        span: Span,
    },
    /// `CAST(expr AS to)`, or `TRY_CAST` where `strict` is false.
    Cast {
        /// What to cast.
        expr: Box<Expr>,
        /// The type wanted.
        to: DataType,
        /// Whether a value that does not fit is an error (else it is NULL).
        strict: bool,
        /// Where it was written.
        span: Span,
    },
    /// A scalar function, by its lower-case name.
    Call {
        /// The name; looked up when bound.
        name: String,
        /// The arguments.
        args: Vec<Expr>,
        /// Where it was written.
        span: Span,
    },
    /// An aggregate function; only inside `agg`, `having` and their likes.
    Aggregate(Arc<AggregateCall>),
    /// A window function; only in lists of columns.
    Window(Arc<WindowCall>),
    /// `*`: every column of the input; only at the top of a select list.
    Wildcard,
}
