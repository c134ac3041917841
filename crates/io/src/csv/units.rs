//! Which stretches of the files are units, and which units a partition.
//!
//! ```text
//!   blocks |.|.|.|.|.|.|.|.|   --as many as fit--> units --as many rows as wanted--> partitions
//! ```

use std::ops::Range;

use dframe_core::{Error, Result};
use dframe_plan::{Partitions, ScanRequest, ScanUnit};

use super::CsvSource;
use super::decode::BatchSize;
use super::source_file::SourceFile;
use super::window::WINDOW_BYTES;
use crate::partitioning::{PARTITION_ROWS_MIN, Partitioner, position};

/// The text of a unit: what is larger is not in the cache when it is decoded.
const UNIT_TEXT_MAX: u64 = 2 << 20;
/// The text of a batch.
const BATCH_TEXT_MAX: u64 = 2 << 20;
/// What a value takes while a batch is made: where it lies, the value, its part of a bitmap.
const VALUE_BYTES: u64 = 8 + 16 + 1;

/// The size of the batches of a scan: few rows where there are many columns.
pub(super) fn batch_size(request: &ScanRequest) -> BatchSize {
    let bytes = (request.unit_bytes / 8).clamp(64 << 10, BATCH_TEXT_MAX);
    let row = request.projection.len().max(1) as u64 * VALUE_BYTES;
    let rows = (2 * bytes / row).clamp(1, request.batch_rows.max(1) as u64);
    BatchSize { rows: rows as usize, bytes: bytes as usize }
}

/// The bytes that decoding a unit of `fetch_bytes` holds.
fn decode_bytes(request: &ScanRequest, file: &SourceFile, fetch_bytes: u64) -> u64 {
    let batch = batch_size(request);
    let batch_text = batch.bytes as u64 + file.record_bytes_max;
    let text = match file.file.is_plain() {
        true => batch_text.min(fetch_bytes),
        // A window holds two records at most when one of them makes it grow.
        false => file.file.packing.reader_bytes() + WINDOW_BYTES as u64 + batch_text * 3,
    };
    let values = batch.rows as u64 * request.projection.len() as u64 * VALUE_BYTES;
    let fields = file.header.names.len() as u64 * 8;
    text + values + fields
}

/// The partitions of a scan.
pub(super) fn partitions(source: &CsvSource, request: &ScanRequest) -> Partitions {
    let mut split = Split { request, out: Partitioner::new(request, source.rows) };
    for (index, file) in source.files.iter().enumerate() {
        split.add_file(index as u32, file);
    }
    split.out.finish()
}

struct Split<'a> {
    request: &'a ScanRequest,
    out: Partitioner,
}

impl Split<'_> {
    fn add_file(&mut self, index: u32, file: &SourceFile) {
        let mut first = 0;
        while first < file.blocks.len() && !self.out.is_full() {
            let end = self.unit_end(file, first);
            self.add_unit(index, file, first..end);
            first = end;
        }
    }

    /// The block after the unit that begins with the block `first`.
    fn unit_end(&self, file: &SourceFile, first: usize) -> usize {
        let bytes_max = (self.request.unit_bytes / 2).min(UNIT_TEXT_MAX);
        let rows_max = (self.out.remaining() / 8).max(PARTITION_ROWS_MIN).min(self.out.limit());
        let mut end = first + 1;
        while end < file.blocks.len()
            && file.blocks_end(end).start - file.blocks[first].start <= bytes_max
            && file.blocks[end].first_row - file.blocks[first].first_row < rows_max
        {
            end += 1;
        }
        end
    }

    fn add_unit(&mut self, index: u32, file: &SourceFile, blocks: Range<usize>) {
        let (start, end) = (file.blocks[blocks.start], file.blocks_end(blocks.end - 1));
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

/// Where a unit's rows are in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UnitText {
    /// The bytes of the blocks that they are in.
    pub(super) bytes: Range<u64>,
    /// The rows in there that are before the unit's.
    pub(super) skip: u64,
}

/// Finds a unit's rows, which may be fewer than those of its blocks.
pub(super) fn unit_text(file: &SourceFile, unit: &ScanUnit) -> Result<UnitText> {
    let unknown = || Error::internal(format!("there is no unit {} in a file", unit.row_group));
    let before = file.blocks.get(unit.row_group as usize).ok_or_else(unknown)?.first_row;
    let (start, end) = (before + unit.rows.start, before + unit.rows.end);
    let first = file.blocks.partition_point(|block| block.first_row <= start) - 1;
    let after = file.blocks.partition_point(|block| block.first_row < end);
    let bytes = file.blocks[first].start..file.blocks_end(after - 1).start;
    Ok(UnitText { bytes, skip: start - file.blocks[first].first_row })
}
