//! The one memory limit, as RAII reservations.
//!
//! ```text
//!   Budget (limit, reserved, peak) <--- grow/shrink --- Reservation  (drop gives all back)
//!        |
//!        +-- refused? --> Reclaim (the runtime's chunk store spills), then try once more
//! ```
//!
//! Bytes are reserved before they are allocated. The budget does not know what the bytes are for; it
//! never waits, so it cannot deadlock: a refusal is an answer, and the operator spills or fails.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use crate::size::format_bytes;
use crate::{Error, ErrorKind, Result};

/// Gives memory back when asked, such as a store of chunks that can be spilled.
pub trait Reclaim: Send + Sync {
    /// Frees about `bytes` and returns how many were freed; 0 when there is nothing left to free.
    fn reclaim(&self, bytes: usize) -> Result<usize>;
}

/// A memory limit shared by everything in flight in a session. Cloning shares it.
#[derive(Clone)]
pub struct Budget(Arc<Inner>);

struct Inner {
    limit: usize,
    /// Kept back of the limit the user gave; only messages tell.
    kept_back: usize,
    reserved: AtomicUsize,
    peak: AtomicUsize,
    reclaim: OnceLock<Weak<dyn Reclaim>>,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self::keeping_back(0, limit)
    }

    /// A budget of `limit` bytes, of which `kept_back` are for what nobody reserves.
    pub fn keeping_back(kept_back: usize, limit: usize) -> Self {
        Self(Arc::new(Inner {
            limit: limit.saturating_sub(kept_back),
            kept_back,
            reserved: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            reclaim: OnceLock::new(),
        }))
    }

    /// A budget that never refuses.
    pub fn unlimited() -> Self {
        Self::new(usize::MAX)
    }

    /// Registers who frees memory when a reservation is refused. Only the first call counts.
    pub fn reclaim_with(&self, reclaim: Weak<dyn Reclaim>) {
        let _ = self.0.reclaim.set(reclaim);
    }

    /// The bytes that can be reserved in all.
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// The bytes reserved now.
    pub fn reserved(&self) -> usize {
        self.0.reserved.load(Ordering::Relaxed)
    }

    /// The bytes that could be reserved now without spilling.
    pub fn available(&self) -> usize {
        self.limit().saturating_sub(self.reserved())
    }

    /// The most bytes ever reserved at once.
    pub fn peak(&self) -> usize {
        self.0.peak.load(Ordering::Relaxed)
    }

    /// An empty reservation, to grow as needed.
    pub fn reservation(&self) -> Reservation {
        Reservation { budget: self.clone(), bytes: 0 }
    }

    /// Reserves `bytes`, spilling finished chunks if need be; `what` names them in the error.
    pub fn reserve(&self, bytes: usize, what: &str) -> Result<Reservation> {
        let mut reservation = self.reservation();
        reservation.grow(bytes, what)?;
        Ok(reservation)
    }

    fn try_claim(&self, bytes: usize) -> bool {
        let claim = |now: usize| now.checked_add(bytes).filter(|sum| *sum <= self.0.limit);
        match self.0.reserved.fetch_update(Ordering::AcqRel, Ordering::Relaxed, claim) {
            Ok(before) => {
                self.0.peak.fetch_max(before + bytes, Ordering::Relaxed);
                true
            }
            Err(_) => false,
        }
    }

    fn reclaim(&self, bytes: usize) -> Result<usize> {
        match self.0.reclaim.get().and_then(Weak::upgrade) {
            Some(reclaim) => reclaim.reclaim(bytes),
            None => Ok(0),
        }
    }

    fn refusal(&self, bytes: usize, what: &str) -> Error {
        Error::over_budget(format!(
            "{what} needs {} more, but {} of the {} memory limit are in use",
            format_bytes(bytes as u64),
            format_bytes((self.reserved() + self.0.kept_back) as u64),
            format_bytes((self.limit() + self.0.kept_back) as u64),
        ))
        .remedy("raise --memory-limit, or lower --threads")
    }
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Budget({} of {})", self.reserved(), self.limit())
    }
}

