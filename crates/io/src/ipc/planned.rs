//! An array as it lies in the body of a message: which bytes of the file it is made of.
//!
//! ```text
//!   head of a message: nodes (length, nulls)*, buffers (offset, length)*   in the order of columns
//!   column VARCHAR, rows 64..128:   validity[8..16]  offsets[64..=128]  text[first..last]
//! ```
//!
//! Buffers of a batch that is not compressed can be read for a range of its rows: so a batch of
//! any size is read in pieces, and columns that are not wanted not at all. (The decoder of the `arrow`
//! crate wants the whole body in one buffer, which is why it is not used here.)

use std::collections::VecDeque;
use std::ops::Range;

use arrow::datatypes::{DataType, Field, SchemaRef, UnionMode};
use arrow::ipc::{Buffer, FieldNode, MetadataVersion, RecordBatch};
use bytes::Bytes;
use dframe_core::{Error, Result};

use super::corrupt;

/// An array that could be made of bytes of the file.
#[derive(Debug)]
pub(super) struct Planned {
    /// Its type, as it was written.
    pub(super) data_type: DataType,
    pub(super) rows: usize,
    pub(super) has_nulls: bool,
    /// The number of its dictionary, if it has one.
    pub(super) dictionary: Option<i64>,
    pub(super) parts: Vec<Part>,
    pub(super) children: Vec<Planned>,
}

/// The part of a buffer that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Where it is in the file.
    pub(super) bytes: Range<u64>,
    /// What offsets that point into it are too large by.
    pub(super) base: u64,
}

/// Reads some bytes of the file.
pub(super) type Read<'a> = dyn FnMut(Range<u64>) -> Result<Bytes> + 'a;

/// How exactly the parts of a batch that is cut are to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    /// As they will be read.
    Exact,
    /// Where it would take reading columns, about: enough to know what they cost.
    Cost,
}

