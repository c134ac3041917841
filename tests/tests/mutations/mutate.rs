//! Mistakes in bytes: some of those that disks, networks and strangers make, the same for the same seed.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// `bytes` with one to four mistakes in them; `other` is another file of the format, to splice with.
pub fn mutated(bytes: &[u8], other: &[u8], seed: u64) -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut bytes = bytes.to_vec();
    for _ in 0..random.random_range(1..=4) {
        mistake(&mut bytes, other, &mut random);
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

fn mistake(bytes: &mut Vec<u8>, other: &[u8], random: &mut ChaCha8Rng) {
    let at = place(bytes.len(), random);
    let end = (at + random.random_range(1..=64)).min(bytes.len());
    match random.random_range(0..12) {
        0 | 1 => bytes[at] ^= 1 << random.random_range(0..8),
        2 => bytes[at] = random.random(),
        3 => bytes[at] = bytes[at].wrapping_add([1, 255][random.random_range(0..2)]),
        4 => bytes.truncate(at),
        5 => drop(bytes.drain(at..end)),
        6 => {
            let range = bytes[at..end].to_vec();
            bytes.splice(at..at, range);
        }
        7 => bytes[at..end].fill([0, 0xff][random.random_range(0..2)]),
        8 => swap_ranges(bytes, at, end - at, random),
        9 => set_length(bytes, at, random),
        10 => random.fill(&mut bytes[at..end]),
        _ => {
            let from = place(other.len(), random);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
    }
}

/// A place in so many bytes: anywhere, or near an end, where headers and footers are.
fn place(length: usize, random: &mut ChaCha8Rng) -> usize {
    let near = random.random_range(0..length.min(700));
    match random.random_range(0..4) {
        0 => near,
        1 => length - 1 - near,
        _ => random.random_range(0..length),
    }
}

fn swap_ranges(bytes: &mut [u8], at: usize, length: usize, random: &mut ChaCha8Rng) {
    let with = place(bytes.len(), random);
    let length = length.min(bytes.len() - with);
    (0..length).for_each(|step| bytes.swap(at + step, with + step));
}

/// Four or eight bytes that may be a length become another: none, one more, the most there is.
fn set_length(bytes: &mut [u8], at: usize, random: &mut ChaCha8Rng) {
    let width = [4, 8][random.random_range(0..2)];
    let Some(place) = bytes.get_mut(at..at + width) else { return };
    let lengths =
        [0, 1, 0x7f, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 40, i64::MAX as u64];
    let length = lengths[random.random_range(0..lengths.len())];
    place.copy_from_slice(&length.to_le_bytes()[..width]);
}
