//! Exact sums of floats: the same bits for any order, partitioning and number of threads.
//!
//! A group's sum is a fixed-point integer, `(high * 2^41 + low) * 2^exponent`, with one exponent for
//! the whole accumulator and 64 bits for each of the halves. A value is cut in two by adding and
//! subtracting a large constant, as in S. M. Rump, T. Ogita, S. Oishi, "Accurate floating-point
//! summation" (2008), and its halves are read off the bits of those sums as integers:
//!
//! ```text
//!         value     ------------1010...0111------------
//!   2^(exp + 81) |-------- high --------|-------- low --------| 2^exp
//!                    40 bits + sign          41 bits
//! ```
//!
//! A value that has bits outside of this window is found by the same arithmetic, and goes to the
//! [`Wide`] number of its group, which holds anything. The window is chosen by the first values: 28
//! binades of doubles with all their bits, and more of rounder ones. It moves when many values miss.
//! 22 bits of headroom in each half let 2^22 values in before `low` must be carried over.
//!
//! Measured (8,000 groups, baseline x86-64, ns per row, of the loop alone): a 128-bit shift and add 1.9,
//! this cut value by value 1.3, in blocks of 1,024 through a buffer 1.5, and in lanes of eight, as
//! below, 0.85; adding doubles plainly takes 0.55. AVX2 and AVX-512 gain nothing more.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, Decimal128Array, Float64Array, Int16Array,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Decimal128Type, Field, Float64Type, Int16Type};
use dframe_core::Result;
use hashbrown::HashMap;

use super::groups::{Groups, LANES, Lanes, Seen};
use super::sum_int::RAW_128;
use super::wide::{Wide, decompose, power_of_two};
use super::{Accumulator, GroupedRows};

/// The bits of the low half.
const LOW_BITS: i32 = 41;
/// The bits of a value's high half, without the sign.
const HIGH_BITS: i32 = 40;
/// The values that may be added before low halves are carried over.
const ADDS_MAX: usize = 1 << 22;
/// A high half at rest is smaller than this, so that [`ADDS_MAX`] values fit on top.
const HIGH_MAX: i64 = 1 << 61;
/// Windows start at multiples of it, so that those of different partitions mostly agree.
const EXPONENT_STEP: i32 = 8;
/// The window moves at most so often.
const MOVES_MAX: u32 = 8;
/// The values that are looked at to choose a window.
const SAMPLE: usize = 4096;

/// `sum` of floats.
#[derive(Default)]
pub(super) struct FloatSum {
    sums: ExactSums,
}

impl Accumulator for FloatSum {
    fn update(&mut self, rows: &GroupedRows<'_>, args: &[ArrayRef]) -> Result<()> {
        let array = args[0].as_primitive::<Float64Type>();
        self.sums.add(&Groups::new(rows, array.len())?, array.values(), array.nulls());
        Ok(())
    }

    fn merge(&mut self, rows: &GroupedRows<'_>, states: &[ArrayRef]) -> Result<()> {
        self.sums.merge(&Groups::new(rows, states[0].len())?, states)
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(self.sums.take_state())
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let sums = self.sums.take();
        let rounded: Vec<f64> = (0..sums.len()).map(|group| sums.round(group)).collect();
        Ok(Arc::new(Float64Array::new(rounded.into(), sums.nulls)))
    }

    fn memory(&self) -> usize {
        self.sums.memory()
    }
}

/// An exact sum for each group; part of other accumulators too.
#[derive(Default)]
pub(super) struct ExactSums {
    cells: Vec<Halves>,
    /// None until there is a value other than zero.
    window: Option<Window>,
    /// The values since low halves were carried over.
    adds: usize,
    moves: u32,
    wides: Wides,
    seen: Seen,
}

/// High and low half of a value or a sum, in units of the window.
type Halves = [i64; 2];

/// The exact sums of all groups, at the end.
pub(super) struct TakenSums {
    cells: Vec<Halves>,
    exponent: i32,
    wides: Wides,
    /// NULL where there was no value.
    pub(super) nulls: Option<NullBuffer>,
}

