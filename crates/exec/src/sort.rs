//! External merge sort: sorted runs per partition, merged as the result is read.
//!
//! ```text
//!   partition --> SortRun --> [run] [run]      sorted by binary keys, in memory or spilled
//!   partition --> SortRun --> [run]
//!                               \  |  /
//!                               MergeRuns      a heap of one row per run --> batches in order
//! ```
//!
//! Keys are compared as order-preserving byte strings (the row format of the `arrow` crate). Equal
//! rows keep the order of the input: runs are numbered in that order. A limit cuts every run, so
//! that the first `k` rows of a large input need memory for `k` rows only.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{DataType, Float16Type, Float32Type, Float64Type, SchemaRef};
use arrow::row::{OwnedRow, RowConverter, Rows, SortField};
use dframe_core::{Reservation, Result};
use dframe_expr::{BoundExpr, plain, plain_type};
use dframe_plan::ScannedBatch;
use dframe_runtime::{Chunk, Part, PartReader, TaskContext, batch_bytes};

use crate::fold::{Fold, as_planned, keep};

/// What to sort by, bound to the input.
#[derive(Debug)]
pub(crate) struct SortSpec {
    /// The keys.
    pub(crate) keys: Vec<BoundExpr>,
    /// The direction and the place of NULLs, per key.
    pub(crate) options: Vec<arrow::compute::SortOptions>,
    /// Only the first so many rows are wanted.
    pub(crate) limit: Option<u64>,
    /// Memory that a task may use to make a run.
    pub(crate) run_memory: usize,
    /// The columns.
    pub(crate) schema: SchemaRef,
}

/// Rows of a batch of a sorted run, unless they are wide.
const RUN_BATCH_ROWS: usize = 4096;
/// Bytes of a batch of several wide rows.
const RUN_BATCH_BYTES: usize = 1 << 20;
/// Runs that are merged at once, if their batches fit half of the memory.
const FAN_IN_MAX: usize = 128;

impl SortSpec {
    fn converter(&self) -> Result<RowConverter> {
        let field = |(key, options): (&BoundExpr, &arrow::compute::SortOptions)| {
            SortField::new_with_options(plain_type(key.data_type()).clone(), *options)
        };
        Ok(RowConverter::new(self.keys.iter().zip(&self.options).map(field).collect())?)
    }

    fn key_columns(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
        self.keys.iter().map(|key| canonical(&plain(&key.evaluate_array(batch)?)?)).collect()
    }
}

/// Floats with one zero and one NaN, which is the largest; other columns as they are.
pub(crate) fn canonical(column: &ArrayRef) -> Result<ArrayRef> {
    Ok(match column.data_type() {
        DataType::Float64 => {
            Arc::new(column.as_primitive::<Float64Type>().unary::<_, Float64Type>(|value| {
                if value.is_nan() { f64::NAN.abs() } else { value + 0.0 }
            }))
        }
        DataType::Float32 => {
            Arc::new(column.as_primitive::<Float32Type>().unary::<_, Float32Type>(|value| {
                if value.is_nan() { f32::NAN.abs() } else { value + 0.0 }
            }))
        }
        DataType::Float16 => {
            let wide =
                arrow::compute::cast(&column.as_primitive::<Float16Type>(), &DataType::Float32)?;
            arrow::compute::cast(&canonical(&wide)?, &DataType::Float16)?
        }
        _ => column.clone(),
    })
}

/// Makes sorted runs of one partition's rows.
pub(crate) struct SortRun {
    spec: Arc<SortSpec>,
    batches: Vec<RecordBatch>,
    rows: usize,
    /// With a limit: the key of the last row that is still wanted. Later rows must come before it.
    last_wanted: Option<OwnedRow>,
    held: Reservation,
    runs: Vec<Arc<Part>>,
}

impl SortRun {
    /// No rows yet.
    pub(crate) fn new(spec: &Arc<SortSpec>, context: &TaskContext) -> Self {
        Self {
            spec: spec.clone(),
            batches: Vec::new(),
            rows: 0,
            last_wanted: None,
            held: context.budget.reservation(),
            runs: Vec::new(),
        }
    }

