//! Values by rank out of more values than fit in memory: counted by their leading digits, pass by pass.
//!
//! ```text
//!   pass 0   counts of the first 16 bits    rank 4,711 is among those that begin with 0x4059
//!   pass 1   of these, counts of the next   .. with 0x4059 0x0123
//!   last     these few are kept, and picked from
//! ```
//!
//! Memory does not depend on the number of values: a table of counts per rank wanted, and the kept ones.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use dframe_core::{Error, Result};

use super::Passes;
use super::quantile::Quantiles;
use crate::words::Word;

/// So many values are kept rather than counted once more.
const KEPT_MAX: u64 = 256 * 1024;

/// Quantiles of `rows` values of `arg`.
pub(super) fn passes<W: Word + Default>(
    quantiles: &Quantiles,
    rows: u64,
    arg: &DataType,
) -> Box<dyn Passes> {
    let wanted = quantiles.ranks(rows);
    let ranges = match wanted.is_empty() {
        true => HashMap::new(),
        false => HashMap::from([(0, Range::new(rows, wanted.clone()))]),
    };
    let quantiles = quantiles.clone();
    let (level, found, words) = (0, HashMap::new(), Vec::new());
    Box::new(Selection::<W> {
        quantiles,
        rows,
        arg: arg.clone(),
        wanted,
        level,
        ranges,
        found,
        words,
    })
}

struct Selection<W> {
    quantiles: Quantiles,
    rows: u64,
    arg: DataType,
    wanted: Vec<u64>,
    /// The digits that the ranges share.
    level: u32,
    /// The ranges of values that hold wanted ranks, by the digits above `level`.
    ranges: HashMap<u128, Range<W>>,
    found: HashMap<u64, W>,
    words: Vec<W>,
}

/// Values that begin with the same digits.
struct Range<W> {
    /// The ranks wanted of them, as ranks of the whole group.
    ranks: Vec<u64>,
    /// The rank of the least.
    first: u64,
    seen: Seen<W>,
}

enum Seen<W> {
    /// How many have each next digit.
    Counts(Vec<u64>),
    /// They themselves.
    Kept(Vec<W>),
}

impl<W: Word> Range<W> {
    fn new(rows: u64, ranks: Vec<u64>) -> Self {
        Self { ranks, first: 0, seen: Seen::of(rows) }
    }
}

impl<W> Seen<W> {
    fn of(values: u64) -> Self {
        match values <= KEPT_MAX {
            true => Seen::Kept(Vec::with_capacity(values as usize)),
            false => Seen::Counts(vec![0; 1 << 16]),
        }
    }

    fn add(&mut self, word: W, level: u32)
    where
        W: Word,
    {
        match self {
            Seen::Counts(counts) => counts[word.digit(level)] += 1,
            Seen::Kept(kept) => kept.push(word),
        }
    }
}

impl<W: Word> Selection<W> {
    /// Takes the ranks out of a range whose values were kept.
    fn pick(&mut self, range: Range<W>) -> Option<Range<W>> {
        let Seen::Kept(mut kept) = range.seen else { return Some(range) };
        kept.sort_unstable();
        for rank in range.ranks {
            self.found.insert(rank, kept[(rank - range.first) as usize]);
        }
        None
    }

    /// The ranges within `range`, by their digits, that hold its ranks.
    fn narrow(&mut self, above: u128, range: &Range<W>) -> Vec<(u128, Range<W>)> {
        let Seen::Counts(counts) = &range.seen else { return Vec::new() };
        let (mut first, mut ranks) = (range.first, range.ranks.as_slice());
        let mut narrower = Vec::new();
        for (digit, count) in counts.iter().enumerate() {
            let within = ranks.partition_point(|rank| *rank < first + count);
            if within > 0 {
                let (own, later) = ranks.split_at(within);
                let digits = above << 16 | digit as u128;
                let seen = Seen::of(*count);
                narrower.push((digits, Range { ranks: own.to_vec(), first, seen }));
                ranks = later;
            }
            first += count;
        }
        narrower
    }
}

impl<W: Word + Default> Passes for Selection<W> {
    fn push(&mut self, columns: &[ArrayRef]) -> Result<()> {
        debug_assert_eq!(columns[0].null_count(), 0);
        let mut words = std::mem::take(&mut self.words);
        words.clear();
        W::extend(&mut words, &columns[0])?;
        let level = self.level;
        match (self.ranges.len(), self.ranges.iter_mut().next()) {
            (1, Some((above, range))) => {
                let own = words.iter().filter(|word| word.above(level) == *above);
                own.for_each(|word| range.seen.add(*word, level));
            }
            _ => {
                for word in &words {
                    if let Some(range) = self.ranges.get_mut(&word.above(level)) {
                        range.seen.add(*word, level);
                    }
                }
            }
        }
        self.words = words;
        Ok(())
    }

    fn again(&mut self) -> Result<bool> {
        let ranges = std::mem::take(&mut self.ranges);
        self.level += 1;
        for (above, range) in ranges {
            let Some(range) = self.pick(range) else { continue };
            for (digits, narrower) in self.narrow(above, &range) {
                match self.level < W::DIGITS {
                    true => drop(self.ranges.insert(digits, narrower)),
                    // All digits are known, and so is the value.
                    false => {
                        let word = W::from_digits(digits);
                        self.found.extend(narrower.ranks.iter().map(|rank| (*rank, word)));
                    }
                }
            }
        }
        Ok(!self.ranges.is_empty())
    }

    fn memory(&self) -> usize {
        let bytes = |range: &Range<W>| match &range.seen {
            Seen::Counts(counts) => counts.capacity() * size_of::<u64>(),
            Seen::Kept(kept) => kept.capacity() * size_of::<W>(),
        };
        self.ranges.values().map(bytes).sum::<usize>() + self.words.capacity() * size_of::<W>()
    }

    fn finish(self: Box<Self>) -> Result<ArrayRef> {
        let value = |rank: &u64| {
            let lost = || Error::internal(format!("no value of rank {rank} was shown"));
            self.found.get(rank).copied().ok_or_else(lost)
        };
        let found = self.wanted.iter().map(value).collect::<Result<Vec<W>>>()?;
        self.quantiles.of_words(self.rows, &found, &self.arg)
    }
}
