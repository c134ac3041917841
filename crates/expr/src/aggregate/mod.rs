//! Aggregate functions: what they are called, what they take, and the state they fold values into.
//!
//! ```text
//!   update(groups, values) --> state --(spill, send)--> merge(groups, states) --> finish
//! ```
//!
//! An [`Accumulator`] holds the states of many groups, column by column; nothing here knows keys, hash
//! tables, tasks or memory limits. Results do not depend on the order of updates and merges: sums of
//! floats are exact until they are rounded once, at the end; first and last carry row positions.
//!
//! `name` knows what users call the functions, `signature` which types they take; `groups` has the
//! loops that fold values into states, and each family of functions is a file.

mod aggregation;
mod arg_extreme;
mod bool;
mod call;
mod count;
mod distinct_sketch;
mod exact_sum;
mod first_last;
mod gather;
mod groups;
mod int_moments;
#[cfg(test)]
mod laws;
mod mean;
mod min_max;
mod min_max_bytes;
mod moments;
mod name;
mod pick;
mod product_sum;
mod quantile_sketch;
mod shape;
mod signature;
mod sum_decimal;
mod sum_int;
#[cfg(test)]
mod tests;
mod top_values;
mod wide;

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field};
use dframe_core::{Error, Result};

pub use aggregation::Aggregation;
pub use call::PreparedCall;
pub use gather::{InOrder, LargeGroup, Passes};

/// The positions of rows in the whole input, for functions that care about order.
#[derive(Clone, Copy, Debug)]
pub enum Positions<'a> {
    /// Row `i` is at `base + i`.
    From(u64),
    /// Row `i` is at `positions[i]`.
    Each(&'a [u64]),
}

/// Which group each row of a batch belongs to.
#[derive(Clone, Copy, Debug)]
pub struct GroupedRows<'a> {
    /// The group of each row; as long as the argument arrays.
    pub groups: &'a [u32],
    /// The number of groups there are so far: every entry of `groups` is below it. States exist for
    /// all of them afterwards, also for groups that no row has touched.
    pub group_count: usize,
    /// Where the rows are in the input.
    pub positions: Positions<'a>,
}

