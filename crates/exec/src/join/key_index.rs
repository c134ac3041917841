//! Rows found by key.
//!
//! ```text
//!   slots: [hash, first row] --> next[row] --> next[row] --> END      a chain per key, in the order of rows
//! ```
//!
//! Linear probing at 50 % load at most; a slot is a key. A dictionary's values are looked up once, not once for each
//! row that has their code. It does not know what rows there are besides their keys.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::Int32Type;
use dframe_core::Result;

use super::keys::{KeyCoder, Keys};

/// No further row.
pub(crate) const END: u32 = u32::MAX;
/// The dictionaries whose values' places are remembered: tasks that run at the same time read one each.
const DICTIONARIES_MAX: usize = 16;
/// A dictionary is looked up as a whole if it has at most so many times the values that there are rows.
const DICTIONARY_SHARE: usize = 4;

/// The rows of each key.
pub(crate) struct KeyIndex {
    keys: Keys,
    slots: Vec<Slot>,
    next: Vec<u32>,
    dictionaries: Mutex<VecDeque<Dictionary>>,
}

#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    first: u32,
}

const FREE: Slot = Slot { hash: 0, first: END };

/// The first row of each value of a dictionary.
#[derive(Clone)]
struct Dictionary {
    values: ArrayRef,
    firsts: Arc<[u32]>,
}

impl KeyIndex {
    /// The rows by their keys.
    pub(crate) fn new(keys: Keys, rows: usize) -> Self {
        let (slots, next) = chains(&keys, rows);
        Self { keys, slots, next, dictionaries: Mutex::default() }
    }

    /// The first row with the key of each of `rows` rows; [`END`] where there is none. `coder` is the one that made
    /// the keys of this index.
    pub(crate) fn firsts(
        &self,
        coder: &KeyCoder,
        keys: &[ArrayRef],
        rows: usize,
    ) -> Result<Vec<u32>> {
        if let [key] = keys
            && let Some(codes) = key.as_dictionary_opt::<Int32Type>()
            && codes.values().len() <= DICTIONARY_SHARE * rows
            && !(coder.nulls_equal() && codes.null_count() > 0)
        {
            let of_values = self.of_dictionary(coder, codes.values())?;
            let place = |code: &i32| of_values.get(*code as usize).copied().unwrap_or(END);
            let mut firsts: Vec<u32> = codes.keys().values().iter().map(place).collect();
            if let Some(nulls) = codes.nulls().filter(|nulls| nulls.null_count() > 0) {
                firsts.iter_mut().zip(nulls).filter(|(_, able)| !able).for_each(|(f, _)| *f = END);
            }
            return Ok(firsts);
        }
        Ok(self.of_rows(&coder.encode(keys, rows)?, rows))
    }

    fn of_dictionary(&self, coder: &KeyCoder, values: &ArrayRef) -> Result<Arc<[u32]>> {
        let known = |dictionary: &&Dictionary| Arc::ptr_eq(&dictionary.values, values);
        let dictionaries = || self.dictionaries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(dictionary) = dictionaries().iter().find(known) {
            return Ok(dictionary.firsts.clone());
        }
        let keys = coder.encode(std::slice::from_ref(values), values.len())?;
        let firsts: Arc<[u32]> = self.of_rows(&keys, values.len()).into();
        let mut dictionaries = dictionaries();
        dictionaries.truncate(DICTIONARIES_MAX - 1);
        dictionaries.push_front(Dictionary { values: values.clone(), firsts: firsts.clone() });
        Ok(firsts)
    }

    fn of_rows(&self, keys: &Keys, rows: usize) -> Vec<u32> {
        (0..rows).map(|row| self.first(keys, row)).collect()
    }

    /// The first row with the key of row `row` of `keys`; [`END`] if there is none.
    fn first(&self, keys: &Keys, row: usize) -> u32 {
        if !keys.is_able(row) {
            return END;
        }
        let hash = keys.hashes[row];
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            let same = slot.hash == (hash >> 32) as u32
                && slot.first != END
                && self.keys.equal(slot.first as usize, keys, row);
            if same || slot.first == END {
                return slot.first;
            }
            at = (at + 1) & mask;
        }
    }

    /// The row with the same key after `row`; [`END`] if there is none.
    pub(crate) fn next(&self, row: u32) -> u32 {
        self.next[row as usize]
    }

    /// The bytes of memory held.
    pub(crate) fn memory(&self) -> usize {
        self.keys.memory()
            + self.slots.len() * size_of::<Slot>()
            + self.next.len() * size_of::<u32>()
    }
}

/// A slot per key, and for each row the next one of its key.
fn chains(keys: &Keys, rows: usize) -> (Vec<Slot>, Vec<u32>) {
    let mut slots = vec![FREE; (2 * rows.max(4)).next_power_of_two()];
    let mut next = vec![END; rows];
    let mask = slots.len() - 1;
    // Backwards, so that chains run forward.
    for row in (0..rows).rev().filter(|row| keys.is_able(*row)) {
        let hash = keys.hashes[row];
        let mut at = hash as usize & mask;
        loop {
            let slot = &mut slots[at];
            let same = slot.first != END
                && slot.hash == (hash >> 32) as u32
                && keys.equal(slot.first as usize, keys, row);
            if same || slot.first == END {
                next[row] = slot.first;
                *slot = Slot { hash: (hash >> 32) as u32, first: row as u32 };
                break;
            }
            at = (at + 1) & mask;
        }
    }
    (slots, next)
}
