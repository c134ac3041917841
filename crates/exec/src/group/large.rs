//! Finishing groups whose values do not fit in memory, of functions that gather them all.
//!
//! ```text
//!   parts --once--> the groups, other functions' states, how many values each group has
//!         --then, for each group and function--> shown pass by pass, or sorted in runs on disk --> result
//! ```
//!
//! It is slow for many groups, as each reads everything again: a bucket is first cut by key until it is
//! mostly one group. What the values mean, only the functions know.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::SortOptions;
use arrow::datatypes::{Field, Schema};
use dframe_core::{ErrorKind, Reservation, Result};
use dframe_expr::aggregate::{InOrder, LargeGroup, Passes};
use dframe_expr::{SortKey, col, plain};
use dframe_runtime::{Part, TaskContext};

use super::finish::{batches_of, too_large};
use super::partial::TAG_RAW;
use super::spec::GroupSpec;
use super::state::GroupState;
use super::table::GroupTable;
use crate::fold::keep;
use crate::pipeline::batch_of;
use crate::sort::{ExternalSort, SortSpec};

/// Groups of a bucket that are finished one by one.
const GROUPS_MAX: usize = 16;
/// Values that are taken at once.
const PIECE_ROWS: usize = 16 * 1024;
/// A bucket of large groups.
pub(super) struct LargeGroups<'a> {
    spec: &'a Arc<GroupSpec>,
    context: &'a TaskContext,
    parts: &'a [Arc<Part>],
    bucket: u32,
    /// The calls that do not gather.
    rest: Arc<GroupSpec>,
}

/// What one reading of the bucket tells.
struct Census {
    table: GroupTable,
    /// The states of the calls that do not gather.
    rest: GroupState,
    /// Of each call, the number of values of each group; none of those that do not gather.
    values: Vec<Vec<u64>>,
}

impl<'a> LargeGroups<'a> {
    /// The groups of `bucket` of `parts`.
    pub(super) fn new(
        spec: &'a Arc<GroupSpec>,
        context: &'a TaskContext,
        parts: &'a [Arc<Part>],
        bucket: u32,
    ) -> Self {
        let calls = spec.calls.iter().filter(|call| !call.aggregate.gathers()).cloned().collect();
        let rest = Arc::new(GroupSpec { calls, ..GroupSpec::clone(spec) });
        Self { spec, context, parts, bucket, rest }
    }

    /// Puts the results into `output`; `false` if there are too many groups for that.
    pub(super) fn finish(&self, output: &mut Vec<Arc<Part>>) -> Result<bool> {
        let Some(mut census) = self.census()? else { return Ok(false) };
        let groups = census.table.len();
        let keys = census.table.keys(0..groups)?;
        let rest = std::mem::replace(&mut census.rest, GroupState::new(&self.rest)?);
        let mut rest = rest.into_results()?.into_iter();
        let rest: Vec<Option<ArrayRef>> = self
            .spec
            .calls
            .iter()
            .map(|call| if call.aggregate.gathers() { None } else { rest.next() })
            .collect();
        for group in 0..groups {
            let mut held = self.context.budget.reservation();
            let mut columns: Vec<ArrayRef> = keys.iter().map(|key| key.slice(group, 1)).collect();
            for (call, rest) in rest.iter().enumerate() {
                columns.push(match rest {
                    Some(results) => results.slice(group, 1),
                    None => self.result(&mut census, call, group, &mut held)?,
                });
            }
            let schema = self.spec.output.clone();
            let batch = batch_of(&schema, columns, 1)?;
            output.push(keep(0, schema, vec![(0, batch)], &mut held, self.context)?);
        }
        Ok(true)
    }

    /// Reads everything once; `None` if there are too many groups.
    fn census(&self) -> Result<Option<Census>> {
        let mut census = Census {
            table: GroupTable::new(&self.spec.key_types())?,
            rest: GroupState::new(&self.rest)?,
            values: vec![Vec::new(); self.spec.calls.len()],
        };
        let mut ids = Vec::new();
        for batch in self.states() {
            let batch = batch?;
            let (keys, states) = batch.columns().split_at(self.spec.keys.len());
            census.table.assign(keys, batch.num_rows(), &mut ids)?;
            if census.table.len() > GROUPS_MAX {
                return Ok(None);
            }
            let mut rest = keys.to_vec();
            for (call, states) in self.calls_of(states).enumerate() {
                if !self.spec.calls[call].aggregate.gathers() {
                    rest.extend(states.iter().cloned());
                    continue;
                }
                let values = &mut census.values[call];
                values.resize(census.table.len(), 0);
                let lengths = states[0].as_list::<i32>().offsets().lengths();
                ids.iter()
                    .zip(lengths)
                    .for_each(|(id, length)| values[*id as usize] += length as u64);
            }
            census.rest.merge(&batch_of(&self.rest.state_schema(), rest, batch.num_rows())?)?;
        }
        let groups = census.table.len();
        census.values.iter_mut().for_each(|values| values.resize(groups, 0));
        Ok(Some(census))
    }

