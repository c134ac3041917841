//! One answer for all rows of a segment, which is a partition or a group of peers: known with its last row.
//!
//! ```text
//!   rows      | a a a a | b b | c ..      answers    a's x 4, b's x 2; c's rows wait, and only their
//!   segments  |---------|-----|---                   number is kept
//! ```

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::take;
use dframe_core::Result;

use super::running::{Running, RunningRows};
use super::states::{self, AggregateRows};
use super::{Answers, WindowEvaluator, WindowRows};
use crate::aggregate::{Accumulator, BoundAggregate};

/// What has one answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Segment {
    Partition,
    Peers,
}

/// The value after a segment's last row.
pub(super) struct Picked {
    running: Box<dyn Running>,
    segment: Segment,
    /// Rows of the segment that is not over, and the value so far.
    open: u64,
    last: Option<ArrayRef>,
}

impl Picked {
    /// What is `running` at the end of each `segment`.
    pub(super) fn new(running: Box<dyn Running>, segment: Segment) -> Self {
        Self { running, segment, open: 0, last: None }
    }
}

impl WindowEvaluator for Picked {
    fn push(&mut self, rows: &WindowRows<'_>) -> Result<Vec<Answers>> {
        let values = self.running.push(rows)?;
        let starts = match self.segment {
            Segment::Partition => rows.partition_starts,
            Segment::Peers => rows.peer_starts,
        };
        let mut answers = Vec::new();
        let (mut ends, mut from) = (Vec::new(), 0);
        for start in starts.set_indices() {
            if from == 0 && self.open > 0 {
                // The segment of earlier batches ends here.
                let last = match start {
                    0 => self.last.take(),
                    _ => Some(values.slice(start - 1, 1)),
                };
                answers.extend(last.map(|last| Answers::Repeat(last, self.open + start as u64)));
                self.open = 0;
            } else {
                ends.extend(std::iter::repeat_n(start.saturating_sub(1) as u32, start - from));
            }
            from = start;
        }
        if !ends.is_empty() {
            answers.push(Answers::Rows(take(&values, &UInt32Array::from(ends), None)?));
        }
        self.open += (rows.len() - from) as u64;
        if let Some(last) = rows.len().checked_sub(1) {
            self.last = Some(take(&values, &UInt32Array::from(vec![last as u32]), None)?);
        }
        Ok(answers)
    }

    fn finish(&mut self) -> Result<Vec<Answers>> {
        let open = std::mem::take(&mut self.open);
        let last = self.last.take().filter(|_| open > 0);
        Ok(last.map(|last| Answers::Repeat(last, open)).into_iter().collect())
    }

    fn memory(&self) -> usize {
        self.running.memory() + self.last.as_ref().map_or(0, |last| last.get_array_memory_size())
    }
}

/// An aggregate over whole partitions.
pub(super) struct Totals {
    aggregate: BoundAggregate,
    rows: RunningRows,
    /// Its group 0 is the partition that is not over.
    accumulator: Box<dyn Accumulator>,
    open: u64,
    pushed: u64,
}

impl Totals {
    /// No rows yet.
    pub(super) fn new(aggregate: &BoundAggregate, rows: RunningRows) -> Result<Self> {
        let accumulator = aggregate.accumulator()?;
        Ok(Self { aggregate: aggregate.clone(), rows, accumulator, open: 0, pushed: 0 })
    }

    /// The number of each row's partition, where 0 is the one that was open.
    fn groups(&self, starts: &BooleanBuffer) -> Vec<u32> {
        let mut group = 0;
        let mut any = self.open > 0;
        let number = |starts: bool| {
            group += u32::from(starts && any);
            any = true;
            group
        };
        starts.iter().map(number).collect()
    }

    /// The results of all groups but the last, which stays open as group 0.
    fn close(&mut self, count: usize) -> Result<ArrayRef> {
        let all = self.accumulator.state()?;
        let over: Vec<ArrayRef> = all.iter().map(|column| column.slice(0, count - 1)).collect();
        self.accumulator = self.aggregate.accumulator()?;
        let last = states::taken(&all, &[count as u32 - 1])?;
        states::merge(self.accumulator.as_mut(), &last, &[0], 1)?;
        states::results(&self.aggregate, &over)
    }
}

impl WindowEvaluator for Totals {
    fn push(&mut self, rows: &WindowRows<'_>) -> Result<Vec<Answers>> {
        let Some(last) = rows.len().checked_sub(1) else { return Ok(Vec::new()) };
        let groups = self.groups(rows.partition_starts);
        let count = groups[last] as usize + 1;
        let positions = self.rows.positions(self.pushed, rows.len());
        self.pushed += rows.len() as u64;
        let (args, mask) = (self.rows.args(rows.inputs), self.rows.mask(rows.inputs));
        let of_rows = AggregateRows { args, mask, positions: &positions };
        states::update(self.accumulator.as_mut(), &of_rows, &groups, count)?;
        if count == 1 {
            self.open += rows.len() as u64;
            return Ok(Vec::new());
        }
        let results = self.close(count)?;
        let first = groups.partition_point(|group| *group == 0);
        let closed = groups.partition_point(|group| *group < count as u32 - 1);
        let mut answers = vec![Answers::Repeat(results.slice(0, 1), self.open + first as u64)];
        if closed > first {
            let ids = UInt32Array::from(groups[first..closed].to_vec());
            answers.push(Answers::Rows(take(&results, &ids, None)?));
        }
        self.open = (rows.len() - closed) as u64;
        Ok(answers)
    }

    fn finish(&mut self) -> Result<Vec<Answers>> {
        let open = std::mem::take(&mut self.open);
        if open == 0 {
            return Ok(Vec::new());
        }
        Ok(vec![Answers::Repeat(self.accumulator.finish()?, open)])
    }

    fn memory(&self) -> usize {
        self.accumulator.memory()
    }
}
