//! Which rows of a row group may match the filters: none, some ranges of pages, or all.
//!
//! ```text
//!   statistics --no--> none      Bloom filters --no--> none      page index --> ranges
//! ```

use std::ops::Range;

use arrow::datatypes::SchemaRef;
use dframe_core::Result;
use dframe_expr::Expr;

use super::bloom::lacks_all;
use super::bounds::BoundsOf;
use super::pruning::Condition;
use crate::file::OpenFile;

/// Ranges of rows are read as one when fewer rows than this lie between.
const GAP_ROWS: u64 = 8 << 10;
/// The ranges of a row group at most; each decodes its dictionaries anew.
const RANGES_MAX: usize = 16;

/// Decides what of a row group is read.
pub(super) struct Pruner {
    condition: Condition,
    schema: SchemaRef,
}

impl Pruner {
    /// A pruner for the filters; `None` if they tell nothing about bounds.
    pub(super) fn new(filters: &[Expr], schema: SchemaRef) -> Option<Self> {
        let condition = Condition::of(filters, &schema);
        condition.is_useful().then_some(Self { condition, schema })
    }

    /// The ranges of rows that may match, in order, far apart enough to be read apart.
    pub(super) fn survivors(&self, place: &BoundsOf<'_>) -> Result<Vec<Range<u64>>> {
        let rows = place.metadata.row_group(place.row_group).num_rows() as u64;
        let bounds = |column: usize| place.row_group(self.schema.field(column));
        if !self.condition.may_match(&bounds) {
            return Ok(Vec::new());
        }
        let row_group = place.metadata.row_group(place.row_group);
        let asks_file = row_group.columns().iter().any(|chunk| {
            chunk.bloom_filter_offset().is_some() || chunk.column_index_offset().is_some()
        });
        if !asks_file {
            return Ok(whole(rows));
        }
        let open = place.file.open()?;
        let look = Look { pruner: self, place, open: &open, rows };
        if look.bloom_rules_out(&self.condition) {
            return Ok(Vec::new());
        }
        Ok(merge(look.ranges(&self.condition), rows))
    }
}

struct Look<'a> {
    pruner: &'a Pruner,
    place: &'a BoundsOf<'a>,
    open: &'a OpenFile,
    rows: u64,
}

impl Look<'_> {
    fn bloom_rules_out(&self, condition: &Condition) -> bool {
        match condition {
            Condition::All(parts) => parts.iter().any(|part| self.bloom_rules_out(part)),
            Condition::Any(parts) => parts.iter().all(|part| self.bloom_rules_out(part)),
            Condition::OneOf(column, constants) => {
                let layout = &self.place.file.layout;
                let root = self.place.file.index_of(self.pruner.schema.field(*column).name());
                let leaf = root.and_then(|root| self.place.flat_leaf(root));
                let Some((root, leaf)) = root.zip(leaf) else { return false };
                let chunk = self.place.metadata.row_group(self.place.row_group).column(leaf);
                let values: Vec<_> = constants.iter().map(|constant| &constant.value).collect();
                let read = layout.read[root].data_type();
                let comparable = *self.pruner.schema.field(*column).data_type() == *read;
                comparable && lacks_all(self.open, chunk, read, &values)
            }
            _ => false,
        }
    }

    /// The rows that may match, as sorted ranges.
    fn ranges(&self, condition: &Condition) -> Vec<Range<u64>> {
        match condition {
            Condition::Anything => whole(self.rows),
            Condition::Nothing => Vec::new(),
            Condition::All(parts) => parts.iter().fold(whole(self.rows), |rows, part| {
                if rows.is_empty() { rows } else { intersect(&rows, &self.ranges(part)) }
            }),
            Condition::Any(parts) => {
                let mut rows: Vec<_> = parts.iter().flat_map(|part| self.ranges(part)).collect();
                rows.sort_by_key(|range| range.start);
                unite(rows, 0)
            }
            Condition::IsNull(column)
            | Condition::IsNotNull(column)
            | Condition::Compare(column, ..)
            | Condition::OneOf(column, _)
            | Condition::Prefix(column, _) => self.pages(condition, *column),
        }
    }

    fn pages(&self, condition: &Condition, column: usize) -> Vec<Range<u64>> {
        let field = self.pruner.schema.field(column);
        let Some(pages) = self.place.pages(self.open, field) else { return whole(self.rows) };
        let matches = condition.judge(&pages.bounds);
        let starts = pages.first_rows.iter().zip(&pages.bounds.rows);
        let ranges = starts.zip(matches).filter(|(_, matches)| *matches);
        unite(ranges.map(|((start, rows), _)| *start..start + rows).collect(), 0)
    }
}

/// All rows, as ranges.
pub(super) fn whole(rows: u64) -> Vec<Range<u64>> {
    std::iter::once(0..rows).collect()
}

/// The rows in both of two sorted lists.
fn intersect(left: &[Range<u64>], right: &[Range<u64>]) -> Vec<Range<u64>> {
    let (mut i, mut j) = (0, 0);
    let mut out = Vec::new();
    while let (Some(a), Some(b)) = (left.get(i), right.get(j)) {
        let both = a.start.max(b.start)..a.end.min(b.end);
        if both.start < both.end {
            out.push(both);
        }
        if a.end < b.end { i += 1 } else { j += 1 }
    }
    out
}

/// Joins sorted ranges with at most `gap` rows between.
fn unite(ranges: Vec<Range<u64>>, gap: u64) -> Vec<Range<u64>> {
    let mut out: Vec<Range<u64>> = Vec::new();
    for range in ranges.into_iter().filter(|range| range.start < range.end) {
        match out.last_mut() {
            Some(last) if range.start <= last.end + gap => last.end = last.end.max(range.end),
            _ => out.push(range),
        }
    }
    out
}

/// Joins near ranges, then as many as it takes to have few; nearly all rows become all.
fn merge(ranges: Vec<Range<u64>>, rows: u64) -> Vec<Range<u64>> {
    let mut gap = GAP_ROWS;
    let mut merged = unite(ranges, gap);
    while merged.len() > RANGES_MAX {
        gap *= 2;
        merged = unite(merged, gap);
    }
    let kept: u64 = merged.iter().map(|range| range.end - range.start).sum();
    if kept > rows - rows / 8 { whole(rows) } else { merged }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_combine() {
        assert_eq!(intersect(&[0..10, 20..30], &[5..25, 28..40]), [5..10, 20..25, 28..30]);
        assert_eq!(unite(vec![0..5, 5..7, 9..9, 10..12], 0), [0..7, 10..12]);
        let many = (0..100).map(|i| i * 100_000..i * 100_000 + 10).collect();
        assert_eq!(merge(many, 10_000_000), whole(10_000_000));
        assert_eq!(merge(vec![0..5, 500_000..500_001], 1_000_000), [0..5, 500_000..500_001]);
        assert_eq!(merge(whole(95), 100), whole(100));
    }
}