    /// Sorts what is there, and cuts it to the limit.
    fn sorted(&mut self) -> Result<Vec<RecordBatch>> {
        let batches = std::mem::take(&mut self.batches);
        self.rows = 0;
        let order = sorted_order(&self.spec, &batches)?;
        let batches: Vec<&RecordBatch> = batches.iter().collect();
        let mut sorted = Vec::new();
        for rows in order.chunks(RUN_BATCH_ROWS) {
            gather(&batches, rows, &mut sorted)?;
        }
        Ok(sorted)
    }

    fn close_run(&mut self, context: &TaskContext) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let batches = self.sorted()?.into_iter().map(|batch| (0, batch)).collect();
        let run = keep(0, self.spec.schema.clone(), batches, &mut self.held, context)?;
        self.held.shrink(usize::MAX);
        self.runs.push(run);
        Ok(())
    }

    /// With a limit: keeps the first rows only, once enough have gathered to make that worth while.
    fn cut_to_limit(&mut self) -> Result<()> {
        let Some(limit) = self.spec.limit else { return Ok(()) };
        if (self.rows as u64) < limit.saturating_mul(2).max(8 * RUN_BATCH_ROWS as u64) {
            return Ok(());
        }
        self.batches = self.sorted()?;
        self.rows = self.batches.iter().map(RecordBatch::num_rows).sum();
        let bytes: usize = self.batches.iter().map(sorting_bytes).sum();
        self.held.shrink(self.held.bytes().saturating_sub(bytes));
        if let Some(last) = self.batches.last().filter(|batch| batch.num_rows() > 0) {
            let last = self.spec.key_columns(&last.slice(last.num_rows() - 1, 1))?;
            self.last_wanted = Some(self.spec.converter()?.convert_columns(&last)?.row(0).owned());
        }
        Ok(())
    }

    /// The rows that may be among the first; `None` if there are none.
    fn wanted(&self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let Some(last) = &self.last_wanted else { return Ok(Some(batch)) };
        let keys = self.spec.converter()?.convert_columns(&self.spec.key_columns(&batch)?)?;
        // A row with the same key comes later in the input, so it comes after the last one wanted.
        let mask: BooleanArray = keys.iter().map(|key| Some(key < last.row())).collect();
        match mask.true_count() {
            0 => Ok(None),
            _ => Ok(Some(arrow::compute::filter_record_batch(&batch, &mask)?)),
        }
    }
}

/// Copies rows into a batch, or into several if they are wide.
fn gather(
    batches: &[&RecordBatch],
    rows: &[(usize, usize)],
    gathered: &mut Vec<RecordBatch>,
) -> Result<()> {
    let batch = interleave_record_batch(batches, rows)?;
    if batch_bytes(&batch) <= RUN_BATCH_BYTES || rows.len() == 1 {
        gathered.push(batch);
        return Ok(());
    }
    drop(batch);
    let (first, second) = rows.split_at(rows.len() / 2);
    gather(batches, first, gathered)?;
    gather(batches, second, gathered)
}

/// While a run is sorted there are the rows, their keys, the sorted copy, and an index entry per row.
fn sorting_bytes(batch: &RecordBatch) -> usize {
    COPIES * batch_bytes(batch) + batch.num_rows() * size_of::<Entry>()
}

const COPIES: usize = 3;

impl Fold for SortRun {
    fn push(&mut self, batch: ScannedBatch, context: &TaskContext) -> Result<bool> {
        let batch = as_planned(&batch.rows, &self.spec.schema)?;
        let Some(batch) = self.wanted(batch)? else { return Ok(true) };
        let bytes = sorting_bytes(&batch);
        let full = self.held.bytes() + bytes > self.spec.run_memory;
        if full || !self.held.try_grow(bytes) {
            self.close_run(context)?;
            self.held.grow(bytes, "sorting a run")?;
        }
        self.rows += batch.num_rows();
        self.batches.push(batch);
        self.cut_to_limit()?;
        Ok(true)
    }

    fn finish(mut self: Box<Self>, context: &TaskContext) -> Result<Chunk> {
        self.close_run(context)?;
        Ok(Chunk::new(self.runs))
    }
}

/// A row's place, and the first bytes of its key.
struct Entry {
    prefix: u128,
    batch: u32,
    row: u32,
}

