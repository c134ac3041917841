//! Lowering a join: which side is shared, or how both are cut.
//!
//! ```text
//!   one side small      small --collect--> chunks --> build table;   large --ops, probe, ops, fold--> ...
//!   divisions by a key  left, right --a task each per division--> a task per division: join, ops, fold--> ...
//!   else                left --exchange--+
//!                       right --exchange-+--> a task per bucket: join, ops, fold--> ...
//!   .. one side filtered  its keys are noted while it is cut; the other side is filtered by them before
//! ```

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use dframe_core::Result;
use dframe_expr::{Expr, bind, bind_predicate, plain_type};
use dframe_plan::node::{Join, JoinKind, Node};

use super::{Origin, Planner, Stream};
use crate::exchange::{ExchangeSpec, RowOrder};
use crate::join::{Broadcast, JoinBuckets, JoinSpec, KeyCoder, KeyFilter, Side};
use crate::pipeline::BlockOp;
use crate::shuffle::{BucketInputs, StreamOrigin};
use crate::stage::{BuildShared, SharedBuild, StageTasks};

/// One part in so many of the memory may be a table that all tasks share.
const SHARED_SHARE: u64 = 16;
/// Bytes of such a table, at most: larger ones miss the cache, and cutting both sides is faster.
const SHARED_BYTES_MAX: u64 = 64 << 20;
/// Keys are noted of a side of at most so many times the rows of the other one.
const NOTED_ROWS_SHARE: u64 = 4;
/// Rows of a table, places and keys included, take about so much more than the rows.
const TABLE_ROW_BYTES: u64 = 64;

