//! Builders: expressions written in Rust, `col("price").gt(lit(10)).and(col("size").is_not_null())`.
//!
//! Nothing is checked here; that is [`crate::bind`]'s work. Everything that is not an expression but
//! becomes a constant (`5`, `"x"`, `None::<i64>`, dates) goes through [`IntoLiteral`].

use std::ops;
use std::sync::Arc;

use arrow::array::NullArray;
use arrow::datatypes::DataType;

use crate::aggregate::AggregateFunction;
use crate::expr::{AggregateCall, BinaryOp, Column, Expr, Like, Literal, Span, UnaryOp};
use crate::literal::IntoLiteral;

/// The column `name`.
pub fn col(name: impl Into<String>) -> Expr {
    Expr::Column(Column { relation: None, name: name.into(), span: Span::NONE })
}

/// A constant.
pub fn lit(value: impl IntoLiteral) -> Expr {
    Expr::Literal(value.into_literal())
}

/// NULL of no type.
pub fn null() -> Expr {
    Expr::Literal(Literal(Arc::new(NullArray::new(1))))
}

/// The number of rows: `count(*)`.
pub fn count_all() -> Expr {
    aggregate(AggregateFunction::Count, vec![])
}

/// The number of rows, as Polars names it.
pub fn len() -> Expr {
    count_all()
}

/// Pearson's correlation of `x` and `y`.
pub fn corr(x: impl Into<Expr>, y: impl Into<Expr>) -> Expr {
    aggregate(AggregateFunction::Corr, vec![x.into(), y.into()])
}

/// The sample covariance of `x` and `y`.
pub fn covar(x: impl Into<Expr>, y: impl Into<Expr>) -> Expr {
    aggregate(AggregateFunction::CovarSample, vec![x.into(), y.into()])
}

/// The first of `args` that is not NULL.
pub fn coalesce(args: impl IntoIterator<Item = Expr>) -> Expr {
    call("coalesce", args)
}

/// The largest of `args` in each row, skipping NULLs.
pub fn greatest(args: impl IntoIterator<Item = Expr>) -> Expr {
    call("greatest", args)
}

/// The smallest of `args` in each row, skipping NULLs.
pub fn least(args: impl IntoIterator<Item = Expr>) -> Expr {
    call("least", args)
}

/// The scalar function `name`; looked up when bound.
pub fn call(name: impl Into<String>, args: impl IntoIterator<Item = Expr>) -> Expr {
    let name = name.into().to_lowercase();
    Expr::Call { name, args: args.into_iter().collect(), span: Span::NONE }
}

/// The aggregate `function` of `args`.
pub fn aggregate(function: AggregateFunction, args: Vec<Expr>) -> Expr {
    Expr::Aggregate(Arc::new(AggregateCall::new(function, args)))
}

/// Begins `CASE WHEN condition THEN ..`.
pub fn when(condition: impl Into<Expr>) -> When {
    When { branches: vec![], condition: condition.into() }
}

/// `CASE .. WHEN condition`, waiting for its value.
#[derive(Clone, Debug)]
pub struct When {
    branches: Vec<(Expr, Expr)>,
    condition: Expr,
}

impl When {
    /// The value where the condition is true.
    pub fn then(mut self, value: impl Into<Expr>) -> Then {
        self.branches.push((self.condition, value.into()));
        Then { branches: self.branches }
    }
}

/// `CASE WHEN .. THEN ..`, waiting for another condition or its end.
#[derive(Clone, Debug)]
pub struct Then {
    branches: Vec<(Expr, Expr)>,
}

impl Then {
    /// Another condition, for the rows that no earlier one has taken.
    pub fn when(self, condition: impl Into<Expr>) -> When {
        When { branches: self.branches, condition: condition.into() }
    }

    /// The value of the other rows.
    pub fn otherwise(self, value: impl Into<Expr>) -> Expr {
        self.case(Some(Box::new(value.into())))
    }

    /// NULL for the other rows.
    pub fn end(self) -> Expr {
        self.case(None)
    }

    fn case(self, otherwise: Option<Box<Expr>>) -> Expr {
        Expr::Case { operand: None, branches: self.branches, otherwise, span: Span::NONE }
    }
}

