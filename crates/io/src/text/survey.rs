//! Files that are looked through before they are read, because text says neither its types nor its rows.

use dframe_core::{Budget, CancelToken, Result};
use dframe_plan::Source;

/// Files that are being looked through, piece by piece: in any order, by anybody.
///
/// ```text
///   open --pieces--> look_through, side by side --what was found, in order--> finish --> Source
/// ```
pub trait Survey: Send + Sync + Sized + 'static {
    /// What is found in a piece.
    type Found: Clone + Send + Sync + 'static;
    /// What the files are once they have been looked through.
    type Source: Source;

    /// The bytes that [`Survey::look_through`] holds.
    const PIECE_MEMORY: usize;

    /// The number of pieces.
    fn piece_count(&self) -> usize;

    /// Looks through a piece. Waits for the disk and computes.
    ///
    /// # Errors
    /// The file cannot be read, or `cancel` is cancelled. What is wrong with records is told by
    /// [`Survey::finish`].
    fn look_through(&self, piece: usize, cancel: &CancelToken) -> Result<Self::Found>;

    /// The source, made of what was found in each piece, in order.
    ///
    /// # Errors
    /// The first record of the files that is none; files without a column.
    fn finish(
        &self,
        found: Vec<Self::Found>,
        cancel: &CancelToken,
        budget: &Budget,
    ) -> Result<Self::Source>;

    /// Looks through all pieces on the caller's thread.
    ///
    /// # Errors
    /// As [`Survey::look_through`] and [`Survey::finish`].
    fn finish_alone(&self) -> Result<Self::Source> {
        let cancel = CancelToken::new();
        let found = (0..self.piece_count()).map(|piece| self.look_through(piece, &cancel));
        self.finish(found.collect::<Result<_>>()?, &cancel, &Budget::unlimited())
    }
}
