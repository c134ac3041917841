//! Limits move towards the rows: past projections, into sorts (which then keep the top only) and into
//! scans (which then stop early, and begin at the offset).
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
use crate::skip_rows::SkipRows;

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
        (LogicalPlan::Scan(scan), needed) if scan.filters.is_empty() => {
            limit_scan(scan, offset, limit, needed)
        }
        (other, _) => over(other, offset, limit),
    }
}

/// The scan of what is needed; where its source can, it begins at the offset.
fn limit_scan(scan: Scan, offset: u64, limit: Option<u64>, needed: Option<u64>) -> LogicalPlan {
    let rest = match (offset, scan.limit) {
        (0, _) | (_, Some(_)) => None,
        (offset, None) => SkipRows::of(&scan.source, offset),
    };
    match rest {
        Some(source) => over(LogicalPlan::Scan(Scan { source, limit, ..scan }), 0, limit),
        None => {
            let known = smaller(scan.limit, needed);
            over(LogicalPlan::Scan(Scan { limit: known, ..scan }), offset, limit)
        }
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
