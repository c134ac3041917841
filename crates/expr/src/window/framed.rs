//! Frames that move: values are kept while a frame may hold them, and a kernel computes many frames at once.
//!
//! ```text
//!   rows --> values, frames found --enough of them--> kernel(values, frames) --> answers
//! ```
//!
//! A kernel looks at all values that its frames hold. So that a long frame is not looked at again for every
//! batch, frames wait until they are about as many as the values.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute::kernels::zip::zip;
use dframe_core::Result;

use super::frames::Frames;
use super::running::{Running, RunningRows};
use super::shift::Column;
use super::{Answers, WindowEvaluator, WindowRows};

/// Computes an answer for each of many frames, which move forward only.
pub(super) trait FrameKernel: Send {
    /// The answers over `values`, in which the frames are.
    fn evaluate(&self, values: &FrameValues<'_>, frames: &[Range<usize>]) -> Result<ArrayRef>;
}

/// The values of the rows that frames hold.
pub(super) struct FrameValues<'a> {
    /// The arguments, and the FILTER's condition.
    pub(super) inputs: &'a [ArrayRef],
    /// Which of them is which.
    pub(super) rows: RunningRows,
    /// The number of rows.
    pub(super) len: usize,
    /// The number of the first row.
    pub(super) base: u64,
}

/// What a [`Framed`] is made of.
pub(super) struct FramedParts {
    /// What the kernel sees instead of the inputs.
    pub(super) running: Option<Box<dyn Running>>,
    pub(super) rows: RunningRows,
    pub(super) frames: Frames,
    pub(super) kernel: Box<dyn FrameKernel>,
    /// The answer for frames without rows, if it is not NULL.
    pub(super) empty: Option<ArrayRef>,
}

/// A kernel over frames that move.
pub(super) struct Framed {
    parts: FramedParts,
    columns: Vec<Column>,
    waiting: Vec<Range<u64>>,
    rows: u64,
}

impl Framed {
    /// No rows yet.
    pub(super) fn boxed(parts: FramedParts) -> Box<dyn WindowEvaluator> {
        let columns = match parts.running {
            Some(_) => 1,
            None => parts.rows.args + usize::from(parts.rows.filtered),
        };
        let columns = (0..columns).map(|_| Column::new()).collect();
        Box::new(Self { parts, columns, waiting: Vec::new(), rows: 0 })
    }

    /// The answers for the frames that wait, if they are worth a look at their values.
    fn answer(&mut self, over: bool) -> Result<Vec<Answers>> {
        self.parts.frames.known(over, &mut self.waiting);
        let (Some(first), Some(last)) = (self.waiting.first(), self.waiting.last()) else {
            return Ok(Vec::new());
        };
        let (start, end) = (first.start, last.end.max(first.start));
        if !over && 2 * (self.waiting.len() as u64) < end - start {
            return Ok(Vec::new());
        }
        let frames = std::mem::take(&mut self.waiting);
        let inputs = self.columns.iter().filter_map(|column| column.range(start, end).transpose());
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        let len = (end - start) as usize;
        let relative = |frame: &Range<u64>| {
            let at = |row: u64| (row.max(start) - start) as usize;
            at(frame.start)..at(frame.end)
        };
        let frames: Vec<Range<usize>> = frames.iter().map(relative).collect();
        let values = FrameValues { inputs: &inputs, rows: self.rows_of_kernel(), len, base: start };
        let answers = self.parts.kernel.evaluate(&values, &frames)?;
        let needed = self.parts.frames.needed();
        self.columns.iter_mut().for_each(|column| column.forget(needed));
        Ok(vec![Answers::Rows(self.with_empty(answers, &frames)?)])
    }

    fn rows_of_kernel(&self) -> RunningRows {
        match self.parts.running {
            Some(_) => RunningRows { args: 1, filtered: false, backward: false },
            None => self.parts.rows,
        }
    }

    fn with_empty(&self, answers: ArrayRef, frames: &[Range<usize>]) -> Result<ArrayRef> {
        let Some(empty) = self.parts.empty.as_ref().filter(|empty| empty.null_count() == 0) else {
            return Ok(answers);
        };
        let mask: BooleanArray = frames.iter().map(|frame| Some(frame.is_empty())).collect();
        if mask.true_count() == 0 {
            return Ok(answers);
        }
        Ok(zip(&mask, &arrow::array::Scalar::new(empty.clone()), &answers)?)
    }
}

impl WindowEvaluator for Framed {
    fn push(&mut self, rows: &WindowRows<'_>) -> Result<Vec<Answers>> {
        self.rows += rows.len() as u64;
        match &mut self.parts.running {
            Some(running) => self.columns[0].push(&running.push(rows)?),
            None => {
                for (column, input) in self.columns.iter_mut().zip(rows.inputs) {
                    column.push(input);
                }
            }
        }
        self.parts.frames.push(rows)?;
        self.answer(false)
    }

    fn finish(&mut self) -> Result<Vec<Answers>> {
        self.answer(true)
    }

    fn memory(&self) -> usize {
        let running = self.parts.running.as_ref().map_or(0, |running| running.memory());
        let columns: usize = self.columns.iter().map(Column::memory).sum();
        running
            + columns
            + self.parts.frames.memory()
            + self.waiting.len() * size_of::<Range<u64>>()
    }
}
