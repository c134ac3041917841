//! Other columns of the same values: renamed, filled, wide to long, lists to rows, frames of different columns.

use arrow::datatypes::{DataType, Field, Schema};
use dframe_core::{Error, Result};
use dframe_expr::{Expr, coalesce, col, null};
use dframe_plan::LogicalPlan;
use dframe_plan::node::UnpivotNames;

use crate::frame::LazyFrame;

impl LazyFrame {
    /// All columns but these.
    pub fn drop(self, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let names: Vec<Expr> = columns.into_iter().map(|name| col(name.into())).collect();
        self.then(|plan| {
            if names.is_empty() {
                return Ok(plan);
            }
            let kept = names_except(&plan, &names_of(&plan, names)?);
            plan.project(kept.iter().map(col).collect())
        })
    }

    /// All columns, some of them under another name: pairs of the old and the new one.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// let renamed = scan_parquet(path)?.rename([("origin", "from"), ("destination", "to")]);
    /// assert!(renamed.schema()?.column_with_name("from").is_some());
    /// # Ok::<(), dframe::Error>(())
    /// ```
    pub fn rename<'a>(self, names: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let names: Vec<(&str, &str)> = names.into_iter().collect();
        self.then(|plan| {
            let schema = plan.schema();
            let mut new = plan.columns();
            for (old, name) in names {
                for old in names_of(&plan, vec![col(old)])? {
                    new[schema.index_of(&old)?] = col(&old).alias(name);
                }
            }
            plan.project(new)
        })
    }

    /// NULL replaced by `value` in every column that can hold it; columns of other types stay as they are.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// let filled = scan_parquet(path)?.fill_null(0);
    /// assert_eq!(filled.filter(col("delay").is_null()).count()?, 0);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    pub fn fill_null(self, value: impl Into<Expr>) -> Self {
        let value = value.into();
        self.then(|plan| {
            let schema = plan.schema();
            let filled = schema.fields().iter().map(|field| {
                let column = col(field.name());
                let new = column.clone().fill_null(value.clone()).alias(field.name());
                let keeps_type = |new: &Field| new.data_type() == field.data_type();
                if new.to_field(&schema).as_ref().is_ok_and(keeps_type) { new } else { column }
            });
            let filled = filled.collect();
            plan.project(filled)
        })
    }

    /// A row for each element of the lists in `columns`. A row whose list is NULL or empty stays, with NULL.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// let letters = scan_parquet(path)?
    ///     .limit(2)
    ///     .select([col("origin").call("string_split", [lit("")]).alias("letters")])
    ///     .explode(["letters"]);
    /// assert_eq!(letters.collect()?.num_rows(), 6);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    pub fn explode(self, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let names: Vec<String> = columns.into_iter().map(Into::into).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.then(|plan| plan.explode(&names))
    }

    /// A row for each element of the lists in `columns`: [`LazyFrame::explode`] under its name in SQL.
    pub fn unnest(self, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.explode(columns)
    }

    /// Wide to long: each row once for each column of `on`, with the columns `index`, the name of the column as
    /// `variable`, and its value as `value`, of a type that all of `on` can be cast to. Without `on`, all columns but
    /// those of `index`.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// let long = scan_parquet(path)?.limit(4).unpivot(["delay", "distance"], ["origin"]);
    /// assert_eq!(long.collect()?.num_rows(), 8);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    pub fn unpivot(
        self,
        on: impl IntoIterator<Item = impl Into<String>>,
        index: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.unpivot_as(on, index, "variable", "value")
    }

    /// As [`LazyFrame::unpivot`], with other names for the columns of names and values.
    pub fn unpivot_as(
        self,
        on: impl IntoIterator<Item = impl Into<String>>,
        index: impl IntoIterator<Item = impl Into<String>>,
        variable: &str,
        value: &str,
    ) -> Self {
        let on: Vec<Expr> = on.into_iter().map(|name| col(name.into())).collect();
        let index: Vec<Expr> = index.into_iter().map(|name| col(name.into())).collect();
        self.then(|plan| {
            let index = names_of(&plan, index)?;
            let on = match on.is_empty() {
                true => names_except(&plan, &index),
                false => names_of(&plan, on)?,
            };
            if let Some(name) = on.iter().find(|name| index.contains(name)) {
                let message = format!("'{name}' would both stay and become rows");
                return Err(Error::invalid_input(message)
                    .column(name)
                    .remedy("name it once, or add a copy of another name to stay"));
            }
            let all: Vec<Expr> = on.iter().map(col).collect();
            let plan = match all.is_empty() {
                true => plan,
                false => {
                    let common = common_type(&plan, &all)?;
                    let same = all.into_iter().zip(&on);
                    let same = same.map(|(column, name)| column.cast(common.clone()).alias(name));
                    let kept = index.iter().map(col);
                    plan.project(kept.chain(same).collect())?
                }
            };
            plan.unpivot(&on, &index, UnpivotNames { variable, value })
        })
    }

    /// Wide to long, under the name that pandas and Dask give it: [`LazyFrame::unpivot`].
    pub fn melt(
        self,
        id_vars: impl IntoIterator<Item = impl Into<String>>,
        value_vars: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.unpivot(value_vars, id_vars)
    }

    /// The rows of this frame, then those of `others`, with the columns of all: matched by name, NULL where a frame has
    /// no such column, and of a type that holds the values of all frames.
    ///
    /// ```
    /// use dframe::prelude::*;
    ///
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/flights.parquet");
    /// let flights = scan_parquet(path)?.limit(2);
    /// let both = flights.clone().select(["origin"]).union_by_name([flights.select(["delay"])]);
    /// assert_eq!(both.collect()?.num_columns(), 2);
    /// # Ok::<(), dframe::Error>(())
    /// ```
    pub fn union_by_name(self, others: impl IntoIterator<Item = LazyFrame>) -> Self {
        let others: Result<Vec<LogicalPlan>> =
            others.into_iter().map(|frame| frame.plan()).collect();
        self.then(|plan| {
            let mut plans = vec![plan];
            plans.extend(others?);
            let all = unified(&plans)?;
            let same = plans.into_iter().map(|plan| {
                let schema = plan.schema();
                let column = |field: &std::sync::Arc<Field>| {
                    let value = match schema.field_with_name(field.name()) {
                        Ok(own) if own.data_type() == field.data_type() => return col(field.name()),
                        Ok(_) => col(field.name()),
                        Err(_) => null(),
                    };
                    value.cast(field.data_type().clone()).alias(field.name())
                };
                let columns = all.fields().iter().map(column).collect();
                plan.project(columns)
            });
            LogicalPlan::union(same.collect::<Result<_>>()?)
        })
    }
}

