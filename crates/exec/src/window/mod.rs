//! Window functions: rows brought into order, and taken through evaluators as they come.
//!
//! ```text
//!   bucket --external sort--> batches --boundaries--> [pass: near] --> [pass: peers] --> [pass: partition]
//!
//!   a pass   rows wait, as parts that can be spilled, until all its functions have answered them
//! ```
//!
//! Answers that come with the last row of a partition are not waited for by functions that are done a few rows
//! later, so that what waits is rows, which can go to disk, and never answers. So neither a bucket nor a
//! partition need fit into memory. What the functions compute is not known here.

mod answers;
mod boundaries;
mod pass;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Field, SchemaRef};
use dframe_core::Result;
use dframe_expr::window::{BoundWindow, Horizon, RowDirection};
use dframe_expr::{BoundExpr, plain, plain_type};
use dframe_runtime::{Chunk, TaskContext};

use crate::pipeline::batch_of;
use crate::shuffle::BucketStream;
use crate::sort::{ExternalSort, SortSpec};
use boundaries::{Boundaries, MARKS};
use pass::Pass;

/// Window functions over the same rows in the same order, bound to their input.
#[derive(Debug)]
pub(crate) struct WindowSpec {
    /// How a bucket's rows are sorted; none if they come in order.
    pub(crate) sort: Option<Arc<SortSpec>>,
    /// The number of columns that rows come with.
    pub(crate) width: usize,
    /// Rows that agree on these are a partition.
    pub(crate) partition: Vec<BoundExpr>,
    /// Rows of a partition that agree on these are peers.
    pub(crate) order: Vec<BoundExpr>,
    /// Whether equal rows come in the order of the input.
    pub(crate) direction: RowDirection,
    /// The functions.
    pub(crate) calls: Vec<BoundWindow>,
    /// The columns of the input, which come first in batches.
    pub(crate) columns: usize,
    /// Whether each row's place in the input, which is the last column of sorted rows, comes out.
    pub(crate) has_places: bool,
    /// Those columns, an answer for each call, and the place.
    pub(crate) output: SchemaRef,
}

/// Takes rows that wait for their turn.
type Emit<'a> = dyn FnMut(RecordBatch) -> Result<bool> + 'a;

/// Computes window functions bucket by bucket.
pub(crate) struct WindowBuckets(pub(crate) Arc<WindowSpec>);

impl BucketStream for WindowBuckets {
    fn name(&self) -> &'static str {
        match self.0.sort {
            Some(_) => "sort + window functions",
            None => "window functions",
        }
    }

    fn stream(
        &self,
        bucket: u32,
        inputs: Vec<Chunk>,
        context: &TaskContext,
        emit: &mut Emit<'_>,
    ) -> Result<bool> {
        let mut functions = Functions::new(&self.0, context)?;
        let parts = inputs.into_iter().flat_map(Chunk::into_parts);
        let Some(sort) = &self.0.sort else {
            for rows in parts.flat_map(|part| part.take(None)) {
                context.cancel.check()?;
                if !functions.push(rows?, emit)? {
                    return Ok(false);
                }
            }
            return functions.finish(emit);
        };
        let mut sorter = ExternalSort::new(sort, context);
        let mut first: Option<SchemaRef> = None;
        for rows in parts.flat_map(|part| part.take(Some(bucket))) {
            context.cancel.check()?;
            let rows = copied(&rows?)?;
            let first = first.get_or_insert_with(|| rows.schema());
            sorter.push(&encoded_as(rows, first)?)?;
        }
        for rows in sorter.finish()? {
            context.cancel.check()?;
            if !functions.push(rows?, emit)? {
                return Ok(false);
            }
        }
        functions.finish(emit)
    }
}

/// The rows in memory of their own: the buckets of a part are slices of the same, which a run that holds one of
/// them would keep.
fn copied(rows: &RecordBatch) -> Result<RecordBatch> {
    let places: UInt32Array = (0..rows.num_rows() as u32).collect();
    Ok(take_record_batch(rows, &places)?)
}

