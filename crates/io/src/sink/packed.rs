//! Text that is compressed while it is written: as a stream, never as a whole.
//!
//! ```text
//!   text --> Packed (gzip, bzip2, xz, zstd, or nothing) --> buffer --> bytes counted --> file
//! ```
//!
//! It is what `text/packing.rs` reads. It does not know what the text is. Formats of columns are compressed inside,
//! by their own writers.

use std::io::{BufWriter, Result as IoResult, Write};
use std::path::Path;

use bzip2::write::BzEncoder;
use dframe_core::{Budget, Error, Reservation, Result};
use flate2::write::GzEncoder;
use lzma_rust2::{XzOptions, XzWriter};

use super::{Compression, Format};

/// Bytes that are written at once.
const BUFFER_BYTES: usize = 64 << 10;
/// How much larger text is than its compressed form, for bytes that an encoder still holds.
const USUAL_RATIO: u64 = 4;
/// What encoders hold: of gzip, bzip2 with its largest blocks, and zstd at its usual level.
const GZIP_BYTES: usize = 512 << 10;
const BZIP2_BYTES: usize = 8 << 20;
const ZSTD_BYTES: usize = 6 << 20;
/// The levels of xz: the usual one, and those that take less memory, in which it is larger.
const XZ_LEVELS: [u32; 4] = [6, 3, 1, 0];

/// How text is compressed as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Packing {
    #[default]
    Plain,
    Gzip,
    Bzip2,
    Xz,
    Zstd,
}

impl Packing {
    /// What the last extension of a file's name stands for.
    fn of_name(path: &Path) -> Self {
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("gz" | "gzip") => Self::Gzip,
            Some("zst" | "zstd") => Self::Zstd,
            Some("bz2") => Self::Bzip2,
            Some("xz") => Self::Xz,
            _ => Self::Plain,
        }
    }

    /// The name of a file as it would be called if it were not compressed.
    pub(super) fn unpacked_name(path: &Path) -> &Path {
        match (Self::of_name(path), path.file_stem()) {
            (Self::Plain, _) | (_, None) => path,
            (_, Some(stem)) => Path::new(stem),
        }
    }

    /// How a file of this format and name is compressed as a whole.
    ///
    /// # Errors
    /// The format is compressed inside, or not with what was asked for.
    pub(super) fn choose(
        format: Format,
        path: Option<&Path>,
        compression: Compression,
    ) -> Result<Self> {
        let named = path.map_or(Self::Plain, Self::of_name);
        if format.is_binary() {
            return match named {
                Self::Plain => Ok(Self::Plain),
                _ => Err(compressed_inside(format, path)),
            };
        }
        Ok(match compression {
            Compression::Default => named,
            Compression::None => Self::Plain,
            Compression::Gzip => Self::Gzip,
            Compression::Bzip2 => Self::Bzip2,
            Compression::Xz => Self::Xz,
            Compression::Zstd => Self::Zstd,
            Compression::Lz4 => {
                return Err(Error::unsupported(format!("{format} is not compressed with lz4"))
                    .remedy("choose gzip, zstd, bzip2 or xz"));
            }
        })
    }

    /// The extension after that of the format, with its dot.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Gzip => ".gz",
            Self::Bzip2 => ".bz2",
            Self::Xz => ".xz",
            Self::Zstd => ".zst",
        }
    }
}

fn compressed_inside(format: Format, path: Option<&Path>) -> Error {
    let error = Error::invalid_input(format!("{format} files are not compressed as a whole"));
    let error = match path {
        Some(path) => error.file(path),
        None => error,
    };
    error.remedy(format!("name a file that ends in .{}", format.extension()))
}

/// A writer of compressed bytes. What is not finished is not whole.
pub(super) struct Packed {
    encoder: Encoder,
    /// Text that came since the encoder last handed bytes on, and the bytes that it had handed on by then.
    held: u64,
    handed_on: u64,
    /// What the encoder holds, as claimed from the memory limit.
    _claim: Option<Reservation>,
}

type Raw = Counted<Box<dyn Write + Send>>;

enum Encoder {
    Plain(Raw),
    Gzip(GzEncoder<BufWriter<Raw>>),
    Bzip2(BzEncoder<BufWriter<Raw>>),
    Xz(Box<XzWriter<BufWriter<Raw>>>),
    Zstd(zstd::Encoder<'static, BufWriter<Raw>>),
}

impl Packed {
    pub(super) fn new(
        writer: Box<dyn Write + Send>,
        packing: Packing,
        budget: Option<&Budget>,
    ) -> IoResult<Self> {
        let raw = Counted { writer, bytes: 0 };
        let buffered = |raw| BufWriter::with_capacity(BUFFER_BYTES, raw);
        let mut claim = budget.map(Budget::reservation);
        let mut claimed = |bytes: usize| {
            claim.as_mut().is_none_or(|claim: &mut Reservation| claim.try_grow(bytes))
        };
        let encoder = match packing {
            Packing::Plain => Encoder::Plain(raw),
            Packing::Gzip => {
                claimed(GZIP_BYTES);
                Encoder::Gzip(GzEncoder::new(buffered(raw), flate2::Compression::default()))
            }
            Packing::Bzip2 => {
                claimed(BZIP2_BYTES);
                Encoder::Bzip2(BzEncoder::new(buffered(raw), bzip2::Compression::best()))
            }
            Packing::Zstd => {
                claimed(ZSTD_BYTES);
                let mut encoder = zstd::Encoder::new(buffered(raw), 0)?;
                encoder.include_checksum(true)?;
                Encoder::Zstd(encoder)
            }
            Packing::Xz => {
                let fits = |level: &u32| claimed(xz_bytes(*level));
                let level = XZ_LEVELS.into_iter().find(fits).unwrap_or(0);
                Encoder::Xz(Box::new(XzWriter::new(buffered(raw), XzOptions::with_preset(level))?))
            }
        };
        Ok(Self { encoder, held: 0, handed_on: 0, _claim: claim })
    }

