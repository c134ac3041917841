//! Files opened for positional reads, and still what they were when they were opened first; here or in a store.
//!
//! Every read of a local file is positional (`pread`) on a file opened for it and closed after it, so that ten
//! thousand files never exhaust the descriptors. An object is asked for parts; nothing is open in between.
//! Knows nothing of formats but the name for errors.

use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use dframe_core::{Error, Result};
use rustix::buffer::spare_capacity;

pub(crate) use crate::object::Ending;
use crate::object::Object;
use crate::paths::unreadable;

/// Ranges closer than this are read as one: a seek costs more than the bytes between.
pub(crate) const GAP: u64 = 64 << 10;
/// Of an object, no more is read as one: parts come side by side.
const PART: u64 = 8 << 20;
/// Small reads of an object are served from blocks of this size, of which a few are kept: metadata lies close
/// together.
const BLOCK: u64 = 512 << 10;
const BLOCKS_KEPT: usize = 8;
/// Objects that are opened at once.
pub(crate) const OPENED_AT_ONCE: usize = 32;

/// Fetches of objects for one task at once: as many as keep it busy while each takes some round trips.
const FETCHES_AHEAD: usize = 8;

/// Where a file is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In the file system.
    Local(PathBuf),
    /// In a store.
    Object(Object),
}

impl Place {
    /// What it is called.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Local(path) => path,
            Self::Object(object) => object.name(),
        }
    }

    /// Its name without what is not about the file, so that its extension can be looked at.
    pub(crate) fn name(&self) -> &Path {
        match self {
            Self::Local(path) => path,
            Self::Object(object) => object.key(),
        }
    }

    /// The fetches of a task that should be under way at once.
    pub(crate) fn fetches_ahead(&self) -> usize {
        if self.is_remote() { FETCHES_AHEAD } else { 1 }
    }

    /// Whether reads wait for a network.
    pub(crate) fn is_remote(&self) -> bool {
        matches!(self, Self::Object(_))
    }
}

/// What tells a file from what it was before.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Version {
    pub(crate) length: u64,
    pub(crate) modified: Option<SystemTime>,
    pub(crate) etag: Option<String>,
}

impl Version {
    /// Of a file in the file system.
    pub(crate) fn of_file(file: &File) -> std::io::Result<Self> {
        let found = file.metadata()?;
        Ok(Self { length: found.len(), modified: found.modified().ok(), etag: None })
    }

    /// Whether a store has the same version; lists and answers may quote tags differently.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let same_tag = match (&self.etag, &other.etag) {
            (Some(tag), Some(other)) => tag.trim_matches('"') == other.trim_matches('"'),
            // Lists of some stores have fractions of seconds that answers lack.
            _ => seconds(self.modified) == seconds(other.modified),
        };
        self.length == other.length && same_tag
    }
}

fn seconds(time: Option<SystemTime>) -> Option<u64> {
    let since = time?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(since.as_secs())
}

/// A file opened for positional reads.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) medium: Medium,
    pub(crate) path: PathBuf,
    pub(crate) length: u64,
    pub(crate) version: Version,
    /// What it is, in errors.
    kind: &'static str,
}

/// What is read.
#[derive(Clone, Debug)]
pub(crate) enum Medium {
    Local(Arc<File>),
    Object(Arc<Remote>),
}

/// A version of an object, and what has been read of it in passing.
#[derive(Debug)]
pub(crate) struct Remote {
    object: Object,
    version: Version,
    /// Offsets and bytes, the last used last.
    blocks: Mutex<Vec<(u64, Bytes)>>,
}

impl OpenFile {
    /// Opens a file of some kind.
    pub(crate) fn open(place: &Place, kind: &'static str) -> Result<Self> {
        match place {
            Place::Local(path) => Self::open_local(path, kind),
            Place::Object(object) => {
                Ok(Self::of_object(object, object.version()?, Vec::new(), kind))
            }
        }
    }

    /// Opens files, with what is at the end of objects: many at once.
    pub(crate) fn open_all(
        places: &[Place],
        kind: &'static str,
        ending: Ending,
    ) -> impl Iterator<Item = Result<Self>> {
        places.chunks(OPENED_AT_ONCE).flat_map(move |places| {
            let begun: Vec<_> = places
                .iter()
                .map(|place| match place {
                    Place::Local(_) => None,
                    Place::Object(object) => Some((object, object.start_opening(ending))),
                })
                .collect();
            places.iter().zip(begun).map(move |(place, begun)| match begun {
                None => Self::open(place, kind),
                Some((object, begun)) => {
                    let (version, end) = begun?.wait()?;
                    let block = (version.length - end.len() as u64, end);
                    Ok(Self::of_object(object, version, vec![block], kind))
                }
            })
        })
    }

    /// Opens a file again, which must be what it was. Of an object, that turns out when it is read.
    pub(crate) fn again(place: &Place, kind: &'static str, version: &Version) -> Result<Self> {
        match place {
            Place::Object(object) => Ok(Self::of_object(object, version.clone(), Vec::new(), kind)),
            Place::Local(path) => {
                let file = Self::open_local(path, kind)?;
                if file.version == *version { Ok(file) } else { Err(changed(path)) }
            }
        }
    }

    fn open_local(path: &Path, kind: &'static str) -> Result<Self> {
        let file = File::open(path).map_err(|error| unreadable(path, error))?;
        let version = Version::of_file(&file).map_err(|error| unreadable(path, error))?;
        let (path, length) = (path.to_path_buf(), version.length);
        Ok(Self { medium: Medium::Local(Arc::new(file)), path, length, version, kind })
    }