/// Goes through the columns of a batch.
pub(super) struct Walk<'a> {
    nodes: std::vec::IntoIter<FieldNode>,
    buffers: std::vec::IntoIter<Buffer>,
    variadic: VecDeque<i64>,
    version: MetadataVersion,
    /// Where the body is in the file.
    body: Range<u64>,
    precision: Precision,
    read: &'a mut Read<'a>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        batch: RecordBatch<'_>,
        version: MetadataVersion,
        body: Range<u64>,
        precision: Precision,
        read: &'a mut Read<'a>,
    ) -> Self {
        let nodes: Vec<FieldNode> = batch.nodes().into_iter().flatten().copied().collect();
        let buffers: Vec<Buffer> = batch.buffers().into_iter().flatten().copied().collect();
        Self {
            nodes: nodes.into_iter(),
            buffers: buffers.into_iter(),
            variadic: batch.variadicBufferCounts().into_iter().flatten().collect(),
            version,
            body,
            precision,
            read,
        }
    }

    /// The columns wanted, in the order of the file: all of their rows, or those of a range.
    pub(super) fn columns(
        mut self,
        schema: &SchemaRef,
        wanted: &[usize],
        rows: Option<&Range<u64>>,
    ) -> Result<Vec<Planned>> {
        let mut columns = Vec::with_capacity(wanted.len());
        for (index, field) in schema.fields().iter().enumerate() {
            if columns.len() == wanted.len() {
                break;
            }
            if wanted.binary_search(&index).is_err() {
                self.skip(field).map_err(|error| error.column(field.name()))?;
                continue;
            }
            let rows = rows.filter(|_| can_be_cut(field.data_type()));
            let column = self.array(field, rows.cloned());
            columns.push(column.map_err(|error| error.column(field.name()))?);
        }
        Ok(columns)
    }

    /// The next array. A range of rows begins at a multiple of 8, so that bitmaps are cut at bytes.
    pub(super) fn array(&mut self, field: &Field, rows: Option<Range<u64>>) -> Result<Planned> {
        let node = self.nodes.next().ok_or_else(too_few)?;
        let length = count(node.length())?;
        if rows.as_ref().is_some_and(|rows| rows.end > length) {
            return Err(corrupt("a column", "it has fewer rows than its batch"));
        }
        // Buffers of arrays without values may be missing.
        let rows = rows.filter(|_| length > 0);
        let all = rows.clone().unwrap_or(0..length);
        #[expect(deprecated)]
        let dictionary = field.dict_id();
        let mut planned = Planned {
            data_type: field.data_type().clone(),
            rows: usize::try_from(all.end - all.start).map_err(|_| too_few())?,
            has_nulls: node.null_count() != 0,
            dictionary,
            parts: Vec::new(),
            children: Vec::new(),
        };
        match rows {
            None => self.whole(field.data_type(), &mut planned)?,
            Some(rows) => self.cut(field.data_type(), rows, &mut planned)?,
        }
        Ok(planned)
    }

    /// Takes in all that belongs to the next array.
    fn skip(&mut self, field: &Field) -> Result<()> {
        self.array(field, None).map(|_| ())
    }

    /// Where the next buffer is.
    fn buffer(&mut self) -> Result<Range<u64>> {
        let buffer = self.buffers.next().ok_or_else(too_few)?;
        let (offset, length) = (count(buffer.offset())?, count(buffer.length())?);
        let end = offset.checked_add(length).filter(|end| *end <= self.body.end - self.body.start);
        let end = end.ok_or_else(|| corrupt("a record batch", "a buffer lies beyond its end"))?;
        Ok(self.body.start + offset..self.body.start + end)
    }

    fn buffers(&mut self, count: usize, planned: &mut Planned) -> Result<()> {
        for _ in 0..count {
            let bytes = self.buffer()?;
            planned.parts.push(Part { bytes, base: 0 });
        }
        Ok(())
    }

    /// The buffers of a column of views that are not the validity and the views.
    fn variadic(&mut self) -> Result<usize> {
        let count = self.variadic.pop_front().and_then(|count| usize::try_from(count).ok());
        let count = count.filter(|count| *count <= self.buffers.len());
        count.ok_or_else(|| corrupt("a record batch", "it has not the buffers of its views"))
    }

    fn whole(&mut self, data_type: &DataType, planned: &mut Planned) -> Result<()> {
        use DataType::*;
        match data_type {
            Null => Ok(()),
            Utf8 | LargeUtf8 | Binary | LargeBinary => self.buffers(3, planned),
            Utf8View | BinaryView => {
                let count = self.variadic()?;
                self.buffers(2 + count, planned)
            }
            List(item) | LargeList(item) | Map(item, _) => {
                self.buffers(2, planned)?;
                self.child(item, None, planned)
            }
            ListView(item) | LargeListView(item) => {
                self.buffers(3, planned)?;
                self.child(item, None, planned)
            }
            FixedSizeList(item, _) => {
                self.buffers(1, planned)?;
                self.child(item, None, planned)
            }
            Struct(fields) => {
                self.buffers(1, planned)?;
                fields.iter().try_for_each(|field| self.child(field, None, planned))
            }
            RunEndEncoded(ends, values) => {
                self.child(ends, None, planned)?;
                self.child(values, None, planned)
            }
            Union(fields, mode) => {
                let validity = usize::from(self.version < MetadataVersion::V5);
                self.buffers(validity + 1 + usize::from(*mode == UnionMode::Dense), planned)?;
                fields.iter().try_for_each(|(_, field)| self.child(field, None, planned))
            }
            _ => self.buffers(2, planned),
        }
    }

    fn child(
        &mut self,
        field: &Field,
        rows: Option<Range<u64>>,
        planned: &mut Planned,
    ) -> Result<()> {
        let child = self.array(field, rows)?;
        planned.children.push(child);
        Ok(())
    }

    fn cut(&mut self, data_type: &DataType, rows: Range<u64>, planned: &mut Planned) -> Result<()> {
        use DataType::*;
        if *data_type == Null {
            return Ok(());
        }
        let validity = self.buffer()?;
        let bits = match validity.is_empty() {
            true => validity,
            false => within(&validity, rows.start / 8..rows.end.div_ceil(8))?,
        };
        planned.parts.push(Part { bytes: bits, base: 0 });
        match data_type {
            Boolean => {
                let values = self.buffer()?;
                let bytes = within(&values, rows.start / 8..rows.end.div_ceil(8))?;
                planned.parts.push(Part { bytes, base: 0 });
            }
            Utf8 | Binary => self.cut_text::<4>(&rows, planned)?,
            LargeUtf8 | LargeBinary => self.cut_text::<8>(&rows, planned)?,
            Utf8View | BinaryView => self.cut_views(&rows, planned)?,
            List(item) | Map(item, _) => {
                let items = self.cut_offsets::<4>(&rows, planned)?;
                self.child(item, Some(items), planned)?;
            }
            LargeList(item) => {
                let items = self.cut_offsets::<8>(&rows, planned)?;
                self.child(item, Some(items), planned)?;
            }
            FixedSizeList(item, size) => {
                let size = count((*size).into())?;
                self.child(item, Some(rows.start * size..rows.end * size), planned)?;
            }
            Struct(fields) => {
                for field in fields {
                    self.child(field, Some(rows.clone()), planned)?;
                }
            }
            Dictionary(keys, _) => self.cut_values(keys, &rows, planned)?,
            other => self.cut_values(other, &rows, planned)?,
        }
        Ok(())
    }

    fn cut_values(
        &mut self,
        data_type: &DataType,
        rows: &Range<u64>,
        planned: &mut Planned,
    ) -> Result<()> {
        let width = width_of(data_type)?;
        let values = self.buffer()?;
        let bytes = within(&values, rows.start * width..rows.end * width)?;
        planned.parts.push(Part { bytes, base: 0 });
        Ok(())
    }

    /// Takes in offsets; which values they point to is read from the first and the last of them.
    fn cut_offsets<const WIDTH: usize>(
        &mut self,
        rows: &Range<u64>,
        planned: &mut Planned,
    ) -> Result<Range<u64>> {
        let offsets = self.buffer()?;
        let width = WIDTH as u64;
        let bytes = within(&offsets, rows.start * width..(rows.end + 1) * width)?;
        let mut offset = |at: u64| -> Result<u64> {
            let bytes = (self.read)(at..at + width)?;
            let mut value = [0; 8];
            value[..WIDTH].copy_from_slice(bytes.get(..WIDTH).ok_or_else(too_few)?);
            Ok(u64::from_le_bytes(value))
        };
        let (first, last) = (offset(bytes.start)?, offset(bytes.end - width)?);
        if first > last || last > 1 << 62 {
            return Err(corrupt("a column", "its offsets go backwards"));
        }
        // Items of lists have bitmaps, too.
        let base = if planned.data_type.is_nested() { first & !7 } else { first };
        planned.parts.push(Part { bytes, base });
        Ok(base..last)
    }

    fn cut_text<const WIDTH: usize>(
        &mut self,
        rows: &Range<u64>,
        planned: &mut Planned,
    ) -> Result<()> {
        let text = self.cut_offsets::<WIDTH>(rows, planned)?;
        let bytes = within(&self.buffer()?, text)?;
        planned.parts.push(Part { bytes, base: 0 });
        Ok(())
    }

    /// Takes in views; of the other buffers what lies between the first and the last byte that views
    /// point to.
    fn cut_views(&mut self, rows: &Range<u64>, planned: &mut Planned) -> Result<()> {
        const VIEW: u64 = 16;
        let views = self.buffer()?;
        let all_rows = (views.end - views.start) / VIEW;
        let bytes = within(&views, rows.start * VIEW..rows.end * VIEW)?;
        let count = self.variadic()?;
        let used = match self.precision {
            Precision::Cost => None,
            Precision::Exact => Some(used_by(&(self.read)(bytes.clone())?, count)?),
        };
        planned.parts.push(Part { bytes, base: 0 });
        for index in 0..count {
            let buffer = self.buffer()?;
            let part = match &used {
                Some(used) => used[index].clone(),
                None => {
                    // Twice the share, as long texts may be anywhere.
                    let length = u128::from(buffer.end - buffer.start);
                    let share = 2 * length * u128::from(rows.end - rows.start);
                    0..share.div_ceil(u128::from(all_rows.max(1))).min(length) as u64
                }
            };
            let base = part.start;
            planned.parts.push(Part { bytes: within(&buffer, part)?, base });
        }
        Ok(())
    }
}

