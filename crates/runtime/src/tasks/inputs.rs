//! How values get from task to task: a task names the handles of those it needs, and is called with
//! their values.

use std::sync::Arc;

use crate::tasks::graph::{Handle, TaskId};

/// What a task needs of others: a [`Handle`], a tuple of up to four, a `Vec` of any number of the same
/// type, or `()` for nothing. The task is called with an `Arc` for each, in the same shape.
pub trait Inputs: Send + Sync + 'static {
    /// What the task is called with.
    type Values;

    /// The tasks needed.
    fn tasks(&self) -> Vec<TaskId>;

    /// Their values, once all have succeeded.
    fn values(&self) -> Self::Values;
}

impl Inputs for () {
    type Values = ();

    fn tasks(&self) -> Vec<TaskId> {
        Vec::new()
    }

    fn values(&self) {}
}

impl<T: Send + Sync + 'static> Inputs for Handle<T> {
    type Values = Arc<T>;

    fn tasks(&self) -> Vec<TaskId> {
        vec![self.id()]
    }

    fn values(&self) -> Arc<T> {
        self.value().expect("a task runs after those it needs have succeeded")
    }
}

impl<T: Send + Sync + 'static> Inputs for Vec<Handle<T>> {
    type Values = Vec<Arc<T>>;

    fn tasks(&self) -> Vec<TaskId> {
        self.iter().map(Handle::id).collect()
    }

    fn values(&self) -> Vec<Arc<T>> {
        self.iter().map(Inputs::values).collect()
    }
}

impl<A: Inputs, B: Inputs> Inputs for (A, B) {
    type Values = (A::Values, B::Values);

    fn tasks(&self) -> Vec<TaskId> {
        [self.0.tasks(), self.1.tasks()].concat()
    }

    fn values(&self) -> Self::Values {
        (self.0.values(), self.1.values())
    }
}

impl<A: Inputs, B: Inputs, C: Inputs> Inputs for (A, B, C) {
    type Values = (A::Values, B::Values, C::Values);

    fn tasks(&self) -> Vec<TaskId> {
        [self.0.tasks(), self.1.tasks(), self.2.tasks()].concat()
    }

    fn values(&self) -> Self::Values {
        (self.0.values(), self.1.values(), self.2.values())
    }
}

impl<A: Inputs, B: Inputs, C: Inputs, D: Inputs> Inputs for (A, B, C, D) {
    type Values = (A::Values, B::Values, C::Values, D::Values);

    fn tasks(&self) -> Vec<TaskId> {
        [self.0.tasks(), self.1.tasks(), self.2.tasks(), self.3.tasks()].concat()
    }

    fn values(&self) -> Self::Values {
        (self.0.values(), self.1.values(), self.2.values(), self.3.values())
    }
}
