//! What a task does with the batches that come out of its pipeline.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use dframe_core::{Error, ErrorKind, Reservation, Result};
use dframe_expr::plain;
use dframe_plan::ScannedBatch;
use dframe_runtime::{Chunk, Part, TaskContext, batch_bytes};

use crate::pipeline::batch_of;

/// Folds batches into a chunk.
pub(crate) trait Fold: Send {
    /// Takes a batch in, and says whether more are wanted.
    fn push(&mut self, batch: ScannedBatch, context: &TaskContext) -> Result<bool>;

    /// Makes parts, which can be spilled, of what is held so far.
    fn give_way(&mut self, context: &TaskContext) -> Result<()>;

    /// The chunk.
    fn finish(self: Box<Self>, context: &TaskContext) -> Result<Chunk>;
}

/// Keeps the batches as they are, at most so many rows of them.
pub(crate) struct Collect {
    schema: SchemaRef,
    wanted: u64,
    batches: Vec<(u32, RecordBatch)>,
    parts: Vec<Arc<Part>>,
    held: Reservation,
}

impl Collect {
    /// Keeps the first `limit` rows, or all.
    pub(crate) fn new(schema: SchemaRef, limit: Option<u64>, context: &TaskContext) -> Self {
        Self {
            schema,
            wanted: limit.unwrap_or(u64::MAX),
            batches: Vec::new(),
            parts: Vec::new(),
            held: context.budget.reservation(),
        }
    }

    fn close_part(&mut self, context: &TaskContext) {
        if !self.batches.is_empty() {
            let held = self.held.split(usize::MAX);
            let batches = std::mem::take(&mut self.batches);
            self.parts.push(Part::new(&context.store, 0, self.schema.clone(), batches, held));
        }
    }
}

/// Batches held back in a task before they become a part that can be spilled.
const PART_BYTES: usize = 8 << 20;

impl Fold for Collect {
    fn push(&mut self, batch: ScannedBatch, context: &TaskContext) -> Result<bool> {
        let rows = as_planned(&batch.rows, &self.schema)?;
        let rows = match usize::try_from(self.wanted) {
            Ok(wanted) if wanted < rows.num_rows() => rows.slice(0, wanted),
            _ => rows,
        };
        self.wanted -= rows.num_rows() as u64;
        if rows.num_rows() > 0 {
            let bytes = batch_bytes(&rows);
            if !self.held.try_grow(bytes) {
                self.close_part(context);
                let (schema, batches) = (self.schema.clone(), vec![(0, rows)]);
                self.parts.push(keep(0, schema, batches, &mut self.held, context)?);
                return Ok(self.wanted > 0);
            }
            self.batches.push((0, rows));
            if self.held.bytes() > PART_BYTES {
                self.close_part(context);
            }
        }
        Ok(self.wanted > 0)
    }

    fn give_way(&mut self, context: &TaskContext) -> Result<()> {
        self.close_part(context);
        Ok(())
    }

    fn finish(mut self: Box<Self>, context: &TaskContext) -> Result<Chunk> {
        self.close_part(context);
        Ok(Chunk::new(self.parts))
    }
}

/// `batch` with the logical types of `schema`: dictionary encoding is taken off.
pub(crate) fn as_planned(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields());
    let column =
        |(column, field): (&arrow::array::ArrayRef, &Arc<arrow::datatypes::Field>)| match column
            .data_type()
            == field.data_type()
        {
            true => Ok(column.clone()),
            false => plain(column),
        };
    batch_of(schema, columns.map(column).collect::<Result<_>>()?, batch.num_rows())
}

/// The halves of a batch that the budget has refused as a whole, to go on with one after the other.
///
/// # Errors
/// The refusal, if it is not the budget's, or one row was refused.
pub(crate) fn halves(batch: &RecordBatch, refusal: Error) -> Result<[RecordBatch; 2]> {
    let rows = batch.num_rows();
    match refusal.kind() == ErrorKind::OverBudget && rows > 1 {
        true => Ok([batch.slice(0, rows / 2), batch.slice(rows / 2, rows - rows / 2)]),
        false => Err(refusal),
    }
}

/// A part of `batches` that takes over as much of `held` as they need, or goes to disk at once.
pub(crate) fn keep(
    tag: u32,
    schema: SchemaRef,
    batches: Vec<(u32, RecordBatch)>,
    held: &mut Reservation,
    context: &TaskContext,
) -> Result<Arc<Part>> {
    let bytes = batches.iter().map(|(_, batch)| batch_bytes(batch)).sum();
    let missing = bytes - held.bytes().min(bytes);
    if held.grow_if_granted(missing, "results of a task")? {
        return Ok(Part::new(&context.store, tag, schema, batches, held.split(bytes)));
    }
    let mut writer = context.store.spill_writer(tag, schema)?;
    for (bucket, batch) in batches {
        writer.write(bucket, &batch)?;
    }
    writer.finish()
}
