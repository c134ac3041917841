//! One key column as numbers: every distinct value has a code, and codes turn back into values.
//!
//! ```text
//!   Int32 [7, NULL, 7]       --> codes [8, 0, 8]          (bits + 1; 0 is NULL)
//!   Int64                    --> codes = bits, NULLs aside (all 64 bits are taken)
//!   Utf8 / Dictionary / ...  --> codes = ids of an Interner, NULL has an id too
//! ```
//!
//! A dictionary-encoded column costs one table look-up per row: its entries are interned once per
//! dictionary, when a row first uses them. Hashes depend on values only, so that all tasks agree.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, make_array,
};
use arrow::buffer::{MutableBuffer, NullBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use dframe_core::{Error, Result};
use dframe_expr::plain;

use super::byte_values::ByteValues;
use super::interned::Interned;
use super::interner::{NULL_HASH, hash_bytes, hash_views};
use super::packed::{combine, mix};

/// How values become codes.
enum Coding {
    /// Values of less than 64 bits: bits + 1, and 0 for NULL.
    Narrow,
    /// Values of 64 bits, as they are; NULLs are kept aside.
    Wide,
    /// Values of any length.
    Interned(Box<Interned>),
}

/// The codes of a batch.
pub(crate) struct Codes {
    /// A code per row.
    pub(crate) codes: Vec<u64>,
    /// The rows that are NULL and whose code does not say so.
    pub(crate) nulls: Option<NullBuffer>,
}

/// Codes values of one key column.
pub(crate) struct KeyColumn {
    data_type: DataType,
    coding: Coding,
}

impl KeyColumn {
    /// A coder for values of `data_type`.
    ///
    /// # Errors
    /// Nested types cannot be keys.
    pub(crate) fn new(data_type: &DataType) -> Result<Self> {
        if data_type.is_nested() {
            return Err(Error::unsupported(format!(
                "a column of type {data_type} cannot be a key"
            )));
        }
        let coding = match bit_width(data_type) {
            Some(64) => Coding::Wide,
            Some(_) => Coding::Narrow,
            None => Coding::Interned(Box::default()),
        };
        Ok(Self { data_type: data_type.clone(), coding })
    }

    /// The bits that any code fits in, NULL included where a code stands for it.
    pub(crate) fn code_bits(&self) -> u32 {
        match &self.coding {
            Coding::Narrow => bit_width(&self.data_type).expect("narrow types have a width") + 1,
            Coding::Wide => 64,
            Coding::Interned(_) => 32,
        }
    }

    /// Whether NULL has no code of its own.
    pub(crate) fn nulls_aside(&self) -> bool {
        matches!(self.coding, Coding::Wide)
    }

    /// Whether codes are handed out 0, 1, 2, ... in order of first appearance.
    pub(crate) fn is_dense(&self) -> bool {
        matches!(self.coding, Coding::Interned(_))
    }

    /// The number of codes handed out so far, for dense codes.
    pub(crate) fn dense_len(&self) -> usize {
        match &self.coding {
            Coding::Interned(interned) => interned.len(),
            _ => 0,
        }
    }

    /// Adds the code of each row of `array` to `ids`, for dense codes.
    pub(crate) fn encode_dense(&mut self, array: &ArrayRef, ids: &mut Vec<u32>) -> Result<()> {
        match &mut self.coding {
            Coding::Interned(interned) => interned.encode(array, ids),
            _ => Err(Error::internal("the codes of this key column are not dense")),
        }
    }

    /// The code of each row of `array`.
    pub(crate) fn encode(&mut self, array: &ArrayRef) -> Result<Codes> {
        match &mut self.coding {
            Coding::Interned(interned) => {
                let mut ids = Vec::with_capacity(array.len());
                interned.encode(array, &mut ids)?;
                let codes = ids.into_iter().map(u64::from).collect();
                Ok(Codes { codes, nulls: None })
            }
            Coding::Narrow => Ok(Codes { codes: narrow_codes(&plain(array)?)?, nulls: None }),
            Coding::Wide => {
                let array = plain(array)?;
                let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
                Ok(Codes { codes: bits(&array)?, nulls })
            }
        }
    }

    /// The hash of each code from 0 on, if codes are dense and fewer than `rows`.
    pub(crate) fn hashes_of_codes(&self, rows: usize) -> Option<Vec<u64>> {
        match &self.coding {
            Coding::Interned(interned) if interned.len() < rows => Some(interned.hashes()),
            _ => None,
        }
    }

    /// The hash of the value with this code.
    pub(crate) fn hash(&self, code: u64, is_null: bool) -> u64 {
        match &self.coding {
            _ if is_null => NULL_HASH,
            Coding::Narrow if code == 0 => NULL_HASH,
            Coding::Narrow => mix(code - 1, 0xa076_1d64_78bd_642f),
            Coding::Wide => mix(code, 0xa076_1d64_78bd_642f) ^ code,
            Coding::Interned(interned) => interned.hash(code as u32),
        }
    }

    /// The values of these codes; `is_null` says which are NULL though their code does not say so.
    pub(crate) fn decode(
        &self,
        codes: &[u64],
        is_null: &dyn Fn(usize) -> bool,
    ) -> Result<ArrayRef> {
        match &self.coding {
            Coding::Interned(interned) => interned.decode(codes, &self.data_type),
            Coding::Narrow => {
                let valid = NullBuffer::from_iter(codes.iter().map(|code| *code != 0));
                fixed_width(&self.data_type, codes.iter().map(|code| code.wrapping_sub(1)), valid)
            }
            Coding::Wide => {
                let valid = NullBuffer::from_iter((0..codes.len()).map(|row| !is_null(row)));
                fixed_width(&self.data_type, codes.iter().copied(), valid)
            }
        }
    }

    /// The values of these codes for other tasks of the group-by, which take any encoding.
    pub(crate) fn decode_travelling(
        &self,
        codes: &[u64],
        is_null: &dyn Fn(usize) -> bool,
    ) -> Result<ArrayRef> {
        match &self.coding {
            Coding::Interned(interned) => interned.decode_travelling(codes, &self.data_type),
            _ => self.decode(codes, is_null),
        }
    }

    /// The bytes of memory held.
    pub(crate) fn memory(&self) -> usize {
        match &self.coding {
            Coding::Interned(interned) => interned.memory(),
            _ => 0,
        }
    }
}

/// Adds the hash of each value of a key column to the hashes of the columns before. Equal to the
/// hashes of [`KeyColumn::hash`], without giving out codes.
pub(crate) fn hash_rows(array: &ArrayRef, hashes: &mut [u64]) -> Result<()> {
    let add = |hash: &mut u64, next: u64| *hash = combine(*hash, next);
    if let DataType::Dictionary(key, _) = array.data_type() {
        if **key != DataType::Int32 {
            return hash_rows(&plain(array)?, hashes);
        }
        let array = array.as_dictionary::<Int32Type>();
        let entries = value_hashes(array.values())?;
        for (row, hash) in hashes.iter_mut().enumerate() {
            add(hash, array.key(row).map_or(NULL_HASH, |key| entries[key]));
        }
        return Ok(());
    }
    hashes.iter_mut().zip(value_hashes(array)?).for_each(|(hash, next)| add(hash, next));
    Ok(())
}

/// The hash of each value of a plain array.
fn value_hashes(array: &ArrayRef) -> Result<Vec<u64>> {
    if let Some(views) = array.as_string_view_opt() {
        return Ok(hash_views(views));
    }
    let mut column = KeyColumn::new(array.data_type())?;
    if column.is_dense() {
        let values = ByteValues::new(array)?;
        return Ok((0..array.len())
            .map(|row| values.get(row).map_or(NULL_HASH, hash_bytes))
            .collect());
    }
    let Codes { codes, nulls } = column.encode(array)?;
    let is_null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
    Ok(codes.iter().enumerate().map(|(row, code)| column.hash(*code, is_null(row))).collect())
}

/// The bits of a value, for types of at most 64.
pub(crate) fn bit_width(data_type: &DataType) -> Option<u32> {
    match data_type {
        DataType::Boolean => Some(1),
        DataType::Decimal32(..) | DataType::Decimal64(..) => None,
        other => other.primitive_width().map(|bytes| bytes as u32 * 8).filter(|bits| *bits <= 64),
    }
}

/// `bits + 1` of each value, and 0 for NULL.
fn narrow_codes(array: &ArrayRef) -> Result<Vec<u64>> {
    let mut codes = bits(array)?;
    codes.iter_mut().for_each(|code| *code += 1);
    if let Some(nulls) = array.logical_nulls() {
        for (row, code) in codes.iter_mut().enumerate() {
            if nulls.is_null(row) {
                *code = 0;
            }
        }
    }
    Ok(codes)
}

/// The bits of each value, in the low end of a word. Floats are made canonical: one zero, one NaN.
pub(crate) fn bits(array: &ArrayRef) -> Result<Vec<u64>> {
    fn of<T: ArrowPrimitiveType>(array: &dyn Array, to: impl Fn(T::Native) -> u64) -> Vec<u64> {
        array.as_primitive::<T>().values().iter().map(|value| to(*value)).collect()
    }
    fn float(value: f64) -> f64 {
        if value.is_nan() { f64::NAN } else { value + 0.0 }
    }
    let array = reinterpret_as_integer(array)?;
    let array = array.as_ref();
    Ok(match array.data_type() {
        DataType::Boolean => array.as_boolean().values().iter().map(u64::from).collect(),
        DataType::Int8 => of::<Int8Type>(array, |v| u64::from(v as u8)),
        DataType::Int16 => of::<Int16Type>(array, |v| u64::from(v as u16)),
        DataType::Int32 => of::<Int32Type>(array, |v| u64::from(v as u32)),
        DataType::Int64 => of::<Int64Type>(array, |v| v as u64),
        DataType::UInt8 => of::<UInt8Type>(array, u64::from),
        DataType::UInt16 => of::<UInt16Type>(array, u64::from),
        DataType::UInt32 => of::<UInt32Type>(array, u64::from),
        DataType::UInt64 => of::<UInt64Type>(array, |v| v),
        DataType::Float16 => of::<Float16Type>(array, |v| match v.is_nan() {
            true => u64::from(NAN16),
            false if v.to_f32() == 0.0 => 0,
            false => u64::from(v.to_bits()),
        }),
        DataType::Float32 => {
            of::<Float32Type>(array, |v| u64::from((float(f64::from(v)) as f32).to_bits()))
        }
        DataType::Float64 => of::<Float64Type>(array, |v| float(v).to_bits()),
        other => return Err(Error::unsupported(format!("a key of type {other}"))),
    })
}

/// The NaN that stands for all of 16 bits.
const NAN16: u16 = 0x7e00;

/// Dates, times, timestamps, durations and year-month intervals as the integers they are stored as.
fn reinterpret_as_integer(array: &ArrayRef) -> Result<ArrayRef> {
    let integer = match array.data_type() {
        DataType::Date32 | DataType::Time32(_) | DataType::Interval(_)
            if array.data_type().primitive_width() == Some(4) =>
        {
            DataType::Int32
        }
        DataType::Date64
        | DataType::Time64(_)
        | DataType::Timestamp(..)
        | DataType::Duration(_)
        | DataType::Interval(_) => DataType::Int64,
        _ => return Ok(array.clone()),
    };
    let data = array.to_data().into_builder().data_type(integer).build()?;
    Ok(make_array(data))
}

/// An array of `data_type` from the low bits of words.
fn fixed_width(
    data_type: &DataType,
    words: impl ExactSizeIterator<Item = u64>,
    valid: NullBuffer,
) -> Result<ArrayRef> {
    let rows = words.len();
    let valid = Some(valid).filter(|valid| valid.null_count() > 0);
    if *data_type == DataType::Boolean {
        let mut values = BooleanBufferBuilder::new(rows);
        words.for_each(|word| values.append(word & 1 == 1));
        return Ok(Arc::new(BooleanArray::new(values.finish(), valid)));
    }
    let width = data_type.primitive_width().expect("key types of codes are primitive");
    let mut values = MutableBuffer::with_capacity(rows * width);
    words.for_each(|word| values.extend_from_slice(&word.to_le_bytes()[..width]));
    let data = ArrayData::builder(data_type.clone())
        .len(rows)
        .add_buffer(values.into())
        .nulls(valid)
        .build()?;
    Ok(make_array(data))
}
