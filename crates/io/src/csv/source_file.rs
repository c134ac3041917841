//! A file of a source once it has been looked through: where its rows are, and which columns it has.

use std::ops::BitOr;

use dframe_core::Result;

use super::header::Header;
use super::records::Marks;
use super::survey::{Bad, Findings, Look, Surveyed};
use crate::text::{Blocks, Kinds, Piece, TextFile, UnitFile};

/// A file, looked through to its end.
#[derive(Debug)]
pub(super) struct SourceFile {
    pub(super) file: TextFile,
    pub(super) header: Header,
    pub(super) marks: Marks,
    /// Where units may begin.
    pub(super) blocks: Blocks,
    /// Of each of the file's columns.
    pub(super) kinds: Vec<Kinds>,
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
            blocks: Blocks::new(surveyed.header.rows_start),
            kinds: vec![Kinds::NONE; surveyed.header.names.len()],
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
            if file.blocks.rows_end >= piece.end {
                // A record goes on over the whole piece.
                continue;
            }
            let fits = |found: &Findings| piece.is_first || found.first == file.blocks.rows_end;
            let findings = match findings.filter(fits) {
                Some(findings) => findings,
                None => look.exactly(piece, file.blocks.rows_end)?,
            };
            if let Some(flaw) = findings.flaw {
                return Err(flaw.error(&file.file, &file.header.names));
            }
            file.append(findings)?;
        }
        Ok(file)
    }

    fn append(&mut self, findings: Findings) -> Result<()> {
        self.bad.rows += findings.bad.rows;
        self.bad.first = self.bad.first.or(findings.bad.first);
        for (known, found) in self.kinds.iter_mut().zip(findings.kinds) {
            *known = known.bitor(found);
        }
        self.blocks.append(findings.blocks, &self.file)
    }

    /// What cutting it into units takes.
    pub(super) fn for_units(&self) -> UnitFile<'_> {
        // Where each field of a record lies.
        let decoder_bytes = self.header.names.len() as u64 * 8;
        UnitFile { file: &self.file, blocks: &self.blocks, decoder_bytes, decoder_share: 0 }
    }
}
