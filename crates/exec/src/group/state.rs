//! The groups of one task: a key table and the states of every call, folded batch by batch.
//!
//! Rows come in as values ([`GroupState::update`]) or as states of other tasks
//! ([`GroupState::merge`]), and leave as states or results, a slice of groups at a time. It does
//! not know about buckets, memory limits or where its rows come from.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::filter;
use arrow::datatypes::{SchemaRef, UInt32Type};
use dframe_core::{Error, Result};
use dframe_expr::aggregate::{Accumulator, GroupedRows, Positions};
use dframe_expr::true_only;

use super::partial::TAG_RAW;
use super::spec::{Call, CallInput, Emit, GroupSpec, RowPositions, Rows};
use super::table::GroupTable;
use crate::pipeline::batch_of;

/// Keys and states of a set of groups.
pub(crate) struct GroupState {
    spec: Arc<GroupSpec>,
    table: GroupTable,
    accumulators: Vec<Box<dyn Accumulator>>,
    groups: Vec<u32>,
}

/// The columns of all groups, ready to be cut into batches.
pub(crate) struct Columns {
    table: GroupTable,
    values: Vec<ArrayRef>,
    schema: SchemaRef,
}

impl GroupState {
    /// No groups yet (one, if there are no keys).
    pub(crate) fn new(spec: &Arc<GroupSpec>) -> Result<Self> {
        Self::with_table(spec, GroupTable::new(&spec.key_types())?)
    }

    /// No groups yet, of keys that rows were cut by.
    pub(crate) fn of_bucket(spec: &Arc<GroupSpec>) -> Result<Self> {
        match spec.buckets {
            1 => Self::new(spec),
            _ => Self::with_table(spec, GroupTable::of_cut_keys(&spec.key_types())?),
        }
    }

    fn with_table(spec: &Arc<GroupSpec>, table: GroupTable) -> Result<Self> {
        Ok(Self {
            spec: spec.clone(),
            table,
            accumulators: spec.accumulators()?,
            groups: Vec::new(),
        })
    }

    /// The number of groups.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether all keys so far came in order.
    pub(crate) fn is_in_order(&self) -> bool {
        self.table.is_in_order()
    }

    /// Makes room in the table for so many groups.
    pub(crate) fn reserve(&mut self, groups: usize) {
        self.table.reserve(groups);
    }

    /// The memory that a table of so many groups takes.
    pub(crate) fn memory_for(&self, groups: usize) -> usize {
        self.table.memory_for(groups)
    }

    /// The bytes of memory held.
    pub(crate) fn memory(&self) -> usize {
        let states: usize = self.accumulators.iter().map(|state| state.memory()).sum();
        self.table.memory() + states + self.groups.capacity() * 4
    }

    /// Folds rows in.
    pub(crate) fn update(&mut self, rows: &Rows) -> Result<()> {
        self.table.assign(&rows.keys, rows.len, &mut self.groups)?;
        let grouped = GroupedRows {
            groups: &self.groups,
            group_count: self.table.len(),
            positions: match &rows.positions {
                RowPositions::From(base) => Positions::From(*base),
                RowPositions::Each(positions) => Positions::Each(positions),
            },
        };
        for (call, accumulator) in self.spec.calls.iter().zip(&mut self.accumulators) {
            fold(call, accumulator.as_mut(), &grouped, rows)?;
        }
        Ok(())
    }

    /// Folds a batch of the state layout in.
    pub(crate) fn merge(&mut self, batch: &RecordBatch) -> Result<()> {
        let (keys, mut states) = batch.columns().split_at(self.spec.keys.len());
        self.table.assign(keys, batch.num_rows(), &mut self.groups)?;
        let grouped = GroupedRows {
            groups: &self.groups,
            group_count: self.table.len(),
            positions: Positions::From(0),
        };
        for (call, accumulator) in self.spec.calls.iter().zip(&mut self.accumulators) {
            let (own, rest) = states.split_at(call.aggregate.signature().state_fields.len());
            accumulator.merge(&grouped, own)?;
            states = rest;
        }
        Ok(())
    }

    /// Folds a batch of a part in, of whichever layout its tag tells.
    pub(crate) fn fold(&mut self, tag: u32, batch: &RecordBatch) -> Result<()> {
        match tag {
            TAG_RAW => self.update(&self.spec.clone().split_raw(batch)?),
            _ => self.merge(batch),
        }
    }

    /// The hash of each group's key.
    pub(crate) fn hashes(&self) -> Vec<u64> {
        self.table.hashes()
    }

    /// The groups in the order of their keys' hashes.
    pub(crate) fn order_by_hash(&self) -> Vec<u32> {
        let hashes = self.hashes();
        let mut order: Vec<u32> = (0..hashes.len() as u32).collect();
        order.sort_unstable_by_key(|group| hashes[*group as usize]);
        order
    }

    /// All groups in the state layout.
    pub(crate) fn into_states(mut self) -> Result<Columns> {
        self.touch_all()?;
        let states = self.accumulators.iter_mut().map(|state| state.state());
        let values = states.collect::<Result<Vec<_>>>()?.concat();
        Ok(Columns { table: self.table, values, schema: self.spec.state_schema() })
    }

