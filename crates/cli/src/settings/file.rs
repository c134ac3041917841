//! A `dframe.toml`: a line for a setting. What is wrong with one is told with file, line and what was meant.

use std::error::Error as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue};
use dframe::{Error, Result};
use toml::de::{DeTable, DeValue};

use super::{SETTINGS, Setting};
use crate::args::Cli;
use crate::nearest::nearest;

/// What a file says of a setting.
#[derive(Clone, Debug)]
pub struct Found {
    pub setting: Setting,
    /// As it would be written after the flag.
    pub value: String,
    path: PathBuf,
    line: usize,
}

impl Found {
    /// The file and the line.
    pub fn place(&self) -> String {
        format!("{}, line {}", self.path.display(), self.line)
    }
}

/// Reads the settings of a file.
///
/// # Errors
/// It cannot be read, is no TOML, or has a setting that is none or has no such value.
pub fn read(path: &Path) -> Result<Vec<Found>> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::io("cannot read the settings", error).file(path))?;
    parse(&text, path)
}

fn parse(text: &str, path: &Path) -> Result<Vec<Found>> {
    let at = |message: &str, range: Range<usize>| wrong(text, path, message, range);
    let table = DeTable::parse(text).map_err(|error| {
        let message = error.message().lines().next().unwrap_or("the file is no TOML");
        at(message, error.span().unwrap_or(0..0)).remedy("write lines such as threads = 4")
    })?;
    let mut found = Vec::new();
    for (key, value) in table.get_ref() {
        let name = key.get_ref().as_ref();
        let setting = SETTINGS.into_iter().find(|setting| setting.name == name);
        let setting = setting.ok_or_else(|| {
            at(&format!("there is no setting '{name}'"), key.span()).remedy(meant(name))
        })?;
        let text_of_value = written(value.get_ref()).ok_or_else(|| {
            let kind = value.get_ref().type_str();
            at(&format!("the value of '{name}' is of the type {kind}"), value.span())
                .remedy("write a number, or a text in quotes")
        })?;
        if let Some(reason) = refusal(&setting, &text_of_value) {
            let message = format!("'{text_of_value}' is no value for '{name}'");
            return Err(at(&message, value.span()).remedy(reason));
        }
        let line = line_of(text, key.span().start);
        found.push(Found { setting, value: text_of_value, path: path.into(), line });
    }
    Ok(found)
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}

/// An error about `range` of the file, which shows the line.
fn wrong(text: &str, path: &Path, message: &str, range: Range<usize>) -> Error {
    let start = range.start.min(text.len());
    let before = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line = text[before..].lines().next().unwrap_or_default();
    let in_line = start - before..range.end.clamp(start, before + line.len()) - before;
    let message = format!("line {}: {message}", line_of(text, start));
    Error::invalid_input(message).span(in_line).in_text(line).file(path)
}

fn meant(name: &str) -> String {
    let names = SETTINGS.map(|setting| setting.name);
    let all = format!("the settings are {}", names.join(", "));
    match nearest(name, names.into_iter()) {
        Some(near) => format!("did you mean '{near}'? {all}"),
        None => all,
    }
}

fn written(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.as_str().to_string()),
        _ => None,
    }
}

/// Why the flag of the setting does not take the value.
fn refusal(setting: &Setting, value: &str) -> Option<String> {
    let flag = format!("--{}", setting.name);
    let words = ["dframe", "count", "-", &format!("{flag}={value}")];
    let error = Cli::command().try_get_matches_from(words).err()?;
    let is_about_it = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => argument.starts_with(&flag),
        _ => false,
    };
    if !is_about_it {
        // A variable of the environment is amiss, and will be told of.
        return None;
    }
    match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(reason), _) => Some(reason.to_string()),
        (None, Some(ContextValue::Strings(values))) => {
            Some(format!("choose one of {}", values.join(", ")))
        }
        _ => Some("write a value as after the flag".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> std::result::Result<Vec<(String, String, usize)>, String> {
        match parse(text, Path::new("dframe.toml")) {
            Ok(found) => Ok(found
                .into_iter()
                .map(|found| (found.setting.name.into(), found.value, found.line))
                .collect()),
            Err(error) => {
                Err(format!("{}; {}", error.message(), error.remedy_text().unwrap_or("")))
            }
        }
    }

    #[test]
    fn lines_are_settings() {
        let found = parsed("# mine\nmemory-limit = \"50%\"\n\nthreads = 4\n").unwrap();
        let line = |name: &str, value: &str, line| (name.to_string(), value.to_string(), line);
        assert_eq!(found, [line("memory-limit", "50%", 2), line("threads", "4", 4)]);
        assert_eq!(parsed("").unwrap(), []);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let wrong = |text: &str| parsed(text).unwrap_err();
        assert!(wrong("threads = 4\nmemory_limit = \"1GiB\"").starts_with(
            "line 2: there is no setting 'memory_limit'; did you mean 'memory-limit'? the settings are"
        ));
        assert_eq!(
            wrong("threads = 0"),
            "line 1: '0' is no value for 'threads'; must be 1 or more"
        );
        assert_eq!(
            wrong("progress = \"now\""),
            "line 1: 'now' is no value for 'progress'; choose one of auto, always, never"
        );
        assert!(
            wrong("threads = [4]")
                .starts_with("line 1: the value of 'threads' is of the type array")
        );
        assert!(wrong("\nthreads 4").starts_with("line 2: "));
    }
}
