//! The page: a template, a script, the numbers as JSON, the graph as a picture. It needs no network and no other file.
//!
//! The same numbers, of what is new since the last time, are what a page that is open during the run is fed with.

use std::time::Duration;

use dframe::StatsReading;
use dframe::prelude::RunStats;
use dframe::size::format_bytes;
use serde_json::{Value, json};

use super::recorder::{Record, Span};
use crate::allocator;
use crate::progress::grouped;

const TEMPLATE: &str = include_str!("page.html");
/// Draws the numbers that stand in the page.
pub const SCRIPT: &str = include_str!("page.js");

/// What is said of the run besides what was recorded.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// The command line.
    pub command: String,
    /// Why it failed; empty if it did not.
    pub outcome: String,
    /// What it has cost.
    pub stats: StatsReading,
    /// The memory limit.
    pub memory_limit: u64,
    /// The most memory it has held.
    pub memory_peak: u64,
    /// The number of workers.
    pub threads: usize,
}

impl About {
    /// The same, with what the run has cost so far.
    pub fn now(&self, stats: &RunStats, elapsed: Duration) -> Self {
        let stats = StatsReading { elapsed, ..stats.read() };
        Self { stats, memory_peak: allocator::peak_bytes(), ..self.clone() }
    }
}

/// What a page is made of.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// See [`data`].
    pub data: &'a Value,
    /// The graph of tasks, as SVG; empty if it is not known.
    pub graph: &'a str,
    /// What runs in it, in order.
    pub scripts: &'a [&'a str],
    /// The attributes of the scripts' elements, each with a space before it.
    pub attributes: &'a str,
}

impl Page<'_> {
    /// The page as text.
    pub fn html(&self) -> String {
        // Within a script element, only its end must not appear.
        let data = self.data.to_string().replace('<', "\\u003c");
        let script = |text: &&str| format!("<script{}>\n{text}</script>\n", self.attributes);
        let scripts: String = self.scripts.iter().map(script).collect();
        let (head, rest) = slot(TEMPLATE, "<!--GRAPH-->");
        let (middle, rest) = slot(rest, "/*DATA*/");
        let (after, end) = slot(rest, "<!--SCRIPTS-->\n");
        [head, self.graph, middle, &data, after, &scripts, end].concat()
    }
}

/// What stands before and after a mark of the template.
fn slot<'a>(text: &'a str, mark: &str) -> (&'a str, &'a str) {
    text.split_once(mark).unwrap_or((text, ""))
}

/// What the script draws.
pub fn data(mut record: Record, about: &About) -> Value {
    record.spans.sort_by_key(|span| span.start);
    let stages: Vec<Value> = record
        .stages
        .iter()
        .map(|stage| {
            json!({
                "position": stage.position, "name": stage.name, "tasks": stage.tasks,
                "busy_us": stage.busy.as_micros() as u64, "rows": stage.rows, "bytes": stage.bytes,
            })
        })
        .collect();
    let operators: Vec<Value> = record
        .operators
        .iter()
        .map(|(name, (busy, rows))| {
            json!({ "name": name, "busy_us": busy.as_micros() as u64, "rows": rows })
        })
        .collect();
    let samples = &record.samples;
    json!({
        "command": about.command,
        "outcome": about.outcome,
        "version": env!("CARGO_PKG_VERSION"),
        "wall_us": about.stats.elapsed.as_micros() as u64,
        "memory_limit": about.memory_limit,
        "facts": facts(about),
        "threads": record.threads,
        "order": order(&record.threads),
        "stages": stages,
        "operators": operators,
        "spans": spans(&record),
        "samples": {
            "at": samples.iter().map(|sample| sample.at.as_micros() as u64).collect::<Vec<_>>(),
            "memory": samples.iter().map(|sample| sample.memory).collect::<Vec<_>>(),
            "spilled": samples.iter().map(|sample| sample.spilled).collect::<Vec<_>>(),
            "read": samples.iter().map(|sample| sample.read).collect::<Vec<_>>(),
        },
    })
}

