//! What readers are told while a run goes on: server-sent events, made when a reader has room for one.
//!
//! ```text
//!   snapshot  update  update  ..  update  done
//! ```
//!
//! Every reader has a place of its own in what is recorded, and nothing waits for it: who is slow gets fewer and
//! longer events, up to a size, and who is gone costs nothing. A snapshot comes again when old spans have been put
//! together. Which bytes go where is not known here.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use dframe::prelude::RunStats;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::profile::{About, Cursor, Record, Recorder, data};

/// The time between two events.
const INTERVAL: Duration = Duration::from_millis(500);
/// The spans of one event; it has a megabyte at most.
const SPANS_PER_EVENT: usize = 20_000;

/// A run, as it is told.
#[derive(Debug)]
pub struct Feed {
    /// What happens.
    pub recorder: Arc<Recorder>,
    /// What it costs.
    pub stats: Arc<RunStats>,
    /// What is known before it begins.
    pub about: About,
    /// The graph of tasks as SVG, once it is known.
    pub graph: OnceLock<String>,
    /// Once the run is over, why it failed; empty if it did not.
    pub outcome: watch::Sender<Option<String>>,
}

impl Feed {
    /// What a page says before its first event.
    pub fn beginning(&self) -> Value {
        data(Record::default(), &self.about.now(&self.stats, Duration::ZERO))
    }
}

/// One who is told.
#[derive(Debug)]
pub struct Reader {
    feed: Arc<Feed>,
    outcome: watch::Receiver<Option<String>>,
    cursor: Cursor,
    has_graph: bool,
    next: Next,
}

/// What a reader is told next, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// News, now.
    Now,
    /// News, when some time has passed or the run is over.
    Later,
    /// That the run is over.
    Done,
    /// Nothing any more.
    Nothing,
}

impl Reader {
    /// A reader at the beginning.
    pub fn new(feed: Arc<Feed>) -> Self {
        let outcome = feed.outcome.subscribe();
        Self { feed, outcome, cursor: Cursor::default(), has_graph: false, next: Next::Now }
    }

    /// The next event, when it is due; none after the last.
    pub async fn event(&mut self) -> Option<Bytes> {
        if self.next == Next::Later {
            let over = self.outcome.wait_for(Option::is_some);
            // Out of time, there are news; without a sender, the run is over.
            let _ = tokio::time::timeout(INTERVAL, over).await;
        }
        match self.next {
            Next::Now | Next::Later => Some(self.news()),
            Next::Done => {
                self.next = Next::Nothing;
                let outcome = self.outcome.borrow().clone().unwrap_or_default();
                Some(event("done", &json!({ "outcome": outcome })))
            }
            Next::Nothing => None,
        }
    }

    fn news(&mut self) -> Bytes {
        // In this order: what has happened before the end is told before it.
        let is_over = self.outcome.borrow().is_some();
        let feed = &self.feed;
        let news = feed.recorder.read_since(&mut self.cursor, SPANS_PER_EVENT);
        let mut told = data(news.record, &feed.about.now(&feed.stats, news.elapsed));
        if let Some(graph) = feed.graph.get().filter(|_| !self.has_graph) {
            told["graph"] = graph.as_str().into();
            self.has_graph = true;
        }
        self.next = match (news.has_more, is_over) {
            (true, _) => Next::Now,
            (false, true) => Next::Done,
            (false, false) => Next::Later,
        };
        event(if news.is_fresh { "snapshot" } else { "update" }, &told)
    }
}

/// An event as it is sent. JSON has no line breaks outside of texts, where they are escaped.
fn event(name: &str, data: &Value) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
}

#[cfg(test)]
mod tests {
    use dframe::{Event, Observer};
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn a_reader_is_told_all_and_then_the_end() {
        let feed = Arc::new(Feed {
            recorder: Arc::new(Recorder::new(usize::MAX)),
            stats: Arc::default(),
            about: About::default(),
            graph: OnceLock::new(),
            outcome: watch::Sender::new(None),
        });
        let took = Duration::ZERO;
        let ran = |index| Event::TaskRan { stage: 0, name: "scan".into(), index, took };
        let tasks = 2 * SPANS_PER_EVENT + 1;
        (0..tasks).for_each(|index| feed.recorder.observe(&ran(index)));
        let mut reader = Reader::new(feed.clone());
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let mut next = || runtime.block_on(reader.event());
        let mut told = vec![next().unwrap()];
        feed.graph.set("<svg/>".into()).unwrap();
        feed.outcome.send_replace(Some("no\nroom".into()));
        told.extend(std::iter::from_fn(next));

        let texts: Vec<&str> =
            told.iter().map(|event| std::str::from_utf8(event).unwrap()).collect();
        assert!(texts.iter().all(|text| text.lines().count() == 3 && text.ends_with("\n\n")));
        let names: Vec<&str> = texts.iter().map(|text| text.lines().next().unwrap()).collect();
        let expected = ["event: snapshot", "event: update", "event: update", "event: done"];
        assert_eq!(names, expected);
        assert!(texts[1].contains("<svg/>") && !texts[2].contains("<svg/>"));
        assert_eq!(texts[3].lines().nth(1), Some(r#"data: {"outcome":"no\nroom"}"#));
        assert!(told.iter().all(|event| event.len() < 1 << 20));
    }
}
