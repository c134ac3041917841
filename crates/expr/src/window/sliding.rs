//! Kernels over frames that move forward.
//!
//! ```text
//!   count, sum, mean   sums up to each row; a frame is a difference of two
//!   min, max           rows that may still become the answer, in order (a monotonic queue)
//!   picked values      the frame's ends, or the ends of the list of values that are not NULL
//!   the rest           a tree of merged states
//! ```
//!
//! Differences are exact: integers and fixed point have 128 bits, and where floats do not fit those, they
//! are merged as states. The queue is that of D. Lemire, "Streaming maximum-minimum filter" (2006).

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use dframe_core::Result;

use super::fixed::{self, Fixed, zero_nulls};
use super::framed::{FrameKernel, FrameValues};
use super::running::{Number, narrow, number_of};
use super::scan::{Keys, Rule, counted};
use super::states::{self, AggregateRows};
use crate::aggregate::{AggregateFunction, BoundAggregate};

/// The kernel of an aggregate.
pub(super) fn aggregate(aggregate: &BoundAggregate) -> Result<Box<dyn FrameKernel>> {
    use AggregateFunction as F;
    let arg = aggregate.signature().arg_types.first();
    let tree = Tree(aggregate.clone());
    Ok(match (aggregate.function(), number_of(arg)) {
        (F::Count, _) => Box::new(Counts),
        (F::Min, _) => Box::new(Extremes(Ordering::Less)),
        (F::Max, _) => Box::new(Extremes(Ordering::Greater)),
        (F::Sum, Some(Number::Integer)) => Box::new(Integers { mean: false }),
        (F::Mean, Some(Number::Integer)) => Box::new(Integers { mean: true }),
        (F::Sum, Some(Number::Float)) => Box::new(Floats { mean: false, tree }),
        (F::Mean, Some(Number::Float)) => Box::new(Floats { mean: true, tree }),
        _ => Box::new(tree),
    })
}

/// The kernel that picks values.
pub(super) fn pick(rule: Rule) -> Box<dyn FrameKernel> {
    Box::new(Picks(rule))
}

/// So many values that are not NULL come before each row, and at last before none.
fn counts(valid: Option<&NullBuffer>, len: usize) -> Vec<i64> {
    let mut counts = Vec::with_capacity(len + 1);
    let mut count = 0;
    counts.push(0);
    for row in 0..len {
        count += i64::from(valid.is_none_or(|valid| valid.is_valid(row)));
        counts.push(count);
    }
    counts
}

struct Counts;

impl FrameKernel for Counts {
    fn evaluate(&self, values: &FrameValues<'_>, frames: &[Range<usize>]) -> Result<ArrayRef> {
        let counts = match values.rows.valid(values.inputs) {
            None => {
                return Ok(Arc::new(
                    frames.iter().map(|f| Some(f.len() as i64)).collect::<Int64Array>(),
                ));
            }
            valid => counts(valid.as_ref(), values.len),
        };
        let count = |frame: &Range<usize>| counts[frame.end] - counts[frame.start];
        Ok(Arc::new(Int64Array::from_iter_values(frames.iter().map(count))))
    }
}

struct Integers {
    mean: bool,
}

impl FrameKernel for Integers {
    fn evaluate(&self, values: &FrameValues<'_>, frames: &[Range<usize>]) -> Result<ArrayRef> {
        let input = &values.inputs[0];
        let valid = values.rows.valid(values.inputs);
        let counts = counts(valid.as_ref(), values.len);
        let array = cast(input, &DataType::Int64)?;
        let numbers = array.as_primitive::<Int64Type>().values();
        let of_row = |row: usize| match &valid {
            Some(valid) if valid.is_null(row) => 0,
            _ => i128::from(numbers[row]),
        };
        let sums = prefix_sums(values.len, of_row);
        let both = frames.iter().map(|frame| {
            let count = counts[frame.end] - counts[frame.start];
            (sums[frame.end] - sums[frame.start], count)
        });
        if self.mean {
            let mean =
                |(total, count): (i128, i64)| (count > 0).then(|| total as f64 / count as f64);
            return Ok(Arc::new(both.map(mean).collect::<Float64Array>()));
        }
        let sum = |(total, count): (i128, i64)| (count > 0).then(|| narrow(total)).transpose();
        Ok(Arc::new(both.map(sum).collect::<Result<Int64Array>>()?))
    }
}

