//! Functions of text: case, length, search, code points. Positions and lengths count characters (code
//! points) from 1, as in DuckDB; `strlen` alone counts bytes.
//!
//! Columns that are all ASCII, which one pass over the bytes tells, take shorter ways.

use std::sync::Arc;

use arrow::array::{Array, BooleanArray, Datum, Int64Array, PrimitiveArray, Scalar, StringArray};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::compute::kernels::comparison::{contains, ends_with, starts_with};
use arrow::datatypes::{DataType, Int32Type};
use arrow::error::ArrowError;
use dframe_core::{Error, Result};

use super::argument::{Argument, Kind, accept};
use super::{Call, Function, Signature, composing, distance, list, slicing, splitting};
use crate::value::Value;

pub(super) static LIST: &[Function] = &[
    Function {
        names: &["upper", "ucase"],
        usage: "upper(string)",
        signature: text_to_text,
        evaluate: |call| change_case(call, <[u8]>::make_ascii_uppercase, upper),
    },
    Function {
        names: &["lower", "lcase"],
        usage: "lower(string)",
        signature: text_to_text,
        evaluate: |call| change_case(call, <[u8]>::make_ascii_lowercase, lower),
    },
    Function {
        names: &["length", "len", "char_length", "character_length", "len_chars"],
        usage: "length(x): of a text in characters, of a list in items",
        signature: |args| match args {
            [list] if list::item_type(&list.data_type).is_some() => {
                Ok(Signature { args: vec![list.data_type.clone()], returns: DataType::Int64 })
            }
            _ => accept(args, &[Kind::Text], &[], DataType::Int64),
        },
        evaluate: |call| match call.args[0].data_type() {
            DataType::Utf8 => lengths(call, |s| s.chars().count()),
            _ => list::length(call),
        },
    },
    Function {
        names: &["strlen", "octet_length", "len_bytes"],
        usage: "strlen(string): in bytes",
        signature: |args| accept(args, &[Kind::Text], &[], DataType::Int64),
        evaluate: |call| lengths(call, str::len),
    },
    Function {
        names: &["bit_length"],
        usage: "bit_length(string): in bits",
        signature: |args| accept(args, &[Kind::Text], &[], DataType::Int64),
        evaluate: |call| {
            let text = call.text(0)?;
            call.map_integers(|row| text.get(row).map(|s| s.len() as i64 * 8))
        },
    },
    Function {
        names: &["starts_with", "prefix"],
        usage: "starts_with(string, prefix)",
        signature: test_of_texts,
        evaluate: |call| test(call, starts_with),
    },
    Function {
        names: &["ends_with", "suffix"],
        usage: "ends_with(string, suffix)",
        signature: test_of_texts,
        evaluate: |call| test(call, ends_with),
    },
    Function {
        names: &["contains"],
        usage: "contains(x, part): a text a part, a list an item",
        signature: |args| match args {
            [list, ..] if list::item_type(&list.data_type).is_some() => {
                list::search_signature(args, DataType::Boolean)
            }
            _ => test_of_texts(args),
        },
        evaluate: |call| match call.args[0].data_type() {
            DataType::Utf8 => test(call, contains),
            _ => list::contains(call),
        },
    },
    Function {
        names: &["strpos", "instr", "position"],
        usage: "strpos(string, part): from 1, or 0",
        signature: |args| accept(args, &[Kind::Text; 2], &[], DataType::Int64),
        evaluate: position,
    },
    Function {
        names: &["ascii"],
        usage: "ascii(string): the code point of the first character, or 0",
        signature: |args| accept(args, &[Kind::Text], &[], DataType::Int32),
        evaluate: |call| first_code_point(call, 0),
    },
    Function {
        names: &["unicode", "ord"],
        usage: "unicode(string): the code point of the first character, or -1",
        signature: |args| accept(args, &[Kind::Text], &[], DataType::Int32),
        evaluate: |call| first_code_point(call, -1),
    },
    Function {
        names: &["chr"],
        usage: "chr(code point)",
        signature: |args| accept(args, &[Kind::Integer], &[], DataType::Utf8),
        evaluate: chr,
    },
    slicing::SUBSTR,
    slicing::LEFT,
    slicing::RIGHT,
    slicing::TRIM,
    slicing::LTRIM,
    slicing::RTRIM,
    slicing::SPLIT_PART,
    splitting::STRING_SPLIT,
    composing::CONCAT,
    composing::CONCAT_WS,
    composing::REPLACE,
    composing::TRANSLATE,
    composing::REPEAT,
    composing::LPAD,
    composing::RPAD,
    composing::REVERSE,
    composing::INITCAP,
    distance::LEVENSHTEIN,
    distance::DAMERAU_LEVENSHTEIN,
    distance::HAMMING,
    distance::JARO,
    distance::JARO_WINKLER,
];

