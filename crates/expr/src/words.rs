//! Values of fixed width as unsigned numbers in the same order, and back.
//!
//! ```text
//!   -2, 0, 7  <-->  2^63-2, 2^63, 2^63+7        floats: NaN is the greatest, and there is one zero
//! ```
//!
//! So that picking and counting are written once for two widths. NULLs are the caller's business.

use arrow::array::{Array, ArrayData, ArrayRef, BooleanArray, make_array};
use arrow::buffer::{Buffer, NullBuffer};
use arrow::datatypes::{ArrowNativeType, DataType};
use dframe_core::{Error, Result};
use std::sync::Arc;

/// How the values of a type are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Repr {
    /// As [`u64`].
    Narrow,
    /// As [`u128`].
    Wide,
    /// As bytes.
    Bytes,
}

/// How values of `data_type` are compared; `None` if they have no order here.
pub(crate) fn repr(data_type: &DataType) -> Option<Repr> {
    use DataType::{Binary, BinaryView, FixedSizeBinary, LargeBinary, LargeUtf8, Utf8, Utf8View};
    match data_type {
        Utf8 | LargeUtf8 | Utf8View | Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => {
            Some(Repr::Bytes)
        }
        other => match kind(other)? {
            Kind::Wide => Some(Repr::Wide),
            _ => Some(Repr::Narrow),
        },
    }
}

/// Floats with one zero and one NaN; other columns as they are.
pub(crate) fn canonical(array: &ArrayRef) -> Result<ArrayRef> {
    if !matches!(array.data_type(), DataType::Float32 | DataType::Float64) {
        return Ok(array.clone());
    }
    let mut words = Vec::with_capacity(array.len());
    u64::extend(&mut words, array)?;
    u64::array(words, array.nulls().cloned(), array.data_type())
}

/// A number whose order is that of the value it stands for.
pub(crate) trait Word: Copy + Ord + Send + std::hash::Hash + 'static {
    /// The digits of 16 bits.
    const DIGITS: u32;

    /// The digit at `level`, the highest first.
    fn digit(self, level: u32) -> usize;

    /// The digits above `level`.
    fn above(self, level: u32) -> u128;

    /// The word of all these digits.
    fn from_digits(digits: u128) -> Self;

    /// Appends the words of all values; of NULLs, anything.
    fn extend(words: &mut Vec<Self>, array: &ArrayRef) -> Result<()>;

    /// The values of `words`, NULL where `nulls` says so.
    fn array(words: Vec<Self>, nulls: Option<NullBuffer>, to: &DataType) -> Result<ArrayRef>;
}

impl Word for u64 {
    const DIGITS: u32 = 4;

    fn digit(self, level: u32) -> usize {
        (self >> (48 - 16 * level)) as usize & 0xffff
    }

    fn above(self, level: u32) -> u128 {
        if level == 0 { 0 } else { u128::from(self >> (64 - 16 * level)) }
    }

    fn from_digits(digits: u128) -> Self {
        digits as u64
    }

    fn extend(words: &mut Vec<Self>, array: &ArrayRef) -> Result<()> {
        let data = array.to_data();
        match kind(array.data_type()) {
            Some(Kind::Bool) => {
                let values = arrow::array::AsArray::as_boolean(array).values();
                words.extend(values.iter().map(u64::from));
            }
            Some(Kind::Signed(1)) => words.extend(natives(&data, |x: i8| signed(i64::from(x)))),
            Some(Kind::Signed(2)) => words.extend(natives(&data, |x: i16| signed(i64::from(x)))),
            Some(Kind::Signed(4)) => words.extend(natives(&data, |x: i32| signed(i64::from(x)))),
            Some(Kind::Signed(_)) => words.extend(natives(&data, signed)),
            Some(Kind::Unsigned(1)) => words.extend(natives(&data, |x: u8| u64::from(x))),
            Some(Kind::Unsigned(2)) => words.extend(natives(&data, |x: u16| u64::from(x))),
            Some(Kind::Unsigned(4)) => words.extend(natives(&data, |x: u32| u64::from(x))),
            Some(Kind::Unsigned(_)) => words.extend(natives(&data, |x: u64| x)),
            Some(Kind::Float(4)) => words.extend(natives(&data, |x: f32| float(f64::from(x)))),
            Some(Kind::Float(_)) => words.extend(natives(&data, float)),
            Some(Kind::Wide) | None => return Err(no_words(array.data_type())),
        }
        Ok(())
    }

