//! The spill directory: private to this process, limited in size, gone at the end.
//!
//! ```text
//!   <temp dir>/dframe-<pid>-<random>/  owner.lock     held (flock) for as long as the directory is in use
//!                                      0, 1, 2, ...   spill files, removed with the part they belong to
//! ```
//!
//! A process that is killed cannot clean up; its lock is released by the system, which is how the next
//! one knows that the directory is a leftover. Knows nothing of what is in the files.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dframe_core::size::format_bytes;
use dframe_core::{Error, ErrorKind, Result};
use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

const LOCK: &str = "owner.lock";
const ATTEMPTS: usize = 16;

/// A directory for spill files that lives as long as somebody holds it.
pub(crate) struct SpillDir {
    /// Where the user wants temporary files.
    parent: PathBuf,
    limit: Option<u64>,
    used: AtomicU64,
    files: AtomicU64,
    // Dropped in this order: the directory goes while it is still locked.
    directory: TempDir,
    _lock: File,
}

impl SpillDir {
    /// Makes the directory inside `parent`; `limit` is on the bytes of all its files.
    pub(crate) fn create(parent: &Path, limit: Option<u64>) -> Result<Arc<Self>> {
        for _ in 0..ATTEMPTS {
            let made = make_locked(parent).map_err(|error| {
                Error::io(format!("cannot make a spill directory in '{}'", parent.display()), error)
                    .remedy("name a writable directory with --temp-dir")
            })?;
            if let Some((directory, lock)) = made {
                return Ok(Arc::new(Self {
                    parent: parent.to_path_buf(),
                    limit,
                    used: AtomicU64::new(0),
                    files: AtomicU64::new(0),
                    directory,
                    _lock: lock,
                }));
            }
        }
        Err(Error::new(
            ErrorKind::Io,
            format!("spill directories in '{}' keep disappearing", parent.display()),
        ))
    }

    /// The path of a file that does not exist yet.
    pub(crate) fn new_path(&self) -> PathBuf {
        self.directory.path().join(self.files.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// Counts `bytes` about to be written.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfDisk`] when the limit does not allow them.
    pub(crate) fn claim(&self, bytes: u64) -> Result<()> {
        let limit = self.limit.unwrap_or(u64::MAX);
        let add = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= limit);
        self.used.fetch_update(Ordering::AcqRel, Ordering::Relaxed, add).map(|_| ()).map_err(|used| {
            let message = format!(
                "spilling {} more to '{}' would exceed the limit of {} on temporary files, of which {} are in use",
                format_bytes(bytes),
                self.parent.display(),
                format_bytes(limit),
                format_bytes(used),
            );
            Error::new(ErrorKind::OutOfDisk, message)
                .remedy("raise --temp-limit, or raise --memory-limit so that less is spilled")
        })
    }

    /// Gives back what was claimed.
    pub(crate) fn release(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// The error for a write that the system refused.
    pub(crate) fn write_error(&self, error: io::Error) -> Error {
        let message = format!("cannot write to the temp directory '{}'", self.parent.display());
        let error = Error::io(message, error);
        match error.kind() {
            ErrorKind::OutOfDisk => error.remedy(
                "free space there, choose a larger disk with --temp-dir, or cap spilling with --temp-limit",
            ),
            _ => error.remedy("name a writable directory with --temp-dir"),
        }
    }
}

/// Removes the spill directories in `temp_dir` whose process is gone. What cannot be removed stays.
pub fn sweep(temp_dir: &Path) {
    let Ok(entries) = std::fs::read_dir(temp_dir) else { return };
    for entry in entries.flatten() {
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_dir && entry.file_name().to_str().is_some_and(is_spill_name) {
            sweep_one(&entry.path());
        }
    }
}

/// Removes what this process has spilled to `parent`, in use or not: for a process that ends now.
pub fn abandon(parent: &Path) {
    let own = format!("dframe-{}-", std::process::id());
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with(&own) && is_spill_name(name)) {
            // Whoever still spills may put a file there while it is being emptied.
            let _ = (0..ATTEMPTS).find(|_| remove(&entry.path()).is_ok());
        }
    }
}

/// Removes a spill directory, the lock last: what is left without it, nobody would sweep.
fn remove(directory: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)?.flatten() {
        if entry.file_name() != LOCK {
            std::fs::remove_file(entry.path())?;
        }
    }
    std::fs::remove_file(directory.join(LOCK))?;
    std::fs::remove_dir(directory)
}

