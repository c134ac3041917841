//! Where the blocks of a file are: their heads say how many rows and bytes they have.
//!
//! ```text
//!   header: schema, codec, sync | rows, bytes, data, sync | rows, bytes, data, sync | ..
//! ```
//! Source: the Avro specification 1.12, "Object Container Files".

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use arrow_avro::reader::{ReaderBuilder, read_header_info};
use bytes::Bytes;
use dframe_core::{Error, Result};

use crate::file::{OpenFile, Place, Version};
use crate::paths::unreadable;

/// A piece is closed after so many rows or bytes.
const PIECE_ROWS: u64 = 32 << 10;
const PIECE_BYTES: u64 = 1 << 20;
/// The bytes of the mark that ends a block.
const SYNC_BYTES: u64 = 16;

/// Blocks that lie together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) rows: u64,
}

/// What is known of a file.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) path: PathBuf,
    pub(super) schema: SchemaRef,
    pub(super) version: Version,
    pub(super) pieces: Vec<Piece>,
    /// What a piece is read after.
    pub(super) header: Bytes,
    is_compressed: bool,
}

impl Index {
    /// Reads the header, and the heads of all blocks.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let unreadable = |error| unreadable(path, error);
        let file = File::open(path).map_err(unreadable)?;
        let version = Version::of_file(&file).map_err(unreadable)?;
        let mut reader = BufReader::new(file);
        let no_avro = |why: String| {
            Error::invalid_data(format!("the file is not an Avro file: {why}"))
                .file(path)
                .remedy("check the path, or name the format with --input-format")
        };
        let mut magic = [0; 4];
        reader.read_exact(&mut magic).map_err(|_| no_avro("it is too short".into()))?;
        if &magic != b"Obj\x01" {
            return Err(no_avro("it does not begin as one".into()));
        }
        let info = read_header_info(Cursor::new(magic).chain(&mut reader));
        let info = info.map_err(|error| no_avro(error.to_string()))?;
        let mut header = vec![0; info.header_len() as usize];
        reader.get_ref().read_exact_at(&mut header, 0).map_err(unreadable)?;
        let header = Bytes::from(header);
        let decoder = ReaderBuilder::new().build(Cursor::new(header.clone()));
        let schema = decoder.map_err(|error| no_avro(error.to_string()))?.schema();
        let is_compressed = info.compression().map_or(true, |codec| codec.is_some());
        let path = path.to_path_buf();
        let mut index = Self { path, schema, version, pieces: Vec::new(), header, is_compressed };
        index.find_blocks(reader)?;
        Ok(index)
    }

    fn find_blocks(&mut self, mut reader: BufReader<File>) -> Result<()> {
        let unreadable = |error| unreadable(&self.path, error);
        let mut offset = self.header.len() as u64;
        reader.seek(SeekFrom::Start(offset)).map_err(unreadable)?;
        while !reader.fill_buf().map_err(unreadable)?.is_empty() {
            let (rows, rows_length) = self.number(&mut reader)?;
            let (bytes, bytes_length) = self.number(&mut reader)?;
            let rest = bytes.saturating_add(SYNC_BYTES);
            let length = rest.saturating_add(rows_length + bytes_length);
            if length > self.version.length - offset {
                return Err(self.corrupt("it ends within a block"));
            }
            reader.seek_relative(rest as i64).map_err(unreadable)?;
            let full = |piece: &Piece| piece.rows >= PIECE_ROWS || piece.length >= PIECE_BYTES;
            if self.pieces.last().is_none_or(full) {
                self.pieces.push(Piece { offset, length: 0, rows: 0 });
            }
            if let Some(piece) = self.pieces.last_mut() {
                piece.length += length;
                piece.rows += rows;
            }
            offset += length;
        }
        self.pieces.retain(|piece| piece.rows > 0);
        Ok(())
    }

    /// A number as Avro writes it (zig-zag, seven bits a byte), and how long it is.
    fn number(&self, reader: &mut impl Read) -> Result<(u64, u64)> {
        let mut number = 0_u64;
        for place in 0..10 {
            let mut byte = [0];
            reader.read_exact(&mut byte).map_err(|_| self.corrupt("it ends within a block"))?;
            number |= u64::from(byte[0] & 0x7f) << (7 * place).min(63);
            if byte[0] & 0x80 == 0 {
                return match number & 1 {
                    0 => Ok((number >> 1, place + 1)),
                    _ => Err(self.corrupt("a block has a negative size")),
                };
            }
        }
        Err(self.corrupt("a number of a block is too long"))
    }

    /// The rows of all blocks.
    pub(super) fn rows(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.rows).sum()
    }

    /// What a byte of the file becomes in memory, about.
    pub(super) fn decoded_share(&self) -> u64 {
        if self.is_compressed { 10 } else { 4 }
    }

    /// The bytes of a piece.
    pub(super) fn fetch(&self, piece: usize) -> Result<Bytes> {
        let Some(piece) = self.pieces.get(piece) else {
            return Err(Error::internal(format!("there is no piece {piece}")));
        };
        let place = Place::Local(self.path.clone());
        OpenFile::again(&place, "Avro", &self.version)?.read(piece.offset, piece.length)
    }

    /// The error for bytes that are not what the format says.
    pub(super) fn corrupt(&self, why: impl std::fmt::Display) -> Error {
        Error::invalid_data(format!("the Avro file is corrupt: {why}"))
            .file(&self.path)
            .remedy("write the file again, or restore it from a copy")
    }
}
