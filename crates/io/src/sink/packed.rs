//! Text that is compressed while it is written: block by block, never as a whole.
//!
//! ```text
//!   text --cut--> blocks --workers: gzip, bzip2, xz, zstd--> members, in order --> bytes counted --> file
//! ```
//!
//! A file is members one after the other, as all four formats have it: RFC 1952, 2.2; RFC 8878, 3.1; "The .xz file
//! format", 2; and what `bzip2` has always read. Blocks end at the same bytes of the text whoever compresses them, so
//! that a file is the same for any number of workers.
//!
//! It is what `text/packing.rs` reads. It does not know what the text is. Formats of columns are compressed inside,
//! by their own writers.

use std::io::{Result as IoResult, Write};
use std::path::Path;

use bzip2::write::BzEncoder;
use dframe_core::{Budget, Error, Reservation, Result};
use flate2::write::GzEncoder;
use lzma_rust2::{XzOptions, XzWriter};

use super::in_order::InOrder;
use super::{Compression, Format, SinkOptions};

/// How much larger text is than its compressed form, for bytes that an encoder still holds.
const USUAL_RATIO: u64 = 4;
/// What encoders hold: of gzip, bzip2 with its largest blocks, and zstd at its usual level.
const GZIP_BYTES: usize = 512 << 10;
const BZIP2_BYTES: usize = 8 << 20;
const ZSTD_BYTES: usize = 6 << 20;
/// The text of a block of xz at most: with the usual 8 MiB, two workers would take 200 MiB.
const XZ_BLOCK_BYTES: u32 = 4 << 20;
/// The levels of xz: the usual one, and those that take less memory, in which it is larger.
const XZ_LEVELS: [u32; 4] = [6, 3, 1, 0];

/// No text at all: a header, an index of no blocks, and a footer ("The .xz file format", 2).
const XZ_EMPTY: [u8; 32] =
    *b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4F\0\0\0\0\x1c\xdfD!\x1f\xb6\xf3}\x01\0\0\0\0\x04YZ";

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
    raw: Counted<Box<dyn Write + Send>>,
    /// None for plain text, which is handed on as it comes.
    packer: Option<Packer>,
}

/// Text in blocks that workers compress.
struct Packer {
    codec: Codec,
    /// The block that is not full yet.
    text: Vec<u8>,
    members: InOrder<IoResult<Member>>,
    /// Whether there is a member: text of no bytes is one of its own.
    is_begun: bool,
    budget: Budget,
    /// For the block that is compressed when no memory is left for others.
    _held: Reservation,
}

/// A block, compressed.
struct Member {
    bytes: Vec<u8>,
    _held: Option<Reservation>,
}

impl Packed {
    /// Workers and memory are those of `options`.
    pub(super) fn new(
        writer: Box<dyn Write + Send>,
        packing: Packing,
        options: &SinkOptions,
    ) -> Self {
        let raw = Counted { writer, bytes: 0 };
        let budget = options.budget.clone().unwrap_or_else(Budget::unlimited);
        let mut held = budget.reservation();
        let packer = Codec::choose(packing, &mut held).map(|codec| Packer {
            codec,
            text: Vec::new(),
            members: InOrder::new(options.workers.clone()),
            is_begun: false,
            budget,
            _held: held,
        });
        Self { raw, packer }
    }

    /// The bytes handed on, and about those that will come of the block that is not full, and of text of
    /// `text_bytes` on its way.
    pub(super) fn bytes_with(&self, text_bytes: usize) -> u64 {
        match &self.packer {
            None => self.raw.bytes + text_bytes as u64,
            Some(packer) => self.raw.bytes + (packer.text.len() + text_bytes) as u64 / USUAL_RATIO,
        }
    }

    /// Ends the compressed text, and says how many bytes it is.
    pub(super) fn finish(mut self) -> IoResult<u64> {
        if let Some(packer) = &mut self.packer {
            if !packer.text.is_empty() || !packer.is_begun {
                packer.start(&mut self.raw)?;
            }
            packer.hand_on(&mut self.raw)?;
        }
        self.raw.flush()?;
        Ok(self.raw.bytes)
    }
}

