//! `approx_count_distinct`: HyperLogLog with 4,096 registers, whose standard error is 1.6 %.
//!
//! ```text
//!   hash of a value  [ 12 bits: register | leading zeros of the rest + 1: kept if the greatest so far ]
//! ```
//!
//! A group with few different values keeps their registers as a sorted list. Registers are maxima, so neither the
//! order of rows nor that of merges can change the result. P. Flajolet et al., "HyperLogLog" (2007); the estimate is
//! that of O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), which needs no tables.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, Int64Array};
use arrow::datatypes::{DataType, Field};
use dframe_core::{Error, Result};
use foldhash::fast::FixedState;

use super::gather::extend_bytes;
use super::groups::Groups;
use super::{Accumulator, GroupedRows};
use crate::words::{Repr, Word, repr};

/// Bits of the hash that choose a register.
const BITS: u32 = 12;
const REGISTERS: usize = 1 << BITS;
/// A register and its value in 4 bytes: of so many, the registers themselves are as small.
const FEW_MAX: usize = REGISTERS / 8;
/// The rest of the hash, and one.
const RANKS: usize = (u64::BITS - BITS) as usize;

/// The registers of each group.
#[derive(Default)]
pub(super) struct DistinctSketches {
    groups: Vec<Sketch>,
    bytes: usize,
}

#[derive(Clone)]
enum Sketch {
    /// Registers above zero, ascending: number and value.
    Few(Vec<(u16, u8)>),
    All(Box<[u8]>),
}

/// The column of the state.
pub(super) fn fields() -> Vec<Field> {
    vec![Field::new("registers", DataType::Binary, false)]
}

impl DistinctSketches {
    fn grow(&mut self, groups: usize) {
        if self.groups.len() < groups {
            self.groups.resize(groups, Sketch::Few(Vec::new()));
        }
    }

    fn raise(&mut self, group: u32, register: u16, value: u8) {
        self.bytes += self.groups[group as usize].raise(register, value);
    }
}

impl Sketch {
    /// Makes a register at least `value`, and says how many bytes more that takes.
    fn raise(&mut self, register: u16, value: u8) -> usize {
        match self {
            Sketch::All(registers) => {
                let old = &mut registers[register as usize];
                *old = value.max(*old);
                0
            }
            Sketch::Few(few) => match few.binary_search_by_key(&register, |entry| entry.0) {
                Ok(place) => {
                    few[place].1 = value.max(few[place].1);
                    0
                }
                Err(place) if few.len() < FEW_MAX => {
                    let before = few.capacity();
                    few.insert(place, (register, value));
                    (few.capacity() - before) * size_of::<(u16, u8)>()
                }
                Err(_) => {
                    let mut registers = vec![0; REGISTERS].into_boxed_slice();
                    few.iter().for_each(|(register, value)| registers[*register as usize] = *value);
                    registers[register as usize] = value;
                    *self = Sketch::All(registers);
                    REGISTERS
                }
            },
        }
    }

    /// Few registers as three bytes each; else all of them.
    fn write(&self, bytes: &mut Vec<u8>) {
        match self {
            Sketch::All(registers) => bytes.extend_from_slice(registers),
            Sketch::Few(few) => {
                for (register, value) in few {
                    bytes.extend_from_slice(&register.to_le_bytes());
                    bytes.push(*value);
                }
            }
        }
    }

    /// The number of different values, about.
    fn estimate(&self) -> i64 {
        let mut counts = [0_u32; RANKS + 2];
        match self {
            Sketch::All(all) => all.iter().for_each(|value| counts[*value as usize] += 1),
            Sketch::Few(few) => {
                counts[0] = (REGISTERS - few.len()) as u32;
                few.iter().for_each(|(_, value)| counts[*value as usize] += 1);
            }
        }
        if counts[0] as usize == REGISTERS {
            return 0;
        }
        let registers = REGISTERS as f64;
        let mut sum = registers * tau(1.0 - f64::from(counts[RANKS + 1]) / registers);
        for count in counts[1..=RANKS].iter().rev() {
            sum = 0.5 * (sum + f64::from(*count));
        }
        sum += registers * sigma(f64::from(counts[0]) / registers);
        let alpha = 0.5 / std::f64::consts::LN_2;
        (alpha * registers * registers / sum).round() as i64
    }
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * y;
        y += y;
        if sum == before {
            return sum;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        y *= 0.5;
        sum -= (1.0 - x).powi(2) * y;
        if sum == before {
            return sum / 3.0;
        }
    }
}

