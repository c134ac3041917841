//! A file of text: opened for reading from any place, and still what it was when the source was opened.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use dframe_core::{Error, Result};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use encoding_rs_io::DecodeReaderBytesBuilder;

use super::packing::{HEAD_BYTES, Packing};
use crate::file::{OPENED_AT_ONCE, Place, Version, changed};
use crate::object::{Object, ObjectReader, READER_BYTES};
use crate::paths::unreadable;

/// A file by its name and what it looked like.
#[derive(Clone, Debug)]
pub(crate) struct TextFile {
    pub(crate) path: PathBuf,
    /// The bytes on disk.
    pub(crate) length: u64,
    pub(crate) packing: Packing,
    /// What the text is in, unless it is UTF-8.
    encoding: Option<&'static Encoding>,
    place: Place,
    version: Version,
    /// The first bytes of an object, as long as it is being opened.
    head: Bytes,
    /// What it is read as, in errors.
    kind: &'static str,
}

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The encoding that a byte order mark tells, if it is not UTF-8.
fn utf_16(head: &[u8]) -> Option<&'static Encoding> {
    match head {
        [0xff, 0xfe, ..] => Some(UTF_16LE),
        [0xfe, 0xff, ..] => Some(UTF_16BE),
        _ => None,
    }
}

fn version_of(path: &Path) -> Result<Version> {
    let file = File::open(path).and_then(|file| Version::of_file(&file));
    file.map_err(|error| unreadable(path, error))
}

/// The text of a file, from some place on, in UTF-8.
pub(crate) type TextReader = Box<dyn Read + Send>;

impl TextFile {
    /// Each file, and where its text begins. The heads of objects are read side by side.
    ///
    /// # Errors
    /// A file cannot be read, or its first bytes are those of another format.
    pub(crate) fn open_all(
        places: &[Place],
        kind: &'static str,
        encoding: Option<&'static Encoding>,
    ) -> impl Iterator<Item = Result<(Self, u64)>> {
        places.chunks(OPENED_AT_ONCE).flat_map(move |places| {
            let begun: Vec<_> = places
                .iter()
                .map(|place| match place {
                    Place::Local(_) => None,
                    Place::Object(object) => Some(object.start_opening_text()),
                })
                .collect();
            places.iter().zip(begun).map(move |(place, begun)| {
                let (version, head) = match begun {
                    None => (version_of(place.path())?, Bytes::new()),
                    Some(begun) => begun?.wait()?,
                };
                Self::open(place.clone(), version, head, kind, encoding)
            })
        })
    }

    fn open(
        place: Place,
        version: Version,
        head: Bytes,
        kind: &'static str,
        encoding: Option<&'static Encoding>,
    ) -> Result<(Self, u64)> {
        let (path, length) = (place.path().to_path_buf(), version.length);
        let packing = Packing::Plain;
        let mut this = Self { path, length, packing, encoding: None, place, version, head, kind };
        this.packing = Packing::of(&this.head(0, HEAD_BYTES)?);
        this.encoding = match encoding {
            // Which end comes first is told by the mark, if there is one.
            Some(encoding) if encoding == UTF_16LE => utf_16(&this.head(0, 4)?).or(Some(UTF_16LE)),
            Some(encoding) => (encoding != UTF_8).then_some(encoding),
            None => utf_16(&this.head(0, 4)?),
        };
        let start = this.check_head()?;
        Ok((this, start))
    }

    /// The first bytes of the text from `start` on.
    pub(crate) fn head(&self, start: u64, count: usize) -> Result<Vec<u8>> {
        let mut head = Vec::new();
        let text = self.reader(start)?;
        text.take(count as u64).read_to_end(&mut head).map_err(|error| self.failed(error))?;
        Ok(head)
    }

    /// Where the text begins: after a byte order mark.
    fn check_head(&self) -> Result<u64> {
        match self.head(0, 4)?.as_slice() {
            b"PAR1" => Err(self.foreign("parquet")),
            b"ARRO" => Err(self.foreign("an Arrow file")),
            head if head.starts_with(BOM) => Ok(BOM.len() as u64),
            _ => Ok(0),
        }
    }

