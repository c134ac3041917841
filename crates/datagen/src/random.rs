//! Random numbers by row: values that depend on a seed, a column and a row, and on nothing before.
//!
//! A sequential generator such as ChaCha would tie a row to the rows drawn before it. Instead each
//! draw is one output of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
//! generators", OOPSLA 2014), which is random-access: its n-th output is a mix of key + n * gamma.
//!
//! Not for secrets.

/// The odd constant by which SplitMix64 steps: 2^64 / golden ratio.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// One column's random numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    key: u64,
}

impl Stream {
    /// The numbers of `seed` that are called `name`.
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        let key = name.bytes().fold(mix(seed ^ GAMMA), |key, byte| mix(key ^ u64::from(byte)));
        Self { key }
    }

    /// The `index`-th number.
    #[inline]
    pub(crate) fn bits(self, index: u64) -> u64 {
        mix(self.key.wrapping_add(index.wrapping_mul(GAMMA)))
    }

    /// The `index`-th number as a fraction in [0, 1).
    #[inline]
    pub(crate) fn unit(self, index: u64) -> f64 {
        unit(self.bits(index))
    }

    /// The `index`-th number as an integer in [0, bound); 0 if `bound` is.
    #[inline]
    pub(crate) fn below(self, index: u64, bound: u64) -> u64 {
        scale(self.bits(index), bound)
    }

    /// The numbers of part `part` of this stream.
    #[inline]
    pub(crate) fn part(self, part: u64) -> Self {
        Self { key: mix(self.key ^ mix(part)) }
    }
}

/// A random permutation of 0..n in constant memory: four Feistel rounds on the next even number of
/// bits, repeated until the result is below n (Black and Rogaway, "Ciphers with arbitrary finite
/// domains", CT-RSA 2002). Fewer than four repetitions on average.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permutation {
    stream: Stream,
    len: u64,
    half_bits: u32,
}

impl Permutation {
    /// A permutation of 0..len, for at most 2^62.
    pub(crate) fn new(stream: Stream, len: u64) -> Self {
        let bits = u64::BITS - len.saturating_sub(1).leading_zeros();
        Self { stream, len, half_bits: bits.div_ceil(2).max(1) }
    }

    /// Where `index` goes.
    pub(crate) fn apply(&self, index: u64) -> u64 {
        debug_assert!(index < self.len);
        let mut value = self.rounds(index);
        while value >= self.len {
            value = self.rounds(value);
        }
        value
    }

    fn rounds(&self, value: u64) -> u64 {
        let mask = (1 << self.half_bits) - 1;
        let (mut left, mut right) = (value >> self.half_bits, value & mask);
        for round in 0..4 {
            let mixed = left ^ (self.stream.bits(right * 4 + round) & mask);
            (left, right) = (right, mixed);
        }
        left << self.half_bits | right
    }
}

/// A draw from a fixed discrete distribution in constant time: Walker's alias method with Vose's
/// set-up (Vose, "A linear algorithm for generating random numbers with a given distribution",
/// IEEE TSE 1991).
///
/// Why not `rand_distr`: its `Zipf` takes a logarithm and a power per draw and draws a varying
/// number of times, and its `WeightedAliasIndex` draws two numbers from a sequential generator;
/// here a draw is a function of 64 random bits.
#[derive(Clone, Debug)]
pub(crate) struct Alias {
    /// For each slot, the share of it that is its own (of 2^32), and who has the rest.
    slots: Vec<(u32, u32)>,
}

impl Alias {
    /// A distribution over 0..weights.len(), in proportion to the weights, which are positive.
    pub(crate) fn new(weights: &[f64]) -> Self {
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        let mut scaled: Vec<f64> = weights.iter().map(|weight| weight / mean).collect();
        let (mut small, mut large): (Vec<u32>, Vec<u32>) =
            (0..weights.len() as u32).partition(|&index| scaled[index as usize] < 1.0);
        let mut slots: Vec<(u32, u32)> =
            (0..weights.len() as u32).map(|index| (u32::MAX, index)).collect();
        while let (Some(low), Some(&high)) = (small.pop(), large.last()) {
            slots[low as usize] = ((scaled[low as usize] * 2f64.powi(32)) as u32, high);
            scaled[high as usize] -= 1.0 - scaled[low as usize];
            if scaled[high as usize] < 1.0 {
                small.extend(large.pop());
            }
        }
        Self { slots }
    }

    /// The value that these bits stand for.
    #[inline]
    pub(crate) fn draw(&self, bits: u64) -> u32 {
        let index = ((bits >> 32) * self.slots.len() as u64) >> 32;
        let (own, other) = self.slots[index as usize];
        if (bits as u32) < own { index as u32 } else { other }
    }
}

/// Random bits as a fraction in [0, 1).
#[inline]
pub(crate) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// Random bits as an integer in [0, bound).
#[inline]
fn scale(bits: u64, bound: u64) -> u64 {
    ((u128::from(bits) * u128::from(bound)) >> 64) as u64
}

#[inline]
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn draws_are_even_and_independent_of_each_other() {
        let (a, b) = (Stream::new(1, "a"), Stream::new(1, "b"));
        let n = 100_000;
        let mean = (0..n).map(|i| a.unit(i)).sum::<f64>() / n as f64;
        assert!((mean - 0.5).abs() < 0.005, "{mean}");
        let product = (0..n).map(|i| a.unit(i) * b.unit(i)).sum::<f64>() / n as f64;
        assert!((product - 0.25).abs() < 0.005, "{product}");
        assert!((0..n).all(|i| a.below(i, 7) < 7));
    }

    #[test]
    fn a_permutation_reaches_everything_once() {
        for len in [1, 2, 3, 100, 4097] {
            let permutation = Permutation::new(Stream::new(7, "p"), len);
            let reached: HashSet<u64> = (0..len).map(|index| permutation.apply(index)).collect();
            assert_eq!(reached.len() as u64, len);
        }
    }

    #[test]
    fn alias_draws_follow_the_weights() {
        let weights = [5.0, 1.0, 3.0, 1.0];
        let alias = Alias::new(&weights);
        let stream = Stream::new(3, "alias");
        let mut counts = [0u32; 4];
        for index in 0..100_000 {
            counts[alias.draw(stream.bits(index)) as usize] += 1;
        }
        for (count, weight) in counts.iter().zip(weights) {
            assert!((f64::from(*count) / 10_000.0 - weight).abs() < 0.1, "{counts:?}");
        }
    }
}
