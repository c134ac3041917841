//! Builders of aggregates that need all values of a group: quantiles, the mode, lists, and their order.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};

use crate::aggregate::AggregateFunction;
use crate::build::{aggregate, lit};
use crate::expr::{Expr, Literal};
use crate::sort_key::SortKey;

/// What a quantile is that lies between two values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interpolation {
    /// As far between them as it lies.
    #[default]
    Linear,
    /// The lower.
    Lower,
    /// The higher.
    Higher,
    /// The nearer, the higher if both are as near.
    Nearest,
    /// Halfway between them.
    Midpoint,
}

impl Interpolation {
    /// The name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Lower => "lower",
            Self::Higher => "higher",
            Self::Nearest => "nearest",
            Self::Midpoint => "midpoint",
        }
    }
}

impl Expr {
    /// The median, exact, also of more values than fit in memory.
    pub fn median(self) -> Expr {
        self.aggregate(AggregateFunction::Median)
    }

    /// The value below which the share `p` of all values lies, exact.
    ///
    /// ```
    /// use dframe_expr::{Interpolation, col};
    ///
    /// let p90 = col("delay").quantile(0.9, Interpolation::Linear);
    /// assert_eq!(p90.to_string(), "quantile_cont(delay, 0.9)");
    /// let nearest = col("delay").quantile(0.9, Interpolation::Nearest);
    /// assert_eq!(nearest.to_string(), "quantile_cont(delay, 0.9, 'nearest')");
    /// ```
    pub fn quantile(self, p: f64, interpolation: Interpolation) -> Expr {
        self.quantile_at(lit(p), interpolation)
    }

    /// Several quantiles, as a list.
    pub fn quantiles(
        self,
        shares: impl IntoIterator<Item = f64>,
        interpolation: Interpolation,
    ) -> Expr {
        let shares = Float64Array::from_iter_values(shares);
        let field = Arc::new(Field::new_list_field(DataType::Float64, true));
        let offsets = OffsetBuffer::from_lengths([shares.len()]);
        let list: ArrayRef = Arc::new(ListArray::new(field, offsets, Arc::new(shares), None));
        self.quantile_at(Expr::Literal(Literal(list)), interpolation)
    }

    fn quantile_at(self, p: Expr, interpolation: Interpolation) -> Expr {
        let mut args = vec![self, p];
        if interpolation != Interpolation::Linear {
            args.push(lit(interpolation.name()));
        }
        aggregate(AggregateFunction::QuantileCont, args)
    }

    /// The most frequent value, the smallest of several.
    pub fn mode(self) -> Expr {
        self.aggregate(AggregateFunction::Mode)
    }

    /// The entropy of the values, in bits.
    pub fn entropy(self) -> Expr {
        self.aggregate(AggregateFunction::Entropy)
    }

    /// All values as a list, NULLs included, in the order of the rows unless [`Expr::order_by`] says another.
    pub fn implode(self) -> Expr {
        self.aggregate(AggregateFunction::List)
    }

    /// The values that are not NULL as one text, with `separator` between them.
    pub fn string_agg(self, separator: &str) -> Expr {
        aggregate(AggregateFunction::StringAgg, vec![self, lit(separator)])
    }

    /// This of the row where `by` is least; rows where either is NULL do not count.
    ///
    /// ```
    /// let lowest = dframe_expr::col("ticker").arg_min(dframe_expr::col("price"));
    /// assert_eq!(lowest.to_string(), "arg_min(ticker, price)");
    /// ```
    pub fn arg_min(self, by: impl Into<Expr>) -> Expr {
        aggregate(AggregateFunction::ArgMin, vec![self, by.into()])
    }

    /// This of the row where `by` is greatest; rows where either is NULL do not count.
    pub fn arg_max(self, by: impl Into<Expr>) -> Expr {
        aggregate(AggregateFunction::ArgMax, vec![self, by.into()])
    }

    /// As [`Expr::arg_max`], a list of the `rows` rows where `by` is greatest, the greatest first.
    pub fn top_by(self, by: impl Into<Expr>, rows: u32) -> Expr {
        aggregate(AggregateFunction::ArgMax, vec![self, by.into(), lit(rows)])
    }

    /// As [`Expr::arg_min`], a list of the `rows` rows where `by` is least, the least first.
    pub fn bottom_by(self, by: impl Into<Expr>, rows: u32) -> Expr {
        aggregate(AggregateFunction::ArgMin, vec![self, by.into(), lit(rows)])
    }

    /// The `rows` greatest values as a list, the greatest first.
    pub fn top(self, rows: u32) -> Expr {
        aggregate(AggregateFunction::Max, vec![self, lit(rows)])
    }

    /// The `rows` least values as a list, the least first.
    pub fn bottom(self, rows: u32) -> Expr {
        aggregate(AggregateFunction::Min, vec![self, lit(rows)])
    }

    /// Skewness, corrected for a sample.
    pub fn skewness(self) -> Expr {
        self.aggregate(AggregateFunction::Skewness)
    }

    /// Excess kurtosis, corrected for a sample.
    pub fn kurtosis(self) -> Expr {
        self.aggregate(AggregateFunction::Kurtosis)
    }

    /// The median of the distances from the median.
    pub fn mad(self) -> Expr {
        self.aggregate(AggregateFunction::Mad)
    }

    /// The number of different values that are not NULL, with a standard error of 1.6 %.
    pub fn approx_n_unique(self) -> Expr {
        self.aggregate(AggregateFunction::ApproxCountDistinct)
    }

    /// The value below which the share `p` of all values lies, within 0.2 % of it.
    pub fn approx_quantile(self, p: f64) -> Expr {
        aggregate(AggregateFunction::ApproxQuantile, vec![self, lit(p)])
    }

    /// An aggregate that takes its values in the order of `keys`; nothing changes for other expressions.
    ///
    /// ```
    /// use dframe_expr::{SortKey, col};
    ///
    /// let prices = col("price").implode().order_by([SortKey::descending(col("ts"))]);
    /// assert_eq!(prices.to_string(), "list(price ORDER BY ts DESC)");
    /// ```
    pub fn order_by(self, keys: impl IntoIterator<Item = SortKey>) -> Expr {
        self.map_aggregate(|call| call.order_by = keys.into_iter().collect())
    }
}
