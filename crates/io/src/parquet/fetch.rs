//! Reads the bytes of a unit: few large positional reads, nothing decoded.

use std::ops::Range;

use bytes::Bytes;
use dframe_core::{Error, Fetched, Result};
use dframe_plan::ScanUnit;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::footer::SourceFile;
use super::pages::{PageTable, chunk_range, encode};
use crate::file::OpenFile;

/// Reads what decoding the unit's `leaves` needs: data, page tables, and the footer where the source
/// does not keep it.
pub(super) fn fetch(file: &SourceFile, unit: &ScanUnit, leaves: &[usize]) -> Result<Fetched> {
    let place = |error: Error| error.file(&file.path).row_group(unit.row_group as usize);
    let open = file.open()?;
    let footer = match &file.footer {
        Some(_) => None,
        None => Some(open.read(file.footer_offset(), file.footer_length)?),
    };
    let metadata = match &footer {
        Some(bytes) => file.parse(bytes)?,
        None => file.metadata()?,
    };
    let mut fetched = fetch_data(&open, &metadata, unit, leaves).map_err(place)?;
    fetched.ranges.extend(footer.map(|bytes| (file.footer_offset(), bytes)));
    fetched.ranges.sort_by_key(|(offset, _)| *offset);
    Ok(fetched)
}

fn fetch_data(
    open: &OpenFile,
    metadata: &ParquetMetaData,
    unit: &ScanUnit,
    leaves: &[usize],
) -> Result<Fetched> {
    let row_group = row_group_of(metadata, unit)?;
    let tables = unit_tables(open, row_group, &unit.rows, leaves)?;
    let mut ranges = unit_ranges(row_group, &unit.rows, leaves, &tables);
    if ranges.iter().any(|range| range.end > open.length) {
        return Err(Error::invalid_data("a column chunk lies beyond the end of the file")
            .remedy("copy or write the file again"));
    }
    ranges.sort_by_key(|range| range.start);
    let mut fetched = Fetched { ranges: open.read_ranges(ranges)? };
    if !tables.is_empty() {
        fetched.ranges.push((open.length, encode(&tables)));
    }
    Ok(fetched)
}

/// The row group of a unit.
pub(super) fn row_group_of<'a>(
    metadata: &'a ParquetMetaData,
    unit: &ScanUnit,
) -> Result<&'a RowGroupMetaData> {
    metadata.row_groups().get(unit.row_group as usize).ok_or_else(|| {
        Error::invalid_data("the row group is gone").remedy("the file has changed: run again")
    })
}

/// The page tables needed to read `rows` of a row group: none when it is read whole.
pub(super) fn unit_tables(
    open: &OpenFile,
    row_group: &RowGroupMetaData,
    rows: &Range<u64>,
    leaves: &[usize],
) -> Result<Vec<PageTable>> {
    if *rows == (0..row_group.num_rows() as u64) {
        return Ok(Vec::new());
    }
    let tables = leaves.iter().map(|leaf| PageTable::read(open, row_group, *leaf));
    tables.filter_map(Result::transpose).collect()
}

/// The bytes to read: the pages of columns with a table, the whole chunk of the others.
pub(super) fn unit_ranges(
    row_group: &RowGroupMetaData,
    rows: &Range<u64>,
    leaves: &[usize],
    tables: &[PageTable],
) -> Vec<Range<u64>> {
    let mut ranges = Vec::with_capacity(leaves.len());
    for leaf in leaves {
        let chunk = row_group.column(*leaf);
        match tables.iter().find(|table| table.leaf == *leaf) {
            Some(table) => ranges.extend(table.byte_ranges(chunk, rows)),
            None => ranges.push(chunk_range(chunk)),
        }
    }
    ranges
}

/// The part of `bytes` that begins at `offset` and reaches to the end of its range.
pub(super) fn tail_of(fetched: &Fetched, offset: u64) -> Option<Bytes> {
    let after = fetched.ranges.partition_point(|(start, _)| *start <= offset);
    let (start, bytes) = fetched.ranges.get(after.checked_sub(1)?)?;
    let begin = usize::try_from(offset - start).ok()?;
    (begin <= bytes.len()).then(|| bytes.slice(begin..))
}
