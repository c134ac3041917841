//! Which parts of a file no filter can match, from bounds alone.
//!
//! A filter becomes a [`Condition`] over columns' bounds; what it cannot express becomes
//! [`Condition::Anything`]. Evaluation answers "may any row match?" and errs towards yes: bounds may
//! be missing, wider than the data (truncated strings), or silent about NaN, which sorts greatest.
//!
//! ```text
//!   price > 5 and side in ('B')   -->   All[ Compare(price, Gt, 5), OneOf(side, ['B']) ]
//! ```

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, new_null_array};
use arrow::compute::cast;
use arrow::compute::kernels::numeric::neg;
use arrow::datatypes::{DataType, Float64Type, Schema};
use dframe_expr::{BinaryOp, Expr, Like, UnaryOp};
use dframe_plan::ColumnBounds;

use crate::hive;
use crate::widen::widen;

/// A comparison of a column with a constant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What a filter asks of the bounds of columns (positions in the source's schema).
#[derive(Clone, Debug)]
pub(super) enum Condition {
    /// Cannot be judged from bounds.
    Anything,
    /// No row matches.
    Nothing,
    IsNull(usize),
    IsNotNull(usize),
    Compare(usize, Comparison, Constant),
    OneOf(usize, Vec<Constant>),
    /// The text begins with these bytes.
    Prefix(usize, Vec<u8>),
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

/// A constant as an interval: how a kernel rounds it beside the column's type is not known here, so
/// all ways are covered.
#[derive(Clone, Debug)]
pub(super) struct Constant {
    /// The constant as it was written, in a type comparable with the column.
    pub(super) value: ArrayRef,
    low: ArrayRef,
    high: ArrayRef,
    /// Whether comparing may round, so that `<` must be judged as `<=`.
    inexact: bool,
}

/// The bounds of a column in some containers (row groups or pages), one element each.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    /// At most the least value; NULL where unknown.
    pub(super) min: ArrayRef,
    /// At least the greatest value, NaN aside; NULL where unknown.
    pub(super) max: ArrayRef,
    pub(super) nulls: Vec<Option<u64>>,
    /// `None` where nobody counted.
    pub(super) nans: Vec<Option<u64>>,
    pub(super) rows: Vec<u64>,
}

impl Bounds {
    /// The bounds of a column of which nothing is known.
    pub(super) fn unknown(data_type: &DataType, rows: Vec<u64>) -> Self {
        let count = rows.len();
        Self {
            min: new_null_array(data_type, count),
            max: new_null_array(data_type, count),
            nulls: vec![None; count],
            nans: vec![None; count],
            rows,
        }
    }

    /// The bounds of a column that is NULL everywhere.
    pub(super) fn all_null(data_type: &DataType, rows: Vec<u64>) -> Self {
        let nulls = rows.iter().copied().map(Some).collect();
        Self { nulls, ..Self::unknown(data_type, rows) }
    }

    /// The bounds of a column that has one value, in one container.
    pub(super) fn of_constant(constant: &hive::Constant, rows: u64) -> Self {
        let value = constant.value();
        if value.is_null(0) {
            return Self::all_null(constant.field.data_type(), vec![rows]);
        }
        let (min, max) = (value.clone(), value.clone());
        Self { min, max, nulls: vec![Some(0)], nans: vec![Some(0)], rows: vec![rows] }
    }

    /// The bounds of the first container, which are values or not.
    pub(super) fn into_first(self, are_values: bool) -> ColumnBounds {
        let Self { min, max, nulls, nans, rows } = self;
        ColumnBounds { min, max, nulls: nulls[0], nans: nans[0], rows: rows[0], are_values }
    }

    fn is_all_null(&self, container: usize) -> bool {
        self.nulls[container] == Some(self.rows[container])
    }
}

impl Condition {
    /// The condition that a row must fulfil for `filters` to be true together.
    pub(super) fn of(filters: &[Expr], schema: &Schema) -> Self {
        all(filters.iter().map(|filter| compile(filter, schema, false)).collect())
    }

