//! What is known of a partition's rows so far, after each row.
//!
//! ```text
//!   price   3  1  2 | 5  4        sum   3 4 6 | 5 9        carried to the next batch: 9
//! ```
//!
//! Counts, sums and means of numbers are carried as numbers; the least, the greatest and picked values as
//! a value; every other aggregate as its state.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use dframe_core::{Error, Result};

use super::WindowRows;
use super::fixed::{self, Fixed, zero_nulls};
use super::scan::{Rule, Scan};
use super::states::{self, AggregateRows, States};
use crate::aggregate::{AggregateFunction, BoundAggregate, GroupedRows, Positions};
use crate::value::true_only;

/// A value for each row, of the rows of its partition so far.
pub(super) trait Running: Send {
    /// The values for the next rows.
    fn push(&mut self, rows: &WindowRows<'_>) -> Result<ArrayRef>;

    /// The bytes held.
    fn memory(&self) -> usize;
}

/// Which inputs are the arguments: the first so many, then the FILTER's condition if there is one.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunningRows {
    pub(super) args: usize,
    pub(super) filtered: bool,
    /// Whether rows come in the reverse of the input's order.
    pub(super) backward: bool,
}

impl RunningRows {
    /// The arguments among `inputs`.
    pub(super) fn args<'a>(&self, inputs: &'a [ArrayRef]) -> &'a [ArrayRef] {
        &inputs[..self.args]
    }

    /// Which rows the FILTER takes.
    pub(super) fn mask<'a>(&self, inputs: &'a [ArrayRef]) -> Option<&'a BooleanArray> {
        self.filtered.then(|| inputs[self.args].as_boolean())
    }

    /// The positions of so many rows after `base` others.
    pub(super) fn positions(&self, base: u64, rows: usize) -> Vec<u64> {
        let flip = |position: u64| if self.backward { !position } else { position };
        (base..base + rows as u64).map(flip).collect()
    }

    /// Which rows have an argument that is not NULL and are taken by the FILTER; none if all are.
    pub(super) fn valid(&self, inputs: &[ArrayRef]) -> Option<NullBuffer> {
        let of_arg = self.args(inputs).first().and_then(|arg| arg.logical_nulls());
        let taken = self.mask(inputs).map(|mask| {
            let mask = true_only(mask);
            NullBuffer::new(mask.values().clone())
        });
        NullBuffer::union(of_arg.as_ref(), taken.as_ref()).filter(|valid| valid.null_count() > 0)
    }

    /// The only argument, with NULL where the FILTER takes no row.
    pub(super) fn masked(&self, inputs: &[ArrayRef]) -> Result<ArrayRef> {
        let arg = &inputs[0];
        match self.mask(inputs) {
            None => Ok(arg.clone()),
            Some(mask) => {
                let mask = true_only(mask);
                Ok(arrow::compute::nullif(arg, &arrow::compute::not(&mask)?)?)
            }
        }
    }
}

/// The aggregate of the rows so far.
pub(super) fn aggregate(aggregate: &BoundAggregate, rows: RunningRows) -> Result<Box<dyn Running>> {
    let arg = aggregate.signature().arg_types.first();
    Ok(match (aggregate.function(), number_of(arg)) {
        (AggregateFunction::Count, _) => Box::new(RunningCount { rows, count: 0 }),
        (AggregateFunction::Min, _) => Box::new(RunningScan { rows, scan: Scan::new(Rule::Least) }),
        (AggregateFunction::Max, _) => {
            Box::new(RunningScan { rows, scan: Scan::new(Rule::Greatest) })
        }
        (AggregateFunction::Sum, Some(Number::Integer)) => {
            Box::new(RunningIntegers { rows, total: 0, count: 0, mean: false })
        }
        (AggregateFunction::Mean, Some(Number::Integer)) => {
            Box::new(RunningIntegers { rows, total: 0, count: 0, mean: true })
        }
        (AggregateFunction::Sum | AggregateFunction::Mean, Some(Number::Float)) => {
            Box::new(RunningFloats::new(aggregate, rows))
        }
        _ => Box::new(RunningStates::new(aggregate, rows)),
    })
}

/// The value that `rule` picks of the rows so far.
pub(super) fn pick(rule: Rule, _data_type: DataType) -> Box<dyn Running> {
    let rows = RunningRows { args: 1, filtered: false, backward: false };
    Box::new(RunningScan { rows, scan: Scan::new(rule) })
}

/// The result of an aggregate without rows, an array of length one.
pub(super) fn of_nothing(aggregate: &BoundAggregate) -> Result<ArrayRef> {
    let types = &aggregate.signature().arg_types;
    let args: Vec<ArrayRef> = types.iter().map(arrow::array::new_empty_array).collect();
    let mut accumulator = aggregate.accumulator()?;
    let rows = GroupedRows { groups: &[], group_count: 1, positions: Positions::From(0) };
    accumulator.update(&rows, &args)?;
    accumulator.finish()
}

