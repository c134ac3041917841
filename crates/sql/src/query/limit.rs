//! LIMIT and OFFSET.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Schema, UInt64Type};
use dframe_core::{Error, Result};
use dframe_expr::{Expr, simplify};
use dframe_plan::LogicalPlan;
use sqlparser::ast::{self, LimitClause};

use super::Planner;
use crate::convert::Located;
use crate::place::at;

impl Planner<'_, '_> {
    /// The rows of `plan` that `clause` leaves.
    pub fn limit(&self, plan: LogicalPlan, clause: Option<LimitClause>) -> Result<LogicalPlan> {
        let (limit, offset) = match clause {
            None => return Ok(plan),
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => (Some(limit), Some(offset)),
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) => {
                if let Some(by) = limit_by.first() {
                    return Err(self.unsupported("LIMIT BY", self.converter().place(by)));
                }
                (limit, offset.map(|offset| offset.value))
            }
        };
        let limit = limit.map(|node| self.row_count(node)).transpose()?.flatten();
        let offset = offset.map(|node| self.row_count(node)).transpose()?.flatten();
        Ok(match (offset, limit) {
            (None, None) => plan,
            (offset, limit) => plan.limit(offset.unwrap_or(0), limit),
        })
    }

    /// `FETCH FIRST n ROWS ONLY`; without a number, one.
    pub fn fetch(&self, plan: LogicalPlan, fetch: Option<ast::Fetch>) -> Result<LogicalPlan> {
        let Some(fetch) = fetch else { return Ok(plan) };
        let rows = match fetch.quantity {
            Some(quantity) => self.row_count(quantity)?,
            None => Some(1),
        };
        Ok(plan.limit(0, rows))
    }

    /// A number of rows; NULL is none.
    fn row_count(&self, node: ast::Expr) -> Result<Option<u64>> {
        let Located { expr, span } = self.converter().expr(node)?;
        let refuse = || {
            let error = Error::invalid_input("a number of rows must be a constant of 0 or more");
            at(error.remedy("write it like LIMIT 10 OFFSET 20"), span)
        };
        let counted = simplify(expr.cast(DataType::UInt64), &Schema::empty());
        let Expr::Literal(literal) = counted else { return Err(refuse()) };
        let counts = literal.0.as_primitive_opt::<UInt64Type>().ok_or_else(refuse)?;
        Ok(counts.is_valid(0).then(|| counts.value(0)))
    }
}
