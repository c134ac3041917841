//! Quantiles, exact: which values of a sorted group they lie between, and what is made of those.
//!
//! ```text
//!   median of 5 1 9 4   -->   ranks 1 and 2, halfway   -->   4 and 5   -->   4.5
//! ```
//!
//! Values are picked by rank, so that a group need not be sorted, and not even be held (`select`).

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float32Array, Float64Array, Int64Array, ListArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Field, Float64Type, Int64Type, TimeUnit};
use dframe_core::{Error, Result};

use super::InOrder;
use super::store::Lists;
use super::values::{
    ByteValues, Values, WordValues, byte_array, each_group, extend_bytes, word_array,
};
use crate::words::{Repr, Word, repr};

/// One or several quantiles of a column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quantiles {
    points: Vec<Point>,
    method: Method,
    /// Whether the result is a list.
    listed: bool,
    /// The type of a quantile.
    item: DataType,
}

/// Which share of the values lies below a quantile.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    p: f64,
    /// As a decimal fraction: `(numerator, denominator)`, where it is a short one. `0.07 * 100` is 7.
    exact: Option<(i128, i128)>,
}

/// What is taken where a quantile lies between two values.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Method {
    /// The least value that at least the share `p` of all values does not exceed, as SQL has it.
    Discrete,
    Linear,
    Lower,
    Higher,
    Nearest,
    Midpoint,
}

/// Between which two ranks a quantile lies, and how far from the first.
#[derive(Clone, Copy)]
struct Place {
    low: u64,
    high: u64,
    share: f64,
}

impl Quantiles {
    /// The median: between two values where there is a between, else the lower.
    pub(super) fn median(arg: &DataType) -> (Self, DataType) {
        let half = vec![Point { p: 0.5, exact: Some((1, 2)) }];
        let (method, item) = match between(arg) {
            Some(item) => (Method::Linear, item),
            None => (Method::Discrete, arg.clone()),
        };
        (Self { points: half, method, listed: false, item: item.clone() }, item)
    }

    /// `quantile_cont(x, p [, interpolation])`; `None` if there is nothing between values of `arg`.
    pub(super) fn continuous(
        arg: &DataType,
        constants: &[ArrayRef],
    ) -> Result<Option<(Self, DataType)>> {
        let method = match constants.get(1) {
            None => Method::Linear,
            Some(name) => method(name)?,
        };
        let item = match method {
            Method::Linear | Method::Midpoint => match between(arg) {
                Some(item) => item,
                None => return Ok(None),
            },
            _ => arg.clone(),
        };
        Ok(Some(Self::at(constants, method, item)?))
    }

    /// `quantile_disc(x, p)`.
    pub(super) fn discrete(arg: &DataType, constants: &[ArrayRef]) -> Result<(Self, DataType)> {
        Self::at(constants, Method::Discrete, arg.clone())
    }

    fn at(constants: &[ArrayRef], method: Method, item: DataType) -> Result<(Self, DataType)> {
        let p = constants.first().ok_or_else(|| {
            Error::invalid_input("a quantile needs the share of values below it")
                .remedy("write it second, as in quantile(x, 0.9)")
        })?;
        let listed = matches!(p.data_type(), DataType::List(_));
        let shares = if listed { p.as_list::<i32>().value(0) } else { p.clone() };
        let points = points(&shares)?;
        let return_type = match listed {
            true => DataType::List(Arc::new(Field::new_list_field(item.clone(), true))),
            false => item.clone(),
        };
        Ok((Self { points, method, listed, item }, return_type))
    }

    /// The quantiles of each group.
    pub(super) fn finish(&self, lists: &Lists, arg: &DataType) -> Result<ArrayRef> {
        let array = &lists.columns[0];
        match repr(arg) {
            Some(Repr::Narrow) => self.of_groups(&WordValues::<u64>::new(array), &lists.offsets),
            Some(Repr::Wide) => self.of_groups(&WordValues::<u128>::new(array), &lists.offsets),
            _ => self.of_groups(&ByteValues::new(array), &lists.offsets),
        }
    }

