//! The files: written under temporary names beside their targets, renamed when all are complete.
//!
//! ```text
//! append(row group of file 0), append(..0), append(..1), ... -> publish: rename 0, rename 1, ...
//!        temp 0 is open             temp 0 closed, 1 open
//! ```
//!
//! Dropping an [`Output`] before [`Output::publish`] removes the temporary files.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dframe_core::{Error, Result};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;
use tempfile::{NamedTempFile, TempPath};

use crate::Report;
use crate::encode::{Encoded, FileShape};

/// The files of one run.
pub(crate) struct Output {
    targets: Vec<PathBuf>,
    shape: FileShape,
    /// The file that row groups are being appended to, and its index.
    open: Option<(usize, SerializedFileWriter<NamedTempFile>)>,
    /// Complete files, under their temporary names, by index.
    complete: Vec<TempPath>,
    rows: u64,
    row_groups: u64,
    bytes: u64,
}

impl Output {
    /// Checks that the targets can be written, and creates the directory of several files.
    ///
    /// # Errors
    /// Invalid input if `path` is a directory where a file is wanted or the other way round, or if
    /// the directory has other Parquet files, which would be mistaken for a part of the table.
    pub(crate) fn create(path: &Path, files: usize, shape: FileShape) -> Result<Self> {
        let targets = if files == 1 { file_target(path)? } else { part_targets(path, files)? };
        Ok(Self {
            targets,
            shape,
            open: None,
            complete: Vec::new(),
            rows: 0,
            row_groups: 0,
            bytes: 0,
        })
    }

    /// Rows appended so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Appends a row group to its file; row groups come in row order.
    pub(crate) fn append(&mut self, encoded: Encoded) -> Result<()> {
        let Encoded { row_group, columns } = encoded;
        let target = self.targets[row_group.file].clone();
        let writer = self.writer_of(row_group.file)?;
        let rows = row_group.rows.end - row_group.rows.start;
        if rows > 0 {
            let append = || {
                let mut group = writer.next_row_group()?;
                for column in columns {
                    column.append_to_row_group(&mut group)?;
                }
                group.close().map(|_| ())
            };
            append().map_err(|error| write_error(error, &target))?;
            self.rows += rows;
            self.row_groups += 1;
        }
        Ok(())
    }

    /// Completes the last file and renames all to their targets.
    pub(crate) fn publish(mut self) -> Result<Report> {
        self.finish_open()?;
        for (temporary, target) in self.complete.drain(..).zip(&self.targets) {
            temporary.persist(target).map_err(|error| {
                io_error("cannot rename the finished file", error.error, target)
            })?;
        }
        let Self { rows, row_groups, bytes, targets: files, .. } = self;
        Ok(Report { rows, row_groups, bytes, files })
    }

    fn writer_of(&mut self, file: usize) -> Result<&mut SerializedFileWriter<NamedTempFile>> {
        if self.open.as_ref().is_none_or(|(index, _)| *index != file) {
            self.finish_open()?;
            self.open = Some((file, open(&self.targets[file], &self.shape)?));
        }
        let (_, writer) = self.open.as_mut().expect("a writer was opened above");
        Ok(writer)
    }

    fn finish_open(&mut self) -> Result<()> {
        let Some((index, writer)) = self.open.take() else { return Ok(()) };
        let target = &self.targets[index];
        let file = writer.into_inner().map_err(|error| write_error(error, target))?;
        let metadata = file.as_file().metadata();
        self.bytes += metadata.map_err(|error| io_error("cannot write", error, target))?.len();
        self.complete.push(file.into_temp_path());
        Ok(())
    }
}

fn file_target(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_dir() {
        return Err(Error::invalid_input("the output is a directory")
            .file(path)
            .remedy("name a file, or ask for more than one file"));
    }
    Ok(vec![path.to_path_buf()])
}

fn part_targets(directory: &Path, files: usize) -> Result<Vec<PathBuf>> {
    if directory.is_file() {
        return Err(Error::invalid_input("the output of several files is a file")
            .file(directory)
            .remedy("name a directory, or ask for one file"));
    }
    fs::create_dir_all(directory)
        .map_err(|error| io_error("cannot create the directory", error, directory))?;
    let targets: Vec<PathBuf> =
        (0..files).map(|file| directory.join(format!("part-{file:05}.parquet"))).collect();
    refuse_strangers(directory, &targets)?;
    Ok(targets)
}

/// Parts of an earlier run with more files would silently join the table.
fn refuse_strangers(directory: &Path, targets: &[PathBuf]) -> Result<()> {
    let targets: HashSet<&PathBuf> = targets.iter().collect();
    let list_error = |error| io_error("cannot list the directory", error, directory);
    for entry in fs::read_dir(directory).map_err(list_error)? {
        let path = entry.map_err(list_error)?.path();
        if path.extension().is_some_and(|end| end == "parquet") && !targets.contains(&path) {
            return Err(Error::invalid_input("the directory has other Parquet files")
                .file(path)
                .remedy("remove them, or name a new directory"));
        }
    }
    Ok(())
}

fn open(target: &Path, shape: &FileShape) -> Result<SerializedFileWriter<NamedTempFile>> {
    let directory = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let file = temporary_in(directory).map_err(|error| {
        io_error("cannot create a file", error, target)
            .remedy("check that the directory exists and can be written")
    })?;
    SerializedFileWriter::new(file, Arc::clone(&shape.schema), Arc::clone(&shape.properties))
        .map_err(|error| write_error(error, target))
}

#[cfg(unix)]
fn temporary_in(directory: &Path) -> io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    // As any new file: what the umask leaves of this, not the 0600 of temporary files.
    let permissions = fs::Permissions::from_mode(0o666);
    tempfile::Builder::new()
        .prefix(".dframe-")
        .suffix(".tmp")
        .permissions(permissions)
        .tempfile_in(directory)
}

#[cfg(not(unix))]
fn temporary_in(directory: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(".dframe-").suffix(".tmp").tempfile_in(directory)
}

fn write_error(error: ParquetError, target: &Path) -> Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => io_error("cannot write", *error, target),
            Err(source) => Error::internal("cannot write").file(target).source(source),
        },
        other => Error::internal("cannot write").file(target).source(other),
    }
}

fn io_error(what: &str, error: io::Error, path: &Path) -> Error {
    Error::io(what, error).file(path)
}
