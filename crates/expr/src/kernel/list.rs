//! Casts of lists: to text, as DuckDB prints it, and to lists of other items.
//!
//! ```text
//!   [a, 'b,c', NULL]     what a reader could take for syntax is in quotes
//! ```

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StringBuilder};
use arrow::datatypes::{DataType, Field};
use dframe_core::Result;

use super::text;
use crate::value::{plain, plain_type};

/// The type of the items, if `data_type` is a list.
pub fn item_type(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => Some(plain_type(item.data_type())),
        _ => None,
    }
}

/// The lists of `array`, of any kind of list, as the one that all kernels take.
pub fn lists(array: &ArrayRef) -> Result<ListArray> {
    let array = match (array.data_type(), item_type(array.data_type())) {
        (DataType::List(_), _) | (_, None) => array.clone(),
        (_, Some(item)) => {
            let field = Arc::new(Field::new_list_field(item.clone(), true));
            arrow::compute::cast(array, &DataType::List(field))?
        }
    };
    Ok(array.as_list::<i32>().clone())
}

/// Lists whose items are what `cast` makes of those of `array`.
pub fn map_items(
    array: &ArrayRef,
    to: &DataType,
    cast: impl FnOnce(&ArrayRef) -> Result<ArrayRef>,
) -> Result<ArrayRef> {
    let lists = lists(array)?;
    let start = lists.value_offsets()[0] as usize;
    let end = lists.value_offsets()[lists.len()] as usize;
    // Items of no row must not fail.
    let items = cast(&plain(&lists.values().slice(start, end - start))?)?;
    let offsets = lists.offsets().lengths();
    let offsets = arrow::buffer::OffsetBuffer::from_lengths(offsets);
    let field = Arc::new(Field::new_list_field(items.data_type().clone(), true));
    let mapped = ListArray::try_new(field, offsets, items, lists.nulls().cloned())?;
    Ok(arrow::compute::cast(&mapped, to)?)
}

/// Each list as text.
pub fn to_text(array: &ArrayRef) -> Result<ArrayRef> {
    let lists = lists(array)?;
    let nested = item_type(array.data_type()).is_some_and(|item| item_type(item).is_some());
    let items = text::to_text(&plain(lists.values())?)?;
    let items = items.as_string::<i32>();
    let offsets = lists.value_offsets();
    let mut texts = StringBuilder::new();
    let mut text = String::new();
    for row in 0..lists.len() {
        if lists.is_null(row) {
            texts.append_null();
            continue;
        }
        text.clear();
        text.push('[');
        for item in offsets[row] as usize..offsets[row + 1] as usize {
            if text.len() > 1 {
                text.push_str(", ");
            }
            match items.is_valid(item) {
                true if nested => text.push_str(items.value(item)),
                true => write_item(&mut text, items.value(item)),
                false => text.push_str("NULL"),
            }
        }
        text.push(']');
        texts.append_value(&text);
    }
    Ok(Arc::new(texts.finish()))
}

/// The item, in quotes if it could be taken for something else.
fn write_item(text: &mut String, item: &str) {
    let is_syntax = |c: char| "[](){},:='\"\\".contains(c);
    let is_space = |c: Option<char>| c.is_some_and(|c| c.is_ascii_whitespace());
    let quoted = item.is_empty()
        || item.eq_ignore_ascii_case("null")
        || item.contains(is_syntax)
        || is_space(item.chars().next())
        || is_space(item.chars().next_back());
    if !quoted {
        return text.push_str(item);
    }
    text.push('\'');
    for c in item.chars() {
        if matches!(c, '\'' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('\'');
}