    /// All groups in the layout that comes out.
    pub(crate) fn into_output(mut self) -> Result<Columns> {
        if self.spec.emit == Emit::States {
            return self.into_states();
        }
        self.touch_all()?;
        let names = self.spec.output.fields()[self.spec.keys.len()..].iter();
        let results = self.accumulators.iter_mut().zip(names).map(|(state, field)| {
            // What overflows is one of several aggregates: say which.
            state.finish().map_err(|error| error.column(field.name()))
        });
        let values = results.collect::<Result<Vec<_>>>()?;
        Ok(Columns { table: self.table, values, schema: self.spec.output.clone() })
    }

    /// The results of the calls.
    pub(crate) fn into_results(mut self) -> Result<Vec<ArrayRef>> {
        self.touch_all()?;
        self.accumulators.iter_mut().map(|state| state.finish()).collect()
    }

    /// Tells every accumulator how many groups there are, also those that saw no row.
    fn touch_all(&mut self) -> Result<()> {
        let none = GroupedRows {
            groups: &[],
            group_count: self.table.len(),
            positions: Positions::From(0),
        };
        for (call, accumulator) in self.spec.calls.iter().zip(&mut self.accumulators) {
            let empty = |data_type| arrow::array::new_empty_array(data_type);
            let args: Vec<_> = call.aggregate.signature().arg_types.iter().map(empty).collect();
            accumulator.update(&none, &args)?;
        }
        Ok(())
    }
}

/// Folds one call's share of `rows` into its states.
fn fold(
    call: &Call,
    accumulator: &mut dyn Accumulator,
    grouped: &GroupedRows<'_>,
    rows: &Rows,
) -> Result<()> {
    match &call.input {
        CallInput::States(range) => accumulator.merge(grouped, &rows.inputs[range.clone()]),
        CallInput::Values { args, filter: None } => {
            accumulator.update(grouped, &pick(&rows.inputs, args))
        }
        CallInput::Values { args, filter: Some(mask) } => {
            let mask = mask_of(&rows.inputs[*mask])?;
            let args = pick(&rows.inputs, args);
            fold_filtered(accumulator, grouped, &args, &mask)
        }
    }
}

fn fold_filtered(
    accumulator: &mut dyn Accumulator,
    grouped: &GroupedRows<'_>,
    args: &[ArrayRef],
    mask: &BooleanArray,
) -> Result<()> {
    let args = args.iter().map(|arg| Ok(filter(arg, mask)?)).collect::<Result<Vec<_>>>()?;
    let groups: ArrayRef = Arc::new(UInt32Array::from(grouped.groups.to_vec()));
    let groups = filter(&groups, mask)?;
    let positions = match grouped.positions {
        Positions::From(base) => set_positions(mask).map(|row| base + row).collect::<Vec<u64>>(),
        Positions::Each(all) => set_positions(mask).map(|row| all[row as usize]).collect(),
    };
    let grouped = GroupedRows {
        groups: groups.as_primitive::<UInt32Type>().values(),
        group_count: grouped.group_count,
        positions: Positions::Each(&positions),
    };
    accumulator.update(&grouped, &args)
}

/// The rows at which `mask` is true.
fn set_positions(mask: &BooleanArray) -> impl Iterator<Item = u64> + '_ {
    mask.values().set_indices().map(|row| row as u64)
}

fn mask_of(array: &ArrayRef) -> Result<BooleanArray> {
    let mask = array.as_boolean_opt().ok_or_else(|| Error::internal("a filter is not Boolean"))?;
    Ok(true_only(mask))
}

fn pick(columns: &[ArrayRef], numbers: &[usize]) -> Vec<ArrayRef> {
    numbers.iter().map(|number| columns[*number].clone()).collect()
}

impl Columns {
    /// The number of groups.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// The bytes of the states or results.
    pub(crate) fn bytes(&self) -> usize {
        self.values.iter().map(|values| values.get_array_memory_size()).sum()
    }

    /// The layout.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// A batch of the groups in `range`.
    pub(crate) fn batch(&self, range: Range<usize>) -> Result<RecordBatch> {
        let mut columns = self.table.keys(range.clone())?;
        columns.extend(self.values.iter().map(|values| values.slice(range.start, range.len())));
        batch_of(&self.schema, columns, range.len())
    }

    /// A batch of these groups for other tasks of the group-by, of memory of its own.
    pub(crate) fn take(&self, groups: &[u32]) -> Result<RecordBatch> {
        self.taken(self.table.travelling_keys(groups)?, groups)
    }

    /// A batch of these groups.
    pub(crate) fn rows(&self, groups: &[u32]) -> Result<RecordBatch> {
        self.taken(self.table.keys_of(groups)?, groups)
    }

    /// The values of these groups behind their keys.
    fn taken(&self, mut columns: Vec<ArrayRef>, groups: &[u32]) -> Result<RecordBatch> {
        let indices = UInt32Array::from(groups.to_vec());
        for values in &self.values {
            columns.push(arrow::compute::take(values, &indices, None)?);
        }
        batch_of(&self.schema, columns, groups.len())
    }
}
