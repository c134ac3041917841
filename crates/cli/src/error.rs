//! Errors as users see them: what happened, where, and what to do about it; and the exit status.
//!
//! ```text
//! error: column 'pricee' does not exist
//!   | sum(pricee * size) AS volume
//!   |     ^^^^^^
//!  --> data/ticks.parquet, row group 3
//! help: did you mean 'price'?
//! ```
//!
//! Pure functions from an error to text: what prints it is in `messages`.

use std::error::Error as _;
use std::ops::Range;
use std::path::Path;

use dframe::{Error, ErrorKind, Snippet};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::json::Object;

/// Characters of the user's text that are shown on either side of the place at fault.
const MARGIN: usize = 60;

/// How text is set off on a terminal.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Whether escape sequences may be used.
    pub color: bool,
    /// Whether causes are shown that say little to most.
    pub verbose: bool,
}

/// The status the process ends with.
pub fn exit_status(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Io => 3,
        ErrorKind::OverBudget => 4,
        ErrorKind::OutOfDisk => 5,
        ErrorKind::Cancelled => 130,
        _ => 1,
    }
}

/// The error as lines of text, the last with a line break.
pub fn text(error: &Error, style: Style) -> String {
    let mut out = style.paint(RED, "error");
    out.push_str(&style.paint(BOLD, &format!(": {}", headline(error))));
    out.push('\n');
    if let Some(snippet) = error.snippet() {
        out.push_str(&marked(snippet, style));
    }
    let places = places(error);
    if !places.is_empty() {
        let arrow = style.paint(BLUE, " -->");
        out.push_str(&format!("{arrow} {}\n", places.join(", ")));
    }
    for cause in causes(error, style.verbose) {
        out.push_str(&format!("{} {cause}\n", style.paint(BLUE, "cause:")));
    }
    if let Some(remedy) = error.remedy_text() {
        out.push_str(&format!("{} {remedy}\n", style.paint(CYAN, "help:")));
    }
    out
}

/// The error as one line of JSON, without a line break.
pub fn json(error: &Error, status: u8) -> String {
    let context = error.context();
    let mut object = Object::new()
        .text("level", "error")
        .text("kind", kind_name(error.kind()))
        .text("message", &headline(error));
    if let Some(file) = &context.file {
        object = object.text("file", &file_name(file));
    }
    if let Some(row_group) = context.row_group {
        object = object.number("row_group", row_group as u64);
    }
    for (name, value) in [("column", &context.column), ("operator", &context.operator)] {
        if let Some(value) = value {
            object = object.text(name, value);
        }
    }
    if let Some(Snippet { text, range }) = error.snippet() {
        let place = Object::new().text("text", text);
        let place = place.number("start", range.start as u64).number("end", range.end as u64);
        object = object.object("snippet", place);
    }
    let causes = causes(error, true);
    if !causes.is_empty() {
        object = object.texts("causes", &causes);
    }
    if let Some(remedy) = error.remedy_text() {
        object = object.text("remedy", remedy);
    }
    object.number("exit_status", status.into()).finish()
}

fn headline(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Internal => format!("{} (this is a bug in dframe)", error.message()),
        ErrorKind::Cancelled => "interrupted".into(),
        _ => error.message().to_string(),
    }
}

fn kind_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidInput => "invalid_input",
        ErrorKind::InvalidData => "invalid_data",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::OverBudget => "over_budget",
        ErrorKind::OutOfDisk => "out_of_disk",
        ErrorKind::Io => "io",
        ErrorKind::Cancelled => "cancelled",
        _ => "internal",
    }
}

/// File, row group, column and operator; the column only where neither message nor snippet shows it.
fn places(error: &Error) -> Vec<String> {
    let context = error.context();
    let told = |name: &&String| {
        !error.message().contains(&format!("'{name}'")) && error.snippet().is_none()
    };
    let file = context.file.as_deref().map(file_name);
    let row_group = context.row_group.map(|index| format!("row group {index}"));
    let column = context.column.as_ref().filter(told).map(|column| format!("column '{column}'"));
    let operator = context.operator.as_ref().map(|operator| format!("in {operator}"));
    [file, row_group, column, operator].into_iter().flatten().collect()
}

/// The path, as the user knows it.
fn file_name(path: &Path) -> String {
    match path.starts_with("/dev/fd") {
        true => "standard input".into(),
        false => path.display().to_string(),
    }
}

/// The errors below this one. A missing file's is only the message again in the system's words.
fn causes(error: &Error, verbose: bool) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        next = cause.source();
        let missing = cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|cause| cause.kind() == std::io::ErrorKind::NotFound);
        let text = cause.to_string();
        let earlier = causes.iter().map(String::as_str).chain([error.message()]);
        let told = earlier.into_iter().any(|earlier| earlier.contains(&text));
        if !told && (verbose || !missing) {
            causes.push(text);
        }
    }
    causes
}

/// The line of the user's text that is at fault, with carets under the place.
fn marked(snippet: &Snippet, style: Style) -> String {
    let (line, range) = line_of(&snippet.text, &snippet.range);
    let start = back(line, range.start, MARGIN);
    let end = ahead(line, range.end, MARGIN);
    let lead = if start > 0 { "…" } else { "" };
    let trail = if end < line.len() { "…" } else { "" };
    let shown = plain(&line[start..end]);
    let indent = plain(&line[start..range.start]).width() + lead.width();
    let carets = "^".repeat(plain(&line[range.clone()]).width().max(1));
    let bar = style.paint(BLUE, "  |");
    let carets = style.paint(RED, &carets);
    format!("{bar} {lead}{shown}{trail}\n{bar} {:indent$}{carets}\n", "")
}

