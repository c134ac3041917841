//! Where partitions and peers begin: rows that differ from the row before, as two columns.
//!
//! ```text
//!   p  k  ...      p  k  ...  starts partition, starts peers
//!   a  1           a  1       true              true
//!   a  1    --->   a  1       false             false
//!   a  2           a  2       false             true
//!   b  2           b  2       true              true
//! ```

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, BooleanBufferBuilder, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::cmp::distinct;
use arrow::datatypes::{DataType, Field, Schema};
use dframe_core::Result;
use dframe_expr::{BoundExpr, plain};

use crate::sort::canonical;

/// Marks rows, batch by batch.
pub(super) struct Boundaries<'a> {
    partition: &'a [BoundExpr],
    /// None if nobody asks where peers begin.
    order: Option<&'a [BoundExpr]>,
    /// The keys of the row before.
    last: Option<Vec<ArrayRef>>,
}

/// The number of columns that are added.
pub(super) const MARKS: usize = 2;

impl<'a> Boundaries<'a> {
    /// No row yet.
    pub(super) fn new(partition: &'a [BoundExpr], order: Option<&'a [BoundExpr]>) -> Self {
        Self { partition, order, last: None }
    }

    /// The rows, of which there are some, with the two columns behind their own.
    pub(super) fn marked(&mut self, rows: RecordBatch) -> Result<RecordBatch> {
        let keys = self.partition.iter().chain(self.order.unwrap_or_default());
        let key = |key: &BoundExpr| canonical(&key.evaluate_array(&rows)?);
        let keys = keys.map(key).collect::<Result<Vec<ArrayRef>>>()?;
        let count = rows.num_rows();
        let (partition, order) = keys.split_at(self.partition.len());
        let last = self.last.as_ref().map(|last| last.split_at(self.partition.len()));
        let first = self.last.is_none();
        let partitions = starts(partition, last.map(|last| last.0), first, count)?;
        let peers = match self.order {
            Some(_) => &partitions | &starts(order, last.map(|last| last.1), first, count)?,
            None => partitions.clone(),
        };
        let row = |key: &ArrayRef| plain(&key.slice(count - 1, 1));
        self.last = Some(keys.iter().map(row).collect::<Result<_>>()?);
        with_marks(rows, partitions, peers)
    }
}

/// Which of `count` rows differ from the row before them in one of `keys`.
fn starts(
    keys: &[ArrayRef],
    last: Option<&[ArrayRef]>,
    first: bool,
    count: usize,
) -> Result<BooleanBuffer> {
    let mut all = BooleanBuffer::new_unset(count);
    for (number, key) in keys.iter().enumerate() {
        if *key.data_type() == DataType::Null {
            continue;
        }
        let mut bits = BooleanBufferBuilder::new(count);
        bits.append(match last {
            Some(last) => distinct(&key.slice(0, 1), &last[number])?.value(0),
            None => true,
        });
        bits.append_buffer(distinct(&key.slice(1, count - 1), &key.slice(0, count - 1))?.values());
        all = &all | &bits.finish();
    }
    if !first {
        return Ok(all);
    }
    let mut bits = BooleanBufferBuilder::new(count);
    bits.append(true);
    bits.append_buffer(&all.slice(1, count - 1));
    Ok(bits.finish())
}

fn with_marks(
    rows: RecordBatch,
    partitions: BooleanBuffer,
    peers: BooleanBuffer,
) -> Result<RecordBatch> {
    let mut fields = rows.schema().fields().to_vec();
    let mut columns = rows.columns().to_vec();
    for (name, marks) in [("starts partition", partitions), ("starts peers", peers)] {
        fields.push(Arc::new(Field::new(name, DataType::Boolean, false)));
        columns.push(Arc::new(BooleanArray::new(marks, None)));
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}
