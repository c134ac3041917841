//! Lists in another order, and without what is there twice: `list_sort`, `list_reverse`, `list_distinct`.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DynComparator, Int64Array, PrimitiveArray, make_comparator,
};
use arrow::compute::SortOptions;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Float32Type, Float64Type};
use dframe_core::{Error, Result};

use super::super::argument::{Argument, check_count, wrong_type};
use super::super::{Call, Function, Signature};
use super::{Lists, gather, items_of, list_of, list_target};
use crate::value::Value;

pub(super) const LIST_SORT: Function = Function {
    names: &["list_sort", "array_sort"],
    usage: "list_sort(list [, 'asc' or 'desc' [, 'nulls first' or 'nulls last']])",
    signature: sort_signature,
    evaluate: |call| {
        let word = |index: usize| -> Result<Option<String>> {
            if index >= call.args.len() {
                return Ok(Some(String::new()));
            }
            Ok(call.text(index)?.get(0).map(str::to_string))
        };
        match (word(1)?, word(2)?) {
            (Some(order), Some(nulls)) => {
                sort(call, parse_direction(&order)?, parse_nulls(&nulls)?)
            }
            _ => gather(call, &Lists::new(&call.array(0)?)?.items, |_, _| None),
        }
    },
};

pub(super) const LIST_REVERSE_SORT: Function = Function {
    names: &["list_reverse_sort", "array_reverse_sort"],
    usage: "list_reverse_sort(list): the greatest first, NULLs last",
    signature: list_to_list,
    evaluate: |call| sort(call, Direction::Descending, Nulls::Last),
};

pub(super) const LIST_REVERSE: Function = Function {
    names: &["list_reverse", "array_reverse"],
    usage: "list_reverse(list)",
    signature: list_to_list,
    evaluate: |call| {
        let lists = Lists::new(&call.array(0)?)?;
        gather(call, &lists.items, |row, indices| {
            indices.extend(lists.range(row)?.rev().map(|item| item as u32));
            Some(())
        })
    },
};

pub(super) const LIST_DISTINCT: Function = Function {
    names: &["list_distinct", "array_distinct"],
    usage: "list_distinct(list): each item once, where it is first, without NULL",
    signature: list_to_list,
    evaluate: |call| {
        let lists = Lists::new(&call.array(0)?)?;
        let order = Order::new(&lists.items)?;
        gather(call, &lists.items, |row, indices| {
            indices.extend(order.distinct(lists.range(row)?));
            Some(())
        })
    },
};

pub(super) const LIST_UNIQUE: Function = Function {
    names: &["list_unique", "array_unique", "list_n_unique"],
    usage: "list_unique(list): how many different items there are, without NULL",
    signature: |args| Ok(Signature { args: list_to_list(args)?.args, returns: DataType::Int64 }),
    evaluate: |call| {
        let lists = Lists::new(&call.array(0)?)?;
        let order = Order::new(&lists.items)?;
        let count = |row| lists.range(row).map(|items| order.distinct(items).len() as i64);
        Ok(call.value(Arc::new((0..call.len()).map(count).collect::<Int64Array>())))
    },
};

fn list_to_list(args: &[Argument]) -> Result<Signature> {
    check_count(args, 1, 1)?;
    let item = items_of(0, &args[0])?;
    Ok(Signature { args: vec![list_target(&args[0])], returns: list_of(&item) })
}

fn sort_signature(args: &[Argument]) -> Result<Signature> {
    check_count(args, 1, 3)?;
    let item = items_of(0, &args[0])?;
    let mut types = vec![list_target(&args[0])];
    for (index, arg) in args.iter().enumerate().skip(1) {
        match arg.constant_text() {
            Some(word) if index == 1 => parse_direction(&word).map(drop)?,
            Some(word) => parse_nulls(&word).map(drop)?,
            None if arg.data_type.is_null() || arg.constant.is_some() => {}
            None => return Err(wrong_type(index, arg, "a constant, as 'desc'")),
        }
        types.push(DataType::Utf8);
    }
    Ok(Signature { args: types, returns: list_of(&item) })
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Ascending,
    Descending,
}

