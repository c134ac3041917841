//! Folding values into dense per-group states: the loops that every accumulator shares.
//!
//! [`Groups`] looks at a batch's group ids once (they are bounds-checked here, so the loops need not),
//! and picks the loop that keeps the processor busy:
//!
//! | shape of the ids | loop |
//! |---|---|
//! | one group | the state stays in registers |
//! | fewer than [`FEW`] groups | [`REPLICAS`] copies of the states, merged at the end: loading what was stored a moment ago stalls |
//! | long runs (sorted input) | the state stays in registers until the group changes |
//! | anything else | load, add, store |
//!
//! This module does not know what is folded: see the [`Cell`]s of its siblings.

use std::ops::Range;

use arrow::array::BooleanBufferBuilder;
use arrow::buffer::NullBuffer;
use dframe_core::{Error, Result};

use super::GroupedRows;

/// At most this many groups are worth replicating.
const FEW: usize = 16;
/// The copies of each state for few groups: about the latency of a store-to-load forward.
const REPLICAS: usize = 4;
/// The ids that are looked at for runs.
const SAMPLE: usize = 256;

/// The state of one group, into which values of type `V` are folded.
pub(super) trait Cell<V>: Copy {
    /// The state without any value.
    const EMPTY: Self;

    /// Folds a value in.
    fn add(&mut self, value: V);

    /// Folds another state in.
    fn combine(&mut self, other: Self);
}

/// The group ids of a batch, checked, with the shape they have.
#[derive(Clone, Copy)]
pub(super) struct Groups<'a> {
    ids: &'a [u32],
    /// Every id is below it.
    count: usize,
    shape: Shape,
}

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    One,
    Few,
    Runs,
    Scattered,
}

impl<'a> Groups<'a> {
    /// Checks that there are `len` ids, and that all are below the group count.
    pub(super) fn new(rows: &GroupedRows<'a>, len: usize) -> Result<Self> {
        let ids = rows.groups;
        if ids.len() != len {
            let message = format!("{} group ids for {len} rows", ids.len());
            return Err(Error::internal(message));
        }
        let first = ids.first().copied().unwrap_or(0);
        let facts = Facts::of(ids, first, rows.group_count);
        if facts.beyond {
            let message =
                format!("a group id is not below the number of groups, {}", rows.group_count);
            return Err(Error::internal(message));
        }
        Ok(Self { ids, count: rows.group_count, shape: shape(ids, &facts) })
    }

    /// The ids.
    pub(super) fn ids(&self) -> &'a [u32] {
        self.ids
    }

    /// The number of groups.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Some of the rows.
    pub(super) fn slice(&self, range: Range<usize>) -> Self {
        Self { ids: &self.ids[range], ..*self }
    }

    /// Folds `values` into `cells`, of which there is one for each group; skips those that are NULL.
    pub(super) fn fold<V: Copy, C: Cell<V>>(
        &self,
        cells: &mut [C],
        values: &[V],
        nulls: Option<&NullBuffer>,
    ) {
        assert_eq!(values.len(), self.ids.len());
        // SAFETY: `fold_rows` asks for rows of `ids`, and there are as many values.
        self.fold_rows(cells, |row| unsafe { *values.get_unchecked(row) }, nulls);
    }

    /// Folds what `value` gives for each row that is not NULL into `cells`, one for each group.
    #[inline]
    pub(super) fn fold_rows<V: Copy, C: Cell<V>>(
        &self,
        cells: &mut [C],
        value: impl Fn(usize) -> V,
        nulls: Option<&NullBuffer>,
    ) {
        assert!(cells.len() >= self.count);
        match nulls.filter(|nulls| nulls.null_count() > 0) {
            None => self.fold_at(cells, value, 0..self.ids.len()),
            Some(nulls) => {
                assert_eq!(nulls.len(), self.ids.len());
                self.fold_at(cells, value, nulls.valid_indices());
            }
        }
    }

    /// Folds the rows `at` in, all of which are below the number of rows.
    #[inline]
    fn fold_at<V: Copy, C: Cell<V>>(
        &self,
        cells: &mut [C],
        value: impl Fn(usize) -> V,
        at: impl Iterator<Item = usize>,
    ) {
        // SAFETY: `fold_rows` makes `at` within `ids`.
        let rows = at.map(|row| (unsafe { *self.ids.get_unchecked(row) } as usize, value(row)));
        match self.shape {
            Shape::One => fold_one(cells, self.ids, rows),
            Shape::Few => fold_few(cells, rows),
            Shape::Runs => fold_runs(cells, rows),
            Shape::Scattered => fold_scattered(cells, rows),
        }
    }
}

