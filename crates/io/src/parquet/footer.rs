//! Opens files, reads their footers, and says what is wrong when a file is no (whole) Parquet file.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use dframe_core::{Error, Result};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length};

use super::layout::Layout;
use crate::file::{Ending, Medium, OpenFile, Place, Version};
use crate::guard::guarded;
use crate::hive::Constant;

/// What the files are, in errors.
pub(super) const KIND: &str = "parquet";
/// The magic, and the length of the metadata before it.
const TAIL: u64 = 8;
const MAGIC: &[u8] = b"PAR1";
const MAGIC_ARROW: &[u8] = b"ARRO";
const MAGIC_ENCRYPTED: &[u8] = b"PARE";

/// What is read of the end of an object: the footer of most files, and all of it if it is longer.
pub(super) const ENDING: Ending = Ending { bytes: 64 << 10, wanted: footer_bytes };

fn footer_bytes(end: &[u8]) -> u64 {
    match end.last_chunk::<{ TAIL as usize }>() {
        Some([a, b, c, d, magic @ ..]) if magic == MAGIC => {
            u64::from(u32::from_le_bytes([*a, *b, *c, *d])) + TAIL
        }
        _ => 0,
    }
}

/// A file of the source: what is always known of it.
#[derive(Debug)]
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    pub(super) length: u64,
    pub(super) place: Place,
    pub(super) version: Version,
    /// The bytes of metadata before the tail.
    pub(super) footer_length: u64,
    pub(super) rows: u64,
    pub(super) layout: Arc<Layout>,
    /// The columns that the names of its folders give.
    pub(super) constants: Arc<[Constant]>,
    /// The metadata, unless the source has so many files that it is read again when needed.
    pub(super) footer: Option<Arc<ParquetMetaData>>,
}

impl SourceFile {
    /// The place of a column in the file; `None` if the file lacks it or its folders give it.
    pub(super) fn index_of(&self, name: &str) -> Option<usize> {
        self.layout.index_of(name).filter(|_| self.constant(name).is_none())
    }

    /// The value of a column that its folders give.
    pub(super) fn constant(&self, name: &str) -> Option<&Constant> {
        self.constants.iter().find(|constant| constant.field.name() == name)
    }

    /// Where the metadata lies in the file.
    pub(super) fn footer_offset(&self) -> u64 {
        self.length - TAIL - self.footer_length
    }

    /// The metadata: kept, or read again.
    pub(super) fn metadata(&self) -> Result<Arc<ParquetMetaData>> {
        match &self.footer {
            Some(footer) => Ok(footer.clone()),
            None => self.parse(&self.open()?.read(self.footer_offset(), self.footer_length)?),
        }
    }

    /// Parses metadata that was read before.
    pub(super) fn parse(&self, footer: &[u8]) -> Result<Arc<ParquetMetaData>> {
        parse(&self.path, footer).map(Arc::new)
    }

    /// Opens the file, which must still be what it was when the source was opened.
    pub(super) fn open(&self) -> Result<OpenFile> {
        OpenFile::again(&self.place, KIND, &self.version)
    }
}

impl OpenFile {
    /// Reads the metadata, and says how many bytes of the file it takes.
    pub(super) fn footer(&self) -> Result<(ParquetMetaData, u64)> {
        if self.length < TAIL + MAGIC.len() as u64 {
            return Err(self.not_parquet());
        }
        let tail = self.read(self.length - TAIL, TAIL)?;
        match &tail[4..] {
            MAGIC => (),
            MAGIC_ENCRYPTED => {
                return Err(Error::unsupported("the footer is encrypted").file(&self.path));
            }
            _ => return Err(self.not_parquet()),
        }
        let length = u64::from((&tail[..4]).get_u32_le());
        if length + TAIL > self.length {
            return Err(self.truncated());
        }
        let footer = self.read(self.length - TAIL - length, length)?;
        Ok((parse(&self.path, &footer)?, length))
    }

    /// Tells a Parquet file that was cut off from a file of another kind.
    fn not_parquet(&self) -> Error {
        let mut head = [0; 4];
        match self.read_into(0, &mut head) {
            Ok(()) if head == MAGIC => self.truncated(),
            Ok(()) if head == MAGIC_ARROW => {
                self.foreign("it is an Arrow file: say --input-format arrow")
            }
            Ok(()) if head.iter().all(|byte| matches!(byte, b'\t'..=b'\r' | b' '..=b'~')) => {
                self.foreign("it looks like text; if it is CSV, say --input-format csv")
            }
            _ if self.length == 0 => self.foreign("it is empty"),
            _ => self.foreign("check the path"),
        }
    }

    fn foreign(&self, remedy: &str) -> Error {
        Error::invalid_data("not a parquet file").file(&self.path).remedy(remedy)
    }
}

fn parse(path: &Path, footer: &[u8]) -> Result<ParquetMetaData> {
    guard(|| ParquetMetaDataReader::decode_metadata(footer)).map_err(|error| {
        Error::invalid_data("the footer is corrupt")
            .source(error)
            .file(path)
            .remedy("restore the file")
    })
}

/// Runs a step of the `parquet` crate, which panics on some corrupt input; a panic becomes an error.
pub(super) fn guard<T>(step: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    guarded(step, ParquetError::General)
}

impl Length for OpenFile {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for OpenFile {
    type T = HeaderRead;

    fn get_read(&self, start: u64) -> Result<HeaderRead, ParquetError> {
        Ok(HeaderRead { medium: self.medium.clone(), offset: start, buffer: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(ParquetError::EOF(format!("no {length} bytes at offset {start}")));
        }
        self.read(start, length as u64).map_err(|error| ParquetError::External(Box::new(error)))
    }
}

/// Reads page headers: a few dozen bytes here and there, so its buffer is small.
pub(crate) struct HeaderRead {
    medium: Medium,
    offset: u64,
    buffer: Bytes,
}

impl Read for HeaderRead {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.buffer.is_empty() {
            self.buffer = self.medium.read_some(self.offset, 256)?;
            self.offset += self.buffer.len() as u64;
        }
        let count = out.len().min(self.buffer.len());
        self.buffer.copy_to_slice(&mut out[..count]);
        Ok(count)
    }
}
