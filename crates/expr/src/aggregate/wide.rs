//! An exact number of any size: where sums go that do not fit the fixed-point state of their group.
//!
//! A superaccumulator after R. M. Neal, "Fast exact summation using small and large superaccumulators"
//! (2015, arXiv:1505.05571): signed 64-bit digits of 32 bits each, so that carries wait for 2^28
//! additions. Unlike his it holds only the digits from the lowest to the highest used, because there
//! may be one for each of a million groups, and exponents are not bounded, so that it also holds
//! products. Infinities and NaN are flags.

use dframe_core::{Error, Result};

/// The value of a digit is `digit * 2^(32 * index)`.
const DIGIT_BITS: i32 = 32;
/// Each addition grows a digit by less than 2^33.
const ADDS_MAX: u32 = 1 << 28;

const NAN: u8 = 1;
const INFINITY: u8 = 2;
const NEGATIVE_INFINITY: u8 = 4;

/// The sum of digits, and of infinities and NaN.
#[derive(Clone, Debug, Default)]
pub(super) struct Wide {
    /// The index of the first digit.
    low: i32,
    digits: Vec<i64>,
    /// The additions since carries were propagated.
    adds: u32,
    special: u8,
}

impl Wide {
    /// An integer.
    pub(super) fn integer(value: i64) -> Self {
        let mut wide = Self::default();
        wide.add(i128::from(value), 0);
        wide
    }

    /// Adds `value * 2^exponent`.
    pub(super) fn add(&mut self, value: i128, exponent: i32) {
        let shift = exponent.rem_euclid(DIGIT_BITS);
        let index = exponent.div_euclid(DIGIT_BITS);
        let magnitude = value.unsigned_abs();
        for piece in 0..4 {
            let bits = (magnitude >> (32 * piece)) as u32;
            if bits != 0 {
                let shifted = u64::from(bits) << shift;
                self.add_digit(index + piece, i64::from(shifted as u32), value < 0);
                self.add_digit(index + piece + 1, (shifted >> 32) as i64, value < 0);
            }
        }
        self.count_add();
    }

    /// Adds a float, which may be NaN or infinite.
    pub(super) fn add_f64(&mut self, value: f64) {
        if let Some((mantissa, exponent)) = decompose(value) {
            self.add(i128::from(mantissa), exponent);
        } else if value.is_nan() {
            self.special |= NAN;
        } else {
            self.special |= if value > 0.0 { INFINITY } else { NEGATIVE_INFINITY };
        }
    }

    /// Adds another.
    pub(super) fn add_wide(&mut self, other: &Wide) {
        self.special |= other.special;
        let (negative, digits) = other.canonical();
        for (index, digit) in (other.low..).zip(digits) {
            self.add_digit(index, i64::from(digit), negative);
        }
        self.count_add();
    }

    /// Whether infinities or NaN were added.
    pub(super) fn is_special(&self) -> bool {
        self.special != 0
    }

    /// The negated number.
    pub(super) fn negated(mut self) -> Self {
        self.digits.iter_mut().for_each(|digit| *digit = -*digit);
        self
    }

    /// The exact product of two numbers that are not special.
    pub(super) fn product(&self, other: &Wide) -> Self {
        let (left_negative, left) = self.canonical();
        let (right_negative, right) = other.canonical();
        let mut digits = vec![0_u32; left.len() + right.len() + 1];
        for (i, &a) in left.iter().enumerate() {
            let mut carry = 0;
            for (j, &b) in right.iter().enumerate() {
                let sum = u64::from(a) * u64::from(b) + u64::from(digits[i + j]) + carry;
                digits[i + j] = sum as u32;
                carry = sum >> 32;
            }
            digits[i + right.len()] = carry as u32;
        }
        let sign = if left_negative == right_negative { 1 } else { -1 };
        let digits = digits.into_iter().map(|digit| sign * i64::from(digit)).collect();
        Self { low: self.low + other.low, digits, adds: 0, special: 0 }
    }

    /// The nearest float, ties to even; infinite when out of range.
    pub(super) fn round(&self) -> f64 {
        if self.special != 0 {
            return match self.special {
                INFINITY => f64::INFINITY,
                NEGATIVE_INFINITY => f64::NEG_INFINITY,
                _ => f64::NAN,
            };
        }
        let (value, exponent) = self.round_above(-1074);
        // Rounded at 2^-1074 or above, the product is exact or overflows.
        if exponent > 971 { value * f64::INFINITY } else { value * power_of_two(exponent) }
    }

    /// The nearest number of 53 bits, as `(value, exponent)` for `value * 2^exponent`, where the value
    /// is zero or an integer below 2^54; not for special ones.
    pub(super) fn scaled(&self) -> (f64, i32) {
        self.round_above(i32::MIN)
    }

