//! Functions that need all values of a group at once: quantiles, the mode, entropy, lists, joined texts.
//!
//! ```text
//!   update(rows) --> Store --state--> lists of values --merge--> Store --finish--> results
//!                                          |  one group's values do not fit
//!                                          +--> LargeGroup: shown batch by batch
//! ```
//!
//! The state of a group is its values, so partial aggregation makes it no smaller; whoever runs these
//! functions had better not count on that. [`LargeGroup`] finishes a group in little memory if its values
//! can be read several times (quantiles) or sorted (the others). Who keeps and sorts them is not known here.

mod deviation;
mod frequency;
mod list;
mod quantile;
mod select;
mod store;
mod values;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array, UInt64Array};
use arrow::buffer::NullBuffer;
use arrow::compute::{SortOptions, filter};
use arrow::datatypes::{DataType, Field, UInt32Type};
use dframe_core::Result;

use self::deviation::Deviations;
use self::frequency::Frequency;
use self::list::Ordered;
pub(super) use self::list::wanted_rows;
use self::quantile::Quantiles;
pub(super) use self::store::list_offsets;
use self::store::{Lists, Store};
pub(super) use self::values::extend_bytes;
use super::groups::Groups;
use super::{
    Accumulator, AggregateFunction, AggregateSignature, CallOptions, GroupedRows, Positions,
};
use crate::words::{Repr, repr};

/// A function that gathers, for arguments of certain types.
#[derive(Clone, Debug)]
pub(super) struct Gather {
    measure: Measure,
    /// The columns that are gathered.
    columns: Vec<DataType>,
}

/// What is made of the values.
#[derive(Clone, Debug)]
enum Measure {
    Quantiles(Quantiles),
    Frequency(Frequency),
    Deviations(Deviations),
    Ordered(Ordered),
}

/// How one group is finished whose values do not fit in memory.
pub enum LargeGroup {
    /// Its values are shown in any order, as often as is asked for.
    Passes(Box<dyn Passes>),
    /// Its values are shown once, in order.
    Sorted {
        /// The columns of the state that they are sorted by, and their directions. Floats have one zero
        /// and one NaN, which is the greatest.
        keys: Vec<(usize, SortOptions)>,
        /// Takes them.
        values: Box<dyn InOrder>,
    },
}

/// Takes the values of one group in any order, several times.
pub trait Passes: Send {
    /// Takes some values.
    fn push(&mut self, columns: &[ArrayRef]) -> Result<()>;

    /// Whether this is not the way: what is left is [`BoundAggregate::sorted_group`].
    ///
    /// [`BoundAggregate::sorted_group`]: super::BoundAggregate::sorted_group
    fn gave_up(&self) -> bool {
        false
    }

    /// All values were shown: whether they must be shown once more.
    fn again(&mut self) -> Result<bool>;

    /// The bytes of memory that the pass may need.
    fn memory(&self) -> usize;

    /// The result, one row.
    fn finish(self: Box<Self>) -> Result<ArrayRef>;
}

/// Takes the values of one group in order.
pub trait InOrder: Send {
    /// Takes the next values.
    fn push(&mut self, columns: &[ArrayRef]) -> Result<()>;

    /// The bytes of memory held, or about to be.
    fn memory(&self) -> usize;

    /// The result, one row.
    fn finish(self: Box<Self>) -> Result<ArrayRef>;
}