    /// The bytes handed on, and about those that will come of what is still held, here and as text of `text_bytes`
    /// on its way.
    pub(super) fn bytes_with(&self, text_bytes: usize) -> u64 {
        let (handed_on, text_bytes) = (self.encoder.bytes(), text_bytes as u64);
        match self.encoder {
            Encoder::Plain(_) => handed_on + text_bytes,
            _ => handed_on + (self.held + text_bytes) / USUAL_RATIO,
        }
    }

    /// Ends the compressed text, and says how many bytes it is.
    pub(super) fn finish(self) -> IoResult<u64> {
        let buffered = match self.encoder {
            Encoder::Plain(mut raw) => {
                raw.flush()?;
                return Ok(raw.bytes);
            }
            Encoder::Gzip(encoder) => encoder.finish()?,
            Encoder::Bzip2(encoder) => encoder.finish()?,
            Encoder::Xz(encoder) => encoder.finish()?,
            Encoder::Zstd(encoder) => encoder.finish()?,
        };
        let mut raw = buffered.into_inner().map_err(|error| error.into_error())?;
        raw.flush()?;
        Ok(raw.bytes)
    }
}

impl Write for Packed {
    fn write(&mut self, text: &[u8]) -> IoResult<usize> {
        let count = self.encoder.writer().write(text)?;
        let handed_on = self.encoder.bytes();
        match &self.encoder {
            Encoder::Plain(_) => {}
            _ if handed_on > self.handed_on => (self.handed_on, self.held) = (handed_on, 0),
            _ => self.held += count as u64,
        }
        Ok(count)
    }

    fn flush(&mut self) -> IoResult<()> {
        self.encoder.writer().flush()
    }
}

impl Encoder {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Plain(raw) => raw,
            Self::Gzip(encoder) => encoder,
            Self::Bzip2(encoder) => encoder,
            Self::Xz(encoder) => encoder,
            Self::Zstd(encoder) => encoder,
        }
    }

    fn bytes(&self) -> u64 {
        let buffered = match self {
            Self::Plain(raw) => return raw.bytes,
            Self::Gzip(encoder) => encoder.get_ref(),
            Self::Bzip2(encoder) => encoder.get_ref(),
            Self::Xz(encoder) => encoder.inner(),
            Self::Zstd(encoder) => encoder.get_ref(),
        };
        buffered.get_ref().bytes + buffered.buffer().len() as u64
    }
}

/// What an encoder of xz holds.
fn xz_bytes(level: u32) -> usize {
    (XzOptions::with_preset(level).lzma_options.get_memory_usage() as usize) << 10
}

/// A writer that counts.
struct Counted<W> {
    writer: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> IoResult<usize> {
        let count = self.writer.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> IoResult<()> {
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;

    use super::*;
    use crate::text::Packing as Reading;

    const ALL: [Packing; 5] =
        [Packing::Plain, Packing::Gzip, Packing::Bzip2, Packing::Xz, Packing::Zstd];

    fn text() -> String {
        (0..200_000).map(|row| format!("{row},{}\n", row * 7919 % 1013)).collect()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = text();
        for packing in ALL {
            let file = tempfile::NamedTempFile::new().unwrap();
            let target = Box::new(file.reopen().unwrap());
            let mut packed = Packed::new(target, packing, None).unwrap();
            packed.write_all(text.as_bytes()).unwrap();
            let bytes = packed.finish().unwrap();
            assert_eq!(file.path().metadata().unwrap().len(), bytes, "{packing:?}");
            let head = std::fs::read(file.path()).unwrap();
            let reading = Reading::of(&head);
            let mut read = String::new();
            let packed = File::open(file.path()).unwrap();
            reading.unpacked(packed).unwrap().read_to_string(&mut read).unwrap();
            assert!(read == text, "{packing:?}");
        }
    }

    #[test]
    fn little_memory_makes_xz_larger_and_no_other() {
        let limit = Budget::new(8 << 20);
        let written = |budget: Option<&Budget>| {
            let mut packed = Packed::new(Box::new(std::io::sink()), Packing::Xz, budget).unwrap();
            packed.write_all(text().as_bytes()).unwrap();
            packed.finish().unwrap()
        };
        assert!(written(Some(&limit)) > written(None));
        assert_eq!(limit.reserved(), 0);
    }

    #[test]
    fn names_and_flags_tell_the_compression() {
        let choose = |format, path: &str, compression| {
            Packing::choose(format, Some(Path::new(path)), compression)
        };
        let csv = |path, compression| choose(Format::Csv, path, compression).unwrap();
        assert_eq!(csv("a.csv.GZ", Compression::Default), Packing::Gzip);
        assert_eq!(csv("a.csv.gz", Compression::None), Packing::Plain);
        assert_eq!(csv("a.csv", Compression::Zstd), Packing::Zstd);
        assert_eq!(csv("a.csv", Compression::Default), Packing::Plain);
        assert!(choose(Format::Csv, "a.csv", Compression::Lz4).is_err());
        let error = choose(Format::Parquet, "a.parquet.gz", Compression::Default).unwrap_err();
        assert_eq!(error.message(), "parquet files are not compressed as a whole");
        assert_eq!(Packing::unpacked_name(Path::new("d/a.csv.xz")), Path::new("a.csv"));
    }
}
