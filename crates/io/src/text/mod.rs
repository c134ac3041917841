//! Files of text: what CSV and JSON have in common.
//!
//! | file | question it answers |
//! |---|---|
//! | `file`, `packing`, `window` | what is in a file, compressed or not, in whatever encoding? |
//! | `survey` | how is a file looked through before it is read? |
//! | `blocks`, `units`, `rest` | where do rows begin, and which of them are read at once? |
//! | `kinds`, `moment` | what could a text be, and which type holds a column? |
//! | `numbers` | how is a number read? |
//! | `convert` | how is a text made a value of a type that was asked for? |

mod blocks;
pub(crate) mod convert;
mod file;
mod kinds;
pub(crate) mod moment;
pub(crate) mod numbers;
mod packing;
mod rest;
mod survey;
pub(crate) mod units;
mod window;

use dframe_core::{Error, Result};
use encoding_rs::Encoding;

pub(crate) use blocks::{Block, Blocks, Grain, Piece};
pub(crate) use file::TextFile;
pub(crate) use kinds::{Kinds, boolean, trimmed};
#[cfg(test)]
pub(crate) use packing::Packing;
pub(crate) use rest::Rest;
pub use survey::Survey;
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

/// The encoding of this name.
///
/// # Errors
/// There is none.
pub(crate) fn encoding(name: &str) -> Result<&'static Encoding> {
    let unknown = || {
        Error::invalid_input(format!("there is no encoding '{name}'"))
            .remedy("names are such as utf-8, utf-16, latin1, windows-1252, shift_jis")
    };
    Encoding::for_label(name.as_bytes()).ok_or_else(unknown)
}
