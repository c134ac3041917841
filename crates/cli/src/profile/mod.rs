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

use std::path::{Path, PathBuf};

use dframe::io::WholeFile;
use dframe::{Error, Result};

pub use page::{About, Page, SCRIPT, data};
pub use recorder::{Cursor, Record, Recorder, SPANS_MAX};

/// A profile in the making.
pub struct Profile {
    path: PathBuf,
    file: WholeFile,
}

impl Profile {
    /// A profile that will be at `path`.
    ///
    /// # Errors
    /// No file can be made beside it.
    pub fn begin(path: &Path) -> Result<Self> {
        let file = WholeFile::create(path).map_err(|error| failed(path, error))?;
        Ok(Self { path: path.to_path_buf(), file })
    }

    /// Writes the page: what was recorded, what is said besides, and the graph as SVG.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self, record: Record, about: &About, graph: &str) -> Result<PathBuf> {
        let data = data(record, about);
        let page = Page { data: &data, graph, scripts: &[SCRIPT], attributes: "" }.html();
        self.file.finish(&page).map_err(|error| failed(&self.path, error))?;
        Ok(self.path)
    }
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::io("cannot write the profile", error)
        .file(path)
        .remedy("name another file after --profile")
}
