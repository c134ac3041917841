//! A file of text: opened for reading from any place, and still what it was when the source was opened.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::SystemTime;

use bytes::Bytes;
use dframe_core::{Error, Result};

use crate::paths::unreadable;

/// A file by its name and what it looked like.
#[derive(Clone, Debug)]
pub(super) struct TextFile {
    pub(super) path: PathBuf,
    pub(super) length: u64,
    modified: Option<SystemTime>,
}

const BOM: &[u8] = b"\xef\xbb\xbf";

impl TextFile {
    /// The file, and where its text begins.
    ///
    /// # Errors
    /// It cannot be read, or its first bytes are those of another format.
    pub(super) fn open(path: PathBuf) -> Result<(Self, u64)> {
        let file = File::open(&path).map_err(|error| unreadable(&path, error))?;
        let found = file.metadata().map_err(|error| unreadable(&path, error))?;
        let this = Self { length: found.len(), modified: found.modified().ok(), path };
        let mut head = [0; 4];
        let count = read_some(&file, &mut head, 0).map_err(|error| this.failed(error))?;
        match &head[..count] {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Err(this.foreign("is text in UTF-16")),
            [0x1f, 0x8b, ..] => Err(this.foreign("is compressed with gzip")),
            [0x28, 0xb5, 0x2f, 0xfd] => Err(this.foreign("is compressed with zstd")),
            b"PAR1" => Err(Error::invalid_input("the file is parquet, and was to be read as CSV")
                .file(&this.path)
                .remedy("leave the format out, or name files of one format")),
            head if head.starts_with(BOM) => Ok((this, BOM.len() as u64)),
            _ => Ok((this, 0)),
        }
    }

    fn foreign(&self, what: &str) -> Error {
        Error::unsupported(format!("the file {what}"))
            .file(&self.path)
            .remedy("convert it to plain text in UTF-8 first")
    }

    /// The text from `offset` on.
    ///
    /// # Errors
    /// The file has changed.
    pub(super) fn reader(&self, offset: u64) -> Result<TextReader> {
        let file = File::open(&self.path).map_err(|error| unreadable(&self.path, error))?;
        let found = file.metadata().map_err(|error| unreadable(&self.path, error))?;
        if found.len() != self.length || found.modified().ok() != self.modified {
            return Err(self.changed());
        }
        Ok(TextReader { file, offset })
    }

    /// The bytes from `start` to `end`.
    pub(super) fn read(&self, start: u64, end: u64) -> Result<Bytes> {
        let length = usize::try_from(end - start)
            .map_err(|_| Error::internal("a unit is larger than memory can be"))?;
        let mut bytes = Vec::with_capacity(length);
        let reader = self.reader(start)?;
        let count = reader.take(end - start).read_to_end(&mut bytes);
        match count.map_err(|error| self.failed(error))? {
            count if count == length => Ok(bytes.into()),
            _ => Err(self.changed()),
        }
    }

    /// The line in which `offset` lies, from 1.
    pub(super) fn line_of(&self, offset: u64) -> Result<u64> {
        let mut text = self.reader(0)?.take(offset);
        let (mut buffer, mut line) = (vec![0; 1 << 16], 1);
        loop {
            match text.read(&mut buffer).map_err(|error| self.failed(error))? {
                0 => return Ok(line),
                count => line += memchr::memchr_iter(b'\n', &buffer[..count]).count() as u64,
            }
        }
    }

    /// The error for a file that is no longer what the survey has seen.
    pub(super) fn changed(&self) -> Error {
        Error::invalid_data("the file has changed since the query began")
            .file(&self.path)
            .remedy("run the query again when nobody writes the file")
    }

    pub(super) fn failed(&self, error: std::io::Error) -> Error {
        Error::io("cannot read", error).file(&self.path)
    }

    /// What is between fields, by the file's name.
    pub(super) fn usual_delimiter(&self) -> u8 {
        let extension = self.path.extension().and_then(|extension| extension.to_str());
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("tsv" | "tab") => b'\t',
            Some("psv") => b'|',
            _ => b',',
        }
    }
}

/// Reads on from a place, whoever else reads the file.
#[derive(Debug)]
pub(super) struct TextReader {
    file: File,
    offset: u64,
}

impl Read for TextReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = read_some(&self.file, buffer, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

fn read_some(file: &File, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
    loop {
        match file.read_at(buffer, offset) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => (),
            outcome => return outcome,
        }
    }
}