/// `(batch, row)` of the rows wanted, in order; stable.
fn sorted_order(spec: &SortSpec, batches: &[RecordBatch]) -> Result<Vec<(usize, usize)>> {
    let converter = spec.converter()?;
    let keys = batches
        .iter()
        .map(|batch| Ok(converter.convert_columns(&spec.key_columns(batch)?)?))
        .collect::<Result<Vec<Rows>>>()?;
    let mut order = Vec::with_capacity(keys.iter().map(Rows::num_rows).sum());
    for (batch, rows) in keys.iter().enumerate() {
        order.extend(rows.iter().enumerate().map(|(row, key)| Entry {
            prefix: prefix(key.as_ref()),
            batch: batch as u32,
            row: row as u32,
        }));
    }
    let key = |entry: &Entry| keys[entry.batch as usize].row(entry.row as usize);
    let compare = |left: &Entry, right: &Entry| {
        left.prefix
            .cmp(&right.prefix)
            .then_with(|| key(left).cmp(&key(right)))
            .then_with(|| (left.batch, left.row).cmp(&(right.batch, right.row)))
    };
    let wanted = spec.limit.and_then(|limit| usize::try_from(limit).ok());
    if let Some(wanted) = wanted.filter(|wanted| *wanted < order.len()) {
        order.select_nth_unstable_by(wanted, compare);
        order.truncate(wanted);
    }
    order.sort_unstable_by(compare);
    Ok(order.into_iter().map(|entry| (entry.batch as usize, entry.row as usize)).collect())
}

/// The first sixteen bytes of a key as a number: most comparisons end here.
fn prefix(key: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    let length = key.len().min(16);
    bytes[..length].copy_from_slice(&key[..length]);
    u128::from_be_bytes(bytes)
}

/// The rows of sorted runs, in order.
pub(crate) struct MergeRuns {
    spec: Arc<SortSpec>,
    converter: RowConverter,
    readers: Vec<PartReader>,
    heap: BinaryHeap<Cursor>,
    left: u64,
    held: Reservation,
}

/// The next row of a run.
struct Cursor {
    key: OwnedRow,
    run: usize,
    row: usize,
    rows: Rows,
    batch: RecordBatch,
    /// What a row of the batch takes, on average.
    row_bytes: usize,
}

impl Ord for Cursor {
    /// The heap's largest is the row that comes first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.key.cmp(&self.key).then(other.run.cmp(&self.run))
    }
}

impl PartialOrd for Cursor {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Cursor {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Cursor {}

impl MergeRuns {
    /// Merges runs, given in the order of the input. More than a bounded number of them are first
    /// merged, neighbours with neighbours, on disk.
    pub(crate) fn new(
        spec: &Arc<SortSpec>,
        mut runs: Vec<Arc<Part>>,
        context: &TaskContext,
    ) -> Result<Self> {
        let fan_in = fan_in(&runs, context);
        while runs.len() > fan_in {
            runs = runs
                .chunks(fan_in)
                .map(|neighbours| merged_run(spec, neighbours.to_vec(), context))
                .collect::<Result<_>>()?;
        }
        Self::of(spec, runs, context)
    }

    fn of(spec: &Arc<SortSpec>, runs: Vec<Arc<Part>>, context: &TaskContext) -> Result<Self> {
        let bytes = runs.iter().map(reading_bytes).sum();
        let mut merge = Self {
            spec: spec.clone(),
            converter: spec.converter()?,
            readers: runs.iter().map(|run| run.take(None)).collect(),
            heap: BinaryHeap::new(),
            left: spec.limit.unwrap_or(u64::MAX),
            held: context.budget.reserve(bytes, "merging sorted runs")?,
        };
        drop(runs);
        for run in 0..merge.readers.len() {
            if let Some(cursor) = merge.next_batch(run)? {
                merge.heap.push(cursor);
            }
        }
        Ok(merge)
    }

    fn next_batch(&mut self, run: usize) -> Result<Option<Cursor>> {
        loop {
            let Some(batch) = self.readers[run].next().transpose()? else { return Ok(None) };
            if batch.num_rows() > 0 {
                let rows = self.converter.convert_columns(&self.spec.key_columns(&batch)?)?;
                let row_bytes = batch_bytes(&batch) / batch.num_rows();
                let key = rows.row(0).owned();
                return Ok(Some(Cursor { key, run, row: 0, rows, batch, row_bytes }));
            }
        }
    }

