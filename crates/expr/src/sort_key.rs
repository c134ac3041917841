//! An expression to order by, with its direction.

use crate::Expr;

/// One key of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct SortKey {
    /// What is compared.
    pub expr: Expr,
    /// Largest first.
    pub descending: bool,
    /// NULLs before all values; by default they come last, in both directions.
    pub nulls_first: bool,
}

impl SortKey {
    /// Smallest first, NULLs last.
    pub fn ascending(expr: Expr) -> Self {
        Self { expr, descending: false, nulls_first: false }
    }

    /// Largest first, NULLs last.
    pub fn descending(expr: Expr) -> Self {
        Self { expr, descending: true, nulls_first: false }
    }
}

impl std::fmt::Display for SortKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let direction = if self.descending { " DESC" } else { "" };
        let nulls = if self.nulls_first { " NULLS FIRST" } else { "" };
        write!(f, "{}{direction}{nulls}", self.expr)
    }
}
