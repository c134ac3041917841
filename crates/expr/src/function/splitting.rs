//! Functions that make a list of one text: `string_split`, `regexp_split_to_array`, `regexp_extract_all`.
//!
//! ```text
//!   'a1b22'  split by '[0-9]+'  ->  'a' 'b' ''
//!            all of '[0-9]+'    ->  '1' '22'
//! ```
//!
//! Splitting goes as in DuckDB: a match of nothing at the start of what is left splits off a character.

use std::sync::Arc;

use arrow::array::{ListBuilder, StringBuilder};
use arrow::datatypes::DataType;
use dframe_core::{Error, Result};
use regex::Regex;

use super::argument::{Argument, Kind, accept};
use super::list::list_of;
use super::pattern::{Extent, Patterns, check};
use super::{Call, Function, Signature};
use crate::value::Value;

pub(super) const STRING_SPLIT: Function = Function {
    names: &["string_split", "str_split", "string_to_array", "split"],
    usage: "string_split(string, separator): the list of the parts; without a separator, of the characters",
    signature: |args| accept(args, &[Kind::Text; 2], &[], list_of(&DataType::Utf8)),
    evaluate: string_split,
};

pub(super) const REGEXP_SPLIT: Function = Function {
    names: &["regexp_split_to_array", "string_split_regex", "str_split_regex"],
    usage: "regexp_split_to_array(string, pattern [, options]): the list of what is between the matches",
    signature: |args| {
        let returns = list_of(&DataType::Utf8);
        let signature = accept(args, &[Kind::Text; 2], &[Kind::Text], returns)?;
        check(args, 2)?;
        Ok(signature)
    },
    evaluate: regexp_split,
};

pub(super) const REGEXP_EXTRACT_ALL: Function = Function {
    names: &["regexp_extract_all"],
    usage: "regexp_extract_all(string, pattern [, group [, options]]): the list of the matches",
    signature: extract_signature,
    evaluate: extract_all,
};

fn extract_signature(args: &[Argument]) -> Result<Signature> {
    let optional = [Kind::Integer, Kind::Text];
    let signature = accept(args, &[Kind::Text; 2], &optional, list_of(&DataType::Utf8))?;
    check(args, 3)?;
    Ok(signature)
}

type Parts = ListBuilder<StringBuilder>;

/// The column of the lists of texts that `row` adds; NULL where it gives `None`.
fn write_lists(
    call: &Call<'_>,
    mut row: impl FnMut(usize, &mut Parts) -> Option<Result<()>>,
) -> Result<Value> {
    let mut parts = ListBuilder::new(StringBuilder::new());
    for index in 0..call.len() {
        let added = row(index, &mut parts);
        parts.append(added.is_some());
        added.transpose()?;
    }
    Ok(call.value(Arc::new(parts.finish())))
}

fn string_split(call: &Call<'_>) -> Result<Value> {
    let (text, separator) = (call.text(0)?, call.text(1)?);
    write_lists(call, |row, parts| {
        let text = text.get(row)?;
        match separator.get(row) {
            None => parts.values().append_value(text),
            Some("") if text.is_empty() => {}
            Some("") => split(text, parts, |start| Some((start, start))),
            Some(separator) => text.split(separator).for_each(|p| parts.values().append_value(p)),
        }
        Some(Ok(()))
    })
}

fn regexp_split(call: &Call<'_>) -> Result<Value> {
    let (text, mut patterns) = (call.text(0)?, Patterns::new(call, 2, Extent::Part)?);
    write_lists(call, |row, parts| {
        let text = text.get(row)?;
        match patterns.get(row)? {
            Ok(compiled) => split(text, parts, |start| {
                compiled.regex.find_at(text, start).map(|found| (found.start(), found.end()))
            }),
            Err(error) => return Some(Err(error)),
        }
        Some(Ok(()))
    })
}

/// Adds the parts of `text` between what `find` finds from a place on: a start and an end.
fn split(text: &str, parts: &mut Parts, find: impl Fn(usize) -> Option<(usize, usize)>) {
    let mut start = 0;
    while start < text.len() {
        let Some((mut place, mut end)) = find(start) else { break };
        if (place, end) == (start, start) {
            place = start + text[start..].chars().next().map_or(1, char::len_utf8);
            end = place;
            if place == text.len() {
                break;
            }
        }
        parts.values().append_value(&text[start..place]);
        start = end;
    }
    parts.values().append_value(&text[start..]);
}

fn extract_all(call: &Call<'_>) -> Result<Value> {
    let (text, mut patterns) = (call.text(0)?, Patterns::new(call, 3, Extent::Part)?);
    let groups = (call.args.len() > 2).then(|| call.integers(2)).transpose()?;
    write_lists(call, |row, parts| {
        let text = text.get(row)?;
        let group = match &groups {
            Some(groups) => groups.get(row)?,
            None => 0,
        };
        let compiled = patterns.get(row)?;
        Some(compiled.and_then(|compiled| add_matches(&compiled.regex, text, group, parts)))
    })
}

/// Adds the text of `group` in each match; NULL where the group is not in the match.
fn add_matches(regex: &Regex, text: &str, group: i64, parts: &mut Parts) -> Result<()> {
    let have = regex.captures_len() - 1;
    let Some(group) = usize::try_from(group).ok().filter(|group| *group <= have) else {
        return Err(Error::invalid_input(format!("there is no regex group {group} of {have}"))
            .remedy("give a group of 0, the whole match, or of a parenthesis in the pattern"));
    };
    let mut start = 0;
    while let Some(found) = regex.captures_at(text, start) {
        parts.values().append_option(found.get(group).map(|part| part.as_str()));
        let whole = found.get_match();
        let step = text[whole.end()..].chars().next().map_or(1, char::len_utf8);
        start = if whole.is_empty() { whole.end() + step } else { whole.end() };
        if start > text.len() {
            break;
        }
    }
    Ok(())
}
