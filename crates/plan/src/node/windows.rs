//! Windows of time: each row once for every window that its instant is in, with the window's start and end.
//!
//! ```text
//!   ts     price            ts     price  start              every 1m, period 2m
//!   09:30  5.0     ---->    09:30  5.0    09:29
//!   09:31  5.1              09:30  5.0    09:30
//!                           09:31  5.1    09:30
//!                           09:31  5.1    09:31
//! ```
//!
//! Rows whose instant is NULL, or in a gap between windows, go. What is done with the windows, such as a
//! group-by over them, is not known here.

use std::sync::Arc;

use arrow::array::IntervalMonthDayNanoArray;
use arrow::datatypes::{Field, Schema, SchemaRef};
use dframe_core::{Error, Result};
use dframe_expr::{Expr, Literal, TimeWindows, bind};

use super::{MapExpr, Names, Node, Operator, PruneInput, Pushed};
use crate::build::resolve::scalar;
use crate::logical::LogicalPlan;

/// Each row in each of its windows.
#[derive(Clone, Debug)]
pub struct Windows {
    /// The rows.
    pub input: Arc<LogicalPlan>,
    /// The instant of a row.
    pub instant: Expr,
    /// The windows.
    pub windows: TimeWindows,
    /// The name of the column of starts.
    pub start: String,
    /// The name of the column of ends, if it is wanted.
    pub end: Option<String>,
    schema: SchemaRef,
}

impl LogicalPlan {
    /// The rows once for each window that `instant` is in, with its start, and its end where it has a name.
    ///
    /// # Errors
    /// Unknown columns, an instant that is no date or timestamp, windows that make no sense, and names that
    /// columns have already.
    pub fn windows(
        self,
        instant: Expr,
        windows: TimeWindows,
        start: &str,
        end: Option<&str>,
    ) -> Result<Self> {
        let input = self.schema();
        let instant = scalar(instant, &input, "as the instant of windows")?;
        let data_type = windows.bind(bind(&instant, &input)?.data_type())?.data_type().clone();
        let mut fields = input.fields().to_vec();
        for name in [start].into_iter().chain(end) {
            if input.column_with_name(name).is_some() {
                return Err(Error::invalid_input(format!("there is a column '{name}' already"))
                    .remedy("rename it before making windows"));
            }
            fields.push(Arc::new(Field::new(name, data_type.clone(), true)));
        }
        Ok(LogicalPlan::Operator(Operator::Windows(Windows {
            input: Arc::new(self),
            instant,
            windows,
            start: start.to_string(),
            end: end.map(str::to_string),
            schema: Arc::new(Schema::new(fields)),
        })))
    }
}

impl Windows {
    fn over(&self, input: Arc<LogicalPlan>, instant: Expr) -> Result<LogicalPlan> {
        let input = Arc::unwrap_or_clone(input);
        input.windows(instant, self.windows, &self.start, self.end.as_deref())
    }

    fn is_made_here(&self, name: &str) -> bool {
        self.start == name || self.end.as_deref() == Some(name)
    }
}

impl Node for Windows {
    fn name(&self) -> &'static str {
        "Windows"
    }

    fn details(&self) -> String {
        let TimeWindows { every, period, offset, closed } = self.windows;
        let [every, period, offset] = [every, period, offset]
            .map(|length| Literal(Arc::new(IntervalMonthDayNanoArray::from(vec![length]))));
        let closed = format!("{closed:?}").to_lowercase();
        format!(" {} every={every} period={period} offset={offset} closed={closed}", self.instant)
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn inputs(&self) -> Vec<&Arc<LogicalPlan>> {
        vec![&self.input]
    }

    fn with_inputs(&self, inputs: Vec<Arc<LogicalPlan>>) -> Result<LogicalPlan> {
        let [input] = <[Arc<LogicalPlan>; 1]>::try_from(inputs)
            .map_err(|_| Error::internal("windows are made of one input"))?;
        self.over(input, self.instant.clone())
    }

    fn map_exprs(&self, map: &mut MapExpr<'_>) -> Result<LogicalPlan> {
        let instant = map(self.instant.clone(), &self.input.schema());
        self.over(self.input.clone(), instant)
    }

    fn prune(&self, wanted: &Names, prune: &mut PruneInput<'_>) -> Result<LogicalPlan> {
        let of_instant = self.instant.columns().into_iter().map(|column| column.name);
        let of_input = wanted.iter().filter(|name| !self.is_made_here(name)).cloned();
        let input = prune(self.input.clone(), &of_input.chain(of_instant).collect())?;
        self.over(input, self.instant.clone())
    }

    /// A condition on columns of the input holds for all windows of a row, or for none.
    fn push_condition(&self, condition: &Expr) -> Pushed {
        let on_input = !condition.columns().iter().any(|column| self.is_made_here(&column.name));
        Pushed { below: vec![on_input.then(|| condition.clone())], settled: on_input }
    }
}
