//! Rows in the types of a file: batches come with and without dictionaries, a file has one type for a column.

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{Field, SchemaRef};
use dframe_core::{Error, Result};

/// The batch in the types of `schema`.
pub(super) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(array, field)| conform_column(array, field));
    let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

/// The column in the type of `field`.
pub(super) fn conform_column(array: &ArrayRef, field: &Field) -> Result<ArrayRef> {
    match array.data_type() == field.data_type() {
        true => Ok(array.clone()),
        false => {
            cast(array, field.data_type()).map_err(|error| Error::from(error).column(field.name()))
        }
    }
}