    fn foreign(&self, what: &str) -> Error {
        let message = format!("the file is {what}, and was to be read as {}", self.kind);
        Error::invalid_input(message)
            .file(&self.path)
            .remedy("leave the format out, or name files of one format")
    }

    /// Whether it can be read from any place.
    pub(crate) fn is_plain(&self) -> bool {
        self.packing == Packing::Plain && self.encoding.is_none()
    }

    /// The text from `offset` on. Of a compressed file, what comes before is read, too.
    ///
    /// # Errors
    /// The file has changed.
    pub(crate) fn reader(&self, offset: u64) -> Result<TextReader> {
        let raw = self.raw(if self.is_plain() { offset } else { 0 })?;
        if self.is_plain() {
            return Ok(raw);
        }
        let packed = self.packing.unpacked(raw).map_err(|error| self.failed(error))?;
        let mut text: TextReader = match self.encoding {
            None => packed,
            Some(encoding) => {
                Box::new(DecodeReaderBytesBuilder::new().encoding(Some(encoding)).build(packed))
            }
        };
        let before = std::io::copy(&mut (&mut text).take(offset), &mut std::io::sink());
        before.map_err(|error| self.failed(error))?;
        Ok(text)
    }

    /// The bytes of the file from `offset` on, as they are.
    fn raw(&self, offset: u64) -> Result<TextReader> {
        if let Place::Object(object) = &self.place {
            let head = self.head.clone();
            return Ok(Box::new(ObjectReader::new(object, &self.version, head, offset)));
        }
        let mut file = File::open(&self.path).map_err(|error| unreadable(&self.path, error))?;
        if Version::of_file(&file).ok().as_ref() != Some(&self.version) {
            return Err(self.changed());
        }
        file.seek(SeekFrom::Start(offset)).map_err(|error| self.failed(error))?;
        Ok(Box::new(file))
    }

    /// What a reader holds that is no window.
    pub(crate) fn reader_bytes(&self) -> u64 {
        let ahead = if self.place.is_remote() { READER_BYTES } else { 0 };
        ahead + self.packing.reader_bytes()
    }

    /// The object, if it is one.
    fn object(&self) -> Option<&Object> {
        match &self.place {
            Place::Local(_) => None,
            Place::Object(object) => Some(object),
        }
    }

    /// The fetches of a task that should be under way at once.
    pub(crate) fn fetches_ahead(&self) -> usize {
        self.place.fetches_ahead()
    }

    /// The name of the file, whose extensions say something.
    pub(crate) fn name(&self) -> &Path {
        self.place.name()
    }

    /// Has been opened: the head is no longer kept.
    pub(crate) fn opened(self) -> Self {
        Self { head: Bytes::new(), ..self }
    }

    /// The bytes from `start` to `end`.
    pub(crate) fn read(&self, start: u64, end: u64) -> Result<Bytes> {
        let length = usize::try_from(end - start)
            .map_err(|_| Error::internal("a unit is larger than memory can be"))?;
        if let Some(object) = self.object().filter(|_| self.is_plain()) {
            return object.read(&self.version, start..end);
        }
        let mut bytes = Vec::with_capacity(length);
        let reader = self.reader(start)?;
        let count = reader.take(end - start).read_to_end(&mut bytes);
        match count.map_err(|error| self.failed(error))? {
            count if count == length => Ok(bytes.into()),
            _ => Err(self.changed()),
        }
    }

    /// The line in which `offset` lies, from 1.
    pub(crate) fn line_of(&self, offset: u64) -> Result<u64> {
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
    pub(crate) fn changed(&self) -> Error {
        changed(&self.path)
    }

    /// The error for a read that the system or a decoder refused.
    pub(crate) fn failed(&self, error: std::io::Error) -> Error {
        if let Some(known) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            return known.clone();
        }
        match error.raw_os_error() {
            None if self.packing != Packing::Plain => {
                Error::invalid_data("the file cannot be decompressed")
                    .source(error)
                    .file(&self.path)
                    .remedy("check that it is whole, as with `gzip -t` or `zstd -t`")
            }
            _ => Error::io("cannot read", error).file(&self.path),
        }
    }
}