impl From<Then> for Expr {
    fn from(then: Then) -> Self {
        then.end()
    }
}

/// The names of these methods are those of SQL and Polars, and they take what becomes an expression.
#[allow(clippy::should_implement_trait)]
impl Expr {
    /// The column `name` of the table `relation`, such as `left`.
    pub fn column(relation: Option<&str>, name: impl Into<String>) -> Expr {
        let relation = relation.map(str::to_string);
        Expr::Column(Column { relation, name: name.into(), span: Span::NONE })
    }

    /// `self op right`.
    pub fn binary(self, op: BinaryOp, right: impl Into<Expr>) -> Expr {
        let (left, right) = (Box::new(self), Box::new(right.into()));
        Expr::Binary { left, op, right, span: Span::NONE }
    }

    /// `op self`.
    pub fn unary(self, op: UnaryOp) -> Expr {
        Expr::Unary { op, expr: Box::new(self), span: Span::NONE }
    }

    /// `self = right`.
    pub fn eq(self, right: impl Into<Expr>) -> Expr {
        self.binary(BinaryOp::Eq, right)
    }

    /// `self <> right`.
    pub fn neq(self, right: impl Into<Expr>) -> Expr {
        self.binary(BinaryOp::NotEq, right)
    }

    /// `self < right`.
    pub fn lt(self, right: impl Into<Expr>) -> Expr {
        self.binary(BinaryOp::Lt, right)
    }

    /// `self <= right`.
    pub fn lt_eq(self, right: impl Into<Expr>) -> Expr {
        self.binary(BinaryOp::LtEq, right)
    }

    /// `self > right`.
    pub fn gt(self, right: impl Into<Expr>) -> Expr {
        self.binary(BinaryOp::Gt, right)
    }

    /// `self >= right`.
    pub fn gt_eq(self, right: impl Into<Expr>) -> Expr {
        self.binary(BinaryOp::GtEq, right)
    }

    /// Equal, with NULL equal to NULL.
    pub fn eq_null_safe(self, right: impl Into<Expr>) -> Expr {
        self.binary(BinaryOp::IsNotDistinctFrom, right)
    }

    /// `self AND right`.
    pub fn and(self, right: impl Into<Expr>) -> Expr {
        self.binary(BinaryOp::And, right)
    }

    /// `self OR right`.
    pub fn or(self, right: impl Into<Expr>) -> Expr {
        self.binary(BinaryOp::Or, right)
    }

    /// `NOT self`.
    pub fn not(self) -> Expr {
        self.unary(UnaryOp::Not)
    }

    /// `self || right`.
    pub fn concat(self, right: impl Into<Expr>) -> Expr {
        self.binary(BinaryOp::Concat, right)
    }

    /// `self // right`.
    pub fn floor_div(self, right: impl Into<Expr>) -> Expr {
        self.binary(BinaryOp::IntegerDivide, right)
    }

    /// `self IS NULL`.
    pub fn is_null(self) -> Expr {
        self.unary(UnaryOp::IsNull)
    }

    /// `self IS NOT NULL`.
    pub fn is_not_null(self) -> Expr {
        self.unary(UnaryOp::IsNotNull)
    }

    /// `self IN (list)`.
    pub fn is_in<T: Into<Expr>>(self, list: impl IntoIterator<Item = T>) -> Expr {
        let list = list.into_iter().map(Into::into).collect();
        Expr::InList { expr: Box::new(self), list, negated: false, span: Span::NONE }
    }

    /// `self >= low AND self <= high`.
    pub fn is_between(self, low: impl Into<Expr>, high: impl Into<Expr>) -> Expr {
        self.clone().gt_eq(low).and(self.lt_eq(high))
    }

    /// `self LIKE pattern`.
    pub fn like(self, pattern: impl Into<Expr>) -> Expr {
        self.like_with(pattern.into(), false)
    }

    /// `self ILIKE pattern`.
    pub fn ilike(self, pattern: impl Into<Expr>) -> Expr {
        self.like_with(pattern.into(), true)
    }

