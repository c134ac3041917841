//! Cuts a source into units and groups them into partitions.
//!
//! ```text
//!   row groups --prune--> row ranges --cut to bytes and rows--> units --group to rows--> partitions
//! ```

use std::ops::Range;
use std::sync::Arc;

use dframe_core::Result;
use dframe_plan::{Partitions, ScanRequest, ScanUnit};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};

use super::bounds::BoundsOf;
use super::fetch::unit_ranges;
use super::footer::SourceFile;
use super::pages::{PageTable, chunk_range};
use super::survivors::{Pruner, whole};
use super::{ParquetSource, leaves_of};
use crate::file::coalesce;
use crate::partitioning::{Partitioner, position};

/// The rows below which cutting a row group costs more (its dictionaries are decoded again in every
/// piece) than an idle core at the end.
const PIECE_ROWS_MIN: u64 = 256 << 10;
/// The rows of a piece at most, unless partitions are larger.
const PIECE_ROWS_MAX: u64 = 1 << 20;
/// The same where each piece is a partition of its own: what comes of its rows waits until they are all there.
const OWN_PIECE_ROWS_MAX: u64 = PIECE_ROWS_MIN;
/// One part in so many of the bytes of a unit is as much as a batch may take.
const BATCH_SHARE: u64 = 4;
/// The rows of a batch at least, however wide.
const BATCH_ROWS_MIN: u64 = 64;
/// A page is assumed to be this large, decompressed, when nobody has counted the pages.
const PAGE_BYTES: u64 = 2 << 20;

/// The partitions of a scan.
pub(super) fn partitions(source: &ParquetSource, request: &ScanRequest) -> Result<Partitions> {
    let fields = source.fields(request)?;
    let mut split = Split::new(source, request);
    for (index, file) in source.files.iter().enumerate() {
        if split.out.is_full() {
            break;
        }
        let metadata = file.metadata()?;
        let leaves = leaves_of(file, &fields);
        let job = FileJob { index: index as u32, file, metadata: &metadata, leaves: &leaves };
        split.add_file(&job)?;
    }
    Ok(split.out.finish())
}

struct FileJob<'a> {
    index: u32,
    file: &'a SourceFile,
    metadata: &'a Arc<ParquetMetaData>,
    leaves: &'a [usize],
}

struct Split<'a> {
    request: &'a ScanRequest,
    pruner: Option<Pruner>,
    out: Partitioner,
}

impl<'a> Split<'a> {
    fn new(source: &ParquetSource, request: &'a ScanRequest) -> Self {
        Self {
            request,
            pruner: Pruner::new(&request.filters, source.schema.clone()),
            out: Partitioner::new(request, source.rows),
        }
    }

    fn add_file(&mut self, job: &FileJob<'_>) -> Result<()> {
        let mut first_row = 0u64;
        for (index, row_group) in job.metadata.row_groups().iter().enumerate() {
            if self.out.is_full() {
                return Ok(());
            }
            let rows = row_group.num_rows() as u64;
            if rows > 0 {
                let ranges = self.survivors(job, index, rows)?;
                self.out.count(!ranges.is_empty());
                for range in ranges {
                    let piece = Piece { job, row_group, index: index as u32, first_row };
                    self.add_range(&piece, range)
                        .map_err(|error| error.file(&job.file.path).row_group(index))?;
                }
                self.out.pass(rows);
            }
            first_row += rows;
        }
        Ok(())
    }

    /// The ranges of the row group's rows that may match the filters.
    fn survivors(&self, job: &FileJob<'_>, row_group: usize, rows: u64) -> Result<Vec<Range<u64>>> {
        let Some(pruner) = &self.pruner else { return Ok(whole(rows)) };
        let place = BoundsOf { file: job.file, metadata: job.metadata, row_group };
        pruner.survivors(&place)
    }

