//! `range(..)` and `generate_series(..)` in FROM: rows of numbers that are made as they are read.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use dframe_core::{Error, Fetched, Result};
use dframe_expr::{Expr, Span, simplify};
use dframe_plan::{
    LogicalPlan, Partition, Partitions, ScanRequest, ScanUnit, ScannedBatch, ScannedBatches,
    Source, Statistics,
};
use sqlparser::ast::{FunctionArg, FunctionArgExpr};

use super::Planner;
use crate::place::at;

/// The most partitions, however many numbers there are.
const PARTITIONS_MAX: u64 = 4096;
/// The batches of a partition where the numbers are few.
const BATCHES: u64 = 16;

/// Numbers from `start` on, one every `step`, as a source.
#[derive(Debug)]
struct Numbers {
    name: String,
    start: i64,
    step: i64,
    count: u64,
    schema: SchemaRef,
}

impl Planner<'_, '_> {
    /// `range(stop)`, `range(start, stop)`, `range(start, stop, step)`; `generate_series` is with the last number.
    pub fn numbers(
        &self,
        function: &str,
        args: Vec<FunctionArg>,
        place: Span,
    ) -> Result<LogicalPlan> {
        let args = args.into_iter().map(|arg| self.number(function, arg, place));
        let (start, stop, step) = match args.collect::<Result<Vec<i64>>>()?.as_slice() {
            [stop] => (0, *stop, 1),
            [start, stop] => (*start, *stop, 1),
            [start, stop, step] if *step != 0 => (*start, *stop, *step),
            [_, _, _] => return Err(at(Error::invalid_input("the step cannot be 0"), place)),
            others => {
                let message = format!("{function} takes 1 to 3 numbers, not {}", others.len());
                let remedy = format!("usage: {function}(start, stop, step)");
                return Err(at(Error::invalid_input(message).remedy(remedy), place));
            }
        };
        let count = count(start, stop, step, function == "generate_series");
        let schema = Arc::new(Schema::new(vec![Field::new(function, DataType::Int64, true)]));
        let name = function.to_string();
        Ok(LogicalPlan::scan(Arc::new(Numbers { name, start, step, count, schema })))
    }

    fn number(&self, function: &str, arg: FunctionArg, place: Span) -> Result<i64> {
        let refuse = || {
            let error = Error::unsupported(format!(
                "{function} of anything but whole numbers is not supported"
            ));
            at(error.remedy(format!("write constants: {function}(1, 10)")), place)
        };
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(node)) = arg else { return Err(refuse()) };
        match simplify(self.converter().expr(node)?.expr, &Schema::empty()) {
            Expr::Literal(literal) => {
                let numbers = literal.0.as_primitive_opt::<Int64Type>().filter(|n| n.is_valid(0));
                numbers.map(|numbers| numbers.value(0)).ok_or_else(refuse)
            }
            _ => Err(refuse()),
        }
    }
}

/// How many numbers there are before `stop`, or up to it.
fn count(start: i64, stop: i64, step: i64, with_last: bool) -> u64 {
    let (length, step) = match step > 0 {
        true => (i128::from(stop) - i128::from(start), i128::from(step)),
        false => (i128::from(start) - i128::from(stop), -i128::from(step)),
    };
    let count = match with_last {
        true => length.div_euclid(step) + 1,
        false => (length + step - 1).div_euclid(step),
    };
    u64::try_from(count.max(0)).unwrap_or(u64::MAX)
}

impl Numbers {
    /// Number `index`; all that are asked for are of 64 bits.
    fn at(&self, index: u64) -> i64 {
        self.start.wrapping_add(self.step.wrapping_mul(index as i64))
    }

    fn batch(&self, from: u64, length: u64, wanted: bool) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(length as usize));
        let (schema, columns) = match wanted {
            true => {
                let numbers = (from..from + length).map(|index| self.at(index));
                let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers));
                (self.schema.clone(), vec![numbers])
            }
            false => (Arc::new(Schema::empty()), vec![]),
        };
        Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
    }
}

impl Source for Numbers {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn statistics(&self) -> Statistics {
        Statistics { rows: Some(self.count), bytes: None }
    }

    fn partitions(&self, request: &ScanRequest) -> Result<Partitions> {
        let count = self.count.min(request.limit.unwrap_or(u64::MAX));
        let batch = request.batch_rows.max(1) as u64;
        let rows = (batch * BATCHES).max(count.div_ceil(PARTITIONS_MAX));
        let partition = |index: u64| {
            let start = index * rows;
            let unit = ScanUnit {
                file: 0,
                row_group: index as u32,
                rows: start..count.min(start.saturating_add(rows)),
                position: start,
                batch_rows: request.batch_rows,
                fetch_bytes: 0,
                decode_bytes: batch * size_of::<i64>() as u64,
            };
            Partition { units: vec![unit] }
        };
        let list: Vec<Partition> = (0..count.div_ceil(rows)).map(partition).collect();
        let filters_exact = vec![false; request.filters.len()];
        Ok(Partitions { row_groups: list.len(), list, row_groups_pruned: 0, filters_exact })
    }

    fn fetch(&self, _: &ScanUnit, _: &ScanRequest) -> Result<Fetched> {
        Ok(Fetched::default())
    }

    fn decode(
        self: Arc<Self>,
        unit: &ScanUnit,
        _: Fetched,
        request: &ScanRequest,
    ) -> Result<ScannedBatches> {
        let wanted = !request.projection.is_empty();
        let (start, end, step) = (unit.rows.start, unit.rows.end, unit.batch_rows.max(1));
        let piece = move |from: u64| {
            let rows = self.batch(from, (end - from).min(step as u64), wanted)?;
            Ok(ScannedBatch { rows, position: from })
        };
        Ok(Box::new((start..end).step_by(step).map(piece)))
    }
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn numbers_are_counted() {
        for ((start, stop, step), without, with) in [
            ((0, 5, 1), 5, 6),
            ((0, 5, 2), 3, 3),
            ((0, 6, 2), 3, 4),
            ((5, 0, 1), 0, 0),
            ((0, 0, 1), 0, 1),
            ((5, 0, -2), 3, 3),
            ((4, 0, -2), 2, 3),
            ((0, 5, -1), 0, 0),
            ((i64::MAX - 1, i64::MAX, 1), 1, 2),
            ((i64::MIN, i64::MAX, i64::MAX), 3, 3),
            ((i64::MAX, i64::MIN, i64::MIN), 2, 2),
        ] {
            assert_eq!(count(start, stop, step, false), without, "{start} {stop} {step}");
            assert_eq!(count(start, stop, step, true), with, "{start} {stop} {step}");
        }
    }
}