    /// Whether the condition tells anything.
    pub(super) fn is_useful(&self) -> bool {
        match self {
            Self::Anything => false,
            Self::All(parts) => parts.iter().any(Self::is_useful),
            Self::Any(parts) => parts.iter().all(Self::is_useful),
            _ => true,
        }
    }

    /// Whether any row of the one container may match; `bounds` gives the bounds of a column.
    pub(super) fn may_match(&self, bounds: &dyn Fn(usize) -> Bounds) -> bool {
        match self {
            Self::Anything => true,
            Self::Nothing => false,
            Self::All(parts) => parts.iter().all(|part| part.may_match(bounds)),
            Self::Any(parts) => parts.iter().any(|part| part.may_match(bounds)),
            Self::IsNull(column)
            | Self::IsNotNull(column)
            | Self::Compare(column, ..)
            | Self::OneOf(column, _)
            | Self::Prefix(column, _) => {
                self.judge(&bounds(*column)).first().copied().unwrap_or(true)
            }
        }
    }

    /// For each container, whether any row may match a condition on one column.
    pub(super) fn judge(&self, bounds: &Bounds) -> Vec<bool> {
        let containers = 0..bounds.rows.len();
        match self {
            Self::IsNull(_) => containers.map(|i| bounds.nulls[i] != Some(0)).collect(),
            Self::IsNotNull(_) => containers.map(|i| !bounds.is_all_null(i)).collect(),
            Self::Compare(_, comparison, constant) => constant.judge(*comparison, bounds),
            Self::OneOf(_, constants) => {
                let verdicts: Vec<_> = constants.iter().map(|c| c.judge_equal(bounds)).collect();
                containers.map(|i| verdicts.iter().any(|verdict| verdict[i])).collect()
            }
            Self::Prefix(_, prefix) => judge_prefix(prefix, bounds),
            Self::Nothing => vec![false; bounds.rows.len()],
            Self::Anything | Self::All(_) | Self::Any(_) => vec![true; bounds.rows.len()],
        }
    }
}

impl Constant {
    /// `value` beside a column of type `column`; `None` where they cannot be compared here.
    fn new(value: &ArrayRef, column: &DataType) -> Option<Self> {
        let value = plain_text(value)?;
        if column.is_temporal() && *value.data_type() == DataType::Utf8 {
            let value = cast(&value, column).ok()?;
            return Some(Self::exact(value)).filter(Self::is_known);
        }
        if value.data_type() == column {
            return Some(Self::exact(value)).filter(Self::is_known);
        }
        let common = widen(column, value.data_type())?;
        let value_wide = cast(&value, &common).ok()?;
        let rounded = cast(&value, column).and_then(|narrow| cast(&narrow, &common)).ok();
        let rounded = rounded.filter(|array| array.is_valid(0)).unwrap_or(value_wide.clone());
        let swapped = compare(&rounded, &value_wide)(0)? == Ordering::Less;
        let (low, high) = if swapped { (rounded, value_wide) } else { (value_wide, rounded) };
        let rounds = |array: &ArrayRef| match cast(&high, array.data_type()) {
            Ok(back) => back.as_ref() != array.as_ref(),
            Err(_) => true,
        };
        let inexact = (common.is_floating() && (!column.is_floating() || rounds(&value)))
            || compare(&low, &high)(0)? != Ordering::Equal;
        Some(Self { value, low, high, inexact }).filter(Self::is_known)
    }

    fn exact(value: ArrayRef) -> Self {
        Self { low: value.clone(), high: value.clone(), value, inexact: false }
    }

    /// NULL and NaN compare in ways of their own.
    fn is_known(&self) -> bool {
        let known = |array: &ArrayRef| array.is_valid(0) && !is_nan(array, 0);
        known(&self.low) && known(&self.high)
    }

