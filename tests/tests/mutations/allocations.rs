//! The memory of the process, counted: how much is held, and how much was held at most since a file was begun.

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A request of this size is told at once: if the system refuses it, the process ends before anybody else can tell.
const HUGE: usize = 8 << 30;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static CASE: Mutex<(&str, u64)> = Mutex::new(("nothing", 0));

/// The system's allocator, with a count.
pub struct Counted;

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of the caller's.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps to the contract of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps to the contract of `GlobalAlloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps to the contract of `GlobalAlloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        count(size);
        // SAFETY: the caller keeps to the contract of `GlobalAlloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn count(bytes: usize) {
    let held = HELD.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
    PEAK.fetch_max(held, Ordering::Relaxed);
    if bytes > HUGE {
        let place = Backtrace::force_capture();
        eprintln!("{} asks for {bytes} bytes at once\n{place}", case());
    }
}

/// Counts anew; what is held now.
pub fn begin() -> usize {
    let held = HELD.load(Ordering::Relaxed);
    PEAK.store(held, Ordering::Relaxed);
    held
}

/// The most that was held since [`begin`].
pub fn peak() -> usize {
    PEAK.load(Ordering::Relaxed)
}

/// Says what is being read, for whoever must tell it.
pub fn name_case(name: &'static str, seed: u64) {
    *CASE.lock().unwrap() = (name, seed);
}

/// What is being read.
pub fn case() -> String {
    CASE.lock().map_or_else(|_| "a file".into(), |case| format!("{}:{}", case.0, case.1))
}