fn text_to_text(args: &[Argument]) -> Result<Signature> {
    accept(args, &[Kind::Text], &[], DataType::Utf8)
}

fn test_of_texts(args: &[Argument]) -> Result<Signature> {
    accept(args, &[Kind::Text; 2], &[], DataType::Boolean)
}

fn change_case(call: &Call<'_>, whole: fn(&mut [u8]), one: impl Fn(char) -> char) -> Result<Value> {
    let text = call.text(0)?;
    if text.array().is_ascii() {
        return Ok(call.value(Arc::new(change_ascii(text.array(), whole)?)));
    }
    call.write_text(|row, out| {
        text.get(row)?.chars().for_each(|c| out.write_char(one(c)));
        Some(Ok(()))
    })
}

/// Changes the bytes of all rows at once.
fn change_ascii(text: &StringArray, whole: fn(&mut [u8])) -> Result<StringArray> {
    let (start, end) = (text.offsets()[0], text.offsets()[text.len()]);
    let mut bytes = text.value_data()[start as usize..end as usize].to_vec();
    whole(&mut bytes);
    let offsets = text.offsets().iter().map(|offset| offset - start).collect();
    let offsets = OffsetBuffer::new(offsets);
    Ok(StringArray::try_new(offsets, Buffer::from_vec(bytes), text.nulls().cloned())?)
}

/// The upper case of a character where that is one character, as in DuckDB.
pub(super) fn upper(c: char) -> char {
    let mut all = c.to_uppercase();
    match (all.next(), all.next()) {
        (Some(one), None) => one,
        _ if c == 'ß' => 'ẞ',
        _ => c,
    }
}

/// The lower case of a character where that is one character, as in DuckDB.
pub(super) fn lower(c: char) -> char {
    // Of all characters only the Turkish İ has two: i and a dot above.
    c.to_lowercase().next().unwrap_or(c)
}

fn lengths(call: &Call<'_>, length: impl Fn(&str) -> usize) -> Result<Value> {
    let text = call.text(0)?;
    if text.array().is_ascii() {
        return Ok(call.value(Arc::new(byte_lengths(text.array()))));
    }
    call.map_integers(|row| text.get(row).map(|s| length(s) as i64))
}

fn byte_lengths(text: &StringArray) -> Int64Array {
    let lengths = text.value_offsets().windows(2).map(|pair| i64::from(pair[1] - pair[0]));
    Int64Array::new(lengths.collect(), text.nulls().cloned())
}

type Test = fn(&dyn Datum, &dyn Datum) -> Result<BooleanArray, ArrowError>;

fn test(call: &Call<'_>, test: Test) -> Result<Value> {
    let datum = |value: &Value| -> Box<dyn Datum> {
        match value {
            Value::Array(array) => Box::new(array.clone()),
            Value::Scalar(array) => Box::new(Scalar::new(array.clone())),
        }
    };
    let result = test(&*datum(&call.args[0]), &*datum(&call.args[1]))?;
    Ok(call.value(Arc::new(result)))
}

fn position(call: &Call<'_>) -> Result<Value> {
    let (text, part) = (call.text(0)?, call.text(1)?);
    call.map_integers(|row| {
        let (text, part) = (text.get(row)?, part.get(row)?);
        Some(text.find(part).map_or(0, |at| text[..at].chars().count() as i64 + 1))
    })
}

fn first_code_point(call: &Call<'_>, empty: i32) -> Result<Value> {
    let text = call.text(0)?;
    let first = |row| text.get(row).map(|s| s.chars().next().map_or(empty, |c| c as i32));
    let points = (0..call.len()).map(first);
    Ok(call.value(Arc::new(points.collect::<PrimitiveArray<Int32Type>>())))
}

fn chr(call: &Call<'_>) -> Result<Value> {
    let points = call.integers(0)?;
    call.write_text(|row, out| {
        let point = points.get(row)?;
        let character = u32::try_from(point).ok().and_then(char::from_u32);
        Some(character.map(|c| out.write_char(c)).ok_or_else(|| {
            Error::invalid_data(format!("chr({point}) is no Unicode character"))
                .remedy("give a code point of 0 to 1114111 that is no surrogate")
        }))
    })
}
