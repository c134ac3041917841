//! When a task that failed is tried again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::tasks::graph::TaskError;

type Condition = Arc<dyn Fn(&TaskError) -> bool + Send + Sync>;

/// How often a task is tried, and how long it waits in between: first [`Retry::wait`], then each time
/// [`Retry::factor`] as long (exponential back-off), at most [`Retry::wait_max`].
///
/// A task that waits holds no thread. Waits are spread: each is between half and all of what it would be,
/// differently for each task, so that tasks that failed together do not come back together.
///
/// ```
/// use std::time::Duration;
///
/// use dframe_runtime::tasks::Retry;
///
/// let patient = Retry::up_to(8).wait(Duration::from_millis(50)).wait_max(Duration::from_secs(2));
/// assert_eq!(patient.attempts(), 8);
/// ```
#[derive(Clone)]
pub struct Retry {
    attempts: u32,
    wait: Duration,
    factor: f64,
    wait_max: Duration,
    when: Option<Condition>,
}

impl Default for Retry {
    /// A task is tried once.
    fn default() -> Self {
        Self::up_to(1)
    }
}

impl Retry {
    /// Tries a task up to `attempts` times, once at least; waits 100 ms first, then twice as long each
    /// time, 30 s at most.
    pub fn up_to(attempts: u32) -> Self {
        Self {
            attempts: attempts.max(1),
            wait: Duration::from_millis(100),
            factor: 2.0,
            wait_max: Duration::from_secs(30),
            when: None,
        }
    }

    /// The wait after the first attempt.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// How much longer each wait is than the one before; 1 at least, which makes them all alike.
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = factor.max(1.0);
        self
    }

    /// The longest wait.
    pub fn wait_max(mut self, wait_max: Duration) -> Self {
        self.wait_max = wait_max;
        self
    }

    /// Only errors for which `condition` holds are worth another attempt. All are, unless told.
    pub fn when(mut self, condition: impl Fn(&TaskError) -> bool + Send + Sync + 'static) -> Self {
        self.when = Some(Arc::new(condition));
        self
    }

    /// The most attempts.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How long task number `task` waits after `error` ended its attempt number `attempt`, the first of
    /// which is 1; `None` if it is not tried again.
    pub(super) fn wait_after(
        &self,
        attempt: u32,
        error: &TaskError,
        task: usize,
    ) -> Option<Duration> {
        let worth = self.when.as_ref().is_none_or(|condition| condition(error));
        if attempt >= self.attempts || !worth {
            return None;
        }
        let exponent = i32::try_from(attempt - 1).unwrap_or(i32::MAX);
        let seconds = self.wait.as_secs_f64() * self.factor.powi(exponent);
        let seconds = seconds.min(self.wait_max.as_secs_f64());
        Some(Duration::from_secs_f64(seconds * (0.5 + 0.5 * spread(task, attempt))))
    }
}

/// A number in 0..1 that neighbouring tasks and attempts have far from each other: multiples of the
/// golden ratio, modulo 1 (Knuth, The Art of Computer Programming, 6.4).
fn spread(task: usize, attempt: u32) -> f64 {
    const GOLDEN_RATIO: f64 = 0.618_033_988_749_894_9;
    ((task as f64 + 1.0) * GOLDEN_RATIO + f64::from(attempt) * 0.25).fract()
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attempts, wait, factor, wait_max, when } = self;
        let when = if when.is_some() { ", on some errors" } else { "" };
        write!(f, "Retry(up to {attempts}, {wait:?} x {factor}, at most {wait_max:?}{when})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error() -> TaskError {
        "not ready".into()
    }

    #[test]
    fn waits_grow_to_their_limit_and_end_with_the_attempts() {
        let retry = Retry::up_to(12).wait_max(Duration::from_secs(1));
        let waits: Vec<_> =
            (1..=12).map(|attempt| retry.wait_after(attempt, &error(), 3)).collect();
        assert_eq!(waits[11], None);
        for (index, wait) in waits[..11].iter().enumerate() {
            let whole = Duration::from_millis((100 << index).min(1000));
            let wait = wait.unwrap();
            assert!(wait >= whole / 2 && wait <= whole, "{index}: {wait:?} of {whole:?}");
        }
    }

    #[test]
    fn tasks_that_fail_together_come_back_apart() {
        let retry = Retry::up_to(2).wait(Duration::from_secs(1));
        let mut waits: Vec<_> =
            (0..100).map(|task| retry.wait_after(1, &error(), task).unwrap()).collect();
        waits.sort();
        let widest = waits.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(widest < Duration::from_millis(20), "a gap of {widest:?}");
    }

    #[test]
    fn an_error_that_is_not_worth_it_ends_the_task() {
        let retry = Retry::up_to(5).when(|error| error.to_string() != "gone for good");
        assert!(retry.wait_after(1, &error(), 0).is_some());
        assert!(retry.wait_after(1, &"gone for good".into(), 0).is_none());
        let extreme = Retry::up_to(u32::MAX).wait_after(u32::MAX - 1, &error(), 0);
        assert!(extreme.is_some_and(|wait| wait <= Duration::from_secs(30)));
    }
}
