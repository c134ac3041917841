//! Choosing, numbering and counting rows: steps made of those that a plan knows.

use dframe_core::Error;
use dframe_expr::{Expr, col, count_all, lit};
use dframe_plan::node::Numbers;

use crate::columns::{IntoColumn, asc, columns, desc};
use crate::frame::LazyFrame;
use crate::reshape::{names_except, names_of};

/// Columns of numbers that are gone before the result; no column of a user is called so.
const PLACE: &str = "__place";
const RANDOM: &str = "__random";

impl LazyFrame {
    /// Of the rows whose `columns` are equal, the first in the input; NULL is equal to NULL, and NaN to NaN.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// let one_of_each = scan_parquet(path)?.distinct_on(["origin", "destination"]);
    /// let pairs = scan_parquet(path)?.select(["origin", "destination"]).distinct();
    /// assert_eq!(one_of_each.count()?, pairs.count()?);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    pub fn distinct_on(self, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let names: Vec<String> = columns.into_iter().map(Into::into).collect();
        self.then(|plan| {
            if names.is_empty() {
                return Err(Error::invalid_input("no columns are named to be distinct on")
                    .remedy("name at least one, or ask for different rows"));
            }
            let (keys, all) = (names_of(&plan, names.iter().map(col).collect())?, plan.columns());
            let rest = names_except(&plan, &keys).into_iter();
            let firsts = rest.map(|name| col(&name).first().alias(name)).collect();
            plan.aggregate(keys.iter().map(col).collect(), firsts, None)?.project(all)
        })
    }

    /// The rows with a first column `name` that counts them, from `first` on, in the order of the input.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// let numbered = scan_parquet(path)?.with_row_index("row", 1);
    /// let tenth = numbered.filter(col("row").eq(10)).collect()?;
    /// assert_eq!(tenth.num_rows(), 1);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    pub fn with_row_index(self, name: &str, first: u64) -> Self {
        self.then(|plan| plan.row_numbers(name, Numbers::Places(first)))
    }

    /// Each row with the probability `fraction`, in the order of the input. The same seed gives the same rows, whatever
    /// the number of threads and the memory limit.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// let flights = scan_parquet(path)?;
    /// let tenth = flights.clone().sample_fraction(0.1, 42);
    /// assert!(tenth.count()?.abs_diff(flights.count()? / 10) < 2_000);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    pub fn sample_fraction(self, fraction: f64, seed: u64) -> Self {
        self.then(|plan| {
            if !(0.0..=1.0).contains(&fraction) {
                return Err(Error::invalid_input(format!("{fraction} is no fraction of the rows"))
                    .remedy("give a number from 0 to 1"));
            }
            let names = plan.columns();
            let numbered = plan.row_numbers(RANDOM, Numbers::Random(seed))?;
            numbered.filter(col(RANDOM).lt(lit(fraction)))?.project(names)
        })
    }

    /// `rows` rows, any with the same probability, in the order of the input; all if there are fewer. The same seed
    /// gives the same rows, whatever the number of threads and the memory limit.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// let flights = scan_parquet(path)?;
    /// assert_eq!(flights.sample_n(100, 42).collect()?.num_rows(), 100);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    pub fn sample_n(self, rows: u64, seed: u64) -> Self {
        self.then(|plan| {
            let names = plan.columns();
            plan.row_numbers(PLACE, Numbers::Places(0))?
                .row_numbers(RANDOM, Numbers::Random(seed))?
                .sort(vec![asc(RANDOM), asc(PLACE)])?
                .limit(0, Some(rows))
                .sort(vec![asc(PLACE)])?
                .project(names)
        })
    }

    /// The number of rows for each combination of values of `columns`, as the column `count`, the most frequent first.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// let busiest = scan_parquet(path)?.value_counts(["origin"]).limit(3).collect()?;
    /// assert_eq!(busiest.num_rows(), 3);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    pub fn value_counts(self, columns_counted: impl IntoIterator<Item = impl IntoColumn>) -> Self {
        let keys = columns(columns_counted);
        self.then(|plan| {
            let counts = plan.aggregate(keys.clone(), vec![count_all().alias("count")], None)?;
            let schema = counts.schema();
            let names = schema.fields().iter().take(keys.len()).map(|field| asc(field.name()));
            let order = [desc("count")].into_iter().chain(names).collect();
            counts.sort(order)
        })
    }

    /// Without the rows that have a NULL in any column.
    pub fn drop_nulls(self) -> Self {
        self.then(|plan| {
            let conditions = plan.columns().into_iter().map(Expr::is_not_null);
            match conditions.reduce(Expr::and) {
                Some(condition) => plan.filter(condition),
                None => Ok(plan),
            }
        })
    }
}
