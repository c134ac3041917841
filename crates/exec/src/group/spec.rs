//! What a group-by computes: bound keys and calls, and the two layouts its rows travel in.
//!
//! ```text
//!   raw layout:    keys.. | inputs.. | [position]      a row per input row, not yet aggregated
//!   state layout:  keys.. | states of call 0.. | ..    a row per group of some task
//! ```
//!
//! Both carry the keys first, so that a shuffle need not know which one it moves. A distinct argument
//! or filter of several calls is computed once: calls name their inputs by number.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use dframe_core::{Error, Result};
use dframe_expr::aggregate::{Accumulator, BoundAggregate};
use dframe_expr::{BoundExpr, Value, plain};

/// Where a call gets its rows from.
#[derive(Clone, Debug)]
pub(crate) enum CallInput {
    /// Values to fold in: the inputs that are its arguments, and the one that is its filter.
    Values {
        /// The arguments.
        args: Vec<usize>,
        /// The condition, if there is one.
        filter: Option<usize>,
    },
    /// States of the same function to merge: the inputs that are its state.
    States(Range<usize>),
}

/// One aggregate of a group-by.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The function.
    pub(crate) aggregate: BoundAggregate,
    /// Its input.
    pub(crate) input: CallInput,
}

/// What comes out of a group-by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Emit {
    /// Keys and results.
    Results,
    /// Keys and states, for another group-by above.
    States,
}

/// A group-by, bound to its input.
#[derive(Clone, Debug)]
pub(crate) struct GroupSpec {
    /// The keys.
    pub(crate) keys: Vec<BoundExpr>,
    /// Everything the calls need, each once.
    pub(crate) inputs: Vec<BoundExpr>,
    /// The aggregates.
    pub(crate) calls: Vec<Call>,
    /// What comes out.
    pub(crate) emit: Emit,
    /// The number of buckets that large results are cut into, a power of two.
    pub(crate) buckets: u32,
    /// Whether a task has all rows of its groups.
    pub(crate) divided: bool,
    /// Memory that a task may use for values it gathers, so that all tasks find some.
    pub(crate) share: usize,
    /// Keys, then results or states, with their names.
    pub(crate) output: SchemaRef,
}

/// The keys and inputs of some rows, evaluated.
pub(crate) struct Rows {
    /// A column per key.
    pub(crate) keys: Vec<ArrayRef>,
    /// A column per input.
    pub(crate) inputs: Vec<ArrayRef>,
    /// The number of rows.
    pub(crate) len: usize,
    /// Where the rows are in the whole input.
    pub(crate) positions: RowPositions,
}

/// The positions of rows.
pub(crate) enum RowPositions {
    /// Row `i` is at `base + i`.
    From(u64),
    /// Each row's own.
    Each(arrow::buffer::ScalarBuffer<u64>),
}

impl GroupSpec {
    /// Evaluates keys and inputs on a batch whose first row is at `position`.
    pub(crate) fn evaluate(&self, batch: &RecordBatch, position: u64) -> Result<Rows> {
        let len = batch.num_rows();
        let keys = self.keys.iter().map(|key| key.evaluate_array(batch)).collect::<Result<_>>()?;
        let input = |input: &BoundExpr| -> Result<ArrayRef> {
            match input.evaluate(batch)? {
                Value::Array(array) => plain(&array),
                Value::Scalar(array) => plain(&Value::Scalar(array).into_array(len)?),
            }
        };
        let inputs = self.inputs.iter().map(input).collect::<Result<_>>()?;
        Ok(Rows { keys, inputs, len, positions: RowPositions::From(position) })
    }

    /// The types of the keys, without dictionary encoding.
    pub(crate) fn key_types(&self) -> Vec<DataType> {
        self.keys.iter().map(|key| dframe_expr::plain_type(key.data_type()).clone()).collect()
    }

    /// An accumulator per call.
    pub(crate) fn accumulators(&self) -> Result<Vec<Box<dyn Accumulator>>> {
        self.calls.iter().map(|call| call.aggregate.accumulator()).collect()
    }

    /// Whether any call asks where rows are.
    pub(crate) fn needs_positions(&self) -> bool {
        let needs = |call: &Call| {
            matches!(call.input, CallInput::Values { .. }) && call.aggregate.needs_positions()
        };
        self.calls.iter().any(needs)
    }

    /// Whether any call's state is all values of a group, so that aggregating first makes nothing smaller.
    pub(crate) fn gathers(&self) -> bool {
        self.calls.iter().any(|call| call.aggregate.gathers())
    }

    /// The raw layout.
    pub(crate) fn raw_schema(&self) -> SchemaRef {
        let mut fields = self.key_fields();
        let types = self.inputs.iter().map(|input| dframe_expr::plain_type(input.data_type()));
        let input = |(i, data_type): (usize, &DataType)| {
            Field::new(format!("input{i}"), data_type.clone(), true)
        };
        fields.extend(types.enumerate().map(input));
        if self.needs_positions() {
            fields.push(Field::new("position", DataType::UInt64, false));
        }
        Arc::new(Schema::new(fields))
    }

    /// The state layout.
    pub(crate) fn state_schema(&self) -> SchemaRef {
        let mut fields = self.key_fields();
        for (number, call) in self.calls.iter().enumerate() {
            for (part, field) in call.aggregate.signature().state_fields.iter().enumerate() {
                let name = format!("state{number}_{part}");
                fields.push(Field::new(name, field.data_type().clone(), true));
            }
        }
        Arc::new(Schema::new(fields))
    }

    /// Cuts a batch of the raw layout into its columns.
    pub(crate) fn split_raw(&self, batch: &RecordBatch) -> Result<Rows> {
        let (keys, rest) = batch.columns().split_at(self.keys.len());
        let (inputs, rest) = rest.split_at(self.inputs.len());
        let positions = match rest.first() {
            None => RowPositions::From(0),
            Some(column) => {
                let column =
                    arrow::array::AsArray::as_primitive_opt::<arrow::datatypes::UInt64Type>(column);
                let column = column.ok_or_else(|| Error::internal("positions are not UInt64"))?;
                RowPositions::Each(column.values().clone())
            }
        };
        Ok(Rows { keys: keys.to_vec(), inputs: inputs.to_vec(), len: batch.num_rows(), positions })
    }

    fn key_fields(&self) -> Vec<Field> {
        let types = self.key_types().into_iter().enumerate();
        types.map(|(i, data_type)| Field::new(format!("key{i}"), data_type, true)).collect()
    }
}