    fn like_with(self, pattern: Expr, case_insensitive: bool) -> Expr {
        let (expr, pattern) = (Box::new(self), Box::new(pattern));
        let (negated, escape, span) = (false, None, Span::NONE);
        Expr::Like(Like { expr, pattern, negated, case_insensitive, escape, span })
    }

    /// `CAST(self AS to)`.
    pub fn cast(self, to: DataType) -> Expr {
        Expr::Cast { expr: Box::new(self), to, strict: true, span: Span::NONE }
    }

    /// `TRY_CAST(self AS to)`: NULL for what does not fit.
    pub fn try_cast(self, to: DataType) -> Expr {
        Expr::Cast { expr: Box::new(self), to, strict: false, span: Span::NONE }
    }

    /// `self AS name`.
    pub fn alias(self, name: impl Into<String>) -> Expr {
        Expr::Alias(Box::new(self), name.into())
    }

    /// `value` where this is NULL.
    pub fn fill_null(self, value: impl Into<Expr>) -> Expr {
        coalesce([self, value.into()])
    }

    /// No less than `low`, no more than `high`; NULL stays NULL, and NaN counts as the greatest.
    ///
    /// ```
    /// let share = dframe_expr::col("share").clip(0.0, 1.0);
    /// let text = "CASE WHEN share < 0.0 THEN 0.0 WHEN share > 1.0 THEN 1.0 ELSE share END";
    /// assert_eq!(share.to_string(), text);
    /// ```
    pub fn clip(self, low: impl Into<Expr>, high: impl Into<Expr>) -> Expr {
        let (low, high) = (low.into(), high.into());
        when(self.clone().lt(low.clone()))
            .then(low)
            .when(self.clone().gt(high.clone()))
            .then(high)
            .otherwise(self)
    }

    /// The stretch between `breaks`, in ascending order, that the number is in, as text: `(-inf, 1]`, `(1, 5]`,
    /// `(5, inf]`. NULL stays NULL, and NaN counts as the greatest.
    ///
    /// ```
    /// let bins = dframe_expr::col("x").cut([1.0, 5.5]);
    /// let text = "CASE WHEN x <= 1.0 THEN '(-inf, 1]' WHEN x <= 5.5 THEN '(1, 5.5]' \
    ///             WHEN x IS NOT NULL THEN '(5.5, inf]' END";
    /// assert_eq!(bins.to_string(), text);
    /// ```
    pub fn cut(self, breaks: impl IntoIterator<Item = f64>) -> Expr {
        let (mut branches, mut start) = (Vec::new(), "-inf".to_string());
        for end in breaks {
            branches.push((self.clone().lt_eq(end), lit(format!("({start}, {end}]"))));
            start = end.to_string();
        }
        branches.push((self.is_not_null(), lit(format!("({start}, inf]"))));
        Then { branches }.end()
    }

    /// NULL where this equals `value`.
    pub fn nullif(self, value: impl Into<Expr>) -> Expr {
        call("nullif", [self, value.into()])
    }

    /// The scalar function `name` of this, then `args`.
    pub fn call(self, name: &str, args: impl IntoIterator<Item = Expr>) -> Expr {
        call(name, std::iter::once(self).chain(args))
    }

    /// The absolute value.
    pub fn abs(self) -> Expr {
        self.call("abs", [])
    }

    /// Rounded half away from zero to `digits` decimals.
    pub fn round(self, digits: i32) -> Expr {
        self.call("round", [lit(digits)])
    }

    /// Rounded down.
    pub fn floor(self) -> Expr {
        self.call("floor", [])
    }

    /// Rounded up.
    pub fn ceil(self) -> Expr {
        self.call("ceil", [])
    }

    /// The square root.
    pub fn sqrt(self) -> Expr {
        self.call("sqrt", [])
    }

    /// The exponential.
    pub fn exp(self) -> Expr {
        self.call("exp", [])
    }

    /// The natural logarithm.
    pub fn ln(self) -> Expr {
        self.call("ln", [])
    }

    /// To the power of `exponent`.
    pub fn pow(self, exponent: impl Into<Expr>) -> Expr {
        self.call("pow", [exponent.into()])
    }

    /// The aggregate `function` of this.
    pub fn aggregate(self, function: AggregateFunction) -> Expr {
        aggregate(function, vec![self])
    }

