//! Values in order: as a list, or as one text.
//!
//! ```text
//!   columns: value | what it is ordered by .. | position of the row       equal keys: the first row first
//! ```

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, BooleanBufferBuilder, ListArray, StringArray,
    StringBuilder, UInt32Array, make_array, new_null_array,
};
use arrow::buffer::{MutableBuffer, NullBuffer, OffsetBuffer};
use arrow::compute::{SortOptions, cast, concat, take};
use arrow::datatypes::{DataType, Field, Int64Type, UInt64Type};
use arrow::row::{RowConverter, SortField};
use dframe_core::{Error, Result};

use super::InOrder;
use super::store::{Lists, list_offsets};
use crate::aggregate::{AggregateFunction, CallOptions};
use crate::words::{Repr, Word, canonical, repr};

/// Values of a group in order: all of them, or the first few.
#[derive(Clone, Debug)]
pub(super) struct Ordered {
    shape: Shape,
    /// The columns that are keys; the position is the one behind them.
    keys: Range<usize>,
    /// The directions of the keys.
    order: Vec<SortOptions>,
    ties: Ties,
    /// Only so many rows count.
    pub(super) limit: Option<usize>,
    /// So many columns, from the first, must not be NULL for a row to count.
    pub(super) values_needed: usize,
}

/// What the values become.
#[derive(Clone, Debug, PartialEq)]
enum Shape {
    /// A list.
    List,
    /// The only value, or NULL.
    One,
    /// A text; without a separator, NULL.
    Text {
        /// What is put between them.
        separator: Option<String>,
    },
}

/// Which of several rows with equal keys is first.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ties {
    First,
    Last,
}

impl Ordered {
    /// What `function` makes of arguments of these types, the keys of an ORDER BY last.
    pub(super) fn of(
        function: &AggregateFunction,
        args: &[&DataType],
        options: &CallOptions,
    ) -> Result<Option<Self>> {
        let all = Self {
            shape: Shape::List,
            keys: 1..args.len(),
            order: options.order.clone(),
            ties: Ties::First,
            limit: None,
            values_needed: 0,
        };
        let one = Self { shape: Shape::One, limit: Some(1), ..all.clone() };
        let constant = options.constants.first();
        let several = |ordered: Self| -> Result<Self> {
            let Some(constant) = constant else { return Ok(ordered) };
            Ok(Self { shape: Shape::List, limit: Some(wanted_rows(constant)?), ..ordered })
        };
        let by = |descending| vec![SortOptions { descending, nulls_first: false }];
        let orderable = |arg: &DataType| *arg == DataType::Null || repr(arg).is_some();
        use AggregateFunction as F;
        Ok(match function {
            F::List => Some(all),
            F::StringAgg => {
                Some(Self { shape: text(&options.constants)?, values_needed: 1, ..all })
            }
            F::First if !one.order.is_empty() => Some(one),
            F::AnyValue if !one.order.is_empty() => Some(Self { values_needed: 1, ..one }),
            F::Last if !one.order.is_empty() => Some(one.reversed()),
            F::ArgMin | F::ArgMax if args.len() == 2 && orderable(args[1]) => {
                let order = by(*function == F::ArgMax);
                Some(several(Self { order, values_needed: 2, ..one })?)
            }
            F::Min | F::Max if constant.is_some() && orderable(args[0]) => {
                let order = by(*function == F::Max);
                Some(several(Self { order, keys: 0..1, values_needed: 1, ..one })?)
            }
            _ => None,
        })
    }

    /// The last rows first.
    fn reversed(mut self) -> Self {
        for options in &mut self.order {
            options.descending = !options.descending;
            options.nulls_first = !options.nulls_first;
        }
        Self { ties: Ties::Last, ..self }
    }

    /// The type that values of `arg` are cast to.
    pub(super) fn value_type(&self, arg: DataType) -> DataType {
        if matches!(self.shape, Shape::Text { .. }) { DataType::Utf8 } else { arg }
    }

