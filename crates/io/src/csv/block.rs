//! Finds bytes among 64 at once: with the vector instructions that every x86-64 has, else by words.

/// A bit for each byte of the block that is one of `wanted`, the lowest for the first.
#[inline]
pub(super) fn places(block: &[u8; 64], wanted: [u8; 3]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE2 is part of x86-64.
    return unsafe { by_vectors(block, wanted) };
    #[cfg(not(target_arch = "x86_64"))]
    by_words(block, wanted)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
#[inline]
fn by_vectors(block: &[u8; 64], wanted: [u8; 3]) -> u64 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    };
    let [a, b, c] = wanted.map(|byte| _mm_set1_epi8(byte as i8));
    let mut places = 0;
    for (index, bytes) in block.as_chunks::<16>().0.iter().enumerate() {
        let word = |at: usize| i64::from_le_bytes(*bytes[at..].first_chunk().expect("8 bytes"));
        let text = _mm_set_epi64x(word(8), word(0));
        let (a, b, c) = (_mm_cmpeq_epi8(text, a), _mm_cmpeq_epi8(text, b), _mm_cmpeq_epi8(text, c));
        let found = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(a, b), c));
        places |= u64::from(found as u16) << (16 * index);
    }
    places
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn by_words(block: &[u8; 64], wanted: [u8; 3]) -> u64 {
    const EVERY: u64 = 0x0101_0101_0101_0101;
    const LOW: u64 = EVERY * 0x7f;
    // The highest bit of each byte in which both are equal; exact, without carries between bytes.
    let equal = |word: u64, byte: u8| {
        let differ = word ^ (EVERY * u64::from(byte));
        !(((differ & LOW) + LOW) | differ | LOW)
    };
    let mut places = 0;
    for (index, bytes) in block.as_chunks::<8>().0.iter().enumerate() {
        let word = u64::from_le_bytes(*bytes);
        let found = wanted.iter().fold(0, |found, byte| found | equal(word, *byte));
        // Eight bits, one of each byte, are moved next to each other.
        let bits = (found >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        places |= bits << (8 * index);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_find_the_same() {
        let mut state = 1_u64;
        for _ in 0..1000 {
            let block: [u8; 64] = std::array::from_fn(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                b"a,\"\n\x80\xac\0\x8a"[(state >> 61) as usize]
            });
            let wanted = [b',', b'"', b'\n'];
            let expected = block.iter().enumerate().filter(|(_, byte)| wanted.contains(byte));
            let expected = expected.fold(0, |places, (index, _)| places | 1 << index);
            assert_eq!(places(&block, wanted), expected);
            assert_eq!(by_words(&block, wanted), expected);
        }
    }
}
