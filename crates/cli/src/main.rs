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
mod error;
mod input;
mod json;
mod messages;
mod nearest;
mod output;
mod progress;
mod query;
mod reading;
mod signals;
mod stats;

use std::process::ExitCode;

use clap::Parser;
use dframe::CancelToken;

use crate::args::Cli;
use crate::messages::Messages;
use crate::query::Context;

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

fn main() -> ExitCode {
    if completion::answer() {
        return ExitCode::SUCCESS;
    }
    let mut cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let words: Vec<String> = std::env::args().skip(1).collect();
            return messages::usage(&error, &words).into();
        }
    };
    let context = Context { messages: Messages::new(cli.report), cancel: CancelToken::new() };
    if let Err(error) = cli.check() {
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
