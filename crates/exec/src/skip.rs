//! Which units of a scan need not be read, as is known only once the query runs.
//!
//! ```text
//!   what tasks have found --> UnitTest        first rows in an order: the key that a row must come before
//!                                |            a join: the keys of the table that rows probe
//!   unit --bounds of a column----+--> needed?   asked before a unit is fetched, and again before it is decoded
//! ```
//!
//! A column of the scan is followed through the operators above it, as long as they pass it on. Tests err
//! towards reading: what is not known may matter. How bounds are found, the source knows.

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use dframe_core::Result;
use dframe_expr::plain_type;
use dframe_plan::{ColumnBounds, Scan, ScanUnit, Source};

use crate::pipeline::BlockOp;
use crate::sort::canonical;

/// Knows of units whose rows cannot matter.
pub(crate) trait UnitTest: Send + Sync {
    /// Whether a row of the unit may matter, by what is known now.
    fn may_matter(&self, source: &dyn Source, unit: &ScanUnit) -> bool;
}

/// A column of a scan, as it is seen above some operators.
#[derive(Clone, Debug)]
pub(crate) struct ScanColumn {
    /// Its position in the source.
    column: usize,
    /// What it is cast to on its way, in order. No cast changes the order of values.
    casts: Vec<DataType>,
}

impl ScanColumn {
    /// Where column `column` of what comes out of `ops` is from.
    pub(crate) fn behind(column: usize, ops: &[BlockOp], scan: &Scan) -> Option<Self> {
        let (mut column, mut casts) = (column, Vec::new());
        for op in ops.iter().rev() {
            match op {
                BlockOp::Filter(_) => {}
                BlockOp::Project { exprs, .. } => {
                    let (input, data_type) = exprs.get(column)?.as_widened_column()?;
                    casts.push(data_type.clone());
                    column = input;
                }
                BlockOp::Probe(table, _) => column = table.probing_column(column)?,
                BlockOp::Expand { .. } | BlockOp::Map(_) => return None,
            }
        }
        casts.reverse();
        Some(Self { column: *scan.projection.get(column)?, casts })
    }

    /// The column, cast to a type in which its values keep their order.
    pub(crate) fn cast_to(mut self, data_type: &DataType) -> Self {
        self.casts.push(data_type.clone());
        self
    }

    /// Its position in the source.
    pub(crate) fn column(&self) -> usize {
        self.column
    }

    /// Values of it, as they are seen.
    pub(crate) fn values(&self, values: &ArrayRef) -> Result<ArrayRef> {
        self.casts.iter().try_fold(values.clone(), |value, to| {
            match plain_type(value.data_type()) {
                from if from == to => Ok(value),
                _ => Ok(cast(&value, to)?),
            }
        })
    }

    /// What is known of it in a unit.
    pub(crate) fn bounds(&self, source: &dyn Source, unit: &ScanUnit) -> Option<ColumnBounds> {
        let mut bounds = source.bounds(unit, self.column)?;
        // A NaN is one before and after a cast; what is cast to floats has none.
        if !bounds.may_be_nan() {
            bounds.nans = Some(0);
        }
        bounds.min = self.as_seen(bounds.min)?;
        bounds.max = self.as_seen(bounds.max)?;
        Some(bounds)
    }

    fn as_seen(&self, value: ArrayRef) -> Option<ArrayRef> {
        let seen = self.casts.iter().try_fold(value, |value, to| cast(&value, to));
        canonical(&seen.ok()?).ok()
    }
}
