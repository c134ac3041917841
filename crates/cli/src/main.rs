//! The `dframe` command: reads the command line, runs a subcommand, and says how it went.
//!
//! ```text
//!   args --> command/<subcommand> --> query (session, frame, run) --> output
//!                                        |                              |
//!                              progress, stats, signals             table, csv, parquet, ..
//! ```
//!
//! All computing is in the `dframe` library; here is only what a person at a terminal needs.

mod allocator;
mod args;
mod command;
mod completion;
mod dashboard;
mod error;
mod folder;
mod input;
mod json;
mod messages;
mod nearest;
mod output;
mod plot;
mod profile;
mod progress;
mod query;
mod reading;
mod settings;
mod signals;
mod stats;

use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches};
use dframe::CancelToken;

use crate::args::Cli;
use crate::messages::Messages;
use crate::query::Context;
use crate::settings::Settings;

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

fn main() -> ExitCode {
    if completion::answer() {
        return ExitCode::SUCCESS;
    }
    hush_decoders();
    let settings = Settings::read();
    let (mut cli, matches) = match parsed(settings.as_ref().ok()) {
        Ok(parsed) => parsed,
        Err(error) => return messages::usage(&error, settings.as_ref().ok()).into(),
    };
    let context = Context { messages: Messages::new(cli.report), cancel: CancelToken::new() };
    let checked = settings.map(|settings| cli.hear(&settings, &matches));
    if let Err(error) = checked.and_then(|()| cli.check()) {
        context.messages.error(&error, messages::USAGE);
        return messages::USAGE.into();
    }
    signals::install(context.cancel.clone(), context.messages, cli.command.temp_dir());
    match command::run(cli.command, &context) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let status = error::exit_status(error.kind());
            context.messages.error(&error, status);
            status.into()
        }
    }
}

/// A decoder that panics on a corrupt file has its say in the error that names the file, and nowhere else.
fn hush_decoders() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !dframe::io::is_guarded() {
            usual(panic);
        }
    }));
}

/// The command line, with settings for what it leaves open.
fn parsed(settings: Option<&Settings>) -> Result<(Cli, ArgMatches), clap::Error> {
    let line = Cli::command();
    let line = settings.map_or(line.clone(), |settings| settings.apply(line));
    let matches = line.try_get_matches()?;
    Cli::from_arg_matches(&matches).map(|cli| (cli, matches))
}