/// The states of one aggregate function for many groups.
pub trait Accumulator: Send {
    /// Folds rows in. `args` have the types of [`AggregateSignature::arg_types`], and are plain arrays.
    fn update(&mut self, rows: &GroupedRows<'_>, args: &[ArrayRef]) -> Result<()>;

    /// Folds states in, as [`Accumulator::state`] made them.
    fn merge(&mut self, rows: &GroupedRows<'_>, states: &[ArrayRef]) -> Result<()>;

    /// The state, a row per group, in the types of [`AggregateSignature::state_fields`]; forgets it all.
    fn state(&mut self) -> Result<Vec<ArrayRef>>;

    /// The results, a row per group; forgets it all.
    fn finish(&mut self) -> Result<ArrayRef>;

    /// The bytes of memory held.
    fn memory(&self) -> usize;
}

/// An aggregate function of the user's own: chunk (`update`), combine (`merge`), finalize (`finish`). Three closures
/// over numbers are an [`Aggregation`].
pub trait UserAggregate: Send + Sync + std::fmt::Debug {
    /// The name, for plans and errors.
    fn name(&self) -> &str;

    /// What it takes, keeps and returns for arguments of these types.
    fn bind(&self, arg_types: &[DataType]) -> Result<AggregateSignature>;

    /// An accumulator without groups, for arguments of the types that `bind` asked for.
    fn accumulator(&self, signature: &AggregateSignature) -> Result<Box<dyn Accumulator>>;
}

/// What a bound aggregate takes, keeps and returns.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateSignature {
    /// The types that arguments are cast to.
    pub arg_types: Vec<DataType>,
    /// The columns of the state.
    pub state_fields: Vec<Field>,
    /// The type of the result.
    pub return_type: DataType,
}

/// The aggregate functions.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AggregateFunction {
    /// `count(*)` without an argument, `count(x)` with one.
    Count,
    /// Sum: Int64 for integers (128 bits inside), Float64 for floats (exact inside), Decimal.
    Sum,
    /// Mean, Float64.
    Mean,
    /// Smallest.
    Min,
    /// Largest; NaN is largest.
    Max,
    /// Sample variance.
    VarSample,
    /// Population variance.
    VarPop,
    /// Sample standard deviation.
    StdSample,
    /// Population standard deviation.
    StdPop,
    /// The value of the first row, which may be NULL.
    First,
    /// The value of the last row, which may be NULL.
    Last,
    /// The value of the first row whose value is not NULL.
    AnyValue,
    /// Whether all are true.
    BoolAnd,
    /// Whether any is true.
    BoolOr,
    /// Pearson's correlation of two columns.
    Corr,
    /// Sample covariance of two columns.
    CovarSample,
    /// Population covariance of two columns.
    CovarPop,
    /// The median: between two values where that has a meaning, else the lower.
    Median,
    /// `quantile_cont(x, p)`: interpolated.
    QuantileCont,
    /// `quantile_disc(x, p)`: one of the values.
    QuantileDisc,
    /// The most frequent value, the smallest of several.
    Mode,
    /// The entropy of the values, in bits.
    Entropy,
    /// The values, NULLs included, in the order of the rows or of the call's ORDER BY.
    List,
    /// `string_agg(x, separator)`: the values as one text.
    StringAgg,
    /// `arg_min(x, y)`: the `x` of the row with the least `y`; with `n`, of the first so many rows.
    ArgMin,
    /// `arg_max(x, y)`: the `x` of the row with the greatest `y`.
    ArgMax,
    /// Skewness, corrected for a sample.
    Skewness,
    /// Excess kurtosis, corrected for a sample.
    Kurtosis,
    /// Excess kurtosis of a population.
    KurtosisPop,
    /// The median of the distances from the median.
    Mad,
    /// The number of different values, with a standard error of 1.6 %.
    ApproxCountDistinct,
    /// `approx_quantile(x, p)`: a quantile, within 0.2 % of it.
    ApproxQuantile,
    /// The user's own.
    User(Arc<dyn UserAggregate>),
}

/// What a call says besides its arguments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallOptions {
    /// Constants, arrays of length one: a quantile's share, a separator.
    pub constants: Vec<ArrayRef>,
    /// The directions of the keys of an ORDER BY within the call; the keys are its last arguments.
    pub order: Vec<SortOptions>,
}

/// An aggregate function with the types it works on.
#[derive(Clone, Debug)]
pub struct BoundAggregate {
    function: AggregateFunction,
    signature: AggregateSignature,
    gather: Option<gather::Gather>,
    constants: Vec<ArrayRef>,
}

impl BoundAggregate {
    /// The function.
    pub fn function(&self) -> &AggregateFunction {
        &self.function
    }

    /// What it takes, keeps and returns.
    pub fn signature(&self) -> &AggregateSignature {
        &self.signature
    }

    /// Whether the state of a group is all its values, so that merging states makes them no smaller.
    pub fn gathers(&self) -> bool {
        self.gather.is_some()
    }

    /// How to finish one group of `rows` values, of a function that gathers, without holding them all.
    pub fn large_group(&self, rows: u64) -> Result<LargeGroup> {
        let gather = self.gather.as_ref();
        let gather = gather.ok_or_else(|| Error::internal("only what gathers has large groups"))?;
        gather.large_group(rows)
    }

    /// As [`BoundAggregate::large_group`], where its passes gave up, or had no memory.
    pub fn sorted_group(&self, rows: u64) -> Result<LargeGroup> {
        let gather = self.gather.as_ref();
        let gather = gather.ok_or_else(|| Error::internal("only what gathers has large groups"))?;
        gather.sorted_group(rows)
    }
}

impl PartialEq for AggregateFunction {
    /// User functions are equal when they are the same object.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::User(left), Self::User(right)) => Arc::ptr_eq(left, right),
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}