    fn judge(&self, comparison: Comparison, bounds: &Bounds) -> Vec<bool> {
        let strict = !self.inexact && matches!(comparison, Comparison::Less | Comparison::Greater);
        let fits = |order: Option<Ordering>, wrong: Ordering| match order {
            Some(Ordering::Equal) => !strict,
            Some(order) => order != wrong,
            None => true,
        };
        let above = matches!(comparison, Comparison::Greater | Comparison::GreaterOrEqual);
        let (bound, edge) =
            if above { (&bounds.max, &self.low) } else { (&bounds.min, &self.high) };
        let order = self.against(bound, edge);
        let float = bound.data_type().is_floating();
        (0..bounds.rows.len())
            .map(|i| {
                if bounds.is_all_null(i) {
                    return false;
                }
                let nan_matches = above && float && bounds.nans[i] != Some(0);
                let wrong = if above { Ordering::Less } else { Ordering::Greater };
                nan_matches || fits(order(i), wrong)
            })
            .collect()
    }

    fn judge_equal(&self, bounds: &Bounds) -> Vec<bool> {
        let low = self.against(&bounds.max, &self.low);
        let high = self.against(&bounds.min, &self.high);
        (0..bounds.rows.len())
            .map(|i| {
                !bounds.is_all_null(i)
                    && low(i) != Some(Ordering::Less)
                    && high(i) != Some(Ordering::Greater)
            })
            .collect()
    }

    /// Compares each bound with an edge of the interval; unknown where the bound is.
    fn against(&self, bound: &ArrayRef, edge: &ArrayRef) -> Box<dyn Fn(usize) -> Option<Ordering>> {
        match cast(bound, edge.data_type()) {
            Ok(bound) => compare(&bound, edge),
            Err(_) => Box::new(|_| None),
        }
    }
}

/// Compares the elements of `left` with the first of `right`, of the same type. Floats compare as
/// numbers (`-0.0 = 0.0`); NULL and NaN compare as unknown.
fn compare(left: &ArrayRef, right: &ArrayRef) -> Box<dyn Fn(usize) -> Option<Ordering>> {
    if left.data_type().is_floating() {
        let number = |array: &ArrayRef| -> Option<Float64Array> {
            let wide = cast(array, &DataType::Float64).ok()?;
            Some(wide.as_primitive::<Float64Type>().clone())
        };
        let (Some(left), Some(right)) = (number(left), number(right)) else {
            return Box::new(|_| None);
        };
        return Box::new(move |i| {
            let known = left.is_valid(i) && right.is_valid(0);
            known.then(|| left.value(i).partial_cmp(&right.value(0))).flatten()
        });
    }
    let (left, right) = (left.clone(), right.clone());
    match arrow::array::make_comparator(&left, &right, Default::default()) {
        Ok(order) => {
            Box::new(move |i| (left.is_valid(i) && right.is_valid(0)).then(|| order(i, 0)))
        }
        Err(_) => Box::new(|_| None),
    }
}

fn is_nan(array: &ArrayRef, index: usize) -> bool {
    array.data_type().is_floating()
        && cast(array, &DataType::Float64)
            .is_ok_and(|wide| wide.as_primitive::<Float64Type>().value(index).is_nan())
}

/// A constant without dictionary, its text as `Utf8` or `Binary`.
fn plain_text(value: &ArrayRef) -> Option<ArrayRef> {
    let wanted = match value.data_type() {
        DataType::Dictionary(_, inner) => inner.as_ref().clone(),
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        _ => return Some(value.clone()),
    };
    plain_text(&cast(value, &wanted).ok()?)
}

fn judge_prefix(prefix: &[u8], bounds: &Bounds) -> Vec<bool> {
    let text = |array: &ArrayRef, i: usize| -> Option<Vec<u8>> {
        let array = array.as_string_opt::<i32>()?;
        array.is_valid(i).then(|| array.value(i).as_bytes().to_vec())
    };
    let starts_at_most = |min: Vec<u8>| min[..min.len().min(prefix.len())] <= *prefix;
    (0..bounds.rows.len())
        .map(|i| {
            !bounds.is_all_null(i)
                && text(&bounds.min, i).is_none_or(starts_at_most)
                && text(&bounds.max, i).is_none_or(|max| max.as_slice() >= prefix)
        })
        .collect()
}