    /// The batches of the bucket in the state layout.
    fn states(&self) -> impl Iterator<Item = Result<RecordBatch>> + '_ {
        batches_of(self.parts, self.bucket).map(|item| {
            let (tag, batch) = item?;
            self.context.cancel.check()?;
            if tag != TAG_RAW {
                return Ok(batch);
            }
            let mut state = GroupState::new(self.spec)?;
            state.update(&self.spec.split_raw(&batch)?)?;
            let columns = state.into_states()?;
            columns.batch(0..columns.len())
        })
    }

    /// The state columns of each call.
    fn calls_of<'s>(&'s self, mut states: &'s [ArrayRef]) -> impl Iterator<Item = &'s [ArrayRef]> {
        self.spec.calls.iter().map(move |call| {
            let (own, rest) = states.split_at(call.aggregate.signature().state_fields.len());
            states = rest;
            own
        })
    }

    /// The result of one call for one group.
    fn result(
        &self,
        census: &mut Census,
        call: usize,
        group: usize,
        held: &mut Reservation,
    ) -> Result<ArrayRef> {
        let rows = census.values[call][group];
        let aggregate = &self.spec.calls[call].aggregate;
        let of = (call, group);
        if let LargeGroup::Passes(passes) = aggregate.large_group(rows)?
            && let Some(result) = self.in_passes(census, of, passes, held)?
        {
            return Ok(result);
        }
        match aggregate.sorted_group(rows)? {
            LargeGroup::Sorted { keys, values } => self.in_order(census, of, (&keys, values), held),
            LargeGroup::Passes(_) => Err(too_large()),
        }
    }

    /// `None` if that is not the way.
    fn in_passes(
        &self,
        census: &mut Census,
        of: (usize, usize),
        mut passes: Box<dyn Passes>,
        held: &mut Reservation,
    ) -> Result<Option<ArrayRef>> {
        let mut pass = held.budget().reservation();
        loop {
            let missing = passes.memory().saturating_sub(pass.bytes());
            if !pass.try_grow(missing) {
                return Ok(None);
            }
            self.each_piece(census, of, |columns| passes.push(columns))?;
            if passes.gave_up() {
                return Ok(None);
            }
            if !passes.again()? {
                return passes.finish().map(Some);
            }
        }
    }

    fn in_order(
        &self,
        census: &mut Census,
        of: (usize, usize),
        (keys, mut values): (&[(usize, SortOptions)], Box<dyn InOrder>),
        held: &mut Reservation,
    ) -> Result<ArrayRef> {
        let spec = self.sort_spec(of.0, keys)?;
        let mut sort = ExternalSort::new(&spec, self.context);
        let before = held.bytes();
        self.each_piece(census, of, |columns| {
            sort.push(&batch_of(&spec.schema, columns.to_vec(), columns[0].len())?)
        })?;
        cover(held, before + values.memory())?;
        for rows in sort.finish()? {
            self.context.cancel.check()?;
            let columns = rows?.columns().iter().map(plain).collect::<Result<Vec<_>>>()?;
            values.push(&columns)?;
            cover(held, before + values.memory())?;
        }
        values.finish()
    }

    /// How the values of a call are sorted.
    fn sort_spec(&self, call: usize, keys: &[(usize, SortOptions)]) -> Result<Arc<SortSpec>> {
        let states = &self.spec.calls[call].aggregate.signature().state_fields;
        let name = |number: usize| format!("values{number}");
        let items = states.iter().enumerate().map(|(number, field)| {
            let item = match field.data_type() {
                arrow::datatypes::DataType::List(item) => item.data_type().clone(),
                other => other.clone(),
            };
            Field::new(name(number), item, true)
        });
        let schema = Arc::new(Schema::new(items.collect::<Vec<_>>()));
        let key = |(number, options): &(usize, SortOptions)| SortKey {
            expr: col(name(*number)),
            descending: options.descending,
            nulls_first: options.nulls_first,
        };
        let keys: Vec<SortKey> = keys.iter().map(key).collect();
        let memory = self.spec.share / 2;
        Ok(Arc::new(SortSpec::new(&keys, None, memory, schema)?))
    }

    /// Shows `f` the values of a group, a piece at a time.
    fn each_piece(
        &self,
        census: &mut Census,
        (call, group): (usize, usize),
        mut f: impl FnMut(&[ArrayRef]) -> Result<()>,
    ) -> Result<()> {
        let mut ids = Vec::new();
        for batch in self.states() {
            let batch = batch?;
            let (keys, states) = batch.columns().split_at(self.spec.keys.len());
            census.table.assign(keys, batch.num_rows(), &mut ids)?;
            let Some(states) = self.calls_of(states).nth(call) else { continue };
            let lists: Vec<_> = states.iter().map(|list| list.as_list::<i32>()).collect();
            for row in (0..ids.len()).filter(|row| ids[*row] as usize == group) {
                let offsets = lists[0].value_offsets();
                let (mut start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
                while start < end {
                    let rows = PIECE_ROWS.min(end - start);
                    let piece = lists.iter().map(|list| list.values().slice(start, rows));
                    f(&piece.collect::<Vec<_>>())?;
                    start += rows;
                }
            }
        }
        Ok(())
    }
}

/// Makes `held` cover `bytes`.
fn cover(held: &mut Reservation, bytes: usize) -> Result<()> {
    let missing = bytes.saturating_sub(held.bytes());
    held.grow(missing, "a large group").map_err(|error| match error.kind() {
        ErrorKind::OverBudget => too_large(),
        _ => error,
    })
}
