//! Rows that are in the query itself: VALUES, and the one row of a SELECT without FROM.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use dframe_core::{Error, Fetched, Result};
use dframe_expr::{Expr, simplify};
use dframe_plan::{
    LogicalPlan, Partition, Partitions, ScanRequest, ScanUnit, ScannedBatch, ScannedBatches,
    Source, Statistics,
};
use sqlparser::ast;

use super::Planner;
use super::set_operation::common_type;
use crate::convert::Located;
use crate::place::at;

/// Few rows in memory, as a source.
#[derive(Debug)]
struct Rows {
    batch: RecordBatch,
}

/// One row with nothing of interest in it.
pub(super) fn one_row() -> LogicalPlan {
    let column: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
    let schema = Arc::new(Schema::new(vec![Field::new("row", column.data_type().clone(), true)]));
    let batch = RecordBatch::try_new(schema.clone(), vec![column]);
    let batch = batch.unwrap_or_else(|_| RecordBatch::new_empty(schema));
    LogicalPlan::scan(Arc::new(Rows { batch }))
}

impl Planner<'_, '_> {
    /// `VALUES (1, 'a'), (2, 'b')`: the columns are called `col0`, `col1`.
    pub fn values(&mut self, node: ast::Values) -> Result<LogicalPlan> {
        let mut columns: Vec<Vec<Expr>> = vec![];
        let width = node.rows.first().map_or(0, |row| row.content.len());
        columns.resize_with(width, Vec::new);
        for row in node.rows {
            if row.content.len() != width {
                let place = row.content.first().map(|node| self.converter().place(node));
                let error = Error::invalid_input(format!("a row of VALUES has not {width} values"));
                return Err(at(error, place.unwrap_or_default()));
            }
            for (column, node) in columns.iter_mut().zip(row.content) {
                column.push(self.constant(node)?);
            }
        }
        let columns = columns.into_iter().map(array).collect::<Result<Vec<_>>>()?;
        let field = |(index, array): (usize, &ArrayRef)| {
            Field::new(format!("col{index}"), array.data_type().clone(), true)
        };
        let fields: Vec<Field> = columns.iter().enumerate().map(field).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        Ok(LogicalPlan::scan(Arc::new(Rows { batch })))
    }

    fn constant(&self, node: ast::Expr) -> Result<Expr> {
        let Located { expr, span } = self.converter().expr(node)?;
        match simplify(expr, &Schema::empty()) {
            literal @ Expr::Literal(_) => Ok(literal),
            _ => Err(at(Error::invalid_input("VALUES takes constants only"), span)),
        }
    }
}

/// Constants one below the other, in a type that holds all.
fn array(values: Vec<Expr>) -> Result<ArrayRef> {
    let empty = Schema::empty();
    let types = values.iter().map(|value| Ok(value.to_field(&empty)?.data_type().clone()));
    let types = types.collect::<Result<Vec<_>>>()?;
    let to = common_type(types.iter())?;
    let cast = |value: Expr| match simplify(value.cast(to.clone()), &empty) {
        Expr::Literal(literal) => Ok(literal.0),
        other => Err(Error::invalid_input(format!("{other} is not a constant"))),
    };
    let values = values.into_iter().map(cast).collect::<Result<Vec<_>>>()?;
    let values: Vec<&dyn arrow::array::Array> = values.iter().map(AsRef::as_ref).collect();
    Ok(arrow::compute::concat(&values)?)
}

impl Source for Rows {
    fn name(&self) -> String {
        "values".to_string()
    }

    fn schema(&self) -> SchemaRef {
        self.batch.schema()
    }

    fn statistics(&self) -> Statistics {
        let bytes = self.batch.get_array_memory_size() as u64;
        Statistics { rows: Some(self.batch.num_rows() as u64), bytes: Some(bytes) }
    }

    fn partitions(&self, request: &ScanRequest) -> Result<Partitions> {
        let unit = ScanUnit {
            file: 0,
            row_group: 0,
            rows: 0..self.batch.num_rows() as u64,
            position: 0,
            batch_rows: request.batch_rows,
            fetch_bytes: 0,
            decode_bytes: self.batch.get_array_memory_size() as u64,
        };
        let filters_exact = vec![false; request.filters.len()];
        let list = vec![Partition { units: vec![unit] }];
        Ok(Partitions { list, row_groups: 1, row_groups_pruned: 0, filters_exact })
    }

    fn fetch(&self, _: &ScanUnit, _: &ScanRequest) -> Result<Fetched> {
        Ok(Fetched::default())
    }

    fn decode(
        self: Arc<Self>,
        unit: &ScanUnit,
        _: Fetched,
        request: &ScanRequest,
    ) -> Result<ScannedBatches> {
        let rows = self.batch.project(&request.projection)?;
        let (start, end, step) = (unit.rows.start, unit.rows.end, unit.batch_rows.max(1));
        let piece = move |from: u64| {
            let length = (end - from).min(step as u64) as usize;
            // There is one unit, so that a row's place in it is its place in the source.
            Ok(ScannedBatch { rows: rows.slice(from as usize, length), position: from })
        };
        Ok(Box::new((start..end).step_by(step).map(piece)))
    }
}