/// The first line of `text` that `range` touches, and the range within it.
fn line_of<'a>(text: &'a str, range: &Range<usize>) -> (&'a str, Range<usize>) {
    let at = |offset: usize| (0..=offset.min(text.len())).rev().find(|i| text.is_char_boundary(*i));
    let start = at(range.start).unwrap_or(0);
    let end = at(range.end).unwrap_or(start).max(start);
    let line_start = text[..start].rfind('\n').map_or(0, |index| index + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |index| start + index);
    (&text[line_start..line_end], start - line_start..end.min(line_end) - line_start)
}

/// `count` characters before `from`.
fn back(line: &str, from: usize, count: usize) -> usize {
    line[..from].char_indices().rev().take(count).last().map_or(from, |(index, _)| index)
}

/// `count` characters after `from`.
fn ahead(line: &str, from: usize, count: usize) -> usize {
    line[from..].char_indices().nth(count).map_or(line.len(), |(index, _)| from + index)
}

/// One cell for a tab or another control character, so that carets line up.
fn plain(text: &str) -> String {
    text.chars().map(|char| if char.width().is_none() { ' ' } else { char }).collect()
}

const RED: &str = "1;31";
const BLUE: &str = "1;34";
const CYAN: &str = "1;36";
const BOLD: &str = "1";

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        match self.color {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style { color: false, verbose: false };

    fn unknown(text: &str, range: Range<usize>) -> String {
        let error = Error::invalid_input("column 'pricee' does not exist").column("pricee");
        super::text(&error.remedy("did you mean 'price'?").span(range).in_text(text), PLAIN)
    }

    #[test]
    fn points_at_the_text() {
        assert_eq!(
            unknown("sum(pricee * size) AS volume", 4..10),
            "error: column 'pricee' does not exist\n  | sum(pricee * size) AS volume\n  |     \
             ^^^^^^\nhelp: did you mean 'price'?\n"
        );
    }

    #[test]
    fn points_at_one_line_of_several_and_past_the_end() {
        let text = unknown("a,\n\tpricee > 1\n, b", 4..10);
        assert!(text.contains("  |  pricee > 1\n  |  ^^^^^^\n"), "{text}");
        let text = unknown("a +", 3..3);
        assert!(text.contains("  | a +\n  |    ^\n"), "{text}");
        let text = unknown("a + (\nb", 4..7);
        assert!(text.contains("  | a + (\n  |     ^\n"), "{text}");
    }

    #[test]
    fn carets_follow_the_width_of_what_is_above_them() {
        let text = unknown("日本 + é + pricee", 14..20);
        assert!(text.contains("  | 日本 + é + pricee\n  |            ^^^^^^\n"), "{text}");
    }

    #[test]
    fn long_text_is_cut_around_the_place() {
        let long = format!("{} + pricee + {}", "a + ".repeat(50), "b + ".repeat(50));
        let start = long.find("pricee").unwrap();
        let text = unknown(&long, start..start + 6);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("  | …") && lines[1].ends_with('…'), "{text}");
        assert_eq!(lines[1].chars().count(), 4 + 2 + 2 * MARGIN + 6);
        assert_eq!(lines[2].find('^'), Some(4 + 1 + MARGIN));
    }

    #[test]
    fn a_range_beyond_or_inside_a_character_does_no_harm() {
        let snippet = Snippet { text: "é".into(), range: 1..9 };
        assert_eq!(marked(&snippet, PLAIN), "  | é\n  | ^\n");
    }

    #[test]
    fn shows_place_and_cause() {
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let error = Error::io("cannot read", denied).file("a.parquet").row_group(3).column("x");
        let expected = "error: cannot read\n --> a.parquet, row group 3, column 'x'\n\
                        cause: permission denied\n";
        assert_eq!(text(&error, PLAIN), expected);
    }

    #[test]
    fn a_column_is_named_unless_the_message_quotes_it() {
        let shown = |message: &str| text(&Error::invalid_data(message).column("n"), PLAIN);
        assert_eq!(shown("cannot be decoded"), "error: cannot be decoded\n --> column 'n'\n");
        assert_eq!(shown("'n' is too large"), "error: 'n' is too large\n");
    }

    #[test]
    fn a_missing_file_is_said_once() {
        let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let error = Error::io("no such file", missing()).file("a.parquet");
        assert_eq!(text(&error, PLAIN), "error: no such file\n --> a.parquet\n");
        let verbose = Style { verbose: true, ..PLAIN };
        assert!(text(&error, verbose).contains("cause: entity not found"));
    }

    #[test]
    fn json_is_one_line_with_everything() {
        let error = Error::invalid_input("no \"x\"").column("x").file("a b").span(0..1);
        assert_eq!(
            json(&error.in_text("x > 1").remedy("do"), 1),
            r#"{"level":"error","kind":"invalid_input","message":"no \"x\"","file":"a b","column":"x","snippet":{"text":"x > 1","start":0,"end":1},"remedy":"do","exit_status":1}"#
        );
    }

    #[test]
    fn each_kind_has_its_status() {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert_eq!(exit_status(Error::io("x", full).kind()), 5);
        assert_eq!(exit_status(Error::over_budget("x").kind()), 4);
        assert_eq!(exit_status(Error::cancelled().kind()), 130);
        assert_eq!(exit_status(Error::invalid_data("x").kind()), 1);
        assert_eq!(exit_status(ErrorKind::Io), 3);
    }

    #[test]
    fn colors_are_only_used_when_asked_for() {
        let error = Error::invalid_input("no");
        assert_eq!(text(&error, PLAIN), "error: no\n");
        let color = Style { color: true, ..PLAIN };
        assert_eq!(text(&error, color), "\x1b[1;31merror\x1b[0m\x1b[1m: no\x1b[0m\n");
    }
}
