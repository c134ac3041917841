//! `--profile`: a page of what a run did, to look at in a browser.
//!
//! ```text
//!   events --Recorder--> spans, samples, totals --page--> FILE.html, or what `dashboard` serves
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

use dframe::{Error, Result};
use tempfile::NamedTempFile;

pub use page::{About, Page, SCRIPT, data};
pub use recorder::{Cursor, Record, Recorder, SPANS_MAX};

/// A profile in the making.
pub struct Profile {
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
        Ok(Self { path: path.to_path_buf(), file })
    }

    /// Writes the page: what was recorded, what is said besides, and the graph as SVG.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self, record: Record, about: &About, graph: &str) -> Result<PathBuf> {
        let data = data(record, about);
        let page = Page { data: &data, graph, scripts: &[SCRIPT], attributes: "" }.html();
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
