//! The values of many groups, as they come: columns of rows and whose they are.
//!
//! ```text
//!   rows    [7 2 9]  of groups [1 0 1]  --+
//!   lists   [[4 4] [1]]  of groups [0 1]  +--take--> 0: [2 4 4]  1: [7 9 1]     in the order they came
//! ```
//!
//! What the values mean, and how many columns a row has, it does not know.

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, BooleanBufferBuilder, ListArray, MutableArrayData,
    make_array,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer};
use arrow::compute::interleave;
use arrow::datatypes::{ArrowNativeType, DataType, Field};
use dframe_core::{Error, Result};
use std::sync::Arc;

/// Rows of many groups.
pub(super) struct Store {
    types: Vec<DataType>,
    chunks: Vec<Chunk>,
    /// The rows of each group.
    counts: Vec<u32>,
    rows: usize,
    bytes: usize,
}

struct Chunk {
    columns: Vec<ArrayRef>,
    owners: Owners,
}

enum Owners {
    /// The group of each row.
    Rows(Vec<u32>),
    /// Stretches of rows: their group and their number.
    Runs(Vec<(u32, u32)>),
}

/// Rows, those of each group together.
pub(super) struct Lists {
    /// Group `g` has the rows `offsets[g]..offsets[g + 1]`.
    pub(super) offsets: Vec<usize>,
    /// The columns.
    pub(super) columns: Vec<ArrayRef>,
}

impl Store {
    /// No rows of columns of these types.
    pub(super) fn new(types: Vec<DataType>) -> Self {
        Self { types, chunks: Vec::new(), counts: Vec::new(), rows: 0, bytes: 0 }
    }

    /// Makes sure that there are at least so many groups.
    pub(super) fn grow(&mut self, groups: usize) {
        if self.counts.len() < groups {
            self.counts.resize(groups, 0);
        }
    }

    /// Adds rows. `groups` are below the number that [`Store::grow`] was told.
    pub(super) fn push_rows(&mut self, groups: Vec<u32>, columns: &[ArrayRef]) -> Result<()> {
        for group in &groups {
            self.counts[*group as usize] += 1;
        }
        self.push(Owners::Rows(groups), columns)
    }

    /// Adds lists, a row of `lists` for each of `groups`.
    pub(super) fn push_lists(&mut self, groups: &[u32], lists: &[ArrayRef]) -> Result<()> {
        let Some(first) = lists.first() else { return Ok(()) };
        let lengths = first.as_list::<i32>().offsets().lengths();
        let mut runs = Vec::with_capacity(groups.len());
        for (group, length) in groups.iter().zip(lengths) {
            self.counts[*group as usize] += length as u32;
            runs.push((*group, length as u32));
        }
        let items: Vec<ArrayRef> = lists.iter().map(items).collect();
        self.push(Owners::Runs(runs), &items)
    }

    /// The number of rows.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The number of groups.
    pub(super) fn groups(&self) -> usize {
        self.counts.len()
    }

    /// Adds rows that lie group by group.
    pub(super) fn put(&mut self, lists: Lists) -> Result<()> {
        self.grow(lists.offsets.len() - 1);
        let lengths = lists.offsets.windows(2).map(|pair| (pair[1] - pair[0]) as u32);
        let runs: Vec<(u32, u32)> = (0..).zip(lengths).collect();
        for (group, length) in &runs {
            self.counts[*group as usize] += length;
        }
        self.push(Owners::Runs(runs), &lists.columns)
    }

    /// Copies the columns, so that nothing larger is kept alive.
    fn push(&mut self, owners: Owners, columns: &[ArrayRef]) -> Result<()> {
        let rows = columns.first().map_or(0, Array::len);
        if rows == 0 {
            return Ok(());
        }
        let columns = columns.iter().map(own).collect::<Result<Vec<_>>>()?;
        self.rows += rows;
        self.bytes += columns.iter().map(|column| column.get_array_memory_size()).sum::<usize>();
        self.bytes += match &owners {
            Owners::Rows(groups) => groups.capacity() * size_of::<u32>(),
            Owners::Runs(runs) => runs.capacity() * size_of::<(u32, u32)>(),
        };
        self.chunks.push(Chunk { columns, owners });
        Ok(())
    }

    /// The rows, group by group; forgets them.
    pub(super) fn take(&mut self) -> Result<Lists> {
        let empty = Store::new(self.types.clone());
        let Store { types, mut chunks, counts, rows, .. } = std::mem::replace(self, empty);
        let mut offsets = Vec::with_capacity(counts.len() + 1);
        offsets.push(0);
        for count in &counts {
            offsets.push(offsets[offsets.len() - 1] + *count as usize);
        }
        drop(counts);
        let mut columns = Vec::with_capacity(types.len());
        for data_type in types.iter().rev() {
            // A column is given up as soon as it has been copied.
            let arrays: Vec<ArrayRef> =
                chunks.iter_mut().filter_map(|chunk| chunk.columns.pop()).collect();
            let gather = Gather { chunks: &chunks, arrays, offsets: &offsets, rows };
            columns.push(gather.column(data_type)?);
        }
        columns.reverse();
        Ok(Lists { offsets, columns })
    }

    /// The bytes held, and those that [`Store::take`] will need.
    pub(super) fn memory(&self) -> usize {
        const PLACE: usize = size_of::<(usize, usize)>();
        let places = if self.types.iter().all(is_fixed) { 0 } else { self.rows * PLACE };
        let chunks = self.chunks.capacity() * size_of::<Chunk>();
        2 * self.bytes + places + chunks + self.counts.capacity() * 20
    }
}

