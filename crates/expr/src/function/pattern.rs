//! Functions of regular expressions, in RE2's syntax.
//!
//! A constant pattern is compiled, and checked, once; others are compiled when they change from one row
//! to the next.

use arrow::array::StringArray;
use arrow::datatypes::DataType;
use dframe_core::{Error, Result};
use regex::{CaptureLocations, Regex};

use super::argument::{Argument, Kind, accept};
use super::column::{Rows, TextWriter};
use super::re2::{self, Options};
use super::{Call, Function, Signature, splitting};
use crate::value::Value;

pub(super) static LIST: &[Function] = &[
    Function {
        names: &["regexp_matches"],
        usage: "regexp_matches(string, pattern [, options])",
        signature: |args| signature(args, &[], DataType::Boolean),
        evaluate: |call| matches(call, Extent::Part),
    },
    Function {
        names: &["regexp_full_match"],
        usage: "regexp_full_match(string, pattern [, options])",
        signature: |args| signature(args, &[], DataType::Boolean),
        evaluate: |call| matches(call, Extent::Whole),
    },
    Function {
        names: &["regexp_extract"],
        usage: "regexp_extract(string, pattern [, group [, options]]): '' where there is no match",
        signature: extract_signature,
        evaluate: extract,
    },
    Function {
        names: &["regexp_replace"],
        usage: r"regexp_replace(string, pattern, replacement [, options]): \1 is the first group",
        signature: |args| signature(args, &[Kind::Text], DataType::Utf8),
        evaluate: replace,
    },
    Function {
        names: &["regexp_escape"],
        usage: "regexp_escape(string): the pattern that matches it as it is",
        signature: |args| accept(args, &[Kind::Text], &[], DataType::Utf8),
        evaluate: |call| {
            let text = call.text(0)?;
            call.write_text(|row, out| {
                for c in text.get(row)?.chars() {
                    if (c.is_ascii_punctuation() && c != '_') || c.is_ascii_whitespace() {
                        out.write_char('\\');
                    }
                    out.write_char(c);
                }
                Some(Ok(()))
            })
        },
    },
    splitting::REGEXP_EXTRACT_ALL,
    splitting::REGEXP_SPLIT,
];

/// `string, pattern, more.. [, options]`; constant patterns and options must be good.
fn signature(args: &[Argument], more: &[Kind], returns: DataType) -> Result<Signature> {
    let required = [&[Kind::Text, Kind::Text], more].concat();
    let signature = accept(args, &required, &[Kind::Text], returns)?;
    check(args, required.len())?;
    if !more.is_empty() {
        args[2].constant_text().map(|text| parse_replacement(&text)).transpose()?;
    }
    Ok(signature)
}

fn extract_signature(args: &[Argument]) -> Result<Signature> {
    let optional = [Kind::Integer, Kind::Text];
    let signature = accept(args, &[Kind::Text; 2], &optional, DataType::Utf8)?;
    check(args, 3)?;
    Ok(signature)
}

/// Fails for a bad constant pattern or bad options.
pub(super) fn check(args: &[Argument], options_index: usize) -> Result<()> {
    let options = args.get(options_index).and_then(Argument::constant_text);
    let options = Options::parse(options.as_deref().unwrap_or(""))?;
    match args[1].constant_text() {
        Some(pattern) => re2::compile(&pattern, options, false).map(drop),
        None => Ok(()),
    }
}

/// How much of the text a pattern must match.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Extent {
    Part,
    Whole,
}

/// The pattern of each row.
pub(super) struct Patterns<'a> {
    text: Rows<'a, StringArray>,
    options: Option<Rows<'a, StringArray>>,
    extent: Extent,
    /// Whether all rows have the same: short comparisons with the last cost more than short matches.
    is_constant: bool,
    /// The pattern and options compiled last.
    last: Option<(&'a str, &'a str, Compiled)>,
}

pub(super) struct Compiled {
    pub(super) regex: Regex,
    options: Options,
    /// Where the groups of the last match are.
    groups: CaptureLocations,
}

impl<'a> Patterns<'a> {
    /// The pattern is argument 1, the options are argument `options_index` if there is one.
    pub(super) fn new(call: &Call<'a>, options_index: usize, extent: Extent) -> Result<Self> {
        let has_options = call.args.len() > options_index;
        let options = has_options.then(|| call.text(options_index)).transpose()?;
        let text = call.text(1)?;
        let is_constant = text.is_constant() && options.as_ref().is_none_or(Rows::is_constant);
        Ok(Self { text, options, extent, is_constant, last: None })
    }

    /// The pattern of `row`, unless it or its options are NULL.
    pub(super) fn get(&mut self, row: usize) -> Option<Result<&mut Compiled>> {
        let pattern = self.text.get(row)?;
        let options = match &self.options {
            Some(options) => options.get(row)?,
            None => "",
        };
        let is_last = |p: &str, o: &str| self.is_constant || (p, o) == (pattern, options);
        if !matches!(self.last, Some((p, o, _)) if is_last(p, o)) {
            match compile(pattern, options, self.extent) {
                Ok(compiled) => self.last = Some((pattern, options, compiled)),
                Err(error) => return Some(Err(error)),
            }
        }
        self.last.as_mut().map(|(_, _, compiled)| Ok(compiled))
    }
}