impl Write for Packed {
    fn write(&mut self, text: &[u8]) -> IoResult<usize> {
        match &mut self.packer {
            None => self.raw.write(text),
            Some(packer) => packer.take(text, &mut self.raw),
        }
    }

    /// Hands on all full blocks. One that is not full stays, so that blocks are always the same.
    fn flush(&mut self) -> IoResult<()> {
        if let Some(packer) = &mut self.packer {
            packer.hand_on(&mut self.raw)?;
        }
        self.raw.flush()
    }
}

impl Packer {
    /// Takes text until the block is full.
    fn take(&mut self, text: &[u8], raw: &mut impl Write) -> IoResult<usize> {
        let count = text.len().min(self.codec.block_bytes() - self.text.len());
        self.text.extend_from_slice(&text[..count]);
        if self.text.len() == self.codec.block_bytes() {
            self.start(raw)?;
        }
        Ok(count)
    }

    /// Has the block compressed. The first one in work always goes, others only if there is memory for them.
    fn start(&mut self, raw: &mut impl Write) -> IoResult<()> {
        let codec = self.codec;
        let text = std::mem::take(&mut self.text);
        let mut held = None;
        while !self.members.is_empty() {
            let mut claim = self.budget.reservation();
            if !self.members.is_full() && claim.try_grow(codec.bytes()) {
                held = Some(claim);
                break;
            }
            self.put_oldest(raw)?;
        }
        self.is_begun = true;
        self.members.start(move || Ok(Member { bytes: codec.member(&text)?, _held: held }));
        while let Some(member) = self.members.take_done() {
            raw.write_all(&member?.bytes)?;
        }
        Ok(())
    }

    fn put_oldest(&mut self, raw: &mut impl Write) -> IoResult<()> {
        match self.members.take() {
            Some(member) => raw.write_all(&member?.bytes),
            None => Ok(()),
        }
    }

    fn hand_on(&mut self, raw: &mut impl Write) -> IoResult<()> {
        while !self.members.is_empty() {
            self.put_oldest(raw)?;
        }
        Ok(())
    }
}

/// How a block is compressed.
#[derive(Clone, Copy, Debug)]
enum Codec {
    Gzip,
    Bzip2,
    Xz { level: u32 },
    Zstd,
}

impl Codec {
    /// `held` claims what one block takes; what is refused makes xz larger, and the others uncounted.
    fn choose(packing: Packing, held: &mut Reservation) -> Option<Self> {
        let codec = match packing {
            Packing::Plain => return None,
            Packing::Gzip => Self::Gzip,
            Packing::Bzip2 => Self::Bzip2,
            Packing::Zstd => Self::Zstd,
            Packing::Xz => {
                let levels = XZ_LEVELS.map(|level| Self::Xz { level });
                let fits = |codec: &Self| held.try_grow(codec.bytes());
                return levels.into_iter().find(fits).or(Some(Self::Xz { level: 0 }));
            }
        };
        held.try_grow(codec.bytes());
        Some(codec)
    }

    /// The text of a block: as much as it takes for blocks to be about as small as one would be.
    fn block_bytes(self) -> usize {
        match self {
            Self::Gzip => 1 << 20,
            // One block of the format: what it is sorted in, less what runs of a letter may add.
            Self::Bzip2 => 899_000,
            Self::Zstd => 2 << 20,
            Self::Xz { level } => self.xz_options(level).lzma_options.dict_size as usize,
        }
    }

    /// What a block takes: the encoder, the text, and what comes out.
    fn bytes(self) -> usize {
        let encoder = match self {
            Self::Gzip => GZIP_BYTES,
            Self::Bzip2 => BZIP2_BYTES,
            Self::Zstd => ZSTD_BYTES,
            Self::Xz { level } => {
                (self.xz_options(level).lzma_options.get_memory_usage() as usize) << 10
            }
        };
        encoder + self.block_bytes() + self.block_bytes() / USUAL_RATIO as usize
    }

