//! Looks through a file once: where records begin, how many there are, of what kinds their fields are.
//!
//! ```text
//!   file    |--- piece 0 ---|--- piece 1 ---|--- piece 2 ---|      looked through side by side
//!   guesses ^ known         ^ a guess       ^ a guess              where the first record begins
//!   check     next record = the guess? if not, the piece is looked through again from there
//! ```
//!
//! A quote far before may change what a line break means, so where a piece's first record begins is
//! a guess. What has been found counts only if the piece before ends where the guess was, so that a
//! wrong guess costs time and nothing else. Knows nothing of threads: pieces can be looked through in
//! any order, by anybody.

use dframe_core::{Budget, CancelToken, Result};

use super::flaw::{Flaw, What};
use super::header::Header;
use super::options::CsvOptions;
use super::records::{Fault, Marks, Next, Span, Splitter, first_record};
use crate::text::{
    BadRows, Block, Blocks, Filled, Grain, Kinds, Piece, TEXT_BYTES_MAX, TextFile, WINDOW_BYTES,
    Window,
};

/// What is held for a guess: more would have to be read again if it is wrong.
pub(super) const GUESS_BYTES_MAX: usize = 2 * WINDOW_BYTES;
/// The records that a guess is judged by.
const GUESS_RECORDS: usize = 16;

/// A file whose header is known.
#[derive(Clone, Debug)]
pub(super) struct Surveyed {
    pub(super) file: TextFile,
    pub(super) header: Header,
    pub(super) marks: Marks,
    pub(super) grain: Grain,
}

/// What a piece holds, if its first record begins where it was thought to.
#[derive(Clone, Debug)]
pub(super) struct Findings {
    /// Where the first record of the piece begins, or the first one after it if none does.
    pub(super) first: u64,
    /// Its rows, and where the first record after it begins.
    pub(super) blocks: Blocks,
    /// Of each column.
    pub(super) kinds: Vec<Kinds>,
    pub(super) flaw: Option<Flaw>,
    /// The rows that are bad and no error, and the first of them.
    pub(super) bad: Bad,
}

/// Rows that are bad: how many, and the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) rows: u64,
    pub(super) first: Option<Flaw>,
}

impl Surveyed {
    /// The pieces of the file's rows.
    pub(super) fn pieces(&self) -> Vec<Piece> {
        self.grain.pieces(&self.file, self.header.rows_start)
    }
}

/// Looks through pieces of a file.
pub(super) struct Look<'a> {
    pub(super) surveyed: &'a Surveyed,
    pub(super) options: &'a CsvOptions,
    pub(super) budget: &'a Budget,
    pub(super) cancel: &'a CancelToken,
}

impl Look<'_> {
    /// What is in the piece if a record begins where it seems so; `None` if that cannot be told from
    /// so many bytes at once as are held for a guess.
    pub(super) fn guess(&self, piece: Piece) -> Result<Option<Findings>> {
        // The byte before tells whether a line begins with the piece.
        let begin = if piece.is_first { piece.start } else { piece.start - 1 };
        let mut window = self.window(begin, GUESS_BYTES_MAX)?;
        self.fill(&mut window)?;
        if !piece.is_first {
            let Some(first) = self.likely_start(&window) else { return Ok(None) };
            window.advance(first);
        }
        let mut walk = Walk::new(self, piece);
        Ok(match walk.run(&mut window)? {
            Filled::Yes => Some(walk.findings),
            Filled::TooLarge => None,
        })
    }

    /// What is in the piece, whose first record begins at `first`.
    pub(super) fn exactly(&self, piece: Piece, first: u64) -> Result<Findings> {
        let mut window = self.window(first, TEXT_BYTES_MAX)?;
        self.fill(&mut window)?;
        let mut walk = Walk::new(self, piece);
        if walk.run(&mut window)? == Filled::TooLarge {
            walk.findings.flaw = Some(Flaw { offset: window.base(), what: What::TooLong });
        }
        Ok(walk.findings)
    }

    /// Of columns whose type was asked for there is nothing to find out.
    fn kinds_known(&self) -> Vec<Kinds> {
        let is_given = |name: &String| self.options.types.iter().any(|(given, _)| given == name);
        let kind = |name| if is_given(name) { Kinds::TEXT } else { Kinds::NONE };
        self.surveyed.header.names.iter().map(kind).collect()
    }

    fn window(&self, offset: u64, bytes_max: usize) -> Result<Window> {
        Window::new(&self.surveyed.file, offset, bytes_max, self.budget)
    }

    fn fill(&self, window: &mut Window) -> Result<Filled> {
        self.cancel.check()?;
        window.fill()
    }

    fn splitter<'t>(&self, text: &'t [u8], is_last: bool) -> Splitter<'t> {
        let splitter = Splitter::new(text, 0, self.surveyed.marks, is_last);
        splitter.keeping_empty(self.surveyed.header.names.len() == 1)
    }

    /// Where in the window a record seems to begin: outside of quotes, unless what follows looks
    /// better when it is assumed that the piece begins within quotes.
    fn likely_start(&self, window: &Window) -> Option<usize> {
        let text = window.text();
        let start = |in_quotes| first_record(text, in_quotes, self.surveyed.marks);
        let (outside, within) = (start(false), start(true));
        let (Some(out), Some(inner)) = (outside, within) else { return outside.or(within) };
        let good = |at| self.good_records(&text[at..], window.is_last());
        Some(if out != inner && good(inner) > good(out) { inner } else { out })
    }

    /// How many of the first records are whole.
    fn good_records(&self, text: &[u8], is_last: bool) -> usize {
        let mut splitter = self.splitter(text, is_last);
        let mut fields = Vec::new();
        let columns = self.surveyed.header.names.len();
        let mut is_good = || {
            let next = splitter.next(&mut fields);
            matches!(next, Next::Record { fault: None, .. }) && fields.len() == columns
        };
        (0..GUESS_RECORDS).take_while(|_| is_good()).count()
    }
}

