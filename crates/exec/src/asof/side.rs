//! One side of an as-of join: batches in the order of the keys, with their keys made comparable.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type};
use arrow::row::{RowConverter, Rows, SortField};
use dframe_core::{Reservation, Result};
use dframe_expr::{BoundExpr, plain, plain_type};
use dframe_runtime::{Chunk, TaskContext, batch_bytes};

use crate::sort::{SortSpec, canonical, sorted_bucket};

/// How a side is read.
#[derive(Debug)]
pub(crate) struct SideSpec {
    /// The order of a bucket, by all keys; none if the rows come in order, all in one bucket.
    pub(crate) sort: Option<Arc<SortSpec>>,
    /// The keys that are equal.
    pub(crate) by: Vec<BoundExpr>,
    /// The ordered key.
    pub(crate) on: BoundExpr,
    /// The number of the side's columns, which come first.
    pub(crate) columns: usize,
    /// Whether distances of ordered keys are asked for.
    pub(crate) measured: bool,
}

impl SideSpec {
    /// The equal keys of some rows.
    pub(super) fn keys(&self, rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
        self.by.iter().map(|key| key.evaluate_array(rows)).collect()
    }

    /// Their types, without dictionary encoding.
    pub(super) fn key_types(&self) -> Vec<DataType> {
        self.by.iter().map(|key| plain_type(key.data_type()).clone()).collect()
    }
}

/// Rows in order.
pub(super) struct SideBatch {
    /// The side's columns.
    pub(super) batch: RecordBatch,
    /// The equal keys; none if there are no such keys.
    by: Option<Rows>,
    on: Rows,
    numbers: Numbers,
    /// The rows whose keys are not NULL.
    able: Option<NullBuffer>,
    _held: Reservation,
}

enum Numbers {
    Unasked,
    Whole(Vec<i128>),
    Floats(Vec<f64>),
}

/// The distance of two ordered keys.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub(super) enum Distance {
    Whole(u128),
    Float(f64),
}

impl Distance {
    /// The distance of two floats: NaN is after all numbers, and far from them.
    pub(super) fn of_floats(here: f64, there: f64) -> Self {
        let same = here == there || (here.is_nan() && there.is_nan());
        let distance = (here - there).abs();
        let far = if distance.is_nan() { f64::INFINITY } else { distance };
        Distance::Float(if same { 0.0 } else { far })
    }
}

impl SideBatch {
    pub(super) fn is_able(&self, row: usize) -> bool {
        self.able.as_ref().is_none_or(|able| able.is_valid(row))
    }

    pub(super) fn by(&self, row: usize) -> &[u8] {
        match &self.by {
            Some(by) => by.row(row).data(),
            None => &[],
        }
    }

    pub(super) fn on(&self, row: usize) -> &[u8] {
        self.on.row(row).data()
    }

    /// How far the ordered keys of a row here and one there are apart.
    pub(super) fn distance(&self, row: usize, other: &SideBatch, other_row: usize) -> Distance {
        match (&self.numbers, &other.numbers) {
            (Numbers::Whole(here), Numbers::Whole(there)) => {
                Distance::Whole(here[row].abs_diff(there[other_row]))
            }
            (Numbers::Floats(here), Numbers::Floats(there)) => {
                Distance::of_floats(here[row], there[other_row])
            }
            _ => Distance::Whole(0),
        }
    }
}

/// Reads a side.
pub(super) struct Side<'a> {
    spec: &'a SideSpec,
    rows: Box<dyn Iterator<Item = Result<RecordBatch>>>,
    by: RowConverter,
    on: RowConverter,
    context: &'a TaskContext,
}

impl<'a> Side<'a> {
    /// The rows of a bucket of `chunk`, sorted if need be.
    pub(super) fn new(
        spec: &'a SideSpec,
        chunk: Chunk,
        bucket: u32,
        context: &'a TaskContext,
    ) -> Result<Self> {
        let rows: Box<dyn Iterator<Item = Result<RecordBatch>>> = match &spec.sort {
            Some(sort) => Box::new(sorted_bucket(sort, chunk.into_parts(), bucket, context)?),
            None => Box::new(chunk.into_parts().into_iter().flat_map(|part| part.take(None))),
        };
        let field = |key: &BoundExpr| SortField::new(plain_type(key.data_type()).clone());
        let by = RowConverter::new(spec.by.iter().map(field).collect())?;
        let on = RowConverter::new(vec![field(&spec.on)])?;
        Ok(Self { spec, rows, by, on, context })
    }

    /// The next batch that has rows.
    pub(super) fn next(&mut self) -> Result<Option<SideBatch>> {
        loop {
            let Some(rows) = self.rows.next().transpose()? else { return Ok(None) };
            if rows.num_rows() > 0 {
                return self.keyed(&rows).map(Some);
            }
        }
    }

    fn keyed(&self, rows: &RecordBatch) -> Result<SideBatch> {
        let key = |key: &BoundExpr| canonical(&plain(&key.evaluate_array(rows)?)?);
        let by = self.spec.by.iter().map(key).collect::<Result<Vec<ArrayRef>>>()?;
        let on = key(&self.spec.on)?;
        let nulls = by.iter().chain([&on]).map(|key| key.logical_nulls());
        let able = nulls.fold(None, |all, nulls| NullBuffer::union(all.as_ref(), nulls.as_ref()));
        let numbers = if self.spec.measured { numbers(&on)? } else { Numbers::Unasked };
        let by = match by.is_empty() {
            true => None,
            false => Some(self.by.convert_columns(&by)?),
        };
        let on = self.on.convert_columns(&[on])?;
        let batch = rows.project(&(0..self.spec.columns).collect::<Vec<_>>())?;
        let mut held = self.context.budget.reservation();
        let keys = by.as_ref().map_or(0, Rows::size) + on.size();
        held.grow(batch_bytes(&batch) + keys, "a batch of an as-of join")?;
        Ok(SideBatch { batch, by, on, numbers, able, _held: held })
    }
}

/// Ordered keys as numbers, for distances.
fn numbers(on: &ArrayRef) -> Result<Numbers> {
    let data_type = on.data_type();
    if data_type.is_floating() {
        let floats = cast(on, &DataType::Float64)?;
        return Ok(Numbers::Floats(floats.as_primitive::<Float64Type>().values().to_vec()));
    }
    if let DataType::Decimal128(..) = data_type {
        return Ok(Numbers::Whole(on.as_primitive::<Decimal128Type>().values().to_vec()));
    }
    let whole = match data_type {
        // Days, and what counts seconds, are integers.
        DataType::Date32 | DataType::Time32(_) => {
            cast(&cast(on, &DataType::Int32)?, &DataType::Int64)?
        }
        DataType::Timestamp(..)
        | DataType::Time64(_)
        | DataType::Date64
        | DataType::Duration(_) => cast(on, &DataType::Int64)?,
        _ => on.clone(),
    };
    let wide = cast(&whole, &DataType::Decimal128(38, 0))?;
    Ok(Numbers::Whole(wide.as_primitive::<Decimal128Type>().values().to_vec()))
}
