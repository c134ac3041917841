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

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use dframe_core::Result;
use dframe_expr::BoundExpr;
use dframe_expr::window::{BoundWindow, Horizon, RowDirection};
use dframe_runtime::{Chunk, TaskContext};

use crate::pipeline::batch_of;
use crate::shuffle::BucketStream;
use crate::sort::{SortSpec, sorted_bucket};
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

    fn is_repeatable(&self) -> bool {
        self.0.sort.is_some()
    }

    fn stream(
        &self,
        bucket: u32,
        inputs: Vec<Chunk>,
        context: &TaskContext,
        emit: &mut Emit<'_>,
    ) -> Result<bool> {
        let mut functions = Functions::new(&self.0, context)?;
        let parts = Chunk::concat(inputs).into_parts();
        let rows: Box<dyn Iterator<Item = Result<RecordBatch>>> = match &self.0.sort {
            Some(sort) => Box::new(sorted_bucket(sort, parts, bucket, context)?),
            None => Box::new(parts.into_iter().flat_map(|part| part.take(None))),
        };
        for rows in rows {
            context.cancel.check()?;
            if !functions.push(rows?, emit)? {
                return Ok(false);
            }
        }
        functions.finish(emit)
    }
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
