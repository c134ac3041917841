//! Pieces of work that workers do at the same time, and whose results come in the order in which they were begun.
//!
//! ```text
//!   start(work) --> | work | work | done | work | --> take(): the oldest, once it is done
//! ```
//!
//! It does not know what the pieces are, nor what they hold: whoever begins them counts that.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use dframe_core::Workers;

/// Pieces for each worker: one that it does, and one that waits for it.
const PIECES_PER_WORKER: usize = 2;

/// What comes of a piece; a panic in it goes on where the result is taken.
type Outcome<T> = std::thread::Result<T>;

/// Pieces in work. Dropping it waits for them.
pub(super) struct InOrder<T> {
    workers: Workers,
    begun: VecDeque<Receiver<Outcome<T>>>,
}

impl<T: Send + 'static> InOrder<T> {
    pub(super) fn new(workers: Workers) -> Self {
        Self { workers, begun: VecDeque::new() }
    }

    /// Begins a piece.
    pub(super) fn start(&mut self, work: impl FnOnce() -> T + Send + 'static) {
        let (sender, receiver) = sync_channel(1);
        self.begun.push_back(receiver);
        self.workers.start(Box::new(move || {
            let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
        }));
    }

    /// Whether as many pieces are in work as keep the workers busy.
    pub(super) fn is_full(&self) -> bool {
        self.begun.len() >= (self.workers.count() * PIECES_PER_WORKER).max(1)
    }

    /// Whether nothing is in work, and nothing waits to be taken.
    pub(super) fn is_empty(&self) -> bool {
        self.begun.is_empty()
    }

    /// The oldest result, if it is there.
    pub(super) fn take_done(&mut self) -> Option<T> {
        match self.begun.front()?.try_recv() {
            Err(TryRecvError::Empty) => None,
            outcome => {
                self.begun.pop_front();
                Some(unfenced(outcome.ok()))
            }
        }
    }

    /// The oldest result, once it is there; `None` if nothing is in work.
    pub(super) fn take(&mut self) -> Option<T> {
        let oldest = self.begun.pop_front()?;
        Some(unfenced(oldest.recv().ok()))
    }
}

impl<T> Drop for InOrder<T> {
    fn drop(&mut self) {
        self.begun.drain(..).for_each(|piece| drop(piece.recv()));
    }
}

fn unfenced<T>(outcome: Option<Outcome<T>>) -> T {
    match outcome.expect("workers run what they are given") {
        Ok(result) => result,
        Err(panic) => resume_unwind(panic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "threads of a test")]
    fn results_come_in_the_order_of_the_beginning() {
        let threads = Workers::new(3, |piece| drop(std::thread::spawn(piece)));
        for workers in [Workers::default(), threads] {
            let mut pieces = InOrder::new(workers);
            let mut results = Vec::new();
            for piece in 0..100_u64 {
                if pieces.is_full() {
                    results.extend(pieces.take());
                }
                pieces.start(move || {
                    std::thread::sleep(std::time::Duration::from_micros(piece * 7919 % 100));
                    piece
                });
                results.extend(pieces.take_done());
            }
            while let Some(result) = pieces.take() {
                results.push(result);
            }
            assert!(pieces.is_empty());
            assert_eq!(results, (0..100).collect::<Vec<_>>());
        }
    }

    #[test]
    #[should_panic(expected = "in the piece")]
    fn a_panic_goes_on_where_the_result_is_taken() {
        let mut pieces = InOrder::<()>::new(Workers::default());
        pieces.start(|| panic!("in the piece"));
        pieces.take();
    }
}
