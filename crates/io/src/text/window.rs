//! A window that moves over a text: what is in it has been read and is not yet done with.
//!
//! ```text
//!   text:   ....done....[ rest | read on ]........
//!                        ^ base            the window grows only if the rest fills it
//! ```

use std::io::{ErrorKind, Read};

use dframe_core::{Budget, Reservation, Result};

use super::file::{TextFile, TextReader};

/// The bytes of a text at most: spans must be able to say where a field lies.
pub(crate) const TEXT_BYTES_MAX: usize = 1 << 29;
/// The bytes of a window at first.
pub(crate) const WINDOW_BYTES: usize = 512 << 10;

pub(crate) struct Window {
    file: TextFile,
    reader: TextReader,
    buffer: Vec<u8>,
    /// Where in the buffer the rest begins.
    start: usize,
    /// Where in the text the rest begins.
    base: u64,
    is_last: bool,
    /// For the buffer.
    reservation: Reservation,
    /// For what the reader holds.
    _decoder: Reservation,
    bytes_max: usize,
}

/// Whether the window could be filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    Yes,
    /// A record needs more than the window may have.
    TooLarge,
}

impl Window {
    /// A window at `base` of a file's text, that never grows beyond `bytes_max`.
    pub(crate) fn new(
        file: &TextFile,
        base: u64,
        bytes_max: usize,
        budget: &Budget,
    ) -> Result<Self> {
        let reader_bytes = usize::try_from(file.reader_bytes()).unwrap_or(usize::MAX);
        let reservation = budget.reserve(WINDOW_BYTES, "reading a text file")?;
        let decoder = budget.reserve(reader_bytes, "decompressing a text file")?;
        let reader = file.reader(base)?;
        let file = file.clone();
        let bytes_max = bytes_max.clamp(WINDOW_BYTES, TEXT_BYTES_MAX);
        let buffer = Vec::with_capacity(WINDOW_BYTES);
        Ok(Self {
            file,
            reader,
            buffer,
            start: 0,
            base,
            is_last: false,
            reservation,
            _decoder: decoder,
            bytes_max,
        })
    }

    /// What has been read and not been done with.
    pub(crate) fn text(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Where in the whole text that begins.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// Whether the text ends where the window does.
    pub(crate) fn is_last(&self) -> bool {
        self.is_last
    }

    /// Is done with the first `bytes` of the rest.
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.start += bytes;
        self.base += bytes as u64;
    }

    /// Reads on, at least one byte unless the text ends. What is done with makes room first.
    pub(crate) fn fill(&mut self) -> Result<Filled> {
        self.buffer.drain(..self.start);
        self.start = 0;
        if self.buffer.len() >= self.reservation.bytes() && self.grow()? == Filled::TooLarge {
            return Ok(Filled::TooLarge);
        }
        let wanted = self.reservation.bytes() - self.buffer.len();
        let before = self.buffer.len();
        let outcome = read_fully(&mut self.reader, wanted, &mut self.buffer);
        outcome.map_err(|error| self.file.failed(error))?;
        self.is_last = self.buffer.len() - before < wanted;
        Ok(Filled::Yes)
    }

    fn grow(&mut self) -> Result<Filled> {
        let more = self.buffer.len().min(self.bytes_max.saturating_sub(self.buffer.len()));
        if more == 0 || !self.reservation.grow_if_granted(more, "a record of a text file")? {
            return Ok(Filled::TooLarge);
        }
        self.buffer.reserve_exact(more);
        Ok(Filled::Yes)
    }
}

/// Appends up to `count` bytes; fewer only at the end.
fn read_fully<R: Read>(reader: &mut R, count: usize, out: &mut Vec<u8>) -> std::io::Result<()> {
    loop {
        match reader.take(count as u64).read_to_end(out) {
            Err(error) if error.kind() == ErrorKind::Interrupted => (),
            outcome => return outcome.map(|_| ()),
        }
    }
}
