//! Values in order: as a list, or as one text.
//!
//! ```text
//!   columns: value | what it is ordered by .. | position of the row       equal keys: the first row first
//! ```

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, BooleanBufferBuilder, ListArray, StringArray,
    StringBuilder, UInt32Array, make_array,
};
use arrow::buffer::{MutableBuffer, NullBuffer, OffsetBuffer};
use arrow::compute::{SortOptions, cast, concat, take};
use arrow::datatypes::{DataType, Field, UInt64Type};
use arrow::row::{RowConverter, SortField};
use dframe_core::{Error, Result};

use super::InOrder;
use super::store::{Lists, list_offsets};
use super::words::{Repr, Word, canonical, repr};

/// A list or a text of a group's values in order.
#[derive(Clone, Debug)]
pub(super) struct Ordered {
    pub(super) shape: Shape,
    /// The directions of the keys.
    pub(super) order: Vec<SortOptions>,
}

/// What the values become.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// A list, NULLs included.
    List,
    /// The texts that are not NULL; without a separator, NULL.
    Text {
        /// What is put between them.
        separator: Option<String>,
    },
}

impl Shape {
    /// A text with the separator that a call gives, or a comma.
    pub(super) fn text(constants: &[ArrayRef]) -> Result<Self> {
        let separator = match constants.first() {
            None => Some(",".to_string()),
            Some(constant) => {
                let text = cast(constant, &DataType::Utf8)?;
                let text = text.as_string::<i32>();
                text.is_valid(0).then(|| text.value(0).to_string())
            }
        };
        Ok(Shape::Text { separator })
    }
}

impl Ordered {
    /// The columns to sort by: the keys, then the position.
    pub(super) fn keys(&self) -> Vec<(usize, SortOptions)> {
        let position = SortOptions { descending: false, nulls_first: false };
        (1..).zip(self.order.iter().copied().chain([position])).collect()
    }

    /// The result for each group.
    pub(super) fn finish(&self, lists: &Lists) -> Result<ArrayRef> {
        let rows = lists.offsets[lists.offsets.len() - 1];
        let mut order: Option<Vec<u32>> = None;
        for range in lists.offsets.windows(2).map(|pair| pair[0]..pair[1]) {
            if let Some(sorted) = self.sorted(&lists.columns, range.clone())? {
                let start = u32::try_from(rows).map(|rows| (0..rows).collect());
                let start: Vec<u32> = start.map_err(|_| too_many())?;
                let order = order.get_or_insert(start);
                let own = &mut order[range.clone()];
                own.copy_from_slice(&sorted);
            }
        }
        let values = match order {
            None => lists.columns[0].clone(),
            Some(order) => take(&lists.columns[0], &UInt32Array::from(order), None)?,
        };
        match &self.shape {
            Shape::List => {
                let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
                let offsets = list_offsets(&lists.offsets)?;
                let some = offsets.windows(2).map(|pair| pair[0] < pair[1]);
                let nulls = Some(NullBuffer::from_iter(some));
                Ok(Arc::new(ListArray::try_new(field, offsets, values, nulls)?))
            }
            Shape::Text { separator } => texts(&values, &lists.offsets, separator.as_deref()),
        }
    }

    /// The rows of a group in order; `None` if they are in order.
    fn sorted(&self, columns: &[ArrayRef], rows: Range<usize>) -> Result<Option<Vec<u32>>> {
        let (keys, positions) = (&columns[1..columns.len() - 1], &columns[columns.len() - 1]);
        let positions = &positions.as_primitive::<UInt64Type>().values()[rows.clone()];
        if rows.len() < 2 {
            return Ok(None);
        }
        match (keys, &self.order[..]) {
            ([], _) => Ok(order_by(rows, |row| positions[row])),
            ([key], [options]) if repr(key.data_type()) == Some(Repr::Narrow) => {
                let key = key.slice(rows.start, rows.len());
                let mut words = Vec::with_capacity(rows.len());
                u64::extend(&mut words, &key)?;
                let flip = if options.descending { u64::MAX } else { 0 };
                match key.nulls().filter(|nulls| nulls.null_count() > 0) {
                    None => Ok(order_by(rows, |row| (words[row] ^ flip, positions[row]))),
                    Some(nulls) => Ok(order_by(rows, |row| match nulls.is_valid(row) {
                        true => (options.nulls_first, words[row] ^ flip, positions[row]),
                        false => (!options.nulls_first, 0, positions[row]),
                    })),
                }
            }
            _ => {
                let fields = keys.iter().zip(&self.order).map(|(key, options)| {
                    SortField::new_with_options(key.data_type().clone(), *options)
                });
                let keys = keys.iter().map(|key| canonical(&key.slice(rows.start, rows.len())));
                let keys = RowConverter::new(fields.collect())?
                    .convert_columns(&keys.collect::<Result<Vec<_>>>()?)?;
                Ok(order_by(rows, |row| (keys.row(row), positions[row])))
            }
        }
    }

    /// Finishes a group of `rows` values of `arg` that come in order.
    pub(super) fn in_order(&self, rows: u64, arg: &DataType) -> Box<dyn InOrder> {
        match &self.shape {
            Shape::List => Box::new(Collected::new(rows as usize, arg)),
            Shape::Text { separator } => {
                Box::new(Joined { separator: separator.clone(), text: None })
            }
        }
    }
}

