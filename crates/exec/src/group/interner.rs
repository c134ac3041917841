//! Byte strings to small dense numbers, and back.
//!
//! ```text
//!   up to 15 bytes   a packed key: the bytes and their number             compared as a whole, in one place
//!   longer           a hash table; the packed key tells where they are    end to end in one arena
//! ```
//!
//! Ids are given in order of first appearance, NULL included. Not shared between tasks: ids mean nothing
//! elsewhere; hashes do.

use arrow::array::{Array, StringArray, StringViewArray};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

use super::packed::{PackedKey, PackedTable, mix};

/// The hash of NULL, in every column.
pub(crate) const NULL_HASH: u64 = 0x9e37_79b9_7f4a_7c15;

/// Gives each distinct byte string an id.
#[derive(Default)]
pub(crate) struct Interner {
    /// A key for each id.
    keys: PackedTable<Packed>,
    /// The hashes and ids of the long ones.
    long: HashTable<(u64, u32)>,
    bytes: Vec<u8>,
    null: Option<u32>,
}

impl Interner {
    /// The id of `value`, a new one if it was not seen before.
    #[inline]
    pub(crate) fn intern(&mut self, value: &[u8]) -> u32 {
        match Packed::short(value) {
            Some(key) => self.keys.group_of(key, || {}),
            None => self.intern_long(value),
        }
    }

    /// Appends the id of each value of `texts` to `ids`.
    pub(crate) fn intern_texts(&mut self, texts: &StringArray, ids: &mut Vec<u32>) {
        let text = |row: usize| texts.is_valid(row).then(|| texts.value(row).as_bytes());
        let keys = (0..texts.len()).map(|row| text(row).and_then(Packed::short));
        self.intern_packed(keys, text, ids);
    }

    /// Appends the id of each value of `views` to `ids`.
    pub(crate) fn intern_views(&mut self, views: &StringViewArray, ids: &mut Vec<u32>) {
        let text = |row: usize| views.is_valid(row).then(|| views.value(row).as_bytes());
        let key = |(row, view): (usize, &u128)| match views.is_valid(row) {
            true => Packed::of_view(*view),
            false => None,
        };
        self.intern_packed(views.views().iter().enumerate().map(key), text, ids);
    }

    /// Appends ids: of `keys` where there are any, else of `text`.
    fn intern_packed<'a>(
        &mut self,
        keys: impl Iterator<Item = Option<Packed>>,
        text: impl Fn(usize) -> Option<&'a [u8]>,
        ids: &mut Vec<u32>,
    ) {
        let (before, mut missed) = (ids.len(), Vec::new());
        let keys: Vec<Packed> = keys.map(|key| key.unwrap_or(Packed::NOWHERE)).collect();
        self.keys.find(&keys, ids, &mut missed);
        for row in missed.into_iter().map(|row| row as usize) {
            ids[before + row] = match text(row) {
                Some(value) => self.intern(value),
                None => self.intern_null(),
            };
        }
    }

    fn intern_long(&mut self, value: &[u8]) -> u32 {
        let hash = hash_bytes(value);
        let Self { keys, long, bytes, .. } = self;
        let same = |(other, id): &(u64, u32)| *other == hash && keys.key(*id).of(bytes) == value;
        if let Some((_, id)) = long.find(hash, same) {
            return *id;
        }
        let id = keys.push_aside(Packed::long(bytes.len(), value.len()));
        bytes.extend_from_slice(value);
        long.insert_unique(hash, (hash, id), |(hash, _)| *hash);
        id
    }

    /// The id of NULL.
    pub(crate) fn intern_null(&mut self) -> u32 {
        let Self { keys, null, .. } = self;
        *null.get_or_insert_with(|| keys.push_aside(Packed::default()))
    }

    /// The id of NULL, if it has one.
    pub(crate) fn null_id(&self) -> Option<u32> {
        self.null
    }

    /// The bytes of `id`; `None` for NULL.
    pub(crate) fn get(&self, id: u32) -> Option<&[u8]> {
        (self.null != Some(id)).then(|| self.keys.key(id).of(&self.bytes))
    }

    /// The hash of `id`'s bytes, the same in every interner.
    pub(crate) fn hash(&self, id: u32) -> u64 {
        if self.null == Some(id) {
            return NULL_HASH;
        }
        let key = self.keys.key(id);
        key.value_hash().unwrap_or_else(|| hash_bytes(key.of(&self.bytes)))
    }

    /// The number of ids.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The bytes of memory held.
    pub(crate) fn memory(&self) -> usize {
        self.keys.memory() + self.long.allocation_size() + self.bytes.capacity()
    }
}

/// The hash of a byte string.
#[inline]
pub(crate) fn hash_bytes(value: &[u8]) -> u64 {
    match Packed::short(value).and_then(Packed::value_hash) {
        Some(hash) => hash,
        None => FixedState::with_seed(0x6466_7261_6d65).hash_one(value),
    }
}

/// The hash of each value of `views`.
pub(crate) fn hash_views(views: &StringViewArray) -> Vec<u64> {
    let hash = |(row, view): (usize, &u128)| match views.is_null(row) {
        true => NULL_HASH,
        false => match Packed::of_view(*view).and_then(Packed::value_hash) {
            Some(hash) => hash,
            None => hash_bytes(views.value(row).as_bytes()),
        },
    };
    views.views().iter().enumerate().map(hash).collect()
}

