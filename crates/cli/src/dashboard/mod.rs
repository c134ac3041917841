//! `--dashboard`: the page of a profile, open in browsers while the run goes on.
//!
//! | file | what it does |
//! |---|---|
//! | `address` | reads where it is served |
//! | `feed` | tells a reader what is new |
//! | `server` | answers requests |
//! | `live.js` | is what the page has more than that of a profile |
//!
//! ```text
//!   events --Recorder--> record <--read, twice a second-- Reader --server-sent events--> browser
//! ```
//!
//! Readers read what `profile` records; the run knows of none. The server is `hyper`, on one thread of `tokio`: both are in
//! this program for object stores anyway, are kept well, and wait for many readers at once without a
//! thread for each. (`tiny_http` is smaller by itself, but had its last release in 2022, and would come on top.)

mod address;
mod feed;
mod server;

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use dframe::prelude::RunStats;
use dframe::{Error, Result};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::profile::{About, Recorder};

pub use address::{USUAL, address};
use feed::Feed;
use server::Site;

/// More spans than this become fewer, in a page that is sent again and again.
pub const SPANS_MAX: usize = 40_000;
/// How long readers have to hear of the end.
const FAREWELL: Duration = Duration::from_secs(1);

/// A dashboard that is served.
#[derive(Debug)]
pub struct Dashboard {
    feed: Arc<Feed>,
    /// What a browser is told to open.
    pub url: String,
    /// The thread of the server, and the server.
    serving: Option<(Runtime, JoinHandle<()>)>,
}

impl Dashboard {
    /// Serves what is recorded at `address`.
    ///
    /// # Errors
    /// Another program has the port; there is no thread.
    pub fn begin(
        address: SocketAddr,
        recorder: Arc<Recorder>,
        stats: Arc<RunStats>,
        about: About,
    ) -> Result<Self> {
        let (graph, outcome) = (OnceLock::new(), watch::Sender::new(None));
        let feed = Arc::new(Feed { recorder, stats, about, graph, outcome });
        let failed = |error| {
            let free = "leave the port out, and one that is free is taken";
            Error::io(format!("cannot serve the dashboard at {address}"), error).remedy(free)
        };
        let listener = TcpListener::bind(address).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let token = token()?;
        let url = format!("http://{bound}/?token={token}");
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("dframe-dashboard")
            .enable_all()
            .build()
            .map_err(|error| Error::io("cannot start a thread", error))?;
        listener.set_nonblocking(true).map_err(failed)?;
        let _inside = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
        let name = match bound {
            SocketAddr::V4(address) => address.ip().to_string(),
            SocketAddr::V6(address) => format!("[{}]", address.ip()),
        };
        let site = Arc::new(Site { feed: feed.clone(), token, name });
        let server = runtime.spawn(server::serve(listener, site));
        drop(_inside);
        Ok(Self { feed, url, serving: Some((runtime, server)) })
    }

    /// Shows the graph of tasks, as SVG.
    pub fn show(&self, graph: String) {
        // There is one.
        let _ = self.feed.graph.set(graph);
    }

    /// Tells readers that the run is over, and why it failed if it did; waits for them, but not long.
    pub fn finish(&mut self, outcome: &str) {
        let Some((runtime, server)) = self.serving.take() else { return };
        self.feed.outcome.send_replace(Some(outcome.to_string()));
        let farewell = async { tokio::time::timeout(FAREWELL, server).await };
        // Who has not heard of it by now will see that nobody answers.
        let _ = runtime.block_on(farewell);
        runtime.shutdown_background();
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        self.finish("the query was not run");
    }
}

/// What nobody can guess: 128 bits from the system, in hexadecimal digits.
fn token() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        Error::io("the system has no random numbers for the dashboard's address", error.into())
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