impl Gather {
    /// The signature of `function` for arguments of these types, if it gathers and takes them.
    pub(super) fn bind(
        function: &AggregateFunction,
        args: &[&DataType],
        options: &CallOptions,
    ) -> Result<Option<(AggregateSignature, Self)>> {
        let Some(first) = args.first() else { return Ok(None) };
        let arg = match first {
            DataType::Null => DataType::Int32,
            DataType::Float16 => DataType::Float32,
            other => (*other).clone(),
        };
        let ranked = repr(&arg).is_some();
        let values = |measure, return_type| {
            let columns = vec![arg.clone()];
            Some(signature(columns.clone(), return_type, Gather { measure, columns }))
        };
        Ok(match function {
            AggregateFunction::Median if ranked => {
                let (quantiles, return_type) = Quantiles::median(&arg);
                values(Measure::Quantiles(quantiles), return_type)
            }
            AggregateFunction::QuantileCont if ranked => {
                Quantiles::continuous(&arg, &options.constants)?
                    .and_then(|(all, return_type)| values(Measure::Quantiles(all), return_type))
            }
            AggregateFunction::QuantileDisc if ranked => {
                let (all, return_type) = Quantiles::discrete(&arg, &options.constants)?;
                values(Measure::Quantiles(all), return_type)
            }
            AggregateFunction::Mode if ranked => {
                values(Measure::Frequency(Frequency::Mode), arg.clone())
            }
            AggregateFunction::Mad => Deviations::of(&arg).and_then(|deviations| {
                let return_type = deviations.return_type();
                values(Measure::Deviations(deviations), return_type)
            }),
            AggregateFunction::Entropy if ranked => {
                values(Measure::Frequency(Frequency::Entropy), DataType::Float64)
            }
            _ => Ordered::of(function, args, options)?
                .map(|ordered| ordered_signature(arg, &args[1..], ordered)),
        })
    }

    /// Whether positions of rows are gathered too.
    pub(super) fn needs_positions(&self) -> bool {
        matches!(self.measure, Measure::Ordered(_))
    }

    /// An accumulator without groups.
    pub(super) fn accumulator(&self) -> Box<dyn Accumulator> {
        let store = Store::new(self.columns.clone());
        Box::new(Gathering { gather: self.clone(), store })
    }

    /// Finishes one group of `rows` values without holding them all.
    pub(super) fn large_group(&self, rows: u64) -> Result<LargeGroup> {
        let arg = &self.columns[0];
        Ok(match &self.measure {
            Measure::Ordered(ordered) => {
                LargeGroup::Sorted { keys: ordered.keys(), values: ordered.in_order(rows, arg) }
            }
            Measure::Quantiles(all) => match repr(arg) {
                Some(Repr::Narrow) => LargeGroup::Passes(select::passes::<u64>(all, rows, arg)),
                Some(Repr::Wide) => LargeGroup::Passes(select::passes::<u128>(all, rows, arg)),
                _ => LargeGroup::Sorted { keys: by_value(), values: all.in_order(rows, arg) },
            },
            Measure::Deviations(deviations) => LargeGroup::Passes(deviations.passes(rows)),
            Measure::Frequency(frequency) => match frequency.counting(rows, arg) {
                Some(counting) => LargeGroup::Passes(counting),
                None => self.sorted_group(rows)?,
            },
        })
    }

    /// As [`Gather::large_group`], where that gave up.
    pub(super) fn sorted_group(&self, rows: u64) -> Result<LargeGroup> {
        let Measure::Frequency(frequency) = &self.measure else { return self.large_group(rows) };
        let values = frequency.in_order(rows, &self.columns[0]);
        Ok(LargeGroup::Sorted { keys: by_value(), values })
    }

    fn finish(&self, lists: &Lists) -> Result<ArrayRef> {
        match &self.measure {
            Measure::Quantiles(quantiles) => quantiles.finish(lists, &self.columns[0]),
            Measure::Frequency(frequency) => frequency.finish(lists, &self.columns[0]),
            Measure::Deviations(deviations) => deviations.finish(lists),
            Measure::Ordered(ordered) => ordered.finish(lists),
        }
    }
}

fn by_value() -> Vec<(usize, SortOptions)> {
    vec![(0, SortOptions { descending: false, nulls_first: false })]
}

/// The arguments are the value and what it is ordered by; positions are gathered behind them.
fn ordered_signature(
    value: DataType,
    keys: &[&DataType],
    ordered: Ordered,
) -> (AggregateSignature, Gather) {
    let value = ordered.value_type(value);
    let mut columns = vec![value.clone()];
    columns.extend(keys.iter().map(|key| match key {
        DataType::Null => DataType::Int32,
        key => (*key).clone(),
    }));
    let args = columns.clone();
    columns.push(DataType::UInt64);
    let return_type = ordered.return_type(value);
    let measure = Measure::Ordered(ordered);
    signature(args, return_type, Gather { measure, columns })
}

