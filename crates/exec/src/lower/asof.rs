//! Lowering an as-of join: the right side is shared, or both are cut by the equal keys, or sorted where there are none.
//!
//! ```text
//!   right side small   right --collect--> chunks --> an index;   left --ops, look up, ops, fold--> ...
//!   equal keys      left, right --exchange--> a task per bucket: sort both, merge --> ops, fold --> ...
//!   none            left, right --sort------> a task that merges                  --> ops, fold --> ...
//! ```

use std::sync::Arc;

use dframe_core::{Error, Result};
use dframe_expr::{Expr, SortKey, bind, bind_predicate};
use dframe_plan::node::{Asof, AsofDirection, Join, Node};

use super::divisions::units;
use super::join::row_bytes;
use super::{Origin, Planner, Stream};
use crate::asof::{
    AsofBuckets, AsofSpec, INDEX_COPIES, INDEX_ROW_BYTES, LookUpPartners, RightIndex, SideSpec,
};
use crate::exchange::{ExchangeSpec, RowOrder};
use crate::shuffle::{BucketInputs, StreamOrigin};
use crate::sort::SortSpec;
use crate::stage::StageTasks;

/// One part in so many of the memory may be an index that all tasks share: unlike a join's table, what is looked up in it
/// one after the other lies side by side, so that it need not fit the cache.
const INDEX_SHARE: u64 = 8;
/// Bytes are taken for so many times as many when they are decompressed and decoded.
const INFLATION: u64 = 3;
/// Rows of an index are numbered by 32 bits.
const INDEX_ROWS_MAX: u64 = u32::MAX as u64 - 1;
/// While a bucket is sorted there are the rows, their keys and a copy in order.
const SORTING_COPIES: u64 = 3;

impl Planner<'_> {
    /// The rows of `join`, which is one as of an ordered key.
    pub(super) fn asof_join(&mut self, join: &Join, asof: Asof) -> Result<Stream> {
        let left = self.stream(&join.left)?;
        let left = self.without_tail(left)?;
        let right = self.stream(&join.right)?;
        let mut right = self.without_tail(right)?;
        if let Some(spec) = self.asof_index(join, asof, &left, &mut right)? {
            let index = Arc::new(RightIndex::new(Arc::new(spec)));
            let made = self.shared(right, index.clone())?;
            return Ok(left.mapped(LookUpPartners::new(index, made)));
        }
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
        let spec = asof_spec(join, asof, [left_side, right_side])?;
        let work = Arc::new(AsofBuckets(Arc::new(spec)));
        let origin =
            StreamOrigin { inputs: BucketInputs::Buckets(vec![left, right], buckets), work };
        Ok(Stream::of(Origin::Buckets(origin), join.schema(), rows))
    }

    /// The join by an index of the right side, if that is small enough for all tasks to share it.
    fn asof_index(
        &self,
        join: &Join,
        asof: Asof,
        left: &Stream,
        right: &mut Stream,
    ) -> Result<Option<AsofSpec>> {
        if right.rows > INDEX_ROWS_MAX || !self.fits_index(right, 0) {
            return Ok(None);
        }
        // Texts may be longer than they are taken for, which the bytes of a scan show.
        let read = match self.planned(right)? {
            Some(planned) => units(&planned.partitions).iter().map(|unit| unit.fetch_bytes).sum(),
            None => 0,
        };
        if !self.fits_index(right, read * INFLATION) {
            return Ok(None);
        }
        let (of_left, of_right): (Vec<Expr>, Vec<Expr>) = join.on.keys.iter().cloned().unzip();
        let sides = [side_in_place(left, &of_left)?, side_in_place(right, &of_right)?];
        match sides.iter().all(RightIndex::takes) {
            true => asof_spec(join, asof, sides).map(Some),
            false => Ok(None),
        }
    }

    /// Whether an index of the rows of `right`, which take so many bytes at least, is small enough.
    fn fits_index(&self, right: &Stream, bytes: u64) -> bool {
        let bytes = right.rows.saturating_mul(row_bytes(&right.schema)).max(bytes);
        let places = right.rows.saturating_mul(INDEX_ROW_BYTES);
        let needed = bytes.saturating_mul(INDEX_COPIES).saturating_add(places);
        needed <= self.options.memory as u64 / INDEX_SHARE
    }

    fn asof_side(
        &mut self,
        stream: Stream,
        keys: &[Expr],
        buckets: u32,
        measured: bool,
    ) -> Result<(StageTasks, SideSpec)> {
        let schema = stream.schema.clone();
        let side = side_in_place(&stream, keys)?;
        let order: Vec<SortKey> = keys.iter().cloned().map(SortKey::ascending).collect();
        let (input, sort) = if side.by.is_empty() {
            let sorted = self.sort(stream, &order, None)?;
            let sorted = self.without_tail(sorted)?;
            let stage = self.collect(sorted)?;
            (self.tasks_of(stage), None)
        } else {
            let exchange =
                Arc::new(ExchangeSpec::new(&schema, side.by.clone(), RowOrder::Forgotten, buckets));
            // Two sides are sorted in a task at once.
            let memory = self.task_memory() / 2;
            let sort = SortSpec::in_layout(&order, memory, &schema, exchange.layout().clone())?;
            (self.exchange(stream, exchange)?, Some(Arc::new(sort)))
        };
        Ok((input, SideSpec { sort, measured, ..side }))
    }
}

/// A side whose rows stay as they are.
fn side_in_place(stream: &Stream, keys: &[Expr]) -> Result<SideSpec> {
    let (on, by) =
        keys.split_last().ok_or_else(|| Error::internal("an as-of join has an ordered key"))?;
    let schema = &stream.schema;
    let by = by.iter().map(|key| bind(key, schema)).collect::<Result<Vec<_>>>()?;
    let (on, columns) = (bind(on, schema)?, schema.fields().len());
    Ok(SideSpec { sort: None, by, on, columns, measured: false })
}

fn asof_spec(join: &Join, asof: Asof, sides: [SideSpec; 2]) -> Result<AsofSpec> {
    let (pairs, condition) = (join.pair_schema(), join.on.condition.as_ref());
    Ok(AsofSpec {
        asof,
        keeps_left: join.on.kind.keeps_left(),
        sides,
        condition: condition.map(|condition| bind_predicate(condition, pairs)).transpose()?,
        output: join.schema(),
    })
}