/// The rows that [`Groups::fold_lanes`] takes at once.
pub(super) const LANES: usize = 8;

/// Computes what is added for eight rows at once, where that is cheaper than for one at a time.
pub(super) trait Lanes {
    /// The state of one group, and what a row adds to it.
    type Cell: Copy;
    /// The state without any value.
    const EMPTY: Self::Cell;

    /// What the rows from `row` add.
    fn eight(&mut self, row: usize) -> [Self::Cell; LANES];

    /// What a row adds.
    fn one(&mut self, row: usize) -> Self::Cell;

    /// Adds to a state.
    fn add(cell: &mut Self::Cell, part: &Self::Cell);
}

impl Groups<'_> {
    /// Adds what `lanes` computes for each row to `cells`, of which there is one for each group.
    pub(super) fn fold_lanes<L: Lanes>(&self, cells: &mut [L::Cell], lanes: &mut L) {
        assert!(cells.len() >= self.count);
        let (eights, rest) = self.ids.as_chunks::<LANES>();
        match self.shape {
            Shape::One => one_lanes(cells, eights, lanes),
            Shape::Few => few_lanes(cells, eights, lanes),
            Shape::Runs => run_lanes(cells, eights, lanes),
            Shape::Scattered => scattered_lanes(cells, eights, lanes),
        }
        for (row, &id) in (eights.len() * LANES..).zip(rest) {
            L::add(&mut cells[id as usize], &lanes.one(row));
        }
    }
}

fn one_lanes<L: Lanes>(cells: &mut [L::Cell], eights: &[[u32; LANES]], lanes: &mut L) {
    let Some(ids) = eights.first() else { return };
    let mut sums = [L::EMPTY; LANES];
    for index in 0..eights.len() {
        let parts = lanes.eight(index * LANES);
        for lane in 0..LANES {
            L::add(&mut sums[lane], &parts[lane]);
        }
    }
    sums.iter().for_each(|sum| L::add(&mut cells[ids[0] as usize], sum));
}

fn few_lanes<L: Lanes>(cells: &mut [L::Cell], eights: &[[u32; LANES]], lanes: &mut L) {
    let mut replicas = [[L::EMPTY; FEW]; REPLICAS];
    for (index, ids) in eights.iter().enumerate() {
        let parts = lanes.eight(index * LANES);
        for lane in 0..LANES {
            L::add(&mut replicas[lane % REPLICAS][ids[lane] as usize % FEW], &parts[lane]);
        }
    }
    for replica in &replicas {
        for (cell, part) in cells.iter_mut().zip(replica) {
            L::add(cell, part);
        }
    }
}

fn run_lanes<L: Lanes>(cells: &mut [L::Cell], eights: &[[u32; LANES]], lanes: &mut L) {
    for (index, ids) in eights.iter().enumerate() {
        let mut parts = lanes.eight(index * LANES);
        if ids.iter().all(|id| *id == ids[0]) {
            let (first, others) = parts.split_first_mut().expect("there are eight");
            others.iter().for_each(|part| L::add(first, part));
            L::add(&mut cells[ids[0] as usize], first);
        } else {
            ids.iter().zip(&parts).for_each(|(id, part)| L::add(&mut cells[*id as usize], part));
        }
    }
}

fn scattered_lanes<L: Lanes>(cells: &mut [L::Cell], eights: &[[u32; LANES]], lanes: &mut L) {
    for (index, ids) in eights.iter().enumerate() {
        let parts = lanes.eight(index * LANES);
        for lane in 0..LANES {
            // SAFETY: `Groups::new` checked every id against the count, `fold_lanes` the count
            // against `cells`.
            let cell = unsafe { cells.get_unchecked_mut(ids[lane] as usize) };
            L::add(cell, &parts[lane]);
        }
    }
}

/// What one pass over the ids finds out. Only additions and bit operations, which take a tenth of a
/// nanosecond per id; unsigned minima and maxima take three times that on a baseline processor.
struct Facts {
    /// Some id is not below the group count.
    beyond: bool,
    /// All ids are the first.
    one: bool,
    /// All ids are below [`FEW`], a power of two.
    few: bool,
}