impl TakenSums {
    /// The number of groups.
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// The sum of a group, rounded once.
    pub(super) fn round(&self, group: usize) -> f64 {
        match self.wides.get(group) {
            Some(_) => self.exact(group).round(),
            // Exact: the exponent is at least -1074, so that a subnormal result has no bits to lose.
            None => total(self.cells[group]) as f64 * power_of_two(self.exponent),
        }
    }

    /// The sum of a group.
    pub(super) fn exact(&self, group: usize) -> Wide {
        let mut sum = self.wides.get(group).cloned().unwrap_or_default();
        sum.add(total(self.cells[group]), self.exponent);
        sum
    }
}

fn total([high, low]: Halves) -> i128 {
    (i128::from(high) << LOW_BITS) + i128::from(low)
}

/// The halves of a total, if they leave room for [`ADDS_MAX`] values.
fn halves(total: i128) -> Option<Halves> {
    let high = i64::try_from(total >> LOW_BITS).ok().filter(|high| high.abs() < HIGH_MAX)?;
    Some([high, (total & ((1 << LOW_BITS) - 1)) as i64])
}

impl ExactSums {
    /// The columns of the state.
    pub(super) fn fields(name: &str) -> Vec<Field> {
        vec![
            Field::new(name, RAW_128, true),
            Field::new(format!("{name}_exponent"), DataType::Int16, false),
            Field::new(format!("{name}_wide"), DataType::Binary, true),
        ]
    }

    /// Adds the values that are not NULL.
    pub(super) fn add(&mut self, groups: &Groups<'_>, values: &[f64], nulls: Option<&NullBuffer>) {
        self.grow(groups.count());
        self.seen.mark(groups, nulls);
        let masked;
        let values = match nulls.filter(|nulls| nulls.null_count() > 0) {
            None => values,
            Some(nulls) => {
                masked = zero_nulls(values, nulls);
                &masked
            }
        };
        for start in (0..values.len()).step_by(ADDS_MAX) {
            let range = start..values.len().min(start + ADDS_MAX);
            self.add_slice(&groups.slice(range.clone()), &values[range]);
        }
    }

    fn add_slice(&mut self, groups: &Groups<'_>, values: &[f64]) {
        if self.window.is_none() {
            self.window = Window::of(values);
        }
        if self.adds + values.len() > ADDS_MAX {
            self.carry();
        }
        self.adds += values.len();
        let missed = match self.window {
            None => (0..values.len()).filter(|&row| values[row] != 0.0).collect(),
            Some(window) => {
                let mut adder = Adder { window, values, missed: Vec::new() };
                groups.fold_lanes(&mut self.cells, &mut adder);
                adder.missed
            }
        };
        for &row in &missed {
            self.wides.edit(groups.ids()[row], |wide| wide.add_f64(values[row]));
        }
        if missed.len() > values.len() / 4 && self.moves < MOVES_MAX {
            self.moves += 1;
            let missed: Vec<f64> = missed.into_iter().map(|row| values[row]).collect();
            if let Some(window) = Window::of(&missed) {
                self.move_window(window);
            }
        }
    }

    /// Adds states as [`ExactSums::take_state`] gave them.
    pub(super) fn merge(&mut self, groups: &Groups<'_>, states: &[ArrayRef]) -> Result<()> {
        let totals = states[0].as_primitive::<Decimal128Type>();
        let exponents = states[1].as_primitive::<Int16Type>().values();
        let wides = states[2].as_binary::<i32>();
        self.grow(groups.count());
        self.seen.mark(groups, totals.nulls());
        self.lower_window(totals.values(), exponents);
        for (row, &group) in groups.ids().iter().enumerate() {
            self.add_total(group, totals.values()[row], i32::from(exponents[row]));
            if wides.is_valid(row) {
                let other = Wide::from_bytes(wides.value(row))?;
                self.wides.edit(group, |wide| wide.add_wide(&other));
            }
        }
        Ok(())
    }

    /// Moves the window down to the lowest exponent of states, so that their sums fit as they are.
    fn lower_window(&mut self, totals: &[i128], exponents: &[i16]) {
        let used = totals.iter().zip(exponents).filter(|(total, _)| **total != 0);
        let Some(lowest) = used.map(|(_, exponent)| i32::from(*exponent)).min() else { return };
        match self.window {
            None => self.window = Some(Window::at(lowest)),
            // Further down, the sums that are here would not fit.
            Some(Window { exponent, .. }) if lowest < exponent && exponent - lowest <= 40 => {
                self.move_window(Window::at(lowest));
            }
            Some(_) => {}
        }
    }

