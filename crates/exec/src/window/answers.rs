//! Answers that came before all answers of their rows had.

use std::collections::VecDeque;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::{concat, take};
use dframe_core::{Error, Result};
use dframe_expr::window::Answers;

/// Answers of one function, in the order of the rows.
#[derive(Default)]
pub(super) struct AnswerQueue {
    pieces: VecDeque<Answers>,
    rows: u64,
}

impl AnswerQueue {
    /// Adds answers.
    pub(super) fn extend(&mut self, answers: Vec<Answers>) {
        for piece in answers {
            self.rows += rows_of(&piece);
            self.pieces.push_back(piece);
        }
    }

    /// The rows that are answered.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// The answers of the next `rows` rows, which are there.
    pub(super) fn take(&mut self, rows: usize) -> Result<ArrayRef> {
        let mut taken: Vec<ArrayRef> = Vec::new();
        let mut left = rows as u64;
        while left > 0 {
            let missing = || Error::internal("rows without an answer");
            let piece = self.pieces.pop_front().ok_or_else(missing)?;
            let some = rows_of(&piece).min(left);
            left -= some;
            self.rows -= some;
            taken.push(self.cut(piece, some as usize)?);
        }
        match taken.as_slice() {
            [only] => Ok(only.clone()),
            many => Ok(concat(&many.iter().map(AsRef::as_ref).collect::<Vec<&dyn Array>>())?),
        }
    }

    /// The first `some` answers of `piece`; the rest goes back.
    fn cut(&mut self, piece: Answers, some: usize) -> Result<ArrayRef> {
        match piece {
            Answers::Rows(array) => {
                if some < array.len() {
                    let rest = array.slice(some, array.len() - some);
                    self.pieces.push_front(Answers::Rows(rest));
                }
                Ok(array.slice(0, some))
            }
            Answers::Repeat(value, rows) => {
                if (some as u64) < rows {
                    let rest = Answers::Repeat(value.clone(), rows - some as u64);
                    self.pieces.push_front(rest);
                }
                Ok(take(&value, &UInt32Array::from(vec![0; some]), None)?)
            }
        }
    }

    /// The bytes held.
    pub(super) fn memory(&self) -> usize {
        let bytes = |piece: &Answers| match piece {
            Answers::Rows(array) | Answers::Repeat(array, _) => {
                array.to_data().get_slice_memory_size().unwrap_or(0)
            }
        };
        self.pieces.iter().map(bytes).sum()
    }
}

fn rows_of(answers: &Answers) -> u64 {
    match answers {
        Answers::Rows(array) => array.len() as u64,
        Answers::Repeat(_, rows) => *rows,
    }
}
