//! Histograms of a few letters, for people, drawn from quantiles.
//!
//! ```text
//!   0 1 2 10   three parts of the values, each spread over its range   ██▁▁▁▁▁▁▁▁
//! ```
//!
//! It does not know how quantiles are found.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};

/// The bars of a histogram.
const BARS: usize = 10;
/// From none to as many as there are most.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// How values are spread from the least to the greatest, by their quantiles as text. `None` if they are no finite
/// numbers, dates or times.
pub(crate) fn histogram(quantiles: &ArrayRef) -> Option<String> {
    let points = numbers(quantiles)?;
    let (first, last) = (*points.first()?, *points.last()?);
    if !(last - first).is_finite() {
        return None;
    }
    if first == last {
        return Some(HEIGHTS[HEIGHTS.len() - 1].to_string());
    }
    let place = |point: f64| (point - first) / (last - first) * BARS as f64;
    let mut shares = [0.0; BARS];
    for pair in points.windows(2) {
        spread(place(pair[0]), place(pair[1]), &mut shares);
    }
    let most = shares.iter().copied().fold(0.0, f64::max);
    let height = |share: &f64| {
        let height = (share / most * HEIGHTS.len() as f64).ceil() as usize;
        HEIGHTS[height.clamp(1, HEIGHTS.len()) - 1]
    };
    Some(shares.iter().map(height).collect())
}

/// Adds one part of the values, which lie evenly between two places.
fn spread(from: f64, to: f64, shares: &mut [f64; BARS]) {
    let bar = |place: f64| (place as usize).min(BARS - 1);
    if bar(from) == bar(to) {
        shares[bar(from)] += 1.0;
        return;
    }
    for (index, share) in shares.iter_mut().enumerate() {
        let (left, right) = (index as f64, (index + 1) as f64);
        *share += (to.min(right) - from.max(left)).max(0.0) / (to - from);
    }
}

fn numbers(texts: &ArrayRef) -> Option<Vec<f64>> {
    let numbers = cast(texts, &DataType::Float64).ok()?;
    if numbers.null_count() == 0 {
        return Some(numbers.as_primitive_opt::<Float64Type>()?.values().to_vec());
    }
    let times = cast(texts, &DataType::Timestamp(TimeUnit::Microsecond, None)).ok()?;
    let times = cast(&times, &DataType::Int64).ok()?;
    let micros = times.as_primitive_opt::<Int64Type>()?.values().iter();
    (times.null_count() == 0).then(|| micros.map(|at| *at as f64).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::StringArray;

    use super::*;

    fn drawn(quantiles: &[&str]) -> Option<String> {
        histogram(&(Arc::new(StringArray::from(quantiles.to_vec())) as ArrayRef))
    }

    #[test]
    fn values_are_where_their_quantiles_are() {
        assert_eq!(drawn(&["0", "5", "10"]).unwrap(), "██████████");
        assert_eq!(drawn(&["0.0", "1.0", "2.0", "10.0"]).unwrap(), "██▁▁▁▁▁▁▁▁");
        assert_eq!(drawn(&["0", "0", "0", "10"]).unwrap(), "█▁▁▁▁▁▁▁▁▁");
        assert_eq!(drawn(&["3", "3", "3"]).unwrap(), "█");
        let days = ["2024-01-01 00:00:00", "2024-01-02 00:00:00", "2024-01-11 00:00:00"];
        assert_eq!(drawn(&days).unwrap(), "█▁▁▁▁▁▁▁▁▁");
    }

    #[test]
    fn what_has_no_place_is_not_drawn() {
        assert_eq!(drawn(&["0", "inf"]), None);
        assert_eq!(drawn(&["1", "NaN"]), None);
        assert_eq!(drawn(&["a", "b"]), None);
        assert_eq!(drawn(&[]), None);
    }
}
