//! What to compute on a batch: expressions, binding, kernels, aggregate functions.
//!
//! ```text
//!   Expr (by name) --bind(schema)--> BoundExpr (by index, typed) --evaluate(batch)--> Value
//! ```
//!
//! This crate knows no files, plans, tasks or memory limits: a batch goes in, arrays come out.

pub mod aggregate;
mod bind;
mod bound;
mod build;
mod codes;
mod coerce;
mod display;
mod expr;
pub mod function;
mod gathered;
mod kernel;
mod lazy;
mod literal;
mod namespace;
mod resolve;
mod simplify;
mod sort_key;
mod value;
mod walk;
pub mod window;
mod words;

pub use bind::{bind, bind_predicate};
pub use bound::BoundExpr;
pub use build::{
    Then, When, aggregate, call, coalesce, col, corr, count_all, covar, greatest, least, len, lit,
    null, when,
};
pub use coerce::key_type;
pub use display::type_name;
pub use expr::{AggregateCall, BinaryOp, Column, Expr, Like, Literal, Span, UnaryOp};
pub use function::temporal::windows::{BoundWindows, Closed, TimeWindows};
pub use gathered::Interpolation;
pub use literal::IntoLiteral;
pub use namespace::{Dt, List, Str};
pub use resolve::{resolve_column, resolve_name};
pub use simplify::simplify;
pub use sort_key::SortKey;
pub use value::{Value, plain, plain_type, true_only};
pub use walk::{conjunction, split_conjunction};
pub use words::{float_of_word, has_order_words, order_words};