/// Spans as columns, each start as the time since the one before: short numbers make a small page.
fn spans(record: &Record) -> Value {
    let column = |value: fn(&Span) -> u64| record.spans.iter().map(value).collect::<Vec<u64>>();
    let mut before = 0;
    let starts: Vec<u64> = record
        .spans
        .iter()
        .map(|span| span.start - std::mem::replace(&mut before, span.start))
        .collect();
    let mut spans = json!({
        "start": starts,
        "took": column(|span| span.took),
        "thread": column(|span| span.thread as u64),
        "stage": column(|span| span.stage as u64),
        "index": column(|span| span.index as u64),
    });
    if record.is_thinned {
        spans["tasks"] = column(|span| span.pieces).into();
        spans["busy"] = column(|span| span.busy).into();
    }
    spans
}

/// The positions of the threads in the order of their names: workers first.
fn order(threads: &[String]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..threads.len()).collect();
    let key = |name: &str| {
        let (kind, number) = name.rsplit_once(' ').unwrap_or((name, ""));
        let rank = ["worker", "io"].iter().position(|first| *first == kind).unwrap_or(2);
        (rank, kind.to_string(), number.parse::<usize>().unwrap_or(0))
    };
    order.sort_by_key(|thread| key(&threads[*thread]));
    order
}

fn facts(about: &About) -> Vec<[String; 2]> {
    let stats = &about.stats;
    let (wall, busy) = (stats.elapsed.as_secs_f64(), stats.busy.as_secs_f64());
    let fact = |name: &str, value: String| [name.to_string(), value];
    vec![
        fact("wall time", format!("{wall:.3} s")),
        fact("busy time, all threads", format!("{busy:.3} s")),
        fact("workers", about.threads.to_string()),
        fact("tasks", grouped(stats.tasks)),
        fact("rows read", grouped(stats.rows_read)),
        fact("bytes read", format_bytes(stats.bytes_read)),
        fact("written to disk", format_bytes(stats.bytes_spilled)),
        fact("peak memory", format_bytes(about.memory_peak)),
        fact("memory limit", format_bytes(about.memory_limit)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(thread: usize, start: u64) -> Span {
        Span { thread, stage: 0, index: 0, start, took: 1, busy: 1, pieces: 1 }
    }

    fn html(data: &Value, graph: &str) -> String {
        Page { data, graph, scripts: &[SCRIPT], attributes: "" }.html()
    }

    #[test]
    fn workers_come_first_and_spans_in_order() {
        let threads = ["io 0", "worker 10", "main", "worker 2"].map(String::from).to_vec();
        let spans = vec![span(0, 9), span(1, 5), span(3, 7)];
        let data = data(Record { threads, spans, ..Record::default() }, &About::default());
        assert_eq!(data["order"], json!([3, 1, 0, 2]));
        assert_eq!(data["spans"]["thread"], json!([1, 3, 0]));
        assert_eq!(data["spans"]["start"], json!([5, 2, 2]));
    }

    #[test]
    fn what_users_write_does_not_end_the_script() {
        let about = About { command: "dframe select '</script>'".into(), ..About::default() };
        let page = html(&data(Record::default(), &about), "");
        assert!(page.contains("'\\u003c/script>'") && page.matches("</script>").count() == 2);
    }

    #[test]
    fn many_tasks_make_no_large_page() {
        let spans = (0..300_000).map(|task| Span { index: task as usize, ..span(0, 317 * task) });
        let (threads, spans) = (vec!["worker 0".to_string()], spans.collect());
        let record = Record { threads, spans, ..Record::default() };
        assert!(html(&data(record, &About::default()), "").len() < 10 << 20);
    }

    #[test]
    fn the_page_is_whole() {
        let page = html(&data(Record::default(), &About::default()), "<svg id='mine'/>");
        assert!(page.contains("<svg id='mine'/>") && page.contains("\"facts\":[["));
        assert!(["http", "/*DATA*/", "<!--"].iter().all(|word| !page.contains(word)));
        assert!(page.ends_with("</script>\n</body>\n</html>\n"));
    }
}
