//! Functions whose result is a part of their text: `substr`, `left`, `right`, `trim`, `split_part`.

use arrow::datatypes::DataType;
use dframe_core::Result;

use super::argument::{Argument, Kind, accept};
use super::{Call, Function, Signature};
use crate::value::Value;

pub(super) const SUBSTR: Function = Function {
    names: &["substr", "substring"],
    usage: "substr(string, start [, length]): from 1, or from the end if negative",
    signature: |args| accept(args, &[Kind::Text, Kind::Integer], &[Kind::Integer], DataType::Utf8),
    evaluate: substr,
};

pub(super) const LEFT: Function = Function {
    names: &["left"],
    usage: "left(string, count): all but the last -count if negative",
    signature: text_and_integer,
    evaluate: |call| {
        slice(call, |text, count| match count {
            0.. => text.range(0, count),
            _ => text.range(0, text.len().saturating_add(count)),
        })
    },
};

pub(super) const RIGHT: Function = Function {
    names: &["right"],
    usage: "right(string, count): all but the first -count if negative",
    signature: text_and_integer,
    evaluate: |call| {
        slice(call, |text, count| match count {
            0.. => text.range(text.len().saturating_sub(count), i64::MAX),
            _ => text.range(count.saturating_neg(), i64::MAX),
        })
    },
};

pub(super) const TRIM: Function = Function {
    names: &["trim"],
    usage: "trim(string [, characters])",
    signature: text_and_characters,
    evaluate: |call| trim(call, Sides { start: true, end: true }),
};

pub(super) const LTRIM: Function = Function {
    names: &["ltrim"],
    usage: "ltrim(string [, characters])",
    signature: text_and_characters,
    evaluate: |call| trim(call, Sides { start: true, end: false }),
};

pub(super) const RTRIM: Function = Function {
    names: &["rtrim"],
    usage: "rtrim(string [, characters])",
    signature: text_and_characters,
    evaluate: |call| trim(call, Sides { start: false, end: true }),
};

pub(super) const SPLIT_PART: Function = Function {
    names: &["split_part"],
    usage: "split_part(string, separator, index): from 1, or from the end if negative",
    signature: |args| accept(args, &[Kind::Text, Kind::Text, Kind::Integer], &[], DataType::Utf8),
    evaluate: split_part,
};

fn text_and_integer(args: &[Argument]) -> Result<Signature> {
    accept(args, &[Kind::Text, Kind::Integer], &[], DataType::Utf8)
}

fn text_and_characters(args: &[Argument]) -> Result<Signature> {
    accept(args, &[Kind::Text], &[Kind::Text], DataType::Utf8)
}

/// A text that is cut by character positions.
#[derive(Clone, Copy)]
struct Text<'t> {
    text: &'t str,
    /// Whether positions are byte positions.
    ascii: bool,
}

impl<'t> Text<'t> {
    /// The number of characters.
    fn len(self) -> i64 {
        if self.ascii { self.text.len() as i64 } else { self.text.chars().count() as i64 }
    }

    /// The characters `start..end`, from 0; what lies outside is empty.
    fn range(self, start: i64, end: i64) -> &'t str {
        let (start, end) = (start.max(0), end.max(0));
        if start >= end {
            return "";
        }
        let tail = &self.text[self.byte(start)..];
        &tail[..Text { text: tail, ..self }.byte(end - start)]
    }

    /// The byte at which character `index` starts; the end if there is none.
    fn byte(self, index: i64) -> usize {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        if self.ascii {
            return index.min(self.text.len());
        }
        self.text.char_indices().nth(index).map_or(self.text.len(), |(byte, _)| byte)
    }
}

fn slice(call: &Call<'_>, cut: impl for<'t> Fn(Text<'t>, i64) -> &'t str) -> Result<Value> {
    let (text, count) = (call.text(0)?, call.integers(1)?);
    let ascii = text.array().is_ascii();
    call.map_text(|row| {
        let (text, count) = (text.get(row)?, count.get(row)?);
        Some(cut(Text { text, ascii }, count))
    })
}

fn substr(call: &Call<'_>) -> Result<Value> {
    if call.args.len() == 2 {
        return slice(call, |text, start| match start {
            0.. => text.range(start - 1, i64::MAX),
            _ => text.range(text.len().saturating_add(start), i64::MAX),
        });
    }
    let (text, start, length) = (call.text(0)?, call.integers(1)?, call.integers(2)?);
    let ascii = text.array().is_ascii();
    call.map_text(|row| {
        let (text, start, length) = (text.get(row)?, start.get(row)?, length.get(row)?);
        let text = Text { text, ascii };
        let start = if start < 0 { text.len().saturating_add(start) } else { start - 1 };
        // A negative length is that of the part before the start.
        let other = start.saturating_add(length);
        Some(text.range(start.min(other), start.max(other)))
    })
}

/// Which ends to trim.
#[derive(Clone, Copy)]
struct Sides {
    start: bool,
    end: bool,
}

impl Sides {
    fn trim(self, text: &str, mut away: impl FnMut(char) -> bool) -> &str {
        let text = if self.start { text.trim_start_matches(&mut away) } else { text };
        if self.end { text.trim_end_matches(&mut away) } else { text }
    }
}

fn trim(call: &Call<'_>, sides: Sides) -> Result<Value> {
    let text = call.text(0)?;
    if call.args.len() == 1 {
        return call.map_text(|row| Some(sides.trim(text.get(row)?, is_space)));
    }
    let away = call.text(1)?;
    call.map_text(|row| {
        let (text, away) = (text.get(row)?, away.get(row)?);
        Some(sides.trim(text, |c| away.contains(c)))
    })
}

/// Unicode's space separators (Zs), which DuckDB trims: no tabs, no line ends.
fn is_space(c: char) -> bool {
    matches!(
        c,
        ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

fn split_part(call: &Call<'_>) -> Result<Value> {
    let (text, separator, index) = (call.text(0)?, call.text(1)?, call.integers(2)?);
    call.map_text(|row| {
        let (text, separator, index) = (text.get(row)?, separator.get(row)?, index.get(row)?);
        Some(part(text, separator, index))
    })
}

/// Part `index` of `text`; without a separator the parts are the characters.
fn part<'t>(text: &'t str, separator: &str, index: i64) -> &'t str {
    let nth = |count: u64| usize::try_from(count - 1).unwrap_or(usize::MAX);
    let count = index.unsigned_abs();
    let found = match (separator, index) {
        (_, 0) => None,
        ("", 1..) => text.split("").skip(1).nth(nth(count)),
        ("", _) => text.rsplit("").skip(1).nth(nth(count)),
        (_, 1..) => text.split(separator).nth(nth(count)),
        (_, _) => text.rsplit(separator).nth(nth(count)),
    };
    found.unwrap_or("")
}
