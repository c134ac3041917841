//! What is left of a unit's text while it is decoded: all of it was fetched, or it is decompressed bit by bit.

use bytes::Bytes;
use dframe_core::{Budget, Result};

use super::file::TextFile;
use super::window::{Filled, TEXT_BYTES_MAX, Window};

/// What is left of a text.
pub(crate) enum Rest {
    /// All of it.
    Whole { bytes: Bytes, start: u64, at: usize },
    /// As much as has been decompressed.
    Packed(Box<Window>),
}

impl Rest {
    /// The text of a compressed file from `start` on, where its rows begin.
    pub(crate) fn unpacked(file: &TextFile, start: u64) -> Result<Self> {
        // Who decodes has claimed what the unit said it would hold.
        let budget = Budget::unlimited();
        let window = Window::new(file, start, TEXT_BYTES_MAX, &budget)?;
        Ok(Self::Packed(Box::new(window)))
    }

    /// What is at hand.
    pub(crate) fn text(&self) -> &[u8] {
        match self {
            Self::Whole { bytes, at, .. } => &bytes[*at..],
            Self::Packed(window) => window.text(),
        }
    }

    /// Where in the text of the file that begins.
    pub(crate) fn offset(&self) -> u64 {
        match self {
            Self::Whole { start, at, .. } => start + *at as u64,
            Self::Packed(window) => window.base(),
        }
    }

    /// Whether nothing comes after.
    pub(crate) fn is_last(&self) -> bool {
        match self {
            Self::Whole { .. } => true,
            Self::Packed(window) => window.is_last(),
        }
    }

    /// Is done with the first `bytes` of what is at hand.
    pub(crate) fn advance(&mut self, bytes: usize) {
        match self {
            Self::Whole { at, .. } => *at += bytes,
            Self::Packed(window) => window.advance(bytes),
        }
    }

    /// Reads on; false if there is nothing more, or more than can be held.
    pub(crate) fn fill(&mut self) -> Result<bool> {
        match self {
            Self::Whole { .. } => Ok(false),
            Self::Packed(window) => Ok(!window.is_last() && window.fill()? == Filled::Yes),
        }
    }
}
