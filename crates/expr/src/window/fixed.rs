//! Exact sums of floats as integers of 128 bits, where the values allow it: added, subtracted, rounded once.
//!
//! ```text
//!   value = mantissa * 2^e        total = sum of mantissa << (e - low)        sum = round(total) * 2^low
//! ```
//!
//! `low` is the lowest bit that any of the values has. Values that are too far apart for 128 bits, and those
//! that are not finite, are left to the aggregates' own exact states; the result is the same, to the last bit.

use std::borrow::Cow;

use arrow::buffer::NullBuffer;

/// A sum, `total * 2^exponent`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Fixed {
    pub(super) total: i128,
    pub(super) exponent: i32,
}

/// Bits of a total that values and carries may use.
const BITS: i32 = 126;

impl Fixed {
    /// The exponent for sums of this and any of `values`; none if 128 bits are not enough.
    pub(super) fn exponent_with(&self, values: &[f64]) -> Option<i32> {
        let (mut low, mut high) = (i32::MAX, i32::MIN);
        if self.total != 0 {
            low = self.exponent + self.total.trailing_zeros() as i32;
            high = self.exponent + 128 - self.total.unsigned_abs().leading_zeros() as i32;
        }
        for value in values {
            let (mantissa, exponent) = parts(*value)?;
            if mantissa != 0 {
                low = low.min(exponent + mantissa.trailing_zeros() as i32);
                high = high.max(exponent + 64 - mantissa.leading_zeros() as i32);
            }
        }
        if low > high {
            return Some(0);
        }
        let carries = 65 - (values.len() as u64).leading_zeros() as i32;
        (high - low + carries <= BITS).then_some(low)
    }

    /// The total in units of `2^exponent`, which [`Fixed::exponent_with`] gave.
    pub(super) fn at(&self, exponent: i32) -> i128 {
        match self.exponent - exponent {
            _ if self.total == 0 => 0,
            shift @ 0.. => self.total << shift,
            shift => self.total >> -shift,
        }
    }

    /// The sum, rounded to the nearest float.
    pub(super) fn round(&self) -> f64 {
        self.total as f64 * power_of_two(self.exponent)
    }

    /// Floats that have this sum.
    pub(super) fn floats(&self) -> Vec<f64> {
        let sign = if self.total < 0 { -1.0 } else { 1.0 };
        let total = self.total.unsigned_abs();
        let piece = |at: u32| {
            let bits = (total >> at) & ((1 << 48) - 1);
            sign * bits as f64 * power_of_two(self.exponent) * power_of_two(at as i32)
        };
        [0, 48, 96].map(piece).to_vec()
    }
}

/// A value in units of `2^exponent`, of which it is a multiple.
#[inline]
pub(super) fn at(value: f64, exponent: i32) -> i128 {
    let Some((mantissa, own)) = parts(value) else { return 0 };
    let shift = own - exponent;
    let magnitude = match shift {
        _ if mantissa == 0 => 0,
        0.. => i128::from(mantissa) << shift,
        _ => i128::from(mantissa >> -shift),
    };
    if value.is_sign_negative() { -magnitude } else { magnitude }
}

/// Mantissa and exponent of the magnitude; none for what is not finite.
#[inline]
fn parts(value: f64) -> Option<(u64, i32)> {
    let bits = value.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32;
    let fraction = bits & ((1 << 52) - 1);
    match exponent {
        0x7ff => None,
        0 => Some((fraction, -1074)),
        _ => Some((fraction | (1 << 52), exponent - 1075)),
    }
}

fn power_of_two(exponent: i32) -> f64 {
    match exponent {
        ..-1022 => f64::from_bits(1 << (exponent + 1074)),
        _ => f64::from_bits(((exponent + 1023) as u64) << 52),
    }
}

/// The values, with zero where there is NULL.
pub(super) fn zero_nulls<'a>(values: &'a [f64], nulls: Option<&NullBuffer>) -> Cow<'a, [f64]> {
    let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) else {
        return Cow::Borrowed(values);
    };
    let both = values.iter().zip(nulls.iter());
    Cow::Owned(both.map(|(value, valid)| if valid { *value } else { 0.0 }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_exact_whatever_their_order() {
        let values = [0.1, 0.2, 1e16, -1e16, 3.5, -0.30000000000000004];
        let exponent = Fixed::default().exponent_with(&values).expect("they are near");
        let total = values.iter().map(|value| at(*value, exponent)).sum();
        let sum = Fixed { total, exponent };
        assert_eq!(sum.round(), 3.5);
        let again: f64 = sum.floats().iter().sum();
        assert_eq!(again, 3.5);
    }

    #[test]
    fn values_that_are_far_apart_are_left_to_others() {
        assert_eq!(Fixed::default().exponent_with(&[1e300, 1e-300]), None);
        assert_eq!(Fixed::default().exponent_with(&[f64::NAN]), None);
        assert_eq!(Fixed::default().exponent_with(&[f64::INFINITY]), None);
        assert_eq!(Fixed::default().exponent_with(&[0.0, -0.0]), Some(0));
    }

    #[test]
    fn the_smallest_and_the_largest_floats_keep_their_bits() {
        for value in [f64::MIN_POSITIVE, 5e-324, f64::MAX, -f64::MAX, 1.5e-310] {
            let exponent = Fixed::default().exponent_with(&[value]).expect("one value fits");
            assert_eq!(Fixed { total: at(value, exponent), exponent }.round(), value);
        }
    }
}