    /// Rounds to 53 bits, and to a multiple of `2^lowest`.
    fn round_above(&self, lowest: i32) -> (f64, i32) {
        let (negative, digits) = self.canonical();
        let Some(top) = digits.iter().rposition(|&digit| digit != 0) else {
            return (0.0, 0);
        };
        let first = self.low * DIGIT_BITS;
        let bits = top as i32 * DIGIT_BITS + 32 - digits[top].leading_zeros() as i32;
        // The bits below `cut` are rounded away.
        let cut = (first + bits - 53).max(lowest) - first;
        let digit = |index: i32| match usize::try_from(index) {
            Ok(index) => digits.get(index).map_or(0, |&digit| u128::from(digit)),
            Err(_) => 0,
        };
        let (index, shift) = (cut.div_euclid(DIGIT_BITS), cut.rem_euclid(DIGIT_BITS));
        let window = digit(index) | digit(index + 1) << 32 | digit(index + 2) << 64;
        let kept = (window >> shift) as u64;
        let below = window & ((1 << shift) - 1);
        let below = below << 32 | digit(index - 1);
        let half = 1_u128 << (shift + 31);
        let sticky = (0..index - 1).any(|index| digit(index) != 0);
        let up = below > half || (below == half && (sticky || kept & 1 == 1));
        let magnitude = (kept + u64::from(up)) as f64;
        (if negative { -magnitude } else { magnitude }, first + cut)
    }

    /// The sign, and the digits of the magnitude from the lowest, each below 2^32.
    fn canonical(&self) -> (bool, Vec<u32>) {
        let mut digits = Vec::with_capacity(self.digits.len() + 2);
        let mut carry = 0_i64;
        for &digit in &self.digits {
            let sum = digit + carry;
            digits.push(sum as u32);
            carry = sum >> 32;
        }
        digits.push(carry as u32);
        digits.push((carry >> 32) as u32);
        let negative = carry < 0;
        if negative {
            let mut borrow = true;
            for digit in &mut digits {
                let (flipped, overflow) = (!*digit).overflowing_add(u32::from(borrow));
                (*digit, borrow) = (flipped, overflow);
            }
        }
        (negative, digits)
    }

    fn add_digit(&mut self, index: i32, digit: i64, negative: bool) {
        if digit == 0 {
            return;
        }
        if self.digits.is_empty() {
            self.low = index;
        }
        if index < self.low {
            let missing = (self.low - index) as usize;
            self.digits.splice(0..0, std::iter::repeat_n(0, missing));
            self.low = index;
        }
        let at = (index - self.low) as usize;
        if at >= self.digits.len() {
            self.digits.resize(at + 1, 0);
        }
        self.digits[at] += if negative { -digit } else { digit };
    }

    fn count_add(&mut self) {
        self.adds += 1;
        if self.adds >= ADDS_MAX {
            let (negative, digits) = self.canonical();
            let sign = if negative { -1 } else { 1 };
            self.digits = digits.into_iter().map(|digit| sign * i64::from(digit)).collect();
            self.adds = 0;
        }
    }

    /// The bytes held, including the struct.
    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.digits.capacity() * size_of::<i64>()
    }

    /// As bytes: flags, sign, the index of the first digit, digits; little endian.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let (negative, digits) = self.canonical();
        let mut bytes = vec![self.special, u8::from(negative)];
        bytes.extend(self.low.to_le_bytes());
        digits.iter().for_each(|digit| bytes.extend(digit.to_le_bytes()));
        bytes
    }

    /// What [`Wide::to_bytes`] wrote.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let corrupt = || Error::internal("the state of an exact sum is corrupt");
        let ([special, negative], rest) = bytes.split_first_chunk().ok_or_else(corrupt)?;
        let (low, rest) = rest.split_first_chunk().ok_or_else(corrupt)?;
        let (digits, rest) = rest.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(corrupt());
        }
        let sign = if *negative == 1 { -1 } else { 1 };
        let digits = digits.iter().map(|digit| sign * i64::from(u32::from_le_bytes(*digit)));
        let low = i32::from_le_bytes(*low);
        Ok(Self { low, digits: digits.collect(), adds: 0, special: *special })
    }
}

/// `(mantissa, exponent)` of a finite float that is `mantissa * 2^exponent`.
pub(super) fn decompose(value: f64) -> Option<(i64, i32)> {
    let bits = value.to_bits();
    let fraction = (bits & ((1 << 52) - 1)) as i64;
    let (magnitude, exponent) = match (bits >> 52) as i32 & 0x7ff {
        0x7ff => return None,
        0 => (fraction, -1074),
        biased => (fraction | 1 << 52, biased - 1075),
    };
    Some((if value.is_sign_negative() { -magnitude } else { magnitude }, exponent))
}

/// `2^exponent`, from -1074 to 1023.
pub(super) fn power_of_two(exponent: i32) -> f64 {
    debug_assert!((-1074..=1023).contains(&exponent));
    match exponent {
        ..-1022 => f64::from_bits(1 << (exponent + 1074)),
        _ => f64::from_bits(((exponent + 1023) as u64) << 52),
    }
}
