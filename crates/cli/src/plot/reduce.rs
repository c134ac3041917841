//! Any number of values in a bounded amount of memory, for a chart that has so many pixels.
//!
//! ```text
//!   points --kept while they are few, else--> stretches of x with first, last, least, greatest --too many: twice as wide-->
//!   values --kept while they are few, else--> counts per range of a power of ten  --too many: ten times as wide-->
//! ```
//!
//! The order of the values does not matter. Both are exact in what they show: a stretch is narrower than a pixel, and
//! ranges of a power of ten go into the shown ones without a rest.

use std::collections::BTreeMap;

use super::chart::{Bins, extent};
use super::ticks::nice_step;

/// Points, and values, that are kept as they are.
const KEPT: usize = 4096;
/// Stretches of x; a chart has fewer pixels.
const STRETCHES: usize = 4096;
/// Ranges of values; a histogram shows far fewer.
const RANGES: usize = 20_000;

/// The points of a line.
#[derive(Clone, Debug, Default)]
pub struct Points {
    kept: Vec<(f64, f64)>,
    width: f64,
    stretches: BTreeMap<i64, Stretch>,
}

/// The points of a stretch that are seen.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    first: (f64, f64),
    last: (f64, f64),
    least: (f64, f64),
    greatest: (f64, f64),
}

impl Stretch {
    fn of(point: (f64, f64)) -> Self {
        Self { first: point, last: point, least: point, greatest: point }
    }

    fn merge(&mut self, other: &Self) {
        let better = |is: bool, new: (f64, f64), old: (f64, f64)| if is { new } else { old };
        self.first = better(other.first.0 < self.first.0, other.first, self.first);
        self.last = better(other.last.0 >= self.last.0, other.last, self.last);
        self.least = better(other.least.1 < self.least.1, other.least, self.least);
        self.greatest = better(other.greatest.1 > self.greatest.1, other.greatest, self.greatest);
    }
}

impl Points {
    /// Adds a point of two finite numbers.
    pub fn add(&mut self, x: f64, y: f64) {
        if self.width > 0.0 {
            self.add_to_stretch((x, y));
            return;
        }
        self.kept.push((x, y));
        if self.kept.len() > KEPT {
            let (min, max) = extent(self.kept.iter().map(|point| point.0)).unwrap_or_default();
            let width = ((max - min) / STRETCHES as f64).max(f64::MIN_POSITIVE);
            self.width = width.log2().floor().exp2().max(max.abs().max(min.abs()) * 1e-15);
            for point in std::mem::take(&mut self.kept) {
                self.add_to_stretch(point);
            }
        }
    }

    fn add_to_stretch(&mut self, point: (f64, f64)) {
        let index = (point.0 / self.width).floor() as i64;
        let stretch = Stretch::of(point);
        self.stretches.entry(index).and_modify(|known| known.merge(&stretch)).or_insert(stretch);
        while self.stretches.len() > STRETCHES {
            self.width *= 2.0;
            let mut wider: BTreeMap<i64, Stretch> = BTreeMap::new();
            for (index, stretch) in std::mem::take(&mut self.stretches) {
                let known = wider.entry(index.div_euclid(2)).or_insert(stretch);
                known.merge(&stretch);
            }
            self.stretches = wider;
        }
    }

    /// The points that are seen, from left to right.
    pub fn finish(mut self) -> Vec<(f64, f64)> {
        for stretch in self.stretches.values() {
            let mut points = [stretch.first, stretch.least, stretch.greatest, stretch.last];
            points[1..3].sort_by(|a, b| a.0.total_cmp(&b.0));
            self.kept.extend(points);
        }
        self.kept.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.kept.dedup();
        self.kept
    }
}

/// The values of a histogram.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    kept: Vec<f64>,
    width: f64,
    counts: BTreeMap<i64, u64>,
}

