//! What may stand on the command line: the subcommands, and the flags they share.
//!
//! ```text
//!   dframe [report flags] SUBCOMMAND FILES... [its flags] [output flags] [run flags]
//! ```
//!
//! A subcommand's own flags are with the subcommand. Here is no behaviour beyond reading a value; what
//! a flag refers to (a column, a file) is looked at later.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgMatches, Args, Parser, Subcommand, ValueEnum};
use dframe::prelude::Session;
use dframe::size::Size;
use dframe::{Error, Format, Result, SessionBuilder};

use crate::command::{
    Bench, Completions, Config, Convert, Count, Describe, Distinct, Explode, Generate, GroupBy,
    Head, Join, Man, Meta, Pivot, Resample, Sample, Schema, Select, Sort, Sql, Tail, Unpivot,
    Window,
};
use crate::folder::FolderArgs;
use crate::plot::PlotKind;
use crate::reading::ReadingArgs;
use crate::settings::Settings;
use crate::{dashboard, profile};

/// Query files larger than memory with a few words
///
/// Reads Parquet, CSV, JSON, Arrow and Avro files (one, many, directories, globs, objects in stores) and SQLite
/// tables, computes on all cores inside a memory limit, and spills to disk what does not fit. Expressions are
/// SQL, as DuckDB reads them.
#[derive(Debug, Parser)]
#[command(name = "dframe", version, max_term_width = 100)]
#[command(
    after_help = "`dframe SUBCOMMAND --help` shows examples. Exit status: 0 ok, 1 the query or \
    the data was bad, 2 usage, 3 I/O, 4 over the memory limit, 5 out of disk, 130 interrupted."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How to talk.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// The subcommands, in the order of the help; each is described with its flags.
#[derive(Debug, Subcommand)]
pub enum Command {
    #[command(name = "groupby", visible_alias = "group-by")]
    GroupBy(GroupBy),
    Resample(Resample),
    Select(Select),
    Sql(Sql),
    Sort(Sort),
    Distinct(Distinct),
    Join(Join),
    Pivot(Pivot),
    Unpivot(Unpivot),
    Explode(Explode),
    Sample(Sample),
    Window(Window),
    Describe(Describe),
    Schema(Schema),
    Head(Head),
    Tail(Tail),
    Count(Count),
    Convert(Convert),
    Meta(Meta),
    Generate(Generate),
    Bench(Bench),
    Completions(Completions),
    Man(Man),
    Config(Config),
}

impl Cli {
    /// Tells the subcommand that shows settings what they are.
    pub fn hear(&mut self, settings: &Settings, matches: &ArgMatches) {
        if let Command::Config(args) = &mut self.command {
            args.hear(settings, matches);
        }
    }

    /// Checks what takes more than one flag to see.
    ///
    /// # Errors
    /// Flags that do not go together; an output whose format cannot be told, or that is none for where it
    /// goes.
    pub fn check(&mut self) -> Result<()> {
        match &mut self.command {
            Command::Convert(args) => args.check()?,
            Command::Generate(args) => args.check()?,
            Command::Join(args) => args.check()?,
            Command::Man(args) => args.check()?,
            _ => {}
        }
        if self.command.output().is_some_and(|(output, _)| output.plot.is_some())
            && !self.command.gives_rows()
        {
            return Err(Error::invalid_input("--plot is not for this command")
                .remedy("draw the rows of another, such as groupby, select or sql"));
        }
        if let Some((OutputArgs { plot: Some(_), format: Some(format), .. }, _)) =
            self.command.output()
            && *format != Format::Table
        {
            return Err(Error::invalid_input(format!("a chart is not written as {format}"))
                .remedy("leave out -f; -o FILE.svg writes a picture"));
        }
        match self.command.output() {
            Some((output, None)) => output.resolve().map(|_| ()),
            _ => Ok(()),
        }
    }
}

impl Command {
    /// Where the run may leave temporary files.
    pub fn temp_dir(&self) -> PathBuf {
        match self {
            Command::Bench(args) => args.limits.temp_dir(),
            _ => self.run().map_or_else(std::env::temp_dir, |run| run.limits.temp_dir()),
        }
    }

