//! Files of text: what CSV and JSON have in common.
//!
//! | file | question it answers |
//! |---|---|
//! | `file`, `packing`, `window` | what is in a file, compressed or not, in whatever encoding? |
//! | `blocks`, `units` | where do rows begin, and which of them are read at once? |
//! | `kinds`, `moment` | what could a text be, and which type holds a column? |
//! | `convert` | how is a text made a value of a type that was asked for? |

mod blocks;
pub(crate) mod convert;
mod file;
mod kinds;
pub(crate) mod moment;
mod packing;
pub(crate) mod units;
mod window;

pub(crate) use blocks::{Block, Blocks, Grain, Piece};
pub(crate) use file::TextFile;
pub(crate) use kinds::{Kinds, boolean, trimmed};
pub(crate) use units::{BatchSize, UnitFile};
pub(crate) use window::{Filled, TEXT_BYTES_MAX, WINDOW_BYTES, Window};

/// What is done about a record that is no row. What leaves no way to go on is an error whatever this says: in
/// CSV a quote that is not closed, in any file text that is not UTF-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BadRows {
    /// It is an error.
    #[default]
    Error,
    /// It is left out, and counted.
    Skip,
    /// Fields that are missing are NULL, fields that are too many are left out, and it is counted. A value that is
    /// not of the type that was asked for is NULL.
    Null,
}
