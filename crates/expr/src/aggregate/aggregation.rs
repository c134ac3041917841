//! Aggregates made of three functions over numbers: chunk, combine, finalize (Dask's `Aggregation`).
//!
//! ```text
//!   rows  --chunk-->  state of N numbers  --combine with other tasks' states-->  --finalize-->  result
//! ```
//!
//! States and results of other types are for whoever implements [`UserAggregate`].

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::datatypes::{DataType, Field, Float64Type};
use dframe_core::{Error, Result};

use super::{Accumulator, AggregateFunction, AggregateSignature, GroupedRows, UserAggregate};
use crate::{Expr, aggregate};

/// An aggregate of `A` numeric arguments that keeps `N` numbers for each group.
///
/// Rows with a NULL argument are skipped. States are spilled and combined like those of built-in aggregates: in
/// any order, so that the result depends on it where `combine` does, as by adding floats.
///
/// ```
/// use dframe_expr::aggregate::Aggregation;
/// use dframe_expr::col;
///
/// let geometric_mean = Aggregation {
///     name: "geometric_mean",
///     initial: [0.0, 0.0],
///     chunk: |state: &mut [f64; 2], [x]: [f64; 1]| {
///         state[0] += x.ln();
///         state[1] += 1.0;
///     },
///     combine: |state: &mut [f64; 2], other: &[f64; 2]| {
///         state[0] += other[0];
///         state[1] += other[1];
///     },
///     finalize: |[logarithms, count]: &[f64; 2]| {
///         (*count > 0.0).then(|| (logarithms / count).exp())
///     },
/// };
/// let expr = geometric_mean.over([col("price")]);
/// assert_eq!(expr.to_string(), "geometric_mean(price)");
/// ```
pub struct Aggregation<const N: usize, Chunk, Combine, Finalize> {
    /// The name, for plans and errors.
    pub name: &'static str,
    /// The state of a group without rows.
    pub initial: [f64; N],
    /// Folds the arguments of a row into a state.
    pub chunk: Chunk,
    /// Folds another state of the same group into a state.
    pub combine: Combine,
    /// The result, or NULL.
    pub finalize: Finalize,
}

impl<const N: usize, Chunk, Combine, Finalize> Aggregation<N, Chunk, Combine, Finalize> {
    /// The aggregate of these arguments, to use like any other.
    pub fn over<const A: usize>(self, args: [Expr; A]) -> Expr
    where
        Chunk: Fn(&mut [f64; N], [f64; A]) + Send + Sync + 'static,
        Combine: Fn(&mut [f64; N], &[f64; N]) + Send + Sync + 'static,
        Finalize: Fn(&[f64; N]) -> Option<f64> + Send + Sync + 'static,
    {
        let functions = OfArguments::<N, A, _, _, _>(Arc::new(self));
        aggregate(AggregateFunction::User(Arc::new(functions)), args.to_vec())
    }
}

/// An aggregation that knows its number of arguments.
struct OfArguments<const N: usize, const A: usize, Chunk, Combine, Finalize>(
    Arc<Aggregation<N, Chunk, Combine, Finalize>>,
);

impl<const N: usize, const A: usize, Chunk, Combine, Finalize> Debug
    for OfArguments<N, A, Chunk, Combine, Finalize>
{
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl<const N: usize, const A: usize, Chunk, Combine, Finalize> UserAggregate
    for OfArguments<N, A, Chunk, Combine, Finalize>
where
    Chunk: Fn(&mut [f64; N], [f64; A]) + Send + Sync + 'static,
    Combine: Fn(&mut [f64; N], &[f64; N]) + Send + Sync + 'static,
    Finalize: Fn(&[f64; N]) -> Option<f64> + Send + Sync + 'static,
{
    fn name(&self) -> &str {
        self.0.name
    }

    fn bind(&self, arg_types: &[DataType]) -> Result<AggregateSignature> {
        let other = arg_types.iter().find(|arg| !arg.is_numeric() && !arg.is_null());
        if let Some(other) = other {
            let message = format!("{} takes numbers, not {other}", self.0.name);
            return Err(Error::invalid_input(message).remedy("cast the argument to DOUBLE"));
        }
        let state = |number| Field::new(format!("state{number}"), DataType::Float64, false);
        Ok(AggregateSignature {
            arg_types: vec![DataType::Float64; A],
            state_fields: (0..N).map(state).collect(),
            return_type: DataType::Float64,
        })
    }

    fn accumulator(&self, _signature: &AggregateSignature) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(States::<N, A, _, _, _> { functions: self.0.clone(), states: Vec::new() }))
    }
}

/// The states of all groups.
struct States<const N: usize, const A: usize, Chunk, Combine, Finalize> {
    functions: Arc<Aggregation<N, Chunk, Combine, Finalize>>,
    states: Vec<[f64; N]>,
}

impl<const N: usize, const A: usize, Chunk, Combine, Finalize>
    States<N, A, Chunk, Combine, Finalize>
{
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups, self.functions.initial);
    }
}

impl<const N: usize, const A: usize, Chunk, Combine, Finalize> Accumulator
    for States<N, A, Chunk, Combine, Finalize>
where
    Chunk: Fn(&mut [f64; N], [f64; A]) + Send + Sync,
    Combine: Fn(&mut [f64; N], &[f64; N]) + Send + Sync,
    Finalize: Fn(&[f64; N]) -> Option<f64> + Send + Sync,
{
    fn update(&mut self, rows: &GroupedRows<'_>, args: &[ArrayRef]) -> Result<()> {
        self.resize(rows.group_count);
        let columns = numbers::<A>(args)?;
        for (row, group) in rows.groups.iter().enumerate() {
            if columns.iter().all(|column| column.is_valid(row)) {
                let values = columns.map(|column| column.value(row));
                (self.functions.chunk)(&mut self.states[*group as usize], values);
            }
        }
        Ok(())
    }

    fn merge(&mut self, rows: &GroupedRows<'_>, states: &[ArrayRef]) -> Result<()> {
        self.resize(rows.group_count);
        let columns = numbers::<N>(states)?;
        for (row, group) in rows.groups.iter().enumerate() {
            let other = columns.map(|column| column.value(row));
            (self.functions.combine)(&mut self.states[*group as usize], &other);
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let states = std::mem::take(&mut self.states);
        let column = |number: usize| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(states.iter().map(|state| state[number])))
        };
        Ok((0..N).map(column).collect())
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let states = std::mem::take(&mut self.states);
        Ok(Arc::new(states.iter().map(&self.functions.finalize).collect::<Float64Array>()))
    }

    fn memory(&self) -> usize {
        self.states.capacity() * size_of::<[f64; N]>()
    }
}

fn numbers<const M: usize>(columns: &[ArrayRef]) -> Result<[&Float64Array; M]> {
    let columns: Option<Vec<_>> =
        columns.iter().map(AsArray::as_primitive_opt::<Float64Type>).collect();
    let columns = columns.and_then(|columns| columns.try_into().ok());
    columns.ok_or_else(|| Error::internal("an aggregation's columns are not as it asked for"))
}