    fn add_total(&mut self, group: u32, sum: i128, exponent: i32) {
        if sum == 0 {
            return;
        }
        let own = self.window.map_or(exponent, |window| window.exponent);
        let cell = &mut self.cells[group as usize];
        let fitting = realign(sum, exponent - own)
            .and_then(|sum| total(*cell).checked_add(sum))
            .and_then(halves);
        match fitting {
            Some(halves) => *cell = halves,
            None => self.wides.edit(group, |wide| wide.add(sum, exponent)),
        }
    }

    /// Carries low halves over; sums that leave no room become wide.
    fn carry(&mut self) {
        let exponent = self.window.map_or(0, |window| window.exponent);
        for (group, cell) in self.cells.iter_mut().enumerate() {
            let sum = total(*cell);
            *cell = halves(sum).unwrap_or_else(|| {
                self.wides.edit(group as u32, |wide| wide.add(sum, exponent));
                [0, 0]
            });
        }
        self.adds = 0;
    }

    /// Moves the window; sums that it does not hold become wide.
    fn move_window(&mut self, window: Window) {
        let from = self.window.map_or(window.exponent, |window| window.exponent);
        self.window = Some(window);
        if from == window.exponent {
            return;
        }
        for (group, cell) in self.cells.iter_mut().enumerate() {
            let sum = total(*cell);
            let moved = realign(sum, from - window.exponent).and_then(halves);
            *cell = moved.unwrap_or_else(|| {
                self.wides.edit(group as u32, |wide| wide.add(sum, from));
                [0, 0]
            });
        }
        self.adds = 0;
    }

    fn grow(&mut self, count: usize) {
        if self.cells.len() < count {
            self.cells.resize(count, [0, 0]);
        }
    }

    /// The state, in [`ExactSums::fields`]; forgets it.
    pub(super) fn take_state(&mut self) -> Vec<ArrayRef> {
        let sums = self.take();
        let totals: Vec<i128> = sums.cells.iter().map(|&cell| total(cell)).collect();
        let exponents = vec![sums.exponent as i16; totals.len()];
        let totals = Decimal128Array::new(totals.into(), sums.nulls).with_data_type(RAW_128);
        let wides = sums.wides.to_array(totals.len());
        vec![Arc::new(totals), Arc::new(Int16Array::from(exponents)), wides]
    }

    /// The sums; forgets them.
    pub(super) fn take(&mut self) -> TakenSums {
        let taken = std::mem::take(self);
        let mut seen = taken.seen;
        TakenSums {
            cells: taken.cells,
            exponent: taken.window.map_or(0, |window| window.exponent),
            wides: taken.wides,
            nulls: seen.take_nulls(),
        }
    }

    /// The bytes held.
    pub(super) fn memory(&self) -> usize {
        self.cells.capacity() * size_of::<Halves>() + self.wides.memory() + self.seen.memory()
    }
}

/// `sum * 2^shift`, if it is an integer that fits.
fn realign(sum: i128, shift: i32) -> Option<i128> {
    let room = sum.unsigned_abs().leading_zeros() as i32;
    match shift {
        _ if sum == 0 => Some(0),
        0.. => (shift + 1 < room).then(|| sum << shift),
        _ => (-shift <= sum.trailing_zeros() as i32).then(|| sum >> -shift),
    }
}

/// The values, with zero where there is NULL.
pub(super) fn zero_nulls(values: &[f64], nulls: &NullBuffer) -> Vec<f64> {
    let mut masked = values.to_vec();
    let words = nulls.inner().bit_chunks();
    for (chunk, word) in masked.chunks_mut(64).zip(words.iter_padded()) {
        let mut null = !word;
        while let Some(value) = chunk.get_mut(null.trailing_zeros() as usize) {
            *value = 0.0;
            null &= null - 1;
        }
    }
    masked
}

/// The range of bits that the fixed-point sums have.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Window {
    /// The exponent of the lowest bit.
    exponent: i32,
    /// Adding it rounds to a multiple of the high half's unit.
    high: f64,
    /// Adding it rounds to a multiple of the low half's unit.
    low: f64,
    /// All magnitudes are below it.
    limit: f64,
}

