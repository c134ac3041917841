//! Lowering a shuffle: rows are cut by key in the tasks that make them, and meet again by bucket.
//!
//! ```text
//!   left  --exchange--> chunks, cut by key --+
//!   right --exchange--> chunks, cut by key --+--shuffled--> a task per bucket reads its share of all
//! ```

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use dframe_core::Result;

use super::{Planner, Stream};
use crate::exchange::ExchangeSpec;
use crate::join::KeyFilter;
use crate::shuffle::{BucketInputs, BucketWork, Shuffle};
use crate::stage::{FoldSpec, StageTasks};

/// Buckets, at most: each is a batch of every partition's chunk.
pub(super) const BUCKETS_MAX: u64 = 1024;

impl Planner<'_> {
    /// The rows of `stream`, cut into buckets.
    pub(super) fn exchange(
        &mut self,
        stream: Stream,
        spec: Arc<ExchangeSpec>,
    ) -> Result<StageTasks> {
        let stream = self.without_tail(stream)?;
        self.noting_exchange(stream, spec, None)
    }

    /// As [`Planner::exchange`]; the keys are noted for the other side of a join.
    pub(super) fn noting_exchange(
        &mut self,
        stream: Stream,
        spec: Arc<ExchangeSpec>,
        noting: Option<Arc<KeyFilter>>,
    ) -> Result<StageTasks> {
        let stream = self.without_tail(stream)?;
        let stage = self.fold(stream, FoldSpec::Exchange(spec, noting))?;
        Ok(self.tasks_of(stage))
    }

    /// What `work` makes of each bucket or division of `inputs`: at most `rows` rows, in their order.
    pub(super) fn shuffled(
        &mut self,
        inputs: BucketInputs,
        work: Arc<dyn BucketWork>,
        (schema, rows): (SchemaRef, u64),
    ) -> Stream {
        let stage = self.graph.push(Arc::new(Shuffle { inputs, work }));
        Stream::of_stage(stage, schema, rows)
    }

    /// So many buckets that each fits a worker's share of the memory, and the cache if possible, when
    /// there are `rows` rows that take `row_bytes` each while a bucket is in work.
    pub(super) fn buckets_for(&self, rows: u64, row_bytes: u64) -> u32 {
        let share = self.options.memory as u64 / (4 * self.options.threads.max(1) as u64);
        let bucket_rows = (share / row_bytes.max(1)).clamp(16 * 1024, 512 * 1024);
        let rows = rows.min(1 << 40);
        rows.div_ceil(bucket_rows).next_power_of_two().clamp(1, BUCKETS_MAX) as u32
    }
}
