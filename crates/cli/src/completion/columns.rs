//! Names of columns, for the flags that take some: those of the files named on the line.
//!
//! Only schemas are read: footers of Parquet and Arrow files, headers of CSV files, the first records of JSON
//! files. Pipes and devices are left alone, and whatever cannot be read has no columns.

use std::ffi::OsStr;
use std::path::Path;

use clap::{ArgMatches, CommandFactory, FromArgMatches};
use clap_complete::engine::CompletionCandidate;
use dframe::io::{CsvSurvey, JsonSurvey, SqliteSource};
use dframe::prelude::{Session, col};
use dframe::{InputFormat, Result};

use super::typed;
use crate::args::Cli;
use crate::reading::ReadingArgs;

/// A flag that takes columns.
pub struct Flag {
    sides: &'static [Side],
    /// Whether a column is named once at most.
    once: bool,
}

/// Whose columns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

impl Flag {
    /// The flag that `clap` knows by `id`.
    pub fn new(id: &str, once: bool) -> Self {
        let sides: &[Side] = match id {
            "left_on" => &[Side::Left],
            "right_on" => &[Side::Right],
            _ => &[Side::Left, Side::Right],
        };
        Self { sides, once }
    }
}

/// What `current` could become.
pub fn candidates(flag: &Flag, current: &OsStr, shell: &str) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return vec![] };
    let current = match shell {
        // These match candidates against what the word means, and hand over what was typed.
        "fish" | "zsh" => current.strip_prefix(['"', '\'']).unwrap_or(current),
        _ => current,
    };
    let Some((before, begun)) = last_name(current) else { return vec![] };
    let sides: &[Side] = match before {
        _ if before.ends_with("left.") => &[Side::Left],
        _ if before.ends_with("right.") => &[Side::Right],
        _ => flag.sides,
    };
    let known: Vec<&str> = before.split(',').map(str::trim).collect();
    let names = names(sides).into_iter().map(|name| col(name).to_string());
    let fits = |name: &String| {
        let matches = name.to_lowercase().starts_with(&begun.to_lowercase());
        matches && !(flag.once && known.contains(&name.as_str()))
    };
    names.filter(fits).map(|name| CompletionCandidate::new(format!("{before}{name}"))).collect()
}

/// What comes before the name that the text ends with, and that name as far as it goes; `None` within a constant.
fn last_name(text: &str) -> Option<(&str, &str)> {
    let (mut quote, mut start) = (None, 0);
    for (at, letter) in text.char_indices() {
        let end = at + letter.len_utf8();
        match (letter, quote) {
            (letter, Some(open)) if letter == open => (quote, start) = (None, end),
            (_, Some(_)) => {}
            ('"' | '\'', None) => (quote, start) = (Some(letter), at),
            (letter, None) if !letter.is_alphanumeric() && letter != '_' => start = end,
            _ => {}
        }
    }
    (quote != Some('\'')).then(|| text.split_at(start))
}

/// The columns of the files on the line, each once, in their order.
fn names(sides: &[Side]) -> Vec<String> {
    let line = Cli::command().ignore_errors(true).try_get_matches_from(typed::words());
    let Ok(line) = line else { return vec![] };
    let Some((_, matches)) = line.subcommand() else { return vec![] };
    let Ok(reading) = ReadingArgs::from_arg_matches(matches) else { return vec![] };
    let mut names = Vec::new();
    for paths in tables(matches, sides) {
        for name in columns(&paths, &reading).unwrap_or_default() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// The paths of the tables, as far as they can be looked at without waiting.
fn tables(matches: &ArgMatches, sides: &[Side]) -> Vec<Vec<String>> {
    let ids = match sides {
        [Side::Left] => ["files", "left"].as_slice(),
        [Side::Right] => &["right"],
        _ => &["files", "left", "right"],
    };
    let paths = |id: &&str| {
        let words = matches.try_get_raw(id).ok().flatten()?;
        Some(words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>())
    };
    ids.iter()
        .filter_map(paths)
        .filter(|paths| paths.iter().all(|path| is_readable(path)))
        .collect()
}

fn is_readable(path: &str) -> bool {
    let found = Path::new(path).metadata();
    path != "-"
        && !path.contains("://")
        && found.map_or(true, |found| found.is_file() || found.is_dir())
}

fn columns(paths: &[String], reading: &ReadingArgs) -> Result<Vec<String>> {
    let session = Session::default();
    let frame = match reading.format(paths)? {
        InputFormat::Parquet => session.scan_parquet(paths)?,
        InputFormat::Arrow => session.scan_ipc(paths)?,
        InputFormat::Avro => session.scan_avro(paths)?,
        InputFormat::Sqlite => return SqliteSource::column_names(paths, &reading.sqlite()),
        InputFormat::Csv => return CsvSurvey::column_names(paths, &reading.csv()?),
        InputFormat::Json => return JsonSurvey::leading_names(paths, &reading.json()?),
    };
    Ok(frame.schema()?.fields().iter().map(|field| field.name().clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_at_the_end() {
        for (text, parts) in [
            ("", Some(("", ""))),
            ("tick", Some(("", "tick"))),
            ("ticker,", Some(("ticker,", ""))),
            ("ticker, pr", Some(("ticker, ", "pr"))),
            ("sum(pr", Some(("sum(", "pr"))),
            ("left.pr", Some(("left.", "pr"))),
            ("\"my co", Some(("", "\"my co"))),
            ("\"my col\", pr", Some(("\"my col\", ", "pr"))),
            ("side = 'bu", None),
            ("side = 'buy' and pr", Some(("side = 'buy' and ", "pr"))),
        ] {
            assert_eq!(last_name(text), parts, "{text}");
        }
    }
}