    /// The type of the result for such values.
    pub(super) fn return_type(&self, value: DataType) -> DataType {
        match self.shape {
            Shape::List => DataType::List(Arc::new(Field::new_list_field(value, true))),
            Shape::One | Shape::Text { .. } => value,
        }
    }

    /// The columns to sort by: the keys, then the position.
    pub(super) fn keys(&self) -> Vec<(usize, SortOptions)> {
        let position = SortOptions { descending: self.ties == Ties::Last, nulls_first: false };
        (self.keys.start..).zip(self.order.iter().copied().chain([position])).collect()
    }

    /// The result for each group.
    pub(super) fn finish(&self, lists: &Lists) -> Result<ArrayRef> {
        let Arranged { rows, offsets } = self.arranged(lists)?;
        let values = match rows {
            None => lists.columns[0].clone(),
            Some(rows) => take(&lists.columns[0], &UInt32Array::from(rows), None)?,
        };
        match &self.shape {
            Shape::List => {
                let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
                let some = offsets.windows(2).map(|pair| pair[0] < pair[1]);
                let nulls = Some(NullBuffer::from_iter(some));
                Ok(Arc::new(ListArray::try_new(field, list_offsets(&offsets)?, values, nulls)?))
            }
            Shape::One => {
                let first = |pair: &[usize]| (pair[0] < pair[1]).then_some(pair[0] as u32);
                let rows: UInt32Array = offsets.windows(2).map(first).collect();
                Ok(take(&values, &rows, None)?)
            }
            Shape::Text { separator } => texts(&values, &offsets, separator.as_deref()),
        }
    }

    /// The rows that count.
    pub(super) fn shortened(&self, lists: &Lists) -> Result<Lists> {
        let Arranged { rows, offsets } = self.arranged(lists)?;
        let Some(rows) = rows.map(UInt32Array::from) else {
            return Ok(Lists { offsets, columns: lists.columns.clone() });
        };
        let columns = lists.columns.iter().map(|column| Ok(take(column, &rows, None)?));
        Ok(Lists { offsets, columns: columns.collect::<Result<_>>()? })
    }

    /// The rows of each group in order, as far as they count.
    fn arranged(&self, lists: &Lists) -> Result<Arranged> {
        let end = lists.offsets[lists.offsets.len() - 1];
        u32::try_from(end).map_err(|_| too_many())?;
        let (mut arranged, mut offsets) = (None, vec![0]);
        for range in lists.offsets.windows(2).map(|pair| pair[0]..pair[1]) {
            let sorted = self.sorted(&lists.columns, range.clone())?;
            // As long as all rows are where they belong, nothing is written down.
            if sorted.is_some() && arranged.is_none() {
                arranged = Some((0..range.start as u32).collect::<Vec<u32>>());
            }
            match (&mut arranged, sorted) {
                (Some(rows), Some(sorted)) => rows.extend(sorted),
                (Some(rows), None) => rows.extend(range.start as u32..range.end as u32),
                (None, _) => {}
            }
            offsets.push(arranged.as_ref().map_or(range.end, Vec::len));
        }
        Ok(Arranged { rows: arranged, offsets })
    }