/// A claim on the budget; dropping it gives the bytes back.
#[derive(Debug)]
pub struct Reservation {
    budget: Budget,
    bytes: usize,
}

impl Reservation {
    /// The bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The budget this is a claim on.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Grows by `bytes` if the budget has them free; never spills.
    pub fn try_grow(&mut self, bytes: usize) -> bool {
        let claimed = self.budget.try_claim(bytes);
        if claimed {
            self.bytes += bytes;
        }
        claimed
    }

    /// Grows by `bytes`, spilling finished chunks if need be.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OverBudget`] when nothing is left to spill; `what` names the bytes.
    pub fn grow(&mut self, bytes: usize, what: &str) -> Result<()> {
        while !self.try_grow(bytes) {
            // What can never fit is refused before anything is spilled for it.
            let hopeless = self.bytes.saturating_add(bytes) > self.budget.limit();
            let missing = bytes.saturating_sub(self.budget.available()).max(1);
            if hopeless || self.budget.reclaim(missing)? == 0 {
                // What was left to free may have been freed by its owner a moment ago.
                return match self.try_grow(bytes) {
                    true => Ok(()),
                    false => Err(self.budget.refusal(bytes, what)),
                };
            }
        }
        Ok(())
    }

    /// As [`Reservation::grow`], for who can do without: whether the bytes were granted.
    ///
    /// # Errors
    /// Making room failed, as on a full disk.
    pub fn grow_if_granted(&mut self, bytes: usize, what: &str) -> Result<bool> {
        match self.grow(bytes, what) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::OverBudget => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Grows or shrinks to `bytes`; growing may spill, as [`Reservation::grow`] does.
    pub fn resize(&mut self, bytes: usize, what: &str) -> Result<()> {
        if bytes > self.bytes {
            self.grow(bytes - self.bytes, what)
        } else {
            self.shrink(self.bytes - bytes);
            Ok(())
        }
    }

    /// Gives back up to `bytes`.
    pub fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.budget.0.reserved.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Moves up to `bytes` of this claim into a claim of its own.
    pub fn split(&mut self, bytes: usize) -> Reservation {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Reservation { budget: self.budget.clone(), bytes }
    }

    /// Takes over the bytes of `other`, which must be a claim on the same budget.
    pub fn merge(&mut self, mut other: Reservation) {
        debug_assert!(Arc::ptr_eq(&self.budget.0, &other.budget.0));
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    struct Hoard(std::sync::Mutex<Vec<Reservation>>);

    impl Reclaim for Hoard {
        fn reclaim(&self, _bytes: usize) -> Result<usize> {
            let freed = self.0.lock().expect("not poisoned").pop();
            Ok(freed.map_or(0, |reservation| reservation.bytes()))
        }
    }

    #[test]
    fn refuses_beyond_the_limit_and_frees_on_drop() {
        let budget = Budget::new(100);
        let held = budget.reserve(60, "table").expect("fits");
        let error = budget.reserve(50, "table").expect_err("does not fit");
        assert_eq!(error.kind(), ErrorKind::OverBudget);
        drop(held);
        assert_eq!((budget.reserved(), budget.peak()), (0, 60));
    }

    #[test]
    fn reclaims_until_it_fits() {
        let budget = Budget::new(100);
        let held = (0..3).map(|_| budget.reserve(30, "chunk").expect("fits")).collect();
        let hoard: Arc<dyn Reclaim> = Arc::new(Hoard(std::sync::Mutex::new(held)));
        budget.reclaim_with(Arc::downgrade(&hoard));
        let grown = budget.reserve(70, "table").expect("two chunks are given up");
        assert_eq!((grown.bytes(), budget.reserved()), (70, 100));
    }

    #[test]
    fn split_and_merge_keep_the_sum() {
        let budget = Budget::new(100);
        let mut whole = budget.reserve(80, "whole").expect("fits");
        let part = whole.split(30);
        assert_eq!((whole.bytes(), part.bytes(), budget.reserved()), (50, 30, 80));
        whole.merge(part);
        assert_eq!((whole.bytes(), budget.reserved()), (80, 80));
    }
}