    fn of_groups<V: Values>(&self, values: &V, offsets: &[usize]) -> Result<ArrayRef> {
        let mut picked = Picked::default();
        each_group(values, offsets, |group| {
            let places = self.places(group.len() as u64);
            let ranks = ranks(&places);
            let found = pick(group, &ranks);
            picked.add(&places, &ranks, &found, self.points.len());
        })?;
        let (low, high) = (values.array(picked.lows)?, values.array(picked.highs)?);
        self.assemble(low, &high, &picked.shares)
    }

    /// The ranks wanted of a group of so many values, ascending.
    pub(super) fn ranks(&self, rows: u64) -> Vec<u64> {
        ranks(&self.places(rows))
    }

    /// The result for one group of `rows` words, of which those of [`Quantiles::ranks`] were found.
    pub(super) fn of_words<W: Word + Default>(
        &self,
        rows: u64,
        found: &[W],
        arg: &DataType,
    ) -> Result<ArrayRef> {
        let places = self.places(rows);
        let mut picked = Picked::default();
        picked.add(&places, &ranks(&places), found, self.points.len());
        let high = word_array(picked.highs, arg)?;
        self.assemble(word_array(picked.lows, arg)?, &high, &picked.shares)
    }

    /// Finishes a group of `rows` values that come in order.
    pub(super) fn in_order(&self, rows: u64, arg: &DataType) -> Box<dyn InOrder> {
        Box::new(Ranked {
            quantiles: self.clone(),
            rows,
            arg: arg.clone(),
            wanted: self.ranks(rows),
            found: Vec::new(),
            seen: 0,
        })
    }

    fn places(&self, rows: u64) -> Vec<Place> {
        match rows {
            0 => Vec::new(),
            _ => self.points.iter().map(|point| self.method.place(point, rows)).collect(),
        }
    }

    /// What lies between `low` and `high`, in lists if there are several of each group.
    fn assemble(&self, low: ArrayRef, high: &ArrayRef, shares: &[f64]) -> Result<ArrayRef> {
        let items = match self.method {
            Method::Linear | Method::Midpoint => between_values(&low, high, shares, &self.item)?,
            _ => low,
        };
        if !self.listed {
            return Ok(items);
        }
        let (length, field) =
            (self.points.len(), Arc::new(Field::new_list_field(self.item.clone(), true)));
        let groups = shares.len().checked_div(length).unwrap_or(0);
        let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(length, groups));
        let empty = NullBuffer::from_iter((0..groups).map(|group| items.is_valid(group * length)));
        Ok(Arc::new(ListArray::try_new(field, offsets, items, Some(empty))?))
    }
}

/// The values between which the quantiles of groups lie, group after group.
struct Picked<T> {
    lows: Vec<Option<T>>,
    highs: Vec<Option<T>>,
    shares: Vec<f64>,
}

impl<T> Default for Picked<T> {
    fn default() -> Self {
        Self { lows: Vec::new(), highs: Vec::new(), shares: Vec::new() }
    }
}

impl<T: Copy> Picked<T> {
    /// Adds a group whose values of `ranks` are `found`; of an empty group, `points` NULLs.
    fn add(&mut self, places: &[Place], ranks: &[u64], found: &[T], points: usize) {
        let value = |rank: u64| ranks.binary_search(&rank).ok().map(|index| found[index]);
        for place in places {
            self.lows.push(value(place.low));
            self.highs.push(value(place.high));
            self.shares.push(place.share);
        }
        for _ in places.len()..points {
            self.lows.push(None);
            self.highs.push(None);
            self.shares.push(0.0);
        }
    }
}

impl Method {
    fn place(self, point: &Point, rows: u64) -> Place {
        if self == Method::Discrete {
            let rank = point.discrete(rows);
            return Place { low: rank, high: rank, share: 0.0 };
        }
        let (low, share) = point.continuous(rows);
        let high = if share > 0.0 { low + 1 } else { low };
        let only = |rank| Place { low: rank, high: rank, share: 0.0 };
        match self {
            Method::Lower => only(low),
            Method::Higher => only(high),
            Method::Nearest => only(if share >= 0.5 { high } else { low }),
            Method::Midpoint => Place { low, high, share: 0.5 },
            Method::Linear | Method::Discrete => Place { low, high, share },
        }
    }
}

