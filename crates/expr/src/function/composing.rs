//! Functions that write new text: `concat`, `replace`, `repeat`, `lpad` and their kin.

use arrow::datatypes::DataType;
use dframe_core::{Error, Result};

use super::argument::{Argument, Kind, accept, check_count};
use super::column::TextWriter;
use super::string::{lower, upper};
use super::{Call, Function, Signature};
use crate::value::Value;

pub(super) const CONCAT: Function = Function {
    names: &["concat"],
    usage: "concat(value, ...): NULLs are left out",
    signature: |args| {
        check_count(args, 1, usize::MAX)?;
        let rest = vec![Kind::AsText; args.len() - 1];
        accept(args, &[Kind::AsText], &rest, DataType::Utf8)
    },
    evaluate: concat,
};

pub(super) const CONCAT_WS: Function = Function {
    names: &["concat_ws"],
    usage: "concat_ws(separator, value, ...): NULLs are left out",
    signature: |args| {
        check_count(args, 2, usize::MAX)?;
        let rest = vec![Kind::AsText; args.len() - 2];
        accept(args, &[Kind::Text, Kind::AsText], &rest, DataType::Utf8)
    },
    evaluate: concat_ws,
};

pub(super) const REPLACE: Function = Function {
    names: &["replace"],
    usage: "replace(string, from, to)",
    signature: |args| accept(args, &[Kind::Text; 3], &[], DataType::Utf8),
    evaluate: replace,
};

pub(super) const TRANSLATE: Function = Function {
    names: &["translate"],
    usage: "translate(string, from, to): character by character",
    signature: |args| accept(args, &[Kind::Text; 3], &[], DataType::Utf8),
    evaluate: translate,
};

pub(super) const REPEAT: Function = Function {
    names: &["repeat"],
    usage: "repeat(string, count)",
    signature: |args| accept(args, &[Kind::Text, Kind::Integer], &[], DataType::Utf8),
    evaluate: repeat,
};

pub(super) const LPAD: Function = Function {
    names: &["lpad"],
    usage: "lpad(string, length, padding): cut to length if longer",
    signature: padding,
    evaluate: |call| pad(call, Side::Left),
};

pub(super) const RPAD: Function = Function {
    names: &["rpad"],
    usage: "rpad(string, length, padding): cut to length if longer",
    signature: padding,
    evaluate: |call| pad(call, Side::Right),
};

pub(super) const REVERSE: Function = Function {
    names: &["reverse"],
    usage: "reverse(string): by code point",
    signature: |args| accept(args, &[Kind::Text], &[], DataType::Utf8),
    evaluate: reverse,
};

pub(super) const INITCAP: Function = Function {
    names: &["initcap"],
    usage: "initcap(string): the first letter of each word in upper case, the others in lower",
    signature: |args| accept(args, &[Kind::Text], &[], DataType::Utf8),
    evaluate: initcap,
};

fn concat(call: &Call<'_>) -> Result<Value> {
    let columns = (0..call.args.len()).map(|index| call.text(index)).collect::<Result<Vec<_>>>()?;
    call.write_text(|row, out| {
        columns.iter().filter_map(|column| column.get(row)).for_each(|piece| out.write(piece));
        Some(Ok(()))
    })
}

fn concat_ws(call: &Call<'_>) -> Result<Value> {
    let separator = call.text(0)?;
    let columns = (1..call.args.len()).map(|index| call.text(index)).collect::<Result<Vec<_>>>()?;
    call.write_text(|row, out| {
        let separator = separator.get(row)?;
        let mut pieces = columns.iter().filter_map(|column| column.get(row));
        out.write(pieces.next().unwrap_or(""));
        for piece in pieces {
            out.write(separator);
            out.write(piece);
        }
        Some(Ok(()))
    })
}

fn replace(call: &Call<'_>) -> Result<Value> {
    let (text, from, to) = (call.text(0)?, call.text(1)?, call.text(2)?);
    call.write_text(|row, out| {
        let (text, from, to) = (text.get(row)?, from.get(row)?, to.get(row)?);
        if from.is_empty() {
            out.write(text);
            return Some(Ok(()));
        }
        let mut pieces = text.split(from);
        out.write(pieces.next().unwrap_or(""));
        for piece in pieces {
            if let Err(error) = out.check_room(to.len() + piece.len()) {
                return Some(Err(error));
            }
            out.write(to);
            out.write(piece);
        }
        Some(Ok(()))
    })
}

fn translate(call: &Call<'_>) -> Result<Value> {
    let (text, from, to) = (call.text(0)?, call.text(1)?, call.text(2)?);
    call.write_text(|row, out| {
        let (text, from, to) = (text.get(row)?, from.get(row)?, to.get(row)?);
        for c in text.chars() {
            match from.chars().position(|other| other == c) {
                None => out.write_char(c),
                Some(index) => to.chars().nth(index).into_iter().for_each(|c| out.write_char(c)),
            }
        }
        Some(Ok(()))
    })
}

fn repeat(call: &Call<'_>) -> Result<Value> {
    let (text, count) = (call.text(0)?, call.integers(1)?);
    call.write_text(|row, out| {
        let (text, count) = (text.get(row)?, count.get(row)?);
        let count = if text.is_empty() { 0 } else { usize::try_from(count).unwrap_or(0) };
        let room = out.check_room(text.len().saturating_mul(count));
        Some(room.map(|()| (0..count).for_each(|_| out.write(text))))
    })
}

fn padding(args: &[Argument]) -> Result<Signature> {
    accept(args, &[Kind::Text, Kind::Integer, Kind::Text], &[], DataType::Utf8)
}

/// Where the padding goes.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Left,
    Right,
}

fn pad(call: &Call<'_>, side: Side) -> Result<Value> {
    let (text, length, padding) = (call.text(0)?, call.integers(1)?, call.text(2)?);
    call.write_text(|row, out| {
        let (text, length, padding) = (text.get(row)?, length.get(row)?, padding.get(row)?);
        Some(pad_one(out, text, usize::try_from(length).unwrap_or(0), padding, side))
    })
}

/// Writes `text` at `length` characters.
fn pad_one(
    out: &mut TextWriter,
    text: &str,
    length: usize,
    padding: &str,
    side: Side,
) -> Result<()> {
    let found = text.chars().count();
    if found >= length {
        let end = text.char_indices().nth(length).map_or(text.len(), |(byte, _)| byte);
        out.write(&text[..end]);
        return Ok(());
    }
    if padding.is_empty() {
        return Err(Error::invalid_data(format!("'{text}' cannot be padded with nothing"))
            .remedy("give at least one character of padding"));
    }
    out.check_room((length - found).saturating_add(text.len()))?;
    if side == Side::Right {
        out.write(text);
    }
    padding.chars().cycle().take(length - found).for_each(|c| out.write_char(c));
    if side == Side::Left {
        out.write(text);
    }
    Ok(())
}

fn reverse(call: &Call<'_>) -> Result<Value> {
    let text = call.text(0)?;
    call.write_text(|row, out| {
        text.get(row)?.chars().rev().for_each(|c| out.write_char(c));
        Some(Ok(()))
    })
}

fn initcap(call: &Call<'_>) -> Result<Value> {
    let text = call.text(0)?;
    call.write_text(|row, out| {
        let mut in_word = false;
        for c in text.get(row)?.chars() {
            out.write_char(if in_word { lower(c) } else { upper(c) });
            in_word = c.is_alphanumeric();
        }
        Some(Ok(()))
    })
}
