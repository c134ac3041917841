//! A file of a source once it has been looked through: where its rows are, and which columns it has.

use std::ops::BitOr;

use dframe_core::{Error, Result};

use super::file::TextFile;
use super::header::Header;
use super::kinds::Kinds;
use super::records::Marks;
use super::survey::{Bad, Block, Findings, Look, Piece, Surveyed};
use crate::partitioning::FILE_ROWS_MAX;

/// A file, looked through to its end.
#[derive(Debug)]
pub(super) struct SourceFile {
    pub(super) file: TextFile,
    pub(super) header: Header,
    pub(super) marks: Marks,
    /// Where units may begin, in order.
    pub(super) blocks: Vec<Block>,
    pub(super) rows: u64,
    /// Where the last row ends.
    pub(super) rows_end: u64,
    /// Of each of the file's columns.
    pub(super) kinds: Vec<Kinds>,
    pub(super) record_bytes_max: u64,
    pub(super) bad: Bad,
    /// For each column of the source, its place in the file.
    pub(super) places: Vec<Option<usize>>,
}

impl SourceFile {
    /// A file of which nothing has been looked through yet.
    fn new(surveyed: &Surveyed) -> Self {
        Self {
            file: surveyed.file.clone(),
            header: surveyed.header.clone(),
            marks: surveyed.marks,
            blocks: Vec::new(),
            rows: 0,
            rows_end: surveyed.header.rows_start,
            kinds: vec![Kinds::NONE; surveyed.header.names.len()],
            record_bytes_max: 0,
            bad: Bad::default(),
            places: Vec::new(),
        }
    }

    /// Puts what was found in the pieces together, in order; pieces whose beginning was guessed wrong
    /// are looked through again.
    ///
    /// # Errors
    /// The first flaw of the file, or that it cannot be read.
    pub(super) fn join(look: &Look<'_>, found: Vec<(Piece, Option<Findings>)>) -> Result<Self> {
        let mut file = Self::new(look.surveyed);
        for (piece, findings) in found {
            if file.rows_end >= piece.end {
                // A record goes on over the whole piece.
                continue;
            }
            let fits = |found: &Findings| piece.is_first || found.first == file.rows_end;
            let findings = match findings.filter(fits) {
                Some(findings) => findings,
                None => look.exactly(piece, file.rows_end)?,
            };
            if let Some(flaw) = findings.flaw {
                return Err(flaw.error(&file.file, &file.header.names));
            }
            file.append(findings);
        }
        if file.rows >= FILE_ROWS_MAX {
            return Err(
                Error::unsupported("the file has more than 2^40 rows").file(&file.file.path)
            );
        }
        Ok(file)
    }

    fn append(&mut self, findings: Findings) {
        let before = self.rows;
        let blocks = findings.blocks.into_iter();
        self.blocks
            .extend(blocks.map(|block| Block { first_row: block.first_row + before, ..block }));
        self.rows += findings.rows;
        self.rows_end = findings.next;
        self.record_bytes_max = self.record_bytes_max.max(findings.record_bytes_max);
        self.bad.rows += findings.bad.rows;
        self.bad.first = self.bad.first.or(findings.bad.first);
        for (known, found) in self.kinds.iter_mut().zip(findings.kinds) {
            *known = known.bitor(found);
        }
    }

    /// Where the block ends, and the rows up to there.
    pub(super) fn blocks_end(&self, index: usize) -> Block {
        let end = Block { start: self.rows_end, first_row: self.rows };
        self.blocks.get(index + 1).copied().unwrap_or(end)
    }
}
