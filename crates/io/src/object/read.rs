//! Parts of an object, read side by side, of one version of it.
//!
//! ```text
//!   ranges  |--------------------|  |---|       |-----|
//!   asked   |------|------|------|  |---|       |-----|      all at once; a long one in pieces
//! ```
//!
//! A store is asked for the version that was found first, and its answer is looked at: web servers
//! need not understand the question.

use std::ops::Range;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use dframe_core::{Error, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore as _, ObjectStoreExt as _};

use super::Object;
use super::fault::{READ, failed};
use super::network::Pending;
use super::stream::FIRST;
use crate::file::{Version, changed};

/// A longer range is asked for in pieces.
const PIECE: u64 = 8 << 20;
/// The pieces of one read that are asked for at once.
const AT_ONCE: usize = 16;

/// What is read of the end of an object when it is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    /// The bytes that are read at first.
    pub(crate) bytes: u64,
    /// The bytes that turn out to be wanted.
    pub(crate) wanted: fn(&[u8]) -> u64,
}

/// The version that a store describes.
pub(super) fn version_of(meta: &ObjectMeta) -> Version {
    Version {
        length: meta.size,
        modified: Some(SystemTime::from(meta.last_modified)),
        etag: meta.e_tag.clone(),
    }
}

impl Object {
    /// What it is now, or was when it was found.
    ///
    /// # Errors
    /// It is not there, or the store does not answer.
    pub(crate) fn version(&self) -> Result<Version> {
        match &self.found {
            Some(found) => Ok(found.clone()),
            None => {
                let object = self.clone();
                self.store.network.wait(async move { object.ask().await })
            }
        }
    }

    /// Begins to find what it is, and to read its end.
    pub(crate) fn start_opening(&self, ending: Ending) -> Result<Pending<(Version, Bytes)>> {
        let object = self.clone();
        self.store.network.start(async move {
            let version = match &object.found {
                Some(found) => found.clone(),
                None => object.ask().await?,
            };
            let length = version.length;
            let from = length.saturating_sub(ending.bytes);
            let mut end = object.range(&version, from..length).await?;
            let more = length.saturating_sub((ending.wanted)(&end));
            if more < from {
                let before = object.range(&version, more..from).await?;
                end = [before, end].concat().into();
            }
            Ok((version, end))
        })
    }

    /// Begins to find what it is, and to read its first bytes.
    pub(crate) fn start_opening_text(&self) -> Result<Pending<(Version, Bytes)>> {
        let object = self.clone();
        self.store.network.start(async move {
            let version = match &object.found {
                Some(found) => found.clone(),
                None => object.ask().await?,
            };
            let head = object.range(&version, 0..version.length.min(FIRST)).await?;
            Ok((version, head))
        })
    }

    /// Begins to read a range.
    pub(super) fn start_reading(
        &self,
        version: &Version,
        range: Range<u64>,
    ) -> Result<Pending<Bytes>> {
        let (object, version) = (self.clone(), version.clone());
        self.store.network.start(async move { object.range(&version, range).await })
    }

    /// Reads a range.
    ///
    /// # Errors
    /// As [`Object::read_all`].
    pub(crate) fn read(&self, version: &Version, range: Range<u64>) -> Result<Bytes> {
        Ok(self.read_all(version, std::slice::from_ref(&range))?.remove(0))
    }

    /// Reads ranges, side by side.
    ///
    /// # Errors
    /// It is no longer this version, or the store does not answer.
    pub(crate) fn read_all(&self, version: &Version, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let (object, version) = (self.clone(), version.clone());
        let pieces: Vec<Vec<Range<u64>>> = ranges.iter().map(pieces).collect();
        self.store.network.wait(async move {
            let all: Vec<Range<u64>> = pieces.iter().flatten().cloned().collect();
            let reads = all.into_iter().map(|range| object.range(&version, range));
            let mut read = stream::iter(reads).buffered(AT_ONCE);
            let mut out = Vec::with_capacity(pieces.len());
            for pieces in &pieces {
                out.push(joined(pieces, &mut read).await?);
            }
            Ok(out)
        })
    }

    async fn ask(&self) -> Result<Version> {
        let asked = self.store.store.head(&self.key).await;
        asked.map(|meta| version_of(&meta)).map_err(|error| self.failed(error))
    }

    async fn range(&self, version: &Version, range: Range<u64>) -> Result<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let length = range.end - range.start;
        let answer = self.store.store.get_opts(&self.key, asking(version, range)).await;
        let answer = answer.map_err(|error| self.failed(error))?;
        if !version.is(&version_of(&answer.meta)) {
            return Err(changed(&self.name));
        }
        let bytes = answer.bytes().await.map_err(|error| self.failed(error))?;
        match bytes.len() as u64 == length {
            true => Ok(bytes),
            false => Err(Error::invalid_data("the store sent less than it was asked for")
                .file(&self.name)
                .remedy("run the query again")),
        }
    }

    fn failed(&self, error: object_store::Error) -> Error {
        failed(error, self.store.kind, &self.name, READ)
    }
}

/// Asks for a part of one version.
fn asking(version: &Version, range: Range<u64>) -> GetOptions {
    let mut options = GetOptions { range: Some(GetRange::Bounded(range)), ..Default::default() };
    match version.etag.as_ref().filter(|etag| !etag.starts_with("W/")) {
        Some(etag) => options.if_match = Some(etag.clone()),
        // Weak tags are compared when the answer is here.
        None => options.if_unmodified_since = version.modified.map(Into::into),
    }
    options
}

fn pieces(range: &Range<u64>) -> Vec<Range<u64>> {
    let range = range.clone();
    let starts = range.clone().step_by(PIECE as usize);
    starts.map(|start| start..range.end.min(start + PIECE)).collect()
}

/// The bytes of one range.
async fn joined(
    pieces: &[Range<u64>],
    read: &mut (impl futures_util::Stream<Item = Result<Bytes>> + Unpin),
) -> Result<Bytes> {
    let gone = || Error::internal("a piece of a read is missing");
    if let [_] = pieces {
        return read.try_next().await?.ok_or_else(gone);
    }
    let length = pieces.iter().map(|piece| piece.end - piece.start).sum::<u64>();
    let mut bytes = BytesMut::with_capacity(length as usize);
    for _ in pieces {
        bytes.extend_from_slice(&read.try_next().await?.ok_or_else(gone)?);
    }
    Ok(bytes.freeze())
}
