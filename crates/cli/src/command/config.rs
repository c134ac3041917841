//! `dframe config`: the settings, and where they come from.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use clap::{ArgMatches, Args, Subcommand};
use dframe::Result;
use dframe::io::SinkOptions;

use crate::args::{OutputArgs, RunArgs};
use crate::settings::{InForce, Settings};

/// Show the settings in force
///
/// A flag goes before a variable of the environment (DFRAME_MEMORY_LIMIT), that before the file dframe.toml in the
/// working directory, and that before the user's ($XDG_CONFIG_HOME/dframe/dframe.toml, or
/// ~/.config/dframe/dframe.toml). Files have lines such as memory-limit = "4GiB".
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dframe config show
  dframe config show --memory-limit 2GiB -f json")]
pub struct Config {
    /// What to do with them
    #[command(subcommand)]
    action: Action,
    /// What is in force, once it is known.
    #[arg(skip)]
    settings: Vec<InForce>,
}

#[derive(Debug, Subcommand)]
enum Action {
    Show(Show),
}

/// Show each setting, its value and where it comes from
#[derive(Args, Debug)]
struct Show {
    /// Where the result goes.
    #[command(flatten)]
    output: OutputArgs,
    /// What flags would set.
    #[command(flatten)]
    run: RunArgs,
}

impl Config {
    /// Takes in what is in force for the subcommand.
    pub fn hear(&mut self, settings: &Settings, matches: &ArgMatches) {
        let own = matches.subcommand_matches("config");
        if let Some(show) = own.and_then(|own| own.subcommand_matches("show")) {
            self.settings = settings.in_force(show);
        }
    }

    /// Where the settings are shown.
    pub fn output(&self) -> &OutputArgs {
        let Action::Show(show) = &self.action;
        &show.output
    }
}

/// Shows the settings.
pub fn run(args: &Config) -> Result<()> {
    let output = args.output().resolve()?;
    let texts = |text: fn(&InForce) -> &str| {
        Arc::new(StringArray::from_iter_values(args.settings.iter().map(text))) as ArrayRef
    };
    let batch = RecordBatch::try_from_iter([
        ("setting", texts(|setting| setting.name)),
        ("value", texts(|setting| &setting.value)),
        ("from", texts(|setting| &setting.origin)),
    ])?;
    output
        .write(batch.schema(), std::iter::once(Ok(batch)), None, SinkOptions::default())
        .map(|_| ())
}
