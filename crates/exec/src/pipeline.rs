//! Blockwise operators, fused: a chain of them runs inside one task, batch by batch.
//!
//! ```text
//!   decoded batch -> [filter] -> [project] -> [expand] -> Fold (collect, aggregate, sort run)
//! ```
//!
//! A batch is taken through the whole chain before the next one is decoded, so it stays in the cache.
//! Nothing here reads, spills or knows how many tasks there are.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int32Array, RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use dframe_core::Result;
use dframe_expr::BoundExpr;
use dframe_plan::ScannedBatch;

use crate::join::LookUp;
use crate::stage::StageTasks;

/// A blockwise operator.
#[derive(Clone, Debug)]
pub(crate) enum BlockOp {
    /// Keeps the rows for which the condition is true.
    Filter(BoundExpr),
    /// An expression per output column.
    Project {
        /// The columns.
        exprs: Vec<BoundExpr>,
        /// Their names and logical types.
        schema: SchemaRef,
    },
    /// Each batch so many times, with the number of the copy as a last column.
    Expand {
        /// The number of copies.
        copies: i32,
    },
    /// What a join makes of each row, by what tasks share of its other side.
    Probe(Arc<dyn LookUp>, StageTasks),
    /// What an operator in a file of its own makes of each batch.
    Map(Arc<dyn BlockMap>),
}

/// How many rows come out of an operator, and so what positions of rows are worth after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowChange {
    /// A row for each row: it stays at its place.
    None,
    /// Some of the rows, in order: positions only tell the order.
    Fewer,
    /// More rows: positions of different batches overlap.
    More,
}

/// An operator that looks at one batch at a time.
pub(crate) trait BlockMap: Debug + Send + Sync {
    /// What it is called in plans.
    fn name(&self) -> &'static str;

    /// The columns that come out.
    fn schema(&self) -> &SchemaRef;

    /// How many rows come out of those that go in.
    fn row_change(&self) -> RowChange {
        RowChange::Fewer
    }

    /// The stage that must have run before.
    fn after(&self) -> Option<StageTasks> {
        None
    }

    /// Hands what becomes of `batch` to `emit`, in pieces of bounded size; `emit` says whether more is wanted, and so
    /// does what comes back.
    fn map(
        &self,
        batch: &ScannedBatch,
        emit: &mut dyn FnMut(RecordBatch) -> Result<bool>,
    ) -> Result<bool>;
}

/// The name of the column that [`BlockOp::Expand`] adds.
pub(crate) const COPY_COLUMN: &str = "__copy";

impl BlockOp {
    /// The stage that must have run before.
    pub(crate) fn after(&self) -> Option<StageTasks> {
        match self {
            BlockOp::Probe(_, stage) => Some(*stage),
            BlockOp::Map(map) => map.after(),
            _ => None,
        }
    }

    /// How many rows come out of those that go in.
    pub(crate) fn row_change(&self) -> RowChange {
        match self {
            BlockOp::Project { .. } => RowChange::None,
            BlockOp::Filter(_) | BlockOp::Expand { .. } => RowChange::Fewer,
            BlockOp::Probe(table, _) => table.row_change(),
            BlockOp::Map(map) => map.row_change(),
        }
    }

    /// What it is called in plans.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            BlockOp::Filter(_) => "filter",
            BlockOp::Project { .. } => "project",
            BlockOp::Expand { .. } => "expand",
            BlockOp::Probe(table, _) => table.name(),
            BlockOp::Map(map) => map.name(),
        }
    }
}

/// Takes `batch` through `ops` and hands what comes out to `consume`, which says whether to go on.
pub(crate) fn run(
    ops: &[BlockOp],
    batch: ScannedBatch,
    consume: &mut dyn FnMut(ScannedBatch) -> Result<bool>,
) -> Result<bool> {
    let Some((op, rest)) = ops.split_first() else { return consume(batch) };
    let position = batch.position;
    match op {
        BlockOp::Filter(predicate) => match filter(predicate, &batch.rows)? {
            Some(rows) => run(rest, ScannedBatch { rows, position }, consume),
            None => Ok(true),
        },
        BlockOp::Project { exprs, schema } => {
            let rows = project(exprs, schema, &batch.rows)?;
            run(rest, ScannedBatch { rows, position }, consume)
        }
        BlockOp::Expand { copies } => {
            for copy in 0..*copies {
                let rows = with_copy_column(&batch.rows, copy)?;
                if !run(rest, ScannedBatch { rows, position }, consume)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        BlockOp::Probe(table, _) => {
            table.look_up(batch, &mut |rows| run(rest, ScannedBatch { rows, position }, consume))
        }
        BlockOp::Map(map) => {
            map.map(&batch, &mut |rows| run(rest, ScannedBatch { rows, position }, consume))
        }
    }
}

/// The rows for which `predicate` is true; `None` if there are none.
fn filter(predicate: &BoundExpr, rows: &RecordBatch) -> Result<Option<RecordBatch>> {
    let mask = predicate.holds(rows)?;
    match mask.true_count() {
        0 => Ok(None),
        all if all == rows.num_rows() => Ok(Some(rows.clone())),
        _ => Ok(Some(filter_record_batch(rows, &mask)?)),
    }
}

fn project(exprs: &[BoundExpr], schema: &SchemaRef, rows: &RecordBatch) -> Result<RecordBatch> {
    let columns = exprs.iter().map(|expr| expr.evaluate_array(rows)).collect::<Result<Vec<_>>>()?;
    batch_of(schema, columns, rows.num_rows())
}

/// A batch of `columns` named as in `schema`, with the types (dictionary or not) that they have.
pub(crate) fn batch_of(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch> {
    let as_planned = schema
        .fields()
        .iter()
        .zip(&columns)
        .all(|(field, column)| field.data_type() == column.data_type() && field.is_nullable());
    let schema = if as_planned { schema.clone() } else { physical_schema(schema, &columns) };
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
}

fn physical_schema(schema: &SchemaRef, columns: &[ArrayRef]) -> SchemaRef {
    let field = |(field, column): (&Arc<Field>, &ArrayRef)| {
        Field::new(field.name(), column.data_type().clone(), true)
            .with_metadata(field.metadata().clone())
    };
    let fields: Vec<Field> = schema.fields().iter().zip(columns).map(field).collect();
    Arc::new(Schema::new(fields))
}

fn with_copy_column(rows: &RecordBatch, copy: i32) -> Result<RecordBatch> {
    let mut fields = rows.schema().fields().to_vec();
    fields.push(Arc::new(Field::new(COPY_COLUMN, arrow::datatypes::DataType::Int32, false)));
    let mut columns = rows.columns().to_vec();
    columns.push(Arc::new(Int32Array::from_value(copy, rows.num_rows())));
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}
