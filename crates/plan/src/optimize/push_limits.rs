//! Limits move towards the rows: past projections, into sorts (which then keep the top only) and into
//! scans (which then stop early).
//!
//! ```text
//!   Limit limit=10                         Project a * 2 AS x
//!     Project a * 2 AS x                     Sort a DESC limit=10
//!       Sort a DESC                            Scan
//!         Scan
//! ```

use std::sync::Arc;

use dframe_core::Result;

use crate::logical::{LogicalPlan, Scan};

/// Pushes limits down.
pub(super) fn apply(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.rewrite_down(&mut |node| Ok(push(node)))
}

fn push(plan: LogicalPlan) -> LogicalPlan {
    let LogicalPlan::Limit { input, offset, limit } = plan else { return plan };
    let needed = limit.map(|limit| offset.saturating_add(limit));
    match (Arc::unwrap_or_clone(input), needed) {
        (LogicalPlan::Limit { input, offset: inner_offset, limit: inner }, _) => {
            let left = inner.map(|inner| inner.saturating_sub(offset));
            let limit = smaller(limit, left);
            push(LogicalPlan::Limit { input, offset: offset.saturating_add(inner_offset), limit })
        }
        (LogicalPlan::Project { input, exprs, schema }, _) => {
            let input = Arc::new(LogicalPlan::Limit { input, offset, limit });
            LogicalPlan::Project { input, exprs, schema }
        }
        (LogicalPlan::Sort { input, keys, limit: top }, Some(needed)) => {
            let sort = LogicalPlan::Sort { input, keys, limit: smaller(top, Some(needed)) };
            over(sort, offset, limit.filter(|_| offset > 0))
        }
        (LogicalPlan::Scan(scan), Some(needed)) if scan.filters.is_empty() => {
            let known = smaller(scan.limit, Some(needed));
            over(LogicalPlan::Scan(Scan { limit: known, ..scan }), offset, limit)
        }
        (other, _) => over(other, offset, limit),
    }
}

/// The smaller of two limits, where absence is no limit.
fn smaller(left: Option<u64>, right: Option<u64>) -> Option<u64> {
    left.into_iter().chain(right).min()
}

fn over(plan: LogicalPlan, offset: u64, limit: Option<u64>) -> LogicalPlan {
    match (offset, limit) {
        (0, None) => plan,
        (offset, limit) => LogicalPlan::Limit { input: Arc::new(plan), offset, limit },
    }
}
