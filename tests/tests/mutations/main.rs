//! Files with mistakes in them: whatever the bytes are, reading ends, with rows or with an error that names the file.
//!
//! ```text
//!   a valid file --mutate(seed)--> bytes --> rows, a filter, a group-by   never a panic, a hang, or memory without bound
//! ```
//!
//! Each format has so many mutations as `DFRAME_MUTATIONS` says, or a few, which are always the same. What fails is
//! told with its seed; `DFRAME_MUTATION=parquet:17` runs that one alone and keeps its file, `DFRAME_MUTATION=parquet` one format.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(clippy::print_stderr, reason = "what is said before an abort must be said at once")]

mod allocations;
mod files;
mod mutate;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arrow::datatypes::{Schema, SchemaRef};
use dframe::prelude::*;

use files::{Sample, samples};

/// Mutations of each format where nothing else is said.
const FEW: u64 = 200;

/// What a file of some kilobytes may make the process hold at once: the session's memory, and what decoders of other
/// people's making take beside it.
const MOST_BYTES: usize = 160 << 20;

/// The memory limit of the queries.
const MEMORY: u64 = 64 << 20;

/// After so long, reading a file of some kilobytes hangs.
const PATIENCE: Duration = Duration::from_secs(120);

#[global_allocator]
static ALLOCATOR: allocations::Counted = allocations::Counted;

#[test]
fn a_file_with_mistakes_is_rows_or_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let samples = samples(folder.path());
    let wanted = std::env::var("DFRAME_MUTATION").ok();
    let count = std::env::var("DFRAME_MUTATIONS").map_or(FEW, |count| count.parse().unwrap());
    let watch = Watch::start();
    count_panics();
    let mut failures = Vec::new();
    for sample in &samples {
        let path = folder.path().join(format!("case.{}", sample.extension));
        std::fs::write(&path, &sample.bytes).unwrap();
        read(sample, &path).unwrap();
        let begun = Instant::now();
        let Some(seeds) = seeds(wanted.as_deref(), sample.name, count) else { continue };
        let is_one = seeds.end - seeds.start == 1;
        let mut tally = Tally::default();
        for seed in seeds {
            std::fs::write(&path, mutate::mutated(&sample.bytes, &sample.other, seed)).unwrap();
            watch.begin(sample.name, seed);
            if let Err(failure) = outcome(sample, &path, &mut tally) {
                println!("{}:{seed} {failure}", sample.name);
                failures.push(format!("{}:{seed} {failure}", sample.name));
            }
            if is_one {
                let kept = std::env::temp_dir().join(path.file_name().unwrap());
                std::fs::copy(&path, &kept).unwrap();
                println!("kept as {}", kept.display());
            }
        }
        watch.end();
        println!("{:16} {tally:?} in {:.1} s", sample.name, begun.elapsed().as_secs_f64());
    }
    assert!(failures.is_empty(), "{} failures, such as\n{}", failures.len(), failures[0]);
}

static PANICS: AtomicU64 = AtomicU64::new(0);

/// Counts the panics that people would see. Decoders' own of a corrupt file become errors.
fn count_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !dframe::io::is_guarded() {
            PANICS.fetch_add(1, Ordering::Relaxed);
            usual(panic);
        }
    }));
}

/// The mutations of a format that are wanted; `None` if another format is.
fn seeds(wanted: Option<&str>, name: &str, count: u64) -> Option<Range<u64>> {
    let Some(wanted) = wanted else { return Some(0..count) };
    match wanted.split_once(':') {
        Some((format, seed)) => {
            let seed: u64 = seed.parse().unwrap();
            (format == name).then_some(seed..seed + 1)
        }
        None => (wanted == name).then_some(0..count),
    }
}

/// What became of the files of a format.
#[derive(Debug, Default)]
struct Tally {
    rows: u64,
    errors: u64,
    most_bytes: usize,
}