fn compile(pattern: &str, options: &str, extent: Extent) -> Result<Compiled> {
    let options = Options::parse(options)?;
    let regex = re2::compile(pattern, options, extent == Extent::Whole)?;
    let groups = regex.capture_locations();
    Ok(Compiled { regex, options, groups })
}

fn matches(call: &Call<'_>, extent: Extent) -> Result<Value> {
    let (text, mut patterns) = (call.text(0)?, Patterns::new(call, 2, extent)?);
    call.map_booleans(|row| {
        let text = text.get(row)?;
        Some(patterns.get(row)?.map(|compiled| compiled.regex.is_match(text)))
    })
}

fn extract(call: &Call<'_>) -> Result<Value> {
    let (text, mut patterns) = (call.text(0)?, Patterns::new(call, 3, Extent::Part)?);
    let groups = (call.args.len() > 2).then(|| call.integers(2)).transpose()?;
    call.write_text(|row, out| {
        let text = text.get(row)?;
        let group = match &groups {
            Some(groups) => groups.get(row)?,
            None => 0,
        };
        let found = patterns.get(row)?.and_then(|compiled| find_group(compiled, text, group));
        Some(found.map(|found| out.write(found)))
    })
}

/// The text of `group` in the first match; nothing if there is none.
fn find_group<'t>(compiled: &mut Compiled, text: &'t str, group: i64) -> Result<&'t str> {
    let Some(group) = usize::try_from(group).ok().filter(|group| *group < 10) else {
        return Err(Error::invalid_input(format!("there is no regex group {group}"))
            .remedy("give a group of 0, the whole match, to 9"));
    };
    let range = match group {
        0 => compiled.regex.find(text).map(|found| found.range()),
        _ => match compiled.regex.captures_read(&mut compiled.groups, text) {
            Some(_) => compiled.groups.get(group).map(|(start, end)| start..end),
            None => None,
        },
    };
    Ok(range.map_or("", |range| &text[range]))
}

fn replace(call: &Call<'_>) -> Result<Value> {
    let (text, mut patterns) = (call.text(0)?, Patterns::new(call, 3, Extent::Part)?);
    let (replacements, mut last) = (call.text(2)?, None);
    call.write_text(|row, out| {
        let (text, replacement) = (text.get(row)?, replacements.get(row)?);
        let compiled = match patterns.get(row)? {
            Ok(compiled) => compiled,
            Err(error) => return Some(Err(error)),
        };
        let is_last = |parsed: &str| replacements.is_constant() || parsed == replacement;
        if !matches!(last, Some((parsed, _)) if is_last(parsed)) {
            match parse_replacement(replacement) {
                Ok(pieces) => last = Some((replacement, pieces)),
                Err(error) => return Some(Err(error)),
            }
        }
        let (_, pieces) = last.as_ref()?;
        Some(replace_one(compiled, pieces, text, out))
    })
}

/// A piece of a replacement.
#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    Group(usize),
}

/// Reads RE2's replacements: `\0` to `\9` are groups, `\\` is a backslash.
fn parse_replacement(replacement: &str) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut chars = replacement.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('\\') => text.push('\\'),
            Some(digit @ '0'..='9') => {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
                pieces.push(Piece::Group(digit as usize - '0' as usize));
            }
            _ => {
                return Err(Error::invalid_input(format!("bad regex replacement '{replacement}'"))
                    .remedy(r"follow \ with the digit of a group, or write \\ for a backslash"));
            }
        }
    }
    pieces.push(Piece::Text(text));
    Ok(pieces)
}

/// Writes `text` with its first match, or all of them, replaced by `pieces`.
fn replace_one(
    compiled: &Compiled,
    pieces: &[Piece],
    text: &str,
    out: &mut TextWriter,
) -> Result<()> {
    let Compiled { regex, options, .. } = compiled;
    check_groups(regex, pieces)?;
    let limit = if options.global { usize::MAX } else { 1 };
    let mut end = 0;
    if let [Piece::Text(replacement)] = pieces {
        for found in regex.find_iter(text).take(limit) {
            out.check_room(text.len() + replacement.len())?;
            out.write(&text[end..found.start()]);
            out.write(replacement);
            end = found.end();
        }
    } else {
        for groups in regex.captures_iter(text).take(limit) {
            let found = groups.get_match();
            out.check_room(text.len().saturating_mul(pieces.len()))?;
            out.write(&text[end..found.start()]);
            pieces.iter().for_each(|piece| match piece {
                Piece::Text(text) => out.write(text),
                Piece::Group(index) => out.write(groups.get(*index).map_or("", |m| m.as_str())),
            });
            end = found.end();
        }
    }
    out.write(&text[end..]);
    Ok(())
}

/// Fails if `pieces` want a group that the pattern does not have.
fn check_groups(regex: &Regex, pieces: &[Piece]) -> Result<()> {
    let have = regex.captures_len() - 1;
    let missing = pieces.iter().find_map(|piece| match piece {
        Piece::Group(index) if *index > have => Some(*index),
        _ => None,
    });
    let Some(index) = missing else { return Ok(()) };
    Err(Error::invalid_input(format!(r"the replacement wants group \{index} of {have}"))
        .remedy("put parentheses around the part of the pattern to keep"))
}