/// The register of a hash, and its value. The hash is mixed once more (the finalizer of SplitMix64): hashes of numbers
/// in a row are spread more evenly than chance would, and the estimate reckons with chance.
fn place(hash: u64) -> (u16, u8) {
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    let hash = hash ^ (hash >> 31);
    let rest = hash << BITS;
    let rank = (rest.leading_zeros() as usize).min(RANKS) + 1;
    ((hash >> (u64::BITS - BITS)) as u16, rank as u8)
}

impl Accumulator for DistinctSketches {
    fn update(&mut self, rows: &GroupedRows<'_>, args: &[ArrayRef]) -> Result<()> {
        let groups = Groups::new(rows, args[0].len())?;
        self.grow(groups.count());
        let hasher = FixedState::with_seed(0x6466_7261_6d65);
        let nulls = args[0].logical_nulls();
        each_hash(&args[0], &hasher, |row, hash| {
            if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                let (register, value) = place(hash);
                self.raise(groups.ids()[row], register, value);
            }
        })
    }

    fn merge(&mut self, rows: &GroupedRows<'_>, states: &[ArrayRef]) -> Result<()> {
        let groups = Groups::new(rows, states[0].len())?;
        self.grow(groups.count());
        let states: &BinaryArray = states[0].as_binary();
        for (row, group) in groups.ids().iter().enumerate() {
            let bytes = states.value(row);
            if bytes.len() == REGISTERS {
                let some = (0..).zip(bytes).filter(|(_, value)| **value > 0);
                some.for_each(|(register, value)| self.raise(*group, register, *value));
                continue;
            }
            let (entries, []) = bytes.as_chunks::<3>() else {
                return Err(Error::internal("the state of approx_count_distinct is cut off"));
            };
            for [low, high, value] in entries {
                self.raise(*group, u16::from_le_bytes([*low, *high]), *value);
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let sketches = std::mem::take(self);
        let mut builder = BinaryBuilder::with_capacity(sketches.groups.len(), sketches.bytes);
        let mut bytes = Vec::new();
        for sketch in &sketches.groups {
            bytes.clear();
            sketch.write(&mut bytes);
            builder.append_value(&bytes);
        }
        Ok(vec![Arc::new(builder.finish())])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let groups = std::mem::take(self).groups;
        Ok(Arc::new(Int64Array::from_iter_values(groups.iter().map(Sketch::estimate))))
    }

    fn memory(&self) -> usize {
        self.groups.capacity() * size_of::<Sketch>() + self.bytes
    }
}

/// Whether a sketch takes values of `data_type`.
pub(super) fn hashes(data_type: &DataType) -> bool {
    *data_type == DataType::Null || repr(data_type).is_some()
}

/// Calls `f` with each row and the hash of its value; equal values have equal hashes, whatever their type's width.
fn each_hash(
    array: &ArrayRef,
    hasher: &impl BuildHasher,
    mut f: impl FnMut(usize, u64),
) -> Result<()> {
    match repr(array.data_type()) {
        Some(Repr::Narrow) => {
            let mut words: Vec<u64> = Vec::with_capacity(array.len());
            u64::extend(&mut words, array)?;
            words.iter().enumerate().for_each(|(row, word)| f(row, hasher.hash_one(word)));
        }
        Some(Repr::Wide) => {
            let mut words: Vec<u128> = Vec::with_capacity(array.len());
            u128::extend(&mut words, array)?;
            words.iter().enumerate().for_each(|(row, word)| f(row, hasher.hash_one(word)));
        }
        Some(Repr::Bytes) => {
            let mut values = Vec::with_capacity(array.len());
            extend_bytes(array, 0..array.len(), &mut values);
            values.iter().enumerate().for_each(|(row, value)| f(row, hasher.hash_one(value)));
        }
        // All are NULL.
        None => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn the_error_is_what_is_said() {
        let hasher = FixedState::with_seed(1);
        for count in [0_u64, 1, 10, 400, 600, 5_000, 100_000, 1_000_000] {
            let mut sketch = Sketch::Few(Vec::new());
            for value in 0..count {
                let (register, rank) = place(hasher.hash_one(value));
                sketch.raise(register, rank);
                sketch.raise(register, rank);
            }
            let error = (sketch.estimate() as f64 - count as f64).abs();
            assert!(error <= 0.05 * count as f64, "{count}: {}", sketch.estimate());
        }
    }

    #[test]
    fn few_registers_and_all_of_them_estimate_the_same() {
        let few: Vec<(u16, u8)> = (0..300).map(|i| (i * 7, (i % 5) as u8 + 1)).collect();
        let mut all = vec![0; REGISTERS].into_boxed_slice();
        few.iter().for_each(|(register, value)| all[*register as usize] = *value);
        assert_eq!(Sketch::Few(few).estimate(), Sketch::All(all).estimate());
    }
}