    /// The output flags, and what is to be explained instead.
    fn output(&self) -> Option<(&OutputArgs, Option<Explain>)> {
        let output = match self {
            Command::GroupBy(args) => &args.output,
            Command::Resample(args) => &args.output,
            Command::Select(args) => &args.output,
            Command::Sql(args) => &args.output,
            Command::Sort(args) => &args.output,
            Command::Distinct(args) => &args.output,
            Command::Join(args) => &args.output,
            Command::Pivot(args) => &args.output,
            Command::Unpivot(args) => &args.output,
            Command::Explode(args) => &args.output,
            Command::Sample(args) => &args.output,
            Command::Window(args) => &args.output,
            Command::Describe(args) => &args.output,
            Command::Schema(args) => &args.output,
            Command::Head(args) => &args.output,
            Command::Tail(args) => &args.output,
            Command::Count(args) => &args.output,
            Command::Convert(args) => &args.output,
            Command::Meta(args) => &args.output,
            Command::Bench(args) => &args.output,
            Command::Config(args) => args.output(),
            Command::Generate(_) | Command::Completions(_) | Command::Man(_) => return None,
        };
        Some((output, self.run().and_then(|run| run.watch.explain)))
    }

    /// Whether the result is rows of a query, which can be drawn.
    fn gives_rows(&self) -> bool {
        !matches!(
            self,
            Command::Describe(_)
                | Command::Schema(_)
                | Command::Count(_)
                | Command::Meta(_)
                | Command::Bench(_)
                | Command::Config(_)
        )
    }

    fn run(&self) -> Option<&RunArgs> {
        match self {
            Command::GroupBy(args) => Some(&args.run),
            Command::Resample(args) => Some(&args.run),
            Command::Select(args) => Some(&args.run),
            Command::Sql(args) => Some(&args.run),
            Command::Sort(args) => Some(&args.run),
            Command::Distinct(args) => Some(&args.run),
            Command::Join(args) => Some(&args.run),
            Command::Pivot(args) => Some(&args.run),
            Command::Unpivot(args) => Some(&args.run),
            Command::Explode(args) => Some(&args.run),
            Command::Sample(args) => Some(&args.run),
            Command::Window(args) => Some(&args.run),
            Command::Describe(args) => Some(&args.run),
            Command::Head(args) => Some(&args.run),
            Command::Tail(args) => Some(&args.run),
            Command::Count(args) => Some(&args.run),
            Command::Convert(args) => Some(&args.run),
            Command::Schema(_)
            | Command::Meta(_)
            | Command::Generate(_)
            | Command::Bench(_)
            | Command::Completions(_)
            | Command::Man(_)
            | Command::Config(_) => None,
        }
    }
}

/// How errors and notes are shown; allowed everywhere.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Messages")]
pub struct ReportArgs {
    /// Show errors as text for people, or as JSON objects, one on each line
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    #[arg(env = "DFRAME_ERROR_FORMAT", hide_env_values = true)]
    pub error_format: ErrorFormat,
    /// Print no progress and no notes, only errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print the settings in force, and the causes of errors
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// How an error is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ErrorFormat {
    /// Lines for people.
    Text,
    /// An object on a line.
    Json,
}

/// The files that are read.
#[derive(Args, Clone, Debug)]
pub struct InputArgs {
    /// Parquet, CSV, JSON or Arrow files, directories of them, globs, or URLs (s3://, gs://, az://,
    /// https://); `-` is standard input
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<String>,
    /// How they are read.
    #[command(flatten)]
    pub reading: ReadingArgs,
}

