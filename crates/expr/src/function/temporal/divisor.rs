//! Floor division by a number that is known once per column: a multiplication and two shifts.
//!
//! Granlund and Montgomery, "Division by Invariant Integers using Multiplication" (1994), for dividends
//! below 2^63; negative dividends by `floor(v / d) = !floor(!v / d)`.

/// A positive divisor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Divisor {
    divisor: i64,
    /// `ceil(2^(63 + shift) / divisor)`.
    reciprocal: u64,
    /// `ceil(log2(divisor))`.
    shift: u32,
}

impl Divisor {
    pub(super) fn new(divisor: i64) -> Self {
        assert!(divisor > 0, "a divisor is positive");
        let unsigned = divisor.unsigned_abs();
        let shift = u64::BITS - (unsigned - 1).leading_zeros();
        let reciprocal = (1u128 << (63 + shift)).div_ceil(u128::from(unsigned));
        Self { divisor, reciprocal: reciprocal as u64, shift }
    }

    /// `floor(value / divisor)`.
    #[inline]
    pub(super) fn floor(self, value: i64) -> i64 {
        let sign = value >> 63;
        let doubled = ((value ^ sign) as u64) << 1;
        let high = ((u128::from(doubled) * u128::from(self.reciprocal)) >> 64) as u64;
        (high >> self.shift) as i64 ^ sign
    }

    /// The largest multiple of the divisor that is not above `value`; wraps where it is below `i64::MIN`.
    #[inline]
    pub(super) fn floor_multiple(self, value: i64) -> i64 {
        self.floor(value).wrapping_mul(self.divisor)
    }

    /// `value` less its [`Divisor::floor_multiple`].
    #[inline]
    pub(super) fn remainder(self, value: i64) -> i64 {
        value.wrapping_sub(self.floor_multiple(value))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn edges_divide_exactly() {
        let edges = [i64::MIN, i64::MIN + 1, -2, -1, 0, 1, 2, i64::MAX - 1, i64::MAX];
        for d in [1, 2, 3, 7, 24, 1000, 86_400, 86_400_000_000, 86_400_000_000_000, i64::MAX] {
            for v in edges.into_iter().chain([d - 1, d, -d, 1 - d, -1 - d]) {
                assert_eq!(Divisor::new(d).floor(v), v.div_euclid(d), "{v} / {d}");
                assert_eq!(Divisor::new(d).remainder(v), v.rem_euclid(d), "{v} % {d}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_number_divides_exactly(v: i64, d in 1..=i64::MAX, bits in 0u32..63) {
            let d = (d >> bits).max(1);
            prop_assert_eq!(Divisor::new(d).floor(v), v.div_euclid(d));
        }
    }
}