    /// Cuts a range of a row group into units.
    fn add_range(&mut self, piece: &Piece<'_>, range: Range<u64>) -> Result<()> {
        // Of the last row group only the pages with rows that are wanted.
        let range = range.start..range.end.min(range.start.saturating_add(self.out.limit()));
        let batch_rows = piece.batch_rows(self.request);
        let whole = range.end - range.start == piece.row_group.num_rows() as u64;
        let rows_max = self.unit_rows_max();
        let cost = piece.whole_cost(batch_rows);
        let fits = cost.fetch + cost.decode <= self.request.unit_bytes;
        if whole && (piece.job.leaves.is_empty() || (fits && range.end < rows_max * 3 / 2)) {
            self.add_unit(piece, range, batch_rows, cost);
            return Ok(());
        }
        let cutter = Cutter::new(piece, batch_rows)?;
        let step = match cutter.is_useful() {
            true => cutter.rows_within(self.request.unit_bytes).min(rows_max).max(batch_rows),
            false => u64::MAX,
        };
        let mut start = range.start;
        while start < range.end && !self.out.is_full() {
            let end = cutter.end_of(start, step, range.end);
            self.add_unit(piece, start..end, batch_rows, cutter.cost(&(start..end)));
            start = end;
        }
        Ok(())
    }

    fn add_unit(&mut self, piece: &Piece<'_>, rows: Range<u64>, batch_rows: u64, cost: Cost) {
        self.out.add(ScanUnit {
            file: piece.job.index,
            row_group: piece.index,
            position: position(piece.job.index, piece.first_row + rows.start),
            rows,
            batch_rows: batch_rows as usize,
            fetch_bytes: cost.fetch,
            decode_bytes: cost.decode,
        });
    }

    /// The rows of a unit at most: fewer towards the end.
    fn unit_rows_max(&self) -> u64 {
        let most = match self.request.partition_rows {
            0..=1 => OWN_PIECE_ROWS_MAX,
            rows => rows.max(PIECE_ROWS_MAX),
        };
        (self.out.remaining() / 8).clamp(PIECE_ROWS_MIN, most)
    }
}

/// The bytes that a unit will hold.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    fetch: u64,
    decode: u64,
}

/// A row group that is being cut.
struct Piece<'a> {
    job: &'a FileJob<'a>,
    row_group: &'a RowGroupMetaData,
    index: u32,
    /// The row of the file at which the row group begins.
    first_row: u64,
}

impl Piece<'_> {
    fn chunks(&self) -> impl Iterator<Item = &ColumnChunkMetaData> {
        self.job.leaves.iter().map(|leaf| self.row_group.column(*leaf))
    }

    /// The rows of a batch: as many as wanted, unless they are so wide that a batch would be a good part of
    /// what a unit may take.
    fn batch_rows(&self, request: &ScanRequest) -> u64 {
        let rows = self.row_group.num_rows().max(1) as u64;
        let row_bytes = self.chunks().map(uncompressed).sum::<u64>() / rows;
        let fits = request.unit_bytes / BATCH_SHARE / row_bytes.max(1);
        fits.max(BATCH_ROWS_MIN).min(request.batch_rows as u64)
    }

    fn whole_cost(&self, batch_rows: u64) -> Cost {
        let length = |chunk| {
            let range = chunk_range(chunk);
            range.end - range.start
        };
        let decode = |chunk: &ColumnChunkMetaData| {
            decode_bytes(chunk, PAGE_BYTES.min(uncompressed(chunk)), batch_rows)
        };
        Cost { fetch: self.chunks().map(length).sum(), decode: self.chunks().map(decode).sum() }
    }
}

fn uncompressed(chunk: &ColumnChunkMetaData) -> u64 {
    u64::try_from(chunk.uncompressed_size()).unwrap_or(0)
}

/// What decoding a column holds at once: its dictionary (as a page and decoded), a page, and the
/// batch being filled.
fn decode_bytes(chunk: &ColumnChunkMetaData, page_bytes: u64, batch_rows: u64) -> u64 {
    let values = u64::try_from(chunk.num_values()).unwrap_or(0).max(1);
    let dictionary = match chunk.dictionary_page_offset() {
        Some(offset) => {
            let stored = chunk.data_page_offset().saturating_sub(offset).max(0) as u64;
            let ratio = uncompressed(chunk).div_ceil(chunk.compressed_size().max(1) as u64);
            stored.saturating_mul(ratio.clamp(1, 16)).saturating_mul(2)
        }
        None => 0,
    };
    let width = (uncompressed(chunk) / values).max(8);
    dictionary + page_bytes + width.saturating_mul(batch_rows.min(values))
}