/// Where the result goes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Write to this file, or object of a store (s3://, gs://, az://), instead of standard output; it is replaced when
    /// all is written. With --partition-by or --file-size, a folder
    #[arg(short, long, value_name = "FILE|DIR")]
    pub output: Option<PathBuf>,
    /// Format of the result [default: by the extension of --output, else a table on a terminal and
    /// csv in a pipe]
    #[arg(short, long, value_name = "FORMAT", value_parser = format_parser())]
    pub format: Option<Format>,
    /// Draw a chart of the result instead of printing its rows, in the terminal or to -o FILE.svg
    #[arg(long, value_name = "KIND")]
    pub plot: Option<PlotKind>,
    /// What is printed where no flag names a format: a setting, and no flag of users
    #[arg(long, hide = true, value_name = "FORMAT", value_parser = format_parser())]
    #[arg(env = "DFRAME_FORMAT", hide_env = true)]
    pub usual_format: Option<Format>,
    /// Of a folder of files.
    #[command(flatten)]
    pub folder: FolderArgs,
}

/// How a query is run.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Resources")]
pub struct RunArgs {
    /// What it may take.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// How objects are reached.
    #[command(flatten)]
    pub stores: StoreArgs,
    /// Run the plan as it was written, for comparison
    #[arg(long, help_heading = "Advanced", hide_short_help = true)]
    pub no_optimizer: bool,
    /// Run on all threads, or one task after the other on one
    #[arg(long, value_name = "EXECUTOR", default_value = "threaded")]
    #[arg(help_heading = "Advanced", hide_short_help = true)]
    pub executor: ExecutorChoice,
    /// What is shown of the run.
    #[command(flatten)]
    pub watch: WatchArgs,
}

/// How objects are reached. The rest is in the environment, as other programs have it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Input")]
pub struct StoreArgs {
    /// Server of s3://, gs:// and az:// files, such as http://127.0.0.1:9000 [default: the cloud's]
    #[arg(long, value_name = "URL", value_parser = some_text)]
    endpoint: Option<String>,
}

impl StoreArgs {
    /// A session that reaches them so.
    pub fn apply(&self, builder: SessionBuilder) -> SessionBuilder {
        match &self.endpoint {
            Some(url) => builder.endpoint(url),
            None => builder,
        }
    }
}

/// What a run may take.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Resources")]
pub struct LimitArgs {
    /// Memory to use at most, such as 512MB, 4GiB or 50% of the machine's [default: 70%]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    #[arg(env = "DFRAME_MEMORY_LIMIT", hide_env_values = true)]
    pub memory_limit: Option<Size>,
    /// Number of threads that compute [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = threads)]
    #[arg(env = "DFRAME_THREADS", hide_env_values = true)]
    pub threads: Option<usize>,
    /// Directory for what does not fit in memory [default: the system's]
    #[arg(long, value_name = "DIR")]
    #[arg(env = "DFRAME_TEMP_DIR", hide_env_values = true)]
    pub temp_dir: Option<PathBuf>,
    /// Disk to use at most in the temp directory, such as 100GB [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    #[arg(env = "DFRAME_TEMP_LIMIT", hide_env_values = true)]
    pub temp_limit: Option<u64>,
}

impl LimitArgs {
    /// A session that keeps to them.
    pub fn apply(&self, mut builder: SessionBuilder) -> SessionBuilder {
        if let Some(limit) = self.memory_limit {
            builder = builder.memory_limit(limit);
        }
        if let Some(threads) = self.threads {
            builder = builder.threads(threads);
        }
        if let Some(dir) = &self.temp_dir {
            builder = builder.temp_dir(dir);
        }
        if let Some(bytes) = self.temp_limit {
            builder = builder.temp_limit(bytes);
        }
        builder
    }

    /// The directory for what does not fit in memory.
    pub fn temp_dir(&self) -> PathBuf {
        self.temp_dir.clone().unwrap_or_else(std::env::temp_dir)
    }
}

