//! A vendor of market data on a local port: slow, flaky, and always of the same mind.
//!
//! ```text
//!   POST /jobs?instrument=X   200 the job's number   404 no such instrument
//!   GET  /jobs/N              202 not ready yet      200 a line `microseconds;cents;shares` per trade
//!   either, now and then      503, or no answer
//! ```
//!
//! HTTP/1.1 without kept connections, as much of it as the example needs. It knows nothing of dframe.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::Scope;
use std::time::{Duration, Instant};

/// How long any request takes.
const LATENCY: Duration = Duration::from_millis(30);

/// How long it takes to make a job, at least.
const JOB_TIME: Duration = Duration::from_millis(400);

/// A trade: microseconds since 1970, cents, shares.
#[derive(Clone, Copy)]
pub struct Trade {
    pub ts: i64,
    pub price: i64,
    pub size: i64,
}

/// The trades of an instrument, in order of time: the same whenever they are asked for.
pub fn trades(instrument: &str) -> Vec<Trade> {
    let mut random = random(instrument);
    let (mut ts, mut price) = (1_700_000_000_000_000, 10_000);
    let trade = |_| {
        ts += random(8_000_000);
        price = (price + random(41) - 20).max(1);
        Trade { ts, price, size: 100 * (1 + random(9)) }
    };
    (0..5_000).map(trade).collect()
}

/// Numbers below a bound, always the same after the same `seed` (Knuth's linear congruence).
fn random(seed: &str) -> impl FnMut(i64) -> i64 {
    let mut state = seed.bytes().fold(7_u64, |hash, byte| hash.wrapping_mul(31) ^ u64::from(byte));
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as i64 % below
    }
}

/// What the vendor saw.
#[derive(Clone, Copy, Default)]
pub struct Counts {
    /// The requests.
    pub all: usize,
    /// Those that were answered with 503, or not at all.
    pub failed: usize,
    /// Those for jobs that were not ready.
    pub too_early: usize,
    /// The time that answers took, and jobs.
    pub waits: Duration,
}

/// A server and its books.
pub struct Vendor {
    listener: TcpListener,
    address: SocketAddr,
    /// The instrument that it does not know.
    unknown: String,
    closed: AtomicBool,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    counts: Counts,
    /// The instrument of each job, and when it is ready.
    jobs: Vec<(String, Instant)>,
    /// How often each thing was asked for.
    asked: HashMap<String, usize>,
}

enum Answer {
    Is(u16, String),
    /// The connection ends.
    None,
}

impl Vendor {
    /// Listens on a free port.
    pub fn open(unknown: &str) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            unknown: unknown.to_string(),
            closed: AtomicBool::new(false),
            books: Mutex::default(),
        })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn counts(&self) -> Counts {
        self.books().counts
    }

    /// Answers each connection from a thread of its own, until it is closed.
    pub fn serve<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        for stream in self.listener.incoming() {
            if self.closed.load(Ordering::Relaxed) {
                return;
            }
            if let Ok(stream) = stream {
                // What goes wrong with a connection is for the client to see.
                scope.spawn(move || self.converse(stream).ok());
            }
        }
    }

    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        // Wakes the one who listens.
        let _ = TcpStream::connect(self.address);
    }

    fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let request = lines.next().unwrap_or(Ok(String::new()))?;
        for line in lines {
            if line?.is_empty() {
                break;
            }
        }
        std::thread::sleep(LATENCY);
        match self.answer(&request) {
            Answer::Is(status, body) => {
                let length = body.len();
                let head = format!("HTTP/1.1 {status} -\r\nContent-Length: {length}");
                write!(stream, "{head}\r\nConnection: close\r\n\r\n{body}")
            }
            Answer::None => Ok(()),
        }
    }

    /// The answer to a line such as `GET /jobs/7 HTTP/1.1`.
    fn answer(&self, request: &str) -> Answer {
        let mut books = self.books();
        books.counts.all += 1;
        books.counts.waits += LATENCY;
        let path = request.split(' ').nth(1).unwrap_or("");
        if let Some(failure) = books.failure(path) {
            books.counts.failed += 1;
            return failure;
        }
        if let Some(instrument) = path.strip_prefix("/jobs?instrument=") {
            return match instrument == self.unknown {
                true => Answer::Is(404, "no such instrument".to_string()),
                false => Answer::Is(200, books.begin(instrument).to_string()),
            };
        }
        let job = path.strip_prefix("/jobs/").and_then(|job| job.parse().ok());
        let job = job.and_then(|job: usize| books.jobs.get(job)).cloned();
        match job {
            None => Answer::Is(404, "no such job".to_string()),
            Some((_, ready)) if Instant::now() < ready => {
                books.counts.too_early += 1;
                Answer::Is(202, String::new())
            }
            Some((instrument, _)) => Answer::Is(200, text(&trades(&instrument))),
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    /// What goes wrong with this request, if something does: that depends on what is asked for and how
    /// often it was, not on what others ask for meanwhile.
    fn failure(&mut self, path: &str) -> Option<Answer> {
        let times = self.asked.entry(path.to_string()).or_default();
        *times += 1;
        match random(&format!("{path} {times}"))(6) {
            0 => Some(Answer::Is(503, "try again later".to_string())),
            1 => Some(Answer::None),
            _ => None,
        }
    }

    /// The number of a new job.
    fn begin(&mut self, instrument: &str) -> usize {
        let time = JOB_TIME + Duration::from_millis(random(instrument)(800) as u64);
        self.counts.waits += time;
        self.jobs.push((instrument.to_string(), Instant::now() + time));
        self.jobs.len() - 1
    }
}

fn text(trades: &[Trade]) -> String {
    let mut text = String::new();
    for Trade { ts, price, size } in trades {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{ts};{price};{size}");
    }
    text
}
