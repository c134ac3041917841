//! The bytes' way out, compressed or not: a stream, or a file that appears whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use dframe_core::{Error, Result};
use tempfile::TempPath;

use super::beside::{self, Beside};
use super::packed::{Packed, Packing};
use super::{SinkOptions, SinkReport, Target};

const BUFFER_BYTES: usize = 64 << 10;

/// A buffered, counted writer. Dropping it unfinished removes the temporary file.
pub(super) struct Output {
    writer: BufWriter<Packed>,
    pending: Option<Pending>,
    target: Option<PathBuf>,
}

/// A file that is not yet in its place.
struct Pending {
    temporary: TempPath,
    target: PathBuf,
    /// Held until it is in its place, or gone.
    lock: File,
}

impl Output {
    /// What is written is compressed as `packing` says, by the workers and within the memory limit of the options.
    pub(super) fn open(target: Target, packing: Packing, options: &SinkOptions) -> Result<Self> {
        let to = |writer, pending, target| Self::to(writer, (packing, options), pending, target);
        match target {
            Target::Stdout(stream) => to(stream, None, None),
            Target::File(path) if beside::is_special(&path) => {
                let file = File::options().write(true).open(&path).map_err(|e| failed(e, &path))?;
                to(Box::new(file), None, Some(path))
            }
            Target::Folder(path, _) => Err(failed(std::io::ErrorKind::IsADirectory.into(), &path)),
            Target::File(path) => {
                let Beside { made, lock } =
                    beside::file(&path).map_err(|error| failed(error, &path))?;
                let (file, temporary) = made.into_parts();
                let pending = Pending { temporary, target: path.clone(), lock };
                to(Box::new(file), Some(pending), Some(path))
            }
        }
    }

    /// A file in a folder that is still hidden; errors call it `shown`.
    pub(super) fn create(
        path: &Path,
        shown: PathBuf,
        packing: Packing,
        options: &SinkOptions,
    ) -> Result<Self> {
        let file = File::create_new(path).map_err(|error| failed(error, &shown))?;
        Self::to(Box::new(file), (packing, options), None, Some(shown))
    }

    fn to(
        writer: Box<dyn Write + Send>,
        (packing, options): (Packing, &SinkOptions),
        pending: Option<Pending>,
        target: Option<PathBuf>,
    ) -> Result<Self> {
        let packed = Packed::new(writer, packing, options);
        Ok(Self { writer: BufWriter::with_capacity(BUFFER_BYTES, packed), pending, target })
    }

    /// Compresses what is in work, so that its bytes are known.
    pub(super) fn settle(&mut self) -> Result<()> {
        let settled = self.writer.flush();
        settled.map_err(|error| named(error, self.target.as_deref()))
    }

    /// The bytes so far; about those, where they are compressed.
    pub(super) fn bytes(&self) -> u64 {
        self.writer.get_ref().bytes_with(self.writer.buffer().len())
    }

    /// Writes out what is buffered, and renames the file into its place.
    pub(super) fn finish(self, rows: u64) -> Result<SinkReport> {
        let Self { writer, pending, target } = self;
        let packed = writer.into_inner().map_err(|error| error.into_error());
        let ended = packed.and_then(Packed::finish);
        let bytes = ended.map_err(|error| named(error, target.as_deref()))?;
        if let Some(Pending { temporary, target, lock }) = pending {
            temporary.persist(&target).map_err(|error| failed(error.error, &target))?;
            drop(lock);
        }
        Ok(SinkReport { rows, bytes, not_numbers: 0, files: 1 })
    }

    /// Writes `bytes`, naming the target in the error.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.write_all(bytes).map_err(|error| named(error, self.target.as_deref()))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.flush()
    }
}

/// The error, with the name of what is written.
fn named(error: std::io::Error, target: Option<&Path>) -> Error {
    match target {
        Some(path) => failed(error, path),
        None => Error::io("cannot write", error),
    }
}

pub(super) fn failed(error: std::io::Error, path: &Path) -> Error {
    let error = Error::io("cannot write the file", error).file(path);
    error.remedy("check that its folder exists, may be written, and has room")
}
