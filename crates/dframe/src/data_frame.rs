//! A result in memory.

use std::fmt::{self, Display, Formatter};

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int64Type, SchemaRef};
use dframe_core::{Error, Result};

use crate::sink;

/// The rows of a result, as Arrow batches. Printing gives a table of its first rows.
#[derive(Clone, Debug, PartialEq)]
pub struct DataFrame {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl DataFrame {
    pub(crate) fn new(schema: SchemaRef, batches: Vec<RecordBatch>) -> Self {
        Self { schema, batches }
    }

    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The rows, batch by batch; their number and sizes mean nothing.
    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// The number of rows.
    pub fn num_rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The number of columns.
    pub fn num_columns(&self) -> usize {
        self.schema.fields().len()
    }

    /// All rows as one batch.
    ///
    /// # Errors
    /// More bytes of text in one column than 32-bit offsets can address.
    pub fn to_batch(&self) -> Result<RecordBatch> {
        Ok(concat_batches(&self.schema, &self.batches)?)
    }

    /// All values of the column `name`.
    ///
    /// # Errors
    /// There is no such column.
    pub fn column(&self, name: &str) -> Result<ArrayRef> {
        let index = self.schema.index_of(name).map_err(|_| {
            let names: Vec<&str> = self.schema.fields().iter().map(|f| f.name().as_str()).collect();
            Error::invalid_input(format!("there is no column '{name}'"))
                .remedy(format!("the columns are {}", names.join(", ")))
        })?;
        Ok(self.to_batch()?.column(index).clone())
    }

    /// The only value, which is a count.
    pub(crate) fn single_count(&self) -> Result<u64> {
        let batch = self.to_batch()?;
        let count = (batch.num_rows() == 1 && batch.num_columns() == 1)
            .then(|| batch.column(0).as_primitive_opt::<Int64Type>().map(|c| c.value(0)))
            .flatten();
        count
            .and_then(|count| u64::try_from(count).ok())
            .ok_or_else(|| Error::internal("a count did not come out as one number"))
    }
}

/// A table of the first rows, and how many there are.
impl Display for DataFrame {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&sink::table(self).map_err(|_| fmt::Error)?)
    }
}

impl IntoIterator for DataFrame {
    type Item = RecordBatch;
    type IntoIter = std::vec::IntoIter<RecordBatch>;

    fn into_iter(self) -> Self::IntoIter {
        self.batches.into_iter()
    }
}
