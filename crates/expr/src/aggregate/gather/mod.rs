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

mod frequency;
mod list;
mod quantile;
mod select;
mod store;
mod values;
mod words;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array, UInt64Array};
use arrow::compute::{SortOptions, filter};
use arrow::datatypes::{DataType, Field, UInt32Type};
use dframe_core::Result;

use self::frequency::Frequency;
use self::list::{Ordered, Shape};
use self::quantile::Quantiles;
use self::store::{Lists, Store};
use self::words::{Repr, repr};
use super::groups::Groups;
use super::{
    Accumulator, AggregateFunction, AggregateSignature, CallOptions, GroupedRows, Positions,
};

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
            AggregateFunction::Entropy if ranked => {
                values(Measure::Frequency(Frequency::Entropy), DataType::Float64)
            }
            AggregateFunction::List => ordered(arg, &args[1..], Shape::List, options),
            AggregateFunction::StringAgg => {
                let shape = Shape::text(&options.constants)?;
                ordered(DataType::Utf8, &args[1..], shape, options)
            }
            _ => None,
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
        let by_value = || vec![(0, SortOptions { descending: false, nulls_first: false })];
        Ok(match &self.measure {
            Measure::Ordered(ordered) => {
                LargeGroup::Sorted { keys: ordered.keys(), values: ordered.in_order(rows, arg) }
            }
            Measure::Quantiles(all) => match repr(arg) {
                Some(Repr::Narrow) => LargeGroup::Passes(select::passes::<u64>(all, rows, arg)),
                Some(Repr::Wide) => LargeGroup::Passes(select::passes::<u128>(all, rows, arg)),
                _ => LargeGroup::Sorted { keys: by_value(), values: all.in_order(rows, arg) },
            },
            Measure::Frequency(frequency) => {
                LargeGroup::Sorted { keys: by_value(), values: frequency.in_order(rows, arg) }
            }
        })
    }

    fn finish(&self, lists: &Lists) -> Result<ArrayRef> {
        match &self.measure {
            Measure::Quantiles(quantiles) => quantiles.finish(lists, &self.columns[0]),
            Measure::Frequency(frequency) => frequency.finish(lists, &self.columns[0]),
            Measure::Ordered(ordered) => ordered.finish(lists),
        }
    }
}

/// The arguments are the value and what it is ordered by; positions are gathered behind them.
fn ordered(
    value: DataType,
    keys: &[&DataType],
    shape: Shape,
    options: &CallOptions,
) -> Option<(AggregateSignature, Gather)> {
    let mut columns = vec![value.clone()];
    columns.extend(keys.iter().map(|key| (*key).clone()));
    let args = columns.clone();
    columns.push(DataType::UInt64);
    let return_type = match shape {
        Shape::List => DataType::List(Arc::new(Field::new_list_field(value, true))),
        Shape::Text { .. } => DataType::Utf8,
    };
    let measure = Measure::Ordered(Ordered { shape, order: options.order.clone() });
    Some(signature(args, return_type, Gather { measure, columns }))
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

/// The values of all groups.
struct Gathering {
    gather: Gather,
    store: Store,
}

impl Gathering {
    /// Which rows count: lists keep NULLs, all else skips them.
    fn mask(&self, value: &ArrayRef) -> Option<BooleanArray> {
        let keeps = matches!(&self.gather.measure, Measure::Ordered(o) if o.shape == Shape::List);
        let nulls = value.logical_nulls().filter(|nulls| !keeps && nulls.null_count() > 0)?;
        Some(BooleanArray::new(nulls.into_inner(), None))
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
        match self.mask(&args[0]) {
            None => self.store.push_rows(groups.ids().to_vec(), &columns)?,
            Some(mask) => {
                let ids: ArrayRef = Arc::new(UInt32Array::from(groups.ids().to_vec()));
                let ids = filter(&ids, &mask)?.as_primitive::<UInt32Type>().values().to_vec();
                let kept = columns.iter().map(|column| Ok(filter(column, &mask)?));
                self.store.push_rows(ids, &kept.collect::<Result<Vec<_>>>()?)?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, rows: &GroupedRows<'_>, states: &[ArrayRef]) -> Result<()> {
        let groups = Groups::new(rows, states[0].len())?;
        self.store.grow(groups.count());
        self.store.push_lists(groups.ids(), states)
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
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
