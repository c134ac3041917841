//! How fast a scan is: `cargo run --profile quick -p dframe-io --example scan FILE COLUMN...`
//!
//! Reads and decodes the columns on one thread and prints nanoseconds of CPU per row, fetching and
//! decoding apart. The batches are dropped at once, as a fused operator would.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dframe_core::Result;
use dframe_io::ParquetSource;
use dframe_plan::{ScanRequest, Source};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[allow(clippy::print_stdout, reason = "an example prints")]
fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let path = args.next().unwrap_or_default();
    let columns: Vec<String> = args.collect();
    for _ in 0..3 {
        let started = Instant::now();
        let source = Arc::new(ParquetSource::open(std::slice::from_ref(&path))?);
        let schema = source.schema();
        let wanted = |(_, field): &(usize, &Arc<arrow::datatypes::Field>)| {
            columns.is_empty() || columns.contains(field.name())
        };
        let request = ScanRequest {
            projection: schema.fields().iter().enumerate().filter(wanted).map(|(i, _)| i).collect(),
            filters: Vec::new(),
            tests: Vec::new(),
            limit: None,
            batch_rows: 16_384,
            unit_bytes: 64 << 20,
            partition_rows: 1 << 20,
            partition_share: 16,
        };
        let partitions = source.partitions(&request)?;
        let opened = started.elapsed();
        let (mut fetch, mut decode, mut rows) = (Duration::ZERO, Duration::ZERO, 0usize);
        for unit in partitions.list.iter().flat_map(|partition| &partition.units) {
            let begun = cpu_time();
            let fetched = source.fetch(unit, &request)?;
            fetch += cpu_time() - begun;
            let begun = cpu_time();
            for batch in source.clone().decode(unit, fetched, &request)? {
                rows += batch?.rows.num_rows();
            }
            decode += cpu_time() - begun;
        }
        let per_row = |time: Duration| time.as_nanos() as f64 / rows.max(1) as f64;
        println!(
            "{rows} rows, {} partitions: open {opened:.1?}, fetch {:.2} ns/row, decode {:.2} ns/row",
            partitions.list.len(),
            per_row(fetch),
            per_row(decode)
        );
    }
    Ok(())
}

/// The CPU time this thread has had, which other processes do not disturb.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|field| field.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}
