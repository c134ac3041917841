//! As-of joins with a small right side: an index of it, in which tasks of the left side look their rows' partners up.
//!
//! ```text
//!   right --> chunks --> IndexRight (one task): rows by their equal keys, then by the ordered one
//!                                         |
//!   left: decoded batch -> [filter] -> [look up] -> [project] -> fold           in each task
//!
//!   rows of AAPL   1 4 | 6 8       for a left row at 5: 4 is behind, 6 is ahead
//! ```
//!
//! The left side is neither cut nor sorted, and its rows stay where they are.

use std::fmt::{self, Debug, Formatter};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::{filter_record_batch, take};
use arrow::datatypes::{DataType, SchemaRef};
use dframe_core::{Error, Reservation, Result};
use dframe_expr::{float_of_word, has_order_words, order_words, plain, plain_type};
use dframe_plan::ScannedBatch;
use dframe_plan::node::AsofDirection;
use dframe_runtime::{Chunk, TaskContext, batch_bytes};

use super::side::{Distance, SideSpec};
use super::{AsofSpec, Found};
use crate::group::GroupTable;
use crate::join::{END, KeyCoder, KeyIndex, columns_of};
use crate::pipeline::{BlockMap, RowChange, batch_of};
use crate::stage::{SharedBuild, StageTasks};

/// Bytes per right row, besides the row itself: its word, group and place, before and after they are in order.
pub(crate) const INDEX_ROW_BYTES: u64 = 32;
/// How many copies of a right row there are while the index is made.
pub(crate) const INDEX_COPIES: u64 = 3;

/// An index, to be made, of the right side.
pub(crate) struct RightIndex {
    spec: Arc<AsofSpec>,
    coder: KeyCoder,
    made: OnceLock<Index>,
}

/// Right rows by key, in the order of the ordered key.
struct Index {
    rows: RecordBatch,
    /// The ordered keys, as numbers in the same order.
    words: Vec<u64>,
    /// The number of each key's group.
    groups: KeyIndex,
    /// The rows of group `i` are from `starts[i]` to `starts[i + 1]`.
    starts: Vec<u32>,
    _held: Reservation,
}

impl RightIndex {
    /// Nothing yet.
    pub(crate) fn new(spec: Arc<AsofSpec>) -> Self {
        let coder = KeyCoder::new(spec.sides[1].key_types(), false);
        Self { spec, coder, made: OnceLock::new() }
    }

    /// Whether rows of `side` can be in an index.
    pub(crate) fn takes(side: &SideSpec) -> bool {
        has_order_words(plain_type(side.on.data_type()))
            && !side.key_types().iter().any(DataType::is_nested)
    }

    fn index(&self, inputs: Vec<Chunk>, context: &TaskContext) -> Result<Index> {
        let side = &self.spec.sides[1];
        let mut held = context.budget.reservation();
        let mut rows = Ungrouped::new(side)?;
        for batch in inputs.into_iter().flat_map(Chunk::into_parts).flat_map(|p| p.take(None)) {
            context.cancel.check()?;
            let batch = batch?;
            let places = batch.num_rows() * INDEX_ROW_BYTES as usize;
            let bytes = INDEX_COPIES as usize * batch_bytes(&batch) + places;
            held.grow(bytes, "the right side of an as-of join")?;
            rows.push(side, batch)?;
        }
        rows.in_order(&self.coder, self.spec.right_schema(), held)
    }
}

impl SharedBuild for RightIndex {
    fn name(&self) -> &'static str {
        "index right side"
    }

    fn build(&self, inputs: Vec<Chunk>, context: &TaskContext) -> Result<()> {
        let index = self.index(inputs, context)?;
        self.made.set(index).map_err(|_| Error::internal("an index is made twice"))
    }
}

impl Debug for RightIndex {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "RightIndex({:?})", self.spec.asof)
    }
}

/// Right rows as they come, with the number of each one's group.
struct Ungrouped {
    table: GroupTable,
    batches: Vec<RecordBatch>,
    groups: Vec<u32>,
    words: Vec<u64>,
    assigned: Vec<u32>,
}

impl Ungrouped {
    fn new(side: &SideSpec) -> Result<Self> {
        let table = GroupTable::new(&side.key_types())?;
        let (batches, groups, words, assigned) = <_>::default();
        Ok(Self { table, batches, groups, words, assigned })
    }

    fn push(&mut self, side: &SideSpec, batch: RecordBatch) -> Result<()> {
        let (mut batch, mut on) = (batch, Vec::new());
        if let Some(nulls) = ordered(side, &batch, &mut on)? {
            // Rows without an ordered key are nobody's partners.
            batch = filter_record_batch(&batch, &BooleanArray::new(nulls.into_inner(), None))?;
            on.clear();
            ordered(side, &batch, &mut on)?;
        }
        self.table.assign(&side.keys(&batch)?, batch.num_rows(), &mut self.assigned)?;
        self.groups.extend_from_slice(&self.assigned);
        self.words.append(&mut on);
        self.batches.push(batch);
        Ok(())
    }