    fn array(words: Vec<Self>, nulls: Option<NullBuffer>, to: &DataType) -> Result<ArrayRef> {
        match kind(to) {
            Some(Kind::Bool) => {
                let values = words.iter().map(|word| *word > 0).collect();
                Ok(Arc::new(BooleanArray::new(values, nulls)))
            }
            Some(Kind::Signed(1)) => build(&words, |x| unsigned(x) as i8, nulls, to),
            Some(Kind::Signed(2)) => build(&words, |x| unsigned(x) as i16, nulls, to),
            Some(Kind::Signed(4)) => build(&words, |x| unsigned(x) as i32, nulls, to),
            Some(Kind::Signed(_)) => build(&words, unsigned, nulls, to),
            Some(Kind::Unsigned(1)) => build(&words, |x| x as u8, nulls, to),
            Some(Kind::Unsigned(2)) => build(&words, |x| x as u16, nulls, to),
            Some(Kind::Unsigned(4)) => build(&words, |x| x as u32, nulls, to),
            Some(Kind::Unsigned(_)) => build(&words, |x| x, nulls, to),
            Some(Kind::Float(4)) => build(&words, |x| unfloat(x) as f32, nulls, to),
            Some(Kind::Float(_)) => build(&words, unfloat, nulls, to),
            Some(Kind::Wide) | None => Err(no_words(to)),
        }
    }
}

impl Word for u128 {
    const DIGITS: u32 = 8;

    fn digit(self, level: u32) -> usize {
        (self >> (112 - 16 * level)) as usize & 0xffff
    }

    fn above(self, level: u32) -> u128 {
        if level == 0 { 0 } else { self >> (128 - 16 * level) }
    }

    fn from_digits(digits: u128) -> Self {
        digits
    }

    fn extend(words: &mut Vec<Self>, array: &ArrayRef) -> Result<()> {
        words.extend(natives(&array.to_data(), |x: i128| x as u128 ^ 1 << 127));
        Ok(())
    }

    fn array(words: Vec<Self>, nulls: Option<NullBuffer>, to: &DataType) -> Result<ArrayRef> {
        build(&words, |x| (x ^ 1 << 127) as i128, nulls, to)
    }
}

/// How a type of fixed width is stored, and its bytes.
#[derive(Clone, Copy)]
enum Kind {
    Bool,
    Signed(usize),
    Unsigned(usize),
    Float(usize),
    Wide,
}

fn kind(data_type: &DataType) -> Option<Kind> {
    use DataType::{
        Boolean, Date32, Date64, Decimal32, Decimal64, Decimal128, Duration, Float32, Float64,
        Int8, Int16, Int32, Int64, Time32, Time64, Timestamp, UInt8, UInt16, UInt32, UInt64,
    };
    let width = data_type.primitive_width().unwrap_or(0);
    Some(match data_type {
        Boolean => Kind::Bool,
        Int8 | Int16 | Int32 | Int64 | Date32 | Date64 | Time32(_) | Time64(_) => {
            Kind::Signed(width)
        }
        Timestamp(..) | Duration(_) | Decimal32(..) | Decimal64(..) => Kind::Signed(width),
        UInt8 | UInt16 | UInt32 | UInt64 => Kind::Unsigned(width),
        Float32 | Float64 => Kind::Float(width),
        Decimal128(..) => Kind::Wide,
        _ => return None,
    })
}

fn natives<T: ArrowNativeType, W>(
    data: &ArrayData,
    word: impl Fn(T) -> W,
) -> impl Iterator<Item = W> {
    data.buffer::<T>(0)[..data.len()].iter().map(move |value| word(*value))
}

