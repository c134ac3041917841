//! Where the frames of rows begin and end: two ends that move forward with the row.
//!
//! ```text
//!   key      1  2  2  5  6  9 | 1 ..       range between 3 preceding and current row, row 4 (key 6):
//!                  start-^  ^-end          from the first key that is at least 3 to the last that is 6
//! ```
//!
//! A row's frame is known once a row behind it has come, or the partition's end. Only keys are held.

use std::collections::VecDeque;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use dframe_core::{Error, Result};

use super::WindowRows;
use super::scan::key;

/// How far frames reach. An open end is none, or not asked for.
#[derive(Clone, Debug)]
pub(super) enum Reach {
    /// So many rows, negative before the row.
    Rows(Option<i64>, Option<i64>),
    /// So many groups of peers.
    Peers(Option<i64>, Option<i64>),
    /// By the order key, which is input `at`; behind it the values of the key where the frame starts and where
    /// it ends, if they are not the row's own.
    Keys { at: usize, start: bool, end: bool, descending: bool, nulls_first: bool },
}

impl Reach {
    /// Whether it asks where peers begin.
    pub(super) fn counts_peers(&self) -> bool {
        matches!(self, Reach::Peers(..))
    }
}

/// Where frames begin.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Start {
    Reached,
    /// At the partition's start, of which only the last so many rows of the frame are asked for.
    Last(u64),
    Partition,
}

/// Finds frames.
pub(super) struct Frames {
    reach: Reach,
    start: Start,
    /// Where the partitions of rows from `next` on begin.
    starts: VecDeque<u64>,
    /// Of the rows from `base` on.
    keys: VecDeque<i128>,
    base: u64,
    /// Of the rows from `next` on.
    bounds: VecDeque<(i128, i128)>,
    peers: i128,
    next: u64,
    end: u64,
    low: u64,
    high: u64,
}

impl Frames {
    /// Frames between two ends.
    pub(super) fn within(reach: Reach) -> Self {
        Self::starting(reach, Start::Reached)
    }

    /// Frames from the partition's start, of which the last `rows` rows are needed; all if none.
    pub(super) fn to(reach: Reach, rows: Option<u64>) -> Self {
        Self::starting(reach, rows.map_or(Start::Partition, Start::Last))
    }

    fn starting(reach: Reach, start: Start) -> Self {
        Self {
            reach,
            start,
            starts: VecDeque::new(),
            keys: VecDeque::new(),
            base: 0,
            bounds: VecDeque::new(),
            peers: 0,
            next: 0,
            end: 0,
            low: 0,
            high: 0,
        }
    }

    /// Takes rows in.
    pub(super) fn push(&mut self, rows: &WindowRows<'_>) -> Result<()> {
        self.starts.extend(rows.partition_starts.set_indices().map(|row| self.end + row as u64));
        self.end += rows.len() as u64;
        match self.reach {
            Reach::Rows(..) => {}
            Reach::Peers(start, end) => {
                for starts in rows.peer_starts.iter() {
                    self.peers += i128::from(starts);
                    self.keys.push_back(self.peers);
                    let bound = |offset: Option<i64>| self.peers + i128::from(offset.unwrap_or(0));
                    self.bounds.push_back((bound(start), bound(end)));
                }
            }
            Reach::Keys { at, start, end, descending, nulls_first } => {
                let place = |array: &ArrayRef| places(array, descending, nulls_first);
                let keys = place(&rows.inputs[at])?;
                let of_end = at + 1 + usize::from(start);
                let starts = if start { place(&rows.inputs[at + 1])? } else { keys.clone() };
                let ends = if end { place(&rows.inputs[of_end])? } else { keys.clone() };
                self.keys.extend(keys);
                self.bounds.extend(starts.into_iter().zip(ends));
            }
        }
        Ok(())
    }

    /// Adds the frames that are known now; `over` says that no more rows come.
    pub(super) fn known(&mut self, over: bool, frames: &mut Vec<Range<u64>>) {
        while self.next < self.end {
            while self.starts.get(1).is_some_and(|start| *start <= self.next) {
                self.starts.pop_front();
            }
            let start = self.starts.front().copied().unwrap_or(0);
            let end = self.starts.get(1).copied().or(over.then_some(self.end));
            let Some(frame) = self.frame(start, end) else { break };
            frames.push(frame);
            self.next += 1;
            self.bounds.pop_front();
        }
        let needed = self.needed();
        let gone = (needed.min(self.end) - self.base) as usize;
        if !self.keys.is_empty() {
            self.keys.drain(..gone.min(self.keys.len()));
        }
        self.base += gone as u64;
    }

