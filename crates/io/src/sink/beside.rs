//! Hidden files and folders beside the output that they are to become, and what a dead process left of them.
//!
//! ```text
//!   .name.XXXXXX.tmp    locked (flock) by the process that makes it  --rename-->  name
//! ```
//!
//! A process that is killed cannot tidy up; the system releases its lock, by which the next one that writes `name`
//! knows a leftover. It knows nothing of what is in them.

use std::fs::{self, File, Permissions};
use std::io::{Error, ErrorKind, Result, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use tempfile::{Builder, NamedTempFile, TempDir};

const SUFFIX: &str = ".tmp";
/// The letters between name and suffix.
const RANDOM: usize = 6;
/// How often something new is taken for a leftover, before it is locked, until that is no accident.
const ATTEMPTS: usize = 16;

/// Something new and hidden, which nobody sweeps while this lives.
#[derive(Debug)]
pub(super) struct Beside<T> {
    pub(super) made: T,
    /// Open for as long as the lock is wanted.
    pub(super) lock: File,
}

/// A hidden file in the folder of `path`, with the permissions of a usual file.
pub(super) fn file(path: &Path) -> Result<Beside<NamedTempFile>> {
    if path.is_dir() || path.file_name().is_none() {
        return Err(Error::from(ErrorKind::IsADirectory));
    }
    locked(path, 0o666, |builder, folder| builder.tempfile_in(folder), NamedTempFile::path)
}

/// A hidden folder in the same folder as `path`, with the permissions of a usual one.
pub(super) fn folder(path: &Path) -> Result<Beside<TempDir>> {
    locked(path, 0o777, |builder, folder| builder.tempdir_in(folder), TempDir::path)
}

/// A hidden folder that is kept, whoever dies: what is moved there may be all there is.
pub(super) fn folder_for_old(path: &Path) -> Result<TempDir> {
    beside(path, ".old", 0o777, |builder, folder| builder.tempdir_in(folder))
}

/// A file that appears whole or not at all. Dropped unfinished, it leaves nothing.
#[derive(Debug)]
pub struct WholeFile {
    target: PathBuf,
    /// None for a device or a pipe, which must not be replaced by a file.
    beside: Option<Beside<NamedTempFile>>,
}

impl WholeFile {
    /// A file that will be at `path`.
    ///
    /// # Errors
    /// No file can be made beside it.
    pub fn create(path: &Path) -> Result<Self> {
        let beside = (!is_special(path)).then(|| file(path)).transpose()?;
        Ok(Self { target: path.to_path_buf(), beside })
    }

    /// Writes all of it, and puts it in its place.
    ///
    /// # Errors
    /// It cannot be written; an old file is as it was.
    pub fn finish(self, text: &str) -> Result<()> {
        let Some(Beside { mut made, lock }) = self.beside else {
            return fs::write(self.target, text);
        };
        made.write_all(text.as_bytes())?;
        made.persist(&self.target).map_err(|error| error.error)?;
        drop(lock);
        Ok(())
    }
}

/// Whether the path is a device or pipe, which must not be replaced by a file.
pub(super) fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

fn locked<T>(
    path: &Path,
    mode: u32,
    make: impl Fn(&mut Builder<'_, '_>, &Path) -> Result<T>,
    place: impl Fn(&T) -> &Path,
) -> Result<Beside<T>> {
    sweep(path);
    for _ in 0..ATTEMPTS {
        let made = beside(path, SUFFIX, mode, &make)?;
        let Ok(lock) = File::open(place(&made)) else { continue };
        // A file system without locks is one where nothing is swept.
        let is_taken = flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        if !is_taken && is_at(&lock, place(&made)) {
            return Ok(Beside { made, lock });
        }
    }
    Err(Error::other("temporary files beside it keep disappearing"))
}

/// Makes something hidden in the folder of `path`, called after it, with permissions that the mask cuts as usual.
fn beside<T>(
    path: &Path,
    suffix: &str,
    mode: u32,
    make: impl FnOnce(&mut Builder<'_, '_>, &Path) -> Result<T>,
) -> Result<T> {
    let prefix = prefix(path);
    let mut builder = Builder::new();
    builder.prefix(&prefix).suffix(suffix).rand_bytes(RANDOM);
    builder.permissions(Permissions::from_mode(mode));
    make(&mut builder, folder_of(path))
}

fn prefix(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    format!(".{name}.")
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Removes what processes that are gone left beside `path`. What cannot be removed stays.
fn sweep(path: &Path) {
    let prefix = prefix(path);
    let is_ours = |name: &str| {
        let random = name.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(SUFFIX));
        random.is_some_and(|random| {
            random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    };
    for entry in fs::read_dir(folder_of(path)).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(is_ours) {
            sweep_one(&entry.path());
        }
    }
}

/// Removes a file or folder unless its lock is held. Its maker, who may be about to lock it, looks whether it is still there.
fn sweep_one(path: &Path) {
    let Ok(kind) = fs::symlink_metadata(path).map(|found| found.file_type()) else { return };
    if !kind.is_file() && !kind.is_dir() {
        return;
    }
    let Ok(lock) = File::open(path) else { return };
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() && is_at(&lock, path) {
        let _ = if kind.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    }
}

/// Whether `file` is still what `path` names.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(file), Ok(named)) => (file.dev(), file.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// What is in a folder, in order.
#[cfg(test)]
pub(super) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_as_a_whole_and_a_device_stays() {
        let temp = tempfile::tempdir().unwrap();
        let target = temp.path().join("page.html");
        fs::write(&target, "old").unwrap();
        drop(WholeFile::create(&target).unwrap());
        assert_eq!(
            (names(temp.path()), fs::read(&target).unwrap()),
            (vec!["page.html".into()], b"old".to_vec())
        );
        let whole = WholeFile::create(&target).unwrap();
        assert_eq!((names(temp.path()).len(), fs::read(&target).unwrap()), (2, b"old".to_vec()));
        whole.finish("new").unwrap();
        assert_eq!(
            (names(temp.path()), fs::read(&target).unwrap()),
            (vec!["page.html".into()], b"new".to_vec())
        );
        WholeFile::create(Path::new("/dev/null")).unwrap().finish("nothing").unwrap();
        assert!(is_special(Path::new("/dev/null")));
        assert!(WholeFile::create(temp.path()).is_err());
    }

    #[test]
    fn leftovers_of_the_same_output_go_and_everything_else_stays() {
        let temp = tempfile::tempdir().unwrap();
        let target = temp.path().join("out.csv");
        let living = file(&target).unwrap();
        let folder_of_another = folder(&temp.path().join("out")).unwrap();
        fs::write(temp.path().join(".out.csv.aB3dE6.tmp"), "half").unwrap();
        fs::create_dir_all(temp.path().join(".out.csv.Dea4ir.tmp/k=1")).unwrap();
        let stay = [".out.csv.old", ".out.csv.mine.tmp", ".other.csv.aB3dE6.tmp", "out.csv"];
        stay.iter().for_each(|name| fs::write(temp.path().join(name), "mine").unwrap());
        let new = file(&target).unwrap();
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_string();
        let mut expected: Vec<String> = stay.map(String::from).to_vec();
        expected.extend([name(living.made.path()), name(new.made.path())]);
        expected.push(name(folder_of_another.made.path()));
        expected.sort();
        assert_eq!(names(temp.path()), expected);
    }

    #[test]
    fn makers_and_sweepers_of_one_output_do_not_disturb_each_other() {
        let temp = tempfile::tempdir().unwrap();
        let target = temp.path().join("out.csv");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let made = file(&target).unwrap();
                        assert!(made.made.path().exists());
                    }
                });
            }
        });
        assert!(names(temp.path()).is_empty());
    }
}
