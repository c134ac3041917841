//! Exchange: rows cut into buckets by the hash of their keys, so that equal keys meet in one task.
//!
//! ```text
//!   batch --> columns | computed keys | [position] --gather a few MiB--> scatter --> a part, by bucket
//! ```
//!
//! Keys that are columns already are not copied. Rows of one task keep their order within a bucket;
//! positions tell the order of rows of several tasks. What is done with a bucket, it does not know.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use dframe_core::{Reservation, Result};
use dframe_expr::{BoundExpr, plain_type};
use dframe_plan::ScannedBatch;
use dframe_runtime::{Chunk, Part, TaskContext, batch_bytes};

use crate::fold::{Fold, halves, keep};
use crate::group::{Radix, SCATTER_ROW_BYTES, scatter};
use crate::join::KeyFilter;
use crate::pipeline::batch_of;

/// Whether rows carry their position in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowOrder {
    /// As a last column, `position`.
    Kept,
    /// No: nobody asks.
    Forgotten,
}

/// How rows are cut.
#[derive(Clone, Debug)]
pub(crate) struct ExchangeSpec {
    /// The columns of the input.
    input: SchemaRef,
    /// Keys that are computed, and put behind the columns.
    computed: Vec<BoundExpr>,
    /// Where the keys are in the layout.
    keys: Vec<usize>,
    order: RowOrder,
    buckets: u32,
    layout: SchemaRef,
}

impl ExchangeSpec {
    /// Cuts rows of `schema` by `keys` into `buckets` buckets, a power of two.
    pub(crate) fn new(
        schema: &SchemaRef,
        keys: Vec<BoundExpr>,
        order: RowOrder,
        buckets: u32,
    ) -> Self {
        let mut fields: Vec<Field> = schema.fields().iter().map(|f| f.as_ref().clone()).collect();
        let (mut computed, mut places) = (Vec::new(), Vec::new());
        for key in keys {
            if let Some(column) = key.as_column() {
                places.push(column);
                continue;
            }
            places.push(fields.len());
            let data_type = plain_type(key.data_type()).clone();
            fields.push(Field::new(format!("key{}", computed.len()), data_type, true));
            computed.push(key);
        }
        if order == RowOrder::Kept {
            fields.push(Field::new("position", DataType::UInt64, false));
        }
        let layout = Arc::new(Schema::new(fields));
        Self { input: schema.clone(), computed, keys: places, order, buckets, layout }
    }

    /// The same rows, not cut.
    pub(crate) fn in_one_bucket(&self) -> Self {
        Self { buckets: 1, ..self.clone() }
    }

    /// The columns of the rows that come out: those of the input, computed keys, and the position.
    pub(crate) fn layout(&self) -> &SchemaRef {
        &self.layout
    }

    /// Where each key is in the layout.
    pub(crate) fn keys(&self) -> &[usize] {
        &self.keys
    }

    /// The column of the input that key `key` is, and the type that it is widened to.
    pub(crate) fn key_column(&self, key: usize) -> Option<(usize, &DataType)> {
        let place = self.keys[key];
        match place.checked_sub(self.columns()) {
            Some(computed) => self.computed[computed].as_widened_column(),
            None => Some((place, plain_type(self.input.field(place).data_type()))),
        }
    }

    /// The number of buckets.
    pub(crate) fn buckets(&self) -> u32 {
        self.buckets
    }

    /// Whether rows carry their positions.
    pub(crate) fn keeps_order(&self) -> bool {
        self.order == RowOrder::Kept
    }

    /// The number of the input's columns, which come first in the layout.
    pub(crate) fn columns(&self) -> usize {
        self.input.fields().len()
    }

    /// The input's columns of rows in the layout.
    pub(crate) fn without_keys(&self, columns: &[ArrayRef], rows: usize) -> Result<RecordBatch> {
        batch_of(&self.input, columns[..self.columns()].to_vec(), rows)
    }

    /// The keys of rows in the layout.
    pub(crate) fn keys_of(&self, batch: &RecordBatch) -> Vec<ArrayRef> {
        self.keys.iter().map(|key| batch.column(*key).clone()).collect()
    }

    /// A batch of the input in the layout.
    pub(crate) fn lay_out(&self, batch: ScannedBatch) -> Result<RecordBatch> {
        let ScannedBatch { rows, position } = batch;
        let mut columns = rows.columns().to_vec();
        for key in &self.computed {
            columns.push(key.evaluate_array(&rows)?);
        }
        if self.order == RowOrder::Kept {
            let positions = position..position + rows.num_rows() as u64;
            columns.push(Arc::new(UInt64Array::from_iter_values(positions)) as ArrayRef);
        }
        batch_of(&self.layout, columns, rows.num_rows())
    }
}

/// Cuts the rows of one task.
pub(crate) struct Exchange {
    spec: Arc<ExchangeSpec>,
    noting: Option<Arc<KeyFilter>>,
    cutter: RowCutter,
    parts: Vec<Arc<Part>>,
}

