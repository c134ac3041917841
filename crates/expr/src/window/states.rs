//! Any aggregate over any frame, by merging its states: no aggregate need know that there are frames.
//!
//! ```text
//!   running     s0 s1 s2 s3 ...          pairs are merged, the pairs are scanned, what is between is merged:
//!                 p1    p3               about three merges a row
//!
//!   frames      a tree of pairs, of pairs of pairs ..; a frame is at most two nodes of each level
//! ```
//!
//! States merge in any grouping with the same result, to the last bit, so that it does not matter how rows
//! came together.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow::compute::{concat, filter, take};
use arrow::util::bit_iterator::BitIndexIterator;
use dframe_core::Result;

use crate::aggregate::{Accumulator, BoundAggregate, GroupedRows, Positions};
use crate::value::true_only;

/// A column of states for each field of the aggregate's state.
pub(super) type States = Vec<ArrayRef>;

/// What an aggregate is given of some rows.
#[derive(Clone)]
pub(super) struct AggregateRows<'a> {
    /// The arguments.
    pub(super) args: &'a [ArrayRef],
    /// Which rows its FILTER takes.
    pub(super) mask: Option<&'a BooleanArray>,
    /// The position of each row.
    pub(super) positions: &'a [u64],
}

/// Folds rows into the groups `ids`, of which there are `count`.
pub(super) fn update(
    accumulator: &mut dyn Accumulator,
    rows: &AggregateRows<'_>,
    ids: &[u32],
    count: usize,
) -> Result<()> {
    let Some(mask) = rows.mask else {
        let positions = Positions::Each(rows.positions);
        let grouped = GroupedRows { groups: ids, group_count: count, positions };
        return accumulator.update(&grouped, rows.args);
    };
    let mask = true_only(mask);
    let args = rows.args.iter().map(|arg| Ok(filter(arg, &mask)?)).collect::<Result<Vec<_>>>()?;
    let taken =
        || BitIndexIterator::new(mask.values().values(), mask.values().offset(), mask.len());
    let ids: Vec<u32> = taken().map(|row| ids[row]).collect();
    let positions: Vec<u64> = taken().map(|row| rows.positions[row]).collect();
    let positions = Positions::Each(&positions);
    accumulator.update(&GroupedRows { groups: &ids, group_count: count, positions }, &args)
}

/// Merges `states` into the groups `ids`, of which there are `count`.
pub(super) fn merge(
    accumulator: &mut dyn Accumulator,
    states: &[ArrayRef],
    ids: &[u32],
    count: usize,
) -> Result<()> {
    let grouped = GroupedRows { groups: ids, group_count: count, positions: Positions::From(0) };
    accumulator.merge(&grouped, states)
}

/// The states of single rows.
pub(super) fn of_rows(aggregate: &BoundAggregate, rows: &AggregateRows<'_>) -> Result<States> {
    let count = rows.positions.len();
    let mut accumulator = aggregate.accumulator()?;
    update(accumulator.as_mut(), rows, &numbers(count), count)?;
    accumulator.state()
}

/// The results of states, a row each.
pub(super) fn results(aggregate: &BoundAggregate, states: &[ArrayRef]) -> Result<ArrayRef> {
    let count = states.first().map_or(0, |column| column.len());
    let mut accumulator = aggregate.accumulator()?;
    merge(accumulator.as_mut(), states, &numbers(count), count)?;
    accumulator.finish()
}

