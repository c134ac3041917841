//! The subcommands, a file each: its flags, and how they become a query.

mod bench;
mod completions;
mod config;
mod convert;
mod count;
mod describe;
mod distinct;
mod explode;
mod generate;
mod groupby;
mod head;
mod join;
mod man;
mod meta;
mod pivot;
mod resample;
mod sample;
mod schema;
mod select;
mod sort;
mod sql;
mod tail;
mod unpivot;
mod window;

use dframe::Result;

pub use bench::Bench;
pub use completions::Completions;
pub use config::Config;
pub use convert::Convert;
pub use count::Count;
pub use describe::Describe;
pub use distinct::Distinct;
pub use explode::Explode;
pub use generate::Generate;
pub use groupby::GroupBy;
pub use head::Head;
pub use join::Join;
pub use man::Man;
pub use meta::Meta;
pub use pivot::Pivot;
pub use resample::Resample;
pub use sample::Sample;
pub use schema::Schema;
pub use select::Select;
pub use sort::Sort;
pub use sql::Sql;
pub use tail::Tail;
pub use unpivot::Unpivot;
pub use window::Window;

use crate::args::Command;
use crate::query::Context;

/// Runs a subcommand.
pub fn run(command: Command, context: &Context) -> Result<()> {
    match command {
        Command::GroupBy(args) => groupby::run(&args, context),
        Command::Resample(args) => resample::run(&args, context),
        Command::Select(args) => select::run(&args, context),
        Command::Sql(args) => sql::run(&args, context),
        Command::Sort(args) => sort::run(&args, context),
        Command::Distinct(args) => distinct::run(&args, context),
        Command::Sample(args) => sample::run(&args, context),
        Command::Pivot(args) => pivot::run(&args, context),
        Command::Unpivot(args) => unpivot::run(&args, context),
        Command::Explode(args) => explode::run(&args, context),
        Command::Window(args) => window::run(&args, context),
        Command::Describe(args) => describe::run(&args, context),
        Command::Schema(args) => schema::run(&args, context),
        Command::Join(args) => join::run(&args, context),
        Command::Head(args) => head::run(&args, context),
        Command::Tail(args) => tail::run(&args, context),
        Command::Convert(args) => convert::run(&args, context),
        Command::Count(args) => count::run(&args, context),
        Command::Meta(args) => meta::run(&args, context),
        Command::Generate(args) => generate::run(args, context),
        Command::Bench(args) => bench::run(&args, context),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args, context),
        Command::Config(args) => config::run(&args),
    }
}