    /// The frame of row `next` in a partition that starts at `start`, and ends at `end` if that is known.
    fn frame(&mut self, start: u64, end: Option<u64>) -> Option<Range<u64>> {
        let limit = end.unwrap_or(self.end);
        let (low, high) = match self.reach {
            Reach::Rows(low, high) => {
                let row = |offset: i64| self.next.saturating_add_signed(offset);
                let high = high.map_or(0, |offset| row(offset.saturating_add(1)));
                if end.is_none() && high > self.end {
                    return None;
                }
                (row(low.unwrap_or(0)), high)
            }
            _ => self.by_keys(start, limit, end.is_some())?,
        };
        let high = high.clamp(start, limit);
        let low = match self.start {
            Start::Reached => low.clamp(start, high),
            Start::Last(rows) => high.saturating_sub(rows).max(start),
            Start::Partition => start,
        };
        Some(low..high)
    }

    fn by_keys(&mut self, start: u64, limit: u64, ends: bool) -> Option<(u64, u64)> {
        let (lowest, highest) = *self.bounds.front()?;
        let key = |row: u64| self.keys[(row - self.base) as usize];
        let mut low = self.low.max(start);
        if self.start == Start::Reached {
            while low < limit && key(low) < lowest {
                low += 1;
            }
        }
        let mut high = self.high.max(start);
        while high < limit && key(high) <= highest {
            high += 1;
        }
        (self.low, self.high) = (low, high);
        // Behind the last row there may be more that belong to the frame.
        let known = ends || (low < limit && high < limit);
        known.then_some((low, high))
    }

    /// The first row that a frame yet to come may hold, or that is needed to find it.
    pub(super) fn needed(&self) -> u64 {
        let start = self.starts.front().copied().unwrap_or(0);
        let reached = match (&self.reach, self.start) {
            (_, Start::Partition) => return start.min(self.next),
            (Reach::Rows(_, high), Start::Last(rows)) => {
                let high = self.next.saturating_add_signed(high.unwrap_or(0).saturating_add(1));
                high.saturating_sub(rows)
            }
            (Reach::Rows(low, high), _) => {
                // Frames that end before they start are empty where they end.
                let high = high.unwrap_or(0).saturating_add(1);
                self.next.saturating_add_signed(low.unwrap_or(0).min(high))
            }
            (_, Start::Last(rows)) => self.high.saturating_sub(rows),
            (_, Start::Reached) => self.low.min(self.high),
        };
        // Rows before the partition of the next row are gone, but keys from its own on are compared.
        reached.min(self.next).max(start.min(self.next))
    }

    /// The bytes held.
    pub(super) fn memory(&self) -> usize {
        self.keys.len() * size_of::<i128>()
            + self.bounds.len() * size_of::<(i128, i128)>()
            + self.starts.len() * size_of::<u64>()
    }
}

/// Numbers in the order of the rows, also where that is descending. NULLs are all at one end.
fn places(array: &ArrayRef, descending: bool, nulls_first: bool) -> Result<Vec<i128>> {
    let of_null = if nulls_first { i128::MIN } else { i128::MAX };
    let sign = if descending { -1 } else { 1 };
    let nulls = array.logical_nulls();
    let numbers = numbers(array)?;
    let place = |(row, number): (usize, i128)| match &nulls {
        Some(nulls) if nulls.is_null(row) => of_null,
        _ => sign * number,
    };
    Ok(numbers.into_iter().enumerate().map(place).collect())
}

fn numbers(array: &ArrayRef) -> Result<Vec<i128>> {
    let data_type = array.data_type();
    Ok(match data_type {
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().values().to_vec(),
        DataType::Null => vec![0; array.len()],
        _ if data_type.is_floating() => {
            let floats = cast(array, &DataType::Float64)?;
            let floats = floats.as_primitive::<Float64Type>().values();
            floats.iter().map(|value| i128::from(key(value + 0.0))).collect()
        }
        _ if data_type.is_integer() || data_type.is_temporal() => {
            let integers = cast(array, &DataType::Int64)?;
            let integers = integers.as_primitive::<Int64Type>().values();
            integers.iter().map(|value| i128::from(*value)).collect()
        }
        other => {
            let name = crate::type_name(other);
            return Err(Error::unsupported(format!(
                "a RANGE frame cannot count distances of {name}"
            ))
            .remedy("count ROWS or GROUPS instead"));
        }
    })
}
