//! As-of joins: both sides in order, merged once.
//!
//! ```text
//!   left  --cut by the equal keys--> bucket --external sort--> 3 5 5 9 ..  \
//!                                                                           +--> each left row, its partner
//!   right --cut by the equal keys--> bucket --external sort--> 1 4 6 8 ..  /
//! ```
//!
//! Of the right side, only batches are held that a partner of the left batch in work is in, so neither a bucket nor
//! the rows of one key need fit into memory. Without equal keys, both sides are sorted by tasks before. Among right
//! rows with the same keys, the last one of the input is the partner when looking backward, the first one when looking
//! forward. `side` reads a side in order, `merge` finds partners.

mod merge;
mod side;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::{filter_record_batch, interleave};
use arrow::datatypes::SchemaRef;
use dframe_core::{Error, Result};
use dframe_expr::{BoundExpr, plain};
use dframe_plan::node::Asof;
use dframe_runtime::{Chunk, TaskContext};

use crate::pipeline::batch_of;
use crate::shuffle::BucketStream;
use merge::{Merge, Partner};
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
        let mut merge = Merge::new(spec.asof, Side::new(&spec.sides[1], right, bucket, context)?)?;
        while let Some(rows) = left.next()? {
            context.cancel.check()?;
            let mut start = 0;
            while start < rows.batch.num_rows() {
                let partners = merge.partners(&rows, start)?;
                let batch = rows.batch.slice(start, partners.len());
                start += partners.len();
                let pairs = spec.pairs(&batch, &partners, &merge.held())?;
                if pairs.num_rows() > 0 && !emit(pairs)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

impl AsofSpec {
    /// Left rows beside their partners, which are rows of `held`, or none.
    fn pairs(
        &self,
        left: &RecordBatch,
        partners: &[Partner],
        held: &[&RecordBatch],
    ) -> Result<RecordBatch> {
        let rows = left.num_rows();
        let pairs = self.beside(left, partners, held)?;
        let found: BooleanArray = partners.iter().map(|partner| Some(partner.is_some())).collect();
        let found = match &self.condition {
            Some(condition) => arrow::compute::and(&found, &condition.holds(&pairs)?)?,
            None => found,
        };
        if found.true_count() == rows {
            return Ok(pairs);
        }
        if !self.keeps_left {
            return Ok(filter_record_batch(&pairs, &found)?);
        }
        let partners: Vec<Partner> =
            partners.iter().zip(found.values()).map(|(p, found)| p.filter(|_| found)).collect();
        self.beside(left, &partners, held)
    }

    fn beside(
        &self,
        left: &RecordBatch,
        partners: &[Partner],
        held: &[&RecordBatch],
    ) -> Result<RecordBatch> {
        let mut columns = left.columns().to_vec();
        // The first array is the one that rows without a partner are taken from.
        let place = |partner: &Partner| partner.map_or((0, 0), |(batch, row)| (batch + 1, row));
        let places: Vec<(usize, usize)> = partners.iter().map(place).collect();
        let right = &self.output.fields()[left.num_columns()..];
        for (index, field) in right.iter().enumerate() {
            let mut arrays = vec![new_null_array(field.data_type(), 1)];
            for batch in held {
                arrays.push(plain(batch.column(index))?);
            }
            let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
            let column: ArrayRef = interleave(&arrays, &places)?;
            columns.push(column);
        }
        batch_of(&self.output, columns, left.num_rows())
    }
}