impl Window {
    fn at(exponent: i32) -> Self {
        let high = 1.5 * power_of_two(exponent + LOW_BITS + 52);
        let low = 1.5 * power_of_two(exponent + 52);
        Self { exponent, high, low, limit: power_of_two(exponent + LOW_BITS + HIGH_BITS) }
    }

    /// The nearest window to start at `exponent` or a little below.
    fn near(exponent: i32) -> Self {
        let exponent = exponent.div_euclid(EXPONENT_STEP) * EXPONENT_STEP;
        Self::at(exponent.clamp(-1072, 928))
    }

    /// A window that holds all `values`, in its middle, or else most of them.
    fn of(values: &[f64]) -> Option<Self> {
        let mut low = i32::MAX;
        let mut tops = Vec::new();
        for &value in values.iter().filter(|value| **value != 0.0).take(SAMPLE) {
            if let Some((mantissa, exponent)) = decompose(value) {
                low = low.min(exponent + mantissa.trailing_zeros() as i32);
                tops.push(exponent + 64 - mantissa.unsigned_abs().leading_zeros() as i32);
            }
        }
        tops.sort_unstable();
        let high = *tops.last()?;
        let slack = LOW_BITS + HIGH_BITS - (high - low);
        let middle = Self::near(low - slack.max(0) / 2);
        let holds_all = middle.exponent <= low && high <= middle.exponent + LOW_BITS + HIGH_BITS;
        if holds_all {
            return Some(middle);
        }
        Some(Self::near(densest(&tops) - 53))
    }

    /// The halves of eight values, and whether all fit.
    #[inline(always)]
    fn cut(&self, values: &[f64; LANES]) -> ([Halves; LANES], bool) {
        let mut highs = [0; LANES];
        let mut lows = [0; LANES];
        let mut misses = 0_u64;
        for lane in 0..LANES {
            let ([high, low], fits) = self.cut_one(values[lane]);
            (highs[lane], lows[lane]) = (high, low);
            misses |= u64::from(!fits);
        }
        let mut halves = [[0; 2]; LANES];
        for lane in 0..LANES {
            halves[lane] = [highs[lane], lows[lane]];
        }
        (halves, misses == 0)
    }

    #[inline(always)]
    fn cut_one(&self, value: f64) -> (Halves, bool) {
        let shifted_high = value + self.high;
        let rest = value - (shifted_high - self.high);
        let shifted_low = rest + self.low;
        let fits = (shifted_low - self.low == rest) & (value.abs() < self.limit);
        let high = (shifted_high.to_bits() as i64).wrapping_sub(self.high.to_bits() as i64);
        let low = (shifted_low.to_bits() as i64).wrapping_sub(self.low.to_bits() as i64);
        ([high, low], fits)
    }
}

/// The lowest of the sorted `tops` from which a window holds most.
fn densest(tops: &[i32]) -> i32 {
    let width = LOW_BITS + HIGH_BITS - 53 - (EXPONENT_STEP - 1);
    let mut end = 0;
    let mut best = (0, tops[0]);
    for (start, &low) in tops.iter().enumerate() {
        while end < tops.len() && tops[end] <= low + width {
            end += 1;
        }
        best = best.max((end - start, low));
    }
    best.1
}

/// Cuts values for [`Groups::fold_lanes`], and notes which miss the window.
struct Adder<'a> {
    window: Window,
    values: &'a [f64],
    missed: Vec<usize>,
}

impl Lanes for Adder<'_> {
    type Cell = Halves;
    const EMPTY: Halves = [0, 0];

    #[inline(always)]
    fn eight(&mut self, row: usize) -> [Halves; LANES] {
        let values: &[f64; LANES] =
            self.values[row..].first_chunk().expect("whole lanes are within the rows");
        let (halves, fit) = self.window.cut(values);
        if fit { halves } else { std::array::from_fn(|lane| self.one(row + lane)) }
    }

    fn one(&mut self, row: usize) -> Halves {
        let (halves, fits) = self.window.cut_one(self.values[row]);
        if fits {
            return halves;
        }
        self.missed.push(row);
        [0, 0]
    }

    #[inline(always)]
    fn add(cell: &mut Halves, part: &Halves) {
        cell[0] = cell[0].wrapping_add(part[0]);
        cell[1] = cell[1].wrapping_add(part[1]);
    }
}

