//! Tables of groups that tasks hand on: one goes on where another has ended.
//!
//! ```text
//!   task 0 --> table --> task 2 --> table --> task 4 --> its groups, handed over
//!   task 1 --> table --> task 3 -----------------------> its groups, handed over
//! ```
//!
//! So there are as many tables as tasks at a time, and not as many to merge as there are tasks. A table waits only as long as a task that
//! has not begun will take it; what is in it, this file does not know.

use std::sync::{Mutex, PoisonError};

/// Tables on their way between the tasks of a stage.
pub(crate) struct HandedOn<T>(Mutex<Place<T>>);

struct Place<T> {
    /// Tasks that have not begun.
    to_come: usize,
    waiting: Vec<T>,
    /// Whether a task has gone on with another one's.
    used: bool,
}

impl<T> HandedOn<T> {
    /// None yet, and no task that would take one.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Place { to_come: 0, waiting: Vec::new(), used: false }))
    }

    /// So many tasks will begin, each of them once.
    pub(crate) fn expect(&self, tasks: usize) {
        self.place().to_come = tasks;
    }

    /// What a task that begins goes on with, if there is any.
    pub(crate) fn take(&self) -> Option<T> {
        let mut place = self.place();
        place.to_come = place.to_come.saturating_sub(1);
        let table = place.waiting.pop();
        place.used |= table.is_some();
        table
    }

    /// Hands a table on; it comes back if no task is left for it.
    pub(crate) fn put(&self, table: T) -> Option<T> {
        let mut place = self.place();
        if place.waiting.len() >= place.to_come {
            return Some(table);
        }
        place.waiting.push(table);
        None
    }

    /// Whether any was.
    pub(crate) fn is_used(&self) -> bool {
        self.place().used
    }

    fn place(&self) -> std::sync::MutexGuard<'_, Place<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_waits_for_a_task_to_come_and_none_is_left() {
        let tables = HandedOn::new();
        assert_eq!(tables.put("nobody is expected"), Some("nobody is expected"));
        tables.expect(3);
        assert_eq!((tables.take(), tables.take()), (None, None));
        assert_eq!(tables.put("a"), None);
        assert_eq!(tables.put("b"), Some("b"), "one task is left, for one table");
        assert!(!tables.is_used());
        assert_eq!(tables.take(), Some("a"));
        assert!(tables.is_used());
        assert_eq!(tables.put("a"), Some("a"));
    }
}
