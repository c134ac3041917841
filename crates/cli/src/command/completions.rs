//! `dframe completions`: the script by which a shell completes dframe's commands.

use clap::{Args, ValueEnum};
use dframe::Result;

use crate::completion::script;
use crate::output::Output;

/// Print the script by which a shell completes commands
///
/// Completed are subcommands, flags, their values, files, and the columns of the files that are on the line: after
/// --by, in the midst of an expression, after a comma. Put `source <(dframe completions bash)` into ~/.bashrc, the like
/// for zsh into ~/.zshrc, or `dframe completions fish | source` into ~/.config/fish/config.fish.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dframe completions bash
  dframe completions powershell")]
pub struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shell {
    /// Bash 4 or later
    Bash,
    /// Zsh
    Zsh,
    /// Fish
    Fish,
    /// PowerShell
    #[value(alias = "pwsh")]
    Powershell,
    /// Elvish
    Elvish,
}

/// Prints the script.
pub fn run(args: &Completions) -> Result<()> {
    let name = match args.shell {
        Shell::Bash => "bash",
        Shell::Zsh => "zsh",
        Shell::Fish => "fish",
        Shell::Powershell => "powershell",
        Shell::Elvish => "elvish",
    };
    Output::text().write_text(&script(name)?)
}