    /// The sum.
    pub fn sum(self) -> Expr {
        self.aggregate(AggregateFunction::Sum)
    }

    /// The mean.
    pub fn mean(self) -> Expr {
        self.aggregate(AggregateFunction::Mean)
    }

    /// The smallest value.
    pub fn min(self) -> Expr {
        self.aggregate(AggregateFunction::Min)
    }

    /// The largest value.
    pub fn max(self) -> Expr {
        self.aggregate(AggregateFunction::Max)
    }

    /// The number of values that are not NULL.
    pub fn count(self) -> Expr {
        self.aggregate(AggregateFunction::Count)
    }

    /// The number of different values that are not NULL.
    pub fn n_unique(self) -> Expr {
        self.count().distinct()
    }

    /// The sample variance.
    pub fn var(self) -> Expr {
        self.aggregate(AggregateFunction::VarSample)
    }

    /// The sample standard deviation.
    pub fn std(self) -> Expr {
        self.aggregate(AggregateFunction::StdSample)
    }

    /// The first value that is not NULL.
    pub fn first(self) -> Expr {
        self.aggregate(AggregateFunction::First)
    }

    /// The last value that is not NULL.
    pub fn last(self) -> Expr {
        self.aggregate(AggregateFunction::Last)
    }

    /// Whether all are true.
    pub fn bool_and(self) -> Expr {
        self.aggregate(AggregateFunction::BoolAnd)
    }

    /// Whether all are true.
    pub fn all(self) -> Expr {
        self.bool_and()
    }

    /// Whether any is true.
    pub fn bool_or(self) -> Expr {
        self.aggregate(AggregateFunction::BoolOr)
    }

    /// Whether any is true.
    pub fn any(self) -> Expr {
        self.bool_or()
    }

    /// An aggregate over its different arguments only; nothing changes for other expressions.
    pub fn distinct(self) -> Expr {
        self.map_aggregate(|call| call.distinct = true)
    }

    /// An aggregate over the rows where `predicate` is true; nothing changes for other expressions.
    pub fn filter(self, predicate: impl Into<Expr>) -> Expr {
        let predicate = predicate.into();
        self.map_aggregate(move |call| {
            let filter = match call.filter.take() {
                Some(earlier) => earlier.and(predicate),
                None => predicate,
            };
            call.filter = Some(Box::new(filter));
        })
    }

    pub(crate) fn map_aggregate(self, change: impl FnOnce(&mut AggregateCall)) -> Expr {
        match self {
            Expr::Aggregate(mut call) => {
                change(Arc::make_mut(&mut call));
                Expr::Aggregate(call)
            }
            Expr::Alias(expr, name) => Expr::Alias(Box::new(expr.map_aggregate(change)), name),
            other => other,
        }
    }
}

impl<T: Into<Expr>> ops::Add<T> for Expr {
    type Output = Expr;

    fn add(self, right: T) -> Expr {
        self.binary(BinaryOp::Add, right)
    }
}

impl<T: Into<Expr>> ops::Sub<T> for Expr {
    type Output = Expr;

    fn sub(self, right: T) -> Expr {
        self.binary(BinaryOp::Subtract, right)
    }
}

impl<T: Into<Expr>> ops::Mul<T> for Expr {
    type Output = Expr;

    fn mul(self, right: T) -> Expr {
        self.binary(BinaryOp::Multiply, right)
    }
}

impl<T: Into<Expr>> ops::Div<T> for Expr {
    type Output = Expr;

    fn div(self, right: T) -> Expr {
        self.binary(BinaryOp::Divide, right)
    }
}

impl<T: Into<Expr>> ops::Rem<T> for Expr {
    type Output = Expr;

    fn rem(self, right: T) -> Expr {
        self.binary(BinaryOp::Modulo, right)
    }
}

impl ops::Neg for Expr {
    type Output = Expr;

    fn neg(self) -> Expr {
        self.unary(UnaryOp::Negate)
    }
}

impl ops::Not for Expr {
    type Output = Expr;

    fn not(self) -> Expr {
        self.unary(UnaryOp::Not)
    }
}
