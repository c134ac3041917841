//! Threads that run short pieces of work for whoever has some. They do not know what the pieces are.

use std::sync::Arc;

/// A piece of work: it computes, and never waits.
pub type Piece = Box<dyn FnOnce() + Send>;

/// Where pieces of work run: on an executor's threads, or at once where there are none. Cloning shares it.
#[derive(Clone, Default)]
pub struct Workers(Option<Threads>);

#[derive(Clone)]
struct Threads {
    count: usize,
    start: Arc<dyn Fn(Piece) + Send + Sync>,
}

impl Workers {
    /// `count` threads, which `start` hands pieces to without waiting for them.
    pub fn new(count: usize, start: impl Fn(Piece) + Send + Sync + 'static) -> Self {
        Self(Some(Threads { count, start: Arc::new(start) }))
    }

    /// The threads; 0 if pieces run on the caller's.
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(0, |threads| threads.count)
    }

    /// Has a piece run: soon, or before this returns if there are no threads.
    pub fn start(&self, piece: Piece) {
        match &self.0 {
            Some(threads) => (threads.start)(piece),
            None => piece(),
        }
    }
}

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Workers({})", self.count())
    }
}