/// Reads a file in several ways; what is wrong with that, if anything is.
fn outcome(sample: &Sample, path: &Path, tally: &mut Tally) -> Result<(), String> {
    let (before, panics) = (allocations::begin(), PANICS.load(Ordering::Relaxed));
    let read = catch_unwind(AssertUnwindSafe(|| read(sample, path)));
    let peak = allocations::peak().saturating_sub(before);
    tally.most_bytes = tally.most_bytes.max(peak);
    if PANICS.load(Ordering::Relaxed) > panics {
        return Err("panics".into());
    }
    if peak > MOST_BYTES {
        return Err(format!("takes {} MiB", peak >> 20));
    }
    let Err(error) = read.map_err(|_| "panics".to_string())? else {
        tally.rows += 1;
        return Ok(());
    };
    tally.errors += 1;
    let text = error.to_string();
    let named = text.contains(path.file_name().unwrap().to_str().unwrap());
    match error.kind() {
        ErrorKind::Internal => Err(format!("is called a bug: {text}")),
        // What a file says that it holds may be more than there is room for.
        ErrorKind::OverBudget => Ok(()),
        _ if !named => Err(format!("does not name the file: {text}")),
        _ => Ok(()),
    }
}

/// Reads the whole file, then some rows of it, then groups of rows. On this thread for most files, so that a panic
/// is seen where it happens.
fn read(sample: &Sample, path: &Path) -> dframe::Result<()> {
    let session = Session::builder().memory_limit(Size::Bytes(MEMORY)).synchronous().build()?;
    let frame = sample.scan(&session, path)?;
    let schema = frame.schema()?;
    frame.collect_batches()?.try_for_each(|batch| batch.map(drop))?;
    let Some(queries) = queries(&frame, &schema) else { return Ok(()) };
    queries.into_iter().try_for_each(|query| query.collect().map(drop))
}

/// Queries for which the file is read in another way: with a filter, which statistics can answer; with a few columns
/// only. They fit whatever names the columns have now; there are none if a type has changed.
fn queries(frame: &LazyFrame, schema: &SchemaRef) -> Option<Vec<LazyFrame>> {
    let names = columns_as_written(schema)?;
    let [id, text, float] = names.map(|name| col(name.as_str()));
    let some = frame.clone().filter(id.clone().gt(lit(250)).and(text.clone().is_not_null()));
    let groups = frame.clone().group_by([text.clone()]).agg([
        count_all().alias("rows"),
        id.clone().max().alias("most"),
        float.mean().alias("mean"),
    ]);
    let one = frame.clone().filter(id.eq(lit(77))).select([text]);
    Some(vec![some, groups, one])
}

/// The names of the first three columns, if they are a number, a text and a number.
fn columns_as_written(schema: &Schema) -> Option<[String; 3]> {
    let fields = schema.fields();
    let unique = |name: &str| fields.iter().filter(|field| field.name() == name).count() == 1;
    let name = |at: usize, fits: bool| {
        let name = fields[at].name();
        (fits && unique(name)).then(|| name.clone())
    };
    if fields.len() < 3 {
        return None;
    }
    let kind = |at: usize| fields[at].data_type();
    Some([
        name(0, kind(0).is_integer())?,
        name(1, kind(1).is_string())?,
        name(2, kind(2).is_floating() || kind(2).is_integer())?,
    ])
}

/// Ends the process, with the name of the file, when reading one does not end.
struct Watch;

static BEGUN: AtomicU64 = AtomicU64::new(0);

impl Watch {
    #[expect(clippy::disallowed_methods, reason = "who watches must not wait for what is watched")]
    fn start() -> Self {
        std::thread::spawn(|| {
            let mut last = (0, Instant::now());
            loop {
                std::thread::sleep(Duration::from_millis(500));
                let now = BEGUN.load(Ordering::Acquire);
                if now != last.0 {
                    last = (now, Instant::now());
                } else if now > 0 && last.1.elapsed() > PATIENCE {
                    eprintln!("reading {} does not end", allocations::case());
                    std::process::abort();
                }
            }
        });
        Self
    }

    fn begin(&self, name: &'static str, seed: u64) {
        allocations::name_case(name, seed);
        BEGUN.fetch_add(1, Ordering::AcqRel);
    }

    fn end(&self) {
        BEGUN.store(0, Ordering::Release);
    }
}
