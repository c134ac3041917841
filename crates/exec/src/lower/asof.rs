//! Lowering an as-of join: both sides are cut by the equal keys, or sorted where there are none.
//!
//! ```text
//!   equal keys      left, right --exchange--> a task per bucket: sort both, merge --> ops, fold --> ...
//!   none            left, right --sort------> a task that merges                  --> ops, fold --> ...
//! ```

use std::sync::Arc;

use dframe_core::{Error, Result};
use dframe_expr::{Expr, SortKey, bind, bind_predicate};
use dframe_plan::node::{Asof, AsofDirection, Join, Node};

use super::join::row_bytes;
use super::{Origin, Planner, Stream};
use crate::asof::{AsofBuckets, AsofSpec, SideSpec};
use crate::exchange::{ExchangeSpec, RowOrder};
use crate::shuffle::{BucketInputs, StreamOrigin};
use crate::sort::SortSpec;
use crate::stage::StageTasks;

/// While a bucket is sorted there are the rows, their keys and a copy in order.
const SORTING_COPIES: u64 = 3;

impl Planner<'_> {
    /// The rows of `join`, which is one as of an ordered key.
    pub(super) fn asof_join(&mut self, join: &Join, asof: Asof) -> Result<Stream> {
        let left = self.stream(&join.left)?;
        let left = self.without_tail(left)?;
        let right = self.stream(&join.right)?;
        let right = self.without_tail(right)?;
        let rows = left.rows;
        let width = row_bytes(&left.schema).max(row_bytes(&right.schema));
        let buckets = match join.on.keys.len() {
            1 => 1,
            _ => self.buckets_for(left.rows.max(right.rows), SORTING_COPIES * width),
        };
        let (of_left, of_right): (Vec<Expr>, Vec<Expr>) = join.on.keys.iter().cloned().unzip();
        let measured = asof.direction == AsofDirection::Nearest;
        let (left, left_side) = self.asof_side(left, &of_left, buckets, measured)?;
        let (right, right_side) = self.asof_side(right, &of_right, buckets, measured)?;
        let (pairs, condition) = (join.pair_schema(), join.on.condition.as_ref());
        let spec = AsofSpec {
            asof,
            keeps_left: join.on.kind.keeps_left(),
            sides: [left_side, right_side],
            condition: condition.map(|condition| bind_predicate(condition, pairs)).transpose()?,
            output: join.schema(),
        };
        let work = Arc::new(AsofBuckets(Arc::new(spec)));
        let origin =
            StreamOrigin { inputs: BucketInputs::Buckets(vec![left, right], buckets), work };
        Ok(Stream::of(Origin::Buckets(origin), join.schema(), rows))
    }

    fn asof_side(
        &mut self,
        stream: Stream,
        keys: &[Expr],
        buckets: u32,
        measured: bool,
    ) -> Result<(StageTasks, SideSpec)> {
        let schema = stream.schema.clone();
        let (on, by) =
            keys.split_last().ok_or_else(|| Error::internal("an as-of join has an ordered key"))?;
        let columns = schema.fields().len();
        let by = by.iter().map(|key| bind(key, &schema)).collect::<Result<Vec<_>>>()?;
        let order: Vec<SortKey> = keys.iter().cloned().map(SortKey::ascending).collect();
        let (input, sort) = if by.is_empty() {
            let sorted = self.sort(stream, &order, None)?;
            let sorted = self.without_tail(sorted)?;
            let stage = self.collect(sorted)?;
            (self.tasks_of(stage), None)
        } else {
            let exchange =
                Arc::new(ExchangeSpec::new(&schema, by.clone(), RowOrder::Forgotten, buckets));
            // Two sides are sorted in a task at once.
            let memory = self.task_memory() / 2;
            let sort = SortSpec::in_layout(&order, memory, &schema, exchange.layout().clone())?;
            (self.exchange(stream, exchange)?, Some(Arc::new(sort)))
        };
        let on = bind(on, &schema)?;
        Ok((input, SideSpec { sort, by, on, columns, measured }))
    }
}