impl Lists {
    /// The columns as lists, a row per group.
    pub(super) fn arrays(self) -> Result<Vec<ArrayRef>> {
        let offsets = list_offsets(&self.offsets)?;
        let list = |items: ArrayRef| -> Result<ArrayRef> {
            let field = Arc::new(Field::new_list_field(items.data_type().clone(), true));
            Ok(Arc::new(ListArray::try_new(field, offsets.clone(), items, None)?))
        };
        self.columns.into_iter().map(list).collect()
    }
}

/// The offsets of an Arrow list.
pub(in crate::aggregate) fn list_offsets(offsets: &[usize]) -> Result<OffsetBuffer<i32>> {
    if offsets.last().is_some_and(|end| *end > i32::MAX as usize) {
        return Err(Error::unsupported("lists of more than 2^31 items in one piece of the result")
            .remedy("group by more keys"));
    }
    Ok(OffsetBuffer::new(offsets.iter().map(|offset| *offset as i32).collect()))
}

/// The items of a slice of a list array.
pub(super) fn items(lists: &ArrayRef) -> ArrayRef {
    let lists = lists.as_list::<i32>();
    let offsets = lists.value_offsets();
    let (start, end) = (offsets[0] as usize, offsets[lists.len()] as usize);
    lists.values().slice(start, end - start)
}

/// A copy that shares nothing.
fn own(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Utf8View => Arc::new(array.as_string_view().gc()),
        DataType::BinaryView => Arc::new(array.as_binary_view().gc()),
        _ => {
            let data = array.to_data();
            let mut copy = MutableArrayData::new(vec![&data], false, array.len());
            copy.try_extend(0, 0, array.len())?;
            make_array(copy.freeze())
        }
    })
}

fn is_fixed(data_type: &DataType) -> bool {
    matches!(data_type.primitive_width(), Some(1 | 2 | 4 | 8 | 16))
}

/// One column on its way to where its groups are.
struct Gather<'a> {
    chunks: &'a [Chunk],
    arrays: Vec<ArrayRef>,
    offsets: &'a [usize],
    rows: usize,
}

impl Gather<'_> {
    fn column(&self, data_type: &DataType) -> Result<ArrayRef> {
        match data_type.primitive_width() {
            Some(1) => self.numbers::<u8>(data_type),
            Some(2) => self.numbers::<u16>(data_type),
            Some(4) => self.numbers::<u32>(data_type),
            Some(8) => self.numbers::<u64>(data_type),
            Some(16) => self.numbers::<i128>(data_type),
            _ => self.any(data_type),
        }
    }

    fn numbers<T: ArrowNativeType + Default>(&self, data_type: &DataType) -> Result<ArrayRef> {
        let mut output = vec![T::default(); self.rows];
        let mut next = self.offsets.to_vec();
        for (chunk, array) in self.chunks.iter().zip(&self.arrays) {
            let data = array.to_data();
            let values = &data.buffer::<T>(0)[..data.len()];
            match &chunk.owners {
                Owners::Rows(groups) => {
                    for (value, group) in values.iter().zip(groups) {
                        let place = &mut next[*group as usize];
                        output[*place] = *value;
                        *place += 1;
                    }
                }
                Owners::Runs(runs) => {
                    let mut rest = values;
                    for (group, length) in runs {
                        let (run, after) = rest.split_at(*length as usize);
                        let place = &mut next[*group as usize];
                        output[*place..*place + run.len()].copy_from_slice(run);
                        (*place, rest) = (*place + run.len(), after);
                    }
                }
            }
        }
        let data = ArrayData::builder(data_type.clone()).len(output.len()).nulls(self.nulls());
        Ok(make_array(data.add_buffer(Buffer::from_vec(output)).build()?))
    }

    fn nulls(&self) -> Option<NullBuffer> {
        if self.arrays.iter().all(|array| array.null_count() == 0) {
            return None;
        }
        let mut bits = BooleanBufferBuilder::new(self.rows);
        bits.append_n(self.rows, true);
        self.each(|array, row, place| {
            if self.arrays[array].is_null(row) {
                bits.set_bit(place, false);
            }
        });
        Some(NullBuffer::new(bits.finish()))
    }

    fn any(&self, data_type: &DataType) -> Result<ArrayRef> {
        if self.arrays.is_empty() {
            return Ok(arrow::array::new_empty_array(data_type));
        }
        let mut places = vec![(0, 0); self.rows];
        self.each(|array, row, place| places[place] = (array, row));
        let arrays: Vec<&dyn Array> = self.arrays.iter().map(|array| &**array).collect();
        Ok(interleave(&arrays, &places)?)
    }

    /// Calls `f` with the array, the row in it, and the place of every row.
    fn each(&self, mut f: impl FnMut(usize, usize, usize)) {
        let mut next = self.offsets.to_vec();
        for (number, chunk) in self.chunks.iter().enumerate() {
            let mut row = 0;
            let mut put = |group: u32, f: &mut dyn FnMut(usize, usize, usize)| {
                f(number, row, next[group as usize]);
                next[group as usize] += 1;
                row += 1;
            };
            match &chunk.owners {
                Owners::Rows(groups) => groups.iter().for_each(|group| put(*group, &mut f)),
                Owners::Runs(runs) => {
                    for (group, length) in runs {
                        (0..*length).for_each(|_| put(*group, &mut f));
                    }
                }
            }
        }
    }
}