/// Whether `name` is `dframe-<pid>-<random>`: a user's own `dframe-...` directory is not ours to remove.
fn is_spill_name(name: &str) -> bool {
    let Some((pid, random)) = name.strip_prefix("dframe-").and_then(|rest| rest.split_once('-'))
    else {
        return false;
    };
    let alphanumeric = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    !pid.is_empty()
        && pid.bytes().all(|b| b.is_ascii_digit())
        && random.len() == 6
        && alphanumeric(random)
}

/// Removes `directory` unless its lock is held. The lock is taken before anything is removed, so that a
/// process which is just starting in it (see [`make_locked`]) notices and starts over.
fn sweep_one(directory: &Path) {
    let lock_path = directory.join(LOCK);
    let open =
        |create: bool| File::options().read(true).write(true).create(create).open(&lock_path);
    let lock = match open(false) {
        Ok(lock) => lock,
        // Without a lock it was made a moment ago, or its process died at birth; then it is empty.
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_empty(directory) => {
            match open(true) {
                Ok(lock) => lock,
                Err(_) => return,
            }
        }
        Err(_) => return,
    };
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() && is_at(&lock, &lock_path) {
        let _ = std::fs::remove_dir_all(directory);
    }
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none())
}

/// Whether `file` is still what `path` names.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(file), Ok(named)) => (file.dev(), file.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// A new directory and its lock; `None` if a sweeper took it for a leftover before it was locked.
fn make_locked(parent: &Path) -> io::Result<Option<(TempDir, File)>> {
    let prefix = format!("dframe-{}-", std::process::id());
    let directory = tempfile::Builder::new().prefix(&prefix).rand_bytes(6).tempdir_in(parent)?;
    let path = directory.path().join(LOCK);
    let lock = match File::options().read(true).write(true).create(true).truncate(false).open(&path)
    {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let locked = flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok();
    Ok((locked && is_at(&lock, &path)).then_some((directory, lock)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn leftovers_go_and_everything_else_stays() {
        let temp = tempfile::tempdir().unwrap();
        let live = SpillDir::create(temp.path(), None).unwrap();
        let dead = temp.path().join("dframe-4194305-aB3dE6");
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join(LOCK), "").unwrap();
        std::fs::write(dead.join("0"), "spilled").unwrap();
        std::fs::create_dir(temp.path().join("dframe-4194305-Unborn")).unwrap();
        for precious in ["dframe-project", "dframe-12-abc", "dframe-7-notmin/e", "dframe-x-aaaaaa"]
        {
            std::fs::create_dir_all(temp.path().join(precious)).unwrap();
        }
        std::fs::write(temp.path().join("dframe-7-notmin/e/mine"), "").unwrap();
        sweep(temp.path());
        let live_name = live.directory.path().file_name().unwrap().to_str().unwrap().to_string();
        let mut expected = vec![
            "dframe-12-abc",
            "dframe-7-notmin",
            "dframe-project",
            "dframe-x-aaaaaa",
            &live_name,
        ];
        expected.sort_unstable();
        assert_eq!(names(temp.path()), expected);
        let path = live.new_path();
        std::fs::write(path, "still usable").unwrap();
        drop(live);
        assert_eq!(names(temp.path()).len(), 4);
    }

    #[test]
    fn starting_and_sweeping_at_once_is_safe() {
        let temp = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let dir = SpillDir::create(temp.path(), None).unwrap();
                        std::fs::write(dir.new_path(), "x")
                            .expect("nobody removes a live directory");
                        sweep(temp.path());
                        assert!(dir.directory.path().join(LOCK).exists());
                    }
                });
            }
        });
        assert_eq!(names(temp.path()), Vec::<String>::new());
    }

    #[test]
    fn abandoning_removes_what_is_in_use() {
        let temp = tempfile::tempdir().unwrap();
        let dir = SpillDir::create(temp.path(), None).unwrap();
        std::fs::write(dir.new_path(), "spilled").unwrap();
        std::fs::create_dir(temp.path().join("dframe-1-Others")).unwrap();
        abandon(temp.path());
        assert_eq!(names(temp.path()), ["dframe-1-Others"]);
    }

    #[test]
    fn the_limit_is_on_the_sum() {
        let temp = tempfile::tempdir().unwrap();
        let dir = SpillDir::create(temp.path(), Some(100)).unwrap();
        dir.claim(60).unwrap();
        let error = dir.claim(41).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfDisk);
        assert!(error.to_string().contains("--temp-limit"), "{error}");
        dir.release(60);
        dir.claim(100).unwrap();
    }

    #[test]
    fn a_missing_temp_dir_is_named() {
        let error = SpillDir::create(Path::new("/nonexistent/dir"), None).err().unwrap();
        assert!(error.to_string().contains("/nonexistent/dir"), "{error}");
        assert!(error.to_string().contains("--temp-dir"), "{error}");
    }
}