impl Point {
    fn new(p: f64) -> Result<Self> {
        if !(0.0..=1.0).contains(&p) {
            return Err(Error::invalid_input(format!("a quantile at {p} does not exist"))
                .remedy("give a number from 0 to 1, such as 0.9"));
        }
        // The shortest text that reads as this number, which is what the user wrote.
        let text = p.to_string();
        let fraction = text.split_once('.').map_or("", |(_, digits)| digits);
        let exact = (fraction.len() <= 18).then(|| {
            let scale = 10_i128.pow(fraction.len() as u32);
            ((p * scale as f64).round() as i128, scale)
        });
        Ok(Self { p, exact })
    }

    /// The rank, from 0, of the least value such that the share `p` of `rows` values is not above it.
    fn discrete(&self, rows: u64) -> u64 {
        let at_least = match self.exact {
            Some((numerator, scale)) => {
                let scaled = numerator * i128::from(rows);
                (scaled / scale + i128::from(scaled % scale > 0)) as u64
            }
            None => (self.p * rows as f64).ceil() as u64,
        };
        at_least.clamp(1, rows) - 1
    }

    /// The rank below the quantile, from 0, and how far it is from there to the next.
    fn continuous(&self, rows: u64) -> (u64, f64) {
        match self.exact {
            Some((numerator, scale)) => {
                let scaled = numerator * i128::from(rows - 1);
                ((scaled / scale) as u64, (scaled % scale) as f64 / scale as f64)
            }
            None => {
                let place = self.p * (rows - 1) as f64;
                let low = (place.floor() as u64).min(rows - 1);
                (low, if low == rows - 1 { 0.0 } else { place - place.floor() })
            }
        }
    }
}

fn points(shares: &ArrayRef) -> Result<Vec<Point>> {
    let numbers = cast(shares, &DataType::Float64)?;
    let numbers = numbers.as_primitive::<Float64Type>();
    if numbers.null_count() > 0 {
        return Err(Error::invalid_input("a quantile at NULL does not exist")
            .remedy("give a number from 0 to 1, such as 0.9"));
    }
    numbers.values().iter().map(|p| Point::new(*p)).collect()
}

fn method(name: &ArrayRef) -> Result<Method> {
    let text = cast(name, &DataType::Utf8)?;
    let text = text.as_string::<i32>();
    Ok(match text.value(0).to_ascii_lowercase().as_str() {
        "linear" => Method::Linear,
        "lower" => Method::Lower,
        "higher" => Method::Higher,
        "nearest" => Method::Nearest,
        "midpoint" => Method::Midpoint,
        other => {
            return Err(Error::invalid_input(format!("there is no interpolation '{other}'"))
                .remedy("choose linear, lower, higher, nearest or midpoint"));
        }
    })
}

/// The type of what lies between two values of `arg`, if that means something.
fn between(arg: &DataType) -> Option<DataType> {
    Some(match arg {
        DataType::Float32
        | DataType::Timestamp(..)
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Duration(_)
        | DataType::Decimal128(..) => arg.clone(),
        DataType::Decimal32(digits, scale) | DataType::Decimal64(digits, scale) => {
            DataType::Decimal128(*digits, *scale)
        }
        DataType::Date32 | DataType::Date64 => DataType::Timestamp(TimeUnit::Microsecond, None),
        _ if arg.is_integer() || arg.is_floating() => DataType::Float64,
        _ => return None,
    })
}

