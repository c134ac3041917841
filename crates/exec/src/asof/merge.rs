//! Finds the partners of left rows that come in order, in one pass over the right side.
//!
//! ```text
//!   left    .. 5 ..           behind: the last right row before it, or as far        -> backward
//!   right   1 4 | 6 8         ahead:  the first right row that was not passed yet     -> forward
//! ```

use std::cmp::Ordering;
use std::rc::Rc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::interleave;
use arrow::datatypes::FieldRef;
use dframe_core::Result;
use dframe_expr::plain;
use dframe_plan::node::AsofDirection;

use super::side::{Side, SideBatch};
use super::{AsofSpec, Found};

/// A right row: one of the batches held, and a row of it. None for a left row without a partner.
pub(super) type Partner = Option<(usize, usize)>;

/// Right batches that the partners of one piece of a left batch may be in, at most.
const HELD_MAX: usize = 64;

/// The right side, as far as it was passed.
pub(super) struct Merge<'a> {
    spec: &'a AsofSpec,
    right: Side<'a>,
    /// The last row passed whose keys are not NULL.
    behind: Option<(Rc<SideBatch>, usize)>,
    /// The next row.
    ahead: Option<(Rc<SideBatch>, usize)>,
    /// Batches with partners of the piece in work.
    held: Vec<Rc<SideBatch>>,
}

impl<'a> Merge<'a> {
    /// At the first right row.
    pub(super) fn new(spec: &'a AsofSpec, right: Side<'a>) -> Result<Self> {
        let mut merge = Self { spec, right, behind: None, ahead: None, held: Vec::new() };
        merge.load()?;
        Ok(merge)
    }

    /// The partners of the rows of `left` from `start` on, or of as many as the batches held may be for.
    pub(super) fn partners(&mut self, left: &SideBatch, start: usize) -> Result<Vec<Partner>> {
        self.held.clear();
        let mut partners = Vec::with_capacity(left.batch.num_rows() - start);
        for row in start..left.batch.num_rows() {
            if self.held.len() >= HELD_MAX {
                break;
            }
            let partner = match left.is_able(row) {
                true => self.partner(left, row)?,
                false => None,
            };
            partners.push(partner.map(|(batch, row)| (self.hold(batch), row)));
        }
        Ok(partners)
    }

    /// The batches that partners are numbered by.
    pub(super) fn held(&self) -> Vec<&RecordBatch> {
        self.held.iter().map(|batch| &batch.batch).collect()
    }

    fn hold(&mut self, batch: Rc<SideBatch>) -> usize {
        let known = self.held.iter().rposition(|held| Rc::ptr_eq(held, &batch));
        known.unwrap_or_else(|| {
            self.held.push(batch);
            self.held.len() - 1
        })
    }

    fn partner(&mut self, left: &SideBatch, row: usize) -> Result<Option<(Rc<SideBatch>, usize)>> {
        self.pass(left, row, self.spec.passes_equal())?;
        let same = |found: &(Rc<SideBatch>, usize)| found.0.by(found.1) == left.by(row);
        let behind = self.behind.clone().filter(same);
        let ahead = self.ahead.clone().filter(same).filter(|(batch, row)| batch.is_able(*row));
        Ok(match self.spec.asof.direction {
            AsofDirection::Backward => behind,
            AsofDirection::Forward => ahead,
            AsofDirection::Nearest => match (behind, ahead) {
                (Some(behind), Some(ahead)) => {
                    let to_behind = left.distance(row, &behind.0, behind.1);
                    let to_ahead = left.distance(row, &ahead.0, ahead.1);
                    Some(if to_ahead < to_behind { ahead } else { behind })
                }
                (behind, ahead) => behind.or(ahead),
            },
        })
    }

    /// Passes the right rows before the left one, and equal ones if told.
    fn pass(&mut self, left: &SideBatch, row: usize, equal: bool) -> Result<()> {
        while let Some((batch, at)) = &self.ahead {
            let order =
                batch.by(*at).cmp(left.by(row)).then_with(|| batch.on(*at).cmp(left.on(row)));
            let able = batch.is_able(*at);
            // The keys of a row with a NULL have no place among those without, as they are encoded.
            if able && !(order == Ordering::Less || (order == Ordering::Equal && equal)) {
                return Ok(());
            }
            self.step()?;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<()> {
        let Some((batch, row)) = self.ahead.take() else { return Ok(()) };
        let next = row + 1;
        if batch.is_able(row) {
            self.behind = Some((batch.clone(), row));
        }
        match next < batch.batch.num_rows() {
            true => self.ahead = Some((batch, next)),
            false => self.load()?,
        }
        Ok(())
    }

    fn load(&mut self) -> Result<()> {
        self.ahead = self.right.next()?.map(|batch| (Rc::new(batch), 0));
        Ok(())
    }
}

/// Partners that are rows of batches held.
pub(super) struct FoundInBatches<'a> {
    pub(super) spec: &'a AsofSpec,
    pub(super) partners: Vec<Partner>,
    pub(super) held: Vec<&'a RecordBatch>,
}

impl Found for FoundInBatches<'_> {
    fn found(&self) -> BooleanArray {
        self.partners.iter().map(|partner| Some(partner.is_some())).collect()
    }

    fn keep(&mut self, kept: &BooleanArray) {
        let others = self.partners.iter_mut().zip(kept.values()).filter(|(_, kept)| !kept);
        others.for_each(|(partner, _)| *partner = None);
    }

    fn columns(&self) -> Result<Vec<ArrayRef>> {
        // The first array is the one that rows without a partner are taken from.
        let place = |partner: &Partner| partner.map_or((0, 0), |(batch, row)| (batch + 1, row));
        let places: Vec<(usize, usize)> = self.partners.iter().map(place).collect();
        let fields = self.spec.output.fields()[self.spec.sides[0].columns..].iter();
        let column = |(index, field): (usize, &FieldRef)| -> Result<ArrayRef> {
            let mut arrays = vec![new_null_array(field.data_type(), 1)];
            for batch in &self.held {
                arrays.push(plain(batch.column(index))?);
            }
            let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
            Ok(interleave(&arrays, &places)?)
        };
        fields.enumerate().map(column).collect()
    }
}
