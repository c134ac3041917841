//! Several observers as one.

use std::sync::Arc;

use dframe_core::{Event, Observer};

/// Hands each event to all of them, in the order in which they were added.
#[derive(Clone, Default)]
pub(crate) struct Observers(Vec<Arc<dyn Observer>>);

impl Observers {
    pub(crate) fn push(&mut self, observer: Arc<dyn Observer>) {
        self.0.push(observer);
    }

    /// One observer for all; `None` if there are none.
    pub(crate) fn into_observer(mut self) -> Option<Arc<dyn Observer>> {
        match self.0.len() {
            0 | 1 => self.0.pop(),
            _ => Some(Arc::new(self)),
        }
    }
}

impl Observer for Observers {
    fn observe(&self, event: &Event) {
        self.0.iter().for_each(|observer| observer.observe(event));
    }
}
