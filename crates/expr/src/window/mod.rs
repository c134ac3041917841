//! Window functions: an answer for each row, out of rows that stand near it in an order.
//!
//! ```text
//!   WindowCall (by name) --bind(schema)--> BoundWindow --evaluator--> WindowEvaluator
//!
//!   rows in order of (partition, keys) --push--> answers, as soon as they are known --> finish: the rest
//! ```
//!
//! An evaluator is given rows that are sorted, batch by batch, and told where partitions and peers begin. It
//! keeps what later rows need, no more: a partition may be larger than memory. It knows neither how rows
//! were brought into order nor what is done with answers.
//!
//! | file | says |
//! |---|---|
//! | `call` | what is asked: function, arguments, partition, order, frame |
//! | `build` | how it is written in Rust |
//! | `derived` | which functions are expressions over others, and frames read from their other end |
//! | `bound` | types, and which evaluator computes a call |
//! | `numbering`, `shift` | `row_number` and ranks; `lag` and `lead` |
//! | `running`, `scan`, `fixed` | what is known of the rows so far, row by row |
//! | `segment` | one answer for all rows of a partition, or for all peers |
//! | `frames`, `framed`, `sliding` | frames that move with the row, and what is computed over them |
//! | `states` | any aggregate, by merging its states |

mod bound;
mod build;
mod call;
mod derived;
mod fixed;
mod framed;
mod frames;
mod numbering;
mod running;
mod scan;
mod segment;
mod shift;
mod sliding;
mod states;
#[cfg(test)]
mod tests;

use arrow::array::ArrayRef;
use arrow::buffer::BooleanBuffer;
use dframe_core::Result;

pub use bound::{BoundWindow, Horizon, RowDirection};
pub use build::{
    PartitionKey, cume_dist, dense_rank, ntile, order_by, partition_by, percent_rank, rank,
    row_number,
};
pub use call::{Frame, FrameBound, FrameUnit, Over, WindowCall, WindowFunction};
pub use derived::{derived, from_the_end};

/// Rows in order.
#[derive(Clone, Copy, Debug)]
pub struct WindowRows<'a> {
    /// The values of [`BoundWindow::inputs`], plain arrays.
    pub inputs: &'a [ArrayRef],
    /// Whether a row is the first of its partition.
    pub partition_starts: &'a BooleanBuffer,
    /// Whether a row's order keys differ from those of the row before; true where a partition begins.
    pub peer_starts: &'a BooleanBuffer,
}

impl WindowRows<'_> {
    /// The number of rows.
    pub fn len(&self) -> usize {
        self.partition_starts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Answers for the rows that come next, in the order of the rows.
#[derive(Clone, Debug)]
pub enum Answers {
    /// One for each row.
    Rows(ArrayRef),
    /// The same, an array of length one, for so many rows.
    Repeat(ArrayRef, u64),
}

/// A call at work.
pub trait WindowEvaluator: Send {
    /// Takes rows in, and gives the answers that are known now.
    ///
    /// # Errors
    /// What is wrong with the values, such as sums that overflow.
    fn push(&mut self, rows: &WindowRows<'_>) -> Result<Vec<Answers>>;

    /// The answers for all rows that are left: there are no more.
    ///
    /// # Errors
    /// As [`WindowEvaluator::push`].
    fn finish(&mut self) -> Result<Vec<Answers>>;

    /// The bytes of memory held.
    fn memory(&self) -> usize;
}
