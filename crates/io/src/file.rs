//! Files opened for positional reads, and still what they were when they were opened first.
//!
//! Every read is positional (`pread`) on a file opened for it and closed after it, so that ten
//! thousand files never exhaust the descriptors. Knows nothing of formats but the name for errors.

use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use dframe_core::{Error, Result};
use rustix::buffer::spare_capacity;

use crate::paths::unreadable;

/// Ranges closer than this are read as one: a seek costs more than the bytes between.
pub(crate) const GAP: u64 = 64 << 10;

/// A file opened for positional reads.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) file: Arc<File>,
    pub(crate) path: PathBuf,
    pub(crate) length: u64,
    pub(crate) modified: Option<SystemTime>,
    /// What it is, in errors.
    kind: &'static str,
}

impl OpenFile {
    /// Opens a file of some kind.
    pub(crate) fn open(path: &Path, kind: &'static str) -> Result<Self> {
        let file = File::open(path).map_err(|error| unreadable(path, error))?;
        let found = file.metadata().map_err(|error| unreadable(path, error))?;
        let modified = found.modified().ok();
        let path = path.to_path_buf();
        Ok(Self { file: Arc::new(file), path, length: found.len(), modified, kind })
    }

    /// The file, if it still is what it was.
    pub(crate) fn unchanged(self, length: u64, modified: Option<SystemTime>) -> Result<Self> {
        match self.length == length && self.modified == modified {
            true => Ok(self),
            false => Err(changed(&self.path)),
        }
    }

    /// Reads `length` bytes from `offset`; fewer are an error that names the file.
    pub(crate) fn read(&self, offset: u64, length: u64) -> Result<Bytes> {
        self.read_fresh(offset, length as usize)
            .map(Bytes::from)
            .map_err(|error| self.failed(error))
    }

    /// Reads into memory that is not zeroed before, which would cost as much as decoding a column.
    pub(crate) fn read_fresh(&self, offset: u64, length: usize) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            // The capacity may be more than was asked for, so the last read may be too long.
            let at = offset + bytes.len() as u64;
            match rustix::io::pread(&self.file, spare_capacity(&mut bytes), at) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => bytes.truncate(length),
                Err(rustix::io::Errno::INTR) => (),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(bytes)
    }

    /// Fills `bytes` from `offset`.
    pub(crate) fn read_into(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(bytes, offset).map_err(|error| self.failed(error))
    }

    /// The error for a file without its end.
    pub(crate) fn truncated(&self) -> Error {
        Error::invalid_data(format!("the {} file is cut off: its end is missing", self.kind))
            .file(&self.path)
            .remedy("copy or write it again")
    }

    fn failed(&self, error: std::io::Error) -> Error {
        match error.kind() {
            ErrorKind::UnexpectedEof => self.truncated(),
            _ => Error::io("cannot read", error).file(&self.path),
        }
    }
}

/// The error for a file that is no longer what it was when it was opened first.
pub(crate) fn changed(path: &Path) -> Error {
    Error::invalid_data("the file has changed since the query began")
        .file(path)
        .remedy("run the query again when nobody writes the file")
}

/// Merges sorted ranges that touch or nearly touch.
pub(crate) fn coalesce(ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges.into_iter().filter(|range| !range.is_empty()) {
        match merged.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(GAP) => {
                last.end = last.end.max(range.end);
            }
            _ => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_ranges_are_read_as_one() {
        let ranges = vec![0..10, 10..20, 30..40, 200_000..200_001, 200_000..200_005, 7..7];
        assert_eq!(coalesce(ranges), [0..40, 200_000..200_005]);
    }
}
