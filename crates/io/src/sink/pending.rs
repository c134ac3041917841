//! A folder that appears whole or not at all: it is made under another name, and renamed at the end.
//!
//! ```text
//!   .name.XXXX.tmp/   --rename-->  name/      with an old one the two exchange their names, and the old one goes;
//!                                             where that cannot be, it goes to .name.XXXX.old/ first
//! ```
//!
//! It knows nothing of what is in the folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use dframe_core::{Error, Result};
use tempfile::TempDir;

use super::beside::{self, Beside};

/// A folder that is not yet in its place. Dropping it removes it.
pub(super) struct PendingFolder {
    temporary: TempDir,
    target: PathBuf,
    replaces: bool,
    /// Held until it is in its place, or gone.
    lock: File,
}

impl PendingFolder {
    /// A folder that will be at `target`. Only where `overwrite` says so may something be there now.
    pub(super) fn create(target: &Path, overwrite: bool) -> Result<Self> {
        let replaces = is_taken(target).map_err(|error| failed(error, target))?;
        if replaces && !overwrite {
            return Err(Error::invalid_input("the output is there already")
                .file(target)
                .remedy("name another folder, or replace it with --overwrite"));
        }
        // A link stays a link: what it leads to is replaced.
        let target = match target.exists() {
            true => target.canonicalize().map_err(|error| failed(error, target))?,
            false => target.to_path_buf(),
        };
        if replaces {
            refuse_to_replace_surroundings(&target)?;
        }
        let Beside { made: temporary, lock } =
            beside::folder(&target).map_err(|error| failed(error, &target))?;
        Ok(Self { temporary, target, replaces, lock })
    }

    /// Where it is while it is made.
    pub(super) fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Where it will be.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Puts it in its place. The old one, if there is one, stays if that fails.
    pub(super) fn put_in_place(self) -> Result<()> {
        // The old one has the name of the temporary one then, and goes with it; a file goes here.
        if self.replaces && exchange(self.temporary.path(), &self.target).is_ok() {
            let _ = fs::remove_file(self.temporary.path());
            return Ok(());
        }
        let in_place = match self.replaces {
            true => self.replace(),
            false => fs::rename(self.temporary.path(), &self.target),
        };
        in_place.map_err(|error| failed(error, &self.target))?;
        let _ = self.temporary.keep();
        drop(self.lock);
        Ok(())
    }

    /// Where the file system cannot exchange two names: the old one aside, then the new one to its place.
    fn replace(&self) -> std::io::Result<()> {
        let old = beside::folder_for_old(&self.target)?;
        let aside = old.path().join("old");
        fs::rename(&self.target, &aside)?;
        if let Err(error) = fs::rename(self.temporary.path(), &self.target) {
            if fs::rename(&aside, &self.target).is_err() {
                // What was there must not vanish with the folder it is in.
                let _ = old.keep();
            }
            return Err(error);
        }
        Ok(())
    }
}

/// Exchanges two names at once, so that there is never a moment without either.
#[cfg(target_os = "linux")]
fn exchange(one: &Path, other: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

#[cfg(not(target_os = "linux"))]
fn exchange(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// Whether there is something that a folder of this name would replace.
fn is_taken(target: &Path) -> std::io::Result<bool> {
    match fs::read_dir(target) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(_) if target.exists() => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The root, the working folder and those around it are not replaced, whatever is asked.
fn refuse_to_replace_surroundings(target: &Path) -> Result<()> {
    let working = std::env::current_dir().and_then(|folder| folder.canonicalize());
    match working.is_ok_and(|working| working.starts_with(target)) {
        true => Err(Error::invalid_input("the output is the working folder, or around it")
            .file(target)
            .remedy("name a folder of its own")),
        false => Ok(()),
    }
}

pub(super) fn failed(error: std::io::Error, path: &Path) -> Error {
    let error = Error::io("cannot write the folder", error).file(path);
    error.remedy("check that the folder around it exists, may be written, and has room")
}

#[cfg(test)]
mod tests {
    use super::beside::names;
    use super::*;

    fn pending(target: &Path, overwrite: bool) -> PendingFolder {
        let pending = PendingFolder::create(target, overwrite).unwrap();
        fs::write(pending.path().join("new"), "new").unwrap();
        pending
    }

    #[test]
    fn it_appears_at_the_end_and_leaves_nothing_when_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out");
        drop(pending(&target, false));
        assert!(names(folder.path()).is_empty());
        let made = pending(&target, false);
        assert!(!target.exists());
        made.put_in_place().unwrap();
        assert_eq!(names(folder.path()), ["out"]);
        assert_eq!(names(&target), ["new"]);
    }

    #[test]
    fn an_empty_folder_is_free_and_a_full_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out");
        fs::create_dir(&target).unwrap();
        pending(&target, false).put_in_place().unwrap();
        let error = PendingFolder::create(&target, false).err().unwrap();
        assert_eq!(error.message(), "the output is there already");
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(PendingFolder::create(&file, false).is_err());
    }

    #[test]
    fn an_old_file_is_replaced_as_a_folder_is() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out");
        fs::write(&target, "old").unwrap();
        pending(&target, true).put_in_place().unwrap();
        assert_eq!(names(&target), ["new"]);
        assert_eq!(names(folder.path()), ["out"]);
    }

    #[test]
    fn an_old_one_stays_until_the_new_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("out"), folder.path().join("link"));
        fs::create_dir(&target).unwrap();
        fs::write(target.join("old"), "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let made = pending(&link, true);
        assert_eq!(names(&target), ["old"]);
        drop(made);
        assert_eq!(names(&target), ["old"]);
        pending(&link, true).put_in_place().unwrap();
        assert_eq!(names(&target), ["new"]);
        assert_eq!(names(folder.path()), ["link", "out"]);
    }

    #[test]
    fn the_working_folder_is_not_replaced() {
        for target in [".", "/"] {
            let error = PendingFolder::create(Path::new(target), true).err().unwrap();
            assert!(error.message().contains("working folder"), "{error}");
        }
    }
}
