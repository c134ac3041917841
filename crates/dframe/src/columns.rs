//! What names a column: text is a column's name here, and a constant everywhere else.

use dframe_expr::{Expr, SortKey, col};

/// A column, or an expression that makes one.
pub trait IntoColumn {
    /// The expression; text becomes a reference to the column of that name.
    fn into_column(self) -> Expr;
}

impl IntoColumn for Expr {
    fn into_column(self) -> Expr {
        self
    }
}

impl IntoColumn for &str {
    fn into_column(self) -> Expr {
        if self == "*" { Expr::Wildcard } else { col(self) }
    }
}

impl IntoColumn for String {
    fn into_column(self) -> Expr {
        self.as_str().into_column()
    }
}

impl IntoColumn for &String {
    fn into_column(self) -> Expr {
        self.as_str().into_column()
    }
}

/// Smallest first, NULLs last: for [`crate::LazyFrame::sort_by`].
pub fn asc(column: impl IntoColumn) -> SortKey {
    SortKey::ascending(column.into_column())
}

/// Largest first, NULLs last: for [`crate::LazyFrame::sort_by`].
pub fn desc(column: impl IntoColumn) -> SortKey {
    SortKey::descending(column.into_column())
}

pub(crate) fn columns(columns: impl IntoIterator<Item = impl IntoColumn>) -> Vec<Expr> {
    columns.into_iter().map(IntoColumn::into_column).collect()
}
