//! One pass of rows through some functions: rows wait until all of them have answered.
//!
//! ```text
//!   rows --> functions --> answers ...... queue, queue
//!     \----> waiting: part, part, part        |
//!                 \---- rows that all queues have answers for --> rows with answers
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Field, Schema};
use dframe_core::{Reservation, Result};
use dframe_expr::plain;
use dframe_expr::window::{BoundWindow, RowDirection, WindowEvaluator, WindowRows};
use dframe_runtime::{Part, TaskContext};

use super::Emit;
use super::answers::AnswerQueue;
use super::boundaries::MARKS;
use crate::fold::keep;

/// Some functions at work.
pub(super) struct Pass {
    functions: Vec<Function>,
    waiting: VecDeque<Arc<Part>>,
    /// For what the functions hold.
    held: Reservation,
    context: TaskContext,
    /// Where the marks of the boundaries are.
    marks: usize,
}

struct Function {
    call: BoundWindow,
    evaluator: Box<dyn WindowEvaluator>,
    answers: AnswerQueue,
}

impl Pass {
    /// No rows yet; their boundaries are marked by the columns from `marks` on.
    pub(super) fn new<'a>(
        calls: impl Iterator<Item = &'a BoundWindow>,
        direction: RowDirection,
        marks: usize,
        context: &TaskContext,
    ) -> Result<Self> {
        let function = |call: &BoundWindow| {
            let evaluator = call.evaluator(direction)?;
            Ok(Function { call: call.clone(), evaluator, answers: AnswerQueue::default() })
        };
        Ok(Self {
            functions: calls.map(function).collect::<Result<_>>()?,
            waiting: VecDeque::new(),
            held: context.budget.reservation(),
            context: context.clone(),
            marks,
        })
    }

    /// Takes rows in, and hands on those that have all answers.
    pub(super) fn push(&mut self, rows: RecordBatch, emit: &mut Emit<'_>) -> Result<bool> {
        for function in &mut self.functions {
            function.push(&rows, self.marks)?;
        }
        self.reserve()?;
        if !self.hand_on(emit)? {
            return Ok(false);
        }
        let answered = if self.waiting.is_empty() { self.answered() } else { 0 };
        let (now, later) = split(&rows, answered)?;
        if let Some(later) = later {
            self.wait(later)?;
        }
        now.map_or(Ok(true), |now| emit(self.with_answers(now)?))
    }

    /// The rows that are left: there are no more.
    pub(super) fn finish(&mut self, emit: &mut Emit<'_>) -> Result<bool> {
        for function in &mut self.functions {
            let answers = function.evaluator.finish()?;
            function.answers.extend(answers);
        }
        self.hand_on(emit)
    }

    /// The rows that all functions have answered.
    fn answered(&self) -> u64 {
        self.functions.iter().map(|function| function.answers.rows()).min().unwrap_or(0)
    }

    /// Hands on what has waited long enough.
    fn hand_on(&mut self, emit: &mut Emit<'_>) -> Result<bool> {
        while let Some(part) = self.waiting.front().filter(|part| part.rows() <= self.answered()) {
            let part = part.clone();
            self.waiting.pop_front();
            for rows in part.take(None) {
                self.context.cancel.check()?;
                let rows = self.with_answers(rows?)?;
                if !emit(rows)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn with_answers(&mut self, rows: RecordBatch) -> Result<RecordBatch> {
        let mut fields = rows.schema().fields().to_vec();
        let mut columns = rows.columns().to_vec();
        for function in &mut self.functions {
            let answers = function.answers.take(rows.num_rows())?;
            fields.push(Arc::new(Field::new("answer", answers.data_type().clone(), true)));
            columns.push(answers);
        }
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
    }

    fn wait(&mut self, rows: RecordBatch) -> Result<()> {
        let mut held = self.context.budget.reservation();
        let schema = rows.schema();
        self.waiting.push_back(keep(0, schema, vec![(0, rows)], &mut held, &self.context)?);
        Ok(())
    }

    /// What the functions hold cannot be spilled: it is claimed at once.
    fn reserve(&mut self) -> Result<()> {
        let bytes = |function: &Function| function.evaluator.memory() + function.answers.memory();
        let bytes = self.functions.iter().map(bytes).sum();
        self.held.resize(bytes, "the frames of window functions")
    }
}

impl Function {
    fn push(&mut self, rows: &RecordBatch, marks: usize) -> Result<()> {
        let inputs = self.call.inputs().iter();
        let inputs = inputs.map(|input| plain(&input.evaluate_array(rows)?));
        let inputs = inputs.collect::<Result<Vec<ArrayRef>>>()?;
        let marked = |number: usize| rows.column(marks + number).as_boolean().values();
        let rows = WindowRows {
            inputs: &inputs,
            partition_starts: marked(0),
            peer_starts: marked(MARKS - 1),
        };
        let answers = self.evaluator.push(&rows)?;
        self.answers.extend(answers);
        Ok(())
    }
}

/// The first `rows` rows, and the others. A few rows that are left are copied, so that they keep no more.
fn split(batch: &RecordBatch, rows: u64) -> Result<(Option<RecordBatch>, Option<RecordBatch>)> {
    let all = batch.num_rows();
    let now = usize::try_from(rows).unwrap_or(all).min(all);
    let first = (now > 0).then(|| batch.slice(0, now));
    let left = all - now;
    let rest = match left {
        0 => None,
        _ if left > all / 4 => Some(batch.slice(now, left)),
        _ => {
            let places: UInt32Array = (now as u32..all as u32).collect();
            Some(take_record_batch(batch, &places)?)
        }
    };
    Ok((first, rest))
}