    /// The rows group by group, each in order; equal ones as they came.
    fn in_order(self, coder: &KeyCoder, schema: SchemaRef, held: Reservation) -> Result<Index> {
        let Self { table, batches, groups, words, assigned: _ } = self;
        let starts = starts(&groups, table.len());
        let mut order = vec![0_u32; groups.len()];
        let mut ends = starts.clone();
        for (row, group) in (0..).zip(&groups) {
            let end = &mut ends[*group as usize];
            order[*end as usize] = row;
            *end += 1;
        }
        drop(groups);
        for group in starts.windows(2) {
            let rows = &mut order[group[0] as usize..group[1] as usize];
            if !rows.is_sorted_by_key(|row| words[*row as usize]) {
                rows.sort_by_key(|row| words[*row as usize]);
            }
        }
        let words = order.iter().map(|row| words[*row as usize]).collect();
        let order = UInt32Array::from(order);
        let count = order.len();
        let columns = columns_of(&batches, &schema)?;
        drop(batches);
        let columns = columns.into_iter().map(|column| Ok(take(&column, &order, None)?));
        let rows = batch_of(&schema, columns.collect::<Result<_>>()?, count)?;
        let keys = coder.encode(&table.keys(0..table.len())?, table.len())?;
        let groups = KeyIndex::new(keys, table.len());
        let mut index = Index { rows, words, groups, starts, _held: held };
        let bytes = index.memory();
        index._held.shrink(index._held.bytes().saturating_sub(bytes));
        Ok(index)
    }
}

/// Where each of `count` groups begins if rows are put in the order of their groups, and where the last one ends.
fn starts(groups: &[u32], count: usize) -> Vec<u32> {
    let mut starts = vec![0_u32; count + 1];
    groups.iter().for_each(|group| starts[*group as usize + 1] += 1);
    let mut end = 0;
    for start in &mut starts {
        end += *start;
        *start = end;
    }
    starts
}

/// Puts the ordered keys of `batch` into `words`; says which are not NULL, if some are.
fn ordered(
    side: &SideSpec,
    batch: &RecordBatch,
    words: &mut Vec<u64>,
) -> Result<Option<NullBuffer>> {
    let on = plain(&side.on.evaluate_array(batch)?)?;
    order_words(&on, words)?;
    Ok(on.logical_nulls().filter(|nulls| nulls.null_count() > 0))
}

/// Looks the partners of left rows up.
#[derive(Debug)]
pub(crate) struct LookUpPartners {
    index: Arc<RightIndex>,
    after: StageTasks,
}

impl LookUpPartners {
    /// In `index`, which the stage `after` makes.
    pub(crate) fn new(index: Arc<RightIndex>, after: StageTasks) -> Self {
        Self { index, after }
    }
}

impl BlockMap for LookUpPartners {
    fn name(&self) -> &'static str {
        "asof join"
    }

    fn schema(&self) -> &SchemaRef {
        &self.index.spec.output
    }

    fn row_change(&self) -> RowChange {
        if self.index.spec.keeps_left { RowChange::None } else { RowChange::Fewer }
    }

    fn after(&self) -> Option<StageTasks> {
        Some(self.after)
    }

    fn map(
        &self,
        batch: &ScannedBatch,
        emit: &mut dyn FnMut(RecordBatch) -> Result<bool>,
    ) -> Result<bool> {
        let (spec, index) = (&self.index.spec, self.index.made.get());
        let index = index.ok_or_else(|| Error::internal("an index is asked before it is made"))?;
        let partners = index.partners(spec, &self.index.coder, &batch.rows)?;
        let pairs = spec.pairs(&batch.rows, &mut index.found(partners))?;
        if pairs.num_rows() == 0 { Ok(true) } else { emit(pairs) }
    }
}

impl Index {
    /// The partner of each row of `left`, if it has one.
    fn partners(
        &self,
        spec: &AsofSpec,
        coder: &KeyCoder,
        left: &RecordBatch,
    ) -> Result<UInt32Array> {
        let side = &spec.sides[0];
        let groups = self.groups.firsts(coder, &side.keys(left)?, left.num_rows())?;
        let mut words = Vec::with_capacity(left.num_rows());
        let able = ordered(side, left, &mut words)?;
        let search = Search {
            direction: spec.asof.direction,
            passes_equal: spec.passes_equal(),
            floats: plain_type(side.on.data_type()).is_floating(),
            words: &self.words,
        };
        let mut hints = Hints::of(&self.starts, left.num_rows());
        let partner = |(row, (group, word)): (usize, (&u32, &u64))| {
            if *group == END || able.as_ref().is_some_and(|able| able.is_null(row)) {
                return None;
            }
            let (from, to) = (self.starts[*group as usize], self.starts[*group as usize + 1]);
            let rows = from as usize..to as usize;
            let ahead = search.ahead(&rows, hints.get(*group), *word);
            hints.set(*group, ahead);
            search.partner(&rows, ahead, *word).map(|row| row as u32)
        };
        Ok(groups.iter().zip(&words).enumerate().map(partner).collect())
    }

