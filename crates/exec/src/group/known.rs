//! Aggregates of all rows that need no rows: counts and extremes of row groups whose bounds are values.
//!
//! ```text
//!   units of a scan --+-- bounds that are values, counts --> one state       no reading
//!                     +-- the rest --> scan, partial aggregate --> states    as ever
//! ```
//!
//! The greatest of some floats is known only where somebody counted that there is no NaN, which is greater. A zero is
//! not known either: files do not tell the two zeros apart.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow::compute::{cast, concat};
use arrow::datatypes::DataType;
use dframe_core::{Error, Result};
use dframe_expr::aggregate::{AggregateFunction, GroupedRows, Positions};
use dframe_plan::{ColumnBounds, Partition, ScanUnit, Source};
use dframe_runtime::{Chunk, Dependency, Pattern, Stage, Task};

use super::partial::TAG_STATES;
use super::radix::UNCUT;
use super::spec::{Call, CallInput, GroupSpec};
use crate::fold::keep;
use crate::pipeline::batch_of;
use crate::skip::ScanColumn;
use crate::stage::finishing;

/// What a call asks of the rows.
pub(crate) enum KnownCall {
    Rows,
    Values(ScanColumn),
    Min(ScanColumn),
    Max(ScanColumn),
}

impl KnownCall {
    /// What `call` asks; `None` if bounds cannot tell. `column` finds the column that input `n` is.
    pub(crate) fn of(call: &Call, column: impl Fn(usize) -> Option<ScanColumn>) -> Option<Self> {
        let CallInput::Values { args, filter: None } = &call.input else { return None };
        match (call.aggregate.function(), args.as_slice()) {
            (AggregateFunction::Count, []) => Some(Self::Rows),
            (AggregateFunction::Count, [arg]) => Some(Self::Values(column(*arg)?)),
            (AggregateFunction::Min, [arg]) => Some(Self::Min(column(*arg)?)),
            (AggregateFunction::Max, [arg]) => Some(Self::Max(column(*arg)?)),
            _ => None,
        }
    }

    /// What a row group tells: a count, or an extreme, which is NULL where there is no value. `None` if it tells nothing.
    fn of_row_group(&self, source: &dyn Source, unit: &ScanUnit, rows: u64) -> Option<ArrayRef> {
        let count = |count: u64| -> Option<ArrayRef> {
            Some(Arc::new(Int64Array::from(vec![i64::try_from(count).ok()?])))
        };
        let bounds = |column: &ScanColumn| {
            let known = column.bounds(source, unit)?;
            (known.rows == rows).then_some(known)
        };
        match self {
            Self::Rows => count(rows),
            Self::Values(column) => count(rows.checked_sub(bounds(column)?.nulls?)?),
            Self::Min(column) => extreme(&bounds(column)?, |bounds| &bounds.min),
            Self::Max(column) => {
                let bounds = bounds(column)?;
                extreme(&bounds, |bounds| &bounds.max).filter(|_| !bounds.may_be_nan())
            }
        }
    }
}

fn extreme(bounds: &ColumnBounds, of: fn(&ColumnBounds) -> &ArrayRef) -> Option<ArrayRef> {
    let value = of(bounds);
    let is_known =
        bounds.is_all_null() || bounds.are_values && value.is_valid(0) && !is_zero(value);
    is_known.then(|| value.clone())
}

fn is_zero(value: &ArrayRef) -> bool {
    value.data_type().is_floating()
        && cast(value, &DataType::Float64)
            .ok()
            .and_then(|value| value.as_any().downcast_ref::<Float64Array>().map(|v| v.value(0)))
            .is_none_or(|value| value == 0.0)
}

/// What row groups tell of all of some calls.
pub(crate) struct KnownStates {
    spec: Arc<GroupSpec>,
    states: RecordBatch,
}

impl KnownStates {
    /// Takes the row groups that tell everything out of `partitions`, which are all that `source` has; `None` if
    /// there are none.
    pub(crate) fn take(
        spec: &Arc<GroupSpec>,
        calls: &[KnownCall],
        source: &dyn Source,
        partitions: &mut Vec<Partition>,
    ) -> Result<Option<Self>> {
        let mut row_groups: BTreeMap<(u32, u32), (ScanUnit, u64)> = BTreeMap::new();
        for unit in partitions.iter().flat_map(|partition| &partition.units) {
            let key = (unit.file, unit.row_group);
            row_groups.entry(key).or_insert_with(|| (unit.clone(), 0)).1 += unit.row_count();
        }
        let mut values: Vec<Vec<ArrayRef>> = vec![Vec::new(); calls.len()];
        row_groups.retain(|_, (unit, rows)| {
            let told = calls.iter().map(|call| call.of_row_group(source, unit, *rows));
            let Some(told) = told.collect::<Option<Vec<_>>>() else { return false };
            values.iter_mut().zip(told).for_each(|(values, value)| values.push(value));
            true
        });
        if row_groups.is_empty() {
            return Ok(None);
        }
        for partition in partitions.iter_mut() {
            partition.units.retain(|unit| !row_groups.contains_key(&(unit.file, unit.row_group)));
        }
        partitions.retain(|partition| !partition.units.is_empty());
        let states = spec.calls.iter().zip(calls).zip(values);
        let states: Vec<Vec<ArrayRef>> = states
            .map(|((call, known), values)| state(call, known, &values))
            .collect::<Result<_>>()?;
        let states = batch_of(&spec.state_schema(), states.concat(), 1)?;
        Ok(Some(Self { spec: spec.clone(), states }))
    }
}

/// The state of `call` that follows from what row groups tell.
fn state(call: &Call, known: &KnownCall, values: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    let values: Vec<&dyn Array> = values.iter().map(|value| value.as_ref()).collect();
    let values = concat(&values)?;
    let groups = vec![0; values.len()];
    let rows = GroupedRows { groups: &groups, group_count: 1, positions: Positions::From(0) };
    let mut accumulator = call.aggregate.accumulator()?;
    match known {
        KnownCall::Rows | KnownCall::Values(_) => accumulator.merge(&rows, &[values])?,
        KnownCall::Min(_) | KnownCall::Max(_) => {
            let [argument] = call.aggregate.signature().arg_types.as_slice() else {
                return Err(Error::internal("an extreme of several arguments"));
            };
            accumulator.update(&rows, &[cast(&values, argument)?])?;
        }
    }
    accumulator.state()
}

impl Stage for KnownStates {
    fn name(&self) -> &str {
        "read bounds of row groups"
    }

    fn pattern(&self) -> Pattern {
        Pattern::Blockwise
    }

    fn task_count(&self) -> usize {
        1
    }

    fn dependencies(&self, _index: usize) -> Vec<Dependency> {
        Vec::new()
    }

    fn task(&self, _index: usize) -> Result<Box<dyn Task>> {
        let (schema, states) = (self.spec.state_schema(), self.states.clone());
        Ok(finishing(move |_, context| {
            let mut held = context.budget.reservation();
            let part = keep(TAG_STATES, schema, vec![(UNCUT, states)], &mut held, context)?;
            Ok(Chunk::new(vec![part]))
        }))
    }
}
