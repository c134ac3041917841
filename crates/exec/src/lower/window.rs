//! Lowering window functions: rows are cut by partition, or sorted as a whole where there is none.
//!
//! ```text
//!   partition by k   --exchange by k--> a task per bucket: sort by k, order; evaluate --> ops, fold --> ...
//!   divisions by k   --as they are--> a task per division: the same
//!   no partition     --sort--> a task that evaluates --> ops, fold --> ...
//! ```

use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use dframe_core::{Error, Result};
use dframe_expr::window::{BoundWindow, RowDirection};
use dframe_expr::{BoundExpr, Expr, SortKey, bind, col};
use dframe_plan::node::{Node, Window};

use super::join::row_bytes;
use super::{Origin, Planner, Stream};
use crate::exchange::{ExchangeSpec, RowOrder};
use crate::shuffle::{BucketInputs, StreamOrigin};
use crate::sort::SortSpec;
use crate::window::{WindowBuckets, WindowSpec};

impl Planner<'_> {
    /// The rows of the input with the answers of the window functions.
    pub(super) fn window(&mut self, window: &Window) -> Result<Stream> {
        let stream = self.stream(&window.input)?;
        let stream = self.without_tail(stream)?;
        let rows = stream.rows;
        let in_order = window.direction == RowDirection::Forward && window.ties.is_none();
        let whole = window.partition_by.is_empty() && in_order && window.places.is_none();
        let origin = match whole {
            true => self.windows_of_all(window, stream)?,
            false => self.windows_of_buckets(window, stream)?,
        };
        Ok(Stream::of(Origin::Buckets(origin), window.schema(), rows))
    }

    fn windows_of_all(&mut self, window: &Window, stream: Stream) -> Result<StreamOrigin> {
        let schema = stream.schema.clone();
        let sorted = match window.order_by.is_empty() {
            true => stream,
            false => self.sort(stream, &window.order_by, None)?,
        };
        let sorted = self.without_tail(sorted)?;
        let stage = self.collect(sorted)?;
        let spec = window_spec(window, &schema, &schema, None, Vec::new())?;
        let work = Arc::new(WindowBuckets(Arc::new(spec)));
        Ok(StreamOrigin { inputs: BucketInputs::Buckets(vec![self.tasks_of(stage)], 1), work })
    }

    fn windows_of_buckets(&mut self, window: &Window, mut stream: Stream) -> Result<StreamOrigin> {
        let schema = stream.schema.clone();
        let keys = window.partition_by.iter().map(|key| bind(key, &schema));
        let keys = keys.collect::<Result<Vec<BoundExpr>>>()?;
        let buckets = match keys.is_empty() {
            true => 1,
            // A bucket may be larger than memory: few ones are better than many small pieces.
            false => self.buckets_for(stream.rows, row_bytes(&schema)),
        };
        let is_divided = buckets > 1 && self.divide(&mut stream, &keys)?.is_some();
        let buckets = if is_divided { 1 } else { buckets };
        let order = match needs_places(window) {
            false => RowOrder::Forgotten,
            true => RowOrder::Kept,
        };
        let exchange = Arc::new(ExchangeSpec::new(&schema, keys, order, buckets));
        let layout = exchange.layout();
        let places = exchange.keys().iter().map(|place| column_at(*place, layout));
        let partition = places.collect::<Result<Vec<BoundExpr>>>()?;
        let sort = self.bucket_sort(window, &schema, layout, &partition)?;
        let sort = Some(sort).filter(|sort| !sort.keys.is_empty()).map(Arc::new);
        let spec = window_spec(window, &schema, layout, sort, partition)?;
        let work = Arc::new(WindowBuckets(Arc::new(spec)));
        let stage = self.exchange(stream, exchange)?;
        let inputs = match is_divided {
            true => BucketInputs::Divisions { stage, sides: 1 },
            false => BucketInputs::Buckets(vec![stage], buckets),
        };
        Ok(StreamOrigin { inputs, work })
    }

    /// By partition, then by the order; equal rows as they came, or in reverse.
    fn bucket_sort(
        &self,
        window: &Window,
        schema: &SchemaRef,
        layout: &SchemaRef,
        partition: &[BoundExpr],
    ) -> Result<SortSpec> {
        let memory = self.task_memory();
        let mut sort = SortSpec::in_layout(&window.order_by, memory, schema, layout.clone())?;
        sort.keys.splice(0..0, partition.iter().cloned());
        sort.options.splice(0..0, vec![SortOptions::default(); partition.len()]);
        let backward = window.direction == RowDirection::Backward;
        let ties = match &window.ties {
            Some(name) => Some(bind(&col(name), schema)?),
            None if backward => Some(column_at(layout.fields().len() - 1, layout)?),
            None => None,
        };
        if let Some(ties) = ties {
            sort.keys.push(ties);
            sort.options.push(SortOptions { descending: backward, nulls_first: false });
        }
        Ok(sort)
    }
}

/// Whether rows must carry their place in the input.
fn needs_places(window: &Window) -> bool {
    let backward = window.direction == RowDirection::Backward;
    window.places.is_some() || (backward && window.ties.is_none())
}

fn window_spec(
    window: &Window,
    schema: &SchemaRef,
    layout: &SchemaRef,
    sort: Option<Arc<SortSpec>>,
    partition: Vec<BoundExpr>,
) -> Result<WindowSpec> {
    let bound = |key: &SortKey| bind(&key.expr, schema);
    Ok(WindowSpec {
        sort,
        width: layout.fields().len(),
        partition,
        order: window.order_by.iter().map(bound).collect::<Result<_>>()?,
        direction: window.direction,
        calls: window.calls.iter().map(|call| call_of(call, schema)).collect::<Result<_>>()?,
        columns: schema.fields().len(),
        has_places: window.places.is_some(),
        output: window.schema(),
    })
}

fn call_of(call: &Expr, schema: &Schema) -> Result<BoundWindow> {
    match call.unaliased() {
        Expr::Window(call) => call.bind(schema),
        other => Err(Error::internal(format!("{other} is no window function"))),
    }
}

/// The column at `place`, whatever its name, which others may have too.
fn column_at(place: usize, layout: &Schema) -> Result<BoundExpr> {
    let field = |(index, field): (usize, &Arc<Field>)| {
        let data_type: &DataType = field.data_type();
        Field::new(format!("column {index}"), data_type.clone(), true)
    };
    let fields: Vec<Field> = layout.fields().iter().enumerate().map(field).collect();
    bind(&col(format!("column {place}")), &Schema::new(fields))
}
