//! What a run has cost, at its end: rows, bytes, memory, time.
//!
//! Memory is told three times, because the three differ where it matters: what the budget counted,
//! what the program asked the allocator for, and what the system gave.

use dframe::size::format_bytes;
use dframe::{RunStats, Session, StatsReading};

use crate::allocator;
use crate::json::Object;
use crate::messages::Messages;
use crate::progress::grouped;

/// Prints the report of a session's run.
pub fn report(stats: &RunStats, session: &Session, messages: Messages) {
    let run = stats.read();
    let memory = Memory::of(session);
    messages.report("stats", &text(&run, memory), json(&run, memory));
}

#[derive(Clone, Copy, Debug)]
struct Memory {
    limit: u64,
    budget_peak: u64,
    allocator_peak: u64,
    resident_peak: Option<u64>,
}

impl Memory {
    fn of(session: &Session) -> Self {
        Self {
            limit: session.memory_limit() as u64,
            budget_peak: session.memory_peak() as u64,
            allocator_peak: allocator::peak_bytes(),
            resident_peak: resident_peak(),
        }
    }
}

/// The most memory the system ever gave this process. Not `ru_maxrss`: that begins with what the
/// process had that started this one.
fn resident_peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

fn text(run: &StatsReading, memory: Memory) -> String {
    let resident = memory.resident_peak.map_or("unknown".into(), format_bytes);
    let lines = [
        ("wall time", format!("{:.3} s", run.elapsed.as_secs_f64())),
        ("busy time, all threads", format!("{:.3} s", run.busy.as_secs_f64())),
        ("rows read", grouped(run.rows_read)),
        ("bytes read", format_bytes(run.bytes_read)),
        ("partitions", grouped(run.partitions)),
        ("tasks", grouped(run.tasks)),
        ("row groups read", grouped(run.row_groups)),
        ("row groups pruned", grouped(run.row_groups_pruned)),
        ("units skipped", grouped(run.units_skipped)),
        ("spilled", format!("{} in {} chunks", format_bytes(run.bytes_spilled), run.spills)),
        ("memory limit", format_bytes(memory.limit)),
        ("peak memory (budget)", format_bytes(memory.budget_peak)),
        ("peak memory (allocator)", format_bytes(memory.allocator_peak)),
        ("peak memory (resident)", resident),
    ];
    let mut out = String::new();
    for (name, value) in lines {
        out.push_str(&format!("{name:<28} {value}\n"));
    }
    let mut operators: Vec<_> = run.operators.iter().collect();
    operators.sort_by_key(|(name, stats)| (std::cmp::Reverse(stats.busy), *name));
    for (name, stats) in operators {
        let seconds = stats.busy.as_secs_f64();
        let rows = grouped(stats.rows);
        out.push_str(&format!("time in {name:<20} {seconds:.3} s, {rows} rows\n"));
    }
    out
}

fn json(run: &StatsReading, memory: Memory) -> Object {
    let operators = run.operators.iter().map(|(name, stats)| {
        Object::new().text("name", name).seconds("busy_s", stats.busy).number("rows", stats.rows)
    });
    let object = Object::new()
        .seconds("wall_s", run.elapsed)
        .seconds("busy_s", run.busy)
        .number("rows_read", run.rows_read)
        .number("bytes_read", run.bytes_read)
        .number("partitions", run.partitions)
        .number("tasks", run.tasks)
        .number("row_groups_read", run.row_groups)
        .number("row_groups_pruned", run.row_groups_pruned)
        .number("units_skipped", run.units_skipped)
        .number("bytes_spilled", run.bytes_spilled)
        .number("chunks_spilled", run.spills)
        .number("memory_limit", memory.limit)
        .number("budget_peak", memory.budget_peak)
        .number("allocator_peak", memory.allocator_peak);
    let object = match memory.resident_peak {
        Some(bytes) => object.number("resident_peak", bytes),
        None => object,
    };
    object.objects("operators", operators)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn example() -> (StatsReading, Memory) {
        let operator = dframe::OperatorStats { busy: Duration::from_millis(1500), rows: 1000 };
        let run = StatsReading {
            elapsed: Duration::from_millis(2250),
            rows_read: 1_234_567,
            bytes_spilled: 2048,
            spills: 2,
            operators: [("filter", operator)].into(),
            ..StatsReading::default()
        };
        let memory = Memory {
            limit: 1 << 30,
            budget_peak: 1 << 20,
            allocator_peak: 2 << 20,
            resident_peak: None,
        };
        (run, memory)
    }

    #[test]
    fn the_text_has_a_line_per_subject() {
        let (run, memory) = example();
        let text = text(&run, memory);
        for line in [
            "wall time                    2.250 s",
            "rows read                    1,234,567",
            "spilled                      2.0 KiB in 2 chunks",
            "peak memory (allocator)      2.0 MiB",
            "peak memory (resident)       unknown",
            "time in filter               1.500 s, 1,000 rows",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn the_object_has_numbers() {
        let (run, memory) = example();
        let line = json(&run, memory).finish();
        assert!(line.contains(r#""wall_s":2.250000,"#), "{line}");
        let last = r#""operators":[{"name":"filter","busy_s":1.500000,"rows":1000}]}"#;
        assert!(line.ends_with(last), "{line}");
    }

    #[test]
    fn this_process_is_resident() {
        assert!(resident_peak().is_none_or(|bytes| bytes > 1 << 20));
    }
}