fn signature(
    arg_types: Vec<DataType>,
    return_type: DataType,
    gather: Gather,
) -> (AggregateSignature, Gather) {
    let field = |(number, data_type): (usize, &DataType)| {
        let items = Arc::new(Field::new_list_field(data_type.clone(), true));
        Field::new(format!("values{number}"), DataType::List(items), false)
    };
    let state_fields = gather.columns.iter().enumerate().map(field).collect();
    (AggregateSignature { arg_types, state_fields, return_type }, gather)
}

/// Where only the first rows count, so many times too many are kept for a while.
const SHORTEN: usize = 4;
/// So many rows are kept anyway.
const SLACK: usize = 64 * 1024;

/// The values of all groups.
struct Gathering {
    gather: Gather,
    store: Store,
}

impl Gathering {
    /// Which rows count: lists keep NULLs, most else skips them.
    fn mask(&self, args: &[ArrayRef]) -> Option<BooleanArray> {
        let needed = match &self.gather.measure {
            Measure::Ordered(ordered) => ordered.values_needed,
            _ => 1,
        };
        let nulls = args[..needed.min(args.len())].iter().map(|arg| arg.logical_nulls());
        let nulls = nulls.fold(None, |all, own| NullBuffer::union(all.as_ref(), own.as_ref()));
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0)?;
        Some(BooleanArray::new(nulls.into_inner(), None))
    }

    /// Drops what cannot be among the first rows of its group, once that makes a difference.
    fn shorten(&mut self, slack: usize) -> Result<()> {
        let Measure::Ordered(ordered) = &self.gather.measure else { return Ok(()) };
        let Some(limit) = ordered.limit else { return Ok(()) };
        if self.store.rows() <= slack.max(SHORTEN * limit.saturating_mul(self.store.groups())) {
            return Ok(());
        }
        let lists = ordered.shortened(&self.store.take()?)?;
        self.store.put(lists)
    }
}

impl Accumulator for Gathering {
    fn update(&mut self, rows: &GroupedRows<'_>, args: &[ArrayRef]) -> Result<()> {
        let groups = Groups::new(rows, args[0].len())?;
        self.store.grow(groups.count());
        let mut columns = args.to_vec();
        if self.gather.needs_positions() {
            columns.push(Arc::new(positions(rows.positions, args[0].len())));
        }
        match self.mask(args) {
            None => self.store.push_rows(groups.ids().to_vec(), &columns)?,
            Some(mask) => {
                let ids: ArrayRef = Arc::new(UInt32Array::from(groups.ids().to_vec()));
                let ids = filter(&ids, &mask)?.as_primitive::<UInt32Type>().values().to_vec();
                let kept = columns.iter().map(|column| Ok(filter(column, &mask)?));
                self.store.push_rows(ids, &kept.collect::<Result<Vec<_>>>()?)?;
            }
        }
        self.shorten(SLACK)
    }

    fn merge(&mut self, rows: &GroupedRows<'_>, states: &[ArrayRef]) -> Result<()> {
        let groups = Groups::new(rows, states[0].len())?;
        self.store.grow(groups.count());
        self.store.push_lists(groups.ids(), states)?;
        self.shorten(SLACK)
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        self.shorten(0)?;
        self.store.take()?.arrays()
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let lists = self.store.take()?;
        self.gather.finish(&lists)
    }

    fn memory(&self) -> usize {
        self.store.memory()
    }
}

fn positions(positions: Positions<'_>, rows: usize) -> UInt64Array {
    match positions {
        Positions::From(base) => UInt64Array::from_iter_values((base..).take(rows)),
        Positions::Each(each) => UInt64Array::from(each.to_vec()),
    }
}
