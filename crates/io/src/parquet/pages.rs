//! Where the pages of a column chunk lie, so that a range of a row group's rows can be read alone.
//!
//! The table comes from the file's offset index. Where a file has none, the page headers are walked:
//! that tells the rows of a page for flat columns only. A column without a table is fetched whole.
//!
//! A unit's tables travel behind its bytes, so that decoding needs neither I/O nor shared state:
//!
//! ```text
//!   Fetched: [ chunk or page bytes .. ] [ at the offset where the file ends: encoded tables ]
//! ```

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use dframe_core::Result;
use parquet::column::page::PageReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::page_index::index_reader::decode_offset_index;
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::reader::{ChunkReader, Length, SerializedPageReader};

use super::footer::guard;
use crate::file::OpenFile;

/// The data pages of a column chunk, in order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PageTable {
    pub(super) leaf: usize,
    pub(super) locations: Vec<PageLocation>,
}

impl PageTable {
    /// The table of a column chunk; `None` where it cannot be known.
    pub(super) fn read(
        file: &OpenFile,
        row_group: &RowGroupMetaData,
        leaf: usize,
    ) -> Result<Option<Self>> {
        let chunk = row_group.column(leaf);
        let rows = row_group.num_rows();
        if let Some(table) = Self::read_index(file, chunk, leaf)?
            && table.is_plausible(chunk, rows)
        {
            return Ok(Some(table));
        }
        if chunk.column_descr().max_rep_level() > 0 {
            return Ok(None);
        }
        let walked = guard(|| Self::walk(file, chunk, leaf, rows)).ok();
        Ok(walked.filter(|table| table.is_plausible(chunk, rows)))
    }

    fn read_index(
        file: &OpenFile,
        chunk: &ColumnChunkMetaData,
        leaf: usize,
    ) -> Result<Option<Self>> {
        let Some(range) = chunk.offset_index_range().filter(|range| range.end <= file.length)
        else {
            return Ok(None);
        };
        let bytes = file.read(range.start, range.end - range.start)?;
        let index = guard(|| decode_offset_index(&bytes)).ok();
        Ok(index.map(|index| Self { leaf, locations: index.page_locations().clone() }))
    }

    /// Walks the page headers. A page ends where the next begins.
    fn walk(
        file: &OpenFile,
        chunk: &ColumnChunkMetaData,
        leaf: usize,
        rows: i64,
    ) -> Result<Self, ParquetError> {
        let reads = Arc::new(HeaderOffsets { file, last: AtomicU64::new(0) });
        let mut pages = SerializedPageReader::new(reads.clone(), chunk, rows as usize, None)?;
        let mut locations: Vec<PageLocation> = Vec::new();
        let mut first_row_index = 0;
        while let Some(page) = pages.peek_next_page()? {
            if !page.is_dict {
                let offset = reads.last.load(Ordering::Relaxed) as i64;
                locations.push(PageLocation { offset, compressed_page_size: 0, first_row_index });
                first_row_index += page.num_rows.or(page.num_levels).unwrap_or(0) as i64;
            }
            pages.skip_next_page()?;
        }
        let mut end = chunk_range(chunk).end as i64;
        for location in locations.iter_mut().rev() {
            location.compressed_page_size = i32::try_from(end - location.offset)?;
            end = location.offset;
        }
        if first_row_index != rows {
            return Err(ParquetError::General("pages and rows do not agree".to_string()));
        }
        Ok(Self { leaf, locations })
    }

    /// Whether the pages lie in the chunk, one after the other, and begin at row 0.
    fn is_plausible(&self, chunk: &ColumnChunkMetaData, rows: i64) -> bool {
        let whole = chunk_range(chunk);
        let mut offset = whole.start as i64;
        let mut row = -1;
        let in_order = self.locations.iter().all(|page| {
            let fits = page.offset >= offset && page.compressed_page_size > 0;
            let grows = page.first_row_index > row && page.first_row_index < rows;
            offset = page.offset.saturating_add(i64::from(page.compressed_page_size));
            row = page.first_row_index;
            fits && grows
        });
        let starts = self.locations.first().is_some_and(|page| page.first_row_index == 0);
        in_order && starts && offset <= whole.end as i64
    }

