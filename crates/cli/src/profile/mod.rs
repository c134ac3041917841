//! `--profile`: a page of what a run did, to look at in a browser.
//!
//! ```text
//!   events --Recorder--> spans, samples, totals --page--> FILE.html
//! ```
//!
//! The file is made before the run, under another name: who waited for an hour should not hear then that there is
//! no such directory. A run that fails has a page, too.

mod page;
mod recorder;

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dframe::{Error, Result};
use tempfile::NamedTempFile;

pub use page::About;
pub use recorder::Recorder;

/// A profile in the making.
pub struct Profile {
    /// What is told of the run.
    pub recorder: Arc<Recorder>,
    path: PathBuf,
    file: NamedTempFile,
}

impl Profile {
    /// A profile that will be at `path`.
    ///
    /// # Errors
    /// No file can be made beside it.
    pub fn begin(path: &Path) -> Result<Self> {
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let file = tempfile::Builder::new()
            .prefix(".dframe-profile-")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
            .map_err(|error| failed(path, error))?;
        Ok(Self { recorder: Arc::default(), path: path.to_path_buf(), file })
    }

    /// Writes the page.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self, about: impl FnOnce() -> About) -> Result<PathBuf> {
        // What the picture of the graph takes is no part of the run.
        let (record, elapsed) = self.recorder.read();
        let mut about = about();
        about.stats.elapsed = elapsed;
        let page = page::html(record, &about);
        self.file.write_all(page.as_bytes()).map_err(|error| failed(&self.path, error))?;
        self.file.persist(&self.path).map_err(|error| failed(&self.path, error.error))?;
        Ok(self.path)
    }
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::io("cannot write the profile", error)
        .file(path)
        .remedy("name another file after --profile")
}