/// The columns of all plans, in the order in which they come first, with types that hold all values.
fn unified(plans: &[LogicalPlan]) -> Result<Schema> {
    let mut all: Vec<Field> = Vec::new();
    for field in plans.iter().flat_map(|plan| plan.schema().fields().to_vec()) {
        match all.iter_mut().find(|known| known.name() == field.name()) {
            Some(known) if known.data_type() == field.data_type() => {}
            Some(known) => {
                let pair = ["a", "b"].into_iter().zip([&*known, &*field]);
                let pair =
                    pair.map(|(name, field)| Field::new(name, field.data_type().clone(), true));
                let common = coalesce([col("a"), col("b")]);
                let common =
                    common.to_field(&Schema::new(pair.collect::<Vec<_>>())).map_err(|error| {
                        let types =
                            [known.data_type(), field.data_type()].map(dframe_expr::type_name);
                        let [one, other] = types;
                        Error::new(
                            error.kind(),
                            format!(
                                "'{}' is {one} in one frame and {other} in another",
                                field.name()
                            ),
                        )
                        .column(field.name())
                        .remedy("cast or rename it in one of them")
                    })?;
                *known = known.clone().with_data_type(common.data_type().clone());
            }
            None => all.push(field.as_ref().clone().with_nullable(true)),
        }
    }
    Ok(Schema::new(all))
}

/// The names of columns as the schema writes them, which may be in other letters.
pub(crate) fn names_of(plan: &LogicalPlan, columns: Vec<Expr>) -> Result<Vec<String>> {
    if columns.is_empty() {
        return Ok(vec![]);
    }
    let found = plan.clone().project(columns)?.schema();
    Ok(found.fields().iter().map(|field| field.name().clone()).collect())
}

/// The names of the other columns.
pub(crate) fn names_except(plan: &LogicalPlan, gone: &[String]) -> Vec<String> {
    let schema = plan.schema();
    let names = schema.fields().iter().map(|field| field.name().clone());
    names.filter(|name| !gone.contains(name)).collect()
}

/// A type that all of `columns` can be cast to without loss.
fn common_type(plan: &LogicalPlan, columns: &[Expr]) -> Result<DataType> {
    let schema = plan.schema();
    let common = coalesce(columns.to_vec()).to_field(&schema);
    common.map(|field| field.data_type().clone()).map_err(|error| {
        let described = columns.iter().map(|column| {
            let field = column.to_field(&schema)?;
            Ok(format!("'{}' ({})", field.name(), dframe_expr::type_name(field.data_type())))
        });
        match described.collect::<Result<Vec<String>>>() {
            Ok(all) => {
                Error::new(error.kind(), format!("no type holds the values of {}", all.join(", ")))
                    .remedy("cast them to one type first, such as VARCHAR")
            }
            Err(error) => error,
        }
    })
}
