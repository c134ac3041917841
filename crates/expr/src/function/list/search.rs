//! Items looked for in lists: `list_contains`, `list_position`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use dframe_core::Result;

use super::super::argument::{Argument, check_count};
use super::super::{Call, Function, Signature};
use super::{Lists, items_of, list_target};
use crate::coerce::{Operand, unify};
use crate::expr::BinaryOp;
use crate::kernel::{cast, comparison};
use crate::value::Value;

pub(super) const LIST_CONTAINS: Function = Function {
    names: &["list_contains", "list_has", "array_contains", "array_has"],
    usage: "list_contains(list, value)",
    signature: |args| signature(args, DataType::Boolean),
    evaluate: contains,
};

pub(super) const LIST_POSITION: Function = Function {
    names: &["list_position", "list_indexof", "array_position", "array_indexof"],
    usage: "list_position(list, value): from 1, or NULL; finds NULL, too",
    signature: |args| signature(args, DataType::Int64),
    evaluate: |call| {
        let found = Search::new(call)?;
        let position = |row| found.position(row).map(|place| place as i64 + 1);
        Ok(call.value(Arc::new((0..call.len()).map(position).collect::<Int64Array>())))
    },
};

/// The list as it is; the value in the type in which both compare.
pub(in super::super) fn signature(args: &[Argument], returns: DataType) -> Result<Signature> {
    check_count(args, 2, 2)?;
    let item = items_of(0, &args[0])?;
    let constant = args[1].constant.as_ref();
    let value = Operand { data_type: &args[1].data_type, constant };
    let common = unify(&[Operand { data_type: &item, constant: None }, value])?;
    Ok(Signature { args: vec![list_target(&args[0]), common], returns })
}

/// Whether each list has the value.
pub(in super::super) fn contains(call: &Call<'_>) -> Result<Value> {
    let found = Search::new(call)?;
    let contains = |row| {
        // An empty list does not even have what is unknown.
        let items = found.lists.range(row)?;
        let known = items.is_empty() || !found.value_is_null(row);
        known.then(|| found.position(row).is_some())
    };
    Ok(call.value(Arc::new((0..call.len()).map(contains).collect::<BooleanArray>())))
}

/// Lists, and which of their items are the value looked for.
struct Search {
    lists: Lists,
    value: Value,
    equal: BooleanArray,
}

impl Search {
    fn new(call: &Call<'_>) -> Result<Self> {
        let (lists, value) = (Lists::new(&call.array(0)?)?, call.args[1].clone());
        let items = cast::cast(&lists.items, value.data_type(), true)?;
        let wanted = match &value {
            Value::Scalar(_) => value.clone(),
            Value::Array(values) => Value::Array(of_each_item(&lists, values)?),
        };
        let items = Value::Array(items);
        let equal = comparison::compare(BinaryOp::IsNotDistinctFrom, &items, &wanted)?;
        Ok(Self { lists, value, equal })
    }

    fn value_is_null(&self, row: usize) -> bool {
        match &self.value {
            Value::Scalar(array) => array.logical_null_count() > 0,
            Value::Array(array) => array.is_null(row),
        }
    }

    /// The place of the value in the list of `row`, from 0.
    fn position(&self, row: usize) -> Option<usize> {
        self.lists.range(row)?.position(|item| self.equal.value(item))
    }
}

/// The value of its row for every item; items of no row get any.
fn of_each_item(lists: &Lists, values: &ArrayRef) -> Result<ArrayRef> {
    let mut rows = vec![0; lists.items.len()];
    for row in 0..lists.len() {
        rows[lists.range(row).unwrap_or_default()].fill(row as u32);
    }
    if values.is_empty() {
        return Ok(values.clone());
    }
    Ok(take(values, &UInt32Array::from(rows), None)?)
}
