//! A source of files, with the columns that the names of their folders give.
//!
//! ```text
//!   units of the files --those of files that filters leave--> batches --one value, repeated--> batches with more columns
//! ```
//!
//! A filter on such columns alone is known for a file before any of it is read, and so applied exactly. It does not
//! know the format: the inner source is asked for its own columns.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use dframe_core::{Fetched, Result};
use dframe_expr::{BoundExpr, bind_predicate};
use dframe_plan::{
    ColumnBounds, Partitions, ScanRequest, ScanUnit, ScannedBatch, ScannedBatches, Source,
    Statistics,
};

use super::{Constant, columns, with_constants};

/// The source, with the columns of its files' folders if these have any.
///
/// # Errors
/// Values that cannot be read.
pub(crate) fn with_folder_columns(
    inner: Arc<dyn Source>,
    names: &[&Path],
) -> Result<Arc<dyn Source>> {
    let files = columns(names)?;
    let Some(first) = files.first().filter(|first| !first.is_empty()) else { return Ok(inner) };
    let schema = with_constants(inner.schema(), first);
    let place = |field: &str| first.iter().position(|constant| constant.field.name() == field);
    let folders = schema.fields().iter().map(|field| place(field.name())).collect();
    Ok(Arc::new(FolderColumns { inner, schema, folders, files }))
}

/// Files and their folders. Columns of the files are where they are in the inner source.
#[derive(Debug)]
struct FolderColumns {
    inner: Arc<dyn Source>,
    schema: SchemaRef,
    /// For each column, its place among those of folders if it is one.
    folders: Vec<Option<usize>>,
    /// The columns of each file.
    files: Vec<Arc<[Constant]>>,
}

/// What a filter is about.
enum About {
    Folders(BoundExpr),
    Files,
    Both,
}

impl FolderColumns {
    /// The request, as far as it is about the columns of files.
    fn inner_request(&self, request: &ScanRequest) -> Result<ScanRequest> {
        let of_files = |column: &usize| self.folders[*column].is_none();
        let mut inner = request.clone();
        inner.projection.retain(of_files);
        inner.tests.retain(|test| test.columns().iter().all(of_files));
        let about = request.filters.iter().map(|filter| self.about(filter));
        let about = about.collect::<Result<Vec<About>>>()?;
        let mut about = about.iter();
        inner.filters.retain(|_| matches!(about.next(), Some(About::Files)));
        Ok(inner)
    }

    fn about(&self, filter: &dframe_expr::Expr) -> Result<About> {
        let bound = bind_predicate(filter, &self.schema)?;
        let columns = bound.columns();
        let in_folders = columns.iter().filter(|column| self.folders[**column].is_some()).count();
        Ok(match in_folders {
            0 => About::Files,
            count if count == columns.len() && !bound.is_volatile() => About::Folders(bound),
            _ => About::Both,
        })
    }

    /// The columns as they are in a file: one row, which is NULL where only reading would tell.
    fn row(&self, file: &[Constant]) -> Result<RecordBatch> {
        let columns = self.folders.iter().zip(self.schema.fields());
        let columns = columns.map(|(folder, field)| match folder {
            Some(folder) => file[*folder].value().clone(),
            None => arrow::array::new_null_array(field.data_type(), 1),
        });
        let fields = self.schema.fields().iter();
        let fields = fields.map(|field| field.as_ref().clone().with_nullable(true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(RecordBatch::try_new(schema, columns.collect())?)
    }

    /// Whether the filter holds for the rows of each file; `None` if that is an error for one of them, which rows
    /// that are not there would not make.
    fn holds(&self, filter: &BoundExpr) -> Result<Option<Vec<bool>>> {
        let mut holds = Vec::with_capacity(self.files.len());
        for file in &self.files {
            let Ok(value) = filter.evaluate_array(&self.row(file)?) else { return Ok(None) };
            let value = value.as_boolean();
            holds.push(value.is_valid(0) && value.value(0));
        }
        Ok(Some(holds))
    }

    /// The batch with the columns of the file's folders, in the order of the request.
    fn complete(
        &self,
        rows: &RecordBatch,
        file: &[Constant],
        projection: &[usize],
    ) -> Result<RecordBatch> {
        let inner = rows.schema();
        let mut of_file = rows.columns().iter().zip(inner.fields());
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        for column in projection {
            if let Some(folder) = self.folders[*column] {
                let constant = &file[folder];
                let field = constant.field.clone().with_data_type(constant.physical_type());
                fields.push(Arc::new(field));
                columns.push(constant.repeat(rows.num_rows())?);
            } else if let Some((array, field)) = of_file.next() {
                fields.push(field.clone());
                columns.push(array.clone());
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let schema = Arc::new(Schema::new(fields));
        Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
    }
}

impl Source for FolderColumns {
    fn name(&self) -> String {
        self.inner.name()
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn statistics(&self) -> Statistics {
        self.inner.statistics()
    }

    fn fetches_ahead(&self) -> usize {
        self.inner.fetches_ahead()
    }

    fn partitions(&self, request: &ScanRequest) -> Result<Partitions> {
        let mut partitions = self.inner.partitions(&self.inner_request(request)?)?;
        let mut of_files = std::mem::take(&mut partitions.filters_exact).into_iter();
        let mut wanted = vec![true; self.files.len()];
        for filter in &request.filters {
            let exact = match self.about(filter)? {
                About::Files => of_files.next().unwrap_or(false),
                About::Both => false,
                About::Folders(bound) => match self.holds(&bound)? {
                    Some(holds) => {
                        wanted.iter_mut().zip(holds).for_each(|(wanted, holds)| *wanted &= holds);
                        true
                    }
                    None => false,
                },
            };
            partitions.filters_exact.push(exact);
        }
        let count = |list: &[dframe_plan::Partition]| -> usize {
            list.iter().map(|partition| partition.units.len()).sum()
        };
        let before = count(&partitions.list);
        for partition in &mut partitions.list {
            partition.units.retain(|unit| wanted[unit.file as usize]);
        }
        partitions.list.retain(|partition| !partition.units.is_empty());
        let spared = before - count(&partitions.list);
        partitions.row_groups = partitions.row_groups.saturating_sub(spared);
        partitions.row_groups_pruned += spared;
        Ok(partitions)
    }

    fn bounds(&self, unit: &ScanUnit, column: usize) -> Option<ColumnBounds> {
        let Some(folder) = self.folders[column] else { return self.inner.bounds(unit, column) };
        let value = self.files[unit.file as usize][folder].value();
        let rows = unit.row_count();
        let nulls = Some(if value.is_null(0) { rows } else { 0 });
        let (min, max) = (value.clone(), value.clone());
        Some(ColumnBounds { min, max, nulls, nans: Some(0), rows, are_values: true })
    }

    fn fetch(&self, unit: &ScanUnit, request: &ScanRequest) -> Result<Fetched> {
        self.inner.fetch(unit, &self.inner_request(request)?)
    }

    fn decode(
        self: Arc<Self>,
        unit: &ScanUnit,
        fetched: Fetched,
        request: &ScanRequest,
    ) -> Result<ScannedBatches> {
        let inner = self.inner_request(request)?;
        let batches = self.inner.clone().decode(unit, fetched, &inner)?;
        let file = self.files[unit.file as usize].clone();
        let projection = request.projection.clone();
        Ok(Box::new(batches.map(move |batch| {
            let ScannedBatch { rows, position } = batch?;
            Ok(ScannedBatch { rows: self.complete(&rows, &file, &projection)?, position })
        })))
    }
}