/// A short value with its length in the last byte; or the place of a long one in the arena, and its length, with
/// [`LONG`] there.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Packed([u8; SHORT_MAX + 1]);

/// The bytes of a short value, at most.
const SHORT_MAX: usize = 15;
/// The last byte of what is not a short value.
const LONG: u8 = u8::MAX;
/// The bytes of a place.
const PLACE: usize = 8;
/// The bytes of a value in an Arrow view, at most.
const VIEW_MAX: u128 = 12;

impl Packed {
    /// What is in no table.
    const NOWHERE: Self = Self([LONG; SHORT_MAX + 1]);

    #[inline]
    fn short(value: &[u8]) -> Option<Self> {
        let length = value.len();
        let head = |start: usize| -> Option<u64> {
            Some(u64::from_le_bytes(value.get(start..start + 8)?.try_into().ok()?))
        };
        let half = |start: usize| -> Option<u64> {
            Some(u32::from_le_bytes(value.get(start..start + 4)?.try_into().ok()?).into())
        };
        // Two loads that overlap, rather than a loop over bytes.
        let packed = match length {
            0 => 0,
            1..=3 => {
                let at = |index: usize| u128::from(value[index]) << (8 * index);
                at(0) | at(length / 2) | at(length - 1)
            }
            4..=7 => u128::from(half(0)? | half(length - 4)? << (8 * (length - 4))),
            8..=SHORT_MAX => {
                u128::from(head(0)?) | u128::from(head(length - 8)?) << (8 * (length - 8))
            }
            _ => return None,
        };
        Some(Self((packed | (length as u128) << (8 * SHORT_MAX)).to_le_bytes()))
    }

    /// The value of an Arrow view, if it is in there: its length in the low four bytes, then the value.
    #[inline]
    fn of_view(view: u128) -> Option<Self> {
        let length = u128::from(view as u32);
        let packed = view >> 32 | length << (8 * SHORT_MAX);
        (length <= VIEW_MAX).then_some(Self(packed.to_le_bytes()))
    }

    /// The hash of a short value.
    #[inline]
    fn value_hash(self) -> Option<u64> {
        // Not the bits that a table looks at: those that rows are cut by must tell others apart.
        (self.0[SHORT_MAX] != LONG).then(|| mix(self.hash(), 0x9e6c_63d0_876a_68ed))
    }

    fn long(place: usize, length: usize) -> Self {
        let mut packed = [LONG; SHORT_MAX + 1];
        packed[..PLACE].copy_from_slice(&(place as u64).to_le_bytes());
        packed[PLACE..SHORT_MAX]
            .copy_from_slice(&(length as u64).to_le_bytes()[..SHORT_MAX - PLACE]);
        Self(packed)
    }

    /// The value, which is here or in `arena`.
    fn of<'a>(&'a self, arena: &'a [u8]) -> &'a [u8] {
        let (here, length) = (&self.0[..SHORT_MAX], self.0[SHORT_MAX]);
        if length != LONG {
            return &here[..usize::from(length)];
        }
        let number = |bytes: &[u8]| {
            bytes.iter().rev().fold(0, |number: usize, byte| number << 8 | usize::from(*byte))
        };
        let (place, length) = here.split_at(PLACE);
        &arena[number(place)..][..number(length)]
    }
}

impl PackedKey for Packed {
    #[inline]
    fn hash(self) -> u64 {
        u128::from_le_bytes(self.0).hash()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_dense_and_null_is_not_empty() {
        let mut interner = Interner::default();
        let ids: Vec<u32> = [b"b".as_slice(), b"", b"b", b"a"].map(|v| interner.intern(v)).to_vec();
        assert_eq!(ids, [0, 1, 0, 2]);
        assert_eq!(interner.intern_null(), 3);
        assert_eq!(interner.intern_null(), 3);
        assert_eq!(interner.intern(b"c"), 4);
        assert_eq!((interner.get(1), interner.get(3)), (Some(b"".as_slice()), None));
        assert_eq!((interner.get(4), interner.len()), (Some(b"c".as_slice()), 5));
        assert_eq!((interner.hash(1), interner.hash(3)), (hash_bytes(b""), NULL_HASH));
    }

    #[test]
    fn values_of_every_length_come_back() {
        let mut interner = Interner::default();
        let text: Vec<u8> = (0..=255).cycle().take(600).collect();
        let mut values: Vec<&[u8]> = (0..40)
            .flat_map(|start| (0..40).chain([255, 256, 300]).map(move |length| (start, length)))
            .map(|(start, length)| &text[start..start + length])
            .collect();
        // Zeros at the end, and bytes that look like a length or a mark.
        values.extend([
            [0_u8; 16].as_slice(),
            &[0; 15],
            &[0; 1],
            &[LONG; 16],
            &[LONG; 15],
            &[1, 0],
        ]);
        let ids: Vec<u32> = values.iter().map(|value| interner.intern(value)).collect();
        for (value, id) in values.iter().zip(&ids) {
            assert_eq!(interner.get(*id), Some(*value));
            assert_eq!(interner.intern(value), *id);
        }
        let different: std::collections::HashSet<&[u8]> = values.into_iter().collect();
        assert_eq!(interner.len(), different.len());
    }
}
