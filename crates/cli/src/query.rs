//! A query from the command line: session, frame, run, result, report.
//!
//! ```text
//!   Query::new (flags) --scan--> frame --filter, step, sort--> frame --finish--> result, stats
//! ```
//!
//! Frames report a wrong step late and without the user's text. [`Query::step`] asks at once, while it
//! is known which text the step came from.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use dframe::io::{Compression, SinkOptions, write_object};
use dframe::plan::Optimizer;
use dframe::prelude::{Expr, LazyFrame, RunStats, Session, col, count_all};
use dframe::size::format_bytes;
use dframe::sql::{parse_expr, parse_keys};

use dframe::{CancelToken, Error, Format, Result};

use crate::allocator;
use crate::args::{ExecutorChoice, Explain, InputArgs, OutputArgs, RunArgs};
use crate::dashboard::Dashboard;
use crate::input::{CopyRoom, Input};
use crate::messages::Messages;
use crate::output::Output;
use crate::plot;
use crate::profile::{About, Profile, Recorder};
use crate::progress::{RunProgress, Ticker, grouped};
use crate::reading::ReadingArgs;
use crate::stats;

/// A memory limit from which freed memory is better kept than given back.
const AMPLE_MEMORY: usize = 2 << 30;

/// What every subcommand is given.
#[derive(Clone, Debug)]
pub struct Context {
    /// How to talk.
    pub messages: Messages,
    /// Cancelled by a signal.
    pub cancel: CancelToken,
}

/// A query in the making.
pub struct Query<'a> {
    context: &'a Context,
    run: &'a RunArgs,
    output: &'a OutputArgs,
    session: Session,
    stats: Arc<RunStats>,
    progress: Arc<RunProgress>,
    /// What the user wrote, for errors of the run.
    texts: Vec<String>,
    /// Open for as long as it is read.
    inputs: Vec<Input>,
    compression: Compression,
    /// The table of an SQLite database that is written.
    table_name: Option<String>,
    /// What pages are made of.
    recorder: Option<Arc<Recorder>>,
    profile: Option<Profile>,
    dashboard: Option<Dashboard>,
}

impl<'a> Query<'a> {
    /// A session as the flags ask.
    pub fn new(run: &'a RunArgs, output: &'a OutputArgs, context: &'a Context) -> Result<Self> {
        let stats = Arc::new(RunStats::default());
        let ticker = Ticker::new(run.watch.progress, context.messages);
        let progress = Arc::new(RunProgress::new(ticker));
        let profile = run.watch.profile.as_deref().map(Profile::begin).transpose()?;
        let recorder = run.watch.spans_max().map(Recorder::new).map(Arc::new);
        let mut builder = Session::builder()
            .observer(stats.clone())
            .observer(progress.clone())
            .cancel_token(context.cancel.clone());
        if let Some(recorder) = &recorder {
            builder = builder.observer(recorder.clone());
        }
        builder = run.stores.apply(run.limits.apply(builder));
        if run.no_optimizer {
            builder = builder.optimizer(Optimizer::off());
        }
        if run.executor == ExecutorChoice::Sync {
            builder = builder.synchronous();
        }
        let session = builder.build()?;
        if session.memory_limit() >= AMPLE_MEMORY {
            allocator::keep_freed_memory();
        }
        context.messages.detail(&settings(&session, run));
        let (texts, inputs, compression) = (vec![], vec![], Compression::Default);
        let mut query = Self {
            context,
            run,
            output,
            session,
            stats,
            progress,
            texts,
            inputs,
            compression,
            table_name: None,
            recorder,
            profile,
            dashboard: None,
        };
        query.serve()?;
        Ok(query)
    }

    /// Serves a dashboard, if there is to be one.
    fn serve(&mut self) -> Result<()> {
        if let (Some(address), Some(recorder)) = (self.run.watch.dashboard, &self.recorder) {
            let (recorder, stats) = (recorder.clone(), self.stats.clone());
            let dashboard = Dashboard::begin(address, recorder, stats, self.about())?;
            self.context.messages.tell(&format!("dashboard: {}", dashboard.url));
            self.dashboard = Some(dashboard);
        }
        Ok(())
    }

    /// How a file of columns is compressed.
    pub fn compress(&mut self, compression: Compression) {
        self.compression = compression;
    }

    /// The session that the query runs in.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The rows of the files.
    pub fn scan(&mut self, args: &InputArgs) -> Result<LazyFrame> {
        let limits = &self.run.limits;
        let room = CopyRoom { temp_dir: &limits.temp_dir(), limit: limits.temp_limit };
        let input = Input::open(args, room, &self.context.cancel)?;
        let frame = input.scan(&self.session, &args.reading, self.context.messages)?;
        self.inputs.push(input);
        self.table_name = args.reading.table.clone().or(self.table_name.take());
        Ok(frame)
    }