/// What lies `shares` of the way from `low` to `high`.
fn between_values(
    low: &ArrayRef,
    high: &ArrayRef,
    shares: &[f64],
    item: &DataType,
) -> Result<ArrayRef> {
    let (low, high) = (cast(low, item)?, cast(high, item)?);
    let nulls = low.nulls().cloned();
    match item {
        DataType::Decimal128(..) => {
            let (low, high) =
                (low.as_primitive::<Decimal128Type>(), high.as_primitive::<Decimal128Type>());
            let values = blend(low.values(), high.values(), shares, decimal);
            let array = Decimal128Array::new(values.into(), nulls);
            Ok(Arc::new(array.with_data_type(item.clone())))
        }
        DataType::Float64 | DataType::Float32 => {
            let wide = |array: &ArrayRef| cast(array, &DataType::Float64);
            let (low, high) = (wide(&low)?, wide(&high)?);
            let (low, high) =
                (low.as_primitive::<Float64Type>(), high.as_primitive::<Float64Type>());
            let values = blend(low.values(), high.values(), shares, float);
            Ok(match item {
                DataType::Float32 => {
                    let values = values.into_iter().map(|value| value as f32).collect::<Vec<_>>();
                    Arc::new(Float32Array::new(values.into(), nulls))
                }
                _ => Arc::new(Float64Array::new(values.into(), nulls)),
            })
        }
        _ => {
            let whole = |array: &ArrayRef| -> Result<ArrayRef> {
                Ok(cast(&cast(array, &ticks(item))?, &DataType::Int64)?)
            };
            let (low, high) = (whole(&low)?, whole(&high)?);
            let (low, high) = (low.as_primitive::<Int64Type>(), high.as_primitive::<Int64Type>());
            let values = blend(low.values(), high.values(), shares, tick);
            let array: ArrayRef = Arc::new(Int64Array::new(values.into(), nulls));
            Ok(cast(&cast(&array, &ticks(item))?, item)?)
        }
    }
}

/// The integers that a type of time is made of.
fn ticks(item: &DataType) -> DataType {
    if matches!(item, DataType::Time32(_)) { DataType::Int32 } else { DataType::Int64 }
}

fn blend<T: Copy + PartialEq>(
    low: &[T],
    high: &[T],
    shares: &[f64],
    between: impl Fn(T, T, f64) -> T,
) -> Vec<T> {
    let pairs = low.iter().zip(high).zip(shares);
    pairs
        .map(|((low, high), share)| match low == high || *share == 0.0 {
            true => *low,
            false => between(*low, *high, *share),
        })
        .collect()
}

fn float(low: f64, high: f64, share: f64) -> f64 {
    low * (1.0 - share) + high * share
}

/// Cut towards zero, as in DuckDB, but not where only the share's rounding has made it less than a whole.
fn decimal(low: i128, high: i128, share: f64) -> i128 {
    let cut = |value: f64, size: f64| {
        let whole = value.round();
        if (value - whole).abs() <= 4.0 * f64::EPSILON * size { whole } else { value.trunc() }
    };
    let exact = 1 << f64::MANTISSA_DIGITS;
    if low.abs() < exact && high.abs() < exact {
        let (low, high) = (low as f64, high as f64);
        return cut(float(low, high, share), low.abs().max(high.abs())) as i128;
    }
    let distance = high.wrapping_sub(low) as f64;
    low + cut(distance * share, distance) as i128
}

/// Rounded to the nearest tick, as in DuckDB.
fn tick(low: i64, high: i64, share: f64) -> i64 {
    let distance = (i128::from(high) - i128::from(low)) as f64;
    (i128::from(low) + (distance * share).round() as i128) as i64
}

fn ranks(places: &[Place]) -> Vec<u64> {
    let mut ranks: Vec<u64> = places.iter().flat_map(|place| [place.low, place.high]).collect();
    ranks.sort_unstable();
    ranks.dedup();
    ranks
}

/// More ranks than this are found by sorting.
const PICKED_MAX: usize = 16;

/// The values of `ranks`, which ascend.
fn pick<T: Copy + Ord>(values: &mut [T], ranks: &[u64]) -> Vec<T> {
    if ranks.len() > PICKED_MAX {
        values.sort_unstable();
        return ranks.iter().map(|rank| values[*rank as usize]).collect();
    }
    let (mut rest, mut first) = (values, 0);
    let mut found = Vec::with_capacity(ranks.len());
    for rank in ranks {
        let (_, value, above) = rest.select_nth_unstable((rank - first) as usize);
        found.push(*value);
        (rest, first) = (above, rank + 1);
    }
    found
}

/// Picks texts by rank as they come.
struct Ranked {
    quantiles: Quantiles,
    rows: u64,
    arg: DataType,
    wanted: Vec<u64>,
    found: Vec<Box<[u8]>>,
    seen: u64,
}