impl Facts {
    fn of(ids: &[u32], first: u32, count: usize) -> Self {
        let Ok(last) = i32::try_from(count.wrapping_sub(1)) else {
            let beyond = ids.iter().any(|&id| id as usize >= count);
            return Self { beyond, one: false, few: false };
        };
        let (mut all, mut different, mut room) = (0, 0, 0);
        for &id in ids {
            all |= id;
            different |= id ^ first;
            room |= last.wrapping_sub(id as i32);
        }
        // An id of 2^31 or more, or above `last`, has left a sign.
        let beyond = !ids.is_empty() && (all as i32 | room) < 0;
        Self { beyond, one: different == 0, few: (all as usize) < FEW }
    }
}

fn shape(ids: &[u32], facts: &Facts) -> Shape {
    let sample = &ids[..ids.len().min(SAMPLE)];
    let changes = sample.windows(2).filter(|pair| pair[0] != pair[1]).count();
    if facts.one {
        Shape::One
    } else if changes * 8 < sample.len() {
        Shape::Runs
    } else if facts.few {
        Shape::Few
    } else {
        Shape::Scattered
    }
}

fn fold_one<V: Copy, C: Cell<V>>(
    cells: &mut [C],
    ids: &[u32],
    rows: impl Iterator<Item = (usize, V)>,
) {
    let Some(&group) = ids.first() else { return };
    let mut cell = cells[group as usize];
    rows.for_each(|(_, value)| cell.add(value));
    cells[group as usize] = cell;
}

fn fold_few<V: Copy, C: Cell<V>>(cells: &mut [C], rows: impl Iterator<Item = (usize, V)>) {
    let mut replicas = [[C::EMPTY; FEW]; REPLICAS];
    let mut turn = 0;
    rows.for_each(|(group, value)| {
        replicas[turn % REPLICAS][group % FEW].add(value);
        turn += 1;
    });
    for replica in &replicas {
        for (cell, part) in cells.iter_mut().zip(replica) {
            cell.combine(*part);
        }
    }
}

fn fold_runs<V: Copy, C: Cell<V>>(cells: &mut [C], rows: impl Iterator<Item = (usize, V)>) {
    let Some(mut cell) = cells.first().copied() else { return };
    let mut current = 0;
    rows.for_each(|(group, value)| {
        if group != current {
            cells[current] = cell;
            (current, cell) = (group, cells[group]);
        }
        cell.add(value);
    });
    cells[current] = cell;
}

#[inline]
fn fold_scattered<V: Copy, C: Cell<V>>(cells: &mut [C], rows: impl Iterator<Item = (usize, V)>) {
    rows.for_each(|(group, value)| {
        // SAFETY: `Groups::new` checked every id against the count, `fold` the count against `cells`.
        unsafe { cells.get_unchecked_mut(group) }.add(value);
    });
}

/// Which groups have had a value: for functions that return NULL when there was none.
#[derive(Default)]
pub(super) struct Seen {
    flags: Vec<Flag>,
    /// The groups below it have all been seen, so that batches need not say so again.
    complete: usize,
}

#[derive(Clone, Copy)]
struct Flag(bool);

impl Cell<()> for Flag {
    const EMPTY: Self = Flag(false);

    #[inline]
    fn add(&mut self, (): ()) {
        self.0 = true;
    }

    fn combine(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl Seen {
    /// Marks the groups of the rows that are not NULL.
    pub(super) fn mark(&mut self, groups: &Groups<'_>, nulls: Option<&NullBuffer>) {
        if self.flags.len() < groups.count() {
            self.flags.resize(groups.count(), Flag(false));
        }
        if self.complete >= groups.count() {
            return;
        }
        groups.fold(&mut self.flags, &vec![(); groups.ids().len()], nulls);
        let rest = &self.flags[self.complete..];
        self.complete += rest.iter().position(|flag| !flag.0).unwrap_or(rest.len());
    }

    /// NULL where nothing was seen; forgets it all.
    pub(super) fn take_nulls(&mut self) -> Option<NullBuffer> {
        let seen = std::mem::take(self);
        if seen.complete >= seen.flags.len() {
            return None;
        }
        let mut bits = BooleanBufferBuilder::new(seen.flags.len());
        seen.flags.iter().for_each(|flag| bits.append(flag.0));
        Some(NullBuffer::new(bits.finish()))
    }

    /// The bytes held.
    pub(super) fn memory(&self) -> usize {
        self.flags.capacity()
    }
}

/// Makes `cells` hold at least `count` states.
pub(super) fn grow<V, C: Cell<V>>(cells: &mut Vec<C>, count: usize) {
    if cells.len() < count {
        cells.resize(count, C::EMPTY);
    }
}