    fn of_object(
        object: &Object,
        version: Version,
        blocks: Vec<(u64, Bytes)>,
        kind: &'static str,
    ) -> Self {
        let (path, length) = (object.name().to_path_buf(), version.length);
        let blocks = Mutex::new(blocks);
        let remote = Remote { object: object.clone(), version: version.clone(), blocks };
        Self { medium: Medium::Object(Arc::new(remote)), path, length, version, kind }
    }

    /// Reads `length` bytes from `offset`; fewer are an error that names the file.
    pub(crate) fn read(&self, offset: u64, length: u64) -> Result<Bytes> {
        match &self.medium {
            Medium::Object(remote) if offset.saturating_add(length) <= self.length => {
                remote.read(offset, length)
            }
            Medium::Object(_) => Err(self.truncated()),
            Medium::Local(file) => read_fresh(file, offset, length as usize)
                .map(Bytes::from)
                .map_err(|error| self.failed(error)),
        }
    }

    /// Reads sorted ranges, and what is between those that nearly touch; with the place of each read. Parts of an
    /// object come side by side.
    pub(crate) fn read_ranges(&self, ranges: Vec<Range<u64>>) -> Result<Vec<(u64, Bytes)>> {
        let at_most = if matches!(self.medium, Medium::Local(_)) { u64::MAX } else { PART };
        let ranges = merged(ranges, at_most);
        let starts = ranges.iter().map(|range| range.start);
        let read = match &self.medium {
            Medium::Object(remote) => remote.object.read_all(&remote.version, &ranges)?,
            Medium::Local(_) => {
                let read = |range: &Range<u64>| self.read(range.start, range.end - range.start);
                ranges.iter().map(read).collect::<Result<_>>()?
            }
        };
        Ok(starts.zip(read).collect())
    }

    /// Fills `bytes` from `offset`.
    pub(crate) fn read_into(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        match &self.medium {
            Medium::Local(file) => {
                file.read_exact_at(bytes, offset).map_err(|error| self.failed(error))
            }
            Medium::Object(_) => {
                bytes.copy_from_slice(&self.read(offset, bytes.len() as u64)?);
                Ok(())
            }
        }
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

impl Medium {
    /// Reads what is there of `bytes` from `offset`.
    pub(crate) fn read_some(&self, offset: u64, count: u64) -> std::io::Result<Bytes> {
        match self {
            Self::Local(file) => {
                let mut bytes = vec![0; count as usize];
                let count = file.read_at(&mut bytes, offset)?;
                bytes.truncate(count);
                Ok(bytes.into())
            }
            Self::Object(remote) => {
                let count = count.min(remote.version.length.saturating_sub(offset));
                remote.read(offset, count).map_err(std::io::Error::other)
            }
        }
    }
}

impl Remote {
    /// Reads bytes that are there; few at a time from blocks.
    fn read(&self, offset: u64, length: u64) -> Result<Bytes> {
        if let Some(bytes) = self.known(offset, length) {
            return Ok(bytes);
        }
        if length > BLOCK / 4 {
            return self.object.read(&self.version, offset..offset + length);
        }
        let start = offset / BLOCK * BLOCK;
        // What is wanted may reach into the next block.
        let end = (start + BLOCK).max(offset + length).min(self.version.length);
        let block = self.object.read(&self.version, start..end)?;
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if blocks.len() >= BLOCKS_KEPT {
            blocks.remove(0);
        }
        let at = (offset - start) as usize;
        let bytes = block.slice(at..at + length as usize);
        blocks.push((start, block));
        Ok(bytes)
    }

    fn known(&self, offset: u64, length: u64) -> Option<Bytes> {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = |(start, block): &(u64, Bytes)| {
            *start <= offset && offset + length <= start + block.len() as u64
        };
        let found = blocks.iter().position(holds)?;
        let (start, block) = blocks.remove(found);
        blocks.push((start, block.clone()));
        let at = (offset - start) as usize;
        Some(block.slice(at..at + length as usize))
    }
}

/// Reads into memory that is not zeroed before, which would cost as much as decoding a column.
fn read_fresh(file: &File, offset: u64, length: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        // The capacity may be more than was asked for, so the last read may be too long.
        let at = offset + bytes.len() as u64;
        match rustix::io::pread(file, spare_capacity(&mut bytes), at) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => bytes.truncate(length),
            Err(rustix::io::Errno::INTR) => (),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bytes)
}

/// The error for a file that is no longer what it was when it was opened first.
pub(crate) fn changed(path: &Path) -> Error {
    Error::invalid_data("the file has changed since the query began")
        .file(path)
        .remedy("run the query again when nobody writes the file")
}

/// Merges sorted ranges that touch or nearly touch: at most this is read for them.
pub(crate) fn coalesce(ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    merged(ranges, u64::MAX)
}

/// Merges sorted ranges that touch or nearly touch, as long as they stay short enough.
fn merged(ranges: Vec<Range<u64>>, at_most: u64) -> Vec<Range<u64>> {
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges.into_iter().filter(|range| !range.is_empty()) {
        match merged.last_mut() {
            Some(last) if range.end <= last.end => (),
            Some(last)
                if range.start < last.end
                    || range.start <= last.end.saturating_add(GAP)
                        && range.end - last.start <= at_most =>
            {
                last.end = range.end;
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
        assert_eq!(merged(vec![0..10, 10..20, 20..30, 25..45], 20), [0..20, 20..45]);
    }
}