    fn xz_options(self, level: u32) -> XzOptions {
        let mut options = XzOptions::with_preset(level);
        let window = &mut options.lzma_options.dict_size;
        *window = (*window).min(XZ_BLOCK_BYTES);
        options
    }

    /// A block, compressed: a stream of the format, which may follow others.
    fn member(self, text: &[u8]) -> IoResult<Vec<u8>> {
        let into = Vec::with_capacity(text.len() / USUAL_RATIO as usize);
        match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(into, flate2::Compression::default());
                encoder.write_all(text)?;
                encoder.finish()
            }
            Self::Bzip2 => {
                let mut encoder = BzEncoder::new(into, bzip2::Compression::best());
                encoder.write_all(text)?;
                encoder.finish()
            }
            Self::Zstd => {
                let mut compressor = zstd::bulk::Compressor::new(0)?;
                compressor.include_checksum(true)?;
                compressor.compress(text)
            }
            // A stream without blocks, which the encoder writes an index of one for.
            Self::Xz { .. } if text.is_empty() => Ok(XZ_EMPTY.to_vec()),
            Self::Xz { level } => {
                let mut encoder = XzWriter::new(into, self.xz_options(level))?;
                encoder.write_all(text)?;
                encoder.finish()
            }
        }
    }
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

    use dframe_core::Workers;

    use super::*;
    use crate::text::Packing as Reading;

    const ALL: [Packing; 5] =
        [Packing::Plain, Packing::Gzip, Packing::Bzip2, Packing::Xz, Packing::Zstd];

    fn text() -> String {
        (0..500_000_u64).map(|row| format!("{row},{}\n", row * 7919 % 1013)).collect()
    }

    #[expect(clippy::disallowed_methods, reason = "threads of a test")]
    fn workers() -> Workers {
        Workers::new(2, |piece| drop(std::thread::spawn(piece)))
    }

    fn options(workers: Workers, budget: Option<Budget>) -> SinkOptions {
        SinkOptions { workers, budget, ..SinkOptions::default() }
    }

    #[test]
    fn what_is_written_is_read_again_and_the_same_for_any_workers() {
        for (packing, text) in ALL.into_iter().flat_map(|p| [(p, text()), (p, String::new())]) {
            let files = [Workers::default(), workers()].map(|workers| {
                let file = tempfile::NamedTempFile::new().unwrap();
                let target = Box::new(file.reopen().unwrap());
                let budget = Budget::new(200 << 20);
                let options = options(workers, Some(budget.clone()));
                let mut packed = Packed::new(target, packing, &options);
                text.as_bytes().chunks(70_001).for_each(|part| packed.write_all(part).unwrap());
                let bytes = packed.finish().unwrap();
                assert_eq!(file.path().metadata().unwrap().len(), bytes, "{packing:?}");
                assert_eq!(budget.reserved(), 0);
                file
            });
            let [whole, parallel] = files.each_ref().map(|file| std::fs::read(file).unwrap());
            assert!(whole == parallel, "{packing:?}");
            let mut read = String::new();
            let packed = File::open(files[0].path()).unwrap();
            let reading = Reading::of(&whole);
            reading.unpacked(packed).unwrap().read_to_string(&mut read).unwrap();
            assert!(read == text, "{packing:?}");
        }
    }

    #[test]
    fn little_memory_makes_xz_larger_and_no_other() {
        let limit = Budget::new(8 << 20);
        let written = |budget: Option<Budget>| {
            let options = options(Workers::default(), budget);
            let mut packed = Packed::new(Box::new(std::io::sink()), Packing::Xz, &options);
            packed.write_all(text().as_bytes()).unwrap();
            packed.finish().unwrap()
        };
        assert!(written(Some(limit.clone())) > written(None));
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