/// Numbers that are summed as they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Integer,
    Float,
}

/// The kind of number that a sum of `arg` is made of; none for types that have sums of their own.
pub(super) fn number_of(arg: Option<&DataType>) -> Option<Number> {
    match arg? {
        DataType::Float64 => Some(Number::Float),
        DataType::UInt64 => None,
        arg if arg.is_integer() => Some(Number::Integer),
        _ => None,
    }
}

/// A sum of integers as the result has it.
pub(super) fn narrow(total: i128) -> Result<i64> {
    i64::try_from(total).map_err(|_| {
        Error::invalid_data(format!("the sum {total} does not fit a 64-bit integer"))
            .remedy("sum a wider type: sum(cast(x as decimal(38, 0))) or sum(cast(x as double))")
    })
}

struct RunningCount {
    rows: RunningRows,
    count: i64,
}

impl Running for RunningCount {
    fn push(&mut self, rows: &WindowRows<'_>) -> Result<ArrayRef> {
        let valid = self.rows.valid(rows.inputs);
        let mut counts = Vec::with_capacity(rows.len());
        for (row, starts) in rows.partition_starts.iter().enumerate() {
            if starts {
                self.count = 0;
            }
            self.count += i64::from(valid.as_ref().is_none_or(|valid| valid.is_valid(row)));
            counts.push(self.count);
        }
        Ok(Arc::new(Int64Array::from(counts)))
    }

    fn memory(&self) -> usize {
        0
    }
}

struct RunningScan {
    rows: RunningRows,
    scan: Scan,
}

impl Running for RunningScan {
    fn push(&mut self, rows: &WindowRows<'_>) -> Result<ArrayRef> {
        self.scan.push(&self.rows.masked(rows.inputs)?, rows.partition_starts)
    }

    fn memory(&self) -> usize {
        self.scan.memory()
    }
}

struct RunningIntegers {
    rows: RunningRows,
    total: i128,
    count: i64,
    mean: bool,
}

impl Running for RunningIntegers {
    fn push(&mut self, rows: &WindowRows<'_>) -> Result<ArrayRef> {
        let valid = self.rows.valid(rows.inputs);
        let values = cast(&rows.inputs[0], &DataType::Int64)?;
        let values = values.as_primitive::<Int64Type>().values();
        let mut seen = Vec::with_capacity(rows.len());
        let mut totals = Vec::with_capacity(rows.len());
        for (row, starts) in rows.partition_starts.iter().enumerate() {
            if starts {
                (self.total, self.count) = (0, 0);
            }
            if valid.as_ref().is_none_or(|valid| valid.is_valid(row)) {
                self.total += i128::from(values[row]);
                self.count += 1;
            }
            totals.push((self.total, self.count));
            seen.push(self.count > 0);
        }
        let nulls = nulls_of(seen);
        Ok(match self.mean {
            true => {
                let means = totals.iter().map(|(total, count)| *total as f64 / *count as f64);
                Arc::new(Float64Array::new(means.collect(), nulls))
            }
            false => {
                let sums = totals.into_iter().map(|(total, _)| narrow(total));
                Arc::new(Int64Array::new(sums.collect::<Result<Vec<i64>>>()?.into(), nulls))
            }
        })
    }

    fn memory(&self) -> usize {
        0
    }
}

fn nulls_of(seen: Vec<bool>) -> Option<NullBuffer> {
    let seen = NullBuffer::from(seen);
    (seen.null_count() > 0).then_some(seen)
}

/// Sums and means of floats: in fixed point while that is exact, else by states.
struct RunningFloats {
    aggregate: BoundAggregate,
    rows: RunningRows,
    sum: Fixed,
    count: u64,
    mean: bool,
    /// Where fixed point does not do: the states, and whatever was before them.
    general: Option<RunningStates>,
}

impl RunningFloats {
    fn new(aggregate: &BoundAggregate, rows: RunningRows) -> Self {
        let mean = *aggregate.function() == AggregateFunction::Mean;
        let aggregate = aggregate.clone();
        Self { aggregate, rows, sum: Fixed::default(), count: 0, mean, general: None }
    }

