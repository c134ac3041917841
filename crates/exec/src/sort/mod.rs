//! External merge sort: sorted runs per partition, merged by ranges of the key, in parallel.
//!
//! ```text
//!   partition --> SortRun --> run, index      a run: batches in order, in memory or spilled
//!   partition --> SortRun --> run, index      an index: the first key of each batch
//!                               |
//!            indexes --> cuts --+--> range 0: MergeRuns --> batches    a task per range of keys
//!                               +--> range 1: MergeRuns --> batches
//! ```
//!
//! | file | question it answers |
//! |---|---|
//! | `keys` | what is compared, and how do two rows compare? |
//! | `order` | in which order do these rows come? |
//! | `packing` | how do keys become as few bits as their values need? |
//! | `gather` | copies of rows in that order |
//! | `run` | rows of one task, in order, in pieces that fit |
//! | `merge` | runs to one stream, with bounded fan-in |
//! | `ranges` | where runs are cut, so that several tasks can merge |
//! | `threshold` | which rows cannot be among the first any more? |
//! | `first_units` | which units of a scan cannot, by their statistics? |
//! | `external` | all of that within one task |
//!
//! Equal rows keep the order of the input: runs are numbered in that order. A limit cuts every run, so
//! that the first `k` rows of a large input need memory for `k` rows only. Nothing here knows stages.

mod external;
mod first_rows;
mod first_units;
mod gather;
mod keys;
mod merge;
mod order;
mod packing;
mod ranges;
mod run;
mod threshold;

use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use dframe_core::Result;
use dframe_expr::{BoundExpr, Expr, SortKey, bind};

pub(crate) use external::{ExternalSort, sorted_bucket};
pub(crate) use first_rows::FirstRows;
pub(crate) use first_units::FirstUnits;
pub(crate) use keys::canonical;
pub(crate) use merge::{MergeRuns, RunSlice};
pub(crate) use ranges::MergeRanges;
pub(crate) use run::{RUN_TAG, SortRun};
pub(crate) use threshold::Threshold;

/// What to sort by, bound to the input.
#[derive(Debug)]
pub(crate) struct SortSpec {
    /// The first key, before it was bound.
    first: Option<Expr>,
    /// The keys.
    pub(crate) keys: Vec<BoundExpr>,
    /// The direction and the place of NULLs, per key.
    pub(crate) options: Vec<SortOptions>,
    /// Only the first so many rows are wanted.
    pub(crate) limit: Option<u64>,
    /// Memory that a task may use to make or merge runs.
    pub(crate) run_memory: usize,
    /// The columns.
    pub(crate) schema: SchemaRef,
    /// With a limit: what the first keys of rows must not come after.
    pub(crate) threshold: Threshold,
}

impl SortSpec {
    /// Sorts rows of `schema` by `keys`. NULLs inside of nested values come after all other values, wherever NULL
    /// itself comes (as in PostgreSQL and DuckDB).
    pub(crate) fn new(
        keys: &[SortKey],
        limit: Option<u64>,
        run_memory: usize,
        schema: SchemaRef,
    ) -> Result<Self> {
        let spec = Self::in_layout(keys, run_memory, &schema, schema.clone())?;
        Ok(Self { limit, ..spec })
    }

    /// As [`SortSpec::new`], for rows of `layout`, whose first columns are those of `schema`, which keys name.
    pub(crate) fn in_layout(
        keys: &[SortKey],
        run_memory: usize,
        schema: &SchemaRef,
        layout: SchemaRef,
    ) -> Result<Self> {
        let mut spec = Self {
            first: keys.first().map(|key| key.expr.clone()),
            keys: vec![],
            options: vec![],
            limit: None,
            run_memory,
            schema: layout,
            threshold: Threshold::default(),
        };
        for SortKey { expr, descending, nulls_first } in keys {
            let (bound, descending) = (bind(expr, schema)?, *descending);
            let mut options = SortOptions { descending, nulls_first: *nulls_first };
            if bound.data_type().is_nested() {
                let null_or_not = SortOptions { descending: *nulls_first, nulls_first: false };
                spec.keys.push(bind(&expr.clone().is_null(), schema)?);
                spec.options.push(null_or_not);
                options.nulls_first = descending;
            }
            spec.keys.push(bound);
            spec.options.push(options);
        }
        Ok(spec)
    }
}