    fn next_rows(&mut self) -> Result<Option<RecordBatch>> {
        let mut batches: Vec<RecordBatch> = Vec::new();
        let mut numbers: Vec<Option<usize>> = vec![None; self.readers.len()];
        let (mut picks, mut bytes) = (Vec::new(), 0);
        while picks.len() < RUN_BATCH_ROWS && bytes < RUN_BATCH_BYTES && self.left > 0 {
            let Some(mut first) = self.heap.peek_mut() else { break };
            let number = *numbers[first.run].get_or_insert_with(|| {
                batches.push(first.batch.clone());
                batches.len() - 1
            });
            picks.push((number, first.row));
            bytes += first.row_bytes;
            self.left -= 1;
            first.row += 1;
            if first.row < first.batch.num_rows() {
                first.key = first.rows.row(first.row).owned();
                continue;
            }
            let run = PeekMut::pop(first).run;
            numbers[run] = None;
            if let Some(cursor) = self.next_batch(run)? {
                self.heap.push(cursor);
            }
        }
        if picks.is_empty() {
            self.held.shrink(usize::MAX);
            return Ok(None);
        }
        let batches: Vec<&RecordBatch> = batches.iter().collect();
        Ok(Some(interleave_record_batch(&batches, &picks)?))
    }
}

impl Iterator for MergeRuns {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_rows().transpose()
    }
}

/// The memory that reading a run takes: a batch and its keys, and its share of the batch that comes out.
fn reading_bytes(run: &Arc<Part>) -> usize {
    let bytes = run.bytes() as usize;
    let row = bytes / run.rows().max(1) as usize;
    let batch = row.saturating_add(1).saturating_mul(RUN_BATCH_ROWS);
    COPIES * batch.min(bytes).min(RUN_BATCH_BYTES.max(row))
}

/// The runs that are merged at once: as many as fit half of the memory.
fn fan_in(runs: &[Arc<Part>], context: &TaskContext) -> usize {
    let largest = runs.iter().map(reading_bytes).max().unwrap_or(0);
    (context.budget.limit() / 2 / largest.max(1)).clamp(2, FAN_IN_MAX)
}

/// Some runs as one, on disk.
fn merged_run(
    spec: &Arc<SortSpec>,
    runs: Vec<Arc<Part>>,
    context: &TaskContext,
) -> Result<Arc<Part>> {
    let mut writer = context.store.spill_writer(0, spec.schema.clone())?;
    for batch in MergeRuns::of(spec, runs, context)? {
        context.cancel.check()?;
        writer.write(0, &batch?)?;
    }
    writer.finish()
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;

    use super::*;

    /// The lengths of the texts in each batch that `gather` makes of texts of these lengths.
    fn gathered(lengths: &[usize]) -> Vec<Vec<usize>> {
        let texts = StringArray::from_iter_values(lengths.iter().map(|length| "x".repeat(*length)));
        let batch = RecordBatch::try_from_iter([("text", Arc::new(texts) as ArrayRef)]);
        let batch = batch.expect("one column");
        let rows: Vec<(usize, usize)> = (0..lengths.len()).map(|row| (0, row)).collect();
        let mut batches = Vec::new();
        gather(&[&batch], &rows, &mut batches).expect("rows of the batch");
        let lengths = |batch: &RecordBatch| {
            let texts = batch.column(0).as_string::<i32>().iter();
            texts.map(|text| text.map_or(0, str::len)).collect()
        };
        batches.iter().map(lengths).collect()
    }

    #[test]
    fn narrow_rows_make_one_batch() {
        assert_eq!(gathered(&[5; 1000]), [[5; 1000]]);
    }

    #[test]
    fn wide_rows_are_cut_by_their_bytes() {
        let wide = RUN_BATCH_BYTES / 3;
        assert_eq!(gathered(&[wide; 8]), [[wide; 2]; 4]);
        let one = 2 * RUN_BATCH_BYTES;
        assert_eq!(gathered(&[1, 2, one, 3]), [vec![1, 2], vec![one], vec![3]]);
    }
}