/// The condition for `expr` to be true, or false if `negated`. A row for which `expr` is NULL matches
/// neither.
fn compile(expr: &Expr, schema: &Schema, negated: bool) -> Condition {
    match expr {
        Expr::Alias(inner, _) => compile(inner, schema, negated),
        Expr::Unary { op, expr, .. } => compile_unary(*op, expr, schema, negated),
        Expr::Binary { left, op: BinaryOp::And, right, .. } => {
            let parts = vec![compile(left, schema, negated), compile(right, schema, negated)];
            if negated { any(parts) } else { all(parts) }
        }
        Expr::Binary { left, op: BinaryOp::Or, right, .. } => {
            let parts = vec![compile(left, schema, negated), compile(right, schema, negated)];
            if negated { all(parts) } else { any(parts) }
        }
        Expr::Binary { left, op, right, .. } => {
            compile_comparison(left, *op, right, schema, negated)
        }
        Expr::InList { expr, list, negated: not_in, .. } if *not_in == negated => {
            compile_in_list(expr, list, schema)
        }
        Expr::Like(like) if !negated => compile_like(like, schema),
        Expr::Call { name, args, .. } if name == "starts_with" && !negated => match &args[..] {
            [text, prefix] => prefix_of(text, constant(prefix), schema, |_| None),
            _ => Condition::Anything,
        },
        Expr::Literal(_) => compile_literal(expr, negated),
        Expr::Column(_) => compile_boolean(expr, schema, !negated),
        _ => Condition::Anything,
    }
}

fn compile_unary(op: UnaryOp, expr: &Expr, schema: &Schema, negated: bool) -> Condition {
    let column = column_of(expr, schema);
    match (op, column) {
        (UnaryOp::Not, _) => compile(expr, schema, !negated),
        (UnaryOp::IsNull, Some(column)) if negated => Condition::IsNotNull(column),
        (UnaryOp::IsNull, Some(column)) => Condition::IsNull(column),
        (UnaryOp::IsNotNull, Some(column)) if negated => Condition::IsNull(column),
        (UnaryOp::IsNotNull, Some(column)) => Condition::IsNotNull(column),
        (UnaryOp::IsTrue, _) if !negated => compile(expr, schema, false),
        (UnaryOp::IsFalse, _) if !negated => compile(expr, schema, true),
        _ => Condition::Anything,
    }
}

fn compile_literal(expr: &Expr, negated: bool) -> Condition {
    let matches = constant(expr).and_then(|value| {
        let value = value.as_boolean_opt()?.clone();
        Some(value.is_valid(0) && value.value(0) != negated)
    });
    if matches == Some(false) { Condition::Nothing } else { Condition::Anything }
}

fn compile_boolean(expr: &Expr, schema: &Schema, wanted: bool) -> Condition {
    let wanted: ArrayRef = std::sync::Arc::new(arrow::array::BooleanArray::from(vec![wanted]));
    match column_of(expr, schema) {
        Some(column) if *schema.field(column).data_type() == DataType::Boolean => {
            Condition::OneOf(column, vec![Constant::exact(wanted)])
        }
        _ => Condition::Anything,
    }
}

fn compile_comparison(
    left: &Expr,
    op: BinaryOp,
    right: &Expr,
    schema: &Schema,
    negated: bool,
) -> Condition {
    let op = if negated { negate(op) } else { Some(op) };
    let (column, value, op) = match (column_of(left, schema), column_of(right, schema)) {
        (Some(column), None) => (column, constant(right), op),
        (None, Some(column)) => (column, constant(left), op.map(BinaryOp::mirrored)),
        _ => return Condition::Anything,
    };
    let (Some(value), Some(op)) = (value, op) else { return Condition::Anything };
    let comparison = match op {
        BinaryOp::Lt => Comparison::Less,
        BinaryOp::LtEq => Comparison::LessOrEqual,
        BinaryOp::Gt => Comparison::Greater,
        BinaryOp::GtEq => Comparison::GreaterOrEqual,
        BinaryOp::Eq => return one_of(column, &[Some(value)], schema),
        BinaryOp::NotEq => return Condition::IsNotNull(column),
        _ => return Condition::Anything,
    };
    if value.is_null(0) {
        return Condition::Nothing;
    }
    match Constant::new(&value, schema.field(column).data_type()) {
        Some(constant) => Condition::Compare(column, comparison, constant),
        None => Condition::IsNotNull(column),
    }
}

