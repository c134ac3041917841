//! Bytes that an I/O thread has read and a worker will decode.

use bytes::Bytes;

/// Byte ranges of one file or object, in memory. Cheap to move and to slice.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    /// `(offset in the file, bytes)`, by ascending offset, not overlapping.
    pub ranges: Vec<(u64, Bytes)>,
}

impl Fetched {
    /// The bytes of `offset..offset + length`, without a copy; `None` where they were not fetched.
    pub fn slice(&self, offset: u64, length: usize) -> Option<Bytes> {
        let after = self.ranges.partition_point(|(start, _)| *start <= offset);
        let (start, bytes) = self.ranges.get(after.checked_sub(1)?)?;
        let begin = usize::try_from(offset - start).ok()?;
        let end = begin.checked_add(length)?;
        (end <= bytes.len()).then(|| bytes.slice(begin..end))
    }

    /// The bytes held.
    pub fn len(&self) -> usize {
        self.ranges.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    /// Whether nothing was fetched.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
