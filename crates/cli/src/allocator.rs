//! A global allocator that counts: mimalloc, plus the bytes in use now and at most.
//!
//! ```text
//!   thread: pending bytes --(beyond 64 KiB)--> CURRENT --(if higher)--> PEAK
//! ```
//!
//! Counting must not cost: a thread keeps its own sum and adds it to the shared one only when it has
//! grown by [`PENDING_MAX`]. So the numbers are off by at most that much for each thread, and what an
//! ended thread had pending is lost.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ffi::{c_int, c_long};
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};

use mimalloc::MiMalloc;

/// The most bytes asked for at once by this process so far, as the program asked for them: without
/// what the allocator keeps in reserve.
pub fn peak_bytes() -> u64 {
    u64::try_from(PEAK.load(Ordering::Relaxed)).unwrap_or(0)
}

/// Lets [`peak_bytes`] begin anew, at what is in use now.
pub fn forget_peak() {
    PEAK.store(CURRENT.load(Ordering::Relaxed), Ordering::Relaxed);
}

/// The bytes in use now.
pub fn current_bytes() -> u64 {
    u64::try_from(CURRENT.load(Ordering::Relaxed)).unwrap_or(0)
}

/// Bytes a thread may be ahead of the shared count.
const PENDING_MAX: isize = 64 << 10;

static CURRENT: AtomicIsize = AtomicIsize::new(0);
static PEAK: AtomicIsize = AtomicIsize::new(0);

/// What a thread has pending before it has asked for anything.
const NEW_THREAD: isize = isize::MIN / 2;

thread_local! {
    // Constant and without a destructor: usable at any moment of a thread's life, never allocates.
    static PENDING: Cell<isize> = const { Cell::new(NEW_THREAD) };
}

/// Counts what it passes on to mimalloc.
pub struct Counting;

// SAFETY: every call is passed on unchanged to `MiMalloc`, which upholds the contract; counting
// neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are those of `MiMalloc::alloc`.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are those of `MiMalloc::alloc_zeroed`.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: `pointer` came from `MiMalloc`, as all that `self` gave out.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: `pointer` came from `MiMalloc`, as all that `self` gave out.
        unsafe { MiMalloc.realloc(pointer, layout, size) }
    }
}

fn count(bytes: isize) {
    PENDING.with(|pending| {
        let sum = pending.get() + bytes;
        pending.set(if sum.abs() < PENDING_MAX { sum } else { settle(sum) });
    });
}

/// Adds what a thread had pending to the shared count; returns what it has pending now.
#[cold]
fn settle(sum: isize) -> isize {
    if sum < NEW_THREAD / 2 {
        give_back_early();
        return sum - NEW_THREAD;
    }
    let now = CURRENT.fetch_add(sum, Ordering::Relaxed) + sum;
    if now > PEAK.load(Ordering::Relaxed) {
        PEAK.fetch_max(now, Ordering::Relaxed);
    }
    0
}

/// Tells mimalloc that there is memory to spare: freed memory is kept for a second and used again, which
/// spares the system's zeroing of pages, up to a third of the time of a group-by with many groups.
pub fn keep_freed_memory() {
    // SAFETY: a number is stored.
    unsafe { mi_option_set_default(PURGE_DELAY_MS, 1000) };
}

/// Tells mimalloc, before its first allocation, to give memory back soon. As it is, it keeps freed
/// memory for a second, and in pieces below 2 MiB for good: a sort within 64 MiB had 215 MiB resident,
/// now 127. `MIMALLOC_*` in the environment goes before.
fn give_back_early() {
    static DONE: AtomicBool = AtomicBool::new(false);
    if DONE.swap(true, Ordering::Relaxed) {
        return;
    }
    for (option, value) in [(ARENA_EAGER_COMMIT, 0), (PURGE_DELAY_MS, 10), (PURGE_MIN_KIB, 64)] {
        // SAFETY: a number is stored; mimalloc ignores options it does not know.
        unsafe { mi_option_set_default(option, value) };
    }
}

/// Options of mimalloc 3 by their number in `mimalloc.h`.
const ARENA_EAGER_COMMIT: c_int = 4;
const PURGE_DELAY_MS: c_int = 15;
const PURGE_MIN_KIB: c_int = 44;

unsafe extern "C" {
    fn mi_option_set_default(option: c_int, value: c_long);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_vector_raises_the_peak() {
        let before = peak_bytes();
        let vector = std::hint::black_box(vec![1_u8; 64 << 20]);
        assert!(peak_bytes() >= before.max(64 << 20), "{} bytes", peak_bytes());
        drop(vector);
        assert!(peak_bytes() >= 64 << 20, "the peak stays");
    }
}