    /// The rows of one table: a file, a directory or a glob.
    pub fn scan_table(&mut self, table: &str, reading: &ReadingArgs) -> Result<LazyFrame> {
        self.scan(&InputArgs { files: vec![table.to_string()], reading: reading.clone() })
    }

    /// Whether the result is printed as a table.
    pub fn shows_table(&self) -> bool {
        self.output.resolve().is_ok_and(|output| output.format == Format::Table)
    }

    /// Takes a step that `text` describes; what is wrong with it is shown in the text.
    pub fn step(&mut self, text: &str, step: impl FnOnce() -> LazyFrame) -> Result<LazyFrame> {
        if !self.texts.iter().any(|known| known == text) {
            self.texts.push(text.to_string());
        }
        let frame = step();
        match frame.schema() {
            Ok(_) => Ok(frame),
            Err(error) => Err(error.in_text(text)),
        }
    }

    /// Keeps the rows for which the condition holds.
    pub fn filter(&mut self, frame: LazyFrame, condition: Option<&str>) -> Result<LazyFrame> {
        let Some(text) = condition else { return Ok(frame) };
        let predicate = parse_expr(text)?;
        self.step(text, || frame.filter(predicate))
    }

    /// Orders the rows.
    pub fn sort(&mut self, frame: LazyFrame, keys: &str) -> Result<LazyFrame> {
        let parsed = parse_keys(keys)?;
        self.step(keys, || frame.sort_by(parsed))
    }

    /// Orders the rows if keys are given, cuts them if a number is, and runs or explains the query.
    pub fn finish_ordered(
        mut self,
        mut frame: LazyFrame,
        keys: &[String],
        limit: Option<u64>,
    ) -> Result<()> {
        if let Some(keys) = joined(keys) {
            frame = self.sort(frame, &keys)?;
        }
        self.finish(match limit {
            Some(limit) => frame.limit(limit),
            None => frame,
        })
    }

    /// As [`Query::finish_ordered`]; a table that is printed is in the order of `groups` unless the user says another.
    pub fn finish_grouped(
        self,
        mut frame: LazyFrame,
        groups: &[Expr],
        keys: &[String],
        limit: Option<u64>,
    ) -> Result<()> {
        if keys.is_empty() && !groups.is_empty() && self.shows_table() {
            frame = frame.sort(groups.iter().map(|group| col(group.output_name())));
        }
        self.finish_ordered(frame, keys, limit)
    }

    /// Runs or explains the query.
    pub fn finish(mut self, frame: LazyFrame) -> Result<()> {
        let frame = self.arrange(frame)?;
        if let Some(what) = self.run.watch.explain {
            return self.explain(&frame, what);
        }
        self.reported(&frame, |query| {
            let output = query.output.resolve()?;
            let batches = frame.collect_batches()?;
            let schema = batches.schema().clone();
            match query.output.plot {
                None => query.write(&output, schema, batches),
                Some(kind) => {
                    let chart = plot::gather(kind, &output, &schema, batches)?;
                    query.progress.finish();
                    query.write_text(&output, &chart.draw(&output, query.context.messages)?)
                }
            }
        })
    }

    /// The rows in the order that a folder is written in.
    fn arrange(&mut self, frame: LazyFrame) -> Result<LazyFrame> {
        let folders = &self.output.folder;
        match (folders.folder()?, folders.text()) {
            (Some(folder), Some(text)) => self.step(&text, || folder.arrange(frame)),
            _ => Ok(frame),
        }
    }

    /// Counts the rows, or explains how they would be counted.
    pub fn finish_count(self, frame: LazyFrame) -> Result<()> {
        let counted = frame.clone().agg([count_all().alias("count")]);
        if let Some(what) = self.run.watch.explain {
            return self.explain(&counted, what);
        }
        self.reported(&counted, |query| {
            let count = frame.count()?;
            query.progress.finish();
            if query.output.is_default() {
                return query.write_text(&query.output.for_text(), &format!("{count}\n"));
            }
            let count = i64::try_from(count).map_err(|_| Error::invalid_data("too many rows"))?;
            let column = Arc::new(Int64Array::from(vec![count]));
            let batch = RecordBatch::try_from_iter([("count", column as _)])?;
            query.write(&query.output.resolve()?, batch.schema(), std::iter::once(Ok(batch)))
        })
    }

    fn reported(mut self, frame: &LazyFrame, work: impl FnOnce(&Self) -> Result<()>) -> Result<()> {
        if let Some(dashboard) = &self.dashboard {
            dashboard.show(drawing(frame));
        }
        let mut outcome = work(&self);
        self.progress.finish();
        if self.run.watch.stats {
            stats::report(&self.stats, &self.session, self.context.messages);
        }
        let failure = outcome.as_ref().err().map(|error| error.message().to_string());
        let failure = failure.unwrap_or_default();
        if let Some(dashboard) = &mut self.dashboard {
            dashboard.finish(&failure);
        }
        outcome = outcome.and(self.write_profile(failure, frame));
        // With one text only, a place that an operator named can only be in that one.
        outcome.map_err(|error| match self.texts.as_slice() {
            [text] => error.in_text(text),
            _ => error,
        })
    }

