//! `col("x").list()`: functions of lists, under the names that Polars gives them.

use crate::build::{call, lit};
use crate::expr::Expr;

/// Functions of lists. Positions count from 0, or from the end if negative.
///
/// ```
/// use dframe_expr::col;
///
/// let first = col("tags").str().split(",").list().get(0);
/// assert_eq!(first.to_string(), "list_extract(string_split(tags, ','), 1)");
/// ```
#[derive(Clone, Debug)]
pub struct List(Expr);

impl Expr {
    /// Functions of lists.
    pub fn list(self) -> List {
        List(self)
    }
}

/// A position from 0 as one from 1; from the end it is the same.
fn from_one(index: i64) -> Expr {
    lit(if index < 0 { index } else { index.saturating_add(1) })
}

impl List {
    /// The number of items.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(self) -> Expr {
        self.0.call("array_length", [])
    }

    /// The item at `index`; NULL if there is none.
    pub fn get(self, index: i64) -> Expr {
        self.0.call("list_extract", [from_one(index)])
    }

    /// The first item.
    pub fn first(self) -> Expr {
        self.0.call("list_first", [])
    }

    /// The last item.
    pub fn last(self) -> Expr {
        self.0.call("list_last", [])
    }

    /// `length` items from `offset`.
    pub fn slice(self, offset: i64, length: i64) -> Expr {
        let last = offset.saturating_add(length.max(0));
        // Behind the start is before the end: -2 and two more are all of the rest.
        let last = if offset < 0 && last >= 0 {
            -1
        } else if offset < 0 {
            last - 1
        } else {
            last
        };
        self.0.call("list_slice", [from_one(offset), lit(last)])
    }

    /// The first `count` items.
    pub fn head(self, count: u32) -> Expr {
        self.slice(0, count.into())
    }

    /// The last `count` items.
    pub fn tail(self, count: u32) -> Expr {
        self.slice(-i64::from(count), count.into())
    }

    /// Whether `value` is among the items.
    pub fn contains(self, value: impl Into<Expr>) -> Expr {
        self.0.call("list_contains", [value.into()])
    }

    /// Where `value` is, from 1; NULL if it is not there.
    pub fn position(self, value: impl Into<Expr>) -> Expr {
        self.0.call("list_position", [value.into()])
    }

    /// The smallest item.
    pub fn min(self) -> Expr {
        self.0.call("list_min", [])
    }

    /// The largest item.
    pub fn max(self) -> Expr {
        self.0.call("list_max", [])
    }

    /// The sum of the items.
    pub fn sum(self) -> Expr {
        self.0.call("list_sum", [])
    }

    /// The mean of the items.
    pub fn mean(self) -> Expr {
        self.0.call("list_mean", [])
    }

    /// The sample standard deviation of the items.
    pub fn std(self) -> Expr {
        self.0.call("list_std", [])
    }

    /// The sample variance of the items.
    pub fn var(self) -> Expr {
        self.0.call("list_var", [])
    }

    /// The number of items that are not NULL.
    pub fn count(self) -> Expr {
        self.0.call("list_count", [])
    }

    /// The number of different items that are not NULL.
    pub fn n_unique(self) -> Expr {
        self.0.call("list_unique", [])
    }

    /// Each item once, where it is first, without NULL.
    pub fn unique(self) -> Expr {
        self.0.call("list_distinct", [])
    }

    /// The smallest first, NULLs last.
    pub fn sort(self) -> Expr {
        self.0.call("list_sort", [])
    }

    /// The largest first, NULLs last.
    pub fn sort_descending(self) -> Expr {
        self.0.call("list_reverse_sort", [])
    }

    /// From the last item to the first.
    pub fn reverse(self) -> Expr {
        self.0.call("list_reverse", [])
    }

    /// Followed by the items of `other`.
    pub fn concat(self, other: impl Into<Expr>) -> Expr {
        self.0.call("list_concat", [other.into()])
    }

    /// Followed by `value`.
    pub fn append(self, value: impl Into<Expr>) -> Expr {
        self.0.call("list_append", [value.into()])
    }

    /// After `value`.
    pub fn prepend(self, value: impl Into<Expr>) -> Expr {
        call("list_prepend", [value.into(), self.0])
    }

    /// The items as one text.
    pub fn join(self, separator: impl Into<Expr>) -> Expr {
        self.0.call("array_to_string", [separator.into()])
    }

    /// The aggregate called `name`, such as `std_pop`.
    pub fn aggregate(self, name: &str) -> Expr {
        self.0.call("list_aggregate", [lit(name)])
    }
}
