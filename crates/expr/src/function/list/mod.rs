//! Functions of lists: length, elements, search, order, aggregates, and lists made of values.
//!
//! ```text
//!   offsets  0   3 3     5          row 0: items 0..3, row 1: none, row 2: items 3..5
//!            |   | |     |
//!   items    a b c   d   e          one array, whatever the type
//! ```
//!
//! Everything works on indices into the items, so that one kernel serves every type of item: rows become
//! ranges, results are taken by index. Positions count from 1, negative ones from the end, as in DuckDB.
//! Items are equal and ordered as columns are: NaN equals NaN and is the greatest.

mod aggregate;
mod build;
mod element;
mod join;
mod order;
mod search;
mod set;

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt32Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef};
use dframe_core::{Error, Result};

use super::argument::{Argument, wrong_type};
use super::{Call, Function};
use crate::kernel;
use crate::value::{Value, plain};

pub(super) use element::length;

pub(super) static LIST: &[Function] = &[
    element::ARRAY_LENGTH,
    element::LIST_EXTRACT,
    element::LIST_SLICE,
    element::LIST_FIRST,
    element::LIST_LAST,
    search::LIST_CONTAINS,
    search::LIST_POSITION,
    order::LIST_SORT,
    order::LIST_REVERSE_SORT,
    order::LIST_REVERSE,
    order::LIST_DISTINCT,
    order::LIST_UNIQUE,
    aggregate::LIST_MIN,
    aggregate::LIST_MAX,
    aggregate::LIST_SUM,
    aggregate::LIST_MEAN,
    aggregate::LIST_COUNT,
    aggregate::LIST_STD,
    aggregate::LIST_VAR,
    aggregate::LIST_BOOL_AND,
    aggregate::LIST_BOOL_OR,
    aggregate::LIST_ANY_VALUE,
    aggregate::LIST_AGGREGATE,
    set::LIST_HAS_ANY,
    set::LIST_HAS_ALL,
    set::LIST_INTERSECT,
    set::FLATTEN,
    build::LIST_VALUE,
    build::LIST_CONCAT,
    build::LIST_APPEND,
    build::LIST_PREPEND,
    join::ARRAY_TO_STRING,
];

pub(super) use crate::kernel::list::item_type;
pub(crate) use build::CONCAT_LISTS;
pub(super) use search::{contains, signature as search_signature};

/// The texts of the first list of a column, without NULLs; `None` if that is NULL, or no list of texts.
pub(super) fn texts(array: &ArrayRef) -> Result<Option<Vec<String>>> {
    let lists = Lists::new(array)?;
    let items = lists.items.as_string_opt::<i32>();
    let texts = lists.range(0).zip(items).map(|(range, items)| {
        let valid = range.filter(|item| items.is_valid(*item));
        valid.map(|item| items.value(item).to_string()).collect()
    });
    Ok(texts)
}

/// The items' type of argument `index`, which must be a list; NULL is a list of NULLs.
fn items_of(index: usize, arg: &Argument) -> Result<DataType> {
    match &arg.data_type {
        DataType::Null => Ok(DataType::Null),
        list => item_type(list).cloned().ok_or_else(|| wrong_type(index, arg, "a list")),
    }
}

/// What the list `arg` is cast to: itself, as kernels take any kind of list.
fn list_target(arg: &Argument) -> DataType {
    match &arg.data_type {
        DataType::Null => list_of(&DataType::Null),
        list => list.clone(),
    }
}

/// The lists that functions make of items of this type.
pub(super) fn list_of(item: &DataType) -> DataType {
    DataType::List(item_field(item))
}

fn item_field(item: &DataType) -> FieldRef {
    Arc::new(Field::new_list_field(item.clone(), true))
}

/// A column of lists.
struct Lists {
    array: ListArray,
    items: ArrayRef,
}

impl Lists {
    /// The lists of `array`, of any kind of list.
    fn new(array: &ArrayRef) -> Result<Self> {
        let array = kernel::list::lists(array)?;
        let items = plain(array.values())?;
        Ok(Self { array, items })
    }

    /// The items that `row` has, unless it is NULL.
    #[inline]
    fn range(&self, row: usize) -> Option<Range<usize>> {
        let offsets = self.array.value_offsets();
        self.array.is_valid(row).then(|| offsets[row] as usize..offsets[row + 1] as usize)
    }

    fn len(&self) -> usize {
        self.array.len()
    }
}

/// The column of lists whose items are those of `items` at the indices that `row` adds; NULL where it
/// gives `None`.
fn gather(
    call: &Call<'_>,
    items: &ArrayRef,
    mut row: impl FnMut(usize, &mut Vec<u32>) -> Option<()>,
) -> Result<Value> {
    let (mut indices, mut offsets, mut valid) = (Vec::new(), vec![0i32], Vec::new());
    for index in 0..call.len() {
        valid.push(row(index, &mut indices).is_some());
        offsets.push(i32::try_from(indices.len()).map_err(|_| too_long())?);
    }
    let items = take(items, &UInt32Array::from(indices), None)?;
    list_column(call, items, offsets, valid)
}

/// The column of lists that begin and end at `offsets` of `items`.
fn list_column(
    call: &Call<'_>,
    items: ArrayRef,
    offsets: Vec<i32>,
    valid: Vec<bool>,
) -> Result<Value> {
    let nulls = Some(NullBuffer::from(valid)).filter(|nulls| nulls.null_count() > 0);
    let field = item_field(items.data_type());
    let lists = ListArray::try_new(field, OffsetBuffer::new(offsets.into()), items, nulls)?;
    Ok(call.value(Arc::new(lists)))
}

fn too_long() -> Error {
    Error::invalid_data("the lists of a batch have more than 2^31 items")
        .remedy("make the lists shorter")
}
