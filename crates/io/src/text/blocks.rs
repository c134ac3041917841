//! Where in a text rows begin: pieces that are looked through side by side, and blocks, which units are
//! made of.
//!
//! ```text
//!   file    |--- piece ---|--- piece ---|--- piece ---|
//!   blocks  |..|..|..|..|..|..|..|..|..|..|..|..|..|..|    a row begins with each; its number is known
//! ```

use std::ops::Range;

use dframe_core::{Error, Result};
use dframe_plan::ScanUnit;

use super::file::TextFile;
use crate::partitioning::FILE_ROWS_MAX;

/// How finely files are cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grain {
    /// The bytes of a piece.
    pub(crate) piece_bytes: u64,
    /// The bytes, at least, between two places that a unit may begin at.
    pub(crate) block_bytes: u64,
}

impl Grain {
    /// A compressed file can only be read from its beginning: as one unit.
    const PACKED: Self = Self { piece_bytes: u64::MAX, block_bytes: u64::MAX };

    /// The grain for a file: some 64 pieces, and not more blocks than can be kept in memory.
    pub(crate) fn of(file: &TextFile) -> Self {
        if !file.is_plain() {
            return Self::PACKED;
        }
        let length = file.length;
        Self {
            piece_bytes: (length >> 6).clamp(8 << 20, 64 << 20),
            block_bytes: (length >> 16).clamp(256 << 10, 4 << 20),
        }
    }

    /// The pieces of the rows of a file, which begin at `start`.
    pub(crate) fn pieces(self, file: &TextFile, start: u64) -> Vec<Piece> {
        if !file.is_plain() {
            return vec![Piece { start, end: u64::MAX, is_first: true }];
        }
        let end = file.length;
        let starts = (start..end).step_by(self.piece_bytes as usize);
        starts
            .map(|at| Piece {
                start: at,
                end: at.saturating_add(self.piece_bytes).min(end),
                is_first: at == start,
            })
            .collect()
    }
}

/// A stretch of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Whether a record certainly begins where the piece does.
    pub(crate) is_first: bool,
}

/// Where a unit may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) start: u64,
    /// The rows of the file before it.
    pub(crate) first_row: u64,
}

/// The blocks of a file.
#[derive(Clone, Debug)]
pub(crate) struct Blocks {
    /// In order.
    pub(crate) list: Vec<Block>,
    pub(crate) rows: u64,
    /// Where the last row ends.
    pub(crate) rows_end: u64,
    /// The bytes of the longest row.
    pub(crate) record_bytes_max: u64,
}

/// Where a unit's rows are in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnitText {
    /// The bytes of the blocks that they are in.
    pub(crate) bytes: Range<u64>,
    /// The rows in there that are before the unit's.
    pub(crate) skip: u64,
}

impl Blocks {
    /// Of a file whose rows begin at `start`, before it is looked through.
    pub(crate) fn new(start: u64) -> Self {
        Self { list: Vec::new(), rows: 0, rows_end: start, record_bytes_max: 0 }
    }

    /// Adds those of the next piece, whose rows are counted from its first.
    ///
    /// # Errors
    /// The file has more rows than can be numbered.
    pub(crate) fn append(&mut self, piece: Blocks, file: &TextFile) -> Result<()> {
        let before = self.rows;
        let blocks = piece.list.into_iter();
        self.list
            .extend(blocks.map(|block| Block { first_row: block.first_row + before, ..block }));
        self.rows += piece.rows;
        self.rows_end = self.rows_end.max(piece.rows_end);
        self.record_bytes_max = self.record_bytes_max.max(piece.record_bytes_max);
        match self.rows < FILE_ROWS_MAX {
            true => Ok(()),
            false => Err(Error::unsupported("the file has more than 2^40 rows").file(&file.path)),
        }
    }

    /// Where the block ends, and the rows up to there.
    pub(crate) fn end_of(&self, index: usize) -> Block {
        let end = Block { start: self.rows_end, first_row: self.rows };
        self.list.get(index + 1).copied().unwrap_or(end)
    }

    /// Finds a unit's rows, which may be fewer than those of its blocks.
    pub(crate) fn unit_text(&self, unit: &ScanUnit) -> Result<UnitText> {
        let unknown = || Error::internal(format!("there is no unit {} in a file", unit.row_group));
        let before = self.list.get(unit.row_group as usize).ok_or_else(unknown)?.first_row;
        let (start, end) = (before + unit.rows.start, before + unit.rows.end);
        let first = self.list.partition_point(|block| block.first_row <= start) - 1;
        let after = self.list.partition_point(|block| block.first_row < end);
        let bytes = self.list[first].start..self.end_of(after - 1).start;
        Ok(UnitText { bytes, skip: start - self.list[first].first_row })
    }
}