/// Finds where a row group can be cut, from the page tables of the columns wanted.
struct Cutter<'a> {
    piece: &'a Piece<'a>,
    tables: Vec<PageTable>,
    /// The bytes per row of the columns that can be cut, compressed.
    row_bytes: f64,
    /// The bytes that every piece holds, however few its rows.
    fixed: u64,
    decode: u64,
    /// The bytes of columns that cannot be cut.
    uncut: u64,
}

impl<'a> Cutter<'a> {
    fn new(piece: &'a Piece<'a>, batch_rows: u64) -> Result<Self> {
        let open = piece.job.file.open()?;
        let mut cutter =
            Self { piece, tables: Vec::new(), row_bytes: 0.0, fixed: 0, decode: 0, uncut: 0 };
        let rows = piece.row_group.num_rows() as f64;
        for leaf in piece.job.leaves {
            let chunk = piece.row_group.column(*leaf);
            let range = chunk_range(chunk);
            let stored = range.end - range.start;
            let Some(table) = PageTable::read(&open, piece.row_group, *leaf)? else {
                cutter.uncut += stored;
                cutter.decode +=
                    decode_bytes(chunk, PAGE_BYTES.min(uncompressed(chunk)), batch_rows);
                continue;
            };
            let pages = table.locations.len() as u64;
            let page_bytes = (uncompressed(chunk) / pages * 2).min(uncompressed(chunk));
            cutter.decode += decode_bytes(chunk, page_bytes, batch_rows);
            // A cut falls inside a page of most columns: both neighbours read that page.
            cutter.fixed += stored / pages * 2 + table.locations[0].offset as u64 - range.start;
            cutter.row_bytes += stored as f64 / rows;
            cutter.tables.push(table);
        }
        cutter.fixed += cutter.uncut;
        Ok(cutter)
    }

    /// Whether cutting saves more reading than it repeats.
    fn is_useful(&self) -> bool {
        self.row_bytes * self.piece.row_group.num_rows() as f64 >= self.uncut as f64
    }

    /// The rows that fit in `bytes`. Where dictionaries alone do not fit, pieces are as large as half
    /// of what every piece repeats: smaller ones would read the same bytes over and over.
    fn rows_within(&self, bytes: u64) -> u64 {
        let free = bytes.saturating_sub(self.fixed + self.decode).max(self.fixed / 2);
        (free as f64 / self.row_bytes.max(1e-9)) as u64
    }

    /// The end of the piece that begins at `start`: a page boundary of the largest column if there is
    /// one within `step` rows.
    fn end_of(&self, start: u64, step: u64, end: u64) -> u64 {
        let furthest = start.saturating_add(step);
        if furthest >= end {
            return end;
        }
        let largest = self.tables.iter().max_by_key(|table| {
            let range = chunk_range(self.piece.row_group.column(table.leaf));
            range.end - range.start
        });
        let boundary = largest.map_or(0, |table| {
            let after = table.locations.partition_point(|p| p.first_row_index as u64 <= furthest);
            table.locations[after - 1].first_row_index as u64
        });
        if boundary > start { boundary } else { furthest }
    }

    fn cost(&self, rows: &Range<u64>) -> Cost {
        let whole = rows.end - rows.start == self.piece.row_group.num_rows() as u64;
        let tables: &[PageTable] = if whole { &[] } else { &self.tables };
        let mut ranges = unit_ranges(self.piece.row_group, rows, self.piece.job.leaves, tables);
        ranges.sort_by_key(|range| range.start);
        let data: u64 = coalesce(ranges).iter().map(|range| range.end - range.start).sum();
        let encoded: usize = tables.iter().map(|table| table.locations.len() * 20 + 8).sum();
        Cost { fetch: data + encoded as u64, decode: self.decode + 2 * encoded as u64 }
    }
}
