//! A hash table from packed keys (64 to 256 bits) to dense group numbers.
//!
//! ```text
//!   key --hash--> slots: (hash, group), linear probing at 50 % load at most
//!                              +--> keys[group]           looked at only where the hashes are equal
//! ```
//!
//! It holds no states: those are columns, indexed by the group, as the keys are.

/// A key of fixed width.
pub(crate) trait PackedKey: Copy + Eq {
    /// A hash whose low bits are good.
    fn hash(self) -> u64;
}

impl PackedKey for u64 {
    fn hash(self) -> u64 {
        mix(self, 0x9e37_79b9_7f4a_7c15)
    }
}

impl PackedKey for u128 {
    fn hash(self) -> u64 {
        mix(self as u64 ^ 0x2545_f491_4f6c_dd1d, (self >> 64) as u64 ^ 0x9e37_79b9_7f4a_7c15)
            ^ (self as u64).wrapping_mul(0xd6e8_feb8_6659_fd93).rotate_left(29)
    }
}

impl PackedKey for [u128; 2] {
    fn hash(self) -> u64 {
        combine(self[0].hash(), self[1].hash())
    }
}

/// The two halves of the 128-bit product, folded.
pub(crate) fn mix(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product >> 64) as u64 ^ product as u64
}

/// The hash of a key of several columns, from the hash of the columns before and the next one's.
pub(crate) fn combine(before: u64, next: u64) -> u64 {
    mix(before ^ 0x8ebc_6af0_9c88_c6e3, next ^ 0x5899_65cc_7537_4cc3)
}

const FREE: u32 = u32::MAX;
const SLOTS_MIN: usize = 1024;
/// Keys that are looked for at a time.
const TOGETHER: usize = 128;

/// A group, and the hash of its key: keys of other groups are told apart without looking at them, and the
/// table grows without that.
#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    group: u32,
}

/// Keys to groups.
pub(crate) struct PackedTable<K> {
    slots: Vec<Slot>,
    /// The key of each group.
    keys: Vec<K>,
}

impl<K> Default for PackedTable<K> {
    fn default() -> Self {
        Self { slots: Vec::new(), keys: Vec::new() }
    }
}

impl<K: PackedKey> PackedTable<K> {
    /// A table without keys.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Appends the group of each key to `groups`. A key not seen before gets the next group, and its place
    /// is appended to `new_rows`.
    pub(crate) fn assign(&mut self, keys: &[K], groups: &mut Vec<u32>, new_rows: &mut Vec<u32>) {
        let mut missed = Vec::with_capacity(TOGETHER);
        for start in (0..keys.len()).step_by(TOGETHER) {
            let some = &keys[start..keys.len().min(start + TOGETHER)];
            let before = groups.len();
            self.find(some, groups, &mut missed);
            for row in missed.drain(..).map(|row| row as usize) {
                let new = || new_rows.push((start + row) as u32);
                groups[before + row] = self.group_of(some[row], new);
            }
        }
    }

    /// Appends to `groups` what is at the first place where each key may be, and to `missed` the numbers of keys for
    /// which that is not their group. Without a branch, so that the processor waits for many places at a time.
    pub(crate) fn find(&self, keys: &[K], groups: &mut Vec<u32>, missed: &mut Vec<u32>) {
        if self.keys.is_empty() || self.slots.is_empty() {
            groups.resize(groups.len() + keys.len(), FREE);
            missed.extend(0..keys.len() as u32);
            return;
        }
        let (mask, last) = (self.slots.len() - 1, self.keys.len() as u32 - 1);
        for (part, keys) in keys.chunks(TOGETHER).enumerate() {
            let mut places = [(0, Slot { hash: 0, group: FREE }); TOGETHER];
            for (place, key) in places.iter_mut().zip(keys) {
                let hash = key.hash() as u32;
                *place = (hash, self.slots[hash as usize & mask]);
            }
            let (mut rows, mut count) = ([0; TOGETHER], 0);
            for (row, ((hash, slot), key)) in places.iter().zip(keys).enumerate() {
                let group = slot.group.min(last);
                let same = self.keys[group as usize] == *key;
                let found = same & (slot.hash == *hash) & (slot.group == group);
                rows[count] = (part * TOGETHER + row) as u32;
                count += usize::from(!found);
                groups.push(group);
            }
            missed.extend_from_slice(&rows[..count]);
        }
    }

    /// The group of one key; `on_new` is called if the key was not seen before.
    pub(crate) fn group_of(&mut self, key: K, on_new: impl FnOnce()) -> u32 {
        if self.keys.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let hash = key.hash() as u32;
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot.group == FREE {
                let group = self.keys.len() as u32;
                self.slots[at] = Slot { hash, group };
                self.keys.push(key);
                on_new();
                return group;
            }
            if slot.hash == hash && self.keys[slot.group as usize] == key {
                return slot.group;
            }
            at = (at + 1) & mask;
        }
    }

    /// Gives out the next group to `key`, which is not looked up here.
    pub(crate) fn push_aside(&mut self, key: K) -> u32 {
        self.keys.push(key);
        self.keys.len() as u32 - 1
    }

    /// The key of a group.
    pub(crate) fn key(&self, group: u32) -> &K {
        &self.keys[group as usize]
    }

    /// The number of groups.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Makes room for so many keys at once.
    pub(crate) fn reserve(&mut self, keys: usize) {
        self.keys.reserve(keys.saturating_sub(self.keys.len()));
        let slots = slots_for(keys);
        if slots > self.slots.len() {
            self.resize(slots);
        }
    }

    /// The memory that a table of so many keys takes.
    pub(crate) fn memory_for(keys: usize) -> usize {
        slots_for(keys) * size_of::<Slot>() + keys * size_of::<K>()
    }

    /// The bytes of memory held.
    pub(crate) fn memory(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>() + self.keys.capacity() * size_of::<K>()
    }

    #[cold]
    fn grow(&mut self) {
        self.resize((self.slots.len() * 2).max(SLOTS_MIN));
    }

    fn resize(&mut self, slots: usize) {
        let free = Slot { hash: 0, group: FREE };
        let old = std::mem::replace(&mut self.slots, vec![free; slots]);
        let mask = slots - 1;
        for slot in old.into_iter().filter(|slot| slot.group != FREE) {
            let mut at = slot.hash as usize & mask;
            while self.slots[at].group != FREE {
                at = (at + 1) & mask;
            }
            self.slots[at] = slot;
        }
    }
}

/// The slots that hold so many keys at 50 % load.
fn slots_for(keys: usize) -> usize {
    (keys * 2).next_power_of_two().max(SLOTS_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_follow_first_appearance_through_growth() {
        let keys: Vec<u64> = (0..10_000).map(|i| (i * 7919) % 3001).collect();
        let (mut table, mut groups, mut new_rows) = (PackedTable::new(), Vec::new(), Vec::new());
        table.assign(&keys, &mut groups, &mut new_rows);
        assert_eq!(new_rows.len(), 3001);
        for (key, group) in keys.iter().zip(&groups) {
            assert_eq!(keys[new_rows[*group as usize] as usize], *key);
        }
    }
}