/// The wide numbers of the groups that need one.
#[derive(Default)]
pub(super) struct Wides {
    map: HashMap<u32, Wide, foldhash::fast::FixedState>,
    /// The bytes of all of them.
    bytes: usize,
}

impl Wides {
    /// The number of a group, if it has one.
    pub(super) fn get(&self, group: usize) -> Option<&Wide> {
        if self.map.is_empty() {
            return None;
        }
        self.map.get(&(group as u32))
    }

    /// Changes the number of a group, which is zero at first.
    pub(super) fn edit(&mut self, group: u32, edit: impl FnOnce(&mut Wide)) {
        let wide = self.map.entry(group).or_insert_with(|| {
            let wide = Wide::default();
            self.bytes += wide.memory();
            wide
        });
        let before = wide.memory();
        edit(wide);
        self.bytes = self.bytes + wide.memory() - before;
    }

    /// A Binary array, NULL for groups without one.
    pub(super) fn to_array(&self, groups: usize) -> ArrayRef {
        let mut builder = BinaryBuilder::new();
        for group in 0..groups {
            builder.append_option(self.get(group).map(Wide::to_bytes));
        }
        Arc::new(builder.finish())
    }

    /// The bytes held.
    pub(super) fn memory(&self) -> usize {
        self.bytes + self.map.allocation_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::Positions;

    fn add(sums: &mut ExactSums, group_ids: &[u32], values: &[f64]) {
        let positions = Positions::From(0);
        let rows = GroupedRows { groups: group_ids, group_count: 40, positions };
        sums.add(&Groups::new(&rows, values.len()).unwrap(), values, None);
    }

    #[test]
    fn the_largest_values_that_fit_do_not_exhaust_the_headroom() {
        let large = 2_f64.powi(81) - 2_f64.powi(28);
        let batches = 10;
        for sign in [1.0, -1.0] {
            let values = vec![sign * large; 1 << 20];
            let groups: Vec<u32> = (0..1 << 20).map(|row| row % 2).collect();
            let mut sums = ExactSums::default();
            add(&mut sums, &[0, 1], &[1.0, 2_f64.powi(80)]);
            assert_eq!(sums.window.map(|window| window.exponent), Some(0));
            for _ in 0..batches {
                add(&mut sums, &groups, &values);
                add(&mut sums, &vec![2; 1 << 20], &values);
            }
            let each = large as i128 * batches * (1 << 19) * sign as i128;
            let taken = sums.take();
            assert_eq!(taken.round(0), (each + 1) as f64);
            assert_eq!(taken.round(1), (each + (1 << 80)) as f64);
            assert_eq!(taken.round(2), (each * 2) as f64);
        }
    }

    #[test]
    fn realigning_loses_no_bit_at_either_end() {
        assert_eq!(realign(-6, -1), Some(-3));
        assert_eq!(realign(-6, -2), None);
        assert_eq!(realign(1, 125), Some(1 << 125));
        assert_eq!(realign(1, 127), None);
        assert_eq!(realign(0, -4000), Some(0));
    }

    #[test]
    fn the_window_moves_when_values_do_and_nothing_is_lost() {
        let mut sums = ExactSums::default();
        let mut expected = vec![Wide::default(); 40];
        let groups: Vec<u32> = (0..400).map(|row| row * 7 % 40).collect();
        for exponent in [0, -3, 60, 200, -100, -1000, 1000, 0, 5, 90] {
            let value = |row: i32| f64::from(row - 200) / 7.0 * 2_f64.powi(exponent);
            let values: Vec<f64> = (0..400).map(value).collect();
            add(&mut sums, &groups, &values);
            for (group, value) in groups.iter().zip(&values) {
                expected[*group as usize].add_f64(*value);
            }
        }
        assert!(sums.moves >= 5);
        assert!(sums.memory() > 40 * size_of::<Halves>() + sums.wides.bytes);
        let taken = sums.take();
        for (group, expected) in expected.iter().enumerate() {
            assert_eq!(taken.round(group).to_bits(), expected.round().to_bits());
        }
    }
}
