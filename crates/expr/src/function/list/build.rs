//! Lists made of values and of other lists: `list_value`, `list_concat`, `list_append`, `list_prepend`.

use std::ops::Range;

use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;
use arrow::datatypes::DataType;
use dframe_core::Result;

use super::super::argument::{Argument, check_count};
use super::super::{Call, Function, Signature};
use super::{Lists, gather, items_of, list_of, list_target};
use crate::coerce::{Operand, unify};
use crate::kernel::cast::cast;
use crate::value::Value;

pub(super) const LIST_VALUE: Function = Function {
    names: &["list_value", "list_pack"],
    usage: "list_value(value, ...): the list of them; also written [value, ...]",
    signature: |args| {
        let item = common(args.iter().map(operand))?;
        Ok(Signature { args: vec![item.clone(); args.len()], returns: list_of(&item) })
    },
    evaluate: list_value,
};

pub(super) const LIST_CONCAT: Function = Function {
    names: &["list_concat", "list_cat", "array_concat", "array_cat"],
    usage: "list_concat(list, list): a NULL list is left out",
    signature: |args| {
        check_count(args, 2, 2)?;
        let items = [items_of(0, &args[0])?, items_of(1, &args[1])?];
        let item = common(items.iter().map(|item| Operand { data_type: item, constant: None }))?;
        let types = args.iter().map(list_target).collect();
        Ok(Signature { args: types, returns: list_of(&item) })
    },
    evaluate: |call| {
        list_concat(call, |left, right| Some((left.unwrap_or_default(), right.unwrap_or_default())))
    },
};

/// `list || list`, which is NULL where a list is: no function by name.
pub(crate) static CONCAT_LISTS: Function = Function {
    names: &["||"],
    usage: "list || list",
    signature: LIST_CONCAT.signature,
    evaluate: |call| list_concat(call, Option::zip),
};

pub(super) const LIST_APPEND: Function = Function {
    names: &["list_append", "array_append"],
    usage: "list_append(list, value)",
    signature: |args| {
        check_count(args, 2, 2)?;
        let item = common_of(0, &args[0], &args[1])?;
        let types = vec![list_target(&args[0]), item.clone()];
        Ok(Signature { args: types, returns: list_of(&item) })
    },
    evaluate: |call| with_value(call, 0, 1),
};

pub(super) const LIST_PREPEND: Function = Function {
    names: &["list_prepend", "array_prepend"],
    usage: "list_prepend(value, list)",
    signature: |args| {
        check_count(args, 2, 2)?;
        let item = common_of(1, &args[1], &args[0])?;
        let types = vec![item.clone(), list_target(&args[1])];
        Ok(Signature { args: types, returns: list_of(&item) })
    },
    evaluate: |call| with_value(call, 1, 0),
};

fn operand(arg: &Argument) -> Operand<'_> {
    Operand { data_type: &arg.data_type, constant: arg.constant.as_ref() }
}

fn common<'a>(operands: impl Iterator<Item = Operand<'a>>) -> Result<DataType> {
    unify(&operands.collect::<Vec<_>>())
}

/// The type of the items of the list, argument `index`, and of `value`.
fn common_of(index: usize, list: &Argument, value: &Argument) -> Result<DataType> {
    let item = items_of(index, list)?;
    common([Operand { data_type: &item, constant: None }, operand(value)].into_iter())
}

/// The type of the items of the lists to return.
fn returned_item<'a>(call: &Call<'a>) -> &'a DataType {
    super::item_type(call.returns).unwrap_or(&DataType::Null)
}

/// Argument `index` as an array, of one value if it is a scalar; and 0 for a scalar, else 1.
fn column(call: &Call<'_>, index: usize) -> (ArrayRef, usize) {
    match &call.args[index] {
        Value::Array(array) => (array.clone(), 1),
        Value::Scalar(array) => (array.clone(), 0),
    }
}

fn list_value(call: &Call<'_>) -> Result<Value> {
    if call.args.is_empty() {
        let nothing = arrow::array::new_empty_array(&DataType::Null);
        return gather(call, &nothing, |_, _| Some(()));
    }
    let columns: Vec<_> = (0..call.args.len()).map(|index| column(call, index)).collect();
    let arrays: Vec<&dyn Array> = columns.iter().map(|(array, _)| array.as_ref()).collect();
    let items = concat(&arrays)?;
    gather(call, &items, |row, indices| {
        let mut base = 0;
        for (array, step) in &columns {
            indices.push((base + row * step) as u32);
            base += array.len();
        }
        Some(())
    })
}

type Ranges = Option<(Range<usize>, Range<usize>)>;

/// The items of both lists, where `both` says that there are any.
fn list_concat(
    call: &Call<'_>,
    both: fn(Option<Range<usize>>, Option<Range<usize>>) -> Ranges,
) -> Result<Value> {
    let (left, right) = (Lists::new(&call.array(0)?)?, Lists::new(&call.array(1)?)?);
    let item = returned_item(call);
    let items = [cast(&left.items, item, true)?, cast(&right.items, item, true)?];
    let base = items[0].len();
    let items = concat(&[items[0].as_ref(), items[1].as_ref()])?;
    gather(call, &items, |row, indices| {
        let (left, right) = both(left.range(row), right.range(row))?;
        indices.extend(left.map(|item| item as u32));
        indices.extend(right.map(|item| (base + item) as u32));
        Some(())
    })
}

/// The lists of argument `list` with the values of argument `value`, in the order of the arguments.
fn with_value(call: &Call<'_>, list: usize, value: usize) -> Result<Value> {
    let lists = Lists::new(&call.array(list)?)?;
    let (values, step) = column(call, value);
    let items = cast(&lists.items, returned_item(call), true)?;
    let base = items.len();
    let items = concat(&[items.as_ref(), values.as_ref()])?;
    gather(call, &items, |row, indices| {
        let value_at = (base + row * step) as u32;
        if value < list {
            indices.push(value_at);
        }
        indices.extend(lists.range(row).unwrap_or_default().map(|item| item as u32));
        if list < value {
            indices.push(value_at);
        }
        Some(())
    })
}
