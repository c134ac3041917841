//! Which rows of a unit filters and tests leave, from their columns alone: the others are decoded for those rows only.
//!
//! ```text
//!   their columns --decode, evaluate--> runs of rows --> all columns, decoded for these runs
//!        |  the dictionary has no value that matches: no row
//!        |  many rows match, or runs are short: all rows, filtered later
//! ```
//!
//! It is a guess about cost, never about the answer: whoever scans filters again. A filter that fails here is left to
//! fail there, where its rows may turn out never to be asked for.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::{and, concat};
use arrow::datatypes::{DataType, Field, Schema};
use dframe_core::{Fetched, Result};
use dframe_expr::{BoundExpr, Expr, bind_predicate, conjunction, true_only};
use dframe_plan::{RowTest, ScanRequest, ScanUnit};

use super::decode::{UnitBatches, Wanted, is_only_codes};
use super::footer::SourceFile;
use super::survivors::whole;

/// What skipping to a run costs, in rows decoded.
const RUN_ROWS: u64 = 64;

/// The filters and tests of a scan, and the columns they need.
pub(super) struct Prefilter<'a> {
    predicate: Option<BoundExpr>,
    /// The tests, and where each finds its columns among `fields`.
    tests: Vec<(&'a dyn RowTest, Vec<usize>)>,
    fields: Vec<Arc<Field>>,
}

impl<'a> Prefilter<'a> {
    /// A test by what `request` filters; `None` if it does not, or if `wanted` are the columns for it alone, which have
    /// to be decoded in any case.
    pub(super) fn new(
        request: &'a ScanRequest,
        schema: &Schema,
        wanted: &[Arc<Field>],
    ) -> Option<Self> {
        let filter = conjunction(request.filters.iter().cloned());
        let mut columns: Vec<usize> =
            request.tests.iter().flat_map(|test| test.columns()).copied().collect();
        for column in filter.iter().flat_map(Expr::columns) {
            columns.push(dframe_expr::resolve_column(schema, &column).ok()?);
        }
        columns.sort_unstable();
        columns.dedup();
        let fields: Vec<Arc<Field>> =
            columns.iter().map(|column| schema.fields()[*column].clone()).collect();
        if fields.is_empty() || wanted.iter().all(|field| fields.contains(field)) {
            return None;
        }
        let own = Schema::new(fields.clone());
        let predicate = filter.map(|filter| bind_predicate(&filter, &own)).transpose().ok()?;
        let is_volatile = predicate.as_ref().is_some_and(BoundExpr::is_volatile);
        let places = |test: &'a Arc<dyn RowTest>| {
            let place = |column: &usize| columns.binary_search(column).ok();
            Some((test.as_ref(), test.columns().iter().map(place).collect::<Option<_>>()?))
        };
        let tests = request.tests.iter().map(places).collect::<Option<_>>()?;
        (!is_volatile).then_some(Self { predicate, tests, fields })
    }

    /// The runs of the unit's rows that are worth decoding, counted from its first.
    ///
    /// # Errors
    /// The columns that are filtered by are corrupt.
    pub(super) fn runs(
        &self,
        file: &SourceFile,
        unit: &ScanUnit,
        fetched: &Fetched,
    ) -> Result<Vec<Range<u64>>> {
        let all = whole(unit.row_count());
        let wanted = Wanted { fields: &self.fields, runs: all.clone() };
        let mut runs = Runs::default();
        for (number, batch) in UnitBatches::new(file, unit, fetched.clone(), wanted)?.enumerate() {
            let batch = batch?.rows;
            if number == 0 && self.has_dictionary(file, unit) && self.dictionary_rules_out(&batch) {
                return Ok(Vec::new());
            }
            let Ok(Some(kept)) = self.kept(&batch) else { return Ok(all) };
            runs.add(&kept);
            if !runs.are_worth_it() {
                return Ok(all);
            }
        }
        Ok(runs.list)
    }

    /// Which rows may matter; `None` if all of them may.
    fn kept(&self, batch: &RecordBatch) -> Result<Option<BooleanArray>> {
        let mut kept = match &self.predicate {
            Some(predicate) => Some(predicate.holds(batch)?),
            None => None,
        };
        for (test, places) in &self.tests {
            let more = test.may_matter(&batch.project(places)?)?;
            kept = match (kept, more) {
                (Some(kept), Some(more)) => Some(and(&kept, &more)?),
                (kept, more) => kept.or(more),
            };
        }
        Ok(kept.map(|kept| true_only(&kept)))
    }

    /// Whether all pages of the only column are known to be codes of one dictionary.
    fn has_dictionary(&self, file: &SourceFile, unit: &ScanUnit) -> bool {
        let [field] = self.fields.as_slice() else { return false };
        let row_group = file.footer.as_ref().and_then(|footer| {
            let row_group = unit.row_group as usize;
            footer.row_groups().get(row_group)
        });
        let (Some(row_group), Some(root)) = (row_group, file.index_of(field.name())) else {
            return false;
        };
        let leaf = file.layout.leaves[root].start;
        row_group.column(leaf).page_encoding_stats_mask().is_some_and(is_only_codes)
    }

    /// Whether no value of the dictionary of the only column of `batch` matches, nor NULL.
    fn dictionary_rules_out(&self, batch: &RecordBatch) -> bool {
        let [column] = batch.columns() else { return false };
        let Some(dictionary) = column.as_any_dictionary_opt() else { return false };
        let values = dictionary.values();
        let null = new_null_array(values.data_type(), 1);
        let Ok(values) = concat(&[values, &null]) else { return false };
        let fields = vec![plain_field(&self.fields[0], values.data_type())];
        let values = RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![values]);
        let matches = values.map_err(Into::into).and_then(|values| self.kept(&values));
        matches.is_ok_and(|matches| matches.is_some_and(|matches| matches.true_count() == 0))
    }
}

fn plain_field(field: &Field, data_type: &DataType) -> Field {
    Field::new(field.name(), data_type.clone(), true)
}

/// The rows that match so far.
#[derive(Default)]
struct Runs {
    list: Vec<Range<u64>>,
    matches: u64,
    rows: u64,
}

impl Runs {
    fn add(&mut self, kept: &BooleanArray) {
        for (start, end) in kept.values().set_slices() {
            let run = self.rows + start as u64..self.rows + end as u64;
            self.matches += run.end - run.start;
            match self.list.last_mut() {
                Some(last) if last.end == run.start => last.end = run.end,
                _ => self.list.push(run),
            }
        }
        self.rows += kept.len() as u64;
    }

    /// Whether decoding these rows alone saves half of the work or more.
    fn are_worth_it(&self) -> bool {
        self.list.len() as u64 * RUN_ROWS + self.matches <= self.rows / 2
    }
}