impl Histogram {
    /// Adds a finite number.
    pub fn add(&mut self, value: f64) {
        if self.width > 0.0 {
            self.count(value);
            return;
        }
        self.kept.push(value);
        if self.kept.len() > KEPT {
            self.count_kept();
        }
    }

    fn count_kept(&mut self) {
        let (min, max) = extent(self.kept.iter().copied()).unwrap_or_default();
        let least = (max.abs().max(min.abs()) * 1e-14).max(1e-300);
        let width = ((max - min) / RANGES as f64).max(least);
        self.width = 10_f64.powi(width.log10().ceil() as i32);
        for value in std::mem::take(&mut self.kept) {
            self.count(value);
        }
    }

    fn count(&mut self, value: f64) {
        // A value at a border is not to fall short of it because a tenth is no binary number.
        let index = (value / self.width + 1e-9).floor() as i64;
        *self.counts.entry(index).or_default() += 1;
        while self.counts.len() > RANGES {
            self.width *= 10.0;
            let mut wider: BTreeMap<i64, u64> = BTreeMap::new();
            for (index, count) in std::mem::take(&mut self.counts) {
                *wider.entry(index.div_euclid(10)).or_default() += count;
            }
            self.counts = wider;
        }
    }

    /// At most about so many bins, with borders that are read easily.
    pub fn bins(mut self, wanted: usize) -> Bins {
        if self.width == 0.0 {
            self.count_kept();
        }
        let (Some((&first, _)), Some((&last, _))) =
            (self.counts.first_key_value(), self.counts.last_key_value())
        else {
            return Bins::default();
        };
        let span = (last - first + 1) as f64 * self.width;
        let step = nice_step(span, wanted).max(self.width);
        let per_bin = ((step / self.width).round() as i64).max(1);
        let start = first.div_euclid(per_bin);
        let mut counts = vec![0; (last.div_euclid(per_bin) - start + 1) as usize];
        for (index, count) in self.counts {
            counts[(index.div_euclid(per_bin) - start) as usize] += count;
        }
        let width = self.width * per_bin as f64;
        Bins { start: start as f64 * width, width, counts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_points_stay_and_many_keep_their_peaks() {
        let mut few = Points::default();
        [(2.0, 1.0), (1.0, 5.0), (3.0, 0.0)].into_iter().for_each(|(x, y)| few.add(x, y));
        assert_eq!(few.finish(), [(1.0, 5.0), (2.0, 1.0), (3.0, 0.0)]);
        let mut many = Points::default();
        for x in 0..1_000_000 {
            many.add(f64::from(x), if x == 777_777 { 100.0 } else { f64::from(x % 10) });
        }
        let points = many.finish();
        assert!(points.len() <= 4 * STRETCHES, "{}", points.len());
        assert!(points.contains(&(777_777.0, 100.0)));
        assert_eq!((points[0].0, points[points.len() - 1].0), (0.0, 999_999.0));
        assert!(points.is_sorted_by(|a, b| a.0 <= b.0));
    }

    #[test]
    fn bins_have_round_borders_and_count_exactly() {
        for scale in [1.0, 0.001, 1e9] {
            let mut values = Histogram::default();
            for value in 0..100_000 {
                values.add(f64::from(value % 1000) * scale);
            }
            let bins = values.bins(20);
            assert_eq!((bins.start, bins.counts.len()), (0.0, 20), "{scale}");
            assert!(bins.counts.iter().all(|count| *count == 5000), "{scale} {bins:?}");
        }
    }

    #[test]
    fn one_value_is_one_bin_and_outliers_are_counted() {
        let mut one = Histogram::default();
        (0..10_000).for_each(|_| one.add(42.0));
        let bins = one.bins(20);
        assert_eq!(bins.counts, [10_000]);
        let mut far = Histogram::default();
        (0..50_000).for_each(|value| far.add(f64::from(value)));
        far.add(1e12);
        assert_eq!(far.bins(20).counts.iter().sum::<u64>(), 50_001);
        assert_eq!(Histogram::default().bins(20), Bins::default());
    }
}
