//! Calls against a schema: which arguments are evaluated on rows, and which are constants of the call.
//!
//! ```text
//!   quantile_cont(x, 0.9)            --> rows: x               constants: 0.9
//!   string_agg(x, ',' ORDER BY y)    --> rows: x as text, y    constants: ','    order: ascending
//! ```

use arrow::array::{Array, ArrayRef};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Schema};
use dframe_core::{Error, Result};

use super::{AggregateFunction, BoundAggregate, CallOptions};
use crate::bind::bind;
use crate::expr::{AggregateCall, Expr, Span};
use crate::sort_key::SortKey;
use crate::value::plain_type;

/// A call, bound.
#[derive(Clone, Debug)]
pub struct PreparedCall {
    /// The function for the types of its arguments.
    pub aggregate: BoundAggregate,
    /// What is evaluated on rows, of the types that the function works on.
    pub args: Vec<Expr>,
}

impl AggregateFunction {
    /// Whether the result is the same for any order of the rows. New functions are sensitive until they are
    /// listed; of the user's own nobody knows.
    pub fn ignores_order(&self) -> bool {
        matches!(
            self,
            Self::Count
                | Self::Sum
                | Self::Mean
                | Self::Min
                | Self::Max
                | Self::VarSample
                | Self::VarPop
                | Self::StdSample
                | Self::StdPop
                | Self::BoolAnd
                | Self::BoolOr
                | Self::Corr
                | Self::CovarSample
                | Self::CovarPop
                | Self::Median
                | Self::QuantileCont
                | Self::QuantileDisc
                | Self::Mode
                | Self::Entropy
                | Self::Mad
                | Self::Skewness
                | Self::Kurtosis
                | Self::KurtosisPop
                | Self::ApproxCountDistinct
                | Self::ApproxQuantile
        )
    }

    /// The arguments that are evaluated on rows; those after them are constants.
    fn row_args(&self) -> usize {
        match self {
            Self::QuantileCont | Self::QuantileDisc | Self::StringAgg | Self::Min | Self::Max => 1,
            Self::ApproxQuantile => 1,
            Self::ArgMin | Self::ArgMax => 2,
            _ => usize::MAX,
        }
    }

    /// Whether the result has all the values.
    fn is_long(&self) -> bool {
        matches!(self, Self::List | Self::StringAgg)
    }

    /// Whether an ORDER BY within the call makes a difference.
    fn has_order(&self) -> bool {
        matches!(self, Self::List | Self::StringAgg | Self::First | Self::Last | Self::AnyValue)
    }
}

impl AggregateCall {
    /// A call over all rows.
    pub fn new(function: AggregateFunction, args: Vec<Expr>) -> Self {
        let (distinct, order_by, filter) = (false, Vec::new(), None);
        Self { function, args, distinct, order_by, filter, span: Span::NONE }
    }

    /// The arguments that are evaluated on rows.
    pub fn row_args(&self) -> &[Expr] {
        &self.args[..self.args.len().min(self.function.row_args())]
    }

    /// The order that makes a difference. Different values are in their own order unless told.
    pub fn order(&self) -> Vec<SortKey> {
        match (self.function.has_order(), self.row_args()) {
            (true, [value])
                if self.distinct && self.order_by.is_empty() && self.function.is_long() =>
            {
                vec![SortKey::ascending(value.clone())]
            }
            (true, _) => self.order_by.clone(),
            (false, _) => Vec::new(),
        }
    }

    /// Binds the call to the columns of `schema`.
    ///
    /// # Errors
    /// Unknown columns, types that the function does not take, constants that are none.
    pub fn prepare(&self, schema: &Schema) -> Result<PreparedCall> {
        self.prepared(schema).map_err(|error| match self.span.range() {
            Some(range) => error.span(range),
            None => error,
        })
    }

    fn prepared(&self, schema: &Schema) -> Result<PreparedCall> {
        let order = self.order();
        let rows = self.row_args();
        self.check_constants(self.args.len() - rows.len())?;
        let constants = self.args[rows.len()..].iter().map(|arg| self.constant(arg, schema));
        let options = CallOptions {
            constants: constants.collect::<Result<_>>()?,
            order: order.iter().map(direction).collect(),
        };
        let args: Vec<Expr> =
            rows.iter().cloned().chain(order.into_iter().map(|key| key.expr)).collect();
        let type_of = |arg: &Expr| Ok(plain_type(bind(arg, schema)?.data_type()).clone());
        let types = args.iter().map(type_of).collect::<Result<Vec<DataType>>>()?;
        let aggregate = self.function.bind_with(&types, &options)?;
        let wanted = &aggregate.signature().arg_types;
        let args = args.into_iter().zip(types.iter().zip(wanted));
        let args = args.map(|(arg, (is, wanted))| match is == wanted {
            true => arg,
            false => arg.cast(wanted.clone()),
        });
        Ok(PreparedCall { args: args.collect(), aggregate })
    }

    fn check_constants(&self, given: usize) -> Result<()> {
        let most = match self.function {
            AggregateFunction::QuantileCont => 2,
            _ => 1,
        };
        if given <= most {
            return Ok(());
        }
        let error =
            Error::invalid_input(format!("{} has too many arguments", self.function.name()));
        Err(error.remedy(format!("usage: {}", usage(&self.function))))
    }

    /// The value of a constant argument.
    fn constant(&self, arg: &Expr, schema: &Schema) -> Result<ArrayRef> {
        let bound = bind(arg, schema)?;
        bound.as_literal().filter(|value| value.len() == 1).cloned().ok_or_else(|| {
            let name = self.function.name();
            let error = Error::invalid_input(format!("{name}: {arg} is not a constant"));
            error.remedy(format!("usage: {}", usage(&self.function)))
        })
    }
}

fn direction(key: &SortKey) -> SortOptions {
    SortOptions { descending: key.descending, nulls_first: key.nulls_first }
}

fn usage(function: &AggregateFunction) -> &'static str {
    match function {
        AggregateFunction::QuantileCont => "quantile(x, 0.9) or quantile(x, 0.9, 'nearest')",
        AggregateFunction::QuantileDisc => "quantile_disc(x, 0.9)",
        AggregateFunction::ApproxQuantile => "approx_quantile(x, 0.9)",
        AggregateFunction::ArgMin => "arg_min(x, y) or arg_min(x, y, 3)",
        AggregateFunction::ArgMax => "arg_max(x, y) or arg_max(x, y, 3)",
        AggregateFunction::Min => "min(x) or min(x, 3)",
        AggregateFunction::Max => "max(x) or max(x, 3)",
        _ => "string_agg(x, ', ')",
    }
}
