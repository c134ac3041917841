//! Looks through a file once: where records begin, how many there are, what they are made of.
//!
//! Lines can be cut anywhere: a piece's first record is the one after its first line break. An array is
//! one piece; once it has been looked through it is read in as many units as lines.

use std::ops::Range;

use dframe_core::{Budget, CancelToken, Result};

use super::flaw::{Flaw, What};
use super::options::JsonOptions;
use super::records::{Layout, Next};
use super::scan::{self, Fault};
use super::shape::Shape;
use crate::text::{
    BadRows, Block, Blocks, Filled, Grain, Piece, TEXT_BYTES_MAX, TextFile, WINDOW_BYTES, Window,
};

/// What is held while a piece is looked through: longer records are looked at again, alone.
pub(super) const PIECE_BYTES_MAX: usize = 2 * WINDOW_BYTES;

/// A file whose layout is known.
#[derive(Clone, Debug)]
pub(super) struct Surveyed {
    pub(super) file: TextFile,
    pub(super) layout: Layout,
    /// Where its records begin.
    pub(super) start: u64,
    pub(super) grain: Grain,
}

impl Surveyed {
    pub(super) fn pieces(&self) -> Vec<Piece> {
        match self.layout {
            Layout::Lines => self.grain.pieces(&self.file, self.start),
            Layout::Array => vec![Piece { start: self.start, end: u64::MAX, is_first: true }],
        }
    }
}

/// Rows that are bad: how many, and the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) rows: u64,
    pub(super) first: Option<Flaw>,
}

/// What a piece holds.
#[derive(Clone, Debug)]
pub(super) struct Findings {
    pub(super) blocks: Blocks,
    /// Of its records.
    pub(super) shape: Shape,
    pub(super) bad: Bad,
    pub(super) flaw: Option<Flaw>,
}

/// Looks through pieces of a file.
pub(super) struct Look<'a> {
    pub(super) surveyed: &'a Surveyed,
    pub(super) options: &'a JsonOptions,
    pub(super) budget: &'a Budget,
    pub(super) cancel: &'a CancelToken,
}

impl Look<'_> {
    /// What is in the piece; `None` if a record takes more than is held.
    pub(super) fn within(&self, piece: Piece, bytes_max: usize) -> Result<Option<Findings>> {
        let mut walk = Walk::new(self, piece);
        Ok(match walk.run(bytes_max)? {
            Filled::Yes => Some(walk.findings),
            Filled::TooLarge => None,
        })
    }

    /// What is in the piece, however long its records are.
    pub(super) fn exactly(&self, piece: Piece) -> Result<Findings> {
        let mut walk = Walk::new(self, piece);
        if walk.run(TEXT_BYTES_MAX)? == Filled::TooLarge {
            walk.findings.flaw = Some(Flaw { offset: walk.at, what: What::TooLong });
        }
        Ok(walk.findings)
    }
}

/// Goes through the records of a piece.
struct Walk<'a> {
    look: &'a Look<'a>,
    piece: Piece,
    findings: Findings,
    /// Where in the text it is.
    at: u64,
    /// Where the next block begins.
    block_end: u64,
    /// Of a record that may be left out.
    scratch: Shape,
}

impl<'a> Walk<'a> {
    fn new(look: &'a Look<'a>, piece: Piece) -> Self {
        let findings = Findings {
            blocks: Blocks::new(0),
            shape: Shape::default(),
            bad: Bad::default(),
            flaw: None,
        };
        let scratch = Shape::default();
        Self { look, piece, findings, at: piece.start, block_end: 0, scratch }
    }

    fn run(&mut self, bytes_max: usize) -> Result<Filled> {
        // The byte before tells whether a line begins with the piece.
        let begin = if self.piece.is_first { self.piece.start } else { self.piece.start - 1 };
        let mut window = Window::new(&self.look.surveyed.file, begin, bytes_max, self.look.budget)?;
        self.fill(&mut window)?;
        if !self.piece.is_first && !self.to_line(&mut window)? {
            return Ok(Filled::Yes);
        }
        loop {
            let (text, base) = (window.text(), window.base());
            let done = self.records(text, base, window.is_last());
            self.at = base + done.bytes as u64;
            if done.is_over || self.findings.flaw.is_some() {
                return Ok(Filled::Yes);
            }
            window.advance(done.bytes);
            if self.fill(&mut window)? == Filled::TooLarge {
                return Ok(Filled::TooLarge);
            }
        }
    }

