//! `dframe man`: what `--help` says, as pages for `man`.

use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man as Page;
use dframe::{Error, Result};

use crate::args::Cli;
use crate::nearest::nearest;
use crate::output::Output;
use crate::query::Context;

/// Print a page for man
///
/// The page of dframe, or that of a subcommand, as roff. With --dir, the pages of all are written, as
/// dframe.1, dframe-groupby.1 and so on, and replace those that are there.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dframe man groupby
  dframe man --dir ~/.local/share/man/man1")]
pub struct Man {
    /// The subcommand whose page it is [default: dframe's own]
    #[arg(value_name = "SUBCOMMAND")]
    subcommand: Option<String>,
    /// Write all pages into this directory, which is made if it is not there
    #[arg(long, value_name = "DIR", conflicts_with = "subcommand")]
    dir: Option<PathBuf>,
}

impl Man {
    /// Checks that there is such a page.
    ///
    /// # Errors
    /// There is none.
    pub fn check(&self) -> Result<()> {
        let Some(name) = &self.subcommand else { return Ok(()) };
        page(name).map(|_| ())
    }
}

/// Prints a page, or writes all.
pub fn run(args: &Man, context: &Context) -> Result<()> {
    if let Some(dir) = &args.dir {
        let count = write_all(dir).map_err(|error| error.file(dir))?;
        context.messages.note(&format!("wrote {count} pages to {}", dir.display()));
        return Ok(());
    }
    let page = page(args.subcommand.as_deref().unwrap_or("dframe"))?;
    Output::text().write_text(&roff(page)?)
}

/// The page of a subcommand, or of dframe.
fn page(name: &str) -> Result<Command> {
    let is_wanted = |page: &Command| {
        page.get_name() == name || page.get_all_aliases().any(|alias| alias == name)
    };
    pages().into_iter().find(is_wanted).ok_or_else(|| unknown(name))
}

fn write_all(dir: &Path) -> Result<usize> {
    let failed = |error| Error::io("cannot write the pages", error);
    std::fs::create_dir_all(dir).map_err(failed)?;
    let pages = pages();
    let count = pages.len();
    for page in pages {
        let path = dir.join(format!("{}.1", name(&page)));
        std::fs::write(path, roff(page)?).map_err(failed)?;
    }
    Ok(count)
}

/// dframe, and its subcommands.
fn pages() -> Vec<Command> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let versioned = |command: &Command| command.clone().version(env!("CARGO_PKG_VERSION"));
    let subcommands: Vec<Command> = root.get_subcommands().map(versioned).collect();
    std::iter::once(root).chain(subcommands).collect()
}

/// `dframe-groupby`.
fn name(page: &Command) -> &str {
    page.get_display_name().unwrap_or_else(|| page.get_name())
}

fn roff(page: Command) -> Result<String> {
    let mut text = Vec::new();
    let page =
        Page::new(page).source(concat!("dframe ", env!("CARGO_PKG_VERSION"))).manual("dframe");
    page.render(&mut text).map_err(|error| Error::io("cannot write the page", error))?;
    let text = String::from_utf8_lossy(&text);
    // Lines of commands must not be filled up.
    Ok(match text.split_once(".SH EXTRA\nExamples:\n") {
        Some((before, after)) => {
            let after = after.replacen(".SH VERSION", ".fi\n.SH VERSION", 1);
            format!("{before}.SH EXAMPLES\n.nf\n{after}")
        }
        None => text.into_owned(),
    })
}

fn unknown(name: &str) -> Error {
    let error = Error::invalid_input(format!("there is no subcommand '{name}'"));
    let root = Cli::command();
    match nearest(name, root.get_subcommands().map(Command::get_name)) {
        Some(near) => error.remedy(format!("did you mean '{near}'?")),
        None => error.remedy("`dframe --help` lists them"),
    }
}