fn negate(op: BinaryOp) -> Option<BinaryOp> {
    Some(match op {
        BinaryOp::Lt => BinaryOp::GtEq,
        BinaryOp::LtEq => BinaryOp::Gt,
        BinaryOp::Gt => BinaryOp::LtEq,
        BinaryOp::GtEq => BinaryOp::Lt,
        BinaryOp::Eq => BinaryOp::NotEq,
        BinaryOp::NotEq => BinaryOp::Eq,
        _ => return None,
    })
}

fn compile_in_list(expr: &Expr, list: &[Expr], schema: &Schema) -> Condition {
    match column_of(expr, schema) {
        Some(column) => one_of(column, &list.iter().map(constant).collect::<Vec<_>>(), schema),
        None => Condition::Anything,
    }
}

/// Equality with any of the values; NULL equals nothing.
fn one_of(column: usize, values: &[Option<ArrayRef>], schema: &Schema) -> Condition {
    let mut constants = Vec::with_capacity(values.len());
    for value in values {
        let Some(value) = value else { return Condition::Anything };
        if value.is_null(0) || *value.data_type() == DataType::Null {
            continue;
        }
        match Constant::new(value, schema.field(column).data_type()) {
            Some(constant) => constants.push(constant),
            None => return Condition::IsNotNull(column),
        }
    }
    if constants.is_empty() { Condition::Nothing } else { Condition::OneOf(column, constants) }
}

fn compile_like(like: &Like, schema: &Schema) -> Condition {
    if like.negated || like.case_insensitive {
        return Condition::Anything;
    }
    let special = |c: char| c == '%' || c == '_' || like.escape == Some(c);
    prefix_of(&like.expr, constant(&like.pattern), schema, |text| text.find(special))
}

/// The condition that a text column begins with the constant, up to where `end` says.
fn prefix_of(
    text: &Expr,
    prefix: Option<ArrayRef>,
    schema: &Schema,
    end: impl Fn(&str) -> Option<usize>,
) -> Condition {
    let column = column_of(text, schema);
    let column = column.filter(|i| *schema.field(*i).data_type() == DataType::Utf8);
    let prefix = prefix.and_then(|value| plain_text(&value));
    let (Some(column), Some(prefix)) = (column, prefix) else { return Condition::Anything };
    match prefix.as_string_opt::<i32>() {
        Some(value) if value.is_valid(0) => {
            let value = value.value(0);
            let end = end(value).unwrap_or(value.len());
            Condition::Prefix(column, value.as_bytes()[..end].to_vec())
        }
        _ => Condition::Anything,
    }
}

/// The column that `expr` is, by its exact name or else by its only name without case.
fn column_of(expr: &Expr, schema: &Schema) -> Option<usize> {
    let Expr::Column(column) = expr else { return None };
    if let Some((index, _)) = schema.fields().find(&column.name) {
        return Some(index);
    }
    let same = |field: &&std::sync::Arc<arrow::datatypes::Field>| {
        field.name().to_lowercase() == column.name.to_lowercase()
    };
    let mut found = schema.fields().iter().filter(same);
    let field = found.next().filter(|_| found.next().is_none())?;
    schema.index_of(field.name()).ok()
}

/// The value of a constant expression, as an array of one element.
fn constant(expr: &Expr) -> Option<ArrayRef> {
    match expr {
        Expr::Literal(literal) => Some(literal.0.clone()),
        Expr::Alias(inner, _) => constant(inner),
        Expr::Cast { expr, to, .. } => {
            let value = constant(expr)?;
            let wanted = cast(&value, to).ok()?;
            // A cast that fails is an error of the query, not a NULL.
            (wanted.is_valid(0) || value.is_null(0)).then_some(wanted)
        }
        Expr::Unary { op: UnaryOp::Negate, expr, .. } => neg(&constant(expr)?).ok(),
        _ => None,
    }
}

fn all(parts: Vec<Condition>) -> Condition {
    match parts.len() {
        1 => parts.into_iter().next().unwrap_or(Condition::Anything),
        _ => Condition::All(parts),
    }
}

fn any(parts: Vec<Condition>) -> Condition {
    Condition::Any(parts)
}