    fn fill(&self, window: &mut Window) -> Result<Filled> {
        self.look.cancel.check()?;
        window.fill()
    }

    /// Goes to the first line that begins within the piece; false if there is none.
    fn to_line(&self, window: &mut Window) -> Result<bool> {
        loop {
            match memchr::memchr(b'\n', window.text()) {
                Some(before) => {
                    window.advance(before + 1);
                    return Ok(window.base() < self.piece.end);
                }
                None if window.is_last() || window.base() >= self.piece.end => return Ok(false),
                None => window.advance(window.text().len()),
            }
            self.fill(window)?;
        }
    }

    /// Takes in the records of `text`, which begins at `base`.
    fn records(&mut self, text: &[u8], base: u64, is_last: bool) -> Done {
        let layout = self.look.surveyed.layout;
        let mut at = 0;
        loop {
            match layout.next(text, at, is_last) {
                Next::Record(record, next) => {
                    if self.is_beyond(&text[at..record.start], base + at as u64) {
                        return Done { bytes: at, is_over: true };
                    }
                    self.take(text, record, base, next - at);
                    if self.findings.flaw.is_some() {
                        return Done { bytes: at, is_over: true };
                    }
                    at = next;
                    self.findings.blocks.rows_end = base + at as u64;
                }
                Next::Open(open) if is_last => {
                    if layout == Layout::Array {
                        let offset = base + open as u64;
                        self.findings.flaw = Some(Flaw { offset, what: What::OpenArray });
                    }
                    return Done { bytes: open, is_over: true };
                }
                Next::Open(open) => return Done { bytes: open, is_over: false },
                Next::End(end) => {
                    if !text[end..].trim_ascii().is_empty() {
                        let offset = base + end as u64;
                        self.findings.flaw = Some(Flaw { offset, what: What::AfterArray });
                    }
                    return Done { bytes: end, is_over: true };
                }
            }
        }
    }

    /// Whether the line that begins after `before`, which is at `offset`, is the next piece's.
    fn is_beyond(&self, before: &[u8], offset: u64) -> bool {
        if offset + (before.len() as u64) < self.piece.end {
            return false;
        }
        let line = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        offset + line as u64 >= self.piece.end
    }

    /// Takes in a record, which takes `bytes` of the text with what is around it.
    fn take(&mut self, text: &[u8], record: Range<usize>, base: u64, bytes: usize) {
        let at = base + record.start as u64;
        if let Err(fault) = self.scan(&text[record]) {
            let flaw = Flaw { offset: at, what: What::Fault(fault) };
            if self.look.options.bad_rows == BadRows::Error || fault == Fault::Members {
                self.findings.flaw = Some(flaw);
                return;
            }
            self.findings.bad.rows += 1;
            self.findings.bad.first.get_or_insert(flaw);
            if self.look.options.bad_rows == BadRows::Skip {
                return;
            }
        }
        let blocks = &mut self.findings.blocks;
        if at >= self.block_end {
            blocks.list.push(Block { start: at, first_row: blocks.rows });
            self.block_end = at.saturating_add(self.look.surveyed.grain.block_bytes);
        }
        blocks.rows += 1;
        blocks.record_bytes_max = blocks.record_bytes_max.max(bytes as u64);
    }

    fn scan(&mut self, record: &[u8]) -> Result<(), Fault> {
        if self.look.options.bad_rows != BadRows::Error {
            // A record that is left out must leave nothing behind.
            scan::record(record, &mut self.scratch)?;
        }
        scan::record(record, &mut self.findings.shape)
    }
}

/// How far a text was gone through.
struct Done {
    bytes: usize,
    /// Whether the piece ends there.
    is_over: bool,
}
