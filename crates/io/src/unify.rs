//! One schema for many files: columns by name, of types that hold the values of all.
//!
//! ```text
//!   a.parquet: id INTEGER, name VARCHAR     --add-->  id BIGINT, name VARCHAR, note VARCHAR
//!   b.parquet: note VARCHAR, id BIGINT      --add-->
//! ```

use std::path::Path;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;
use dframe_core::{Error, Result};
use dframe_expr::type_name;

use crate::widen::widen;

/// The schema of all files together, grown file by file.
#[derive(Debug, Default)]
pub(crate) struct Unified {
    fields: Vec<Field>,
    /// The file that a column's type was last taken from, for errors.
    origins: Vec<String>,
}

impl Unified {
    /// Adds the columns of a file, of the types that kernels see: new ones at the end, known ones widened.
    pub(crate) fn add(&mut self, fields: &Fields, types: &[DataType], path: &Path) -> Result<()> {
        for (index, (field, found)) in fields.iter().zip(types).enumerate() {
            if fields.find(field.name()).map(|(first, _)| first) != Some(index) {
                return Err(Error::invalid_data("two columns of the file have the same name")
                    .column(field.name())
                    .file(path)
                    .remedy("write the file again with distinct names"));
            }
            match self.fields.iter().position(|known| known.name() == field.name()) {
                Some(known) => self.widen(known, found, path)?,
                None => {
                    self.fields.push(Field::new(field.name(), found.clone(), true));
                    self.origins.push(path.display().to_string());
                }
            }
        }
        Ok(())
    }

    fn widen(&mut self, index: usize, found: &DataType, path: &Path) -> Result<()> {
        let field = &mut self.fields[index];
        if field.data_type() == found {
            return Ok(());
        }
        let Some(wider) = widen(field.data_type(), found) else {
            let message = format!(
                "the column is {} in '{}' but {} here",
                type_name(field.data_type()),
                self.origins[index],
                type_name(found)
            );
            return Err(Error::invalid_data(message)
                .column(field.name())
                .file(path)
                .remedy("read the files apart, or write one of them again with a cast"));
        };
        if &wider != field.data_type() {
            self.origins[index] = path.display().to_string();
        }
        field.set_data_type(wider);
        Ok(())
    }

    /// The schema of all files added.
    pub(crate) fn finish(self) -> SchemaRef {
        Arc::new(Schema::new(self.fields))
    }
}

/// Values of a file in the type that all files agree to.
pub(crate) fn cast_to(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    if array.data_type() == wanted {
        return Ok(array.clone());
    }
    let options = CastOptions { safe: false, ..Default::default() };
    cast_with_options(array, wanted, &options)
}
