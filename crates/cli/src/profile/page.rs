//! The page: a template, the numbers as JSON, the graph as a picture. It needs no network and no other file.

use dframe::StatsReading;
use dframe::size::format_bytes;
use serde_json::{Value, json};

use super::recorder::{Record, Span};
use crate::progress::grouped;

const TEMPLATE: &str = include_str!("page.html");

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
    /// The graph of tasks, as SVG.
    pub graph: String,
}

/// The page as text.
pub fn html(record: Record, about: &About) -> String {
    let data = data(record, about).to_string();
    // Within a script element, only its end must not appear.
    let data = data.replace('<', "\\u003c");
    let (head, rest) = TEMPLATE.split_once("<!--GRAPH-->").unwrap_or((TEMPLATE, ""));
    let (middle, end) = rest.split_once("/*DATA*/").unwrap_or((rest, ""));
    [head, &about.graph, middle, &data, end].concat()
}

fn data(mut record: Record, about: &About) -> Value {
    let threads = in_order(&mut record);
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
        "threads": threads,
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

/// Puts spans in the order of time, and threads in that of their names: workers first. Returns the names.
fn in_order(record: &mut Record) -> Vec<String> {
    let mut order: Vec<usize> = (0..record.threads.len()).collect();
    let key = |name: &str| {
        let (kind, number) = name.rsplit_once(' ').unwrap_or((name, ""));
        let rank = ["worker", "io"].iter().position(|first| *first == kind).unwrap_or(2);
        (rank, kind.to_string(), number.parse::<usize>().unwrap_or(0))
    };
    order.sort_by_key(|thread| key(&record.threads[*thread]));
    let mut places = vec![0; order.len()];
    for (place, thread) in order.iter().enumerate() {
        places[*thread] = place;
    }
    for span in &mut record.spans {
        span.thread = places[span.thread];
    }
    record.spans.sort_by_key(|span| span.start);
    order.into_iter().map(|thread| record.threads[thread].clone()).collect()
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

    #[test]
    fn workers_come_first_and_spans_in_order() {
        let threads = ["io 0", "worker 10", "main", "worker 2"].map(String::from).to_vec();
        let spans = vec![span(0, 9), span(1, 5), span(3, 7)];
        let mut record = Record { threads, spans, ..Record::default() };
        assert_eq!(in_order(&mut record), ["worker 2", "worker 10", "io 0", "main"]);
        assert_eq!(record.spans, [span(1, 5), span(0, 7), span(2, 9)]);
    }

    #[test]
    fn what_users_write_does_not_end_the_script() {
        let about = About { command: "dframe select '</script>'".into(), ..About::default() };
        let page = html(Record::default(), &about);
        assert!(page.contains("'\\u003c/script>'") && page.matches("</script>").count() == 2);
    }

    #[test]
    fn many_tasks_make_no_large_page() {
        let spans = (0..300_000).map(|task| Span { index: task as usize, ..span(0, 317 * task) });
        let (threads, spans) = (vec!["worker 0".to_string()], spans.collect());
        let record = Record { threads, spans, ..Record::default() };
        assert!(html(record, &About::default()).len() < 10 << 20);
    }

    #[test]
    fn the_page_is_whole() {
        let about = About { graph: "<svg id='mine'/>".into(), ..About::default() };
        let page = html(Record::default(), &about);
        assert!(page.contains("<svg id='mine'/>") && page.contains("\"facts\":[["));
        assert!(
            !page.contains("http") && !page.contains("/*DATA*/") && page.ends_with("</html>\n")
        );
    }
}