    fn write_profile(&mut self, failure: String, frame: &LazyFrame) -> Result<()> {
        let (Some(profile), Some(recorder)) = (self.profile.take(), &self.recorder) else {
            return Ok(());
        };
        // What the picture of the graph takes is no part of the run.
        let (record, elapsed) = recorder.read();
        let about = About { outcome: failure, ..self.about().now(&self.stats, elapsed) };
        let path = profile.finish(record, &about, &drawing(frame))?;
        self.context.messages.note(&format!("wrote the profile to {}", path.display()));
        Ok(())
    }

    /// What a page says of the run before it has begun.
    fn about(&self) -> About {
        About {
            command: command_line(std::env::args()),
            memory_limit: self.session.memory_limit() as u64,
            threads: self.session.threads(),
            ..About::default()
        }
    }

    fn write(
        &self,
        output: &Output,
        schema: arrow::datatypes::SchemaRef,
        batches: impl Iterator<Item = Result<RecordBatch>>,
    ) -> Result<()> {
        let (compression, table_name) = (self.compression, self.table_name.clone());
        let options = SinkOptions { compression, table_name, ..self.session.sink_options()? };
        let written = output.write(schema, batches, Some(&self.progress), options)?;
        self.progress.finish();
        if let Some(count @ 1..) = written.map(|report| report.not_numbers) {
            let values = if count == 1 { "value is" } else { "values are" };
            self.context.messages.warn(&format!(
                "{} {values} null in the result: {}",
                grouped(count),
                match output.format {
                    Format::Sqlite => "NaN, for which SQLite has no number",
                    _ => "NaN or infinite, for which JSON has no number",
                }
            ));
        }
        if let (Some(report), Some(path)) = (written, output.path()) {
            let size = format_bytes(report.bytes);
            let rows = grouped(report.rows);
            let files = match report.files {
                1 => String::new(),
                files => format!(", {} files", grouped(files)),
            };
            self.context
                .messages
                .note(&format!("wrote {rows} rows, {size}, to {}{files}", path.display()));
        }
        Ok(())
    }

    fn explain(&self, frame: &LazyFrame, what: Explain) -> Result<()> {
        let output = self.output.for_text();
        let text = match what {
            Explain::Plan => frame.explain_optimized()?,
            Explain::Graph if is_named(&output, &["dot", "gv"]) => frame.graph()?.to_dot(),
            Explain::Graph if is_named(&output, &["svg"]) => frame.graph()?.to_svg(),
            Explain::Graph => frame.graph()?.to_string(),
        };
        let end = if text.ends_with('\n') { "" } else { "\n" };
        self.write_text(&output, &(text + end))
    }

    /// Writes text as it is, to a file or into a store.
    fn write_text(&self, output: &Output, text: &str) -> Result<()> {
        match output.path().filter(|path| is_url(path)) {
            Some(path) if write_object(path, text, &self.session.sink_options()?)? => Ok(()),
            _ => output.write_text(text),
        }
    }
}

/// Whether a name is that of an object in a store.
fn is_url(path: &Path) -> bool {
    path.to_str().is_some_and(|name| name.contains("://"))
}

/// The graph of tasks as SVG; empty if there is none, as when the query cannot run.
fn drawing(frame: &LazyFrame) -> String {
    frame.graph().map(|graph| graph.to_svg()).unwrap_or_default()
}

/// The command as one could type it.
fn command_line(words: impl Iterator<Item = String>) -> String {
    let plain = |word: &str| {
        let is_plain = |letter: char| letter.is_alphanumeric() || "-_./=,:%".contains(letter);
        !word.is_empty() && word.chars().all(is_plain)
    };
    let quoted = |word: String| match plain(&word) {
        true => word,
        false => format!("'{}'", word.replace('\'', "'\\''")),
    };
    let words = std::iter::once("dframe".to_string()).chain(words.skip(1).map(quoted));
    words.collect::<Vec<_>>().join(" ")
}

/// The values of a flag that may be given more than once, as one text.
pub fn joined(texts: &[String]) -> Option<String> {
    (!texts.is_empty()).then(|| texts.join(", "))
}

/// Whether the result goes to a file with one of these extensions.
fn is_named(output: &Output, extensions: &[&str]) -> bool {
    let extension = output.path().and_then(|path| path.extension());
    extension.is_some_and(|extension| extensions.iter().any(|wanted| extension == *wanted))
}

fn settings(session: &Session, run: &RunArgs) -> String {
    let temp_dir = run.limits.temp_dir();
    let threads = match session.threads() {
        0 => "no threads".to_string(),
        1 => "1 thread".to_string(),
        threads => format!("{threads} threads"),
    };
    let limit = format_bytes(session.memory_limit() as u64);
    format!("memory limit {limit}, {threads}, temp directory {}", temp_dir.display())
}
