//! Everything that goes to standard error: errors, notes, reports, usage.
//!
//! A failing standard error is no reason to fail, so writing to it cannot fail here.

use std::io::{IsTerminal, Write, stderr};

use clap::error::ErrorKind as UsageKind;
use dframe::Error;

use crate::args::{ErrorFormat, ReportArgs};
use crate::error::{self, Style};
use crate::json::Object;
use crate::settings::{self, Settings};

/// The status of a wrong command line.
pub const USAGE: u8 = 2;

/// How this process talks to its user.
#[derive(Clone, Copy, Debug)]
pub struct Messages {
    args: ReportArgs,
    terminal: bool,
    color: bool,
}

impl Messages {
    /// Errors only, as text.
    #[cfg(test)]
    pub fn silent() -> Self {
        let error_format = ErrorFormat::Text;
        let args = ReportArgs { error_format, quiet: true, verbose: false };
        Self { args, terminal: false, color: false }
    }

    /// As the flags say; colors on a terminal, unless `NO_COLOR` is set.
    pub fn new(args: ReportArgs) -> Self {
        let terminal = stderr().is_terminal();
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { args, terminal, color: terminal && !unwanted && !dumb }
    }

    /// Whether lines may be drawn and erased: on a terminal, for people, unless unwanted.
    pub fn draws(&self) -> bool {
        self.terminal && !self.args.quiet && self.args.error_format == ErrorFormat::Text
    }

    /// Prints how far a run is.
    pub fn progress(&self, text: &str) {
        self.line("progress", text);
    }

    /// Prints an error that the process will end with, with `status`.
    pub fn error(&self, error: &Error, status: u8) {
        let style = Style { color: self.color, verbose: self.args.verbose };
        match self.args.error_format {
            ErrorFormat::Text => print(&error::text(error, style)),
            ErrorFormat::Json => print(&(error::json(error, status) + "\n")),
        }
    }

    /// Prints what happened, for those who watch or asked for it.
    pub fn note(&self, text: &str) {
        if self.args.verbose || (self.terminal && !self.args.quiet) {
            self.line("note", text);
        }
    }

    /// Prints what was asked for and stands nowhere else, also into files and pipes.
    pub fn tell(&self, text: &str) {
        if !self.args.quiet {
            self.line("note", text);
        }
    }

    /// Prints what may be amiss with the result.
    pub fn warn(&self, text: &str) {
        if !self.args.quiet {
            self.line("warning", text);
        }
    }

    /// Prints details, if asked for.
    pub fn detail(&self, text: &str) {
        if self.args.verbose {
            self.line("note", text);
        }
    }

    /// Prints a report: text, or the fields of an object.
    pub fn report(&self, level: &str, text: &str, object: Object) {
        match self.args.error_format {
            ErrorFormat::Text => print(text),
            ErrorFormat::Json => {
                let line = Object::new().text("level", level).object(level, object).finish();
                print(&(line + "\n"));
            }
        }
    }

    fn line(&self, level: &str, text: &str) {
        match self.args.error_format {
            ErrorFormat::Text => print(&format!("{text}\n")),
            ErrorFormat::Json => {
                print(&(Object::new().text("level", level).text("message", text).finish() + "\n"));
            }
        }
    }
}

/// Prints what `clap` has to say: help and version on standard output, bad usage on standard error, as
/// JSON if flags, environment or settings ask for that. Returns the exit status.
pub fn usage(error: &clap::Error, settings: Option<&Settings>) -> u8 {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let shown = matches!(error.kind(), UsageKind::DisplayHelp | UsageKind::DisplayVersion);
    let variable = settings::variable_at_fault(error, &words);
    if shown || !wants_json(&words, settings) {
        // A closed pipe behind `--help` is nobody's mistake.
        let _ = error.print();
        if let Some(variable) = variable {
            print(&format!("The value is that of {variable} in the environment.\n"));
        }
        return if shown { 0 } else { USAGE };
    }
    let text = error.render().to_string();
    let message = text.trim_start_matches("error: ").lines().next().unwrap_or_default();
    let object = Object::new()
        .text("level", "error")
        .text("kind", "usage")
        .text("message", message)
        .text("usage", text.trim_end());
    let object = match variable {
        Some(variable) => object.text("variable", &variable),
        None => object,
    };
    let object = object.number("exit_status", USAGE.into());
    print(&(object.finish() + "\n"));
    USAGE
}

/// Whether errors are to be JSON, as far as can be told when the command line could not be read.
fn wants_json(words: &[String], settings: Option<&Settings>) -> bool {
    let flag = "--error-format";
    let separate = words.windows(2).any(|pair| pair[0] == flag && pair[1] == "json");
    let joined = words.iter().any(|word| word == "--error-format=json");
    let in_file = || settings.and_then(|settings| settings.value("error-format")) == Some("json");
    let set = || match std::env::var_os("DFRAME_ERROR_FORMAT") {
        Some(value) => value == "json",
        None => in_file(),
    };
    let otherwise = !words.iter().any(|word| word.starts_with(flag));
    separate || joined || (otherwise && set())
}

/// Writes text to standard error.
pub fn print(text: &str) {
    let _ = stderr().lock().write_all(text.as_bytes());
}