/// The sum of all rows before each row, and at last of all.
fn prefix_sums(len: usize, of_row: impl Fn(usize) -> i128) -> Vec<i128> {
    let mut sums = Vec::with_capacity(len + 1);
    let mut sum = 0;
    sums.push(0);
    for row in 0..len {
        sum += of_row(row);
        sums.push(sum);
    }
    sums
}

struct Floats {
    mean: bool,
    tree: Tree,
}

impl FrameKernel for Floats {
    fn evaluate(&self, values: &FrameValues<'_>, frames: &[Range<usize>]) -> Result<ArrayRef> {
        let input = &values.inputs[0];
        let valid = values.rows.valid(values.inputs);
        let floats = zero_nulls(input.as_primitive::<Float64Type>().values(), valid.as_ref());
        let Some(exponent) = Fixed::default().exponent_with(&floats) else {
            return self.tree.evaluate(values, frames);
        };
        let counts = counts(valid.as_ref(), values.len);
        let sums = prefix_sums(values.len, |row| fixed::at(floats[row], exponent));
        let answer = |frame: &Range<usize>| {
            let count = counts[frame.end] - counts[frame.start];
            let total = sums[frame.end] - sums[frame.start];
            let sum = Fixed { total, exponent }.round();
            (count > 0).then_some(if self.mean { sum / count as f64 } else { sum })
        };
        Ok(Arc::new(frames.iter().map(answer).collect::<Float64Array>()))
    }
}

/// The least or the greatest.
struct Extremes(Ordering);

impl FrameKernel for Extremes {
    fn evaluate(&self, values: &FrameValues<'_>, frames: &[Range<usize>]) -> Result<ArrayRef> {
        let array = values.rows.masked(values.inputs)?;
        let keys = Keys::of(&array)?;
        let nulls = array.logical_nulls();
        let mut candidates: VecDeque<usize> = VecDeque::new();
        let mut seen = 0;
        let answer = |frame: &Range<usize>| {
            for row in seen.max(frame.start)..frame.end {
                if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                    continue;
                }
                // Whoever is no better than a later row is never the answer again; of equals the first is.
                while candidates.back().is_some_and(|last| keys.compare(row, *last) == self.0) {
                    candidates.pop_back();
                }
                candidates.push_back(row);
            }
            seen = seen.max(frame.end);
            while candidates.front().is_some_and(|first| *first < frame.start) {
                candidates.pop_front();
            }
            candidates.front().filter(|_| !frame.is_empty()).map(|row| *row as u32)
        };
        let rows: UInt32Array = frames.iter().map(answer).collect();
        Ok(take(&array, &rows, None)?)
    }
}

/// A row of the frame.
struct Picks(Rule);

impl FrameKernel for Picks {
    fn evaluate(&self, values: &FrameValues<'_>, frames: &[Range<usize>]) -> Result<ArrayRef> {
        let array = &values.inputs[0];
        let Some(valid) = counted(self.0, array) else {
            let rows: UInt32Array = frames.iter().map(|frame| self.place(frame)).collect();
            return Ok(take(array, &rows, None)?);
        };
        let counts = counts(Some(&valid), values.len);
        let places: Vec<u32> = valid.valid_indices().map(|row| row as u32).collect();
        let row = |frame: &Range<usize>| {
            let among = counts[frame.start] as usize..counts[frame.end] as usize;
            self.place(&among).map(|place| places[place as usize])
        };
        let rows: UInt32Array = frames.iter().map(row).collect();
        Ok(take(array, &rows, None)?)
    }
}

impl Picks {
    /// The place that is picked of a range of places.
    fn place(&self, places: &Range<usize>) -> Option<u32> {
        let place = match self.0 {
            Rule::First(_) => Some(places.start),
            Rule::Last(_) => places.end.checked_sub(1),
            Rule::Nth(n, _) => places.start.checked_add(n as usize - 1),
            Rule::FromLast(n, _) => places.end.checked_sub(n as usize),
            Rule::Least | Rule::Greatest => None,
        };
        place.filter(|place| places.contains(place)).map(|place| place as u32)
    }
}

/// Any aggregate.
struct Tree(BoundAggregate);

impl FrameKernel for Tree {
    fn evaluate(&self, values: &FrameValues<'_>, frames: &[Range<usize>]) -> Result<ArrayRef> {
        let positions = values.rows.positions(values.base, values.len);
        let (args, mask) = (values.rows.args(values.inputs), values.rows.mask(values.inputs));
        let rows = AggregateRows { args, mask, positions: &positions };
        states::over_frames(&self.0, states::of_rows(&self.0, &rows)?, frames)
    }
}