    fn found(&self, partners: UInt32Array) -> FoundHere<'_> {
        FoundHere { rows: &self.rows, partners }
    }

    fn memory(&self) -> usize {
        let places = self.words.capacity() * 8 + self.starts.capacity() * 4;
        batch_bytes(&self.rows) + places + self.groups.memory()
    }
}

/// Where the last row of each group was found: the next one of a left side in order is near.
struct Hints(Vec<u32>);

impl Hints {
    /// None if there are more groups than rows.
    fn of(starts: &[u32], rows: usize) -> Self {
        Self(if starts.len() <= rows { starts.to_vec() } else { Vec::new() })
    }

    fn get(&self, group: u32) -> Option<usize> {
        self.0.get(group as usize).map(|hint| *hint as usize)
    }

    fn set(&mut self, group: u32, place: usize) {
        if let Some(hint) = self.0.get_mut(group as usize) {
            *hint = place as u32;
        }
    }
}

/// Finds partners among right rows in order.
struct Search<'a> {
    direction: AsofDirection,
    /// Whether an equal right row is behind a left one.
    passes_equal: bool,
    floats: bool,
    words: &'a [u64],
}

impl Search<'_> {
    /// The first of `rows` that is ahead of `word`; best near `hint`.
    fn ahead(&self, rows: &Range<usize>, hint: Option<usize>, word: u64) -> usize {
        let passed = |other: &u64| *other < word || (self.passes_equal && *other == word);
        let words = &self.words[rows.clone()];
        let near = hint.map_or(0..words.len(), |hint| near(words, hint - rows.start, passed));
        rows.start + near.start + words[near].partition_point(passed)
    }

    /// The partner of a left row at `word`, of which `ahead` is the first of `rows` ahead.
    fn partner(&self, rows: &Range<usize>, ahead: usize, word: u64) -> Option<usize> {
        let behind = (ahead > rows.start).then(|| ahead - 1);
        let ahead = (ahead < rows.end).then_some(ahead);
        match (self.direction, behind, ahead) {
            (AsofDirection::Backward, behind, _) => behind,
            (AsofDirection::Forward, _, ahead) => ahead,
            (AsofDirection::Nearest, Some(behind), Some(ahead)) => {
                let distance = |row: usize| self.distance(word, self.words[row]);
                Some(if distance(ahead) < distance(behind) { ahead } else { behind })
            }
            (AsofDirection::Nearest, behind, ahead) => behind.or(ahead),
        }
    }

    fn distance(&self, word: u64, other: u64) -> Distance {
        match self.floats {
            true => Distance::of_floats(float_of_word(word), float_of_word(other)),
            false => Distance::Whole(u128::from(word.abs_diff(other))),
        }
    }
}

/// A range that ends where `passed` no longer holds, or further on, and begins before: in steps that double from `hint`
/// on, as in Bentley and Yao's unbounded search.
fn near(words: &[u64], hint: usize, passed: impl Fn(&u64) -> bool) -> Range<usize> {
    let (mut low, mut high, mut step) = (hint, hint, 1);
    if words.get(hint).is_some_and(&passed) {
        while high < words.len() && passed(&words[high]) {
            low = high + 1;
            high = (high + step).min(words.len());
            step *= 2;
        }
    } else {
        while low > 0 && !passed(&words[low - 1]) {
            high = low - 1;
            low = low.saturating_sub(step);
            step *= 2;
        }
    }
    low..high
}

/// Partners that are rows of the index.
struct FoundHere<'a> {
    rows: &'a RecordBatch,
    partners: UInt32Array,
}

impl Found for FoundHere<'_> {
    fn found(&self) -> BooleanArray {
        let nulls = self.partners.nulls();
        (0..self.partners.len()).map(|row| Some(nulls.is_none_or(|n| n.is_valid(row)))).collect()
    }

    fn keep(&mut self, kept: &BooleanArray) {
        let nulls = NullBuffer::new(kept.values().clone());
        self.partners = UInt32Array::new(self.partners.values().clone(), Some(nulls));
    }

    fn columns(&self) -> Result<Vec<ArrayRef>> {
        let columns = self.rows.columns().iter();
        columns.map(|column| Ok(take(column, &self.partners, None)?)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_near_a_hint_holds_the_end_of_what_is_passed() {
        for len in 0..20 {
            let words: Vec<u64> = (0..len).map(|i| i / 2).collect();
            for (word, hint) in (0..12).flat_map(|w| (0..=words.len()).map(move |h| (w, h))) {
                let passed = |other: &u64| *other < word;
                let range = near(&words, hint, passed);
                let found = range.start + words[range].partition_point(passed);
                assert_eq!(found, words.partition_point(passed), "{word} from {hint} of {len}");
            }
        }
    }

    #[test]
    fn groups_begin_one_after_the_other() {
        assert_eq!(starts(&[2, 0, 2, 2], 4), [0, 1, 1, 4, 4]);
        assert_eq!(starts(&[], 0), [0]);
    }
}
