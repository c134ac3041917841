//! Micro-benchmarks: one part of the engine each, on generated ticks.
//!
//! ```text
//! cargo bench -p dframe-benches                        all of them
//! cargo bench -p dframe-benches -- groups              those whose path has `groups`
//! cargo bench --workspace -- --test                    each once, on few rows: do they still run?
//! ```
//!
//! Everything runs on the calling thread, so that wall time is the time of one core. The unit is rows:
//! the throughput column counts them. For whole queries on many rows see `benches/scale`.

mod by_hand;
mod data;
mod expressions;
mod groups;
mod scan;
mod sort;
mod spill;
mod sql;
mod sums;

use std::time::Duration;

use divan::Divan;

/// As in the command: how soon memory comes back from the allocator is part of what is measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Benchmarks that take long end here, with fewer samples than the others.
const TIME_MAX: Duration = Duration::from_secs(3);

fn main() {
    Divan::default().max_time(TIME_MAX).config_with_args().main();
    data::remove();
}