#[derive(Clone, Copy, PartialEq)]
enum Nulls {
    First,
    Last,
}

fn parse_direction(word: &str) -> Result<Direction> {
    match word.to_ascii_lowercase().as_str() {
        "" | "asc" => Ok(Direction::Ascending),
        "desc" => Ok(Direction::Descending),
        _ => Err(Error::invalid_input(format!("'{word}' is no order of a list"))
            .remedy("sort by 'asc' or 'desc'")),
    }
}

fn parse_nulls(words: &str) -> Result<Nulls> {
    match words.to_ascii_lowercase().as_str() {
        "" | "nulls last" => Ok(Nulls::Last),
        "nulls first" => Ok(Nulls::First),
        _ => Err(Error::invalid_input(format!("'{words}' is no place for NULLs"))
            .remedy("write 'nulls first' or 'nulls last'")),
    }
}

fn sort(call: &Call<'_>, direction: Direction, place: Nulls) -> Result<Value> {
    let lists = Lists::new(&call.array(0)?)?;
    let order = Order::new(&lists.items)?;
    gather(call, &lists.items, |row, indices| {
        let (mut values, nulls) = order.parted(lists.range(row)?);
        match direction {
            Direction::Ascending => values.sort_by(|a, b| order.compare(*a, *b)),
            Direction::Descending => values.sort_by(|a, b| order.compare(*b, *a)),
        }
        let (first, last) = if place == Nulls::First { (nulls, values) } else { (values, nulls) };
        indices.extend(first);
        indices.extend(last);
        Some(())
    })
}

/// How items are ordered; NULLs are left out.
pub(super) struct Order {
    items: ArrayRef,
    comparator: DynComparator,
}

impl Order {
    pub(super) fn new(items: &ArrayRef) -> Result<Self> {
        let items = normalized(items);
        let comparator =
            make_comparator(&items, &items, SortOptions::default()).map_err(|error| {
                let name = crate::type_name(items.data_type());
                Error::unsupported(format!("items of type {name} have no order")).source(error)
            })?;
        Ok(Self { items, comparator })
    }

    pub(super) fn compare(&self, left: u32, right: u32) -> Ordering {
        (self.comparator)(left as usize, right as usize)
    }

    /// The items that are not NULL, and those that are.
    fn parted(&self, items: std::ops::Range<usize>) -> (Vec<u32>, Vec<u32>) {
        items.map(|item| item as u32).partition(|item| self.items.is_valid(*item as usize))
    }

    /// The items, the smallest first.
    pub(super) fn sorted(&self, items: std::ops::Range<usize>) -> Vec<u32> {
        let (mut values, _) = self.parted(items);
        values.sort_by(|a, b| self.compare(*a, *b));
        values
    }

    /// The first of each kind of item, in the order of the list.
    pub(super) fn distinct(&self, items: std::ops::Range<usize>) -> Vec<u32> {
        let mut values = self.sorted(items);
        values.dedup_by(|later, earlier| self.compare(*later, *earlier).is_eq());
        values.sort_unstable();
        values
    }
}

/// Floats with one NaN and one zero, so that their order is that of columns.
fn normalized(items: &ArrayRef) -> ArrayRef {
    match items.data_type() {
        DataType::Float64 => {
            map::<Float64Type>(items, |x| if x.is_nan() { f64::NAN } else { x + 0.0 })
        }
        DataType::Float32 => {
            map::<Float32Type>(items, |x| if x.is_nan() { f32::NAN } else { x + 0.0 })
        }
        _ => items.clone(),
    }
}

fn map<T: ArrowPrimitiveType>(items: &ArrayRef, op: impl Fn(T::Native) -> T::Native) -> ArrayRef {
    let mapped: PrimitiveArray<T> = items.as_primitive::<T>().unary(op);
    Arc::new(mapped)
}