/// The states of all rows so far, from the last row on that `starts` again.
pub(super) fn scanned(
    aggregate: &BoundAggregate,
    states: States,
    starts: &[bool],
) -> Result<States> {
    let rows = starts.len();
    if rows < 2 || starts[1..].iter().all(|starts| *starts) {
        return Ok(states);
    }
    let even: Vec<u32> = (0..rows as u32).step_by(2).collect();
    let odd: Vec<u32> = (1..rows as u32).step_by(2).collect();
    // Each odd row with the row before it.
    let mut accumulator = aggregate.accumulator()?;
    merge(accumulator.as_mut(), &taken(&states, &odd)?, &numbers(odd.len()), odd.len())?;
    let joined = odd.iter().filter(|row| !starts[**row as usize]);
    let (groups, left): (Vec<u32>, Vec<u32>) = joined.map(|row| (row / 2, row - 1)).unzip();
    merge(accumulator.as_mut(), &taken(&states, &left)?, &groups, odd.len())?;
    let pair_starts: Vec<bool> =
        odd.iter().map(|row| starts[*row as usize] || starts[*row as usize - 1]).collect();
    let pairs = scanned(aggregate, accumulator.state()?, &pair_starts)?;
    // Each even row with all before it.
    let mut accumulator = aggregate.accumulator()?;
    merge(accumulator.as_mut(), &taken(&states, &even)?, &numbers(even.len()), even.len())?;
    let joined = even.iter().filter(|row| **row > 0 && !starts[**row as usize]);
    let (groups, before): (Vec<u32>, Vec<u32>) = joined.map(|row| (row / 2, row / 2 - 1)).unzip();
    merge(accumulator.as_mut(), &taken(&pairs, &before)?, &groups, even.len())?;
    woven(&accumulator.state()?, &pairs, rows)
}

/// The even rows of `even`, and the odd ones of `odd`.
fn woven(even: &[ArrayRef], odd: &[ArrayRef], rows: usize) -> Result<States> {
    let places: Vec<(usize, usize)> = (0..rows).map(|row| (row % 2, row / 2)).collect();
    let columns = even.iter().zip(odd);
    let column = |(even, odd): (&ArrayRef, &ArrayRef)| {
        Ok(arrow::compute::interleave(&[even.as_ref(), odd.as_ref()], &places)?)
    };
    columns.map(column).collect()
}

/// The results over frames of rows, whose states are these.
pub(super) fn over_frames(
    aggregate: &BoundAggregate,
    states: States,
    frames: &[Range<usize>],
) -> Result<ArrayRef> {
    let mut open: Vec<(u32, u32, u32)> = (frames.iter().enumerate())
        .filter(|(_, frame)| frame.start < frame.end)
        .map(|(row, frame)| (row as u32, frame.start as u32, frame.end as u32))
        .collect();
    let count = frames.len();
    let mut accumulator = aggregate.accumulator()?;
    merge(accumulator.as_mut(), &taken(&states, &[])?, &[], count)?;
    let mut level = states;
    while !open.is_empty() {
        let (mut groups, mut nodes) = (Vec::new(), Vec::new());
        for (row, start, end) in &mut open {
            if *start % 2 == 1 {
                groups.push(*row);
                nodes.push(*start);
                *start += 1;
            }
            if *end % 2 == 1 && *start < *end {
                *end -= 1;
                groups.push(*row);
                nodes.push(*end);
            }
            (*start, *end) = (*start / 2, *end / 2);
        }
        merge(accumulator.as_mut(), &taken(&level, &nodes)?, &groups, count)?;
        open.retain(|(_, start, end)| start < end);
        if !open.is_empty() {
            level = paired(aggregate, &level)?;
        }
    }
    accumulator.finish()
}

/// Neighbours merged; a last one without a neighbour is no part of a node that is asked for.
fn paired(aggregate: &BoundAggregate, states: &[ArrayRef]) -> Result<States> {
    let rows = states.first().map_or(0, |column| column.len());
    let ids: Vec<u32> = (0..rows as u32).map(|row| row / 2).collect();
    let mut accumulator = aggregate.accumulator()?;
    merge(accumulator.as_mut(), states, &ids, rows.div_ceil(2))?;
    accumulator.state()
}

/// The states of some rows.
pub(super) fn taken(states: &[ArrayRef], rows: &[u32]) -> Result<States> {
    let rows = UInt32Array::from(rows.to_vec());
    states.iter().map(|column| Ok(take(column, &rows, None)?)).collect()
}

/// States, one after the other.
pub(super) fn chained(first: &[ArrayRef], second: &[ArrayRef]) -> Result<States> {
    let columns = first.iter().zip(second);
    columns.map(|(first, second)| Ok(concat(&[first.as_ref(), second.as_ref()])?)).collect()
}

/// A group for each of so many rows.
pub(super) fn numbers(count: usize) -> Vec<u32> {
    (0..count as u32).collect()
}
