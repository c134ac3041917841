//! What is read: the paths as they were named, or standard input.
//!
//! Parquet and Arrow files are read from their end, which a pipe has not: what comes through one is kept in an
//! unnamed temporary file, gone with the process however that ends.

use std::fs::File;
use std::io::{Read, Write, stdin};
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use dframe::prelude::{LazyFrame, Session};
use dframe::size::format_bytes;
use dframe::{CancelToken, Error, ErrorKind, InputFormat, Result};

use crate::args::InputArgs;
use crate::messages::Messages;
use crate::progress::grouped;
use crate::reading::ReadingArgs;

const CHUNK_BYTES: usize = 1 << 20;

/// Paths that can be opened, for as long as this lives.
#[derive(Debug)]
pub struct Input {
    /// The paths.
    pub paths: Vec<String>,
    _copy: Option<File>,
}

/// Where a copy of standard input may be kept.
#[derive(Clone, Copy, Debug)]
pub struct CopyRoom<'a> {
    /// The directory.
    pub temp_dir: &'a Path,
    /// The bytes it may take.
    pub limit: Option<u64>,
}

impl Input {
    /// The files named; `-` is standard input.
    ///
    /// # Errors
    /// Standard input is named twice or is a terminal; copying it fails or is cancelled.
    pub fn open(args: &InputArgs, room: CopyRoom<'_>, cancel: &CancelToken) -> Result<Self> {
        let mut input = Self { paths: args.files.clone(), _copy: None };
        let mut named = input.paths.iter_mut().filter(|path| *path == "-");
        if let Some(path) = named.next() {
            if named.next().is_some() {
                return Err(Error::invalid_input("standard input is named twice")
                    .remedy("it can be read once: name '-' once"));
            }
            let file = seekable_stdin(room, cancel)?;
            *path = format!("/dev/fd/{}", file.as_raw_fd());
            input._copy = Some(file);
        }
        Ok(input)
    }

    /// The rows of the files.
    ///
    /// # Errors
    /// They cannot be read, or are not what `reading` says.
    pub fn scan(
        &self,
        session: &Session,
        reading: &ReadingArgs,
        messages: Messages,
    ) -> Result<LazyFrame> {
        match reading.format(session.inputs(&self.paths))? {
            InputFormat::Parquet => session.scan_parquet(&self.paths),
            InputFormat::Arrow => session.scan_ipc(&self.paths),
            InputFormat::Avro => session.scan_avro(&self.paths),
            InputFormat::Sqlite => session.scan_sqlite(&self.paths, &reading.sqlite()),
            InputFormat::Csv => {
                let source = session.open_csv(&self.paths, &reading.csv()?)?;
                warn(source.bad_rows(), reading, messages);
                Ok(session.scan(source.with_folder_columns()?))
            }
            InputFormat::Json => {
                let source = session.open_ndjson(&self.paths, &reading.json()?)?;
                warn(source.bad_rows(), reading, messages);
                Ok(session.scan(source.with_folder_columns()?))
            }
        }
    }
}

/// Says how many rows were bad.
fn warn(bad: Option<(u64, Error)>, reading: &ReadingArgs, messages: Messages) {
    if let Some((rows, first)) = bad {
        messages.warn(&bad_rows(rows, reading.fate_of_bad_rows(), &first));
    }
}

/// `2 bad rows left out; the first: a.csv: line 3 has 1 field, but there are 2 columns`.
fn bad_rows(rows: u64, fate: &str, first: &Error) -> String {
    let count = match rows {
        1 => "1 bad row".to_string(),
        rows => format!("{} bad rows", grouped(rows)),
    };
    let file = first.context().file.as_ref().map(|file| format!("{}: ", file.display()));
    format!("{count} {fate}; the first: {}{}", file.unwrap_or_default(), first.message())
}

/// Standard input itself if it is a file, else a copy of it.
fn seekable_stdin(room: CopyRoom<'_>, cancel: &CancelToken) -> Result<File> {
    let unreadable = |error| Error::io("cannot read standard input", error);
    let owned = stdin().as_fd().try_clone_to_owned().map_err(unreadable)?;
    let mut source = File::from(owned);
    if std::io::IsTerminal::is_terminal(&source) {
        return Err(Error::invalid_input("standard input is a terminal")
            .remedy("redirect a file to it, or name the file"));
    }
    if source.metadata().map_err(unreadable)?.is_file() {
        return Ok(source);
    }
    let full = |error| Error::io("cannot copy standard input", error).file(room.temp_dir);
    let mut copy = tempfile::tempfile_in(room.temp_dir).map_err(full)?;
    let (mut buffer, mut bytes) = (vec![0; CHUNK_BYTES], 0);
    loop {
        cancel.check()?;
        let count = source.read(&mut buffer).map_err(unreadable)?;
        if count == 0 {
            return Ok(copy);
        }
        bytes += count as u64;
        if let Some(limit) = room.limit.filter(|limit| bytes > *limit) {
            let limit = format_bytes(limit);
            let message = format!("standard input does not fit the temp limit of {limit}");
            return Err(Error::new(ErrorKind::OutOfDisk, message)
                .remedy("raise --temp-limit, or name a file"));
        }
        copy.write_all(&buffer[..count]).map_err(full)?;
    }
}