impl Planner<'_> {
    /// The rows of `join`.
    pub(super) fn join(&mut self, join: &Join) -> Result<Stream> {
        if let Some(asof) = join.on.asof {
            return self.asof_join(join, asof);
        }
        let left = self.stream(&join.left)?;
        let left = self.without_tail(left)?;
        let right = self.stream(&join.right)?;
        let right = self.without_tail(right)?;
        let spec = self.join_spec(join, &left, &right)?;
        match self.shared_side(&spec, &left, &right) {
            Some(Side::Left) => self.broadcast(spec, Side::Left, left, right),
            Some(Side::Right) => self.broadcast(spec, Side::Right, right, left),
            None => self.join_buckets(spec, [left, right]),
        }
    }

    fn join_spec(&self, join: &Join, left: &Stream, right: &Stream) -> Result<JoinSpec> {
        let rows = left.rows.max(right.rows);
        let width = row_bytes(&left.schema).max(row_bytes(&right.schema));
        let buckets = match join.on.keys.is_empty() {
            true => 1,
            false => self.buckets_for(rows, 3 * width + TABLE_ROW_BYTES),
        };
        let side =
            |stream: &Stream, keys: Vec<&Expr>| -> Result<(Arc<ExchangeSpec>, Vec<DataType>)> {
                let keys = keys.into_iter().map(|key| bind(key, &stream.schema));
                let keys = keys.collect::<Result<Vec<_>>>()?;
                let types = keys.iter().map(|key| plain_type(key.data_type()).clone());
                let types: Vec<DataType> = types.collect();
                let spec = ExchangeSpec::new(&stream.schema, keys, RowOrder::Forgotten, buckets);
                Ok((Arc::new(spec), types))
            };
        let (left, types) = side(left, join.on.keys.iter().map(|(left, _)| left).collect())?;
        let (right, _) = side(right, join.on.keys.iter().map(|(_, right)| right).collect())?;
        let pairs = join.pair_schema().clone();
        let condition = join.on.condition.as_ref();
        Ok(JoinSpec {
            kind: join.on.kind,
            condition: condition.map(|condition| bind_predicate(condition, &pairs)).transpose()?,
            sides: [left, right],
            coder: KeyCoder::new(types, join.on.nulls_equal),
            pairs,
            output: join.schema(),
            table_memory: self.task_memory(),
        })
    }

    /// The side that is so small that all tasks can share a table of it, and whose rows need not be kept.
    fn shared_side(&self, spec: &JoinSpec, left: &Stream, right: &Stream) -> Option<Side> {
        let bytes_max = (self.options.memory as u64 / SHARED_SHARE).min(SHARED_BYTES_MAX);
        let bytes = |stream: &Stream| {
            stream.rows.saturating_mul(3 * row_bytes(&stream.schema) + TABLE_ROW_BYTES)
        };
        let can = |side: Side| match side {
            Side::Left => !spec.kind.keeps_left() && spec.kind != JoinKind::Semi,
            Side::Right => !spec.kind.keeps_right(),
        };
        let sizes = [(bytes(left), Side::Left), (bytes(right), Side::Right)];
        let small = sizes.into_iter().filter(|(bytes, side)| *bytes <= bytes_max && can(*side));
        small.min_by_key(|(bytes, _)| *bytes).map(|(_, side)| side)
    }

    fn broadcast(
        &mut self,
        spec: JoinSpec,
        build: Side,
        small: Stream,
        large: Stream,
    ) -> Result<Stream> {
        let rows = large.rows.max(small.rows);
        let output = spec.output.clone();
        let broadcast = Arc::new(Broadcast::new(Arc::new(spec), build));
        let table = self.shared(small, broadcast.clone())?;
        Ok(Stream { rows, ..large.with_op(BlockOp::Probe(broadcast, table), Some(output)) })
    }

    /// The stage that makes what tasks share of the rows of `small`.
    pub(super) fn shared(
        &mut self,
        small: Stream,
        shared: Arc<dyn SharedBuild>,
    ) -> Result<StageTasks> {
        let input = self.collect(small)?;
        Ok(self.shared_of(self.tasks_of(input), shared))
    }

    fn shared_of(&mut self, input: StageTasks, shared: Arc<dyn SharedBuild>) -> StageTasks {
        let stage = self.graph.push(Arc::new(BuildShared { input, shared }));
        StageTasks { stage, tasks: 1 }
    }

    fn join_buckets(&mut self, mut spec: JoinSpec, mut sides: [Stream; 2]) -> Result<Stream> {
        let rows = sides[0].rows.max(sides[1].rows);
        let (schema, buckets) = (spec.output.clone(), spec.sides[0].buckets());
        let noted = noted_side(&spec, &sides);
        // Divisions read all of both sides, which pays where neither or each of them is filtered.
        let lopsided =
            noted.is_some() && sides.iter().filter(|side| side.is_narrowed()).count() == 1;
        let (spec, inputs) =
            if !lopsided && buckets > 1 && self.divide_both(&mut sides, &spec.sides)? {
                spec.sides = spec.sides.map(|side| Arc::new(side.in_one_bucket()));
                let stage = self.alternating(sides, &spec.sides)?;
                (Arc::new(spec), BucketInputs::Divisions { stage, sides: 2 })
            } else {
                let spec = Arc::new(spec);
                let cut = self.exchange_both(&spec, sides, noted)?;
                (spec, BucketInputs::Buckets(cut, buckets))
            };
        let origin = StreamOrigin { inputs, work: Arc::new(JoinBuckets(spec)) };
        Ok(Stream::of(Origin::Buckets(origin), schema, rows))
    }

    /// Both sides cut by key, the other one once the keys of `noted` are known.
    fn exchange_both(
        &mut self,
        spec: &Arc<JoinSpec>,
        [left, right]: [Stream; 2],
        noted: Option<Side>,
    ) -> Result<Vec<StageTasks>> {
        let (noted, narrow, other) = match noted {
            Some(Side::Left) => (Side::Left, left, right),
            Some(Side::Right) => (Side::Right, right, left),
            None => {
                let left = self.exchange(left, spec.sides[0].clone())?;
                return Ok(vec![left, self.exchange(right, spec.sides[1].clone())?]);
            }
        };
        let filter = Arc::new(KeyFilter::new(spec.clone(), noted, narrow.rows));
        let noting = Some(filter.clone());
        let narrow = self.noting_exchange(narrow, spec.side(noted).clone(), noting)?;
        let known = self.shared_of(narrow, filter.clone());
        let other = other.with_op(BlockOp::Probe(filter, known), None);
        let other = self.exchange(other, spec.side(noted.other()).clone())?;
        Ok(if noted == Side::Left { vec![narrow, other] } else { vec![other, narrow] })
    }
}

/// The side of which filters may have left so few rows that their keys are worth noting, if the other side's rows need
/// not be kept.
fn noted_side(spec: &JoinSpec, [left, right]: &[Stream; 2]) -> Option<Side> {
    let can = |side: Side, own: &Stream, other: &Stream| {
        !spec.side(side).keys().is_empty()
            && !spec.keeps(side.other())
            && own.is_narrowed()
            && own.rows / NOTED_ROWS_SHARE <= other.rows
    };
    let sides = [(Side::Left, left, right), (Side::Right, right, left)];
    let sides = sides.into_iter().filter(|(side, own, other)| can(*side, own, other));
    sides.min_by_key(|(_, own, _)| own.rows).map(|(side, ..)| side)
}

/// The bytes of a row, about: texts are taken for short ones.
pub(super) fn row_bytes(schema: &Schema) -> u64 {
    let width = |data_type: &DataType| data_type.primitive_width().unwrap_or(24) as u64;
    schema.fields().iter().map(|field| width(field.data_type())).sum()
}