/// The rows of `range`, ordered by what `key` gives for each, counted from its start; `None` if they are.
fn order_by<K: Ord>(range: Range<usize>, key: impl Fn(usize) -> K) -> Option<Vec<u32>> {
    if (1..range.len()).all(|row| key(row - 1) <= key(row)) {
        return None;
    }
    let mut order: Vec<u32> = (0..range.len() as u32).collect();
    order.sort_unstable_by_key(|row| key(*row as usize));
    order.iter_mut().for_each(|row| *row += range.start as u32);
    Some(order)
}

fn texts(values: &ArrayRef, offsets: &[usize], separator: Option<&str>) -> Result<ArrayRef> {
    let Some(separator) = separator else {
        return Ok(Arc::new(StringArray::new_null(offsets.len() - 1)));
    };
    let values = values.as_string::<i32>();
    let bytes = values.values().len() + values.len() * separator.len();
    if bytes > i32::MAX as usize {
        return Err(Error::unsupported("the texts of one piece of the result exceed 2 GiB")
            .remedy("group by more keys"));
    }
    let mut builder = StringBuilder::with_capacity(offsets.len() - 1, bytes);
    let mut text = String::new();
    for range in offsets.windows(2).map(|pair| pair[0]..pair[1]) {
        if range.is_empty() {
            builder.append_null();
            continue;
        }
        text.clear();
        for row in range.clone() {
            if row > range.start {
                text.push_str(separator);
            }
            text.push_str(values.value(row));
        }
        builder.append_value(&text);
    }
    Ok(Arc::new(builder.finish()))
}

fn too_many() -> Error {
    Error::unsupported("lists of more than 2^32 items in one piece of the result")
        .remedy("group by more keys")
}

/// The items of one list, as they come.
struct Collected {
    arg: DataType,
    rows: usize,
    /// Values of fixed width, of which there will be `rows`.
    fixed: Option<(usize, MutableBuffer)>,
    valid: BooleanBufferBuilder,
    arrays: Vec<ArrayRef>,
    bytes: usize,
}

impl Collected {
    fn new(rows: usize, arg: &DataType) -> Self {
        let width = arg.primitive_width();
        let fixed = width.map(|width| (width, MutableBuffer::with_capacity(rows * width)));
        let valid = BooleanBufferBuilder::new(if fixed.is_some() { rows } else { 0 });
        Self { arg: arg.clone(), rows, fixed, valid, arrays: Vec::new(), bytes: 0 }
    }

    fn items(self) -> Result<ArrayRef> {
        let Some((_, values)) = self.fixed else {
            let arrays: Vec<&dyn Array> = self.arrays.iter().map(|array| &**array).collect();
            return match arrays.is_empty() {
                true => Ok(arrow::array::new_empty_array(&self.arg)),
                false => Ok(concat(&arrays)?),
            };
        };
        let nulls = NullBuffer::new(self.valid.build());
        let nulls = Some(nulls).filter(|nulls| nulls.null_count() > 0);
        let data = ArrayData::builder(self.arg).len(self.rows).nulls(nulls);
        Ok(make_array(data.add_buffer(values.into()).build()?))
    }
}

impl InOrder for Collected {
    fn push(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let array = &columns[0];
        match &mut self.fixed {
            Some((width, values)) => {
                let data = array.to_data();
                let (start, end) = (data.offset() * *width, (data.offset() + data.len()) * *width);
                values.extend_from_slice(&data.buffers()[0].as_slice()[start..end]);
                match array.nulls() {
                    None => self.valid.append_n(array.len(), true),
                    Some(nulls) => nulls.iter().for_each(|valid| self.valid.append(valid)),
                }
            }
            None => {
                self.bytes += 2 * array.get_array_memory_size();
                self.arrays.push(array.clone());
            }
        }
        Ok(())
    }

    fn memory(&self) -> usize {
        self.bytes + self.fixed.as_ref().map_or(0, |(width, _)| self.rows * (width + 1))
    }

    fn finish(self: Box<Self>) -> Result<ArrayRef> {
        let field = Arc::new(Field::new_list_field(self.arg.clone(), true));
        let items = self.items()?;
        let nulls = Some(NullBuffer::from(vec![!items.is_empty()]));
        let offsets = OffsetBuffer::from_lengths([items.len()]);
        Ok(Arc::new(ListArray::try_new(field, offsets, items, nulls)?))
    }
}

/// One text, as its parts come.
struct Joined {
    separator: Option<String>,
    text: Option<String>,
}

impl InOrder for Joined {
    fn push(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let Some(separator) = &self.separator else { return Ok(()) };
        for part in columns[0].as_string::<i32>().iter().flatten() {
            match &mut self.text {
                None => self.text = Some(part.to_string()),
                Some(text) => {
                    text.push_str(separator);
                    text.push_str(part);
                }
            }
        }
        if self.memory() > i32::MAX as usize {
            return Err(Error::unsupported("a text of the result exceeds 2 GiB")
                .remedy("group by more keys"));
        }
        Ok(())
    }

    fn memory(&self) -> usize {
        self.text.as_ref().map_or(0, |text| 2 * text.capacity())
    }

    fn finish(self: Box<Self>) -> Result<ArrayRef> {
        Ok(Arc::new(StringArray::from(vec![self.text])))
    }
}