/// Goes through the records of a piece.
struct Walk<'a> {
    look: &'a Look<'a>,
    piece: Piece,
    findings: Findings,
    /// Where the next block begins.
    block_end: u64,
}

impl<'a> Walk<'a> {
    fn new(look: &'a Look<'a>, piece: Piece) -> Self {
        let findings = Findings {
            first: u64::MAX,
            blocks: Blocks::new(u64::MAX),
            kinds: look.kinds_known(),
            flaw: None,
            bad: Bad::default(),
        };
        Self { look, piece, findings, block_end: 0 }
    }

    /// From where the window is to the end of the piece, or to the first flaw.
    fn run(&mut self, window: &mut Window) -> Result<Filled> {
        let mut fields = Vec::new();
        loop {
            let (text, base, is_last) = (window.text(), window.base(), window.is_last());
            let done = self.records(text, base, is_last, &mut fields);
            self.check_text(&text[..done.bytes], base);
            if done.is_over || self.findings.flaw.is_some() {
                return Ok(Filled::Yes);
            }
            window.advance(done.bytes);
            if self.look.fill(window)? == Filled::TooLarge {
                return Ok(Filled::TooLarge);
            }
        }
    }

    /// Takes in the records of `text`, which begins at `base`.
    fn records(&mut self, text: &[u8], base: u64, is_last: bool, fields: &mut Vec<Span>) -> Done {
        let mut splitter = self.look.splitter(text, is_last);
        loop {
            match splitter.next(fields) {
                Next::Record { start, end, fault } => {
                    let at = base + start as u64;
                    self.findings.first = self.findings.first.min(at);
                    if at >= self.piece.end {
                        self.findings.blocks.rows_end = at;
                        return Done { bytes: start, is_over: true };
                    }
                    match self.judge(fields, fault, at) {
                        Judged::Row => {
                            self.take(at, (end - start) as u64);
                            self.look_at(text, fields);
                        }
                        Judged::Skipped => (),
                        Judged::Flawed => return Done { bytes: start, is_over: true },
                    }
                }
                Next::Open(_) if is_last => {
                    let end = base + text.len() as u64;
                    self.findings.first = self.findings.first.min(end);
                    self.findings.blocks.rows_end = end;
                    return Done { bytes: text.len(), is_over: true };
                }
                Next::Open(at) => return Done { bytes: at, is_over: false },
            }
        }
    }

    fn flaw(&self, fields: &[Span], fault: Option<Fault>) -> Option<What> {
        let wanted = self.findings.kinds.len();
        match fault {
            Some(Fault::AfterQuote(column)) => Some(What::AfterQuote { column: column as usize }),
            Some(Fault::Unclosed) => Some(What::Unclosed { column: fields.len() - 1 }),
            None if fields.len() != wanted => Some(What::Fields { found: fields.len(), wanted }),
            None => None,
        }
    }

    /// Whether a record is a row, or what is done about it.
    fn judge(&mut self, fields: &[Span], fault: Option<Fault>, offset: u64) -> Judged {
        let Some(what) = self.flaw(fields, fault) else { return Judged::Row };
        let flaw = Flaw { offset, what };
        let judged = match self.look.options.bad_rows {
            _ if matches!(what, What::Unclosed { .. }) => Judged::Flawed,
            BadRows::Error => Judged::Flawed,
            BadRows::Skip => Judged::Skipped,
            BadRows::Null => Judged::Row,
        };
        if judged == Judged::Flawed {
            self.findings.flaw = Some(flaw);
        } else {
            self.findings.bad.rows += 1;
            self.findings.bad.first.get_or_insert(flaw);
        }
        judged
    }

    /// Counts a record.
    fn take(&mut self, at: u64, bytes: u64) {
        let blocks = &mut self.findings.blocks;
        if at >= self.block_end {
            blocks.list.push(Block { start: at, first_row: blocks.rows });
            self.block_end = at.saturating_add(self.look.surveyed.grain.block_bytes);
        }
        blocks.rows += 1;
        blocks.record_bytes_max = blocks.record_bytes_max.max(bytes);
    }

    /// Adds the kinds of the record's fields.
    #[inline]
    fn look_at(&mut self, text: &[u8], fields: &[Span]) {
        for (kinds, span) in self.findings.kinds.iter_mut().zip(fields) {
            if kinds.is_text() {
                continue;
            }
            let field = &text[span.range()];
            if span.is_quoted() || !self.look.options.is_null(field) {
                *kinds = *kinds | Kinds::of_field(field);
            }
        }
    }

    /// Checks that the records are UTF-8; what comes first in the file is the flaw.
    fn check_text(&mut self, text: &[u8], base: u64) {
        let Err(error) = std::str::from_utf8(text) else { return };
        let bad = error.valid_up_to();
        let mut splitter = self.look.splitter(text, true);
        let mut fields = Vec::new();
        while let Next::Record { start, end, .. } = splitter.next(&mut fields) {
            if end > bad {
                let column = fields.iter().position(|span| span.range().end > bad);
                let what = What::NotText { column: column.unwrap_or(0) };
                self.findings.flaw = Some(Flaw { offset: base + start as u64, what });
                return;
            }
        }
    }
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    Row,
    Skipped,
    Flawed,
}

/// How far a text was gone through.
struct Done {
    bytes: usize,
    /// Whether the piece ends there.
    is_over: bool,
}
