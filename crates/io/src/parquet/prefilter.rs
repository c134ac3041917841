//! Which rows of a unit the filters leave, from the filters' columns alone: the others are decoded for those rows only.
//!
//! ```text
//!   filter columns --decode, evaluate--> runs of rows --> all columns, decoded for these runs
//!        |  the dictionary has no value that matches: no row
//!        |  many rows match, or runs are short: all rows, filtered later
//! ```
//!
//! It is a guess about cost, never about the answer: whoever scans filters again. A filter that fails here is left to
//! fail there, where its rows may turn out never to be asked for.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::{concat, prep_null_mask_filter};
use arrow::datatypes::{DataType, Field, Schema};
use dframe_core::{Fetched, Result};
use dframe_expr::{BoundExpr, Expr, bind_predicate, conjunction};
use dframe_plan::ScanUnit;

use super::decode::{UnitBatches, Wanted, is_only_codes};
use super::footer::SourceFile;

/// What skipping to a run costs, in rows decoded.
const RUN_ROWS: u64 = 64;

/// The filters of a scan, and the columns they need.
pub(super) struct Prefilter {
    predicate: BoundExpr,
    fields: Vec<Arc<Field>>,
}

impl Prefilter {
    /// A test by `filters`; `None` if there are none, or if `wanted` are their columns alone, which have to be decoded
    /// in any case.
    pub(super) fn new(filters: &[Expr], schema: &Schema, wanted: &[Arc<Field>]) -> Option<Self> {
        let filter = conjunction(filters.iter().cloned())?;
        let mut fields: Vec<Arc<Field>> = Vec::new();
        for column in filter.columns() {
            let field = &schema.fields()[dframe_expr::resolve_column(schema, &column).ok()?];
            if !fields.contains(field) {
                fields.push(field.clone());
            }
        }
        let is_needed = |field: &Arc<Field>| fields.iter().any(|own| own.name() == field.name());
        if fields.is_empty() || wanted.iter().all(is_needed) {
            return None;
        }
        let predicate = bind_predicate(&filter, &Schema::new(fields.clone())).ok()?;
        (!predicate.is_volatile()).then_some(Self { predicate, fields })
    }

    /// The runs of the unit's rows that are worth decoding, counted from its first.
    ///
    /// # Errors
    /// The filters' columns are corrupt.
    pub(super) fn runs(
        &self,
        file: &SourceFile,
        unit: &ScanUnit,
        fetched: &Fetched,
    ) -> Result<Vec<Range<u64>>> {
        let all = vec![0..unit.row_count()];
        let wanted = Wanted { fields: &self.fields, runs: all.clone() };
        let mut runs = Runs::default();
        for (number, batch) in UnitBatches::new(file, unit, fetched.clone(), wanted)?.enumerate() {
            let batch = batch?.rows;
            if number == 0 && self.has_dictionary(file, unit) && self.dictionary_rules_out(&batch) {
                return Ok(Vec::new());
            }
            let Ok(kept) = self.kept(&batch) else { return Ok(all) };
            runs.add(&kept);
            if !runs.are_worth_it() {
                return Ok(all);
            }
        }
        Ok(runs.list)
    }

    fn kept(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let kept = self.predicate.evaluate_array(batch)?;
        let kept = kept.as_boolean();
        Ok(if kept.null_count() == 0 { kept.clone() } else { prep_null_mask_filter(kept) })
    }

    /// Whether all pages of the filter's only column are known to be codes of one dictionary.
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
        matches.is_ok_and(|matches| matches.true_count() == 0)
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
