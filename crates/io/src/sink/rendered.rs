//! Text formats: workers render pieces of a few rows each, and what they render is written in order.
//!
//! ```text
//!   batches --cut--> pieces of about 1 MiB of text --workers: render--> in order --> Output
//! ```
//!
//! Pieces in work are counted: their rows and their text. The first one always goes; more of them at once only as
//! the memory limit lets them. It does not know the formats, and not how text is compressed.

use std::sync::Arc;

use arrow::array::RecordBatch;
use dframe_core::{Budget, Reservation, Result};

use super::in_order::InOrder;
use super::output::Output;
use super::{Sink, SinkOptions, SinkReport};

/// The text that a piece is to be.
const PIECE_BYTES: usize = 1 << 20;
/// One piece takes at most one part in so many of the memory limit.
const PIECE_SHARE: usize = 64;
/// The batches of a piece at most: those of a row or two have more around them than in them.
const PIECE_BATCHES: usize = 256;
/// The rows of the first pieces: how long they are is not known yet.
const FIRST_ROWS: usize = 1024;

/// A format.
pub(super) struct TextFormat {
    /// What comes before the rows.
    pub(super) begin: String,
    /// What comes between pieces.
    pub(super) between: &'static str,
    /// What comes after the rows.
    pub(super) end: &'static str,
    /// How rows become text.
    pub(super) render: Arc<dyn Render>,
}

/// Rows to text.
pub(super) trait Render: Send + Sync {
    /// Appends the rows, and says how many of their values are no numbers for the format.
    fn render(&self, rows: &RecordBatch, text: &mut Vec<u8>) -> Result<u64>;
}

/// Writes text.
pub(super) struct TextSink {
    output: Output,
    format: TextFormat,
    pieces: InOrder<Result<Piece>>,
    budget: Budget,
    /// The rows of the next piece, as far as they have come.
    next: Vec<RecordBatch>,
    next_rows: usize,
    /// The rows that a piece is to have, for it to be so many bytes of text.
    piece_rows: usize,
    piece_bytes: usize,
    is_begun: bool,
    rows: u64,
    not_numbers: u64,
}

/// What a worker has rendered.
struct Piece {
    rows: usize,
    text: Vec<u8>,
    not_numbers: u64,
    /// For the rows, then for the text.
    _held: Reservation,
}

impl TextSink {
    pub(super) fn new(
        mut output: Output,
        format: TextFormat,
        options: &SinkOptions,
    ) -> Result<Self> {
        output.put(format.begin.as_bytes())?;
        let budget = options.budget.clone().unwrap_or_else(Budget::unlimited);
        Ok(Self {
            output,
            format,
            pieces: InOrder::new(options.workers.clone()),
            piece_bytes: PIECE_BYTES.min(budget.limit() / PIECE_SHARE),
            budget,
            next: Vec::new(),
            next_rows: 0,
            piece_rows: FIRST_ROWS,
            is_begun: false,
            rows: 0,
            not_numbers: 0,
        })
    }

    /// Has the next piece rendered.
    fn start(&mut self) -> Result<()> {
        if self.next_rows == 0 {
            return Ok(());
        }
        let mut held = self.budget.reservation();
        while self.pieces.is_full() || !held.try_grow(2 * self.piece_bytes) {
            match self.pieces.take() {
                Some(piece) => self.put(piece?)?,
                None => break,
            }
        }
        let rows = std::mem::take(&mut self.next);
        self.next_rows = 0;
        let format = (self.format.render.clone(), self.format.between);
        self.pieces.start(move || rendered(&rows, format, held));
        while let Some(piece) = self.pieces.take_done() {
            self.put(piece?)?;
        }
        Ok(())
    }

    /// Writes what a worker has rendered.
    fn put(&mut self, piece: Piece) -> Result<()> {
        let Piece { rows, text, not_numbers, .. } = piece;
        if self.is_begun {
            self.output.put(self.format.between.as_bytes())?;
        }
        self.is_begun = true;
        self.output.put(&text)?;
        self.not_numbers += not_numbers;
        let wanted = self.piece_bytes as u128 * rows as u128 / text.len().max(1) as u128;
        self.piece_rows = usize::try_from(wanted).unwrap_or(usize::MAX).max(1);
        Ok(())
    }

    /// Writes all rows that have come.
    fn put_all(&mut self) -> Result<()> {
        self.start()?;
        while let Some(piece) = self.pieces.take() {
            self.put(piece?)?;
        }
        Ok(())
    }
}

fn rendered(
    batches: &[RecordBatch],
    (format, between): (Arc<dyn Render>, &'static str),
    mut held: Reservation,
) -> Result<Piece> {
    let (mut text, mut rows, mut not_numbers) = (Vec::with_capacity(held.bytes() / 2), 0, 0);
    for batch in batches {
        if rows > 0 {
            text.extend_from_slice(between.as_bytes());
        }
        not_numbers += format.render(batch, &mut text)?;
        rows += batch.num_rows();
    }
    let more = text.capacity().saturating_sub(held.bytes());
    held.try_grow(more);
    Ok(Piece { rows, text, not_numbers, _held: held })
}

impl Sink for TextSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut done = 0;
        while done < batch.num_rows() {
            let wanted = self.piece_rows.saturating_sub(self.next_rows).max(1);
            let count = wanted.min(batch.num_rows() - done);
            self.next.push(batch.slice(done, count));
            self.next_rows += count;
            done += count;
            if self.next_rows >= self.piece_rows || self.next.len() >= PIECE_BATCHES {
                self.start()?;
            }
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    fn settle(&mut self) -> Result<()> {
        self.put_all()?;
        self.output.settle()
    }

    fn bytes(&self) -> u64 {
        self.output.bytes()
    }

    fn finish(mut self: Box<Self>) -> Result<SinkReport> {
        self.put_all()?;
        self.output.put(self.format.end.as_bytes())?;
        let Self { output, not_numbers, rows, .. } = *self;
        Ok(SinkReport { not_numbers, ..output.finish(rows)? })
    }
}
