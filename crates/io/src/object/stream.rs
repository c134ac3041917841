//! An object as a stream of bytes: a few pieces ahead of whoever reads, and never more.

use std::collections::VecDeque;
use std::io::Read;

use bytes::{Buf, Bytes};
use dframe_core::Result;

use super::Object;
use super::network::Pending;
use crate::file::Version;

/// The bytes of the first piece: who wants the head only is sent little more.
pub(super) const FIRST: u64 = 64 << 10;
/// The bytes of a piece at most.
const PIECE_MAX: u64 = 1 << 20;
/// The pieces that are read ahead once it is clear that more is wanted.
const AHEAD: usize = 4;
/// The bytes that a reader may hold.
pub(crate) const READER_BYTES: u64 = (AHEAD as u64 + 1) * PIECE_MAX;

/// Reads an object from some place on.
#[derive(Debug)]
pub(crate) struct ObjectReader {
    object: Object,
    version: Version,
    /// Where the next piece begins, and how long it is.
    next: u64,
    piece: u64,
    ahead: VecDeque<Pending<Bytes>>,
    current: Bytes,
}

impl ObjectReader {
    /// Of a version of an object, from `offset` on; `head` is what is known of its beginning.
    pub(crate) fn new(object: &Object, version: &Version, head: Bytes, offset: u64) -> Self {
        let known = head.len() as u64;
        let (current, next) = match offset < known {
            true => (head.slice(offset as usize..), known),
            false => (Bytes::new(), offset),
        };
        let (object, version) = (object.clone(), version.clone());
        Self { object, version, next, piece: FIRST, ahead: VecDeque::new(), current }
    }

    /// Waits for the next piece; an empty one is the end.
    fn next_piece(&mut self) -> Result<Bytes> {
        let count = if self.piece < PIECE_MAX { 1 } else { AHEAD };
        while self.ahead.len() < count && self.next < self.version.length {
            let end = self.version.length.min(self.next + self.piece);
            self.ahead.push_back(self.object.start_reading(&self.version, self.next..end)?);
            self.next = end;
            self.piece = PIECE_MAX.min(self.piece * 4);
        }
        self.ahead.pop_front().map_or(Ok(Bytes::new()), Pending::wait)
    }
}

impl Read for ObjectReader {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.current.is_empty() {
            self.current = self.next_piece().map_err(std::io::Error::other)?;
        }
        let count = out.len().min(self.current.len());
        self.current.copy_to_slice(&mut out[..count]);
        Ok(count)
    }
}