/// The rows without dictionaries where `first` has none: tasks may have read one column both ways, and a sort
/// goes by what it saw first.
fn encoded_as(rows: RecordBatch, first: &SchemaRef) -> Result<RecordBatch> {
    let columns = rows.columns().iter().zip(first.fields());
    let differs = |(column, field): (&ArrayRef, &Arc<Field>)| {
        column.data_type() != field.data_type()
            && plain_type(column.data_type()) == field.data_type()
    };
    if !columns.clone().any(differs) {
        return Ok(rows);
    }
    let encoded =
        |(column, field)| if differs((column, field)) { plain(column) } else { Ok(column.clone()) };
    let schema = rows.schema();
    batch_of(&schema, columns.map(encoded).collect::<Result<_>>()?, rows.num_rows())
}

/// The functions at work on the rows of a bucket, in order.
struct Functions<'a> {
    spec: &'a WindowSpec,
    boundaries: Boundaries<'a>,
    passes: Vec<Pass>,
    /// Where each call's answers are in batches that have gone through all passes.
    places: Vec<usize>,
}

impl<'a> Functions<'a> {
    fn new(spec: &'a WindowSpec, context: &TaskContext) -> Result<Self> {
        let peers = spec.calls.iter().any(BoundWindow::needs_peers);
        let boundaries = Boundaries::new(&spec.partition, peers.then_some(spec.order.as_slice()));
        let (mut passes, mut places) = (Vec::new(), vec![0; spec.calls.len()]);
        let mut answered = 0;
        for horizon in [Horizon::Near, Horizon::Peers, Horizon::Partition] {
            let calls = spec.calls.iter().enumerate();
            let calls: Vec<_> = calls.filter(|(_, call)| call.horizon() == horizon).collect();
            for (number, _) in &calls {
                places[*number] = answered;
                answered += 1;
            }
            if !calls.is_empty() {
                let calls = calls.into_iter().map(|(_, call)| call);
                passes.push(Pass::new(calls, spec.direction, spec.width, context)?);
            }
        }
        Ok(Self { spec, boundaries, passes, places })
    }

    fn push(&mut self, rows: RecordBatch, emit: &mut Emit<'_>) -> Result<bool> {
        if rows.num_rows() == 0 {
            return Ok(true);
        }
        let (spec, places) = (self.spec, &self.places);
        let rows = self.boundaries.marked(rows)?;
        through(&mut self.passes, rows, &mut |rows| emit(output(spec, places, &rows)?))
    }

    fn finish(mut self, emit: &mut Emit<'_>) -> Result<bool> {
        let (spec, places) = (self.spec, &self.places);
        let mut emit = |rows: RecordBatch| emit(output(spec, places, &rows)?);
        let mut passes = self.passes.as_mut_slice();
        while let Some((first, rest)) = passes.split_first_mut() {
            if !first.finish(&mut |rows| through(rest, rows, &mut emit))? {
                return Ok(false);
            }
            passes = rest;
        }
        Ok(true)
    }
}

/// Takes rows through passes, one after the other.
fn through(passes: &mut [Pass], rows: RecordBatch, emit: &mut Emit<'_>) -> Result<bool> {
    match passes.split_first_mut() {
        None => emit(rows),
        Some((first, rest)) => first.push(rows, &mut |rows| through(rest, rows, emit)),
    }
}

/// The columns of the input, the answers in the order of the calls, and places.
fn output(spec: &WindowSpec, places: &[usize], rows: &RecordBatch) -> Result<RecordBatch> {
    let answers = rows.num_columns() - places.len();
    let mut columns = rows.columns()[..spec.columns].to_vec();
    columns.extend(places.iter().map(|place| rows.column(answers + place).clone()));
    if spec.has_places {
        columns.push(rows.column(answers - MARKS - 1).clone());
    }
    batch_of(&spec.output, columns, rows.num_rows())
}
