//! CASE, COALESCE and their kin, which must not compute what no row asks for.
//!
//! ```text
//!   rows  0 1 2 3        WHEN takes 1 3 -> THEN on those two -\
//!                        the rest   0 2 -> ELSE on those two --+-> pieces, put back in order
//! ```
//!
//! A branch that cannot fail may see all rows, where that is quicker.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array, new_null_array};
use arrow::compute::{concat, is_null, take};
use arrow::datatypes::DataType;
use dframe_core::Result;

use crate::bound::{BoundExpr, Input, Mask};
use crate::expr::BinaryOp;
use crate::kernel::select::select;
use crate::kernel::{cast, comparison, logic};
use crate::value::Value;

/// `CASE WHEN .. THEN .. ELSE .. END`; conditions are truth values, results of one type.
pub(crate) fn case(
    branches: &[(BoundExpr, BoundExpr)],
    otherwise: Option<&BoundExpr>,
    data_type: &DataType,
    input: Input<'_>,
) -> Result<Value> {
    // For values of a fixed width it is quicker to compute all and choose. Should that fail, it may be
    // for rows that do not ask for it: only the lazy way knows.
    if branches.len() <= EAGER
        && (data_type.is_primitive() || is_safe(branches, otherwise))
        && let Ok(value) = case_of_all(branches, otherwise, data_type, input)
    {
        return Ok(value);
    }
    let mut pieces = Pieces::new(input.rows);
    let mut rest = Rows::All;
    for (when, then) in branches {
        let taken = rest.take_where(when, input)?;
        pieces.add(then, &taken, input)?;
        if rest.is_empty(input.rows) {
            break;
        }
    }
    match otherwise {
        Some(otherwise) => pieces.add(otherwise, &rest, input)?,
        None => pieces.push(Value::Scalar(new_null_array(data_type, 1)), &rest),
    }
    pieces.finish()
}

/// With more branches, most are computed in vain.
const EAGER: usize = 3;

fn is_safe(branches: &[(BoundExpr, BoundExpr)], otherwise: Option<&BoundExpr>) -> bool {
    let safe = |expr: &BoundExpr| !expr.node().fallible;
    branches.iter().all(|(when, then)| safe(when) && safe(then)) && otherwise.is_none_or(safe)
}

/// Every branch for every row, from the last, which the ones before it replace.
fn case_of_all(
    branches: &[(BoundExpr, BoundExpr)],
    otherwise: Option<&BoundExpr>,
    data_type: &DataType,
    input: Input<'_>,
) -> Result<Value> {
    let mut result = match otherwise {
        Some(otherwise) => otherwise.eval_plain(input)?,
        None => Value::Scalar(new_null_array(data_type, 1)),
    };
    for (when, then) in branches.iter().rev() {
        result = match when.eval_mask(input)? {
            Mask::All(Some(true)) => then.eval_plain(input)?,
            Mask::All(_) => result,
            Mask::Each(mask) => {
                let mask = logic::is(&mask, true);
                Value::Array(select(&mask, &then.eval_plain(input)?, &result)?)
            }
        };
    }
    Ok(result)
}

/// The first argument that is not NULL; all of one type.
pub(crate) fn coalesce(args: &[BoundExpr], input: Input<'_>) -> Result<Value> {
    let mut pieces = Pieces::new(input.rows);
    let mut rest = Rows::All;
    for arg in args {
        let value = rest.eval(arg, input)?;
        let nulls = match &value {
            Value::Scalar(array) if array.is_null(0) => None,
            Value::Scalar(_) => Some(BooleanArray::from(vec![false; rest.len(input.rows)])),
            Value::Array(array) => Some(is_null(array)?),
        };
        pieces.push(value, &rest);
        match nulls {
            Some(nulls) => rest = rest.keep(&nulls),
            None => continue,
        }
        if rest.is_empty(input.rows) {
            break;
        }
    }
    pieces.finish()
}

/// `GREATEST` (with `>`) or `LEAST` (with `<`), skipping NULLs; all of one type.
pub(crate) fn extreme(op: BinaryOp, args: &[BoundExpr], input: Input<'_>) -> Result<Value> {
    let mut best: Option<Value> = None;
    for arg in args {
        let next = arg.eval_plain(input)?;
        best = Some(match best {
            Some(best) => better(op, best, next)?,
            None => next,
        });
    }
    best.ok_or_else(|| dframe_core::Error::internal("an extreme of nothing"))
}

fn better(op: BinaryOp, best: Value, next: Value) -> Result<Value> {
    let replaces = comparison::compare(op, &next, &best)?;
    let replaces = BooleanArray::from(logic::is(&replaces, true));
    let rows = replaces.len();
    let missing = is_null(&best.clone().into_array(rows)?)?;
    let replaces = arrow::compute::or(&replaces, &missing)?;
    let result = select(replaces.values(), &next, &best)?;
    crate::bound::with_shape(&best, &next, result)
}