/// What is shown of a run besides its result.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Insight")]
pub struct WatchArgs {
    /// Show the plan, or the graph of tasks (a drawing if --output ends in .dot or .svg), and do not run it
    #[arg(long, value_name = "WHAT", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "plan")]
    pub explain: Option<Explain>,
    /// Print rows, bytes, memory and time on standard error at the end
    #[arg(long)]
    pub stats: bool,
    /// Write a page to look at in a browser: who worked on what and when, memory, spills, the graph
    #[arg(long, value_name = "FILE.html", conflicts_with = "explain")]
    pub profile: Option<PathBuf>,
    /// Serve the same page to browsers on this machine while the query runs; its address, with a token, is printed on
    /// standard error. ADDR is a port or a loopback address [default: 127.0.0.1, at a port that is free]
    #[arg(long, value_name = "ADDR", num_args = 0..=1, require_equals = true, conflicts_with = "explain")]
    #[arg(default_missing_value = dashboard::USUAL, value_parser = dashboard::address)]
    pub dashboard: Option<SocketAddr>,
    /// Show how far the run is on standard error; auto does so on a terminal after half a second
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    #[arg(env = "DFRAME_PROGRESS", hide_env_values = true)]
    pub progress: ProgressChoice,
}

impl WatchArgs {
    /// How many stretches of work are remembered for pages, if there are any.
    pub fn spans_max(&self) -> Option<usize> {
        let in_file = self.profile.as_ref().map(|_| profile::SPANS_MAX);
        in_file.or(self.dashboard.map(|_| dashboard::SPANS_MAX))
    }
}

/// Who runs the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExecutorChoice {
    /// Workers on all cores.
    Threaded,
    /// One thread, in order.
    Sync,
}

/// What `--explain` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Explain {
    /// The optimized plan.
    Plan,
    /// The stages of the task graph.
    Graph,
}

/// When progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProgressChoice {
    /// On a terminal.
    Auto,
    /// Also into files and pipes.
    Always,
    /// Not.
    Never,
}

fn format_parser() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::names()).try_map(|name| name.parse::<Format>())
}

/// A size in bytes, or a share of the machine's memory.
fn size(text: &str) -> Result<Size> {
    let size: Size = text.parse()?;
    // The session knows what is too little, and starts nothing before it runs something.
    Session::builder().memory_limit(size).build()?;
    Ok(size)
}

/// A size in bytes; a share has nothing to be a share of.
pub fn bytes(text: &str) -> Result<u64> {
    match text.parse()? {
        Size::Bytes(bytes) => Ok(bytes),
        Size::Share(_) => Err(Error::invalid_input("a share is not possible here")
            .remedy("write a number with a unit, such as 100GB")),
    }
}

/// A number of threads.
pub fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be 1 or more".into()),
        Ok(threads @ 1..=1024) => Ok(threads),
        Ok(_) => Err("1024 at most".into()),
        Err(_) => Err("not a number".into()),
    }
}

/// A number of rows: `1000`, `1_000_000`, `100k`, `2.5M`, `1G`.
pub fn row_count(text: &str) -> Result<u64, String> {
    const EXAMPLE: &str = "write a number such as 1000, 100k, 2.5M or 1G";
    let digits = text.replace('_', "");
    let (number, factor) = match digits.char_indices().last() {
        Some((end, 'k' | 'K')) => (&digits[..end], 1_000_u64),
        Some((end, 'm' | 'M')) => (&digits[..end], 1_000_000),
        Some((end, 'g' | 'G')) => (&digits[..end], 1_000_000_000),
        _ => (digits.as_str(), 1),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || number.ends_with('.') {
        return Err(EXAMPLE.into());
    }
    let whole = whole.parse::<u64>().ok().and_then(|rows| rows.checked_mul(factor));
    let part = fraction_of(fraction, factor).ok_or("not a whole number")?;
    whole.and_then(|rows| rows.checked_add(part)).ok_or_else(|| "too large".into())
}

/// A number as [`row_count`] reads it, that is not 0.
pub fn count<N: TryFrom<u64>>(text: &str) -> Result<N, String> {
    match row_count(text)? {
        0 => Err("must be 1 or more".into()),
        number => N::try_from(number).map_err(|_| "too large".into()),
    }
}

/// `0.fraction * factor`, if that is a whole number.
fn fraction_of(fraction: &str, factor: u64) -> Option<u64> {
    let fraction = fraction.trim_end_matches('0');
    let scale = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let value: u64 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    (factor.is_multiple_of(scale) || value == 0).then(|| value * (factor / scale))
}

/// An expression or a list of them: an empty one is mostly an empty shell variable.
pub fn some_text(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("must not be empty".into());
    }
    // An expression may begin with a minus sign; two of them are the next flag.
    if text.starts_with("--") {
        return Err("a flag stands where a value must".into());
    }
    Ok(text.to_string())
}

