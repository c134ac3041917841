//! `array_to_string`: the items of a list as one text.

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;
use dframe_core::Result;

use super::super::argument::{Kind, argument_type, check_count};
use super::super::{Call, Function, Signature};
use super::{Lists, items_of, list_target};
use crate::kernel::cast::{cast, check};
use crate::value::Value;

pub(super) const ARRAY_TO_STRING: Function = Function {
    names: &["array_to_string", "list_to_string", "list_join"],
    usage: "array_to_string(list, separator): NULLs are left out; of nothing but NULLs, NULL",
    signature: |args| {
        check_count(args, 2, 2)?;
        check(&items_of(0, &args[0])?, &DataType::Utf8)?;
        let separator = argument_type(1, &args[1], Kind::Text)?;
        Ok(Signature { args: vec![list_target(&args[0]), separator], returns: DataType::Utf8 })
    },
    evaluate,
};

fn evaluate(call: &Call<'_>) -> Result<Value> {
    let (lists, separators) = (Lists::new(&call.array(0)?)?, call.text(1)?);
    let items = cast(&lists.items, &DataType::Utf8, true)?;
    let items = items.as_string::<i32>();
    call.write_text(|row, out| {
        let (list, separator) = (lists.range(row)?, separators.get(row)?);
        if !list.is_empty() && list.clone().all(|item| items.is_null(item)) {
            return None;
        }
        let mut pieces = list.filter(|item| items.is_valid(*item)).map(|item| items.value(item));
        out.write(pieces.next().unwrap_or(""));
        for piece in pieces {
            if let Err(error) = out.check_room(separator.len() + piece.len()) {
                return Some(Err(error));
            }
            out.write(separator);
            out.write(piece);
        }
        Some(Ok(()))
    })
}
