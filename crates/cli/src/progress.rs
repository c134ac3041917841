//! How far a run is: a line on standard error, at most twice a second.
//!
//! ```text
//!   42% of 2.4 GiB read, 41,943,040 rows, 1.1 GiB spilled, 3.2 s
//! ```
//!
//! On a terminal the line is drawn over itself, and erased at the end; elsewhere lines follow each
//! other. It is drawn by whichever worker reports an event when the time has come; no thread waits for
//! another to draw.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dframe::size::format_bytes;
use dframe::{Event, Observer};

use crate::args::ProgressChoice;
use crate::messages::{Messages, print};

/// The time between two lines, and before the first.
const INTERVAL: Duration = Duration::from_millis(500);

/// Draws lines when it is time to.
#[derive(Debug)]
pub struct Ticker {
    started: Instant,
    /// When the next line is due, in milliseconds from the start; `u64::MAX` for never.
    due: AtomicU64,
    terminal: bool,
    messages: Messages,
    /// Whether a line stands on the terminal; held while one is drawn.
    drawn: Mutex<bool>,
}

impl Ticker {
    /// Draws where `choice` says.
    pub fn new(choice: ProgressChoice, messages: Messages) -> Self {
        let wanted = match choice {
            ProgressChoice::Auto => messages.draws(),
            ProgressChoice::Always => true,
            ProgressChoice::Never => false,
        };
        let due = if wanted { INTERVAL.as_millis() as u64 } else { u64::MAX };
        Self {
            started: Instant::now(),
            due: AtomicU64::new(due),
            terminal: messages.draws(),
            messages,
            drawn: Mutex::new(false),
        }
    }

    /// Draws `line` with the time that has passed, if a line is due.
    pub fn tick(&self, line: impl FnOnce() -> String) {
        let due = self.due.load(Ordering::Relaxed);
        if due == u64::MAX {
            return;
        }
        let elapsed = self.started.elapsed();
        let now = elapsed.as_millis() as u64;
        let next = now + INTERVAL.as_millis() as u64;
        let mine =
            || self.due.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if now >= due
            && mine()
            && let Ok(mut drawn) = self.drawn.try_lock()
        {
            let text = format!("{}, {:.1} s", line(), elapsed.as_secs_f64());
            match self.terminal {
                true => print(&format!("\r\x1b[K{text}")),
                false => self.messages.progress(&text),
            }
            *drawn = self.terminal;
        }
    }

    /// Erases the line; no more are drawn.
    pub fn finish(&self) {
        self.due.store(u64::MAX, Ordering::Relaxed);
        if let Ok(mut drawn) = self.drawn.lock()
            && std::mem::take(&mut *drawn)
        {
            print("\r\x1b[K");
        }
    }
}

/// Turns the events of a run into lines.
#[derive(Debug)]
pub struct RunProgress {
    ticker: Ticker,
    bytes_planned: AtomicU64,
    bytes: AtomicU64,
    rows: AtomicU64,
    spilled: AtomicU64,
}

impl RunProgress {
    /// Nothing has happened yet.
    pub fn new(ticker: Ticker) -> Self {
        let [bytes_planned, bytes, rows, spilled] = std::array::from_fn(|_| AtomicU64::new(0));
        Self { ticker, bytes_planned, bytes, rows, spilled }
    }

    /// Erases the line; no more are drawn.
    pub fn finish(&self) {
        self.ticker.finish();
    }

    fn line(&self) -> String {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (bytes, planned) = (value(&self.bytes), value(&self.bytes_planned));
        let read = match planned {
            0 => format!("{} read", format_bytes(bytes)),
            planned => {
                let share = (bytes.min(planned) as u128 * 100 / u128::from(planned)) as u64;
                format!("{share:3}% of {} read", format_bytes(planned))
            }
        };
        let spilled = match value(&self.spilled) {
            0 => String::new(),
            spilled => format!(", {} spilled", format_bytes(spilled)),
        };
        format!("{read}, {} rows{spilled}", grouped(value(&self.rows)))
    }
}

impl Observer for RunProgress {
    fn observe(&self, event: &Event) {
        let add = |counter: &AtomicU64, amount: u64| {
            counter.fetch_add(amount, Ordering::Relaxed);
        };
        match event {
            Event::PartitionsPlanned { bytes, .. } => add(&self.bytes_planned, *bytes),
            Event::BytesRead(bytes) => add(&self.bytes, *bytes),
            Event::RowsRead(rows) => add(&self.rows, *rows),
            Event::Spilled { bytes, .. } => add(&self.spilled, *bytes),
            _ => {}
        }
        self.ticker.tick(|| self.line());
    }
}

/// A number with commas between thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_digits() {
        let texts = [0, 12, 999, 1000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "12", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn the_line_counts_events() {
        let ticker = Ticker {
            started: Instant::now(),
            due: AtomicU64::new(u64::MAX),
            terminal: false,
            messages: Messages::silent(),
            drawn: Mutex::new(false),
        };
        let progress = RunProgress::new(ticker);
        progress.observe(&Event::BytesRead(512));
        assert_eq!(progress.line(), "512 B read, 0 rows");
        progress.observe(&Event::PartitionsPlanned {
            partitions: 1,
            row_groups: 1,
            row_groups_pruned: 0,
            rows: 2000,
            bytes: 1024,
        });
        progress.observe(&Event::RowsRead(1000));
        progress.observe(&Event::Spilled { bytes: 2048, freed: 1 });
        assert_eq!(progress.line(), " 50% of 1.0 KiB read, 1,000 rows, 2.0 KiB spilled");
    }
}