/// A share: `5%` or `0.05`.
pub fn share(text: &str) -> Result<f64, String> {
    let (number, divisor) = match text.strip_suffix('%') {
        Some(percent) => (percent, 100.0),
        None => (text, 1.0),
    };
    match number.trim().parse::<f64>() {
        Ok(value) if (0.0..=divisor).contains(&value) => Ok(value / divisor),
        _ => Err("write a share such as 5% or 0.05".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_has_a_sentence() {
        fn check(command: &clap::Command) {
            for argument in command.get_arguments() {
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.len() > 5, "{} {}", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn every_subcommand_has_two_examples_that_parse() {
        for subcommand in Cli::command().get_subcommands() {
            let help = subcommand.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.lines().all(|line| line.len() <= 80), "wraps: {help}");
            let commands = help.replace("\\\n", " ");
            let examples: Vec<Vec<String>> = commands.lines().filter_map(example).collect();
            assert_eq!(examples.len(), 2, "{}", subcommand.get_name());
            for words in examples {
                let parsed = Cli::try_parse_from(&words);
                assert!(parsed.is_ok(), "{words:?}: {:?}", parsed.err().map(|e| e.to_string()));
            }
        }
    }

    /// The words of a command such as `dframe count 'a b'`, quotes resolved.
    fn example(line: &str) -> Option<Vec<String>> {
        let line = line.strip_prefix("  dframe ")?;
        let (mut words, mut word, mut quote) = (vec!["dframe".to_string()], String::new(), None);
        for letter in line.chars().chain([' ']) {
            match (letter, quote) {
                (letter, Some(open)) if letter == open => quote = None,
                (' ', None) => {
                    words.extend(Some(std::mem::take(&mut word)).filter(|w| !w.is_empty()))
                }
                ('"' | '\'', None) => quote = Some(letter),
                _ => word.push(letter),
            }
        }
        Some(words)
    }

    #[test]
    fn reads_row_counts() {
        let good = [
            ("0", 0),
            ("1_000_000", 1_000_000),
            ("100k", 100_000),
            ("2.5M", 2_500_000),
            ("1G", 1_000_000_000),
            ("1.50k", 1500),
        ];
        for (text, rows) in good {
            assert_eq!(row_count(text), Ok(rows), "{text}");
        }
        let bad = ["", "k", "-1", "1.5", "1.0005k", "1e6", "x", "99999999999G", ".5k", "1.k"];
        for text in bad {
            assert!(row_count(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reads_shares() {
        assert_eq!((share("5%"), share("0.05"), share("1")), (Ok(0.05), Ok(0.05), Ok(1.0)));
        for text in ["", "x", "101%", "-1", "2", "NaN"] {
            assert!(share(text).is_err(), "{text}");
        }
    }

    #[test]
    fn refuses_bad_values_as_usage() {
        let parse = |words: &str| Cli::try_parse_from(words.split(' ')).map_err(|e| e.exit_code());
        for bad in [
            "dframe",
            "dframe count",
            "dframe count a --thread 2 x",
            "dframe count a --threads 0",
            "dframe count a --memory-limit 0",
            "dframe count a --temp-limit 5%",
            "dframe head a -n x",
            "dframe select a -f xml",
            "dframe select a -q -v",
            "dframe select a --limit -1",
            "dframe select a --where --limit 3",
        ] {
            assert_eq!(parse(bad).err(), Some(2), "{bad}");
        }
        assert!(parse("dframe select a --columns -x --sort -y").is_ok());
        assert!(parse("dframe count a --explain --memory-limit 50%").is_ok());
        assert!(parse("dframe --error-format json count a -q").is_ok());
    }
}
