//! Byte strings to small dense numbers, and back.
//!
//! Ids are given in order of first appearance, NULL included. The bytes live end to end in one arena,
//! so a million short strings are three allocations. Not shared between tasks: ids mean nothing
//! elsewhere; hashes do.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// The hash of NULL, in every column.
pub(crate) const NULL_HASH: u64 = 0x9e37_79b9_7f4a_7c15;

/// Gives each distinct byte string an id.
#[derive(Default)]
pub(crate) struct Interner {
    ids: HashTable<u32>,
    hashes: Vec<u64>,
    ends: Vec<usize>,
    bytes: Vec<u8>,
    null: Option<u32>,
}

impl Interner {
    /// The id of `value`, a new one if it was not seen before.
    pub(crate) fn intern(&mut self, value: &[u8]) -> u32 {
        let hash = hash_bytes(value);
        let Self { ids, hashes, ends, bytes, .. } = self;
        let same = |id: &u32| hashes[*id as usize] == hash && slice(ends, bytes, *id) == value;
        if let Some(id) = ids.find(hash, same) {
            return *id;
        }
        let id = hashes.len() as u32;
        bytes.extend_from_slice(value);
        ends.push(bytes.len());
        hashes.push(hash);
        ids.insert_unique(hash, id, |id| hashes[*id as usize]);
        id
    }

    /// The id of NULL.
    pub(crate) fn intern_null(&mut self) -> u32 {
        if let Some(id) = self.null {
            return id;
        }
        let id = self.hashes.len() as u32;
        self.ends.push(self.bytes.len());
        self.hashes.push(NULL_HASH);
        self.null = Some(id);
        id
    }

    /// The bytes of `id`; `None` for NULL.
    pub(crate) fn get(&self, id: u32) -> Option<&[u8]> {
        (self.null != Some(id)).then(|| slice(&self.ends, &self.bytes, id))
    }

    /// The hash of `id`'s bytes, the same in every interner.
    pub(crate) fn hash(&self, id: u32) -> u64 {
        self.hashes[id as usize]
    }

    /// The number of ids.
    pub(crate) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// The bytes of memory held.
    pub(crate) fn memory(&self) -> usize {
        self.ids.allocation_size()
            + (self.hashes.capacity() + self.ends.capacity()) * 8
            + self.bytes.capacity()
    }
}

/// The hash of a byte string.
pub(crate) fn hash_bytes(value: &[u8]) -> u64 {
    FixedState::with_seed(0x6466_7261_6d65).hash_one(value)
}

fn slice<'a>(ends: &[usize], bytes: &'a [u8], id: u32) -> &'a [u8] {
    let id = id as usize;
    let start = if id == 0 { 0 } else { ends[id - 1] };
    &bytes[start..ends[id]]
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
    }
}