    /// The rows of a group that count, in order; `None` if those are all, as they are.
    fn sorted(&self, columns: &[ArrayRef], rows: Range<usize>) -> Result<Option<Vec<u32>>> {
        if rows.len() < 2 {
            return Ok(None);
        }
        let keys = &columns[self.keys.clone()];
        let positions = columns[self.keys.end].as_primitive::<UInt64Type>();
        let last = if self.ties == Ties::Last { u64::MAX } else { 0 };
        let positions = &positions.values()[rows.clone()];
        let position = |row: usize| positions[row] ^ last;
        let limit = self.limit;
        match (keys, &self.order[..]) {
            ([], _) => Ok(order_by(rows, limit, position)),
            ([key], [options]) if repr(key.data_type()) == Some(Repr::Narrow) => {
                let key = key.slice(rows.start, rows.len());
                let mut words = Vec::with_capacity(rows.len());
                u64::extend(&mut words, &key)?;
                let flip = if options.descending { u64::MAX } else { 0 };
                match key.nulls().filter(|nulls| nulls.null_count() > 0) {
                    None => Ok(order_by(rows, limit, |row| (words[row] ^ flip, position(row)))),
                    Some(nulls) => Ok(order_by(rows, limit, |row| match nulls.is_valid(row) {
                        true => (options.nulls_first, words[row] ^ flip, position(row)),
                        false => (!options.nulls_first, 0, position(row)),
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
                Ok(order_by(rows, limit, |row| (keys.row(row), position(row))))
            }
        }
    }

    /// Finishes a group of `rows` values of `arg` that come in order.
    pub(super) fn in_order(&self, rows: u64, arg: &DataType) -> Box<dyn InOrder> {
        let rows = (rows as usize).min(self.limit.unwrap_or(usize::MAX));
        match &self.shape {
            Shape::List => Box::new(Collected::new(rows, arg)),
            Shape::One => Box::new(First { arg: arg.clone(), value: None }),
            Shape::Text { separator } => {
                Box::new(Joined { separator: separator.clone(), text: None })
            }
        }
    }
}

/// Rows of many groups in order; `None` if they are all, as they are.
struct Arranged {
    rows: Option<Vec<u32>>,
    offsets: Vec<usize>,
}

/// A text with the separator that a call gives, or a comma.
fn text(constants: &[ArrayRef]) -> Result<Shape> {
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

/// How many rows a call wants.
/// How many rows `constant` asks for.
pub(in crate::aggregate) fn wanted_rows(constant: &ArrayRef) -> Result<usize> {
    let wrong = || {
        Error::invalid_input("the number of rows wanted is not a positive integer")
            .remedy("write it as in max(x, 3) or arg_max(x, y, 3)")
    };
    if !constant.data_type().is_integer() {
        return Err(wrong());
    }
    let number = cast(constant, &DataType::Int64)?;
    let number = number.as_primitive::<Int64Type>();
    let number = number.is_valid(0).then(|| number.value(0)).filter(|number| *number > 0);
    number.and_then(|number| usize::try_from(number).ok()).ok_or_else(wrong)
}

/// The first `limit` rows of `range`, ordered by what `key` gives for each, counted from its start; `None` if those
/// are all, as they are.
fn order_by<K: Ord>(
    range: Range<usize>,
    limit: Option<usize>,
    key: impl Fn(usize) -> K,
) -> Option<Vec<u32>> {
    let limit = limit.unwrap_or(usize::MAX);
    if limit == 1 {
        let first = (0..range.len()).min_by_key(|row| key(*row))?;
        return Some(vec![(range.start + first) as u32]);
    }
    if limit >= range.len() && (1..range.len()).all(|row| key(row - 1) <= key(row)) {
        return None;
    }
    let compare = |left: &u32, right: &u32| key(*left as usize).cmp(&key(*right as usize));
    let mut order: Vec<u32> = (0..range.len() as u32).collect();
    if limit < order.len() {
        order.select_nth_unstable_by(limit, compare);
        order.truncate(limit);
    }
    order.sort_unstable_by(compare);
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
    taken: usize,
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
        Self { arg: arg.clone(), rows, taken: 0, fixed, valid, arrays: Vec::new(), bytes: 0 }
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
        let wanted = columns[0].len().min(self.rows - self.taken);
        let array = &columns[0].slice(0, wanted);
        self.taken += wanted;
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

/// The first value.
struct First {
    arg: DataType,
    value: Option<ArrayRef>,
}

impl InOrder for First {
    fn push(&mut self, columns: &[ArrayRef]) -> Result<()> {
        if self.value.is_none() && !columns[0].is_empty() {
            self.value = Some(take(&columns[0], &UInt32Array::from(vec![0]), None)?);
        }
        Ok(())
    }

    fn memory(&self) -> usize {
        self.value.as_ref().map_or(0, |value| value.get_array_memory_size())
    }

    fn finish(self: Box<Self>) -> Result<ArrayRef> {
        Ok(self.value.unwrap_or_else(|| new_null_array(&self.arg, 1)))
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
