//! The work on arrays that expressions are made of, a file for each family.
//!
//! Operands come with the types that [`crate::coerce`] has settled; what a kernel does with NULLs,
//! NaN and overflow is DuckDB's answer. Kernels know no columns' names; the caller adds them to errors.

pub mod arithmetic;
pub mod cast;
pub mod comparison;
pub mod in_list;
pub mod interval;
pub mod like;
pub mod list;
pub mod logic;
pub mod parse;
pub mod select;
pub mod temporal;
pub mod text;
pub mod zoned;