/// For each of `count` buffers, the bytes that views point to.
fn used_by(views: &[u8], count: usize) -> Result<Vec<Range<u64>>> {
    const INLINE: u32 = 12;
    let mut used: Vec<Option<Range<u64>>> = vec![None; count];
    for view in views.as_chunks::<16>().0 {
        let word = |index: usize| {
            let bytes = view[index * 4..].first_chunk().expect("a view has four words");
            u32::from_le_bytes(*bytes)
        };
        let (length, buffer, offset) = (word(0), word(2), word(3));
        if length <= INLINE {
            continue;
        }
        let known = used.get_mut(buffer as usize);
        let known = known.ok_or_else(|| corrupt("a column", "a view points to no buffer"))?;
        let (start, end) = (u64::from(offset), u64::from(offset) + u64::from(length));
        let range = known.get_or_insert(start..end);
        *range = range.start.min(start)..range.end.max(end);
    }
    Ok(used.into_iter().map(Option::unwrap_or_default).collect())
}

fn within(buffer: &Range<u64>, part: Range<u64>) -> Result<Range<u64>> {
    match part.end <= buffer.end - buffer.start && part.start <= part.end {
        true => Ok(buffer.start + part.start..buffer.start + part.end),
        false => Err(corrupt("a column", "a buffer is shorter than its rows")),
    }
}

fn width_of(data_type: &DataType) -> Result<u64> {
    let width = match data_type {
        DataType::FixedSizeBinary(width) => usize::try_from(*width).ok(),
        other => other.primitive_width(),
    };
    let width = width.ok_or_else(|| Error::internal(format!("{data_type} cannot be cut")))?;
    Ok(width as u64)
}

/// Whether rows of such a column can be read without the others.
fn can_be_cut(data_type: &DataType) -> bool {
    match data_type {
        DataType::ListView(_) | DataType::LargeListView(_) => false,
        DataType::RunEndEncoded(..) | DataType::Union(..) => false,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => can_be_cut(item.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| can_be_cut(field.data_type())),
        _ => true,
    }
}

fn count(value: i64) -> Result<u64> {
    // Larger numbers could not be multiplied by the width of a value.
    let value = u64::try_from(value).ok().filter(|value| *value < 1 << 48);
    value.ok_or_else(|| corrupt("a record batch", "a length is none"))
}

fn too_few() -> Error {
    corrupt("a record batch", "it has fewer columns than the schema")
}