impl InOrder for Ranked {
    fn push(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let rows = columns[0].len() as u64;
        while let Some(rank) = self.wanted.get(self.found.len())
            && *rank < self.seen + rows
        {
            let row = (rank - self.seen) as usize;
            let mut value = Vec::new();
            extend_bytes(&columns[0], row..row + 1, &mut value);
            self.found.extend(value.into_iter().map(Box::from));
        }
        self.seen += rows;
        Ok(())
    }

    fn memory(&self) -> usize {
        self.found.iter().map(|value| value.len() + size_of::<Box<[u8]>>()).sum()
    }

    fn finish(self: Box<Self>) -> Result<ArrayRef> {
        let places = self.quantiles.places(self.rows);
        let numbers: Vec<usize> = (0..self.found.len()).collect();
        let mut picked = Picked::default();
        picked.add(&places, &self.wanted, &numbers, self.quantiles.points.len());
        let lows = picked.lows.iter().map(|number| number.map(|n| self.found[n].clone()));
        let low = byte_array(lows, &self.arg)?;
        self.quantiles.assemble(low.clone(), &low, &picked.shares)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(method: Method, p: f64, rows: u64) -> (u64, u64, f64) {
        let place = method.place(&Point::new(p).unwrap(), rows);
        (place.low, place.high, place.share)
    }

    #[test]
    fn a_discrete_quantile_is_the_first_value_that_reaches_the_share() {
        let at = |p, rows| placed(Method::Discrete, p, rows).0;
        assert_eq!([at(0.0, 4), at(0.25, 4), at(0.26, 4), at(0.5, 4), at(1.0, 4)], [0, 0, 1, 1, 3]);
        assert_eq!(at(0.07, 100), 6, "0.07 * 100 is 7, though not in floating point");
        assert_eq!(at(1e-30, 10), 0);
    }

    #[test]
    fn a_quantile_between_two_values_takes_what_is_asked_for() {
        assert_eq!(placed(Method::Linear, 0.5, 4), (1, 2, 0.5));
        assert_eq!(placed(Method::Linear, 0.1, 2), (0, 1, 0.1));
        assert_eq!(placed(Method::Linear, 1.0, 4), (3, 3, 0.0));
        assert_eq!(placed(Method::Lower, 0.5, 4).0, 1);
        assert_eq!(placed(Method::Higher, 0.5, 4).0, 2);
        assert_eq!(placed(Method::Nearest, 0.5, 4).0, 2);
        assert_eq!(placed(Method::Nearest, 0.4, 4).0, 1);
        assert_eq!(placed(Method::Midpoint, 0.4, 4), (1, 2, 0.5));
        assert_eq!(placed(Method::Linear, 0.3, 1), (0, 0, 0.0));
    }

    #[test]
    fn values_are_picked_by_rank() {
        let values: Vec<u64> = (0..1000).map(|i| i * 7919 % 1000).collect();
        let few = [0, 1, 500, 501, 999];
        assert_eq!(pick(&mut values.clone(), &few), few);
        let many: Vec<u64> = (0..1000).step_by(9).collect();
        assert_eq!(pick(&mut values.clone(), &many), many);
    }

    #[test]
    fn what_lies_between_is_rounded_as_in_duckdb() {
        assert_eq!([decimal(100, 103, 0.5), decimal(-103, -100, 0.5)], [101, -101]);
        assert_eq!(decimal(i128::MAX - 4, i128::MAX, 0.5), i128::MAX - 2);
        let tenths =
            (0..=10).map(|tenth| decimal(500_000_010, 500_000_020, f64::from(tenth) / 10.0));
        assert_eq!(tenths.collect::<Vec<_>>(), (500_000_010..=500_000_020).collect::<Vec<_>>());
        assert_eq!([tick(0, 3, 0.5), tick(-3, 0, 0.5), tick(0, 3, 0.3)], [2, -1, 1]);
        assert_eq!(tick(i64::MIN, i64::MAX, 0.5), 0);
        assert_eq!(float(f64::NEG_INFINITY, 1.0, 0.5), f64::NEG_INFINITY);
        assert_eq!(float(-f64::MAX, f64::MAX, 0.5), 0.0);
    }
}
