//! As-of joins: both sides in order, merged once.
//!
//! ```text
//!   left  --cut by the equal keys--> bucket --external sort--> 3 5 5 9 ..  \
//!                                                                           +--> each left row, its partner
//!   right --cut by the equal keys--> bucket --external sort--> 1 4 6 8 ..  /
//! ```
//!
//! A right side that is small is not cut, nor is the left one sorted: see `index`. Else, of the right side, only batches are held that a partner of the left batch in work is in, so neither a bucket nor
//! the rows of one key need fit into memory. Without equal keys, both sides are sorted by tasks before. Among right
//! rows with the same keys, the last one of the input is the partner when looking backward, the first one when looking
//! forward. `side` reads a side in order, `merge` finds partners in it, `index` without order.

mod index;
mod merge;
mod side;

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, SchemaRef};
use dframe_core::{Error, Result};
use dframe_expr::BoundExpr;
use dframe_plan::node::{Asof, AsofDirection};
use dframe_runtime::{Chunk, TaskContext};

use crate::pipeline::batch_of;
use crate::shuffle::BucketStream;
pub(crate) use index::{INDEX_COPIES, INDEX_ROW_BYTES, LookUpPartners, RightIndex};
use merge::{FoundInBatches, Merge};
use side::Side;
pub(crate) use side::SideSpec;

/// An as-of join, bound to its inputs.
#[derive(Debug)]
pub(crate) struct AsofSpec {
    /// Where a partner lies.
    pub(crate) asof: Asof,
    /// Whether left rows without a partner come out.
    pub(crate) keeps_left: bool,
    /// The left, and the right.
    pub(crate) sides: [SideSpec; 2],
    /// What a pair must fulfil besides, over its columns.
    pub(crate) condition: Option<BoundExpr>,
    /// The columns of a pair, which come out.
    pub(crate) output: SchemaRef,
}

/// The partners of some left rows.
trait Found {
    /// Which rows have one.
    fn found(&self) -> BooleanArray;

    /// Takes those of other rows than `kept` away.
    fn keep(&mut self, kept: &BooleanArray);

    /// The right's columns, NULL for rows without a partner.
    fn columns(&self) -> Result<Vec<ArrayRef>>;
}

/// Joins buckets.
pub(crate) struct AsofBuckets(pub(crate) Arc<AsofSpec>);

impl BucketStream for AsofBuckets {
    fn name(&self) -> &'static str {
        "asof join"
    }

    fn is_repeatable(&self) -> bool {
        self.0.sides.iter().all(|side| side.sort.is_some())
    }

    fn stream(
        &self,
        bucket: u32,
        inputs: Vec<Chunk>,
        context: &TaskContext,
        emit: &mut dyn FnMut(RecordBatch) -> Result<bool>,
    ) -> Result<bool> {
        let spec = &*self.0;
        let [left, right] = <[Chunk; 2]>::try_from(inputs)
            .map_err(|_| Error::internal("an as-of join has two inputs"))?;
        let mut left = Side::new(&spec.sides[0], left, bucket, context)?;
        let mut merge = Merge::new(spec, Side::new(&spec.sides[1], right, bucket, context)?)?;
        while let Some(rows) = left.next()? {
            context.cancel.check()?;
            let mut start = 0;
            while start < rows.batch.num_rows() {
                let partners = merge.partners(&rows, start)?;
                let batch = rows.batch.slice(start, partners.len());
                start += partners.len();
                let held = merge.held();
                let pairs = spec.pairs(&batch, &mut FoundInBatches { spec, partners, held })?;
                if pairs.num_rows() > 0 && !emit(pairs)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

impl AsofSpec {
    /// Whether a right row equal to a left one is behind it, and not ahead.
    fn passes_equal(&self) -> bool {
        match self.asof.direction {
            AsofDirection::Backward | AsofDirection::Nearest => self.asof.exact,
            AsofDirection::Forward => !self.asof.exact,
        }
    }

    /// The right's columns.
    fn right_schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.output.fields()[self.sides[0].columns..].to_vec()))
    }

    /// Left rows beside their partners.
    fn pairs(&self, left: &RecordBatch, partners: &mut dyn Found) -> Result<RecordBatch> {
        let pairs = self.beside(left, partners)?;
        let found = partners.found();
        let kept = match &self.condition {
            Some(condition) => arrow::compute::and(&found, &condition.holds(&pairs)?)?,
            None => found.clone(),
        };
        if !self.keeps_left && kept.true_count() < left.num_rows() {
            return Ok(filter_record_batch(&pairs, &kept)?);
        }
        if kept.true_count() == found.true_count() {
            return Ok(pairs);
        }
        partners.keep(&kept);
        self.beside(left, partners)
    }

    fn beside(&self, left: &RecordBatch, partners: &dyn Found) -> Result<RecordBatch> {
        let columns = [left.columns().to_vec(), partners.columns()?].concat();
        batch_of(&self.output, columns, left.num_rows())
    }
}
