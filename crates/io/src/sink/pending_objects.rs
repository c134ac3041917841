//! Objects below a prefix that appear when all of them are written, one shortly after the other.
//!
//! ```text
//!   file --parts--> sent, and kept back ..  file --parts--> sent, and kept back ..  --put_in_place--> objects
//! ```
//!
//! A store has no folders, and no names to exchange: what it has are uploads that are completed. It knows nothing of
//! what is in the objects.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use dframe_core::{Budget, Error, Result};

use super::object::Shared;
use crate::object::{Kind, Object, ObjectWriter, Stores, Url, all_below};

/// The files whose last parts are still on their way while the next ones are written.
const UNSETTLED_MAX: usize = 4;
/// The room that the limit must have left for them to be.
const ROOM_BYTES: usize = 32 << 20;
/// The objects that are completed at once.
const COMPLETED_AT_ONCE: usize = 16;

/// A prefix whose objects are not yet there. Dropped, it gives up what was sent.
pub(super) struct PendingObjects {
    stores: Stores,
    budget: Budget,
    /// The prefix, without a slash at its end.
    root: String,
    /// What is there, and is to be replaced.
    old: Vec<Object>,
    /// The files of each folder so far.
    files: HashMap<PathBuf, usize>,
    written: Vec<Shared>,
    /// How many of them are in the store as a whole.
    settled: usize,
}

/// Whether a name is that of a prefix in a store.
pub(super) fn is_in_store(name: &Path) -> bool {
    Url::parse(name.to_str().unwrap_or_default()).is_some()
}

impl PendingObjects {
    /// Objects that will be below `target`. Only where `overwrite` says so may some be there now.
    pub(super) fn create(
        target: &Path,
        stores: Stores,
        budget: Budget,
        overwrite: bool,
    ) -> Result<Self> {
        let root = target.to_str().unwrap_or_default().trim_end_matches('/').to_string();
        let prefix = format!("{root}/");
        let url = prefix_of(&prefix, target)?;
        let old = all_below(&url, &stores)?;
        if !old.is_empty() && !overwrite {
            return Err(Error::invalid_input("the output is there already")
                .file(target)
                .remedy("name another prefix, or replace its objects with --overwrite"));
        }
        let (files, written) = (HashMap::new(), Vec::new());
        Ok(Self { stores, budget, root, old, files, written, settled: 0 })
    }

    /// The number of files in a folder.
    pub(super) fn files_in(&self, folder: &str) -> usize {
        self.files.get(Path::new(folder)).copied().unwrap_or(0)
    }

    /// Begins a file, called so below the prefix.
    pub(super) fn begin(&mut self, name: &Path) -> Result<Shared> {
        self.settle()?;
        let folder = name.parent().unwrap_or(Path::new("")).to_path_buf();
        *self.files.entry(folder).or_default() += 1;
        let name = format!("{}/{}", self.root, name.display());
        let url = prefix_of(&name, Path::new(&name))?;
        let writer = Shared::new(ObjectWriter::begin(&self.stores, &url, self.budget.clone())?);
        self.written.push(writer.clone());
        Ok(writer)
    }

    /// Waits for files whose last parts are on their way, when they are many or memory is short.
    fn settle(&mut self) -> Result<()> {
        let unsettled = if self.budget.available() < ROOM_BYTES { 0 } else { UNSETTLED_MAX };
        while self.written.len() - self.settled > unsettled {
            self.written[self.settled].lock().settle()?;
            self.settled += 1;
        }
        Ok(())
    }

    /// Makes all of them objects, and removes the old ones that none of them replaces.
    pub(super) fn put_in_place(self) -> Result<()> {
        for writers in self.written.chunks(COMPLETED_AT_ONCE) {
            let begun = writers.iter().map(|writer| writer.lock().complete());
            let begun = begun.collect::<Result<Vec<_>>>()?;
            for (writer, completed) in writers.iter().zip(begun) {
                completed.wait()?;
                writer.lock().completed();
            }
        }
        let is_new = |old: &Object| self.written.iter().any(|new| new.lock().is_of(old));
        self.old.iter().filter(|old| !is_new(old)).try_for_each(Object::delete)
    }
}

/// What a name names in a store that can be written to.
fn prefix_of<'a>(name: &'a str, target: &Path) -> Result<Url<'a>> {
    let wrong = match Url::parse(name) {
        Some(url) if url.kind == Kind::Http => "a web server takes no files",
        Some(url) if url.key.trim_matches('/').is_empty() => "a whole bucket is no output",
        Some(url) => return Ok(url),
        None => "the name is none of an object",
    };
    Err(Error::invalid_input(wrong)
        .file(target)
        .remedy("name a prefix in a bucket: s3://bucket/result, gs:// or az://"))
}
