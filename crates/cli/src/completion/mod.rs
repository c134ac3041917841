//! Completions: what a shell offers when a command is half typed.
//!
//! ```text
//!   dframe groupby ticks.parquet --by tick<TAB>
//!     shell --words, DFRAME_COMPLETE=bash--> dframe --engine of clap_complete--> ticker
//!                                                     |
//!                                        columns (of the files among the words)
//! ```
//!
//! What a flag takes is told by the name its value has in the help: `COLS`, `EXPRS` and the like are about
//! columns, `FILES` and the like about files. So a new subcommand is completed without a word here.

mod columns;
mod typed;

use std::path::Path;

use clap::builder::ValueHint;
use clap::{Arg, CommandFactory};
use clap_complete::engine::ArgValueCompleter;
use clap_complete::env::{CompleteEnv, Shells};
use dframe::{Error, Result};

use crate::args::Cli;

/// Set by the script of a shell when it asks what could follow.
const VARIABLE: &str = "DFRAME_COMPLETE";

/// Answers a shell, and says whether one had asked.
pub fn answer() -> bool {
    let Some(shell) = std::env::var_os(VARIABLE) else { return false };
    let shell = Path::new(&shell).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let asked = CompleteEnv::with_factory(|| command(&shell)).var(VARIABLE);
    // Whatever is wrong, a line that is being typed is no place to say so.
    asked.try_complete(std::env::args_os(), std::env::current_dir().ok().as_deref()).unwrap_or(true)
}

/// The script that makes `shell` ask.
///
/// # Errors
/// There is none for the shell.
pub fn script(shell: &str) -> Result<String> {
    let shells = Shells::builtins();
    let shell = shells.completer(shell).ok_or_else(|| Error::internal("the shell is unknown"))?;
    let mut script = Vec::new();
    shell
        .write_registration(VARIABLE, "dframe", "dframe", "dframe", &mut script)
        .map_err(|error| Error::io("cannot write the script", error))?;
    Ok(String::from_utf8_lossy(&script).trim_start().to_string())
}

fn command(shell: &str) -> clap::Command {
    fn of_shell(command: clap::Command, shell: &str) -> clap::Command {
        let command = without_aliases(command).mut_args(|arg| completed(arg, shell));
        command.mut_subcommands(|subcommand| of_shell(subcommand, shell))
    }
    of_shell(Cli::command(), shell)
}

/// The command, whose other names are understood and not offered.
fn without_aliases(command: clap::Command) -> clap::Command {
    let aliases: Vec<clap::builder::Str> =
        command.get_visible_aliases().map(|alias| alias.to_string().into()).collect();
    command.visible_alias(None).aliases(aliases)
}

/// The argument, with what it takes.
fn completed(arg: Arg, shell: &str) -> Arg {
    let name = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    match name.as_deref() {
        Some(name @ ("COL" | "COLS" | "EXPR" | "EXPRS" | "KEYS")) => {
            let flag = columns::Flag::new(arg.get_id().as_str(), name == "COLS");
            let shell = shell.to_string();
            arg.add(ArgValueCompleter::new(move |current: &std::ffi::OsStr| {
                columns::candidates(&flag, current, &shell)
            }))
        }
        Some("FILE" | "FILES" | "FILE.html" | "PATH" | "LEFT" | "RIGHT") => {
            arg.value_hint(ValueHint::AnyPath)
        }
        Some("DIR") => arg.value_hint(ValueHint::DirPath),
        _ => arg,
    }
}
