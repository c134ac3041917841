//! Who waits for the network: one runtime of two threads, started by the first request.
//!
//! ```text
//!   I/O thread --start--> request on the runtime's threads --channel--> Pending::wait, on the I/O thread
//! ```
//!
//! Beside the dashboard of the command, this is the one place outside of the runtime crate with threads of its own:
//! the protocols are spoken by an asynchronous client, which needs somebody who waits for sockets. They compute no
//! more than the protocols ask for. Whoever waits here looks at the cancel token meanwhile.

use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use dframe_core::{CancelToken, Error, Result};
use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;

/// How often whoever waits looks at the cancel token.
const TICK: Duration = Duration::from_millis(20);
/// One decrypts while the other waits.
const THREADS: usize = 2;

/// The runtime that requests are made on.
#[derive(Debug, Default)]
pub(super) struct Network {
    runtime: OnceLock<Runtime>,
    cancel: CancelToken,
}

impl Network {
    pub(super) fn new(cancel: CancelToken) -> Self {
        Self { runtime: OnceLock::new(), cancel }
    }

    /// Begins what will end in a value.
    pub(super) fn start<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<Pending<T>> {
        let (sender, receiver) = sync_channel(1);
        let task = self.runtime()?.spawn(async move {
            let _ = sender.send(work.await);
        });
        Ok(Pending { receiver, task: task.abort_handle(), cancel: self.cancel.clone() })
    }

    /// Begins, and waits for the end.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.start(work)?.wait()
    }

    fn runtime(&self) -> Result<&Runtime> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let made = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("dframe-network")
            .enable_all()
            .build()
            .map_err(|error| Error::io("cannot start a thread", error))?;
        // Another thread may have been quicker.
        if let Err(second) = self.runtime.set(made) {
            second.shutdown_background();
        }
        self.runtime.get().ok_or_else(|| Error::internal("the network's threads are gone"))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What is being waited for. Dropped, the request ends.
#[derive(Debug)]
pub(crate) struct Pending<T> {
    receiver: Receiver<Result<T>>,
    task: AbortHandle,
    cancel: CancelToken,
}

impl<T> Pending<T> {
    /// Waits for the value.
    pub(crate) fn wait(self) -> Result<T> {
        loop {
            match self.receiver.recv_timeout(TICK) {
                Ok(value) => return value,
                Err(RecvTimeoutError::Timeout) => self.cancel.check()?,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::internal("a request has ended without an answer"));
                }
            }
        }
    }

    /// Waits for the end, but not long, whether the run was cancelled or not.
    pub(crate) fn wait_at_most(self, time: Duration) {
        let _ = self.receiver.recv_timeout(time);
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
