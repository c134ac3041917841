//! How long lists are, and their elements: `array_length`, `list_extract`, `list_slice`.

use std::sync::Arc;

use arrow::array::{Array, Int64Array, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use dframe_core::Result;

use super::super::argument::{Argument, Kind, argument_type, check_count};
use super::super::{Call, Function, Signature};
use super::{Lists, gather, items_of, list_of, list_target};
use crate::value::Value;

pub(super) const ARRAY_LENGTH: Function = Function {
    names: &["array_length", "list_length"],
    usage: "array_length(list): its number of items",
    signature: |args| {
        check_count(args, 1, 1)?;
        items_of(0, &args[0])?;
        Ok(Signature { args: vec![list_target(&args[0])], returns: DataType::Int64 })
    },
    evaluate: length,
};

pub(super) const LIST_EXTRACT: Function = Function {
    names: &["list_extract", "list_element", "array_extract"],
    usage: "list_extract(list, index): from 1, or from the end if negative; NULL beyond it",
    signature: |args| {
        check_count(args, 2, 2)?;
        let item = items_of(0, &args[0])?;
        let index = argument_type(1, &args[1], Kind::Integer)?;
        Ok(Signature { args: vec![list_target(&args[0]), index], returns: item })
    },
    evaluate: |call| {
        let index = call.integers(1)?;
        element(call, |row| index.get(row))
    },
};

pub(super) const LIST_SLICE: Function = Function {
    names: &["list_slice", "array_slice"],
    usage: "list_slice(list, begin, end): from 1, both included, or from the end if negative",
    signature: |args| {
        check_count(args, 3, 3)?;
        let item = items_of(0, &args[0])?;
        let mut types = vec![list_target(&args[0])];
        for index in [1, 2] {
            types.push(argument_type(index, &args[index], Kind::Integer)?);
        }
        Ok(Signature { args: types, returns: list_of(&item) })
    },
    evaluate: slice,
};

pub(super) const LIST_FIRST: Function = Function {
    names: &["list_first", "array_first"],
    usage: "list_first(list)",
    signature: one_list,
    evaluate: |call| element(call, |_| Some(1)),
};

pub(super) const LIST_LAST: Function = Function {
    names: &["list_last", "array_last"],
    usage: "list_last(list)",
    signature: one_list,
    evaluate: |call| element(call, |_| Some(-1)),
};

fn one_list(args: &[Argument]) -> Result<Signature> {
    check_count(args, 1, 1)?;
    let item = items_of(0, &args[0])?;
    Ok(Signature { args: vec![list_target(&args[0])], returns: item })
}

/// The number of items of each list.
pub(in super::super) fn length(call: &Call<'_>) -> Result<Value> {
    let lists = Lists::new(&call.array(0)?)?;
    let lengths = lists.array.value_offsets().windows(2);
    let lengths = lengths.map(|pair| i64::from(pair[1] - pair[0])).collect();
    Ok(call.value(Arc::new(Int64Array::new(lengths, lists.array.nulls().cloned()))))
}

/// The item that `index` names in each list; NULL where there is none.
fn element(call: &Call<'_>, index: impl Fn(usize) -> Option<i64>) -> Result<Value> {
    let lists = Lists::new(&call.array(0)?)?;
    let place = |row| {
        let (items, index) = (lists.range(row)?, index(row)?);
        let offset = match index {
            1.. => usize::try_from(index - 1).ok()?,
            0 => return None,
            _ => items.len().checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?,
        };
        (offset < items.len()).then_some((items.start + offset) as u32)
    };
    let places: UInt32Array = (0..call.len()).map(place).collect();
    Ok(call.value(take(&lists.items, &places, None)?))
}

fn slice(call: &Call<'_>) -> Result<Value> {
    let lists = Lists::new(&call.array(0)?)?;
    let (begins, ends) = (call.integers(1)?, call.integers(2)?);
    gather(call, &lists.items, |row, indices| {
        let (items, begin, end) = (lists.range(row)?, begins.get(row)?, ends.get(row)?);
        let length = items.len() as i64;
        let from_end =
            |place: i64| if place < 0 { length.saturating_add(place) + 1 } else { place };
        let (begin, end) = (from_end(begin).max(1), from_end(end).min(length));
        if begin <= end {
            let start = items.start as i64 - 1;
            indices.extend((start + begin) as u32..(start + end + 1) as u32);
        }
        Some(())
    })
}