    /// The positions of the pages that hold any of `rows`.
    pub(super) fn pages_of(&self, rows: &Range<u64>) -> Range<usize> {
        let after = |row: u64| self.locations.partition_point(|p| p.first_row_index <= row as i64);
        let first = after(rows.start).saturating_sub(1);
        first..self.locations.partition_point(|p| p.first_row_index < rows.end as i64).max(first)
    }

    /// The bytes to fetch for `rows`: the dictionary, if there is one, and the pages.
    pub(super) fn byte_ranges(
        &self,
        chunk: &ColumnChunkMetaData,
        rows: &Range<u64>,
    ) -> impl Iterator<Item = Range<u64>> {
        let start = chunk_range(chunk).start;
        let first = self.locations[0].offset as u64;
        let pages = &self.locations[self.pages_of(rows)];
        let data = pages.first().zip(pages.last()).map(|(first, last)| {
            first.offset as u64..last.offset as u64 + last.compressed_page_size as u64
        });
        (first > start).then_some(start..first).into_iter().chain(data)
    }
}

/// Where a column chunk lies in its file. Nonsense offsets come out as an empty range.
pub(super) fn chunk_range(chunk: &ColumnChunkMetaData) -> Range<u64> {
    let start = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
    match (u64::try_from(start), u64::try_from(chunk.compressed_size())) {
        (Ok(start), Ok(length)) => start..start.saturating_add(length),
        _ => 0..0,
    }
}

/// Tables as bytes, to travel with a unit.
pub(super) fn encode(tables: &[PageTable]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u32_le(tables.len() as u32);
    for table in tables {
        out.put_u32_le(table.leaf as u32);
        out.put_u32_le(table.locations.len() as u32);
        for page in &table.locations {
            out.put_i64_le(page.offset);
            out.put_i32_le(page.compressed_page_size);
            out.put_i64_le(page.first_row_index);
        }
    }
    out.freeze()
}

/// The tables that [`encode`] wrote.
pub(super) fn decode(mut bytes: Bytes) -> Vec<PageTable> {
    let page = |bytes: &mut Bytes| PageLocation {
        offset: bytes.get_i64_le(),
        compressed_page_size: bytes.get_i32_le(),
        first_row_index: bytes.get_i64_le(),
    };
    let table = |bytes: &mut Bytes| {
        let leaf = bytes.get_u32_le() as usize;
        let count = bytes.get_u32_le();
        PageTable { leaf, locations: (0..count).map(|_| page(bytes)).collect() }
    };
    let count = bytes.get_u32_le();
    (0..count).map(|_| table(&mut bytes)).collect()
}

/// Remembers where the last page header was read, which the page reader does not tell.
struct HeaderOffsets<'a> {
    file: &'a OpenFile,
    last: AtomicU64,
}

impl Length for HeaderOffsets<'_> {
    fn len(&self) -> u64 {
        self.file.length
    }
}

impl ChunkReader for HeaderOffsets<'_> {
    type T = <OpenFile as ChunkReader>::T;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        self.last.store(start, Ordering::Relaxed);
        self.file.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.file.get_bytes(start, length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_travel_and_find_pages() {
        let page = |offset, first_row_index| PageLocation {
            offset,
            compressed_page_size: 10,
            first_row_index,
        };
        let locations = vec![page(20, 0), page(30, 100), page(40, 250)];
        let table = PageTable { leaf: 3, locations };
        assert_eq!(decode(encode(std::slice::from_ref(&table))), std::slice::from_ref(&table));
        for (rows, pages) in [(0..1, 0..1), (99..100, 0..1), (99..101, 0..2), (250..300, 2..3)] {
            assert_eq!(table.pages_of(&rows), pages, "{rows:?}");
        }
    }
}