    /// The sums in units of `2^exponent`, in which all of them fit.
    fn fixed(
        &mut self,
        values: &[f64],
        valid: Option<&NullBuffer>,
        starts: &BooleanBuffer,
        exponent: i32,
    ) -> ArrayRef {
        let mut total = self.sum.at(exponent);
        let (mut sums, mut seen) =
            (Vec::with_capacity(values.len()), Vec::with_capacity(values.len()));
        for (row, starts) in starts.iter().enumerate() {
            if starts {
                (total, self.count) = (0, 0);
            }
            if valid.is_none_or(|valid| valid.is_valid(row)) {
                total += fixed::at(values[row], exponent);
                self.count += 1;
            }
            let sum = Fixed { total, exponent }.round();
            sums.push(if self.mean { sum / self.count as f64 } else { sum });
            seen.push(self.count > 0);
        }
        self.sum = Fixed { total, exponent };
        Arc::new(Float64Array::new(sums.into(), nulls_of(seen)))
    }

    /// Goes back to fixed point if the partition that is not over began in this batch and allows it.
    fn resume(&mut self, values: &[f64], valid: Option<&NullBuffer>, starts: &BooleanBuffer) {
        let Some(start) = starts.set_indices().last() else { return };
        let Some(exponent) = Fixed::default().exponent_with(&values[start..]) else { return };
        let total = values[start..].iter().map(|value| fixed::at(*value, exponent)).sum();
        let rows = start..values.len();
        self.count =
            rows.filter(|row| valid.is_none_or(|valid| valid.is_valid(*row))).count() as u64;
        (self.sum, self.general) = (Fixed { total, exponent }, None);
    }

    /// States that go on from the sum and the count so far.
    fn go_general(&self) -> Result<RunningStates> {
        let mut general = RunningStates::new(&self.aggregate, self.rows);
        if self.count > 0 {
            general.seed(&self.sum.floats(), self.count)?;
        }
        Ok(general)
    }
}

impl Running for RunningFloats {
    fn push(&mut self, rows: &WindowRows<'_>) -> Result<ArrayRef> {
        let valid = self.rows.valid(rows.inputs);
        let array = rows.inputs[0].as_primitive::<Float64Type>();
        let values = zero_nulls(array.values(), valid.as_ref());
        if self.general.is_none() {
            if let Some(exponent) = self.sum.exponent_with(&values) {
                return Ok(self.fixed(&values, valid.as_ref(), rows.partition_starts, exponent));
            }
            self.general = Some(self.go_general()?);
        }
        let general = self.general.as_mut().expect("made above");
        let answers = general.push(rows)?;
        self.resume(&values, valid.as_ref(), rows.partition_starts);
        Ok(answers)
    }

    fn memory(&self) -> usize {
        self.general.as_ref().map_or(0, RunningStates::memory)
    }
}

/// Any aggregate, by its states.
pub(super) struct RunningStates {
    aggregate: BoundAggregate,
    rows: RunningRows,
    carried: Option<States>,
    pushed: u64,
}

impl RunningStates {
    fn new(aggregate: &BoundAggregate, rows: RunningRows) -> Self {
        Self { aggregate: aggregate.clone(), rows, carried: None, pushed: 0 }
    }

    /// Begins with `count` values that have the sum of `values`.
    fn seed(&mut self, values: &[f64], count: u64) -> Result<()> {
        let values: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
        let groups = vec![0; values.len()];
        let mut accumulator = self.aggregate.accumulator()?;
        let rows = GroupedRows { groups: &groups, group_count: 1, positions: Positions::From(0) };
        accumulator.update(&rows, &[values])?;
        let mut states = accumulator.state()?;
        if *self.aggregate.function() == AggregateFunction::Mean
            && let Some(counts) = states.last_mut()
        {
            *counts = Arc::new(Int64Array::from(vec![count as i64]));
        }
        self.carried = Some(states);
        Ok(())
    }
}

impl Running for RunningStates {
    fn push(&mut self, rows: &WindowRows<'_>) -> Result<ArrayRef> {
        let positions = self.rows.positions(self.pushed, rows.len());
        self.pushed += rows.len() as u64;
        let (args, mask) = (self.rows.args(rows.inputs), self.rows.mask(rows.inputs));
        let own =
            states::of_rows(&self.aggregate, &AggregateRows { args, mask, positions: &positions })?;
        let mut starts: Vec<bool> = rows.partition_starts.iter().collect();
        let before = usize::from(self.carried.is_some());
        let all = match self.carried.take() {
            Some(carried) => {
                starts.insert(0, true);
                states::chained(&carried, &own)?
            }
            None => own,
        };
        let scanned = states::scanned(&self.aggregate, all, &starts)?;
        let last = starts.len() as u32 - 1;
        self.carried = Some(states::taken(&scanned, &[last])?);
        let own: States = scanned.iter().map(|column| column.slice(before, rows.len())).collect();
        states::results(&self.aggregate, &own)
    }

    fn memory(&self) -> usize {
        let columns = self.carried.iter().flatten();
        columns.map(|column| column.get_array_memory_size()).sum()
    }
}