fn build<W: Copy, T: ArrowNativeType>(
    words: &[W],
    value: impl Fn(W) -> T,
    nulls: Option<NullBuffer>,
    to: &DataType,
) -> Result<ArrayRef> {
    let values: Vec<T> = words.iter().map(|word| value(*word)).collect();
    let data = ArrayData::builder(to.clone()).len(values.len()).nulls(nulls);
    Ok(make_array(data.add_buffer(Buffer::from_vec(values)).build()?))
}

/// Whether [`order_words`] takes values of `data_type`.
pub fn has_order_words(data_type: &DataType) -> bool {
    repr(data_type) == Some(Repr::Narrow)
}

/// Appends a number for each value of a plain array of a type of at most 64 bits, in the order of the values; for
/// NULLs, anything. The distance of two integers is that of their numbers.
///
/// # Errors
/// An internal one if [`has_order_words`] says no.
pub fn order_words(array: &ArrayRef, words: &mut Vec<u64>) -> Result<()> {
    u64::extend(words, array)
}

/// A float as a word.
pub(crate) fn float_word(value: f64) -> u64 {
    float(value)
}

/// The float that a word of [`order_words`] is.
pub fn float_of_word(word: u64) -> f64 {
    unfloat(word)
}

fn signed(value: i64) -> u64 {
    value as u64 ^ 1 << 63
}

fn unsigned(word: u64) -> i64 {
    (word ^ 1 << 63) as i64
}

/// The bits of a float, in its order: IEEE 754's total order, with one zero and one NaN.
fn float(value: f64) -> u64 {
    let bits = if value.is_nan() { f64::NAN.abs().to_bits() } else { (value + 0.0).to_bits() };
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn unfloat(word: u64) -> f64 {
    f64::from_bits(if word >> 63 == 1 { word & !(1 << 63) } else { !word })
}

fn no_words(data_type: &DataType) -> Error {
    Error::internal(format!("values of {data_type} are not numbers of this width"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Decimal128Array, Float32Array, Float64Array, Int8Array, Int64Array};

    fn round_trip<W: Word + std::fmt::Debug>(array: ArrayRef) {
        let mut words: Vec<W> = Vec::new();
        W::extend(&mut words, &array).unwrap();
        assert!(words.is_sorted(), "{words:?}");
        assert_eq!(&W::array(words, None, array.data_type()).unwrap(), &array);
    }

    #[test]
    fn words_have_the_order_of_values_and_become_them_again() {
        let floats = vec![f64::NEG_INFINITY, -1.5, -5e-324, 0.0, 5e-324, 2.0, f64::INFINITY];
        round_trip::<u64>(Arc::new(Float64Array::from(floats)));
        round_trip::<u64>(Arc::new(Float32Array::from(vec![-1.5, 0.25, f32::MAX, f32::INFINITY])));
        round_trip::<u64>(Arc::new(Int64Array::from(vec![i64::MIN, -1, 0, 1, i64::MAX])));
        round_trip::<u64>(Arc::new(Int8Array::from(vec![i8::MIN, -1, 0, 1, i8::MAX])));
        round_trip::<u64>(Arc::new(BooleanArray::from(vec![false, true])));
        round_trip::<u128>(Arc::new(Decimal128Array::from(vec![i128::MIN, -1, 0, 1, i128::MAX])));
    }

    #[test]
    fn there_is_one_nan_above_all_and_one_zero() {
        assert_eq!(float(f64::NAN), float(-f64::NAN));
        assert!(float(f64::NAN) > float(f64::INFINITY));
        assert_eq!(float(-0.0), float(0.0));
    }

    #[test]
    fn digits_come_from_the_top() {
        let word = 0x0123_4567_89ab_cdef_u64;
        let digits: Vec<usize> = (0..4).map(|level| word.digit(level)).collect();
        assert_eq!(digits, [0x0123, 0x4567, 0x89ab, 0xcdef]);
        assert_eq!(word.above(0), 0);
        assert_eq!(word.above(2), 0x0123_4567);
    }
}