/// NULL where `value` equals `other`, both compared as `compare_as`.
pub(crate) fn nullif(
    value: &BoundExpr,
    compare_as: &DataType,
    other: &BoundExpr,
    input: Input<'_>,
) -> Result<Value> {
    let (value, other) = (value.eval_plain(input)?, other.eval_plain(input)?);
    let compared = cast::cast_value(&value, compare_as, true)?;
    let equal = comparison::compare(BinaryOp::Eq, &compared, &other)?;
    let equal = BooleanArray::from(logic::is(&equal, true));
    let array = value.clone().into_array(equal.len())?;
    let result = arrow::compute::nullif(&array, &equal)?;
    crate::bound::with_shape(&value, &other, result)
}

/// Some rows of the input, in order.
enum Rows {
    All,
    Some(UInt32Array),
}

impl Rows {
    fn len(&self, all: usize) -> usize {
        match self {
            Rows::All => all,
            Rows::Some(rows) => rows.len(),
        }
    }

    fn is_empty(&self, all: usize) -> bool {
        self.len(all) == 0
    }

    /// `expr` on these rows only.
    fn eval(&self, expr: &BoundExpr, input: Input<'_>) -> Result<Value> {
        let Rows::Some(rows) = self else { return expr.eval_plain(input) };
        let mut columns = input.columns.to_vec();
        for &index in &expr.node().columns {
            columns[index] = take(&columns[index], rows, None)?;
        }
        expr.eval_plain(Input { columns: &columns, rows: rows.len() })
    }

    /// Takes the rows where `when` is true out of these.
    fn take_where(&mut self, when: &BoundExpr, input: Input<'_>) -> Result<Rows> {
        let nothing = Rows::Some(UInt32Array::from(Vec::<u32>::new()));
        let mask = match self.eval(when, input)? {
            Value::Array(array) => array,
            Value::Scalar(array) => {
                let is_true = logic::is(arrow::array::AsArray::as_boolean(&array), true).value(0);
                return Ok(if is_true { std::mem::replace(self, nothing) } else { nothing });
            }
        };
        let is_true = BooleanArray::from(logic::is(arrow::array::AsArray::as_boolean(&mask), true));
        let taken = self.keep(&is_true);
        *self = self.keep(&arrow::compute::not(&is_true)?);
        Ok(taken)
    }

    /// Those of these rows where `mask`, which is as long, is true.
    fn keep(&self, mask: &BooleanArray) -> Rows {
        if mask.true_count() == mask.len() {
            return match self {
                Rows::All => Rows::All,
                Rows::Some(rows) => Rows::Some(rows.clone()),
            };
        }
        let positions = mask.values().set_indices();
        Rows::Some(match self {
            Rows::All => positions.map(|row| row as u32).collect::<Vec<_>>().into(),
            Rows::Some(rows) => positions.map(|row| rows.value(row)).collect::<Vec<_>>().into(),
        })
    }
}

/// Results for some rows each, to be put in the order of all rows. Later ones replace earlier ones.
struct Pieces {
    values: Vec<ArrayRef>,
    /// For each row, its position in the values one after another.
    order: Vec<u32>,
    end: usize,
    whole: Option<Value>,
}

impl Pieces {
    fn new(rows: usize) -> Self {
        Self { values: vec![], order: vec![0; rows], end: 0, whole: None }
    }

    fn add(&mut self, expr: &BoundExpr, rows: &Rows, input: Input<'_>) -> Result<()> {
        if !rows.is_empty(input.rows) || input.rows == 0 {
            self.push(rows.eval(expr, input)?, rows);
        }
        Ok(())
    }

    fn push(&mut self, value: Value, rows: &Rows) {
        let (array, step) = match &value {
            Value::Array(array) => (array, 1),
            Value::Scalar(array) => (array, 0),
        };
        let position = |index: usize| (self.end + index * step) as u32;
        match rows {
            Rows::All => {
                self.order.iter_mut().enumerate().for_each(|(row, at)| *at = position(row));
            }
            Rows::Some(rows) => {
                for (index, row) in rows.values().iter().enumerate() {
                    self.order[*row as usize] = position(index);
                }
            }
        }
        self.end += array.len();
        self.values.push(array.clone());
        // What all rows take replaces all before; what some take ends the whole.
        self.whole = match rows {
            Rows::All => Some(value),
            Rows::Some(rows) if rows.is_empty() => self.whole.take(),
            Rows::Some(_) => None,
        };
    }

    fn finish(self) -> Result<Value> {
        if let Some(whole) = self.whole {
            return Ok(whole);
        }
        let values: Vec<&dyn Array> = self.values.iter().map(|array| array.as_ref()).collect();
        let order = UInt32Array::from(self.order);
        let result: Arc<dyn Array> = take(&concat(&values)?, &order, None)?;
        Ok(Value::Array(result))
    }
}
