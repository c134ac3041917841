//! Which stretches of the files are units, and which units a partition.
//!
//! ```text
//!   blocks |.|.|.|.|.|.|.|.|   --as many as fit--> units --as many rows as wanted--> partitions
//! ```

use std::ops::Range;

use dframe_plan::{Partitions, ScanRequest, ScanUnit};

use super::blocks::Blocks;
use super::file::TextFile;
use super::window::WINDOW_BYTES;
use crate::partitioning::{PARTITION_ROWS_MIN, Partitioner, position};

/// The text of a unit: what is larger is not in the cache when it is decoded.
const UNIT_TEXT_MAX: u64 = 2 << 20;
/// The text of a batch.
const BATCH_TEXT_MAX: u64 = 2 << 20;
/// What a value takes while a batch is made: where it lies, the value, its part of a bitmap.
const VALUE_BYTES: u64 = 8 + 16 + 1;

/// A file that is cut into units.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnitFile<'a> {
    pub(crate) file: &'a TextFile,
    pub(crate) blocks: &'a Blocks,
    /// The bytes that a decoder holds besides the text and the values: so many,
    pub(crate) decoder_bytes: u64,
    /// and so many for each byte of a batch's text.
    pub(crate) decoder_share: u64,
}

/// Where a batch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchSize {
    pub(crate) rows: usize,
    /// A row that begins beyond so many bytes of text is in the next batch.
    pub(crate) bytes: usize,
}

/// The size of the batches of a scan: few rows where there are many columns.
pub(crate) fn batch_size(request: &ScanRequest) -> BatchSize {
    let bytes = (request.unit_bytes / 8).clamp(64 << 10, BATCH_TEXT_MAX);
    let row = request.projection.len().max(1) as u64 * VALUE_BYTES;
    let rows = (2 * bytes / row).clamp(1, request.batch_rows.max(1) as u64);
    BatchSize { rows: rows as usize, bytes: bytes as usize }
}

/// The bytes that decoding a unit of `fetch_bytes` holds.
fn decode_bytes(request: &ScanRequest, file: UnitFile<'_>, fetch_bytes: u64) -> u64 {
    let batch = batch_size(request);
    let batch_text = batch.bytes as u64 + file.blocks.record_bytes_max;
    let (text, decoded) = match file.file.is_plain() {
        true => (batch_text.min(fetch_bytes), batch_text.min(fetch_bytes)),
        // A window holds two records at most when one of them makes it grow.
        false => {
            let reader = file.file.packing.reader_bytes() + WINDOW_BYTES as u64;
            (reader + batch_text * 3, batch_text)
        }
    };
    let values = batch.rows as u64 * request.projection.len() as u64 * VALUE_BYTES;
    text + values + file.decoder_bytes + decoded * file.decoder_share
}

/// The partitions of a scan of files.
pub(crate) fn partitions<'a>(
    files: impl IntoIterator<Item = UnitFile<'a>> + Clone,
    request: &ScanRequest,
) -> Partitions {
    let rows = files.clone().into_iter().map(|file| file.blocks.rows).sum();
    let mut split = Split { request, out: Partitioner::new(request, rows) };
    for (index, file) in files.into_iter().enumerate() {
        split.add_file(index as u32, file);
    }
    split.out.finish()
}

struct Split<'a> {
    request: &'a ScanRequest,
    out: Partitioner,
}

impl Split<'_> {
    fn add_file(&mut self, index: u32, file: UnitFile<'_>) {
        let mut first = 0;
        while first < file.blocks.list.len() && !self.out.is_full() {
            let end = self.unit_end(file, first);
            self.add_unit(index, file, first..end);
            first = end;
        }
    }

    /// The block after the unit that begins with the block `first`.
    fn unit_end(&self, file: UnitFile<'_>, first: usize) -> usize {
        let bytes_max = (self.request.unit_bytes / 2).min(UNIT_TEXT_MAX);
        let rows_max = (self.out.remaining() / 8).max(PARTITION_ROWS_MIN).min(self.out.limit());
        let (blocks, mut end) = (&file.blocks.list, first + 1);
        while end < blocks.len()
            && file.blocks.end_of(end).start - blocks[first].start <= bytes_max
            && blocks[end].first_row - blocks[first].first_row < rows_max
        {
            end += 1;
        }
        end
    }

    fn add_unit(&mut self, index: u32, file: UnitFile<'_>, blocks: Range<usize>) {
        let (start, end) = (file.blocks.list[blocks.start], file.blocks.end_of(blocks.end - 1));
        let rows = end.first_row - start.first_row;
        let is_fetched = !self.request.projection.is_empty() && file.file.is_plain();
        let fetch_bytes = if is_fetched { end.start - start.start } else { 0 };
        self.out.count(true);
        self.out.pass(rows);
        self.out.add(ScanUnit {
            file: index,
            row_group: blocks.start as u32,
            position: position(index, start.first_row),
            rows: 0..rows,
            batch_rows: batch_size(self.request).rows,
            fetch_bytes,
            decode_bytes: decode_bytes(self.request, file, fetch_bytes),
        });
    }
}