impl Exchange {
    /// Nothing cut yet; keys are noted in `noting`.
    pub(crate) fn new(
        spec: &Arc<ExchangeSpec>,
        noting: Option<&Arc<KeyFilter>>,
        context: &TaskContext,
    ) -> Self {
        let cutter = RowCutter::new(0, spec.keys.clone(), Radix::first(spec.buckets), context);
        Self { spec: spec.clone(), noting: noting.cloned(), cutter, parts: Vec::new() }
    }
}

impl Fold for Exchange {
    fn push(&mut self, batch: ScannedBatch, context: &TaskContext) -> Result<bool> {
        let rows = self.spec.lay_out(batch)?;
        if let Some(filter) = &self.noting {
            filter.note(&rows, context)?;
        }
        self.parts.extend(self.cutter.push(rows, context)?);
        Ok(true)
    }

    fn give_way(&mut self, context: &TaskContext) -> Result<()> {
        self.parts.extend(self.cutter.flush(context)?);
        Ok(())
    }

    fn finish(mut self: Box<Self>, context: &TaskContext) -> Result<Chunk> {
        self.parts.extend(self.cutter.flush(context)?);
        Ok(Chunk::new(self.parts))
    }
}

const PURPOSE: &str = "cutting rows by key";
/// Rows that are cut at once.
const ROWS_MAX: usize = 512 * 1024;
/// Memory that rows and cutting them may need before they are cut, at most.
const BYTES_MAX: usize = 256 << 20;
/// One part in so many of the memory limit is as much: what is held here cannot be spilled, and the reads of all
/// tasks want their share.
const MEMORY_SHARE: usize = 16;

/// Gathers rows until cutting them is worth while: many small cuts make many small batches.
pub(crate) struct RowCutter {
    tag: u32,
    keys: Vec<usize>,
    radix: Radix,
    batches: Vec<RecordBatch>,
    bytes_max: usize,
    held: Reservation,
}

impl RowCutter {
    /// Cuts by the columns `keys` into parts tagged `tag`.
    pub(crate) fn new(tag: u32, keys: Vec<usize>, radix: Radix, context: &TaskContext) -> Self {
        let bytes_max = (context.budget.limit() / MEMORY_SHARE).min(BYTES_MAX);
        let held = context.budget.reservation();
        Self { tag, keys, radix, batches: Vec::new(), bytes_max, held }
    }

    /// Takes rows in; parts when enough have come, or the budget refuses to hold more.
    pub(crate) fn push(
        &mut self,
        batch: RecordBatch,
        context: &TaskContext,
    ) -> Result<Vec<Arc<Part>>> {
        let mut parts = Vec::new();
        self.push_into(&mut parts, batch, context)?;
        Ok(parts)
    }

    fn push_into(
        &mut self,
        parts: &mut Vec<Arc<Part>>,
        batch: RecordBatch,
        context: &TaskContext,
    ) -> Result<()> {
        // Rows of one part are of one encoding.
        if self.batches.first().is_some_and(|first| !same_types(first, &batch)) {
            parts.extend(self.flush(context)?);
        }
        let bytes = cutting_bytes(&batch);
        // Parts that are there go to disk before this one is cut short: small parts make tiny batches.
        if !self.held.grow_if_granted(bytes, PURPOSE)? {
            // What is there can be cut without more memory, and then be spilled for the new rows.
            parts.extend(self.flush(context)?);
            if let Err(refusal) = self.held.grow(bytes, PURPOSE) {
                let mut halves = halves(&batch, refusal)?.into_iter();
                return halves.try_for_each(|half| self.push_into(parts, half, context));
            }
        }
        self.batches.push(batch);
        let rows: usize = self.batches.iter().map(RecordBatch::num_rows).sum();
        if rows >= ROWS_MAX || self.held.bytes() > self.bytes_max {
            parts.extend(self.flush(context)?);
        }
        Ok(())
    }

    /// Hands over the rows so far, if there are any.
    pub(crate) fn flush(&mut self, context: &TaskContext) -> Result<Option<Arc<Part>>> {
        let batches = std::mem::take(&mut self.batches);
        let Some(first) = batches.first() else { return Ok(None) };
        let schema = first.schema();
        let cut = scatter(&batches, &self.keys, self.radix)?;
        drop(batches);
        let part = keep(self.tag, schema, cut, &mut self.held, context)?;
        self.held.shrink(usize::MAX);
        Ok(Some(part))
    }
}

fn same_types(left: &RecordBatch, right: &RecordBatch) -> bool {
    let mut columns = left.columns().iter().zip(right.columns());
    columns.all(|(left, right)| left.data_type() == right.data_type())
}

/// While a batch is cut, there are its rows, a copy of them, and their places.
fn cutting_bytes(batch: &RecordBatch) -> usize {
    2 * batch_bytes(batch) + batch.num_rows() * SCATTER_ROW_BYTES
}
